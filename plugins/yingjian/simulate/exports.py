"""Exports as people and old systems write them: encodings, date forms and the ordinary dirt."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl

from yingjian.landing.feeds import FEEDS
from yingjian.simulate.columns import Integers

ENCODINGS = ("utf-8", "utf-8-sig", "gb18030")
DATE_FORMS = ("%Y-%m-%d", "%Y/%-m/%-d", "%Y%m%d", "%Y年%-m月%-d日")
DAY_FORMS = ("%Y-%m-%d ", "%Y-%m-%d ", "%Y/%-m/%-d ")  # Of a time; the same place of the next has its rest.
CLOCK_FORMS = ("%H:%M:%S", "%H:%M", "%H:%M")
ODD = 0.04  # Share of cells that are written in another of the forms in use.
DIRTY = 0.016  # Share of numbers with an apostrophe, blanks, full-width digits or a small letter.
FILE_ROWS = 200_000  # A longer export comes in parts.
DAY_SECONDS = 86_400
_WIDE = {str(i): chr(0xFF10 + i) for i in range(10)}


class Exports:
    """Writes into one landing folder; rows: written so far, files: the same, a file that comes twice counted twice.

    What a file looks like is drawn from the seed and its name, so the same seed gives the same bytes in any order.
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
            self._write_file(feed_name, f"{stamp}_{i + 1}" if i else stamp, part, [] if i else extra or [])

    def write_text(self, feed_name: str, file_name: str, content: bytes) -> None:
        """Write a file of a form of its own."""
        folder = self._out / feed_name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file_name).write_bytes(content)
        self.files += 1

    def _write_file(self, feed_name: str, stamp: str, rows: pl.DataFrame, extra: list[dict[str, str]]) -> None:
        feed = FEEDS[feed_name]
        rng = np.random.Generator(np.random.PCG64([self._seed, crc32(f"{feed_name}/{stamp}".encode())]))
        text = rows.select(
            _as_text(rng, rows[column.name], column.kind).alias(column.source)
            if column.name in rows.columns
            else pl.lit("").alias(column.source)
            for column in feed.columns
        )
        if extra:
            # A bad row comes from where the good ones come from.
            sender = feed.sender.source if feed.sender and not text.is_empty() else None
            blank = {column.source: text[0, sender] if column.source == sender else "" for column in feed.columns}
            text = pl.concat([text, pl.DataFrame([blank | row for row in extra], schema=text.schema)])
        encoding = ENCODINGS[rng.integers(0, len(ENCODINGS))]
        content = io.BytesIO()
        text.write_csv(
            content, include_bom=encoding == "utf-8-sig", line_terminator="\r\n" if rng.random() < 0.3 else "\n"
        )
        written = content.getvalue()
        if encoding == "gb18030":
            written = written.decode().encode(encoding)
        self.write_text(feed_name, f"{feed_name}_{stamp}.csv", written)
        self.rows += text.height
        if rng.random() < 0.03:
            self.write_text(feed_name, f"{feed_name}_{stamp}(1).csv", written)


def _as_text(rng: np.random.Generator, values: pl.Series, kind: str) -> pl.Series:
    if values.dtype == pl.Date:
        days = values.to_physical()
        return _gathered(_day_table(days, DATE_FORMS), days, _forms(rng, len(values), len(DATE_FORMS))).fill_null("")
    if values.dtype == pl.Datetime:
        seconds = values.dt.cast_time_unit("ms").to_physical() // 1000
        days = seconds // DAY_SECONDS
        forms = _forms(rng, len(values), len(DAY_FORMS))
        day = _gathered(_day_table(days, DAY_FORMS), days, forms)
        return (day + _gathered(_clock_table(), seconds % DAY_SECONDS, forms)).fill_null("")
    text = values.cast(pl.String).fill_null("")
    return _dirty(rng, text) if kind == "id_number" else text


def _forms(rng: np.random.Generator, count: int, forms: int) -> Integers:
    """Which form each cell is written in: mostly the first."""
    drawn = (rng.random(count) / ODD).astype(np.int64) + 1
    return np.where(drawn < forms, drawn, 0)


Table = tuple[pl.Series, int, int]  # Texts of all values in the first form, then in the second …; first value, values.


def _day_table(days: pl.Series, forms: tuple[str, ...]) -> Table:
    """The days (since 1970) from the smallest to the largest, in all forms."""
    known = days.drop_nulls().to_numpy()
    first, last = (int(known.min()), int(known.max())) if len(known) else (0, 0)
    span = pl.Series(np.arange(first, last + 1).astype("datetime64[D]"))
    return pl.concat([span.dt.strftime(form) for form in forms]), first, len(span)


@cache
def _clock_table() -> Table:
    span = pl.Series(np.arange(DAY_SECONDS)).cast(pl.Int64).cast(pl.Duration("ms")) * 1000
    midnight = pl.Series(np.zeros(DAY_SECONDS, dtype="datetime64[ms]"))
    return pl.concat([(midnight + span).dt.strftime(form) for form in CLOCK_FORMS]), 0, DAY_SECONDS


def _gathered(table: Table, values: pl.Series, forms: Integers) -> pl.Series:
    texts, first, count = table
    return texts.gather(values - first + pl.Series(forms * count))


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
