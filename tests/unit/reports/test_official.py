"""The Word file's tables: their columns divide the width of the page."""

from __future__ import annotations

import pytest

from yingjian.reports.render.official import TEXT_WIDTH, _width, _widths


def millimetres(rows: list[list[str]]) -> list[float]:
    return [width / 36_000 for width in _widths(rows)]


def test_a_long_text_gets_more_and_a_short_one_what_it_needs() -> None:
    rows = [["社区", "人数", "说明"], ["第1社区", "12", "最早7月22日；无新增阳性5天，未满7天，最早7月22日可降；" * 4]]
    community, persons, words = millimetres(rows)
    assert community + persons + words == pytest.approx(TEXT_WIDTH, abs=0.1)
    assert words > 90 and persons == pytest.approx(_width("人数"), abs=0.1)


def test_what_has_room_fills_the_page() -> None:
    widths = millimetres([["社区", "人数"], ["第1社区", "12"]])
    assert sum(widths) == pytest.approx(TEXT_WIDTH, abs=0.1)
    assert widths[0] > widths[1] > _width("人数")


def test_many_long_texts_share() -> None:
    widths = millimetres([["很长的文字" * 30] * 12])
    assert max(widths) - min(widths) < 0.1 and sum(widths) == pytest.approx(TEXT_WIDTH, abs=0.1)
