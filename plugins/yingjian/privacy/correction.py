"""A correction assigns rows sent under a wrong document number to the right person (docs/decisions/document-correction.md).

Staging keeps each row as it was sent; only its person key is changed to that of the right document. A correction can be
withdrawn, because the rows still have the document number that was sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from yingjian.database import locks
from yingjian.privacy import person_key
from yingjian.privacy.audit_trail import record, require_reason


@dataclass(frozen=True)
class Document:
    """An identity document: its type and number, as landing normalizes them. Its repr shows neither."""

    id_type: str
    id_number: str

    def __repr__(self) -> str:
        return "Document(…)"


def declare(
    conn: psycopg.Connection[Any], secret: bytes, wrong: Document, right: Document, actor: str, reason: str
) -> int:
    """Assign the present and future rows of a wrong document to the person of the right one; return the number of rows.

    Raises ValueError without a reason, and when another correction names either document in a way that would make the result
    depend on the order of the declarations.
    """
    require_reason(reason)
    if wrong == right:
        raise ValueError("both documents are the same: nothing to correct")
    with conn.transaction():
        tables = _lock(conn, secret)
        for document, column, words in (
            (wrong, "", "the wrong document was corrected already: withdraw that correction first"),
            (right, "", "the right document was itself corrected: name the one that it was corrected to"),
            (wrong, "right_", "another document was corrected to the wrong one: withdraw that correction first"),
        ):
            if conn.execute(
                f"select 1 from staging.document_correction where ({column}id_type, {column}id_number) = (%s, %s)",  # type: ignore[arg-type]
                (document.id_type, document.id_number),
            ).fetchone():
                raise ValueError(words)
        wrong_key, right_key = person_key.keys_of_documents(
            secret, [(one.id_type, one.id_number) for one in (wrong, right)]
        )
        conn.execute(
            """
            insert into staging.document_correction (id_type, id_number, person_key, right_id_type, right_id_number)
            values (%s, %s, %s, %s, %s)
            """,
            (wrong.id_type, wrong.id_number, wrong_key, right.id_type, right.id_number),
        )
        rows = sum(
            conn.execute(
                sql.SQL("update {} set person_key = %s where person_key = %s").format(table), (right_key, wrong_key)
            ).rowcount
            for table in tables
        )
        _read_samples_anew(conn)
        record(conn, actor, "correct_document", right_key, reason.strip(), wrong=wrong_key, rows=rows)
    return rows


def withdraw(conn: psycopg.Connection[Any], secret: bytes, wrong: Document, actor: str, reason: str) -> int:
    """Undo the correction of a document; return the number of rows changed. Raises ValueError when it was not corrected."""
    require_reason(reason)
    with conn.transaction():
        tables = _lock(conn, secret)
        row = conn.execute(
            "delete from staging.document_correction where (id_type, id_number) = (%s, %s) returning person_key",
            (wrong.id_type, wrong.id_number),
        ).fetchone()
        if row is None:
            raise ValueError("no correction of this document is declared")
        rows = sum(
            conn.execute(
                sql.SQL("update {} set person_key = %s where (id_type, id_number) = (%s, %s)").format(table),
                (row[0], wrong.id_type, wrong.id_number),
            ).rowcount
            for table in tables
        )
        _read_samples_anew(conn)
        record(conn, actor, "withdraw_correction", row[0], reason.strip(), rows=rows)
    return rows


def _read_samples_anew(conn: psycopg.Connection[Any]) -> None:
    """Have the next build read all samples, because samples sent under both documents merge or split."""
    conn.execute("insert into staging.sample_change default values")


def right_keys(conn: psycopg.Connection[Any], secret: bytes) -> dict[str, str]:
    """Return the replacement key of each corrected document, by the document's own key."""
    rows = conn.execute("select person_key, right_id_type, right_id_number from staging.document_correction").fetchall()
    if not rows:
        return {}
    keys = person_key.keys_of_documents(secret, [(id_type, id_number) for _, id_type, id_number in rows])
    return {wrong: right for (wrong, *_), right in zip(rows, keys, strict=True)}


def documents_of(conn: psycopg.Connection[Any], document: Document) -> list[Document]:
    """Return all documents of a person that corrections connect, `document` first."""
    rows = conn.execute(
        """
        with asked as (
            select %(id_type)s as id_type, %(id_number)s as id_number
        ),

        named as (
            select coalesce(right_id_type, asked.id_type) as id_type, coalesce(right_id_number, asked.id_number) as id_number
            from asked left join staging.document_correction using (id_type, id_number)
        )

        select id_type, id_number from named
        union
        select correction.id_type, correction.id_number
        from named
        inner join staging.document_correction as correction
            on (correction.right_id_type, correction.right_id_number) = (named.id_type, named.id_number)
        """,
        {"id_type": document.id_type, "id_number": document.id_number},
    ).fetchall()
    return sorted((Document(*row) for row in rows), key=lambda one: one != document)


def forget(conn: psycopg.Connection[Any], before: date) -> tuple[int, int]:
    """Delete corrections declared before a day that no row needs any more; return how many were deleted, and how many stay."""
    old = "(declared_at at time zone 'Asia/Shanghai')::date < %(before)s"
    row = conn.execute(f"select count(*) from staging.document_correction where {old}", {"before": before}).fetchone()  # type: ignore[arg-type]
    assert row is not None
    if not row[0]:
        return 0, 0
    rest = sql.SQL(" and ").join(
        sql.SQL(
            "not exists (select from {} as t where (t.id_type, t.id_number)"
            " in ((c.id_type, c.id_number), (c.right_id_type, c.right_id_number)))"
        ).format(table)
        for table in _tables(conn)
    )
    deleted = conn.execute(
        sql.SQL("delete from staging.document_correction as c where {} and {}").format(sql.SQL(old), rest),  # type: ignore[arg-type]
        {"before": before},
    ).rowcount
    return deleted, row[0] - deleted


def _names(conn: psycopg.Connection[Any]) -> list[str]:
    """Return the feeds whose rows belong to a person."""
    rows = conn.execute(
        """
        select relname::text from pg_class
        where relnamespace = 'staging'::regnamespace and relkind = 'r' and relname <> 'document_correction'
        and (
            select count(*) from pg_attribute
            where attrelid = pg_class.oid and attname in ('person_key', 'id_type', 'id_number') and not attisdropped
        ) = 3
        order by relname
        """
    ).fetchall()
    return [name for (name,) in rows]


def _tables(conn: psycopg.Connection[Any]) -> list[sql.Identifier]:
    return [sql.Identifier("staging", name) for name in _names(conn)]


def _lock(conn: psycopg.Connection[Any], secret: bytes) -> list[sql.Identifier]:
    """Block landing until the transaction ends. Feeds are locked in landing's order, to avoid deadlocks."""
    for name in _names(conn):
        locks.hold(conn, locks.landing(name))
    locks.hold(conn, locks.PERSON_KEYS)
    person_key.require(conn, secret)
    return _tables(conn)
