"""The second reading of the policy (tests/oracle) against the worked cases that follow the present text: no database needed.

Every table that a case expects must come out row for row.
"""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from openpyxl import Workbook

from tests import support
from tests.oracle import obligations
from tests.oracle.reader import Landing, is_out_of_order, read_landing
from tests.oracle.tables import COLUMNS, compute
from tests.oracle.town import make_town, world
from tests.skips import needs_shared

NEXT = support.CASES / "next"
DAYS = [(path.parent.parent.name, path.name) for path in sorted(NEXT.glob("town-*/expected/2*"))]
LEFT_OUT = {"23", "24", "25", "26", "27", "28", "P19", "P24"}  # The files of towns 3 and 4 do not have these groups.

needs_cases = needs_shared(NEXT)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def landing(town: str) -> Landing:
    rejected = [(row["feed"], row["key"], row["why"]) for row in _rows(NEXT / town / "expected" / "rejected.csv")]
    return read_landing(NEXT / town / "landing", rejected)


@cache
def computed(town: str, day: str) -> dict[str, list[dict[str, str]]]:
    return compute(landing(town), date.fromisoformat(day))


FILES = [
    pytest.param(town, day, path.stem, id=f"{town}-{day}-{path.stem}")
    for town, day in DAYS
    for path in sorted((NEXT / town / "expected" / day).glob("*.csv"))
]


@needs_cases
@pytest.mark.parametrize(("town", "day", "table"), FILES)
def test_every_row_comes_out(town: str, day: str, table: str) -> None:
    expected = _rows(NEXT / town / "expected" / day / f"{table}.csv")
    columns = list(expected[0])
    rows = computed(town, day)[table]
    if table == "obligation" and columns != COLUMNS[table].split(","):
        rows = [row for row in rows if row["group_code"] not in LEFT_OUT]
    else:
        assert set(columns) <= set(COLUMNS[table].split(","))
    wanted = Counter(tuple(row.values()) for row in expected)
    counts = Counter(tuple(row[column] for column in columns) for row in rows)
    assert (sorted(wanted - counts), sorted(counts - wanted)) == ([], [])


@needs_cases
def test_every_table_is_expected_somewhere() -> None:
    assert {path.stem for path in NEXT.glob("town-*/expected/2*/*.csv")} == set(COLUMNS)


@needs_cases
def test_another_reading_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: without the first test on entering control rows are missing."""
    town, day = DAYS[-1]
    monkeypatch.setattr(obligations, "first_test", lambda m, dated: [])
    rows = compute(landing(town), date.fromisoformat(day))["obligation"]
    assert Counter(map(str, rows)) != Counter(map(str, computed(town, day)["obligation"]))


def test_random_towns_show_every_table() -> None:
    """The comparison with the marts needs rows: a table without any would be compared with nothing."""
    day = date(2022, 7, 20)
    towns = world([make_town(seed, (date(2022, 7, 12), day)) for seed in range(1, 21)])
    assert [feed for feed, rows in towns.rows.items() if any(map(is_out_of_order, rows))] == []
    tables = compute(towns, day)
    assert [table for table, rows in tables.items() if not rows] == []


CONTACT = {"编号": "M", "病例编号": "", "证件类型": "护照", "社区": "甲", "网格": "一", "转运时间": "", "隔离地点": ""}


@pytest.mark.parametrize(
    ("exposed", "category", "place", "within"),
    [
        ("2022-11-10", "次密接", "居家", "true"),
        ("2022-11-11", "次密接", "居家", None),
        ("2022-11-11", "密接", "居家", "false"),
        ("2022-12-06", "密接", "集中", "true"),
        ("2022-12-07", "密接", "居家", "true"),
    ],
)
def test_contacts_are_followed_by_the_edition_of_their_exposure(
    exposed: str, category: str, place: str, within: str | None
) -> None:
    """The editions of 2022-11-11 and 2022-12-07 end secondary contacts, and let close contacts stay at home."""
    judged, isolated = f"{exposed} 08:00:00", f"{exposed} 16:00:00"
    row = {**CONTACT, "证件号码": "E1", "类别": category, "末次接触日期": exposed, "判定时间": judged, "隔离时间": isolated,
           "隔离方式": place, "更新时间": isolated}  # fmt: skip
    landed = Landing()
    landed.rows["contacts"].append(row)
    tables = compute(landed, date.fromisoformat(exposed))
    assert [clock["within_8h"] for clock in tables["contact_clock"]] == ([within] if within else [])
    assert len(tables["push_clearance"]) == (1 if within else 0)


NOTICE = {"通告编号": "N1", "风险区编号": "Z1", "风险区名称": "某小区", "等级": "高", "社区": "甲", "网格": "一"}


def _csv(path: Path, encoding: str, effective: str) -> None:
    row = {**NOTICE, "生效日期": effective, "更新时间": "2022/7/1 8:05"}
    path.write_bytes(f"{','.join(row)}\n{','.join(row.values())}\n".encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("written", ["2022-07-01", "2022/7/1", "20220701", "2022年7月1日", "44743", " '2022-07-01"])
def test_the_reader_takes_every_encoding_and_form_of_a_date(tmp_path: Path, encoding: str, written: str) -> None:
    (tmp_path / "risk_zones").mkdir()
    _csv(tmp_path / "risk_zones" / "a.csv", encoding, written)
    [row] = read_landing(tmp_path).rows["risk_zones"]
    assert row == {**NOTICE, "生效日期": "2022-07-01", "更新时间": "2022-07-01 08:05:00"}


def test_the_reader_takes_a_workbook_with_title_lines(tmp_path: Path) -> None:
    (tmp_path / "risk_zones").mkdir()
    book = Workbook()
    assert book.active
    row = {**NOTICE, "生效日期": date(2022, 7, 1), "更新时间": "2022-07-01 08:05:00"}
    for line in (["风险区一览"], list(row), list(row.values())):
        book.active.append(line)
    book.save(tmp_path / "risk_zones" / "a.xlsx")
    [read] = read_landing(tmp_path).rows["risk_zones"]
    assert read == {**NOTICE, "生效日期": "2022-07-01", "更新时间": "2022-07-01 08:05:00"}


def test_a_refused_version_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "risk_zones").mkdir()
    _csv(tmp_path / "risk_zones" / "a.csv", "utf-8", "2022-07-01")
    refused = [("risk_zones", "N1", "time_order")]
    assert len(read_landing(tmp_path, refused).rows["risk_zones"]) == 1
    assert read_landing(tmp_path, [("risk_zones", "N1", "bad_date")]).rows["risk_zones"] == []
