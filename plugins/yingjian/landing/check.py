"""Checks of whole columns: which rows are rejected, and why (docs: feeds)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from yingjian.landing import repair
from yingjian.landing.errors import REASONS
from yingjian.landing.feeds import ID_TYPES, RESIDENT_ID, Column, Feed

# Groups whose rule counts from 锚定日期: annex rows 29–37 and article 6.
ANCHORED_GROUPS = frozenset({*map(str, range(29, 38)), "A06"})
GROUPS = frozenset({*map(str, range(1, 39)), "A06", "A28"})

KEY_CHARACTERS = 200  # A longer key is none: no index takes it.

_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_CHECK_DIGITS = np.frombuffer(b"10X98765432", dtype=np.uint8)

# Numbers of the documents that are no resident number, as the issuing authorities write them.
DOCUMENT_PATTERNS = {
    "港澳居民来往内地通行证": r"^[HM][0-9]{8}([0-9]{2})?$",
    "台湾居民来往大陆通行证": r"^([0-9]{8}|[0-9]{10})([0-9A-Z]{2})?$",
    "护照": r"^[A-Z0-9]{5,17}$",
    "外国人永久居留身份证": r"^([A-Z]{3}[0-9]{12}|9[0-9]{16}[0-9X])$",
}


@dataclass(frozen=True)
class Checked:
    """The rows of a chunk, typed and judged.

    typed: the feed's columns, dates and times as ISO text, ready for COPY; is_bad, is_repaired and is_as_sent (no cell is
    written otherwise): one flag per row; reasons: a row per bad row with `index` (its place in the chunk), `codes`,
    `columns` (header texts concerned) and `words` (what is wrong, in Chinese).
    """

    typed: pl.DataFrame
    is_bad: pl.Series
    is_repaired: pl.Series
    is_as_sent: pl.Series
    reasons: pl.DataFrame


@dataclass(frozen=True)
class _Converted:
    """One column: its values, where a cell held something, where it was repaired, and where it is written otherwise."""

    value: pl.Series
    given: pl.Series
    repaired: pl.Series
    changed: pl.Series


def type_and_check(raw: pl.DataFrame, feed: Feed, received_at: datetime) -> Checked:
    """Repair, type and check the rows of a chunk.

    raw: one text column per feed column (named as in staging). received_at: when the file was received,
    Asia/Shanghai wall time.
    """
    converted = {column.name: _convert(raw[column.name], column) for column in feed.columns}
    typed = pl.DataFrame([item.value.alias(name) for name, item in converted.items()])
    given = {name: item.given for name, item in converted.items()}
    problems = [problem for column in feed.columns for problem in _column_problems(column, feed, typed, given)]
    problems += _row_problems(feed, typed, given, received_at)
    problems = [problem.sealed() for problem in problems]
    is_bad = _any([problem.flags for problem in problems], raw.height)
    is_repaired = _any([item.repaired for item in converted.values()], raw.height)
    is_as_sent = ~_any([item.changed for item in converted.values()], raw.height)
    return Checked(typed, is_bad, is_repaired, is_as_sent, _reasons(problems, is_bad))


def has_valid_check_digit(numbers: pl.Series) -> pl.Series:
    """Whether each resident number has 17 digits and the check digit of ISO 7064 MOD 11-2; never null."""
    is_whole = numbers.str.contains(r"^[0-9]{17}[0-9X]$").fill_null(False)
    whole = numbers.filter(is_whole)
    characters = np.frombuffer(whole.str.join("").item().encode(), dtype=np.uint8).reshape(-1, 18)
    expected = _CHECK_DIGITS[(characters[:, :17] - ord("0")) @ _WEIGHTS % 11]
    is_valid = np.zeros(len(numbers), dtype=bool)
    is_valid[is_whole.to_numpy()] = characters[:, 17] == expected
    return pl.Series(is_valid)


# How the text of each kind of column becomes its value; dates and times as ISO text.
_CONVERSIONS: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "date": lambda text: repair.timestamp(text).dt.strftime(repair.ISO_DATE),
    "time": lambda text: repair.timestamp(text).dt.strftime(repair.ISO_TIME),
    "number": repair.number,
    "id_number": repair.document_number,
    "group": lambda text: repair.fold(text).str.to_uppercase(),
    "frequency": repair.frequency,
    "code": repair.fold,
    "id_type": lambda text: text,
    "text": lambda text: text,
}
_SAMPLE = 1000
# Visible ASCII and common Chinese characters; no blank or apostrophe at the edges, and no full-width sign.
_PLAIN_TEXT = r"^[!-&(-~\u4e00-\u9fff](?:[ -~\u4e00-\u9fff]*[!-&(-~\u4e00-\u9fff])?$"


def _convert(raw: pl.Series, column: Column) -> _Converted:
    """Cells that stand in their final form are taken as they are, the others are repaired; of repeated texts each once."""
    never = pl.repeat(False, len(raw), eager=True)
    head = raw.head(_SAMPLE)
    is_repetitive = head.n_unique() * 2 < len(head)
    texts = raw.unique() if is_repetitive else raw
    is_final = (_is_final(texts, column) | texts.is_null()).fill_null(False)
    others = None if is_final.all() else _repaired(texts.filter(~is_final), column)
    if others is None or not (others["changed"].any() or others["repaired"].any()):
        return _Converted(raw, raw.is_not_null(), never, never)
    if is_repetitive:
        rows = pl.DataFrame({"raw": raw}).join(others, on="raw", how="left", maintain_order="left")
        return _Converted(
            rows.select(pl.when(pl.col("given").is_null()).then("raw").otherwise("value")).to_series(),
            rows["given"].fill_null(raw.is_not_null()), rows["repaired"].fill_null(False), rows["changed"].fill_null(False),
        )  # fmt: skip
    places = (~is_final).arg_true()
    return _Converted(
        raw.clone().scatter(places, others["value"]), raw.is_not_null().scatter(places, others["given"]),
        never.clone().scatter(places, others["repaired"]), never.clone().scatter(places, others["changed"]),
    )  # fmt: skip


def _repaired(texts: pl.Series, column: Column) -> pl.DataFrame:
    """Texts, repaired: raw, value, and the flags given, repaired and changed; no null among the texts or the flags."""
    form = "clean" if column.kind in ("date", "time", "number") else "value"
    is_repaired = pl.col("raw") != pl.col(form).fill_null("")
    if column.kind in ("date", "time"):
        is_repaired |= (pl.col("clean") != pl.col("value")).fill_null(False)
    if column.kind == "number":
        is_repaired &= pl.col("raw") != ""
    return (
        pl.DataFrame({"raw": texts})
        .with_columns(clean=repair.clean(pl.col("raw")))
        .with_columns(value=_CONVERSIONS[column.kind](pl.col("clean")))
        .select(
            "raw", "value", given=pl.col("clean").is_not_null(), repaired=is_repaired,
            changed=pl.col("value").ne_missing(pl.col("raw")),
        )
    )  # fmt: skip


def _is_final(raw: pl.Series, column: Column) -> pl.Series:
    """Where repair would change nothing, by a cheap look."""
    match column.kind:
        case "date" | "time":
            layout, width = (repair.ISO_DATE, 10) if column.kind == "date" else (repair.ISO_TIME, 19)
            is_date = raw.str.to_datetime(layout, strict=False, time_unit="us").is_not_null()
            is_year = (raw >= "1") & (raw < ":")  # Its first character is a digit other than 0.
            is_second = ~raw.str.ends_with("60")  # 23:59:60 is no time here.
            return is_date & is_year & is_second & (raw.str.len_bytes() == width)
        case "id_number" | "group":
            return raw.str.contains("^[0-9A-Z]+$")
        case "code":
            return raw.is_in(column.codes)
        case "text" | "id_type":
            return raw.str.contains(_PLAIN_TEXT)
        case "number" | "frequency":
            return pl.repeat(False, len(raw), eager=True)


@dataclass(frozen=True)
class Problem:
    """Rows with one fault: its code, the header text concerned, a flag per row, and words when the code's are not enough."""

    code: str
    source: str
    flags: pl.Series
    words: str = ""

    def sealed(self) -> Problem:
        return Problem(self.code, self.source, self.flags.fill_null(False), self.words or REASONS[self.code])


def _column_problems(column: Column, feed: Feed, typed: pl.DataFrame, given: dict[str, pl.Series]) -> list[Problem]:
    value, has_text = typed[column.name], given[column.name]
    problems: list[tuple[str, pl.Series]] = []
    if column.name in feed.key:
        problems.append(("no_key", value.is_null() | (value.str.len_chars() > KEY_CHARACTERS)))
    elif column.required:
        problems.append(("missing_value", ~has_text))
    match column.kind:
        case "date" | "time":
            problems.append(("bad_date", has_text & value.is_null()))
        case "number":
            problems.append(("unknown_code", has_text & value.is_null()))
        case "code":
            problems.append(("unknown_code", has_text & ~value.is_in(column.codes)))
        case "id_type":
            problems.append(("unknown_code", has_text & ~value.is_in(ID_TYPES)))
        case "group":
            problems.append(("unknown_group", has_text & ~value.is_in(list(GROUPS))))
        case "id_number":
            return [
                *(Problem(code, column.source, flags) for code, flags in problems),
                *_document_problems(column.source, typed["id_type"], value),
            ]
    return [Problem(code, column.source, flags) for code, flags in problems]


def _document_problems(source: str, id_type: pl.Series, number: pl.Series) -> list[Problem]:
    is_resident = (id_type == RESIDENT_ID).fill_null(False) & number.is_not_null()
    is_wrong = is_resident.clone()
    if is_resident.any():
        is_wrong = is_wrong.scatter(is_resident.arg_true(), ~has_valid_check_digit(number.filter(is_resident)))
    is_scientific = number.str.contains(r"^\d(\.\d*)?E\+?\d+$").fill_null(False)
    # A spreadsheet keeps 15 significant digits: the last three of an 18-digit number become zeros.
    is_cut = _matches(number, is_wrong, r"^\d{15}000$")
    is_old = _matches(number, is_wrong, r"^\d{15}$")
    problems = [
        Problem("scientific", source, is_scientific),
        Problem("scientific", source, is_cut, "证件号码末三位被电子表格改成000（只保留15位有效数字）"),
        Problem("check_digit", source, is_old, "15位旧身份证号码，请填18位"),
        Problem("check_digit", source, is_wrong & ~is_scientific & ~is_old),
    ]
    others = id_type.unique().drop_nulls()
    problems += [
        Problem(
            "unknown_code",
            source,
            (id_type == kind) & ~is_scientific & ~number.str.contains(pattern),
            f"{kind}号码不合格式",
        )
        for kind, pattern in DOCUMENT_PATTERNS.items()
        if kind in others
    ]
    return problems


def _matches(number: pl.Series, among: pl.Series, pattern: str) -> pl.Series:
    return among & number.str.contains(pattern) if among.any() else among


def _row_problems(feed: Feed, typed: pl.DataFrame, given: dict[str, pl.Series], received_at: datetime) -> list[Problem]:
    """Conditions that need more than one column."""
    if feed.name == "test_results":
        return [Problem("future_sample", "采样时间", typed["sampled_at"] > f"{received_at:%Y-%m-%d %H:%M:%S}")]
    if feed.name == "key_population":
        group = typed["group_code"]
        is_frequency = typed["custom_frequency"].str.contains(
            r"^([1-9]\d{0,2}[天日][1-9]\d{0,2}[检次]|([1-9]\d?)?周[1-9]\d{0,2}[检次]|每[日天])$"
        )
        return [
            Problem("missing_anchor", "锚定日期", group.is_in(list(ANCHORED_GROUPS)) & ~given["anchor_date"]),
            Problem("unknown_code", "自定频次", (group == "38") & ~is_frequency),
        ]
    if feed.name == "arrivals":
        is_abroad = typed["origin"] == "境外"
        return [
            Problem("missing_value", "入境日期", is_abroad & ~given["entry_date"]),
            Problem("missing_value", "离开日期", ~is_abroad & ~given["left_date"]),
        ]
    return []


def _any(flags: list[pl.Series], height: int) -> pl.Series:
    result = pl.repeat(False, height, eager=True)
    for flag in flags:
        if flag.any():
            result |= flag
    return result


def _reasons(problems: list[Problem], is_bad: pl.Series) -> pl.DataFrame:
    """For each bad row the distinct codes, header texts and words that concern it, in their order."""
    texts = pl.List(pl.String)
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "index": pl.Int64, "codes": texts, "columns": texts, "words": texts,
    }  # fmt: skip
    if not is_bad.any():
        return pl.DataFrame(schema=schema)
    flags = pl.DataFrame([problem.flags.filter(is_bad).alias(str(i)) for i, problem in enumerate(problems)])

    def collected(names: list[str]) -> pl.Expr:
        each = [pl.when(pl.col(str(i))).then(pl.lit(name)) for i, name in enumerate(names)]
        return pl.concat_list(each).list.drop_nulls().list.unique(maintain_order=True)

    return flags.select(
        index=pl.lit(is_bad.arg_true().cast(pl.Int64)),
        codes=collected([problem.code for problem in problems]),
        columns=collected([problem.source for problem in problems]),
        words=collected([problem.words for problem in problems]),
    )
