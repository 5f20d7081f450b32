"""The report of `yingjian status`: one screen for somebody who is woken at night.

It only reads, starts nothing and names no person.

The result is one JSON-serialisable dict (`yingjian status --json`), with its keys in the order of the screen:

- `down`: one sentence for each thing that should run but does not; the exit code is 1 if there is any.
- `attention`: one sentence for each thing that needs attention, with its runbook; with `--strict` it also makes the exit
  code 1.
- `services`, `publication`, `runs`, `waiting`, `audit`, `feeds`, `quarantine`, `doubts`, `deliveries`, `is_migrated`,
  `not_anchored`, `import_errors`, `manifest`, `disk`: the underlying state; None if it cannot be read. Times are ISO 8601
  in Asia/Shanghai, sizes are in bytes, ages in hours.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import psycopg

from yingjian import clock
from yingjian.clock import SHANGHAI
from yingjian.database import warehouse
from yingjian.database.airflow_database import BUSINESS_DATE
from yingjian.delivery import ledger
from yingjian.modelling.dbt_project import manifest_fault
from yingjian.operations import migration
from yingjian.operations.service_names import JOBS
from yingjian.orchestration import anchor, notices, watch
from yingjian.pipeline import MODEL_TASK, REFUSED
from yingjian.portal import outlines
from yingjian.privacy import rotation
from yingjian.publishing import decision
from yingjian.settings import Settings, SetupError

SECONDS = 3  # A service must answer within this time.
# A day is published the next morning; if it is not, somebody should have noticed by noon.
LATE = timedelta(hours=36)
NO_ANCHOR = "the end of the audit trail is noted nowhere else, set YINGJIAN_AUDIT_ANCHOR: see docs/runbooks/watch.md"
DOUBT_DAYS = 7  # Doubtful files and contradictions are shown for this many days.
WAREHOUSE, METADATA = "the warehouse", "Airflow's database"
_COMPONENTS = {name.replace("-", "_"): name for name in JOBS}


def collect(settings: Settings, now: datetime | None = None) -> dict[str, Any]:
    """Return the state of a home, as described above. `now`: reference time for ages, default the current time."""
    # Business dates follow the home's clock, which a demo sets; timestamps in databases follow the machine's.
    business_now = now or clock.now(settings.home)
    now = (now or datetime.now(UTC)).astimezone(SHANGHAI)
    down: list[str] = []
    status: dict[str, Any] = {"at": now.isoformat(timespec="seconds"), "down": down, "attention": []}
    status["services"] = _services(settings, down)
    # Each key is read from one of two databases.
    queries: dict[str, tuple[str, Callable[[psycopg.Connection], Any]]] = {
        "publication": (WAREHOUSE, lambda conn: _publication(conn, now)),
        "runs": (METADATA, _runs),
        "waiting": (WAREHOUSE, _waiting),
        "audit": (WAREHOUSE, _audit),
        "feeds": (WAREHOUSE, lambda conn: _feeds(conn, now)),
        "quarantine": (WAREHOUSE, _quarantine),
        "doubts": (WAREHOUSE, lambda conn: _doubts(conn, now)),
        "deliveries": (WAREHOUSE, _deliveries),
        "is_migrated": (WAREHOUSE, migration.is_migrated),
        "not_anchored": (WAREHOUSE, lambda conn: _not_anchored(settings, conn, datetime.now(UTC))),
        "import_errors": (METADATA, _import_errors),
    }
    status |= dict.fromkeys(queries)
    if settings.warehouse is None and not (settings.home / "postgres" / "port").exists():
        down.append(f"there is no warehouse in {settings.home} yet: `yingjian warehouse start` makes one")
    else:
        for database, uri in ((WAREHOUSE, warehouse.uri), (METADATA, warehouse.airflow_uri)):
            asked = {key: query for key, (of, query) in queries.items() if of == database}
            status |= _ask(database, partial(uri, settings), asked, down)
    status["manifest"] = manifest_fault(settings) or "ok"
    status["disk"] = _disk(settings)
    if status["services"]["expected"]:
        down += [
            f"Airflow cannot read {error['file']} ({error['error']}): see docs/runbooks/services.md"
            for error in status["import_errors"] or []
        ]
    status["attention"] = _attention(status, business_now)
    if retired := len(rotation.retired(settings)):
        status["attention"].append(
            f"{retired} retired secrets of person keys lie in the home, and in its backups: keep"
            " secrets/person_key_*.json under seal elsewhere and delete them here (docs/decisions/person-key-rotation.md)"
        )
    if sentence := status["not_anchored"]:
        down.append(f"{sentence}: see docs/runbooks/watch.md")
    if settings.audit_anchor is None:
        status["attention"].append(NO_ANCHOR)
    if sentence := outlines.fault(settings):
        status["attention"].append(f"{sentence} (docs/runbooks/portal.md)")
    if sentence := notices.unset(settings):
        status["attention"].append(f"{sentence}: see docs/runbooks/watch.md")
    return status


def exit_code(status: dict[str, Any], *, strict: bool = False) -> int:
    """Return 0 if nothing is down and, with `strict`, nothing needs attention; else 1."""
    return int(bool(status["down"] or (strict and status["attention"])))


def _ask(
    what: str, uri: Callable[[], str], queries: dict[str, Callable[[psycopg.Connection], Any]], down: list[str]
) -> dict[str, Any]:
    """Run queries against a database and return the results; if it does not answer, add a message to `down`."""
    answers: dict[str, Any] = {}
    try:
        with psycopg.connect(
            uri(),
            connect_timeout=SECONDS,
            autocommit=True,
            options=f"-c TimeZone=Asia/Shanghai -c statement_timeout={SECONDS}s",
        ) as conn:
            for name, query in queries.items():
                # The first run creates this table; until then it is expected to be missing.
                with suppress(psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                    answers[name] = query(conn)
    except (psycopg.Error, OSError, SetupError) as error:
        down.append(f"{what} does not answer ({type(error).__name__}): see docs/runbooks/services.md")
    return answers


def _not_anchored(settings: Settings, conn: psycopg.Connection, moment: datetime) -> str | None:
    """Return a message if the trail's anchor is missing; a newly started trail has some time to get one."""
    row = conn.execute("select min(happened_at) from audit.event").fetchone()
    begun = row[0] if row else None
    return anchor.missing(settings, conn, moment, begun or moment)


def _services(settings: Settings, down: list[str]) -> dict[str, Any]:
    """Return the services of this home: whether they are expected, their URL, and each one's state, including all workers."""
    from yingjian.operations import broker
    from yingjian.operations.service import check_portal
    from yingjian.operations.service_names import PORTAL
    from yingjian.operations.service_processes import recorded_port, services_to_come
    from yingjian.operations.services import services_url

    url = services_url(settings)
    if url is None:
        return {"expected": False, "url": None, "states": {}}
    try:
        answer = httpx.get(f"{url}/api/v2/monitor/health", timeout=SECONDS, trust_env=False)
        health = answer.raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        down.append("Airflow's api-server does not answer: see docs/runbooks/services.md")
        return {"expected": True, "url": url, "states": {"api-server": "down"}}
    states = {"api-server": "healthy"}
    if port := recorded_port(settings, PORTAL):
        states[PORTAL] = "healthy"
        try:
            check_portal(port)
        except SetupError as error:
            states[PORTAL] = "down"
            down.append(f"{error}: see docs/runbooks/services.md")
    to_come = services_to_come(settings)
    for key, service in _COMPONENTS.items():
        if service in to_come:
            states[service] = "starts later"
            continue
        states[service] = (health.get(key) or {}).get("status") or "down"
        if states[service] != "healthy":
            down.append(f"Airflow's {service} does not work: see docs/runbooks/services.md")
    if settings.broker:
        try:
            workers = broker.workers(settings)
        except SetupError:
            down.append("the broker does not answer: see docs/runbooks/services.md")
        else:
            states |= dict.fromkeys(workers, "healthy")
            if not workers:
                down.append("no worker answers: see docs/runbooks/services.md")
    return {"expected": True, "url": url, "states": states}


def _publication(conn: psycopg.Connection, now: datetime) -> dict[str, Any] | None:
    row = conn.execute(
        """
        select publication_id, as_of_date, published_at, quality_status, checks_run, checks_failed, release_reason,
            missing_feeds, is_correction
        from published.publication
        where publication_id = (select publication_id from published.current)
        """
    ).fetchone()
    if row is None:
        return None
    number, day, published_at, quality, run, failed, reason, missing, is_correction = row
    # A publication of an earlier version has no such view; then failures and warnings are not distinguished.
    critical: int | None = None
    with suppress(psycopg.errors.UndefinedTable):
        [(critical,)] = conn.execute(
            "select count(*) from reporting.quality_check where severity = 'fail' and not success"
        )
    unpublished = conn.execute(
        """
        select day::date from generate_series(
            greatest(%(day)s - 7, (select min(as_of_date) from published.publication)), %(day)s, interval '1 day'
        ) as day
        where not exists (select from published.publication where as_of_date = day::date) order by 1
        """,
        {"day": day},
    ).fetchall()
    return {
        "publication_id": number,
        "as_of_date": day.isoformat(),
        "published_at": published_at.isoformat(timespec="seconds"),
        "age_hours": _hours(now - published_at),
        "quality_status": quality,
        "checks_run": run,
        "checks_failed": failed,
        "critical_failed": critical,
        "release_reason": reason,
        "missing_feeds": missing,
        "is_correction": is_correction,
        "unpublished_days": [missed.isoformat() for (missed,) in unpublished],
    }


def _runs(conn: psycopg.Connection) -> list[dict[str, Any]]:
    """Return each DAG's last run with up to five failed tasks, models last."""
    rows = conn.execute(
        f"""
        with last_runs as (
            select distinct on (dag_id)
                dag_id, run_id, state, start_date, end_date, {BUSINESS_DATE} as business_date
            from dag_run
            order by dag_id asc, queued_at desc nulls last, id desc
        )
        select
            dag_id, run_id, state, start_date, end_date, business_date,
            array(
                select task_id from task_instance
                where task_instance.dag_id = last_runs.dag_id and task_instance.run_id = last_runs.run_id
                and task_instance.state = 'failed'
                order by starts_with(task_id, '{MODEL_TASK}')::int, start_date, task_id
                limit 5
            )
        from last_runs
        """  # type: ignore[arg-type]
    ).fetchall()
    return [
        {
            "dag": dag,
            "run_id": run_id,
            "state": state,
            "business_date": day.isoformat() if day else None,
            "started_at": start.astimezone(SHANGHAI).isoformat(timespec="seconds") if start else None,
            "seconds": round((end - start).total_seconds(), 1) if start and end else None,
            "failed_tasks": failed,
        }
        for dag, run_id, state, start, end, day, failed in rows
    ]


def _waiting(conn: psycopg.Connection) -> list[dict[str, Any]]:
    """Return the questions that wait for a person's answer in the portal, oldest first."""
    return [
        {
            "dag": decision.ASKED_BY[question.needed_right][0],
            "task": decision.ASKED_BY[question.needed_right][1],
            "question": question.question_id,
            "business_date": question.as_of_date.isoformat(),
            "since": question.asked_at.astimezone(SHANGHAI).isoformat(timespec="seconds"),
        }
        for question in decision.open_questions(conn)
    ]


def _import_errors(conn: psycopg.Connection) -> list[dict[str, Any]]:
    """Return the DAG files that Airflow cannot read: the file's name, and the last line of Python's message."""
    rows = conn.execute("select filename, stacktrace, timestamp from import_error order by filename").fetchall()
    return [
        {
            "file": filename,
            "error": (stacktrace or "").strip().rpartition("\n")[2][:200],
            "since": since.astimezone(SHANGHAI).isoformat(timespec="seconds") if since else None,
        }
        for filename, stacktrace, since in rows
    ]


def _audit(conn: psycopg.Connection) -> dict[str, Any] | None:
    """Return the time and business date of the last audit, and its failed checks."""
    last = conn.execute(
        "select max(checked_at), max(as_of_date) from quality.check_result"
        " where checked_at = (select max(checked_at) from quality.check_result)"
    ).fetchone()
    if last is None or last[0] is None:
        return None
    failed = conn.execute(
        """
        select severity, suite, check_name, failing_rows, message from quality.check_result
        where not success and checked_at = %s
        order by severity, suite, check_name
        """,
        (last[0],),
    ).fetchall()
    keys = ("severity", "suite", "check", "failing_rows", "message")
    return {
        "checked_at": last[0].isoformat(timespec="seconds"),
        "as_of_date": last[1].isoformat(),
        "failed": [dict(zip(keys, row, strict=True)) for row in failed],
    }


def _feeds(conn: psycopg.Connection, now: datetime) -> list[dict[str, Any]]:
    """Return each known feed: its last file, its newest update, and the number of rejected files that await a decision."""
    rows = conn.execute(
        """
        select
            feed,
            max(received_at) filter (where status = 'staged'),
            max(newest_update),
            count(*) filter (where status = any(%s) and not is_to_retry)
        from quality.landed_file
        group by feed
        order by feed
        """,
        (list(REFUSED),),
    ).fetchall()
    judged: dict[str, tuple[str, str | None]] = {}
    with suppress(psycopg.errors.UndefinedTable):  # Nothing is published yet.
        judged = {
            feed: (state, message)
            for feed, state, message in conn.execute("select feed, status, message from reporting.feed_quality")
        }
    landed = {feed: values for feed, *values in rows}
    return [
        {
            "feed": feed,
            "last_file_at": received.isoformat(timespec="seconds") if received else None,
            "age_hours": _hours(now - received) if received else None,
            "newest_update": newest.isoformat(timespec="seconds") if newest else None,
            "rejected_files": rejected,
            "state": judged.get(feed, (None, None))[0],
            "message": judged.get(feed, (None, None))[1],
        }
        for feed in sorted(landed | judged)
        for received, newest, rejected in [landed.get(feed, (None, None, 0))]
    ]


def _quarantine(conn: psycopg.Connection) -> dict[str, Any]:
    rows = conn.execute(
        "select feed, count(*), min(rejected_at) from quality.rejected_row where resolved_at is null"
        " group by feed order by count(*) desc, feed"
    ).fetchall()
    return {
        "open_rows": sum(count for _, count, _ in rows),
        "oldest": min(oldest for _, _, oldest in rows).isoformat(timespec="seconds") if rows else None,
        "by_feed": {feed: count for feed, count, _ in rows},
    }


def _doubts(conn: psycopg.Connection, now: datetime) -> dict[str, Any]:
    """Return counts of possibly incomplete files of the last DOUBT_DAYS days by reason, and of contradictions by feed."""
    since = now - timedelta(days=DOUBT_DAYS)
    reasons = conn.execute(
        "select code, count(*) from quality.landed_file, unnest(suspicions) as code where received_at > %s"
        " group by code order by code",
        (since,),
    ).fetchall()
    [(files,)] = conn.execute(
        "select count(*) from quality.landed_file where received_at > %s and suspicions <> '{}'", (since,)
    )
    versions = conn.execute(
        "select feed, count(*) from quality.contradiction where found_at > %s group by feed order by feed", (since,)
    ).fetchall()
    return {"files": files, "reasons": dict(reasons), "contradictions": dict(versions)}


def _deliveries(conn: psycopg.Connection) -> dict[str, Any]:
    """Return delivery attempts of the current publication by state, and a text summary of the newest
    publications' deliveries.
    """
    states = {
        state: count
        for state, count in conn.execute(
            """
            select state, count(*) from delivery.attempt
            where publication_id = (select publication_id from reporting.publication)
            group by state order by state
            """
        )
    }
    return {"states": states, "words": ledger.summary(conn)}


def _disk(settings: Settings) -> dict[str, Any]:
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return {"folder": str(folder), "free_bytes": usage.free, "total_bytes": usage.total}


def _attention(status: dict[str, Any], now: datetime) -> list[str]:
    """Return what needs attention, most urgent first, each with its runbook."""
    sentences = [
        f"{item['dag']}.{item['task']} has waited for a person since {_short(item['since'])}: see docs/runbooks/{item['dag']}.md"
        for item in status["waiting"] or []
    ]
    sentences += [
        f"the last run of {run['dag']} ({run['business_date'] or 'no date'}) failed in"
        f" {', '.join(run['failed_tasks']) or 'no task of its own'}: see docs/runbooks/{run['dag']}.md"
        for run in status["runs"] or []
        if run["state"] == "failed"
    ]
    # A missing manifest is normal before the first `up` or `run`, and both re-parse a stale one.
    if status["manifest"] == "broken" or (status["manifest"] != "ok" and status["services"]["expected"]):
        sentences.append(
            f"the dbt manifest, from which Airflow reads the models, is {status['manifest']}:"
            " see docs/runbooks/services.md"
        )
    if status["is_migrated"] is False:
        sentences.append(f"{migration.BEHIND} (docs/runbooks/services.md)")
    publication, audit = status["publication"], status["audit"]
    if publication:
        day_ended = datetime.fromisoformat(publication["as_of_date"]).replace(tzinfo=SHANGHAI) + timedelta(days=1)
        if now - day_ended > LATE:
            sentences.append(
                f"the published day is {publication['as_of_date']}, {(now - day_ended).days} days ago:"
                " see docs/runbooks/daily.md"
            )
        if publication["unpublished_days"]:
            days = ", ".join(publication["unpublished_days"])
            sentences.append(f"not published within the last week: {days}: see docs/runbooks/daily.md")
        if publication["missing_feeds"]:
            sentences.append(
                f"the published day was built without {', '.join(publication['missing_feeds'])}: see docs/runbooks/daily.md"
            )
        if publication["quality_status"] != "passed":
            sentences.append("the current publication was released by hand: see docs/runbooks/daily.md")
    critical = [check for check in (audit or {}).get("failed", []) if check["severity"] == "fail"]
    if critical:
        sentences.append(f"the last audit failed {len(critical)} critical checks: see docs/runbooks/checks.md")
    for feed in status["feeds"] or []:
        if feed["rejected_files"] or feed["state"] not in ("ok", None):
            what = f"{feed['rejected_files']} files were rejected" if feed["rejected_files"] else feed["message"]
            sentences.append(f"feed {feed['feed']}: {what}: see docs/runbooks/landing.md")
    states = (status["deliveries"] or {"states": {}})["states"]
    trouble = {state: states[state] for state in ledger.FAILURES if state in states}
    if trouble:
        counts = ", ".join(f"{count} {state}" for state, count in trouble.items())
        sentences.append(f"deliveries of the current publication: {counts}: see docs/runbooks/delivery.md")
    if status["disk"]["free_bytes"] < watch.LOW_DISK:
        sentences.append(
            f"{_size(status['disk']['free_bytes'])} free for {status['disk']['folder']}: see docs/runbooks/services.md"
        )
    return sentences


def render(status: dict[str, Any]) -> str:
    """Return the state as one screen of text."""
    lines = [f"DOWN       {text}" for text in status["down"]]
    lines += [f"LOOK       {text}" for text in status["attention"]]
    if not lines:
        lines.append("OK         nothing is down, nothing waits for anybody")
    services = status["services"]
    states = ", ".join(f"{name} {state}" for name, state in services["states"].items())
    lines.append(
        f"services   {states + '  ' + services['url'] if services['expected'] else 'none run in this home (yingjian up)'}"
    )
    publication = status["publication"]
    lines.append(
        "publication {publication_id} of {as_of_date}, published {at} ({age_hours} h ago), {quality_status}, {checks}".format(
            at=_short(publication["published_at"]), checks=_checks(publication), **publication
        )
        if publication
        else "nothing published yet"
    )
    lines += [
        f"run        {run['dag']:<12} {run['state']:<8} {run['business_date'] or '-':<10}"
        f"  began {_short(run['started_at'])}"
        + (f", took {run['seconds']:.0f} s" if run["seconds"] is not None else "")
        for run in status["runs"] or []
    ]
    lines += [
        f"last audit: {check['severity']} {check['suite']}.{check['check']}"
        f" ({check['failing_rows'] if check['failing_rows'] is not None else '?'} rows): {check['message']}"
        for check in (status["audit"] or {}).get("failed", [])
    ]
    lines += [
        f"feed       {feed['feed']:<20} {feed['state'] or '-':<9} last file {_short(feed['last_file_at'])},"
        f" newest update {_short(feed['newest_update'])}"
        for feed in status["feeds"] or []
    ]
    quarantine = status["quarantine"] or {"open_rows": 0, "by_feed": {}}
    by_feed = ", ".join(f"{feed} {count:,}" for feed, count in quarantine["by_feed"].items())
    lines.append(f"quarantine {quarantine['open_rows']:,} open rows{': ' + by_feed if by_feed else ''}")
    doubts = status["doubts"] or {"files": 0, "reasons": {}, "contradictions": {}}
    if doubts["files"]:
        reasons = ", ".join(f"{reason} {count}" for reason, count in doubts["reasons"].items())
        lines.append(f"half files {doubts['files']} in {DOUBT_DAYS} days: {reasons}: see docs/runbooks/landing.md")
    if doubts["contradictions"]:
        by_feed = ", ".join(f"{feed} {count:,}" for feed, count in doubts["contradictions"].items())
        lines.append(f"contradictions in {DOUBT_DAYS} days: {by_feed}: see docs/runbooks/landing.md")
    lines += (status["deliveries"] or {"words": []})["words"]
    disk = status["disk"]
    lines.append(f"disk       {_size(disk['free_bytes'])} of {_size(disk['total_bytes'])} free at {disk['folder']}")
    return "\n".join(lines)


def _checks(publication: dict[str, Any]) -> str:
    """Return the checks' result as text: failures block a publication, warnings do not."""
    run, missed, critical = (publication[key] for key in ("checks_run", "checks_failed", "critical_failed"))
    if critical is None:
        return f"{missed} of {run} checks failed or warned"
    return f"{run} checks: {critical} failed, {missed - critical} warned"


def _hours(age: timedelta) -> float:
    return round(age.total_seconds() / 3600, 1)


def _short(moment: str | None) -> str:
    return moment[:16].replace("T", " ") if moment else "-"


def _size(count: int) -> str:
    return f"{count / (1 << 30):,.1f} GiB"
