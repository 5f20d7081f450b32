"""A reader cannot stop a service: no locks, no rooms to fill, no other databases; connections and time are limited."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from urllib.parse import urlparse

import psycopg
import pytest

from tests import support
from yingjian.database import warehouse
from yingjian.database.schema import SQL_FOLDER
from yingjian.people.audience import Audience
from yingjian.privacy import access, audit_trail
from yingjian.publishing import pruning
from yingjian.settings import Settings

Connect = Callable[..., psycopg.Connection]
SERVICES = ("loader", "transformer", "auditor", "publisher", "reporter")


@pytest.fixture(scope="module")
def password(guarded: Settings) -> Iterator[str]:
    """A login that reads one community, and may look at persons."""
    with warehouse.connect(guarded) as conn:
        password = access.grant(conn, "reader", [Audience("community", "东里社区")], True, "tester", "for a test")
    assert password
    yield password
    with warehouse.connect(guarded) as conn:
        access.revoke(conn, "reader", [], False, "tester", "the test is over")


@pytest.fixture(params=["bi_reader", "reader"])
def as_reader(guarded: Settings, password: str, request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Connects as a reader, to the warehouse unless told."""
    with ExitStack() as stack:

        def connect(database: str = "yingjian") -> psycopg.Connection:
            parsed = urlparse(warehouse.uri(guarded, "bi_reader"))
            if request.param == "reader":
                parsed = parsed._replace(netloc=f"reader:{password}@{parsed.hostname}:{parsed.port}")
            conn = psycopg.connect(parsed._replace(path=f"/{database}").geturl(), autocommit=True)
            return stack.enter_context(conn)

        yield connect


def test_a_reader_takes_no_lock_and_makes_no_large_object(as_reader: Connect) -> None:
    conn = as_reader()
    conn.execute("set default_transaction_read_only to off")
    callable_ones = conn.execute(
        """
        select oid::regprocedure::text from pg_proc
        where (proname ~ 'advisory.*lock' and proname !~ 'unlock' or proname ~ '^lo(_|read|write)' or proname ~ 'logical_emit')
        and pronamespace = 'pg_catalog'::regnamespace and has_function_privilege(oid, 'execute')
        """
    ).fetchall()
    assert callable_ones == []
    for statement in ("select pg_advisory_lock(hashtext('yingjian.publish'))", "select lo_create(0)"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement)  # type: ignore[arg-type]


def test_services_take_their_locks(guarded: Settings) -> None:
    for service in SERVICES:
        with warehouse.connect(guarded, service) as conn:
            conn.execute("select pg_advisory_xact_lock(1), pg_try_advisory_lock(1), pg_advisory_unlock(1)")


@pytest.mark.parametrize("database", ["postgres", "airflow", "template1"])
def test_a_reader_connects_to_no_other_database(as_reader: Connect, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        as_reader(database)


def test_connections_are_limited_and_some_are_the_services(guarded: Settings, as_reader: Connect) -> None:
    limit = 10 if as_reader().info.user == "reader" else 30
    with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
        for _ in range(limit):
            as_reader()
    may_take = (
        "select array_agg(pg_has_role(name, 'pg_use_reserved_connections', 'usage')) from unnest(%s::text[]) as name"
    )
    assert support.query(guarded, may_take, [*SERVICES, "airflow"]) == [([True] * 6,)]
    assert support.query(guarded, may_take, ["bi_reader", "reader"]) == [([False] * 2,)]
    [(reserved,)] = support.query(guarded, "select current_setting('reserved_connections')::int")
    assert reserved > len(SERVICES)


def test_time_and_room_are_limited(as_reader: Connect) -> None:
    conn = as_reader()
    names = ("statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout", "temp_file_limit")
    assert [conn.execute("select current_setting(%s)", (name,)).fetchone() for name in names] == [
        ("10min",), ("1min",), ("1h",), ("10GB",),
    ]  # fmt: skip
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("set temp_file_limit to -1")


def test_who_holds_the_trail_is_ended(guarded: Settings, as_reader: Connect) -> None:
    """The reader lifted its limits, looked at a person, and leaves its transaction open.

    The trail waits for as long as a test can.
    """
    conn = as_reader()
    with warehouse.connect(guarded) as owner:
        owner.execute("alter function audit.record set lock_timeout to '0.2s'")
        owner.execute(f"grant execute on function audit.record to {conn.info.user}")  # type: ignore[arg-type]
        owner.execute(f"grant usage on schema audit to {conn.info.user}")  # type: ignore[arg-type]
    conn.execute(
        "set statement_timeout to 0; set idle_in_transaction_session_timeout to 0; set default_transaction_read_only to off"
    )
    conn.execute("begin")
    conn.execute("select audit.record('reader', 'person_view', 'x', 'for a test')")
    try:
        with warehouse.connect(guarded, "reporter") as publisher:
            publisher.execute("set statement_timeout to '60s'")
            assert audit_trail.record(publisher, "tester", "export", "after it", "for a test")
        with pytest.raises(psycopg.OperationalError):
            conn.execute("select 1")
    finally:
        with warehouse.connect(guarded) as owner:
            owner.execute(f"revoke execute on function audit.record from {conn.info.user}")  # type: ignore[arg-type]
            owner.execute(f"revoke usage on schema audit from {conn.info.user}")  # type: ignore[arg-type]
            owner.execute("alter function audit.record set lock_timeout to '5s'")


def test_the_watch_ends_readers_and_nobody_else(guarded: Settings, as_reader: Connect) -> None:
    """The function is made again with limits that a test can wait for."""
    body = (SQL_FOLDER / "26_access.sql").read_text(encoding="utf-8")
    start = body.index("create or replace function access.end_readers")
    definition = body[start : body.index("comment on function access.end_readers")]
    with warehouse.connect(guarded) as owner:
        owner.execute(definition.replace("'15 minutes'", "'0.5 seconds'"))  # type: ignore[arg-type]
    conn = as_reader()
    conn.execute("begin; select 1")
    try:
        with warehouse.connect(guarded, "publisher") as publisher, warehouse.connect(guarded, "reporter") as reporter:
            publisher.execute("select 1")
            time.sleep(0.6)
            assert reporter.execute("select access.end_readers()").fetchone() == (1,)
            publisher.execute("select 1")
        with pytest.raises(psycopg.OperationalError):
            conn.execute("select 1")
    finally:
        with warehouse.connect(guarded) as owner:
            owner.execute(definition)  # type: ignore[arg-type]


def test_pruning_waits_for_no_reader(guarded: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "SETTLE_SECONDS", 1)
    with warehouse.connect(guarded) as owner:
        owner.execute("truncate published.publication cascade")
        for number in (1, 2):
            owner.execute(
                """
                insert into published.publication (
                    publication_id, as_of_date, policy_edition, quality_status, checks_run, checks_failed, input_files,
                    input_rows, code_version, run_key
                ) values (%s, %s, '9', 'passed', 1, 0, 1, 1, 'test', %s)
                """,
                (number, date(2022, 7, 20), str(number)),
            )
        owner.execute("create table published.due_p1 (); alter table published.due_p1 owner to publisher")
    with warehouse.connect(guarded) as reading, warehouse.connect(guarded, "publisher") as conn:
        reading.execute("select from published.due_p1")
        conn.execute("set statement_timeout to '60s'")
        conn.commit()
        assert pruning.prune(conn, 1) == []
        reading.rollback()
        assert pruning.prune(conn, 1) == [1]
    with warehouse.connect(guarded) as owner:
        owner.execute("truncate published.publication cascade")
