"""Moves a built mart under `published.<mart>` as the partition of a publication; no row is copied."""

from __future__ import annotations

from datetime import date

import psycopg
from psycopg import sql

from yingjian.modelling.marts import READER_SCHEMAS
from yingjian.publishing.catalog import columns_of


def ensure_published_table(conn: psycopg.Connection, mart: str) -> None:
    """Create `published.<mart>` with the columns of the build, or migrate an existing table to them.

    New columns are added. If a column's type changed, it is converted; the readers' views are dropped for that and recreated
    later.
    """
    build = columns_of(conn, "build", mart)
    published = columns_of(conn, "published", mart)
    if not published:
        conn.execute(
            sql.SQL(
                "create table published.{} (publication_id bigint not null, {}) partition by list (publication_id)"
            ).format(
                sql.Identifier(mart),
                sql.SQL(", ").join(
                    sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, (kind, _) in build.items()
                ),
            )
        )
        conn.execute(sql.SQL("alter table published.{} owner to publisher").format(sql.Identifier(mart)))
        conn.execute(sql.SQL("grant select on published.{} to view_owner").format(sql.Identifier(mart)))
        return
    for name, (kind, _) in build.items():
        if name not in published:
            conn.execute(
                sql.SQL("alter table published.{} add column {} {}").format(
                    sql.Identifier(mart), sql.Identifier(name), sql.SQL(kind)
                )
            )
        elif published[name][0] != kind:
            for schema in (*READER_SCHEMAS, "own_part"):
                conn.execute(sql.SQL("drop view if exists {}.{}").format(sql.Identifier(schema), sql.Identifier(mart)))
            conn.execute(
                sql.SQL("alter table published.{} alter column {} type {}").format(
                    sql.Identifier(mart), sql.Identifier(name), sql.SQL(kind)
                )
            )


def attach_partition(conn: psycopg.Connection, mart: str, publication_id: int) -> None:
    """Attach `build.<mart>` to `published.<mart>` as a partition; no row is copied."""
    partition = f"{mart}_p{publication_id}"
    names = {"mart": sql.Identifier(mart), "partition": sql.Identifier(partition), "id": sql.Literal(publication_id)}
    conn.execute(sql.SQL("alter table build.{mart} add publication_id bigint not null default {id}").format(**names))
    build = columns_of(conn, "build", mart)
    for name, (kind, _) in columns_of(conn, "published", mart).items():
        if name not in build:
            conn.execute(
                sql.SQL("alter table build.{} add {} {}").format(names["mart"], sql.Identifier(name), sql.SQL(kind))
            )
    conn.execute(sql.SQL("alter table build.{mart} rename to {partition}").format(**names))
    conn.execute(sql.SQL("alter table build.{partition} set schema published").format(**names))
    # All earlier grantees lose access, so that the table can be read only through published.<mart> and its row-level security
    # policies.
    conn.execute(sql.SQL("alter table published.{partition} owner to publisher").format(**names))
    for (grantee,) in conn.execute(GRANTEES, {"table": f"published.{partition}"}).fetchall():
        conn.execute(
            sql.SQL("revoke all on published.{partition} from {grantee}").format(
                **names, grantee=sql.Identifier(grantee) if grantee else sql.SQL("public")
            )
        )
    conn.execute(
        sql.SQL("alter table published.{mart} attach partition published.{partition} for values in ({id})").format(
            **names
        )
    )


def bind_to_date(conn: psycopg.Connection, mart: str, publication_id: int, day: date) -> None:
    """Add a check constraint for the partition's business date, so that queries for other dates skip it
    (constraint exclusion).
    """
    conn.execute(
        sql.SQL("alter table published.{} add constraint has_one_date check (as_of_date = {})").format(
            sql.Identifier(f"{mart}_p{publication_id}"), sql.Literal(day)
        )
    )


GRANTEES = """
    select distinct rolname::text
    from (
        select relacl as acl from pg_class where oid = to_regclass(%(table)s)
        union all
        select attacl from pg_attribute where attrelid = to_regclass(%(table)s)
    ) as rights
    cross join aclexplode(acl)
    left join pg_roles on pg_roles.oid = grantee
    where rolname is distinct from 'publisher'
"""
