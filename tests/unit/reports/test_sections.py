"""The tests below are of sections: they group, turn and compare frames of a few rows, without a database."""

import csv
from datetime import date, datetime

from pandas import DataFrame

from tests.unit.reports.hand_made import BEFORE, DAY, NOW, frame, issue, reading, section, zone
from yingjian.modelling import editions
from yingjian.reports.content import today
from yingjian.reports.content.document import Table
from yingjian.reports.content.lists import LISTS
from yingjian.reports.content.sections import clues, forecast, overdue, screening, zones
from yingjian.reports.content.sections.grids import TITLES
from yingjian.settings import PROJECT_ROOT


def records(found: DataFrame) -> list[tuple]:
    return list(found.itertuples(index=False, name=None))


def content(anchor: str, counts: dict[str, int] | None = None, **frames: DataFrame):
    return section(anchor).content(reading(anchor, issue(), counts={NOW: counts or {}}, **frames))


def only_table(chapter) -> Table:
    (table,) = chapter.each(Table)
    return table


COMPLIANCE = frame(
    "compliance",
    (NOW, "甲局", "甲社区", "站", "8", 10, 8, 2),
    (NOW, "乙局", "甲社区", "站", "9", 10, 9, 1),
    (NOW, "甲局", "", "站", "8", 5, 5, 0),
    (BEFORE, "甲局", "甲社区", "站", "8", 10, 9, 1),
    (BEFORE, "甲局", "丙社区", "站", "8", 10, 6, 4),
)


def test_memberships_by_a_column_with_the_change_since_the_day_before():
    found = overdue.parts(COMPLIANCE, "community", NOW, BEFORE)
    assert records(found[["name", "required", "overdue", "change"]]) == [
        ("甲社区", 20, 3, 2), ("（未填）", 5, 0, 0), ("丙社区", 0, 0, -4),
    ]  # fmt: skip


def test_without_a_day_before_the_change_is_unknown_and_who_left_is_not_there():
    found = overdue.parts(COMPLIANCE, "community", NOW, None)
    assert found["name"].tolist() == ["甲社区", "（未填）"] and found["change"].isna().all()


def test_overdue_items_by_bands_of_days():
    days = frame("days", *((number, "", "", 1) for number in (1, 2, 3, 4, 7, 8, 31)))
    assert overdue.bands(days) == [1, 2, 2, 2]


def test_movement_by_cause_has_its_sums_and_the_largest_rise_first():
    movement = frame(
        "movement",
        ("甲", "", "", "fell_due", 1),
        ("乙", "", "", "joined", 3),
        ("乙", "", "", "missed", 1),
        ("丙", "", "", "sampled", 2),
    )
    found = overdue.moved(movement, "community")
    assert records(found[["name", "new", "cleared", "net", "missed"]]) == [
        ("乙", 3, 1, 2, 1),
        ("甲", 1, 0, 1, 0),
        ("丙", 0, 2, -2, 0),
    ]
    assert overdue.moved(movement, "")[["name", "new", "cleared"]].values.tolist() == [["合计", 4, 3]]


def test_tests_due_by_community_on_the_seven_days_ahead():
    due = frame(
        "due",
        ("甲", date(2022, 7, 25), 2),
        ("甲", date(2022, 7, 31), 1),
        ("", date(2022, 7, 26), 9),
        ("甲", date(2022, 8, 1), 5),
    )
    assert records(forecast.ahead(due, DAY)) == [("（未填）", 0, 9, 0, 0, 0, 0, 0), ("甲", 2, 0, 0, 0, 0, 0, 1)]


def test_zones_are_shown_gravest_first_and_leave_when_they_are_low_for_long():
    rows = frame(
        "zones",
        zone(zone_id="1", level="低", is_lowered=True),
        zone(zone_id="2", level="低"),
        zone(zone_id="3", level="中"),
        zone(zone_id="4"),
    )
    assert records(zones.shown(rows)[["zone_id", "shown_level"]]) == [("4", "高"), ("3", "中"), ("1", "已解除")]


def test_why_a_zone_cannot_be_lowered_yet_is_one_sentence():
    rows = frame(
        "zones",
        zone(zone_id="1", earliest_on=date(2022, 7, 29), explanation="未满7天", overlapping="FX9", mismatch="早了"),
        zone(
            zone_id="2",
            eligible_level="中",
            eligible_on=date(2022, 7, 23),
            residents=40,
            round_sampled=30,
            round_outstanding=10,
        ),
        zone(zone_id="3", level="低", is_lowered=True, round_complete_on=DAY),
    )
    assert records(zones.shown(rows)[["condition", "round"]]) == [
        ("最早 7月29日；未满7天；与 FX9 范围重叠；通告与规则不一致：早了", "—"),
        ("✓ 7月23日起可降为中风险区", "已采 30 / 40 人，未采 10"),
        ("—", "7月24日完成一轮"),
    ]


def test_a_zone_is_compared_with_the_day_before():
    later = date(2022, 7, 25)
    rows = frame(
        "zones",
        zone(zone_id="1"), zone(BEFORE, zone_id="1"),
        zone(zone_id="2", last_positive_date=later), zone(BEFORE, zone_id="2"),
        zone(zone_id="3", level="中"), zone(BEFORE, zone_id="3"),
        zone(zone_id="4"), zone(zone_id="5", level="低"),
    )  # fmt: skip
    found = zones.changed(rows, NOW, BEFORE)
    assert records(found[["kind", "level"]]) == [("declared", "高"), ("positive", "高"), ("lowered", "中")]
    assert found["level_before"].tolist()[1:] == ["高", "高"] and found["level_before"].isna().tolist()[0]


def places(*rows: tuple) -> DataFrame:
    names = "round_id community started_at deadline in_scope sampled_in_time sampled_late outstanding infected has_unknown_place"
    return DataFrame(rows, columns=names.split(), dtype=object).infer_objects()


def test_rounds_of_a_week_and_older_ones_with_people_left_out():
    def at(day: int) -> tuple[datetime, datetime]:
        return datetime(2022, 7, day, 8), datetime(2022, 7, day + 1, 8)

    found = places(
        ("new", "甲", *at(23), 10, 8, 1, 1, 0, False), ("new", "乙", *at(23), 10, 10, 0, 0, 0, True),
        ("week", "甲", *at(17), 5, 5, 0, 0, 0, False),
        ("old", "甲", *at(10), 5, 5, 0, 0, 0, False), ("left", "甲", *at(9), 5, 4, 0, 1, 0, False),
    )  # fmt: skip
    made = screening.rounds(found, DAY)
    assert records(made[["round_id", "in_scope", "outstanding", "has_unknown_place"]]) == [
        ("new", 20, 1, True), ("week", 5, 0, False), ("left", 5, 1, False),
    ]  # fmt: skip


def test_a_list_s_share_is_of_the_week_and_its_counts_are_of_the_day():
    names = ["feed", "title", "push_date", "community", "pushed", "same_day", "open", "days"]
    clearance = DataFrame(
        [("a", "申报", DAY, "甲", 4, 3, 1, 1), ("a", "申报", date(2022, 7, 23), "乙", 6, 5, 0, 0)], columns=names
    )
    assert records(clues.lists(clearance, DAY)[["title", "today", "today_cleared", "pushed", "same_day", "open"]]) == [
        ("申报", 4, 3, 10, 8, 1)
    ]
    table = next(content("pushes", clearance=clearance).chapter.each(Table))
    assert table.written(table.rows[0]) == ["申报", "4", "3", "80.0%", "1"]


def test_contacts_are_counted_by_category_and_the_worst_community_is_named(monkeypatch):
    names = ["category", "community", "contacts", "in_time", "late", "running", "overdue", "deadline"]
    contacts = DataFrame(
        [
            ("密接", "甲", 3, 1, 0, 0, 2, datetime(2022, 7, 24, 17)),
            ("密接", "乙", 4, 1, 0, 0, 3, datetime(2022, 7, 24, 9)),
            ("次密接", "甲", 1, 1, 0, 0, 0, None),
        ],
        columns=names,
    )
    written = content("contacts", {"contacts_overdue": 5}, contacts=contacts)
    assert [row[:2] for row in only_table(written.chapter).rows] == [("次密接", 1), ("密接", 7)]
    assert written.content.actions[0].text == "5 名密接、次密接超过8小时仍未按规定隔离：乙 3、甲 2（人）。"
    assert written.content.actions[0].limit == "7月24日09:00，已超时"
    monkeypatch.setattr(editions, "parameter", lambda name, edition: "6" if name == "contact_isolation_hours" else "")
    written = content("contacts", {"contacts_overdue": 5}, contacts=contacts)
    assert "超过6小时" in written.content.actions[0].text, "the hours are the seed's, from which the mart counts"
    assert only_table(written.chapter).title == "6小时内隔离（人）"


def test_vaccination_by_age_and_by_community_lowest_share_first():
    names = ["community", "age_band", "residents", "covered", "full_course", "booster"]
    residents = DataFrame(
        [("甲", "60-79", 10, 9, 9, 8), ("甲", "80+", 10, 5, 5, 4), ("乙", "60-79", 10, 9, 8, 1)], columns=names
    )
    lacking = DataFrame([(2,)], columns=["excluded"])
    written = content("vaccination", {"vaccination_outstanding": 7}, residents=residents, lacking=lacking)
    assert written.content.sentences[0] == "60-79 周岁居民 20 人：覆盖 90.0%，全程 85.0%，加强 45.0%。"
    assert written.content.sentences[-1] == "应接种未接种 7 人，其中禁忌或拒种 2 人。"
    table = only_table(written.chapter)
    assert [table.written(row) for row in table.rows] == [
        ["乙", "10", "9", "8", "1", "10.0%"],
        ["甲", "20", "14", "14", "12", "60.0%"],
    ]


def test_units_that_fall_short_are_counted_once_and_named():
    names = [
        "phase",
        "unit",
        "group_code",
        "community",
        "roster",
        "required",
        "sampled",
        "shortfall",
        "coverage_lately",
    ]
    units = DataFrame(
        [("daily", "一小", "23", "甲", 50, 10, 7, 3, 0.66), ("daily", "一小", "23", "乙", 50, 10, 9, 1, 0.9),
         ("daily", "二小", "23", "甲", 50, 10, 10, 0, 1.0)],
        columns=names,
    )  # fmt: skip
    written = content("outbreak", {"sampling_proposed": 40}, units=units)
    assert written.content.sentences[0] == "每日抽检20%：2 个单位，应检 30 人，已检 26 人，不足的单位 1 个。"
    assert written.content.sentences[-1] == "次日建议抽检 40 人，久未采样的在前。"
    assert written.content.actions[0].text == "1 个单位当日不足：一小 缺 3、一小 缺 1。"


def test_a_section_without_rows_says_so():
    assert content("pools", tubes=DataFrame()).chapter.blocks[0].words == "近7日没有混管阳性。"


def test_places_are_ranked_with_their_change_and_their_days_at_the_end():
    """丙 is last on both days and the day between has no publication; 甲 falls from the first place."""
    shares = {1: {"甲": 10, "乙": 8, "丙": 5}, 3: {"甲": 8, "乙": 9, "丙": 7}, 4: {"甲": 9, "乙": 10, "丙": 6}}
    ranks = DataFrame(
        [(number, name, part, 10) for number, day in shares.items() for name, part in day.items()],
        columns=["publication_id", "name", "part", "whole"],
    )
    found = overdue.ranking(ranks, [1, None, 3, 4])
    assert found[["name", "rank", "moved", "end"]].to_numpy().tolist() == [
        ["丙", 3, "持平", "连续 3 日末位"],
        ["甲", 2, "持平", ""],
        ["乙", 1, "持平", ""],
    ]
    found = overdue.ranking(ranks[ranks["publication_id"] < 4], [1, 3])
    assert found[["name", "moved", "end"]].to_numpy().tolist() == [
        ["丙", "持平", "连续 2 日末位"], ["甲", "降 1", ""], ["乙", "升 1", ""],
    ]  # fmt: skip


def test_nobody_is_last_where_all_are_the_same_and_without_a_day_before_nothing_moved():
    ranks = DataFrame([(1, "甲", 9, 10), (1, "乙", 9, 10)], columns=["publication_id", "name", "part", "whole"])
    found = overdue.ranking(ranks, [None, 1])
    assert found[["rank", "moved", "end"]].to_numpy().tolist() == [[1, "—", ""], [1, "—", ""]]


def test_a_list_has_one_title() -> None:
    """The page calls it as the labels of the marts do, and as the spreadsheet; of the controls it is another list."""
    with (PROJECT_ROOT / "dbt_project" / "seeds" / "reference" / "code_title.csv").open(encoding="utf-8") as file:
        labels = {row["code"]: row["title"] for row in csv.DictReader(file) if row["table_name"] == "disposition_daily"}
    assert TITLES.items() >= labels.items() and len(labels) == 18
    others = {listed.mart for listed in LISTS if listed.mart in labels and listed.title != labels[listed.mart]}
    assert others == {"control"}
    assert {name: title for name, (title, _) in today.LISTS.items() if labels[name] != title} == {"due": "今日应检"}
