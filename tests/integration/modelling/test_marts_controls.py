"""Controls over the simulated town (articles 4, 6, 8, 18, 25, 26, 30)."""

from __future__ import annotations

from datetime import date, timedelta

from tests import support
from tests.conftest import WORLD_DAY
from yingjian.settings import Settings


def ago(days: int) -> date:
    return WORLD_DAY - timedelta(days=days)


def control(world: Settings, membership: str, columns: str) -> tuple[object, ...]:
    (row,) = support.query(world, f"select {columns} from reporting.control where membership_id = %s", membership)
    return row


def test_inbound_with_three_negatives_or_infection_excluded_was_released_in_time(world: Settings) -> None:
    for membership in ("arrivals:AC0", "arrivals:AC1"):
        assert control(world, membership, "status, isolation_ends_on, ends_on, tests_required, tests_done, missing") == (
            "released", ago(6), ago(3), 6, 6, "",
        )  # fmt: skip


def test_a_positive_object_without_excluded_infection_keeps_the_person(world: Settings) -> None:
    status, may, missing, too_early = control(
        world, "arrivals:AC2", "status, may_be_released, missing, is_released_early"
    )
    assert (status, may, too_early) == ("awaiting_release", False, True)
    assert missing == "物品结果阳性，未排除感染"


def test_an_exposure_in_isolation_begins_it_anew(world: Settings) -> None:
    assert control(world, "contacts:CC30", "status, restarted_by") == ("restarted", "contacts:CC31")
    assert control(world, "contacts:CC31", "status, restarted_from, isolation_ends_on, ends_on") == (
        "in_isolation", "contacts:CC30", WORLD_DAY + timedelta(days=2), WORLD_DAY + timedelta(days=5),
    )  # fmt: skip


def test_a_release_before_the_last_day_is_flagged(world: Settings) -> None:
    status, too_early, words = control(world, "contacts:CC40", "status, is_released_early, too_early")
    assert (status, too_early) == ("released_early", True)
    assert str(words).startswith(f"{ago(5).month}月{ago(5).day}日解除，早于{ago(3).month}月{ago(3).day}日")


def test_a_pending_result_is_named(world: Settings) -> None:
    status, phase, missing = control(world, "contacts:CC50", "status, phase, missing")
    assert (status, phase) == ("awaiting_release", "期满待解除")
    assert missing == f"{ago(1).month}月{ago(1).day}日检测结果未出"


def test_days_and_tests_against_the_plan(world: Settings) -> None:
    """Length of each control in Python, and its tests counted from the obligations."""
    days = {"31": {10}, "32": {7}, "33": {7}, "34": {3}, "35": {10}, "36": {7}, "37": {8}, "A06": {7}, "A07": {7, 3}}
    rows = support.query(
        world,
        """
        select control.membership_id, control.group_code, control.started_on, control.ends_on, control.tests_required,
            control.tests_done, count(*) filter (where obligation.status not in ('exempt', 'void')),
            count(*) filter (where obligation.status in ('satisfied', 'satisfied_late'))
        from reporting.control
        left join reporting.obligation on obligation.membership_id = control.membership_id
            and obligation.due_date <= control.ends_on and obligation.slot is not null
        group by 1, 2, 3, 4, 5, 6
        """,
    )
    assert len({row[1] for row in rows}) >= 4
    for membership, group, started, ends, required, done, listed, satisfied in rows:
        assert (ends - started).days + 1 in days[group], membership
        assert (required, done) == (listed, satisfied), membership


def test_everyone_under_control_can_be_found(world: Settings) -> None:
    lost = "select person_key from reporting.control where person_key not in (select person_key from restricted.person)"
    assert support.query(world, lost) == []
