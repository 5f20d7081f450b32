"""This module runs every dataset and metric with a reader's rights, and compares the figures with those of the report.

The report's figures are read with the report's own code, for the office, each community and each department. Texts are
compared, not numbers: the value in the metric's number format, as Superset shows it, and the text that the report prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from yingjian.bi.dashboards import Dashboard
from yingjian.bi.datasets import SCHEMA, Dataset, Metric
from yingjian.people.audience import OFFICE, Audience
from yingjian.reports.content.audiences import audiences, narrowed
from yingjian.reports.content.figures import read_figures
from yingjian.reports.content.publication import read_issue

Reader = psycopg.Connection[Any]


@dataclass(frozen=True)
class Finding:
    """A finding is a difference between a dataset and the warehouse, or between a metric and the report."""

    dataset: str
    what: str
    audience: str
    expected: str
    actual: str

    def __str__(self) -> str:
        audience = f", {self.audience}" if self.audience else ""
        return f"{self.dataset}, {self.what}{audience}: expected {self.expected}, found {self.actual}"


@dataclass(frozen=True)
class Result:
    """The findings of a check, and how many columns, metrics and figures were compared."""

    findings: Sequence[Finding]
    columns: int
    metrics: int
    figures: int


def check(
    reader: Reader, reporter: Reader, datasets: Mapping[str, Dataset], dashboards: Sequence[Dashboard] = ()
) -> Result:
    """Check datasets, their metrics and charts against the current publication.

    reader: a connection as bi_reader. reporter: one that may read the report's figures. Raises LookupError when nothing is
    published.
    """
    reader.rollback()
    reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    current = reader.execute(f"select publication_id from {SCHEMA}.publication").fetchone()
    if current is None:
        raise LookupError("nothing is published yet, so there is nothing to compare with")
    findings, compared = [], 0
    for dataset in datasets.values():
        problems = [*_columns(reader, dataset), *_metrics(reader, dataset)]
        findings += problems
    for dashboard in dashboards:
        findings += list(_charts(reader, dashboard))
    broken = {finding.dataset for finding in findings}
    sound = [dataset for dataset in datasets.values() if dataset.name not in broken]
    for audience in audiences(reporter, current[0]):
        figures = _reported(reporter, current[0], audience)
        for dataset in sound:
            differing, count = _differing(reader, dataset, audience, figures)
            findings += differing
            compared += count
    columns = sum(len(dataset.columns) for dataset in datasets.values())
    return Result(findings, columns, sum(len(dataset.metrics) for dataset in datasets.values()), compared)


def _columns(reader: Reader, dataset: Dataset) -> Iterator[Finding]:
    """Yield a finding for each column whose name, type or title differs from the warehouse's."""
    try:
        with reader.transaction():
            cursor = reader.execute(f"select * from ({dataset.sql}) as dataset limit 0".encode())
    except psycopg.Error as error:
        yield Finding(dataset.name, "its query", "", "rows", _reason(error))
        return
    kinds = {column.name: _kind(reader, column.type_code) for column in cursor.description or ()}
    titles = dict(
        reader.execute(
            """
            select attname::text, split_part(col_description(attrelid, attnum), ': ', 1) from pg_attribute
            where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
            """,
            [f"{SCHEMA}.{dataset.relation}"],
        ).fetchall()
    )
    for name in dict.fromkeys((*dataset.columns, *kinds)):
        column = dataset.columns.get(name)
        if column is None or kinds.get(name) != column.kind:
            yield Finding(
                dataset.name, f"the column {name}", "", column.kind if column else "none", kinds.get(name, "none")
            )
        elif name in titles and f"{name}_title" not in dataset.columns and column.title != titles[name]:
            yield Finding(dataset.name, f"the title of {name}", "", titles[name], column.title)


def _kind(reader: Reader, code: int) -> str:
    row = reader.execute("select format_type(%s::oid, null)", [code]).fetchone()
    return str(row[0]) if row else ""


def _metrics(reader: Reader, dataset: Dataset) -> Iterator[Finding]:
    """Yield a finding for each metric whose SQL fails or does not return a number."""
    for metric in dataset.metrics.values():
        try:
            with reader.transaction():
                row = reader.execute(f"select {metric.sql} from ({dataset.sql}) as dataset".encode()).fetchone()
            metric.write(row[0] if row else None)
        except psycopg.Error as error:
            yield Finding(dataset.name, f"the metric {metric.name}", "", "a number", _reason(error))
        except (TypeError, ValueError):
            yield Finding(dataset.name, f"the metric {metric.name}", "", "a number", "something else")


def _charts(reader: Reader, dashboard: Dashboard) -> Iterator[Finding]:
    """Yield a finding for each chart that would be empty with its own filters applied."""
    for chart in dashboard.charts:
        conditions = sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(sql.Identifier(column), value) for column, value in chart.where.items()
        )
        query = sql.SQL("select exists (select from ({}) as dataset where {})").format(
            sql.SQL(chart.dataset.sql), conditions if chart.where else sql.SQL("true")
        )
        with reader.transaction():
            row = reader.execute(query).fetchone()
        if chart.kind != "number" and not chart.may_be_empty and not (row and row[0]):
            yield Finding(chart.dataset.name, f"the chart {chart.key} ({chart.title})", "", "rows", "none")


def _reported(reporter: Reader, publication_id: int, audience: Audience) -> dict[str, str]:
    """Return the text that the report prints, by code, for each figure that is broken down for the audience."""
    with narrowed(reporter, audience):
        issue = read_issue(reporter, publication_id, audience)
        figures = read_figures(reporter, issue)
    own = {
        code
        for code, words in figures.words.items()
        if audience == OFFICE or (words.by_community if audience.kind == "community" else words.by_department)
    }
    figure_texts = {}
    for figure in figures.daily(issue, sorted(own)):
        code = figure.key.replace("-", "_")
        figure_texts[code] = figure.written.removesuffix(figure.unit).rstrip() if figure.unit else figure.written
    return figure_texts


def _differing(
    reader: Reader, dataset: Dataset, audience: Audience, figures: Mapping[str, str]
) -> tuple[list[Finding], int]:
    """Return a finding for each metric that differs from the report, and how many metrics were compared."""
    place = dataset.place(audience.kind)
    metrics: list[Metric] = [metric for metric in dataset.metrics.values() if metric.figure in figures]
    if place is None or not metrics:
        return [], 0
    conditions: list[sql.Composable] = (
        [sql.SQL("{} = {}").format(sql.Identifier(place), audience.name)] if place else []
    )
    if "is_current" in dataset.columns:
        conditions.append(sql.SQL("is_current"))
    query = sql.SQL("select {} from ({}) as dataset where {}").format(
        sql.SQL(", ").join(sql.SQL(metric.sql) for metric in metrics),
        sql.SQL(dataset.sql),
        sql.SQL(" and ").join(conditions or [sql.SQL("true")]),
    )
    row = reader.execute(query).fetchone()
    assert row is not None
    findings = []
    for metric, value in zip(metrics, row, strict=True):
        # A sum over no rows is null, but the report prints 0.
        shown = metric.write(0 if value is None and not dataset.figures else value)
        if shown != figures[metric.figure]:
            findings.append(
                Finding(dataset.name, f"the metric {metric.name}", audience.title, figures[metric.figure], shown)
            )
    return findings, len(metrics)


def _reason(error: psycopg.Error) -> str:
    return str(error.diag.message_primary or type(error).__name__)
