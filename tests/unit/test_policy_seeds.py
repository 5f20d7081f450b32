"""The policy seeds are compared with the document's annex, row by row, and with its articles."""

from __future__ import annotations

import csv
import re
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests import support
from yingjian.landing.check import ANCHORED_GROUPS, GROUPS
from yingjian.landing.errors import REASONS
from yingjian.landing.feeds import FEEDS, RISK_AREAS
from yingjian.settings import PROJECT_ROOT

PLAN = "beifeng-2"
SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
DOCUMENT = support.SHARED / "document" / "beifeng-plan-second-edition.txt"
needs_document = pytest.mark.skipif(
    not DOCUMENT.is_file(), reason=f"the plan is not at {DOCUMENT}; set YINGJIAN_SHARED"
)


def seed(name: str) -> list[dict[str, str]]:
    path: Path = next(SEEDS.rglob(f"{name}.csv"))
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def plan(name: str) -> list[dict[str, str]]:
    """The function gives the rows of the plan's own edition."""
    return [row for row in seed(name) if row["edition_code"] == PLAN]


def annex() -> list[list[str]]:
    """The function gives number, group, frequency and departments of each annex row; rows 23 to 28 share the frequency of row 23."""
    text = DOCUMENT.read_text(encoding="utf-8").split("丰泽区常态化重点人群核酸检测范围和频次", 1)[1]
    cells: list[str] = []
    for line in text.splitlines():
        if line.startswith("\t"):
            cells.append(line.strip())
        elif line.strip() and cells and "核酸检测范围" not in line:
            cells[-1] += line.strip()
    heads = {"序号", "重点人群", "检测频次", "主管部门"}
    cells = [cell for cell in cells if cell not in heads]
    rows = [cells[i : i + 4] for i in range(0, len(cells), 4)]
    for row in rows:
        row[2] = row[2] or rows[22][2]
    return rows


def differences(rules: list[dict[str, str]]) -> list[str]:
    """Annex rows whose words or numbers the seeds do not have."""
    by_group = {rule["group_code"]: rule for rule in rules}
    days: dict[str, list[int]] = {}
    for row in plan("policy_rule_day"):
        days.setdefault(row["group_code"], []).append(int(row["day_number"]))
    found = []
    for number, group, frequency, departments in annex():
        rule = by_group.get(number, {})
        words = (rule.get("group_wording"), rule.get("frequency_wording"), rule.get("department_wording"))
        numbers = (rule.get("tests_required"), rule.get("period_days"))
        if words != (group, frequency, departments) or rule.get("basis") != f"附件第{number}项":
            found.append(f"row {number}: words")
        if match := re.fullmatch(r"(\d)(天|周)(\d)检(?:（.*）)?", frequency):
            period = int(match[1]) * (7 if match[2] == "周" else 1)
            if numbers != (match[3], str(period)):
                found.append(f"row {number}: numbers")
        elif match := re.search(r"第([\d、]+)天", frequency):
            if days.get(number) != [int(day) for day in match[1].split("、")]:
                found.append(f"row {number}: days")
        elif frequency == "入院检1次" and days.get(number) != [1]:
            found.append(f"row {number}: days")
    return found


@needs_document
def test_every_annex_row_is_a_seed_in_the_words_of_the_document() -> None:
    assert [row[0] for row in annex()] == [str(i) for i in range(1, 39)]
    assert differences(plan("policy_rule")) == []


@needs_document
@pytest.mark.parametrize(
    ("column", "value", "finding"),
    [("group_wording", "别人", "words"), ("period_days", "6", "numbers"), ("department_wording", "别处", "words")],
)
def test_an_altered_seed_is_found(column: str, value: str, finding: str) -> None:
    rules = plan("policy_rule")
    rules[7] = rules[7] | {column: value}
    assert differences(rules) == [f"row 8: {finding}"]


@needs_document
def test_departments_stand_in_the_wording() -> None:
    wording = {rule["group_code"]: rule["department_wording"] for rule in plan("policy_rule")}
    for row in plan("policy_rule_department"):
        stem = row["department"].removesuffix("管理部门").removesuffix("部门")
        assert stem in wording[row["group_code"]], row
    several = [group for group in wording if sum(r["group_code"] == group for r in plan("policy_rule_department")) > 1]
    assert {"1", "2", "8", "9", "26"} <= set(several)


def responsible_units() -> dict[str, list[str]]:
    """Responsible units (责任单位) in the document's order, by article or provision of its section on safeguards.

    Between them stands 、 or ，; one opening quotation mark too many (article 30) is the document's slip.
    """
    text = DOCUMENT.read_text(encoding="utf-8").split("三、工作措施及要求", 1)[1]
    found, provision, section = {}, "", ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("四、保障措施"):
            section = "四"
        if head := re.match(r"(\d+)\." if not section else "(（[一二三四五]）)", line):
            provision = section + head[1]
        if named := re.search("（责任单位：(.+)）$", line):
            found[provision] = re.split("[、，]", named[1].replace("““", "“"))
    return found


def differing_units(rows: list[dict[str, str]]) -> list[str]:
    """Provisions of which the seed names other units, or the same in another order."""
    seeded: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: int(row["ordinal"])):
        seeded.setdefault(row["provision"], []).append(row["unit"])
    expected = responsible_units()
    return [key for key in sorted(seeded.keys() | expected.keys()) if seeded.get(key) != expected.get(key)]


@needs_document
def test_every_provision_has_the_responsible_units_of_the_document() -> None:
    rows = plan("policy_responsibility")
    assert set(responsible_units()) == {str(n) for n in range(1, 39)} | {f"四（{n}）" for n in "一二三四五"}
    assert differing_units(rows) == []
    assert {row["basis"] for row in rows} == {f"第{n}条" for n in range(1, 39)} | {
        f"保障措施（{n}）" for n in "一二三四五"
    }


@needs_document
@pytest.mark.parametrize("change", [{"unit": "别处"}, {"ordinal": "9"}, {"provision": "39"}])
def test_an_altered_responsible_unit_is_found(change: dict[str, str]) -> None:
    rows = plan("policy_responsibility")
    place = next(i for i, row in enumerate(rows) if (row["provision"], row["ordinal"]) == ("26", "1"))
    rows[place] |= change
    assert "26" in differing_units(rows)


def test_the_articles_own_rules_are_there() -> None:
    articles = {int(rule["article"]) for rule in plan("policy_rule") if rule["article"]}
    articles |= {int(n) for row in [*plan("policy_zone_rule"), *plan("policy_parameter"), *plan("policy_control")]
                 for n in map(chinese_number, re.findall("第([一二三四五六七八九十]+)条", row["basis"]))}  # fmt: skip
    assert {6, 18, 19, 24, 28, 30, 34} <= articles
    assert {rule["group_code"] for rule in seed("policy_rule")} == GROUPS | {"P19", "P24"}


def chinese_number(text: str) -> int:
    digits = "零一二三四五六七八九"
    tens, _, ones = text.partition("十") if "十" in text else ("零", "", text)
    return (digits.index(tens) if tens else 1) * 10 + (digits.index(ones) if ones else 0)


def test_landing_knows_which_groups_need_an_anchor() -> None:
    anchored = {rule["group_code"] for rule in seed("policy_rule") if rule["needs_anchor"] == "true"}
    assert anchored - {"P19", "P24"} == ANCHORED_GROUPS


def test_a_number_that_the_plan_does_not_give_is_a_parameter() -> None:
    kinds = {row["name"]: row["basis_kind"] for row in plan("policy_parameter")}
    assert kinds["purchase_test_days"] == kinds["resample_hours"] == kinds["full_round_days"] == "parameter"
    assert kinds["reserve_list_min"] == "parameter"
    assert kinds["signal_window_days"] == kinds["repeat_purchases"] == kinds["cluster_persons"] == "parameter"
    assert kinds["vaccination_age"] == kinds["disinfections_per_day"] == kinds["office_team_size"] == "article"
    assert kinds["contact_isolation_hours"] == kinds["screening_hours"] == kinds["daily_sample_share"] == "article"


def test_reference_seeds_are_what_landing_knows() -> None:
    assert {row["feed"]: row["title"] for row in seed("feed")} == {f.name: f.title for f in FEEDS.values()} | {
        RISK_AREAS: "全国风险区名单"
    }
    assert {row["reason_code"]: row["reason"] for row in seed("rejection_reason")} == REASONS


def unguarded_feeds(expectations: str) -> set[str]:
    """The feeds whose staged rows the check of the balance does not count; samples have a check of their own."""
    [check] = re.findall(r"staged_rows_are_all_in_staging\n(.+?)\n  - name:", expectations, re.DOTALL)
    counted = set(re.findall(r"'(\w+)'(?: as feed)?, count\(\*\) (?:as kept )?from staging\.\1\b", check))
    return {*FEEDS, RISK_AREAS} - counted - {"test_results"}


def test_the_balance_of_files_counts_every_feed() -> None:
    text = (PROJECT_ROOT / "expectations" / "landed_file.yml").read_text(encoding="utf-8")
    assert unguarded_feeds(text) == set()
    assert unguarded_feeds(text.replace("staging.teams", "staging.cases")) == {"teams"}


def test_the_drug_catalogue_holds_names_as_they_are_compared() -> None:
    """Article 19: a name with a blank or a full-width letter would never be found."""
    names = [row["name"] for row in seed("drug_catalogue")]
    assert [name for name in names if re.search(r"\s|[\uff01-\uff5e]", name)] == []
    assert len(names) == len(set(names)) > 60
    by_ingredient: dict[str, set[str]] = {}
    for row in seed("drug_catalogue"):
        by_ingredient.setdefault(row["ingredient"], set()).add(row["category"])
    assert [ingredient for ingredient, categories in by_ingredient.items() if len(categories) > 1] == []
    assert {row["category"] for row in seed("drug_form")} <= {"", *set().union(*by_ingredient.values())}


def test_editions_follow_each_other_without_gap() -> None:
    editions = sorted(seed("policy_edition"), key=lambda row: row["effective_from"])
    for earlier, later in pairwise(editions):
        assert date.fromisoformat(earlier["effective_to"]) + timedelta(days=1) == date.fromisoformat(
            later["effective_from"]
        )
    assert not editions[0]["effective_from"] and not editions[-1]["effective_to"]


@pytest.mark.parametrize("name", sorted(path.stem for path in (SEEDS / "policy").glob("*.csv")))
def test_every_policy_row_belongs_to_an_edition(name: str) -> None:
    editions = {row["edition_code"] for row in seed("policy_edition")}
    assert {row["edition_code"] for row in seed(name)} <= editions


@pytest.mark.parametrize(
    ("edition", "group", "days"),
    [
        ("national-2022-11-11", "31", [1, 2, 3, 5, 6, 8]),
        ("national-2022-11-11", "32", [1, 3, 5, 7]),
        ("national-2022-11-11", "35", [1, 2, 3, 5, 6, 8]),
        ("national-2022-11-11", "A06", [1, 3, 5]),
        ("national-2022-12-07", "35", [5]),
    ],
)
def test_schedules_of_the_national_editions(edition: str, group: str, days: list[int]) -> None:
    rows = [row for row in seed("policy_rule_day") if (row["edition_code"], row["group_code"]) == (edition, group)]
    assert [int(row["day_number"]) for row in rows] == days


def test_a_later_edition_says_where_each_change_stands() -> None:
    for name in ("policy_rule", "policy_zone_rule", "policy_zone_level"):
        rows = [row for row in seed(name) if row["edition_code"] != PLAN]
        assert rows
        assert all(re.fullmatch("(二十条|新十条)第[一二三四五六七八九十]+条", row["basis"]) for row in rows), name


def test_only_the_policy_models_read_the_policy_seeds() -> None:
    """Everything else would miss what an edition inherits."""
    readers = [
        path.name
        for path in (PROJECT_ROOT / "dbt_project").rglob("*.sql")
        if "target" not in path.parts and re.search(r"ref\('policy_", path.read_text(encoding="utf-8"))
    ]
    assert readers == ["int_policy__editions.sql"]
