"""Creates the views and row-level security policies through which readers see a mart's current publication."""

from __future__ import annotations

import hashlib

import psycopg
from psycopg import sql

from yingjian.modelling.marts import HISTORY_COLUMNS, Mart, published
from yingjian.privacy.protection import protect
from yingjian.publishing.catalog import columns_of


def protect_published(conn: psycopg.Connection) -> None:
    """Ensure the policies and reader views of every mart that was ever published.

    Before the first publication, only published.obligation and published.overdue_episode exist, empty and without policies.
    """
    if conn.execute("select exists (select from published.publication)").fetchone() != (True,):
        return
    for mart in published().values():
        if columns := columns_of(conn, "published", mart.name):
            protect(conn, mart, columns)
            ensure_reader_view(conn, mart)


def ensure_reader_view(conn: psycopg.Connection, mart: Mart) -> None:
    """Create the reader view, or replace it only if its definition changed, so that nobody waits for its lock.

    A reader's condition must not be evaluated on rows that the policies hide: PostgreSQL evaluates leakproof operators before a
    policy, and `explain (analyze)` shows how many rows they removed (docs/decisions/plans.md).
    """
    columns = [name for name in columns_of(conn, "published", mart.name) if name != "publication_id"]
    names = {
        "view": sql.Identifier(mart.reader_schema, mart.name),
        "own_part": sql.Identifier("own_part", mart.name),
        "published": sql.Identifier("published", mart.name),
        "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
        "office_columns": sql.SQL(", ").join(
            _OWN_GRID.format(sql.Identifier(name)) if mart.rows == "persons" and name in GRIDS else sql.Identifier(name)
            for name in columns
        ),
        "shown": _shown_columns(conn, mart, columns),
        "publications": sql.SQL(_shown_publications(mart)),
        "looked_at": sql.Identifier("restricted", f"{mart.name}_looked_at"),
    }
    definition = [
        statement.format(**names)
        for statement in (_LOOKED_AT_VIEW if mart.reader_schema == "restricted" else _READER_VIEW)
    ]
    digest = hashlib.sha256("".join(statement.as_string() for statement in definition).encode()).hexdigest()[:16]
    row = conn.execute(
        """
        select obj_description(oid, 'pg_rewrite') from pg_rewrite
        where ev_class = to_regclass(%s) and rulename = '_RETURN'
        """,
        (f"{mart.reader_schema}.{mart.name}",),
    ).fetchone()
    if not row or row[0] != digest:
        for statement in definition:
            conn.execute(statement)
        conn.execute(
            sql.SQL('comment on rule "_RETURN" on {view} is {digest}').format(**names, digest=sql.Literal(digest))
        )
    _copy_comments(conn, mart)


def _shown_columns(conn: psycopg.Connection, mart: Mart, columns: list[str]) -> sql.Composable:
    """Return the view's select list. An existing view must keep the order of its columns, so new ones are appended."""
    before = list(columns_of(conn, mart.reader_schema, mart.name))
    names = [*columns, *HISTORY_COLUMNS] if mart.is_history else columns
    return sql.SQL(", ").join(
        _IS_CURRENT if name == "is_current" and mart.is_history else sql.Identifier(name)
        for name in sorted(names, key=lambda name: before.index(name) if name in before else len(before))
    )


# The office decides whether its logins see a person's grid and building (docs/decisions/small-cells.md).
GRIDS = ("grid", "building")
_OWN_GRID = sql.SQL("case when (select access.sees_grids()) then {0} end as {0}")
_IS_CURRENT = sql.SQL("publication_id = (select publication_id from published.current) as is_current")


def _shown_publications(mart: Mart) -> str:
    if mart.is_history:
        return """
        in (
            select distinct on (as_of_date) publication_id from published.publication
            order by as_of_date, publication_id desc
        )"""
    return f"= (select publication_id from published.{'released' if mart.is_signed_off else 'current'})"


# A login that sees the whole town reads the table directly, with its indexes. Other logins read it behind an optimisation
# fence: PostgreSQL pushes no condition into a subquery with OFFSET, and uses no statistics below a security_barrier view. The
# planner drops the unused branch, since it evaluates `plans_as_office` at planning time.
_READER_VIEW = (
    sql.SQL(
        """
        create or replace view {own_part} with (security_barrier) as
        select publication_id, {columns} from {published} where publication_id {publications} offset 0
        """
    ),
    sql.SQL("alter view {own_part} owner to view_owner"),
    sql.SQL(
        """
        create or replace view {view} as
        select {shown} from (
            select publication_id, {office_columns}, true as is_of_office from {published}
            union all
            select publication_id, {columns}, false from {own_part}
        ) as branches
        where is_of_office = access.plans_as_office() and publication_id {publications}
        """
    ),
    sql.SQL("alter view {view} owner to view_owner"),
)
# For persons, the function starts from the recorded look-ups, so that no plan reveals anything about anybody else.
_LOOKED_AT_VIEW = (
    sql.SQL(
        """
        create or replace function {looked_at}() returns setof {published}
        language sql stable security definer rows 10 set search_path = pg_catalog, pg_temp as $$
            select person.* from access.persons_looked_at() as looked (person_key)
            inner join {published} as person on looked.person_key = person.person_key
            where person.publication_id {publications}
            union all
            select person.* from {published} as person
            where (select access.sees_all_persons()) and person.publication_id {publications}
        $$
        """
    ),
    sql.SQL("alter function {looked_at} owner to view_owner"),
    sql.SQL("create or replace view {view} with (security_barrier) as select {columns} from {looked_at}()"),
    sql.SQL("alter view {view} owner to view_owner"),
)


def _copy_comments(conn: psycopg.Connection, mart: Mart) -> None:
    """Copy the newest partition's comments to the view. Only differences are written, so that readers do not wait."""
    partition = conn.execute(
        """
        select relname, obj_description(inhrelid, 'pg_class')
        from pg_inherits inner join pg_class as partition on partition.oid = inhrelid
        where inhparent = to_regclass(%s) order by inhrelid desc limit 1
        """,
        (f"published.{mart.name}",),
    ).fetchone()
    if partition is None:  # The mart has no partition left; the view keeps its comments.
        return
    name, comment = partition
    view = sql.Identifier(mart.reader_schema, mart.name)
    before = conn.execute(
        "select obj_description(to_regclass(%s), 'pg_class')", (f"{mart.reader_schema}.{mart.name}",)
    ).fetchone()
    if before != (comment or "",):
        conn.execute(sql.SQL("comment on view {} is {}").format(view, sql.Literal(comment or "")))
    texts = {column: text for column, (_, text) in columns_of(conn, "published", name).items()}
    if mart.is_history:
        texts |= {column: f"{label}: {text}" for column, (label, text) in HISTORY_COLUMNS.items()}
    for column, (_, text) in columns_of(conn, mart.reader_schema, mart.name).items():
        if texts.get(column) and texts[column] != text:
            conn.execute(
                sql.SQL("comment on column {}.{} is {}").format(
                    view, sql.Identifier(column), sql.Literal(texts[column])
                )
            )
