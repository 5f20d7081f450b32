"""The columns of a feed are found in a file by their header texts, in any order."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import polars as pl

from yingjian.landing.errors import FileRejectedError, as_text, label
from yingjian.landing.feeds import Feed
from yingjian.names import BLANKS

TITLE_LINES = 5  # A spreadsheet may carry up to five title lines above its header.
MAX_COLUMNS = 2000
_NAME_CHARACTERS = 100  # No column's name is longer.


_MARKS = re.compile(r"^[*＊]+|[*＊]+$|[（(](?:必填|选填)[)）]$")


@dataclass(frozen=True)
class Record:
    """One record: the line on which it starts, its cells, the text as sent, and whether its bytes are text."""

    line: int
    cells: Sequence[str]
    raw: str
    is_text: bool = True


@dataclass(frozen=True)
class Chunk:
    """Some records of a file, by columns.

    cells: one text column for each column of the feed, named as in staging; lines: the line of each row; raw: the text
    of each row as sent; broken: records with too many or too few cells, or with bytes that are no text; layout: where the
    columns stood; place: the sheet, when a file has several; delimiter: what stands between the cells of every raw text,
    when each is a record of CSV by itself.
    """

    lines: pl.Series = field(repr=False)
    cells: pl.DataFrame = field(repr=False)
    raw: pl.Series = field(repr=False)
    broken: list[Record] = field(repr=False)
    layout: Layout = field(repr=False)
    place: str = ""
    delimiter: str | None = None

    @property
    def rows(self) -> int:
        return self.cells.height + len(self.broken)

    def filled(self, feed: Feed) -> Chunk:
        """Return the chunk without blank rows: those without a cell in any column of the feed, or of those that it names for it.

        Spreadsheets write the rows of their used range as lines of delimiters.
        """
        broken = [record for record in self.broken if not is_blank(record.cells)]
        names = feed.blank_without or [column.name for column in feed.columns]
        # Hardly any row lacks its key, and the other columns need no look where it is there.
        first = feed.blank_without[0] if feed.blank_without else feed.key[0]
        is_filled = self.cells.select(_is_given(first)).to_series()
        if not is_filled.all():
            is_filled |= self.cells.select(pl.any_horizontal(_is_given(name) for name in names)).to_series()
        return replace(self._of(is_filled), broken=broken)

    def without(self, row: dict[str, str]) -> Chunk:
        """Return the chunk without rows that are, cell by cell, the given one: column -> text, empty where any will do."""
        is_row = pl.all_horizontal(pl.col(name) == text for name, text in row.items() if text)
        # Hardly any row has its time of update.
        if not self.cells.select((pl.col("updated_at") == row["updated_at"]).any()).item():
            return self
        return self._of(~self.cells.select(is_row.fill_null(False)).to_series())

    def divided(self) -> tuple[Chunk, Chunk | None]:
        """Return the rows up to the last with a cell that somebody typed, and those below, with errors of formulas alone."""
        if self.cells.height == 0 or not self.cells.tail(1).select(_is_prefilled()).item():
            return self, None
        if any(record.line > self.lines[-1] for record in self.broken):
            return self, None
        typed = (~self.cells.select(_is_prefilled()).to_series()).arg_true()
        is_above = pl.int_range(self.cells.height, eager=True) < (typed[-1] + 1 if len(typed) else 0)
        return self._of(is_above), replace(self._of(~is_above), broken=[])

    def _of(self, is_of: pl.Series) -> Chunk:
        if is_of.all():
            return self
        return replace(self, lines=self.lines.filter(is_of), cells=self.cells.filter(is_of), raw=self.raw.filter(is_of))


def _is_given(name: str) -> pl.Expr:
    return (pl.col(name).str.strip_chars(BLANKS) != "").fill_null(False)


def _is_prefilled() -> pl.Expr:
    error = r"^#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!)$"
    return pl.all_horizontal(pl.all().str.strip_chars(BLANKS).str.contains(f"^$|{error}").fill_null(True))


def is_blank(cells: Iterable[str]) -> bool:
    """Whether nothing stands in any of the cells."""
    return not any(cell.strip(BLANKS) for cell in cells)


@dataclass(frozen=True)
class Layout:
    """A header.

    positions: for each column of the feed its place in a row, None when the file may lack it; width: cells of the header;
    named: cells up to the last one with a name, None when that is the last; has_sure_end: whether every record fills the
    last of them.
    """

    positions: tuple[int | None, ...]
    width: int
    extra_columns: tuple[str, ...]
    named: int | None = None
    has_sure_end: bool = False

    @property
    def required(self) -> int:
        """How many cells a row needs: up to the last column of the feed."""
        return max((position for position in self.positions if position is not None), default=self.width - 1) + 1

    @property
    def last_named(self) -> int:
        return self.width if self.named is None else self.named

    def fitted(self, cells: Sequence[str], surplus: int = 0) -> Sequence[str]:
        """The cells of a whole row, as many as the header has; those of any other row as they are.

        Cells to the right of the feed's columns may be missing. Blank ones beyond the last name are nothing, if they cannot
        come from a delimiter within a cell: that would move the last value there where every record has one, and other
        files have a habit, `surplus` blank cells in each row.
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
        """Return staging's names of a row's columns, from the left; None when others stand among them."""
        places = {position: column.name for position, column in zip(self.positions, feed.columns, strict=True)}
        names = [places.get(position) for position in range(self.width)]
        return None if None in names else tuple(filter(None, names))


def header_score(cells: Sequence[str], feed: Feed) -> int:
    """How many of the feed's columns the cells name."""
    names = set(_names(cells, feed))
    return sum(column.source in names for column in feed.columns)


def find_header(rows: Sequence[Sequence[str]], feed: Feed) -> tuple[int, list[str]]:
    """The header among the first rows of a file: index of its last row, and its cells.

    A header of two rows with merged cells is joined to one. Raises FileRejectedError when nothing looks like a header.
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
    """One header from two rows: a cell merged downwards stands in the upper one, one merged sideways only at its left."""
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
    """Return the table beside the package: (feed or *, header as written) -> header of the feed."""
    path = Path(__file__).parents[1] / "header_synonyms.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return {(row["feed"], row["header"]): row["column"] for row in csv.DictReader(file)}


def _names(cells: Sequence[str], feed: Feed) -> list[str]:
    """Header texts as the feed calls its columns: blanks, marks of required cells and synonyms undone.

    A name that stands there itself is not taken a second time by a synonym.
    """
    texts = [_MARKS.sub("", as_text("".join(c for c in cell[:_NAME_CHARACTERS] if c not in BLANKS))) for cell in cells]
    known = feed.synonyms
    tables = _synonyms()
    return [
        text if source is None or source in texts else source
        for text in texts
        for source in [known.get(text) or tables.get((feed.name, text)) or tables.get(("*", text))]
    ]


def make_layout(header: Sequence[str], feed: Feed) -> Layout:
    """Match a header with the feed's columns.

    Raises FileRejectedError naming every column that is missing, that seems renamed, or that stands there twice.
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
    """Whether a line where a title may stand is a record: it says when it was updated, in the column of the header."""
    position = layout.positions[[column.name for column in feed.columns].index("updated_at")]
    return position is not None and position < len(cells) <= layout.width and bool(_MOMENT.match(cells[position]))


def header_words(feed: Feed) -> frozenset[str]:
    """The function gives the words that name the feed's key columns: a later header has them, and hardly any row does."""
    sources = {feed.column(name).source for name in feed.key}
    synonyms = {header for (of, header), source in _synonyms().items() if of in ("*", feed.name) and source in sources}
    return frozenset(sources | synonyms | {text for text, source in feed.synonyms.items() if source in sources})


def has_records(header: Sequence[str], feed: Feed) -> bool:
    """Whether the header of a sheet names the columns without which there is no record: the key and the time of update."""
    needed = {column.source for column in feed.columns if column.name in (*feed.key, "updated_at")}
    return needed <= set(_names(header, feed))


def is_header(cells: Sequence[str], feed: Feed) -> bool:
    """Whether the cells name half of the feed's columns."""
    return header_score(cells, feed) * 2 >= len(feed.columns)


def later_layout(cells: Sequence[str], feed: Feed, place: str) -> Layout:
    """The layout from a later header on; files joined to one have several.

    Raises FileRejectedError when it lacks a column: nobody can tell what stands below it.
    """
    try:
        return make_layout(cells, feed)
    except FileRejectedError as error:
        raise FileRejectedError(f"{place}又是表头，{error}") from None


CHUNK_RECORDS, CHUNK_TEXT = 20_000, 32_000_000  # Records of a chunk, and characters.


def chunks_of(records: Iterable[Record], layout: Layout, feed: Feed) -> Iterator[Chunk]:
    """Records, one by one, as chunks of columns."""
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
