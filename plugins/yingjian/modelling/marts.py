"""The registry of marts: what each says of itself in `config.meta` of its YAML, for whoever must know of all marts.

| key | meaning |
|---|---|
| `reader_schema` | the schema in which readers find it (reporting, reporting_public, restricted); without it a mart is built and checked, and not published |
| `history` | readers see every published business date, the newest publication of each |
| `signed_off` | readers see only the newest publication that was signed off (article 31) |
| `town_wide` | it is the same for everyone in the town and says nothing of other places' people |
| `audience` | the columns that say whose a row is; without one it is the office's alone |
| `report` | the section of the report that reads it |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from yingjian.settings import PROJECT_ROOT

READER_SCHEMAS = ("reporting", "reporting_public", "restricted")
AUDIENCE_COLUMNS = ("community", "communities", "department")
# All files are read when a process first asks for a mart, by libyaml where it is there: it is several times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Mart:
    """A mart and what its YAML says of it; `columns` in the order of the YAML; no `reader_schema`: it is not published."""

    name: str
    columns: tuple[str, ...]
    reader_schema: str = ""
    is_history: bool = False
    is_signed_off: bool = False
    is_town_wide: bool = False
    audience: tuple[str, ...] = ()
    report: str | None = None

    @property
    def rows(self) -> str:
        """Whose its rows are: the whole town's, one person's each, a place's (counts), or the office's alone."""
        if self.is_town_wide or self.reader_schema == "reporting_public":
            return "town"
        if not self.audience:
            return "office"
        return "persons" if "person_key" in self.columns else "places"


# The one mart that dbt does not build: what the audit found of the build.
QUALITY_CHECK = Mart("quality_check", columns=(), reader_schema="reporting", is_town_wide=True)


@cache
def marts(root: Path = PROJECT_ROOT) -> Mapping[str, Mart]:
    """Every mart that dbt builds, by name. Raises ValueError that names the mart whose facts contradict themselves."""
    folder = root / "dbt_project" / "models" / "marts"
    found = (_mart(model) for path in sorted(folder.glob("*.yml")) for model in _models(path))
    return MappingProxyType({mart.name: mart for mart in found})


@cache
def published(root: Path = PROJECT_ROOT) -> Mapping[str, Mart]:
    """Every mart that is published, by name, and with them what the audit found."""
    found = (mart for mart in (*marts(root).values(), QUALITY_CHECK) if mart.reader_schema)
    return MappingProxyType({mart.name: mart for mart in found})


def _models(path: Path) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = yaml.load(path.read_bytes(), Loader=_LOADER)["models"]  # noqa: S506  # Both are safe loaders.
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
        report=meta.get("report"),
    )
    if wrong := _wrong(mart):
        raise ValueError(f"the YAML of the mart {name}: {wrong}")
    return mart


def _wrong(mart: Mart) -> str | None:
    """What of a mart's facts cannot be; None when nothing is wrong."""
    if mart.reader_schema not in ("", *READER_SCHEMAS):
        return f"reader_schema {mart.reader_schema} is none of {', '.join(READER_SCHEMAS)}"
    for column in mart.audience:
        if column not in AUDIENCE_COLUMNS:
            return f"audience {column} is none of {', '.join(AUDIENCE_COLUMNS)}"
        if column not in mart.columns:
            return f"audience names the column {column}, which it does not have"
    if mart.is_town_wide and mart.audience:
        return "it is town_wide and names an audience"
    if mart.rows == "town" and "person_key" in mart.columns:
        return "everyone would read its rows, and they are of persons"
    if mart.is_history and mart.is_signed_off:
        return "it is history and signed_off"
    if not mart.reader_schema and (mart.audience or mart.is_history or mart.is_signed_off or mart.is_town_wide):
        return "it says who reads it and has no reader_schema"
    return None
