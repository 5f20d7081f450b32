"""Anchors the end of the audit trail hourly at a place that this machine cannot change, so that rewriting the trail shows."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlparse

import httpx
import psycopg

from yingjian.database import warehouse
from yingjian.landing.locations import is_loopback
from yingjian.privacy import audit_trail
from yingjian.settings import Settings, SetupError

EVERY = timedelta(hours=1)
MISSING = 2 * EVERY  # An older anchor counts as missing.
KEY = "audit_anchor"  # Anchors are signed with a secret of the home, so that access to the database is not enough to forge one.
SECONDS = 20


def is_due(conn: psycopg.Connection[Any], moment: datetime) -> bool:
    last = last_at(conn)
    return last is None or moment - last >= EVERY


def last_at(conn: psycopg.Connection[Any]) -> datetime | None:
    """Return the time of the last anchor; None if there is none."""
    row = conn.execute("select max(anchored_at) from operations.anchor").fetchone()
    return row[0] if row else None


def note(settings: Settings, conn: psycopg.Connection[Any], moment: datetime) -> None:
    """Anchor the end of the trail at the configured place and record that. Raises SetupError if the place does
    not accept it.
    """
    place = settings.audit_anchor
    assert place is not None
    with warehouse.connect(settings, "auditor") as auditor:
        line = audit_trail.anchor(auditor, settings.secret(KEY).encode(), moment)
    try:
        _send(place, line) if "://" in place else _append(place, line)
    except (OSError, httpx.HTTPError) as error:
        raise SetupError(
            f"YINGJIAN_AUDIT_ANCHOR does not take the end of the trail ({type(error).__name__}): see docs/runbooks/watch.md"
        ) from None
    conn.execute(
        "insert into operations.anchor (anchored_at, event_id) values (%s, %s)", (moment, json.loads(line)["event"])
    )


def missing(
    settings: Settings, conn: psycopg.Connection[Any], moment: datetime, begun: datetime | None = None
) -> str | None:
    """Return a message if an anchor place is configured but has had no anchor within MISSING; else None.

    begun: when the first anchor can be expected; if None, having no anchor at all counts as missing.
    """
    last = last_at(conn)
    since = last or begun
    if settings.audit_anchor is None or (since is not None and moment - since <= MISSING):
        return None
    words = f"has not been noted elsewhere since {last:%Y-%m-%d %H:%M}" if last else "has never been noted elsewhere"
    return f"the end of the audit trail {words}"


def require(settings: Settings, conn: psycopg.Connection[Any], moment: datetime) -> None:
    """Raise ValueError if an anchor place is configured but has had no anchor within MISSING."""
    if sentence := missing(settings, conn, moment):
        raise ValueError(f"{sentence}: see docs/runbooks/watch.md")


def _append(path: str, line: str) -> None:
    # The file must exist: it belongs to somebody else, and this machine may only append.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(f"{line}\n")
        file.flush()
        os.fsync(file.fileno())


def _send(url: str, line: str) -> None:
    parsed = urlparse(url)
    if parsed.scheme != "https" and not is_loopback(parsed.hostname or ""):
        raise SetupError("YINGJIAN_AUDIT_ANCHOR needs https://, so that nobody on the way answers in its place")
    httpx.post(url, json=json.loads(line), timeout=SECONDS).raise_for_status()
