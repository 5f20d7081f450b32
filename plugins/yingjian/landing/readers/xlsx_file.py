"""Reads spreadsheets: every sheet that has the feed's header, with up to five title lines above it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Self, cast

import polars as pl

from yingjian.landing.archives import require_modest_directory
from yingjian.landing.errors import FileRejectedError, label
from yingjian.landing.feeds import Feed
from yingjian.landing.readers import sheets
from yingjian.landing.readers.layout import (
    TITLE_LINES,
    Chunk,
    Layout,
    Record,
    find_header,
    has_records,
    header_words,
    is_header,
    is_prefilled,
    is_record,
    later_layout,
    make_layout,
)
from yingjian.names import BLANKS

SHEET_LINES = 10_000_000  # Offset of line numbers between sheets; no sheet has as many rows.
BATCH_ROWS = 20_000  # A chunk has no more rows.
MAX_BYTES = 1 << 30  # The reader loads the whole file into memory.
# Excel saves a web page as a frameset; the sheets are in separate files.
NO_SHEET = {"html": "网页中没有表格（表格可能在另外的文件里）；请将表格另存为.xlsx或CSV后重新报送"}
MAX_UNPACKED = 4 << 30  # Bytes of XML; a sheet full to its last row has less than 1 GiB.


def read_xlsx(path: Path, feed: Feed, kind: str, reader: Reader | None) -> tuple[Layout, Iterator[Chunk]]:
    """Return layout and chunks of a spreadsheet of `feed`: every sheet with its header or with continuation rows, hidden ones
    too.

    kind: "html" for a page whose tables serve as sheets, "xml" for an Excel 2003 XML spreadsheet; any other kind is detected by
    content. reader: a reader already started on this file. Line numbers of the n-th sheet start at n × SHEET_LINES. A sheet
    with some of the columns but no keys or 更新时间 is ignored, since it describes other records. Raises FileRejectedError if no
    sheet has the header or a sheet with records lacks a column, possibly only while its chunks are read.
    """
    reader = reader or Reader(path, kind)
    tables: list[_Table] = []
    without_header: list[tuple[int, str, list[list[str]]]] = []
    ignored: list[str] = []
    problem = FileRejectedError(NO_SHEET.get(kind, "电子表格中没有工作表"))
    for number, (name, is_1904, blank, head) in enumerate(reader.heads):
        try:
            last_row, header = find_header(head[: TITLE_LINES + 2], feed)
        except FileRejectedError as error:
            without_header.append((number, name, head))
            problem = error
            continue
        try:
            layout = make_layout(header, feed)
        except FileRejectedError as error:
            problem = FileRejectedError(f"工作表“{label(name)}”：{error}") if len(reader.heads) > 1 else error
            if has_records(header, feed):
                raise problem from None
            ignored.append(f"工作表“{label(name)}”")
            continue
        above = tuple(blank + line for line, row in enumerate(head[:last_row], 1) if is_record(row, layout, feed))
        tables.append(_Table(number, label(name), is_1904, blank + last_row + 1, above, layout))
    if not tables:
        raise problem
    for number, name, head in without_header:
        # A sheet without a header uses the columns of the sheet before it, or of the first sheet with a header.
        like = max(
            (table for table in tables if table.number < number), key=lambda table: table.number, default=tables[0]
        )
        if any(is_record(row, like.layout, feed) for row in head):
            tables.append(replace(like, number=number, name=label(name), header_line=0, above=()))
        elif any(map(any, head)):
            ignored.append(f"工作表“{label(name)}”")
    tables.sort(key=lambda table: table.number)
    extra = [*tables[0].layout.extra_columns, *ignored]
    layout = replace(tables[0].layout, extra_columns=tuple(dict.fromkeys(extra)))
    return layout, _chunks(reader, tables, feed, is_padded=kind != "html")


@dataclass(frozen=True)
class _Table:
    """A sheet with rows of the feed.

    is_1904: whether it counts days from 1904; header_line: 0 if the sheet has no header and continues the one before; above:
    lines of records above the header.
    """

    number: int
    name: str
    is_1904: bool
    header_line: int
    above: tuple[int, ...]
    layout: Layout


def _chunks(reader: Reader, tables: list[_Table], feed: Feed, is_padded: bool) -> Iterator[Chunk]:
    with reader:
        for i, table in enumerate(tables):
            place = f"工作表“{table.name}”" if len(tables) > 1 else ""
            is_row = (pl.col("line") > table.header_line) | pl.col("line").is_in(table.above)
            below = (rows.filter(is_row) for rows in reader.rows(table.number))
            if not is_padded:
                below = (_without_filter(rows, table, is_only=len(tables) == 1) for rows in below)
            for rows, its_layout in _sections(below, table.layout, feed, place):
                if not is_padded:
                    _require_text(rows, its_layout)
                numbered = rows.with_columns(pl.col("line") + i * SHEET_LINES)
                chunk = _chunk(numbered, its_layout, feed, is_padded)
                if table.is_1904:
                    chunk = replace(chunk, cells=chunk.cells.with_columns(_days_of_1904(feed)))
                yield replace(chunk, place=place)


def _without_filter(rows: pl.DataFrame, table: _Table, *, is_only: bool) -> pl.DataFrame:
    """Drop the row below a page's header if it holds only input fields: those are column filters.

    is_only: whether it is the only table. The only row of a page may be a form.
    """
    if not table.header_line or (is_only and rows.height < 2):
        return rows
    is_below = pl.col("line") == table.header_line + 1
    return rows.filter(~(is_below & pl.all_horizontal(True, _cells().is_in(["", sheets.INPUT]))))


def _require_text(rows: pl.DataFrame, layout: Layout) -> None:
    """Reject a page with input fields in the feed's columns: a saved page may not contain the values that were entered."""
    names = {str(position) for position in layout.positions if position is not None}.intersection(rows.columns)
    if rows.select(pl.any_horizontal(False, *((pl.col(name) == sheets.INPUT).any() for name in names))).item():
        raise FileRejectedError("网页的表格里是输入框，不是文字，无法可靠读取；请从系统导出.xlsx或CSV后重新报送")


def _days_of_1904(feed: Feed) -> Iterator[pl.Expr]:
    """Yield expressions that mark bare serial numbers in date columns of a 1904 workbook, so that they are rejected.

    Such a number may have been typed, or pasted from a workbook that counts from 1900: the two differ by four years.
    """
    for column in feed.columns:
        if column.kind in ("date", "time"):
            yield pl.col(column.name).str.replace(r"^\s*(\d{1,5}(?:\.\d+)?)\s*$", "$1（1904年日期系统）")


def _sections(
    batches: Iterator[pl.DataFrame], layout: Layout, feed: Feed, place: str
) -> Iterator[tuple[pl.DataFrame, Layout]]:
    """Split the rows of a sheet at each further header row; yield each part with its layout. place: the sheet, for messages."""
    # A header cell may have blanks inside the word and other marks around it.
    words = "|".join(f"[{BLANKS}]*".join(map(re.escape, word)) for word in header_words(feed))
    for rows in batches:
        start = 0
        is_named = rows.select(pl.any_horizontal(False, _cells().str.contains(words))).to_series()
        for row in is_named.arg_true():
            cells = _sent(rows.row(row))
            if is_header(cells, feed):
                yield rows[start:row], layout
                start, layout = row + 1, later_layout(cells, feed, f"{place}第{rows['line'][row]}行")
        yield rows[start:], layout


def _chunk(rows: pl.DataFrame, layout: Layout, feed: Feed, is_padded: bool) -> Chunk:
    """Make a chunk of `feed` from the rows of `Reader.rows`, without blank ones.

    is_padded: whether cells missing at the end of a row count as empty.
    """
    rows = rows.filter(pl.any_horizontal(False, _is_given(_cells())))
    columns = rows.columns[2:]
    rows = rows.with_columns(pl.lit("").alias(str(i)) for i in range(len(columns), layout.width))
    has_more = pl.any_horizontal(False, *(_is_given(pl.col(name)) for name in columns[layout.width :]))
    has_less = pl.lit(not is_padded) & (pl.col("width") < layout.required)
    is_broken = rows.select(has_more | has_less).to_series()
    is_ahead = None
    if rows.select(pl.any_horizontal(False, _cells().str.ends_with(sheets.ZERO).any())).item():
        own = pl.col([str(position) for position in layout.positions if position is not None])
        without_zeros = own.str.replace(f".*{sheets.ZERO}$", "")
        is_ahead = rows.filter(~is_broken).select(is_prefilled(without_zeros)).to_series()
        rows = rows.with_columns(_cells().str.strip_suffix(sheets.ZERO))
    broken = [
        Record(line, cells, ",".join(cells))
        for line, cells in ((row[0], _sent(row)) for row in rows.filter(is_broken).iter_rows())
    ]
    whole = rows.filter(~is_broken).select("line", *map(str, range(layout.width)))
    cells = whole.select(
        (pl.lit(None, pl.String) if position is None else pl.col(str(position)).replace("", None)).alias(column.name)
        for column, position in zip(feed.columns, layout.positions, strict=True)
    )
    raw = whole.select(pl.concat_str(_cells(), separator=",").alias("raw"))
    return Chunk(whole["line"], cells, raw["raw"], broken, layout, is_ahead=is_ahead)


def _cells() -> pl.Expr:
    return pl.exclude("line", "width")


def _is_given(cell: pl.Expr) -> pl.Expr:
    return cell.str.strip_chars(BLANKS) != ""


def _sent(row: tuple[Any, ...]) -> list[str]:
    """Return the cells of a row of `Reader.rows` without padding."""
    return list(row[2 : 2 + row[1]])


def _require_modest(path: Path) -> None:
    """Reject a file that is, or would unpack to, more than any spreadsheet. An old .xls is not an archive."""
    if path.stat().st_size > MAX_BYTES:
        raise FileRejectedError("电子表格过大，疑似异常文件，未读取；请拆分后重新报送")
    try:
        if not zipfile.is_zipfile(path):
            return
    except zipfile.BadZipFile as error:  # A multi-disk archive, or a file that claims to be one.
        raise _unreadable(type(error).__name__) from None
    require_modest_directory(path)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
    except Exception as error:
        raise _unreadable(type(error).__name__) from None
    if unpacked > MAX_UNPACKED:
        raise FileRejectedError("电子表格解开后过大，疑似异常文件，未读取")


# Error names of `sheets.py` -> message for the sender.
_REASONS = {
    "PasswordError": "这是有密码的电子表格，无法读取；请去掉密码后重新报送",
}


def _unreadable(why: str) -> FileRejectedError:
    if why in _REASONS:
        return FileRejectedError(_REASONS[why])
    return FileRejectedError(f"电子表格无法打开（{why}），可能已损坏；请用电子表格软件打开后另存为.xlsx重新报送")


class Reader:
    """The subprocess that reads a spreadsheet (`sheets.py`); it is killed when the context ends, and ends itself when its stdin
    is closed.

    Raises FileRejectedError if the file is too large, and on reading from it if it cannot be read.
    """

    def __init__(self, path: Path, kind: str) -> None:
        _require_modest(path)
        # -I isolates the interpreter: only installed packages, no PYTHON* variables. The environment is empty because variables
        # may hold passwords, and stderr is discarded because a crash message may quote the file.
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(Path(sheets.__file__)), str(path), kind, str(BATCH_ROWS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={"LC_ALL": "C.UTF-8"},
        )  # fmt: skip

    @cached_property
    def heads(self) -> list[tuple[str, bool, int, list[list[str]]]]:
        """Return each sheet's name, whether it counts days from 1904, its number of leading blank rows, and its next rows."""
        return cast("list[tuple[str, bool, int, list[list[str]]]]", self._hear())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def rows(self, sheet: int) -> Iterator[pl.DataFrame]:
        """Yield all rows of a sheet by its number: line (from 1), width (cells sent), and 0, 1, … (texts)."""
        requests = cast("IO[str]", self._process.stdin)
        try:
            requests.write(f"{sheet}\n")
            requests.flush()
        except BrokenPipeError:
            raise _unreadable("OutOfMemory") from None
        line = 1
        while (message := self._hear()) is not None:
            widths, columns = message
            lines = pl.int_range(line, line + len(widths), dtype=pl.Int32, eager=True)
            texts = {str(i): pl.Series([column]).str.split("\0").explode() for i, column in enumerate(columns)}
            yield pl.DataFrame({"line": lines, "width": widths, **texts})
            line += len(widths)

    def _hear(self) -> Any:
        line = cast("IO[str]", self._process.stdout).readline()
        if not line:
            self._process.wait()
            raise _unreadable("OutOfMemory")
        message = json.loads(line)
        if isinstance(message, dict):
            self._process.wait()
            raise _unreadable(message["error"])
        return message
