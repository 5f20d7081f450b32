"""This module builds the models on Spark, the second engine (docs/spark.md), from exported tables into Parquet files.

`python -m yingjian.modelling.spark FOLDER --date D …` needs Java 17 and the packages of the group `spark`.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import psycopg
import yaml
from psycopg import sql

from yingjian.database import warehouse
from yingjian.modelling.dbt import BuildError, build_on, dbt_folder
from yingjian.settings import Settings, SetupError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TARGET = "spark"
ROWS_PER_FILE = 100_000
TYPES: dict[str, Any] = {
    "text": pl.String,
    "boolean": pl.Boolean,
    "integer": pl.Int32,
    "bigint": pl.Int64,
    "smallint": pl.Int16,
    "numeric": pl.Decimal(20, 6),
    "date": pl.Date,
    "timestamp without time zone": pl.Datetime("us"),
    "timestamp with time zone": pl.Datetime("us", "UTC"),
    "text[]": pl.List(pl.String),
}


def build(settings: Settings, days: Sequence[date], folder: Path, master: str = "local[*]") -> None:
    """Export the sources to a new folder, and build seeds and models on Spark for each business date.

    folder/D/mart holds the mart's Parquet files for D; only the owner may read them. Raises SetupError when the folder
    is not empty, BuildError with dbt's reason.
    """
    if folder.exists() and any(folder.iterdir()):
        raise SetupError(f"there is something in {folder}: name a folder that is not there yet")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    export(settings, folder / "sources")
    spark = _session(folder, master)
    try:
        for table in sorted(folder.glob("sources/*/*")):
            spark.sql(f"create database if not exists {table.parent.name}")
            spark.sql(f"create table {table.parent.name}.{table.name} using parquet location '{table}'")
        for day in days:
            build_on(settings, TARGET, day, folder / "dbt")
            shutil.copytree(folder / "warehouse" / "build.db", folder / str(day))
    finally:
        spark.stop()


def export(settings: Settings, folder: Path) -> None:
    """Export every source table of the dbt project to Parquet files in `folder`/schema/table, all as of one moment.

    Columns whose types Spark does not have (TYPES) are left out; a model that reads one fails there.
    """
    declared = yaml.safe_load((dbt_folder(settings) / "models" / "staging" / "_sources.yml").read_text())["sources"]
    tables = [(source["schema"], table["name"]) for source in declared for table in source["tables"]]
    with warehouse.connect(settings) as conn:
        conn.execute("set transaction isolation level repeatable read")
        for schema, table in tables:
            _export_table(conn, schema, table, folder / schema / table)


def _export_table(conn: psycopg.Connection[Any], schema: str, table: str, folder: Path) -> None:
    columns = conn.execute(
        """
        select attname, format_type(atttypid, null) from pg_attribute
        where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum
        """,
        [f"{schema}.{table}"],
    ).fetchall()
    known = {name: TYPES[type_name] for name, type_name in columns if type_name in TYPES}
    query = sql.SQL("select {} from {}").format(
        sql.SQL(", ").join(map(sql.Identifier, known)), sql.Identifier(schema, table)
    )
    folder.mkdir(parents=True)
    with conn.cursor(name="exported") as cursor:
        cursor.execute(query)
        for number, rows in enumerate(_parts(cursor)):
            frame = pl.DataFrame(rows, schema=known, orient="row")
            frame.write_parquet(folder / f"{number:05d}.parquet")


def _parts(cursor: psycopg.ServerCursor[Any]) -> Iterator[list[Any]]:
    """Yield the rows in lists of ROWS_PER_FILE, at least one list, so that an empty table still has its columns."""
    rows = cursor.fetchmany(ROWS_PER_FILE)
    yield rows
    while len(rows) == ROWS_PER_FILE:
        rows = cursor.fetchmany(ROWS_PER_FILE)
        yield rows


def _session(folder: Path, master: str) -> SparkSession:
    """Return the session that dbt-spark finds: its catalogue is in memory, its tables are in `folder`.

    Only this machine reaches it.
    """
    from pyspark.sql import SparkSession

    session = (
        SparkSession.Builder()
        .master(master)
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.catalogImplementation", "in-memory")
        .config("spark.sql.warehouse.dir", str((folder / "warehouse").absolute()))
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    return session


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
