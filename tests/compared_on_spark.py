"""This module lists the SQL constructs (of the models and of tests/spark_queries.py) and table types that were compared on Spark.

`python -m tests.compared_on_spark` regenerates both files; tests/integration/modelling/test_spark.py compares the rows of both engines,
and fails if the files are out of date.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from tests import support
from tests.spark_queries import QUERIES
from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.modelling import dbt
from yingjian.modelling.spark_export import SCHEMA, columns_of, sources
from yingjian.modelling.spark_sql import Refused, translate
from yingjian.modelling.spark_types import Columns
from yingjian.settings import PROJECT_ROOT, Settings

CONSTRUCTS = PROJECT_ROOT / "tests" / "compared_on_spark.txt"
TYPES = PROJECT_ROOT / "tests" / "table_types.json"
DAY = date(2022, 7, 20)


def compiled() -> list[dbt.Model]:
    """Return every model, compiled without a server. The home is kept, so that dbt parses only changed files."""
    nowhere = {
        "YINGJIAN_HOME": str(support.PARSED.parent / "nowhere"),
        "YINGJIAN_WAREHOUSE": "postgresql://nobody:none@127.0.0.1:1/yingjian",
        "YINGJIAN_PERSON_KEY": "0" * 64,
    }
    return dbt.compiled(Settings.load(nowhere), SCHEMA, DAY)


def uncovered(models: list[dbt.Model], covered: set[str]) -> list[str]:
    """Return the constructs of models that were not compared or cannot be translated, each with its model and line."""
    tables = json.loads(TYPES.read_text(encoding="utf-8"))
    faults = []
    for model in models:
        try:
            translated = translate(model.path, model.sql, tables, model.source)
        except Refused as error:
            faults.append(str(error))
            continue
        tables[model.table] = translated.columns
        faults += [
            f"{model.path}, {place}: {construct} was not compared on Spark"
            for construct, place in translated.constructs.items()
            if construct not in covered
        ]
    return faults


def constructs(models: list[dbt.Model], tables: Mapping[str, Columns]) -> set[str]:
    """Return every construct of the models and of the queries. Raises Refused when one cannot be translated."""
    known = dict(tables)
    names: set[str] = set()
    for model in models:
        translated = translate(model.path, model.sql, known)
        known[model.table] = translated.columns
        names |= set(translated.constructs)
    return names.union(*(translate(name, query, {}).constructs for name, query in QUERIES.items()))


def types_of(settings: Settings) -> dict[str, Columns]:
    """The columns of the tables that Spark reads, by their names on Spark."""
    with warehouse.connect(settings, "transformer") as conn:
        return {source.on_spark: columns_of(conn, source) for source in sources(settings)}


def read() -> set[str]:
    return set(CONSTRUCTS.read_text(encoding="utf-8").splitlines())


def main() -> None:
    settings = support.make_home(Path(tempfile.mkdtemp()), durable=False)
    try:
        support.build(settings, DAY, "resource_type:seed")
        tables = types_of(settings)
    finally:
        EmbeddedPostgres(settings).stop()
    lines = [f"{json.dumps(name)}: {json.dumps(columns)}" for name, columns in sorted(tables.items())]
    TYPES.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    CONSTRUCTS.write_text("\n".join(sorted(constructs(compiled(), tables))) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
