"""The simulated town shows every part of the plan: an empty section would tell nobody whether it works."""

from __future__ import annotations

import pytest

from tests import support
from yingjian.modelling.marts import published
from yingjian.settings import Settings

# These have rows on other days: when a day is published again, when a pack was sent, when a round hangs on a person, and
# when the lists show a stay from its beginning to its end.
OF_OTHER_DAYS = {"restatement", "delivery_outcome", "zone_blocker", "zone_stay_summary"}
SHOWN = sorted(mart.name for mart in published().values() if mart.reader_schema == "reporting")


@pytest.mark.parametrize("mart", SHOWN)
def test_every_mart_has_rows(world: Settings, mart: str) -> None:
    [(rows,)] = support.query(world, f"select count(*) from reporting.{mart}")
    assert rows > 0 or mart in OF_OTHER_DAYS


# Figures of each new mart that a town of 600 persons may have: a condition that holds for at least one row, and one that
# holds for every row.
PLAUSIBLE = {
    "positive_followup": ("status = 'overdue'", "hours between 0 and 24 * 16"),
    "health_monitoring": (
        "status = 'short'",
        "done between 0 and 4 and highest_temperature between 35 and 41 is not false",
    ),
    "disposition_daily": ("answered > 0", "answered <= items and items < 300"),
    "missing_departure": ("true", "group_code in ('1', '2', '3', '4', '5', '7') and ended_on <= as_of_date"),
    "inspection_followup": ("status = 'overdue'", "days_open between 0 and 60"),
    "isolation_capacity_daily": ("is_nearly_full", "rooms_free between 0 and rooms"),
    "supply_daily": ("status = 'short'", "days_of_stock between 0 and 400"),
    "request_followup": ("status in ('overdue', 'satisfied_late')", "hours_open between 0 and 24 * 16"),
    "guest_check": ("is_on_list", "hours_to_report between 0 and 24 * 16"),
    "event_approval": ("status <> 'satisfied'", "attendance between 10 and 100000"),
    "drill_summary": ("status = 'never'", "days_since between 0 and 400 is not false"),
    "key_site_disinfection": ("shortfall = 0", "required = 2 and done between 0 and 12"),
    "vaccination_outstanding": ("reason is not null", "has_doses between 0 and 3"),
    "feed_sender_daily": ("rows > 0", "rejected <= 10"),
    "case_contact_daily": ("known_contacts > 0", "known_contacts <= new_cases"),
    "lab_turnaround_daily": ("samples > 0", "median_hours between 0 and 48"),
    "signal": ("is_new", "first_on <= last_on"),
}


@pytest.mark.parametrize("mart", PLAUSIBLE)
def test_its_numbers_are_plausible(world: Settings, mart: str) -> None:
    some, every = PLAUSIBLE[mart]
    text = f"select bool_or({some}), bool_and({every}) from reporting.{mart}"
    assert support.query(world, text) == [(True, True)]
