"""The end of the trail is noted each hour where this machine cannot change it, so that nobody writes the trail anew."""

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
MISSING = 2 * EVERY  # An anchor that is older counts as missing.
KEY = "audit_anchor"  # The secret is the home's, so that the database alone makes no anchor.
SECONDS = 20


def is_due(conn: psycopg.Connection[Any], moment: datetime) -> bool:
    last = last_at(conn)
    return last is None or moment - last >= EVERY


def last_at(conn: psycopg.Connection[Any]) -> datetime | None:
    """Return when the end of the trail was noted last; None when it never was."""
    row = conn.execute("select max(anchored_at) from operations.anchor").fetchone()
    return row[0] if row else None


def note(settings: Settings, conn: psycopg.Connection[Any], moment: datetime) -> None:
    """Note the end of the trail at the place of the settings, and that it was noted. Raises SetupError when that fails."""
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
    """Return a sentence when a place is named and the end of the trail was not noted there within MISSING, else None.

    begun: the moment from which an anchor can be expected; without it, an anchor that never was is missing.
    """
    last = last_at(conn)
    since = last or begun
    if settings.audit_anchor is None or (since is not None and moment - since <= MISSING):
        return None
    words = f"has not been noted elsewhere since {last:%Y-%m-%d %H:%M}" if last else "has never been noted elsewhere"
    return f"the end of the audit trail {words}"


def require(settings: Settings, conn: psycopg.Connection[Any], moment: datetime) -> None:
    """Raise ValueError when a place is named and the end of the trail was not noted there within MISSING."""
    if sentence := missing(settings, conn, moment):
        raise ValueError(f"{sentence}: see docs/runbooks/watch.md")


def _append(path: str, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)  # Somebody else made the file.
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(f"{line}\n")
        file.flush()
        os.fsync(file.fileno())


def _send(url: str, line: str) -> None:
    parsed = urlparse(url)
    if parsed.scheme != "https" and not is_loopback(parsed.hostname or ""):
        raise SetupError("YINGJIAN_AUDIT_ANCHOR needs https://, so that nobody on the way answers in its place")
    httpx.post(url, json=json.loads(line), timeout=SECONDS).raise_for_status()
