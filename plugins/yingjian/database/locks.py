"""This module names the advisory locks that several modules share."""

from __future__ import annotations

from typing import Any

import psycopg

STAGING = "yingjian.staging"  # It keeps landing and the start of a build apart.
PUBLISHING = "yingjian.publish"
PERSON_KEYS = "yingjian.person_key"
SPARK = "yingjian.spark"  # Spark exports, Spark builds and their cleanup run one at a time.


def landing(feed: str) -> str:
    """Return the lock for writing a feed's rows. Take those of several feeds in alphabetical order, to avoid deadlocks."""
    return f"yingjian.landing.{feed}"


def hold(conn: psycopg.Connection[Any], name: str) -> None:
    """Wait for a lock and keep it until the transaction ends."""
    conn.execute("select pg_advisory_xact_lock(hashtext(%s))", (name,))
