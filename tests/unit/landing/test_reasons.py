"""The page of the reasons is made from landing itself, and has every code."""

from __future__ import annotations

import pytest

from yingjian.documents import reasons
from yingjian.landing.errors import REASONS
from yingjian.settings import PROJECT_ROOT


def test_the_page_is_what_landing_says() -> None:
    assert (PROJECT_ROOT / "docs" / "generated" / "reasons.md").read_text(encoding="utf-8") == reasons.text()


def test_every_code_has_an_example() -> None:
    shown = {one.code for one in reasons.EXAMPLES} | {code for code, *_ in reasons.LINES}
    assert shown == set(REASONS)


@pytest.mark.parametrize("one", reasons.EXAMPLES, ids=lambda one: f"{one.code}-{'-'.join(one.cells)}")
def test_an_example_is_rejected_for_its_cell(one: reasons.Example) -> None:
    words = reasons.seen(one)
    assert any(source in words for source in one.cells)


def test_an_example_of_another_code_is_noticed() -> None:
    with pytest.raises(AssertionError, match="bad_date"):
        reasons.seen(reasons.Example("bad_date", "test_results", {"检测结果": "弱阳性"}, ""))
