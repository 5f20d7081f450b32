"""The policy seeds are compared with the document's annex, row by row, and with its articles."""

from __future__ import annotations

import csv
import inspect
import re
import shutil
import sys
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests import support
from tests.skips import needs_shared
from yingjian.landing.check import ANCHORED_GROUPS
from yingjian.landing.errors import REASONS
from yingjian.landing.feeds import FEEDS, LIFTED_GROUPS, RISK_AREAS
from yingjian.landing.store import staging_ddl
from yingjian.settings import PROJECT_ROOT

PLAN = "beifeng-2"
SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
DOCUMENT = support.SHARED / "document" / "beifeng-plan-second-edition.txt"
needs_document = needs_shared(DOCUMENT)


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
    messages = []
    for number, group, frequency, departments in annex():
        rule = by_group.get(number, {})
        words = (rule.get("group_wording"), rule.get("frequency_wording"), rule.get("department_wording"))
        numbers = (rule.get("tests_required"), rule.get("period_days"))
        if words != (group, frequency, departments) or rule.get("basis") != f"附件第{number}项":
            messages.append(f"row {number}: words")
        if match := re.fullmatch(r"(\d)(天|周)(\d)检(?:（.*）)?", frequency):
            period = int(match[1]) * (7 if match[2] == "周" else 1)
            if numbers != (match[3], str(period)):
                messages.append(f"row {number}: numbers")
        elif match := re.search(r"第([\d、]+)天", frequency):
            if days.get(number) != [int(day) for day in match[1].split("、")]:
                messages.append(f"row {number}: days")
        elif frequency == "入院检1次" and days.get(number) != [1]:
            messages.append(f"row {number}: days")
    return messages


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
    units, provision, section = {}, "", ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("四、保障措施"):
            section = "四"
        if head := re.match(r"(\d+)\." if not section else "(（[一二三四五]）)", line):
            provision = section + head[1]
        if named := re.search("（责任单位：(.+)）$", line):
            units[provision] = re.split("[、，]", named[1].replace("““", "“"))
    return units


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
    assert {rule["group_code"] for rule in seed("policy_rule")} == set(LIFTED_GROUPS)


def chinese_number(text: str) -> int:
    digits = "零一二三四五六七八九"
    tens, _, ones = text.partition("十") if "十" in text else ("零", "", text)
    return (digits.index(tens) if tens else 1) * 10 + (digits.index(ones) if ones else 0)


def test_landing_knows_which_groups_need_an_anchor() -> None:
    anchored = {rule["group_code"] for rule in seed("policy_rule") if rule["needs_anchor"] == "true"}
    assert anchored - {"A07", "P19", "P24"} == ANCHORED_GROUPS


def test_a_number_that_the_plan_does_not_give_is_a_parameter() -> None:
    kinds = {row["name"]: row["basis_kind"] for row in plan("policy_parameter")}
    assert kinds["purchase_test_days"] == kinds["resample_hours"] == kinds["full_round_days"] == "parameter"
    assert kinds["reserve_list_min"] == "parameter"
    assert kinds["departure_list_days"] == kinds["disposition_days_before_due"] == "parameter"
    assert kinds["signal_window_days"] == kinds["repeat_purchases"] == kinds["cluster_persons"] == "parameter"
    assert kinds["vaccination_age"] == kinds["disinfections_per_day"] == kinds["office_team_size"] == "article"
    assert kinds["contact_isolation_hours"] == kinds["screening_hours"] == kinds["daily_sample_share"] == "article"


def test_reference_seeds_are_what_landing_knows() -> None:
    assert {row["feed"]: row["title"] for row in seed("feed")} == {f.name: f.title for f in FEEDS.values()} | {
        RISK_AREAS: "全国风险区名单"
    }
    assert {row["reason_code"]: row["reason"] for row in seed("rejection_reason")} == REASONS


def test_the_balance_of_files_counts_every_feed() -> None:
    """Samples have a check of their own, which counts the changed files only."""
    counted = set(re.findall(r"'(\w+)' as feed, count\(\*\) as kept from staging\.\1\b", staging_ddl()))
    assert counted == {*FEEDS, RISK_AREAS} - {"test_results"}
    assert "staging.row_counts" in (PROJECT_ROOT / "expectations" / "landed_file.yml").read_text(encoding="utf-8")


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


# The national editions that ship cite these texts; an edition of one's own has a basis of its own.
TEXTS = {
    "national-2022-11-11": r"二十条第[一二三四五六七八九十]+条",
    "national-2022-11-21": r"二十条第[一二三四五六七八九十]+条|风险区划定及管控方案",
    "national-2022-12-07": r"(二十条|新十条)第[一二三四五六七八九十]+条",
    "national-2023-01-08": r"乙类乙管总体方案第一部分",
}


def without_basis() -> list[str]:
    """The rows of later editions that do not say where the change stands, or not in the words of the text that they cite."""
    return [
        f"{path.stem}: {row}"
        for path in sorted((SEEDS / "policy").glob("*.csv"))
        for row in seed(path.stem)
        if row["edition_code"] != PLAN
        and "basis" in row
        and not re.fullmatch(TEXTS.get(row["edition_code"], r".*\S.*"), row["basis"])
    ]


def test_a_later_edition_says_where_each_change_stands() -> None:
    assert without_basis() == []
    assert {row["edition_code"] for row in seed("policy_zone_rule")} >= {PLAN, *TEXTS}


@pytest.fixture
def own_edition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The seeds with an edition of the office's own: row 8 from 1周2检 to 3天1检, with a basis of its own."""
    copy = Path(shutil.copytree(SEEDS, tmp_path / "seeds"))
    courier = next(row for row in plan("policy_rule") if row["group_code"] == "8")
    own = {"edition_code": "own", "tests_required": "1", "period_days": "3", "frequency_wording": "3天1检"}
    last = max(seed("policy_edition"), key=lambda row: row["effective_from"])
    begins = date.fromisoformat(last["effective_from"]) + timedelta(days=30)
    rewritten = (copy / "policy" / "policy_edition.csv").read_text(encoding="utf-8").rstrip("\n")
    assert rewritten.endswith(",")
    (copy / "policy" / "policy_edition.csv").write_text(
        f"{rewritten}{begins - timedelta(days=1)}\nown,试行,泉丰北办〔2023〕1号,,,{begins},\n", encoding="utf-8"
    )
    with (copy / "policy" / "policy_rule.csv").open("a", encoding="utf-8", newline="") as file:
        row = courier | own | {"basis": "泉丰北办〔2023〕1号第二条"}
        csv.DictWriter(file, list(courier), lineterminator="\n").writerow(row)
    changed = {
        "policy_zone_rule": {"clear_days": "6"}, "policy_control": {"isolation_days": "4"}, "policy_parameter": {"value": "3"},
        "policy_request": {"allowed_hours": "2"}, "policy_drill": {"every_days": "60"},
    }  # fmt: skip
    for name, cells in changed.items():
        first = plan(name)[0]
        with (copy / "policy" / f"{name}.csv").open("a", encoding="utf-8", newline="") as file:
            row = first | cells | {"edition_code": "own", "basis": "泉丰北办〔2023〕1号第三条"}
            csv.DictWriter(file, list(first), lineterminator="\n").writerow(row)
    monkeypatch.setattr(sys.modules[__name__], "SEEDS", copy)
    return copy


def test_an_edition_with_a_basis_of_its_own_passes(own_edition: Path) -> None:
    """Every test of this module that asks for nothing else, and those of each seed."""
    assert any(row["edition_code"] == "own" for row in seed("policy_rule"))
    assert without_basis() == []
    tests = [
        function for name, function in vars(sys.modules[__name__]).items()
        if name.startswith("test_") and not inspect.signature(function).parameters
        and (DOCUMENT.is_file() or needs_document.mark not in getattr(function, "pytestmark", []))
    ]  # fmt: skip
    assert len(tests) > 5
    for test in tests:
        test()
    for path in (own_edition / "policy").glob("*.csv"):
        test_every_policy_row_belongs_to_an_edition(path.stem)


def test_an_edition_without_a_basis_does_not(own_edition: Path) -> None:
    path = own_edition / "policy" / "policy_rule.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("泉丰北办〔2023〕1号第二条", " "), encoding="utf-8")
    assert [row.partition(":")[0] for row in without_basis()] == ["policy_rule"]


def test_a_duty_ends_only_where_a_text_ends_it() -> None:
    """The groups that each later edition ends (`none`). 新十条 ends 落地检, which row 34 is and row 32 is not."""
    ended: dict[str, set[str]] = {}
    for row in seed("policy_rule"):
        if row["edition_code"] in TEXTS and row["rule_family"] == "none":
            ended.setdefault(row["edition_code"], set()).add(row["group_code"])
    assert ended["national-2022-11-11"] == {"33", "36"}
    assert ended["national-2022-12-07"] == {"34", "P19", *map(str, (8, 9, 10, 12, 13, *range(16, 23)))}
    all_ended = set().union(*ended.values())
    # The text of 8 January keeps tests in hospitals and welfare institutions, and says nothing of a positive tube.
    assert {row["group_code"] for row in plan("policy_rule")} - all_ended == {"24", "29", "30", "P24"}
    assert not [row for row in seed("policy_rule") if "不再登记" in row["frequency_wording"]]


def test_only_the_policy_models_read_the_policy_seeds() -> None:
    """Everything else would miss what an edition inherits."""
    readers = [
        path.name
        for path in (PROJECT_ROOT / "dbt_project").rglob("*.sql")
        if "target" not in path.parts and re.search(r"ref\('policy_", path.read_text(encoding="utf-8"))
    ]
    assert readers == ["int_policy__editions.sql"]
