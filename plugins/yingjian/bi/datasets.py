"""This module reads bi/datasets.yml: which marts BI tools get as datasets, with their columns and metrics.

| key | meaning |
|---|---|
| `mart` | the mart; columns, titles and types are those of dbt's manifest |
| `table` | a relation of `reporting` that dbt does not build; `columns` gives type, title and, if computed, SQL of each |
| `title` | the dataset's Chinese title |
| `where` | a condition on the rows |
| `days` | keeps only this many days of a history mart, up to the current publication |
| `each` | unnests a list column into one row for each value: new name -> column of the mart |
| `figures` | office, community or department: every figure that such an audience has becomes a certified metric |
| `metrics` | further metrics: name -> `title`, `sql`, `share` for a value of 0 to 1, `figure` for the report's equal figure |

A column of codes gets a second one, `<column>_title`, with their Chinese titles. Timestamps are wall time of Asia/Shanghai
without a time zone.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from yingjian.modelling.marts import HISTORY_COLUMNS, marts
from yingjian.reports.content.frames import BLANK

SCHEMA = "reporting"
KINDS = ("office", "community", "department")
PLACES = ("community", "department")
COUNT, DECIMAL, SHARE = ",d", ",.1f", ",.1%"


@dataclass(frozen=True)
class Column:
    """A column of a dataset. `kind` is the name of its PostgreSQL type."""

    name: str
    title: str
    kind: str
    description: str = ""
    sql: str = ""  # This expression computes a column that the relation does not have.

    @property
    def is_time(self) -> bool:
        return self.kind == "date" or self.kind.startswith("timestamp")

    @property
    def format(self) -> str:
        """Return the column's number format in d3's notation; empty for text, dates and ids."""
        is_share = self.name == "coverage" or self.name.endswith(("share", "rate", "coverage"))
        if self.kind == "double precision":
            return SHARE if is_share else DECIMAL
        return COUNT if self.kind in ("integer", "bigint") and not self.name.endswith("_id") else ""


@dataclass(frozen=True)
class Metric:
    """A metric. `sql` is an aggregate, `format` is in d3's notation, and `figure` is the code of the figure that it equals."""

    name: str
    title: str
    sql: str
    format: str = COUNT
    description: str = ""
    basis: str = ""
    figure: str = ""
    is_certified: bool = False

    def write(self, value: Any) -> str:
        """Return a value as text; d3 and Python share the notation of formats. None becomes a dash, as in the report."""
        if value is None:
            return "—"
        return format(int(value) if self.format == COUNT else float(value), self.format)


@dataclass(frozen=True)
class Dataset:
    """A dataset is a query over one mart. `figures` is the kind of audience whose figures are its metrics, or empty."""

    name: str
    title: str
    relation: str
    sql: str
    columns: Mapping[str, Column]
    metrics: Mapping[str, Metric]
    description: str = ""
    figures: str = ""
    each: Mapping[str, str] = field(default_factory=dict)

    def place(self, kind: str) -> str | None:
        """Return the column that selects an audience of a kind: empty for the office, None if the dataset has no such column."""
        if self.figures:
            return None if self.figures != kind else "" if kind == "office" else kind
        if self.each:  # Unnesting repeats rows, so totals are right only for one value of the column.
            return kind if kind in self.each else None
        return "" if kind == "office" else "community" if kind == "community" and kind in self.columns else None

    @property
    def time_column(self) -> str | None:
        return next((name for name, column in self.columns.items() if column.is_time), None)


def load(root: Path, manifest: Path) -> dict[str, Dataset]:
    """Return every dataset by name.

    Raises ValueError, which names a dataset that refers to a mart, a column or a figure that does not exist.
    """
    declared: dict[str, Any] = yaml.safe_load((root / "bi" / "datasets.yml").read_text(encoding="utf-8"))
    nodes = json.loads(manifest.read_bytes())["nodes"]
    figures = _seed(root, "indicator_definition")
    codes = {(row["table_name"], row["column_name"]) for row in _seed(root, "code_title")}
    datasets = {name: _dataset(root, name, facts, nodes, figures, codes) for name, facts in declared.items()}
    names = [metric for dataset in datasets.values() if not dataset.figures for metric in dataset.metrics]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"bi/datasets.yml: the metric {', '.join(sorted(twice))} stands there twice")
    return datasets


def _dataset(
    root: Path,
    name: str,
    facts: Mapping[str, Any],
    nodes: Mapping[str, Any],
    figures: list[dict[str, str]],
    codes: set[tuple[str, str]],
) -> Dataset:
    relation, each = facts.get("mart") or facts["table"], facts.get("each", {})
    node = nodes.get(f"model.yingjian.{facts['mart']}") if "mart" in facts else None
    if "mart" in facts and (node is None or marts(root)[relation].reader_schema != SCHEMA):
        raise ValueError(f"bi/datasets.yml, {name}: there is no mart {SCHEMA}.{relation}")
    own = _columns_of_mart(root, node) if node else _columns_declared(facts["columns"])
    if missing := [column for column in each.values() if column not in own]:
        raise ValueError(f"bi/datasets.yml, {name}: {relation} has no column {', '.join(missing)}")
    columns, selected = _selected(relation, own, each, codes)
    metrics = _metrics_of_figures(facts["figures"], figures) if "figures" in facts else {}
    for metric, words in facts.get("metrics", {}).items():
        if words.get("figure") and words["figure"] not in {row["indicator_code"] for row in figures}:
            raise ValueError(f"bi/datasets.yml, {name}, {metric}: there is no figure {words['figure']}")
        shown = SHARE if words.get("share") else COUNT
        metrics[metric] = Metric(metric, words["title"], words["sql"], shown, figure=words.get("figure", ""))
    return Dataset(
        name, facts["title"], relation, _query(relation, selected, each, own, facts), columns, metrics,
        node["description"] if node else "", facts.get("figures", ""), each,
    )  # fmt: skip


def _columns_of_mart(root: Path, node: Mapping[str, Any]) -> dict[str, Column]:
    columns = {
        column["name"]: Column(
            column["name"],
            column["config"]["meta"]["label"],
            "timestamp without time zone" if column["data_type"] == "timestamp" else column["data_type"],
            column["description"],
        )
        for column in node["columns"].values()
    }
    if marts(root)[node["name"]].is_history:
        kinds = {"publication_id": "bigint", "is_current": "boolean"}
        columns |= {name: Column(name, *_history(name, kinds[name])) for name in HISTORY_COLUMNS}
    return columns


def _history(name: str, kind: str) -> tuple[str, str, str]:
    title, description = HISTORY_COLUMNS[name]
    return title, kind, description


def _columns_declared(declared: Mapping[str, list[str]]) -> dict[str, Column]:
    return {name: Column(name, title, kind, sql="".join(sql)) for name, (kind, title, *sql) in declared.items()}


def _selected(
    relation: str, own: Mapping[str, Column], each: Mapping[str, str], codes: set[tuple[str, str]]
) -> tuple[dict[str, Column], list[str]]:
    """Return the columns of a dataset, and the expressions that its query selects."""
    columns: dict[str, Column] = {}
    selected = []
    listed = {column: name for name, column in each.items()}
    for name, column in own.items():
        if name in listed:
            columns[listed[name]] = Column(listed[name], column.title, "text", column.description)
            selected.append(_named(f"each_{listed[name]}.{listed[name]}", listed[name]))
        elif name in PLACES:
            columns[name] = column
            selected.append(_named(f"mart.{name}", name))
        elif (relation, name) in codes and column.kind == "text":
            columns[name] = Column(name, f"{column.title}代码", column.kind, column.description)
            columns[f"{name}_title"] = Column(f"{name}_title", column.title, column.kind, column.description)
            selected += [f"mart.{name}", f"{_title_of_code(relation, name)} as {name}_title"]
        elif column.kind == "timestamp with time zone":
            columns[name] = Column(name, column.title, "timestamp without time zone", column.description)
            selected.append(f"timezone('Asia/Shanghai', mart.{name}) as {name}")
        else:
            columns[name] = column
            selected.append(f"{column.sql} as {name}" if column.sql else f"mart.{name}")
    if "publication_id" not in columns:
        # A publication replaces all marts in one transaction, so the rows always belong to this id.
        columns["publication_id"] = Column("publication_id", *_history("publication_id", "bigint"))
        selected.append(f"(select publication_id from {SCHEMA}.publication) as publication_id")
    return columns, selected


def _named(cell: str, name: str) -> str:
    """Return the SQL of a place; a missing place becomes BLANK, so that charts show these rows as a group of their own."""
    return f"coalesce(nullif({cell}, ''), '{BLANK}') as {name}"


def _title_of_code(relation: str, column: str) -> str:
    return (
        f"coalesce((select code_label.title from {SCHEMA}.code_label where code_label.table_name = '{relation}'"
        f" and code_label.column_name = '{column}' and code_label.code = mart.{column}), mart.{column})"
    )


def _query(
    relation: str, selected: list[str], each: Mapping[str, str], own: Mapping[str, Column], facts: Mapping[str, Any]
) -> str:
    lines = [f"select {', '.join(selected)}", f"from {SCHEMA}.{relation} as mart"]
    for name, column in each.items():
        cell = f"mart.{column}" if own[column].kind == "text[]" else f"string_to_array(mart.{column}, '、')"
        lines.append(f"left join lateral unnest({cell}) as each_{name} ({name}) on true")
    conditions = [facts["where"]] if "where" in facts else []
    if "days" in facts:
        conditions.append(f"mart.as_of_date > (select as_of_date from {SCHEMA}.publication) - {facts['days']}")
    return "\n".join([*lines, *([f"where {' and '.join(conditions)}"] if conditions else [])])


def _metrics_of_figures(kind: str, figures: list[dict[str, str]]) -> dict[str, Metric]:
    """Return a metric, by code, for each figure that an audience of a kind has.

    A metric is the figure's printed value if exactly one row matches, else null: figures of days, communities or departments
    must never be added up.
    """
    if kind not in KINDS:
        raise ValueError(f"bi/datasets.yml: figures {kind} is none of {', '.join(KINDS)}")
    metrics = {}
    for row in figures:
        if kind != "office" and row[f"by_{kind}"] != "true":
            continue
        code = row["indicator_code"]
        its_rows = f"filter (where indicator_code = '{code}')"
        metrics[code] = Metric(
            code,
            row["title"],
            f"case when count(*) {its_rows} = 1 then max(value_shown) {its_rows} end",
            f",.{row['decimals']}%" if row["is_share"] == "true" else COUNT,
            row["definition"],
            row["basis"],
            code,
            is_certified=True,
        )
    return metrics


def _seed(root: Path, name: str) -> list[dict[str, str]]:
    path = root / "dbt_project" / "seeds" / "reference" / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
