"""Drops the rows of publications that are no longer needed."""

from __future__ import annotations

import psycopg
from psycopg import sql

from yingjian.modelling.marts import published
from yingjian.publishing.catalog import exists
from yingjian.publishing.publish import SETTLE_SECONDS, one_at_a_time


def prune(conn: psycopg.Connection, keep: int) -> list[int]:
    """Drop the rows of all but the newest `keep` publications; return the ids whose rows were dropped.

    The newest publication of every business date keeps its rows, and so do marts with `history` or `signed_off`. The
    publications' own records stay. The call waits for a running publication or backup.
    """
    conn.commit()
    with one_at_a_time(conn):
        return _prune(conn, keep)


def _prune(conn: psycopg.Connection, keep: int) -> list[int]:
    rows = conn.execute(
        """
        select publication_id from published.publication
        where publication_id not in (
            select publication_id from published.publication order by publication_id desc limit %s
        )
        and publication_id not in (select max(publication_id) from published.publication group by as_of_date)
        order by publication_id
        """,
        (keep,),
    ).fetchall()
    dropped = []
    for (publication_id,) in rows:
        partitions = [
            mart.name
            for mart in published().values()
            if not (mart.is_history or mart.is_signed_off)
            and exists(conn, "published", f"{mart.name}_p{publication_id}")
        ]
        try:
            for mart in partitions:
                conn.execute(sql.SQL("set local lock_timeout to {}").format(sql.Literal(f"{SETTLE_SECONDS}s")))
                conn.execute(sql.SQL("drop table published.{}").format(sql.Identifier(f"{mart}_p{publication_id}")))
                conn.commit()
        except psycopg.errors.LockNotAvailable:
            # A reader uses the partition. New readers would queue behind this DROP, so it is skipped until the next run.
            conn.rollback()
            continue
        if partitions:
            dropped.append(publication_id)
    return dropped
