"""What the DAGs' tasks do: settings in, one step of the pipeline, counts out. Thin on purpose.

Nothing personal goes through here: XCom and logs get counts, states and publication ids only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from yingjian import warehouse
from yingjian.settings import Settings

log = logging.getLogger(__name__)

# The template by which every task of a daily run gets its business date: the day of the data interval in Shanghai.
AS_OF_DATE = "{{ data_interval_start.in_timezone('Asia/Shanghai').to_date_string() }}"


def land(location: str | None = None) -> dict[str, int]:
    """Land everything new in the landing location; returns counts of files and rows."""
    from dataclasses import asdict

    from yingjian.landing import land as land_files

    settings = Settings.load()
    summary = asdict(
        land_files(
            location or settings.landing,
            warehouse.connector(settings, "loader"),
            settings.person_secret,
            settings.pulled,
        )
    )
    log.info("landing: %s", ", ".join(f"{name} {count}" for name, count in summary.items()))
    return summary


def build(as_of_date: str, say: Callable[[dict[str, str]], None]) -> int:
    """Build every mart of a business date; `say` gets what became of each model so far. Returns how many were built."""
    from yingjian.warehouse.dbt import build as build_models

    return build_models(Settings.load(), date.fromisoformat(as_of_date), say)


def audit(as_of_date: str) -> dict[str, Any]:
    """Check the build of a business date; returns whether it passed, and the names of the checks that failed."""
    from yingjian import quality

    settings = Settings.load()
    day = date.fromisoformat(as_of_date)
    suites = quality.load_suites(settings.root / "expectations", day)
    with warehouse.connect(settings, "auditor") as conn:
        result = quality.audit(conn, warehouse.uri(settings, "auditor"), suites, day, settings.data_docs)
    return {
        "passed": result.passed,
        "checks_run": len(result.results),
        "checks_failed": len(result.failed),
        "critical": [f"{failure.suite}: {failure.check.says}" for failure in result.critical],
    }


def publish(as_of_date: str, run_key: str, audited: dict[str, Any], approval: dict[str, Any] | None) -> int:
    """Publish the audited build; `approval` is the answer of the person who released it by hand, if one had to.

    Returns the publication id. Raises ValueError when the audit failed and nobody released the build.
    """
    from yingjian.warehouse import publish as publishing

    settings = Settings.load()
    release = None
    if not audited["passed"]:
        release = release_from(approval)
    with warehouse.connect(settings, "publisher") as conn:
        return publishing.publish(
            conn,
            date.fromisoformat(as_of_date),
            run_key=run_key,
            checks_run=audited["checks_run"],
            checks_failed=audited["checks_failed"],
            code_version=settings.code_version,
            release=release,
        )


def release_from(approval: dict[str, Any] | None) -> Any:
    """Who released a failed build and why, from the answer of Airflow's approval task."""
    from yingjian.warehouse.publish import Release

    if not approval or approval.get("chosen_options") != ["Approve"]:
        raise ValueError("the audit failed and nobody released the build: nothing is published")
    reason = str((approval.get("params_input") or {}).get("reason") or "").strip()
    if not reason:
        raise ValueError("a release by hand needs a reason: approve again and say why")
    person = approval.get("responded_by_user") or {}
    login = str(person.get("id") or "unknown")
    return Release(reason, str(person.get("name") or login), login)


def who_may(right: str) -> list[dict[str, str]]:
    """Whose answer an approval task takes: the officials with a right; the administrator where nobody has it."""
    from yingjian.delivery.sign_off import who_may as assigned
    from yingjian.officials import read_officials

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
    from yingjian.warehouse.publish import prune as prune_publications

    settings = Settings.load()
    with warehouse.connect(settings, "publisher") as conn:
        return prune_publications(conn, keep)


def docs() -> str:
    """Write the data dictionary; returns its path."""
    from yingjian.warehouse.dbt import write_docs

    return str(write_docs(Settings.load()))


def retain(as_of_date: str) -> dict[str, int]:
    """Delete personal data whose days were over on a date; returns rows that went, by place."""
    from yingjian.warehouse import retention

    settings = Settings.load()
    with warehouse.connect(settings, "loader") as loader, warehouse.connect(settings, "publisher") as publisher:
        done = retention.retain(
            loader, publisher, date.fromisoformat(as_of_date), reports=settings.reports, pulled=settings.pulled
        )
    went = {deletion.what: deletion.rows for deletion in done if deletion.rows}
    log.info("retention: %s", ", ".join(f"{what} {rows}" for what, rows in went.items()) or "nothing was over")
    return went


def verify_trail() -> int:
    """Check the audit trail; returns its number of events. Raises ValueError when one is not as it was written."""
    from yingjian.warehouse import audit_trail

    settings = Settings.load()
    with warehouse.connect(settings, "auditor") as conn:
        verdict = audit_trail.verify(conn, settings.audit_end)
    if verdict.broken is not None:
        raise ValueError(f"the audit trail is broken at event {verdict.broken}: {verdict.reason}")
    return verdict.events


def notify_failure(context: dict[str, Any]) -> None:
    """Tell the team that a task failed: in the log, and by mail when SMTP_DEFAULT or its connection is set."""
    from yingjian.delivery.errors import Undelivered

    task = context["task_instance"]
    day = context.get("data_interval_start")
    text = f"{task.dag_id}.{task.task_id} failed for {day.in_timezone('Asia/Shanghai').date() if day else 'no date'}"
    log.error("%s; the last publication stays. What to do: docs/runbooks/%s.md", text, task.dag_id)
    problem = context.get("exception")
    # Of all exceptions only this one's text is made to be read outside.
    tell_team(text, task.dag_id, str(problem) if isinstance(problem, Undelivered) else "")


def tell_team(text: str, runbook: str, detail: str = "") -> None:
    """Mail the team at YINGJIAN_ALERT_MAIL, if it is set; nothing of what is told names a person."""
    import html
    import os

    recipients = os.environ.get("YINGJIAN_ALERT_MAIL")
    if recipients:
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier

        lines = [text, *detail.splitlines(), f"docs/runbooks/{runbook}.md"]
        SmtpNotifier(
            to=recipients.split(","),
            subject=f"[应检] {text}",
            html_content="".join(f"<p>{html.escape(line)}</p>" for line in lines),
        ).notify({})  # type: ignore[typeddict-item]
