"""A draft edition is a folder of CSV files named like the policy seeds, with only the rows of the new edition."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

EDITION, RULE = "policy_edition", "policy_rule"
OF_A_PLAN = ("town", "annex_title")  # Drafts may omit these columns, because they only change rules of the town's plan.
NUMBERED = ("rolling", "window")  # The families of rules that count tests within a period.
# The values of these columns must occur in the shipped rows of a seed: an unknown code would change nothing.
NAMED_BY: Mapping[str, tuple[str, str]] = {
    "group_code": (RULE, "group_code"),
    "control_code": ("policy_control", "control_code"),
    "name": ("policy_parameter", "name"),
    "from_level": ("policy_zone_level", "level"),
    "to_level": ("policy_zone_level", "level"),
    "level": ("policy_zone_level", "level"),
}


class DraftError(ValueError):
    """The draft is invalid; the text is one sentence with file, line and column. It holds no personal data."""

    may_be_told = True


@dataclass(frozen=True)
class Draft:
    """The properties of a draft, and the seeds that it changes; `effective_from` is its first day in force."""

    edition_code: str
    title: str
    effective_from: date
    effective_to: date | None
    seeds: tuple[str, ...]


@dataclass(frozen=True)
class _Row:
    """A row of a draft, and the line on which it ends."""

    file: str
    line: int
    cells: Mapping[str, str]

    def wrong(self, column: str, text: str) -> DraftError:
        return DraftError(f"{self.file}, line {self.line}, column {column}: {text}")


@dataclass(frozen=True)
class _Seed:
    """The metadata of a seed's columns, from its YAML; `there` are the rows of the shipped editions."""

    name: str
    columns: tuple[str, ...]
    types: Mapping[str, str]
    accepted: Mapping[str, tuple[str, ...]]
    unit: tuple[str, ...]
    keys: frozenset[str]  # Columns of `unit` that are never empty.
    there: tuple[Mapping[str, str], ...]


def merge(draft: Path, seeds: Path, into: Path) -> Draft:
    """Append the draft's rows to the seeds in `into`, which is a copy of the folder `seeds`; return the draft.

    Raises DraftError for the first mistake of the draft.
    """
    by_name = {path.stem: _seed(path) for path in sorted(seeds.glob("*.csv"))}
    if not draft.is_dir():
        raise DraftError(f"{draft} is no folder: a draft is a folder with {EDITION}.csv and the seeds that it changes")
    files = sorted(path for path in draft.iterdir() if path.suffix.lower() == ".csv")
    if EDITION not in {path.stem for path in files}:
        raise DraftError(f"{EDITION}.csv is missing in {draft}: it has the new edition's row")
    for path in files:
        if path.stem not in by_name:
            raise DraftError(f"{path.name}: there is no such seed; the policy seeds are {', '.join(by_name)}")
    rows = {path.stem: list(_rows(path, by_name[path.stem])) for path in files}
    edition = _edition(rows[EDITION], by_name[EDITION])
    for name, added in rows.items():
        _check(by_name, by_name[name], added, edition.edition_code)
    for name, added in rows.items():
        target = into / f"{name}.csv"
        if not target.read_text(encoding="utf-8").endswith("\n"):
            raise DraftError(f"{target.name}: its last line has no end")
        with target.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, by_name[name].columns, lineterminator="\n").writerows(row.cells for row in added)
    return Draft(
        edition.edition_code, edition.title, edition.effective_from, edition.effective_to,
        tuple(name for name, added in rows.items() if added and name != EDITION),
    )  # fmt: skip


def copy_project(project: Path, into: Path) -> Path:
    """Copy the dbt project, so that its seeds can be changed; return the copy's folder of policy seeds."""
    shutil.copytree(project, into, ignore=shutil.ignore_patterns("target", "logs"))
    return into / "seeds" / "policy"


def _seed(path: Path) -> _Seed:
    content: dict[str, Any] = yaml.safe_load(path.with_suffix(".yml").read_text(encoding="utf-8"))["seeds"][0]
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns, there = tuple(reader.fieldnames or ()), tuple(reader)
    tests = [test for test in content.get("data_tests", []) if "unique_combination" in test]
    keys = [key for test in tests[:1] for key in test["unique_combination"]["arguments"]["columns"]]
    # A key may be an expression, such as coalesce(control_method, ''): its column may be empty.
    unit = [next(column for column in columns if re.search(rf"\b{column}\b", key)) for key in keys]
    accepted = {
        column["name"]: tuple(test["accepted_values"]["arguments"]["values"])
        for column in content["columns"]
        for test in column.get("data_tests", [])
        if isinstance(test, dict) and "accepted_values" in test
    }
    types = content.get("config", {}).get("column_types", {})
    return _Seed(path.stem, columns, types, accepted, tuple(unit or ("edition_code",)), frozenset(keys), there)


def _rows(path: Path, seed: _Seed) -> Iterator[_Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            header = list(reader.fieldnames or ())
            for column in seed.columns:
                if column not in header and column not in OF_A_PLAN:
                    raise DraftError(f"{path.name}, line 1, column {column}: the column is missing")
            for column in header:
                if column not in seed.columns:
                    raise DraftError(f"{path.name}, line 1, column {column}: the seed has no such column")
            for cells in reader:
                if None in cells or None in cells.values():
                    raise DraftError(
                        f"{path.name}, line {reader.line_num}, column {header[-1]}: the row has not as many cells as the header"
                    )
                yield _Row(path.name, reader.line_num, {name: text.strip() for name, text in cells.items()})
    except UnicodeDecodeError:
        raise DraftError(f"{path.name}: it is not UTF-8; save it as CSV UTF-8") from None
    except csv.Error as error:
        raise DraftError(f"{path.name}, line {reader.line_num}: it is no csv ({error})") from None


def _edition(rows: list[_Row], seed: _Seed) -> Draft:
    """Read the one row of `policy_edition`."""
    if len(rows) != 1:
        raise DraftError(f"{EDITION}.csv: it has {len(rows)} rows; a draft is one edition")
    [row] = rows
    if not row.cells["edition_code"]:
        raise row.wrong("edition_code", "it is empty")
    if row.cells["edition_code"] in {there["edition_code"] for there in seed.there}:
        raise row.wrong(
            "edition_code", f"{row.cells['edition_code']} is an edition that ships; give the draft another code"
        )
    begins = row.cells["effective_from"]
    if not begins:
        raise row.wrong("effective_from", "it is empty; give the draft's first day")
    if begins in {there["effective_from"] for there in seed.there}:
        raise row.wrong("effective_from", f"another edition begins on {begins}")
    dates = [_date(row, column) for column in ("effective_from", "effective_to")]
    assert dates[0] is not None
    if dates[1] and dates[1] < dates[0]:
        raise row.wrong("effective_to", "it lies before effective_from")
    return Draft(row.cells["edition_code"], row.cells["title"], dates[0], dates[1], ())


def _date(row: _Row, column: str) -> date | None:
    text = row.cells[column]
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise row.wrong(column, f"{text} is no date; write it as 2022-07-24") from None


def _check(by_name: Mapping[str, _Seed], seed: _Seed, rows: list[_Row], edition: str) -> None:
    line_by_key: dict[tuple[str, ...], int] = {}
    for row in rows:
        if row.cells["edition_code"] != edition:
            raise row.wrong(
                "edition_code", f"{row.cells['edition_code'] or 'it is empty and'} is not the draft's {edition}"
            )
        for column, text in row.cells.items():
            _check_cell(by_name, seed, row, column, text)
        key = tuple(row.cells[column] for column in seed.unit)
        if key in line_by_key:
            raise row.wrong(seed.unit[-1], f"line {line_by_key[key]} says the same already ({'、'.join(key[1:])})")
        line_by_key[key] = row.line
        if row.cells.get("rule_family") in NUMBERED:
            for column in ("tests_required", "period_days"):
                if not row.cells[column]:
                    raise row.wrong(
                        column, f"it is empty, and a rule of the family {row.cells['rule_family']} needs it"
                    )
        if seed.name == "policy_parameter":
            _check_number(seed, row)


_KINDS: Mapping[str, tuple[Callable[[str], object], str]] = {
    "integer": (lambda text: re.fullmatch(r"\d{1,6}", text, re.ASCII), "a whole number"),
    "boolean": (lambda text: text in ("true", "false"), "true or false"),
}


def _check_cell(by_name: Mapping[str, _Seed], seed: _Seed, row: _Row, column: str, text: str) -> None:
    is_needed = column in seed.keys | {"edition_code", "basis", "rule_family", "needs_anchor", "first_day_offset"}
    if not text:
        if is_needed:
            raise row.wrong(column, "it is empty" + ("; say where the text gives it" if column == "basis" else ""))
        return
    kind = seed.types.get(column, "text")
    if kind in _KINDS and not _KINDS[kind][0](text):
        raise row.wrong(column, f"{text} is not {_KINDS[kind][1]}")
    if kind == "date":
        _date(row, column)
    if column in seed.accepted and text not in seed.accepted[column]:
        raise row.wrong(column, f"{text} is none of {', '.join(seed.accepted[column])}")
    if column in NAMED_BY and seed.name != "policy_responsibility":
        name, of = NAMED_BY[column]
        values = {there[of] for there in by_name[name].there}
        if text not in values:
            kind_of_name = (
                column.removesuffix("_code").removeprefix("from_").removeprefix("to_").replace("name", "parameter")
            )
            raise row.wrong(column, f"there is no {kind_of_name} {text}")


def _check_number(seed: _Seed, row: _Row) -> None:
    """Require a number where the plan's parameter is one, so that no model fails on it."""
    before = next(there["value"] for there in seed.there if there["name"] == row.cells["name"])
    for pattern, says in ((r"\d+", "a whole number"), (r"\d+(\.\d+)?", "a number")):
        if re.fullmatch(pattern, before, re.ASCII):
            if not re.fullmatch(pattern, row.cells["value"], re.ASCII):
                raise row.wrong("value", f"{row.cells['value'] or 'it is empty and'} is not {says}")
            return
