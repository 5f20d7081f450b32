"""This module reads what the page of data quality shows: only counts, and no rows about persons."""

from __future__ import annotations

from typing import Any

from yingjian.database.rows import records
from yingjian.landing.feeds import FEEDS
from yingjian.modelling.marts import marts
from yingjian.portal.reading import Conn

Rows = list[dict[str, Any]]


def read_quality(conn: Conn, publication_id: int) -> dict[str, Rows]:
    """Return feeds, rejected rows by reason and by sender, failed checks, and restatements; counts only."""
    queries = {
        "feeds": "select * from feed_quality where publication_id = %(id)s order by status = 'ok', feed collate \"C\"",
        "reasons": """
            select rejected.feed, feeds.title, rejected.reason_code, rejected.reason, rejected.rows
            from rejection_summary as rejected
            left join feed_quality as feeds on feeds.publication_id = %(id)s and feeds.feed = rejected.feed
            where rejected.publication_id = %(id)s order by rejected.rows desc, rejected.feed, rejected.reason_code
        """,
        "senders": """
            select rejected.feed, feeds.title, rejected.sender, rejected.rows
            from rejection_by_sender as rejected
            left join feed_quality as feeds on feeds.publication_id = %(id)s and feeds.feed = rejected.feed
            where rejected.publication_id = %(id)s order by rejected.rows desc, rejected.sender, rejected.feed limit 100
        """,
        "checks": """
            select * from quality_check where publication_id = %(id)s and not success order by severity, suite, check_name
        """,
        "restated": """
            select restated_date, reason, sum(rows)::bigint as rows from restatement where publication_id = %(id)s
            group by restated_date, reason order by restated_date desc, reason limit 100
        """,
    }
    return {name: records(conn, query, id=publication_id) for name, query in queries.items()}


def read_checks(conn: Conn, publication_id: int) -> Rows:
    return records(
        conn,
        """
        select severity, count(*) as checks, count(*) filter (where not success) as failed
        from quality_check where publication_id = %(id)s group by severity order by severity
        """,
        id=publication_id,
    )


def checked_title(suite: str) -> str:
    """Return the Chinese title of the table that a suite checks; empty if it has none."""
    schema, _, table = suite.partition(".")
    if schema == "staging":
        return FEEDS[table].title if table in FEEDS else ""
    mart = marts().get(table)
    return mart.title if mart else ""
