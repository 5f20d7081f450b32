"""This module builds the models on Spark, the second engine (docs/spark.md), from exported tables into Parquet files.

`python -m yingjian.modelling.spark FOLDER --date D …` needs Java 17 and the packages of the group `spark`.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import psycopg
import yaml
from psycopg import sql

from yingjian.database import warehouse
from yingjian.modelling import dbt
from yingjian.modelling.dbt import BuildError, Model
from yingjian.modelling.spark_sql import SHORT_TYPES, Columns, Refused, spark_type, translate
from yingjian.settings import Settings, SetupError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# The seeds are loaded into this schema of the warehouse, and go at the end; on Spark it holds seeds and models.
SCHEMA = "dev_spark"
MARTS = "models/marts/"
ROWS_PER_FILE = 100_000
TYPES: dict[str, Any] = {
    "text": pl.String,
    "boolean": pl.Boolean,
    "integer": pl.Int32,
    "bigint": pl.Int64,
    "smallint": pl.Int16,
    "numeric": pl.Decimal(20, 6),
    "double precision": pl.Float64,
    "date": pl.Date,
    "timestamp": pl.Datetime("us"),
    "timestamptz": pl.Datetime("us", "UTC"),
    "text[]": pl.List(pl.String),
}
SESSION = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.ansi.enabled": "true",  # Spark refuses what PostgreSQL refuses.
    "spark.sql.timestampType": "TIMESTAMP_NTZ",  # Asia/Shanghai, as the feeds write it, without a zone.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",  # Else a quotient has six decimals only.
}
# PySpark writes each error with its message, which can hold a cell of a row, to these loggers of Python, whatever Spark's own
# log is set to. Their names stand in `_log_exception` of pyspark/errors/exceptions/base.py.
PYTHON_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")


def build(settings: Settings, days: Sequence[date], folder: Path, master: str = "local[*]") -> None:
    """Export sources and seeds to a new folder, and build the models on Spark for each business date.

    folder/D/mart holds the mart's Parquet files for D; only the owner may read them. Raises SetupError when the folder
    is not empty, BuildError with the model that could not be built.
    """
    if folder.exists() and any(folder.iterdir()):
        raise SetupError(f"there is something in {folder}: name a folder that is not there yet")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    tables = export(settings, folder / "sources", days[0])
    spark = session(folder, master)
    try:
        for day in days:
            spark.sql(f"drop database if exists {SCHEMA} cascade")
            for table in sorted(folder.glob("sources/*/*")):
                spark.sql(f"create database if not exists {table.parent.name}")
                name = f"{table.parent.name}.{table.name}"
                spark.sql(f"create table if not exists {name} using parquet location '{table}'")
            build_models(spark, dbt.compiled(settings, SCHEMA, day), tables, folder / str(day))
    finally:
        spark.stop()


def build_models(spark: SparkSession, models: Sequence[Model], tables: Mapping[str, Columns], marts: Path) -> None:
    """Build the models in their order; the marts' files go to the folder `marts`."""
    known = dict(tables)
    for model in models:
        try:
            translated = translate(model.path, model.sql, known, model.source)
        except Refused as error:
            raise BuildError(f"Spark cannot build {error}") from None
        known[model.table] = translated.columns
        is_mart = model.path.startswith(MARTS)
        place = f"using parquet location '{marts / model.name}'" if is_mart else "using parquet"
        kind = "view" if model.is_view else "table"
        try:
            spark.sql(f"create {kind} {model.table} {'' if model.is_view else place} as {translated.sql}")
        except Exception as error:
            # The message can hold a cell of a row, so that only its class is told.
            reason = getattr(error, "getCondition", lambda: None)() or type(error).__name__
            raise BuildError(f"Spark could not build {model.path}: {reason}") from None
        _check_types(spark, model, translated.columns)


def _check_types(spark: SparkSession, model: Model, columns: Columns) -> None:
    """Raise BuildError where Spark gave a column another type than PostgreSQL gives it."""
    made = {column.name: column.dataType.simpleString() for column in spark.table(model.table).schema.fields}
    for name, kind in columns.items():
        wanted = (spark_type(kind) or "").replace("timestamp_ltz", "timestamp").replace(" ", "")
        of_decimals = kind == "numeric" and made.get(name, "").startswith("decimal")
        if made.get(name) != wanted and not of_decimals:
            raise BuildError(f"Spark built {model.path} with {name} as {made.get(name)}, which is {kind}")


def export(settings: Settings, folder: Path, day: date) -> dict[str, Columns]:
    """Export every source table of the dbt project and every seed to Parquet files in `folder`/schema/table.

    They are all as of one moment. Returns the tables' columns with their types. Columns whose types Spark does not have
    (TYPES) are left out; a model that reads one is refused.
    """
    with _loaded_seeds(settings, day, folder.parent / "dbt") as seeds, warehouse.connect(settings) as conn:
        conn.execute("set transaction isolation level repeatable read")
        tables = [*_sources(settings), *seeds]
        return {
            f"{schema}.{table}": _export_table(conn, schema, table, folder / schema / table) for schema, table in tables
        }


def types_of(settings: Settings, day: date) -> dict[str, Columns]:
    """Return the columns of the tables that `export` exports."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _loaded_seeds(settings, day, Path(folder)) as seeds,
        warehouse.connect(settings) as conn,
    ):
        tables = [*_sources(settings), *seeds]
        return {f"{schema}.{table}": _columns(conn, schema, table) for schema, table in tables}


def _sources(settings: Settings) -> list[tuple[str, str]]:
    declared = yaml.safe_load((dbt.dbt_folder(settings) / "models" / "staging" / "_sources.yml").read_text())["sources"]
    return [(source["schema"], table["name"]) for source in declared for table in source["tables"]]


@contextmanager
def _loaded_seeds(settings: Settings, day: date, folder: Path) -> Iterator[list[tuple[str, str]]]:
    """Load the project's seeds into SCHEMA, and drop it at the end; what a killed run left goes first."""
    drop = sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(SCHEMA))
    with warehouse.connect(settings) as conn:
        conn.execute(drop)
        conn.execute(sql.SQL("create schema {} authorization transformer").format(sql.Identifier(SCHEMA)))
    try:
        dbt.build_beside(settings, SCHEMA, day, ["resource_type:seed"], folder)
        yield sorted((SCHEMA, path.stem) for path in (dbt.dbt_folder(settings) / "seeds").rglob("*.csv"))
    finally:
        with warehouse.connect(settings) as conn:
            conn.execute(drop)


def _columns(conn: psycopg.Connection[Any], schema: str, table: str) -> Columns:
    """Return the columns of a table of the warehouse, with the types that models can read."""
    rows = conn.execute(
        """
        select attname, format_type(atttypid, null) from pg_attribute
        where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum
        """,
        [f"{schema}.{table}"],
    )
    named = {name: SHORT_TYPES.get(kind, kind) for name, kind in rows}
    return {name: kind for name, kind in named.items() if kind in TYPES}


def _export_table(conn: psycopg.Connection[Any], schema: str, table: str, folder: Path) -> Columns:
    columns = _columns(conn, schema, table)
    query = sql.SQL("select {} from {}").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(schema, table)
    )
    folder.mkdir(parents=True)
    with conn.cursor(name="exported") as cursor:
        cursor.execute(query)
        for number, rows in enumerate(_parts(cursor)):
            frame = pl.DataFrame(rows, schema={name: TYPES[kind] for name, kind in columns.items()}, orient="row")
            frame.write_parquet(folder / f"{number:05d}.parquet")
    return columns


def _parts(cursor: psycopg.ServerCursor[Any]) -> Iterator[list[Any]]:
    """Yield the rows in lists of ROWS_PER_FILE, at least one list, so that an empty table still has its columns."""
    rows = cursor.fetchmany(ROWS_PER_FILE)
    yield rows
    while len(rows) == ROWS_PER_FILE:
        rows = cursor.fetchmany(ROWS_PER_FILE)
        yield rows


def session(folder: Path, master: str) -> SparkSession:
    """Return a session whose catalogue is in memory and whose tables are in `folder`; only this machine reaches it."""
    from pyspark.sql import SparkSession

    builder = SparkSession.Builder().master(master).config("spark.sql.warehouse.dir", str(folder / "warehouse"))
    for name, value in SESSION.items():
        builder = builder.config(name, value)
    made = builder.getOrCreate()
    made.sparkContext.setLogLevel("OFF")  # A failed task would log the row that it failed on.
    for name in PYTHON_LOGGERS:
        logging.getLogger(name).disabled = True
    return made


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m yingjian.modelling.spark", description=__doc__)
    parser.add_argument("folder", type=Path, help="a new folder for sources and marts: persons' data")
    parser.add_argument("--date", required=True, nargs="+", type=date.fromisoformat, metavar="D", help="business dates")
    parser.add_argument("--master", default="local[*]", help="where Spark runs: its master URL (default: this process)")
    arguments = parser.parse_args()
    settings = Settings.load()
    warehouse.ensure_running(settings)
    try:
        build(settings, arguments.date, arguments.folder.absolute(), arguments.master)
    except (BuildError, SetupError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
