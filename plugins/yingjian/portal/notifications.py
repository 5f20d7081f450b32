"""An official chooses here what to be told. The database shows the portal the choice of its reader alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import time

from psycopg import sql

from yingjian.database import warehouse
from yingjian.delivery import choices
from yingjian.delivery.choices import Choice
from yingjian.people.officials import Official
from yingjian.portal.accounts import ROLE, Conn
from yingjian.portal.readers import Reader, settings
from yingjian.privacy import audit_trail


def channels_of(official: Official) -> list[str]:
    """Return the kinds of channels that the office gave an official and that can be chosen, each once."""
    kinds = [channel.kind for channel in official.channels if channel.what == "pack"]
    return [kind for kind in choices.CHANNELS if kind in kinds]


def choice_of(reader: Reader) -> Choice:
    """Return what the reader chose."""
    with _own(reader) as conn:
        return choices.read_choices(conn).of(reader.login)


def choose(reader: Reader, wants: Sequence[str], quiet_from: time, quiet_to: time, hours_before: int) -> None:
    """Record the reader's choice, and that it was made.

    Raises ValueError when it names a message or a channel that this reader cannot choose.
    """
    assert reader.official
    offered = {choices.key(message, kind) for message in choices.MESSAGES for kind in channels_of(reader.official)}
    if not set(wants) <= offered or hours_before not in choices.HOURS_BEFORE:
        raise ValueError("no such choice")
    with _own(reader) as conn:
        conn.execute(
            """
            insert into portal.notification (login, wants, quiet_from, quiet_to, hours_before)
            values (%s, %s, %s, %s, %s)
            on conflict (login) do update set wants = excluded.wants, quiet_from = excluded.quiet_from,
                quiet_to = excluded.quiet_to, hours_before = excluded.hours_before, chosen_at = clock_timestamp()
            """,
            (reader.login, sorted(set(wants)), quiet_from, quiet_to, hours_before),
        )
        audit_trail.record(conn, reader.login, "notification_choice", "own", wants=sorted(set(wants)))


@contextmanager
def _own(reader: Reader) -> Iterator[Conn]:
    """Open a transaction that sees the reader's own row."""
    with warehouse.connect(settings(), ROLE) as conn, conn.transaction():
        conn.execute(sql.SQL("set local yingjian.login = {}").format(sql.Literal(reader.login)))
        yield conn
