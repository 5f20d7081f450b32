"""The models on Spark give the rows that they give on PostgreSQL: every mart, on the worked cases and on a simulated town.

Each Spark build is a process of its own, as docs/spark.md starts it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from tests import compared_on_spark, support
from tests.conftest import WORLD_DAY, HomeFactory
from tests.skips import needs_shared
from tests.spark_queries import QUERIES
from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.modelling.spark import types_of
from yingjian.settings import PROJECT_ROOT, Settings

pytestmark = pytest.mark.beyond
needs_cases = needs_shared(support.CASES)
MARTS = sorted(path.stem for path in (PROJECT_ROOT / "dbt_project" / "models" / "marts").glob("*.sql"))
# The cases say something of these marts; the simulated town has rows for the others.
OF_THE_CASES = {
    "obligation", "due", "overdue", "compliance_daily", "due_forecast", "risk_zone", "control", "contact_clock", "pool_followup",
    "push_clearance", "disinfection_daily", "vaccination_60plus", "readiness", "zone_stay_summary",
}  # fmt: skip
NOT_IN_THE_TOWN = {"unscheduled", "zone_blocker", "zone_stay_summary", "missing_departure", "roster_correction"}

Rows = Counter[tuple[Any, ...]]


@pytest.fixture(scope="module")
def spark_python() -> Path:
    """The interpreter of the environment with the group `spark`, made as docs/spark.md says."""
    assert shutil.which("java"), "Spark needs Java 17: install openjdk-17-jre-headless"
    environment = PROJECT_ROOT / ".venv-spark"
    uv = PROJECT_ROOT / ".venv" / "bin" / "uv"
    done = subprocess.run(
        [str(uv), "sync", "--frozen", "--system-certs", "--no-dev", "--group", "spark"],
        cwd=PROJECT_ROOT, env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"the packages of the group spark cannot be had: {done.stderr.strip()[-300:]}"
    return environment / "bin" / "python"


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """It lets Spark compile no Java for each query, which takes longer than a few rows; the simulated town has it compiled."""
    folder = tmp_path_factory.mktemp("conf")
    (folder / "spark-defaults.conf").write_text(
        "spark.sql.codegen.wholeStage false\nspark.sql.codegen.factoryMode NO_CODEGEN\n", encoding="utf-8"
    )
    return {"SPARK_CONF_DIR": str(folder)}


def build_on_spark(
    python: Path, settings: Settings, days: list[date], folder: Path, *options: str, conf: dict[str, str] | None = None
) -> None:
    done = subprocess.run(
        [str(python), "-m", "yingjian.modelling.spark", str(folder), "--date", *map(str, days), *options],
        env={**os.environ, **(conf or {}), "YINGJIAN_HOME": str(settings.home)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


def on_postgres(conn: psycopg.Connection[Any]) -> dict[str, Rows]:
    """Every mart as it is built; a row is its cells in the order of the columns' names."""
    marts = {}
    for mart in MARTS:
        cursor = conn.execute(f"select * from build.{mart}")  # type: ignore[arg-type]
        marts[mart] = in_order([column.name for column in cursor.description or []], cursor.fetchall())
    return marts


def on_spark(folder: Path) -> dict[str, Rows]:
    marts = {}
    for mart in MARTS:
        frame = pl.read_parquet(folder / mart / "*.parquet")
        marts[mart] = in_order(frame.columns, frame.rows())
    return marts


def in_order(names: list[str], rows: list[tuple[Any, ...]]) -> Rows:
    order = sorted(range(len(names)), key=names.__getitem__)
    return Counter([tuple(sorted(names)), *(tuple(comparable(row[i]) for i in order) for row in rows)])


def comparable(cell: Any) -> Any:
    """The same for the same value: 0.50 is 0.5, a time with a zone is in UTC, and without one it is left as it is."""
    match cell:
        case bool():
            return cell
        case float() | Decimal():
            return Decimal(str(cell)).normalize()
        case datetime(tzinfo=zone) if zone:
            return cell.astimezone(UTC).replace(tzinfo=None)
        case list():
            return tuple(cell)
    return cell


def differences(postgres: dict[str, Rows], spark: dict[str, Rows]) -> dict[str, tuple[Rows, Rows]]:
    """The function gives, for each mart that differs, the rows that only PostgreSQL has, and those that only Spark has."""
    assert postgres.keys() == spark.keys() == set(MARTS) and len(MARTS) >= 38
    return {
        mart: (postgres[mart] - spark[mart], spark[mart] - postgres[mart])
        for mart in MARTS
        if postgres[mart] != spark[mart]
    }


def filled(marts: dict[str, Rows]) -> set[str]:
    return {mart for mart, rows in marts.items() if rows.total() > 1}  # The first is the columns' names.


FAILING = """
import sys
from pathlib import Path
from yingjian.modelling.dbt import BuildError, Model
from yingjian.modelling.spark import build_models, session
query = "select a::int as n from dev_spark.sent"
spark = session(Path(sys.argv[1]), "local[1]")
spark.sql("create database dev_spark")
spark.sql("create table dev_spark.sent using parquet as select '110101199003070000X' as a")
model = Model("failing", "dev_spark", "models/marts/failing.sql", query, query, False)
try:
    build_models(spark, [model], {"dev_spark.sent": {"a": "text"}}, Path(sys.argv[1]) / "marts")
except BuildError as error:
    print(error)
"""


def test_a_failing_model_is_named_and_no_cell_of_a_row(
    spark_python: Path, interpreted: dict[str, str], tmp_path: Path
) -> None:
    """Neither the message nor any log of Spark or PySpark, which all go to the same two streams, holds the cell."""
    done = subprocess.run(
        [str(spark_python), "-c", FAILING, str(tmp_path)],
        env={**os.environ, **interpreted}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "Spark could not build models/marts/failing.sql: CAST_INVALID_INPUT\n", done.stderr[-3000:]
    assert "110101199003070000" not in done.stderr


@needs_cases
@pytest.mark.parametrize("town", ["town-3", "town-4"])
def test_the_cases(
    town: str, home_factory: HomeFactory, spark_python: Path, interpreted: dict[str, str], tmp_path: Path
) -> None:
    settings = home_factory(town)
    support.land_folder(settings, support.CASES / "next" / town / "landing")
    expected = support.CASES / "next" / town / "expected"
    days = [date.fromisoformat(path.name) for path in sorted(expected.glob("2*"))]
    build_on_spark(spark_python, settings, days, tmp_path, conf=interpreted)
    seen = set()
    for day in days:
        support.build(settings, day)
        spark = on_spark(tmp_path / str(day))
        with warehouse.connect(settings) as conn:
            assert differences(on_postgres(conn), spark) == {}, day
        seen |= filled(spark)
        assert obligations(tmp_path / str(day)) == support.expected(expected / str(day) / "obligation.csv")
        assert zones(tmp_path / str(day)) == support.expected(expected / str(day) / "risk_zone.csv")
    assert len(days) == 3 and seen >= OF_THE_CASES


def obligations(folder: Path) -> list[tuple[str, ...]]:
    """The obligations that a file of the cases lists, from Spark's marts alone."""
    names = ["membership_id", "id_number", "group_code", "slot", "due_date", "status", "days_overdue"]
    rows = pl.read_parquet(folder / "obligation" / "*.parquet")
    persons = pl.read_parquet(folder / "person" / "*.parquet").select("person_key", "id_number")
    return as_text(
        rows.filter(~pl.col("group_code").is_in([*map(str, range(23, 29)), "P19", "P24"])).join(
            persons, on="person_key"
        ),
        names,
    )


def zones(folder: Path) -> list[tuple[str, ...]]:
    names = ["zone_id", "level", "clear_days", "eligible_level", "eligible_on"]
    return as_text(pl.read_parquet(folder / "risk_zone" / "*.parquet"), names)


def as_text(rows: pl.DataFrame, names: list[str]) -> list[tuple[str, ...]]:
    return sorted(rows.select(pl.col(names).cast(pl.String).fill_null("")).rows())


@pytest.fixture(scope="module")
def simulated(
    home_factory: HomeFactory, built_town: Settings, spark_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, dict[str, Rows]]:
    """The simulated town on both engines, a publication of the day before it: its home, and the rows on Spark.

    Spark is two executors here that share no memory with each other or with whoever asks, as on two machines.
    """
    settings = home_factory("engines", built_town)
    with warehouse.connect(settings) as conn:
        # Such a town has no samples that were withdrawn since, and no delivery.
        conn.execute("update staging.test_results set result = '无效' where sampled_at::date = %s", [date(2022, 7, 18)])
        conn.execute(
            "insert into delivery.attempt"
            " (publication_id, what, official, channel, number, target, audience_kind, audience, not_before, state, error)"
            " select publication_id, 'pack', 'x', 'folder', 1, 'x', 'office', '', now(), 'failed', '磁盘已满'"
            " from published.publication"
        )
    support.build(settings, WORLD_DAY)
    folder = tmp_path_factory.mktemp("spark")
    build_on_spark(spark_python, settings, [WORLD_DAY], folder, "--master", "local-cluster[2,1,1024]")
    return settings, on_spark(folder / str(WORLD_DAY))


def test_a_simulated_town(simulated: tuple[Settings, dict[str, Rows]]) -> None:
    settings, spark = simulated
    with warehouse.connect(settings) as conn:
        assert differences(on_postgres(conn), spark) == {}
    assert set(MARTS) - filled(spark) <= NOT_IN_THE_TOWN


def test_the_constructs_and_types_that_were_compared_are_listed(
    simulated: tuple[Settings, dict[str, Rows]],
) -> None:
    """The fast check in `make check` trusts these two files; `python -m tests.compared_on_spark` writes them."""
    settings, _ = simulated
    listed = json.loads(compared_on_spark.TYPES.read_text(encoding="utf-8"))
    tables = types_of(settings, WORLD_DAY)
    # A publication adds columns to what is published.
    assert {name: {column: tables[name][column] for column in columns} for name, columns in listed.items()} == listed
    assert listed.keys() == tables.keys()
    assert compared_on_spark.read() == compared_on_spark.constructs(compared_on_spark.compiled(), tables)


def test_everyday_queries(
    bare_server: Settings, spark_python: Path, interpreted: dict[str, str], tmp_path: Path
) -> None:
    """Each construct, and each type of a number in sums and quotients, gives the same rows."""
    done = subprocess.run(
        [str(spark_python), "-m", "tests.spark_queries", str(tmp_path)],
        env={**os.environ, **interpreted},
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    with psycopg.connect(EmbeddedPostgres(bare_server).uri("postgres", "postgres")) as conn:
        for name, query in QUERIES.items():
            cursor = conn.execute(query)  # type: ignore[arg-type]
            frame = pl.read_parquet(tmp_path / name / "*.parquet")
            columns = [column.name for column in cursor.description or []]
            assert in_order(columns, cursor.fetchall()) == in_order(frame.columns, frame.rows()), name
    assert len(QUERIES) > 15


def test_a_changed_row_and_a_missing_one_are_found(simulated: tuple[Settings, dict[str, Rows]]) -> None:
    settings, spark = simulated
    with warehouse.connect(settings) as conn:
        first = "where obligation_id = (select min(obligation_id) from build.overdue)"
        assert conn.execute(f"update build.overdue set days_overdue = days_overdue + 1 {first}").rowcount == 1
        conn.execute("delete from build.risk_zone where zone_id = (select min(zone_id) from build.risk_zone)")
        difference = differences(on_postgres(conn), spark)
        conn.rollback()
    assert {mart: (ours.total(), theirs.total()) for mart, (ours, theirs) in difference.items()} == {
        "overdue": (1, 1), "risk_zone": (0, 1),
    }  # fmt: skip
