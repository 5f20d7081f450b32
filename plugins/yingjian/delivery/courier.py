"""This module makes delivery attempts, one at a time.

Each is recorded before and after, and is retried if a retry can help.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any, Protocol

import psycopg
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from yingjian.clock import SHANGHAI
from yingjian.delivery import ledger
from yingjian.delivery.choices import read_choices
from yingjian.delivery.errors import Bounced, MaybeSent, NotSent
from yingjian.delivery.ledger import Attempt
from yingjian.delivery.messages import Message, Writer
from yingjian.delivery.recipients import Recipient, recipients
from yingjian.people.officials import Officials

log = logging.getLogger(__name__)

TRIES, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 4, 2, 30


class Channel(Protocol):
    """A channel sends messages to officials.

    `per_minute` is the rate limit of a target. `is_repeatable` means that sending is idempotent.
    """

    per_minute: int | None
    is_repeatable: bool

    def reference(self, message: Message) -> str: ...
    def open(self) -> None: ...
    def send(self, target: str, message: Message) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Delivered:
    """The number of attempts in each state; `failures` names officials and channels, but no address."""

    states: Mapping[str, int]
    failures: tuple[str, ...]
    will_retry: bool


def due_at(as_of_date: date, at: time_of_day) -> datetime:
    """Return when the pack of D goes out: at this time of D + 1, Asia/Shanghai."""
    return datetime.combine(as_of_date + timedelta(days=1), at, SHANGHAI)


def plan(
    conn: psycopg.Connection[Any],
    publication_id: int | None,
    what: str,
    officials: Officials,
    not_before: datetime,
    occasion: str = "",
    to: Sequence[Recipient] | None = None,
    now: datetime | None = None,
) -> int:
    """Record who receives what; return the number of attempts. `to` replaces the recipients of the directory.

    A pack that is due in an official's quiet hours waits for their end, and so does a pack that is less than a day late if
    `now` lies in them. The pack of an earlier day does not wait, because a person has run that day.
    """
    choices = read_choices(conn)
    receiving = recipients(officials, what, choices) if to is None else to
    later = {}
    if what == "pack":
        is_late = now is not None and timedelta(0) < now - not_before < timedelta(days=1)
        start = now if now and is_late else not_before
        ends = {one.official.login: choices.of(one.official.login).after_quiet(start) for one in receiving}
        later = {login: end for login, end in ends.items() if end != start}
    return ledger.plan(conn, publication_id, what, receiving, not_before, occasion, later)


def deliver(
    conn: psycopg.Connection[Any],
    publication_id: int | None,
    what: str,
    officials: Officials,
    writer: Writer,
    channels: Mapping[str, Channel],
    *,
    occasion: str = "",
    sleep: Callable[[float], None] = time.sleep,
) -> Delivered:
    """Make every attempt that is due; nobody gets the same message twice.

    This holds even if several processes deliver at once, or one is killed. A failed attempt does not stop the others.
    `sleep` waits for the given seconds.
    """
    if what == "pack" and publication_id is not None:
        ledger.supersede(conn, publication_id)
    broken: dict[str, NotSent] = {}
    try:
        for attempt_id in ledger.open_attempts(conn, publication_id, what, occasion):
            with ledger.held(conn, attempt_id) as attempt:
                official = officials.get(attempt.official) if attempt else None
                if attempt and official:
                    _make(
                        conn, attempt, channels[attempt.channel], lambda a=attempt, o=official: writer.message(a, o),  # type: ignore[misc]
                        broken, sleep,
                    )  # fmt: skip
    finally:
        for channel in channels.values():
            channel.close()
    return _delivered(conn, publication_id, what, occasion)


def _make(
    conn: psycopg.Connection[Any],
    attempt: Attempt,
    channel: Channel,
    compose: Callable[[], Message],
    broken: dict[str, NotSent],
    sleep: Callable[[float], None],
) -> None:
    if attempt.state == "sending" and not channel.is_repeatable:
        ledger.ended(conn, attempt, "uncertain", ledger.INTERRUPTED)
        return
    has_begun = False

    def once() -> None:
        nonlocal has_begun
        channel.open()
        if channel.per_minute:
            sleep(ledger.pause(conn, attempt.channel, attempt.target, channel.per_minute))
        has_begun = ledger.sending(conn, attempt, channel.reference(message))
        if has_begun:
            channel.send(attempt.target, message)

    def before_the_next(state: RetryCallState) -> None:
        nonlocal has_begun
        error = state.outcome.exception() if state.outcome else None
        if has_begun and isinstance(error, NotSent):
            ledger.not_sent_yet(conn, attempt, error.reason)
        has_begun = False

    try:
        if attempt.channel in broken:
            raise broken[attempt.channel]
        message = compose()
        Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, NotSent) and error.again),
            stop=stop_after_attempt(TRIES),
            wait=wait_exponential(multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS),
            sleep=sleep,
            before_sleep=before_the_next,
            reraise=True,
        )(once)
    except MaybeSent as error:
        ledger.ended(conn, attempt, "uncertain", f"{error.reason}；不会自动重发，请核实后人工处理")
    except Bounced as error:
        ledger.ended(conn, attempt, "bounced", error.reason)
    except NotSent as error:
        if error.is_general:
            broken[attempt.channel] = error
        ledger.ended(conn, attempt, "failed", error.reason, will_retry=error.again)
    except Exception as error:  # One failure must not stop the other attempts; its text may hold an address.
        log.error("delivery: attempt %s: %s", attempt.attempt_id, type(error).__name__)
        conn.rollback()
        state, reason = ("uncertain", ledger.INTERRUPTED) if has_begun else ("failed", "内容无法生成")
        ledger.ended(conn, attempt, state, f"{reason}（{type(error).__name__}）")
    else:
        if has_begun:
            ledger.sent(conn, attempt)


def _delivered(conn: psycopg.Connection[Any], publication_id: int | None, what: str, occasion: str) -> Delivered:
    states: dict[str, int] = {}
    failures, will_retry = [], False
    for row in ledger.attempts(conn, publication_id):
        if (row["what"], row["occasion"]) == (what, occasion):
            states[row["state"]] = states.get(row["state"], 0) + 1
            if row["state"] in ledger.FAILURES:
                failures.append(f"{row['official']}/{row['channel']}：{row['error']}")
                will_retry |= row["will_retry"]
    conn.commit()
    return Delivered(states, tuple(failures), will_retry)
