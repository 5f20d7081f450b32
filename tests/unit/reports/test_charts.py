"""Charts are well-formed, say their values, and survive empty and extreme figures."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from yingjian.reports.render import charts

SVG = "{http://www.w3.org/2000/svg}"


def parsed(markup: Markup) -> ElementTree.Element:
    """The chart as XML, the namespace added that HTML implies."""
    return ElementTree.fromstring(str(markup).replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1))


def texts(markup: Markup) -> list[str]:
    return [element.text or "" for element in parsed(markup).iter(f"{SVG}text")]


def test_a_chart_is_named_and_described_for_screen_readers():
    chart = parsed(charts.column_chart("due", "到期", ["7/25", "7/26"], [12, None], solid=0))
    assert chart.get("role") == "img"
    assert chart.get("aria-labelledby") == chart.find(f"{SVG}title").get("id")
    assert chart.find(f"{SVG}desc").text == "7/25 12；7/26 无数据"


def test_a_day_without_data_is_not_a_zero():
    assert "无" in texts(charts.column_chart("due", "到期", ["7/25", "7/26"], [12, None], solid=0))
    broken = parsed(charts.line_chart("rate", "率", list("abcde"), [0.9, 0.91, None, 0.92, 0.93]))
    assert len(broken.findall(f"{SVG}polyline")) == 2


def test_the_day_of_the_report_differs_by_filling_not_only_by_colour():
    bars = parsed(charts.column_chart("due", "到期", ["a", "b"], [1, 2], solid=1)).findall(f"{SVG}rect")
    assert [bar.get("class") for bar in bars] == ["hatched", "solid"]


def test_bands_show_items_and_share():
    assert "3 项（75.0%）" in texts(charts.band_chart("bands", "天数", ["1天", "8天以上"], [3, 1]))


def test_values_and_labels_are_escaped():
    chart = charts.column_chart("due", "<b>&", ["<i>"], [1], solid=0)
    assert "<b>" not in chart
    assert "<i>" in texts(chart)


@given(st.lists(st.none() | st.integers(0, 10**7), min_size=1, max_size=20))
def test_columns_stay_inside_the_picture(values):
    chart = parsed(charts.column_chart("c", "t", [str(i) for i in range(len(values))], values, solid=0))
    for bar in chart.findall(f"{SVG}rect"):
        assert float(bar.get("y")) >= 0
        assert float(bar.get("height")) >= 0
        assert 0 <= float(bar.get("x")) <= charts.WIDTH - float(bar.get("width")) + 0.2


@given(st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=20))
def test_lines_stay_inside_the_picture(shares):
    chart = parsed(charts.line_chart("c", "t", [str(i) for i in range(len(shares))], shares))
    for dot in chart.findall(f"{SVG}circle"):
        assert 0 <= float(dot.get("cx")) <= charts.WIDTH
        assert 20 <= float(dot.get("cy")) <= 150


@pytest.mark.parametrize("shares", [[1.0], [0.0], [0.0, 0.95], [0.9, 0.9], []])
def test_the_scale_is_whole_percents_within_bounds(shares):
    low, high = charts._scale(shares)
    assert 0 <= low < high <= 1
    assert all(low <= share <= high for share in shares)


def test_a_bar_of_nothing_is_empty():
    assert 'width="0"' in charts.bar(0, 0)


def test_a_line_of_counts_begins_at_zero_and_has_whole_numbers_beside_it():
    chart = parsed(charts.line_chart("c", "t", list("abcd"), [3, None, 7, 5], is_count=True))
    written = [each.text for each in chart.iter() if each.tag.endswith("text")]
    assert [words for words in written if words in ("0", "4", "8")] == ["0", "4", "8"]
    assert "%" not in "".join(filter(None, written))
    nothing = parsed(charts.line_chart("c", "t", list("ab"), [0, 0], is_count=True))
    assert "2" in [each.text for each in nothing.iter() if each.tag.endswith("text")]
