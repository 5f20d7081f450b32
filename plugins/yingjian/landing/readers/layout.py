"""Finds a feed's columns in a file by their header texts, in any order."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path

import polars as pl

from yingjian.landing.errors import FileRejectedError, as_text, label
from yingjian.landing.feeds import Feed
from yingjian.names import BLANKS

TITLE_LINES = 5  # A spreadsheet may carry up to five title lines above its header.
MAX_COLUMNS = 2000
_NAME_CHARACTERS = 100  # Header cells are cut to this length before matching.
_NO_BLANKS = str.maketrans(dict.fromkeys(BLANKS))

_MARKS = re.compile(r"^[*＊]+|[*＊]+$|[（(](?:必填|选填)[)）]$")


@dataclass(frozen=True)
class Record:
    """One record: its first line, its cells, the raw text, and whether all its bytes could be decoded."""

    line: int
    cells: Sequence[str]
    raw: str
    is_text: bool = True


@dataclass(frozen=True)
class Chunk:
    """A batch of records in columnar form.

    cells: one text column per column of the feed, named as in staging; lines: line number of each row; raw: text of each row as
    sent; broken: records with the wrong number of cells or with undecodable bytes; layout: positions of the columns; place: the
    sheet, if the file has several; delimiter: the delimiter of the raw texts, if each is one complete CSV record; is_ahead: a
    flag per row, whether it holds nothing but errors and zeros of formulas; None if no formula is known.
    """

    lines: pl.Series = field(repr=False)
    cells: pl.DataFrame = field(repr=False)
    raw: pl.Series = field(repr=False)
    broken: list[Record] = field(repr=False)
    layout: Layout = field(repr=False)
    place: str = ""
    delimiter: str | None = None
    is_ahead: pl.Series | None = field(default=None, repr=False)

    @property
    def rows(self) -> int:
        return self.cells.height + len(self.broken)

    def filled(self, feed: Feed) -> Chunk:
        """Return the chunk without blank rows: rows that are empty in all columns of the feed, or in all of
        `feed.blank_without`.

        Spreadsheets export every row of their used range, empty ones as lines of delimiters.
        """
        broken = [record for record in self.broken if not is_blank(record.cells)]
        names = feed.blank_without or [column.name for column in feed.columns]
        # Nearly every row has its key, so the other columns are looked at only if some row lacks it.
        first = feed.blank_without[0] if feed.blank_without else feed.key[0]
        is_filled = self.cells.select(_is_given(first)).to_series()
        if not is_filled.all():
            is_filled |= self.cells.select(pl.any_horizontal(_is_given(name) for name in names)).to_series()
        return replace(self._of(is_filled), broken=broken)

    def without(self, row: dict[str, str]) -> Chunk:
        """Return the chunk without rows equal to the given one (column -> text; an empty text matches anything)."""
        is_row = pl.all_horizontal(pl.col(name) == text for name, text in row.items() if text)
        # Few rows share its updated_at, so this cheap test skips most chunks.
        if not self.cells.select((pl.col("updated_at") == row["updated_at"]).any()).item():
            return self
        return self._of(~self.cells.select(is_row.fill_null(False)).to_series())

    def divided(self) -> tuple[Chunk, Chunk | None]:
        """Split off the rows below the last one that somebody filled in: they hold nothing but errors and zeros of formulas."""
        if self.cells.height == 0 or any(record.line > self.lines[-1] for record in self.broken):
            return self, None
        if self.is_ahead is None and not self.cells.tail(1).select(is_prefilled(pl.all())).item():
            return self, None
        is_ahead = self.is_ahead if self.is_ahead is not None else self.cells.select(is_prefilled(pl.all())).to_series()
        typed = (~is_ahead).arg_true()
        is_above = pl.int_range(self.cells.height, eager=True) < (typed[-1] + 1 if len(typed) else 0)
        if is_above.all():
            return self, None
        return self._of(is_above), replace(self._of(~is_above), broken=[])

    def _of(self, is_of: pl.Series) -> Chunk:
        if is_of.all():
            return self
        is_ahead = None if self.is_ahead is None else self.is_ahead.filter(is_of)
        return replace(
            self, lines=self.lines.filter(is_of), cells=self.cells.filter(is_of), raw=self.raw.filter(is_of),
            is_ahead=is_ahead,
        )  # fmt: skip


def _is_given(name: str) -> pl.Expr:
    return (pl.col(name).str.strip_chars(BLANKS) != "").fill_null(False)


def is_prefilled(cells: pl.Expr) -> pl.Expr:
    """Return whether all cells of a row are blank or hold the error of a formula."""
    error = r"^#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!)$"
    return pl.all_horizontal(cells.str.strip_chars(BLANKS).str.contains(f"^$|{error}").fill_null(True))


def is_blank(cells: Iterable[str]) -> bool:
    """Return whether all cells are blank."""
    return not any(cell.strip(BLANKS) for cell in cells)


@dataclass(frozen=True)
class Layout:
    """The layout of a header row.

    positions: for each column of the feed its index in a row, None if the file lacks it; width: number of cells of the header;
    named: number of cells up to the last one with a name, None for all; has_sure_end: whether the last named column is a
    required one, which every record fills.
    """

    positions: tuple[int | None, ...]
    width: int
    extra_columns: tuple[str, ...]
    named: int | None = None
    has_sure_end: bool = False

    @property
    def required(self) -> int:
        """Return the minimum number of cells of a row: up to the last column of the feed."""
        return max((position for position in self.positions if position is not None), default=self.width - 1) + 1

    @property
    def last_named(self) -> int:
        return self.width if self.named is None else self.named

    def fitted(self, cells: Sequence[str], surplus: int = 0) -> Sequence[str]:
        """Return a complete row's cells padded or cut to the header's width; any other row is returned unchanged.

        Cells to the right of the feed's last column may be missing. Blank cells beyond the last named column are dropped,
        unless they could come from a delimiter inside a cell, which would shift the values. That is ruled out if every record
        fills the last column (has_sure_end), or if every row has the same number of extra blank cells (`surplus`).
        """
        count = len(cells)
        if count == self.width:
            return cells
        if self.required <= count <= self.last_named:
            return [*cells, *[""] * (self.width - count)]
        end = self.width if count > self.width else self.last_named
        may_be_blank = count > self.last_named and (self.has_sure_end or count == self.width + surplus)
        if may_be_blank and is_blank(cells[end:]):
            return [*cells[: self.width], *[""] * (self.width - count)]
        return cells

    def names(self, feed: Feed) -> tuple[str, ...] | None:
        """Return the staging names of a row's columns from left to right; None if the file has other columns as well."""
        places = {position: column.name for position, column in zip(self.positions, feed.columns, strict=True)}
        names = [places.get(position) for position in range(self.width)]
        return None if None in names else tuple(filter(None, names))


def header_score(cells: Sequence[str], feed: Feed) -> int:
    """Return how many of the feed's columns appear among the cells."""
    names = set(_names(cells, feed))
    return sum(column.source in names for column in feed.columns)


def find_header(rows: Sequence[Sequence[str]], feed: Feed) -> tuple[int, list[str]]:
    """Find the header among the first rows of a file; return the index of its last row, and its cells.

    A two-row header with merged cells is joined into one. Raises FileRejectedError if no row looks like a header.
    """
    rows = [row[: MAX_COLUMNS + 1] for row in rows[: TITLE_LINES + 2]]
    head = rows[: TITLE_LINES + 1]
    candidates = [(header_score(row, feed), -index, index, list(row)) for index, row in enumerate(head)]
    candidates += [
        (header_score(joined, feed), -1 - index, index + 1, joined)
        for index, (upper, lower) in enumerate(zip(head, rows[1 : TITLE_LINES + 2], strict=False))
        for joined in [_join_merged(upper, lower, feed)]
    ]
    score, _, last_row, cells = max(candidates, default=(0, 0, 0, []), key=lambda candidate: candidate[:2])
    if score * 3 < len(feed.columns):
        raise FileRejectedError(f"前{TITLE_LINES + 1}行中找不到“{feed.title}”的表头，请按模板的列名填写表头后重新报送")
    if len(cells) > MAX_COLUMNS:
        raise FileRejectedError(f"多于{MAX_COLUMNS}列，疑似异常文件，未读取")
    return last_row, cells


def _join_merged(upper: Sequence[str], lower: Sequence[str], feed: Feed) -> list[str]:
    """Join a two-row header. A vertically merged cell has its text in the upper row, a horizontally merged one only in its left
    cell.
    """
    width = max(len(upper), len(lower))
    above = [*upper, *[""] * (width - len(upper))]
    below = [*lower, *[""] * (width - len(lower))]
    spread: list[str] = []
    for cell in above:
        spread.append(cell if cell.strip(BLANKS) or not spread else spread[-1])
    known = {column.source for column in feed.columns}
    joined = []
    for top, wide, bottom in zip(above, spread, below, strict=True):
        options = [bottom, wide + bottom if bottom.strip(BLANKS) else top, top]
        joined.append(next((text for text in options if set(_names([text], feed)) & known), bottom or top))
    return joined


@cache
def _synonyms() -> dict[tuple[str, str], str]:
    """Return the synonyms of header_synonyms.csv: (feed or *, header as written) -> header of the feed."""
    path = Path(__file__).parents[1] / "header_synonyms.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return {(row["feed"], row["header"]): row["column"] for row in csv.DictReader(file)}


@lru_cache(1000)
def _name(cell: str) -> str:
    return _MARKS.sub("", as_text(cell.translate(_NO_BLANKS)))


def _names(cells: Sequence[str], feed: Feed) -> list[str]:
    """Return normalised header texts: without blanks and marks for required cells, and with synonyms replaced.

    A synonym is not replaced if the file already has a column with the real name.
    """
    texts = [_name(cell[:_NAME_CHARACTERS]) for cell in cells]
    known = feed.synonyms
    tables = _synonyms()
    return [
        text if source is None or source in texts else source
        for text in texts
        for source in [known.get(text) or tables.get((feed.name, text)) or tables.get(("*", text))]
    ]


def make_layout(header: Sequence[str], feed: Feed) -> Layout:
    """Match a header with the feed's columns.

    Raises FileRejectedError that names every column that is missing, seems renamed, or appears twice.
    """
    names = _names(header, feed)
    sources = [column.source for column in feed.columns]
    extra = [label(name) for name in names if name and name not in sources]
    optional = feed.absent_columns | {column.source for column in feed.columns if column.may_be_absent}
    missing = [source for source in sources if source not in names and source not in optional]
    problems = []
    for source in sources:
        if names.count(source) > 1:
            problems.append(f"列“{source}”出现{names.count(source)}次")
        elif source in missing:
            alike = difflib.get_close_matches(source, extra, n=1, cutoff=0.5)
            alike = alike or (extra if len(extra) == len(missing) == 1 else [])
            problems.append(f"缺少列“{source}”" + (f"（疑似改名为“{alike[0]}”）" if alike else ""))
    if problems:
        raise FileRejectedError("表头不符：" + "；".join(problems))
    positions = tuple(names.index(source) if source in names else None for source in sources)
    last = max(position for position, name in enumerate(names) if name)
    has_sure_end = any(column.required and column.source == names[last] for column in feed.columns)
    return Layout(positions, len(names), tuple(extra), last + 1, has_sure_end)


_MOMENT = re.compile(r"\s*(?:\d{4}\s*[-/.年]?\s*\d{1,2}|\d{5}(?:\.\d+)?\s*$)")


def is_record(cells: Sequence[str], layout: Layout, feed: Feed) -> bool:
    """Return whether a line above the header is a record: its cell in the column 更新时间 holds a date."""
    position = layout.positions[[column.name for column in feed.columns].index("updated_at")]
    return position is not None and position < len(cells) <= layout.width and bool(_MOMENT.match(cells[position]))


def header_words(feed: Feed) -> frozenset[str]:
    """Return the header texts of the feed's key columns, with synonyms.

    Any further header row contains one of them and data rows rarely do, so they serve as a cheap pre-filter.
    """
    sources = {feed.column(name).source for name in feed.key}
    synonyms = {header for (of, header), source in _synonyms().items() if of in ("*", feed.name) and source in sources}
    return frozenset(sources | synonyms | {text for text, source in feed.synonyms.items() if source in sources})


def has_records(header: Sequence[str], feed: Feed) -> bool:
    """Return whether a header has the key columns and 更新时间, without which there are no records."""
    needed = {column.source for column in feed.columns if column.name in (*feed.key, "updated_at")}
    return needed <= set(_names(header, feed))


def is_header(cells: Sequence[str], feed: Feed) -> bool:
    """Return whether the cells include at least half of the feed's header texts."""
    return header_score(cells, feed) * 2 >= len(feed.columns)


def later_layout(cells: Sequence[str], feed: Feed, place: str) -> Layout:
    """Return the layout of a further header row; concatenated files have several.

    Raises FileRejectedError if it lacks a column, since the rows below it would be ambiguous.
    """
    try:
        return make_layout(cells, feed)
    except FileRejectedError as error:
        raise FileRejectedError(f"{place}又是表头，{error}") from None


CHUNK_RECORDS, CHUNK_TEXT = 20_000, 32_000_000  # Limits of a chunk: records, and characters of text.


def chunks_of(records: Iterable[Record], layout: Layout, feed: Feed) -> Iterator[Chunk]:
    """Group single records into columnar chunks."""
    remaining = iter(records)
    while batch := _some(remaining):
        whole = [record for record in batch if record.is_text and len(record.cells) == layout.width]
        broken = [record for record in batch if not (record.is_text and len(record.cells) == layout.width)]
        columns = list(zip(*(record.cells for record in whole), strict=True)) or [()] * layout.width
        cells = pl.DataFrame(
            [
                pl.Series(column.name, columns[position], dtype=pl.String).replace("", None)
                if position is not None
                else pl.Series(column.name, [None] * len(whole), dtype=pl.String)
                for column, position in zip(feed.columns, layout.positions, strict=True)
            ]
        )
        lines = pl.Series([record.line for record in whole], dtype=pl.Int32)
        raw = pl.Series([record.raw for record in whole], dtype=pl.String)
        yield Chunk(lines, cells, raw, broken, layout)


def _some(records: Iterator[Record]) -> list[Record]:
    batch: list[Record] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.raw)
        if len(batch) == CHUNK_RECORDS or size > CHUNK_TEXT:
            break
    return batch
