"""This module reads what each official chose in the portal: which messages, over which channels, and the quiet hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Any

import psycopg

from yingjian.clock import SHANGHAI
from yingjian.database.rows import rows

CHANNELS = ("mail", "wecom", "dingtalk")  # The shared folder has no choices: officials.yml alone decides what it gets.
MESSAGES = ("report", "focus", "clock")
HOURS_BEFORE = range(1, 13)


def key(message: str, channel: str) -> str:
    """Return the code by which `Choice.wants` names a message over a channel."""
    return f"{message}:{channel}"


# An official who chose nothing gets the report and the day's work over the channels of officials.yml. Reminders are opt-in.
DEFAULT = tuple(key(message, channel) for message in ("report", "focus") for channel in CHANNELS)


@dataclass(frozen=True)
class Choice:
    """The choice of one official. Only urgent messages are sent between `quiet_from` and `quiet_to`."""

    login: str
    wants: tuple[str, ...] = DEFAULT
    quiet_from: time = time(22)
    quiet_to: time = time(7)
    hours_before: int = 2

    def takes(self, message: str, channel: str) -> bool:
        return channel not in CHANNELS or key(message, channel) in self.wants

    def takes_pack(self, channel: str) -> bool:
        """Return whether the official wants any part of a pack: the report or the day's work."""
        return self.takes("report", channel) or self.takes("focus", channel)

    def after_quiet(self, moment: datetime) -> datetime:
        """Return the end of the quiet hours if `moment` lies in them, else `moment`."""
        local = moment.astimezone(SHANGHAI)
        at, is_over_night = local.time(), self.quiet_from > self.quiet_to
        is_late = is_over_night and at >= self.quiet_from
        if not (is_late or (at < self.quiet_to if is_over_night else self.quiet_from <= at < self.quiet_to)):
            return moment
        return datetime.combine(local.date() + timedelta(days=is_late), self.quiet_to, SHANGHAI)


@dataclass(frozen=True)
class Choices:
    """The choices of all officials, by login; an official who chose nothing has the defaults."""

    by_login: Mapping[str, Choice] = field(default_factory=dict)

    def of(self, login: str) -> Choice:
        return self.by_login.get(login) or Choice(login)


NOBODY_CHOSE = Choices()


def read_choices(conn: psycopg.Connection[Any]) -> Choices:
    """Return the stored choices of all officials."""
    query = "select login, wants, quiet_from, quiet_to, hours_before from portal.notification"
    return Choices({row.login: replace(row, wants=tuple(row.wants)) for row in rows(conn, Choice, query)})
