"""Builds the models on Spark, the second engine (docs/spark.md); started by `yingjian.modelling.spark`.

`python -m yingjian.modelling.spark_models FOLDER MASTER PARENT` runs in the environment that has Spark. It reads tables, models
and dates as JSON from stdin, builds into FOLDER, prints one JSON line per model, and exits when the process PARENT dies. Its
output contains only names of models, line numbers and error classes, since Spark's messages may quote a cell.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from yingjian.modelling.dbt import BuildError, Model
from yingjian.modelling.spark_export import SCHEMA
from yingjian.modelling.spark_sql import Refused, line_of, place, spark_type, translate
from yingjian.modelling.spark_types import Columns
from yingjian.processes import end_with

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SESSION = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.ansi.enabled": "true",  # Invalid casts and overflows raise an error, as in PostgreSQL.
    "spark.sql.timestampType": "TIMESTAMP_NTZ",  # The feeds write wall time of Asia/Shanghai without a zone.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.files.maxRecordsPerFile": "1000000",  # The loader holds one file at a time in memory.
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",  # Otherwise a quotient is cut to six decimals.
}
# With a local master, Spark listens on loopback only, and its few cores need few shuffle partitions.
ON_ONE_MACHINE = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "2",
}
# A failed task would log the row that it failed on, so all of Spark's logging is off. Without any appender, Log4j would fall
# back to Spark's default settings.
NO_LOG = "appender.none.type = Null\nappender.none.name = none\nrootLogger.level = off\nrootLogger.appenderRef.none.ref = none\n"
# PySpark logs each error message, which may quote a cell, to these Python loggers, whatever Spark's log level is. The names
# come from `_log_exception` in pyspark/errors/exceptions/base.py.
PYTHON_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
Say = Callable[[dict[str, Any]], None]


class ModelError(BuildError):
    """Raised when Spark could not build a model; the text names the model and the line."""

    def __init__(self, model: Model, seconds: float, text: str) -> None:
        super().__init__(text)
        self.model, self.seconds = model, seconds


def session(folder: Path, master: str) -> SparkSession:
    """Return a session with an in-memory catalogue and its files in `folder`."""
    from pyspark.sql import SparkSession

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "log4j2.properties").write_text(NO_LOG, encoding="utf-8")
    no_log = f"-Dlog4j2.configurationFile={(folder / 'log4j2.properties').as_uri()}"
    own = {
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder / "scratch"),
        "spark.driver.defaultJavaOptions": no_log,
        "spark.executor.defaultJavaOptions": no_log,
    }
    builder = SparkSession.Builder().master(master)
    for name, value in {**SESSION, **(ON_ONE_MACHINE if master.startswith("local") else {}), **own}.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    for name in PYTHON_LOGGERS:
        logging.getLogger(name).disabled = True
    return spark


def register(spark: SparkSession, tables: Mapping[str, str]) -> None:
    """Register the exported tables (name -> folder) in Spark's catalogue."""
    spark.sql(f"drop database if exists {SCHEMA} cascade")
    for database in sorted({name.partition(".")[0] for name in tables} | {SCHEMA}):
        spark.sql(f"create database if not exists {database}")
    for name, folder in tables.items():
        spark.sql(f"create table if not exists {name} using parquet location '{folder}'")


def build_models(
    spark: SparkSession, models: Sequence[Model], tables: Mapping[str, Columns], folder: Path, say: Say
) -> None:
    """Build the models in the given order; a model's table files go to folder/<model>. Raises ModelError."""
    known = dict(tables)
    views: dict[str, tuple[Model, str]] = {}
    for model in models:
        start = time.monotonic()
        try:
            translated = translate(model.path, model.sql, known, model.source)
        except Refused as error:
            raise ModelError(model, time.monotonic() - start, f"Spark cannot build {error}") from None
        known[model.table] = translated.columns
        if model.is_view:
            # Spark gives the position of an error in a view relative to the view's query.
            statement, views[model.table] = f"create view {model.table} as ", (model, translated.marked)
        else:
            statement = f"create table {model.table} using parquet location '{folder / model.name}' as "
        try:
            spark.sql(statement + translated.marked)
        except Exception as raised:
            failure = _known(raised)
            reason = getattr(failure, "getCondition", lambda: None)() or type(failure).__name__
            where = _where(spark, failure, model, statement + translated.marked, views)
            raise ModelError(
                model, time.monotonic() - start, f"Spark could not build {model.path}{where}: {reason}"
            ) from None
        _check_types(spark, model, translated.columns, start)
        say({"model": model.unique_id, "seconds": time.monotonic() - start, "columns": translated.columns})


def _known(error: Exception) -> Exception:
    """Return the underlying Spark error with an error condition, unwrapping Java causes.

    Errors from other threads, such as those of scalar subqueries, arrive wrapped.
    """
    java = getattr(error, "java_exception", None)
    while java is not None:
        from pyspark.errors.exceptions.captured import convert_exception

        known: Any = convert_exception(java)
        if known.getCondition():
            return cast("Exception", known)
        java = java.getCause()
    return error


def _where(
    spark: SparkSession, error: Exception, model: Model, statement: str, views: Mapping[str, tuple[Model, str]]
) -> str:
    """Return the place of a Spark error, with the file name if it lies in a view that the model reads.

    For an error inside a view, Spark may report only where the model reads the view. Then the view's query is run on its own to
    find the line.
    """
    for context in getattr(error, "getQueryContext", lambda: [])() or []:
        try:
            of_view = context.objectType() == "VIEW" and ".".join(context.objectName().split(".")[-2:])
            start, stop, fragment = context.startIndex(), context.stopIndex(), context.fragment()
        except Exception:  # noqa: S112 - a context of another kind than SQL's has no place in it
            continue
        if of_view in views:
            view, query = views[of_view]
            return f", in {view.path}{_line(view, query, start, stop)}"
        if fragment in views:
            view, query = views[fragment]
            try:
                spark.sql(query).write.format("noop").mode("overwrite").save()
            except Exception as inner:
                return f", in {view.path}{_where(spark, _known(inner), view, query, views)}"
        return _line(model, statement, start, stop)
    return ""


def _line(model: Model, text: str, start: int, stop: int) -> str:
    line = line_of(text, start, stop)
    return f", {place(model.sql, model.source, line)}" if line is not None else ""


def _check_types(spark: SparkSession, model: Model, columns: Columns, start: float) -> None:
    """Raise ModelError if a column's type on Spark is not the one PostgreSQL gives it."""
    built_types = {column.name: column.dataType.simpleString() for column in spark.table(model.table).schema.fields}
    for name, kind in columns.items():
        wanted = (spark_type(kind) or "").replace("timestamp_ltz", "timestamp").replace(" ", "")
        of_decimals = kind == "numeric" and built_types.get(name, "").startswith("decimal")
        if built_types.get(name) != wanted and not of_decimals:
            seconds = time.monotonic() - start
            raise ModelError(
                model, seconds, f"Spark built {model.path} with {name} as {built_types.get(name)}, which is {kind}"
            )


def _printer() -> Say:
    """Return a function that prints events to stdout. Everything else written to stdout, for example by Java,
    goes to stderr.
    """
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return lambda event: print(json.dumps(event), file=out, flush=True)


def _with_day(say: Say, day: str, event: dict[str, Any]) -> None:
    say({"day": day, **event})


def main() -> None:
    """Build the models of each requested date into FOLDER/<date>."""
    folder, master = Path(sys.argv[1]), sys.argv[2]
    end_with(int(sys.argv[3]))
    say = _printer()
    spark = session(folder, master)  # Errors here may be shown in full, since no row has been read.
    say({"is_ready": True})
    try:
        request = json.load(sys.stdin)
        for day, models in request["models"].items():
            register(spark, request["folders"])
            of_day = partial(_with_day, say, day)
            build_models(spark, [Model(**model) for model in models], request["tables"], folder / day, of_day)
        spark.stop()
        say({"is_done": True})
    except ModelError as error:
        say({"model": error.model.unique_id, "seconds": error.seconds, "error": str(error)})
    except Exception as error:  # The message may quote a cell.
        last = traceback.extract_tb(error.__traceback__)[-1]
        say({"error": f"Spark ended with {type(error).__name__} at {Path(last.filename).name}:{last.lineno}"})


if __name__ == "__main__":
    main()
