"""Spreadsheets: the first sheet with the feed's header, up to five title lines above it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import python_calamine

from yingjian.landing.errors import FileRejectedError
from yingjian.landing.feeds import Feed
from yingjian.landing.readers.layout import Layout, Record, find_header, make_layout

EXACT_INTEGERS = 10**15  # A spreadsheet keeps 15 significant digits; a longer number is no longer what was typed.


def read_xlsx(path: Path, feed: Feed) -> tuple[Layout, Iterator[Record]]:
    """Layout and records of a spreadsheet of `feed`; raises FileRejectedError when no sheet has its header."""
    try:
        workbook = python_calamine.CalamineWorkbook.from_path(str(path))
        sheets = [
            workbook.get_sheet_by_index(i).to_python(skip_empty_area=False) for i in range(len(workbook.sheet_names))
        ]
    except Exception as error:  # calamine raises its own and the archive's errors
        raise FileRejectedError(f"电子表格无法打开（{type(error).__name__}）") from None
    problem = FileRejectedError("电子表格中没有工作表")
    for sheet in sheets:
        rows = [[cell_text(cell) for cell in row] for row in sheet]
        try:
            header_row = find_header(rows, feed)
        except FileRejectedError as error:
            problem = error
            continue
        layout = make_layout(rows[header_row], feed)
        return layout, _records(rows, header_row, layout.width)
    raise problem


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


def _records(rows: list[list[str]], header_row: int, width: int) -> Iterator[Record]:
    for number, cells in enumerate(rows[header_row + 1 :], start=header_row + 2):
        if not any(cell.strip() for cell in cells):
            continue
        if not any(cell.strip() for cell in cells[width:]):
            cells = cells[:width]
        yield Record(number, cells, ",".join(cells))
