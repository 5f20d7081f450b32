"""Editions of the policy: the national changes of 2022 by their dates, and a made-up one that is seed rows only."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from itertools import count
from pathlib import Path

import pytest

from tests import support
from yingjian.settings import PROJECT_ROOT, Settings

RUNS = count()
READ = ("+due", "+risk_zone")  # The test reads these of the made-up edition, and all that they are made from.
UPDATED = {"更新时间": "2022-07-01 08:00:00"}
SLOTS = "select slot, due_date::text from build.obligation where membership_id = %s order by slot"
ZONE = """
    select level, eligible_level, eligible_on::text, mismatch, blockers from {schema}.risk_zone where zone_id = %s
"""


def contact(key: str, exposed: str, category: str = "密接") -> dict[str, str]:
    judged = {"末次接触日期": exposed, "判定时间": f"{exposed} 00:00:00"}
    return {"编号": key, "类别": category, **support.IDENTITY, **judged, **UPDATED}


def arrival(key: str, origin: str, arrived: str, **cells: str) -> dict[str, str]:
    return {"申报编号": key, **support.IDENTITY, "来源地": origin, "抵达日期": arrived, **UPDATED} | cells


def member(key: str, group: str, start: str, anchor: str = "") -> dict[str, str]:
    dates = {"起始日期": start, "锚定日期": anchor}
    return {"记录编号": key, **support.IDENTITY, "人群编号": group, **dates, **UPDATED}


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
    """Build, audit and publish a day unless it is the one that is published; the edition that the publication names.

    Readers stay on the newest date: tests of the town ask for days in order.
    """
    if support.query(settings, "select as_of_date from reporting.publication") != [(day,)]:
        support.run_day(settings, day, f"editions {next(RUNS)}")
    return str(support.query(settings, "select policy_edition from reporting.publication")[0][0])


def zone_row(settings: Settings, key: str, schema: str = "reporting") -> tuple:  # type: ignore[type-arg]
    """Level, level and day to which the rule allows it to be lowered, mismatch, blockers."""
    return support.query(settings, ZONE.format(schema=schema), key)[0]


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
                *(contact(f"c-{day}", day) for day in ("2022-11-10", "2022-11-11", "2022-12-06", "2022-12-07")),
                *(contact(f"s-{day}", day, "次密接") for day in ("2022-11-10", "2022-11-11")),
            ],
            "arrivals": [
                arrival(f"a-{day}", "境外", day, 入境日期=day) for day in ("2022-11-10", "2022-11-11", "2022-12-07")
            ],
            "key_population": [
                member("leaves-before", "A06", "2022-11-10", "2022-11-10"),
                member("leaves-after", "A06", "2022-11-11", "2022-11-11"),
                member("high-before", "32", "2022-11-10", "2022-11-10"),
                member("high-after", "32", "2022-11-11", "2022-11-11"),
                *(member(f"high-{day}", "32", day, day) for day in ("2022-12-06", "2022-12-07")),
                *(member(f"low-{day}", "34", day, day) for day in ("2022-12-06", "2022-12-07")),
                member("patient", "29", "2022-12-07", "2022-12-07"),
                member("medium-before", "33", "2022-11-10", "2022-11-10"),
                member("medium-after", "33", "2022-11-11", "2022-11-11"),
                member("courier", "8", "2022-07-01"),
                member("cold-chain", "3", "2022-07-01"),
            ],
            "pharmacy_purchases": [purchase("before", "2022-12-06 23:59:59"), purchase("after", "2022-12-07 00:00:00")],
            "risk_zones": [
                zone("high", "高", "2022-11-04"),
                zone("medium", "中", "2022-11-09"),
                zone("day_four", "高", "2022-12-03"), zone("day_five", "高", "2022-12-02"),
                zone("early", "高", "2022-11-04"), zone("early", "中", "2022-11-10"),
                zone("in_time", "高", "2022-11-06"), zone("in_time", "低", "2022-11-11"),
            ],
        },
    )  # fmt: skip
    return settings


def test_schedules_follow_the_edition_of_the_anchor(town: Settings) -> None:
    support.build(town, date(2022, 12, 20), "+obligation", "+control")
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
    assert days(town, "high-2022-12-07", "2022-12-07") == []
    assert support.query(town, SLOTS, "low-2022-12-06") == [(1, "2022-12-06"), (2, "2022-12-08")]
    assert support.query(town, SLOTS, "low-2022-12-07") == []
    assert days(town, "patient", "2022-12-07") == [1]


def test_controls_are_there_in_every_edition(town: Settings) -> None:
    text = "select edition_code, isolation_days, isolation_place, monitoring_days, is_followed from intermediate.int_policy__controls where control_code = %s order by 1"  # fmt: skip
    editions = ("beifeng-2", "national-2022-11-11", "national-2022-12-07")

    def rows(code: str) -> list[tuple[object, ...]]:
        found = support.query(town, text, code)
        assert tuple(row[0] for row in found) == editions
        return [row[1:] for row in found]

    assert rows("close_contact") == [(7, "集中", 3, True), (5, "集中", 3, True), (5, "居家", 0, True)]
    assert rows("inbound") == [(7, "集中", 3, True), (5, "集中", 3, True), (5, "集中", 3, True)]
    assert rows("secondary_contact") == [(7, "居家", 0, True), (7, "居家", 0, False), (7, "居家", 0, False)]
    assert rows("high_risk_area") == [(7, "集中", 0, True), (7, "居家", 0, True), (7, "居家", 0, False)]
    assert rows("high_risk_post")[1] == (0, None, 5, True)


def test_zones_follow_the_edition_of_the_day(town: Settings) -> None:
    assert run(town, date(2022, 11, 10)) == "beifeng-2"
    assert zone_row(town, "high")[:4] == ("高", None, None, None)
    assert zone_row(town, "medium")[:4] == ("中", None, None, None)
    assert zone_row(town, "early")[3] == "11月10日由高风险降为中风险时仅6天无新增，第二十八条要求连续7天"
    assert run(town, date(2022, 11, 11)) == "national-2022-11-11"
    # Clear for seven days, of which the new rule asks five; it lowers nothing before its own first day.
    assert zone_row(town, "high") == ("高", "低", "2022-11-11", None, [])
    medium = zone_row(town, "medium")
    assert medium[:4] == ("中", "低", "2022-11-11", "本版方案不再设中风险区（二十条第四条）")
    # Lowered on the day of the change, after the five days that were asked for on that day.
    assert zone_row(town, "in_time")[:4] == ("低", None, None, None)


def test_rolling_duties_follow_the_edition_of_the_day(town: Settings) -> None:
    listed = "select membership_id from reporting.obligation where rule_family = 'rolling' order by 1"
    bought = "select membership_id from reporting.obligation where group_code = 'P19'"
    assert run(town, date(2022, 12, 6)) == "national-2022-11-11"
    assert support.query(town, listed) == [("cold-chain",), ("courier",)]
    assert run(town, date(2022, 12, 7)) == "national-2022-12-07"
    assert support.query(town, listed) == [("cold-chain",)]
    assert support.query(town, bought) == [("pharmacy_purchases:before",)]


def test_zones_follow_the_last_edition(town: Settings) -> None:
    assert run(town, date(2022, 12, 7)) == "national-2022-12-07"
    assert zone_row(town, "high")[:3] == ("高", "低", "2022-11-11")
    assert zone_row(town, "day_four")[1:] == (None, None, None, ["无新增阳性4天，未满5天，最早12月8日可降"])
    assert zone_row(town, "day_five")[1:] == ("低", "2022-12-07", None, [])


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
    assert zone_row(made_up, "z", "build")[:3] == ("高", "低", "2022-07-15")


def test_the_day_before_and_after_the_made_up_edition(made_up: Settings) -> None:
    due = "select due_date::text, basis from build.obligation where membership_id = 'courier'"
    support.build(made_up, date(2022, 7, 14), *READ)
    assert support.query(made_up, due) == [("2022-07-19", "附件第8项")]
    assert zone_row(made_up, "z", "build")[:3] == ("高", None, None)
    support.build(made_up, date(2022, 7, 25), *READ)
    edition = "select edition_code from intermediate.int_policy__editions where date '2022-07-25' between effective_from and effective_to"  # fmt: skip
    assert support.query(made_up, edition) == [("back",)]
    # The edition after it mentions nothing, so what the made-up one changed goes on.
    assert support.query(made_up, due) == [("2022-07-15", "试行第二条")]
