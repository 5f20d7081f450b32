"""These tests read the daily figures: their change, its direction, and the articles that each of them cites."""

import re
from pathlib import Path

import pytest

from tests.figures import definitions
from tests.unit.reports.hand_made import BEFORE, NOW, WORDS, figure, issue
from yingjian.people.audience import OFFICE, Audience
from yingjian.reports.content.contents import SECTIONS
from yingjian.reports.content.figures import Figures, Value
from yingjian.reports.content.sections import section as section_module
from yingjian.reports.content.text import articles


def test_every_figure_of_the_page_stands_once_and_has_words_a_section_and_an_article():
    codes = [code for section in SECTIONS for code in section.figures]
    assert len(codes) == len(set(codes)) > 20
    known = definitions()
    for section in SECTIONS:
        assert {known[code]["section"] for code in section.figures} <= {section.anchor}
    for code, words in WORDS.items():
        assert words.definition.endswith("。"), code
        assert articles(words.basis) or "附件" in words.basis, code
        assert (words.unit == "%") == words.is_share, code


def test_every_section_with_something_daily_has_a_figure():
    assert {section.anchor for section in SECTIONS if not section.figures} == {"state", "forecast-7", "population"}


def test_every_figure_that_a_sentence_names_exists():
    """A misspelt code would be told as 0."""
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(section_module.__file__).parent.glob("*.py"))
    named = set(re.findall(r"""(?:count|value)\(\s*['"](\w+)['"]""", sources))
    assert len(named) > 30 and named <= WORDS.keys()


def test_a_figure_is_told_to_whom_it_is_divided_for_and_to_everyone_if_it_is_the_town_s():
    told = {
        audience.kind: {code for code, words in WORDS.items() if words.is_told(audience)}
        for audience in (OFFICE, Audience("community", "甲"), Audience("department", "乙"), Audience.of_grid("甲", "1"))
    }
    assert told["office"] == WORDS.keys()
    assert "zones" in told["community"] and "zones" not in told["department"]
    assert "supplies_short" in told["department"] and "supplies_short" not in told["community"]
    assert "overdue" not in told["grid"], "no figure of a community is told as if it were a grid's"
    assert all("feeds" in codes and ("overdue" in codes) == (kind != "grid") for kind, codes in told.items())


def test_a_rise_names_the_communities_where_it_is_largest():
    of = issue(before=BEFORE)
    values = {number: {"terminal": Value(count, None, count)} for number, count in ((NOW, 9), (BEFORE, 2))}
    places = {NOW: {"terminal": {"甲": 5, "乙": 3, "": 1, "丙": 1}}, BEFORE: {"terminal": {"甲": 1, "丙": 1}}}
    (figure,) = Figures(WORDS, values, places).daily(of, ["terminal"])
    assert figure.risen == [("甲", 4), ("乙", 3), ("（未填）", 1)]


def test_every_section_has_its_own_name_and_cites_an_article_or_the_annex():
    anchors = [section.anchor for section in SECTIONS]
    assert len(anchors) == len(set(anchors)) > 15
    without = [section.anchor for section in SECTIONS if not articles(section.basis) and "附件" not in section.basis]
    assert without == [], "their basis names neither an article (第5条) nor 附件"


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
    made = figure(key, today, before)
    assert (made.change, made.tone) == (change, tone)


def test_a_value_is_written_with_its_unit():
    assert figure("pushes-open", 1234).written == "1,234 条"
    assert figure("vaccination", 0.76).written == "76.0%"
    assert figure("vaccination", None).written == "—"


@pytest.mark.parametrize(("today", "before", "shown"), [(3, 0, True), (0, 0, False), (3, None, False), (0, 2, True)])
def test_a_trend_needs_two_days_and_something_to_show(today, before, shown):
    assert figure("pushes-open", today, before).has_chart is shown
