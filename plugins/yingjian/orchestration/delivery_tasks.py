"""Task functions of the DAGs `delivery`, `public_release` and `bounces`.

Each loads the settings, performs one step of the delivery, and returns counts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from yingjian import clock
from yingjian.database import warehouse
from yingjian.delivery.errors import Undelivered
from yingjian.orchestration import tasks
from yingjian.settings import Settings

if TYPE_CHECKING:
    import psycopg

    from yingjian.delivery.courier import Channel, Delivered
    from yingjian.delivery.messages import Letter, Writer
    from yingjian.delivery.recipients import Recipient
    from yingjian.people.officials import Official, Officials

log = logging.getLogger(__name__)

ABOUT_A_QUESTION = ("request", "reminder", "expiry")
Counts = dict[str, int]


class UndeliveredForGood(Undelivered, AirflowFailException):
    """Raised when a retry cannot help and somebody must look at it."""


@contextmanager
def desk() -> Iterator[tuple[Settings, psycopg.Connection, Officials]]:
    """Yield the settings, a warehouse connection as `reporter`, and the officials."""
    from yingjian.people.officials import read_officials

    settings = Settings.load()
    officials = read_officials(settings.officials)
    with warehouse.connect(settings, "reporter") as conn:
        yield settings, conn, officials


def plan(publication_id: int) -> dict[str, Any]:
    """Record the deliveries of a pack; return when it is due and how many there are, or an empty dict for none."""
    from yingjian.delivery import courier, ledger
    from yingjian.delivery.messages import read_edition

    with desk() as (settings, conn, officials):
        due = courier.due_at(read_edition(conn, publication_id).as_of_date, settings.delivery_time)
        deliveries = courier.plan(conn, publication_id, "pack", officials, due, now=clock.now(settings.home))
        # Somebody may have asked for a retry of a released bulletin's deliveries.
        deliveries += len(ledger.open_attempts(conn, publication_id, "bulletin"))
    log.info("publication %s: %s deliveries, due %s", publication_id, deliveries, due)
    return {"publication_id": publication_id, "due_at": due.isoformat(), "deliveries": deliveries} if deliveries else {}


def deliver(publication_id: int) -> dict[str, int]:
    """Send the pack to its recipients; return the number of attempts by state.

    Raises Undelivered if anything could not be delivered.
    """
    from yingjian.delivery import ledger, sign_off

    with desk() as (_, conn, _officials):
        has_bulletins = sign_off.is_released(conn, publication_id) and bool(
            ledger.open_attempts(conn, publication_id, "bulletin")
        )
    if has_bulletins:
        _deliver(publication_id, "bulletin")
    return _deliver(publication_id, "pack")


def _deliver(publication_id: int, what: str, occasion: str = "", link: str = "", *, deputies: bool = False) -> Counts:
    """Send a publication's pack or bulletin, or a message about its sign-off (`request`, `reminder`, `expiry`)."""
    from yingjian.delivery import courier
    from yingjian.delivery.choices import read_choices
    from yingjian.delivery.messages import Composer, read_edition
    from yingjian.delivery.recipients import askable

    with desk() as (settings, conn, officials):
        edition = read_edition(conn, publication_id)
        due = courier.due_at(edition.as_of_date, settings.delivery_time) if what == "pack" else datetime.now(UTC)
        to = askable(officials, "sign_off", deputies=deputies) if what in ABOUT_A_QUESTION else None
        courier.plan(conn, publication_id, what, officials, due, occasion, to, clock.now(settings.home))
        link = link or settings.portal_link()
        composer = Composer(
            conn, publication_id, settings.reports, settings.person_secret, link, officials, choices=read_choices(conn)
        )
        delivered = courier.deliver(
            conn, publication_id, what, officials, composer, _channels(settings), occasion=occasion
        )
    return _concluded(f"publication {publication_id}, {what}", delivered)


def send_letter(what: str, occasion: str, letter: Letter, to: Callable[[Officials], list[Recipient]]) -> Counts:
    """Send a letter that belongs to no publication, once per occasion, to the recipients that `to` selects.

    Raises Undelivered if anything could not be delivered.
    """
    with desk() as (settings, conn, officials):
        writer = replace(letter, secret=settings.person_secret)
        return _send(settings, conn, what, occasion, writer, officials, to(officials))


def send_to_senders(
    what: str,
    occasion: str,
    writer: Callable[[Settings, psycopg.Connection], Writer],
    is_due: Callable[[psycopg.Connection, Official], bool],
) -> Counts:
    """Send senders messages about their own rows, once per occasion, to those for whom `is_due` returns true.

    Raises Undelivered if anything could not be delivered.
    """
    from yingjian.delivery.recipients import recipients

    with desk() as (settings, conn, officials):
        senders = officials.senders
        due = {login for login, sender in senders.by_login.items() if is_due(conn, sender)}
        to = [one for one in recipients(senders, "returned") if one.official.login in due]
        return _send(settings, conn, what, occasion, writer(settings, conn), senders, to)


def _send(
    settings: Settings, conn: psycopg.Connection, what: str, occasion: str, writer: Writer, officials: Officials,
    to: list[Recipient],
) -> Counts:  # fmt: skip
    from yingjian.delivery import courier

    courier.plan(conn, None, what, officials, datetime.now(UTC), occasion, to)
    delivered = courier.deliver(conn, None, what, officials, writer, _channels(settings), occasion=occasion)
    return _concluded(f"{what} {occasion}", delivered)


def send_reminders(occasion: str) -> Counts:
    """Send the reminders planned for an occasion. Raises Undelivered if anything could not be delivered."""
    from yingjian.delivery import courier, reminders

    with desk() as (settings, conn, officials):
        writer = reminders.Reminder(conn, settings.portal_url, settings.person_secret)
        delivered = courier.deliver(
            conn, None, reminders.WHAT, officials, writer, _channels(settings), occasion=occasion
        )
    return _concluded(f"reminders of {occasion}", delivered)


def _channels(settings: Settings) -> dict[str, Channel]:
    from yingjian.delivery.folder import Folder
    from yingjian.delivery.mail import Mail
    from yingjian.delivery.robots import DingTalk, WeCom

    return {"mail": Mail(), "wecom": WeCom(), "dingtalk": DingTalk(), "folder": Folder(settings.shared_folder)}


def _concluded(about: str, delivered: Delivered) -> Counts:
    log.info(
        "%s: %s", about, ", ".join(f"{n} {state}" for state, n in delivered.states.items()) or "nobody receives it"
    )
    if delivered.failures:
        problem = Undelivered if delivered.will_retry else UndeliveredForGood
        raise problem(f"{about}: " + "\n".join(delivered.failures))
    return dict(delivered.states)


def draft_bulletin(publication_id: int) -> bool:
    """Write the bulletin's draft; return False if nobody would sign or receive it."""
    from yingjian.delivery.recipients import recipients
    from yingjian.reports.bulletin import write_bulletin

    with desk() as (settings, conn, officials):
        if not officials.who_may_answer("sign_off") and not recipients(officials, "bulletin"):
            return False
        write_bulletin(conn, publication_id, settings.reports)
    return True


def day_of(publication_id: int) -> date:
    """Return the business date of a publication."""
    from yingjian.delivery.messages import read_edition

    with desk() as (_, conn, _officials):
        return read_edition(conn, publication_id).as_of_date


def tell_signatories(what: str, publication_id: int, occasion: str, link: str, *, deputies: bool) -> Counts:
    """Send signatories and their deputies a request, a reminder, or the notice of expiry."""
    return _deliver(publication_id, what, occasion, link, deputies=deputies)


def tell_releasers(what: str, day: date, occasion: str, link: str, failed: list[str], *, deputies: bool) -> Counts:
    """Send officials who may release a failed build, and their deputies, a request, a reminder, or the notice of expiry."""
    from yingjian.delivery.messages import Letter
    from yingjian.delivery.recipients import askable
    from yingjian.reports.content import text

    title = f"{text.day(day)}日报质量检查未通过"
    subject, note = {
        "request": (f"请决定是否放行：{title}", "放行须写明理由，理由将写入日报；退回则昨日的发布保持不变。"),
        "reminder": (
            f"催办，请决定是否放行：{title}", "尚未有人答复。有权人员请尽快处理，代理人请督促；次日的运行将取代本次询问。",
        ),
        "expiry": (f"未放行：{title}", "时限内无人答复，本日没有发布，读者看到的仍是前一期。"),
    }[what]  # fmt: skip
    failed_shown = [("未通过的检查", f"{len(failed)}项"), *((str(n), says) for n, says in enumerate(failed[:5], 1))]
    letter = Letter(subject, (("业务日期", day.isoformat()), *failed_shown), note, link)
    return send_letter(what, occasion, letter, lambda officials: askable(officials, "release", deputies=deputies))


def newer_publication(settings: Settings, publication_id: int, since: datetime) -> int | None:
    """Return a newer publication of the same or a later day, made after a moment; None if there is none."""
    with warehouse.connect(settings, "reporter") as conn:
        row = conn.execute(
            """
            select max(newer.publication_id) from published.publication as newer
            inner join published.publication as mine on newer.as_of_date >= mine.as_of_date
            where mine.publication_id = %s and newer.publication_id > mine.publication_id and newer.published_at > %s
            """,
            (publication_id, since),
        ).fetchone()
    return int(row[0]) if row and row[0] is not None else None


def release(context: Any) -> int:
    """Record the approval, which makes the figures public at once; return the publication id.

    Raises ValueError if nobody has answered, if the answer was a rejection, or if its author lacks the right (now).
    """
    publication_id = tasks.publication_of(context)
    if _decide(publication_id, context["run_id"]) != "released":
        raise ValueError("the public figures were rejected: nothing is released")
    return publication_id


def record_rejection(context: Any) -> None:
    """Record a rejection with its reason."""
    _decide(tasks.publication_of(context), context["run_id"])


def _decide(publication_id: int, run_id: str) -> str:
    """Record the decision.

    It is read from the row that the portal wrote and checked against the current directory of officials; XComs play no part.
    """
    from yingjian.delivery import sign_off
    from yingjian.publishing import decision

    with desk() as (_, conn, officials):
        asked = decision.newest(conn, decision.SIGN_OFF, run_id)
        answer = decision.answer_of(conn, asked.question_id) if asked else None
        if asked is None or answer is None or asked.publication_id != publication_id:
            raise ValueError("nobody signed the public figures off: nothing is released")
        outcome = sign_off.decide(
            conn,
            publication_id,
            login=answer.login,
            approves=answer.is_released,
            reason=answer.reason,
            # If the task was cleared and asked again, the answer is a separate decision.
            run_key=f"{run_id} question {asked.question_id}",
            allowed=sign_off.who_may(officials, "sign_off"),
        )
    log.info("public figures of publication %s: %s", publication_id, outcome)
    return outcome


def expire(publication_id: int, run_id: str) -> None:
    """Record that the question expired; the earlier figures stay public."""
    from yingjian.delivery import sign_off

    with desk() as (_, conn, _officials):
        sign_off.expire(conn, publication_id, run_id)


def deliver_bulletin(context: Any) -> dict[str, int]:
    """Send the released bulletin to its recipients.

    Raises ValueError if its last decision did not release it, Undelivered if anything could not be delivered.
    """
    from yingjian.delivery import sign_off

    publication_id = tasks.publication_of(context)
    with desk() as (_, conn, _officials):
        if not sign_off.is_released(conn, publication_id):
            raise ValueError(f"publication {publication_id} is not signed off: no bulletin is sent")
    return _deliver(publication_id, "bulletin")


def read_bounces() -> int:
    """Read bounced mails from the mailbox, notify the team, and return their number."""
    from yingjian.delivery import bounces
    from yingjian.orchestration import notices

    if not bounces.has_mailbox():
        log.info("no connection %s: bounces are not read", bounces.CONNECTION)
        return 0
    with desk() as (_, conn, _officials), bounces.imap() as box:
        newly_bounced = bounces.read_bounces(conn, box)
    if newly_bounced:
        notices.say(
            Settings.load(),
            notices.Notice(
                notices.EVENT,
                "bounces",
                f"{newly_bounced} mails came back",
                "delivery",
                (("see", "yingjian delivery list"),),
            ),
        )
    return newly_bounced
