"""A list that is too long for a sheet stands beside the workbook, with every row, and goes to those who may have the workbook."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import openpyxl
import polars as pl
import psycopg
import pytest

from tests.towns import town
from yingjian.delivery.messages import Message, _long_lists
from yingjian.people.audience import OFFICE, Audience
from yingjian.reports.packs import Pack, write_packs
from yingjian.reports.render import long_lists

pytestmark = pytest.mark.slow

COMMUNITY = Audience("community", "招丰社区")
FEW = 3  # A list with more rows is long here.


@pytest.fixture(scope="module")
def packs(town_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[Audience, Pack]]]:
    """The fixture writes the packs with lists in their sheets, and with the long ones beside them."""
    folder = tmp_path_factory.mktemp("packs")
    written = {}
    with psycopg.connect(town_database) as conn, pytest.MonkeyPatch.context() as patch:
        # A spreadsheet would compute the unit's name.
        conn.execute(
            "update published.overdue set unit = '=1+1' where publication_id = %s and obligation_id ="
            " (select min(obligation_id) from published.overdue where publication_id = %s and community = '招丰社区')",
            (town.PUBLICATION_ID, town.PUBLICATION_ID),
        )
        for name, limit in (("usual", long_lists.LONG), ("long", FEW), ("again", FEW)):
            patch.setattr(long_lists, "LONG", limit)
            made = write_packs(conn, town.PUBLICATION_ID, folder / name, [OFFICE, COMMUNITY])
            written[name] = {pack.audience: pack for pack in made}
        conn.rollback()
    yield written


def in_sheet(pack: Pack, title: str) -> list[tuple[object, ...]]:
    return list(openpyxl.load_workbook(pack.workbook, read_only=True)[title].iter_rows(values_only=True))


def plain(cell: object) -> object:
    """Return a cell as a spreadsheet keeps it: a day is a time at midnight."""
    return datetime(cell.year, cell.month, cell.day) if type(cell) is date else cell or None


@pytest.mark.parametrize("audience", [OFFICE, COMMUNITY], ids=["office", "community"])
def test_both_files_have_the_rows_and_columns_of_the_sheet(
    packs: dict[str, dict[Audience, Pack]], audience: Audience
) -> None:
    pack = packs["long"][audience]
    head, *rows = in_sheet(packs["usual"][audience], "逾期未检")
    assert len(rows) > FEW
    frame = pl.read_parquet(pack.long_lists["overdue", "parquet"])
    assert frame.columns == list(head)
    assert [tuple(map(plain, row)) for row in frame.rows()] == rows
    assert frame.schema["到期日"] == pl.Date and frame.schema["逾期天数"] == pl.Int64
    with pack.long_lists["overdue", "csv"].open(encoding="utf-8-sig", newline="") as file:
        columns, *written = csv.reader(file)
    assert columns == list(head) and len(written) == len(rows)
    assert {"'=1+1"} == {cell for row in written for cell in row if "=1+1" in cell}
    assert [row[-2] for row in written] == [row[-2] for row in rows]


def test_the_sheet_says_where_the_rows_are_and_short_lists_stay(packs: dict[str, dict[Audience, Pack]]) -> None:
    usual, pack = packs["usual"][OFFICE], packs["long"][OFFICE]
    count = len(in_sheet(usual, "逾期未检")) - 1
    words = [row[0] for row in in_sheet(pack, "逾期未检")]
    assert f"共{count:,}行" in words[0] and "office.overdue.csv" in words[1] and "office.overdue.parquet" in words[1]
    assert usual.long_lists == {}
    kept = {
        title
        for title in openpyxl.load_workbook(usual.workbook, read_only=True).sheetnames
        if title in {found.title for found in long_lists.LISTS} and 1 < len(in_sheet(usual, title)) <= FEW + 1
    }
    assert kept
    for title in kept:
        assert in_sheet(pack, title) == in_sheet(usual, title)


def test_the_same_publication_gives_the_same_bytes(packs: dict[str, dict[Audience, Pack]]) -> None:
    for audience, pack in packs["long"].items():
        again = packs["again"][audience]
        assert pack.long_lists and pack.long_lists.keys() == again.long_lists.keys()
        for of, path in pack.long_lists.items():
            assert path.read_bytes() == again.long_lists[of].read_bytes(), of


def test_they_go_into_the_shared_folder_of_whoever_gets_the_workbook(packs: dict[str, dict[Audience, Pack]]) -> None:
    office, community = packs["long"][OFFICE], packs["long"][COMMUNITY]
    assert _long_lists(community, with_names=False) == ()
    assert set(_long_lists(community, with_names=True)) == set(community.long_lists.values())
    files = _long_lists(office, with_names=False)
    assert set(files) == set(office.long_lists.values())
    message = Message("token", "folder", "日报", (), files=office.files, long_lists=files)
    assert message.attached("folder") == office.files + files
    assert message.attached("mail") == office.files and message.attached("wecom") == ()


def test_half_a_file_never_stands(town_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Iterator[tuple[object, ...]]:
        yield from ()
        raise OSError("no room")

    monkeypatch.setattr(long_lists, "LONG", FEW)
    monkeypatch.setattr(long_lists, "read_list", broken)
    with psycopg.connect(town_database) as conn:
        with pytest.raises(OSError, match="no room"):
            write_packs(conn, town.PUBLICATION_ID, tmp_path, [OFFICE])
        conn.rollback()
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".html"}
