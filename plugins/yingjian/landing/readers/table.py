"""A file, as it was sent, as chunks of text columns with their line numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from yingjian.landing.feeds import Feed
from yingjian.landing.readers.csv_file import read_csv
from yingjian.landing.readers.layout import Chunk, Layout
from yingjian.landing.readers.xlsx_file import read_xlsx


@dataclass(frozen=True)
class Table:
    """A tabular file: its encoding, the layout of its columns, and its records in chunks, in the order of their lines."""

    encoding: str
    layout: Layout
    chunks: Iterator[Chunk] = field(repr=False)


def open_table(path: Path, feed: Feed) -> Table:
    """Open an export of `feed`. Raises FileRejectedError when no header of the feed is found in it."""
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PK\x03\x04" or path.suffix.lower() in (".xlsx", ".xls"):
        return Table("xlsx", *read_xlsx(path, feed))
    return Table(*read_csv(path, feed))
