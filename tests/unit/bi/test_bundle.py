"""The folder `bi/` without a server: dashboards name what exists, and a bundle is the same bytes for the same content."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from yingjian.bi import bundle, dashboards, datasets, semantic
from yingjian.bi.dashboards import Dashboard
from yingjian.bi.datasets import Dataset
from yingjian.settings import PROJECT_ROOT

URI = "postgresql://bi_reader:open-sesame@127.0.0.1:5432/yingjian?sslmode=require"
MARTS = PROJECT_ROOT / "dbt_project" / "models" / "marts"


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    """The datasets, by a manifest that has of each mart what its YAML says."""
    path = tmp_path_factory.mktemp("bi") / "manifest.json"
    models = [model for file in MARTS.glob("*.yml") for model in yaml.safe_load(file.read_text())["models"]]
    nodes = {
        f"model.yingjian.{model['name']}": model | {"columns": {column["name"]: column for column in model["columns"]}}
        for model in models
    }
    path.write_text(json.dumps({"nodes": nodes}))
    return datasets.load(PROJECT_ROOT, path)


@pytest.fixture(scope="module")
def boards(known: dict[str, Dataset]) -> list[Dashboard]:
    return dashboards.load(PROJECT_ROOT, known)


def opened(archive: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        return {name: yaml.safe_load(files.read(name)) for name in files.namelist()}


def test_there_are_five_dashboards_and_every_dataset_is_on_one(
    known: dict[str, Dataset], boards: list[Dashboard]
) -> None:
    assert {board.name for board in boards} == {"office", "community", "department", "operations", "epidemic"}
    assert {chart.dataset.name for board in boards for chart in board.charts} == known.keys()
    assert all(len(board.charts) >= 10 for board in boards)


def test_columns_have_their_chinese_titles_and_codes_have_theirs(known: dict[str, Dataset]) -> None:
    for dataset in known.values():
        for column in dataset.columns.values():
            assert not column.title.isascii(), (dataset.name, column.name)
    assert known["overdue"].columns["status_title"].title == "状态"
    assert known["publications"].columns["published_at"].kind == "timestamp without time zone"
    assert all("publication_id" in dataset.columns for dataset in known.values()), (
        "rows say of which publication they are"
    )


def test_formats_are_the_report_s(known: dict[str, Dataset]) -> None:
    metrics = known["figures_town"].metrics
    assert metrics["compliance"].write(0.9) == "90.0%" and metrics["overdue"].write(1234.0) == "1,234"
    assert metrics["compliance"].write(None) == "—"
    assert metrics["compliance"].is_certified and not known["compliance"].metrics["overdue_of_rows"].is_certified


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"number": "overdue_person", "of": "figures_town"}, "the dataset figures_town has no overdue_person"),
        ({"table": ["name", "colour"], "of": "zones"}, "the dataset zones has no colour"),
        ({"bar": ["overdue"], "of": "figures_town"}, "needs the column of its axis"),
        ({"number": "overdue", "of": "figures"}, "a dataset that exists"),
        ({"number": "overdue", "of": "figures_town", "colour": "red"}, "nothing is called colour"),
        ({"number": "overdue", "of": "figures_town", "where": {"colour": 1}}, "has no colour"),
    ],
)
def test_a_chart_of_what_does_not_exist_is_named(known: dict[str, Dataset], words: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"the chart office/1/1.*{says}"):
        dashboards._chart("office/1/1", words, known)


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ("x: {mart: person, title: 人}", "no mart reporting.person"),
        ("x: {mart: risk_zone, title: 区, each: {community: colour}}", "risk_zone has no column colour"),
        ("x: {mart: overdue, title: 逾, metrics: {m: {title: 数, sql: count(*), figure: colour}}}", "no figure colour"),
        ("x: {mart: indicator_daily, title: 指, figures: town}", "none of office, community, department"),
    ],
)
def test_a_dataset_of_what_does_not_exist_is_named(tmp_path: Path, facts: str, says: str) -> None:
    (tmp_path / "bi").mkdir()
    (tmp_path / "bi" / "datasets.yml").write_text(facts)
    (tmp_path / "dbt_project").symlink_to(PROJECT_ROOT / "dbt_project")
    nodes = {
        f"model.yingjian.{name}": {"name": name, "description": "", "columns": {"as_of_date": {"name": "as_of_date", "data_type": "date", "description": "", "config": {"meta": {"label": "日"}}}}}
        for name in ("person", "risk_zone", "overdue", "indicator_daily")
    }  # fmt: skip
    (tmp_path / "manifest.json").write_text(json.dumps({"nodes": nodes}))
    with pytest.raises(ValueError, match=says):
        datasets.load(tmp_path, tmp_path / "manifest.json")


def test_the_same_content_gives_the_same_bytes_and_no_secret(
    known: dict[str, Dataset], boards: list[Dashboard]
) -> None:
    archive = bundle.write(known, boards, URI)
    assert archive == bundle.write(known, boards, URI)
    files = opened(archive)
    database = files["yingjian/databases/warehouse.yaml"]
    assert database["sqlalchemy_uri"] == (
        "postgresql+psycopg2://bi_reader:XXXXXXXXXX@127.0.0.1:5432/yingjian?sslmode=require"
    )
    assert "open-sesame" not in str(files)
    assert not database["allow_dml"] and "default_transaction_read_only=on" in str(database["extra"])
    charts = [content for path, content in files.items() if path.startswith("yingjian/charts/")]
    assert len(charts) == sum(len(board.charts) for board in boards)
    uuids = [content["uuid"] for content in files.values() if "uuid" in content]
    assert len(set(uuids)) == len(uuids)
    on_boards = {
        part["meta"]["uuid"]
        for path, content in files.items()
        if path.startswith("yingjian/dashboards/")
        for part in content["position"].values()
        if isinstance(part, dict) and part["type"] == "CHART"
    }
    assert on_boards == {chart["uuid"] for chart in charts}


def test_uuids_stay_as_they_are() -> None:
    """Whatever was imported under another UUID would stand in Superset twice."""
    assert bundle.uuid_of("bi_reader", "dashboard", "office") == "7dc60744-e778-54e4-a50d-1b3672abbae3"


def test_a_reader_s_login_has_everything_beside_the_office(known: dict[str, Dataset], boards: list[Dashboard]) -> None:
    office, part = opened(bundle.write(known, boards, URI)), opened(bundle.write(known, boards, URI, "zhaofeng"))
    assert office.keys() == part.keys()
    for path, content in part.items():
        if "uuid" in content:
            assert content["uuid"] != office[path]["uuid"]
            assert content.get("table_name", "部分") != office[path].get("table_name"), "Superset wants each name once"
    assert part["yingjian/databases/warehouse.yaml"]["database_name"] == "应检（zhaofeng）"
    assert "//zhaofeng:XXXXXXXXXX@" in part["yingjian/databases/warehouse.yaml"]["sqlalchemy_uri"]
    assert part["yingjian/dashboards/office.yaml"]["slug"] == "yingjian-office-zhaofeng"


def test_semantic_models_have_a_metric_for_each_figure_of_each_audience(
    known: dict[str, Dataset], tmp_path: Path
) -> None:
    folder = semantic.write(known, tmp_path / "semantic")
    written = yaml.safe_load((folder / "models" / "semantic.yml").read_text())
    figures = [dataset for dataset in known.values() if dataset.figures]
    assert len(written["metrics"]) == sum(len(dataset.metrics) for dataset in figures) > 150
    for key in ("name", "label"):
        values = [metric[key] for metric in written["metrics"]]
        assert len(set(values)) == len(values), "MetricFlow refuses two of a kind"
    assert "open-sesame" not in (folder / "profiles.yml").read_text()
