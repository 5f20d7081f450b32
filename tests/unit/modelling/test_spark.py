"""A model that Spark does not build is named, without a cell of a row, and a column of another type is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from yingjian.modelling.dbt import BuildError, Model
from yingjian.modelling.spark import build_models

MODEL = Model("m", "dev_spark", "models/marts/m.sql", "select a from s.t", "select a from {{ ref('t') }}", False)
TABLES = {"s.t": {"a": "integer"}}


class CastError(Exception):
    """It is raised as Spark raises its own."""

    def getCondition(self) -> str:
        return "CAST_INVALID_INPUT"


@dataclass
class Session:
    """A session in which every table has the column `a` of one type."""

    kind: str = "int"
    fault: Exception | None = None
    statements: list[str] = field(default_factory=list)

    def sql(self, statement: str) -> None:
        self.statements.append(" ".join(statement.split()))
        if self.fault:
            raise self.fault

    def table(self, name: str) -> Any:
        column = SimpleNamespace(name="a", dataType=SimpleNamespace(simpleString=lambda: self.kind))
        return SimpleNamespace(schema=SimpleNamespace(fields=[column]))


def built(session: Session, model: Model = MODEL) -> list[str]:
    build_models(session, [model], TABLES, Path("/folder"))  # type: ignore[arg-type]
    return session.statements


def test_a_mart_gets_a_folder_of_its_own() -> None:
    assert built(Session()) == [
        "create table dev_spark.m using parquet location '/folder/m' as SELECT a FROM s.t",
    ]


def test_a_failing_model_is_named_and_no_cell_is_told() -> None:
    with pytest.raises(BuildError) as failed:
        built(Session(fault=CastError("The value '350503194205022751' cannot be cast")))
    assert str(failed.value) == "Spark could not build models/marts/m.sql: CAST_INVALID_INPUT"
    assert failed.value.__cause__ is None and failed.value.__suppress_context__


def test_a_model_that_cannot_be_translated_is_named_with_its_line() -> None:
    stranger = Model("m", "dev_spark", "models/marts/m.sql", "select\n    f(a)\nfrom s.t", "", False)
    with pytest.raises(
        BuildError, match=r"^Spark cannot build models/marts/m.sql, line 2 .*the function f is not known$"
    ):
        built(Session(), stranger)


def test_a_column_of_another_type_is_found() -> None:
    with pytest.raises(BuildError, match="with a as bigint, which is integer"):
        built(Session(kind="bigint"))
