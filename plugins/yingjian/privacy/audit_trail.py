"""The audit trail records what people did with personal data. `yingjian audit verify` detects a changed event."""

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
    """A verdict has the number of `events` in the hash chain, and the first event that was tampered with, if any."""

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
    """Add an event in the connection's transaction; return its id. `subject` and `details` must not identify a person."""
    row = conn.execute(
        "select audit.record(%s, %s, %s, %s, %s)", (actor, action, subject, reason, Jsonb(details))
    ).fetchone()
    assert row is not None
    return int(row[0])


def is_reason(text: str) -> bool:
    """Return whether a text can be a reason: it has at least two letters or Chinese characters."""
    return sum(character.isalpha() for character in text) > 1


def require_reason(text: str) -> None:
    """Raise ValueError, for the command line, when a text is no reason."""
    if not is_reason(text):
        raise ValueError("say why with --reason, in words: it is put on record")


@dataclass(frozen=True)
class Event:
    """One event of the trail; `happened_at` is in the connection's time zone."""

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
    """Return events in order, filtered by first day, actor, action and objects; a filter of None matches all."""
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
    """Return the end of the trail as a line of JSON, authenticated with `key`, to be stored where this machine cannot edit it."""
    event_id, own_hash = _last_event(conn)
    trail_end = {"at": moment.isoformat(timespec="seconds"), "event": event_id, "hash": own_hash}
    return json.dumps(trail_end | {"code": _code(trail_end, key)})


def against(conn: psycopg.Connection[Any], lines: Iterable[str], key: bytes) -> tuple[int, str | None]:
    """Check anchors up to the first that does not match the trail; return how many were read, and its error or None."""
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
        if trail_end["event"] and not _is_kept(conn, trail_end):
            return number, f"event {trail_end['event']} is gone or another one than at {trail_end['at']}"
    return number, None


def _last_event(conn: psycopg.Connection[Any]) -> tuple[int, str]:
    """Return id and hash of the last event; 0 and an empty hash if there is none."""
    query = "select event_id, encode(hash, 'hex') from audit.event order by event_id desc limit 1"
    return conn.execute(query).fetchone() or (0, "")


def _is_kept(conn: psycopg.Connection[Any], trail_end: dict[str, Any]) -> bool:
    """Return whether the event of a recorded end of the trail still has the recorded hash."""
    query = "select 1 from audit.event where event_id = %(event)s and encode(hash, 'hex') = %(hash)s"
    return conn.execute(query, trail_end).fetchone() is not None


def _code(trail_end: dict[str, Any], key: bytes) -> str:
    return hmac.new(key, json.dumps(trail_end, sort_keys=True).encode(), hashlib.sha256).hexdigest()


# Any change of the trail's table, triggers or functions gives a row of the catalog a new xmin, even if the change is reverted;
# only a superuser could restore the old one.
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
    """Return a digest of the definition of the trail's table, triggers and functions; None before they exist."""
    if conn.execute("select to_regclass('audit.event') is null").fetchone() == (True,):
        return None
    row = conn.execute(_DEFINITION).fetchone()
    assert row is not None
    return bytes(row[0]).hex()


def record_changed_definition(conn: psycopg.Connection[Any], actor: str, file: Path) -> bool:
    """Record an event if the trail's definition differs from the one kept in `file`; return whether it does.

    The file lies outside the database. If it does not exist yet, the current definition is trusted.
    """
    present = definition(conn)
    known = file.read_text() if file.exists() else present
    if known != present:
        record(conn, actor, "trail_ddl", "audit", None, before=known, after=present)
    return known != present


def keep_definition(conn: psycopg.Connection[Any], file: Path) -> None:
    """Write the trail's definition to a file of the home; its folder is created if necessary."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = file.with_suffix(".new")
    unfinished.write_text(definition(conn) or "")
    unfinished.replace(file)


# The query returns the text that each event's hash is computed from, in the form of audit.hash_of.
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
    """Check the hash of every event and its link to the previous one, and that the last verified event still exists.

    The hashes are computed here and not by the database's function, which its owner could replace. `end_file` keeps the last
    verified event outside the database, so that a truncated or rewritten chain is detected too.
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
    events, last_hash = _last_event(conn)
    if broken:
        return Verdict(events, int(broken[0]), str(broken[1]))
    if conn.execute(_IS_GUARDED).fetchone() != (True,):
        return Verdict(events, events, "from there on events can be changed: a trigger that forbids it is gone or off")
    if end_file.exists():
        end = json.loads(end_file.read_text())
        if not _is_kept(conn, end):
            return Verdict(events, int(end["event"]), "an event that was verified before is gone or another one")
    if events:
        unfinished = end_file.with_suffix(".new")
        unfinished.write_text(json.dumps({"event": events, "hash": last_hash}))
        unfinished.replace(end_file)
    return Verdict(events)
