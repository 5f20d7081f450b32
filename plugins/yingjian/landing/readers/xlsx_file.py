"""Spreadsheets: every sheet with the feed's header, up to five title lines above it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime, time
from itertools import chain
from pathlib import Path
from typing import Any

import python_calamine

from yingjian.landing.archives import MAX_BYTES
from yingjian.landing.errors import FileRejectedError
from yingjian.landing.feeds import Feed
from yingjian.landing.readers.layout import TITLE_LINES, Chunk, Layout, Record, chunks_of, find_header, make_layout

SHEET_LINES = 10_000_000  # More than any sheet has rows.
EXACT_INTEGERS = 10**15  # A spreadsheet keeps 15 significant digits; a longer number is no longer what was typed.


def read_xlsx(path: Path, feed: Feed) -> tuple[Layout, Iterator[Chunk]]:
    """Layout and chunks of a spreadsheet of `feed`: every sheet that has its header, hidden rows too.

    Rows of further sheets have line numbers from SHEET_LINES on. Raises FileRejectedError when no sheet has the header,
    or when one that has it lacks a column.
    """
    try:
        if zipfile.is_zipfile(path):  # An old .xls is none.
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(info.file_size for info in archive.infolist())
            if unpacked > MAX_BYTES:
                raise FileRejectedError("电子表格解开后过大，疑似异常文件，未读取")
        workbook = python_calamine.CalamineWorkbook.from_path(str(path))
        sheets = {
            name: workbook.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in workbook.sheet_names
        }
    except FileRejectedError:
        raise
    except Exception as error:  # calamine raises its own and the archive's errors
        raise FileRejectedError(f"电子表格无法打开（{type(error).__name__}）") from None
    found: list[tuple[str, int, Layout]] = []
    ignored: list[str] = []
    problem = FileRejectedError("电子表格中没有工作表")
    for name, rows in sheets.items():
        try:
            last_row, header = find_header(list(_texts(rows[: TITLE_LINES + 2])), feed)
        except FileRejectedError as error:
            problem = error
            ignored += [f"工作表“{name}”"] if any(map(any, _texts(rows[:1]))) else []
            continue
        found.append((name, last_row, make_layout(header, feed)))
    if not found:
        raise problem
    extra = [*found[0][2].extra_columns, *ignored]
    layout = replace(found[0][2], extra_columns=tuple(dict.fromkeys(extra)))
    return layout, chain.from_iterable(
        chunks_of(
            _records(_texts(sheets[name]), last_row, sheet_layout.width, i * SHEET_LINES), sheet_layout, feed,
            f"工作表“{name}”" if len(found) > 1 else "",
        )
        for i, (name, last_row, sheet_layout) in enumerate(found)
    )  # fmt: skip


def _texts(rows: Iterable[list[Any]]) -> Iterator[list[str]]:
    return ([cell_text(cell) for cell in row] for row in rows)


def cell_text(cell: Any) -> str:
    """A cell as the text a person sees: whole numbers without a decimal point, dates in ISO form."""
    if isinstance(cell, bool):
        return str(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < EXACT_INTEGERS else repr(cell)
    return "" if cell is None else str(cell).replace("\0", "")


def _records(rows: Iterable[list[str]], header_row: int, width: int, first_line: int) -> Iterator[Record]:
    for number, cells in enumerate(rows, start=1):
        if number <= header_row + 1 or not any(cell.strip() for cell in cells):
            continue
        if not any(cell.strip() for cell in cells[width:]):
            cells = cells[:width]
        yield Record(first_line + number, cells, ",".join(cells))
