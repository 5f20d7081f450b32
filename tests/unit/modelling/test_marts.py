"""The registry of marts: read from their YAML, and refused where it contradicts itself."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from yingjian.modelling import exposures
from yingjian.modelling.marts import AUDIENCE_COLUMNS, HISTORY_COLUMNS, QUALITY_CHECK, Mart, marts, published
from yingjian.settings import PROJECT_ROOT

MODELS = PROJECT_ROOT / "dbt_project" / "models" / "marts"
SEEDS = PROJECT_ROOT / "dbt_project" / "seeds" / "reference"


def project(root: Path, meta: str) -> Path:
    """The project has one mart with the columns community, grid and person_key."""
    folder = root / "dbt_project" / "models" / "marts"
    folder.mkdir(parents=True)
    columns = "columns: [{name: community}, {name: grid}, {name: person_key}]"
    (folder / "stock.yml").write_text(
        f"models:\n  - name: stock\n    config: {{meta: {{{meta}}}}}\n    {columns}\n", encoding="utf-8"
    )
    return root


def test_every_mart_is_in_the_registry() -> None:
    assert marts().keys() == {path.stem for path in MODELS.glob("*.sql")}
    assert published().keys() == marts().keys() - {"list_item", "public_count"} | {QUALITY_CHECK.name}


def test_facts_are_read_from_the_yaml(tmp_path: Path) -> None:
    mart = marts(project(tmp_path, "reader_schema: reporting, history: true, audience: [community]"))["stock"]
    assert (mart.reader_schema, mart.is_history, mart.audience) == ("reporting", True, ("community",))
    assert (mart.is_signed_off, mart.is_town_wide, mart.columns) == (False, False, ("community", "grid", "person_key"))


def test_a_mart_without_a_reader_schema_is_not_published(tmp_path: Path) -> None:
    root = project(tmp_path, "title: 储备")
    assert "stock" in marts(root) and published(root).keys() == {QUALITY_CHECK.name}


@pytest.mark.parametrize(
    ("meta", "wrong"),
    [
        ("reader_schema: public", "none of reporting"),
        ("reader_schema: reporting, audience: [department]", "does not have"),
        ("reader_schema: reporting, audience: [person_key]", "none of community"),
        ("reader_schema: reporting, audience: [grid]", "a grid without its community"),
        ("reader_schema: reporting, audience: [community], town_wide: true", "town_wide and names"),
        ("reader_schema: reporting, history: true, signed_off: true", "history and signed_off"),
        ("reader_schema: reporting, town_wide: true", "they are of persons"),
        ("reader_schema: reporting_public, signed_off: true", "they are of persons"),
        ("audience: [community]", "no reader_schema"),
        ("reader_schema: reporting, audience: [community], everyones: is_open", "everyones names no column"),
        ("reader_schema: reporting, audience: [community], everyones: grid", "everyones names no column"),
    ],
)
def test_facts_that_contradict_themselves_are_refused(tmp_path: Path, meta: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=f"mart stock: .*{wrong}"):
        marts(project(tmp_path, meta))


@pytest.mark.parametrize(
    "mart", [mart for mart in published().values() if not mart.is_town_wide], ids=lambda mart: mart.name
)
def test_a_column_that_says_whose_a_row_is_belongs_to_the_audience(mart: Mart) -> None:
    """Whoever adds such a column says whether it decides who sees the row."""
    assert set(mart.audience) == set(mart.columns) & set(AUDIENCE_COLUMNS)


def test_the_committed_exposures_are_those_that_would_be_written() -> None:
    path = PROJECT_ROOT / "dbt_project" / "models" / "exposures" / "exposures.yml"
    assert path.read_text(encoding="utf-8") == exposures.page(PROJECT_ROOT), "run yingjian coverage"


def test_a_new_mart_is_in_the_exposures(tmp_path: Path) -> None:
    page = exposures.page(project(tmp_path, "reader_schema: reporting, report: supplies"))
    assert page.count("ref('stock')") == 2
    assert exposures.page(project(tmp_path / "other", "title: 储备")).count("ref('stock')") == 0


@pytest.mark.parametrize(
    ("mart", "rows"),
    [("feed_quality", "town"), ("public_figure", "town"), ("overdue", "persons"), ("risk_zone", "places"),
     ("restatement", "office"), ("quality_check", "town")],
)  # fmt: skip
def test_whose_the_rows_of_a_mart_are(mart: str, rows: str) -> None:
    assert published()[mart].rows == rows


CHINESE = re.compile("[\u4e00-\u9fff]")


def untitled(registry: Mapping[str, Mart]) -> list[str]:
    """The function gives columns without a Chinese title, and those that share theirs with another column of the mart."""
    found = []
    for mart in registry.values():
        counted = Counter(mart.labels.values())
        for column in mart.columns:
            label = mart.labels.get(column, "")
            if not CHINESE.search(label) or counted[label] > 1:
                found.append(f"{mart.name}.{column}")
    return found


def test_every_column_of_every_mart_has_a_chinese_title() -> None:
    assert untitled(marts()) == []
    assert all(CHINESE.search(label) for label, _ in HISTORY_COLUMNS.values())


def test_a_column_without_a_title_of_its_own_is_found(tmp_path: Path) -> None:
    root = project(tmp_path, "reader_schema: reporting, audience: [community]")
    path = root / "dbt_project" / "models" / "marts" / "stock.yml"
    titled = path.read_text().replace("{name: grid}", "{name: grid, config: {meta: {label: 网格}}}")
    path.write_text(titled.replace("{name: person_key}", "{name: person_key, config: {meta: {label: 网格}}}"))
    assert untitled(marts(root)) == ["stock.community", "stock.grid", "stock.person_key"]


def titled_codes() -> dict[tuple[str, str], set[str]]:
    """The function gives the codes of the seed by table and column."""
    codes: dict[tuple[str, str], set[str]] = {}
    with (SEEDS / "code_title.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            codes.setdefault((row["table_name"], row["column_name"]), set()).add(row["code"])
    return codes


def test_every_code_that_a_column_may_hold_has_a_title() -> None:
    """A column whose values are Chinese words needs none, and neither does the empty text."""
    titled, checked = titled_codes(), 0
    for path in MODELS.glob("*.yml"):
        for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]:
            for column in model["columns"]:
                for test in column.get("data_tests", []):
                    values = {} if isinstance(test, str) else test["accepted_values"]["arguments"]["values"]
                    if codes := {value for value in values if value.isascii() and value}:
                        assert titled[model["name"], column["name"]] == codes, (model["name"], column["name"])
                        checked += 1
    assert checked > 20


def test_every_title_belongs_to_a_column() -> None:
    columns = {mart.name: mart.columns for mart in marts().values()} | {"quality_check": ("severity",)}
    columns |= dict.fromkeys(("publication", "publication_history"), ("quality_status",))
    assert [key for key in titled_codes() if key[1] not in columns.get(key[0], ())] == []


def test_every_figure_has_its_words_and_its_arithmetic() -> None:
    with (SEEDS / "indicator_definition.csv").open(encoding="utf-8", newline="") as file:
        words = [row["indicator_code"] for row in csv.DictReader(file)]
    models = "".join(path.read_text(encoding="utf-8") for path in (MODELS.parent / "indicators").glob("*.sql"))
    queries = [name for name in re.findall(r"^(\w+) as \($", models, re.M) if name != "final"]
    united = re.findall(r"'(\w+)'", "".join(re.findall(r"united\(\[(.+?)\]\)", models, re.S)))
    assert len(words) > 60
    assert sorted(words) == sorted(queries) == sorted(united)
