"""Who receives what, from the directory of officials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from yingjian.people.audience import OFFICE, Audience
from yingjian.people.officials import Channel, Official, Officials


@dataclass(frozen=True)
class Recipient:
    """An official and one of his channels; `number` counts the channels of the same kind for the same thing."""

    official: Official
    channel: Channel
    number: int
    audience: Audience


def recipients(officials: Officials, what: str) -> list[Recipient]:
    """Who receives a pack or a bulletin: a pack of the official's own part of the town, the bulletin as everyone."""
    return [
        one
        for official in officials.by_login.values()
        for one in _numbered(
            official,
            (each for each in official.channels if each.what == what),
            official.audience if what == "pack" else OFFICE,
        )
    ]


def askable(officials: Officials, right: str, *, deputies: bool) -> list[Recipient]:
    """Whom a question is told to: those with the right, and their deputies, over every channel on which a message is read
    (not in a folder)."""
    asked = officials.who_may_answer(right) if deputies else officials.with_right(right)
    return [
        one
        for official in asked
        for one in _numbered(official, (each for each in official.channels if each.kind != "folder"), OFFICE)
    ]


def _numbered(official: Official, channels: Iterable[Channel], audience: Audience) -> Iterable[Recipient]:
    seen: Counter[str] = Counter()
    for channel in channels:
        seen[channel.kind] += 1
        yield Recipient(official, channel, seen[channel.kind], audience)
