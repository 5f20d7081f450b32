"""How the page writes figures."""

from datetime import date

import pytest

from yingjian.reports import text


def test_numbers_have_thousands_separators():
    assert text.number(1234567) == "1,234,567"
    assert text.number(None) == "—"


@pytest.mark.parametrize(
    ("share", "written"),
    [(1.0, "100.0%"), (9999 / 10000, "99.9%"), (0.29, "29.0%"), (0.0, "0.0%"), (None, "—")],
)
def test_a_share_is_rounded_down_so_that_100_means_nothing_is_open(share, written):
    assert text.percent(share) == written


@pytest.mark.parametrize(("value", "written"), [(1200, "▲1,200"), (-3, "▼3"), (0, "持平"), (None, "—")])
def test_a_change_shows_its_direction_without_colour(value, written):
    assert text.change(value) == written


def test_a_change_of_a_share_is_the_difference_of_what_is_written():
    assert text.change_of_share(0.9499, 0.9511) == "▼0.2 个百分点"  # 94.9% against 95.1%
    assert text.change_of_share(0.9501, 0.9509) == "持平"
    assert text.change_of_share(None, 0.9) == "—"


def test_days():
    assert text.full_day(date(2022, 7, 24)) == "2022年7月24日（星期日）"
    assert text.day(date(2022, 7, 4)) == "7月4日"
    assert text.day(None) == "—"
