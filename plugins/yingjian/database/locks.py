"""Advisory locks that several modules take stand here: those who take the same name wait for each other."""

from __future__ import annotations

from typing import Any

import psycopg

STAGING = "yingjian.staging"  # A landing waits for the start of a build, and the other way round.
PUBLISHING = "yingjian.publish"
PERSON_KEYS = "yingjian.person_key"
SPARK = "yingjian.spark"  # Whoever holds it exports, builds on Spark, or removes what they left.


def landing(feed: str) -> str:
    """Return the lock of those who write the rows of a feed, who take the locks of several feeds in alphabetical order."""
    return f"yingjian.landing.{feed}"


def hold(conn: psycopg.Connection[Any], name: str) -> None:
    """Wait for a lock and keep it until the transaction ends."""
    conn.execute("select pg_advisory_xact_lock(hashtext(%s))", (name,))
