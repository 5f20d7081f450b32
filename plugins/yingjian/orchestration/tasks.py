"""What the DAGs' tasks do: settings in, one step of the pipeline, counts out. Thin on purpose.

Nothing personal goes through here: XCom and logs get counts, states and publication ids only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from yingjian import clock
from yingjian.database import warehouse
from yingjian.publishing import build as builds
from yingjian.settings import Settings

log = logging.getLogger(__name__)


def business_date(context: Any) -> date:
    """The day that a run is about: its parameter `date`, else its data interval, else the day before it was asked for.

    Raises ValueError when the parameter is no date.
    """
    asked = (context.get("params") or {}).get("date")
    if asked:
        return date.fromisoformat(str(asked))
    run = context["dag_run"]
    if run.data_interval_start is not None:
        start: datetime = run.data_interval_start
        return start.astimezone(clock.SHANGHAI).date()
    demo = clock.demo_clock(Settings.load().home)
    asked_at: datetime = demo.at(run.run_after) if demo else run.run_after.astimezone(clock.SHANGHAI)
    return asked_at.date() - timedelta(days=1)


def land() -> dict[str, Any]:
    """Land everything new in the landing location of the settings; returns counts of files and rows, and rows by feed.

    Waits for a build that is at work, and a build that begins waits for it.
    """
    from dataclasses import asdict
    from time import sleep

    from yingjian.landing.land import land as land_files
    from yingjian.orchestration import build as door

    settings = Settings.load()
    with (
        warehouse.connect(settings, "publisher") as publisher,
        builds.staging_at_rest(
            publisher, lambda run_id: door.is_alive(settings, publisher, run_id), lambda: sleep(door.POLL_SECONDS)
        ),
        warehouse.connect(settings, "loader") as conn,
    ):
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
    """The run that makes the newest published day again, when a required feed brought more of it; empty when none does."""
    from yingjian.orchestration import feeds

    late = feeds.late_day(Settings.load())
    if late is None:
        return {}
    return {"date": late.as_of_date.isoformat(), "run_id": f"correction__{late.as_of_date}__{late.publication_id}"}


def build(day: date, run_id: str, say: Callable[[dict[str, Any]], None]) -> int:
    """Build every mart of a business date as its run; `say` gets what became of each model so far. Returns their number."""
    from yingjian.modelling.dbt import build as build_models

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
    """Check the build of a run; returns whether it passed, and what the checks say that failed."""
    from yingjian import quality

    settings = Settings.load()
    suites = quality.load_suites(settings.root / "expectations", day)
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
    """Whether the build of a run may be published as it is; where it may not, a person is asked from now on."""
    from yingjian.publishing import publish as publishing

    with warehouse.connect(Settings.load(), "publisher") as conn:
        if not publishing.verdict(conn, builds.owned(conn, run_id)).critical:
            return True
        builds.ask_person(conn, run_id)
    return False


def publish(day: date, run_id: str) -> int:
    """Publish the audited build of a run, released by hand where its audit failed; returns the publication id.

    The verdict is that of quality.check_result, the answer that of Airflow's record of who answered, and whether that
    person may is asked again here. Raises NotReleasedError when nobody released a build that failed.
    """
    from yingjian.publishing import publish as publishing

    settings = Settings.load()
    release = release_of(settings, run_id)
    with warehouse.connect(settings, "publisher") as conn:
        return publishing.publish(conn, day, run_id=run_id, code_version=settings.code_version, release=release)


def release_of(settings: Settings, run_id: str) -> Any:
    """Who released the build of a run by hand and why; None when nobody did who may and gave a reason."""
    from yingjian.orchestration.answers import APPROVE, answer_of
    from yingjian.publishing.publish import Release

    answer = answer_of(settings, "daily", run_id, "release_by_hand")
    if answer is None or answer.chosen != APPROVE or not answer.reason:
        return None
    if answer.login not in {person["id"] for person in who_may("release")}:
        return None
    return Release(answer.reason, answer.name, answer.login)


def failed_checks(run_id: str) -> list[str]:
    """What the critical checks say that failed in the build of a run. Raises NotOwnerError when it is not its build."""
    from yingjian.publishing import publish as publishing

    with warehouse.connect(Settings.load(), "publisher") as conn:
        return list(publishing.verdict(conn, builds.owned(conn, run_id)).critical)


def newer_run(settings: Settings, run_id: str) -> str | None:
    """Why nobody needs to say whether the build of a run is published: whose it is now; None while it is the run's."""
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
    if row is None or row[0] in ("waiting", "building", "asking"):
        return None
    state, later, day = row
    return f"its build is {state}" + (f", the schema build went to run {later} of {day}" if later else "")


def who_may(right: str) -> list[dict[str, str]]:
    """Whose answer an approval task takes: the officials with a right; the administrator where nobody has it."""
    from yingjian.delivery.sign_off import who_may as assigned
    from yingjian.people.officials import read_officials

    found: list[dict[str, str]] = assigned(read_officials(Settings.load().officials), right)
    return found


def publication_of(context: Any) -> int:
    """The publication that a run is about: the one it was triggered with, or the newest that the daily run tells of.

    Raises ValueError when neither names one.
    """
    asked = (context.get("params") or {}).get("publication_id")
    if asked is not None:
        return int(asked)
    told = [
        int(event.extra["publication_id"])
        for events in (context.get("triggering_asset_events") or {}).values()
        for event in events
        if "publication_id" in event.extra
    ]
    if not told:
        raise ValueError('which publication? trigger it with {"publication_id": N}')
    return max(told)


def report(publication_id: int) -> str:
    """Write the report of a publication; returns its path."""
    from yingjian.reports import write_report

    settings = Settings.load()
    settings.reports.mkdir(parents=True, exist_ok=True)
    with warehouse.connect(settings, "reporter") as conn:
        path: Path = write_report(conn, publication_id, settings.reports)
    log.info("report of publication %s written to %s", publication_id, path)
    return str(path)


def packs(publication_id: int) -> dict[str, int]:
    """Write the packs of a publication; returns how many for each kind of audience."""
    from collections import Counter

    from yingjian.reports import write_packs

    settings = Settings.load()
    with warehouse.connect(settings, "reporter") as conn:
        written = write_packs(conn, publication_id, settings.reports)
    log.info("%s packs of publication %s written", len(written), publication_id)
    return dict(Counter(pack.audience.kind for pack in written))


def prune(keep: int) -> list[int]:
    """Drop the rows of old publications; returns the ids of those whose rows were dropped."""
    from yingjian.publishing.publish import prune as prune_publications

    settings = Settings.load()
    with warehouse.connect(settings, "publisher") as conn:
        return prune_publications(conn, keep)


def docs() -> str:
    """Write the data dictionary; returns its path."""
    from yingjian.modelling.dbt import write_docs

    return str(write_docs(Settings.load()))


def retain() -> dict[str, int]:
    """Delete personal data whose days are over by the clock of the home; returns rows that went, by place."""
    from yingjian.privacy import retention

    settings = Settings.load()
    with warehouse.connect(settings, "loader") as loader, warehouse.connect(settings, "publisher") as publisher:
        done = retention.retain(
            loader, publisher, clock.last_day(settings.home), reports=settings.reports, pulled=settings.pulled
        )
    went = {deletion.what: deletion.rows for deletion in done if deletion.rows}
    log.info("retention: %s", ", ".join(f"{what} {rows}" for what, rows in went.items()) or "nothing was over")
    return went


def verify_trail() -> int:
    """Check the audit trail; returns its number of events. Raises ValueError when one is not as it was written."""
    from yingjian.privacy import audit_trail

    settings = Settings.load()
    with warehouse.connect(settings, "auditor") as conn:
        verdict = audit_trail.verify(conn, settings.audit_end)
    if verdict.broken is not None:
        raise ValueError(f"the audit trail is broken at event {verdict.broken}: {verdict.reason}")
    return verdict.events


def notify_failure(context: dict[str, Any]) -> None:
    """Airflow's callback for a task that failed for good: the data team is told."""
    from yingjian.orchestration import notices

    notices.notify_failure(context)
