"""A rotation recomputes every person key with a new secret, in one transaction.

docs/decisions/person-key-rotation.md says what happens to texts that contain keys of the old secret.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from yingjian.database import locks
from yingjian.modelling import spark_export
from yingjian.privacy import person_key
from yingjian.privacy.audit_trail import record, require_reason
from yingjian.privacy.person_key import fingerprint, keys_of_documents
from yingjian.settings import Settings, SetupError

NEXT = "person_key_next"
_CHUNK = 100_000
_WAIT_SECONDS = 60


@dataclass(frozen=True)
class Rotation:
    """The result of a rotation: the fingerprints of both secrets, and the number of persons whose keys were changed."""

    before: str
    after: str
    persons: int


def settle(conn: psycopg.Connection[Any], settings: Settings) -> None:
    """Store the secret's fingerprint in the warehouse, and finish a rotation that was interrupted after its commit.

    An older warehouse without a fingerprint only accepts the secret that made its keys.
    """
    warehouse_fingerprint = person_key.known_fingerprint(conn)
    if warehouse_fingerprint is None:
        sample = _a_person(conn)
        if sample is None or keys_of_documents(settings.person_secret, [sample[1:]]) == [sample[0]]:
            conn.execute(
                "insert into access.person_secret (fingerprint) values (%s)", (fingerprint(settings.person_secret),)
            )
    elif settings.given_person_key is None and warehouse_fingerprint != fingerprint(settings.person_secret):
        following = settings.existing_secret(NEXT)
        if following is not None and warehouse_fingerprint == fingerprint(following.encode()):
            _switch(settings, fingerprint(settings.person_secret))


def rotate(
    conn: psycopg.Connection[Any], settings: Settings, new_secret: str | None, actor: str, reason: str
) -> Rotation:
    """Replace every person key by one made with a new secret, in one transaction; then make the new secret the current one.

    new_secret: the new secret, if the home does not keep it (YINGJIAN_PERSON_KEY is set). After an interruption all keys are
    old or all are new. Raises ValueError without a reason, and SetupError when the current secret is not the warehouse's or
    when a run holds the locks.
    """
    require_reason(reason)
    if (settings.given_person_key is None) != (new_secret is None):
        raise SetupError(
            "YINGJIAN_PERSON_KEY is set: set YINGJIAN_PERSON_KEY_NEXT to the new secret"
            if new_secret is None
            else "YINGJIAN_PERSON_KEY_NEXT is set, but this home keeps the secret itself: leave it unset"
        )
    old = settings.person_secret
    new = (new_secret or settings.secret(NEXT)).encode()
    before, after = fingerprint(old), fingerprint(new)
    if before == after:
        raise SetupError("the new secret is the old one: nothing to rotate")
    conn.commit()
    with conn.transaction():
        conn.execute(f"set local lock_timeout = '{_WAIT_SECONDS}s'")
        try:
            for name in (locks.PUBLISHING, locks.SPARK, locks.PERSON_KEYS):
                locks.hold(conn, name)
            person_key.require(conn, old)
            tables = _lock(conn)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            raise SetupError("a run is at work: nothing was changed, run again when it has ended") from None
        persons = _map(conn, tables, old, new)
        # Every row is rewritten in the same way, so dbt need not read the samples again.
        conn.execute(
            "alter table staging.test_results disable trigger samples_locked, disable trigger samples_replaced"
        )
        for table in tables:
            _rewrite(conn, table)
        conn.execute("alter table staging.test_results enable trigger samples_locked, enable trigger samples_replaced")
        conn.execute("delete from access.look")
        conn.execute("update access.person_secret set fingerprint = %s, since = now()", (after,))
        record(
            conn, actor, "rotate_person_key", "person_key", reason.strip(), before=before, after=after, persons=persons
        )
    if new_secret is None:
        _switch(settings, before)
    _forget(conn)
    spark_export.forget_stale(settings)
    return Rotation(before, after, persons)


def _switch(settings: Settings, before: str) -> None:
    """Replace the old secret by the new one; the old one is kept in a file named after its fingerprint."""
    folder = settings.home / "secrets"
    retired = folder / f"person_key_{before}.json"
    if not retired.exists():
        os.link(folder / "person_key.json", retired)
    os.replace(folder / f"{NEXT}.json", folder / "person_key.json")
    vars(settings).pop("person_secret", None)


def _forget(conn: psycopg.Connection[Any]) -> None:
    """Vacuum and analyze the tables, because dead rows and the planner's statistics still contain the old keys."""
    conn.commit()
    tables = conn.execute(
        """
        select nspname, relname from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace
        where relkind in ('r', 'p') and nspname in ('staging', 'intermediate', 'build', 'published') order by 1, 2
        """
    ).fetchall()
    conn.commit()
    conn.autocommit = True
    for schema, name in tables:
        conn.execute(sql.SQL("vacuum (analyze) {}").format(sql.Identifier(schema, name)))
    conn.autocommit = False


def retired(settings: Settings) -> list[Path]:
    """Return the files of earlier secrets that are still in the home."""
    return sorted((settings.home / "secrets").glob(f"person_key_{'[0-9a-f]' * 16}.json"))


def keys_of(settings: Settings, id_type: str, id_number: str) -> list[str]:
    """Return all keys of a person, the current one first, for every secret that this home still has."""
    secrets = [settings.person_secret, *(settings.secret(path.stem).encode() for path in retired(settings))]
    return [key for secret in secrets for key in keys_of_documents(secret, [(id_type, id_number)])]


def _a_person(conn: psycopg.Connection[Any]) -> tuple[str, str, str] | None:
    for table in _tables(conn):
        if table.schema == "staging" and table.is_identified:
            row = conn.execute(
                sql.SQL("select person_key, id_type, id_number from {} limit 1").format(table.identifier)
            ).fetchone()
            if row:
                return str(row[0]), str(row[1]), str(row[2])
    return None


@dataclass(frozen=True)
class _Table:
    """A table that can contain keys: in the column `person_key`, if it has one, and inside other texts."""

    schema: str
    name: str
    texts: tuple[str, ...]

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    @property
    def has_person(self) -> bool:
        return "person_key" in self.texts

    @property
    def is_identified(self) -> bool:
        """Return whether the table also holds the identity documents from which the keys are made."""
        return {"person_key", "id_type", "id_number"} <= set(self.texts)


def _tables(conn: psycopg.Connection[Any]) -> list[_Table]:
    rows = conn.execute(
        """
        select nspname, relname, array_agg(attname::text order by attnum)
        from pg_class
        inner join pg_namespace on pg_namespace.oid = relnamespace
        inner join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
        where relkind = 'r' and atttypid = 'text'::regtype and (
            nspname in ('staging', 'intermediate', 'build', 'published')
            or pg_class.oid = 'portal.disposition'::regclass
        )
        group by nspname, relname order by nspname, relname
        """
    )
    return [_Table(schema, name, tuple(texts)) for schema, name, texts in rows]


def _lock(conn: psycopg.Connection[Any]) -> list[_Table]:
    """Lock all tables against other writers and builds; published tables stay readable."""
    locked: set[_Table] = set()
    while missing := [table for table in _tables(conn) if table not in locked]:
        for table in missing:
            mode = "exclusive" if table.schema == "published" else "access exclusive"
            conn.execute(sql.SQL(f"lock table {{}} in {mode} mode").format(table.identifier))
        locked.update(missing)
    return sorted(locked, key=lambda table: (table.schema, table.name))


def _map(conn: psycopg.Connection[Any], tables: list[_Table], old: bytes, new: bytes) -> int:
    """Create the temporary table `mapped` with the old and the new key of every person; return the number of persons."""
    conn.execute("create temporary table rekeyed (old text not null, new text not null) on commit drop")
    identified = [table for table in tables if table.is_identified]
    for chunk in _chunks(conn, "distinct id_type, id_number", identified):
        _copy(conn, zip(keys_of_documents(old, chunk), keys_of_documents(new, chunk), strict=True))
    # Rows of a corrected document have the key of the right document, which may not have any rows of its own.
    right = conn.execute("select right_id_type, right_id_number from staging.document_correction").fetchall()
    _copy(conn, zip(keys_of_documents(old, right), keys_of_documents(new, right), strict=True))
    # Some persons have a key but no document any more, so their new key is computed from the old one.
    conn.execute("create temporary table known on commit drop as select distinct old from rekeyed")
    for chunk in _chunks(conn, "distinct person_key", [table for table in tables if table.has_person], "known"):
        _copy(conn, ((key, hmac.new(new, f"rekeyed|{key}".encode(), hashlib.sha256).hexdigest()) for (key,) in chunk))
    conn.execute("create temporary table mapped on commit drop as select distinct old, new from rekeyed")
    conn.execute("create unique index on pg_temp.mapped (old)")
    conn.execute("create unique index on pg_temp.mapped (new)")
    conn.execute("analyze pg_temp.mapped")
    row = conn.execute("select count(*) from pg_temp.mapped").fetchone()
    assert row is not None
    return int(row[0])


def _chunks(
    conn: psycopg.Connection[Any], columns: str, tables: list[_Table], but: str | None = None
) -> Iterator[list[tuple[Any, ...]]]:
    for table in tables:
        query = sql.SQL(f"select {columns} from {{}}").format(table.identifier)
        query += sql.SQL(
            f" where person_key not in (select old from pg_temp.{but})" if but else " where person_key is not null"
        )
        with conn.cursor(name="rekeying") as cursor:
            cursor.execute(query)
            while chunk := cursor.fetchmany(_CHUNK):
                yield chunk


def _copy(conn: psycopg.Connection[Any], pairs: Iterable[tuple[str, str]]) -> None:
    with conn.cursor() as cursor, cursor.copy("copy pg_temp.rekeyed (old, new) from stdin") as copy:
        for pair in pairs:
            copy.write_row(pair)


def _rewrite(conn: psycopg.Connection[Any], table: _Table) -> None:
    """Replace the old keys by the new ones, in `person_key` and inside the row's other texts."""
    texts = [sql.Identifier(name) for name in table.texts]
    assignments = sql.SQL(", ").join(
        sql.SQL("{0} = replace(t.{0}, mapped.old, mapped.new)").format(name) for name in texts
    )
    update = sql.SQL("update {} as t set {} from pg_temp.mapped where ").format(table.identifier, assignments)
    if table.has_person:
        conn.execute(update + sql.SQL("t.person_key = mapped.old"))
        return
    # A table without the column can contain keys only inside its texts.
    for name in texts:
        conn.execute(
            sql.SQL("update {} as t set {} = replace(t.{}, mapped.old, mapped.new) from pg_temp.mapped").format(
                table.identifier, name, name
            )
            + sql.SQL(" where substring(t.{} from '[0-9a-f]{{64}}') = mapped.old").format(name)
        )
