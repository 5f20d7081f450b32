"""These tests read the sentences of the day's work."""

from datetime import date

from tests.unit.reports.hand_made import feed, figures, headline, part, publication, zone
from yingjian.reports.actions import actions
from yingjian.reports.figures import Check, OpenItems, Totals, in_bands


def sentences(made) -> dict[str, str]:
    return {action.heading: action.text for action in actions(made)}


def test_overdue_names_the_communities_and_departments_with_most():
    text = sentences(figures())["督促补检"]
    assert text.startswith("5 人共 6 项逾期未检。社区最多：甲社区 3、乙社区 2 人次。")


def test_the_share_of_the_leading_communities_is_given_when_there_are_more():
    parts = [part("甲", 3), part("乙", 1), part("丙", 1), part("丁", 0)]
    assert "（合占 100.0%）" in sentences(figures(communities=parts))["督促补检"]


def test_a_department_is_not_named_to_itself():
    made = figures(departments=[part("卫健局", 5)])
    assert "部门最多" not in sentences(made)["督促补检"]
    assert "社区最多" in sentences(made)["督促补检"]


def test_no_overdue_reads_well():
    clear = headline(totals=Totals(100, 100, 0, 0), overdue_persons=0, overdue_items=0)
    made = figures(now=clear, communities=[], departments=[], longest=None, bands=in_bands([]))
    assert sentences(made)["逾期清零"] == "没有逾期未检人员。"
    assert "督促补检" not in sentences(made)


def test_long_overdue_only_from_the_last_band_on():
    assert sentences(figures())["久拖未检"] == (
        "逾期 8 天以上 3 项，逐人核实去向；最长 9 天（快递、外卖，甲社区等 3 项）。"
    )
    assert "久拖未检" not in sentences(figures(longest=None))


def test_every_action_names_who_answers_for_its_articles():
    made = actions(figures(zones=[zone(eligible_level="中")]))
    assert {action.heading: action.units for action in made} == {
        "督促补检": ("各部门", "核酸检测组", "各社区"),
        "久拖未检": ("各部门", "各社区"),
        "研判降级": ("转运组",),
        "安排采样": ("各部门", "核酸检测组"),
    }


def test_what_is_urgent_comes_first():
    made = actions(figures(zones=[zone(mismatch="降级过早")], feeds=[feed(status="missing")]))
    assert [action.urgent for action in made] == sorted((action.urgent for action in made), reverse=True)
    assert {action.urgent for action in made} == {True, False}


def test_departments_that_are_competent_together_are_one_name():
    made = figures(departments=[part("商务局、市场监管局", 3), part("教育局", 1)])
    assert "部门最多：商务局／市场监管局 3、教育局 1 人次" in sentences(made)["督促补检"]


def test_zones_to_lower_and_notices_that_disagree():
    made = figures(
        zones=[
            zone(eligible_level="中", eligible_on=date(2022, 7, 23)),
            zone(zone_id="FX2", name="群石新村", level="中", mismatch="降级过早"),
        ]
    )
    assert "招丰花园（高→中，7月23日起）" in sentences(made)["研判降级"]
    assert "群石新村" in sentences(made)["核对通告"]


def test_feeds_that_are_missing_and_items_to_confirm():
    made = figures(feeds=[feed(status="missing"), feed(feed="x", title="密接")], open_items=OpenItems(40, 1234))
    assert sentences(made)["补报数据"] == "1 类数据缺报、滞后或被退回：病例。"
    assert sentences(made)["核实来源"].startswith("1,234 项待核实")


def test_a_release_by_hand_comes_first():
    made = figures(
        publication=publication(quality_status="released_by_hand", checks_failed=2),
        checks=[Check("a", "t", "fail", 3, None), Check("b", "t", "warn", 1, None)],
    )
    first = actions(made)[0]
    assert first.urgent
    assert first.text.startswith("有 1 项必须通过的质量检查未通过")
