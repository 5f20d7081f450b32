"""These tests read the daily figures: their change, its direction, and the articles that each of them cites."""

import pytest

from tests.unit.reports.hand_made import series
from yingjian.reports.indicators import INDICATORS
from yingjian.reports.text import articles
from yingjian.reports.topics import SECTIONS


def test_every_figure_has_its_own_key_a_definition_and_an_article():
    keys = [indicator.key for indicator in INDICATORS]
    assert len(keys) == len(set(keys)) > 20
    for indicator in INDICATORS:
        assert indicator.definition.endswith("。"), indicator.key
        assert articles(indicator.basis), indicator.key
        assert bool(indicator.unit) != indicator.is_share, indicator.key


def test_every_section_with_something_daily_has_a_figure():
    without = {section.anchor for section in SECTIONS} - {indicator.section for indicator in INDICATORS}
    assert without == {"state", "population"}


@pytest.mark.parametrize(
    ("key", "today", "before", "change", "tone"),
    [
        ("contacts-overdue", 3, 1, "▲2", "bad"),
        ("contacts-overdue", 1, 3, "▼2", "good"),
        ("contacts-overdue", 1, 1, "持平", ""),
        ("contacts-overdue", 1, None, "—", ""),
        ("contacts-in-time", 0.8, 0.9, "▼10.0 个百分点", "bad"),
        ("contacts-in-time", 0.9, 0.8, "▲10.0 个百分点", "good"),
        ("contacts-in-time", None, 0.8, "—", ""),
        ("controlled", 5, 1, "▲4", ""),
    ],
)
def test_the_change_and_whether_it_is_for_the_better(key, today, before, change, tone):
    made = series(key, today, before)
    assert (made.change, made.tone) == (change, tone)


def test_a_value_is_written_with_its_unit():
    assert series("pushes-open", 1234).written == "1,234 条"
    assert series("vaccination", 0.76).written == "76.0%"
    assert series("vaccination", None).written == "—"


@pytest.mark.parametrize(("today", "before", "shown"), [(3, 0, True), (0, 0, False), (3, None, False), (0, 2, True)])
def test_a_trend_needs_two_days_and_something_to_show(today, before, shown):
    assert series("pushes-open", today, before).has_trend is shown
