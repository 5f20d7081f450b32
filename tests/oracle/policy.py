"""The numbers of policy.md, by edition where they differ. An anchored rule follows the edition of its anchor date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

FIRST, TWENTY, TEN = "beifeng-2", "national-2022-11-11", "national-2022-12-07"


def edition_on(day: date) -> str:
    """ "The first edition has no beginning"; "obligations follow the edition in force on the anchor date"."""
    return FIRST if day < date(2022, 11, 11) else TWENTY if day < date(2022, 12, 7) else TEN


# Annex rows 1 to 22, and article 28 (A28): k tests in n days.
ROLLING = (
    {str(g): (1, 1) for g in range(1, 8)}
    | {str(g): (2, 7) for g in range(8, 15)}
    | {str(g): (1, 5) for g in range(15, 23)}
    | {"A28": (1, 1)}
)
ROLLING_NO_MORE = {TEN: {"8", "9", "10", "12", "13", "16", "17", "18", "19", "20", "21", "22"}}
OUTBREAK = {str(g) for g in range(23, 29)}  # These are annex rows 23 to 28 (articles 10 and 11).
KEY_SITES = {"9", "12", "13", "14", "15", "17", "23", "24", "28"}  # Article 27 names their units.
HIGH_RISK_POSTS = {"1", "2", "3", "4", "5", "7"}  # Article 6 means rows 1 to 5 and 7 (`is_high_risk_post`).

# Annex rows 29 to 33 and 35 to 37, article 6: day numbers; an edition that does not list a group keeps the earlier ones.
DAYS = {
    FIRST: {
        "29": (1,), "30": (1,), "31": (1, 2, 3, 5, 7, 10), "32": (1, 2, 3, 5, 7), "33": (1, 4, 7),
        "35": (1, 2, 3, 5, 7, 10), "36": (1, 4, 7), "37": (3, 7), "A06": (1, 4, 7),
    },
    TWENTY: {
        "31": (1, 2, 3, 5, 6, 8), "32": (1, 3, 5, 7), "33": (), "35": (1, 2, 3, 5, 6, 8), "36": (), "A06": (1, 3, 5),
    },
    TEN: {"32": (), "35": (5,)},
}  # fmt: skip
FIRST_TEST = {"31", "32", "33", "35", "36", "A06"}  # A07 with day numbers has a rule of its own.
WINDOW_NO_MORE = {TEN: {"34"}}


def day_numbers(group: str, anchor: date) -> tuple[int, ...]:
    numbers: tuple[int, ...] = ()
    for edition in (FIRST, TWENTY, TEN):
        numbers = DAYS[edition].get(group, numbers)
        if edition == edition_on(anchor):
            break
    return numbers


FULL_ROUND_DAYS = 2  # The basis is article 34.
DAILY_PERCENT = 20  # The basis is articles 10 and 11.
PURCHASE_TEST_DAYS = 2  # The basis is article 19.
RESAMPLE = timedelta(hours=24)  # The basis is article 24.
SPACING = timedelta(hours=24)  # The basis is row 34.
LOOKBACK_DAYS = 7  # The basis is article 30.
DUE_HORIZON_DAYS = 7
CONTACT_LIMIT = timedelta(hours=8)  # The basis is articles 25 and 26.
TRANSFER_LIMIT = timedelta(hours=2)  # The basis is articles 24 and 26.
CASE_BEFORE_SAMPLE_DAYS = 3
DEPARTURE_LIST_DAYS = 30  # The basis is article 6.
HEALTH_CHECKS_DAILY = 2  # The basis is articles 4, 18 and 30.
FEVER = 37.3
ANSWER_BEFORE_DUE_DAYS = 7
SCREENING = timedelta(hours=24)  # The basis is article 34.
DISINFECTIONS_PER_DAY = 2  # The basis is article 27.
SENIOR_YEARS, OLDEST_YEARS = 60, 80  # The basis is article 22.
TEAM_MIN, TEAM_MAX = 3, 5  # The basis is article 37.
ROUND_AFTER_DAYS, MEDIUM_AFTER_HIGH_DAYS, LOWERED_LATE_DAYS = 7, 3, 1  # The basis is article 28.

COURSES = {
    "灭活": (2, 1),
    "腺病毒载体": (1, 1),
    "重组蛋白": (3, 1),
}  # Article 22 needs the doses of the course and of the booster.


@dataclass(frozen=True)
class Control:
    """A control has days of isolation, a place, days of monitoring after it, and days from the anchor to its first day."""

    isolation: int
    place: str
    monitoring: int
    first: int = 0


CONTROLS = {
    FIRST: {
        "31": Control(7, "集中", 3), "A06": Control(7, "", 0), "32": Control(7, "集中", 0), "33": Control(7, "居家", 0),
        "34": Control(0, "", 3), "35": Control(7, "集中", 3), "36": Control(7, "居家", 0), "37": Control(0, "", 7, 1),
    },
    TWENTY: {
        "31": Control(5, "集中", 3), "A06": Control(0, "", 5), "32": Control(7, "居家", 0), "33": None,
        "35": Control(5, "集中", 3), "36": None,
    },
    TEN: {"32": None, "34": None, "35": Control(5, "居家", 0)},
}  # fmt: skip
REFERRED = {"集中隔离": Control(7, "集中", 0), "居家隔离": Control(7, "居家", 0), "健康监测": Control(0, "", 3)}


def control_of(group: str, anchor: date) -> Control | None:
    control: Control | None = None
    for edition in (FIRST, TWENTY, TEN):
        control = CONTROLS[edition].get(group, control)
        if edition == edition_on(anchor):
            break
    return control
