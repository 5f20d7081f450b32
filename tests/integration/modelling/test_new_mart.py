"""The files of a new mart build and pass as they are written: by `make model`, and on the target dev."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests import model, support
from tests.conftest import WORLD_DAY, HomeFactory
from yingjian import quality
from yingjian.database import warehouse
from yingjian.modelling import marts, new_mart
from yingjian.operations import command_lines
from yingjian.settings import PROJECT_ROOT, Settings

pytestmark = pytest.mark.beyond

NAME = "overdue_by_community"


@pytest.fixture(scope="module")
def town(
    home_factory: HomeFactory, built_town: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """A town that is built, with a copy of the project of its own."""
    root = tmp_path_factory.mktemp("project")
    for folder in ("dbt_project", "expectations"):
        shutil.copytree(PROJECT_ROOT / folder, root / folder, ignore=shutil.ignore_patterns("target", "logs"))
    settings = replace(home_factory("new_mart", built_town), root=root)
    new_mart.write(root, NAME)
    yield settings


def test_make_model_builds_it_with_its_tests_and_its_check_holds(
    town: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(model, "small_town", lambda: town)
    monkeypatch.setattr(model, "DAY", WORLD_DAY)
    monkeypatch.setattr(model.EmbeddedPostgres, "stop", lambda self: None)
    assert model.main([NAME]) == 0
    printed = capsys.readouterr().out
    assert f"build.{NAME}: as_of_date, community, items" in printed
    assert "counts_each_community" in printed and "unique_combination" in printed, "its tests ran"
    assert support.query(town, f"select sum(items) from build.{NAME}") == support.query(
        town, "select count(*) from build.overdue"
    )
    (suite,) = [one for one in quality.load_suites(town.root, WORLD_DAY) if one.table == NAME]
    with warehouse.connect(town, "auditor") as conn:
        check = suite.checks[0]
        assert conn.execute(check.query.replace("{batch}", f"build.{NAME}").encode()).fetchall() == []


def test_dev_builds_it_over_what_is_published(town: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINGJIAN_DEV_SCHEMA", "dev_analyst")
    assert command_lines.run_dbt(town, ["build", "--target", "dev", "--select", NAME]) == 0
    built = support.query(town, f"select community, items from dev_analyst.{NAME} order by 1")
    published = "select community, count(*) from reporting.overdue group by 1 order by 1"
    assert built == support.query(town, published) and built


def test_the_registry_knows_it(town: Settings) -> None:
    mart = marts.marts(town.root)[NAME]
    assert (mart.reader_schema, mart.audience, mart.rows) == ("reporting", ("community",), "places")
    assert set(mart.labels) == set(mart.columns)


def test_nothing_is_overwritten_and_a_name_is_one_of_a_table(tmp_path: Path, town: Settings) -> None:
    with pytest.raises(ValueError, match="there is a mart overdue already"):
        new_mart.write(town.root, "overdue")
    for name in ("Überfällig", "a-b", "1st", "../x", ""):
        with pytest.raises(ValueError, match="cannot be a mart's name"):
            new_mart.write(tmp_path, name)
