"""Builds a business date with Spark as the engine: export, build the models on Spark, load their rows back.

See docs/spark.md, and docs/decisions/spark-in-the-pipeline.md for the reasons. dbt creates the tables of the build from the
loaded rows, so contracts, indexes, comments, grants and build ownership are the same as in any other build.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from yingjian.modelling import dbt, spark_export
from yingjian.modelling.dbt import BuildError, Model, NodeResult
from yingjian.modelling.spark_export import LOADED, SCHEMA, Source
from yingjian.modelling.spark_types import NO_END, NO_START, Columns
from yingjian.settings import Settings, SetupError

log = logging.getLogger(__name__)

INSTALL = "UV_PROJECT_ENVIRONMENT=.venv-spark .venv/bin/uv sync --frozen --no-dev --group spark"
ROWS_AT_ONCE = 100_000
PASSED_ON = re.compile("(HOME|PATH|JAVA_HOME|LD_LIBRARY_PATH|LANG|TMPDIR|TZ)$|(LC|SPARK|PYSPARK|HADOOP|YARN)_")
Say = Callable[[dict[str, NodeResult]], None]


def require(settings: Settings) -> None:
    """Raise SetupError with install instructions if Spark cannot run."""
    if not settings.spark_python.exists():
        raise SetupError(
            f"YINGJIAN_ENGINE is spark, and {settings.spark_python} is not there: run `{INSTALL}`, or set"
            " YINGJIAN_SPARK_PYTHON"
        )
    java_home = os.environ.get("JAVA_HOME")
    if not shutil.which(f"{java_home}/bin/java" if java_home else "java"):
        raise SetupError(
            "YINGJIAN_ENGINE is spark, and there is no Java: install openjdk-17-jre-headless, or set JAVA_HOME"
        )


def build(settings: Settings, day: date, token: str, say: Say = lambda results: None) -> int:
    """Build seeds and models for a business date like `dbt.build`, with the tables' rows computed by Spark.

    A model's seconds are the sum of Spark's run, the load and dbt's run. Raises BuildError, SetupError.
    """
    require(settings)
    with spark_export.turn(settings) as conn:
        dbt.load_seeds(settings, day, token)
        start = time.monotonic()
        sources = spark_export.export(settings)
        log.info("exported to Spark in %.1f s", time.monotonic() - start)
        with loaded(conn, token) as load:
            seconds = _models_on_spark(settings, day, sources, load, say)
            with dbt.reading(_suffix(token)):
                return dbt.build(settings, day, token, lambda results: say(_with_seconds(results, seconds)))


def _models_on_spark(
    settings: Settings,
    day: date,
    sources: Mapping[Source, Columns],
    load: Callable[[str, Columns, Path], None],
    say: Say,
) -> dict[str, float]:
    """Build the models on Spark and load each table as soon as it is built; return seconds by dbt's unique id."""
    models = dbt.compiled(settings, SCHEMA, day)
    by_id = {model.unique_id: model for model in models}
    seconds: dict[str, float] = {}
    with closing(built(settings, {day: models}, sources)) as results:
        for result in results:
            if "error" in result:
                if "model" in result:
                    failed: NodeResult = {"state": "error", "seconds": round(result["seconds"], 2), "rows": None}
                    say({result["model"]: failed})
                raise BuildError(result["error"])
            model, start = by_id[result["model"]], time.monotonic()
            log.info("Spark built %s in %.1f s", model.name, result["seconds"])
            if model.is_rebuilt:
                load(model.name, result["columns"], built_folder(settings) / str(day) / model.name)
                seconds[model.unique_id] = result["seconds"] + time.monotonic() - start
    return seconds


def _with_seconds(results: dict[str, NodeResult], seconds: Mapping[str, float]) -> dict[str, NodeResult]:
    return {
        name: {**result, "seconds": round(result["seconds"] + seconds.get(name, 0), 2)}
        for name, result in results.items()
    }


def built_folder(settings: Settings) -> Path:
    return settings.spark / "built"


def built(
    settings: Settings, models: Mapping[date, Sequence[Model]], sources: Mapping[Source, Columns]
) -> Generator[dict[str, Any], None, None]:
    """Build the models of each date on Spark from the exported files; yield a result for each model.

    A result has `day`, `model` (dbt's unique id), `seconds` and `columns`; or `error`, which contains no personal data and
    comes last. A table's files are in `built_folder`/date/model until the last result is consumed. Raises BuildError if Spark's
    process ended early.
    """
    shutil.rmtree(built_folder(settings), ignore_errors=True)
    built_folder(settings).mkdir(mode=0o700, parents=True)
    request = {
        "folders": {source.on_spark: str(source.folder(settings)) for source in sources},
        "tables": {source.on_spark: columns for source, columns in sources.items()},
        "models": {str(day): [asdict(model) for model in listed] for day, listed in models.items()},
    }
    try:
        with _process(settings) as process:
            yield from _results(process, request)
    finally:
        shutil.rmtree(built_folder(settings), ignore_errors=True)


@contextmanager
def _process(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """Start the Spark process; it is killed when the context ends, and exits if this process dies.

    It inherits only the variables that match `PASSED_ON`, since those of Yingjian and of Airflow's connections hold passwords
    and keys.
    """
    environment = {name: value for name, value in os.environ.items() if PASSED_ON.match(name)}
    with (built_folder(settings) / "stderr").open("w+", encoding="utf-8", errors="replace") as stderr_file:
        process = subprocess.Popen(
            [
                str(settings.spark_python), "-m", "yingjian.modelling.spark_models", str(built_folder(settings)),
                settings.spark_master, str(os.getpid()),
            ],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr_file, text=True, encoding="utf-8",
            start_new_session=True,
        )  # fmt: skip
        try:
            assert process.stdout
            if "is_ready" not in process.stdout.readline():
                stderr_file.seek(0)  # No row has been read yet, so the text is safe to show.
                raise BuildError(
                    f"Spark did not start: {' '.join(stderr_file.read().split())[-500:] or 'it says nothing'}"
                )
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # This also kills the Java processes that it started.
            process.communicate()


def _results(process: subprocess.Popen[str], request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    assert process.stdin and process.stdout
    json.dump(request, process.stdin)
    process.stdin.close()
    process.stdin = None
    for line in process.stdout:
        result = json.loads(line)
        if "is_done" in result:
            return
        yield result
        if "error" in result:
            return
    raise BuildError("Spark ended before the models were built: it was killed, or had no memory left")


# The functions below load Spark's files into warehouse tables.


def _suffix(token: str) -> str:
    return token[:8]


@contextmanager
def loaded(conn: psycopg.Connection[Any], token: str) -> Iterator[Callable[[str, Columns, Path], None]]:
    """Yield a function that loads a model's files into a table of this build; all such tables are dropped at the end.

    conn: the connection of `turn`. Since it is exclusive, tables left by other builds can be dropped, too.
    """
    spark_export.drop_loaded(conn)
    try:
        yield lambda model, columns, folder: load(conn, f"{model}__{_suffix(token)}", columns, folder)
    finally:
        spark_export.drop_loaded(conn)


def load(conn: psycopg.Connection[Any], table: str, columns: Columns, folder: Path) -> None:
    """Create a table in the schema `spark` with PostgreSQL's types and load a folder of Parquet files into it."""
    name = sql.Identifier(LOADED, table)
    typed = [sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in columns.items()]  # type: ignore[arg-type]
    copied = sql.SQL("copy {} ({}) from stdin with (format csv)").format(
        name, sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with conn.transaction(), conn.cursor() as cursor:
        cursor.execute(sql.SQL("create unlogged table {} ({})").format(name, sql.SQL(", ").join(typed)))
        with cursor.copy(copied) as copy:
            for path in sorted(folder.glob("*.parquet")):
                for rows in pl.read_parquet(path).iter_slices(ROWS_AT_ONCE):
                    data = BytesIO()
                    _as_text(rows, columns).write_csv(data, include_header=False)
                    copy.write(data.getvalue())


def _as_text(rows: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    """Format rows for COPY: lists and infinity as PostgreSQL writes them, decimals without trailing zeros."""
    return rows.select(_written(pl.col(name), kind).alias(name) for name, kind in columns.items())


def _written(value: pl.Expr, kind: str) -> pl.Expr:
    if kind == "numeric":
        return value.cast(pl.String).str.replace(r"(\.\d*?)0+$", "$1").str.strip_suffix(".")
    if kind in ("date", "timestamp", "timestamptz"):
        return (
            pl.when(value.dt.year() == _year(NO_END))
            .then(pl.lit("infinity"))
            .when(value.dt.year() == _year(NO_START))
            .then(pl.lit("-infinity"))
            .otherwise(value.cast(pl.String))
        )
    if kind.endswith("[]"):
        item = _written(pl.element(), kind.removesuffix("[]")).cast(pl.String)
        item = item.str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
        quoted = pl.concat_str(pl.lit('"'), item, pl.lit('"'))
        items = value.list.eval(pl.when(pl.element().is_null()).then(pl.lit("NULL")).otherwise(quoted))
        return pl.concat_str(pl.lit("{"), items.list.join(","), pl.lit("}"))
    return value


def _year(day: str) -> int:
    return date.fromisoformat(day).year
