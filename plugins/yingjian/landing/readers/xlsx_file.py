"""This module reads spreadsheets: every sheet that has the feed's header, with up to five title lines above it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from yingjian.landing.archives import require_modest_directory
from yingjian.landing.errors import FileRejectedError, label
from yingjian.landing.feeds import Feed
from yingjian.landing.readers import sheets
from yingjian.landing.readers.layout import (
    TITLE_LINES,
    Chunk,
    Layout,
    Record,
    chunks_of,
    find_header,
    header_words,
    later_layout,
    make_layout,
)

SHEET_LINES = 10_000_000  # More than any sheet has rows.
MAX_BYTES = 1 << 30  # The reader takes the whole file into its memory.
# Excel writes a page of frames around its sheets, which stand in other files.
NO_SHEET = {"html": "网页中没有表格（表格可能在另外的文件里）；请将表格另存为.xlsx或CSV后重新报送"}
MAX_UNPACKED = 4 << 30  # Bytes of XML; a sheet that is full to its last row has less than one.


def read_xlsx(path: Path, feed: Feed, kind: str = "xlsx") -> tuple[Layout, Iterator[Chunk]]:
    """Layout and chunks of a spreadsheet of `feed`: every sheet that has its header, hidden rows too.

    kind: "html" for a page whose tables are its sheets, "xml" for an XML spreadsheet; every other kind is told by its content.
    Rows of further sheets have line numbers from SHEET_LINES on. Raises FileRejectedError when no sheet has the header,
    or when one that has it lacks a column; also while its chunks are read.
    """
    _require_modest(path)
    reader = _Reader(path, kind)
    tables: list[tuple[int, str, int, Layout]] = []
    ignored: list[str] = []
    problem = FileRejectedError(NO_SHEET.get(kind, "电子表格中没有工作表"))
    for number, (name, head) in enumerate(reader.heads):
        try:
            last_row, header = find_header(head[: TITLE_LINES + 2], feed)
        except FileRejectedError as error:
            problem = error
            ignored += [f"工作表“{label(name)}”"] if any(map(any, head[:1])) else []
            continue
        tables.append((number, label(name), last_row, make_layout(header, feed)))
    if not tables:
        raise problem
    extra = [*tables[0][3].extra_columns, *ignored]
    layout = replace(tables[0][3], extra_columns=tuple(dict.fromkeys(extra)))
    return layout, _chunks(reader, tables, feed, is_padded=kind != "html")


def _chunks(
    reader: _Reader, tables: list[tuple[int, str, int, Layout]], feed: Feed, is_padded: bool
) -> Iterator[Chunk]:
    with reader:
        for i, (number, name, last_row, first_layout) in enumerate(tables):
            place = f"工作表“{name}”" if len(tables) > 1 else ""
            rows = islice(enumerate(reader.rows(number), start=1), last_row + 1, None)
            layout: Layout | None = first_layout
            while layout is not None:
                section = _Section(rows, layout, feed, i * SHEET_LINES, is_padded)
                yield from chunks_of(section.records(), layout, feed, place)
                layout = section.later


class _Section:
    """The rows of a sheet up to a later header, whose layout is `later` once they were read; None at the sheet's end.

    is_padded: whether cells that are missing at the end of a row are empty ones.
    """

    def __init__(
        self, rows: Iterator[tuple[int, list[str]]], layout: Layout, feed: Feed, first_line: int, is_padded: bool
    ) -> None:
        self._is_padded = is_padded
        self._rows, self._width, self._feed, self._first_line = rows, layout.width, feed, first_line
        self._words = header_words(feed)
        self.later: Layout | None = None

    def records(self) -> Iterator[Record]:
        width = self._width
        for number, cells in self._rows:
            text = "".join(cells)
            if not text.strip():
                continue
            # A look at the row's text is quick, and few rows need one at each cell.
            if any(word in text for word in self._words) and not self._words.isdisjoint(cells):
                self.later = later_layout(cells, self._feed, number)
                if self.later is not None:
                    return
            record = cells
            if len(cells) != width:
                has_other_width = any(cell.strip() for cell in cells[width:]) or not (
                    self._is_padded or len(cells) >= width
                )
                record = cells if has_other_width else [*cells[:width], *[""] * (width - len(cells))]
            yield Record(self._first_line + number, record, ",".join(record))


def _require_modest(path: Path) -> None:
    """Refuse what is larger than any spreadsheet, or would unpack to more; an old .xls is no archive."""
    if path.stat().st_size > MAX_BYTES:
        raise FileRejectedError("电子表格过大，疑似异常文件，未读取；请拆分后重新报送")
    if not zipfile.is_zipfile(path):
        return
    require_modest_directory(path)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
    except Exception as error:
        raise _unreadable(type(error).__name__) from None
    if unpacked > MAX_UNPACKED:
        raise FileRejectedError("电子表格解开后过大，疑似异常文件，未读取")


def _unreadable(why: str) -> FileRejectedError:
    if why == "PasswordError":
        return FileRejectedError("这是有密码的电子表格，无法读取；请去掉密码后重新报送")
    return FileRejectedError(f"电子表格无法打开（{why}），可能已损坏；请用电子表格软件打开后另存为.xlsx重新报送")


class _Reader:
    """The process that reads a spreadsheet (`sheets.py`). It ends with its input, so at the latest with this object.

    heads: every sheet's name and first rows.
    """

    def __init__(self, path: Path, kind: str) -> None:
        # -I: nothing but the environment's own packages. What the process says on its way down may quote the file.
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(Path(sheets.__file__)), str(path), kind],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.heads: list[tuple[str, list[list[str]]]] = self._hear()

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def rows(self, sheet: int) -> Iterator[list[str]]:
        """Yield every row of the sheet with this number, from the first on."""
        requests = cast("IO[str]", self._process.stdin)
        try:
            requests.write(f"{sheet}\n")
            requests.flush()
        except BrokenPipeError:
            raise _unreadable("OutOfMemory") from None
        while (batch := self._hear()) is not None:
            yield from batch

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
