"""A model that Spark does not build is named with its line, without a cell of a row, and a column of another type is found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from yingjian.modelling.dbt import BuildError, Model
from yingjian.modelling.spark_models import build_models, register

CODE = "select\n    a\nfrom s.t\nwhere\n    a > 1"
SOURCE = "-- A comment.\n{{ config() }}\n" + CODE.replace("s.t", "{{ ref('t') }}")
MODEL = Model("model.yingjian.m", "m", "dev_spark", "models/marts/m.sql", CODE, SOURCE, False)
VIEW = replace(MODEL, unique_id="model.yingjian.v", name="v", path="models/staging/v.sql", is_view=True)
READER = replace(MODEL, sql="select a from dev_spark.v", source="select a from {{ ref('v') }}")
TABLES = {"s.t": {"a": "integer"}}


@dataclass
class CastError(Exception):
    """It is raised as Spark raises its own."""

    kind: str = ""
    name: str = ""
    start: int = 0
    stop: int = 0
    fragment: str = ""

    def __str__(self) -> str:
        return "The value '350503194205022751' cannot be cast"

    def getCondition(self) -> str:
        return "CAST_INVALID_INPUT"

    def getQueryContext(self) -> list[Any]:
        return [
            SimpleNamespace(
                objectType=lambda: self.kind, objectName=lambda: self.name, startIndex=lambda: self.start,
                stopIndex=lambda: self.stop, fragment=lambda: self.fragment,
            )
        ]  # fmt: skip


@dataclass
class Session:
    """A session in which every table has the column `a` of one type, and which fails at a piece of a statement."""

    kind: str = "int"
    fault: Exception | None = None
    fails_at: str = ""
    statements: list[str] = field(default_factory=list)

    def sql(self, statement: str) -> None:
        self.statements.append(" ".join(re.sub(r"/\*.*?\*/", "", statement).split()))
        if self.fault and self.fails_at in statement:
            if isinstance(self.fault, CastError) and not self.fault.kind:
                self.fault.start = statement.index(self.fails_at)
                self.fault.stop = self.fault.start + len(self.fails_at) - 1
                self.fault.fragment = self.fails_at
            raise self.fault

    def table(self, name: str) -> Any:
        column = SimpleNamespace(name="a", dataType=SimpleNamespace(simpleString=lambda: self.kind))
        return SimpleNamespace(schema=SimpleNamespace(fields=[column]))


def built(session: Session, *models: Model) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []
    build_models(session, models or [MODEL], TABLES, Path("/folder"), said.append)  # type: ignore[arg-type]
    return said


def failed(session: Session, *models: Model) -> BuildError:
    with pytest.raises(BuildError) as error:
        built(session, *models)
    assert error.value.__cause__ is None and error.value.__suppress_context__
    return error.value


def test_a_table_gets_a_folder_of_its_own_and_a_view_none() -> None:
    session = Session()
    said = built(session, VIEW, READER)
    assert session.statements == [
        "create view dev_spark.v as SELECT a FROM s.t WHERE a > 1",
        "create table dev_spark.m using parquet location '/folder/m' as SELECT a FROM dev_spark.v",
    ]
    assert [(result["model"], result["columns"]) for result in said] == [
        ("model.yingjian.v", {"a": "integer"}), ("model.yingjian.m", {"a": "integer"}),
    ]  # fmt: skip


def test_only_what_was_exported_is_known() -> None:
    session = Session()
    register(session, {"staging.cases": "/folder/sources/staging/cases"})  # type: ignore[arg-type]
    assert session.statements == [
        "drop database if exists dev_spark cascade",
        "create database if not exists dev_spark",
        "create database if not exists staging",
        "create table if not exists staging.cases using parquet location '/folder/sources/staging/cases'",
    ]


def test_a_failing_model_is_named_with_its_line_and_no_cell_is_told() -> None:
    error = failed(Session(fault=CastError(), fails_at="> 1"))
    assert str(error) == "Spark could not build models/marts/m.sql, line 7: CAST_INVALID_INPUT"
    assert str(failed(Session(fault=ValueError("350503194205022751")))) == (
        "Spark could not build models/marts/m.sql: ValueError"
    )


def test_an_error_in_a_view_is_told_of_the_view_and_of_who_reads_it() -> None:
    fault = CastError("VIEW", "spark_catalog.dev_spark.v", 0, 30)
    error = failed(Session(fault=fault, fails_at="create table"), VIEW, READER)
    assert str(error) == (
        "Spark could not build models/marts/m.sql, in models/staging/v.sql, line 4: CAST_INVALID_INPUT"
    )


def test_an_error_at_the_name_of_a_view_is_looked_for_in_its_own_query() -> None:
    class Asked(Session):
        """It fails at the view's name in the reader, and at a condition when the view's query is asked."""

        def sql(self, statement: str) -> None:
            self.fails_at = "dev_spark.v" if statement.startswith("create table") else "> 1"
            self.fault = None if statement.startswith("create view") else CastError()
            super().sql(statement)

    error = failed(Asked(), VIEW, READER)
    assert str(error) == (
        "Spark could not build models/marts/m.sql, in models/staging/v.sql, line 7: CAST_INVALID_INPUT"
    )


@pytest.mark.parametrize("contexts", [[], [SimpleNamespace(objectType=lambda: 1 / 0)]])
def test_an_error_without_a_place_is_told_without_a_line(contexts: Sequence[Any]) -> None:
    fault = CastError()
    fault.getQueryContext = lambda: list(contexts)  # type: ignore[method-assign]
    assert str(failed(Session(fault=fault))) == "Spark could not build models/marts/m.sql: CAST_INVALID_INPUT"


def test_a_model_that_cannot_be_translated_is_named_with_its_line() -> None:
    stranger = replace(MODEL, sql="select\n    f(a)\nfrom s.t", source="")
    error = failed(Session(), stranger)
    assert re.match(r"^Spark cannot build models/marts/m.sql, line 2 .*the function f is not known$", str(error))


def test_a_column_of_another_type_is_found() -> None:
    with pytest.raises(BuildError, match="with a as bigint, which is integer"):
        built(Session(kind="bigint"))
