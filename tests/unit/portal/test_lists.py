"""An address asks this of a list."""

from __future__ import annotations

import pytest

from yingjian.portal.lists import BY_MART, Asked, filters_of
from yingjian.portal.pages import cell, query
from yingjian.reports.render.long_lists import harmless

OVERDUE = BY_MART["overdue"]


def test_an_address_asks_for_what_it_names():
    asked = Asked.of(OVERDUE, {"社区": "第1社区", "sort": "-逾期天数", "page": "3"}, "  王  某 ")
    assert asked == Asked({"社区": "第1社区"}, "王 某", "-逾期天数", 3)
    assert asked.parameters == {"社区": "第1社区", "sort": "-逾期天数", "page": 3}


@pytest.mark.parametrize("number", ["0", "-1", "x", "", "99999999", "２", "1.5"])
def test_what_names_nothing_of_the_list_is_left_out(number):
    asked = Asked.of(OVERDUE, {"姓名": "王某", "person_key": "x", "sort": "person_key", "page": number})
    assert asked == Asked()


def test_filters_are_columns_of_the_list():
    assert filters_of(OVERDUE) == ["社区", "主管部门", "重点人群"]
    assert all(set(filters_of(found)) <= set(found.columns) for found in BY_MART.values())


@pytest.mark.parametrize("text", ["=1+1", "+86", "-1", "@sum", "＝1+1", "＋86", "－1", "＠sum", "\tx", "\rx"])
def test_text_is_no_formula_in_an_export(text):
    assert harmless(text) == f"'{text}"


def test_other_values_of_an_export_stay():
    assert [harmless(value) for value in ("王某", -1, None, "")] == ["王某", -1, None, ""]


def test_a_query_string_has_what_is_set():
    assert query({"社区": "第1社区", "sort": "", "page": None}) == "?%E7%A4%BE%E5%8C%BA=%E7%AC%AC1%E7%A4%BE%E5%8C%BA"
    assert query({"a": 1}, a=None, b=2) == "?b=2"
    assert query({}) == "?"


def test_cells_are_written_as_they_are():
    assert [cell(value) for value in (None, "", True, False, 1234567, "x")] == ["—", "—", "✓", "—", "1,234,567", "x"]
