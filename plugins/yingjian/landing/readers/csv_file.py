"""CSV as people and old systems write it: UTF-8, with or without BOM, or GB18030; comma, semicolon or tab."""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from yingjian.landing.errors import FileRejectedError, as_text
from yingjian.landing.feeds import Feed
from yingjian.landing.readers.layout import TITLE_LINES, Layout, Record, find_header, header_score, make_layout

DELIMITERS = (",", "\t", ";")
MAX_CELL = 1_000_000
BLOCK = 1 << 20


class _Lines:
    """The physical lines of a file, with a memory of those that the current record took, and a way back."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._returned: deque[str] = deque()
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._file)
        if "\0" in line:
            line = line.replace("\0", "")
        self.number += 1
        self.taken.append(line)
        return line

    def keep_first(self) -> str:
        """Give back all lines of the current record but its first, which is returned."""
        first, *rest = self.taken
        self._returned.extendleft(reversed(rest))
        self.number -= len(rest)
        self.taken = []
        return first


def read_csv(path: Path, feed: Feed) -> tuple[str, Layout, Iterator[Record]]:
    """Encoding, layout and records of a CSV file of `feed`; raises FileRejectedError when it has no header."""
    encoding, is_clean = detect_encoding(path, feed)
    head = _head(path, encoding)
    if not head:
        raise FileRejectedError("文件为空")
    delimiter = max(DELIMITERS, key=lambda d: max(header_score(row, feed) for row in csv.reader(head, delimiter=d)))
    rows = list(csv.reader(head, delimiter=delimiter))
    header_row = find_header(rows, feed)
    layout = make_layout(rows[header_row], feed)
    return encoding, layout, _records(path, encoding, delimiter, header_row, layout.width, is_clean)


def detect_encoding(path: Path, feed: Feed) -> tuple[str, bool]:
    """The encoding of a file and whether every byte of it is text in that encoding.

    A few bytes that are no text must not decide it: when the whole file is not UTF-8, the header does.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        return "utf-8-sig", True
    except UnicodeDecodeError:
        pass
    scores = {
        encoding: max(
            (header_score(row, feed) for d in DELIMITERS for row in csv.reader(_head(path, encoding), delimiter=d)),
            default=0,
        )
        for encoding in ("utf-8-sig", "gb18030")
    }
    return ("gb18030" if scores["gb18030"] > scores["utf-8-sig"] else "utf-8-sig"), False


def _open(path: Path, encoding: str) -> TextIO:
    # Bytes that are no text come through as lone surrogates, by which their rows are known.
    return path.open(encoding=encoding, errors="surrogateescape", newline="")


def _head(path: Path, encoding: str) -> list[str]:
    with _open(path, encoding) as file:
        return [line for line in (file.readline(MAX_CELL).replace("\0", "") for _ in range(TITLE_LINES + 1)) if line]


def _records(
    path: Path, encoding: str, delimiter: str, header_row: int, width: int, is_clean: bool
) -> Iterator[Record]:
    csv.field_size_limit(MAX_CELL)
    with _open(path, encoding) as file:
        lines = _Lines(file)
        reader = csv.reader(lines, delimiter=delimiter)
        to_skip = header_row + 1
        while True:
            lines.taken = []
            first_line = lines.number + 1
            try:
                cells = next(reader, None)
                is_whole = cells is None or len(lines.taken) == 1 or len(cells) == width
            except csv.Error:
                cells, is_whole = [], False
            if cells is None:
                return
            if to_skip:
                to_skip -= 1
                if not to_skip:
                    reader = csv.reader(lines, delimiter=delimiter, strict=True)
                continue
            if not is_whole:
                # A quote that nobody closed swallowed the lines below it: only its own line can be wrong.
                raw = lines.keep_first().rstrip("\r\n")
                reader = csv.reader(lines, delimiter=delimiter, strict=True)
                yield _record(first_line, _loosely(raw, delimiter), raw, is_clean)
                continue
            raw = "".join(lines.taken).rstrip("\r\n")
            if not cells or not raw.strip():
                continue
            yield _record(first_line, cells, raw, is_clean)


def _loosely(line: str, delimiter: str) -> list[str]:
    """Cells of a line with stray quotes; the whole line as one cell when a quote is left open."""
    if line.count('"') % 2:
        return [line]
    try:
        return next(csv.reader([line], delimiter=delimiter), [line])
    except csv.Error:
        return [line]


def _record(line: int, cells: list[str], raw: str, is_clean: bool) -> Record:
    if is_clean or raw.isascii():
        return Record(line, cells, raw)
    text = as_text(raw)
    if text == raw:
        return Record(line, cells, raw)
    return Record(line, [as_text(cell) for cell in cells], text, is_text=False)
