"""This program builds the models on Spark, the second engine (docs/spark.md). `yingjian.modelling.spark` starts it.

`python -m yingjian.modelling.spark_models FOLDER MASTER PARENT` runs in the environment that has Spark. It gets tables, models
and dates on its standard input, builds into FOLDER, prints a line of JSON for each model, and ends with the process PARENT.
What it prints names models, lines and classes of errors: a message of Spark's could hold a cell of a row.
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
    "spark.sql.ansi.enabled": "true",  # Spark refuses what PostgreSQL refuses.
    "spark.sql.timestampType": "TIMESTAMP_NTZ",  # Asia/Shanghai, as the feeds write it, without a zone.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.files.maxRecordsPerFile": "1000000",  # Whoever loads them has one file at a time in memory.
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",  # Else a quotient has six decimals only.
}
# One machine is all there is: nobody else reaches it, and its few cores need few parts.
ON_ONE_MACHINE = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "2",
}
# A failed task would log the row that it failed on: no process of Spark's logs anything. Without an appender Spark takes its own
# settings instead of these.
NO_LOG = "appender.none.type = Null\nappender.none.name = none\nrootLogger.level = off\nrootLogger.appenderRef.none.ref = none\n"
# PySpark writes each error with its message, which can hold a cell of a row, to these loggers of Python, whatever Spark's own
# log is set to. Their names stand in `_log_exception` of pyspark/errors/exceptions/base.py.
PYTHON_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
Say = Callable[[dict[str, Any]], None]


class ModelError(BuildError):
    """Spark could not build a model; the text names it and the line."""

    def __init__(self, model: Model, seconds: float, text: str) -> None:
        super().__init__(text)
        self.model, self.seconds = model, seconds


def session(folder: Path, master: str) -> SparkSession:
    """Return a session whose catalogue is in memory, and whose files are in `folder`."""
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
    """Let Spark know the exported tables, each by its name and its folder, and nothing else."""
    spark.sql(f"drop database if exists {SCHEMA} cascade")
    for database in sorted({name.partition(".")[0] for name in tables} | {SCHEMA}):
        spark.sql(f"create database if not exists {database}")
    for name, folder in tables.items():
        spark.sql(f"create table if not exists {name} using parquet location '{folder}'")


def build_models(
    spark: SparkSession, models: Sequence[Model], tables: Mapping[str, Columns], folder: Path, say: Say
) -> None:
    """Build the models in their order; the files of a model's table go to folder/<model>. Raises ModelError."""
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
            # An error in a view gives its position in the query alone.
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
    """Return the error to which Spark gives a condition: what fails in another thread of Spark's comes wrapped by Java.

    A scalar subquery has a thread of its own.
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
    """Return the line at which an error of Spark's stands; with the file, if that is of a view which the model reads.

    Of an error in a view Spark may say only where the model reads it. Then the view's own query is asked.
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
    """Raise ModelError where Spark gave a column another type than PostgreSQL gives it."""
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
    """Return a function that prints to the standard output, which is closed to everybody else: Java prints beside the errors."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return lambda event: print(json.dumps(event), file=out, flush=True)


def _with_day(say: Say, day: str, event: dict[str, Any]) -> None:
    say({"day": day, **event})


def main() -> None:
    """Build the models of each date that is asked for into FOLDER/<date>."""
    folder, master = Path(sys.argv[1]), sys.argv[2]
    end_with(int(sys.argv[3]))
    say = _printer()
    spark = session(folder, master)  # No row was read yet: what goes wrong here is told as it is.
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
    except Exception as error:  # Its text, too, could hold a cell.
        last = traceback.extract_tb(error.__traceback__)[-1]
        say({"error": f"Spark ended with {type(error).__name__} at {Path(last.filename).name}:{last.lineno}"})


if __name__ == "__main__":
    main()
