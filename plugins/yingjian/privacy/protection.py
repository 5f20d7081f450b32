"""This module sets up row-level security on published tables. A mart's YAML says who sees which rows.

The same rule applies to every reader (docs/decisions/one-audience-rule.md). Logins of readers query views of `view_owner`;
the report, the packs and the portal query the tables as `reporter`. The policy applies to both roles and calls functions of
sql/26_access.sql for the current audience. A mart without an audience shows no row to a community, a grid or a department:
access is denied by default. A row without a grid belongs to its community alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import LiteralString

import psycopg
from psycopg import sql

from yingjian.modelling.marts import COLUMNS_OF_KIND, Mart
from yingjian.people.audience import IN_COMMUNITY

READERS = ("view_owner", "reporter")
# These roles read all rows: dbt compares earlier publications, and retention (as loader) looks for persons with open items.
SERVICES = ("transformer", "loader")

# Each condition selects the rows of one kind of reader, by the column that assigns a row to it. Several departments may share
# a group. The functions are called in subqueries, so that PostgreSQL evaluates each once per query and not once per row.
_CONDITIONS = {
    "community": "community = any ((select access.names_of('community'))::text[])",
    "communities": "communities && (select access.names_of('community'))::text[]",
    "department": "string_to_array(department, '、') && (select access.names_of('department'))::text[]",
    # The first condition is evaluated once per query, so that other readers do not pay for concatenating names in each row.
    "grid": (
        "((select cardinality(access.names_of('grid')) > 0)"
        " and community <> '' and grid <> ''"
        f" and (community || '{IN_COMMUNITY}' || grid) = any ((select access.names_of('grid'))::text[]))"
    ),
}

_POLICIES: tuple[LiteralString, ...] = (
    "alter table {mart} enable row level security",
    "drop policy if exists readers on {mart}",
    "drop policy if exists services on {mart}",
    "create policy readers on {mart} for select to {readers} using ({rule})",
    "create policy services on {mart} for select to {services} using (true)",
)


def row_rule(mart: Mart, columns: Collection[str]) -> str:
    """Return the condition under which a reader sees a row of a published mart that has these columns.

    A login sees a person of a restricted mart only for an hour after looking that person up. The reporter sees all persons,
    because it joins them to rows of the audience's part.
    """
    if mart.reader_schema == "restricted":
        return "(select access.sees_all_persons()) or access.may_read_person(person_key)"
    if mart.rows == "town":
        return "(select access.is_reader())"
    return own_part(mart, columns)


def own_part(mart: Mart, columns: Collection[str]) -> str:
    """Return the condition under which a row belongs to the reader's part of the town.

    `columns` are those that the table has: an audience column of a new version exists from the next publication on.
    """
    named = (mart.column_of(kind, columns) for kind in COLUMNS_OF_KIND)
    conditions = ["(select access.sees_office())", *(_CONDITIONS[column] for column in named if column)]
    if mart.everyones and mart.everyones in columns:
        conditions.append(f"{mart.everyones} and (select access.is_reader())")
    return " or ".join(conditions)


def protect(conn: psycopg.Connection, mart: Mart, columns: Collection[str]) -> None:
    """Create the policies of `published.<mart>`; if they are up to date, nothing is locked and nothing changes."""
    names = {
        "mart": sql.Identifier("published", mart.name),
        "readers": sql.SQL(", ").join(map(sql.Identifier, READERS)),
        "services": sql.SQL(", ").join(map(sql.Identifier, SERVICES)),
        "rule": sql.SQL(row_rule(mart, columns)),
    }
    statements = [sql.SQL(statement).format(**names) for statement in _POLICIES]
    digest = hashlib.sha256("".join(statement.as_string() for statement in statements).encode()).hexdigest()[:16]
    row = conn.execute(
        """
        select obj_description(policy.oid, 'pg_policy') from pg_policy as policy
        inner join pg_class as mart on mart.oid = policy.polrelid and mart.relrowsecurity
        where mart.oid = to_regclass(%s) and policy.polname = 'readers'
        """,
        (f"published.{mart.name}",),
    ).fetchone()
    if row and row[0] == digest:
        return
    for statement in statements:
        conn.execute(statement)
    conn.execute(sql.SQL("comment on policy readers on {mart} is {digest}").format(**names, digest=sql.Literal(digest)))
