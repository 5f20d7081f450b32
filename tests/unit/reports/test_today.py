"""These tests cover the natural order of places, the order of danger of today's list, and its hand-out by grid."""

from yingjian.modelling.marts import published
from yingjian.reports.content import today
from yingjian.reports.content.contents import DANGER
from yingjian.reports.content.today import LISTS, Listed, by_grid, natural


def someone(community: str, grid: str, key: str = "p") -> Listed:
    return Listed(key, "王测试", None, None, None, community, grid, [])


def test_a_number_in_a_name_sorts_as_a_number():
    assert sorted(["第10社区", "第2社区", "招丰社区", "第2社区北", "12", "3"], key=natural) == [
        "3", "12", "招丰社区", "第2社区", "第2社区北", "第10社区",
    ]  # fmt: skip


def test_the_hand_out_keeps_the_order_of_danger_within_a_grid():
    listed = [
        someone("第10社区", "网格1"),
        someone("第2社区", "网格10", "a"),
        someone("第2社区", "网格9"),
        someone("第2社区", "网格10", "b"),
    ]
    places = [(place, [person.person_key for person in persons]) for place, persons in by_grid(listed)]
    assert places == [
        (("第2社区", "网格9"), ["p"]), (("第2社区", "网格10"), ["a", "b"]), (("第10社区", "网格1"), ["p"]),
    ]  # fmt: skip


def test_the_lists_stand_in_the_order_in_which_the_report_tells_its_actions():
    order = [today._danger(mart) for mart in LISTS]
    assert all(published()[mart].report in DANGER for mart in LISTS)
    assert order[0] == min(order) and next(iter(LISTS)) == "positive_followup"
    assert today._danger("contact_clock") < today._danger("overdue") < today._danger("due")
