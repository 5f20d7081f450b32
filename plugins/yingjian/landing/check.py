"""Checks of whole columns: which rows are rejected, and why (docs: feeds)."""

from __future__ import annotations

import hmac
from datetime import datetime

import polars as pl

from yingjian.landing import repair
from yingjian.landing.feeds import ID_TYPES, RESIDENT_ID, Column, Feed

# Groups whose rule counts from 锚定日期: annex rows 29–37 and article 6.
ANCHORED_GROUPS = frozenset({*map(str, range(29, 38)), "A06"})
GROUPS = frozenset({*map(str, range(1, 39)), "A06", "A28"})

KEY_CHARACTERS = 200  # A longer key is none: no index takes it.

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = dict(enumerate("10X98765432"))
_CANONICAL = {"date": r"^\d{4}-\d{2}-\d{2}$", "time": r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$"}


def type_and_check(raw: pl.DataFrame, feed: Feed, received_at: datetime) -> pl.DataFrame:
    """Repair, type and check the rows of a chunk.

    raw: one text column per feed column (named as in staging). Returns the typed columns and `reason_codes`
    (list of text, empty for a good row), `reason_columns` (the header texts concerned) and `is_repaired`.
    received_at: when the file was received, Asia/Shanghai wall time.
    """
    cleaned = raw.select(repair.clean(pl.col(column.name)).alias(column.name) for column in feed.columns)
    typed = cleaned.with_columns(_typed(column).alias(column.name) for column in feed.columns)
    problems = [
        (code, source, condition)
        for column in feed.columns
        for code, source, condition in _column_problems(column, feed, cleaned)
    ] + _row_problems(feed, cleaned, received_at)
    flags = typed.select(condition.fill_null(False).alias(str(i)) for i, (_, _, condition) in enumerate(problems))
    repaired = pl.any_horizontal(
        *(
            (raw[c.name].fill_null("") != typed[c.name].fill_null(""))
            if c.kind not in ("date", "time", "number")
            else raw[c.name].ne_missing(cleaned[c.name]) & (raw[c.name] != "")
            | ~cleaned[c.name].str.contains(_CANONICAL.get(c.kind, "")).fill_null(True)
            for c in feed.columns
        )
    )
    return typed.with_columns(
        reason_codes=_collect(flags, [code for code, _, _ in problems]),
        reason_columns=_collect(flags, [source for _, source, _ in problems]),
        is_repaired=pl.select(repaired).to_series(),
    )


def person_keys(typed: pl.DataFrame, secret: bytes) -> pl.Series:
    """Keyed hash (HMAC-SHA-256, hex) of type and normalised number of each row's identity document."""
    identity = typed.select(pl.concat_str("id_type", "id_number", separator="|")).to_series()
    keys = {text: hmac.digest(secret, text.encode(), "sha256").hex() for text in identity.unique().drop_nulls()}
    return identity.replace_strict(keys, default=None, return_dtype=pl.String).alias("person_key")


def has_valid_check_digit(number: pl.Expr) -> pl.Expr:
    """Whether a resident number has 17 digits and the check digit of ISO 7064 MOD 11-2."""
    digits = [number.str.slice(i, 1).cast(pl.Int32, strict=False) * weight for i, weight in enumerate(_WEIGHTS)]
    remainder = pl.sum_horizontal(digits) % 11
    return number.str.contains(r"^\d{17}[\dX]$") & (
        number.str.slice(17, 1) == remainder.replace_strict(_CHECK_DIGITS, default=None, return_dtype=pl.String)
    )


def _typed(column: Column) -> pl.Expr:
    text = pl.col(column.name)
    match column.kind:
        case "date":
            return repair.timestamp(text).cast(pl.Date)
        case "time":
            return repair.timestamp(text)
        case "number":
            return repair.fold(text).cast(pl.Float64, strict=False)
        case "id_number":
            return repair.document_number(text)
        case "group":
            return repair.fold(text).str.to_uppercase()
        case "frequency":
            return repair.frequency(text)
        case "code" | "id_type":
            return repair.fold(text) if column.kind == "code" else text
        case _:
            return text


def _column_problems(column: Column, feed: Feed, cleaned: pl.DataFrame) -> list[tuple[str, str, pl.Expr]]:
    """(reason code, header text, condition over the typed columns) for one column."""
    value = pl.col(column.name)
    given = pl.lit(cleaned[column.name]).is_not_null()
    problems = []
    if column.name in feed.key:
        problems.append(("no_key", column.source, value.is_null() | (value.str.len_chars() > KEY_CHARACTERS)))
    elif column.required:
        problems.append(("missing_value", column.source, ~given))
    match column.kind:
        case "date" | "time":
            problems.append(("bad_date", column.source, given & value.is_null()))
        case "number":
            problems.append(("unknown_code", column.source, given & ~value.is_finite().fill_null(False)))
        case "code":
            problems.append(("unknown_code", column.source, given & ~value.is_in(column.codes)))
        case "id_type":
            problems.append(("unknown_code", column.source, given & ~value.is_in(ID_TYPES)))
        case "group":
            problems.append(("unknown_group", column.source, given & ~value.is_in(GROUPS)))
        case "id_number":
            is_resident = pl.col("id_type") == RESIDENT_ID
            is_scientific = value.str.contains(r"^\d(\.\d*)?E\+?\d+$")
            is_wrong = is_resident & ~is_scientific & ~has_valid_check_digit(value)
            # A spreadsheet keeps 15 significant digits: the last three of an 18-digit number become zeros.
            is_cut = is_wrong & value.str.contains(r"^\d{15}000$")
            problems.append(("scientific", column.source, is_scientific | is_cut))
            problems.append(("check_digit", column.source, is_wrong))
    return problems


def _row_problems(feed: Feed, cleaned: pl.DataFrame, received_at: datetime) -> list[tuple[str, str, pl.Expr]]:
    """Conditions that need more than one column."""

    def is_missing(name: str) -> pl.Expr:
        return pl.lit(cleaned[name]).is_null()

    if feed.name == "test_results":
        return [("future_sample", "采样时间", pl.col("sampled_at") > received_at)]
    if feed.name == "key_population":
        group = pl.col("group_code")
        frequency = pl.col("custom_frequency")
        is_frequency = frequency.str.contains(
            r"^([1-9]\d{0,2}[天日][1-9]\d{0,2}[检次]|([1-9]\d?)?周[1-9]\d{0,2}[检次]|每[日天])$"
        )
        return [
            ("missing_anchor", "锚定日期", group.is_in(ANCHORED_GROUPS) & is_missing("anchor_date")),
            ("unknown_code", "自定频次", (group == "38") & ~is_frequency),
        ]
    if feed.name == "arrivals":
        is_abroad = pl.col("origin") == "境外"
        return [
            ("missing_value", "入境日期", is_abroad & is_missing("entry_date")),
            ("missing_value", "离开日期", ~is_abroad & is_missing("left_date")),
        ]
    return []


def _collect(flags: pl.DataFrame, names: list[str]) -> pl.Series:
    """For each row the distinct names whose flag is set, in their order."""
    lists = flags.select(
        pl.concat_list(pl.when(pl.col(str(i))).then(pl.lit(name)) for i, name in enumerate(names))
        .list.drop_nulls()
        .list.unique(maintain_order=True)
        .alias("names")
    )
    return lists.to_series()
