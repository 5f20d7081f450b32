"""Makes a day wait for the required feeds of the seed `feed`, until the deadline (YINGJIAN_FEED_DEADLINE)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from yingjian import clock, reference
from yingjian.database import warehouse
from yingjian.orchestration import tasks
from yingjian.orchestration.polling import PollingTrigger
from yingjian.publishing import build as builds
from yingjian.settings import Settings

# A late file makes its day run again at most once per pause, and only before this hour of the next day.
CORRECTION_PAUSE = timedelta(minutes=30)
CORRECTIONS_UNTIL = 12


def required_feeds() -> list[str]:
    """Return the feeds that a day waits for, in the order of the seed."""
    return [feed for feed, row in reference.feeds().items() if row["is_required"] == "true"]


def missing_feeds(conn: psycopg.Connection[Any], day: date) -> list[str]:
    """Return the required feeds whose data for a day has not arrived.

    A file counts as a day's data if it has a row updated on that day or later, and at least as many new rows of the day as of
    earlier days: the previous day's export, if taken after midnight, also has a few rows of the day. An empty file sent after
    the end of the day states that there was nothing to report.
    """
    arrived = {
        feed
        for (feed,) in conn.execute(
            """
            select distinct file.feed from quality.landed_file as file
            cross join lateral (
                select
                    coalesce(sum(part.rows_new) filter (where part.day >= %(day)s), 0) as of_the_day,
                    coalesce(sum(part.rows_new) filter (where part.day < %(day)s), 0) as of_days_before
                from quality.file_part as part
                where part.file_id = file.file_id
            ) as brought
            where file.status in ('staged', 'duplicate')
            and (
                (file.newest_update >= %(day)s and brought.of_the_day >= brought.of_days_before)
                or (file.rows_read = 0 and file.modified_at >= %(next)s)
            )
            """,
            {"day": day, "next": datetime.combine(day + timedelta(days=1), datetime.min.time(), clock.SHANGHAI)},
        )
    }
    return [feed for feed in required_feeds() if feed not in arrived]


def deadline(settings: Settings, day: date) -> datetime:
    """Return when a day is built even if feeds are missing: at the deadline on the next day, Asia/Shanghai."""
    return datetime.combine(day + timedelta(days=1), settings.feed_deadline, clock.SHANGHAI)


def read_missing(settings: Settings, day: date) -> list[str]:
    """Return `missing_feeds`, using a separate connection."""
    with warehouse.connect(settings, "publisher") as conn:
        return missing_feeds(conn, day)


def has_data(settings: Settings, day: date) -> bool:
    """Return whether a home has data for a day, or has ever published anything."""
    with warehouse.connect(settings, "publisher") as conn:
        row = conn.execute(
            """
            select exists (select from published.publication)
            or exists (select from quality.landed_file where status = 'staged' and newest_update >= %s)
            """,
            (day,),
        ).fetchone()
    return bool(row and row[0])


def is_published(settings: Settings, day: date) -> bool:
    """Return whether a day has a publication."""
    with warehouse.connect(settings, "publisher") as conn:
        return conn.execute("select 1 from published.publication where as_of_date = %s", (day,)).fetchone() is not None


@dataclass(frozen=True)
class LateDay:
    """A published day for which late rows of a required feed arrived.

    `publication_id` is the publication to correct.
    """

    as_of_date: date
    publication_id: int


def late_day(settings: Settings) -> LateDay | None:
    """Return the newest published day if late rows of a required feed arrived and a rerun is allowed now; else None."""
    now = clock.now(settings.home)
    with warehouse.connect(settings, "publisher") as conn:
        row = conn.execute(
            """
            with newest as (
                select publication_id, as_of_date, published_at, last_file_id from published.publication
                order by as_of_date desc, publication_id desc limit 1
            )
            select as_of_date, publication_id from newest
            where published_at < clock_timestamp() - %(pause)s
            and exists (
                select from quality.landed_file as file
                inner join quality.file_part as part using (file_id)
                where file.file_id > newest.last_file_id and file.status = 'staged' and file.feed = any(%(feeds)s)
                and part.rows_new > 0 and part.day <= newest.as_of_date
            )
            and not exists (
                select from publishing.build
                where as_of_date = newest.as_of_date and state = any(%(open)s)
            )
            """,
            {"pause": CORRECTION_PAUSE / _speed(settings), "feeds": required_feeds(), "open": list(builds.OPEN)},
        ).fetchone()
    if row is None:
        return None
    late = LateDay(*row)
    next_day = late.as_of_date + timedelta(days=1)
    return late if now.date() == next_day and now.hour < CORRECTIONS_UNTIL else None


def _speed(settings: Settings) -> float:
    demo = clock.demo_clock(settings.home)
    return demo.speed if demo and demo.speed else 1.0


class WaitForFeeds(BaseOperator):
    """Waits, deferred, for the day's data; returns the required feeds that are still missing.

    Only scheduled runs wait. They are skipped if the home has no data, if the day is already published, or if it lies too far
    back. A manually triggered run starts at once.
    """

    def execute(self, context: Any) -> list[str]:
        settings, day = Settings.load(), tasks.business_date(context)
        missing = read_missing(settings, day)
        if context["dag_run"].run_type == "scheduled":
            if reason := reason_to_skip(settings, day):
                raise AirflowSkipException(f"{day} is left out: {reason}")
            if missing and clock.now(settings.home) < deadline(settings, day):
                self.defer(trigger=FeedsTrigger(day.isoformat()), method_name="execute_complete")
        return missing

    def execute_complete(self, context: Any, event: dict[str, Any]) -> list[str]:
        return list(event["missing"])


def reason_to_skip(settings: Settings, day: date) -> str | None:
    """Return why a scheduled run of a day is skipped; None if it is not."""
    if day < clock.last_day(settings.home) - timedelta(days=settings.catch_up_days):
        return f"it ended more than {settings.catch_up_days} days ago (YINGJIAN_CATCH_UP_DAYS)"
    if is_published(settings, day):
        return "it is published"
    if not has_data(settings, day):
        return "nothing has come for it, and nothing was ever published here"
    return None


@dataclass(eq=False, repr=False)
class FeedsTrigger(PollingTrigger):
    """Fires when every required feed has arrived for a day, or at the deadline."""

    day: str
    _last_missing: list[str] | None = field(default=None, init=False)

    def look(self) -> dict[str, Any] | None:
        settings, day = Settings.load(), date.fromisoformat(self.day)
        missing = read_missing(settings, day)
        if missing != self._last_missing:
            self.log.info("%s waits for %s", day, ", ".join(missing) or "nothing")
            self._last_missing = missing
        is_over = not missing or clock.now(settings.home) >= deadline(settings, day)
        return {"missing": missing} if is_over else None
