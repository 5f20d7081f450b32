"""Publishing takes rows over from dbt: nothing that dbt's login made runs as another, and nobody keeps a right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import psycopg
import pytest

from tests import support
from yingjian.database import warehouse
from yingjian.modelling.marts import QUALITY_CHECK, published
from yingjian.publishing import publish as publishing
from yingjian.publishing.completeness import NothingBuiltError
from yingjian.publishing.partitions import GRANTEES, attach_partition, ensure_published_table
from yingjian.settings import Settings

DAY = date(2022, 7, 20)


class Taken(Exception):
    """Publishing went on to take the build over."""


@pytest.fixture
def built(guarded: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    """The transformer's connection; it built every mart, without a row, and the audit passed."""

    def taken(*_: object) -> None:
        raise Taken

    monkeypatch.setattr(publishing, "take_findings", taken)
    with warehouse.connect(guarded) as owner:
        owner.execute("truncate publishing.build, quality.check_result, published.publication cascade")
    token = support.claim(guarded, DAY).token
    with warehouse.connect(guarded, "transformer") as conn:
        conn.autocommit = True
        for mart in published().keys() - {QUALITY_CHECK.name}:
            conn.execute(f"create table build.{mart} (as_of_date date, name text)")  # type: ignore[arg-type]
            conn.execute("select publishing.note_mart(%s, %s, %s)", (mart, token, DAY))
        with warehouse.connect(guarded, "auditor") as auditor:
            auditor.execute(
                """
                insert into quality.check_result (as_of_date, suite, check_name, table_name, severity, success, build_token)
                values (%s, 'build.due', 'made_up', 'build.due', 'fail', true, %s)
                """,
                (DAY, token),
            )
        yield conn
    with warehouse.connect(guarded) as owner:
        for mart in published().keys() - {QUALITY_CHECK.name}:
            owner.execute(f"drop table build.{mart} cascade")  # type: ignore[arg-type]
        owner.execute("drop domain if exists build.own cascade; drop function if exists build.mine cascade")


def publish(settings: Settings) -> None:
    with warehouse.connect(settings) as owner:
        for mart in published().keys() - {QUALITY_CHECK.name}:
            owner.execute(f"alter table build.{mart} owner to build_owner")  # type: ignore[arg-type]
    with warehouse.connect(settings, "publisher") as conn:
        publishing.publish(conn, DAY, run_id=support.RUN, code_version="test")


def test_rows_and_plain_indexes_are_taken(guarded: Settings, built: psycopg.Connection) -> None:
    built.execute("create index on build.due (as_of_date, name); alter table build.due alter as_of_date set not null")
    with pytest.raises(Taken):
        publish(guarded)


@pytest.mark.parametrize(
    "made",
    [
        "create trigger t before insert on build.due for each row execute function suppress_redundant_updates_trigger()",
        "create rule r as on insert to build.due do also select 1",
        "create policy p on build.due using (build.mine('x') = 'x')",
        "alter table build.due enable row level security",
        "alter table build.due alter name set default build.mine('x')",
        "alter table build.due add other text generated always as (build.mine(name)) stored",
        "alter table build.due add check (build.mine(name) = 'x')",
        "create index on build.due (build.mine(name))",
        "create index on build.due (name) where build.mine(name) = 'x'",
        "create statistics build.s on (build.mine(name)), as_of_date from build.due",
        "alter table build.due add other build.own",
        "create table build.child () inherits (build.due)",
    ],
    ids=lambda made: " ".join(made.split()[:4]),
)
def test_what_would_run_as_another_is_refused(guarded: Settings, built: psycopg.Connection, made: str) -> None:
    with warehouse.connect(guarded) as owner:  # dbt's login may write none itself.
        owner.execute("create function build.mine(text) returns text language sql immutable as $$ select $1 $$")
        owner.execute("grant execute on function build.mine to transformer, build_owner")
    built.execute("create domain build.own as text check (build.mine(value) is not null)")
    built.execute(made)  # type: ignore[arg-type]
    with pytest.raises(NothingBuiltError, match=r"^due in build carry more than rows"):
        publish(guarded)


@pytest.mark.parametrize(
    ("made", "named"),
    [
        ("create aggregate build.count(text) (sfunc = int8inc_any, stype = bigint, initcond = '0')", "function build.count"),
        (
            "create operator intermediate.= (leftarg = text, rightarg = text, function = pg_catalog.textne)",
            "operator intermediate.=",
        ),
        (
            "create table intermediate.own (name text); create policy seen on intermediate.own using (true)",
            "policy intermediate.seen",
        ),
    ],
)  # fmt: skip
def test_what_dbt_made_beside_its_relations_is_refused(
    guarded: Settings, built: psycopg.Connection, made: str, named: str
) -> None:
    built.execute(made)  # type: ignore[arg-type]
    try:
        with pytest.raises(NothingBuiltError, match=rf"^dbt's login made the {named}"):
            publish(guarded)
    finally:
        built.execute(
            "drop aggregate if exists build.count(text); drop operator if exists intermediate.= (text, text);"
            "drop table if exists intermediate.own"
        )


def test_a_right_that_dbt_gave_is_gone_with_the_publication(guarded: Settings, built: psycopg.Connection) -> None:
    built.execute(
        "grant select on build.due to public, bi_reader; grant select (name) on build.due to case_worker, transformer"
    )
    with warehouse.connect(guarded) as owner:
        owner.execute("alter table build.due owner to build_owner")
    with warehouse.connect(guarded, "publisher") as conn:
        ensure_published_table(conn, "due")
        attach_partition(conn, "due", 1)
        rights = conn.execute(GRANTEES, {"table": "published.due_p1"}).fetchall()  # type: ignore[arg-type]
        assert rights == []
        conn.rollback()
