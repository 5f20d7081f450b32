"""This module computes outbreak sampling by unit, regional screening, vaccination, disinfection and readiness."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tests.oracle.obligations import FULL_ROUND_DAYS, OUTBREAK, memberships
from tests.oracle.records import Book, Record, end_of, share_of
from tests.oracle.zones import stays_on

SCREENING = timedelta(hours=24)
DAILY_PERCENT = 20
DISINFECTIONS_PER_DAY = 2
SENIOR_YEARS = 60
TEAM_MIN, TEAM_MAX = 3, 5


@dataclass
class UnitDay:
    unit: str
    group: str
    day: date
    roster: int
    required: int
    sampled: int
    shortfall: int


def sampling_unit_daily(book: Book) -> list[UnitDay]:
    """ "From start + 2 to the end of the outbreak, per unit and day: sampled that day >= ceil(20 % x active roster)"."""
    found = []
    roster = [m for m in memberships(book) if m.group in OUTBREAK]
    for unit, group in sorted({(m.unit, m.group) for m in roster}):
        members = [m for m in roster if (m.unit, m.group) == (unit, group)]
        # A unit whose people live in several communities has those in the outbreak of each.
        for start in sorted({s.date() for m in members for s, _ in book.outbreaks(m.community)}):
            day = start + timedelta(FULL_ROUND_DAYS)
            while day <= book.day:
                active = {
                    m.person for m in members if m.start <= day <= m.end
                    for s, e in book.outbreaks(m.community) if s.date() == start and day <= (e.date() if e else book.day)
                }  # fmt: skip
                sampled = sum(day in book.sample_days(person) for person in active)
                required = share_of(len(active), DAILY_PERCENT)
                if active:
                    found.append(UnitDay(unit, group, day, len(active), required, sampled, max(0, required - sampled)))
                day += timedelta(1)
    return found


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
    found = []
    for notice in book["declarations"]:
        start = notice["开始时间"]
        if notice["类型"] != "区域核酸" or start >= end_of(book.day):
            continue
        for row in book["residents"]:
            if _in_scope(notice, row) and stays_on(row, start.date()):
                person = row["证件号码"]
                first = next((s.at for s in book.samples[person] if s.at >= start), None)
                found.append(Screened(notice["通告编号"], person, row["社区"], row["网格"], first, start + SCREENING))
    return found


def _in_scope(notice: Record, row: Record) -> bool:
    communities, grids = notice["范围社区"], notice["范围网格"]
    return (not communities or row["社区"] in communities.split("、")) and (
        not grids or row["网格"] in grids.split("、")
    )


def screening_counts(people: list[Screened]) -> dict[tuple[str, str, str], tuple[int, int, int, int]]:
    """in_scope, sampled_in_time, sampled_late, outstanding of each round, community and grid."""
    found: dict[tuple[str, str, str], tuple[int, int, int, int]] = {}
    for p in people:
        total, in_time, late, outstanding = found.get((p.round_id, p.community, p.grid), (0, 0, 0, 0))
        done = p.first_at is not None
        soon = p.first_at is not None and p.first_at <= p.deadline
        found[p.round_id, p.community, p.grid] = (
            total + 1, in_time + soon, late + (done and not soon), outstanding + (not done),
        )  # fmt: skip
    return found


def vaccination_60plus(book: Book) -> dict[str, tuple[int, int, int, int]]:
    """Article 22: the function counts residents of 60 and over on D, and their doses by D."""
    doses: Counter[str] = Counter()
    for row in book["vaccinations"]:
        if row["接种日期"] <= book.day:
            doses[row["证件号码"]] = max(doses[row["证件号码"]], int(row["剂次"]))
    found: dict[str, tuple[int, int, int, int]] = {}
    for row in book["residents"]:
        if stays_on(row, book.day) and years_old(row["出生日期"], book.day) >= SENIOR_YEARS:
            had = doses[row["证件号码"]]
            total, one, two, three = found.get(row["社区"], (0, 0, 0, 0))
            found[row["社区"]] = (total + 1, one + (had >= 1), two + (had >= 2), three + (had >= 3))
    return found


def years_old(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def disinfection_daily(book: Book) -> dict[tuple[str, date], tuple[int, int, int]]:
    """ "Disinfection in high- and medium-risk zones: at least 2 a day": required, done, shortfall of a zone's days."""
    found: dict[tuple[str, date], tuple[int, int, int]] = {}
    for zone in {row["风险区编号"] for row in book["risk_zones"]}:
        notices = [row for row in book["risk_zones"] if row["风险区编号"] == zone]
        day = min(row["生效日期"] for row in notices)
        while day <= book.day:
            in_force = max((row for row in notices if row["生效日期"] <= day), key=lambda row: row["生效日期"])
            if in_force["等级"] in ("高", "中"):
                done = sum(row["风险区编号"] == zone and row["类型"] == "预防性" and row["开始时间"].date() == day
                           for row in book["disinfections"])  # fmt: skip
                found[zone, day] = (DISINFECTIONS_PER_DAY, done, max(0, DISINFECTIONS_PER_DAY - done))
            day += timedelta(1)
    return found


def readiness(book: Book) -> dict[str, tuple[int, int]]:
    """Article 37, "每个社区按3-5人规模": listed and shortfall of each community that lists a tracing team."""
    listed = Counter(row["社区"] for row in book["teams"] if row["层级"] == "社区" and row["队伍类型"] == "流调")
    return {community: (count, max(0, TEAM_MIN - count)) for community, count in listed.items()}
