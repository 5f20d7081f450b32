"""This module computes risk zones as policy.md words article 28, and the disinfection of their places (article 27)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from tests.oracle.policy import DISINFECTIONS_PER_DAY, LOWERED_LATE_DAYS, MEDIUM_AFTER_HIGH_DAYS, ROUND_AFTER_DAYS
from tests.oracle.reader import fold
from tests.oracle.records import FOREVER, Book, Record

RANK = {"高": 3, "中": 2, "低": 1}


@dataclass
class Round:
    """The full round of the residents who are not cases: how many have a result, how many have none, and its last day."""

    sampled: int
    outstanding: int
    positive: int
    complete_on: date | None


@dataclass
class Zone:
    zone_id: str
    level: str
    level_since: date
    was_high: bool
    last_positive: date | None
    clear_days: int
    residents: int
    round: Round | None
    eligible_level: str
    eligible_on: date | None
    blockers: list[str]
    mismatch: bool = False


def stays_on(row: Record, day: date) -> bool:
    """ "whose stay (迁入日期 to 迁出日期, inclusive) includes D"."""
    return bool((row["迁入日期"] or date.min) <= day <= (row["迁出日期"] or FOREVER))


def notices(book: Book) -> dict[str, list[Record]]:
    """The declarations of each zone up to D, in the order in which they take effect. A day has one level: that of the notice
    that was updated last, and of two that were updated together the one that came later.
    """
    by_day: dict[tuple[str, date], Record] = {}
    for row in book["risk_zones"]:
        on = (row["风险区编号"], row["生效日期"])
        if row["生效日期"] <= book.day and (on not in by_day or row["更新时间"] >= by_day[on]["更新时间"]):
            by_day[on] = row
    declared: dict[str, list[Record]] = {}
    for zone, on in sorted(by_day):
        declared.setdefault(zone, []).append(by_day[zone, on])
    return declared


def zones(book: Book) -> list[Zone]:
    zone_rows = []
    for key, rows in notices(book).items():
        zone = zone_at(book, key, rows, book.day)
        zone.mismatch = _lowered_wrongly(book, key, rows, zone) or _not_lowered(zone, book.day)
        zone_rows.append(zone)
    return zone_rows


def in_zone(row: Record, notice: Record) -> bool:
    """ "whose (社区, 网格) is one of the zone's grids"."""
    return row["社区"] in notice["社区"].split("、") and row["网格"] in notice["网格"].split("、")


def zone_at(book: Book, key: str, rows: list[Record], day: date) -> Zone:
    """Compute the zone by these declarations at the end of a day, "from everything known now"."""
    last = rows[-1]
    # The policy says "level_since = first day of the present unbroken run of declarations at this level"
    since, before = last["生效日期"], []
    for i in range(len(rows) - 1, -1, -1):
        if rows[i]["等级"] != last["等级"]:
            before = rows[: i + 1]
            break
        since = rows[i]["生效日期"]
    was_high = any(row["等级"] == "高" for row in before)
    # "last_positive: latest sample date among the zone's local cases, up to D"; "Imported cases start no clock."
    local = [row for row in book["cases"] if row["来源"] == "本土" and row["采样日期"] <= day]
    positives = [row["采样日期"] for row in local if row["风险区编号"] == key]
    clock = max([since, *positives])
    people = [row for row in book["residents"] if in_zone(row, last) and stays_on(row, day)]
    zone = Zone(key, last["等级"], since, was_high, max(positives, default=None), (day - clock).days, len(people),
                None, "", None, [])  # fmt: skip
    if zone.level == "低":
        return zone
    if zone.level == "中" and was_high:  # "no screening needed"
        lower, seventh = "低", clock + timedelta(MEDIUM_AFTER_HIGH_DAYS)
        ready: date | None = seventh
    else:
        lower, seventh = ("中" if zone.level == "高" else "低"), clock + timedelta(ROUND_AFTER_DAYS)
        if day >= seventh:
            zone.round = full_round(book, people, seventh, day)
        ready = zone.round.complete_on if zone.round else None
    if day < seventh:
        zone.blockers.append("days")
    if zone.round and zone.round.outstanding:
        zone.blockers.append("not_sampled")
    if zone.round and zone.round.positive:
        zone.blockers.append("positive")
    # "A local case on or after clock_start whose (社区, 网格) is one of the zone's grids and that names no zone"
    if any(not row["风险区编号"] and row["采样日期"] >= clock and in_zone(row, last) for row in local):
        zone.blockers.append("unassigned_case")
    if not zone.blockers:
        zone.eligible_level, zone.eligible_on = lower, ready
    return zone


def full_round(book: Book, people: list[Record], seventh: date, day: date) -> Round:
    """ "every resident of the zone who is not a case has, on or after that day, a counting sample with a known result,
    and the first such result of each is negative. The round's day is the latest of those first dates."
    """
    cases = {row["证件号码"] for row in book["cases"] if row["采样日期"] <= day}
    firsts = []
    outstanding = positive = 0
    for person in {row["证件号码"] for row in people} - cases:
        known = [s for s in book.samples[person] if seventh <= s.day <= day and s.result in ("阴性", "阳性")]
        if not known:
            outstanding += 1
            continue
        firsts.append(known[0].day)
        positive += known[0].result == "阳性"
    # "A zone without residents has a complete round on day 7."
    complete = max([seventh, *firsts]) if not outstanding and not positive else None
    return Round(len(firsts), outstanding, positive, complete)


def _lowered_wrongly(book: Book, key: str, rows: list[Record], zone: Zone) -> bool:
    """ "it agrees when the zone was eligible for that level by the end of that day", "by the declarations before it"."""
    before = [row for row in rows if row["生效日期"] < zone.level_since]
    if not before or RANK[before[-1]["等级"]] <= RANK[zone.level]:
        return False
    return zone_at(book, key, before, zone.level_since).eligible_level != zone.level


def _not_lowered(zone: Zone, day: date) -> bool:
    """ "not lowered although eligible since more than a day (D − eligible_on > 1)"."""
    return zone.eligible_on is not None and (day - zone.eligible_on).days > LOWERED_LATE_DAYS


@dataclass(frozen=True)
class PlaceDay:
    zone: str
    place: str
    day: date
    is_building: bool
    done: int

    @property
    def shortfall(self) -> int:
        return max(0, DISINFECTIONS_PER_DAY - self.done)


def disinfection_daily(book: Book) -> list[PlaceDay]:
    """Article 27: "due twice a day per place: the buildings of the zone by the register, and every 场所 that the log named
    in that zone up to D, in an entry of any 类型"; "Rows for the days on which the zone is 高 or 中".
    """
    daily_rows = []
    for zone, rows in notices(book).items():
        log = [row for row in book["disinfections"] if row["风险区编号"] == zone and book.known(row["开始时间"])]
        buildings = {fold(row["楼栋"]) for row in book["residents"] if in_zone(row, rows[-1])} - {""}
        places = buildings | {fold(row["场所"]) for row in log} - {""}
        day = rows[0]["生效日期"]
        while day <= book.day:
            level = [row for row in rows if row["生效日期"] <= day][-1]["等级"]
            for place in sorted(places) if level in ("高", "中") else []:
                done = sum(row["类型"] == "预防性" and row["开始时间"].date() == day
                           and place in (fold(row["场所"]), fold(row.get("楼栋") or "")) for row in log)  # fmt: skip
                daily_rows.append(PlaceDay(zone, place, day, place in buildings, done))
            day += timedelta(1)
    return daily_rows
