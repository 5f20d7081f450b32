"""The manifest of landed files, `quality.landed_file`: which files are known, and the outcome of each."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import psycopg

from yingjian.database import locks
from yingjian.landing.locations import LandingFile


def lock(conn: psycopg.Connection, feed: str) -> None:
    """Take the feed's lock: a second landing waits, then finds the file already landed."""
    locks.hold(conn, locks.landing(feed))


def known_files(conn: psycopg.Connection) -> set[tuple[str, str, int, datetime]]:
    return {
        (feed, location, size, modified_at.astimezone(UTC))
        for feed, location, size, modified_at in conn.execute(
            "select feed, location, size_bytes, modified_at from quality.landed_file where not is_to_retry"
        )
    }


def is_recorded(conn: psycopg.Connection, file: LandingFile) -> bool:
    row = conn.execute(
        """
        select 1 from quality.landed_file
        where feed = %s and location = %s and size_bytes = %s and modified_at = %s and not is_to_retry
        """,
        (file.feed, file.location, file.size, file.modified_at),
    ).fetchone()
    return row is not None


def is_staged(conn: psycopg.Connection, feed: str, sha256: str) -> bool:
    row = conn.execute(
        "select 1 from quality.landed_file where feed = %s and sha256 = %s and status = 'staged'", (feed, sha256)
    ).fetchone()
    return row is not None


def record(
    conn: psycopg.Connection, file: LandingFile, sha256: str | None, status: str, reason: str | None
) -> tuple[int, datetime]:
    """Record a file and return (file_id, received_at); a retried file keeps its row."""
    row = conn.execute(
        """
        with again as (
            update quality.landed_file
            set status = %(status)s, reason = %(reason)s, sha256 = %(sha256)s, received_at = now(), is_to_retry = false
            where feed = %(feed)s and location = %(location)s and size_bytes = %(size)s and modified_at = %(modified_at)s
            and is_to_retry
            returning file_id, received_at
        ),
        new as (
            insert into quality.landed_file (feed, file_name, location, modified_at, size_bytes, sha256, status, reason)
            select
                %(feed)s, %(name)s, %(location)s, %(modified_at)s, %(size)s::bigint, %(sha256)s, %(status)s, %(reason)s
            where not exists (select from again)
            returning file_id, received_at
        )
        select file_id, received_at from again union all select file_id, received_at from new
        """,
        asdict(file) | {"sha256": sha256, "status": status, "reason": reason},
    ).fetchone()
    assert row is not None
    return row
