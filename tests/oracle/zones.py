"""This module computes risk zones as policy.md words article 28."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from tests.oracle.records import FOREVER, Book, Record


@dataclass
class Zone:
    zone_id: str
    level: str
    level_since: date
    was_high: bool
    last_positive: date | None
    clear_days: int
    residents: int
    eligible_level: str
    eligible_on: date | None


def stays_on(row: Record, day: date) -> bool:
    """ "whose stay (迁入日期 to 迁出日期, inclusive) includes D"."""
    return bool((row["迁入日期"] or date.min) <= day <= (row["迁出日期"] or FOREVER))


def zones(book: Book) -> list[Zone]:
    declared: dict[str, list[Record]] = {}
    for row in book["risk_zones"]:
        if row["生效日期"] <= book.day:
            declared.setdefault(row["风险区编号"], []).append(row)
    return [_zone(book, key, sorted(rows, key=lambda row: row["生效日期"])) for key, rows in declared.items()]


def _zone(book: Book, key: str, rows: list[Record]) -> Zone:
    today = book.day
    last = rows[-1]
    # The policy says "level_since = first day of the present unbroken run of declarations at this level"
    since, before = last["生效日期"], []
    for i in range(len(rows) - 1, -1, -1):
        if rows[i]["等级"] != last["等级"]:
            before = rows[: i + 1]
            break
        since = rows[i]["生效日期"]
    was_high = any(row["等级"] == "高" for row in before)
    # The policy says "last_positive: latest sample date among the zone's local cases, up to D"
    positives = [row["采样日期"] for row in book["cases"]
                 if row["风险区编号"] == key and row["来源"] == "本土" and row["采样日期"] <= today]  # fmt: skip
    last_positive = max(positives, default=None)
    clock = max([since, *positives])
    # "Residents of a zone: residents whose (社区, 网格) is one of the zone's grids"
    grids = last["网格"].split("、")
    people = [row for row in book["residents"]
              if row["社区"] == last["社区"] and row["网格"] in grids and stays_on(row, today)]  # fmt: skip
    lower, on = "", None
    if last["等级"] == "中" and was_high:
        lower, on = "低", clock + timedelta(3)
    elif last["等级"] in ("高", "中"):
        lower, on = "中" if last["等级"] == "高" else "低", _round_day(book, people, clock + timedelta(7))
    if on is None or on > today:
        lower, on = "", None
    return Zone(key, last["等级"], since, was_high, last_positive, (today - clock).days, len(people), lower, on)


def _round_day(book: Book, people: list[Record], seventh: date) -> date | None:
    """ "every resident of the zone who is not a case has, on or after that day, a counting sample with a known result,
    and the first such result of each is negative. The round's day is the latest of those first dates."
    """
    cases = {row["证件号码"] for row in book["cases"] if row["采样日期"] <= book.day}
    latest = seventh  # "A zone without residents has a complete round on day 7."
    for row in people:
        if row["证件号码"] in cases:
            continue
        known = [s for s in book.samples[row["证件号码"]] if s.day >= seventh and s.result in ("阴性", "阳性")]
        if not known or known[0].result == "阳性":
            return None
        latest = max(latest, known[0].day)
    return latest
