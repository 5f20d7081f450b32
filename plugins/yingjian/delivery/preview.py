"""This module previews what will be sent. It composes each message exactly as the delivery does, but sends none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any

import psycopg

from yingjian.clock import SHANGHAI
from yingjian.delivery import courier, ledger
from yingjian.delivery.choices import Choices
from yingjian.delivery.ledger import Attempt
from yingjian.delivery.messages import Composer, Message
from yingjian.delivery.recipients import Recipient, recipients
from yingjian.people.audience import Audience
from yingjian.people.officials import Officials

SENT_ONCE = ("pack", "bulletin")  # All other messages are triggered by events.


@dataclass(frozen=True)
class Addressee:
    """An addressee is an official by name; `state` is that of the attempt, `at` when the attempt ended."""

    name: str
    state: str
    at: datetime | None = None


@dataclass(frozen=True)
class Preview:
    """A preview is one message over one channel, and all who get it. `message` is None while its files are not stored.

    `due` is when it goes out; None for a bulletin, which waits for its sign-off.
    """

    what: str
    channel: str
    audience: Audience
    due: datetime | None
    message: Message | None
    to: Sequence[Addressee]

    @property
    def files(self) -> list[tuple[str, int]]:
        """Return the attachments by name and size in bytes."""
        paths = self.message.attached(self.channel) if self.message else ()
        return [(path.name, path.stat().st_size) for path in paths]

    @property
    def words(self) -> str:
        return self.message.words(self.channel) if self.message else ""

    @property
    def picture(self) -> Path | None:
        return self.message.shown(self.channel) if self.message else None


def parts(officials: Officials) -> list[Audience]:
    """Return the audiences whose pages or bulletin somebody receives, in the directory's order."""
    return list(dict.fromkeys(one.audience for what in SENT_ONCE for one in recipients(officials, what)))


def previews(
    conn: psycopg.Connection[Any],
    composer: Composer,
    officials: Officials,
    choices: Choices,
    audience: Audience,
    at: time,
) -> list[Preview]:
    """Return what the officials of an audience get from the composer's publication: first the pages, then the bulletin.

    `at` is the hour of the pages. Nothing is planned, written or sent.
    """
    edition = composer.edition
    states = {
        (row["what"], row["official"], row["channel"], row["number"]): (row["state"], row["ended_at"])
        for row in ledger.attempts(conn, edition.publication_id)
    }
    grouped: dict[tuple[Any, ...], tuple[Message | None, list[Addressee]]] = {}
    for what in SENT_ONCE:
        for one in recipients(officials, what, choices):
            if one.audience != audience:
                continue
            message = _message(composer, what, one)
            # Officials of the same audience may get different messages, because of their rights and choices.
            key = (
                what,
                one.channel.kind,
                message and (message.subject, message.tasks, message.attached(one.channel.kind)),
            )
            state, ended = states.get((what, one.official.login, one.channel.kind, one.number), ("planned", None))
            grouped.setdefault(key, (message, []))[1].append(
                Addressee(one.official.name, state, ended.astimezone(SHANGHAI) if ended else None)
            )
    due = courier.due_at(edition.as_of_date, at)
    return [
        Preview(what, channel, audience, due if what == "pack" else None, message, to)
        for (what, channel, _), (message, to) in grouped.items()
    ]


def _message(composer: Composer, what: str, one: Recipient) -> Message | None:
    channel = one.channel
    attempt = Attempt(
        0, composer.edition.publication_id, what, "", one.official.login, channel.kind, one.number, channel.target,
        one.audience, "planned",
    )  # fmt: skip
    try:
        return composer.message(attempt, one.official)
    except LookupError:
        return None
