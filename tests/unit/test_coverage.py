"""docs/coverage.md: complete, up to date, in the words of the plan, and able to fail."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests import support
from tests.skips import needs_shared
from yingjian.documents import coverage
from yingjian.modelling.marts import published
from yingjian.reports.contents import SECTIONS
from yingjian.settings import PROJECT_ROOT

DOCUMENT = support.SHARED / "document" / "beifeng-plan-second-edition.txt"
TEMPLATE = PROJECT_ROOT / "plugins" / "yingjian" / "reports" / "templates" / "report.html.j2"
READ = ("dbt_project/models", "dbt_project/seeds", "docs", "expectations", "tests")


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


def found(root: Path) -> list[str]:
    return coverage.problems(coverage.read_models(root), coverage.read_notes(root))


def test_every_article_and_annex_row_has_a_line() -> None:
    assert found(PROJECT_ROOT) == []
    text = (PROJECT_ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    articles, _, rest = text.partition("## Rows of the annex")
    rows, _, _ = rest.partition("## Models and their tests")
    for part in (articles, rows):
        assert [int(number) for number in re.findall(r"^\| (\d+) ", part, re.MULTILINE)] == list(range(1, 39))


def test_the_committed_page_is_the_one_that_would_be_written(copy: Path) -> None:
    committed = (PROJECT_ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    assert coverage.write(copy).read_text(encoding="utf-8") == committed, "run: yingjian coverage"


def test_a_change_of_metadata_changes_the_page(copy: Path) -> None:
    before = (copy / "docs" / "coverage.md").read_text(encoding="utf-8")
    change(copy / "dbt_project/models/marts/readiness.yml", "title: 备勤队伍", "title: 备勤名单")
    assert coverage.write(copy).read_text(encoding="utf-8") != before


@needs_shared(DOCUMENT)
def test_the_articles_have_the_titles_of_the_document() -> None:
    headings = dict(re.findall(r"^(\d+)\.([^。]+)。", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))
    notes = coverage.read_notes(PROJECT_ROOT)
    assert {str(number): note["title"] for number, note in notes.items()} == headings


@pytest.mark.parametrize(
    ("path", "old", "new", "finding"),
    [
        ("marts/request_followup.yml", "articles: [28, 29]", "articles: [28]", "article 29 has neither a model nor a reason"),
        ("marts/vaccination_60plus.yml", "articles: [22]", "articles: [22, 33]", "article 33 has a model, and a note"),
        ("marts/vaccination_60plus.yml", "articles: [22]", "articles: [22, 39]", "there is no article 39"),
        ("marts/vaccination_60plus.yml", "title: 60岁及以上接种率, ", "", "vaccination_60plus has no title"),
    ],
)  # fmt: skip
def test_a_missing_or_false_line_is_found(copy: Path, path: str, old: str, new: str, finding: str) -> None:
    change(copy / "dbt_project/models" / path, old, new)
    assert any(problem.startswith(finding) for problem in found(copy))
    with pytest.raises(ValueError, match=finding):
        coverage.write(copy)


def test_an_annex_row_that_no_model_names_is_found(copy: Path) -> None:
    for path in (copy / "dbt_project/models").rglob("*.yml"):
        path.write_text(path.read_text(encoding="utf-8").replace('"23-28"', '"23-27"'), encoding="utf-8")
    assert found(copy) == ["annex row 28 has no model"]


def test_a_reason_that_is_gone_is_missed(copy: Path) -> None:
    path = copy / "docs" / "coverage_notes.yml"
    notes = yaml.safe_load(path.read_text(encoding="utf-8"))
    del notes[33]["nothing"]
    path.write_text(yaml.safe_dump(notes, allow_unicode=True), encoding="utf-8")
    assert found(copy) == ["article 33 has neither a model nor a reason why nothing is computed"]


def test_a_model_without_any_test_is_found(copy: Path) -> None:
    (copy / "expectations" / "grid_population.yml").unlink()
    shutil.rmtree(copy / "tests")
    change(copy / "dbt_project/models/marts/grid_population.yml", "unit_tests:", "later:")
    assert "grid_population has no test" in found(copy)


def test_every_section_that_a_model_names_is_on_the_page() -> None:
    """The sections' own lists of marts, and the fixed parts of the page."""
    fixed = set(re.findall(r'<section id="([\w-]+)"', TEMPLATE.read_text(encoding="utf-8")))
    of_topics = {mart: section.anchor for section in SECTIONS for mart in section.marts}
    for model in coverage.read_models(PROJECT_ROOT):
        assert model.report in {"", *fixed, *(section.anchor for section in SECTIONS)}, model.name
        assert model.report == of_topics.get(model.name, model.report), model.name
    assert set(of_topics) <= set(published())
