"""The registry of marts: read from their YAML, and refused where it contradicts itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from yingjian.modelling import exposures
from yingjian.modelling.marts import AUDIENCE_COLUMNS, QUALITY_CHECK, Mart, marts, published
from yingjian.settings import PROJECT_ROOT

MODELS = PROJECT_ROOT / "dbt_project" / "models" / "marts"


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
    assert published().keys() == marts().keys() - {"public_count"} | {QUALITY_CHECK.name}


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
        ("reader_schema: reporting, audience: [grid]", "none of community"),
        ("reader_schema: reporting, audience: [community], town_wide: true", "town_wide and names"),
        ("reader_schema: reporting, history: true, signed_off: true", "history and signed_off"),
        ("reader_schema: reporting, town_wide: true", "they are of persons"),
        ("reader_schema: reporting_public, signed_off: true", "they are of persons"),
        ("audience: [community]", "no reader_schema"),
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
