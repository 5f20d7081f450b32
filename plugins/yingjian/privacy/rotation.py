"""Another secret of the person keys: every key is made anew, in one transaction.

docs/decisions/person-key-rotation.md says what happens to what was written under the old secret.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from yingjian.privacy import person_key
from yingjian.privacy.audit_trail import record
from yingjian.privacy.person_key import fingerprint, person_keys
from yingjian.settings import Settings, SetupError

NEXT = "person_key_next"
_CHUNK = 100_000
_WAIT_SECONDS = 60


@dataclass(frozen=True)
class Rotation:
    """What a rotation did: fingerprints of the secrets, how many persons have another key now."""

    before: str
    after: str
    persons: int


def settle(conn: psycopg.Connection[Any], settings: Settings) -> None:
    """Have the warehouse know the secret's fingerprint, and finish a rotation that broke off after its commit.

    A warehouse from before fingerprints takes the secret that its keys were made with and no other.
    """
    known = person_key.known(conn)
    if known is None:
        sample = _a_person(conn)
        if sample is None or _keys(settings.person_secret, [sample[1:]]) == [sample[0]]:
            conn.execute(
                "insert into access.person_secret (fingerprint) values (%s)", (fingerprint(settings.person_secret),)
            )
    elif settings.given_person_key is None and known != fingerprint(settings.person_secret):
        following = settings.existing_secret(NEXT)
        if following is not None and known == fingerprint(following.encode()):
            _switch(settings, fingerprint(settings.person_secret))


def rotate(conn: psycopg.Connection[Any], settings: Settings, given: str | None, actor: str, reason: str) -> Rotation:
    """Give every person another key, made with a new secret, in one transaction; then put the new secret in its place.

    given: the new secret where the home does not keep it (YINGJIAN_PERSON_KEY is set). Whatever stops it leaves all keys
    old or all new. Raises ValueError without a reason, SetupError when the secret at hand is not the warehouse's or a run
    is at work.
    """
    if not reason.strip():
        raise ValueError("say why with --reason: it goes into the trail")
    if (settings.given_person_key is None) != (given is None):
        raise SetupError(
            "YINGJIAN_PERSON_KEY is set: set YINGJIAN_PERSON_KEY_NEXT to the new secret"
            if given is None
            else "YINGJIAN_PERSON_KEY_NEXT is set, but this home keeps the secret itself: leave it unset"
        )
    old = settings.person_secret
    new = (given or settings.secret(NEXT)).encode()
    before, after = fingerprint(old), fingerprint(new)
    if before == after:
        raise SetupError("the new secret is the old one: nothing to rotate")
    conn.commit()
    with conn.transaction():
        conn.execute(f"set local lock_timeout = '{_WAIT_SECONDS}s'")
        try:
            conn.execute("select pg_advisory_xact_lock(hashtext('yingjian.publish'))")
            conn.execute(f"select pg_advisory_xact_lock({person_key.LOCK})")
            person_key.require(conn, old)
            tables = _lock(conn)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            raise SetupError("a run is at work: nothing was changed, run again when it has ended") from None
        persons = _map(conn, tables, old, new)
        # Everything is rewritten alike, so nothing changes that dbt would have to read again.
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
    if given is None:
        _switch(settings, before)
    return Rotation(before, after, persons)


def _switch(settings: Settings, before: str) -> None:
    """The new secret in place of the old one, which is kept beside it under its fingerprint."""
    folder = settings.home / "secrets"
    retired = folder / f"person_key_{before}.json"
    if not retired.exists():
        os.link(folder / "person_key.json", retired)
    os.replace(folder / f"{NEXT}.json", folder / "person_key.json")
    vars(settings).pop("person_secret", None)


def keys_of(settings: Settings, id_type: str, id_number: str) -> list[str]:
    """Every key that a person has had in this warehouse, the present one first, as far as the secrets are at hand."""
    retired = sorted((settings.home / "secrets").glob("person_key_[0-9a-f]*.json"))
    secrets = [settings.person_secret, *(settings.secret(path.stem).encode() for path in retired)]
    return [key for secret in secrets for key in _keys(secret, [(id_type, id_number)])]


def _a_person(conn: psycopg.Connection[Any]) -> tuple[str, str, str] | None:
    for table in _tables(conn):
        if table.schema == "staging" and table.is_identified:
            row = conn.execute(
                sql.SQL("select person_key, id_type, id_number from {} limit 1").format(table.identifier)
            ).fetchone()
            if row:
                return str(row[0]), str(row[1]), str(row[2])
    return None


def _keys(secret: bytes, documents: list[tuple[str, str]]) -> list[str]:
    typed = pl.DataFrame(documents, schema={"id_type": pl.String, "id_number": pl.String}, orient="row")
    return list(person_keys(typed, secret))


@dataclass(frozen=True)
class _Table:
    """A table in which keys stand: in `person_key`, where it has that column, and within its texts."""

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
        """Whether the documents that the keys are made of stand beside them."""
        return {"person_key", "id_type", "id_number"} <= set(self.texts)


def _tables(conn: psycopg.Connection[Any]) -> list[_Table]:
    rows = conn.execute(
        """
        select nspname, relname, array_agg(attname::text order by attnum)
        from pg_class
        inner join pg_namespace on pg_namespace.oid = relnamespace
        inner join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
        where relkind = 'r' and nspname in ('staging', 'intermediate', 'build', 'published') and atttypid = 'text'::regtype
        group by nspname, relname order by nspname, relname
        """
    )
    return [_Table(schema, name, tuple(texts)) for schema, name, texts in rows]


def _lock(conn: psycopg.Connection[Any]) -> list[_Table]:
    """Have all of them to oneself, and no model in the making; readers of what is published go on reading."""
    locked: set[_Table] = set()
    while missing := [table for table in _tables(conn) if table not in locked]:
        for table in missing:
            mode = "exclusive" if table.schema == "published" else "access exclusive"
            conn.execute(sql.SQL(f"lock table {{}} in {mode} mode").format(table.identifier))
        locked.update(missing)
    return sorted(locked, key=lambda table: (table.schema, table.name))


def _map(conn: psycopg.Connection[Any], tables: list[_Table], old: bytes, new: bytes) -> int:
    """The temporary table `rekeyed`: old key, new key of every person; returns how many."""
    conn.execute("create temporary table rekeyed (old text not null, new text not null) on commit drop")
    identified = [table for table in tables if table.is_identified]
    for chunk in _chunks(conn, "distinct id_type, id_number", identified):
        _copy(conn, zip(_keys(old, chunk), _keys(new, chunk), strict=True))
    # Of whom nothing is left but the key: no document to make the new one from, so it comes from the old one.
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
    """The new keys in place of the old: in `person_key`, and wherever a text of the row has the key within it."""
    texts = [sql.Identifier(name) for name in table.texts]
    assignments = sql.SQL(", ").join(
        sql.SQL("{0} = replace(t.{0}, mapped.old, mapped.new)").format(name) for name in texts
    )
    update = sql.SQL("update {} as t set {} from pg_temp.mapped where ").format(table.identifier, assignments)
    if table.has_person:
        conn.execute(update + sql.SQL("t.person_key = mapped.old"))
        return
    # A table without the column names a person within its texts at most.
    for name in texts:
        conn.execute(
            sql.SQL("update {} as t set {} = replace(t.{}, mapped.old, mapped.new) from pg_temp.mapped").format(
                table.identifier, name, name
            )
            + sql.SQL(" where substring(t.{} from '[0-9a-f]{{64}}') = mapped.old").format(name)
        )
