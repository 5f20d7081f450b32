"""Notices to the data team about a failure or a lasting condition, each told once, and about its end (table operations.notice).

No notice names a person. An exception's text is passed on only if its class is marked as safe to show (`may_be_told`); for any
other exception, only its type and SQLSTATE are.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Json

from yingjian.clock import SHANGHAI
from yingjian.database import warehouse
from yingjian.settings import Settings, SetupError

log = logging.getLogger(__name__)

FAILURE, EVENT = "failure", "event"
UNSET = (
    "nobody is told of failures: set YINGJIAN_ALERT_MAIL, YINGJIAN_ALERT_WECOM, YINGJIAN_ALERT_DINGTALK or"
    " YINGJIAN_ALERT_WEBHOOK"
)


@dataclass(frozen=True)
class Notice:
    """One thing to tell the team.

    `about` is its source (a check of the watch, FAILURE or EVENT); `key` identifies it across occurrences; `facts` are pairs of
    label and value; `runbook` is the page of docs/runbooks with instructions. An event has no end.
    """

    about: str
    key: str
    subject: str
    runbook: str
    facts: tuple[tuple[str, str], ...] = ()
    link: str = ""


def unset(settings: Settings) -> str | None:
    """Return a warning if no alert channel is configured; None if one is."""
    return None if settings.alerts.is_anybody_told else UNSET


def ui_link(settings: Settings, path: str) -> str:
    """Return a link to a page of Airflow's UI; empty if its base URL is unknown."""
    from airflow.sdk.configuration import conf

    base = settings.url or str(conf.get("api", "base_url", fallback="") or "")
    return f"{base.rstrip('/')}{path}" if base else ""


def task_link(settings: Settings, dag_id: str, run_id: str, task_id: str) -> str:
    return ui_link(settings, f"/dags/{dag_id}/runs/{run_id}/tasks/{task_id}")


def first_line(error: object) -> str:
    """Return one line about an exception, free of personal data."""
    if getattr(type(error), "may_be_told", False):
        lines = str(error).strip().splitlines()
        return lines[0] if lines else type(error).__name__
    name = type(error).__name__ if isinstance(error, BaseException) else ""
    code = getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None)
    return f"{name} (SQLSTATE {code})" if code else name


# The functions below store notices.


def see(
    conn: psycopg.Connection[Any],
    notices: Sequence[Notice],
    moment: datetime,
    over_unless_seen: Collection[str] = (),
) -> None:
    """Record the notices seen at a moment. Open notices of the sources in `over_unless_seen` that were not seen are ended."""
    with conn.transaction():
        for notice in notices:
            is_event = notice.about == EVENT
            conn.execute(
                """
                insert into operations.notice as known (
                    key, about, subject, facts, runbook, link, first_seen_at, last_seen_at, ended_at, end_told_at
                )
                values (
                    %(key)s, %(about)s, %(subject)s, %(facts)s, %(runbook)s, %(link)s, %(moment)s, %(moment)s,
                    %(ended)s, %(ended)s
                )
                on conflict (key) where ended_at is null do update
                set
                    subject = excluded.subject, facts = excluded.facts, link = excluded.link,
                    last_seen_at = excluded.last_seen_at
                """,
                {
                    "key": notice.key,
                    "about": notice.about,
                    "subject": notice.subject,
                    "facts": Json(notice.facts),
                    "runbook": notice.runbook,
                    "link": notice.link,
                    "moment": moment,
                    "ended": moment if is_event else None,
                },
            )
        conn.execute(
            """
            update operations.notice set ended_at = %s
            where ended_at is null and about = any(%s) and not key = any(%s)
            """,
            (moment, list(over_unless_seen), [notice.key for notice in notices]),
        )


def tell_due(conn: psycopg.Connection[Any], settings: Settings, moment: datetime) -> int:
    """Tell new notices, repeat those that have lasted for `again_hours` since they were last told, and tell the end of told
    ones.

    Returns how many were told. Rows locked by another process are skipped. A notice that no channel accepts is tried again in
    the next turn. Raises Undelivered if channels are configured and all of them fail. Without any channel nothing is told, and
    the notices stay untold.
    """
    if not settings.alerts.is_anybody_told:
        return 0
    repeat_before = moment - timedelta(hours=settings.alerts.again_hours)
    count = 0
    last = 0
    while True:
        with conn.transaction():
            row = conn.execute(
                """
                select
                    notice_id, key, subject, facts, runbook, link, first_seen_at, times_told,
                    ended_at is not null and ended_at is distinct from end_told_at
                from operations.notice
                where notice_id > %(last)s and (
                    (last_told_at is null and (ended_at is null or (about = 'event' and first_seen_at > %(again)s)))
                    or (ended_at is null and last_told_at <= %(again)s)
                    or (ended_at is not null and end_told_at is null and last_told_at is not null)
                )
                order by notice_id limit 1
                for update skip locked
                """,
                {"last": last, "again": repeat_before},
            ).fetchone()
            if row is None:
                return count
            last, key, subject, facts, runbook, link, first_seen, times, is_over = row
            state = "over" if is_over else "again" if times else "new"
            _tell(settings, key, state, subject, facts, runbook, link, first_seen)
            conn.execute(
                "update operations.notice set end_told_at = %s where notice_id = %s"
                if is_over
                else "update operations.notice set last_told_at = %s, times_told = times_told + 1 where notice_id = %s",
                (moment, last),
            )
            count += 1


def _tell(
    settings: Settings,
    key: str,
    state: str,
    subject: str,
    facts: Sequence[Sequence[str]],
    runbook: str,
    link: str,
    first_seen: datetime,
) -> None:
    from yingjian.delivery import alerts
    from yingjian.delivery.messages import Message

    since = first_seen.astimezone(SHANGHAI).isoformat(" ", "minutes")
    title = {"new": subject, "again": f"still: {subject}", "over": f"over: {subject}"}[state]
    page = f"docs/runbooks/{runbook}.md"
    pairs = [(str(label), str(value)) for label, value in facts]
    message = Message(
        token=f"alert.{hashlib.blake2b(f'{key} {state} {since}'.encode(), digest_size=12).hexdigest()}",
        folder="",
        subject=f"[应检] {title}",
        facts=(*pairs, ("since", since), ("runbook", page)),
        link=link,
    )
    content = {
        "key": key, "state": state, "subject": subject, "facts": dict(pairs), "since": since, "runbook": page, "link": link,
    }  # fmt: skip
    for reason in alerts.tell(settings.alerts, message, content):
        log.warning("an alert channel failed: %s", reason)


def say(settings: Settings, notice: Notice) -> None:
    """Record a notice and tell it at once. If the warehouse is unreachable, it is told without being recorded."""
    from yingjian.delivery.errors import Undelivered

    moment = datetime.now(UTC)
    try:
        try:
            with warehouse.connect(settings, "reporter") as conn:
                see(conn, [notice], moment)
                tell_due(conn, settings, moment)
        except (psycopg.Error, OSError, SetupError) as error:
            log.warning("notice %s is not on record (%s)", notice.key, first_line(error))
            _tell(settings, notice.key, "new", notice.subject, notice.facts, notice.runbook, notice.link, moment)
    except Undelivered as error:  # The notice is recorded, and the watch will try again.
        log.error("%s", error)


# The functions below create notices of failed tasks.


def failure_of(context: dict[str, Any], settings: Settings) -> Notice:
    """Return the notice of a failed task, from its context.

    The same error of the same task gives one notice, however many runs it affects. A task that fails again after somebody
    cleared it gives a new notice.
    """
    task = context["task_instance"]
    run_id, tries = str(context.get("run_id") or ""), getattr(task, "try_number", 1)
    begins = context.get("data_interval_start")
    day = (context.get("params") or {}).get("date") or (begins and begins.astimezone(SHANGHAI).date())
    text = first_line(context.get("exception"))
    retries = getattr(getattr(task, "task", None), "retries", None)
    is_cleared = retries is not None and getattr(task, "max_tries", retries) > retries
    run_suffix = f":{run_id}:{tries}" if is_cleared else ""
    facts = [("run", run_id), ("try", str(tries)), ("task", f"{task.dag_id}.{task.task_id}"), ("error", text)]
    problem = context.get("exception")
    if getattr(type(problem), "may_be_told", False):
        facts.append(("details", "; ".join(str(problem).strip().splitlines()[1:20])))
    return Notice(
        FAILURE,
        f"{task.dag_id}.{task.task_id}:{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}{run_suffix}",
        f"{task.dag_id}.{task.task_id} failed" + (f" for {day}" if day else "") + (f": {text}" if text else ""),
        task.dag_id,
        tuple((label, value) for label, value in facts if value),
        task_link(settings, task.dag_id, run_id, task.task_id),
    )


def notify_failure(context: dict[str, Any]) -> None:
    """Airflow's on_failure_callback: log a task that failed for good, and tell the data team."""
    settings = Settings.load()
    notice = failure_of(context, settings)
    log.error("%s; the last publication stays. What to do: docs/runbooks/%s.md", notice.subject, notice.runbook)
    say(settings, notice)
