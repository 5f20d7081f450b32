"""Opens a file as sent, as chunks of text columns with line numbers."""

from __future__ import annotations

import codecs
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import polars as pl

from yingjian.landing import templates
from yingjian.landing.errors import FileRejectedError
from yingjian.landing.feeds import Feed
from yingjian.landing.readers.csv_file import read_csv
from yingjian.landing.readers.kinds import HEAD, kind_of, utf16_of
from yingjian.landing.readers.layout import Chunk, Layout
from yingjian.landing.readers.xlsx_file import SHEET_LINES, Reader, read_xlsx

_BLOCK = 1 << 22
_PAGE_END = 1 << 16


@dataclass(frozen=True)
class Table:
    """A tabular file: its encoding, its column layout, and its records in chunks, ordered by line.

    encoding: the text encoding, or the kind of spreadsheet; has_lines: whether a missing newline at the end is meaningful;
    is_cut: whether it is an HTML page that was cut off; passed_over: what was left out, as far as the chunks have been read.
    """

    encoding: str
    layout: Layout
    chunks: Iterator[Chunk] = field(repr=False)
    has_lines: bool = True
    is_cut: bool = False
    passed_over: list[str] = field(default_factory=list)


AHEAD_BYTES = 64 << 20  # Larger spreadsheets are not prefetched, so that they have the memory to themselves.


def begin(path: Path) -> Reader | None:
    """Start reading a spreadsheet in advance; None if the file is none, is too large, or will be rejected on opening."""
    try:
        kind = kind_of(path)
        is_sheet = kind not in ("text", "utf-16") and path.stat().st_size <= AHEAD_BYTES
        return Reader(path, kind) if is_sheet else None
    except FileRejectedError:
        return None


def open_table(path: Path, feed: Feed, reader: Reader | None = None) -> Table:
    """Open an export of `feed`; blank rows and the template's example row are left out. reader: the result of `begin`.

    Raises FileRejectedError if the file is not a table or has no header of the feed.
    """
    table = _open(path, feed, reader)
    example = {column.name: templates.example(column, feed) for column in feed.columns}
    chunks = (chunk.filled(feed).without(example) for chunk in table.chunks)
    return replace(table, chunks=_without_prefilled(chunks, table.passed_over))


def _without_prefilled(chunks: Iterable[Chunk], passed_over: list[str]) -> Iterator[Chunk]:
    """Drop the rows below a sheet's last record that hold only errors and zeros of formulas, and name them in `passed_over`."""
    for _, of_sheet in groupby(chunks, key=attrgetter("place")):
        below: list[Chunk] = []
        has_records = False
        for chunk in of_sheet:
            records, prefilled = chunk.divided()
            if records.rows:
                yield from below
                yield records
                below, has_records = [], True
            below += [prefilled] if prefilled is not None else []
        if not has_records:
            yield from below
        elif below:
            lines = [chunk.lines[at] % SHEET_LINES for chunk, at in ((below[0], 0), (below[-1], -1))]
            passed_over.append(f"{below[0].place}第{lines[0]}至{lines[1]}行（只有公式）")


def _open(path: Path, feed: Feed, reader: Reader | None) -> Table:
    kind = kind_of(path)
    if kind == "text" and not _has_other_ends(path):
        encoding, layout, chunks = read_csv(path, feed)
        if not _ends_with(path, b"\n\r\x1a"):
            chunks = _with_torn_time(chunks, feed)
        return Table(encoding, layout, chunks, has_lines=not _ends_with(path, b"\x1a"))
    if kind in ("text", "utf-16"):
        # The folder is deleted after the last chunk, or when this object is garbage collected.
        folder = tempfile.TemporaryDirectory(prefix="yingjian-text-")
        copy = _as_utf8 if kind == "utf-16" else _with_usual_ends
        encoding, layout, chunks = read_csv(copy(path, Path(folder.name)), feed)
        return Table(kind if kind == "utf-16" else encoding, layout, _keeping(folder, chunks), has_lines=kind == "text")
    layout, chunks = read_xlsx(path, feed, kind, reader)
    return Table(kind, layout, chunks, has_lines=False, is_cut=kind == "html" and _is_cut_page(path))


def _ends_with(path: Path, marks: bytes) -> bool:
    """Return whether the last byte is one of the given ones: a line end, or the DOS end-of-file mark (0x1A)."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() in marks


def _with_torn_time(chunks: Iterator[Chunk], feed: Feed) -> Iterator[Chunk]:
    """Reject a possibly truncated time in the last cell of a file that has no final newline.

    For example, 2022-07-01 below 2022-07-01 08:00 would otherwise be read as midnight.
    """
    chunk = next(chunks, None)
    for following in chunks:
        assert chunk is not None
        yield chunk
        chunk = following
    if chunk is not None:
        yield _with_mark(chunk, feed)


def _with_mark(chunk: Chunk, feed: Feed) -> Chunk:
    """Append a colon to a last time that is shorter than the one above it; the parser rejects a time that ends so."""
    places = zip(feed.columns, chunk.layout.positions, strict=True)
    name = next((c.name for c, place in places if c.kind == "time" and place == chunk.layout.width - 1), None)
    is_last = chunk.lines.len() > 1 and all(record.line < chunk.lines[-1] for record in chunk.broken)
    if name is None or not is_last:
        return chunk
    before, cell = (re.sub(r"\d", "0", text or "") for text in chunk.cells[name].tail(2))
    if not cell or cell == before or not before.startswith(cell):
        return chunk
    marked = pl.when(pl.int_range(pl.len()) == pl.len() - 1).then(pl.col(name) + ":").otherwise(name)
    return replace(chunk, cells=chunk.cells.with_columns(marked.alias(name)))


def _is_cut_page(path: Path) -> bool:
    """Return whether an HTML page has no closing tag at its end: its last row may be incomplete."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _PAGE_END))
        end = file.read().replace(b"\0", b"").lower()
    return not any(tag in end for tag in (b"</table", b"</body", b"</html"))


def _keeping(folder: tempfile.TemporaryDirectory[str], chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    with folder:
        yield from chunks


def _has_other_ends(path: Path) -> bool:
    """Return whether the line ends are CR only, as classic Mac OS programs write them."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    return b"\r" in head and b"\n" not in head


def _with_usual_ends(path: Path, folder: Path) -> Path:
    """Copy a file with CR replaced by LF; otherwise the whole file would count as one overlong line."""
    target = folder / "text.csv"
    with path.open("rb") as source, target.open("wb") as out:
        while block := source.read(_BLOCK):
            out.write(block.replace(b"\r", b"\n"))
    return target


def _as_utf8(path: Path, folder: Path) -> Path:
    """Copy a UTF-16 file as UTF-8. Half a character stays invalid, so its row is rejected like any row with undecodable bytes."""
    target = folder / "text.csv"
    with path.open("rb") as source, target.open("wb") as out:
        encoding = utf16_of(source.read(HEAD)) or "utf-16-le"
        source.seek(0)
        decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        is_start = True
        while block := source.read(_BLOCK):
            text = decoder.decode(block)
            out.write((text.lstrip("\ufeff") if is_start else text).encode("utf-8", "surrogatepass"))
            is_start = False
        half, _ = decoder.getstate()
        out.write(decoder.decode(b"\0" * (len(half) % 2), True).encode("utf-8", "surrogatepass"))
    return target
