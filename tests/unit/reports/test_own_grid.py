"""These tests are of a grid's report: its lists and its people, the town's state, and no figure of its community."""

from __future__ import annotations

from typing import Any

from pandas import DataFrame

from tests.unit.reports.hand_made import BEFORE, feed, figure, frame, issue, numbers, reading
from yingjian.people.audience import Audience
from yingjian.people.officials import Officials
from yingjian.reports.content import report
from yingjian.reports.content.contents import OWN_GRID, QUALITY, SECTIONS, STATE, sections_of
from yingjian.reports.content.document import Document, Figure, Table
from yingjian.reports.content.sections.section import Reading

GRID = Audience.of_grid("甲社区", "网格2")
COLUMNS = "list items answered refused doubtful"
LISTS = [("due", 9, 0, 0, 0), ("overdue", 5, 2, 1, 0), ("contact_clock", 1, 0, 0, 0)]


def made(
    lists: list[tuple[Any, ...]], before: list[tuple[str, int]] | None = None, population: bool = True
) -> Document:
    of = issue(audience=GRID, before=None if before is None else BEFORE)
    frames = {
        "lists": DataFrame(lists, columns=COLUMNS.split()),
        "before": DataFrame(before or [], columns=["list", "items"]),
        "population": DataFrame(
            [(610, 200, 30, 2)] if population else [],
            columns=["residents", "floating", "key_persons", "not_registered"],
        ),
    }
    feeds = {"feeds": frame("feeds", feed())}
    readings = [
        (STATE, reading("state", of)),
        (OWN_GRID, Reading(of, frames, (), numbers({}))),
        (QUALITY, reading("quality", of, figure("rejected", 21, 14), **feeds)),
    ]
    return report.document(of, readings, {"21": ["各社区"]}, Officials())


def test_a_grid_has_sections_of_its_own() -> None:
    assert sections_of(GRID) == (STATE, OWN_GRID, QUALITY)
    assert sections_of(Audience("community", "甲社区")) == SECTIONS and OWN_GRID not in SECTIONS


def test_the_figures_are_the_grid_s_and_the_page_says_so() -> None:
    page = made(LISTS)
    assert [(tile.label, tile.value, tile.note) for tile in page.tiles] == [
        ("逾期未检", 5, "已反馈 2 项"), ("未来7日应检", 9, "已反馈 0 项"),
    ]  # fmt: skip
    scope = dict(page.facts)["范围"]
    assert scope.startswith("只含甲社区 网格2的数据，各项数字都是本网格的。") and "全街道" in scope
    (chapter,) = page.chapters
    assert list(chapter.each(Figure)) == [], "no figure is divided by grids"
    (table,) = chapter.each(Table)
    assert [row[:3] for row in table.rows] == [("未来7日应检", 9, 0), ("逾期未检", 5, 2), ("密接未隔离", 1, 0)]
    assert page.state.startswith("全街道：") and not page.outbreak
    assert page.actions[0].units == ("各社区",) or page.actions[1].units == ("各社区",)


def test_the_work_of_the_day_is_told_in_the_order_of_danger() -> None:
    actions = made(LISTS).actions
    assert [(action.heading, action.text, action.is_urgent) for action in actions] == [
        ("密接未隔离", "1 项，已反馈 0 项、未反馈 1 项。", True),
        ("逾期未检", "5 项，已反馈 2 项、未反馈 3 项。", False),
    ]
    (nothing,) = made([], population=False).actions
    assert nothing.text == "没有待办事项。"


def test_a_grid_is_compared_with_its_own_day_before() -> None:
    page = made(LISTS, before=[("overdue", 3), ("contact_clock", 1)])
    assert [(found.heading, found.text) for found in page.findings] == [("逾期未检", "5 项（▲2）。")]
    assert [change.text for tile in page.tiles for change in tile.changes] == ["▲2", "▲9"]
    assert made(LISTS).findings == [] and "没有发布" in made(LISTS).compared
