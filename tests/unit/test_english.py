"""The lint of comments and docstrings finds what docs/english.md forbids, and its list can only shrink."""

from __future__ import annotations

import pytest

from tests import english
from yingjian.modelling import new_mart


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("Of two runs at once these would disturb each other.", "begins with Of"),
        ("By which what is kept from build to build notices that another project made it.", "begins with By"),
        ("Who came when the control was over has none here.", "begins with Who"),
        ("Whose row it is.", "begins with Whose"),
        ("What readers see of the current publication.", "begins with What"),
        ("Where nobody may look, nothing is shown.", "begins with Where"),
        ("The files of one publication's bulletin.", "has no verb"),
        ("A date around one of the business dates.", "has no verb"),
        ("Only one run of these DAGs may be active.", None),
        ("A person who arrived after the control ended has no row.", None),
        ("Incremental models compare this digest; if it changed, they are built from scratch.", None),
        ("Return the rows of one person.", None),
        ("type: ignore[arg-type]", None),
        ("noqa: S608", None),
        ("fmt: skip", None),
        ("------------------", None),
        ("docs/spark.md", None),
    ],
)
def test_a_text_is_judged(text: str, finding: str | None) -> None:
    assert english.reason(text) == finding


SOURCE = '''"""The rows of one table."""

def land() -> None:
    """Lands every file."""
    # What is
    # kept.
    x = 1  # of no use
'''


def test_the_lint_fails_on_new_findings_in_python() -> None:
    findings = english.findings(SOURCE, "plugins/yingjian/new.py")
    assert [(finding.line, finding.reason) for finding in findings] == [
        (1, "has no verb"),
        (5, "begins with What"),
        (7, "has no verb"),
    ]
    assert english.differences({}, english.counted(findings)) != []


def test_the_lint_fails_on_new_findings_in_sql() -> None:
    source = "-- Of each person\n-- the last sample.\nselect '-- What' as x, 1 as y -- the day after\n{#- What is kept. -#}\n"
    findings = english.findings(source, "dbt_project/models/marts/new.sql")
    assert [(finding.line, finding.reason) for finding in findings] == [
        (4, "begins with What"),
        (1, "begins with Of"),
        (3, "has no verb"),
    ]


def test_a_generated_mart_has_no_findings() -> None:
    assert english.findings(new_mart.SQL, "dbt_project/models/marts/new.sql") == []


def test_the_list_shrinks_with_the_code() -> None:
    assert english.differences({"a.py": 2}, {"a.py": 2}) == []
    assert "3 findings, 2 are allowed" in english.differences({"a.py": 2}, {"a.py": 3})[0]
    assert "1 findings, 2 are listed" in english.differences({"a.py": 2}, {"a.py": 1})[0]
    assert "0 findings, 2 are listed" in english.differences({"a.py": 2}, {})[0]


def test_comments_and_docstrings_have_no_more_findings_than_listed() -> None:
    counts = english.counted(english.all_findings())
    assert len(list(english.files())) > 300, "the lint reads the whole repository"
    assert english.differences(english.listed(english.BASELINE.read_text(encoding="utf-8")), counts) == []
