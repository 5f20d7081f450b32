"""Layout changes that somebody accepted; until then, such a file stops its own feed and no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import psycopg

from yingjian.landing import quarantine
from yingjian.landing.feeds import FEEDS, RISK_AREAS, Feed
from yingjian.landing.stage_snapshot import LIST_TIME, hold_lists
from yingjian.privacy.audit_trail import require_reason


def applied(conn: psycopg.Connection, feed: Feed) -> Feed:
    """Return the feed with all accepted layout changes applied."""
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
    """Record a decision and mark the feed's rejected files to be read again; return how many.

    kind: rename, absent or meaning. Raises ValueError if the feed or column does not exist, or without a reason.
    """
    require_reason(reason)
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


def accept_list(conn: psycopg.Connection, hour: str, reason: str, decided_by: str) -> None:
    """Accept a national list that was held back.

    Raises ValueError if no list of that hour is held back, or without a reason.
    """
    require_reason(reason)
    try:
        listed_at = datetime.strptime(hour.strip(), "%Y-%m-%d %H")  # noqa: DTZ007  # The list's own hour.
    except ValueError:
        raise ValueError(f'--list wants a list\'s day and hour, as in "2022-11-26 08", not {hour}') from None
    if not conn.execute(
        "select 1 from staging.risk_area_snapshots where is_held and date_trunc('hour', listed_at) = %s", (listed_at,)
    ).fetchone():
        raise ValueError(f"no list of {hour} is held back")
    conn.execute(
        "insert into quality.layout_decision (feed, kind, source_column, reason, decided_by) values (%s, 'list', %s, %s, %s)",
        (RISK_AREAS, f"{listed_at:{LIST_TIME}}", reason, decided_by),
    )
    hold_lists(conn)
