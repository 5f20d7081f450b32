"""Suites as data: one file of `expectations/` per guarded table."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml


@dataclass(frozen=True)
class Check:
    """One check. severity: `fail` stops a publication, `warn` is shown; says: what is wrong, in Chinese.

    Either `expectation` (a Great Expectations type and its arguments) or `query` (SQL that selects what is wrong).
    """

    name: str
    severity: Literal["fail", "warn"]
    says: str
    expectation: dict[str, Any] | None = None
    query: str | None = None


@dataclass(frozen=True)
class Suite:
    """The checks of one table; `schema` and `table` name it."""

    schema: str
    table: str
    checks: tuple[Check, ...] = field(repr=False)

    @property
    def name(self) -> str:
        return f"{self.schema}.{self.table}"


def load_suites(folder: Path, as_of_date: date) -> list[Suite]:
    """Read every suite of a folder for a business date. Raises ValueError naming the file of a malformed one."""
    return [_load(path, as_of_date) for path in sorted(folder.glob("*.yml"))]


def _load(path: Path, as_of_date: date) -> Suite:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        schema, table = content["table"].split(".")
        checks = tuple(
            Check(
                name=item["name"],
                severity=item["severity"],
                says=item["says"],
                expectation=item.get("expectation"),
                query=item["query"].replace("{as_of_date}", as_of_date.isoformat()) if "query" in item else None,
            )
            for item in content["checks"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name}: malformed suite: {error}") from None
    for check in checks:
        if check.severity not in ("fail", "warn") or (check.expectation is None) == (check.query is None):
            raise ValueError(f"{path.name}: {check.name} needs severity fail or warn, and an expectation or a query")
    return Suite(schema, table, checks)
