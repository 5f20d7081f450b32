"""Timetable of business days, which start at midnight in Asia/Shanghai; missed days are caught up (YINGJIAN_CATCH_UP_DAYS)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from airflow.timetables.interval import CronDataIntervalTimetable

from yingjian import clock
from yingjian.settings import Settings

DAY = timedelta(days=1)


class BusinessDays(CronDataIntervalTimetable):
    """Schedules one run per day, when the day is over by the home's clock.

    A new home starts with yesterday. A home that was switched off catches up on missed days, oldest first. In a demo with a
    stopped clock no day ends.
    """

    def __init__(self) -> None:
        super().__init__("0 0 * * *", clock.SHANGHAI.key)

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        return cls()

    def serialize(self) -> dict[str, Any]:
        return {}

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        if restriction.latest is not None:  # A backfill requests a range of dates, whatever the clock shows.
            return super().next_dagrun_info(
                last_automated_data_interval=last_automated_data_interval, restriction=restriction
            )
        settings = Settings.load()
        demo = clock.demo_clock(settings.home)
        if demo and not demo.speed:
            return None
        today = clock.midnight(clock.now(settings.home))
        start = today - DAY
        if last_automated_data_interval is not None:
            oldest = today - settings.catch_up_days * DAY
            start = max(clock.midnight(last_automated_data_interval.end), oldest)
        end = start + DAY
        run_after = demo.when(end) if demo else end
        return DagRunInfo(pendulum.instance(run_after or end), _interval(start))

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        demo = clock.demo_clock(Settings.load().home)
        moment = demo.at(run_after) if demo else run_after
        return _interval(clock.midnight(moment) - DAY)


def _interval(start: datetime) -> DataInterval:
    return DataInterval(pendulum.instance(start), pendulum.instance(start + DAY))
