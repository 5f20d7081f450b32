"""The spreadsheets of the packs as LibreOffice opens them: without repair, with the sums of the marts."""

import csv
import os
import shutil
import subprocess
from pathlib import Path

import openpyxl
import psycopg
import pytest
from openpyxl.cell import Cell

from tests.support import single
from yingjian.people.audience import OFFICE, Audience
from yingjian.reports.packs import Pack, write_packs

SOFFICE = os.environ.get("YINGJIAN_SOFFICE") or shutil.which("soffice")
COMMUNITY = Audience("community", "招丰社区")
# Comma, double quotes, UTF-8, from line 1, cells as they are shown: no; every sheet to a file of its own.
CSV = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        SOFFICE is None, reason="no LibreOffice found: apt-get install libreoffice-calc-nogui, or set YINGJIAN_SOFFICE"
    ),
]


def converted(path: Path, to: str, folder: Path) -> list[Path]:
    """LibreOffice converts a file; it repairs nothing when it has nobody to ask, and writes nothing then."""
    out = folder / to.partition(":")[0]
    subprocess.run(
        [str(SOFFICE), f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless", "--norestore",
         "--convert-to", to, "--outdir", str(out), str(path)],
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    files = sorted(out.glob("*")) if out.is_dir() else []
    assert files, f"LibreOffice could not open {path.name}"
    return files


def content(cell: Cell) -> tuple[object, str]:
    """Value and type of a cell; LibreOffice writes the fifteen digits that a spreadsheet has."""
    return (round(cell.value, 12) if isinstance(cell.value, float) else cell.value, cell.data_type)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spreadsheets")


@pytest.fixture(scope="module")
def packs(town_database: str, folder: Path) -> dict[Audience, Pack]:
    with psycopg.connect(town_database) as conn:
        return {pack.audience: pack for pack in write_packs(conn, 12, folder, [OFFICE, COMMUNITY])}


@pytest.fixture(scope="module")
def sheets(packs: dict[Audience, Pack], folder: Path) -> dict[str, list[dict[str, str]]]:
    """Each sheet of the office's spreadsheet, as LibreOffice writes it: rows by column."""
    rows_by_sheet = {}
    for path in converted(packs[OFFICE].workbook, CSV, folder):
        with path.open(encoding="utf-8", newline="") as file:
            rows_by_sheet[path.stem.removeprefix("office-")] = list(csv.DictReader(file))
    return rows_by_sheet


def test_every_sheet_is_there_and_has_its_rows(packs, sheets):
    book = openpyxl.load_workbook(packs[OFFICE].workbook, read_only=True)
    assert set(sheets) == set(book.sheetnames)
    for name in ("逾期未检", "未来7日应检", "单位统计", "隔离与监测", "每日指标"):
        assert len(sheets[name]) == sum(1 for _ in book[name].iter_rows()) - 1 > 0, name


def test_the_sums_are_those_of_the_marts(conn, sheets):
    def total(name: str, column: str) -> int:
        return sum(int(row[column]) for row in sheets[name])

    of_day = "from published.{} where publication_id = 12"
    assert len(sheets["逾期未检"]) == single(conn, "select count(*) " + of_day.format("overdue"))
    assert total("逾期未检", "逾期天数") == single(conn, "select sum(days_overdue)::int " + of_day.format("overdue"))
    assert total("未来7日应检", "还有几天") == single(conn, "select sum(days_until_due)::int " + of_day.format("due"))
    for column, name in (("应检人次", "required"), ("达标人次", "compliant"), ("逾期人次", "overdue")):
        expected = single(conn, f"select sum({name})::int " + of_day.format("compliance_daily") + " and is_headline")
        assert total("单位统计", column) == expected
    assert total("抽检单位", "缺") == single(
        conn, "select sum(shortfall)::int " + of_day.format("sampling_unit_daily") + " and sampling_day = as_of_date"
    )


def test_what_it_saves_again_holds_the_same_cells(packs, folder):
    """Numbers stay numbers, days days, masked document numbers text."""
    (again,) = converted(packs[COMMUNITY].workbook, "xlsx", folder)
    first, second = (openpyxl.load_workbook(path) for path in (packs[COMMUNITY].workbook, again))
    assert first.sheetnames == second.sheetnames
    for name in ("逾期未检", "单位统计", "每日指标", "风险区"):
        for before, after in zip(first[name].iter_rows(), second[name].iter_rows(), strict=True):
            assert list(map(content, before)) == list(map(content, after))
    assert second["逾期未检"].auto_filter.ref


def test_a_spreadsheet_that_is_broken_is_noticed(packs, folder, tmp_path):
    broken = tmp_path / "broken.xlsx"
    broken.write_bytes(packs[OFFICE].workbook.read_bytes()[:-3000])
    with pytest.raises(AssertionError, match="could not open"):
        converted(broken, "xlsx", tmp_path)
