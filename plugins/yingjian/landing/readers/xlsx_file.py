"""Spreadsheets: every sheet with the feed's header, up to five title lines above it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

from yingjian.landing.archives import require_modest_directory
from yingjian.landing.errors import FileRejectedError, label
from yingjian.landing.feeds import Feed
from yingjian.landing.readers import sheets
from yingjian.landing.readers.layout import TITLE_LINES, Chunk, Layout, Record, chunks_of, find_header, make_layout

SHEET_LINES = 10_000_000  # More than any sheet has rows.
MAX_UNPACKED = 4 << 30  # Bytes of XML; a sheet that is full to its last row has less than one.


def read_xlsx(path: Path, feed: Feed) -> tuple[Layout, Iterator[Chunk]]:
    """Layout and chunks of a spreadsheet of `feed`: every sheet that has its header, hidden rows too.

    Rows of further sheets have line numbers from SHEET_LINES on. Raises FileRejectedError when no sheet has the header,
    or when one that has it lacks a column; also while its chunks are read.
    """
    _require_modest(path)
    reader = _Reader(path)
    found: list[tuple[int, str, int, Layout]] = []
    ignored: list[str] = []
    problem = FileRejectedError("电子表格中没有工作表")
    for number, (name, head) in enumerate(reader.heads):
        try:
            last_row, header = find_header(head[: TITLE_LINES + 2], feed)
        except FileRejectedError as error:
            problem = error
            ignored += [f"工作表“{label(name)}”"] if any(map(any, head[:1])) else []
            continue
        found.append((number, label(name), last_row, make_layout(header, feed)))
    if not found:
        raise problem
    extra = [*found[0][3].extra_columns, *ignored]
    layout = replace(found[0][3], extra_columns=tuple(dict.fromkeys(extra)))
    return layout, _chunks(reader, found, feed)


def _chunks(reader: _Reader, found: list[tuple[int, str, int, Layout]], feed: Feed) -> Iterator[Chunk]:
    with reader:
        for i, (number, name, last_row, layout) in enumerate(found):
            place = f"工作表“{name}”" if len(found) > 1 else ""
            records = _records(reader.rows(number), last_row, layout.width, i * SHEET_LINES)
            yield from chunks_of(records, layout, feed, place)


def _require_modest(path: Path) -> None:
    """Refuse what would unpack to more than any spreadsheet; an old .xls is no archive."""
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
    return FileRejectedError(f"电子表格无法打开（{why}）")


class _Reader:
    """The process that reads a spreadsheet (`sheets.py`). It ends with its input, so at the latest with this object.

    heads: every sheet's name and first rows.
    """

    def __init__(self, path: Path) -> None:
        # -I: nothing but the environment's own packages. What the process says on its way down may quote the file.
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(Path(sheets.__file__)), str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.heads: list[tuple[str, list[list[str]]]] = self._hear()

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def rows(self, sheet: int) -> Iterator[list[str]]:
        """Every row of a sheet by its number, from the first on."""
        told = cast("IO[str]", self._process.stdin)
        try:
            told.write(f"{sheet}\n")
            told.flush()
        except BrokenPipeError:
            raise _unreadable("OutOfMemory") from None
        while (batch := self._hear()) is not None:
            yield from batch

    def _hear(self) -> Any:
        line = cast("IO[str]", self._process.stdout).readline()
        if not line:
            self._process.wait()
            raise _unreadable("OutOfMemory")
        said = json.loads(line)
        if isinstance(said, dict):
            self._process.wait()
            raise _unreadable(said["error"])
        return said


def _records(rows: Iterable[list[str]], header_row: int, width: int, first_line: int) -> Iterator[Record]:
    for number, cells in enumerate(rows, start=1):
        if number <= header_row + 1 or not any(cell.strip() for cell in cells):
            continue
        if not any(cell.strip() for cell in cells[width:]):
            cells = [*cells[:width], *[""] * (width - len(cells))]
        yield Record(first_line + number, cells, ",".join(cells))
