"""This section reports tests due in the days ahead if nobody is sampled (article 18), and open items (article 30)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from pandas import DataFrame

from yingjian.reports.content import text
from yingjian.reports.content.document import NO_LIMIT, Action, Block, Column, Figure, Text, Tile
from yingjian.reports.content.frames import BLANK, most, table, total
from yingjian.reports.content.sections.section import Content, Reading, Section
from yingjian.reports.content.text import day, number

DAYS = 7
PLACES = 60

QUERIES = {
    "due": "select community, due_date, count(*) as tests from due where publication_id = %(id)s group by 1, 2",
}


def ahead(due: DataFrame, as_of: date) -> DataFrame:
    """Return the tests due by community on the days ahead, with a column per day (d1 … d7), the largest sum first."""
    days = {as_of + timedelta(days=number): f"d{number}" for number in range(1, DAYS + 1)}
    named = due.assign(community=due["community"].replace("", BLANK).fillna(BLANK))
    places = named.pivot_table(index="community", columns="due_date", values="tests", aggfunc="sum", fill_value=0)
    places = places.reindex(columns=list(days), fill_value=0).astype(int).rename(columns=days)
    order = places.reset_index().assign(most=-places.sum(axis=1).to_numpy())
    return order.sort_values(["most", "community"]).drop(columns="most").reset_index(drop=True)


def _write(reading: Reading) -> Content:
    labels = [text.short_day(reading.as_of + timedelta(days=number)) for number in range(1, DAYS + 1)]
    places = ahead(reading["due"], reading.as_of) if len(reading["due"]) else None
    review = reading.count("needs_review")
    still_open = (
        f"未到期的应检项目共 {number(reading.count('upcoming'))} 项；待核实 {number(review)} 项"
        f"{'（来源县有风险区，来源区域对不上名单）' if review else ''}。"
    )
    if places is None:
        blocks: list[Block] = [Text("未来7日没有到期的检测。"), Text(still_open)]
    else:
        columns = (Column("社区", "community", "text"), *(Column(label, f"d{n}") for n, label in enumerate(labels, 1)))
        figure = Figure(
            "forecast", "未来7日到期检测", labels, [total(places, f"d{n}") for n in range(1, DAYS + 1)], "项",
            f"各日到期的检测项数，假定此后不再采样；不含已逾期的 {number(reading.count('overdue_items'))} 项。",
            "附件第1–38项", shape="columns",
        )  # fmt: skip
        listed = table("按社区", columns, places, limit=PLACES, unit="个", has_total=True)
        blocks = [figure, listed, Text(still_open)]
    return Content(blocks=blocks, actions=list(_actions(reading, places, review)), tiles=[_tile(reading)])


def _tile(reading: Reading) -> Tile:
    items, tomorrow = reading.count("next_day_items"), day(reading.as_of + timedelta(days=1))
    return Tile(
        "次日应检、未来7日到期", "次日应检", items, "count", "项", f"{tomorrow} · {number(reading.count('next_day_persons'))} 人",
        reading.changes(lambda earlier: (text.change(items - reading.count("next_day_items", earlier)), "")),
    )  # fmt: skip


def _actions(reading: Reading, places: DataFrame | None, review: int) -> Iterator[Action]:
    if items := reading.count("next_day_items"):
        words = f"{day(reading.as_of + timedelta(days=1))}应检 {number(reading.count('next_day_persons'))} 人共 {number(items)} 项"
        if places is not None:
            order = places.assign(most=-places["d1"]).sort_values(["most", "community"])
            words += f"，其中{named}" if (named := most(order, "d1")) else ""
        limit = f"{day(reading.as_of + timedelta(days=1))}24时"
        yield Action("安排采样", f"{words}。", "第18条", limit=limit)
    if review:
        words = f"{number(review)} 项待核实：来源县有风险区、来源区域对不上名单，暂按低风险地区管理。"
        yield Action("核实来源", words, "第30条", limit=NO_LIMIT)


SECTIONS = (
    Section("forecast-7", "未来7日到期", "附件第1–38项", ("due", "due_forecast"), QUERIES, _write, nav="未来7日"),
)
