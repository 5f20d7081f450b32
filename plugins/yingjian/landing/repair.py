"""Repair and typing of whole columns: what is only written differently is made the same (docs: feeds).

Every function takes and returns polars expressions over text columns in which an empty cell is null.
"""

from __future__ import annotations

import polars as pl

from yingjian.landing.errors import INVISIBLE
from yingjian.landing.readers.layout import BLANKS

_FULL_WIDTH = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_DIGITS_AND_LETTERS = {wide: half for wide, half in _FULL_WIDTH.items() if half.isalnum()}

ISO_DATE = "%Y-%m-%d"
ISO_TIME = "%Y-%m-%d %H:%M:%S"


def clean(text: pl.Expr) -> pl.Expr:
    """Surrounding blanks, a leading apostrophe and what shows nothing off, full-width digits and letters folded.

    Empty is null.
    """
    visible = pl.when(text.str.contains(f"[{INVISIBLE}]")).then(text.str.replace_all(f"[{INVISIBLE}]", ""))
    stripped = visible.otherwise(text).str.strip_chars(BLANKS).str.strip_chars_start("'’‘＇").str.strip_chars(BLANKS)
    folded = (
        pl.when(stripped.str.contains(r"[\uFF10-\uFF19\uFF21-\uFF3A\uFF41-\uFF5A]"))
        .then(stripped.str.replace_many(_DIGITS_AND_LETTERS))
        .otherwise(stripped)
    )
    return pl.when(folded != "").then(folded)


def fold(text: pl.Expr) -> pl.Expr:
    """All full-width signs to half-width, for cells that hold a number, a date or a code."""
    return pl.when(text.str.contains(r"[\uFF01-\uFF5E]")).then(text.str.replace_many(_FULL_WIDTH)).otherwise(text)


def document_number(text: pl.Expr) -> pl.Expr:
    """A document number in its one form: half-width, upper case."""
    return fold(text).str.to_uppercase()


def timestamp(text: pl.Expr) -> pl.Expr:
    """A date with or without a time, in every form that exports use; null where it is none.

    `2022-07-01`, `2022/7/1`, `2022.7.1`, `20220701`, `2022年7月1日`, a spreadsheet's serial number; times with or
    without seconds, after a blank or `T`.
    """
    return text.map_batches(_timestamps, return_dtype=pl.Datetime("us"))


def _timestamps(texts: pl.Series) -> pl.Series:
    # Step by step: one expression would take the first steps anew for every part of a date.
    frame = pl.DataFrame({"text": texts}).select(folded=fold(pl.col("text")))
    # The end of a file that was cut off: 08:1 may have been 08:16.
    whole = pl.when(~pl.col("folded").str.contains(r":\d?$|[\sT]\d{1,2}$")).then("folded")
    frame = frame.with_columns(
        plain=whole.str.replace_all(r"\s*[年月/.]\s*", "-")
        .str.replace_all(r"\s*日\s*|T", " ")
        .str.replace_all("[时点分]", ":")
        .str.replace_all(r"[:\s]*秒?\s*$", "")
    )
    frame = frame.with_columns(
        parts=pl.col("plain").str.extract_groups(
            r"^(?<y>[1-9]\d{3})-(?<mo>\d{1,2})-(?<d>\d{1,2})(?:\s+(?<h>\d{1,2})(?::(?<mi>\d{1,2})(?::(?<s>[0-5]?\d)(?:-\d+)?)?)?)?$"
        ),
        compact=pl.col("plain").str.extract_groups(
            r"^(?<y>[1-9]\d{3})(?<mo>\d{2})(?<d>\d{2})(?:\s*(?<h>\d{2}):?(?<mi>[0-5]\d)(?::?(?<s>[0-5]\d))?)?$"
        ),
        serial=pl.col("folded").str.extract(r"^(\d{5}(?:\.\d+)?)$").cast(pl.Float64, strict=False),
    )
    since_1899 = pl.lit("1899-12-30").str.to_datetime("%Y-%m-%d", time_unit="us") + pl.duration(
        seconds=(pl.col("serial") * 86400).round(0).cast(pl.Int64)
    )
    return frame.select(
        pl.coalesce(_from_parts(pl.col("parts")), _from_parts(pl.col("compact")), since_1899)
    ).to_series()


def _from_parts(parts: pl.Expr) -> pl.Expr:
    def part(name: str, default: str = "0") -> pl.Expr:
        return parts.struct.field(name).fill_null(default).str.zfill(2)

    text = pl.format(
        "{}-{}-{} {}:{}:{}", parts.struct.field("y"), part("mo"), part("d"), part("h"), part("mi"), part("s")
    )
    return text.str.to_datetime(ISO_TIME, strict=False, time_unit="us")


def number(text: pl.Expr) -> pl.Expr:
    """A finite decimal number as text; null where it is none."""
    value = fold(text).cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value.cast(pl.String))


def frequency(text: pl.Expr) -> pl.Expr:
    """自定频次 in one form: half-width digits, Chinese numerals as digits, no blanks."""
    numerals = {"一": "1", "二": "2", "两": "2", "三": "3", "四": "4", "五": "5", "六": "6", "七": "7"}
    return fold(text).str.replace_all(r"\s", "").str.replace_many(numerals)
