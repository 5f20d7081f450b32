"""This module writes exports as people and old systems do: with mixed encodings, mixed date formats and dirty cells."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl

from yingjian.landing.feeds import FEEDS, Feed

ENCODINGS = ("utf-8", "utf-8-sig", "gb18030")
DATE_FORMS = ("%Y-%m-%d", "%Y/%-m/%-d", "%Y%m%d", "%Y年%-m月%-d日")
DAY_FORMS = ("%Y-%m-%d ", "%Y-%m-%d ", "%Y/%-m/%-d ")  # CLOCK_FORMS has the other half of each.
CLOCK_FORMS = ("%H:%M:%S", "%H:%M", "%H:%M")
ODD = 0.04  # This share of cells is written in another format than the first.
DIRTY = 0.016  # This share of numbers has an apostrophe, blanks, full-width digits or a small letter.
FILE_ROWS = 200_000  # A longer export is split into several files.
BLOCK_ROWS = 25_000  # Rows are converted to text in blocks of this size.
DAY_SECONDS = 86_400
DAYS = (np.datetime64("1900-01-01"), np.datetime64("2100-01-01"))  # Only these days can be written.
FIRST_DAY, DAY_COUNT = int(DAYS[0].astype(np.int64)), int((DAYS[1] - DAYS[0]).astype(np.int64))
_WIDE = {str(i): chr(0xFF10 + i) for i in range(10)}


class Exports:
    """Writes into one landing folder. rows, files: written so far; a file that is sent twice counts as two files.

    The format of a file depends only on the seed and its name, so the order of writing does not change its bytes.
    """

    def __init__(self, out: Path, seed: int) -> None:
        self._out = out
        self._seed = seed
        self.rows = self.files = 0

    def write(self, feed_name: str, stamp: str, rows: pl.DataFrame, extra: list[dict[str, str]] | None = None) -> None:
        """Write rows (columns as in staging; missing ones are empty) and raw extra rows as one export."""
        if rows.is_empty() and not extra:
            return
        for i, part in enumerate(rows.iter_slices(FILE_ROWS) if rows.height else [rows]):
            self._write_file(FEEDS[feed_name], f"{stamp}_{i + 1}" if i else stamp, part, [] if i else extra or [])

    def write_frames(self, feed_name: str, stamp: str, frames: Iterable[pl.DataFrame]) -> None:
        """Write a stream of frames as exports of at most FILE_ROWS rows."""
        pending: list[pl.DataFrame] = []
        number = 0
        for frame in frames:
            if pending and sum(one.height for one in pending) + frame.height > FILE_ROWS:
                self.write(feed_name, f"{stamp}{number}", pl.concat(pending))
                pending, number = [], number + 1
            pending.append(frame)
        if pending:
            self.write(feed_name, f"{stamp}{number}", pl.concat(pending))

    def write_text(self, feed_name: str, file_name: str, text: str) -> None:
        """Write a file that is not a table."""
        self._path(feed_name, file_name).write_text(text, encoding="utf-8")

    def _path(self, feed_name: str, file_name: str) -> Path:
        """Return the path of a new file, and count it."""
        folder = self._out / feed_name
        folder.mkdir(parents=True, exist_ok=True)
        self.files += 1
        return folder / file_name

    def _write_file(self, feed: Feed, stamp: str, rows: pl.DataFrame, extra: list[dict[str, str]]) -> None:
        rng = np.random.Generator(np.random.PCG64([self._seed, crc32(f"{feed.name}/{stamp}".encode())]))
        encoding = ENCODINGS[rng.integers(0, len(ENCODINGS))]
        newline = "\r\n" if rng.random() < 0.3 else "\n"
        is_sent_twice = rng.random() < 0.03
        path = self._path(feed.name, f"{feed.name}_{stamp}.csv")
        with path.open("wb") as file:
            for text in _texts(rng, feed, rows, extra):
                is_first = file.tell() == 0
                content = text.write_csv(include_header=is_first, line_terminator=newline)
                file.write(content.encode(encoding if is_first else encoding.removesuffix("-sig")))
                self.rows += text.height
        if is_sent_twice:
            shutil.copyfile(path, self._path(feed.name, f"{feed.name}_{stamp}(1).csv"))


def _texts(
    rng: np.random.Generator, feed: Feed, rows: pl.DataFrame, extra: list[dict[str, str]]
) -> Iterator[pl.DataFrame]:
    """Yield the cells as text in blocks of rows; columns are named by their header texts."""
    for part in rows.iter_slices(BLOCK_ROWS):
        yield part.select(
            _as_text(rng, part[column.name], column.kind).alias(column.source)
            if column.name in part.columns
            else pl.lit("").alias(column.source)
            for column in feed.columns
        )
    if extra:
        # A bad row has the same sender as the good ones.
        sender = feed.sender if feed.sender and feed.sender.name in rows.columns and rows.height else None
        blank = {column.source: rows[0, column.name] if column == sender else "" for column in feed.columns}
        yield pl.DataFrame([blank | row for row in extra])


def _as_text(rng: np.random.Generator, values: pl.Series, kind: str) -> pl.Series:
    if values.dtype == pl.Date:
        days = values.to_physical() - FIRST_DAY
        return _day_table(DATE_FORMS).gather(days + _forms(rng, len(days), DATE_FORMS) * DAY_COUNT).fill_null("")
    if values.dtype == pl.Datetime:
        seconds = values.dt.cast_time_unit("ms").to_physical() // 1000 - FIRST_DAY * DAY_SECONDS
        forms = _forms(rng, len(seconds), DAY_FORMS)
        day = _day_table(DAY_FORMS).gather(seconds // DAY_SECONDS + forms * DAY_COUNT)
        return (day + _clock_table().gather(seconds % DAY_SECONDS + forms * DAY_SECONDS)).fill_null("")
    text = values.cast(pl.String).fill_null("")
    return _dirty(rng, text) if kind == "id_number" else text


def _forms(rng: np.random.Generator, count: int, forms: tuple[str, ...]) -> pl.Series:
    """Draw the index of each cell's format, mostly 0."""
    drawn = (rng.random(count) / ODD).astype(np.int64) + 1
    return pl.Series(np.where(drawn < len(forms), drawn, 0))


@cache
def _day_table(forms: tuple[str, ...]) -> pl.Series:
    """Return every day of DAYS in the first format, then in the second, and so on: a lookup table."""
    days = pl.Series(np.arange(*DAYS))
    return pl.concat([days.dt.strftime(form) for form in forms])


@cache
def _clock_table() -> pl.Series:
    """Return every second of a day in the first format, then in the second, and so on: a lookup table."""
    seconds = pl.Series((np.arange(DAY_SECONDS) * 1000).astype("datetime64[ms]"))
    return pl.concat([seconds.dt.strftime(form) for form in CLOCK_FORMS])


def _dirty(rng: np.random.Generator, text: pl.Series) -> pl.Series:
    drawn = rng.random(len(text))
    chosen = np.flatnonzero(drawn < DIRTY)
    clean, kind = text.gather(chosen), pl.Series(drawn[chosen] / DIRTY * 4).floor()
    dirty = pl.select(
        pl.when(kind == 0)
        .then("'" + clean)
        .when(kind == 1)
        .then(" " + clean + " ")
        .when(kind == 2)
        .then(clean.str.replace_many(_WIDE))
        .otherwise(clean.str.to_lowercase())
    ).to_series()
    place = np.arange(len(text))
    place[chosen] = len(text) + np.arange(len(chosen))
    return pl.concat([text, dirty]).gather(place)
