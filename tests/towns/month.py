"""This module adds a month of publications to the portal's town, for tests of figures over days, and removes it afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.portal import Portal
from yingjian.database import warehouse
from yingjian.modelling.marts import published

DAYS = 30
FIRST, LAST = 3, 2 + DAYS
# The day before also gets the marts with which the report compares; older days get only their figures.
COMPARED = ("obligation", "feed_quality", "overdue", "compliance_daily", "town_state")


@contextmanager
def published_month(portal: Portal) -> Iterator[int]:
    """Publish the town's day again as publication 32, after one for each of the 29 days before; yield its number."""
    with warehouse.connect(portal.settings) as conn:
        for mart in published():
            _copy(conn, mart, LAST)
        for mart in COMPARED:
            _copy(conn, mart, LAST - 1)
        for back in range(DAYS):
            number = LAST - back
            if 0 < back != 9:  # One day was never published.
                _copy(conn, "indicator_daily", number)
                _other_values(conn, number, back)
            if back != 9:
                conn.execute(
                    """
                    insert into published.publication
                    select %(id)s, as_of_date - %(back)s, published_at - %(back)s * interval '1 day', policy_edition, 'passed', 100,
                        0, input_files, input_rows, code_version, null, null, 2, 'month ' || %(id)s
                    from published.publication where publication_id = 2
                    """,
                    {"id": number, "back": back},
                )
        conn.execute("update published.current set publication_id = %s", (LAST,))
    try:
        yield LAST
    finally:
        with warehouse.connect(portal.settings) as conn:
            conn.execute("update published.current set publication_id = 2")
            conn.execute("delete from published.publication where publication_id >= %s", (FIRST,))
            tables = conn.execute(
                "select relname from pg_class where relnamespace = 'published'::regnamespace and relispartition"
                " and relkind = 'r' and substring(relname from '_p([0-9]+)$')::int >= %s",
                (FIRST,),
            ).fetchall()
            for (table,) in tables:
                conn.execute(f"drop table published.{table}")


def _copy(conn: psycopg.Connection, mart: str, number: int) -> None:
    conn.execute(
        f"create table published.{mart}_p{number} (like published.{mart}_p2 including defaults including comments)"
    )
    conn.execute(f"insert into published.{mart}_p{number} select * from published.{mart}_p2")
    back = LAST - number
    conn.execute(f"update published.{mart}_p{number} set publication_id = {number}")
    if back:
        conn.execute(f"update published.{mart}_p{number} set as_of_date = as_of_date - {back}")
    conn.execute(f"alter table published.{mart}_p{number} alter publication_id set default {number}")
    conn.execute(f"alter table published.{mart} attach partition published.{mart}_p{number} for values in ({number})")


def _other_values(conn: psycopg.Connection, number: int, back: int) -> None:
    """Change the figures of an earlier day: counts get somewhat higher, and shares lower."""
    table = f"published.indicator_daily_p{number}"
    conn.execute(
        f"""
        update {table} set part = case
            when whole is null then part + (part > 0)::int * (({back} * 7 + length(coalesce(community, ''))) %% 5)
            else greatest(part - ({back} %% 4 + length(coalesce(community, '')) %% 2), 0)
        end
        """.replace("%%", "%")
    )
    conn.execute(
        f"""
        update {table} set
            value = case when whole is null then part else part::double precision / nullif(whole, 0) end,
            value_shown = case when whole is null then part else floor(part * 1000.0 / nullif(whole, 0) + 0.5) / 1000 end
        """
    )
