"""Reads one spreadsheet in a process of its own, with limits: `python sheets.py FILE`.

A file of a few hundred bytes can make a reader of spreadsheets allocate half a terabyte (one cell at each end of a
sheet), and the process is aborted, not told. Here only this process ends. It imports nothing of the project, so that it
starts at once, and talks in lines of JSON: first a list of `[sheet, its first rows]`; then, for each number of a sheet
that it is told, lists of rows, and null at their end. Cells are text, blank cells at the end of a row left out.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from datetime import date, datetime, time
from itertools import islice
from typing import Any

import python_calamine

MEMORY_BYTES = (
    4 << 30
)  # A sheet that is full to its last row, with the columns of the widest feed, takes less than half.
CPU_SECONDS = 600
MAX_ROW, MAX_TEXT = (
    4_000_000,
    2_000_000_000,
)  # Characters of a row, and of all that is read: one text may stand in any number of cells.
BATCH_ROWS, BATCH_TEXT = 1000, 4_000_000
MAX_SHEETS = 200
HEAD_ROWS, HEAD_COLUMNS, HEAD_CELL = 7, 2001, 200  # Five title lines and a header of two rows; a header is no larger.
EXACT_INTEGERS = 10**15  # A spreadsheet keeps 15 significant digits; a longer number is no longer what was typed.


def main(path: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # As the process that starts this one has it; see settings.
    workbook = python_calamine.CalamineWorkbook.from_path(path)
    if len(workbook.sheet_names) > MAX_SHEETS:
        raise TooMuchTextError
    sheets = [workbook.get_sheet_by_name(name) for name in workbook.sheet_names]
    say([[sheet.name, head(sheet)] for sheet in sheets])
    for number in sys.stdin:
        rows = texts(sheets[int(number)])
        while batch := some(rows):
            say(batch)
        say(None)


def head(sheet: python_calamine.CalamineSheet) -> list[list[str]]:
    return [[cell[:HEAD_CELL] for cell in row[:HEAD_COLUMNS]] for row in islice(texts(sheet), HEAD_ROWS)]


def some(rows: Iterator[list[str]]) -> list[list[str]]:
    """The next rows, as many as fit into a message."""
    batch: list[list[str]] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(map(len, row))
        if len(batch) == BATCH_ROWS or size > BATCH_TEXT:
            break
    return batch


class TooMuchTextError(Exception):
    """A row, or the whole file, holds more than any export."""


def say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")  # ASCII, whatever the text
    sys.stdout.flush()


def texts(sheet: python_calamine.CalamineSheet) -> Iterator[list[str]]:
    """Every row from the first of the sheet, hidden and empty ones too."""
    first_column = sheet.start[1] if sheet.start else 0
    total = 0
    for row in sheet.iter_rows():
        cells = [*[""] * first_column, *map(cell_text, row)]
        while cells and not cells[-1]:
            cells.pop()
        length = sum(map(len, cells))
        total += length
        if length > MAX_ROW or total > MAX_TEXT:
            raise TooMuchTextError
        yield cells


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


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Exception as error:  # Its text may quote the file.
        say({"error": type(error).__name__})
