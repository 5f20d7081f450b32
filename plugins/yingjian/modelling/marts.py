"""This module is the registry of marts, read from `config.meta` in each mart's YAML.

| key | meaning |
|---|---|
| `reader_schema` | reporting, reporting_public or restricted, where readers find it; without it a mart is not published |
| `history` | readers see every published business date, each in its newest publication |
| `signed_off` | readers see only the newest publication that was signed off (article 31) |
| `town_wide` | its rows are the same for everyone in the town and concern no single place's people |
| `audience` | the columns that name the place or department of a row; without one only the office reads the row |
| `everyones` | the column that marks the rows that are the same for everyone in the town |
| `report` | the section of the report that reads it |
| `title` | its Chinese title for officials, if it has one |

A column's `config.meta.label` is its Chinese title. Grid numbers repeat from community to community, so the
audience `grid` always comes with `community`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from yingjian.settings import PROJECT_ROOT

READER_SCHEMAS = ("reporting", "reporting_public", "restricted")
# A row belongs to a reader of each kind by these columns.
COLUMNS_OF_KIND = {"community": ("community", "communities"), "department": ("department",), "grid": ("grid",)}
AUDIENCE_COLUMNS = tuple(column for columns in COLUMNS_OF_KIND.values() for column in columns)
# Readers of a mart with `history` see these additional columns: name -> (label, comment).
HISTORY_COLUMNS = MappingProxyType({
    "publication_id": ("发布编号", "Number of the publication, rising with time."),
    "is_current": ("是否当前", "True for the rows of the publication that reporting shows."),
})  # fmt: skip
# A process reads all YAML files on first use. libyaml, if installed, is several times faster.
YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Mart:
    """A mart as its YAML declares it. Without `reader_schema` it is not published. `columns` keeps the YAML's order."""

    name: str
    columns: tuple[str, ...]
    reader_schema: str = ""
    is_history: bool = False
    is_signed_off: bool = False
    is_town_wide: bool = False
    audience: tuple[str, ...] = ()
    everyones: str | None = None
    report: str | None = None
    title: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)  # The key is a column's name, the value its Chinese title.

    @property
    def reader_columns(self) -> tuple[str, ...]:
        """Return the columns that readers see."""
        return (*self.columns, *HISTORY_COLUMNS) if self.is_history else self.columns

    @property
    def rows(self) -> str:
        """Return who reads the rows: `town` (everyone), `persons` (one person's each), `places` (counts) or `office`."""
        if self.is_town_wide or self.reader_schema == "reporting_public":
            return "town"
        if not self.audience:
            return "office"
        return "persons" if "person_key" in self.columns else "places"

    def column_of(self, kind: str, columns: Collection[str]) -> str | None:
        """Return the existing column that assigns rows to a kind of reader (community, department or grid); None if there is
        none.
        """
        named = (name for name in COLUMNS_OF_KIND.get(kind, ()) if name in self.audience and name in columns)
        return next(named, None)


# The only mart that dbt does not build: it holds the findings of the audit.
QUALITY_CHECK = Mart("quality_check", columns=(), reader_schema="reporting", is_town_wide=True)


@cache
def marts(root: Path = PROJECT_ROOT) -> Mapping[str, Mart]:
    """Return every mart that dbt builds, by name.

    Raises ValueError, which names the mart, if a mart's settings contradict each other.
    """
    folder = root / "dbt_project" / "models" / "marts"
    every_mart = (_mart(model) for path in sorted(folder.glob("*.yml")) for model in _models(path))
    return MappingProxyType({mart.name: mart for mart in every_mart})


@cache
def published(root: Path = PROJECT_ROOT) -> Mapping[str, Mart]:
    """Return every published mart by name, including `quality_check`."""
    published_marts = (mart for mart in (*marts(root).values(), QUALITY_CHECK) if mart.reader_schema)
    return MappingProxyType({mart.name: mart for mart in published_marts})


def _models(path: Path) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = yaml.load(path.read_bytes(), Loader=YAML_LOADER)["models"]  # noqa: S506  # Both are safe loaders.
    return models


def _mart(model: Mapping[str, Any]) -> Mart:
    name, meta = model["name"], model.get("config", {}).get("meta", {})
    mart = Mart(
        name=name,
        columns=tuple(column["name"] for column in model["columns"]),
        reader_schema=meta.get("reader_schema", ""),
        is_history=meta.get("history", False),
        is_signed_off=meta.get("signed_off", False),
        is_town_wide=meta.get("town_wide", False),
        audience=tuple(meta.get("audience", ())),
        everyones=meta.get("everyones"),
        report=meta.get("report"),
        title=meta.get("title", ""),
        labels={
            column["name"]: label
            for column in model["columns"]
            if (label := column.get("config", {}).get("meta", {}).get("label"))
        },
    )
    if wrong := _wrong(mart):
        raise ValueError(f"the YAML of the mart {name}: {wrong}")
    return mart


def _wrong(mart: Mart) -> str | None:
    """Return a description of the first invalid setting of a mart; None if all are valid."""
    if mart.reader_schema not in ("", *READER_SCHEMAS):
        return f"reader_schema {mart.reader_schema} is none of {', '.join(READER_SCHEMAS)}"
    for column in mart.audience:
        if column not in AUDIENCE_COLUMNS:
            return f"audience {column} is none of {', '.join(AUDIENCE_COLUMNS)}"
        if column not in mart.columns:
            return f"audience names the column {column}, which it does not have"
    contradictions = {
        "it is town_wide and names an audience": mart.is_town_wide and mart.audience,
        "audience names a grid without its community": "grid" in mart.audience and "community" not in mart.audience,
        "everyones names no column of a mart of counts by place": mart.everyones
        and (mart.everyones not in mart.columns or mart.rows != "places"),
        "everyone would read its rows, and they are of persons": mart.rows == "town" and "person_key" in mart.columns,
        "it is history and signed_off": mart.is_history and mart.is_signed_off,
        "it says who reads it and has no reader_schema": not mart.reader_schema
        and (mart.audience or mart.is_history or mart.is_signed_off or mart.is_town_wide),
    }
    return next((words for words, is_so in contradictions.items() if is_so), None)
