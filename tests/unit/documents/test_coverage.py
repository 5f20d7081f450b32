"""docs/generated/coverage.md: complete, up to date, in the words of the plan, and able to fail."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import support
from tests.skips import needs_shared
from yingjian.documents import coverage
from yingjian.modelling.marts import published
from yingjian.reports.content.contents import SECTIONS
from yingjian.settings import PROJECT_ROOT

DOCUMENT = support.SHARED / "document" / "beifeng-plan-second-edition.txt"
TEMPLATE = PROJECT_ROOT / "plugins" / "yingjian" / "reports" / "render" / "templates" / "report.html.j2"
READ = ("dbt_project/models", "dbt_project/seeds", "docs", "expectations", "tests")


@pytest.fixture(scope="module")
def models() -> list[coverage.Model]:
    return coverage.read_models(PROJECT_ROOT)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the page is written from, to be poisoned."""
    for folder in READ:
        shutil.copytree(PROJECT_ROOT / folder, tmp_path / folder)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def found(models: list[coverage.Model], notes: dict[int, dict[str, str]] | None = None) -> list[str]:
    return coverage.problems(models, coverage.read_notes(PROJECT_ROOT) if notes is None else notes)


def test_every_article_and_annex_row_has_a_line(models: list[coverage.Model]) -> None:
    assert found(models) == []
    text = (PROJECT_ROOT / "docs" / "generated" / "coverage.md").read_text(encoding="utf-8")
    articles, _, rest = text.partition("## Rows of the annex")
    rows, _, _ = rest.partition("## Models and their tests")
    for part in (articles, rows):
        assert [int(number) for number in re.findall(r"^\| (\d+) ", part, re.MULTILINE)] == list(range(1, 39))


def test_the_committed_page_is_the_one_that_would_be_written(copy: Path) -> None:
    committed = (PROJECT_ROOT / "docs" / "generated" / "coverage.md").read_text(encoding="utf-8")
    assert coverage.write(copy).read_text(encoding="utf-8") == committed, "run: yingjian coverage"


def test_a_change_of_metadata_changes_the_page_or_is_refused(copy: Path) -> None:
    before = (copy / "docs" / "generated" / "coverage.md").read_text(encoding="utf-8")
    readiness = copy / "dbt_project/models/marts/readiness.yml"
    change(readiness, "title: 备勤队伍", "title: 备勤名单")
    assert coverage.write(copy).read_text(encoding="utf-8") != before
    change(readiness, "title: 备勤名单, ", "")
    with pytest.raises(ValueError, match="readiness has no title"):
        coverage.write(copy)


@needs_shared(DOCUMENT)
def test_the_articles_have_the_titles_of_the_document() -> None:
    headings = dict(re.findall(r"^(\d+)\.([^。]+)。", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))
    notes = coverage.read_notes(PROJECT_ROOT)
    assert {str(number): note["title"] for number, note in notes.items()} == headings


@pytest.mark.parametrize(
    ("name", "of_the_model", "finding"),
    [
        ("request_followup", {"articles": (28,)}, "article 29 has neither a model nor a reason why nothing is computed"),
        ("vaccination_60plus", {"articles": (22, 33)}, "article 33 has a model, and a note that says nothing is computed"),
        ("vaccination_60plus", {"articles": (22, 39)}, "there is no article 39"),
        ("vaccination_60plus", {"title": ""}, "vaccination_60plus has no title"),
        ("grid_population", {"unit_tests": (), "checks": "", "tests": ()}, "grid_population has no test"),
    ],
)  # fmt: skip
def test_a_missing_or_false_line_is_found(
    models: list[coverage.Model], name: str, of_the_model: dict[str, Any], finding: str
) -> None:
    assert name in {model.name for model in models}
    assert found([replace(one, **of_the_model) if one.name == name else one for one in models]) == [finding]


def test_an_annex_row_that_no_model_names_is_found(models: list[coverage.Model]) -> None:
    others = [replace(one, annex_rows=tuple(row for row in one.annex_rows if row != 28)) for one in models]
    assert found(others) == ["annex row 28 has no model"]


def test_a_reason_that_is_gone_is_missed(models: list[coverage.Model]) -> None:
    notes = coverage.read_notes(PROJECT_ROOT)
    del notes[33]["nothing"]
    assert found(models, notes) == ["article 33 has neither a model nor a reason why nothing is computed"]


def test_every_section_that_a_model_names_is_on_the_page(models: list[coverage.Model]) -> None:
    """The sections' own lists of marts, and the fixed parts of the page."""
    fixed = set(re.findall(r'<section id="([\w-]+)"', TEMPLATE.read_text(encoding="utf-8")))
    of_topics = {mart: section.anchor for section in SECTIONS for mart in section.marts}
    for model in models:
        assert model.report in {"", *fixed, *(section.anchor for section in SECTIONS)}, model.name
        assert model.report == of_topics.get(model.name, model.report), model.name
    assert set(of_topics) <= set(published())
