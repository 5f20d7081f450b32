"""The page as text: what it says, what it escapes, and that nothing comes from elsewhere."""

import re
from html.parser import HTMLParser

import pytest

from tests.unit.reports.hand_made import all_series, feed, figures, headline, part, publication, series, zone
from yingjian.reports.figures import Check, ForecastRow, Rejection, Totals, in_bands
from yingjian.reports.html import TABLE_ROWS, breakdowns, forecast_table, render, tiles
from yingjian.reports.movement import ZoneChange
from yingjian.reports.topics import LISTED, Table

VOID = {"meta", "link", "br"}


class Balance(HTMLParser):
    """Raises when an element is closed that is not the innermost open one, or an id comes twice."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.references: set[str] = set()

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if "id" in named:
            assert named["id"] not in self.ids
            self.ids.add(named["id"])
        if named.get("href", "").startswith("#"):
            self.references.add(named["href"][1:])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def words(page: str) -> str:
    """The function gives the page's text without markup and blanks."""
    body = re.sub(r"<style>.*?</style>|<title.*?</title>|<desc.*?</desc>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", "", re.sub(r"<[^>]+>", "", body))


def test_the_document_is_balanced_and_its_links_lead_somewhere():
    page = render(figures(zones=[zone(blockers=["未满7天"], mismatch="降级过早")]))
    assert page.startswith('<!DOCTYPE html>\n<html lang="zh-CN">')
    balance = Balance()
    balance.feed(page)
    assert not balance.open
    assert balance.references <= balance.ids


def test_the_first_lines():
    said = words(render(figures()))
    assert "北峰街道应检尽检日报2022年7月24日（星期日）截至7月24日24时发布编号12方案版本beifeng-2" in said
    assert "质量检查通过" in said
    assert "无上期数据" in said


def test_a_day_that_was_published_before_is_called_a_correction():
    assert "日报（更正版）" in render(figures(publication=publication(is_correction=True)))
    assert "更正版" not in render(figures())


def test_a_release_by_hand_shows_reason_and_person():
    page = render(
        figures(
            publication=publication(
                quality_status="released_by_hand", release_reason="名册晚到，已核对", released_by="值班长"
            ),
            checks=[Check("roster_volume", "staging.key_population", "fail", 3, "名册少了一半")],
        )
    )
    said = words(page)
    assert "有1项必须通过的质量检查未通过，经人工批准发布。理由：名册晚到，已核对。放行人：值班长。" in said
    assert "✓质量检查通过" not in said
    assert "名册少了一半" in said


@pytest.mark.parametrize(
    "made",
    [
        figures(publication=publication(quality_status="released_by_hand", release_reason="<script>x</script>")),
        figures(communities=[part("<script>x</script>", 3)]),
        figures(zones=[zone(name="<script>x</script>", blockers=["<script>x</script>"], mismatch="<script>x")]),
        figures(feeds=[feed(title="<script>x</script>", status="rejected", message="<script>x</script>")]),
        figures(rejections=[Rejection("病例", "<script>x</script>", 1)]),
        figures(day_before=headline(), zone_changes=[ZoneChange("declared", "<script>x</script>", "高", None)]),
        figures(
            day_before=headline(),
            series=all_series(series("pushes-open", 2, 1, risen=[("<script>x</script>", 1)])),
        ),
        figures(responsible={"18": ["<script>x</script>"]}),
    ],
)
def test_every_value_is_escaped(made):
    page = render(made)
    assert "<script" not in page
    assert "&lt;script" in page


def test_nothing_is_fetched_and_nothing_runs():
    page = render(figures(zones=[zone()]))
    assert not re.search(r"https?://|@import|<script|<iframe|<img|url\((?!#)", page)
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_empty_tables_read_well():
    nothing = Totals(0, 0, 0, 0)
    empty = figures(
        now=headline(
            totals=nothing,
            overdue_persons=0,
            overdue_items=0,
            next_day_items=0,
            next_day_persons=0,
            high_zones=0,
            medium_zones=0,
            lowerable_zones=0,
        ),
        departments=[],
        communities=[],
        groups=[],
        units=[],
        units_rest=[],
        bands=in_bands([]),
        longest=None,
        forecast_rows=[],
    )
    said = words(render(empty))
    assert "没有逾期未检的项目。" in said
    assert "未来7日没有到期的检测。" in said
    assert "今日无风险区。" in said
    assert "近14日只有这一期" in said


def test_tiles_compare_with_the_day_before_and_with_last_week():
    made = figures(
        day_before=headline(overdue_persons=7, overdue_items=6, totals=Totals(100, 94, 6, 0)),
        week_before=headline(high_zones=0),
    )
    by_label = {tile.label: tile for tile in tiles(made)}
    day, week = by_label["逾期人数"].changes
    assert (day.text, day.tone) == ("▼2 人", "good")
    assert by_label["已达标率"].changes[0].text == "▲1.0 个百分点"
    assert by_label["高 / 中风险区"].changes[1].text == "高 ▲1，中 持平"
    assert (week.text, week.tone) == ("持平", "")


def test_communities_are_all_listed_others_only_with_overdue():
    (communities, departments), _ = breakdowns(figures())
    assert [row.name for row in communities.rows] == ["甲社区", "乙社区", "丙社区"]
    assert [row.name for row in departments.rows] == ["甲社区", "乙社区"]
    assert [row.name for row in departments.sums] == ["无逾期的 1 个"]


def test_a_part_that_became_clear_today_is_still_listed():
    (_, departments), _ = breakdowns(figures(departments=[part("甲", 2), part("丙", 0), part("乙", 0, 4)]))
    assert [row.name for row in departments.rows] == ["甲", "乙"]


def test_a_long_table_ends_with_the_sum_of_the_rest():
    many = [part(f"社区{number:03}", 1000 - number, required=1000) for number in range(200)]
    made = figures(communities=many)
    (communities, _), _ = breakdowns(made)
    assert len(communities.rows) == TABLE_ROWS
    assert sum(row.overdue for row in [*communities.rows, *communities.sums]) == sum(row.overdue for row in many)
    assert len(render(made).encode()) < 2_000_000


def test_communities_that_are_not_listed_are_added_up_in_the_forecast():
    rows = [ForecastRow(f"社区{number:03}", (200 - number, *[1] * 6)) for number in range(TABLE_ROWS + 40)]
    table = forecast_table(figures(forecast_rows=rows))
    assert len(table) == TABLE_ROWS + 1 and table[-1][0] == "其余 40 个"
    assert [sum(column) for column in zip(*(due for _, due in table), strict=True)] == [
        sum(row.tests_due[day] for row in rows) for day in range(7)
    ]


def test_a_topic_s_long_table_ends_with_the_sum_of_the_rest():
    rows = [(f"社区{number}", number, 0.5, 3) for number in range(LISTED + 20)]
    listed = Table("表", ("社区", "未采", "率", "应采"), rows).listed
    assert len(listed) == LISTED + 1
    assert listed[-1] == ("其余 20 行", sum(range(LISTED, LISTED + 20)), None, 60)
    assert sum(row[1] for row in listed) == sum(row[1] for row in rows)


def test_a_short_table_is_written_as_it_is():
    table = Table("表", ("社区", "未采"), [("甲", 1)], rest=("其余 9 行", 90))
    assert table.listed == table.all_rows == [("甲", 1), ("其余 9 行", 90)]


def test_each_daily_figure_stands_with_its_change_its_definition_and_its_article():
    made = figures(
        day_before=headline(),
        series=all_series(series("overdue", 6, 4), series("feeds", 2, 1, risen=[("病例", 1)])),
    )
    said = words(render(made))
    assert "逾期人次6人次▲2" in said
    assert "当日24时有逾期项目的人群身份数；一人属两类人群计两次。第18、21条" in said
    assert "缺报、滞后、退回的数据2类▲1" in said
    page = render(made)
    assert 'id="trend-overdue-title"' in page
    assert 'id="trend-pushes-open-title"' not in page, "nothing to show in fourteen days of nothing"


def test_of_zones_that_an_audience_does_not_see_nothing_is_said():
    hidden = figures(hidden=frozenset({"risk_zone"}))
    assert "风险区" in words(render(figures()))
    assert [tile.label for tile in tiles(hidden)] == ["逾期人数", "已达标率", "应检在管", "次日应检"]
    page = render(hidden)
    assert 'id="zones"' not in page and 'href="#zones"' not in page and "今日无风险区" not in page


def test_each_headline_figure_leads_to_its_definition():
    page = render(figures())
    for label in ("逾期人数", "已达标率", "应检在管", "次日应检"):
        (target,) = re.findall(rf'<a href="#(def-\d+)">{label}</a>', page)
        assert f'<dt id="{target}">' in page


def test_the_responsible_units_stand_with_each_action():
    assert "督促补检：5人共6项逾期未检。" in words(render(figures()))
    assert "责任单位：各部门、核酸检测组、各社区" in words(render(figures()))


def test_what_got_worse_stands_before_what_must_be_done():
    page = render(figures(day_before=headline()))
    assert page.index('id="worse"') < page.index('id="today"') < page.index('id="data"') < page.index('id="overdue"')
    assert "没有变差的项目" in words(page)


def test_rows_that_do_not_add_up_are_marked():
    assert "行数不平" not in words(render(figures()))
    assert "行数不平" in words(render(figures(feeds=[feed(rows_staged=7)])))
