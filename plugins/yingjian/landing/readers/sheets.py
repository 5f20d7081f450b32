"""Reads one spreadsheet in a subprocess with resource limits: `python sheets.py FILE KIND ROWS`.

A file of a few hundred bytes (one cell at each corner of a sheet) can make a spreadsheet library allocate half a terabyte, and
the process is killed without an exception. Here only the subprocess dies. It imports nothing of the project, so that it starts
fast. The protocol is JSON lines on stdout: first a list of `[sheet, its first rows]`; then, for each sheet number read from
stdin, batches of rows (see `columns`) and a final null. All cells are text.
"""

from __future__ import annotations

import json
import posixpath
import re
import resource
import sys
import zipfile
from bisect import bisect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time
from itertools import chain, islice
from typing import IO, Any

import python_calamine

# A sheet that is full to its last row, with the columns of the widest feed, needs less than half of this.
MEMORY_BYTES = 4 << 30
CPU_SECONDS = 600
# Characters of a row, and of everything read: a shared string may be referenced by any number of cells.
MAX_ROW, MAX_TEXT = 4_000_000, 2_000_000_000
BATCH_TEXT = 4_000_000
MAX_SHEETS = 200
# Bytes of a sheet's XML that are read at once, and the most that a row may have.
BLOCK_BYTES, MAX_ROW_BYTES = 1 << 20, 16 << 20
MAX_MERGED = 10_000  # Only so many merged ranges of a sheet are filled, and so many lines of each.
HEAD_ROWS, HEAD_COLUMNS, HEAD_CELL = 7, 2001, 200  # There may be five title lines and a two-row header.
MAX_ROWS, MAX_CELLS = 1 << 20, 1 << 14  # The .xlsx format allows no more.
ML = "{urn:schemas-microsoft-com:office:spreadsheet}"
EXACT_INTEGERS = 10**15  # Spreadsheets keep 15 significant digits; a longer number has been rounded.


def main(path: str, kind: str, batch_rows: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # A core dump would hold personal data; see settings.
    sheets = {"html": html_tables, "xml": xml_sheets}.get(kind, workbook_sheets)(path)
    say([[sheet.name, *head(sheet)] for sheet in sheets])
    for number in sys.stdin:
        rows = texts(sheets[int(number)])
        while batch := some(rows, int(batch_rows)):
            say(columns(batch))
        say(None)


def workbook_sheets(path: str) -> list[Sheet]:
    # from_filelike detects the format by content, from_path would trust the file's extension.
    with open(path, "rb") as file:
        workbook = python_calamine.CalamineWorkbook.from_filelike(file)
        if len(workbook.sheet_names) > MAX_SHEETS:
            raise TooMuchTextError
        worksheets = [s.name for s in workbook.sheets_metadata if s.typ == python_calamine.SheetTypeEnum.WorkSheet]
        # Calamine releases the GIL, so both run in parallel.
        with ThreadPoolExecutor(1) as pool:
            notes = pool.submit(notes_of, path, worksheets)
            sheets = [workbook.get_sheet_by_name(name) for name in workbook.sheet_names]
        return [BookSheet(sheet, notes.result().get(sheet.name, Notes())) for sheet in sheets]


class Notes:
    """Facts about a sheet that calamine does not report.

    shown: line -> column -> text, for cells that calamine returns differently from what a person sees; merged: first and last
    cell of each merged range. All indexes start at 0.
    """

    def __init__(self) -> None:
        self.shown: dict[int, dict[int, str]] = {}
        self.merged: list[tuple[tuple[int, int], tuple[int, int]]] = []

    def show(self, line: int, column: int, text: str) -> None:
        if line >= MAX_ROWS or column >= MAX_CELLS:
            raise TooMuchTextError
        self.shown.setdefault(line, {})[column] = text


class BookSheet:
    """A sheet of a workbook: calamine's data with our notes applied."""

    def __init__(self, sheet: python_calamine.CalamineSheet, notes: Notes) -> None:
        self.name, self.start = sheet.name, sheet.start
        self.merged_cell_ranges = sheet.merged_cell_ranges or notes.merged
        self.shown = notes.shown
        self._sheet = sheet

    def iter_rows(self) -> Iterator[list[Any]]:
        if not self.shown:
            yield from self._sheet.iter_rows()
            return
        lines = 0
        for row in self._sheet.iter_rows():
            lines += 1
            yield row
        # Calamine stops at the last cell with a value; cells that only the notes know may lie below it.
        yield from ([] for _ in range(lines, max(self.shown) + 1))


ERROR_CELLS = (b't="e"', b"t='e'")
# An XML parser needs half a minute for the cells of 100,000 rows, so regular expressions pre-filter the few forms that programs
# write. _ODD matches an .xlsx cell with an error value or one of the given styles. _UNCOMPUTED matches a formula without a
# value, unless its result is declared as text.
_ODD = (
    rb"<(?:\w+:)?c\b(?=[^>]*\s(?:t=[\"']e[\"']|s=[\"'](?:%s)[\"']))(?P<attributes>[^>]*[^/>])>"
    rb"(?P<content>.*?)</(?:\w+:)?c>"
)
_UNCOMPUTED = re.compile(
    rb"<(?:\w+:)?c\b(?![^>]*\bt=[\"']str)(?P<attributes>[^>]*)><(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</"
)
_ROW_NUMBER, _ROW_END = re.compile(rb"row\b[^>]*?\sr=[\"']([0-9]{1,7})[\"']"), re.compile(rb"</(?:\w+:)?row>")
_CELL, _VALUE = re.compile(rb"<(?:\w+:)?c\b"), re.compile(rb"<(?:\w+:)?v\b[^>]*>([^<]*)</")
_ATTRIBUTE, _REFERENCE = re.compile(rb"\s(\w+)=[\"']([^\"']*)"), re.compile(rb"\sr=[\"']([A-Z]{1,3})([0-9]{1,7})[\"']")
# A program wrote the formula and no spreadsheet has computed it yet; landing rejects it as an error value.
NO_RESULT = "#N/A"
_ZEROS = re.compile("0{2,}")
_ERROR = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!)")


def notes_of(path: str, worksheets: list[str]) -> dict[str, Notes]:
    """Return the notes of each sheet by name; worksheets: the names of all sheets except charts.

    Calamine returns error values and uncomputed formulas as empty cells, drops leading zeros that come from an .xlsx number
    format, and ignores merged cells of an .ods. XML is parsed only if a byte search finds one of these.
    """
    if not zipfile.is_zipfile(path):
        return xls_notes(path, worksheets)
    with zipfile.ZipFile(path) as archive:
        parts = {name.replace("\\", "/").lower(): name for name in archive.namelist()}
        if "xl/workbook.xml" in parts:
            return xlsx_notes(archive, parts)
        return ods_notes(archive, parts["content.xml"]) if "content.xml" in parts else {}


# BIFF records of an .xls: start of a worksheet; cell with an error value; formula whose result is an error.
XLS_RECORDS = re.compile(
    rb"(?P<sheet>\x09\x08[\x08\x10]\x00\x00[\x05\x06]\x10\x00)"
    rb"|\x05\x02\x08\x00(?P<cell>.{4})..(?P<error>[\x00\x07\x0f\x17\x1d\x24\x2a])\x01"
    rb"|\x06\x00[\x16-\xff].(?P<formula>.{4})..\x02.(?P<result>[\x00\x07\x0f\x17\x1d\x24\x2a])...\xff\xff",
    re.S,
)
XLS_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}


def xls_notes(path: str, worksheets: list[str]) -> dict[str, Notes]:
    """Return the error cells of an .xls. Raises UnplacedErrorsError if they cannot be assigned to sheets by their order."""
    with open(path, "rb") as file:
        content = file.read()
    records = list(XLS_RECORDS.finditer(content))
    sheets = [record.start() for record in records if record["sheet"]]
    errors = [record for record in records if not record["sheet"]]
    if errors and (len(sheets) != len(worksheets) or errors[0].start() < sheets[0]):
        raise UnplacedErrorsError
    notes = {name: Notes() for name in worksheets}
    for record in errors:
        place = record["cell"] or record["formula"]
        text = XLS_ERRORS[ord(record["error"] or record["result"])]
        name = worksheets[bisect(sheets, record.start()) - 1]
        notes[name].show(int.from_bytes(place[:2], "little"), int.from_bytes(place[2:], "little"), text)
    return notes


def xlsx_notes(archive: zipfile.ZipFile, parts: dict[str, str]) -> dict[str, Notes]:
    padded = zero_formats(archive, parts)
    notes: dict[str, Notes] = {}
    for name, part in sheet_parts(archive, parts):
        with archive.open(part) as file:
            notes[name] = xlsx_sheet_notes(file, padded)
    return notes


def zero_formats(archive: zipfile.ZipFile, parts: dict[str, str]) -> dict[str, int]:
    """Return the cell styles whose number format consists of zeros, with the number of digits displayed."""
    if "xl/styles.xml" not in parts:
        return {}
    styles = xml_root(archive, parts["xl/styles.xml"])
    codes = {style.get("numFmtId"): style.get("formatCode") or "" for style in styles.iterfind("{*}numFmts/{*}numFmt")}
    digits = {number: len(code) for number, code in codes.items() if _ZEROS.fullmatch(code)}
    formats = [style.get("numFmtId") for style in styles.iterfind("{*}cellXfs/{*}xf")]
    return {str(style): digits[number] for style, number in enumerate(formats) if number in digits}


def sheet_parts(archive: zipfile.ZipFile, parts: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each sheet's name and the member of the archive that holds it."""
    relations = parts.get("xl/_rels/workbook.xml.rels")
    if relations is None:
        return
    targets = {relation.get("Id"): relation.get("Target") or "" for relation in xml_root(archive, relations)}
    for sheet in xml_root(archive, parts["xl/workbook.xml"]).iterfind("{*}sheets/{*}sheet"):
        key = next((value for name, value in sheet.attrib.items() if name.endswith("}id")), None)
        target = posixpath.normpath(posixpath.join("/xl", targets.get(key, ""))).lstrip("/").lower()
        if target in parts:
            yield sheet.get("name") or "", parts[target]


def xml_root(archive: zipfile.ZipFile, part: str) -> Any:
    from lxml import etree  # Importing lxml is slow, so only files that need it do.

    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True)
    return etree.fromstring(archive.read(part), parser)


def has_any(archive: zipfile.ZipFile, part: str, signs: tuple[bytes, ...]) -> bool:
    """Return whether an archive member contains one of the given byte strings."""
    rest = b""
    with archive.open(part) as file:
        while block := file.read(BLOCK_BYTES):
            block = rest + block
            if any(sign in block for sign in signs):
                return True
            rest = block[-max(map(len, signs)) :]
    return False


def xlsx_sheet_notes(file: IO[bytes], padded: dict[str, int]) -> Notes:
    signs = (*ERROR_CELLS, *(f's="{style}"'.encode() for style in padded))
    odd = re.compile(_ODD % "|".join(padded).encode(), re.S)
    notes, lines, rest, row_end = Notes(), 0, b"", b"</row>"
    while block := file.read(BLOCK_BYTES):
        block = rest + block
        if row_end not in block and (other := _ROW_END.search(block)):
            row_end = other[0]
        whole, row_end_found, rest = block.rpartition(row_end)
        if not row_end_found:
            rest = rest[-MAX_ROW_BYTES:]
            continue
        has_odd = any(sign in whole for sign in signs)
        has_uncomputed = may_have_uncomputed(whole) and _UNCOMPUTED.search(whole)
        if not has_odd and not has_uncomputed:
            lines += whole.count(b"<row") or whole.count(row_end) + 1
            continue
        for row in whole.split(row_end):
            lines += max(1, row.count(b"<row"))  # A row without cells may be self-closing.
            for cell in _UNCOMPUTED.finditer(row) if has_uncomputed else ():
                notes.show(*place_of(cell, row, lines - 1), NO_RESULT)
            for cell in odd.finditer(row) if has_odd else ():
                if (text := odd_text(cell, padded)) is not None:
                    notes.show(*place_of(cell, row, lines - 1), text)
    return notes


def may_have_uncomputed(rows: bytes) -> bool:
    """Return whether some formula may lack a value; counting tags is faster than matching each cell."""
    if b"<f" not in rows:
        return b":f" in rows
    formulas = rows.count(b"<f>") + rows.count(b"<f ") + rows.count(b"<f/")
    return b":f" in rows or b"<v></v>" in rows or formulas > rows.count(b"</f><v>") + rows.count(b"/><v>")


def place_of(cell: re.Match[bytes], row: bytes, line: int) -> tuple[int, int]:
    """Return line and column of an .xlsx cell; line: fallback if neither the cell nor its row has a reference."""
    if reference := _REFERENCE.search(cell["attributes"]):
        return int(reference[2]) - 1, column_number(reference[1].decode())
    said = _ROW_NUMBER.search(row)
    return int(said[1]) - 1 if said else line, len(_CELL.findall(row, 0, cell.start()))


def odd_text(cell: re.Match[bytes], padded: dict[str, int]) -> str | None:
    """Return the text of an error cell or a zero-padded number; None if calamine's own text is right."""
    attributes = {name.decode(): value.decode() for name, value in _ATTRIBUTE.findall(cell["attributes"])}
    found = _VALUE.search(cell["content"])
    value = found[1].decode().strip() if found else ""
    if attributes.get("t") == "e":
        return value or NO_RESULT
    try:
        number = float(value) if attributes.get("t", "n") == "n" else -1.0
    except ValueError:
        return None
    is_whole = number.is_integer() and 0 <= number < EXACT_INTEGERS
    return str(int(number)).zfill(padded.get(attributes["s"], 0)) if is_whole else None


TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
ODS_SIGNS = (b'value-type="error"', b"number-rows-spanned", b">#")


def ods_notes(archive: zipfile.ZipFile, part: str) -> dict[str, Notes]:
    from lxml import etree

    notes: dict[str, Notes] = {}
    if not has_any(archive, part, ODS_SIGNS):
        return notes
    current, line = Notes(), 0
    tags = [TABLE + "table", TABLE + "table-row"]
    with archive.open(part) as file:
        for event, element in etree.iterparse(
            file, ("start", "end"), tag=tags, recover=True, huge_tree=True, resolve_entities=False, no_network=True
        ):
            if element.tag == TABLE + "table":
                if event == "start":
                    current, line = notes.setdefault(element.get(TABLE + "name") or "", Notes()), 0
            elif event == "end":
                note_ods_row(element, line, current)
                line += count_of(element, TABLE + "number-rows-repeated", 1)
                forget(element)
    return notes


def note_ods_row(row: Any, line: int, notes: Notes) -> None:
    column = 0
    for cell in row.iterchildren(TABLE + "table-cell", TABLE + "covered-table-cell"):
        width = count_of(cell, TABLE + "number-columns-repeated", 1)
        height = count_of(cell, TABLE + "number-rows-spanned", 1)
        if height > 1:
            notes.merged.append(((line, column), (line + height - 1, column)))
        # A computed error is marked by a value type or only by the displayed text, depending on the program.
        if cell.get(TABLE + "formula") is not None:
            text = "".join(cell.itertext("{*}p")).strip()
            if _ERROR.fullmatch(text) or any(value == "error" for value in cell.values()):
                for place in range(column, min(column + width, MAX_CELLS)):
                    notes.show(line, place, text if _ERROR.fullmatch(text) else NO_RESULT)
        column += width


def count_of(element: Any, name: str, otherwise: int) -> int:
    text = element.get(name) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else otherwise


def column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def forget(element: Any) -> None:
    """Free the memory of a parsed element and of its earlier siblings."""
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]


class HtmlTable:
    """An HTML table with the interface of a sheet. A merged cell's text appears in each of its rows, in its first column."""

    start = (0, 0)

    def __init__(self, name: str, table: Any) -> None:
        self.name = name
        self._table = table

    def iter_rows(self) -> Iterator[list[str]]:
        # The key is a column, the value the number of further rows that a cell above spans.
        covered: dict[int, int] = {}
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
                    cells.append("" if i else html_cell(cell))
            cover()
            above = cells
            yield cells


LINE_END = "\u2028"  # The line separator is valid in XML and rare in pages.
# Placeholder for a form field; the caller rejects a table that has it.
INPUT = "（输入框）"


def html_cell(cell: Any) -> str:
    lines = (" ".join(line.split()) for line in "".join(cell.itertext()).split(LINE_END))
    text = "\n".join(filter(None, lines))
    if not text and any(field.get("value", "").strip() for field in cell.iterfind(".//input") if is_text_field(field)):
        return INPUT
    return text


def is_text_field(field: Any) -> bool:
    return (field.get("type") or "text").lower() in ("text", "number", "tel", "date", "datetime-local", "time")


def span(cell: Any, name: str) -> int:
    text = cell.get(name) or "1"
    return min(max(int(text), 1), HEAD_COLUMNS) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def html_tables(path: str) -> list[Sheet]:
    """Return the innermost tables of an HTML page."""
    import lxml.html  # This import is slow and only HTML pages need it.

    with open(path, "rb") as file:
        content = file.read()
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True)
    text = html_text(content)
    page = lxml.html.document_fromstring(text.encode(), parser=parser)
    # Misplaced cells and rows, or an unclosed comment, would lose data silently.
    if text.count("<!--") > text.count("-->") or page.xpath(
        "//td[not(parent::tr)] | //th[not(parent::tr)] | //tr[not(ancestor::table)]"
    ):
        raise DamagedPageError
    lxml.etree.strip_elements(page, "script", "style", "button", with_tail=False)
    for field in page.iter("select"):  # Its text would be that of all options.
        field.clear(keep_tail=True)
        field.text = INPUT
    for element in page.iter("br", "p", "div", "li"):
        element.tail = LINE_END + (element.tail or "")
    tables = [table for table in page.iter("table") if table.find(".//table") is None]
    if len(tables) > MAX_SHEETS:
        raise TooMuchTextError
    return [HtmlTable(f"表{number}", table) for number, table in enumerate(tables, start=1)]


class XmlSheet:
    """A sheet of an Excel 2003 XML spreadsheet; each iteration streams the file again, to keep memory low."""

    start = (0, 0)

    def __init__(self, name: str, path: str, number: int) -> None:
        self.name = name
        self._path = path
        self._number = number

    def iter_rows(self) -> Iterator[list[Any]]:
        number, line = -1, 0
        merged: dict[int, tuple[int, Any]] = {}
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
                    yield xml_cells(element, line, merged)
                forget(element)


def xml_sheets(path: str) -> list[Sheet]:
    sheets: list[Sheet] = []
    for event, element in xml_elements(path, "Worksheet", "Row"):
        if event == "start" and element.tag == ML + "Worksheet":
            sheets.append(XmlSheet(element.get(ML + "Name") or "", path, len(sheets)))
            if len(sheets) > MAX_SHEETS:
                raise TooMuchTextError
        elif event == "end":
            forget(element)
    return sheets


def xml_elements(path: str, *names: str) -> Iterator[tuple[str, Any]]:
    from lxml import etree  # This import is slow and few files need it.

    tags = [ML + name for name in names]
    yield from etree.iterparse(
        path, events=("start", "end"), tag=tags, resolve_entities=False, load_dtd=False, no_network=True
    )


def index(element: Any, following: int, most: int) -> int:
    """Return an element's 1-based index, from its attribute or else the next position."""
    text = element.get(ML + "Index")
    place = int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else following
    if place > most:
        raise TooMuchTextError
    return max(place, following)


def xml_cells(row: Any, line: int, merged: dict[int, tuple[int, Any]]) -> list[Any]:
    """Return the values of a row. A merged cell's value appears in each of its rows, in its first column.

    merged: column -> last line and value of a cell merged from above; this row's merged cells are added to it.
    """
    cells: list[Any] = []
    below: dict[int, tuple[int, Any]] = {}
    for cell in row.iterchildren(ML + "Cell"):
        cells += [""] * (index(cell, len(cells) + 1, MAX_CELLS) - 1 - len(cells))
        data = cell.find(ML + "Data")
        if data is None:
            cells.append("" if cell.get(ML + "Formula") is None else NO_RESULT)
        else:
            cells.append(xml_value(data.get(ML + "Type"), "".join(data.itertext())))
        if down := merged_cells(cell, "MergeDown"):
            below[len(cells) - 1] = line + down, cells[-1]
        cells += [""] * merged_cells(cell, "MergeAcross")
        if len(cells) > MAX_CELLS:
            raise TooMuchTextError
    for column, (last, value) in merged.items() if cells else ():
        if line <= last:
            cells += [""] * (column + 1 - len(cells))
            cells[column] = value
    merged.update(below)
    return cells


def merged_cells(cell: Any, name: str) -> int:
    text = cell.get(ML + name) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


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
    """Decode a page by byte order mark, then by declared charset, else by the first encoding that fits."""
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
    """Return the number of leading blank rows, and the next rows, among which the header may be."""
    blank, rows = 0, texts(sheet)
    for row in rows:
        if any(row):
            rows = chain([row], rows)
            break
        blank += 1
    return blank, [[cell[:HEAD_CELL] for cell in row[:HEAD_COLUMNS]] for row in islice(rows, HEAD_ROWS)]


def some(rows: Iterator[list[str]], most: int) -> list[list[str]]:
    """Return the next rows, as many as fit into one message, at most `most`."""
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
    """Return the cell count of each row, and each column's cells joined by NUL; short rows are padded."""
    widths = [len(row) for row in batch]
    widest = max(widths)
    filled = [row if len(row) == widest else row + [""] * (widest - len(row)) for row in batch]
    return widths, ["\0".join(cells) for cells in zip(*filled, strict=True)]


class DamagedPageError(Exception):
    """Raised for a page whose table tags are not properly nested."""


class UnplacedErrorsError(Exception):
    """Raised for an .xls with error cells that cannot be assigned to its sheets."""


class TooMuchTextError(Exception):
    """Raised when a row or the whole file exceeds the limits."""


def say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")  # json.dumps escapes non-ASCII.
    sys.stdout.flush()


def texts(sheet: Sheet) -> Iterator[list[str]]:
    """Yield every row of the sheet from line 1, including hidden and empty ones."""
    blank = [""] * (sheet.start[1] if sheet.start else 0)
    covered = merged_downwards(sheet)
    above: list[str] = []
    shown: dict[int, dict[int, str]] = getattr(sheet, "shown", {})
    # In a spreadsheet, missing cells at the end of a row are empty. An HTML row writes all its cells, so none are removed
    # there.
    is_whole = isinstance(sheet, HtmlTable)
    total = 0
    rows: Iterator[list[Any]] = sheet.iter_rows()
    for line, row in enumerate(rows):
        # Most cells are text already; calling cell_text for each would dominate the run time.
        cells = blank + [cell if isinstance(cell, str) else cell_text(cell) for cell in row]
        for column, text in shown.get(line, {}).items():
            cells += [""] * (column + 1 - len(cells))
            cells[column] = text
        for column in covered.get(line, ()):
            if column < len(cells):  # A merged cell may lie beyond the last cell with data.
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
    """Return, by line, the columns that continue a vertically merged cell of the line above."""
    ranges: list[Any] = getattr(sheet, "merged_cell_ranges", None) or []
    covered: dict[int, list[int]] = {}
    for (first, column), (last, _) in ranges[:MAX_MERGED]:
        for line in range(first + 1, min(last, first + MAX_MERGED) + 1):
            covered.setdefault(line, []).append(column)
    return covered


def cell_text(cell: Any) -> str:
    """Return a cell's text as displayed: whole numbers without a decimal point, dates in ISO form."""
    if isinstance(cell, bool):
        return str(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < EXACT_INTEGERS else repr(cell)
    return "" if cell is None else str(cell)


Sheet = BookSheet | HtmlTable | XmlSheet

if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:  # The message may quote personal data, so only the type is passed on.
        say({"error": type(error).__name__})
