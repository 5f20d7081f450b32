"""Editions of the policy: the national changes of 2022 by their dates, and a made-up one that is seed rows only."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests import support
from tests.unit.test_policy_seeds import seed
from yingjian.settings import PROJECT_ROOT, Settings

pytestmark = pytest.mark.slow

READ = ("+due", "+risk_zone")  # The test reads these of the made-up edition, and all that they are made from.
OTHER = {"证件号码": "35050319810106930X"}  # This person is in none of the schedules below.
UPDATED = {"更新时间": "2022-07-01 08:00:00"}
SLOTS = "select slot, due_date::text from build.obligation where membership_id = %s order by slot"
ZONE = """
    select level, eligible_level, eligible_on::text, mismatch, blockers from build.risk_zone where zone_id = %s
"""


def contact(key: str, exposed: str, category: str = "密接") -> dict[str, str]:
    judged = {"末次接触日期": exposed, "判定时间": f"{exposed} 00:00:00"}
    return {"编号": key, "类别": category, **support.IDENTITY, **judged, **UPDATED}


def arrival(key: str, origin: str, arrived: str, **cells: str) -> dict[str, str]:
    return {"申报编号": key, **support.IDENTITY, "来源地": origin, "抵达日期": arrived, **UPDATED} | cells


def member(key: str, group: str, start: str, anchor: str = "") -> dict[str, str]:
    dates = {"起始日期": start, "锚定日期": anchor}
    return {"记录编号": key, **support.IDENTITY, "人群编号": group, **dates, **UPDATED}


def referral(key: str, exposed: str, tests: str, **cells: str) -> dict[str, str]:
    times = {"末次暴露日期": exposed, "下发时间": f"{exposed} 08:00:00"}
    return {"编号": key, **support.IDENTITY, "类别": "协查", "检测要求": tests, **times, **UPDATED} | cells


def zone(key: str, level: str, since: str) -> dict[str, str]:
    return {"通告编号": f"{key}-{since}", "风险区编号": key, "风险区名称": key, "等级": level, "社区": "北峰", "生效日期": since, **UPDATED}  # fmt: skip


def purchase(key: str, bought: str) -> dict[str, str]:
    return {"登记编号": key, **support.IDENTITY, "药品类别": "退热", "购药时间": bought, **UPDATED}


def land(settings: Settings, folder: Path, feeds: dict[str, list[dict[str, str]]]) -> None:
    for feed, rows in feeds.items():
        support.write_feed(folder, feed, rows)
    support.land_folder(settings, folder)
    assert support.query(settings, "select feed, reason_codes from quality.rejected_row") == []


def run(settings: Settings, day: date) -> str:
    """Build what these tests read of a day; the edition that holds on it, as a publication would name it."""
    support.build(settings, day, *READ, "+obligation", "+control")
    held = "select edition_code from intermediate.int_policy__editions where %s between effective_from and effective_to"
    return str(support.query(settings, held, day)[0][0])


def zone_row(settings: Settings, key: str) -> tuple:  # type: ignore[type-arg]
    """Level, level and day to which the rule allows it to be lowered, mismatch, blockers."""
    return support.query(settings, ZONE, key)[0]


def edition_on(day: str) -> str:
    """The edition that holds on a day by the seed; an office that adds one of its own changes no test."""
    begun = [row for row in seed("policy_edition") if (row["effective_from"] or "") <= day]
    return max(begun, key=lambda row: row["effective_from"])["edition_code"]


def days(settings: Settings, membership: str, anchor: str) -> list[int]:
    """The day numbers of a membership's tests, the anchor being day 1; each slot falls on its day."""
    slots = support.query(settings, SLOTS, membership)
    for slot, due in slots:
        assert date.fromisoformat(due) == date.fromisoformat(anchor) + timedelta(days=slot - 1)
    return [slot for slot, _ in slots]


@pytest.fixture(scope="module")
def town(home_factory: Callable[[str], Settings], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The roster has people on both sides of each change."""
    settings = home_factory("editions")
    land(
        settings,
        tmp_path_factory.mktemp("editions_landing"),
        {
            "contacts": [
                *(contact(f"c-{day}", day) for day in ("2022-11-10", "2022-11-11", "2022-12-06", "2022-12-07", "2023-01-07", "2023-01-08")),
                *(contact(f"s-{day}", day, "次密接") for day in ("2022-11-10", "2022-11-11")),
            ],
            "arrivals": [
                arrival(f"a-{day}", "境外", day, 入境日期=day) for day in ("2022-11-10", "2022-11-11", "2022-12-07", "2023-01-08")
            ],
            "key_population": [
                member("leaves-before", "A06", "2022-11-10", "2022-11-10"),
                member("leaves-after", "A06", "2022-11-11", "2022-11-11"),
                member("high-before", "32", "2022-11-10", "2022-11-10"),
                member("high-after", "32", "2022-11-11", "2022-11-11"),
                *(member(f"high-{day}", "32", day, day) for day in ("2022-12-06", "2022-12-07", "2023-01-07", "2023-01-08")),
                *(member(f"low-{day}", "34", day, day) for day in ("2022-12-06", "2022-12-07")),
                member("patient", "29", "2022-12-07", "2022-12-07"),
                member("medium-before", "33", "2022-11-10", "2022-11-10"),
                member("medium-after", "33", "2022-11-11", "2022-11-11"),
                *(member(f"late-{anchor}", "35", start, anchor)
                  for anchor, start in (("2022-11-09", "2022-11-12"), ("2022-11-12", "2022-11-15"), ("2022-12-08", "2022-12-09"))),
                member("courier", "8", "2022-07-01"),
                member("cold-chain", "3", "2022-07-01"),
                *(member(f"left-{end}", "1", "2022-12-28") | {"证件类型": "护照", "证件号码": number, "移出日期": end}
                  for end, number in (("2023-01-07", "E00000001"), ("2023-01-08", "E00000002"))),
                member("key-site", "9", "2022-12-28") | OTHER | {"工作单位": "某饭店"},
            ],
            "test_results": [
                support.sample(f"s-{day}", f"{day} 08:00:00", **OTHER, 检测结果="阳性", 检测时间=f"{day} 10:00:00")
                for day in ("2022-12-06", "2022-12-07")
            ],
            "cases": [
                {"病例编号": f"case-{day}", **support.IDENTITY, **OTHER, "类型": "确诊", "来源": "本土", "采样日期": day,
                 "报告时间": f"{day} 12:00:00", "出院日期": day, **UPDATED}
                for day in ("2022-12-07", "2023-01-08")
            ],
            "requests": [
                {"编号": f"q-{day}", "类别": "就医", "受理时间": f"{day} 08:00:00", **UPDATED} for day in ("2023-01-07", "2023-01-08")
            ],
            "disinfections": [
                {"编号": "d", "风险区编号": "high", "场所": "电梯", "类型": "预防性", "开始时间": "2022-11-10 08:00:00", **UPDATED},
                {"编号": "m", "风险区编号": "medium", "场所": "电梯", "类型": "预防性", "开始时间": "2022-11-10 08:00:00", **UPDATED},
            ],
            "referrals": [referral("r", "2022-11-12", "第1、4、7天"), referral("home", "2022-12-08", "", 管控方式="居家隔离")],
            "pharmacy_purchases": [purchase("before", "2022-12-06 23:59:59"), purchase("after", "2022-12-07 00:00:00")],
            "risk_zones": [
                zone("high", "高", "2022-11-04"),
                zone("medium", "中", "2022-11-09"),
                zone("round", "高", "2022-11-16"),
                zone("day_four", "高", "2022-12-03"), zone("day_five", "高", "2022-12-02"),
                zone("early", "高", "2022-11-04"), zone("early", "中", "2022-11-10"),
                zone("in_time", "高", "2022-11-06"), zone("in_time", "低", "2022-11-11"),
            ],
        },
    )  # fmt: skip
    return settings


def test_schedules_follow_the_edition_of_the_anchor(town: Settings) -> None:
    support.build(town, date(2023, 1, 20), "+obligation", "+control")
    seven_three, five_three = [1, 2, 3, 5, 7, 10], [1, 2, 3, 5, 6, 8]
    for feed in ("contacts:c", "arrivals:a"):
        assert days(town, f"{feed}-2022-11-10", "2022-11-10") == seven_three
        assert days(town, f"{feed}-2022-11-11", "2022-11-11") == five_three
    assert days(town, "contacts:c-2022-12-06", "2022-12-06") == five_three
    assert days(town, "contacts:c-2022-12-07", "2022-12-07") == [5]
    assert days(town, "arrivals:a-2022-12-07", "2022-12-07") == five_three
    assert days(town, "contacts:s-2022-11-10", "2022-11-10") == [1, 4, 7]
    assert days(town, "contacts:s-2022-11-11", "2022-11-11") == []
    assert days(town, "leaves-before", "2022-11-10") == [1, 4, 7]
    assert days(town, "leaves-after", "2022-11-11") == [1, 3, 5]
    assert days(town, "high-before", "2022-11-10") == [1, 2, 3, 5, 7]
    assert days(town, "high-after", "2022-11-11") == [1, 3, 5, 7]
    assert days(town, "medium-before", "2022-11-10") == [1, 4, 7]
    assert days(town, "medium-after", "2022-11-11") == []
    assert days(town, "high-2022-12-06", "2022-12-06") == [1, 3, 5, 7]
    assert days(town, "high-2022-12-07", "2022-12-07") == [1, 3, 5, 7], (
        "the new ten end 落地检, and no isolation of these"
    )
    assert days(town, "high-2023-01-07", "2023-01-07") == [1, 3, 5, 7]
    assert days(town, "high-2023-01-08", "2023-01-08") == []
    assert days(town, "contacts:c-2023-01-07", "2023-01-07") == [5]
    assert days(town, "contacts:c-2023-01-08", "2023-01-08") == []
    assert days(town, "arrivals:a-2023-01-08", "2023-01-08") == []
    assert support.query(town, SLOTS, "low-2022-12-06") == [(1, "2022-12-06"), (2, "2022-12-08")]
    assert support.query(town, SLOTS, "low-2022-12-07") == []
    assert days(town, "patient", "2022-12-07") == [1]


def test_the_first_test_on_entering_is_there_in_every_edition(town: Settings) -> None:
    support.build(town, date(2022, 12, 20), "+obligation", "+control")
    assert support.query(town, SLOTS, "late-2022-11-09") == [
        (0, "2022-11-12"), (5, "2022-11-13"), (7, "2022-11-15"), (10, "2022-11-18"),
    ]  # fmt: skip
    assert support.query(town, SLOTS, "late-2022-11-12") == [
        (0, "2022-11-15"), (5, "2022-11-16"), (6, "2022-11-17"), (8, "2022-11-19"),
    ]  # fmt: skip
    assert support.query(town, SLOTS, "late-2022-12-08") == [(0, "2022-12-09"), (5, "2022-12-12")]


def test_a_referral_keeps_what_it_asks_for_in_every_edition(town: Settings) -> None:
    support.build(town, date(2022, 12, 20), "+obligation", "+control", "+unscheduled")
    assert days(town, "referrals:r", "2022-11-12") == [1, 4, 7]
    assert support.query(town, "select membership_id from build.unscheduled") == [("referrals:home",)]
    control = "select control, ends_on::text from build.control where group_code = 'A07'"
    assert support.query(town, control) == [("referral", "2022-12-14")]
    text = "select edition_code, control_method, isolation_days, monitoring_days from intermediate.int_policy__controls where control_code = 'referral'"  # fmt: skip
    editions = [row["edition_code"] for row in seed("policy_edition")]
    assert set(support.query(town, text)) == {
        row for edition in editions
        for row in ((edition, "集中隔离", 7, 0), (edition, "居家隔离", 7, 0), (edition, "健康监测", 0, 3))
    }  # fmt: skip


def test_controls_are_there_in_every_edition(town: Settings) -> None:
    text = "select edition_code, isolation_days, isolation_place, monitoring_days, is_followed from intermediate.int_policy__controls where control_code = %s order by 1"  # fmt: skip
    editions = [row["edition_code"] for row in seed("policy_edition")]

    def rows(code: str) -> list[tuple[object, ...]]:
        """Return the control in the plan and in the four national editions, oldest first."""
        records = support.query(town, text, code)
        assert sorted(row[0] for row in records) == sorted(editions)
        return [row[1:] for row in records if row[0] == "beifeng-2" or row[0].startswith("national-")]

    last = (5, "集中", 3)
    assert rows("close_contact") == [
        (7, "集中", 3, True), (*last, True), (*last, True), (5, "居家", 0, True), (5, "居家", 0, False),
    ]  # fmt: skip
    assert rows("inbound") == [(7, "集中", 3, True), (*last, True), (*last, True), (*last, True), (*last, False)]
    assert rows("secondary_contact") == [(7, "居家", 0, True), *([(7, "居家", 0, False)] * 4)]
    assert rows("high_risk_area") == [(7, "集中", 0, True), *([(7, "居家", 0, True)] * 3), (7, "居家", 0, False)]
    assert rows("high_risk_post")[1] == (0, None, 5, True)


def test_zones_follow_the_edition_of_the_day(town: Settings) -> None:
    assert run(town, date(2022, 11, 10)) == edition_on("2022-11-10")
    assert zone_row(town, "high")[:4] == ("高", None, None, None)
    assert zone_row(town, "medium")[:4] == ("中", None, None, None)
    assert zone_row(town, "early")[3] == "11月10日由高风险降为中风险时仅6天无新增，第二十八条要求连续7天"
    assert run(town, date(2022, 11, 11)) == edition_on("2022-11-11")
    # Clear for seven days, of which the new rule asks five; it lowers nothing before its own first day.
    assert zone_row(town, "high") == ("高", "低", "2022-11-11", None, [])
    medium = zone_row(town, "medium")
    assert medium[:4] == ("中", "低", "2022-11-11", "本版方案不再设中风险区（二十条第四条）")
    # Lowered on the day of the change, after the five days that were asked for on that day.
    assert zone_row(town, "in_time")[:4] == ("低", None, None, None)


def test_a_round_on_day_five_from_21_november(town: Settings) -> None:
    """Five clear days are enough up to 20 November; from the 21st everyone must be negative in a round, too."""
    assert run(town, date(2022, 11, 20)) == edition_on("2022-11-20")
    assert zone_row(town, "round")[:2] == ("高", None)
    assert zone_row(town, "high")[:3] == ("高", "低", "2022-11-11")
    assert run(town, date(2022, 11, 21)) == edition_on("2022-11-21")
    asked = "select needs_full_round, required_clear_days from intermediate.int_zone__clocks where zone_id = %s"
    assert support.query(town, asked, "round") == [(True, 5)]
    # Nobody lives in the zone, so its round is complete on day 5.
    assert zone_row(town, "round")[:3] == ("高", "低", "2022-11-21")


def test_rolling_duties_follow_the_edition_of_the_day(town: Settings) -> None:
    listed = "select membership_id from build.obligation where rule_family = 'rolling' order by 1"
    bought = "select membership_id from build.obligation where group_code = 'P19'"
    assert run(town, date(2022, 12, 6)) == edition_on("2022-12-06")
    assert support.query(town, listed) == [("cold-chain",), ("courier",)]
    assert run(town, date(2022, 12, 7)) == edition_on("2022-12-07")
    assert support.query(town, listed) == [("cold-chain",)]
    assert support.query(town, bought) == [("pharmacy_purchases:before",)]


def test_zones_follow_the_last_edition(town: Settings) -> None:
    assert run(town, date(2022, 12, 7)) == edition_on("2022-12-07")
    # The round that was asked for since 21 November is asked for no more; no rule lowers before its own first day.
    assert zone_row(town, "high")[:3] == ("高", "低", "2022-12-07")
    assert zone_row(town, "day_four")[1:] == (None, None, None, ["days"])
    assert zone_row(town, "day_five")[1:] == ("低", "2022-12-07", None, [])
    assert run(town, date(2023, 1, 8)) == edition_on("2023-01-08")
    assert zone_row(town, "high")[:4] == (
        "高",
        "低",
        "2023-01-08",
        "本版方案不再设高风险区（乙类乙管总体方案第一部分）",
    )
    listed = "select membership_id from build.obligation where rule_family = 'rolling'"
    assert support.query(town, listed) == [], "愿检尽检"


@pytest.mark.beyond
def test_a_publication_names_the_edition_of_its_day(town: Settings) -> None:
    """The whole day of the last edition is built, audited and published."""
    support.run_day(town, date(2023, 1, 8))
    named = support.query(town, "select policy_edition from reporting.publication")
    assert named == [(edition_on("2023-01-08"),)]


def test_no_duty_outlives_the_text_that_asks_for_it(town: Settings) -> None:
    """Zones, controls, contacts, positives and disinfection as of 2023-01-10, two days after isolation and zones ended."""
    day = date(2023, 1, 10)
    marts = ("disinfection_daily", "key_site_disinfection", "terminal_disinfection", "positive_followup", "missing_departure",
             "contact_clock", "control", "health_monitoring", "due", "risk_zone", "request_followup")  # fmt: skip
    support.build(town, day, *(f"+{mart}" for mart in marts))

    def last(zone_id: str) -> str:
        text = "select max(disinfection_date)::text from build.disinfection_daily where zone_id = %s"
        return str(support.query(town, text, zone_id)[0][0])

    assert last("high") == "2023-01-07" and last("medium") == "2022-11-10"
    key_site = "select min(disinfection_date)::text, max(disinfection_date)::text from build.key_site_disinfection"
    assert support.query(town, key_site) == [("2022-12-28", "2023-01-07")]
    assert support.query(town, "select case_key from build.terminal_disinfection") == [("case-2022-12-07",)]
    # The positive of 6 December is followed; from the new ten on not everyone is transferred.
    assert support.query(town, "select sampled_at::text from build.positive_followup") == [("2022-12-06 08:00:00",)]
    assert support.query(town, "select membership_id from build.missing_departure") == [("left-2023-01-07",)]
    requests = "select request_id, due_at::text, status from build.request_followup order by 1"
    assert support.query(town, requests) == [
        ("q-2023-01-07", "2023-01-07 12:00:00", "overdue"), ("q-2023-01-08", None, "waiting"),
    ]  # fmt: skip
    contacts = "select max(judged_at)::date::text from build.contact_clock"
    assert support.query(town, contacts) == [("2023-01-07",)]
    begun = "select membership_id from build.control where anchor_date >= '2023-01-08'"
    assert support.query(town, begun) == []
    monitored = "select distinct group_code from build.health_monitoring where monitored_on >= '2023-01-08'"
    assert {group for (group,) in support.query(town, monitored)} <= {"32", "35"}, "whoever began before serves it out"
    due = "select distinct group_code from build.due order by 1"
    assert support.query(town, due) == [("32",), ("35",)], "and is tested until then"
    assert {row[0] for row in support.query(town, "select unnest(blockers) from build.risk_zone")} == set()


def add_rows(project: Path, seed: str, *rows: dict[str, str]) -> None:
    """Rows at the end of a seed; what a row leaves out is as in the plan's row of the same group, level or name."""
    path = project / "seeds" / "policy" / f"{seed}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        header, there = list(reader.fieldnames or []), list(reader)
    with path.open("a", encoding="utf-8", newline="") as file:
        for row in rows:
            keys = {key: row[key] for key in ("group_code", "from_level", "was_high", "name") if key in row}
            like = next((old for old in there if keys and keys.items() <= old.items()), {})
            csv.DictWriter(file, header, lineterminator="\n").writerow(like | row)


@pytest.fixture(scope="module")
def made_up(home_factory: Callable[[str], Settings], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home whose project has one edition more, in force from 15 July 2022 for ten days; only seeds differ."""
    root = tmp_path_factory.mktemp("made_up")
    project = root / "dbt_project"
    shutil.copytree(PROJECT_ROOT / "dbt_project", project, ignore=shutil.ignore_patterns("target", "logs"))
    code = {"edition_code": "made-up"}
    add_rows(project, "policy_edition", code | {"title": "试行", "effective_from": "2022-07-15", "effective_to": "2022-07-24"})  # fmt: skip
    add_rows(project, "policy_edition", {"edition_code": "back", "title": "恢复", "effective_from": "2022-07-25"})
    add_rows(project, "policy_rule_day", *(code | {"group_code": "35", "day_number": day} for day in ("2", "4")))
    add_rows(
        project, "policy_rule", code | {"group_code": "35", "frequency_wording": "第2、4天", "basis": "试行第一条"}
    )
    add_rows(project, "policy_rule", code | {"group_code": "8", "period_days": "3", "tests_required": "1", "basis": "试行第二条"})  # fmt: skip
    add_rows(project, "policy_rule", code | {"group_code": "36", "rule_family": "none", "basis": "试行第三条"})
    add_rows(project, "policy_rule_department", code | {"group_code": "8", "ordinal": "1", "department": "试行办"})
    add_rows(project, "policy_parameter", code | {"name": "purchase_test_days", "value": "5"})
    add_rows(project, "policy_parameter", code | {"name": "due_horizon_days", "value": "2"})
    add_rows(project, "policy_zone_rule", code | {"from_level": "高", "was_high": "false", "clear_days": "2", "needs_full_round": "false", "to_level": "低", "basis": "试行第四条"})  # fmt: skip
    add_rows(project, "policy_zone_level", *(code | {"level": level, "rank": "1"} for level in "高低"))
    settings = home_factory("made_up")
    land(
        settings,
        tmp_path_factory.mktemp("made_up_landing"),
        {
            "contacts": [contact("old", "2022-07-14"), contact("new", "2022-07-15"),
                         contact("old-second", "2022-07-14", "次密接"), contact("new-second", "2022-07-15", "次密接")],
            "key_population": [member("courier", "8", "2022-07-13")],
            "pharmacy_purchases": [purchase("old", "2022-07-14 23:59:59"), purchase("new", "2022-07-15 00:00:00")],
            "risk_zones": [zone("z", "高", "2022-07-10")],
        },
    )  # fmt: skip
    return replace(settings, root=root)


def test_an_edition_of_seed_rows_only(made_up: Settings) -> None:
    support.build(made_up, date(2022, 7, 16), *READ)
    assert days(made_up, "contacts:old", "2022-07-14") == [1, 2, 3, 5, 7, 10]
    assert days(made_up, "contacts:new", "2022-07-15") == [2, 4]
    assert days(made_up, "contacts:old-second", "2022-07-14") == [1, 4, 7]
    assert days(made_up, "contacts:new-second", "2022-07-15") == []
    texts = "select distinct basis, rule_text from build.obligation where membership_id = %s"
    assert support.query(made_up, texts, "contacts:new") == [("试行第一条", "第2、4天")]
    due = "select due_date::text, department from build.obligation where membership_id = %s"
    assert support.query(made_up, due, "courier") == [("2022-07-15", "试行办")]
    assert support.query(made_up, due, "pharmacy_purchases:old")[0][0] == "2022-07-15"
    assert support.query(made_up, due, "pharmacy_purchases:new")[0][0] == "2022-07-19"
    assert support.query(made_up, "select max(days_until_due) from build.due") == [(2,)]
    assert zone_row(made_up, "z")[:3] == ("高", "低", "2022-07-15")


@pytest.mark.beyond
def test_the_day_before_and_after_the_made_up_edition(made_up: Settings) -> None:
    due = "select due_date::text, basis from build.obligation where membership_id = 'courier'"
    support.build(made_up, date(2022, 7, 14), *READ)
    assert support.query(made_up, due) == [("2022-07-19", "附件第8项")]
    assert zone_row(made_up, "z")[:3] == ("高", None, None)
    support.build(made_up, date(2022, 7, 25), *READ)
    edition = "select edition_code from intermediate.int_policy__editions where date '2022-07-25' between effective_from and effective_to"  # fmt: skip
    assert support.query(made_up, edition) == [("back",)]
    # The edition after it mentions nothing, so what the made-up one changed goes on.
    assert support.query(made_up, due) == [("2022-07-15", "试行第二条")]
