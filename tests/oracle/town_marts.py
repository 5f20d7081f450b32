"""This module computes outbreak sampling by unit, regional screening, vaccination, disinfection and readiness."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tests.oracle.obligations import Membership, lifted_on, lifting, memberships
from tests.oracle.outbreaks import Outbreak, covers, outbreaks_at
from tests.oracle.policy import (
    COURSES,
    DAILY_PERCENT,
    KEY_SITES,
    OLDEST_YEARS,
    OUTBREAK,
    SCREENING,
    SENIOR_YEARS,
    TEAM_MIN,
)
from tests.oracle.reader import fold
from tests.oracle.records import Book, Record, end_of, share_of
from tests.oracle.zones import stays_on


@dataclass
class UnitDay:
    unit: str
    group: str
    community: str
    day: date
    roster: int
    required: int
    sampled: int
    phase: str

    @property
    def shortfall(self) -> int:
        return max(0, self.required - self.sampled)


def sampling_unit_daily(book: Book) -> list[UnitDay]:
    """Articles 10, 11 and 34: "Grain: unit × 社区 (of the roster rows) × day; an opening that names grids covers the members
    whose 网格 it names".
    """
    units: dict[tuple[str, str, str], list[Membership]] = {}
    for m in memberships(book):
        if m.group in OUTBREAK:
            units.setdefault((m.unit, m.group, m.community), []).append(m)
    rows = []
    for (unit, group, community), members in units.items():
        at_place = {m.grid: outbreaks_at(book, community, m.grid) for m in members}
        firsts = [outbreak.first for outbreaks in at_place.values() for outbreak in outbreaks]
        day = min(firsts, default=book.day + timedelta(1))
        while day <= book.day:
            running = {
                m.person: (m, outbreak) for m in members for outbreak in reversed(at_place[m.grid])
                if outbreak.first <= day <= outbreak.last and m.start <= day <= m.end
            }  # fmt: skip
            if running:
                rows.append(_unit_day(book, (unit, group, community), day, list(running.values())))
            day += timedelta(1)
    return rows


def _unit_day(book: Book, unit: tuple[str, str, str], day: date, running: list[tuple[Membership, Outbreak]]) -> UnitDay:
    """ "where two openings of one 社区 fall together, the row is the earlier one's and the members are those of both", on a
    day on which one ends and another begins as well.

    In the full round, people whose duty is lifted on that day are not required, and a sample since its start counts; afterwards
    it is "sampled that day >= ceil(20 % x active roster)".
    """
    first = min((outbreak for _, outbreak in running), key=lambda outbreak: outbreak.first)
    people = [m for m, _ in running]
    if day <= first.round_ends:
        asked = [m for m in people if not lifted_on(lifting(book, m.person, m.group), day)]
        sampled = sum(any(first.first <= d <= day for d in book.sample_days(m.person)) for m in asked)
        return UnitDay(*unit, day, len(people), len(asked), sampled, "full_round")
    sampled = sum(day in book.sample_days(m.person) for m in people)
    return UnitDay(*unit, day, len(people), share_of(len(people), DAILY_PERCENT), sampled, "daily")


def key_site_disinfection(book: Book) -> dict[tuple[str, date], int]:
    """Article 27: "During an outbreak the units of rows 9, 12–15, 17, 23, 24, 28 are places too, matched by 场所 = 工作单位".

    A unit has a row for each day on which one of its members is at a place with an outbreak; the value counts disinfections.
    """
    log = [row for row in book["disinfections"] if row["类型"] == "预防性" and book.known(row["开始时间"])]
    done: dict[tuple[str, date], int] = {}
    for m in memberships(book):
        for outbreak in outbreaks_at(book, m.community, m.grid) if m.group in KEY_SITES and m.unit else []:
            day = max(outbreak.first, m.start)
            while day <= min(outbreak.last, m.end, book.day):
                entries = [row for row in log if fold(row["场所"]) == fold(m.unit) and row["开始时间"].date() == day]
                done[m.unit, day] = len(entries)
                day += timedelta(1)
    return done


@dataclass
class Screened:
    round_id: str
    person: str
    community: str
    grid: str
    first_at: datetime | None
    deadline: datetime


def screening(book: Book) -> list[Screened]:
    """ "everyone in scope sampled within 24 hours of its start (article 34), nobody left out (article 21)"."""
    rows = []
    for notice in book["declarations"]:
        start = notice["开始时间"]
        if notice["类型"] != "区域核酸" or start >= end_of(book.day):
            continue
        for row in book["residents"]:
            if covers(notice, row["社区"], row["网格"]) and stays_on(row, start.date()):
                person = row["证件号码"]
                first = next((s.at for s in book.samples[person] if s.at >= start), None)
                rows.append(Screened(notice["通告编号"], person, row["社区"], row["网格"], first, start + SCREENING))
    return rows


def screening_counts(people: list[Screened]) -> dict[tuple[str, str, str], tuple[int, int, int, int]]:
    """Return in_scope, sampled_in_time, sampled_late and outstanding of each round, community and grid."""
    counts: dict[tuple[str, str, str], tuple[int, int, int, int]] = {}
    for p in people:
        total, in_time, late, outstanding = counts.get((p.round_id, p.community, p.grid), (0, 0, 0, 0))
        done = p.first_at is not None
        soon = p.first_at is not None and p.first_at <= p.deadline
        counts[p.round_id, p.community, p.grid] = (
            total + 1, in_time + soon, late + (done and not soon), outstanding + (not done),
        )  # fmt: skip
    return counts


def vaccination_60plus(book: Book) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    """Count residents of 60 and over on D by age band (article 22): all, with a dose, with the full course, with the booster."""
    doses: dict[str, list[Record]] = {}
    for row in book["vaccinations"]:
        if row["剂次"] and row["接种日期"] and row["接种日期"] <= book.day:
            doses.setdefault(row["证件号码"], []).append(row)
    counts: dict[tuple[str, str], tuple[int, int, int, int]] = {}
    for row in book["residents"]:
        years = years_old(row["出生日期"], book.day) if row["出生日期"] else 0
        if not stays_on(row, book.day) or years < SENIOR_YEARS:
            continue
        given = sorted(doses.get(row["证件号码"], []), key=lambda dose: int(dose["剂次"]))
        had = int(given[-1]["剂次"]) if given else 0  # "A person's doses are the highest 剂次 up to D."
        course, booster = course_of(given[0]["疫苗"] if given else "")
        key = (row["社区"], "80+" if years >= OLDEST_YEARS else "60-79")
        total, covered, full, boosted = counts.get(key, (0, 0, 0, 0))
        counts[key] = (total + 1, covered + (had >= 1), full + (had >= course), boosted + (had >= course + booster))
    return counts


def course_of(vaccine: str) -> tuple[int, int]:
    """policy.md says: "unknown: as 灭活; several vaccines: by that of the first dose"."""
    return next((doses for name, doses in COURSES.items() if name in vaccine), COURSES["灭活"])


def years_old(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def readiness(book: Book) -> dict[str, tuple[int, int]]:
    """Return listed and shortfall of each community that has a tracing team (article 37, "每个社区按3-5人规模")."""
    listed = Counter(row["社区"] for row in book["teams"] if row["层级"] == "社区" and row["队伍类型"] == "流调")
    return {community: (count, max(0, TEAM_MIN - count)) for community, count in listed.items()}
