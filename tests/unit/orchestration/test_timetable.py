"""Which days begin by themselves, and when: a new home, one that was switched off, a demo, a backfill."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pendulum
import pytest
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction

from yingjian import clock
from yingjian.orchestration.timetable import BusinessDays

START = pendulum.datetime(2022, 7, 1, tz="Asia/Shanghai")
BY_SCHEDULE = TimeRestriction(earliest=START, latest=None, catchup=True)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YINGJIAN_HOME", str(tmp_path))
    for name in ("YINGJIAN_WAREHOUSE", "YINGJIAN_CATCH_UP_DAYS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def midnight(day: date) -> pendulum.DateTime:
    return pendulum.datetime(day.year, day.month, day.day, tz="Asia/Shanghai")


def interval(day: date) -> DataInterval:
    return DataInterval(midnight(day), midnight(day + timedelta(days=1)))


def after(last: date | None, restriction: TimeRestriction = BY_SCHEDULE) -> DagRunInfo | None:
    last_interval = interval(last) if last else None
    return BusinessDays().next_dagrun_info(last_automated_data_interval=last_interval, restriction=restriction)


def today() -> date:
    return datetime.now(clock.SHANGHAI).date()


def test_a_new_home_begins_with_yesterday():
    yesterday = today() - timedelta(days=1)
    assert after(None) == DagRunInfo(midnight(today()), interval(yesterday))


def test_the_next_day_begins_at_the_midnight_that_ends_it():
    assert after(today() - timedelta(days=1)) == DagRunInfo(midnight(today() + timedelta(days=1)), interval(today()))


def test_missed_days_are_made_up_oldest_first():
    missed = today() - timedelta(days=4)
    assert after(missed - timedelta(days=1)) == DagRunInfo(midnight(missed + timedelta(days=1)), interval(missed))


@pytest.mark.parametrize(("limit", "days"), [(None, 7), ("3", 3)])
def test_to_a_limit(limit: str | None, days: int, monkeypatch: pytest.MonkeyPatch):
    if limit:
        monkeypatch.setenv("YINGJIAN_CATCH_UP_DAYS", limit)
    info = after(today() - timedelta(days=60))
    assert info is not None and info.data_interval == interval(today() - timedelta(days=days))


def test_in_a_demo_whose_clock_stands_still_no_day_begins(home: Path):
    clock.set_demo_clock(home, datetime(2022, 7, 25, 6, 30, tzinfo=clock.SHANGHAI))
    assert after(None) is None and after(date(2022, 7, 23)) is None


def test_in_a_demo_whose_clock_runs_a_day_begins_when_it_shows_midnight(home: Path):
    begun = clock.set_demo_clock(home, datetime(2022, 7, 25, 12, 0, tzinfo=clock.SHANGHAI), speed=3600)
    info = after(date(2022, 7, 24))
    assert info is not None and info.data_interval == interval(date(2022, 7, 25))
    assert abs(info.run_after - (begun.since + timedelta(seconds=12))) < timedelta(milliseconds=1)


def test_a_backfill_has_the_days_that_it_asks_for(home: Path):
    clock.set_demo_clock(home, datetime(2022, 7, 25, 6, 30, tzinfo=clock.SHANGHAI))
    asked = TimeRestriction(midnight(date(2022, 7, 18)), midnight(date(2022, 7, 19)), catchup=True)
    first = after(None, asked)
    assert first is not None and first.data_interval == interval(date(2022, 7, 18))
    assert after(date(2022, 7, 18), asked).data_interval == interval(date(2022, 7, 19))  # type: ignore[union-attr]
    assert after(date(2022, 7, 19), asked) is None


def test_a_run_by_hand_without_a_date_is_about_the_day_before(home: Path):
    asked_at = pendulum.instance(datetime(2026, 3, 1, 9, 0, tzinfo=clock.SHANGHAI))
    assert BusinessDays().infer_manual_data_interval(run_after=asked_at) == interval(date(2026, 2, 28))
    clock.set_demo_clock(home, datetime(2022, 7, 25, 6, 30, tzinfo=clock.SHANGHAI))
    now = pendulum.instance(datetime.now(UTC))
    assert BusinessDays().infer_manual_data_interval(run_after=now) == interval(date(2022, 7, 24))
