"""Task functions of the DAGs.

Each loads the settings, performs one step of the pipeline, and returns counts.

No personal data passes through here: XComs and logs contain only counts, states and publication ids.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from functools import partial
from multiprocessing import current_process, get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yingjian import clock
from yingjian.database import warehouse
from yingjian.processes import end_with
from yingjian.publishing import build as builds
from yingjian.settings import Settings

if TYPE_CHECKING:
    from yingjian.people.audience import Audience
    from yingjian.people.officials import Officials

log = logging.getLogger(__name__)

PACKS_AT_ONCE = min(4, os.cpu_count() or 1)  # Each process needs a core and up to 300 MiB.


def business_date(context: Any) -> date:
    """Return a run's business date: its parameter `date`, else its data interval, else the day before it was triggered.

    Raises ValueError if the parameter is not a date.
    """
    given_date = (context.get("params") or {}).get("date")
    if given_date:
        return date.fromisoformat(str(given_date))
    run = context["dag_run"]
    if run.data_interval_start is not None:
        start: datetime = run.data_interval_start
        return start.astimezone(clock.SHANGHAI).date()
    demo = clock.demo_clock(Settings.load().home)
    asked_at: datetime = demo.at(run.run_after) if demo else run.run_after.astimezone(clock.SHANGHAI)
    return asked_at.date() - timedelta(days=1)


def land() -> dict[str, Any]:
    """Land all new files of the landing location; return counts of files and rows, and rows by feed.

    Landing and builds exclude each other: whichever comes second waits.
    """
    from dataclasses import asdict

    from yingjian.landing.land import land as land_files
    from yingjian.orchestration import build as door

    settings = Settings.load()
    with door.staging_at_rest(settings), warehouse.connect(settings, "loader") as conn:
        before = conn.execute("select coalesce(max(file_id), 0) from quality.landed_file").fetchone()
        conn.commit()
        summary: dict[str, Any] = asdict(
            land_files(
                settings.landing, warehouse.connector(settings, "loader"), settings.person_secret, settings.pulled
            )
        )
        rows = conn.execute(
            """
            select feed, sum(rows_staged)::bigint from quality.landed_file
            where file_id > %s and status = 'staged' group by feed order by feed
            """,
            before,
        ).fetchall()
    log.info("landing: %s", ", ".join(f"{name} {count}" for name, count in summary.items()))
    return summary | {"feeds": dict(rows)}


def late_day() -> dict[str, str]:
    """Return date and run id for rebuilding the newest published day because of late rows; empty if not needed."""
    from yingjian.orchestration import feeds

    late = feeds.late_day(Settings.load())
    if late is None:
        return {}
    return {"date": late.as_of_date.isoformat(), "run_id": f"correction__{late.as_of_date}__{late.publication_id}"}


def build(day: date, run_id: str, say: Callable[[dict[str, Any]], None]) -> int:
    """Build every mart of a business date; return the number of nodes built. `say` receives the models' results so far."""
    from yingjian.modelling.engine import build as build_models

    settings = Settings.load()
    with warehouse.connect(settings, "publisher") as conn:
        owned = builds.begin(conn, run_id)
    results: dict[str, Any] = {}

    def keep(newest: dict[str, Any]) -> None:
        results.update(newest)
        say(newest)

    try:
        return build_models(settings, day, owned.token, keep)
    finally:
        with warehouse.connect(settings, "publisher") as conn:
            builds.keep_models(conn, owned, results)


def audit(day: date, run_id: str) -> dict[str, Any]:
    """Audit a run's build; return whether it passed, the counts, and the messages of failed critical checks."""
    from yingjian import quality

    settings = Settings.load()
    suites = quality.load_suites(settings.root, day)
    with warehouse.connect(settings, "publisher") as conn:
        token = builds.owned(conn, run_id).token
    with warehouse.connect(settings, "auditor") as conn:
        result = quality.audit(conn, warehouse.uri(settings, "auditor"), suites, day, settings.data_docs, token)
    return {
        "passed": result.passed,
        "checks_run": len(result.results),
        "checks_failed": len(result.failed),
        "critical": [f"{failure.suite}: {failure.check.says}" for failure in result.critical],
    }


def is_released(run_id: str) -> bool:
    """Return whether a run's build may be published without a release; if not, mark the build as asking."""
    from yingjian.publishing.verdict import verdict

    with warehouse.connect(Settings.load(), "publisher") as conn:
        if not verdict(conn, builds.owned(conn, run_id)).critical:
            return True
        builds.ask_person(conn, run_id)
    return False


def publish(day: date, run_id: str) -> int:
    """Publish a run's audited build; a build that failed its audit needs a release. Return the publication id.

    The verdict is read from quality.check_result and the decision from publishing.decision; the author's right is checked
    again. Raises NotReleasedError if the build failed and nobody released it.
    """
    from yingjian.publishing import publish as publishing

    settings = Settings.load()
    with warehouse.connect(settings, "publisher") as conn:
        return publishing.publish(
            conn, day, run_id=run_id, code_version=settings.code_version, may_release=who_may("release")
        )


def build_of(run_id: str) -> str:
    """Return the token of the build that a run owns. Raises NotOwnerError if it owns none."""
    with warehouse.connect(Settings.load(), "publisher") as conn:
        return builds.owned(conn, run_id).token


def failed_checks(run_id: str) -> list[str]:
    """Return the messages of the failed critical checks of a run's build.

    Raises NotOwnerError if it owns no build.
    """
    from yingjian.publishing.verdict import verdict

    with warehouse.connect(Settings.load(), "publisher") as conn:
        return list(verdict(conn, builds.owned(conn, run_id)).critical)


def why_build_is_lost(settings: Settings, run_id: str) -> str | None:
    """Return why a run's build need not be released any more (the run lost the schema); None while the run owns it."""
    with warehouse.connect(settings, "publisher") as conn:
        row = conn.execute(
            """
            select mine.state, later.run_id, later.as_of_date
            from publishing.build as mine
            left join publishing.build as later on later.began_at >= mine.ended_at
            where mine.run_id = %s
            order by mine.build_id desc, later.began_at limit 1
            """,
            (run_id,),
        ).fetchone()
    if row is None or row[0] in builds.OPEN:
        return None
    state, later, day = row
    return f"its build is {state}" + (f", the schema build went to run {later} of {day}" if later else "")


def who_may(right: str) -> list[str]:
    """Return the logins whose answer an approval task accepts: officials with the right, or the administrator
    if there are none.
    """
    from yingjian.delivery.sign_off import who_may as assigned
    from yingjian.people.officials import read_officials

    return assigned(read_officials(Settings.load().officials), right)


def publication_of(context: Any) -> int:
    """Return a run's publication: its parameter, else the newest one in the asset events that triggered it.

    Raises ValueError if neither is given.
    """
    given_id = (context.get("params") or {}).get("publication_id")
    if given_id is not None:
        return int(given_id)
    event_ids = [
        int(event.extra["publication_id"])
        for events in (context.get("triggering_asset_events") or {}).values()
        for event in events
        if "publication_id" in event.extra
    ]
    if not event_ids:
        raise ValueError('which publication? trigger it with {"publication_id": N}')
    return max(event_ids)


def report(publication_id: int) -> str:
    """Write the report of a publication; return its path."""
    from yingjian.people.officials import read_officials
    from yingjian.reports.packs import write_report

    settings = Settings.load()
    settings.reports.mkdir(parents=True, exist_ok=True)
    with warehouse.connect(settings, "reporter") as conn:
        path: Path = write_report(conn, publication_id, settings.reports, read_officials(settings.officials))
    log.info("report of publication %s written to %s", publication_id, path)
    return str(path)


def packs(publication_id: int) -> dict[str, int]:
    """Write a publication's packs in parallel; return their number by kind of audience."""
    from collections import Counter

    from yingjian.people.officials import read_officials
    from yingjian.reports.content.audiences import readers_of, unknown

    settings = Settings.load()
    officials = read_officials(settings.officials)
    with warehouse.connect(settings, "reporter") as conn:
        chosen = readers_of(conn, publication_id, officials)
        for audience in unknown(conn, publication_id, [official.audience for official in officials.by_login.values()]):
            log.warning(
                "officials.yml names the %s %s, where publication %s knows nobody: is it written as the feeds write it?",
                audience.kind, audience.name, publication_id,
            )  # fmt: skip
    with ExitStack() as stack:
        each: Callable[..., Iterator[None]] = map
        if not current_process().daemon:  # A Celery worker is a daemon process, which may not start children.
            # Processes are forked, since the scheduler has imported what they need and nothing has started a thread
            # (airflow_service.IN_THE_DAY). Each exits when this task dies (end_with).
            pool = ProcessPoolExecutor(PACKS_AT_ONCE, get_context("fork"), end_with, (os.getpid(),))
            each = stack.enter_context(pool).map
        for number, _ in enumerate(each(partial(_pack, publication_id, officials), chosen), 1):
            _tell_packs(publication_id, number, len(chosen))
    return dict(Counter(audience.kind for audience in chosen))


def _tell_packs(publication_id: int, written: int, of: int) -> None:
    log.info("%s of %s packs of publication %s written", written, of, publication_id)


def _pack(publication_id: int, officials: Officials, audience: Audience) -> None:
    from yingjian.reports.packs import write_packs

    settings = Settings.load()
    with warehouse.connect(settings, "reporter") as conn:
        write_packs(conn, publication_id, settings.reports, [audience], officials)


def prune(keep: int) -> list[int]:
    """Drop the rows of old publications; return their ids."""
    from yingjian.publishing.pruning import prune as prune_publications

    settings = Settings.load()
    with warehouse.connect(settings, "publisher") as conn:
        return prune_publications(conn, keep)


def docs() -> str:
    """Write the data dictionary; return its path."""
    from yingjian.modelling.dbt import write_docs

    return str(write_docs(Settings.load()))


def retain() -> dict[str, int]:
    """Delete personal data whose retention period has ended by the home's clock; return the number of deleted rows by place."""
    from yingjian.modelling.spark_export import forget_stale
    from yingjian.privacy import retention

    settings = Settings.load()
    with warehouse.connect(settings, "loader") as loader, warehouse.connect(settings, "publisher") as publisher:
        deletions = retention.retain(
            loader, publisher, clock.last_day(settings.home),
            reports=settings.reports, pulled=settings.pulled, shared=settings.shared_folder,
        )  # fmt: skip
    forget_stale(settings)
    rows_by_place = {deletion.what: deletion.rows for deletion in deletions if deletion.rows}
    log.info("retention: %s", ", ".join(f"{what} {rows}" for what, rows in rows_by_place.items()) or "nothing was over")
    return rows_by_place


def verify_trail() -> int:
    """Verify the audit trail; return its number of events.

    Raises ValueError if an event was altered, or if the trail's end was not anchored elsewhere in time.
    """
    from yingjian.orchestration import anchor
    from yingjian.privacy import audit_trail

    settings = Settings.load()
    with warehouse.connect(settings, "reporter") as conn:
        anchor.require(settings, conn, datetime.now(UTC))
    with warehouse.connect(settings, "auditor") as conn:
        verdict = audit_trail.verify(conn, settings.audit_end)
    if verdict.broken is not None:
        raise ValueError(f"the audit trail is broken at event {verdict.broken}: {verdict.reason}")
    return verdict.events


def notify_failure(context: dict[str, Any]) -> None:
    """Airflow's on_failure_callback: tell the data team about a task that failed for good."""
    from yingjian.orchestration import notices

    notices.notify_failure(context)
