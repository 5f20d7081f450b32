"""docs/policy.md, docs/feeds.md and docs/marts.md against the feeds, the seeds and the marts that the code has."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from tests import support
from tests.skips import needs_shared
from yingjian.landing.errors import REASONS
from yingjian.landing.feeds import FEEDS, RISK_AREAS
from yingjian.modelling.marts import marts
from yingjian.settings import PROJECT_ROOT

DOCS = PROJECT_ROOT / "docs"
SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
EDITION = "beifeng-2"
BEGINS = "<!-- The specification begins here. -->\n"
# The specification names places that the repository does not have: each document says its own place instead.
ADAPTED = {
    "feeds": ("(see `../risk_areas/README.md`)", "(read by `plugins/yingjian/landing/risk_areas.py`)"),
    "policy": (
        "(`../document/beifeng-plan-second-edition.txt`)",
        "(the second edition; the repository does not hold its text)",
    ),
}


def document(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def seed(name: str) -> list[dict[str, str]]:
    path: Path = next(SEEDS.rglob(f"{name}.csv"))
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row.get("edition_code", EDITION) == EDITION]


def parts(text: str) -> list[str]:
    """The function gives the parts of a list, split at the commas outside brackets."""
    pieces, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += character
    return [part.strip() for part in pieces]


def rows(text: str) -> list[list[str]]:
    """The cells of each table row whose first cell names tables or feeds."""
    return [line.strip("| ").split(" | ") for line in text.splitlines() if re.match(r"\| `\w+`", line)]


def documented_feeds(text: str) -> dict[str, tuple[list[str], list[tuple[str, list[str]]]]]:
    """Each feed has the key's columns, and each column with its codes."""
    feeds = {}
    for name, _, key, columns in rows(text):
        if name == f"`{RISK_AREAS}`":
            continue
        named = parts(columns.partition(" (转运时间, ")[0].replace("身份", "姓名, 证件类型, 证件号码, 手机号"))
        listed = []
        for column in named:
            head, _, inside = column.partition(" (")
            codes = inside.rstrip(")").split("/") if "/" in inside else []
            listed.append((head, [code for code in codes if code != "empty"]))
        feeds[name.strip("`")] = (key.split(" + "), listed)
    return feeds


def feed_differences(text: str) -> tuple[set[str], dict[str, list[str]], list[str]]:
    """The feeds and the columns that the code lacks, and every other difference in words."""
    missing, missing_columns, wrong = set(), {}, []
    documented = documented_feeds(text)
    for name, (key, columns) in documented.items():
        feed = FEEDS.get(name)
        if feed is None:
            missing.add(name)
            continue
        there = {column.source: column for column in feed.columns}
        if lacking := [head for head, _ in columns if head not in there]:
            missing_columns[name] = lacking
        if [head for head, _ in columns if head in there] != list(there):
            wrong.append(f"{name}: other columns, or another order")
        if [feed.column(column).source for column in feed.key] != key:
            wrong.append(f"{name}: another key")
        for head, codes in columns:
            if codes and head in there and list(there[head].codes) != codes:
                wrong.append(f"{name}: other codes of {head}")
    wrong += [f"{name}: the document does not name it" for name in FEEDS.keys() - documented.keys()]
    return missing, missing_columns, wrong


def test_the_feeds_have_the_columns_keys_and_codes_of_the_document() -> None:
    assert feed_differences(document("feeds")) == (set(), {}, [])


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("试管编号, 检测机构", "检测机构, 试管编号", "test_results: other columns, or another order"),
        ("单采/混采", "单采/双采", "test_results: other codes of 采样方式"),
        ("样本编号 + 证件号码", "样本编号", "test_results: another key"),
    ],
)
def test_an_altered_feed_is_found(old: str, new: str, finding: str) -> None:
    text = document("feeds")
    assert old in text
    assert finding in feed_differences(text.replace(old, new))[2]


def test_landing_rejects_with_the_codes_of_the_document() -> None:
    paragraphs = [line for line in document("feeds").splitlines() if re.match("(Rejected, with|Also rejected)", line)]
    assert len(paragraphs) == 2
    named = {code for line in paragraphs for code in re.findall(r"\(`(\w+)`", line)}
    assert named - REASONS.keys() == set()
    assert REASONS.keys() <= named


# Words in a cell of the document that are no column's name.
PROSE = {
    "as", "with", "and their shares", "no further samples assumed", "what the feed says",
    "measured against the plan: rooms free", "days of stock against the floor", "hours open",
    "hours from check-in to report and whether the guest is on a list", "approvals missing before the event",
    "days since the last drill", "keys as the marts use them", "titles in Chinese", "sort order", "keys", "by result",
}  # fmt: skip


PUBLICATIONS = ("publication", "publication_history")


def documented_marts(text: str) -> dict[str, list[str]]:
    """Each mart has the columns that must be there."""
    named: dict[str, list[str]] = {}
    for first, *_, columns in rows(text):
        listed = []
        for part in parts(columns):
            if base := re.match(r"as `(\w+)`", part):
                listed += named[base[1]]
            elif (name := part.removeprefix("with ").partition(" (")[0].strip("`")) not in PROSE:
                listed.append(name)
        several = re.findall(r"`(\w+)`", first)
        for name in several:
            named[name] = listed if len(several) == 1 else []
    return named


def mart_differences(text: str) -> tuple[set[str], dict[str, list[str]]]:
    """The marts that the code lacks, and by mart the columns that it lacks."""
    missing, missing_columns = set(), {}
    for name, columns in documented_marts(text).items():
        if name in PUBLICATIONS:  # These are made by migrations: a test below compares them.
            continue
        if name not in marts():
            missing.add(name)
        elif lacking := [column for column in columns if column not in marts()[name].reader_columns]:
            missing_columns[name] = lacking
    return missing, missing_columns


def test_the_marts_have_the_columns_of_the_document() -> None:
    assert mart_differences(document("marts")) == (set(), {})


def test_an_altered_mart_is_found() -> None:
    text = (
        document("marts").replace("judged_at, isolated_at", "judged_at, isolated_on").replace("`readiness`", "`teams`")
    )
    missing, columns = mart_differences(text)
    assert "teams" in missing and columns["contact_clock"] == ["isolated_on"]


def test_the_publication_has_the_columns_of_the_document() -> None:
    migrations = PROJECT_ROOT / "plugins" / "yingjian" / "database" / "migrations"
    written = "".join(path.read_text(encoding="utf-8") for path in sorted(migrations.glob("*.sql")))
    table = re.search(r"create table if not exists published\.publication \((.+?)\n\);", written, re.S)
    assert table
    there = re.findall(r"^    (\w+) ", table[1], re.M)
    assert len(there) > 9
    assert set(documented_marts(document("marts"))["publication"]) <= set(there)


def test_the_marts_with_a_history_are_those_of_the_document() -> None:
    """The document says of `compliance_daily` that it has every published D; others are marked *history*."""
    marked = set(re.findall(r"^\| `(\w+)` \*history\*", document("marts"), re.M))
    assert {mart.name for mart in marts().values() if mart.is_history} == (
        marked - {"publication_history"} | {"compliance_daily"}
    )


def groups(text: str) -> set[str]:
    """The function gives the groups of a phrase such as `rows 31–33, 35–37` or `31 and 35`."""
    codes = set(re.findall(r"\b[AP]\d\d\b", text))
    for first, last in re.findall(r"(?<![\w])(\d+)(?:–(\d+))?", text):
        codes |= {str(number) for number in range(int(first), int(last or first) + 1)}
    return codes


def test_each_group_has_the_rule_family_of_the_document() -> None:
    heads = re.findall(r"^### (\d)\. (.+)$", document("policy"), re.M)
    families = dict(
        zip(
            "1234567",
            ["rolling", "anchored", "window", "admission", "outbreak", "as_required", "follow_up"],
            strict=True,
        )
    )
    expected: dict[str, str] = {}
    for number, head in heads[:6]:
        inside = re.search(r"\((?:annex )?rows? ([^)]+)\)$", head)
        assert inside, head
        listed = (
            inside[1]
            .partition("; row 38")[0]
            .replace("by article 28", "")
            .replace("article 6", "A06")
            .replace("articles 10, 11", "")
        )
        expected |= dict.fromkeys(groups(listed), families[number])
    expected |= dict.fromkeys(re.findall(r"^- `(P\d\d)`", document("policy"), re.M), families["7"])
    # "Its tests are what the row's 检测要求 says": the rule is as required, the referral's own words give the family.
    assert "→ group `A07`" in document("policy") and "Other wordings are those of `自定频次`" in document("policy")
    expected["A07"] = families["6"]
    assert len(expected) == 43
    assert {row["group_code"]: row["rule_family"] for row in seed("policy_rule")} == expected
    assert {code for code in re.findall(r"`?\b(A\d\d)\b`?", document("policy"))} - expected.keys() == set()


def test_the_annex_frequencies_are_those_of_the_document() -> None:
    numbers = {row["group_code"]: (row["tests_required"], row["period_days"]) for row in seed("policy_rule")}
    wording = {row["group_code"]: row["frequency_wording"] for row in seed("policy_rule")}
    frequencies = re.findall(r"`(\d[天周]\d检)` (?:is )?k=(\d), n=(\d)", document("policy"))
    assert len(frequencies) == 3
    for words, k, n in frequencies:
        rolling = [group for group, text in wording.items() if text == words]
        assert rolling and all(numbers[group] == (k, n) for group in rolling)
    window = re.search(r"Tests within a window \(row (\d+)\)\nk = (\d) tests in n = (\d) days", document("policy"))
    assert window and numbers[window[1]] == (window[2], window[3])


def documented_days(text: str) -> dict[str, list[int]]:
    line = re.search(r"^- Days: (.+)\.$", text, re.M)
    assert line
    days_by_group = {}
    for names, days in re.findall(r"([^{};]+) \{([\d,]+)\}", line[1]):
        days_by_group |= {group: [int(day) for day in days.split(",")] for group in groups(names)}
    return days_by_group


def seeded_days() -> dict[str, list[int]]:
    days: dict[str, list[int]] = {}
    for row in seed("policy_rule_day"):
        days.setdefault(row["group_code"], []).append(int(row["day_number"]))
    return days


def test_the_day_numbers_are_those_of_the_document() -> None:
    admission = {"29": [1], "30": [1]}
    assert "an anchored schedule with the single day {1}" in document("policy")
    assert documented_days(document("policy")) | admission == seeded_days()
    offsets = {row["group_code"]: row["first_day_offset"] for row in seed("policy_rule")}
    assert "day n falls on anchor + n; anchor = date of discharge" in document("policy")
    assert {group for group, offset in offsets.items() if offset == "1"} == {"37"}


def test_an_altered_day_number_is_found() -> None:
    altered = documented_days(document("policy").replace("32 {1,2,3,5,7}", "32 {1,2,3,5,8}"))
    assert altered["32"] != seeded_days()["32"]


PARAMETERS = r"\(?parameter[:,]? `(\w+)`(?:,? =? ?(\d+))?|`(\w+)` \(parameter, (\d+)\)|`(\w+)` = (\d+), counting|\(parameter `(\w+)` = (\d+)"


def documented_parameters(text: str) -> dict[str, str]:
    """Each name has the value that the document gives the parameter."""
    values: dict[str, str] = {}
    for match in re.finditer(PARAMETERS, text):
        groups_ = [group for group in match.groups() if group]
        if len(groups_) == 2:
            values[groups_[0]] = groups_[1]
    return values


def test_the_parameters_have_the_values_of_the_document() -> None:
    values = {row["name"]: row["value"] for row in seed("policy_parameter")}
    documented = documented_parameters(document("policy"))
    assert {"full_round_days", "purchase_test_days", "resample_hours"} <= documented.keys()
    assert documented.keys() - values.keys() == set()
    assert {name: value for name, value in documented.items() if name in values and values[name] != value} == {}


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (r"within (\d+) hours of `判定时间`", "contact_isolation_hours"),
        (r"sampled within (\d+) hours of its start \(article 34\)", "screening_hours"),
        (r"at least (\d+) a day; where a case lived", "disinfections_per_day"),
        (r"taken at least (\d+) hours, by 采样时间", "window_sample_spacing_hours"),
        (r"抵达日期 − 离开日期 ≤ (\d+)", "arrival_lookback_days"),
        (r"Persons of (\d+) and over", "vaccination_age"),
    ],
)
def test_a_threshold_is_that_of_the_document(pattern: str, name: str) -> None:
    match = re.search(pattern, document("policy"))
    assert match, pattern
    assert {row["value"] for row in seed("policy_parameter") if row["name"] == name} == {match[1]}


def test_the_share_of_a_daily_sample_is_that_of_the_document() -> None:
    match = re.search(r"ceil\((\d+) %", document("policy"))
    [share] = [row["value"] for row in seed("policy_parameter") if row["name"] == "daily_sample_share"]
    assert match and float(share) * 100 == float(match[1])


def documented_controls(text: str) -> dict[str, tuple[int, int]]:
    """Each group has the days of isolation and of monitoring that the table gives."""
    table = text.partition("| who | control | tests | basis |")[2].partition("\n\n")[0]
    by_group = {}
    for line in table.splitlines():
        cells = line.strip("| ").split(" | ")
        if len(cells) == 4 and (group := re.search(r"row (\d+)|(A06)", cells[2])):
            words = cells[1].partition(";")[0]
            isolation = re.search(r"(\d+) days(?: central| home)? isolation", words)
            monitoring = re.search(r"(\d+) days home monitoring|monitoring, (\d+) days", words)
            by_group[group[1] or group[2]] = (
                int(isolation[1]) if isolation else 0,
                int(monitoring[1] or monitoring[2]) if monitoring else 0,
            )
    return by_group


def test_the_controls_have_the_days_of_the_document() -> None:
    seeded = {
        row["group_code"]: (int(row["isolation_days"]), int(row["monitoring_days"]))
        for row in seed("policy_control")
        if not row["control_method"]
    }
    assert documented_controls(document("policy")) == seeded
    assert documented_controls(document("policy").replace("| 7 days isolation |", "| 8 days isolation |")) != seeded


def test_the_zone_rules_have_the_days_of_the_document() -> None:
    text = document("policy")
    high = re.search(r"High: on or after day (\d+)", text)
    lowered = re.search(r"eligible for 低 at `clock_start \+ (\d+)`", text)
    levels = re.search(r"Levels are ([高中低, and]+)", text)
    assert high and lowered and levels
    rules = {
        (r["from_level"], r["was_high"]): (r["clear_days"], r["needs_full_round"], r["to_level"])
        for r in seed("policy_zone_rule")
    }
    assert rules == {
        ("高", "false"): (high[1], "true", "中"),
        ("中", "true"): (lowered[1], "false", "低"),
        ("中", "false"): (high[1], "true", "低"),
    }
    ranked = sorted(seed("policy_zone_level"), key=lambda row: int(row["rank"]))
    assert [row["level"] for row in ranked] == re.findall("[高中低]", levels[1])


def test_a_rule_has_the_columns_that_the_document_names() -> None:
    text = document("policy")
    named = set(re.findall(r"seed column `(\w+)`", text)) | set(re.findall(r"whose rule says `(\w+)`", text))
    assert named == {"first_test", "is_high_risk_post"}
    assert named - seed("policy_rule")[0].keys() == set()


def marked(column: str) -> set[str]:
    return {row["group_code"] for row in seed("policy_rule") if row[column] == "true"}


def test_the_first_test_is_for_the_groups_of_the_document() -> None:
    text = document("policy")
    sentence = re.search(
        r"whose rule says `first_test` \((.+) with day numbers; a column of the rule, basis `parameter`\)", text
    )
    assert sentence
    assert marked("first_test") == groups(sentence[1])
    assert "an A07 with day numbers has the first test" in text and "also after the last day number" in text
    assert marked("late_first_test") == {"A07"}
    bases = {row["group_code"] for row in seed("policy_rule") if row["first_test_basis_kind"] == "parameter"}
    assert bases == marked("first_test")


def test_the_posts_of_high_risk_are_the_rows_of_the_document() -> None:
    sentence = re.search(r"seed column `is_high_risk_post`: rows ([^)]+)\)", document("policy"))
    assert sentence
    assert marked("is_high_risk_post") == groups(sentence[1])


def test_the_control_of_a_referral_has_the_days_of_the_document() -> None:
    sentence = re.search(
        r"its 管控方式 \((\S+) or (\S+) (\d) days, (\S+) (\d) days, from its anchor; parameters\)", document("policy")
    )
    assert sentence
    rows = {row["control_method"]: row for row in seed("policy_control") if row["group_code"] == "A07"}
    days = {method: (row["isolation_days"], row["monitoring_days"]) for method, row in rows.items()}
    assert days == {sentence[1]: (sentence[3], "0"), sentence[2]: (sentence[3], "0"), sentence[4]: ("0", sentence[5])}
    assert {(row["control_code"], row["basis_kind"]) for row in rows.values()} == {("referral", "parameter")}


def test_a_stage_after_the_isolation_has_the_name_of_the_document() -> None:
    sentence = re.search(r"its own name and place \((\S+), or (\S+) in the edition of ([\d-]+)\)", document("policy"))
    assert sentence
    with next(SEEDS.rglob("policy_control.csv")).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["isolation_days"] != "0" and row["monitoring_days"] != "0"]
    names = {row["edition_code"]: (row["monitoring_title"], row["monitoring_place"]) for row in rows}
    assert names == {EDITION: (sentence[1], "居家"), f"national-{sentence[3]}": (sentence[2], "居家")}


@needs_shared(support.SHARED / "spec")
@pytest.mark.parametrize("name", ["policy", "feeds", "marts"])
def test_the_document_has_the_text_of_the_specification(name: str) -> None:
    title, _, specification = (support.SHARED / "spec" / f"{name}.md").read_text(encoding="utf-8").partition("\n")
    head, _, body = document(name).partition(BEGINS)
    if name in ADAPTED:
        assert specification.count(ADAPTED[name][0]) == 1, "the adaptation is no longer needed"
        specification = specification.replace(*ADAPTED[name])
    assert head.splitlines()[0] == title
    lines, specified = body.strip().splitlines(), specification.strip().splitlines()
    only = [f"only here: {line[:80]}" for line in lines if line not in specified]
    only += [f"only in the office's: {line[:80]}" for line in specified if line not in lines]
    assert only == [], f"docs/{name}.md and the office's specification differ; the office changes its own"
    assert lines == specified, "the same lines stand in another order"


@pytest.mark.parametrize("name", ["policy", "feeds", "marts"])
def test_no_document_leads_out_of_the_repository(name: str) -> None:
    assert "../" not in document(name)


def test_a_way_out_of_the_repository_is_found() -> None:
    for name, (before, after) in ADAPTED.items():
        assert "../" in document(name).replace(after, before)
