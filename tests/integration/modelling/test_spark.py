"""The models on Spark give the rows that they give on PostgreSQL: every mart, on the worked cases and on a simulated town."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
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
from yingjian.modelling import dbt, spark, spark_export
from yingjian.modelling.spark_export import SCHEMA
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
Frames = dict[str, pl.DataFrame]


def build_on_spark(settings: Settings, days: list[date], master: str = "local[*]") -> list[Frames]:
    """The marts of each date, all on Spark, as it wrote them."""
    settings = replace(settings, spark_master=master)
    support.build(settings, days[0], "resource_type:seed")
    models = dict(zip(days, (dbt.compiled(settings, SCHEMA, day) for day in days), strict=True))
    made: dict[str, Frames] = {str(day): {} for day in days}
    with spark_export.turn(settings), closing(spark.built(settings, models, spark_export.export(settings))) as results:
        for result in results:
            assert "error" not in result, result
            mart = result["model"].rpartition(".")[2]
            if mart in MARTS:
                folder = spark.built_folder(settings) / result["day"] / mart
                made[result["day"]][mart] = pl.read_parquet(folder / "*.parquet")
    return list(made.values())


def on_postgres(conn: psycopg.Connection[Any]) -> dict[str, Rows]:
    """Every mart as it is built; a row is its cells in the order of the columns' names."""
    marts = {}
    for mart in MARTS:
        cursor = conn.execute(f"select * from build.{mart}")  # type: ignore[arg-type]
        marts[mart] = in_order([column.name for column in cursor.description or []], cursor.fetchall())
    return marts


def on_spark(frames: Frames) -> dict[str, Rows]:
    return {mart: in_order(frame.columns, frame.rows()) for mart, frame in frames.items()}


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
from yingjian.modelling.spark_models import build_models, session
spark = session(Path(sys.argv[1]), sys.argv[2])
spark.sql("create database dev_spark")
spark.sql("create table dev_spark.sent using parquet as select '110101199003070000X' as a")
view = "select a from (\\n    select\\n        a::int as a from dev_spark.sent\\n) as cast_there"
reader = "select a,\\n    count(*) as n\\nfrom dev_spark.v\\ngroup by a"
wrapped = "select\\n    a,\\n    (select max(each.a::int) from dev_spark.sent as each) as n\\nfrom dev_spark.sent"
own = "select\\n    1 as one,\\n    a::int as n\\nfrom dev_spark.sent\\nwhere a <> ''"
models = [
    Model("model.v", "v", "dev_spark", "models/staging/v.sql", view, view, True),
    Model("model.reader", "reader", "dev_spark", "models/marts/reader.sql", reader, reader, False),
    Model("model.wrapped", "wrapped", "dev_spark", "models/marts/wrapped.sql", wrapped, wrapped, False),
    Model("model.own", "own", "dev_spark", "models/marts/own.sql", own, "-- Why.\\n" + own, False),
]
for name in ("reader", "wrapped", "own"):
    wanted = [model for model in models if model.name in ("v", name)]
    try:
        spark.sql("drop view if exists dev_spark.v")
        build_models(spark, wanted, {"dev_spark.sent": {"a": "text"}}, Path(sys.argv[1]) / "built", lambda event: None)
    except BuildError as error:
        print(error)
"""


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("master", ["local[1]", "local-cluster[1,1,1024]"])
def test_a_failing_model_is_named_with_its_line_and_no_cell_of_a_row(
    master: str, spark_python: Path, tmp_path: Path
) -> None:
    """Neither the message nor any log of Spark, its executors or PySpark holds the cell."""
    began = time.time()
    done = subprocess.run(
        [str(spark_python), "-c", FAILING, str(tmp_path), master], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [
        "Spark could not build models/marts/reader.sql, in models/staging/v.sql, line 3: CAST_INVALID_INPUT",
        "Spark could not build models/marts/wrapped.sql, line 3: CAST_INVALID_INPUT",
        "Spark could not build models/marts/own.sql, line 4: CAST_INVALID_INPUT",
    ], done.stderr[-3000:]
    assert "110101199003070000" not in done.stderr
    work = next((spark_python.parents[1] / "lib").glob("python*/site-packages/pyspark")) / "work"
    logs = [path for path in work.glob("*/*/std*") if path.stat().st_mtime >= began]
    assert bool(logs) == master.startswith("local-cluster")
    assert not [path for path in logs if "110101199003070000" in path.read_text(encoding="utf-8")]


@needs_cases
@pytest.mark.usefixtures("spark_python", "interpreted")
@pytest.mark.parametrize("town", ["town-3", "town-4", "town-5"])
def test_the_cases(town: str, home_factory: HomeFactory) -> None:
    settings = home_factory(town)
    support.land_folder(settings, support.CASES / "next" / town / "landing")
    expected = support.CASES / "next" / town / "expected"
    days = [date.fromisoformat(path.name) for path in sorted(expected.glob("2*"))]
    seen = set()
    for day, frames in zip(days, build_on_spark(settings, days), strict=True):
        support.build(settings, day)
        marts = on_spark(frames)
        with warehouse.connect(settings) as conn:
            assert differences(on_postgres(conn), marts) == {}, day
        seen |= filled(marts)
        if town == "town-5":  # Its files have other columns and more groups.
            continue
        assert obligations(frames) == support.expected(expected / str(day) / "obligation.csv")
        assert zones(frames) == support.expected(expected / str(day) / "risk_zone.csv")
    assert len(days) >= 2 and (seen >= OF_THE_CASES or town == "town-5")


def obligations(frames: Frames) -> list[tuple[str, ...]]:
    """The obligations that a file of the cases lists, from Spark's marts alone."""
    names = ["membership_id", "id_number", "group_code", "slot", "due_date", "status", "days_overdue"]
    persons = frames["person"].select("person_key", "id_number")
    return as_text(
        frames["obligation"]
        .filter(~pl.col("group_code").is_in([*map(str, range(23, 29)), "P19", "P24"]))
        .join(persons, on="person_key"),
        names,
    )


def zones(frames: Frames) -> list[tuple[str, ...]]:
    return as_text(frames["risk_zone"], ["zone_id", "level", "clear_days", "eligible_level", "eligible_on"])


def as_text(rows: pl.DataFrame, names: list[str]) -> list[tuple[str, ...]]:
    return sorted(rows.select(pl.col(names).cast(pl.String).fill_null("")).rows())


@pytest.fixture(scope="module")
def simulated(home_factory: HomeFactory, built_town: Settings, spark_python: Path) -> tuple[Settings, dict[str, Rows]]:
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
    (frames,) = build_on_spark(settings, [WORLD_DAY], "local-cluster[2,1,1024]")
    return settings, on_spark(frames)


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
    tables = compared_on_spark.types_of(settings)
    # A publication adds columns to what is published.
    assert {name: {column: tables[name][column] for column in columns} for name, columns in listed.items()} == listed
    assert listed.keys() == tables.keys()
    assert compared_on_spark.read() == compared_on_spark.constructs(compared_on_spark.compiled(), tables)


@pytest.mark.usefixtures("interpreted")
def test_everyday_queries(bare_server: Settings, spark_python: Path, tmp_path: Path) -> None:
    """Each construct, and each type of a number in sums and quotients, gives the same rows."""
    done = subprocess.run(
        [str(spark_python), "-m", "tests.spark_queries", str(tmp_path)],
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
