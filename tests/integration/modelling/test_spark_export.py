"""Without Spark it is tested what Spark reads and what comes back: the export by parts, what leaves it, the load, dbt's tables."""

from __future__ import annotations

import io
import stat
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from tests import support
from tests.compared_on_spark import types_of
from tests.conftest import WORLD_DAY, HomeFactory
from tests.support import IDENTITY, write_feed
from yingjian import cli
from yingjian.database import warehouse
from yingjian.modelling import dbt, engine, spark, spark_export
from yingjian.modelling.dbt import BuildError
from yingjian.orchestration import tasks
from yingjian.privacy import rotation
from yingjian.settings import Settings, SetupError

pytestmark = pytest.mark.beyond

Files = dict[str, int]


@pytest.fixture(scope="module")
def shared(home_factory: HomeFactory, built_town: Settings) -> Settings:
    return replace(home_factory("export", built_town), engine="spark")


@pytest.fixture
def town(shared: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The simulated town, built on PostgreSQL and exported, as commands find it."""
    monkeypatch.setenv("YINGJIAN_HOME", str(shared.home))
    monkeypatch.setenv("YINGJIAN_ENGINE", "spark")
    export(shared)
    yield shared


def export(settings: Settings) -> None:
    with spark_export.turn(settings):
        spark_export.export(settings)


def files(settings: Settings, of: str = "") -> Files:
    """The exported files below a folder, each with the number by which a new one is known."""
    folder = settings.spark / "sources" / of
    return {str(path.relative_to(folder)): path.stat().st_ino for path in folder.rglob("*") if path.is_file()}


def exported(settings: Settings, table: str) -> Counter[tuple[Any, ...]]:
    return counted(pl.read_parquet(settings.spark / "sources" / table.replace(".", "/") / "*.parquet").rows())


def rows(settings: Settings, table: str) -> Counter[tuple[Any, ...]]:
    columns = types_of(settings)[table]
    return counted(support.query(settings, f"select {', '.join(columns)} from {table}"))


def counted(rows: list[tuple[Any, ...]]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(tuple(cell) if isinstance(cell, list) else cell for cell in row) for row in rows)


def changed(settings: Settings, *statements: str) -> None:
    with warehouse.connect(settings) as conn:
        for statement in statements:
            conn.execute(statement)  # type: ignore[arg-type]


# The tests below write the export.


def test_the_files_hold_the_rows_and_nobody_else_reads_them(town: Settings) -> None:
    for table in ("staging.test_results", "staging.residents", "published.obligation", "quality.landed_file"):
        assert exported(town, table) == rows(town, table) and rows(town, table).total() > 1, table
    assert stat.S_IMODE(town.spark.stat().st_mode) == 0o700
    assert len(files(town, "staging/test_results")) > 5, "each landed file has its own"
    assert len(files(town, "published/obligation")) == 1, "each publication has its own"
    assert len(files(town, "quality/landed_file")) == 1
    assert len(files(town, "policy/policy_rule")) == 1


def test_what_dbt_may_not_read_is_not_exported(town: Settings) -> None:
    columns = types_of(town)["quality.rejected_row"]
    assert "reason_codes" in columns and not {"raw_text", "record_key"} & columns.keys()


def test_a_second_export_writes_what_came_and_nothing_else(town: Settings, tmp_path: Path) -> None:
    before = files(town)
    export(town)
    assert files(town) == before
    write_feed(tmp_path, "residents", [{**IDENTITY, "社区": "第1社区", "网格": "1", "更新时间": "2022-07-20 08:00:00"}])
    support.land_folder(town, tmp_path)
    export(town)
    after = files(town)
    came = {name for name, number in after.items() if before.get(name) != number}
    gone = before.keys() - after.keys()
    (of_residents,) = [name for name in came if name.startswith("staging/residents/")]
    assert came - {of_residents} == {name for name in came if name.startswith("quality/")}, came
    assert gone == {name for name in gone if name.startswith("quality/")}
    assert exported(town, "staging.residents") == rows(town, "staging.residents")


@pytest.mark.parametrize(
    "statement",
    [
        "delete from staging.residents where ctid = (select min(ctid) from staging.residents)",
        "update staging.residents set grid = '九' where ctid = (select min(ctid) from staging.residents)",
    ],
)
def test_a_row_that_goes_or_changes_makes_its_part_anew(town: Settings, statement: str) -> None:
    before = files(town)
    changed(town, statement)
    export(town)
    after = files(town)
    assert len(before.keys() - after.keys()) == 1 == len(after.keys() - before.keys())
    assert exported(town, "staging.residents") == rows(town, "staging.residents")


def test_an_empty_table_has_one_file_with_its_columns(town: Settings) -> None:
    assert rows(town, "portal.disposition").total() == 0
    (name,) = files(town, "portal/disposition")
    frame = pl.read_parquet(town.spark / "sources" / "portal" / "disposition" / name)
    assert frame.columns == list(types_of(town)["portal.disposition"]) and frame.is_empty()


def test_half_a_part_is_never_taken_for_the_whole(town: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed export leaves some files of a part, and one that it was writing."""
    monkeypatch.setattr(spark_export, "ROWS_PER_FILE", 7)
    export(town)
    whole = files(town, "staging/residents")
    folder = town.spark / "sources" / "staging" / "residents"
    first, *between, last = sorted(name for name in whole if name.startswith("1-"))
    assert len(between) > 5
    (folder / last).rename(folder / f".{last}")
    pl.read_parquet(folder / first).head(0).write_parquet(folder / first)
    export(town)
    assert files(town, "staging/residents").keys() == whole.keys()
    assert exported(town, "staging.residents") == rows(town, "staging.residents")


# The tests below take persons' data out.


def texts(settings: Settings) -> set[str]:
    """The function returns every text of the export's columns of persons."""
    found: set[str] = set()
    for path in settings.spark.rglob("*.parquet"):
        frame = pl.read_parquet(path)
        for name in {"person_key", "id_number", "request_key"} & set(frame.columns):
            found |= set(frame[name].to_list())
    return found


def test_what_retention_deletes_is_not_exported_any_more(town: Settings) -> None:
    query = "select request_key from staging.requests where closed_at is not null order by 1"
    before = {key for (key,) in support.query(town, query)}
    assert before and before <= texts(town)
    changed(town, "update policy.retention_rule set days = 0 where what = 'requests'")
    tasks.retain()
    gone = before - {key for (key,) in support.query(town, query)}
    assert gone and not gone & texts(town)


def test_a_corrected_document_keeps_its_old_key_nowhere(town: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "select distinct id_type, id_number, person_key from staging.residents where id_type = '居民身份证' order by 2 limit 2"
    (wrong, right) = support.query(town, query)
    assert wrong[2] in texts(town)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{wrong[0]} {wrong[1]}\n{right[0]} {right[1]}\n"))
    assert cli.main(["landing", "correct-document", "--reason", "派出所来函更正"]) == 0
    kept = {key for (key,) in support.query(town, "select person_key from staging.document_correction")}
    assert wrong[2] in kept, "the correction itself names it"
    of_residents = exported_keys(town)
    export(town)
    assert exported_keys(town) == {
        key for (key,) in support.query(town, "select distinct person_key from staging.residents")
    }
    assert wrong[2] not in of_residents


def exported_keys(settings: Settings) -> set[str]:
    return {
        key
        for path in (settings.spark / "sources" / "staging" / "residents").glob("*.parquet")
        for key in pl.read_parquet(path)["person_key"]
    }


def test_a_rotated_key_is_exported_no_more_and_waits_for_spark(town: Settings) -> None:
    changed(town, "truncate publishing.build")
    before = {key for (key,) in support.query(town, "select person_key from staging.residents")}
    assert before <= texts(town)
    with warehouse.connect(town, "transformer") as conn:
        conn.execute("create unlogged table spark.person__12345678 as select * from staging.residents")
    with (
        spark_export.turn(town),
        warehouse.connect(town) as conn,
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(SetupError, match="a run is at work"),
    ):
        patch.setattr(rotation, "_WAIT_SECONDS", 1)
        rotation.rotate(conn, town, None, "tester", "年度更换")
    with warehouse.connect(town) as conn:
        rotation.rotate(conn, town, None, "tester", "年度更换")
    assert not before & texts(town)
    assert support.query(town, "select count(*) from pg_tables where schemaname = 'spark'") == [(0,)]
    export(town)
    assert exported_keys(town) and not before & texts(town)


def test_nothing_stays_where_postgresql_is_the_engine(town: Settings) -> None:
    day_token = support.claim(town, WORLD_DAY).token
    engine.build(replace(town, engine="postgres"), WORLD_DAY, day_token)
    assert not town.spark.exists()


# The tests below read rows into tables of the warehouse.


@pytest.fixture
def transformer(shared: Settings) -> Iterator[psycopg.Connection]:
    with spark_export.turn(shared) as conn:
        yield conn
        spark_export.drop_loaded(conn)


def test_what_is_loaded_is_as_postgresql_has_it(transformer: psycopg.Connection, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "words": ["", None, 'say "a,b"\n\\N'],
            "list": [["x", None, '"\\,{}'], [], None],
            "days": [[date(2022, 7, 20), None, date(9999, 1, 1)], [], None],
            "counts": [[1, None], [], None],
            "day": [date(9999, 1, 1), date(1, 1, 1), date(2022, 7, 20)],
            "at": [datetime(9999, 1, 1), None, datetime(2022, 7, 20, 23, 59, 59, 5)],
            "zoned": [datetime(2022, 7, 20, 16), datetime(1, 1, 1), None],
            "share": [Decimal("0.50000"), Decimal("100.00000"), Decimal("-0.00100")],
            "number": [1, None, -3],
            "rough": [0.1, 1e-20, None],
            "is_so": [True, False, None],
        },
        schema_overrides={"share": pl.Decimal(38, 20)},
    ).with_columns(pl.col("zoned").dt.replace_time_zone("UTC"))
    frame.head(2).write_parquet(tmp_path / "part-1.parquet")
    frame.tail(1).write_parquet(tmp_path / "part-2.parquet")
    kinds = {
        "words": "text", "list": "text[]", "days": "date[]", "counts": "integer[]", "day": "date", "at": "timestamp", "zoned": "timestamptz", "share": "numeric",
        "number": "integer", "rough": "double precision", "is_so": "boolean",
    }  # fmt: skip
    spark.load(transformer, "loaded__12345678", kinds, tmp_path)
    compared = transformer.execute(
        """
        select
            array_agg(words order by place), array_agg(to_json(list) order by place), array_agg(days::text order by place),
            array_agg(to_json(counts) order by place), array_agg(day::text order by place),
            array_agg(at::text order by place), array_agg((zoned at time zone 'UTC')::text order by place),
            array_agg(share::text order by place), array_agg(number order by place), array_agg(rough order by place),
            array_agg(is_so order by place)
        from (select *, ctid as place from spark.loaded__12345678) as loaded
        """
    ).fetchone()
    assert compared == (
        ["", None, 'say "a,b"\n\\N'], [["x", None, '"\\,{}'], [], None],
        ["{2022-07-20,NULL,infinity}", "{}", None], [[1, None], [], None], ["infinity", "-infinity", "2022-07-20"],
        ["infinity", None, "2022-07-20 23:59:59.000005"], ["2022-07-20 16:00:00", "-infinity", None], ["0.5", "100", "-0.001"],
        [1, None, -3], [0.1, 1e-20, None], [True, False, None],
    )  # fmt: skip
    assert transformer.execute("select relpersistence from pg_class where relname = 'loaded__12345678'").fetchone() == (
        "u",
    )


def test_dbt_makes_the_mart_of_what_is_loaded(shared: Settings, transformer: psycopg.Connection) -> None:
    support.build(shared, WORLD_DAY)
    names = "zone_id, level, clear_days, eligible_level, eligible_on"
    ((before,),) = support.query(shared, "select count(*) from build.risk_zone")
    transformer.execute(
        "create table spark.risk_zone__12345678 as select * from build.risk_zone where zone_id > (select min(zone_id) from build.risk_zone)"
    )
    indexes = "select count(*) from pg_indexes where schemaname = 'build' and tablename = 'obligation'"
    comment = "select obj_description('build.risk_zone'::regclass) is not null"
    transformer.execute("create table spark.obligation__12345678 as select * from build.obligation where false")
    with dbt.reading("12345678"):
        support.build(shared, WORLD_DAY, "risk_zone", "obligation")
    assert support.query(shared, "select count(*) from build.risk_zone") == [(before - 1,)]
    assert support.query(shared, "select count(*) from build.obligation") == [(0,)]
    assert support.query(shared, comment) == [(True,)] and support.query(shared, indexes)[0][0] > 0
    assert support.query(shared, "select tableowner from pg_tables where tablename = 'risk_zone' and schemaname = 'build'") == [
        ("build_owner",)
    ]  # fmt: skip
    with dbt.reading("other678"):
        support.build(shared, WORLD_DAY, "risk_zone", "obligation")
    assert support.query(shared, f"select count({names.split(', ', maxsplit=1)[0]}) from build.risk_zone") == [
        (before,)
    ]


# The tests below have another program in Spark's place.


@pytest.fixture(scope="module")
def models(shared: Settings) -> list[dbt.Model]:
    return dbt.compiled(shared, spark_export.SCHEMA, WORLD_DAY)


@pytest.fixture
def instead_of_spark(
    shared: Settings, models: list[dbt.Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Settings, Path]]:
    """A program of two lines is Spark's interpreter: the test writes it. dbt compiles the models once for all tests."""
    monkeypatch.setattr(dbt, "compiled", lambda *of: models)
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.touch(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    program = tmp_path / "python"
    program.touch(0o755)
    yield replace(shared, given_spark_python=str(program)), program


def build(settings: Settings) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []
    with pytest.raises(BuildError) as error:
        engine.build(settings, WORLD_DAY, support.claim(settings, WORLD_DAY).token, said.append)
    assert not any(path.is_file() for path in (settings.spark / "built").rglob("*"))
    assert support.query(settings, "select count(*) from pg_tables where schemaname = 'spark'") == [(0,)]
    return [{"error": str(error.value)}, *said]


def test_a_model_that_fails_on_spark_is_said_at_once(instead_of_spark: tuple[Settings, Path]) -> None:
    settings, program = instead_of_spark
    failed = '{"model": "model.yingjian.risk_zone", "seconds": 1.234, "error": "line 7"}'
    program.write_text(f"#!/bin/sh\necho '{{\"is_ready\": true}}'\ncat >/dev/null\necho '{failed}'\nsleep 60\n")
    assert build(settings) == [
        {"error": "line 7"},
        {"model.yingjian.risk_zone": {"state": "error", "seconds": 1.23, "rows": None}},
    ]


def test_a_program_that_ends_or_does_not_start_is_told(instead_of_spark: tuple[Settings, Path]) -> None:
    settings, program = instead_of_spark
    program.write_text("#!/bin/sh\necho '{\"is_ready\": true}'\ncat >/dev/null\nkill -9 $$\n")
    assert build(settings) == [
        {"error": "Spark ended before the models were built: it was killed, or had no memory left"}
    ]
    program.write_text("#!/bin/sh\necho 'no such version of Java' >&2\nexit 1\n")
    assert build(settings) == [{"error": "Spark did not start: no such version of Java"}]


def test_the_program_gets_no_secret_and_what_java_and_spark_read(
    instead_of_spark: tuple[Settings, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, program = instead_of_spark
    secrets = {"YINGJIAN_PERSON_KEY", "AIRFLOW_CONN_YINGJIAN_SFTP", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY"}
    passed_on = {"SPARK_CONF_DIR", "HADOOP_CONF_DIR", "LC_ALL"}
    for name in secrets | passed_on:
        monkeypatch.setenv(name, "given")
    program.write_text(f"#!/bin/sh\nenv > {tmp_path}/environment\nexit 1\n")
    build(settings)
    named = {line.partition("=")[0] for line in (tmp_path / "environment").read_text().splitlines()}
    assert {"PATH", "HOME", "JAVA_HOME"} | passed_on <= named
    assert not named & secrets and not [name for name in named if name.startswith(("YINGJIAN_", "AIRFLOW_"))]


def test_what_is_missing_is_said_with_what_to_install(shared: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        SetupError, match=r"nowhere is not there: run `UV_PROJECT_ENVIRONMENT=\.venv-spark .*--group spark`"
    ):
        spark.require(replace(shared, given_spark_python="/nowhere"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(SetupError, match="there is no Java: install openjdk-17-jre-headless"):
        spark.require(replace(shared, given_spark_python=sys.executable))


def test_a_stale_token_builds_nothing(instead_of_spark: tuple[Settings, Path]) -> None:
    settings, program = instead_of_spark
    stale = support.claim(settings, WORLD_DAY).token
    support.claim(settings, WORLD_DAY)
    program.write_text("#!/bin/sh\necho '{\"is_ready\": true}'\ncat >/dev/null\necho '{\"is_done\": true}'\n")
    before = support.query(settings, "select oid from pg_class where relnamespace = 'build'::regnamespace order by 1")
    with pytest.raises(BuildError):
        engine.build(settings, WORLD_DAY, stale)
    assert before == support.query(
        settings, "select oid from pg_class where relnamespace = 'build'::regnamespace order by 1"
    )
