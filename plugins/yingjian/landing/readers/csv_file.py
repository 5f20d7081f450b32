"""Reads CSV as people and old systems write it: UTF-8 with or without BOM, or GB18030; comma, semicolon, tab or pipe."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl

from yingjian.landing.errors import FileRejectedError, as_text
from yingjian.landing.feeds import Feed
from yingjian.landing.readers.layout import (
    TITLE_LINES,
    Chunk,
    Layout,
    Record,
    chunks_of,
    find_header,
    header_score,
    header_words,
    is_blank,
    is_header,
    is_record,
    later_layout,
    make_layout,
)
from yingjian.names import BLANKS

ENCODINGS = ("utf-8-sig", "gb18030")
DELIMITERS = (",", "\t", ";", "|")
# A row with a longer cell (characters) is rejected, and a file with a longer line (bytes).
MAX_CELL, MAX_LINE = 1_000_000, 16_000_000
HEAD_LINE, HEAD_LINES = 100_000, 40  # A header is shorter than this; each of its cells may contain a line break.
# Extra blank cells count as the file's habit only from three rows on: two rows with the same slip may be one household with one
# address.
HABIT_ROWS, HABIT_FROM_ROWS = 20, 3
csv.field_size_limit(MAX_CELL)
BLOCK = 4 << 20
MAX_LINES = 200_000_000
# A UTF-8 line in a GB18030 file, which would decode to wrong characters: all its non-ASCII characters have three bytes.
_UTF8_LINE = re.compile(rb"^(?:[\x00-\x09\x0b-\x7f]*[\xe3-\xef][\x80-\xbf]{2}){2,}[\x00-\x09\x0b-\x7f]*$")
# A record of more lines has an unclosed quote. Its lines are read again one by one; the byte limit keeps a file full of such
# quotes from taking days.
RECORD_LINES, MAX_REREAD = 50, 1_000_000_000


class _Lines:
    """The physical lines of a file, as blocks of bytes for the fast path and line by line as text for the careful path.

    A line ends with \\n, \\r\\n, or a stray \\r; `number` counts the lines read. While records are read one by one,
    `record_lines` holds the lines of the current record, which can be pushed back.
    """

    def __init__(self, file: io.BufferedReader, encoding: str) -> None:
        self._file = file
        self._encoding = encoding
        self._returned: deque[bytes] = deque()
        self._rest = b""
        self._record_bytes: list[bytes] = []
        self.record_lines: list[str] = []
        self.number = 0
        # An unclosed quote was seen above; the next unpaired one may be its other end.
        self.is_open = False
        self._reread = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        raw = self._next()
        if not raw:
            raise StopIteration
        is_other = self._encoding == "gb18030" and _UTF8_LINE.fullmatch(raw.rstrip(b"\r\n"))
        # Undecodable bytes become lone surrogates, by which their rows are recognised later.
        line = raw.decode("ascii" if is_other else self._encoding, "surrogateescape").replace("\0", "")
        self.number += 1
        self._record_bytes.append(raw)
        self.record_lines.append(line)
        if len(self.record_lines) > RECORD_LINES:
            raise csv.Error("a record of too many lines")
        return line

    def _next(self) -> bytes:
        """Return the next line, empty at the end of the file.

        Raises FileRejectedError if the line is too long, or one too many.
        """
        if not self._returned:
            self._returned.extend(_without_end_mark(self._file.readline(MAX_LINE + 1)).splitlines(keepends=True))
        line = self._returned.popleft() if self._returned else b""
        if len(line) > MAX_LINE or self.number > MAX_LINES:
            raise self._odd()
        return line

    def _odd(self) -> FileRejectedError:
        return FileRejectedError(f"第{self.number + 1}行过长，或行数过多，疑似异常文件，未读取")

    def begin_record(self) -> None:
        self._record_bytes, self.record_lines = [], []

    def keep_first(self) -> str:
        """Push back all lines of the current record except the first, which is returned."""
        first, rest = self.record_lines[0], self._record_bytes[1:]
        self._returned.extendleft(reversed(rest))
        self.number -= len(rest)
        self.begin_record()
        self._reread += sum(map(len, rest))
        if self._reread > MAX_REREAD:
            raise FileRejectedError("引号大量不配对，无法分行读取")
        return first

    def ahead(self, count: int) -> list[bytes]:
        """Return up to `count` of the next lines without consuming them."""
        following = (self._rest or b"".join(self._returned)).splitlines()[:count]
        place = self._file.tell()
        while len(following) < count and (line := self._file.readline(MAX_LINE + 1)):
            following += line.splitlines()
        self._file.seek(place)
        return following[:count]

    def block(self) -> bytes:
        """Return the next BLOCK bytes up to the end of a line, empty at the end of the file. `number` does not change.

        Raises FileRejectedError if too many lines were read before.
        """
        if self.number > MAX_LINES:
            raise self._odd()
        if self._rest:
            block, self._rest = self._rest, b""
            return block
        block = b"".join(self._returned) or self._file.read(BLOCK)
        self._returned.clear()
        return block if block.endswith(b"\n") else _without_end_mark(block + self._file.readline(MAX_LINE + 1))

    def give_back(self, block: bytes) -> None:
        """Push back the last block, which has not been counted, to be read line by line."""
        self._returned.extend(block.splitlines(keepends=True))

    def put_back(self, rest: bytes) -> None:
        """Push back the rest of the last block, to be returned by the next call of `block`."""
        self._rest = rest


def _without_end_mark(text: bytes) -> bytes:
    """Strip the DOS end-of-file mark from text without a final newline, which therefore ends the file."""
    return text.rstrip(b"\x1a")


def read_csv(path: Path, feed: Feed) -> tuple[str, Layout, Iterator[Chunk]]:
    """Return encoding, layout and chunks of a CSV file of `feed`. Raises FileRejectedError if it has no header."""
    _require_short_lines(path)
    heads = {encoding: _head(path, encoding) for encoding in ENCODINGS}
    if not any(heads.values()):
        raise FileRejectedError("文件为空")
    # The encoding and delimiter that match most header columns win; a few undecodable bytes must not decide.
    encoding, delimiter, rows = max(
        ((encoding, d, _rows(head, d)) for encoding, head in heads.items() for d in DELIMITERS),
        key=lambda reading: max((header_score(row, feed) for row in reading[2]), default=0),
    )
    header_row, header = find_header(rows, feed)
    layout = make_layout(header, feed)
    dialect = _Dialect("gb18030" if encoding == "gb18030" else "utf-8", delimiter, layout)
    return encoding, layout, _chunks(path, dialect, header_row, feed)


def _require_short_lines(path: Path) -> None:
    """Reject a file with an overlong line at its start without reading the rest."""
    with path.open("rb") as file:
        for number in range(1, TITLE_LINES + 3):
            if len(file.readline(MAX_LINE + 1)) > MAX_LINE:
                raise FileRejectedError(f"第{number}行过长，疑似异常文件，未读取")


def _rows(head: list[str], delimiter: str) -> list[list[str]]:
    try:
        return list(islice(csv.reader(head, delimiter=delimiter), TITLE_LINES + 2))
    except csv.Error:
        raise FileRejectedError("前几行无法分列：单元格过大") from None


def _head(path: Path, encoding: str) -> list[str]:
    with path.open("rb") as file:
        text = io.TextIOWrapper(file, encoding, errors="surrogateescape", newline="")
        lines = [text.readline(MAX_LINE).replace("\0", "")[:HEAD_LINE] for _ in range(HEAD_LINES)]
        return [line for line in (lines[0].lstrip("\ufeff"), *lines[1:]) if line]


@dataclass(frozen=True)
class _Dialect:
    """Encoding, delimiter and layout of a CSV file. surplus: blank cells of each row beyond the header; see `Layout.fitted`."""

    encoding: str
    delimiter: str
    layout: Layout
    surplus: int = 0

    @property
    def width(self) -> int:
        return self.layout.width

    def below_header(self, lines: _Lines, feed: Feed) -> _Dialect:
        """Return the dialect with the surplus of the next rows; all of the rows sampled must have it."""
        counts = []
        for line in lines.ahead(HABIT_ROWS):
            cells = _loosely(line.decode(self.encoding, "replace").replace("\0", ""), self.delimiter)
            if is_header(cells, feed):
                break
            if len(cells) >= self.layout.required and not is_blank(cells):
                counts.append(len(cells) - self.width)
        return replace(self, surplus=max(0, min(counts)) if len(counts) >= HABIT_FROM_ROWS else 0)


# This dialect reads a line as one cell: blocks on the fast path contain no NUL.
_LINES = _Dialect("utf-8", "\0", Layout((), 1, ()))


def _chunks(path: Path, dialect: _Dialect, header_row: int, feed: Feed) -> Iterator[Chunk]:
    """Yield the chunks: blocks in which every line is one record are split by columns, others are parsed record by record."""
    layout = dialect.layout
    with path.open("rb") as file:
        while file.peek(3).startswith(codecs.BOM_UTF8):  # A program may add a BOM to a file that already has one.
            file.seek(file.tell() + 3)
        lines = _Lines(file, dialect.encoding)
        header = csv.reader(lines, delimiter=dialect.delimiter)
        try:
            above = [
                _record(lines.number, layout.fitted(row), dialect.delimiter.join(row))
                for row in islice(header, header_row)
            ]
            next(header)
        except (csv.Error, StopIteration):
            raise FileRejectedError("表头的引号不配对") from None
        yield from chunks_of((record for record in above if is_record(record.cells, layout, feed)), layout, feed)
        dialect = dialect.below_header(lines, feed)
        words = [word.encode(dialect.encoding) for word in header_words(feed)]
        while whole := lines.block():
            start, end, later = _later_header(whole, words, lines.number, dialect, feed)
            block = whole[:start]
            if block:
                rows = _count(block, "\n") + (not block.endswith(b"\n"))
                chunk = _split(block, rows, lines.number + 1, dialect, layout, feed)
                if chunk is None:
                    last = lines.number + len(block.splitlines())
                    lines.give_back(whole)
                    yield from chunks_of(_records(lines, last, dialect), layout, feed)
                    continue
                lines.number += rows
                yield chunk
            if later is not None:
                lines.number += 1
                lines.put_back(whole[end:])
                layout, dialect = later, replace(dialect, layout=later).below_header(lines, feed)


_LINE_END = re.compile(rb"\r\n|\n|\r")


def _later_header(
    block: bytes, words: list[bytes], lines_before: int, dialect: _Dialect, feed: Feed
) -> tuple[int, int, Layout | None]:
    """Find the first further header row in a block: its start and end offset, and its layout.

    Returns the block's length twice and None if there is none.
    """
    place = 0
    positions = {word: block.find(word) for word in words}
    # A word may occur in every row, so each search resumes after the last line checked; this keeps the scan linear.
    while found := [position for position in positions.values() if position >= 0]:
        start = max(place, block.rfind(b"\n", place, min(found)) + 1, block.rfind(b"\r", place, min(found)) + 1)
        end = _LINE_END.search(block, min(found))
        place = end.end() if end else len(block)
        if place - start <= HEAD_LINE:
            text = block[start:place].decode(dialect.encoding, "replace").replace("\0", "").strip("\r\n\ufeff")
            cells = _loosely(text, dialect.delimiter)
            if is_header(cells, feed):
                line = lines_before + len(block[:start].splitlines()) + 1
                return start, place, later_layout(cells, feed, f"第{line}行")
        positions = {
            word: position if position >= place else block.find(word, place)
            for word, position in positions.items()
            if position >= 0
        }
    return len(block), len(block), None


def _split(block: bytes, rows: int, first_line: int, dialect: _Dialect, layout: Layout, feed: Feed) -> Chunk | None:
    """Split a block of whole lines into columns; None if its quotes, line ends or bytes need the careful parser."""
    if b"\0" in block or (b"\r" in block and _count(block, "\r") != block.count(b"\r\n")):
        return None
    if dialect.encoding != "utf-8":
        # If a UTF-8 part was appended to the file, it reaches to the end, so the last line of the block shows it.
        last_line = block[block.rfind(b"\n", 0, len(block) - 1) + 1 :]
        if _UTF8_LINE.fullmatch(last_line.rstrip(b"\r\n")):
            return None
        try:
            block = block.decode(dialect.encoding).encode()
        except UnicodeError:
            return None
    raw = _cells(block, _LINES)
    if raw is None or raw.height != rows or (raw["0"].str.len_bytes() > MAX_CELL).any():
        return None
    lines = raw.select(raw="0", line=pl.int_range(first_line, first_line + rows, dtype=pl.Int32))
    if b'"' not in block and _count(block, dialect.delimiter) == (dialect.width - 1) * rows:
        # The total can match although one line has a cell too many and another one too few; _cells detects that.
        cells = _cells(block, dialect)
        if cells is not None and cells.height == rows:
            return _chunk(lines, cells, [], dialect, layout, feed)
    return _split_odd(block, lines, dialect, layout, feed)


def _split_odd(block: bytes, lines: pl.DataFrame, dialect: _Dialect, layout: Layout, feed: Feed) -> Chunk | None:
    """Split a block with blank, ragged or quoted lines; None if a quote stands anywhere but at the edges of a cell.

    lines: the same block as a frame (raw, line).
    """
    # Quotes are allowed only around a whole cell; anything else goes to the careful parser.
    d = re.escape(dialect.delimiter)
    regular = rf'^(?:[^"{d}]*|"[^"]*")(?:{d}(?:[^"{d}]*|"[^"]*"))*$'
    rows = lines.height
    lines = lines.filter(pl.col("raw").str.contains(r"\S"))
    has_quote = lines["raw"].str.contains('"', literal=True)
    if not lines.filter(has_quote)["raw"].str.contains(regular).all():
        return None
    bare = pl.when(has_quote).then(pl.col("raw").str.replace_all(r'"[^"]*"', "")).otherwise("raw")
    delimiters = bare.str.count_matches(dialect.delimiter, literal=True).cast(pl.Int64)
    lines, is_changed = _fitted(lines, delimiters, dialect)
    is_whole = lines.select(bare.str.count_matches(dialect.delimiter, literal=True) == dialect.width - 1).to_series()
    whole, ragged = lines.filter(is_whole), lines.filter(~is_whole)
    text = block if whole.height == rows and not is_changed else whole["raw"].str.join("\n").item().encode()
    cells = _cells(text, dialect, '"')
    if cells is None or cells.height != whole.height:
        return None
    broken = [
        Record(line, _loosely(raw, dialect.delimiter), raw) for raw, line in ragged.select("raw", "line").iter_rows()
    ]
    # polars returns an empty string only for a quoted empty cell; unquoted ones are null already.
    return _chunk(whole, cells.select(pl.when(pl.all() != "").then(pl.all())), broken, dialect, layout, feed)


def _fitted(lines: pl.DataFrame, delimiters: pl.Expr, dialect: _Dialect) -> tuple[pl.DataFrame, bool]:
    """Apply `Layout.fitted` to lines of text; return the lines, and whether any was changed.

    delimiters: expression that counts the delimiters outside quotes.
    """
    layout, d = dialect.layout, re.escape(dialect.delimiter)
    blanks = BLANKS.replace(dialect.delimiter, "")
    at_end = pl.col("raw").str.extract(f"((?:{d}[{blanks}]*)*)$")
    cells_at_end = at_end.str.split(dialect.delimiter)
    count, blank_cells = delimiters + 1, cells_at_end.list.len().cast(pl.Int64) - 1
    surplus = count - layout.width
    is_habit = pl.lit(layout.has_sure_end) | (surplus == dialect.surplus)
    is_long = (surplus > 0) & is_habit & (blank_cells >= surplus)
    is_blank_beyond = (count > layout.last_named) & layout.has_sure_end & (blank_cells >= count - layout.last_named)
    is_short = (surplus < 0) & (count.is_between(layout.required, layout.last_named) | is_blank_beyond)
    if not lines.select((is_long | is_short).any()).item():
        return lines, False
    own_cells = cells_at_end.list.head(cells_at_end.list.len() - pl.max_horizontal(surplus, 0)).list.join(
        dialect.delimiter
    )
    cut = pl.col("raw").str.strip_suffix(at_end) + own_cells
    missing = pl.lit(dialect.delimiter * layout.width).str.slice(0, pl.max_horizontal(-surplus, 0))
    return lines.with_columns(
        raw=pl.when(is_long).then(cut).when(is_short).then(pl.col("raw") + missing).otherwise("raw")
    ), True


def _chunk(
    lines: pl.DataFrame, cells: pl.DataFrame, broken: list[Record], dialect: _Dialect, layout: Layout, feed: Feed
) -> Chunk:
    named = cells.select(
        (pl.lit(None, pl.String) if position is None else pl.col(str(position))).alias(column.name)
        for position, column in zip(layout.positions, feed.columns, strict=True)
    )
    return Chunk(lines["line"], named, lines["raw"], broken, layout, delimiter=dialect.delimiter)


def _count(block: bytes, character: str) -> int:
    """Count an ASCII character; several times faster than bytes.count for frequent characters."""
    return int(np.count_nonzero(np.frombuffer(block, np.uint8) == ord(character)))


def _cells(text: bytes, dialect: _Dialect, quote: str | None = None) -> pl.DataFrame | None:
    """Parse lines into text columns `0`, `1`, …; None if a line's cell count differs from the header's or the
    text is not UTF-8.
    """
    schema = {str(i): pl.String for i in range(dialect.width)}
    if not text:
        return pl.DataFrame(schema=schema)
    try:
        return pl.read_csv(text, has_header=False, separator=dialect.delimiter, quote_char=quote, schema=schema)
    except pl.exceptions.PolarsError:
        return None


def _records(lines: _Lines, end: int, dialect: _Dialect) -> Iterator[Record]:
    """Yield the records that start up to line `end`, parsed one by one; the last may extend beyond it."""
    reader = csv.reader(lines, delimiter=dialect.delimiter, strict=True)
    cells: Sequence[str]
    while lines.number < end:
        lines.begin_record()
        first_line = lines.number + 1
        try:
            cells = dialect.layout.fitted(next(reader), dialect.surplus)
            is_whole = len(lines.record_lines) == 1 or len(cells) == dialect.width
        except csv.Error:
            cells, is_whole = [], False
        except StopIteration:
            return
        if not is_whole or _has_swallowed(lines.record_lines, dialect):
            # An unclosed quote swallowed the lines below. Only its own line is rejected, and the one with the closing quote;
            # the lines in between are parsed again.
            lines.is_open |= len(lines.record_lines) > 1
            raw = lines.keep_first().rstrip("\r\n")
            reader = csv.reader(lines, delimiter=dialect.delimiter, strict=True)
            yield _record(first_line, _loosely(raw, dialect.delimiter), raw)
            continue
        raw = "".join(lines.record_lines).rstrip("\r\n")
        if lines.is_open and len(lines.record_lines) == 1 and raw.count('"') % 2:
            cells, lines.is_open = [raw], False
        if cells and raw.strip():
            yield _record(first_line, cells, raw)


def _has_swallowed(lines: list[str], dialect: _Dialect) -> bool:
    """Return whether a multi-line record contains other records: one of its lines alone has as many delimiters as a whole
    record.

    In a genuine cell with line breaks, the first and the last line share the record's delimiters between them.
    """
    if len(lines) == 1 or dialect.width == 1:
        return False
    is_full = [line.count(dialect.delimiter) >= dialect.layout.required - 1 for line in lines]
    return any(is_full[1:-1]) or (is_full[0] and is_full[-1])


def _loosely(line: str, delimiter: str) -> list[str]:
    """Split a line with stray quotes; a line with an unpaired quote becomes one cell."""
    if line.count('"') % 2:
        return [line]
    try:
        return next(csv.reader([line], delimiter=delimiter), [line])
    except csv.Error:
        return [line]


def _record(line: int, cells: Sequence[str], raw: str) -> Record:
    text = raw if raw.isascii() else as_text(raw)
    if text == raw:
        return Record(line, cells, raw)
    return Record(line, [as_text(cell) for cell in cells], text, is_text=False)
