"""dbt writes errors of the database into the log of a task, so that they quote nothing of a row."""

from __future__ import annotations

import psycopg2
import pytest
from dbt_common.exceptions import DbtDatabaseError

from yingjian.database.embedded import EmbeddedPostgres
from yingjian.modelling.connections import KeptConnections
from yingjian.operations import command_lines
from yingjian.settings import Settings


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "create temporary table t (person text, unit text not null); insert into t values ('Zhang', null)",
            'null value in column "unit" of relation "t" violates not-null constraint',
        ),
        (
            "create temporary table t (person text primary key); insert into t values ('Zhang'), ('Zhang')",
            'duplicate key value violates unique constraint "t_pkey"',
        ),
        (
            "select person::int from (values ('Zhang')) as t (person)",
            "InvalidTextRepresentation (22P02): the text is not shown, because it quotes a cell",
        ),
        ("do $$ declare n int; begin select 'Zhang' into n; end $$", "InvalidTextRepresentation (22P02)"),
        ("select person\nfrom nowhere where person = 1", 'relation "nowhere" does not exist'),
    ],
)
def test_an_error_tells_its_kind_and_place_and_nothing_of_a_row(
    bare_server: Settings, monkeypatch: pytest.MonkeyPatch, statement: str, told: str
) -> None:
    monkeypatch.setattr(KeptConnections, "rollback_if_open", lambda self: None)
    manager = KeptConnections.__new__(KeptConnections)
    with (
        psycopg2.connect(EmbeddedPostgres(bare_server).uri("postgres")) as conn,
        conn.cursor() as cursor,
        pytest.raises(DbtDatabaseError) as caught,
        manager.exception_handler(statement),
    ):
        cursor.execute(statement)
    assert told in str(caught.value) and "Zhang" not in str(caught.value)


def test_dbts_own_command_line_tells_nothing_of_a_row_either(home: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    """A person types it, and dbt writes its log into the home."""
    cell = "select person::int from (select 'Zh' || 'ang' as person) as t"
    assert command_lines.run_dbt(home, ["show", "--inline", cell]) != 0
    written = capfd.readouterr().out + (home.dbt_target / "logs" / "dbt.log").read_text(encoding="utf-8")
    assert "the text is not shown, because it quotes a cell" in written and "Zhang" not in written
