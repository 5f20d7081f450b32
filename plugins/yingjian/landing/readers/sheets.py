"""Reads one spreadsheet in a subprocess with resource limits: `python sheets.py FILE KIND ROWS`.

A file of a few hundred bytes (one cell at each corner of a sheet) can make a spreadsheet library allocate half a terabyte, and
the process is killed without an exception. Here only the subprocess dies. It imports nothing of the project, so that it starts
fast. The protocol is JSON lines on stdout: first a list of `[sheet, whether it counts days from 1904, leading blank rows, its
first rows]`; then, for each sheet number read from stdin, batches of rows (see `columns`) and a final null. All cells are text;
the zero of a formula ends with ZERO.
"""

from __future__ import annotations

import json
import posixpath
import re
import resource
import struct
import sys
import zipfile
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
DATES_OF_1904 = "{urn:schemas-microsoft-com:office:excel}Date1904"
# This noncharacter, which no XML may contain, marks a zero that a formula has computed: perhaps from an empty cell.
ZERO = "\uffff"
EXACT_INTEGERS = 10**15  # Spreadsheets keep 15 significant digits; a longer number has been rounded.


def main(path: str, kind: str, batch_rows: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # A core dump would hold personal data; see settings.
    sheets = {"html": html_tables, "xml": xml_sheets}.get(kind, workbook_sheets)(path)
    say([[sheet.name, sheet.is_1904, *head(sheet)] for sheet in sheets])
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
        # Calamine releases the GIL, so both run in parallel.
        with ThreadPoolExecutor(1) as pool:
            notes = pool.submit(notes_of, path, workbook.sheet_names)
            sheets = [workbook.get_sheet_by_name(name) for name in workbook.sheet_names]
        return [BookSheet(sheet, notes.result().get(sheet.name, Notes())) for sheet in sheets]


class Notes:
    """Facts about a sheet that calamine does not report.

    shown: line -> column -> text, for cells that calamine returns differently from what a person sees; zeros: line -> columns of
    zeros that formulas computed; merged: first and last cell of each merged range. All indexes start at 0. is_1904: whether days
    are counted from 1904.
    """

    def __init__(self, is_1904: bool = False) -> None:
        self.shown: dict[int, dict[int, str]] = {}
        self.zeros: dict[int, list[int]] = {}
        self.merged: list[tuple[tuple[int, int], tuple[int, int]]] = []
        self.is_1904 = is_1904

    def show(self, line: int, column: int, text: str) -> None:
        if line >= MAX_ROWS or column >= MAX_CELLS:
            raise TooMuchTextError
        self.shown.setdefault(line, {})[column] = text


class BookSheet:
    """A sheet of a workbook: calamine's data with our notes applied."""

    def __init__(self, sheet: python_calamine.CalamineSheet, notes: Notes) -> None:
        self.name, self.start = sheet.name, sheet.start
        self.merged_cell_ranges = sheet.merged_cell_ranges or notes.merged
        self.shown, self.zeros, self.is_1904 = notes.shown, notes.zeros, notes.is_1904
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
# value, unless its result is declared as text, and _ZERO_RESULT one whose value is the number zero.
_ODD = (
    rb"<(?:\w+:)?c\b(?=[^>]*\s(?:t=[\"']e[\"']|s=[\"'](?:%s)[\"']))(?P<attributes>[^>]*[^/>])>"
    rb"(?P<content>.*?)</(?:\w+:)?c>"
)
_FORMULA = (
    rb"<(?:\w+:)?c\b(?![^>]*\bt=[\"']%s)(?P<attributes>[^>]*)><(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*"
)
_UNCOMPUTED = re.compile(_FORMULA % b"str" + rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</")
_ZERO_RESULT = re.compile(_FORMULA % b"[sbe]" + rb"<(?:\w+:)?v>0</")
_ROW_NUMBER, _ROW_END = re.compile(rb"row\b[^>]*?\sr=[\"']([0-9]{1,7})[\"']"), re.compile(rb"</(?:\w+:)?row>")
_CELL, _VALUE = re.compile(rb"<(?:\w+:)?c\b"), re.compile(rb"<(?:\w+:)?v\b[^>]*>([^<]*)</")
_ATTRIBUTE, _REFERENCE = re.compile(rb"\s(\w+)=[\"']([^\"']*)"), re.compile(rb"\sr=[\"']([A-Z]{1,3})([0-9]{1,7})[\"']")
# A program wrote the formula and no spreadsheet has computed it yet; landing rejects it as an error value.
NO_RESULT = "#N/A"
_ZEROS, _ZEROS_IN_FRONT = re.compile("0{2,}"), re.compile("0[0-9]{1,14}")
_ERROR = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!)")


def notes_of(path: str, names: list[str]) -> dict[str, Notes]:
    """Return the notes of each sheet by name; names: all sheets in their order.

    Calamine returns error values and uncomputed formulas as empty cells, drops leading zeros that come from a number format,
    does not tell which cells have formulas, and ignores merged cells of an .ods. XML is parsed only if a byte search finds one
    of these.
    """
    if not zipfile.is_zipfile(path):
        return xls_notes(path, names)
    with zipfile.ZipFile(path) as archive:
        parts = {name.replace("\\", "/").lower(): name for name in archive.namelist()}
        if "xl/workbook.xml" in parts:
            return xlsx_notes(archive, parts)
        return ods_notes(archive, parts["content.xml"]) if "content.xml" in parts else {}


# Records of an .xls ([MS-XLS]): end of a part; the date system, formats, styles and sheets of the workbook; cells with numbers,
# one error, or a formula.
XLS_END, XLS_DATES, XLS_FORMAT, XLS_STYLE, XLS_SHEET = 0x000A, 0x0022, 0x041E, 0x00E0, 0x0085
XLS_NUMBER, XLS_SHORT, XLS_SHORTS, XLS_ERROR, XLS_FORMULA = 0x0203, 0x027E, 0x00BD, 0x0205, 0x0006
XLS_CELLS = frozenset((XLS_NUMBER, XLS_SHORT, XLS_SHORTS, XLS_ERROR, XLS_FORMULA))
XLS_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}
BIFF8 = b"\x00\x06"


def xls_notes(path: str, names: list[str]) -> dict[str, Notes]:
    stream = xls_stream(path)
    is_1904, codes, styles, places = False, {}, [], []
    # A format's text follows its number and length; BIFF8 has a longer length and a byte of flags.
    text_from = 5 if stream[4:6] == BIFF8 else 3
    for kind, data in xls_records(stream, 0):
        if kind == XLS_DATES:
            is_1904 = data[0] == 1
        elif kind == XLS_FORMAT:
            codes[data[:2]] = data[text_from:].replace(b"\0", b"").decode("latin-1")
        elif kind == XLS_STYLE:
            styles.append(data[2:4])
        elif kind == XLS_SHEET:
            places.append(int.from_bytes(data[:4], "little"))
    digits = {number: len(code) for number, code in codes.items() if _ZEROS.fullmatch(code)}
    padded = {style: digits[number] for style, number in enumerate(styles) if number in digits}
    return {
        name: xls_sheet_notes(stream, place, padded, Notes(is_1904)) for name, place in zip(names, places, strict=True)
    }


def xls_sheet_notes(stream: bytes, place: int, padded: dict[int, int], notes: Notes) -> Notes:
    for kind, data in xls_records(stream, place):
        if kind not in XLS_CELLS:
            continue
        line, column, style = struct.unpack_from("<3H", data)
        if kind == XLS_ERROR or (kind == XLS_FORMULA and data[12:14] == b"\xff\xff"):
            is_error, code = (data[7] == 1, data[6]) if kind == XLS_ERROR else (data[6] == 2, data[8])
            if is_error:
                notes.show(line, column, XLS_ERRORS.get(code, NO_RESULT))
            continue
        numbers = [(style, data[6:])]
        if kind == XLS_SHORTS:
            numbers = [(int.from_bytes(data[i : i + 2], "little"), data[i + 2 :]) for i in range(4, len(data) - 2, 6)]
        for place_in_row, (style, number) in enumerate(numbers, column):
            if style in padded or kind == XLS_FORMULA:
                value = short_number(number) if kind in (XLS_SHORT, XLS_SHORTS) else struct.unpack_from("<d", number)[0]
                if kind == XLS_FORMULA and value == 0:
                    notes.zeros.setdefault(line, []).append(place_in_row)
                if (text := padded_text(value, padded.get(style, 0))) is not None:
                    notes.show(line, place_in_row, text)
    return notes


def short_number(data: bytes) -> float:
    """Return a number that an .xls keeps in four bytes: an integer or the upper half of a double, perhaps times a hundred."""
    [whole] = struct.unpack_from("<i", data)
    value = whole >> 2 if whole & 2 else struct.unpack("<d", bytes(4) + struct.pack("<i", whole & ~3))[0]
    return float(value) / 100 if whole & 1 else float(value)


def xls_records(stream: bytes, place: int) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and content of each record from a place to the end of that part of the workbook."""
    while place + 4 <= len(stream):
        kind, length = struct.unpack_from("<2H", stream, place)
        if kind == XLS_END:
            return
        yield kind, stream[place + 4 : place + 4 + length]
        place += 4 + length


def xls_stream(path: str) -> bytes:
    """Return the workbook in an .xls, which is a small file system."""
    import olefile

    with olefile.OleFileIO(path) as file:
        data: bytes = file.openstream("Workbook" if file.exists("Workbook") else "Book").read()
        return data


def xlsx_notes(archive: zipfile.ZipFile, parts: dict[str, str]) -> dict[str, Notes]:
    padded = zero_formats(archive, parts)
    with archive.open(parts["xl/workbook.xml"]) as file:
        is_1904 = re.search(rb"\sdate1904=[\"'](?:1|true)", file.read(BLOCK_BYTES)) is not None
    notes: dict[str, Notes] = {}
    for name, part in sheet_parts(archive, parts):
        with archive.open(part) as file:
            notes[name] = xlsx_sheet_notes(file, padded, Notes(is_1904))
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


def has_sign(archive: zipfile.ZipFile, part: str, sign: re.Pattern[bytes]) -> bool:
    """Return whether a pattern matches in an archive member; a match has at most SIGN_BYTES."""
    rest = b""
    with archive.open(part) as file:
        while block := file.read(BLOCK_BYTES):
            block = rest + block
            if sign.search(block):
                return True
            rest = block[-SIGN_BYTES:]
    return False


def xlsx_sheet_notes(file: IO[bytes], padded: dict[str, int], notes: Notes) -> Notes:
    signs = (*ERROR_CELLS, *(f's="{style}"'.encode() for style in padded))
    odd = re.compile(_ODD % "|".join(padded).encode(), re.S)
    lines, rest, row_end = 0, b"", b"</row>"
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
        has_zero = _ZERO_RESULT.search(whole) if b"v>0</" in whole and (b"<f" in whole or b":f" in whole) else None
        if not has_odd and not has_uncomputed and not has_zero:
            lines += whole.count(b"<row") or whole.count(row_end) + 1
            continue
        for row in whole.split(row_end):
            lines += max(1, row.count(b"<row"))  # A row without cells may be self-closing.
            for cell in _UNCOMPUTED.finditer(row) if has_uncomputed else ():
                notes.show(*place_of(cell, row, lines - 1), NO_RESULT)
            for cell in _ZERO_RESULT.finditer(row) if has_zero else ():
                zero_line, column = place_of(cell, row, lines - 1)
                notes.zeros.setdefault(zero_line, []).append(column)
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
    return padded_text(number, padded.get(attributes["s"], 0))


def padded_text(number: float, digits: int) -> str | None:
    """Return a whole number with the zeros in front that its format shows; None for any other number."""
    is_whole = digits and number.is_integer() and 0 <= number < EXACT_INTEGERS
    return str(int(number)).zfill(digits) if is_whole else None


TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
# These values stand for zero: a number, a date in either system, and a time.
ODS_ZEROS = ("0", "1899-12-30", "1904-01-01", "PT00H00M00S")
# The pattern finds an error, merged cells, zeros in front of a number, days that are counted from 1904, and a formula's zero.
ODS_SIGN = re.compile(
    rb'value-type="error"|number-rows-spanned|>#|"float"[^>]*>\s*<text:p>0[0-9]|null-date[^>]*"1904'
    rb'|formula="[^>]*value="(?:%s)"' % "|".join(ODS_ZEROS).encode()
)
SIGN_BYTES = 4096


def ods_notes(archive: zipfile.ZipFile, part: str) -> dict[str, Notes]:
    from lxml import etree

    notes: dict[str, Notes] = {}
    if not has_sign(archive, part, ODS_SIGN):
        return notes
    current, line, is_1904 = Notes(), 0, False
    tags = [TABLE + "table", TABLE + "table-row", TABLE + "null-date"]
    with archive.open(part) as file:
        for event, element in etree.iterparse(
            file, ("start", "end"), tag=tags, recover=True, huge_tree=True, resolve_entities=False, no_network=True
        ):
            if element.tag == TABLE + "null-date":
                is_1904 = (element.get(TABLE + "date-value") or "").startswith("1904")
            elif element.tag == TABLE + "table":
                if event == "start":
                    current, line = notes.setdefault(element.get(TABLE + "name") or "", Notes(is_1904)), 0
            elif event == "end":
                repeated = count_of(element, TABLE + "number-rows-repeated")
                note_ods_row(element, range(line, line + repeated), current)
                line += repeated
                forget(element)
    return notes


def note_ods_row(row: Any, lines: range, notes: Notes) -> None:
    """Note the cells of a row, which stands in one line or is repeated in several."""
    column = 0
    for cell in row.iterchildren(TABLE + "table-cell", TABLE + "covered-table-cell"):
        width = count_of(cell, TABLE + "number-columns-repeated")
        height = count_of(cell, TABLE + "number-rows-spanned")
        if height > 1:
            notes.merged.append(((lines[0], column), (lines[0] + height - 1, column)))
        values, has_formula = cell.values(), cell.get(TABLE + "formula") is not None
        text = "".join(cell.itertext("{*}p")).strip() if has_formula or "float" in values else ""
        shown, is_zero = None, False
        # A computed error is marked by a value type or only by the displayed text, depending on the program.
        if has_formula and (_ERROR.fullmatch(text) or "error" in values):
            shown = text if _ERROR.fullmatch(text) else NO_RESULT
        else:
            is_zero = has_formula and not {*ODS_ZEROS}.isdisjoint(values)
            if _ZEROS_IN_FRONT.fullmatch(text) and str(int(text)) in values:
                shown = text
        for line in lines if shown is not None or is_zero else ():
            for place in range(column, min(column + width, MAX_CELLS)):
                if shown is not None:
                    notes.show(line, place, shown)
                if is_zero:
                    notes.zeros.setdefault(line, []).append(place)
        column += width


def count_of(element: Any, name: str) -> int:
    """Return the number in an attribute; 1 if there is none."""
    text = element.get(name) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1


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

    start, is_1904 = (0, 0), False

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

    def __init__(self, name: str, path: str, number: int, is_1904: bool) -> None:
        self.name, self.is_1904 = name, is_1904
        self._path = path
        self._number = number

    def iter_rows(self) -> Iterator[list[Any]]:
        number, line = -1, 0
        merged: dict[int, tuple[int, Any]] = {}
        for event, element in xml_elements(self._path, ML + "Worksheet", ML + "Row"):
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
    is_1904 = False
    for event, element in xml_elements(path, ML + "Worksheet", ML + "Row", DATES_OF_1904):
        if element.tag == DATES_OF_1904:
            is_1904 = True
        elif event == "start" and element.tag == ML + "Worksheet":
            sheets.append(XmlSheet(element.get(ML + "Name") or "", path, len(sheets), is_1904))
            if len(sheets) > MAX_SHEETS:
                raise TooMuchTextError
        elif event == "end":
            forget(element)
    return sheets


def xml_elements(path: str, *tags: str) -> Iterator[tuple[str, Any]]:
    from lxml import etree  # This import is slow and few files need it.

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
            value = xml_value(data.get(ML + "Type"), "".join(data.itertext()))
            is_zero = value == 0 and cell.get(ML + "Formula") is not None
            cells.append(f"0{ZERO}" if is_zero else value)
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
    zeros: dict[int, list[int]] = getattr(sheet, "zeros", {})
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
        for column in zeros.get(line, ()):
            if column < len(cells) and cells[column]:
                cells[column] += ZERO
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
