"""This module computes the section "Controls" of policy.md, and the health monitoring of persons at home."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tests.oracle import policy
from tests.oracle.obligations import Membership, Obligation, infected, memberships, releases_of
from tests.oracle.policy import FEVER, HEALTH_CHECKS_DAILY
from tests.oracle.records import FOREVER, Book, Record


@dataclass
class Control:
    """One membership's control. isolation_until is the last day of an isolation in this town, else None."""

    membership: Membership
    starts_from: date
    isolation_until: date | None
    isolated_at: str
    ends_on: date
    required: int
    done: int
    missing: list[str]
    released_on: date | None

    @property
    def may_be_released(self) -> bool:
        return not self.missing


def rule_of(m: Membership) -> policy.Control | None:
    """The table of controls; "A referral's control is its 管控方式" (仅检测 is none)."""
    if m.anchor is None:
        return None
    if m.group == "A07":
        return policy.REFERRED.get(m.row["管控方式"])
    return policy.control_of(m.group, m.anchor)


def isolation(m: Membership, rule: policy.Control) -> tuple[date | None, date]:
    """Return the last day of the isolation (None without one) and the last day of the control.

    "Whoever arrives on or after the last day of an isolation has no isolation here".
    """
    assert m.anchor
    first = m.anchor + timedelta(rule.first)
    until = first + timedelta(rule.isolation - 1) if rule.isolation else None
    ends_on = first + timedelta(rule.isolation + rule.monitoring - 1)
    return (None if until is None or m.start >= until else until), ends_on


def controls(book: Book, rows: list[Obligation]) -> list[Control]:
    everybody = memberships(book)
    by_key: dict[str, list[Obligation]] = {}
    for row in rows:
        by_key.setdefault(row.membership.key, []).append(row)
    all_controls = []
    for m in everybody:
        rule = rule_of(m)
        if rule is None or m.anchor is None:
            continue
        until, ends_on = isolation(m, rule)
        if m.start > ends_on:  # "a control that was over before the membership began has no row"
            continue
        slots = by_key.get(m.key, [])
        required, done = tests_until(slots, ends_on)
        missing = ["tests"] if done < required else []
        if not _negative(book, m, slots, ends_on):
            missing.append("results")
        if book.day < ends_on:
            missing.append("days")
        if m.group == "31" and until and not three_negatives(book, m):
            missing.append("three negatives")
        if restarted(m, until, everybody):
            missing.append("restart")
        # Somebody who was sampled on the last day, and is infected, is not released on it.
        if any(
            first - timedelta(1) <= min(ends_on, m.end) and last > m.anchor
            for first, last in infected(book, m.person)
            if first - timedelta(1) <= book.day
        ):
            missing.append("infection")
        place = home_or_central(book, m, rule) if until else ""
        released = m.end if m.end <= book.day else None
        all_controls.append(Control(m, m.anchor, until, place, ends_on, required, done, missing, released))
    return all_controls


def tests_until(slots: list[Obligation], last: date) -> tuple[int, int]:
    """ "every slot up to that day": how many are not lifted, and how many of these are satisfied (late counts)."""
    upto = [row for row in slots if row.slot is not None and row.due <= last and row.status not in ("exempt", "void")]
    return len(upto), sum(row.status.startswith("satisfied") for row in upto)


def _negative(book: Book, m: Membership, slots: list[Obligation], last: date) -> bool:
    """ "satisfied (late counts) with negative results": the samples of the day that discharged each slot."""
    for row in slots:
        if row.slot is not None and row.due <= last and row.satisfied_on:
            results = {s.result for s in book.samples[m.person] if s.day == row.satisfied_on}
            if "阳性" in results or "阴性" not in results:
                return False
    return True


def three_negatives(book: Book, m: Membership) -> bool:
    """Article 4: 三阴性, or 排除感染; "of several 集中隔离 records the newest 解除日期 decides"."""
    records = [row for row in releases_of(book, m) if row["解除类型"] == "集中隔离" and row["解除日期"] <= book.day]
    if not records:
        return False
    last: Record = max(records, key=lambda row: (row["解除日期"], row["更新时间"]))
    if last["人员结果"] != "阴性":
        return False
    return (last["物品结果"], last["环境结果"]) == ("阴性", "阴性") or last["排除感染"] == "是"


def restarted(m: Membership, until: date | None, everybody: list[Membership]) -> bool:
    """Article 8: "A control that has no isolation is never restarted; one with isolation only by an exposure within it", which a release ends."""
    if until is None or m.anchor is None:
        return False
    exposures = [other.exposed_on for other in everybody if other.person == m.person and other.exposed_on]
    return any(max(m.anchor + timedelta(1), m.start) <= day <= min(until, m.end) for day in exposures)


def home_or_central(book: Book, m: Membership, rule: policy.Control) -> str:
    """ "a contact is at home when 隔离方式 says so": of several records the first that says it; everybody else is where the
    rule says.
    """
    named = [row for row in book["contacts"] if "contacts:" + row["编号"] in m.merged and book.known(row["判定时间"])]
    places = [row["隔离方式"] for row in sorted(named, key=lambda row: row["编号"]) if row["隔离方式"]]
    return (places[0] if places else "集中") if named else rule.place


@dataclass(frozen=True)
class HealthDay:
    membership: Membership
    day: date
    done: int
    highest: float | None
    has_symptom: bool
    status: str


def health_monitoring(book: Book) -> list[HealthDay]:
    """Count reports (articles 4, 18 and 30) "on every day of the stage up to D or the end of the membership, from the start of
    the membership at the earliest".
    """
    checks: dict[tuple[str, date], list[Record]] = {}
    for row in book["health_checks"]:
        taken: datetime = row["测量时间"]
        checks.setdefault((row["证件号码"], taken.date()), []).append(row)
    rows = []
    for m in memberships(book):
        rule = rule_of(m)
        if rule is None or m.anchor is None:
            continue
        first, last = at_home(book, m, rule)
        day = max(first, m.start)
        while day <= min(last, m.end, book.day):
            if not any(begin <= day <= end for begin, end in infected(book, m.person)):
                rows.append(_health_day(m, day, checks.get((m.person, day), [])))
            day += timedelta(1)
    return rows


def at_home(book: Book, m: Membership, rule: policy.Control) -> tuple[date, date]:
    """Return the first and last day under home isolation or monitoring: "row 37: from the day after discharge; after central
    isolation: from the day after its last day"; "A06 of the first edition has none, its place is not known".
    """
    assert m.anchor
    until, ends_on = isolation(m, rule)
    first = m.anchor + timedelta(rule.first)
    if not rule.isolation:
        return first, ends_on
    if until and home_or_central(book, m, rule) == "居家":
        return first, ends_on
    if not rule.monitoring:
        return FOREVER, ends_on
    return (until + timedelta(1) if until else first), ends_on


def _health_day(m: Membership, day: date, rows: list[Record]) -> HealthDay:
    """ "a day with fewer is short, 体温 ≥ 37.3 or a symptom (无 is none) is a signal". A record without either does not count,
    and two records of the same time count once.
    """
    rows = [row for row in rows if row["体温"] or row["症状"]]
    done = len({row["测量时间"] for row in rows})
    temperatures = sorted(float(row["体温"]) for row in rows if row["体温"])
    symptom = any(set(row["症状"].split("、")) - {"", "无"} for row in rows)
    fever = bool(temperatures) and temperatures[-1] >= FEVER
    status = "signal" if fever or symptom else "short" if done < HEALTH_CHECKS_DAILY else "complete"
    return HealthDay(m, day, done, temperatures[-1] if temperatures else None, symptom, status)
