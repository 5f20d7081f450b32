"""The trail records what people did with others' data. `yingjian audit verify` detects a changed event."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb


@dataclass(frozen=True)
class Verdict:
    """A verdict counts the `events` in the chain, and names the first event that has changed, with the reason."""

    events: int
    broken: int | None = None
    reason: str | None = None


def record(
    conn: psycopg.Connection[Any],
    actor: str,
    action: str,
    subject: str,
    reason: str | None = None,
    **details: Any,
) -> int:
    """Add an event in the connection's transaction; return its number. `subject` and `details` name no person."""
    row = conn.execute(
        "select audit.record(%s, %s, %s, %s, %s)", (actor, action, subject, reason, Jsonb(details))
    ).fetchone()
    assert row is not None
    return int(row[0])


def is_reason(text: str) -> bool:
    """Return whether a text says something: two letters or characters of a script, at the least."""
    return sum(character.isalpha() for character in text) > 1


def require_reason(text: str) -> None:
    """Raise ValueError, for the command line, when a text is no reason."""
    if not is_reason(text):
        raise ValueError("say why with --reason, in words: it is put on record")


@dataclass(frozen=True)
class Event:
    """This is one event of the trail; `happened_at` is in the connection's time zone."""

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
    """Return events by number: from a day on, of one actor, of one action, about any of some objects; None means any."""
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


def anchor(conn: psycopg.Connection[Any], key: bytes, moment: datetime) -> str:
    """Return the end of the trail as a line for a place that this machine cannot change: event, hash, and who says so."""
    row = conn.execute(
        "select event_id, encode(hash, 'hex') from audit.event order by event_id desc limit 1"
    ).fetchone() or (0, "")
    trail_end = {"at": moment.isoformat(timespec="seconds"), "event": row[0], "hash": row[1]}
    return json.dumps(trail_end | {"code": _code(trail_end, key)})


def against(conn: psycopg.Connection[Any], lines: Iterable[str], key: bytes) -> tuple[int, str | None]:
    """Return how many anchors there are, and what is wrong with the first that the trail does not hold."""
    number = 0
    for line in lines:
        number += 1
        try:
            trail_end = json.loads(line)
            code = trail_end.pop("code")
        except (ValueError, KeyError, TypeError, AttributeError):
            return number, f"anchor {number} is none"
        if not hmac.compare_digest(str(code), _code(trail_end, key)):
            return number, f"anchor {number} was not made with this home's secret"
        row = conn.execute(
            "select encode(hash, 'hex') from audit.event where event_id = %s", (trail_end["event"],)
        ).fetchone()
        if trail_end["event"] and (row is None or row[0] != trail_end["hash"]):
            return number, f"event {trail_end['event']} is gone or another one than at {trail_end['at']}"
    return number, None


def _code(trail_end: dict[str, Any], key: bytes) -> str:
    return hmac.new(key, json.dumps(trail_end, sort_keys=True).encode(), hashlib.sha256).hexdigest()


# Every change of the trail's table, triggers and functions gives a row of the catalog another xmin, a change that was taken
# back too; no role but a superuser can write the old one.
_DEFINITION = """
    select sha256(convert_to(string_agg(part, ' ' order by part), 'UTF8'))
    from (
        select format('%s %s %s', oid, relname, xmin) from pg_class where relnamespace = 'audit'::regnamespace
        union all
        select format('%s %s %s %s', oid, tgname, tgenabled, xmin) from pg_trigger where tgrelid = 'audit.event'::regclass
        union all
        select format('%s %s %s', oid, proname, xmin) from pg_proc where pronamespace = 'audit'::regnamespace
        union all
        select format('%s %s %s', oid, rulename, xmin) from pg_rewrite where ev_class = 'audit.event'::regclass
    ) as parts (part)
"""
_IS_GUARDED = """
    select count(*) = 2 from pg_trigger inner join pg_proc on pg_proc.oid = tgfoid
    where tgrelid = 'audit.event'::regclass and tgname in ('event_is_append_only', 'event_is_not_emptied')
    and tgenabled in ('O', 'A') and pronamespace = 'audit'::regnamespace and proname = 'refuse'
"""


def definition(conn: psycopg.Connection[Any]) -> str | None:
    """Return a digest of how the trail's table, triggers and functions are defined; None before there are any."""
    if conn.execute("select to_regclass('audit.event') is null").fetchone() == (True,):
        return None
    row = conn.execute(_DEFINITION).fetchone()
    assert row is not None
    return bytes(row[0]).hex()


def record_changed_definition(conn: psycopg.Connection[Any], actor: str, file: Path) -> bool:
    """Add an event when somebody changed the trail's definition since it was kept in `file`; return whether so.

    The file lies outside the database. Where there is none yet, the present definition is the first.
    """
    present = definition(conn)
    known = file.read_text() if file.exists() else present
    if known != present:
        record(conn, actor, "trail_ddl", "audit", None, before=known, after=present)
    return known != present


def keep_definition(conn: psycopg.Connection[Any], file: Path) -> None:
    """Note the trail's definition in a file of the home, which may not be there yet."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = file.with_suffix(".new")
    unfinished.write_text(definition(conn) or "")
    unfinished.replace(file)


# The text of each event that its hash is made of, as audit.hash_of writes it.
_AS_HASHED = """
    select
        event_id,
        jsonb_build_array(
            event_id, extract(epoch from happened_at)::text, actor, action, object, reason, details,
            encode(previous_hash, 'hex')
        )::text,
        previous_hash, hash
    from audit.event order by event_id
"""


def verify(conn: psycopg.Connection[Any], end_file: Path) -> Verdict:
    """Check every event against its hash and its predecessor, and that the end verified last time still exists.

    The hashes are computed here, not by the database's own function, which its owner could exchange. The file `end_file`
    holds that end outside the database, so that a chain that was cut short or written anew is noticed too.
    """
    broken, number, before = None, 0, b"\0" * 32
    with conn.cursor(name="verifying") as cursor:
        for event_id, hashed, previous, own_hash in cursor.execute(_AS_HASHED):
            number += 1
            if event_id != number:
                broken = event_id, "an event before it is missing"
            elif own_hash != hashlib.sha256(hashed.encode()).digest():
                broken = event_id, "it was changed"
            elif previous != before:
                broken = event_id, "the event before it was replaced"
            if broken:
                break
            before = own_hash
    last = conn.execute(
        "select event_id, encode(hash, 'hex') from audit.event order by event_id desc limit 1"
    ).fetchone()
    events = int(last[0]) if last else 0
    if broken:
        return Verdict(events, int(broken[0]), str(broken[1]))
    if conn.execute(_IS_GUARDED).fetchone() != (True,):
        return Verdict(events, events, "from there on events can be changed: a trigger that forbids it is gone or off")
    if end_file.exists():
        end = json.loads(end_file.read_text())
        row = conn.execute(
            "select encode(hash, 'hex') from audit.event where event_id = %s", (end["event"],)
        ).fetchone()
        if row is None or row[0] != end["hash"]:
            return Verdict(events, int(end["event"]), "an event that was verified before is gone or another one")
    if last:
        unfinished = end_file.with_suffix(".new")
        unfinished.write_text(json.dumps({"event": events, "hash": last[1]}))
        unfinished.replace(end_file)
    return Verdict(events)
