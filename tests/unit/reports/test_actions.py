"""These tests read the sentences of the day's work."""

from dataclasses import replace
from datetime import date

import pytest
from pandas import DataFrame

from tests.unit.reports.hand_made import NO_DUTY, NOW, document, feed, figure, frame, issue, zone
from yingjian.modelling import editions
from yingjian.people.audience import OFFICE
from yingjian.people.officials import Official, Officials
from yingjian.reports.content.contents import DANGER, SECTIONS
from yingjian.reports.content.document import NO_LIMIT, Action
from yingjian.reports.content.sections.grids import RESULTS


def sentences(made) -> dict[str, str]:
    return {action.heading: action.text for action in made.actions}


def compliance(*rows):
    """Memberships by community and department: name, name and how many are overdue."""
    return frame(
        "compliance",
        *((NOW, department, place, "站", "8 快递", 50, 50 - late, late) for place, department, late in rows),
    )


def test_overdue_names_the_communities_and_departments_with_most():
    text = sentences(document())["督促补检"]
    assert text == "5 人共 6 项逾期未检。社区最多：甲社区 3、乙社区 2 人次。部门最多：甲局 3、乙局 2 人次。"


def test_the_share_of_the_leading_communities_is_given_when_there_are_more():
    made = document(compliance=compliance(("甲", "x", 3), ("乙", "x", 1), ("丙", "x", 1), ("丁", "x", 0)))
    assert "（合占 100.0%）" in sentences(made)["督促补检"]


def test_a_department_is_not_named_to_itself():
    made = document(compliance=compliance(("甲", "卫健局", 3), ("乙", "卫健局", 2)))
    assert "部门最多" not in sentences(made)["督促补检"]
    assert "社区最多" in sentences(made)["督促补检"]


def test_no_overdue_reads_well():
    made = document(
        counts={NOW: {"compliance": (100, 100), "overdue": 0, "overdue_persons": 0, "overdue_items": 0}}, days=frame("days"),
        compliance=compliance(("甲", "x", 0)),
    )  # fmt: skip
    assert sentences(made)["逾期清零"] == "没有逾期未检人员。"
    assert "督促补检" not in sentences(made)


def test_without_any_duty_nobody_is_called_in_time():
    assert "不能据此认为无人逾期" in sentences(document(counts=NO_DUTY))["无应检数据"]


def test_long_overdue_only_from_the_last_band_on():
    assert sentences(document())["长期未检"] == (
        "逾期 8 天以上 3 项，逐人核实去向；最长 9 天（快递、外卖，甲社区等 3 项）。"
    )
    assert "长期未检" not in sentences(document(days=frame("days", (7, "快递、外卖", "甲社区", 3))))


def test_the_day_s_work_tells_what_people_did_about_a_list():
    names = ["items", "answered", *RESULTS]
    lists = DataFrame([("overdue", 49, 37, 6, 0)], columns=["list", "items", "answered", "refused", "doubtful"])

    def told(notified: int, not_reached: int) -> str:
        counts = dict.fromkeys(names, 0) | {"items": 49, "answered": notified + not_reached}
        counts |= {"notified": notified, "not_reached": not_reached}
        answers = DataFrame([{"list": "overdue"} | counts, {"list": "control"} | counts])
        return sentences(document(figure("answered", 0.75), lists=lists, answers=answers))["督促补检"]

    assert told(31, 6).endswith("人次。处置：已通知 31、联系不上 6、未处置 12（项）。")
    assert "处置" not in told(0, 0), "nothing is said while nobody uses it"


def test_every_action_names_who_answers_for_its_articles():
    made = document(zones=frame("zones", zone(eligible_level="中")))
    assert {action.heading: action.units for action in made.actions} == {
        "督促补检": ("各部门", "核酸检测组", "各社区"),
        "长期未检": ("各部门", "各社区"),
        "研判降级": ("转运组",),
        "安排采样": ("各部门", "核酸检测组"),
    }


def test_what_is_urgent_comes_first():
    made = document(
        zones=frame("zones", zone(mismatch="降级过早")), feeds=frame("feeds", feed(status="missing"))
    ).actions
    assert [action.is_urgent for action in made] == sorted((action.is_urgent for action in made), reverse=True)
    assert {action.is_urgent for action in made} == {True, False}


def test_departments_that_are_competent_together_are_one_name():
    made = document(compliance=compliance(("甲", "商务局、市场监管局", 3), ("乙", "教育局", 1)))
    assert "部门最多：商务局／市场监管局 3、教育局 1 人次" in sentences(made)["督促补检"]


def test_zones_to_lower_and_notices_that_disagree():
    made = document(
        zones=frame(
            "zones",
            zone(eligible_level="中", eligible_on=date(2022, 7, 23)),
            zone(zone_id="FX2", name="群石新村", level="中", mismatch="降级过早"),
        )
    )
    assert "招丰花园（高→中，7月23日起）" in sentences(made)["研判降级"]
    assert "群石新村" in sentences(made)["核对通告"]


def test_feeds_that_are_missing_and_items_to_confirm():
    made = document(
        feeds=frame("feeds", feed(status="missing"), feed(feed="x", title="密接")), counts={NOW: {"needs_review": 1234}}
    )
    assert sentences(made)["补报数据"] == "1 类数据缺报、滞后、偏少、存疑或被退回：病例。"
    assert sentences(made)["核实来源"].startswith("1,234 项待核实")


def test_a_release_by_hand_comes_first():
    made = document(
        of=issue(quality_status="released_by_hand", checks_failed=2),
        checks=frame("checks", ("a", "fail", 3), ("b", "warn", 1)),
    )
    assert made.actions[0].is_urgent
    assert made.actions[0].text.startswith("有 1 项必检项未通过")


def test_positive_persons_come_before_every_overdue_test():
    of_danger = [
        "positives", "pools", "contacts", "zones", "pushes", "controls", "overdue", "screening", "forecast-7",
    ]  # fmt: skip
    assert [anchor for anchor in DANGER if anchor in of_danger] == of_danger
    assert set(DANGER) <= {section.anchor for section in SECTIONS}


def test_an_action_says_until_when_by_whom_and_where_they_are_reached():
    officials = Officials(
        {
            "a": Official("a", "检测组长", OFFICE, phone="0595-2200 0102", units=("核酸检测组",)),
            "b": Official("b", "街道领导", OFFICE, rights=frozenset({"sign_off"}), units=("各部门", "核酸检测组")),
        }
    )
    made = document(officials=officials)
    (action,) = (action for action in made.actions if action.heading == "督促补检")
    assert action.lines == [
        ("限时", "到期当日24时，已逾期"),
        ("责任单位", "各部门、核酸检测组、各社区"),
        ("责任人", "街道领导、检测组长 0595-2200 0102"),
    ]
    assert made.imprint.lines == [
        ("编发单位", "北峰街道防控办"), ("签发人", "街道领导"), ("报送", "检测组长、街道领导"),
    ]  # fmt: skip
    nobody = document()
    assert [word for word, _ in nobody.actions[0].lines] == ["限时", "责任单位"]
    assert nobody.imprint.lines == [("编发单位", "北峰街道防控办")]
    assert "责任单位：各部门、核酸检测组、各社区。" in nobody.summary["actions"][0]


def test_no_action_is_made_without_saying_its_deadline():
    """The deadline of the rule, or NO_LIMIT, stands where the action is made: it cannot be forgotten."""
    with pytest.raises(TypeError, match="limit"):
        Action("补上首检", "3 名重点人员从未检测。", "第18、21条")
    with pytest.raises(TypeError):
        Action("补上首检", "3 名重点人员从未检测。", "第18、21条", True, "立即")
    action = Action("补上首检", "3 名重点人员从未检测。", "第18、21条", limit=NO_LIMIT)
    assert action.lines == [], "no line says a deadline that nobody gave"
    assert replace(action, limit="立即").lines == [("限时", "立即")]


def test_a_parameter_is_that_of_the_edition_or_of_the_one_before():
    assert editions.parameter("contact_isolation_hours", "beifeng-2") == "8"
    assert editions.parameter("contact_isolation_hours", "national-2022-12-07") == "8", "inherited"
    assert editions.parameter("positives_are_transferred", "beifeng-2") == "1"
    assert editions.parameter("positives_are_transferred", "national-2023-01-08") == "0"
    assert editions.parameter("positives_are_transferred", "a draft") == "0", "a draft follows the last edition"
    with pytest.raises(KeyError):
        editions.parameter("no such", "beifeng-2")
