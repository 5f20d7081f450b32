"""The watch checks every few minutes for conditions that need attention.

Each condition is told once, again while it lasts, and when it ends. Each check ("look") is a function that returns notices.
Checks about time are skipped in a demo, whose clock is its own. `docs/runbooks/watch.md` lists every notice with what to do.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from yingjian import clock
from yingjian.clock import SHANGHAI
from yingjian.database import warehouse
from yingjian.orchestration import anchor, memory, notices
from yingjian.orchestration.notices import FAILURE, Notice, task_link, ui_link
from yingjian.people.audience import OFFICE
from yingjian.pipeline import MODEL_TASK, REFUSED, Dag
from yingjian.privacy import audit_trail
from yingjian.publishing import decision
from yingjian.reports.content.audiences import narrowed
from yingjian.settings import Settings, SetupError

log = logging.getLogger(__name__)

# The daily run starts at midnight; after this delay it is late.
STARTS_WITHIN = timedelta(minutes=30)
# A task may wait this long for a slot, and a service may miss heartbeats this long, before somebody should look.
STUCK = timedelta(hours=1)
SILENT = timedelta(minutes=5)
# A failure that its callback did not tell within this time is told by the watch.
CALLBACK = timedelta(minutes=3)
RECENT = timedelta(days=3)
LOW_DISK = 5 << 30
REJECTED_SHARE, ROWS_AT_LEAST = 0.05, 100
# A sender silent for longer than this is no longer told.
SILENCE_TOLD = timedelta(days=14)


@dataclass(frozen=True)
class View:
    """The state that the checks read.

    `now` is the home's clock, which a demo sets. `moment` is the machine's clock, which the databases use.
    """

    settings: Settings
    conn: psycopg.Connection[Any]
    metadata: psycopg.Connection[Any]
    now: datetime
    moment: datetime

    def row(self, query: str, *parameters: Any) -> tuple[Any, ...]:
        """Return the only row of a query over the warehouse."""
        return self.conn.execute(query, parameters).fetchone() or ()  # type: ignore[arg-type]

    def runs(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query over Airflow's metadata."""
        return self.metadata.execute(query, parameters).fetchall()  # type: ignore[arg-type]

    @property
    def born_at(self) -> datetime | None:
        """Return the start of the oldest run in Airflow's metadata; a home is not late for days before it."""
        [(first,)] = self.runs("select min(start_date) from dag_run")
        return first  # type: ignore[no-any-return]


Look = Callable[[View], list[Notice]]


def not_landed(view: View) -> list[Notice]:
    """Report that nothing was landed for `landing_hours`."""
    (last,) = view.row("select max(received_at) from quality.landed_file")
    since = last or view.born_at
    if since is None or view.moment - since <= timedelta(hours=view.settings.alerts.landing_hours):
        return []
    return [
        Notice(
            "not_landed", "not_landed", f"nothing landed since {_time(since)}", Dag.LANDING,
            (("last file", _time(last) if last else "none ever"),), ui_link(view.settings, "/dags/landing"),
        )
    ]  # fmt: skip


def not_started(view: View) -> list[Notice]:
    """Report that the daily run of yesterday has not started."""
    day = view.now.date() - timedelta(days=1)
    (has_data,) = view.row("select exists (select from quality.landed_file where status = 'staged')")
    if not has_data or view.now - clock.midnight(view.now) < STARTS_WITHIN:
        return []
    (is_asked,) = view.row("select exists (select from publishing.build where as_of_date >= %s)", day)
    [(has_run, is_paused)] = view.runs(
        """
        select
            exists (
                select from dag_run where dag_id = %s
                and (data_interval_start at time zone 'Asia/Shanghai')::date >= %s
            ),
            exists (select from dag where dag_id = %s and is_paused)
        """,
        Dag.DAILY, day, Dag.DAILY,
    )  # fmt: skip
    if is_asked or has_run:
        return []
    return [
        Notice(
            "not_started", f"not_started:{day}", f"the run of {day} has not begun", Dag.DAILY,
            (("why", "the DAG daily is paused" if is_paused else "not known: is the scheduler alive?"),),
            ui_link(view.settings, f"/dags/{Dag.DAILY}"),
        )
    ]  # fmt: skip


def too_long(view: View) -> list[Notice]:
    """Report tasks that run for hours or wait for a slot; deferred tasks (waiting for feeds or persons) are not included."""
    at_work = view.moment - timedelta(hours=view.settings.alerts.long_hours)
    rows = view.runs(
        """
        select dag_id, run_id, task_id, state, since
        from (
            select
                dag_id, run_id, task_id, state,
                case when state = 'running' then greatest(start_date, queued_dttm) else scheduled_dttm end as since
            from task_instance where state in ('running', 'queued', 'scheduled')
        ) as busy
        where since < case when state = 'running' then %s else %s end
        order by since
        """,
        at_work,
        view.moment - STUCK,
    )
    return [
        Notice(
            "too_long", f"too_long:{dag}.{task}:{run}",
            f"{dag}.{task} has {'been at work' if state == 'running' else 'waited for a slot'} since {_time(since)}", dag,
            (("run", run),), task_link(view.settings, dag, run, task),
        )
        for dag, run, task, state, since in rows
    ]  # fmt: skip


def waiting(view: View) -> list[Notice]:
    """Report questions that wait for an answer in the portal."""
    return [
        Notice(
            "waiting", f"waiting:{dag}.{task}:{question.run_id}",
            f"{dag}.{task} has waited for a person since {_time(question.asked_at)}", dag,
            (("run", question.run_id),), task_link(view.settings, dag, question.run_id, task),
        )
        for question in decision.open_questions(view.conn)
        for dag, task in (decision.ASKED_BY[question.needed_right],)
    ]  # fmt: skip


def stale(view: View) -> list[Notice]:
    """Report that the newest day past its delivery time (on the next morning) is not published."""
    hour = timedelta(hours=view.settings.delivery_time.hour, minutes=view.settings.delivery_time.minute)
    day = (view.now - hour).date() - timedelta(days=1)
    (newest, is_there) = view.row(
        "select max(as_of_date), coalesce(max(as_of_date) >= %s, true) from published.publication", day
    )
    if is_there:
        return []
    return [
        Notice(
            "stale", f"stale:{day}", f"{day} is not published; readers see {newest}", Dag.DAILY,
            (), ui_link(view.settings, f"/dags/{Dag.DAILY}"),
        )
    ]  # fmt: skip


def missing_feeds(view: View) -> list[Notice]:
    """Report that the newest build lacks required feeds."""
    row = view.row(
        """
        select as_of_date, missing_feeds from publishing.build
        where state <> 'waiting' order by as_of_date desc, build_id desc limit 1
        """
    )
    if not row or not row[1]:
        return []
    day, feeds = row
    return [
        Notice(
            "missing_feeds", f"missing_feeds:{day}", f"{day} was built without {', '.join(feeds)}", Dag.LANDING,
            (("then", "a file that comes later makes the day again"),),
        )
    ]  # fmt: skip


def rejected_files(view: View) -> list[Notice]:
    """Report recent files that were rejected as a whole and await a decision."""
    rows = view.conn.execute(
        """
        select feed, count(*) from quality.landed_file
        where status = any(%s) and not is_to_retry and received_at > %s
        group by feed order by feed
        """,
        (list(REFUSED), view.moment - RECENT),
    )
    return [
        Notice("rejected_files", f"rejected_files:{feed}", f"{count} files of {feed} were refused", Dag.LANDING)
        for feed, count in rows
    ]


def rejected_rows(view: View) -> list[Notice]:
    """Report feeds of which more than REJECTED_SHARE of the rows went to quarantine within a day."""
    rows = view.conn.execute(
        """
        select feed, sum(rows_rejected), sum(rows_read) from quality.landed_file
        where status = 'staged' and received_at > %s
        group by feed having sum(rows_read) >= %s and sum(rows_rejected) > %s * sum(rows_read)
        order by feed
        """,
        (view.moment - timedelta(days=1), ROWS_AT_LEAST, REJECTED_SHARE),
    )
    return [
        Notice(
            "rejected_rows", f"rejected_rows:{feed}", f"{rejected} of {read} rows of {feed} went to quarantine", Dag.LANDING,
            (("see", "yingjian quarantine list"),),
        )
        for feed, rejected, read in rows
    ]  # fmt: skip


def silent_senders(view: View) -> list[Notice]:
    """Report regular senders that have gone silent, from the last publication's mart `feed_sender_daily`."""
    if view.row("select to_regclass('published.feed_sender_daily')") == (None,):
        return []  # Nothing has been published yet.
    with narrowed(view.conn, OFFICE):
        rows = view.conn.execute(
            """
            select feed, count(*), max(last_on) from published.feed_sender_daily
            where publication_id = (select publication_id from published.current)
            and sender <> '' and is_silent_since > %s
            group by feed order by feed
            """,
            (view.now.date() - SILENCE_TOLD,),
        ).fetchall()
    return [
        Notice(
            "silent_senders", f"silent_senders:{feed}",
            f"{feed} has had nothing from {count} of its senders since {last_on}",
            Dag.LANDING, (("see", "reporting.feed_sender_daily"),),
        )
        for feed, count, last_on in rows
    ]  # fmt: skip


def backup(view: View) -> list[Notice]:
    """Report that there is no backup, or that the newest one is older than `backup_hours`."""
    (last,) = view.row("select max(made_at) from operations.backup")
    since = last or view.born_at
    if since is None or view.moment - since <= timedelta(hours=view.settings.alerts.backup_hours):
        return []
    subject = f"the newest backup is of {_time(last)}" if last else "there is no backup"
    return [Notice("backup", "backup", subject, "recovery")]


def not_anchored(view: View) -> list[Notice]:
    """Report that the audit trail's end has not been anchored elsewhere for some hours."""
    sentence = anchor.missing(view.settings, view.conn, view.moment, view.born_at or view.moment)
    return [Notice("not_anchored", "not_anchored", sentence, Dag.WATCH)] if sentence else []


def archive(view: View) -> list[Notice]:
    """Report that PostgreSQL's WAL archiving fails: WAL fills the disk, and point-in-time recovery has a gap."""
    row = view.row(
        """
        select last_failed_time, last_archived_time from pg_stat_archiver
        where last_failed_time > coalesce(last_archived_time, '-infinity')
        """
    )
    if not row:
        return []
    failed, archived = row
    return [
        Notice(
            "archive", "archive", f"PostgreSQL's archive has failed since {_time(failed)}", "recovery",
            (("last archived", _time(archived) if archived else "never"),),
        )
    ]  # fmt: skip


def import_errors(view: View) -> list[Notice]:
    """Report DAG files that cannot be imported."""
    rows = view.runs("select filename, stacktrace from import_error order by filename")
    return [
        Notice(
            "import_errors", f"import_errors:{filename}", f"{filename} cannot be read", "services",
            (("error", (trace or "").strip().rpartition("\n")[2].partition(":")[0]),), ui_link(view.settings, "/"),
        )
        for filename, trace in rows
    ]  # fmt: skip


def silent_services(view: View) -> list[Notice]:
    """Report that the triggerer or the DAG processor has no recent heartbeat.

    A dead scheduler is noticed by the receiver of the watch's own heartbeat.
    """
    rows = view.runs(
        """
        select job_type, max(latest_heartbeat) from job
        where job_type in ('TriggererJob', 'DagProcessorJob') and latest_heartbeat > %s
        group by job_type having max(latest_heartbeat) < %s order by job_type
        """,
        view.moment - RECENT,
        view.moment - SILENT,
    )
    names = {"TriggererJob": "triggerer", "DagProcessorJob": "dag-processor"}
    return [
        Notice(
            "silent_services",
            f"silent_services:{kind}",
            f"Airflow's {names[kind]} has been silent since {_time(beat)}",
            "services",
        )
        for kind, beat in rows
    ]


def disk(view: View) -> list[Notice]:
    """Report that the home's disk is nearly full."""
    free = shutil.disk_usage(view.settings.home).free
    if free >= LOW_DISK:
        return []
    return [Notice("disk", "disk", f"{free / (1 << 30):.1f} GiB free for the home", "services")]


def failures(view: View) -> list[Notice]:
    """Return told failures that are not fixed yet, and recent failures that no callback told."""
    told_failures = {
        key: Notice(FAILURE, key, subject, runbook, tuple((label, value) for label, value in facts), link)
        for key, subject, runbook, facts, link in view.conn.execute(
            "select key, subject, runbook, facts, link from operations.notice where about = 'failure' and ended_at is null"
        )
    }
    run_rows = view.conn.execute(
        "select distinct split_part(key, ':', 1) || '/' || (fact ->> 1) from operations.notice,"
        " jsonb_array_elements(facts) as fact where about = 'failure' and fact ->> 0 = 'run'"
    )
    told_runs = {name for (name,) in run_rows}
    rows = view.runs(
        """
        select dag_id, run_id, task_id, try_number, end_date from task_instance
        where state = 'failed' and end_date between %s and %s and not starts_with(task_id, %s)
        order by end_date
        """,
        view.moment - RECENT,
        view.moment - CALLBACK,
        MODEL_TASK,
    )
    untold = [
        Notice(
            FAILURE, f"{dag}.{task}:{run}:{tries}", f"{dag}.{task} failed", dag,
            (("run", run), ("try", str(tries)), ("task", f"{dag}.{task}"), ("ended", _time(ended))),
            task_link(view.settings, dag, run, task),
        )
        for dag, run, task, tries, ended in rows
        if f"{dag}.{task}/{run}" not in told_runs
    ]  # fmt: skip
    return _not_mended(view, [*told_failures.values(), *untold])


def _not_mended(view: View, failed: list[Notice]) -> list[Notice]:
    """Return the failures whose task has not succeeded since, and still has a record."""
    tasks = [notice.key.partition(":")[0].partition(".")[::2] for notice in failed]
    rows = view.runs(
        """
        select dag_id, task_id from (
            select distinct on (dag_id, task_id) dag_id, task_id, state from task_instance
            where state in ('success', 'failed')
            and (dag_id, task_id) in (select * from unnest(%s::text[], %s::text[]))
            order by dag_id, task_id, end_date desc nulls last
        ) as ended
        where state = 'failed'
        """,
        [dag for dag, _ in tasks],
        [task for _, task in tasks],
    )
    still_failing = set(rows)
    return [notice for notice, task in zip(failed, tasks, strict=True) if task in still_failing]


ABOUT_TIME: tuple[Look, ...] = (
    not_landed,
    not_started,
    too_long,
    stale,
    missing_feeds,
    backup,
    not_anchored,
    rejected_rows,
    rejected_files,
    silent_senders,
)
ABOUT_STATE: tuple[Look, ...] = (failures, waiting, archive, import_errors, silent_services, disk)


def turn(settings: Settings) -> dict[str, int]:
    """Run every check, record the notices, tell those that are due, and send the heartbeat; return counts.

    Raises SetupError if checks failed, and Undelivered if every alert channel failed, so that the watch itself fails visibly.
    """
    from yingjian.delivery import alerts

    moment = datetime.now(UTC)
    looks = ABOUT_STATE if clock.demo_clock(settings.home) else ABOUT_STATE + ABOUT_TIME
    notices_seen: list[Notice] = []
    completed, broken = [], []
    with (
        warehouse.connect(settings, "reporter") as conn,
        psycopg.connect(warehouse.airflow_uri(settings), autocommit=True) as metadata,
    ):
        conn.autocommit = True
        ended = conn.execute("select access.end_readers()").fetchone()
        if ended and ended[0]:
            log.warning("the sessions of %s readers were ended, whose transactions lasted too long", ended[0])
        if audit_trail.record_changed_definition(conn, "watch", settings.audit_definition):
            audit_trail.keep_definition(conn, settings.audit_definition)
            log.warning("the audit trail's table, triggers or functions were changed: see the event trail_ddl")
        if settings.audit_anchor and anchor.is_due(conn, moment):
            try:
                anchor.note(settings, conn, moment)
            except (SetupError, psycopg.Error) as error:  # If it persists, the check not_anchored reports it.
                log.warning("%s", notices.first_line(error))
        view = View(settings, conn, metadata, clock.now(settings.home), moment)
        for look in looks:
            try:
                notices_seen += look(view)
                completed.append(look.__name__ if look is not failures else FAILURE)
            except psycopg.Error as error:
                broken.append(f"{look.__name__} ({notices.first_line(error)})")
        memory.keep(conn, metadata)
        notices.see(conn, notices_seen, moment, completed)
        notices_told = notices.tell_due(conn, settings, moment)
    if problem := alerts.beat(settings.alerts):
        log.warning("%s", problem)
    if broken:
        raise SetupError(f"the watch could not look: {', '.join(broken)}")
    log.info("the watch: %s looks, %s notices, %s told", len(looks), len(notices_seen), notices_told)
    return {"looks": len(looks), "notices": len(notices_seen), "told": notices_told}


def _time(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).isoformat(" ", "minutes")
