"""A draft of an edition: it is merged behind the seeds, and each mistake is a sentence with file, line and column."""

from __future__ import annotations

import csv
import shutil
from datetime import date
from pathlib import Path

import pytest

from yingjian.settings import PROJECT_ROOT
from yingjian.whatif.draft import DraftError, copy_project, merge

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds" / "policy"
EDITION = "edition_code,title,document_no,effective_from,effective_to\ndraft,试行,,2022-07-15,\n"
DAYS = "edition_code,group_code,day_number\ndraft,35,2\ndraft,35,4\n"
PARAMETERS = "edition_code,name,value,unit,basis,basis_kind,note\ndraft,due_horizon_days,2,天,试行,parameter,\n"
ZONES = "edition_code,from_level,was_high,clear_days,needs_full_round,to_level,basis\ndraft,高,false,2,false,低,试行第三条\n"


def rule(**cells: str) -> str:
    """A draft's policy_rule with the plan's row of group 8, changed."""
    with (SEEDS / "policy_rule.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        row = (
            next(row for row in reader if row["group_code"] == "8") | {"edition_code": "draft", "basis": "试行"} | cells
        )
    return f"{','.join(row)}\n" + ",".join(f'"{cell}"' for cell in row.values()) + "\n"


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SEEDS, tmp_path / "into"))


def written(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def test_a_draft_stands_behind_the_seeds(tmp_path: Path, into: Path) -> None:
    folder = written(tmp_path / "draft", policy_edition="\ufeff" + EDITION, policy_rule_day=DAYS, policy_rule=rule(period_days="3", tests_required="1"))  # fmt: skip
    draft = merge(folder, SEEDS, into)
    assert (draft.edition_code, draft.effective_from, draft.effective_to) == ("draft", date(2022, 7, 15), None)
    assert set(draft.seeds) == {"policy_rule_day", "policy_rule"}
    merged = (into / "policy_rule_day.csv").read_text(encoding="utf-8")
    assert merged == (SEEDS / "policy_rule_day.csv").read_text(encoding="utf-8") + "draft,35,2\ndraft,35,4\n"
    with (into / "policy_rule.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file))[-1]["period_days"] == "3"


def test_a_copy_of_the_project_has_its_seeds(tmp_path: Path) -> None:
    seeds = copy_project(PROJECT_ROOT / "dbt_project", tmp_path / "project")
    assert (seeds / "policy_rule.csv").is_file() and not (tmp_path / "project" / "target").exists()


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"policy_rule": rule(group_code="99")}, "policy_rule.csv, line 2, column group_code: there is no group 99"),
        (
            {"policy_rule_day": DAYS.replace(",35,4", ",350,4")},
            "policy_rule_day.csv, line 3, column group_code: there is no group 350",
        ),
        (
            {"policy_rule_day": "edition_code,group_code\ndraft,35\n"},
            "policy_rule_day.csv, line 1, column day_number: the column is missing",
        ),
        (
            {"policy_rule_day": "edition_code,group_code,day_number,note\ndraft,35,2,x\n"},
            "policy_rule_day.csv, line 1, column note: the seed has no such column",
        ),
        (
            {"policy_rule_day": DAYS + "draft,35\n"},
            "policy_rule_day.csv, line 4, column day_number: the row has not as many cells as the header",
        ),
        (
            {"policy_rule_day": DAYS.replace("35,4", "35,four")},
            "policy_rule_day.csv, line 3, column day_number: four is not a whole number",
        ),
        (
            {"policy_rule_day": DAYS.replace("35,4", "35,2")},
            "policy_rule_day.csv, line 3, column day_number: line 2 says the same already (35、2)",
        ),
        (
            {"policy_rule_day": DAYS.replace("draft,35,4", "beifeng-2,35,4")},
            "policy_rule_day.csv, line 3, column edition_code: beifeng-2 is not the draft's draft",
        ),
        (
            {"policy_rule": rule(basis="")},
            "policy_rule.csv, line 2, column basis: it is empty; say where the text gives it",
        ),
        (
            {"policy_rule": rule(rule_family="often")},
            "policy_rule.csv, line 2, column rule_family: often is none of rolling, anchored, window, admission, outbreak,"
            " as_required, follow_up, none",
        ),
        (
            {"policy_rule": rule(tests_required="")},
            "policy_rule.csv, line 2, column tests_required: it is empty, and a rule of the family rolling needs it",
        ),
        (
            {"policy_rule": rule(needs_anchor="no")},
            "policy_rule.csv, line 2, column needs_anchor: no is not true or false",
        ),
        (
            {"policy_parameter": PARAMETERS.replace("due_horizon_days", "due_days")},
            "policy_parameter.csv, line 2, column name: there is no parameter due_days",
        ),
        (
            {"policy_parameter": PARAMETERS.replace(",2,", ",two,")},
            "policy_parameter.csv, line 2, column value: two is not a whole number",
        ),
        (
            {"policy_zone_rule": ZONES.replace(",低,", ",无,")},
            "policy_zone_rule.csv, line 2, column to_level: there is no level 无",
        ),
        (
            {"policy_edition": EDITION.replace("2022-07-15", "15.7.2022")},
            "policy_edition.csv, line 2, column effective_from: 15.7.2022 is no date; write it as 2022-07-24",
        ),
        (
            {"policy_edition": EDITION.replace("2022-07-15", "2022-12-07")},
            "policy_edition.csv, line 2, column effective_from: another edition begins on 2022-12-07",
        ),
        (
            {"policy_edition": EDITION.replace("2022-07-15", "")},
            "policy_edition.csv, line 2, column effective_from: it is empty; give the draft's first day",
        ),
        (
            {"policy_edition": EDITION.replace("draft,", "beifeng-2,")},
            "policy_edition.csv, line 2, column edition_code: beifeng-2 is an edition that ships; give the draft another code",
        ),
        (
            {"policy_edition": EDITION.partition("draft")[0]},
            "policy_edition.csv: it has 0 rows; a draft is one edition",
        ),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, into: Path, files: dict[str, str], sentence: str) -> None:
    folder = written(tmp_path / "draft", **({"policy_edition": EDITION} | files))
    with pytest.raises(DraftError) as refused:
        merge(folder, SEEDS, into)
    assert str(refused.value) == sentence
    assert {path.name: path.read_bytes() for path in into.iterdir()} == {
        path.name: path.read_bytes() for path in SEEDS.iterdir()
    }


def test_a_folder_that_is_no_draft(tmp_path: Path, into: Path) -> None:
    with pytest.raises(DraftError, match="is no folder"):
        merge(tmp_path / "nowhere", SEEDS, into)
    folder = written(tmp_path / "draft", policy_rule_day=DAYS)
    with pytest.raises(DraftError, match=r"policy_edition\.csv is missing"):
        merge(folder, SEEDS, into)
    (folder / "policy_edition.csv").write_text(EDITION)
    (folder / "policy_rules.csv").write_text(EDITION)
    with pytest.raises(DraftError, match=r"policy_rules\.csv: there is no such seed"):
        merge(folder, SEEDS, into)
    (folder / "policy_rules.csv").unlink()
    (folder / "policy_rule_day.csv").write_bytes(DAYS.encode() + "四".encode("gbk"))
    with pytest.raises(DraftError, match=r"policy_rule_day\.csv: it is not UTF-8"):
        merge(folder, SEEDS, into)
