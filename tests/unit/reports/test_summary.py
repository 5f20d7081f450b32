"""The summary says what got worse and why, and what is to be known of the data, as sentences."""

from datetime import date

import pytest

from tests.unit.reports.hand_made import all_series, feed, figures, headline, publication, series
from yingjian.people.audience import OFFICE, Audience
from yingjian.reports.figures import Check, Rejection, Restatement, Totals
from yingjian.reports.movement import Movement, Share, ZoneChange
from yingjian.reports.summary import data_box, findings, improved, movement_table

DAY_BEFORE = headline(overdue_items=4, overdue_persons=4, totals=Totals(100, 96, 4, 2))
MOVEMENT = Movement(
    Share("", {"fell_due": 4, "joined": 1, "sampled": 2, "missed": 1}),
    {
        "community": [
            Share("甲社区", {"fell_due": 3}),
            Share("乙社区", {"joined": 1}),
            Share("丙社区", {"sampled": 2}),
        ],
        "department": [Share("商务局、市场监管局", {"fell_due": 4, "joined": 1})],
        "group_name": [],
    },
)


def told(made) -> dict[str, str]:
    return {finding.heading: finding.text for finding in findings(made)}


def test_without_a_day_before_nothing_is_compared():
    assert findings(figures()) == []


def test_the_change_of_overdue_is_told_by_cause_and_place():
    compliance = series("compliance", 0.95, 0.96)
    made = figures(day_before=DAY_BEFORE, movement=MOVEMENT, series=all_series(compliance))
    (overdue,) = findings(made)
    assert overdue.text == "6 项，比前一日多 2 项；已达标率 95.0%（▼1.0 个百分点）。"
    assert overdue.why == [
        "新增 5 项：当日到期未采 4、新纳入即到期 1",
        "消除 3 项：当日补采 2、未补采转为漏检 1",
        "净增最多：社区·甲社区 +3、乙社区 +1（新纳入即到期）",
    ]
    assert (overdue.mark, overdue.basis, overdue.anchor) == ("▲", "第18、21条", "overdue")


@pytest.mark.parametrize(("before", "words"), [(9, "比前一日少 3 项"), (6, "比前一日持平")])
def test_overdue_that_did_not_rise_is_told_but_not_as_worse(before, words):
    made = figures(day_before=headline(overdue_items=before), movement=MOVEMENT)
    (overdue,) = findings(made)
    assert words in overdue.text
    assert not overdue.is_worse and overdue.mark == "▽"


def test_the_steps_lead_from_yesterday_to_today():
    steps = movement_table(MOVEMENT, 4, 6)
    assert steps[0] == ("", "前一日逾期", 4) and steps[-1] == ("＝", "本日逾期", 6)
    assert 4 + sum(items if sign == "＋" else -items for sign, _, items in steps[1:-1]) == 6


def test_the_switch_to_emergency_and_new_cases_are_told_first():
    made = figures(now=headline(state="急", local_cases=3), day_before=DAY_BEFORE, movement=MOVEMENT)
    assert [finding.heading for finding in findings(made)][:2] == ["平急状态", "本土疫情"]
    assert told(made)["本土疫情"] == "本轮本土感染者 3 例，比前一日多 3 例。"


def test_zones_that_were_drawn_raised_or_had_a_new_case():
    changes = [
        ZoneChange("declared", "甲小区", "高", None),
        ZoneChange("raised", "乙小区", "高", "中"),
        ZoneChange("positive", "丙小区", "中", "中"),
        ZoneChange("lowered", "丁小区", "低", "中"),
    ]
    made = figures(day_before=DAY_BEFORE, zone_changes=changes)
    assert told(made)["风险区"] == (
        "新划定 1 个：甲小区（高）；升级 1 个：乙小区（中→高）；出现新增本土感染者 1 个：丙小区（中）。"
    )
    assert improved(made) == "降级的风险区 丁小区（中→低）"


def test_figures_of_one_section_are_one_sentence_with_their_places():
    overdue = series("contacts-overdue", 3, 1, risen=[("甲社区", 2)])
    in_time = series("contacts-in-time", 0.8, 0.9)
    vaccinated = series("vaccination", 0.7, 0.6)
    made = figures(day_before=DAY_BEFORE, series=all_series(overdue, in_time, vaccinated))
    assert told(made) == {
        "密接隔离时限": "8小时内隔离率 80.0%（▼10.0 个百分点）；超过8小时未隔离 3 人（▲2）：甲社区 +2。"
    }
    assert findings(made)[0].basis == "第25、26条"
    assert improved(made) == "60岁以上三剂接种率 70.0%（▲10.0 个百分点）"


def test_a_figure_that_is_neither_good_nor_bad_is_not_told():
    made = figures(day_before=DAY_BEFORE, series=all_series(series("controlled", 30, 10)))
    assert findings(made) == [] and improved(made) == ""


def box(made, audience=OFFICE) -> dict[str, str]:
    return dict(data_box(made, audience))


def test_good_data_say_so():
    assert box(figures()) == {
        "报送": "1 类数据均按要求送到。",
        "退回": "没有退回的行。",
        "检查": "118 项；必须通过的全部通过。",
        "更正": "与上一次发布相比，以前日期没有更正。",
    }


def test_what_is_missing_late_rejected_or_failed_is_named():
    made = figures(
        feeds=[feed(status="missing"), feed(title="消毒记录", status="stale"), feed()],
        series=all_series(series("rejected", 96, 90)),
        rejections=[Rejection("核酸检测", "校验位错误", 60)],
        checks=[Check("a", "t", "fail", 3, "名册少了一半"), Check("b", "t", "warn", 1, None)],
    )
    assert box(made)["报送"] == "2 类缺报、滞后、偏少或被退回：病例（缺报）、消毒记录（滞后）。"
    assert box(made)["退回"] == "累计 96 行，比前一日 ▲6；待更正最多：核酸检测·校验位错误 60。"
    assert box(made)["检查"] == "118 项；必须通过的 1 项未通过：名册少了一半；提示 1 项：b。"


def test_a_release_by_hand_says_who_and_why():
    by_hand = publication(quality_status="released_by_hand", release_reason="名册晚到", released_by="值班长")
    assert box(figures(publication=by_hand))["人工放行"] == "放行人：值班长；理由：名册晚到。"
    assert "人工放行" not in box(figures())


def test_restatements_are_added_up_by_reason():
    restated = [
        Restatement(date(2022, 7, 23), "样本或结果迟到", 5),
        Restatement(date(2022, 7, 21), "样本或结果迟到", 7),
        Restatement(date(2022, 7, 22), "名册补录", 1),
    ]
    assert box(figures(restatements=restated))["更正"] == (
        "与上一次发布相比，以前日期更正 13 项（7月21日至7月23日）：样本或结果迟到 12、名册补录 1。"
    )


def test_who_sees_no_restatements_is_not_told_that_there_are_none():
    """They are counted by group alone, so that a community or a department sees none of them."""
    community = Audience("community", "甲社区")
    told = box(figures(hidden=frozenset({"restatement"})), community)
    assert "更正" not in told
    assert told["范围"] == "只含甲社区的数据。"


def test_what_a_department_has_no_part_in_is_named():
    hidden = frozenset({"risk_zone", "vaccination_60plus", "readiness", "restatement"})
    assert box(figures(hidden=hidden), Audience("department", "卫健局"))["范围"] == (
        "只含卫健局的数据。风险区、60岁以上疫苗接种、备勤队伍不按部门分，见街道日报。"
    )


def test_a_feed_that_the_day_did_not_wait_for_any_longer_is_named_first():
    feeds = [feed(feed="arrivals", title="入丰申报", status="stale"), feed(feed="test_results", title="核酸检测结果")]
    late = figures(feeds=feeds, publication=publication(missing_feeds=["test_results"]))
    assert dict(data_box(late, OFFICE))["报送"].startswith(
        "2 类缺报、滞后、偏少或被退回：核酸检测结果（截稿时当日数据未到）、"
    )
    assert "核酸检测结果" not in dict(data_box(figures(feeds=feeds), OFFICE))["报送"]
