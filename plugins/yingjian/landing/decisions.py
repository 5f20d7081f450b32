"""Changes of a feed's layout that a person accepted; until then such a file stops its feed, not the others."""

from __future__ import annotations

from dataclasses import replace

import psycopg

from yingjian.landing import quarantine
from yingjian.landing.feeds import FEEDS, Feed


def applied(conn: psycopg.Connection, feed: Feed) -> Feed:
    """The feed with every decision about its layout."""
    rows = conn.execute(
        "select kind, header, source_column from quality.layout_decision where feed = %s order by decision_id",
        (feed.name,),
    ).fetchall()
    return replace(
        feed,
        synonyms={header: source for kind, header, source in rows if kind == "rename"},
        absent_columns=frozenset(source for kind, _, source in rows if kind == "absent"),
        accepted_meanings=frozenset(source for kind, _, source in rows if kind == "meaning"),
    )


def accept(
    conn: psycopg.Connection, feed_name: str, kind: str, source: str, header: str | None, reason: str, decided_by: str
) -> int:
    """Record a decision, and have the feed's rejected files read again at the next landing; returns how many.

    kind: rename, absent or meaning. Raises ValueError when feed or column do not exist.
    """
    feed = FEEDS.get(feed_name)
    if feed is None:
        raise ValueError(f"no feed {feed_name}: one of {', '.join(FEEDS)}")
    if source not in {column.source for column in feed.columns}:
        raise ValueError(f"{feed_name} has no column {source}: {'、'.join(c.source for c in feed.columns)}")
    conn.execute(
        """
        insert into quality.layout_decision (feed, kind, header, source_column, reason, decided_by)
        values (%s, %s, %s, %s, %s, %s)
        """,
        (feed_name, kind, header, source, reason, decided_by),
    )
    return quarantine.retry(conn, feed_name)
