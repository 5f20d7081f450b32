"""Who gets a pack of the report, and what of a publication is theirs.

The report's SQL names marts without a schema. For the office they are the published tables; for a department or a
community temporary views of the same names stand before them and show that audience's rows alone, so that there is one
set of queries, and a mart that nobody thought of shows nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from yingjian.database.rows import records
from yingjian.modelling.marts import published
from yingjian.people.audience import OFFICE, Audience


def audiences(conn: psycopg.Connection[Any], publication_id: int) -> list[Audience]:
    """The office, and every department and community of the publication, by name."""
    found = records(
        conn,
        """
        select 'community' as kind, community as name from published.compliance_daily where publication_id = %(id)s
        union
        select 'community', community from published.grid_population where publication_id = %(id)s
        union
        select 'department', unnest(string_to_array(department, '、'))
        from published.compliance_daily where publication_id = %(id)s
        """,
        id=publication_id,
    )
    named = {Audience(row["kind"], row["name"]) for row in found if row["name"]}
    return [OFFICE, *sorted(named, key=lambda audience: (audience.kind, audience.name))]


@contextmanager
def narrowed(conn: psycopg.Connection[Any], audience: Audience) -> Iterator[None]:
    """A transaction in which unqualified marts are the audience's; nothing of it remains afterwards."""
    with conn.transaction(force_rollback=True):
        if audience != OFFICE:
            conn.execute(sql.SQL(";").join(_views(conn, audience)))
        conn.execute("set local search_path to pg_temp, published")
        yield


def hidden_marts(conn: psycopg.Connection[Any], audience: Audience) -> frozenset[str]:
    """Marts that show this kind of audience nothing, whatever is in them: of those a pack says nothing at all."""
    if audience == OFFICE:
        return frozenset()
    return frozenset(mart for mart, columns in _marts(conn) if _condition(columns, audience) is None)


def _views(conn: psycopg.Connection[Any], audience: Audience) -> Iterator[sql.Composed]:
    """A temporary view of each mart that shows the audience's rows alone."""
    for name, columns in _marts(conn):
        mart, condition = sql.Identifier(name), _condition(columns, audience)
        yield sql.SQL("create temporary view {} as select * from published.{} where {}").format(
            mart, mart, sql.SQL("false") if condition is None else condition
        )


def _marts(conn: psycopg.Connection[Any]) -> list[tuple[str, frozenset[str]]]:
    """The published marts that belong to places, with the columns that say whose a row is."""
    belonging = {mart.name: mart.audience for mart in published().values() if not mart.is_town_wide}
    found = records(
        conn,
        """
        select relname as mart, array_agg(attname::text) as columns
        from pg_class join pg_attribute on attrelid = pg_class.oid
        where relnamespace = to_regnamespace('published') and relname = any(%(marts)s)
            and attnum > 0 and not attisdropped
        group by relname order by relname
        """,
        marts=list(belonging),
    )
    return [(row["mart"], frozenset(belonging[row["mart"]]).intersection(row["columns"])) for row in found]


def _condition(columns: frozenset[str], audience: Audience) -> sql.Composable | None:
    """What the audience's rows of a mart with these columns have in common; None where it has none."""
    if audience.kind == "department" and "department" in columns:
        # Several departments may be competent for one group.
        return sql.SQL("{} = any(string_to_array(department, '、'))").format(sql.Literal(audience.name))
    if audience.kind in columns:
        return sql.SQL("{} = {}").format(sql.Identifier(audience.kind), sql.Literal(audience.name))
    if audience.kind == "community" and "communities" in columns:
        return sql.SQL("{} = any(communities)").format(sql.Literal(audience.name))
    return None
