"""What the DAGs `delivery`, `public_release` and `bounces` do: settings in, one step, counts out. Thin on purpose."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from yingjian import tasks, warehouse
from yingjian.delivery.errors import Undelivered
from yingjian.orchestration.notices import ui_link
from yingjian.settings import Settings

if TYPE_CHECKING:
    import psycopg

    from yingjian.delivery.courier import Delivered
    from yingjian.officials import Officials

log = logging.getLogger(__name__)

ANSWERED = frozenset({"success", "failed", "upstream_failed", "skipped", "removed"})


class UndeliveredForGood(Undelivered, AirflowFailException):
    """Trying again does not help: a person is to look at it."""


@contextmanager
def _desk() -> Iterator[tuple[Settings, psycopg.Connection, Officials]]:
    from yingjian.officials import read_officials

    settings = Settings.load()
    officials = read_officials(settings.officials)
    with warehouse.connect(settings, "reporter") as conn:
        yield settings, conn, officials


def plan(publication_id: int) -> dict[str, Any]:
    """Put on record who receives the pack; returns when it is due and how many deliveries there are, empty for none."""
    from yingjian.delivery import courier, ledger
    from yingjian.delivery.messages import read_edition

    with _desk() as (settings, conn, officials):
        due = courier.due_at(read_edition(conn, publication_id).as_of_date, settings.delivery_time)
        deliveries = courier.plan(conn, publication_id, "pack", officials, due)
        # Those of a released bulletin that a person wants made again.
        deliveries += len(ledger.open_attempts(conn, publication_id, "bulletin"))
    log.info("publication %s: %s deliveries, due %s", publication_id, deliveries, due)
    return {"publication_id": publication_id, "due_at": due.isoformat(), "deliveries": deliveries} if deliveries else {}


def deliver(publication_id: int) -> dict[str, int]:
    """Send the pack to everybody who receives it; returns how many attempts are in each state.

    Raises Undelivered when something did not get through.
    """
    from yingjian.delivery import ledger, sign_off

    with _desk() as (_, conn, _officials):
        has_bulletins = sign_off.is_released(conn, publication_id) and bool(
            ledger.open_attempts(conn, publication_id, "bulletin")
        )
    if has_bulletins:
        _deliver(publication_id, "bulletin")
    return _deliver(publication_id, "pack")


def _deliver(publication_id: int, what: str, occasion: str = "", link: str | None = None) -> dict[str, int]:
    from yingjian.delivery import courier
    from yingjian.delivery.folder import Folder
    from yingjian.delivery.mail import Mail
    from yingjian.delivery.messages import Composer, read_edition
    from yingjian.delivery.robots import DingTalk, WeCom

    with _desk() as (settings, conn, officials):
        edition = read_edition(conn, publication_id)
        due = courier.due_at(edition.as_of_date, settings.delivery_time) if what == "pack" else datetime.now(UTC)
        courier.plan(conn, publication_id, what, officials, due, occasion)
        composer = Composer(conn, publication_id, settings.reports, settings.person_secret, link or ui_link(settings))
        channels: dict[str, courier.Channel] = {
            "mail": Mail(),
            "wecom": WeCom(),
            "dingtalk": DingTalk(),
            "folder": Folder(settings.shared_folder),
        }
        done = courier.deliver(conn, publication_id, what, officials, composer, channels, occasion=occasion)
    log.info(
        "publication %s, %s: %s", publication_id, what, ", ".join(f"{n} {state}" for state, n in done.states.items())
    )
    _raise_if_undelivered(publication_id, what, done)
    return dict(done.states)


def _raise_if_undelivered(publication_id: int, what: str, done: Delivered) -> None:
    if done.failures:
        problem = Undelivered if done.will_retry else UndeliveredForGood
        raise problem(f"publication {publication_id}, {what}: " + "\n".join(done.failures))


def draft_bulletin(publication_id: int) -> dict[str, Any]:
    """Write the bulletin as it would go out; returns what a signatory reads, empty when there is nobody to release it for."""
    from yingjian.delivery.recipients import recipients, signatories
    from yingjian.reports import text
    from yingjian.reports.bulletin import read_content, write_bulletin

    with _desk() as (settings, conn, officials):
        if not signatories(officials) and not recipients(officials, "bulletin"):
            return {}
        write_bulletin(conn, publication_id, settings.reports)
        content = read_content(conn, publication_id)
    lines = [f"{content.state}。"]
    lines += [f"- {line.title}：{line.value}" for line in content.zones]
    for topic in content.topics:
        lines += ["", f"**{topic.title}**（{topic.basis}）"]
        lines += [f"- {line.title}：{line.value}{f'（{line.share}）' if line.share else ''}" for line in topic.lines]
    return {
        "publication_id": publication_id,
        "subject": f"对外发布审签：{text.day(content.as_of_date)}疫情防控信息（第{publication_id}期）",
        "body": "\n".join(lines),
    }


def tell_signatories(what: str, context: Any) -> dict[str, int]:
    """Send those who may sign and their deputies a request, a reminder or the news that nobody answered."""
    run = context["run_id"]
    link = ui_link(Settings.load(), f"/dags/public_release/runs/{run}/tasks/sign_off/required_actions")
    return _deliver(tasks.publication_of(context), what, run, link)


def reminder_is_due(context: Any) -> bool:
    """Whether the time for a reminder has come, or the sign-off is answered so that none is needed."""
    started = context["dag_run"].start_date
    after = timedelta(hours=float(context["params"]["remind_after_hours"]))
    return _is_answered(context) or datetime.now(UTC) >= started + after


def remind(context: Any) -> dict[str, int]:
    """Remind those who may sign, unless one of them did."""
    return {} if _is_answered(context) else tell_signatories("reminder", context)


def _is_answered(context: Any) -> bool:
    run = context["run_id"]
    found = context["ti"].get_task_states(dag_id="public_release", task_ids=["sign_off"], run_ids=[run])
    return found.get(run, {}).get("sign_off") in ANSWERED


def release(context: Any) -> int:
    """Put the answer on record: from here on the public reads these figures. Returns the publication.

    Raises ValueError when no person answered, when somebody did who may not (any more), or who rejected.
    """
    publication_id = tasks.publication_of(context)
    if _decide(publication_id, context["run_id"]) != "released":
        raise ValueError("the public figures were rejected: nothing is released")
    return publication_id


def record_rejection(context: Any) -> None:
    """Put a refusal and its reason on record."""
    _decide(tasks.publication_of(context), context["run_id"])


def _decide(publication_id: int, run_id: str) -> str:
    """The decision as Airflow's API recorded it, by the directory of officials as it is now: never as a task handed it on."""
    from yingjian.delivery import sign_off
    from yingjian.orchestration.answers import APPROVE, answer_of

    answer = answer_of(Settings.load(), "public_release", run_id, "sign_off")
    if answer is None:
        raise ValueError("nobody signed the public figures off: nothing is released")
    with _desk() as (_, conn, officials):
        decision = sign_off.decide(
            conn,
            publication_id,
            login=answer.login,
            approves=answer.chosen == APPROVE,
            reason=answer.reason,
            # An answer that was given again, after the task was cleared, is another decision.
            run_key=f"{run_id} {answer.answered_at.isoformat()}",
            allowed=[user["id"] for user in sign_off.who_may(officials, "sign_off")],
        )
    log.info("public figures of publication %s: %s", publication_id, decision)
    return decision


def expire(context: Any) -> dict[str, int]:
    """Nobody decided: put it on record and tell them; the public goes on reading what it read."""
    from yingjian.delivery import sign_off

    if not context["ti"].xcom_pull(task_ids="draft"):
        return {}  # There was no draft, so nobody was asked.
    with _desk() as (_, conn, _officials):
        sign_off.expire(conn, tasks.publication_of(context), context["run_id"])
    return tell_signatories("expiry", context)


def deliver_bulletin(context: Any) -> dict[str, int]:
    """Send the released bulletin to whoever receives it.

    Raises ValueError when its last decision did not release it, Undelivered when something did not get through.
    """
    from yingjian.delivery import sign_off

    publication_id = tasks.publication_of(context)
    with _desk() as (_, conn, _officials):
        if not sign_off.is_released(conn, publication_id):
            raise ValueError(f"publication {publication_id} is not signed off: no bulletin is sent")
    return _deliver(publication_id, "bulletin")


def read_bounces() -> int:
    """Read the mailbox to which mails come back; returns how many came back, and tells the team of them."""
    from yingjian.delivery import bounces
    from yingjian.orchestration import notices

    if not bounces.has_mailbox():
        log.info("no connection %s: bounces are not read", bounces.CONNECTION)
        return 0
    with _desk() as (_, conn, _officials), bounces.imap() as box:
        news = bounces.read_bounces(conn, box)
    if news:
        notices.say(
            Settings.load(),
            notices.Notice(
                notices.EVENT, "bounces", f"{news} mails came back", "delivery", (("see", "yingjian delivery list"),)
            ),
        )
    return news
