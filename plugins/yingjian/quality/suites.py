"""This module loads the suites of checks: one YAML file per table in `expectations/`, and one check of every mart of persons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.dataclasses import dataclass as pydantic_dataclass

from yingjian.modelling.marts import published
from yingjian.names import HAS_PERSON_NUMBER


@pydantic_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Check:
    """One check. severity: `fail` blocks publication, `warn` is only shown; says: what is wrong, in Chinese.

    It has either `expectation` (a Great Expectations type and its arguments) or `query` (SQL that selects failing rows).
    """

    name: str
    severity: Literal["fail", "warn"]
    says: str
    expectation: dict[str, Any] | None = None
    query: str | None = None

    @model_validator(mode="after")
    def _has_one_way_to_check(self) -> Check:
        if (self.expectation is None) == (self.query is None):
            raise ValueError("an expectation or a query")
        return self


class _File(BaseModel):
    """The content of a file of `expectations/`, as it is validated."""

    model_config = ConfigDict(extra="forbid")

    table: str = Field(pattern=r"^[^.]+\.[^.]+$")
    checks: list[Check]


@dataclass(frozen=True)
class Suite:
    """A suite has the checks of one table, which `schema` and `table` name."""

    schema: str
    table: str
    checks: tuple[Check, ...] = field(repr=False)

    @property
    def name(self) -> str:
        return f"{self.schema}.{self.table}"


# The check fails if a document number was written in place of a person key.
KEYED_HASH = Check(
    "person_key_is_a_keyed_hash",
    "fail",
    "人员标识不是密钥哈希",
    # PostgreSQL computes a pattern's states anew for each row, so 64 of them take ten times as long.
    query="select person_key from {batch} where length(person_key) <> 64 or person_key ~ '[^0-9a-f]'",
)


def load_suites(root: Path, as_of_date: date) -> list[Suite]:
    """Return every suite of a project's `expectations` for a business date, with KEYED_HASH added to every mart of persons.

    Raises ValueError, which names the file of a malformed suite.
    """
    suites = {
        suite.name: suite
        for suite in (_load(path, as_of_date) for path in sorted((root / "expectations").glob("*.yml")))
    }
    for mart in published(root).values():
        if "person_key" in mart.columns:
            suite = suites.get(f"build.{mart.name}", Suite("build", mart.name, ()))
            suites[suite.name] = replace(suite, checks=(KEYED_HASH, *suite.checks))
    return list(suites.values())


def _load(path: Path, as_of_date: date) -> Suite:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        suite = _File.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{path.name}: {_sentence(error, content)}") from None
    schema, table = suite.table.split(".")
    words = {
        "as_of_date": as_of_date.isoformat(),
        "person_number": HAS_PERSON_NUMBER.replace("{", "{{").replace("}", "}}"),
    }
    checks = tuple(
        check if check.query is None else replace(check, query=_filled(check.query, words)) for check in suite.checks
    )
    return Suite(schema, table, checks)


def _filled(query: str, words: Mapping[str, str]) -> str:
    """Return a query with each `{word}` replaced; double braces are left for Great Expectations to unescape."""
    for word, text in words.items():
        query = query.replace(f"{{{word}}}", text)
    return query


def _sentence(error: ValidationError, content: Any) -> str:
    """Return the error message of a suite: a check's name and what it needs, else the location of the first mistake."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = first["loc"]
    if place[:1] == ("checks",) and (place[2:] == ("severity",) or len(place) == 2):
        number = int(place[1])
        check = content["checks"][number]
        name = check.get("name") if isinstance(check, dict) else None
        return f"{name or f'check {number + 1}'} needs severity fail or warn, and an expectation or a query"
    return f"malformed suite: {'.'.join(map(str, place)) or 'the file'}: {first['msg']}"
