"""The trail of what people did with others' data: append-only, tamper-evident, verified by `yingjian audit verify`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb


@dataclass(frozen=True)
class Verdict:
    """What a verification found: `events` in the chain, and the first one that is not as it was written, with the reason."""

    events: int
    broken: int | None = None
    reason: str | None = None


def record(
    conn: psycopg.Connection[Any],
    actor: str,
    action: str,
    object: str,
    reason: str | None = None,
    **details: Any,
) -> int:
    """Append an event in the connection's transaction; returns its number. `object` and `details` name no person."""
    row = conn.execute(
        "select audit.record(%s, %s, %s, %s, %s)", (actor, action, object, reason, Jsonb(details))
    ).fetchone()
    assert row is not None
    return int(row[0])


@dataclass(frozen=True)
class Event:
    """One event of the trail; `happened_at` in the connection's time zone."""

    event_id: int
    happened_at: datetime
    actor: str
    action: str
    object: str
    reason: str | None
    details: dict[str, Any]


def events(
    conn: psycopg.Connection[Any],
    since: date | None = None,
    actor: str | None = None,
    action: str | None = None,
    objects: Sequence[str] | None = None,
) -> list[Event]:
    """Events by number, from a day on, of one actor, of one action, about any of some objects; None: any."""
    with conn.cursor(row_factory=class_row(Event)) as cursor:
        return cursor.execute(
            """
            select event_id, happened_at, actor, action, object, reason, details from audit.event
            where happened_at >= coalesce(%(since)s::date, '-infinity')
            and (%(actor)s::text is null or actor = %(actor)s) and (%(action)s::text is null or action = %(action)s)
            and (%(objects)s::text[] is null or object = any(%(objects)s)) order by event_id
            """,
            {"since": since, "actor": actor, "action": action, "objects": list(objects) if objects else None},
        ).fetchall()


def verify(conn: psycopg.Connection[Any], kept: Path) -> Verdict:
    """Check every event against its hash and its predecessor, and that the end verified last time is still there.

    The end is kept in the file `kept`, outside the database: a chain cut short, or written anew, is noticed too.
    """
    broken = conn.execute(
        """
        select
            event_id,
            case
                when event_id <> number then 'an event before it is missing'
                when hash <> audit.hash_of(event) then 'it was changed'
                else 'the event before it was replaced'
            end
        from (
            select
                event, event.*, row_number() over (order by event_id) as number,
                lag(hash, 1, decode(repeat('00', 32), 'hex')) over (order by event_id) as hash_before
            from audit.event as event
        ) as chain
        where event_id <> number or hash <> audit.hash_of(event) or previous_hash <> hash_before
        order by event_id limit 1
        """
    ).fetchone()
    last = conn.execute(
        "select event_id, encode(hash, 'hex') from audit.event order by event_id desc limit 1"
    ).fetchone()
    events = int(last[0]) if last else 0
    if broken:
        return Verdict(events, int(broken[0]), str(broken[1]))
    if kept.exists():
        end = json.loads(kept.read_text())
        found = conn.execute(
            "select encode(hash, 'hex') from audit.event where event_id = %s", (end["event"],)
        ).fetchone()
        if found is None or found[0] != end["hash"]:
            return Verdict(events, int(end["event"]), "an event that was verified before is gone or another one")
    if last:
        unfinished = kept.with_suffix(".new")
        unfinished.write_text(json.dumps({"event": events, "hash": last[1]}))
        unfinished.replace(kept)
    return Verdict(events)
