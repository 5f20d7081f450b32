"""Tables as data: what is listed, what is added up, and the characters of each cell."""

from datetime import date, datetime

import pytest
from pandas import DataFrame

from yingjian.reports.content.document import Chapter, Column, Figure, Table, Text
from yingjian.reports.content.frames import LISTED, most, table

COLUMNS = (
    Column("社区", "place", "text"), Column("未采", "left"), Column("率", "left", "share", whole="all"),
    Column("最久（天）", "days", adds=False), Column("变化", "change", "change"),
)  # fmt: skip


def places(count: int) -> DataFrame:
    return DataFrame(
        {
            "place": [f"社区{n}" for n in range(count)],
            "left": range(count),
            "all": [2 * count] * count,
            "days": 3,
            "change": -1,
        }
    )


def test_a_long_table_ends_with_the_sum_of_the_rest():
    made = table("表", COLUMNS, places(LISTED + 20), complete="名单")
    assert len(made.rows) == LISTED and len(made.listed) == LISTED + 1
    left = sum(range(LISTED, LISTED + 20))
    assert made.listed[-1] == ["其余 20 行", left, round(left / (20 * 2 * (LISTED + 20)), 3), None, -20]
    assert sum(row[1] for row in made.listed) == sum(row[1] for row in made.every) == sum(range(LISTED + 20))
    assert made.notes == ["全部见表格“名单”。"]


def test_a_short_table_is_written_as_it_is():
    made = table("表", COLUMNS, places(2), complete="名单", note="注")
    assert made.listed == [("社区0", 0, 0.0, 3, -1), ("社区1", 1, 0.25, 3, -1)]
    assert (made.every, made.total, made.notes) == ((), None, ["注"])


def test_rows_that_are_not_shown_have_a_sum_of_their_own():
    found = places(4)
    made = table("表", COLUMNS, found, is_shown=found["left"] > 1, hidden="未采清零的", unit="个", has_total=True)
    assert [row[0] for row in made.listed] == ["社区2", "社区3", "未采清零的 2 个"]
    assert [row[0] for row in made.every] == ["社区0", "社区1", "社区2", "社区3"]
    assert made.total == ["合计", 6, 0.188, None, -4]


def test_a_change_that_nobody_knows_is_none_and_not_zero():
    made = table("表", COLUMNS, places(2).assign(change=None), has_total=True)
    assert [row[-1] for row in made.rows] == [None, None] and made.total[-1] is None


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("text", "甲", "甲"),
        ("count", 1234, "1,234"),
        ("count", None, "—"),
        ("share", 0.9996, "99.9%"),
        ("change", -3, "▼3"),
        ("change", 0, "持平"),
        ("date", date(2022, 7, 4), "7月4日"),
        ("time", datetime(2022, 7, 4, 8, 5), "7月4日08:05"),
    ],
)
def test_the_characters_of_a_cell(kind, value, written):
    assert Table("表", (Column("列", "x", kind),), []).written((value,)) == [written]


def test_the_first_places_with_any():
    assert most(DataFrame({"community": list("甲乙丙丁戊"), "open": [5, 4, 0, 2, 1]}), "open") == "甲 5、乙 4、丁 2"


def test_a_figure_of_one_day_has_no_change_and_its_values_are_a_table():
    bands = Figure("bands", "按逾期天数", ["1天", "2天"], [3, 0], "项", shape="bands")
    assert (bands.written, bands.change, bands.tone, bands.has_chart) == ("", "—", "", True)
    assert bands.table.rows == [("1天", 3), ("2天", 0)]


def test_a_form_without_charts_has_the_daily_figures_in_one_table():
    daily = Figure("a", "在管", ["7/1", "7/2"], [1, 3], unit="人", before=1)
    bands = Figure("b", "按天数", ["1天", "2天"], [4, 5], shape="bands")
    chapter = Chapter("x", "章", "第1条", [Text("一句。"), (daily, bands)])
    assert chapter.daily_table and chapter.daily_table.rows == [("在管", "3 人", "▲2")]
    assert list(chapter.printed()) == [Text("一句。"), bands.table]
    assert Chapter("y", "章", "第1条", [bands]).daily_table is None
