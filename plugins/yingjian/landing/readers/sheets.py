"""Reads one spreadsheet in a process of its own, with limits: `python sheets.py FILE KIND ROWS`.

A file of a few hundred bytes can make a reader of spreadsheets allocate half a terabyte (one cell at each end of a
sheet), and the process is aborted, not told. Here only this process ends. It imports nothing of the project, so that it
starts at once, and talks in lines of JSON: first a list of `[sheet, its first rows]`; then, for each number of a sheet
that it is told, batches of its rows (see `columns`), and null at their end. Cells are text.
"""

from __future__ import annotations

import json
import re
import resource
import sys
from collections.abc import Iterator
from datetime import date, datetime, time
from itertools import chain, islice
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
BATCH_TEXT = 4_000_000
MAX_SHEETS = 200
MAX_MERGED = 10_000  # Merged cells of a sheet that are filled, and lines of one of them.
HEAD_ROWS, HEAD_COLUMNS, HEAD_CELL = 7, 2001, 200  # Five title lines and a header of two rows; a header is no larger.
MAX_ROWS, MAX_CELLS = 1 << 20, 1 << 14  # A sheet has no more rows, and a row no more cells.
ML = "{urn:schemas-microsoft-com:office:spreadsheet}"
EXACT_INTEGERS = 10**15  # A spreadsheet keeps 15 significant digits; a longer number is no longer what was typed.


def main(path: str, kind: str, batch_rows: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # As the process that starts this one has it; see settings.
    sheets = {"html": html_tables, "xml": xml_sheets}.get(kind, workbook_sheets)(path)
    say([[sheet.name, *head(sheet)] for sheet in sheets])
    for number in sys.stdin:
        rows = texts(sheets[int(number)])
        while batch := some(rows, int(batch_rows)):
            say(columns(batch))
        say(None)


def workbook_sheets(path: str) -> list[Sheet]:
    # A file is told by its content here, a path by its name.
    with open(path, "rb") as file:
        workbook = python_calamine.CalamineWorkbook.from_filelike(file)
        if len(workbook.sheet_names) > MAX_SHEETS:
            raise TooMuchTextError
        return [workbook.get_sheet_by_name(name) for name in workbook.sheet_names]


class HtmlTable:
    """A table of a page, with what a sheet has. A cell that covers several stands in each row, in its first column."""

    start = (0, 0)

    def __init__(self, name: str, table: Any) -> None:
        self.name = name
        self._table = table

    def iter_rows(self) -> Iterator[list[str]]:
        covered: dict[int, int] = {}  # Column -> how many more rows a cell from above covers.
        above: list[str] = []
        for row in self._table.iter("tr"):
            cells: list[str] = []

            def cover(cells: list[str] = cells, above: list[str] = above) -> None:
                while covered.get(len(cells), 0):
                    covered[len(cells)] -= 1
                    cells.append(above[len(cells)])

            for cell in row.iterchildren("td", "th"):
                cover()
                for i in range(span(cell, "colspan")):
                    covered[len(cells)] = span(cell, "rowspan") - 1
                    cells.append("" if i else " ".join("".join(cell.itertext()).split()))
            cover()
            above = cells
            yield cells


def span(cell: Any, name: str) -> int:
    text = cell.get(name) or "1"
    return min(max(int(text), 1), HEAD_COLUMNS) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def html_tables(path: str) -> list[Sheet]:
    """The tables of a page that hold no other table."""
    import lxml.html  # Only pages need it, and every other file would wait for it.

    with open(path, "rb") as file:
        content = file.read()
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True)
    text = html_text(content)
    page = lxml.html.document_fromstring(text.encode(), parser=parser)
    # Cells and rows that stand nowhere, or in a comment without an end, would be left out.
    if text.count("<!--") > text.count("-->") or page.xpath(
        "//td[not(parent::tr)] | //th[not(parent::tr)] | //tr[not(ancestor::table)]"
    ):
        raise DamagedPageError
    tables = [table for table in page.iter("table") if table.find(".//table") is None]
    if len(tables) > MAX_SHEETS:
        raise TooMuchTextError
    return [HtmlTable(f"表{number}", table) for number, table in enumerate(tables, start=1)]


class XmlSheet:
    """A sheet of an XML spreadsheet of 2003, with what a sheet has; it is read anew each time, so that it fills no memory."""

    start = (0, 0)

    def __init__(self, name: str, path: str, number: int) -> None:
        self.name = name
        self._path = path
        self._number = number

    def iter_rows(self) -> Iterator[list[Any]]:
        number, line = -1, 0
        for event, element in xml_elements(self._path, "Worksheet", "Row"):
            if element.tag == ML + "Worksheet":
                number += event == "start"
                if number > self._number or (event == "end" and number == self._number):
                    return
            elif event == "end":
                if number == self._number:
                    place = index(element, line + 1, MAX_ROWS)
                    yield from ([] for _ in range(line + 1, place))
                    line = place
                    yield xml_cells(element)
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]


def xml_sheets(path: str) -> list[Sheet]:
    sheets: list[Sheet] = []
    for event, element in xml_elements(path, "Worksheet", "Row"):
        if event == "start" and element.tag == ML + "Worksheet":
            sheets.append(XmlSheet(element.get(ML + "Name") or "", path, len(sheets)))
            if len(sheets) > MAX_SHEETS:
                raise TooMuchTextError
        elif event == "end":
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    return sheets


def xml_elements(path: str, *names: str) -> Iterator[tuple[str, Any]]:
    from lxml import etree  # Only these spreadsheets need it.

    tags = [ML + name for name in names]
    yield from etree.iterparse(
        path, events=("start", "end"), tag=tags, resolve_entities=False, load_dtd=False, no_network=True
    )


def index(element: Any, following: int, most: int) -> int:
    """The place that an element says it has, counted from 1; else the following one."""
    text = element.get(ML + "Index")
    place = int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else following
    if place > most:
        raise TooMuchTextError
    return max(place, following)


def xml_cells(row: Any) -> list[Any]:
    """The values of a row. A cell that covers several stands in the first of them."""
    cells: list[Any] = []
    for cell in row.iterchildren(ML + "Cell"):
        cells += [""] * (index(cell, len(cells) + 1, MAX_CELLS) - 1 - len(cells))
        data = cell.find(ML + "Data")
        cells.append("" if data is None else xml_value(data.get(ML + "Type"), "".join(data.itertext())))
        across = cell.get(ML + "MergeAcross") or ""
        cells += [""] * (int(across) if across.isascii() and across.isdigit() and len(across) < 6 else 0)
        if len(cells) > MAX_CELLS:
            raise TooMuchTextError
    return cells


def xml_value(kind: str | None, text: str) -> Any:
    try:
        if kind == "Number":
            return float(text)
        if kind == "DateTime":
            return datetime.fromisoformat(text.strip())
    except ValueError:
        pass
    return text


def html_text(content: bytes) -> str:
    """The text of a page, by its mark, by what it declares, else by what fits."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    declared = re.search(rb"charset\s*=\s*[\"']?([\w-]+)", content[:4096], re.I)
    names = ["utf-8-sig", "gb18030"]
    if declared and declared[1].lower() in (b"gb2312", b"gbk", b"gb18030"):
        names.reverse()
    for name in names:
        try:
            return content.decode(name)
        except UnicodeDecodeError:
            continue
    return content.decode(names[0], "replace")


def head(sheet: Sheet) -> tuple[int, list[list[str]]]:
    """Return how many blank rows come first, and the next rows, among which the header may be."""
    blank, rows = 0, texts(sheet)
    for row in rows:
        if any(row):
            rows = chain([row], rows)
            break
        blank += 1
    return blank, [[cell[:HEAD_CELL] for cell in row[:HEAD_COLUMNS]] for row in islice(rows, HEAD_ROWS)]


def some(rows: Iterator[list[str]], most: int) -> list[list[str]]:
    """Return the next rows, as many as fit into a message, at most so many."""
    batch: list[list[str]] = []
    size = width = 0
    for row in rows:
        batch.append(row)
        size += len("".join(row))
        width = max(width, len(row))
        if len(batch) == most or size + width * len(batch) > BATCH_TEXT:
            break
    return batch


def columns(batch: list[list[str]]) -> tuple[list[int], list[str]]:
    """Return how many cells each row has, and for each column its cells with NUL between them; missing ones are empty."""
    widths = [len(row) for row in batch]
    widest = max(widths)
    filled = [row if len(row) == widest else row + [""] * (widest - len(row)) for row in batch]
    return widths, ["\0".join(cells) for cells in zip(*filled, strict=True)]


class DamagedPageError(Exception):
    """The tags of a page's tables do not belong together."""


class TooMuchTextError(Exception):
    """A row, or the whole file, holds more than any export."""


def say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")  # json.dumps keeps to ASCII.
    sys.stdout.flush()


def texts(sheet: Sheet) -> Iterator[list[str]]:
    """Yield every row from the first of the sheet, hidden and empty ones too."""
    blank = [""] * (sheet.start[1] if sheet.start else 0)
    covered = merged_downwards(sheet)
    above: list[str] = []
    # A page writes every cell of a row; what a sheet leaves out at the end of a row is empty.
    is_whole = isinstance(sheet, HtmlTable)
    total = 0
    rows: Iterator[list[Any]] = sheet.iter_rows()
    for line, row in enumerate(rows):
        # Most cells are texts already, and a call for each costs more than all the rest.
        cells = blank + [cell if isinstance(cell, str) else cell_text(cell) for cell in row]
        for column in covered.get(line, ()):
            if column < len(cells):  # A merged cell may lie beyond everything that is written.
                cells[column] = above[column]
        above = list(cells) if line + 1 in covered else []
        while cells and not cells[-1] and not is_whole:
            cells.pop()
        text = "".join(cells)
        if "\0" in text:
            cells = [cell.replace("\0", "") for cell in cells]
        length = len(text)
        total += length
        if length > MAX_ROW or total > MAX_TEXT:
            raise TooMuchTextError
        yield cells


def merged_downwards(sheet: Sheet) -> dict[int, list[int]]:
    """Return for each line the columns in which a merged cell of the line above goes on; it is read once for every line."""
    ranges: list[Any] = getattr(sheet, "merged_cell_ranges", None) or []
    covered: dict[int, list[int]] = {}
    for (first, column), (last, _) in ranges[:MAX_MERGED]:
        for line in range(first + 1, min(last, first + MAX_MERGED) + 1):
            covered.setdefault(line, []).append(column)
    return covered


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
    return "" if cell is None else str(cell)


Sheet = python_calamine.CalamineSheet | HtmlTable | XmlSheet

if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:  # Its text may quote the file.
        say({"error": type(error).__name__})
