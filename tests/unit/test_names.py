"""One expression says what looks like a number of a person, wherever it is asked for."""

from __future__ import annotations

import re

import polars as pl
import pytest

from yingjian.landing.errors import label
from yingjian.names import HAS_PERSON_NUMBER
from yingjian.settings import PROJECT_ROOT


@pytest.mark.parametrize(
    ("text", "has_one"),
    [
        ("350503194205022751", True),
        ("清濛社区35050319420502275x", True),
        ("350503420502275", True),
        ("13800000000", True),
        ("电话138 0000 0000", True),
        ("+86-138-0000-0000", True),
        ("工地 008613800000000", True),
        ("1号楼", False),
        ("2022072008300012", False),
        ("350503421302275", False),
        ("0595-22501234", False),
        ("913505031942050227", False),
        ("某院12350503489270123X", False),
        ("单号202207010830001234", False),
        ("350503194213022751", False),
        ("3505031942050227511", False),
    ],
)
def test_a_number_of_a_person_is_found(text: str, has_one: bool) -> None:
    assert bool(re.search(HAS_PERSON_NUMBER, text)) == has_one
    assert pl.Series([text]).str.contains(HAS_PERSON_NUMBER)[0] == has_one
    assert ("＊＊＊" in label(text)) == has_one


def test_the_models_ask_for_the_same() -> None:
    assert f"'{HAS_PERSON_NUMBER}'" in (PROJECT_ROOT / "dbt_project" / "macros" / "text.sql").read_text(
        encoding="utf-8"
    )


def test_nothing_else_writes_it_again() -> None:
    """A telephone's first digits give it away. The form of a telephone's own column is another thing."""
    elsewhere = [
        str(path.relative_to(PROJECT_ROOT))
        for folder in ("expectations", "dbt_project/models", "plugins/yingjian")
        for path in (PROJECT_ROOT / folder).rglob("*")
        if path.suffix in (".py", ".sql", ".yml") and "1[3-9]" in path.read_text(encoding="utf-8")
    ]
    assert sorted(elsewhere) == [
        f"plugins/yingjian/{name}" for name in ("landing/check.py", "landing/repair.py", "names.py")
    ]
