"""This module reads what landed and what was delivered, for the data team's page."""

from __future__ import annotations

from typing import Any

from yingjian.database.rows import records
from yingjian.pipeline import REFUSED
from yingjian.portal.reading import Conn, is_readable

DELIVERIES = 50
Rows = list[dict[str, Any]]


def read_landed(conn: Conn) -> Rows:
    """Return for each feed its last accepted file, the newest update in it, and the files that were not accepted."""
    return records(
        conn,
        """
        select feed, feeds.title, max(timezone('Asia/Shanghai', received_at)) filter (where status = 'staged') as received_at,
            max(newest_update) filter (where status = 'staged') as newest_update,
            count(*) filter (where status = 'staged') as files,
            count(*) filter (where status = any(%(refused)s)) as refused,
            coalesce(sum(rows_staged), 0)::bigint as rows
        from quality.landed_file
        left join (
            select feed, title from feed_quality where publication_id = (select publication_id from published.current)
        ) as feeds using (feed)
        group by feed, feeds.title order by feed collate "C"
        """,
        refused=list(REFUSED),
    )


def read_deliveries(conn: Conn) -> Rows | None:
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
