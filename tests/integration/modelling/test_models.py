"""dbt's own tests: unit tests at the date boundaries, and the data tests over a built town."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from yingjian.database import warehouse
from yingjian.modelling.dbt import write_docs
from yingjian.modelling.dbt_project import prepare_manifest
from yingjian.settings import PROJECT_ROOT, Settings

# A read of a few dozen rows costs less than this by the estimate of PostgreSQL; a read of the 600 residents costs more.
HANDFUL = 15.0
# A join that compares more pairs than this for each row that it reads compares everything with everything.
PAIRS_PER_ROW = 40


@pytest.fixture(scope="module")
def built(home_factory: HomeFactory, built_town: Settings) -> Settings:
    """The town has its build beside the publication of the day before."""
    return home_factory("models", built_town)


@pytest.fixture(scope="module")
def manifest(world: Settings) -> dict[str, Any]:
    return json.loads(prepare_manifest(world).read_text())  # type: ignore[no-any-return]


@pytest.mark.slow
def test_unit_tests_of_the_models(built: Settings) -> None:
    done = support.dbt(
        built, "test", "--select", "test_type:unit", "--vars", f"{{as_of_date: '{WORLD_DAY}'}}", check=False
    )
    assert done.success, done.stdout[-4000:]
    passed = re.search(r"PASS=(\d+)", done.stdout)
    assert passed and int(passed[1]) >= 17


@pytest.mark.slow
def test_data_tests_over_the_town(built: Settings) -> None:
    done = support.dbt(
        built, "test", "--select", "test_type:data", "--vars", f"{{as_of_date: '{WORLD_DAY}'}}", check=False
    )
    assert done.success, done.stdout[-4000:]


def scans_per_row(plan: dict[str, Any], subplan: str = "") -> Iterator[str]:
    """It gives the tables of which a plan reads more than a handful of rows again for each row of another."""
    name = plan.get("Subplan Name", "")
    subplan = name if name else subplan
    table = plan.get("Relation Name") or plan.get("CTE Name")
    if subplan.startswith("SubPlan") and plan["Node Type"] in {"Seq Scan", "CTE Scan"} and plan["Total Cost"] > HANDFUL:
        yield f"{table} in {subplan}"
    for child in plan.get("Plans", []):
        yield from scans_per_row(child, subplan)


def pairs_per_row(plan: dict[str, Any], unless_by: str | None = None) -> Iterator[float]:
    """It gives of each nested loop how many pairs it compared in vain, for each row that it read.

    unless_by: loops that compare this column are left out.
    """
    if plan["Node Type"] == "Nested Loop" and not (unless_by and unless_by in plan.get("Join Filter", "")):
        outer, inner = plan["Plans"][:2]
        rows = outer["Actual Rows"] * outer["Actual Loops"] + inner["Actual Rows"]
        yield plan.get("Rows Removed by Join Filter", 0) * plan["Actual Loops"] / max(rows, 1)
    for child in plan.get("Plans", []):
        yield from pairs_per_row(child, unless_by)


@pytest.fixture(scope="module")
def queries(built: Settings) -> dict[str, str]:
    """The compiled query of each model; those of policy read seeds, which do not grow with a town."""
    compiled = (built.dbt_target / "compiled" / "yingjian" / "models").rglob("*.sql")
    # A unit test's SQL lies below its file's name.
    paths = sorted(path for path in compiled if ".yml" not in str(path) and path.parent.name != "policy")
    assert len(paths) > 140
    with warehouse.connect(built) as conn:
        conn.execute("analyze")
    return {path.stem: path.read_text(encoding="utf-8") for path in paths}


def test_no_model_reads_a_table_for_each_row(built: Settings, queries: dict[str, str]) -> None:
    """Such a plan grows with the square of the town; PostgreSQL also chooses among the other joins as if they cost nothing."""
    with warehouse.connect(built) as conn:
        wrong = "select * from staging.residents as one where line = 0 or not exists (select from staging.residents where line > one.line or line = 0)"
        assert list(scans_per_row(plan_of(conn, wrong))), "the test would see one"
        found = {model: list(scans_per_row(plan_of(conn, query))) for model, query in queries.items()}
    assert {model: tables for model, tables in found.items() if tables} == {}


def test_no_model_compares_everything_with_everything(built: Settings, queries: dict[str, str]) -> None:
    """PostgreSQL does so if it expects one row and thousands come, as from a join on two columns that go together."""
    with warehouse.connect(built) as conn:
        wrong = "select from staging.residents as one join staging.residents as other on one.line < other.line - 590"
        assert max(pairs_per_row(plan_of(conn, wrong, "analyze"))) > PAIRS_PER_ROW, "the test would see one"
        found = {
            model: max(pairs_per_row(plan_of(conn, query, "analyze")), default=0.0) for model, query in queries.items()
        }
    assert {model: pairs for model, pairs in found.items() if pairs > PAIRS_PER_ROW} == {}


def plan_of(conn: psycopg.Connection, query: str, *options: str) -> dict[str, Any]:
    ((((top,),),),) = [conn.execute(f"explain ({', '.join([*options, 'format json'])}) {query}").fetchall()]  # type: ignore[call-overload]
    return top["Plan"]  # type: ignore[no-any-return]


def test_layers_go_one_way(manifest: dict[str, Any]) -> None:
    """Staging reads sources, intermediate reads staging and policy, marts read intermediate; nobody reads back.

    The queries of figures stand between marts: they read marts, and indicator_daily reads them.
    """
    order = {"staging": 0, "intermediate": 1, "marts": 2, "indicators": 2}

    def layer(node: dict) -> str:  # type: ignore[type-arg]
        return node["original_file_path"].split("/")[1]

    crossings = []
    for node in manifest["nodes"].values():
        if node["resource_type"] != "model":
            continue
        for parent in node["depends_on"]["nodes"]:
            if parent.startswith("source."):
                if layer(node) != "staging":
                    crossings.append((node["name"], parent))
            elif parent.startswith("model.") and order[layer(manifest["nodes"][parent])] > order[layer(node)]:
                crossings.append((node["name"], parent))
    assert crossings == []
    assert len(manifest["nodes"]) > 60


def test_no_model_reads_the_clock() -> None:
    clock = re.compile(r"\b(now\(\)|current_date|current_timestamp|localtime|clock_timestamp|run_started_at)", re.I)
    for path in (PROJECT_ROOT / "dbt_project").rglob("*.sql"):
        if "target" not in path.parts:
            assert not clock.search(path.read_text()), path.name


def test_every_model_is_described_and_every_mart_has_a_contract(manifest: dict[str, Any]) -> None:
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    for model in models:
        assert model["description"], model["name"]
        if model["original_file_path"].startswith("models/marts"):
            assert model["config"]["contract"]["enforced"], model["name"]
            assert all(column["description"] for column in model["columns"].values()), model["name"]


@pytest.mark.slow
def test_the_data_dictionary_has_every_column_and_no_row(world: Settings) -> None:
    page = write_docs(world).read_text()
    described = json.loads(prepare_manifest(world).read_text())["nodes"]["model.yingjian.overdue"]["columns"]

    def is_there(text: str) -> bool:
        return any(form in page for form in {text, json.dumps(text)[1:-1]})

    assert all(is_there(column["description"]) for column in described.values())
    people = support.query(world, "select id_number, phone, name from restricted.person where length(name) > 2")
    assert people and not any(is_there(cell) for person in people for cell in person if cell)
    assert list(world.data_dictionary.parent.iterdir()) == [world.data_dictionary]
