"""This module derives the recipients of messages from the directory of officials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from yingjian.delivery.choices import NOBODY_CHOSE, Choices
from yingjian.people.audience import OFFICE, Audience
from yingjian.people.officials import Channel, Official, Officials


@dataclass(frozen=True)
class Recipient:
    """A recipient is an official with one channel; `number` tells apart several channels of one kind for the same message."""

    official: Official
    channel: Channel
    number: int
    audience: Audience


def recipients(officials: Officials, what: str, choices: Choices = NOBODY_CHOSE) -> list[Recipient]:
    """Return who receives a pack, a bulletin or a sender's rows; only a bulletin is the same for everybody.

    Officials can opt out of packs, but not of bulletins.
    """
    return [
        one
        for official in officials.by_login.values()
        for one in _numbered(
            official,
            (channel for channel in official.channels if channel.what == what),
            OFFICE if what == "bulletin" else official.audience,
        )
        if what != "pack" or choices.of(official.login).takes_pack(one.channel.kind)
    ]


def reminded(official: Official, choices: Choices) -> list[Recipient]:
    """Return the channels over which an official asked to be reminded of deadlines."""
    ways = (channel for channel in official.channels if channel.what == "pack" and channel.kind != "folder")
    return [
        one
        for one in _numbered(official, ways, official.audience)
        if choices.of(official.login).takes("clock", one.channel.kind)
    ]


def askable(officials: Officials, right: str, *, deputies: bool) -> list[Recipient]:
    """Return who is notified of a question: the officials with the right or, with `deputies`, also their deputies.

    A folder is left out, because nobody reads messages there.
    """
    askable_officials = officials.who_may_answer(right) if deputies else officials.with_right(right)
    return [
        one
        for official in askable_officials
        for one in _numbered(official, (channel for channel in official.channels if channel.kind != "folder"), OFFICE)
    ]


def _numbered(official: Official, channels: Iterable[Channel], audience: Audience) -> Iterable[Recipient]:
    numbers: Counter[str] = Counter()
    for channel in channels:
        numbers[channel.kind] += 1
        yield Recipient(official, channel, numbers[channel.kind], audience)
