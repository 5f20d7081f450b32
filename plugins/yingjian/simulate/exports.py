"""Exports as people and old systems write them: encodings, date forms and the ordinary dirt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from yingjian.landing.feeds import FEEDS

ENCODINGS = ("utf-8", "utf-8-sig", "gb18030")
DATE_FORMS = ("%Y-%m-%d", "%Y/%-m/%-d", "%Y%m%d", "%Y年%-m月%-d日")
TIME_FORMS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%-m/%-d %H:%M")
ODD = 0.04  # Share of cells that are written in another of the forms in use.
_WIDE = {str(i): chr(0xFF10 + i) for i in range(10)}


class Exports:
    """Writes one landing folder; every draw comes from the generator, so the same seed gives the same bytes."""

    def __init__(self, out: Path, rng: np.random.Generator) -> None:
        self._out = out
        self._rng = rng

    def write(self, feed_name: str, stamp: str, rows: pl.DataFrame, extra: list[dict[str, str]] | None = None) -> None:
        """Write rows (columns as in staging; missing ones are empty) and raw extra rows as one export."""
        feed = FEEDS[feed_name]
        if rows.is_empty() and not extra:
            return
        text = pl.DataFrame(
            [
                self._as_text(rows[column.name], column.kind).alias(column.source)
                if column.name in rows.columns
                else pl.repeat("", rows.height, eager=True, dtype=pl.String).alias(column.source)
                for column in feed.columns
            ]
        )
        if extra:
            # A bad row comes from where the good ones come from.
            sender = feed.sender.source if feed.sender and not text.is_empty() else None
            blank = {column.source: text[0, sender] if column.source == sender else "" for column in feed.columns}
            text = pl.concat([text, pl.DataFrame([blank | row for row in extra], schema=text.schema)])
        encoding = ENCODINGS[self._rng.integers(0, len(ENCODINGS))]
        newline = "\r\n" if self._rng.random() < 0.3 else "\n"
        content = text.write_csv(line_terminator=newline).encode(encoding)
        folder = self._out / feed_name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{feed_name}_{stamp}.csv").write_bytes(content)
        if self._rng.random() < 0.03:
            (folder / f"{feed_name}_{stamp}(1).csv").write_bytes(content)

    def _as_text(self, values: pl.Series, kind: str) -> pl.Series:
        if values.dtype == pl.Date:
            return self._formatted(values, DATE_FORMS)
        if values.dtype == pl.Datetime:
            return self._formatted(values, TIME_FORMS)
        text = values.cast(pl.String).fill_null("")
        if kind != "id_number":
            return text
        dirt = pl.Series(self._rng.random(len(text)))
        return pl.select(
            pl.when(pl.lit(dirt) < 0.004)
            .then(pl.lit("'") + pl.lit(text))
            .when(pl.lit(dirt) < 0.008)
            .then(pl.lit(" ") + pl.lit(text) + pl.lit(" "))
            .when(pl.lit(dirt) < 0.012)
            .then(pl.lit(text).str.replace_many(_WIDE))
            .when(pl.lit(dirt) < 0.016)
            .then(pl.lit(text).str.to_lowercase())
            .otherwise(pl.lit(text))
        ).to_series()

    def _formatted(self, values: pl.Series, forms: tuple[str, ...]) -> pl.Series:
        odd = pl.Series(self._rng.random(len(values)))
        text = pl.lit(values).dt.strftime(forms[0])
        for i, form in enumerate(forms[1:]):
            text = (
                pl.when(pl.lit(odd).is_between(i * ODD, (i + 1) * ODD))
                .then(pl.lit(values).dt.strftime(form))
                .otherwise(text)
            )
        return pl.select(text.fill_null("")).to_series()
