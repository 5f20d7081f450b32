"""This module reads the figures for the pages on zones, data quality and operations."""

from __future__ import annotations

from typing import Any

from yingjian.database.rows import records
from yingjian.landing.feeds import FEEDS
from yingjian.modelling.marts import marts
from yingjian.people.audience import Audience
from yingjian.portal.limits import PAGE_ROWS
from yingjian.portal.reading import Conn, is_readable
from yingjian.reports.paging import Page, read_page

DELIVERIES = 50
ZONES = 300
Rows = list[dict[str, Any]]


HEADLINE = (
    "required", "compliance", "overdue_persons", "high_zones", "medium_zones", "lowerable_zones",
)  # fmt: skip


def headline(conn: Conn, publication_id: int, audience: Audience) -> dict[str, Any] | None:
    """Return the printed values of the headline's figures for the reader's part, by code; 0 where it has no part.

    A grid has none, because no figure is divided by grids.
    """
    if audience.kind == "grid":
        return None
    found = records(
        conn,
        """
        select indicator_code, value_shown from indicator_daily
        where publication_id = %(id)s and indicator_code = any(%(codes)s)
            and community is not distinct from %(community)s and department is not distinct from %(department)s
        """,
        id=publication_id,
        codes=list(HEADLINE),
        community=audience.name if audience.kind == "community" else None,
        department=audience.name if audience.kind == "department" else None,
    )
    shown = {row["indicator_code"]: row["value_shown"] for row in found}
    counts = {code: int(shown.get(code) or 0) for code in HEADLINE if code != "compliance"}
    return counts | {"compliance": shown.get("compliance")}


def zones(conn: Conn, publication_id: int) -> Rows:
    """Return the reader's zones with the persons who block each. Zones that need attention come first.

    These are zones that may be lowered or that disagree with the rule.
    """
    return records(
        conn,
        """
        select risk_zone.*, coalesce(blocking.persons, 0) as blocking,
            string_to_array(risk_zone.explanation, '；') as blocking_words
        from risk_zone
        left join (
            select zone_id, count(*) as persons from zone_blocker where publication_id = %(id)s group by zone_id
        ) as blocking using (zone_id)
        where publication_id = %(id)s and (level <> '低' or is_lowered)
        order by eligible_level is null, mismatch is null, array_position(array['高', '中', '低'], level),
            name collate "C", zone_id collate "C"
        limit %(limit)s
        """,
        id=publication_id,
        limit=ZONES,
    )


def zone_stays(conn: Conn, publication_id: int) -> Rows:
    """Return how long areas of the national lists stayed at each level."""
    return records(
        conn,
        "select * from zone_stay_summary where publication_id = %(id)s order by array_position(array['高', '中', '低'], level)",
        id=publication_id,
    )


def zone_history(conn: Conn, publication_id: int, area: str, number: int) -> Page[dict[str, Any]]:
    """Return a page of levels on the national lists, newest first, of areas whose name or place contains `area`."""
    body = """
        from zone_history
        where publication_id = %(id)s and strpos(concat(province, city, county, area), %(area)s) > 0
    """
    columns = "province, city, county, area, level, listed_from, listed_to"
    order = 'listed_from desc, province collate "C", city collate "C", county collate "C", area collate "C", level'
    return read_page(conn, columns, body, order, number, PAGE_ROWS, id=publication_id, area=area)


def quality(conn: Conn, publication_id: int) -> dict[str, Rows]:
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


def checked_title(suite: str) -> str:
    """Return what officials call the table that a suite of checks guards; empty where they have no word for it."""
    schema, _, table = suite.partition(".")
    if schema == "staging":
        return FEEDS[table].title if table in FEEDS else ""
    mart = marts().get(table)
    return mart.title if mart else ""


def checks_by_result(conn: Conn, publication_id: int) -> Rows:
    return records(
        conn,
        """
        select severity, count(*) as checks, count(*) filter (where not success) as failed
        from quality_check where publication_id = %(id)s group by severity order by severity
        """,
        id=publication_id,
    )


def landed(conn: Conn) -> Rows:
    """Return for each feed its last accepted file, the newest update in it, and the files that were not accepted."""
    return records(
        conn,
        """
        select feed, feeds.title, max(timezone('Asia/Shanghai', received_at)) filter (where status = 'staged') as received_at,
            max(newest_update) filter (where status = 'staged') as newest_update,
            count(*) filter (where status = 'staged') as files,
            count(*) filter (where status in ('rejected', 'unknown_feed')) as refused,
            coalesce(sum(rows_staged), 0)::bigint as rows
        from quality.landed_file
        left join (
            select feed, title from feed_quality where publication_id = (select publication_id from published.current)
        ) as feeds using (feed)
        group by feed, feeds.title order by feed collate "C"
        """,
    )


def deliveries(conn: Conn) -> Rows | None:
    """Return the planned deliveries by publication, kind, channel and state, newest first.

    The result is None when the warehouse has no record of deliveries.
    """
    if not is_readable(conn, "delivery", "attempt"):
        return None
    return records(
        conn,
        """
        select publication_id, what, channel, state, count(*) as attempts from delivery.attempt
        where publication_id is not null
        group by publication_id, what, channel, state
        order by publication_id desc, what collate "C", channel collate "C", state collate "C" limit %(limit)s
        """,
        limit=DELIVERIES,
    )
