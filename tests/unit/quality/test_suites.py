"""The suites are read from expectations/: each is whole, and a mistake is named with its file and its check."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from yingjian.modelling.marts import published
from yingjian.quality.suites import KEYED_HASH, load_suites
from yingjian.settings import PROJECT_ROOT

DAY = date(2022, 7, 20)
GOOD = "{name: a, severity: warn, says: b, query: 'select 1'}"


def written(folder: Path, text: str) -> Path:
    (folder / "expectations").mkdir()
    (folder / "expectations" / "x.yml").write_text(text, encoding="utf-8")
    return folder


def test_every_suite_is_read() -> None:
    suites = load_suites(PROJECT_ROOT, DAY)
    files = {path.stem for path in (PROJECT_ROOT / "expectations").glob("*.yml")}
    assert {suite.table for suite in suites} >= files - {"test_results"} and len(files) > 30
    assert not [check for suite in suites for check in suite.checks if "{as_of_date}" in (check.query or "")]


def test_every_mart_of_persons_has_the_check_of_their_keys() -> None:
    keyed = {suite.table for suite in load_suites(PROJECT_ROOT, DAY) if KEYED_HASH in suite.checks}
    assert keyed == {mart.name for mart in published().values() if "person_key" in mart.columns}
    assert {"person", "control", "unscheduled"} < keyed


def test_a_query_gets_the_business_date(tmp_path: Path) -> None:
    text = "table: build.x\nchecks:\n  - {name: a, severity: warn, says: b, query: \"select '{as_of_date}'\"}\n"
    [suite] = load_suites(written(tmp_path, text), DAY)
    assert (suite.name, suite.checks[0].query) == ("build.x", "select '2022-07-20'")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            f"table: build.x\nchecks:\n  - {GOOD.replace('warn', 'loud')}\n",
            "x.yml: a needs severity fail or warn, and an expectation or a query",
        ),
        (
            f"table: build.x\nchecks:\n  - {GOOD}\n  - {{name: c, severity: fail, says: d}}\n",
            "x.yml: c needs severity fail or warn, and an expectation or a query",
        ),
        (
            f"table: build.x\nchecks:\n  - {GOOD.replace('name: a, ', '')}\n",
            "x.yml: malformed suite: checks.0.name: Field required",
        ),
        (
            f"table: build.x\nchecks:\n  - {GOOD.replace('says', 'say')}\n",
            "x.yml: malformed suite: checks.0.says: Field required",
        ),
        (f"checks:\n  - {GOOD}\n", "x.yml: malformed suite: table: Field required"),
        (f"table: x\nchecks:\n  - {GOOD}\n", "x.yml: malformed suite: table: String should match pattern"),
        ("- a\n", "x.yml: malformed suite: the file: Input should be a valid dictionary"),
    ],
)
def test_a_malformed_suite_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        load_suites(written(tmp_path, text), DAY)
    assert str(refused.value).startswith(sentence)
