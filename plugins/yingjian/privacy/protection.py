"""Row-level security of what is published: who sees which rows, by what a mart's YAML says of it.

Readers query views of `view_owner`; the policies below are that role's, and ask who the login is (sql/26_access.sql).
A mart without an audience shows a community or a department nothing: default deny.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

import psycopg
from psycopg import sql

from yingjian.modelling.marts import Mart

# Roles that read whole marts: what writes the pages; dbt, which restates what it made; retention, which asks who has
# something open.
SERVICES = ("reporter", "transformer", "loader")


def row_rule(mart: Mart, columns: Collection[str]) -> str:
    """The condition under which a reader sees a row of a published mart that has these columns.

    A column that a new version adds to the audience is there from the next publication on. The functions stand in
    subqueries, so that each is evaluated once per query and not per row.
    """
    if mart.reader_schema == "restricted":
        return "(select access.sees_all_persons()) or access.may_read_person(person_key)"
    if mart.rows == "town":
        return "(select access.is_reader())"
    audience = set(mart.audience) & set(columns)
    parts = ["(select access.sees_office())"]
    if "community" in audience:
        parts.append("community = any ((select access.communities())::text[])")
    elif "communities" in audience:
        parts.append("communities && (select access.communities())::text[]")
    if "department" in audience:
        # Several departments may be competent for one group.
        parts.append("string_to_array(department, '、') && (select access.departments())::text[]")
    return " or ".join(parts)


def protect(conn: psycopg.Connection, mart: Mart, columns: Collection[str]) -> None:
    """Put the policies of `published.<mart>` in place; where they are, nothing is locked and nothing changes."""
    rule = row_rule(mart, columns)
    digest = hashlib.sha256(f"{rule} {SERVICES}".encode()).hexdigest()[:16]
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
    names = {
        "mart": sql.Identifier("published", mart.name),
        "services": sql.SQL(", ").join(map(sql.Identifier, SERVICES)),
        "rule": sql.SQL(rule),
        "digest": sql.Literal(digest),
    }
    for statement in (
        "alter table {mart} enable row level security",
        "drop policy if exists readers on {mart}",
        "drop policy if exists services on {mart}",
        "create policy readers on {mart} for select to view_owner using ({rule})",
        "create policy services on {mart} for select to {services} using (true)",
        "comment on policy readers on {mart} is {digest}",
    ):
        conn.execute(sql.SQL(statement).format(**names))
