"""This module reads the risk zones of the reader's part, and what the national lists say about zones elsewhere."""

from __future__ import annotations

from typing import Any

from yingjian.database.rows import records
from yingjian.portal.limits import PAGE_ROWS
from yingjian.portal.reading import Conn
from yingjian.reports.content.paging import Page, read_page

ZONES = 300
Rows = list[dict[str, Any]]


def read_zones(conn: Conn, publication_id: int) -> Rows:
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


def read_stays(conn: Conn, publication_id: int) -> Rows:
    """Return how long areas of the national lists stayed at each level."""
    return records(
        conn,
        "select * from zone_stay_summary where publication_id = %(id)s order by array_position(array['高', '中', '低'], level)",
        id=publication_id,
    )


def read_history(conn: Conn, publication_id: int, area: str, number: int) -> Page[dict[str, Any]]:
    """Return a page of levels on the national lists, newest first, of areas whose name or place contains `area`."""
    body = """
        from zone_history
        where publication_id = %(id)s and strpos(concat(province, city, county, area), %(area)s) > 0
    """
    columns = "province, city, county, area, level, listed_from, listed_to"
    order = 'listed_from desc, province collate "C", city collate "C", county collate "C", area collate "C", level'
    return read_page(conn, columns, body, order, number, PAGE_ROWS, id=publication_id, area=area)
