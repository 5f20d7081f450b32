"""This section is a grid's report: items on its lists, what was done about them, and who lives there (articles 16, 18, 21).

The figures of `indicator_daily` are not divided by grids, so a grid sees none of them. Everything here is counted from the rows
of the grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from yingjian.modelling.marts import published
from yingjian.reports.content import text
from yingjian.reports.content.document import NO_LIMIT, Action, Change, Finding, Tile
from yingjian.reports.content.frames import rows, total
from yingjian.reports.content.lists import LISTS
from yingjian.reports.content.sections.grids import DISPOSITIONS, TITLES, answers_table
from yingjian.reports.content.sections.section import Content, Reading, Section, tone
from yingjian.reports.content.text import number

ANCHOR = "own-grid"
QUERIES = {
    "lists": DISPOSITIONS["lists"],
    "before": """
        select list, sum(items)::int as items from disposition_daily
        where publication_id = %(before)s and as_of_date = %(day)s::date - 1 group by list
    """,
    "population": """
        select residents, floating, key_persons, key_persons_not_registered as not_registered
        from grid_population where publication_id = %(id)s
    """,
}
BASES = {listed.mart: listed.basis for listed in LISTS} | {
    "pharmacy_followup": "第19条", "request_followup": "第28、29条", "signal": "第18、19、24条", "missing_departure": "第6条",
}  # fmt: skip
BASIS = "第18、21条"
NOT_OPEN = ("due",)  # Nothing on this list is late, so it needs no action today.
URGENT = ("positive_followup", "pool_followup", "contact_clock")


def _write(danger: tuple[str, ...], reading: Reading) -> Content:
    """Report each list with its answers; `danger` has the anchors of sections in the order of their actions."""
    listed = sorted(rows(reading["lists"]), key=lambda row: _place(danger, row.list))
    before = {row.list: row.items for row in rows(reading["before"])}
    frame = reading["lists"]
    sentences = ["各清单没有待办事项。"]
    if listed:
        sentences = [
            f"各清单事项 {number(total(frame, 'items'))} 项，已反馈处置结果 {number(total(frame, 'answered'))} 项。"
        ]
    for people in rows(reading["population"]):
        sentences.append(
            f"登记居民：常住 {number(people.residents)} 人，流动 {number(people.floating)} 人；重点人员 "
            f"{number(people.key_persons)} 人，其中不在居民登记 {number(people.not_registered)} 人。"
        )
    return Content(
        sentences,
        [answers_table("本网格各清单（项）", frame, note="逐人名单见表格“今日名单”。")],
        list(_actions(listed)),
        list(_tiles(reading, listed, before)),
        findings=list(_findings(listed, before)) if reading.issue.before else [],
        improved=[],
    )


def _place(danger: tuple[str, ...], mart: str) -> int:
    anchor = published()[mart].report
    return danger.index(anchor) if anchor in danger else len(danger)


def _actions(listed: list[Any]) -> Iterator[Action]:
    open_lists = [row for row in listed if row.list not in NOT_OPEN]
    for row in open_lists:
        left = row.items - row.answered
        words = f"{number(row.items)} 项，已反馈 {number(row.answered)} 项、未反馈 {number(left)} 项。"
        yield Action(
            TITLES.get(row.list, row.list), words, BASES.get(row.list, BASIS), is_urgent=row.list in URGENT and left > 0,
            limit=NO_LIMIT, mart=row.list,  # Each item has its own deadline.
        )  # fmt: skip
    if not open_lists:
        yield Action("今日名单", "没有待办事项。", BASIS, limit=NO_LIMIT)


def _tiles(reading: Reading, listed: list[Any], before: dict[str, int]) -> Iterator[Tile]:
    counted = {row.list: row for row in listed}
    for term, mart in (("逾期", "overdue"), ("次日应检、未来7日到期", "due")):
        row = counted.get(mart)
        items, answered = (row.items, row.answered) if row else (0, 0)
        changes = []
        if reading.issue.before:
            difference = items - before.get(mart, 0)
            changes = [Change("比前一日", text.change(difference), tone(difference) if mart == "overdue" else "")]
        yield Tile(term, TITLES[mart], items, "count", "项", f"已反馈 {number(answered)} 项", changes)


def _findings(listed: list[Any], before: dict[str, int]) -> Iterator[Finding]:
    for row in listed:
        more = row.items - before.get(row.list, 0)
        if row.list not in NOT_OPEN and more > 0:
            title = TITLES.get(row.list, row.list)
            yield Finding(title, f"{number(row.items)} 项（{text.change(more)}）。", BASES.get(row.list, BASIS), ANCHOR)


def section(danger: tuple[str, ...]) -> Section:
    return Section(
        ANCHOR, "本网格清单", "第16、18、21条", ("disposition_daily", "grid_population"), QUERIES,
        lambda reading: _write(danger, reading),
    )  # fmt: skip
