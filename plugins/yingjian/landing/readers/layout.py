"""Where the columns of a feed stand in a file: found by their header texts, in any order."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import polars as pl

from yingjian.landing.errors import FileRejectedError, as_text
from yingjian.landing.feeds import Feed

TITLE_LINES = 5  # A spreadsheet may carry up to five title lines above its header.
BLANKS = " \t\r\n\x0b\x0c\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"


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
    of a row as sent; broken: records with too many or too few cells, or with bytes that are no text.
    """

    lines: pl.Series = field(repr=False)
    cells: pl.DataFrame = field(repr=False)
    raw: Callable[[int], str] = field(repr=False)
    broken: list[Record] = field(repr=False)

    @property
    def rows(self) -> int:
        return self.cells.height + len(self.broken)


@dataclass(frozen=True)
class Layout:
    """positions: for each column of the feed its place in a row; width: cells of a complete row."""

    positions: tuple[int, ...]
    width: int
    extra_columns: tuple[str, ...]


def header_score(cells: Sequence[str], feed: Feed) -> int:
    """How many of the feed's columns the cells name."""
    names = {cell.strip(BLANKS) for cell in cells}
    return sum(column.source in names for column in feed.columns)


def find_header(rows: Sequence[Sequence[str]], feed: Feed) -> int:
    """Index of the header among the first rows of a file. Raises FileRejectedError when none looks like one."""
    scores = [header_score(row, feed) for row in rows[: TITLE_LINES + 1]]
    best = max(scores, default=0)
    if best * 3 < len(feed.columns):
        raise FileRejectedError(f"前{TITLE_LINES + 1}行中找不到“{feed.title}”的表头")
    return scores.index(best)


def make_layout(header: Sequence[str], feed: Feed) -> Layout:
    """Match a header with the feed's columns.

    Raises FileRejectedError naming every column that is missing, that seems renamed, or that stands there twice.
    """
    names = [as_text(cell.strip(BLANKS)) for cell in header]
    sources = [column.source for column in feed.columns]
    extra = [name for name in names if name and name not in sources]
    problems = []
    for source in sources:
        if names.count(source) > 1:
            problems.append(f"列“{source}”出现{names.count(source)}次")
        elif source not in names:
            alike = difflib.get_close_matches(source, extra, n=1, cutoff=0.5)
            problems.append(f"缺少列“{source}”" + (f"（疑似改名为“{alike[0]}”）" if alike else ""))
    if problems:
        raise FileRejectedError("表头不符：" + "；".join(problems))
    return Layout(tuple(names.index(source) for source in sources), len(names), tuple(extra))


CHUNK_RECORDS = 20_000


def chunks_of(records: Iterable[Record], layout: Layout, feed: Feed) -> Iterator[Chunk]:
    """Records, one by one, as chunks of columns."""
    remaining = iter(records)
    while batch := list(islice(remaining, CHUNK_RECORDS)):
        whole = [record for record in batch if record.is_text and len(record.cells) == layout.width]
        broken = [record for record in batch if not (record.is_text and len(record.cells) == layout.width)]
        cells = pl.DataFrame(
            [
                pl.Series(column.name, [record.cells[position] for record in whole], dtype=pl.String)
                for column, position in zip(feed.columns, layout.positions, strict=True)
            ]
        )
        lines = pl.Series([record.line for record in whole], dtype=pl.Int32)
        yield Chunk(lines, cells, lambda row, whole=whole: whole[row].raw, broken)  # type: ignore[misc]
