"""The page as text: what it says, what it escapes, and that nothing comes from elsewhere."""

import re
from datetime import date, datetime
from html.parser import HTMLParser

import pytest

from tests.unit.reports.hand_made import (
    BEFORE,
    COUNTS,
    NOW,
    WEEK_BEFORE,
    document,
    feed,
    figure,
    frame,
    issue,
    zone,
)
from yingjian.reports.content.document import FIRST_ACTIONS, Table
from yingjian.reports.content.sections import forecast, overdue
from yingjian.reports.render.html import render

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


def tables(made, anchor: str = "overdue") -> dict[str, Table]:
    (chapter,) = (chapter for chapter in made.chapters if chapter.anchor == anchor)
    return {table.title: table for table in chapter.each(Table)}


def test_the_document_is_balanced_and_its_links_lead_somewhere():
    page = render(document(zones=frame("zones", zone(explanation="未满7天", mismatch="降级过早"))))
    assert page.lstrip().startswith('<!DOCTYPE html>\n<html lang="zh-CN">')
    balance = Balance()
    balance.feed(page)
    assert not balance.open
    assert balance.references <= balance.ids


def test_the_first_lines():
    said = words(render(document()))
    assert (
        "北峰街道应检尽检日报2022年7月24日（星期日）截至7月24日24时第20220724期编发单位：北峰街道防控办依据方案（第二版）"
        in said
    )
    assert "必检项98项全部通过。" in said
    assert "无上期数据" in said


def test_a_day_that_was_published_before_is_called_a_correction():
    assert "日报（更正版）" in render(document(of=issue(is_correction=True)))
    assert "更正版" not in render(document())


def test_a_release_by_hand_shows_reason_and_person():
    by_hand = issue(quality_status="released_by_hand", release_reason="名册晚到，已核对", released_by="值班长")
    said = words(render(document(of=by_hand, checks=frame("checks", ("名册少了一半", "fail", 3)))))
    assert "有1项必检项未通过，经人工批准发布。理由：名册晚到，已核对。放行人：值班长。" in said
    assert "人工放行" in said
    assert "名册少了一半" in said


SCRIPT = "<script>x</script>"


@pytest.mark.parametrize(
    "made",
    [
        document(of=issue(quality_status="released_by_hand", release_reason=SCRIPT)),
        document(compliance=frame("compliance", (NOW, "局", SCRIPT, "站", "8", 3, 0, 3))),
        document(zones=frame("zones", zone(name=SCRIPT, explanation=SCRIPT, mismatch=SCRIPT))),
        document(feeds=frame("feeds", feed(title=SCRIPT, status="rejected", message=SCRIPT))),
        document(rejections=frame("rejections", ("病例", SCRIPT, 1))),
        document(of=issue(before=BEFORE), zones=frame("zones", zone(name=SCRIPT))),
        document(figure("feeds", 2, 1, risen=[(SCRIPT, 1)]), of=issue(before=BEFORE)),
        document(responsible={"18": [SCRIPT]}),
    ],
)
def test_every_value_is_escaped(made):
    page = render(made)
    assert "<script" not in page
    assert "&lt;script" in page


def test_nothing_is_fetched_and_nothing_runs():
    page = render(document(zones=frame("zones", zone())))
    assert not re.search(r"https?://|@import|<script|<iframe|<img|url\((?!#)", page)
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_empty_tables_read_well():
    empty = document(
        counts={NOW: dict.fromkeys(COUNTS[NOW], 0) | {"compliance": (0, 0)}},
        **{name: frame(name) for name in ("compliance", "days", "due")},
    )
    said = words(render(empty))
    assert "没有逾期未检的项目。" in said
    assert "未来7日没有到期的检测。" in said
    assert "今日无风险区。" in said
    assert "近14日只有这一期" in said
    assert "<table" not in render(empty).partition('id="overdue"')[2].partition('id="quality"')[0]


def test_tiles_compare_with_the_day_before_and_with_last_week():
    made = document(
        of=issue(before=BEFORE, week_before=WEEK_BEFORE),
        counts={
            NOW: {"high_zones": 1, "medium_zones": 1},
            BEFORE: {"overdue_persons": 7, "overdue_items": 6, "compliance": (94, 100)},
            WEEK_BEFORE: {"overdue_persons": 5, "overdue_items": 6, "medium_zones": 1},
        },
    )
    by_label = {tile.label: tile for tile in made.tiles}
    day, week = by_label["逾期人数"].changes
    assert (day.text, day.tone) == ("▼2 人", "good")
    assert by_label["应检尽检率"].changes[0].text == "▲1.0 个百分点"
    assert by_label["高 / 中风险区"].changes[1].text == "高 ▲1，中 持平"
    assert (week.text, week.tone) == ("持平", "")


def test_communities_are_all_listed_others_only_with_overdue():
    made = tables(document())
    assert [row[0] for row in made["按社区"].listed] == ["甲社区", "乙社区", "丙社区"]
    assert [row[0] for row in made["按主管部门"].listed] == ["甲局", "乙局", "无逾期的 1 个"]
    assert [row[0] for row in made["按主管部门"].every] == ["甲局", "乙局", "丙局"], "the spreadsheet has all of them"


def test_a_part_that_became_clear_today_is_still_listed():
    rows = [(NOW, "甲", "", "", "8", 50, 48, 2), (NOW, "丙", "", "", "8", 50, 50, 0), (NOW, "乙", "", "", "8", 50, 50, 0),
            (BEFORE, "乙", "", "", "8", 50, 46, 4)]  # fmt: skip
    made = tables(document(of=issue(before=BEFORE), compliance=frame("compliance", *rows)))["按主管部门"]
    assert [(row[0], row[-1]) for row in made.rows] == [("甲", 2), ("乙", -4)]


def test_a_long_table_ends_with_the_sum_of_the_rest():
    rows = [(NOW, "局", f"社区{number:03}", "站", "8", 1000, number, 1000 - number) for number in range(200)]
    made = document(compliance=frame("compliance", *rows))
    communities = tables(made)["按社区"]
    assert len(communities.rows) == overdue.PLACES
    assert sum(row[1] for row in communities.listed) == communities.total[1] == sum(row[-1] for row in rows)
    assert len(render(made).encode()) < 2_000_000


def test_communities_that_are_not_listed_are_added_up_in_the_forecast():
    tomorrow = date(2022, 7, 25)
    rows = [(f"社区{number:03}", tomorrow, 200 - number) for number in range(forecast.PLACES + 40)]
    made = tables(document(due=frame("due", *rows)), "forecast-7")["按社区"]
    assert len(made.listed) == forecast.PLACES + 1 and made.listed[-1][0] == "其余 40 个"
    assert sum(row[1] for row in made.listed) == made.total[1] == sum(row[-1] for row in rows)


def test_each_daily_figure_stands_with_its_change_its_definition_and_its_article():
    made = document(
        figure("overdue", 6, 4),
        figure("feeds", 2, 1, risen=[("病例", 1)]),
        figure("rejected", 0, 0),
        of=issue(before=BEFORE),
    )
    said = words(render(made))
    assert "逾期人次6人次▲2" in said
    assert (
        "（附件第1–38项和第六、七、二十八条人员；购药和混管复核另计）；一人属两类人群计两次。第十八、二十一条" in said
    )
    assert "缺报、滞后、退回的数据2类▲1" in said
    page = render(made)
    assert 'id="trend-overdue-title"' in page
    assert 'id="trend-rejected-title"' not in page, "nothing to show in fourteen days of nothing"


def test_of_zones_that_an_audience_does_not_see_nothing_is_said():
    hidden = document(of=issue(hidden=frozenset({"risk_zone"})))
    assert "风险区" in words(render(document()))
    assert [tile.label for tile in hidden.tiles] == ["逾期人数", "应检尽检率", "应检人次", "次日应检"]
    assert "zones" not in {chapter.anchor for chapter in hidden.chapters}


def test_what_must_be_done_names_who_answers():
    assert "督促补检：5人共6项逾期未检。" in words(render(document()))
    assert "责任单位：各部门、核酸检测组、各社区" in words(render(document()))


def test_what_must_be_done_stands_before_what_got_worse():
    page = render(document(of=issue(before=BEFORE), counts={BEFORE: {"overdue_persons": 6, "overdue_items": 7}}))
    assert page.index('id="today"') < page.index('id="worse"') < page.index('id="data"') < page.index('id="overdue"')
    assert "没有变差的项目" in words(page)


def test_rows_that_do_not_add_up_are_marked():
    assert "行数不平" not in words(render(document()))
    assert "正常，行数不平" in words(render(document(feeds=frame("feeds", feed(rows_staged=7)))))


def test_the_first_actions_are_open_and_the_others_folded():
    made = document(zones=frame("zones", zone(eligible_level="中"), zone(zone_id="FX2", mismatch="降级过早")),
                    feeds=frame("feeds", feed(status="missing")), counts={NOW: {"needs_review": 3}})  # fmt: skip
    assert len(made.actions) > FIRST_ACTIONS
    today = render(made).partition('id="today"')[2].partition("</section>")[0]
    first, _, others = today.partition("<details")
    assert first.count("<li") == FIRST_ACTIONS and others.count("<li") == len(made.actions) - FIRST_ACTIONS
    assert f"其余 {len(made.actions) - FIRST_ACTIONS} 项" in others
    assert "<details" not in render(document()).partition('id="today"')[2].partition("</section>")[0]


def test_the_chapters_are_folded_below_a_table_of_contents():
    page = render(document())
    for chapter in document().chapters:
        assert f'<a href="#{chapter.anchor}">' in page.partition("<nav")[2].partition("</nav>")[0]
        assert re.search(rf'<section id="{chapter.anchor}" class="chapter">\s*<details>', page)


def test_an_emergency_is_marked_before_everything_else():
    urgent = frame("state", (NOW, "急", datetime(2022, 7, 16, 8), "报告本土感染者", 9, 4))
    page = render(document(state=urgent))
    assert '<p id="state" class="state-now emergency"><b>急</b>应急状态（急）第 9 天' in page
    assert page.index('id="state"') < page.index('class="tiles"') < page.index('id="today"')
    assert "emergency" not in render(document()).partition("<main>")[2]


def test_no_code_of_ours_is_on_the_page():
    rows = [(NOW, "局", "甲社区", "站", f"{code} 人员", 3, 0, 3) for code in ("P19", "A28", "8")]
    said = words(render(document(compliance=frame("compliance", *rows))))
    assert {"第十九条人员", "第二十八条人员", "8人员"} <= set(re.findall("第[十九二八]+条人员|8人员", said))
    assert not re.search(r"beifeng|P19|A28|第\d+条|\(publication", said)


def test_a_day_without_an_earlier_publication_says_so_once():
    said = words(render(document()))
    assert said.partition("逾期未检第")[0].count("无上期数据") == 1
    assert all(tile.changes == [] and tile.against("比上周") == "—" for tile in document().tiles)
