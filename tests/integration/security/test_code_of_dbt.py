"""Other services read what dbt's login makes: no code of its own runs there as another."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from yingjian.database import warehouse
from yingjian.people.audience import Audience
from yingjian.reports.content.audiences import narrowed
from yingjian.settings import Settings


@pytest.fixture
def transformer(guarded: Settings) -> Iterator[psycopg.Connection]:
    with warehouse.connect(guarded, "transformer") as conn:
        conn.autocommit = True
        yield conn
        conn.execute("drop view if exists intermediate.read_by_others")


@pytest.mark.parametrize("role", ["transformer", "auditor", "loader", "reporter", "portal", "bi_reader"])
@pytest.mark.parametrize(
    "written",
    [
        "create function build.own() returns int language sql as 'select 1'",
        "create function build.own() returns int language plpgsql as 'begin return 1; end'",
        "do 'begin end'",
    ],
    ids=lambda written: written[:40],
)
def test_services_and_readers_write_no_code(guarded: Settings, role: str, written: str) -> None:
    with warehouse.connect(guarded, role) as conn:
        conn.execute("set transaction read write")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(written)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "expression",
    [
        "set_config('yingjian.audience', 'office:', true)",
        "set_config('role', 'view_owner', false)",
        "(select count(*) from ts_stat('select to_tsvector(audit.record(''director'', ''sign_off'', ''x'')::text)'))",
        "ts_rewrite('a'::tsquery, 'select ''a''::tsquery, ''b''::tsquery')",
        "query_to_xml('select audit.record(''director'', ''sign_off'', ''x'')', true, false, '')",
        "table_to_xml('pg_class', true, false, '')",
    ],
    ids=lambda expression: expression[:20],
)
def test_a_view_of_dbt_does_nothing_as_the_service_that_reads_it(
    guarded: Settings, transformer: psycopg.Connection, expression: str
) -> None:
    transformer.execute(f"create view intermediate.read_by_others as select {expression} as found")  # type: ignore[arg-type]
    transformer.execute("grant select on intermediate.read_by_others to reporter, publisher, auditor")
    for service in ("reporter", "publisher", "auditor"):
        with warehouse.connect(guarded, service) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("select * from intermediate.read_by_others")


def test_a_view_of_dbt_widens_no_audience(guarded: Settings, transformer: psycopg.Connection) -> None:
    transformer.execute(
        "create view intermediate.read_by_others as select set_config('yingjian.audience', 'office:', true) as found"
    )
    transformer.execute("grant select on intermediate.read_by_others to reporter")
    with (
        warehouse.connect(guarded, "reporter") as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        narrowed(conn, Audience("community", "东里'社区")),
    ):
        [(audience,)] = conn.execute("select current_setting('yingjian.audience')").fetchall()
        assert audience == "community:东里'社区"
        conn.execute("select * from intermediate.read_by_others")


def test_readers_set_what_is_their_own_session_s(guarded: Settings) -> None:
    with warehouse.connect(guarded, "bi_reader") as conn:
        assert conn.execute("select set_config('application_name', 'a tool', false)").fetchone() == ("a tool",)
