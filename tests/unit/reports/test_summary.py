"""The summary says what got worse and why, and what is to be known of the data, as sentences."""

from datetime import date
from typing import Any

import pytest

from tests.unit.reports.hand_made import BEFORE, NOW, document, feed, figure, frame, issue, reading, section, zone
from yingjian.people.audience import Audience
from yingjian.reports.content.document import Table

OF = issue(before=BEFORE)
CONTACTS = frame("due")  # No rows: then a section says only what its figures tell.
MOVEMENT = frame(
    "movement",
    ("甲社区", "商务局、市场监管局", "", "fell_due", 3),
    ("乙社区", "商务局、市场监管局", "", "joined", 1),
    ("乙社区", "商务局、市场监管局", "", "fell_due", 1),
    ("丙社区", "商务局、市场监管局", "", "sampled", 2),
    ("乙社区", "商务局、市场监管局", "", "missed", 1),
)


def persons(before: int) -> Any:
    return {BEFORE: {"overdue_persons": before, "overdue_items": before}}


def told(made) -> dict[str, str]:
    return {finding.heading: finding.text for finding in made.findings}


def test_without_a_day_before_nothing_is_compared():
    made = document()
    assert made.findings == [] and made.improved == ""
    assert made.compared == "7月23日没有发布，无上期数据，不能比较。"


def test_the_change_of_overdue_is_told_by_cause_and_place():
    made = document(figure("compliance", 0.95, 0.96), of=OF, movement=MOVEMENT, counts=persons(4))
    overdue = made.findings[0]
    assert overdue.text == "6 项，比前一日多 2 项；应检尽检率 95.0%（▼1.0 个百分点）。"
    assert overdue.why == [
        "新增 5 项：当日到期未采 4、新纳入即到期 1",
        "消除 3 项：当日补采 2、未补采转为漏检 1",
        "净增最多：社区·甲社区 +3、乙社区 +1",
    ]
    assert (overdue.mark, overdue.basis, overdue.anchor) == ("▲", "第十八、二十一条", "overdue")


def test_a_place_that_rose_for_another_cause_than_usual_says_which():
    movement = frame("movement", ("甲社区", "局", "", "joined", 2), ("乙社区", "局", "", "fell_due", 1))
    made = document(of=OF, movement=movement, counts=persons(3))
    assert made.findings[0].why[-1] == "净增最多：社区·甲社区 +2（新纳入即到期）、乙社区 +1"


@pytest.mark.parametrize(("before", "words", "mark"), [(9, "比前一日少 3 项", "▼"), (6, "比前一日持平", "－")])
def test_overdue_that_did_not_rise_is_told_but_not_as_worse(before, words, mark):
    made = document(of=OF, movement=MOVEMENT, counts=persons(before))
    (overdue,) = made.findings
    assert words in overdue.text
    assert not overdue.is_worse and overdue.mark == mark
    assert made.compared == "与前一日相比，没有变差的项目。"


def test_the_steps_lead_from_yesterday_to_today():
    made = document(of=OF, movement=MOVEMENT, counts=persons(4))
    (chapter,) = (chapter for chapter in made.chapters if chapter.anchor == "overdue")
    steps = next(table for table in chapter.each(Table) if table.total and table.total[0] == "＝本日逾期")
    assert steps.title == "逾期从7月23日到7月24日（项）"
    assert steps.rows[0] == ("前一日逾期", 4) and steps.total == ("＝本日逾期", 6)
    assert 4 + sum(items if name.startswith("＋") else -items for name, items in steps.rows[1:]) == 6


def test_the_switch_to_emergency_and_new_cases_are_told_first():
    state = frame("state", (NOW, "急", date(2022, 7, 24), "通告", 2, 3), (BEFORE, "平", None, "", None, 0))
    made = document(of=OF, state=state, movement=MOVEMENT)
    assert [finding.heading for finding in made.findings][:2] == ["平急状态", "本土疫情"]
    assert told(made)["本土疫情"] == "本轮本土感染者 3 例，比前一日多 3 例。"


def test_zones_that_were_drawn_raised_or_had_a_new_case():
    earlier, later = date(2022, 7, 20), date(2022, 7, 24)
    made = document(
        of=OF,
        zones=frame(
            "zones",
            zone(zone_id="1", name="甲小区"),
            zone(zone_id="2", name="乙小区"),
            zone(BEFORE, zone_id="2", name="乙小区", level="中"),
            zone(zone_id="3", name="丙小区", level="中", last_positive_date=later),
            zone(BEFORE, zone_id="3", name="丙小区", level="中", last_positive_date=earlier),
            zone(zone_id="4", name="丁小区", level="低", is_lowered=True),
            zone(BEFORE, zone_id="4", name="丁小区", level="中"),
            zone(zone_id="5", name="戊小区", level="低"),
            zone(BEFORE, zone_id="5", name="戊小区", level="低"),
        ),
    )
    assert told(made)["风险区"] == (
        "新划定 1 个：甲小区（高）；升级 1 个：乙小区（中→高）；出现新增本土感染者 1 个：丙小区（中）。"
    )
    assert made.improved == "降级的风险区 丁小区（中→低）"


def test_figures_of_one_section_are_one_sentence_with_their_places():
    figures = figure("contacts-in-time", 0.8, 0.9), figure("contacts-overdue", 3, 1, risen=[("甲社区", 2)])
    written = section("contacts").content(reading("contacts", OF, *figures, contacts=CONTACTS))
    (finding,) = written.findings
    assert (finding.heading, finding.text) == (
        "密接隔离时限", "8小时内隔离率 80.0%（▼10.0 个百分点）；超过8小时未隔离 3 人（▲2）：甲社区 +2。"
    )  # fmt: skip
    assert finding.basis == "第25、26条"


def test_a_figure_that_is_better_is_told_as_such():
    better = figure("contacts-in-time", 0.9, 0.8)
    written = section("contacts").content(reading("contacts", OF, better, contacts=CONTACTS))
    assert written.improved == ["8小时内隔离率 90.0%（▲10.0 个百分点）"] and written.findings == []


def test_a_figure_that_is_neither_good_nor_bad_is_not_told():
    written = section("controls").content(reading("controls", OF, figure("controlled", 30, 10), controls=CONTACTS[:0]))
    assert written.findings == [] and written.improved == []


def box(made) -> dict[str, str]:
    return dict(made.facts)


def test_good_data_say_so():
    assert box(document()) == {
        "报送": "1 类数据均按要求送到。",
        "退回": "没有退回的行。",
        "检查": "必检项 98 项全部通过。",
        "更正": "与上一次发布相比，以前日期没有更正。",
    }


def test_what_is_missing_late_rejected_or_failed_is_named():
    made = document(
        figure("rejected", 96, 90),
        feeds=frame("feeds", feed(status="missing"), feed(title="消毒记录", status="stale"), feed()),
        rejections=frame("rejections", ("核酸检测", "校验位错误", 60)),
        checks=frame("checks", ("名册少了一半", "fail", 3), ("b", "warn", 1)),
    )
    assert box(made)["报送"] == "2 类缺报、滞后、偏少、存疑或被退回：病例（缺报）、消毒记录（滞后）。"
    assert box(made)["退回"] == "累计 96 行，比前一日 ▲6；待更正最多：核酸检测·校验位错误 60。"
    assert box(made)["检查"] == "必检项 1 项未通过：名册少了一半；业务提示 1 项：b。"


def test_the_data_that_got_worse_are_named():
    feeds = frame(
        "feeds",
        feed(feed="cases", title="病例", status="missing", rows_rejected=5),
        feed(feed="contacts", title="密接", status="missing", rows_rejected=7),
        feed(feed="arrivals", title="入丰", rows_rejected=9),
    )
    before = frame("feeds_before", ("cases", "ok", 5), ("contacts", "stale", 1), ("arrivals", "ok", 8))
    made = document(figure("feeds", 2, 1), figure("rejected", 21, 14), of=OF, feeds=feeds, feeds_before=before)
    assert told(made)["数据报送"] == (
        "缺报、滞后、退回的数据 2 类（▲1）：病例 +1；累计退回 21 行（▲7）：密接 +6、入丰 +1。"
    )


def test_a_release_by_hand_says_who_and_why():
    by_hand = issue(quality_status="released_by_hand", release_reason="名册晚到", released_by="值班长")
    assert box(document(of=by_hand))["人工放行"] == "放行人：值班长；理由：名册晚到。"
    assert "人工放行" not in box(document())


def test_restatements_are_added_up_by_reason():
    restated = frame(
        "restatements",
        (date(2022, 7, 23), "样本或结果迟到", 5),
        (date(2022, 7, 22), "名册补录", 1),
        (date(2022, 7, 21), "样本或结果迟到", 7),
    )
    assert box(document(restatements=restated))["更正"] == (
        "与上一次发布相比，以前日期更正 13 项（7月21日至7月23日）：样本或结果迟到 12、名册补录 1。"
    )


def test_who_sees_no_restatements_is_not_told_that_there_are_none():
    """They are counted by group alone, so that a community or a department sees none of them."""
    community = issue(audience=Audience("community", "甲社区"), hidden=frozenset({"restatement"}))
    made = box(document(of=community))
    assert "更正" not in made
    assert made["范围"] == "只含甲社区的数据，各项数字都是本社区的。"


def test_what_a_department_has_no_part_in_is_named():
    hidden = frozenset({"risk_zone", "vaccination_60plus", "vaccination_outstanding", "readiness", "restatement"})
    department = issue(audience=Audience("department", "卫健局"), hidden=hidden)
    assert box(document(of=department))["范围"] == (
        "只含卫健局的数据，各项数字都是本部门的。风险区、60岁以上疫苗接种、备勤队伍不按部门分，见街道日报。"
    )


def test_a_feed_that_the_day_did_not_wait_for_any_longer_is_named_first():
    feeds = frame(
        "feeds",
        feed(feed="arrivals", title="入丰申报", status="stale"),
        feed(feed="test_results", title="核酸检测结果"),
    )
    late = document(of=issue(missing_feeds=["test_results"]), feeds=feeds)
    assert box(late)["报送"].startswith("2 类缺报、滞后、偏少、存疑或被退回：核酸检测结果（截稿时当日数据未到）、")
    assert "核酸检测结果" not in box(document(feeds=feeds))["报送"]
