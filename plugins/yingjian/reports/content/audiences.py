"""This module lists the audiences that get a pack, and limits a publication to the rows of each.

The report's SQL names marts without a schema. Its transaction carries an audience, and the row-level policies of the published
tables show only that audience's rows: one set of queries serves everybody, and a mart without a policy shows nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from yingjian.database.rows import records
from yingjian.modelling.marts import published
from yingjian.people.audience import OFFICE, Audience
from yingjian.people.officials import Officials


def audiences(conn: psycopg.Connection[Any], publication_id: int) -> list[Audience]:
    """Return the office, and every department and community of the publication, by name."""
    with narrowed(conn, OFFICE):
        places = records(
            conn,
            """
            select 'community' as kind, community as name from compliance_daily where publication_id = %(id)s
            union
            select 'community', community from grid_population where publication_id = %(id)s
            union
            select 'department', unnest(string_to_array(department, '、'))
            from compliance_daily where publication_id = %(id)s
            """,
            id=publication_id,
        )
    named = {Audience(row["kind"], row["name"]) for row in places if row["name"]}
    return [OFFICE, *sorted(named, key=lambda audience: (audience.kind, audience.name))]


def readers_of(conn: psycopg.Connection[Any], publication_id: int, officials: Officials | None) -> list[Audience]:
    """Return the audiences of a publication's packs: the office, and each part of the town that an official reads.

    Without officials, every department and community has a pack, but no grid.
    """
    everyone = audiences(conn, publication_id)
    if not officials or not officials.by_login:
        return everyone
    read = officials.audiences
    grids = [audience for audience in read if audience.kind == "grid"]
    return [*(audience for audience in everyone if audience == OFFICE or audience in read), *grids]


def unknown(conn: psycopg.Connection[Any], publication_id: int, named: Iterable[Audience]) -> list[Audience]:
    """Return the communities and grids of `named` that the publication lacks; `officials.yml` may misspell them."""
    with narrowed(conn, OFFICE):
        grids = records(
            conn, "select community, grid from grid_population where publication_id = %(id)s", id=publication_id
        )
    known = {*audiences(conn, publication_id), *(Audience.of_grid(row["community"], row["grid"]) for row in grids)}
    places = {audience for audience in named if audience.kind in {"community", "grid"}}
    return sorted(places - known, key=lambda audience: (audience.kind, audience.name))


@contextmanager
def narrowed(conn: psycopg.Connection[Any], audience: Audience) -> Iterator[None]:
    """Open a transaction in which published marts show only the audience's rows; it is rolled back at the end.

    It acts as the reporter, whoever is connected, because policies do not apply to a superuser or the owner of the tables.
    """
    with conn.transaction(force_rollback=True):
        # The reporter may not call set_config, because a view built by dbt could widen the audience with it.
        conn.execute(
            sql.SQL(
                "set local role reporter; set local yingjian.audience = {}; set local search_path = published, pg_temp"
            ).format(sql.Literal(f"{audience.kind}:{audience.name}"))
        )
        yield


def hidden_marts(conn: psycopg.Connection[Any], audience: Audience) -> frozenset[str]:
    """Return the marts that show this kind of audience no row, whatever is in them; a pack leaves them out."""
    if audience == OFFICE:
        return frozenset()
    belonging = {mart.name: mart for mart in published().values() if mart.rows != "town"}
    tables = records(
        conn,
        """
        select relname as mart, array_agg(attname::text) as columns
        from pg_class join pg_attribute on attrelid = pg_class.oid
        where relnamespace = to_regnamespace('published') and relname = any(%(marts)s)
            and attnum > 0 and not attisdropped
        group by relname
        """,
        marts=list(belonging),
    )
    return frozenset(
        row["mart"] for row in tables if belonging[row["mart"]].column_of(audience.kind, row["columns"]) is None
    )
