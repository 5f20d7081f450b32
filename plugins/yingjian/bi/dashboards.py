"""This module reads bi/dashboards/*.yml: rows of charts that name datasets, metrics and columns.

A chart has one of four keys: `number` (one metric), `line` and `bar` (metrics by a column, `by`), or `table` (columns).
`of` names the dataset, `where` filters on values of columns, `title` defaults to the metric's title, and `may_be_empty`
allows a chart without rows. The `filter` of a dashboard is a column for which the reader picks one value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from yingjian.bi.datasets import Dataset

KINDS = ("number", "line", "bar", "table")
KEYS = {"of", "by", "title", "where", "may_be_empty", *KINDS}


@dataclass(frozen=True)
class Chart:
    """A chart: `names` are metrics, or columns of a table."""

    key: str
    kind: str
    title: str
    dataset: Dataset
    names: Sequence[str]
    by: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    may_be_empty: bool = False


@dataclass(frozen=True)
class Choice:
    """A choice is the filter of a dashboard: a column for which the reader picks one value."""

    column: str
    title: str
    dataset: Dataset


@dataclass(frozen=True)
class Dashboard:
    """A dashboard has rows of charts."""

    name: str
    title: str
    about: str
    rows: Sequence[Sequence[Chart]]
    choice: Choice | None = None

    @property
    def charts(self) -> list[Chart]:
        return [chart for row in self.rows for chart in row]


def load(root: Path, datasets: Mapping[str, Dataset]) -> list[Dashboard]:
    """Return every dashboard.

    Raises ValueError, which names a chart that refers to something that does not exist.
    """
    paths = sorted((root / "bi" / "dashboards").glob("*.yml"))
    return [_dashboard(path.stem, yaml.safe_load(path.read_text(encoding="utf-8")), datasets) for path in paths]


def _dashboard(name: str, facts: Mapping[str, Any], datasets: Mapping[str, Dataset]) -> Dashboard:
    choice = facts.get("filter")
    return Dashboard(
        name,
        facts["title"],
        facts["about"],
        [
            [_chart(f"{name}/{line + 1}/{place + 1}", words, datasets) for place, words in enumerate(row)]
            for line, row in enumerate(facts["rows"])
        ],
        Choice(choice["column"], choice["title"], datasets[choice["of"]]) if choice else None,
    )


def _chart(key: str, words: Mapping[str, Any], datasets: Mapping[str, Dataset]) -> Chart:
    kinds = [kind for kind in KINDS if kind in words]
    dataset = datasets.get(words.get("of", ""))
    if unknown := words.keys() - KEYS:
        raise ValueError(f"the chart {key}: nothing is called {', '.join(sorted(unknown))}")
    if len(kinds) != 1 or dataset is None:
        raise ValueError(f"the chart {key} needs one of {', '.join(KINDS)}, and a dataset that exists (of)")
    (kind,) = kinds
    names = [words[kind]] if kind == "number" else list(words[kind])
    by = words.get("by", "")
    known: Mapping[str, Any] = dataset.columns if kind == "table" else dataset.metrics
    wrong = [name for name in names if name not in known]
    wrong += [name for name in (*words.get("where", {}), *([by] if by else [])) if name not in dataset.columns]
    if wrong:
        raise ValueError(f"the chart {key}: the dataset {dataset.name} has no {', '.join(wrong)}")
    if kind in ("line", "bar") and not by:
        raise ValueError(f"the chart {key} needs the column of its axis (by)")
    where = words.get("where", {})
    if kind == "number" and "is_current" in dataset.columns and dataset.figures:
        where = {"is_current": True, **where}
    title = words.get("title") or dataset.metrics[names[0]].title
    return Chart(key, kind, title, dataset, names, by, where, words.get("may_be_empty", False))
