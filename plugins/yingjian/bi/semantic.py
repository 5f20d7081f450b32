"""This module writes a dbt project with MetricFlow's semantic models, whose metrics are the figures of the datasets.

The project is never built: each model stands for a relation that already exists in `reporting`, and the profile connects as
bi_reader. A figure has one row for each day and place, so its measure is the maximum over that single row.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from yingjian.bi.datasets import SCHEMA, Dataset, Metric

PROJECT = "yingjian_semantic"
DAYS = "dim_date"
# Each semantic model has the place columns of its own level; its measures are null on the rows of the other levels.
PLACES = {"office": (), "community": ("community",), "department": ("department",)}
PREFIX = {"office": "town", "community": "community", "department": "department"}
WORDS = {"office": "全街道", "community": "按社区", "department": "按部门"}  # MetricFlow requires unique labels.


def write(datasets: Mapping[str, Dataset], folder: Path) -> Path:
    """Write the project into a folder and return it. MetricFlow reads it after `dbt parse`."""
    figures = [dataset for dataset in datasets.values() if dataset.figures]
    relations = sorted({DAYS, *(dataset.relation for dataset in figures)})
    (folder / "models").mkdir(parents=True, exist_ok=True)
    (folder / "macros").mkdir(exist_ok=True)
    project = {
        "name": PROJECT, "version": "1.0.0", "config-version": 2, "profile": PROJECT,
        "models": {PROJECT: {"+schema": SCHEMA, "+materialized": "view"}},
    }  # fmt: skip
    _yaml(folder / "dbt_project.yml", project)
    _yaml(folder / "profiles.yml", _profile())
    # dbt's own macro would put the target's schema in front of the schema that a model names.
    (folder / "macros" / "schema.sql").write_text(
        "{% macro generate_schema_name(name, node) %}{{ name or target.schema }}{% endmacro %}\n", encoding="utf-8"
    )
    for relation in relations:
        (folder / "models" / f"{relation}.sql").write_text(f"select * from {SCHEMA}.{relation}\n", encoding="utf-8")
    models: dict[str, Any] = {
        "models": [
            {
                "name": DAYS,
                "time_spine": {"standard_granularity_column": "day"},
                "columns": [{"name": "day", "granularity": "day"}],
            }
        ],
        "semantic_models": [_semantic_model(dataset) for dataset in figures],
        "metrics": [_metric(dataset, metric) for dataset in figures for metric in dataset.metrics.values()],
    }
    _yaml(folder / "models" / "semantic.yml", models)
    return folder


def _profile() -> dict[str, Any]:
    def variable(name: str) -> str:
        return f"{{{{ env_var('YINGJIAN_PG_{name}') }}}}"

    output = {
        "type": "postgres", "host": variable("HOST"), "port": "{{ env_var('YINGJIAN_PG_PORT') | as_number }}",
        "user": variable("USER"), "password": variable("PASSWORD"), "dbname": variable("DBNAME"), "schema": SCHEMA, "threads": 1,
    }  # fmt: skip
    return {PROJECT: {"target": "reader", "outputs": {"reader": output}}}


def _semantic_model(dataset: Dataset) -> dict[str, Any]:
    places = PLACES[dataset.figures]
    return {
        "name": dataset.name,
        "description": dataset.title,
        "model": f"ref('{dataset.relation}')",
        "defaults": {"agg_time_dimension": "as_of_date"},
        "primary_entity": f"of_{PREFIX[dataset.figures]}",
        "dimensions": [
            {"name": "as_of_date", "type": "time", "type_params": {"time_granularity": "day"}},
            {"name": "is_current", "type": "categorical"},
            *({"name": place, "type": "categorical", "label": dataset.columns[place].title} for place in places),
        ],
        "measures": [
            {"name": _name(dataset, metric), "agg": "max", "expr": _value(dataset, metric)}
            for metric in dataset.metrics.values()
        ],
    }


def _value(dataset: Dataset, metric: Metric) -> str:
    """Return SQL that is the printed value on the rows of a figure, and null on every other row."""
    places = PLACES[dataset.figures]
    conditions = [f"indicator_code = '{metric.figure}'"] + [
        f"{place} is {'not null' if place in places else 'null'}" for place in ("community", "department")
    ]
    return f"case when {' and '.join(conditions)} then value_shown end"


def _metric(dataset: Dataset, metric: Metric) -> dict[str, Any]:
    name = _name(dataset, metric)
    return {
        "name": name,
        "label": f"{metric.title}（{WORDS[dataset.figures]}）",
        "description": f"{metric.description}依据：{metric.basis}。",
        "type": "simple",
        "type_params": {"measure": name},
    }


def _name(dataset: Dataset, metric: Metric) -> str:
    return f"{PREFIX[dataset.figures]}_{metric.name}"


def _yaml(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120), encoding="utf-8")
