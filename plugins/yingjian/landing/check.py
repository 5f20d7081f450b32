"""Typing and validation of whole columns: which rows are rejected, and why (docs/feeds.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import numpy as np
import polars as pl

from yingjian.landing import repair
from yingjian.landing.errors import REASONS
from yingjian.landing.feeds import (
    DOCUMENT,
    FOREIGN_ID,
    ID_TYPES,
    PASSPORT,
    RESIDENCE_PERMITS,
    RESIDENT_ID,
    Column,
    Feed,
)
from yingjian.names import HAS_PERSON_NUMBER

# Groups whose rule counts from 锚定日期: annex rows 29–37 and article 6.
ANCHORED_GROUPS = frozenset({*map(str, range(29, 38)), "A06"})

LATE = timedelta(days=1)  # A sender's clock may be this far ahead.
# A spreadsheet number of more than 15 digits reaches us with a decimal point (readers/sheets.py) and has lost its last digits.
# A text of digits only is the sender's own number.
ROUNDED = r"(?i)^(\d([.．]\d+)?E[+＋]\d+|\d{16,}\.0)$"
SPREADSHEET_ERROR = r"^#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|#+)$"
# Spreadsheets turn a value such as 3-2 into a date and display it in one of these forms.
_MONTHS = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
MADE_A_DATE = (
    r"(?i)^(?:[12]\d{3}[-/]\d{1,2}[-/]\d{1,2}(?:\s*\d{1,2}:\d{2}(?::\d{2})?)?|(?:[12]\d{3}年)?\d{1,2}月\d{1,2}日|[12]\d{3}年\d{1,2}月"
    rf"|\d{{1,2}}-{_MONTHS}|{_MONTHS}-\d{{1,2}})$"
)
# A passport or permit number inside a place or organisation name. Approval numbers of drugs have the same form; most begin with
# a year (19 or 20) or follow 字.
_TRAVEL_DOCUMENT = "(?:[DEGP][0-9]{8}|E[A-HJ-NP-Z][0-9]{7}|[HM](?:1[0-8]|2[1-9]|[03-9][0-9])[0-9]{6}(?:[0-9]{2})?)"
HAS_TRAVEL_DOCUMENT = f"[^0-9A-Za-z字]{_TRAVEL_DOCUMENT}(?:[^0-9A-Za-z]|$)|^{_TRAVEL_DOCUMENT}[^0-9A-Za-z]"
# Codes of goods and events have that form, too. They follow a word such as 批号, or hold a date; a name that says 护照 or 证 is
# not searched for dates.
CODE_OF_GOODS = "(?:准字|批准文号|批号|批次|型号|货号)[^0-9A-Za-z]{0,3}[A-Z]{1,2}[0-9]+"
DATED_CODE = "[A-Z]{1,2}20[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
SAYS_DOCUMENT = "护照|证"
# Dates outside these years are rejected, except for the end-of-time date (year 9999).
FIRST_YEAR, LAST_YEAR, NO_END = "1880", "2100", "9999"
MOBILE = "^1[3-9][0-9]{9}$"  # A mobile number that needs no repair.
FREQUENCY = r"^([1-9]\d{0,2}[天日][1-9]\d{0,2}[检次]|([1-9]\d?)?周[1-9]\d{0,2}[检次]|每[日天])$"
DAY_NUMBERS = r"^第[1-9]\d?(、[1-9]\d?)*天$"

_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_BIRTH_PLACES = 10 ** np.arange(7, -1, -1)
_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
BORN_FROM = 1880  # An earlier birth year is rejected: nobody in the town is that old.
_CHECK_DIGITS = np.frombuffer(b"10X98765432", dtype=np.uint8)

# Formats of documents other than the resident identity card, as issued.
DOCUMENT_PATTERNS = {
    "港澳居民来往内地通行证": r"^[HM][0-9]{8}([0-9]{2})?$",
    "台湾居民来往大陆通行证": r"^([0-9]{8}|[0-9]{10})([0-9A-Z]{2})?$",
    "护照": r"^[A-Z0-9]{5,17}$",
    "外国人永久居留身份证": r"^([A-Z]{3}[0-9]{12}|9[0-9]{16}[0-9X])$",
}


@dataclass(frozen=True)
class Checked:
    """The rows of a chunk after typing and validation.

    typed: the feed's columns, dates and times as ISO text, ready for COPY; is_bad, is_repaired and is_as_sent: one flag per row
    (is_as_sent: every typed value equals the text that was sent); reasons: one row per bad row with `index` (position in the
    chunk), `codes`, `columns` (header texts concerned) and `words` (what is wrong, in Chinese).
    """

    typed: pl.DataFrame
    is_bad: pl.Series
    is_repaired: pl.Series
    is_as_sent: pl.Series
    reasons: pl.DataFrame


@dataclass(frozen=True)
class _Converted:
    """One typed column: its values, and one flag per row each for a cell that held something, was repaired, or differs from the
    text sent.
    """

    value: pl.Series
    given: pl.Series
    repaired: pl.Series
    changed: pl.Series


def type_and_check(raw: pl.DataFrame, feed: Feed, received_at: datetime) -> Checked:
    """Repair, type and check the rows of a chunk.

    raw: one text column per feed column (named as in staging). received_at: when the file was received,
    Asia/Shanghai wall time.
    """
    converted = _converted(raw, feed)
    converted |= {
        column.name: _received(converted[column.name], received_at)
        for column in feed.columns
        if column.is_receipt_if_empty
    }
    typed = pl.DataFrame([item.value.alias(name) for name, item in converted.items()])
    problems = [problem for column in feed.columns for problem in _column_problems(column, feed, typed, received_at)]
    problems += _row_problems(feed, typed, received_at)
    rows = typed.with_columns(item.given.alias(_GIVEN + name) for name, item in converted.items())
    # One query for all problems: in a small file, a query for each would take longer than the work in it.
    flags = rows.select(problem.flags.fill_null(False).alias(str(i)) for i, problem in enumerate(problems))
    found = [(problem, its) for problem, its in zip(problems, flags, strict=True) if its.any()]
    is_bad = _any([its for _, its in found], raw.height)
    is_repaired = _any([item.repaired for item in converted.values()], raw.height)
    is_as_sent = ~_any([item.changed for item in converted.values()], raw.height)
    return Checked(typed, is_bad, is_repaired, is_as_sent, _reasons(found, is_bad))


def typed(raw: pl.DataFrame, feed: Feed) -> pl.DataFrame:
    """Repair and type rows without validating them; a value that cannot be typed is null."""
    return pl.DataFrame([item.value.alias(name) for name, item in _converted(raw, feed).items()])


def _converted(raw: pl.DataFrame, feed: Feed) -> dict[str, _Converted]:
    given = raw.select(pl.all().is_not_null())
    # One query for all columns, for the same reason; in a repetitive column, only each distinct text is tested.
    distinct = {column.name: raw[column.name].unique() for column in feed.columns if _is_repetitive(raw[column.name])}
    is_final = raw.select(_is_final(column) for column in feed.columns if column.name not in distinct)
    converted = {
        column.name: _convert(raw[column.name], given[column.name], column, distinct.get(column.name), is_final)
        for column in feed.columns
    }
    if feed.has_person:
        converted |= _one_document(converted["id_type"], converted["id_number"])
    return converted


def document(id_type: str, id_number: str, received_at: datetime) -> tuple[str, str]:
    """Return a document's type and number as landing would store them.

    Raises ValueError for an invalid document; the message does not quote it.
    """
    cells = pl.DataFrame(
        {"id_type": [id_type], "id_number": [id_number]}, schema={"id_type": pl.String, "id_number": pl.String}
    )
    checked = type_and_check(cells, DOCUMENT, received_at)
    if checked.is_bad.any():
        raise ValueError(f"no document: {'、'.join(checked.reasons['words'].explode())}")
    return checked.typed["id_type"].item(), checked.typed["id_number"].item()


def has_valid_check_digit(numbers: pl.Series) -> pl.Series:
    """Return whether each resident number has a valid ISO 7064 MOD 11-2 check digit; never null."""
    return _judge_numbers(numbers, 0)[0]


def _judge_numbers(numbers: pl.Series, latest: int) -> tuple[pl.Series, pl.Series]:
    """Return two flags per resident number: its check digit is valid; its birth date exists and is not after `latest`
    (20220701).
    """
    is_whole = numbers.str.contains(r"^[0-9]{17}[0-9X]$").fill_null(False)
    whole = numbers.filter(is_whole)
    characters = np.frombuffer(whole.str.join("").item().encode(), dtype=np.uint8).reshape(-1, 18)
    digits = characters[:, :17].astype(np.int32) - ord("0")
    is_valid, is_born = np.zeros(len(numbers), dtype=bool), np.zeros(len(numbers), dtype=bool)
    places = is_whole.to_numpy()
    is_valid[places] = characters[:, 17] == _CHECK_DIGITS[digits @ _WEIGHTS % 11]
    birth = digits[:, 6:14] @ _BIRTH_PLACES
    year, month, day = birth // 10_000, birth // 100 % 100, birth % 100
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    days = _MONTH_DAYS[np.where(month <= 12, month, 0)] + (is_leap & (month == 2))
    is_born[places] = (day >= 1) & (day <= days) & (year >= BORN_FROM) & (birth <= latest)
    return pl.Series(is_valid), pl.Series(is_born)


def _received(old: _Converted, received_at: datetime) -> _Converted:
    """Fill empty cells of a time column with the time of receipt; a cell that is given but unparseable stays wrong."""
    receipt = pl.repeat(f"{received_at:{repair.ISO_TIME}}", len(old.value), eager=True)
    always = pl.repeat(True, len(old.value), eager=True)
    value = old.value.zip_with(old.given, receipt)
    return _Converted(value, always, old.repaired | ~old.given, old.changed | ~old.given)


def _one_document(id_type: _Converted, number: _Converted) -> dict[str, _Converted]:
    """Normalise the document type and number, so that all cards of one person give the same person key.

    A renewed travel permit keeps its base number. Residence permits, and foreigners' cards of 18 digits, are recognised by
    their number, since source systems label them in different ways.
    """
    rows = pl.DataFrame({"id_type": id_type.value, "id_number": number.value})
    is_special = ((rows["id_type"] != RESIDENT_ID) | (rows["id_number"] >= "8")).fill_null(False)
    if not is_special.any():
        return {}
    special = rows.filter(is_special)
    is_valid = has_valid_check_digit(special["id_number"])
    residence = pl.col("id_number").str.contains("^8[123]0000") & is_valid & (pl.col("id_type") != PASSPORT)
    foreign = pl.col("id_number").str.starts_with("9") & is_valid & (pl.col("id_type") == RESIDENT_ID)
    named = (
        pl.when(residence | pl.col("id_type").is_in(RESIDENCE_PERMITS)).then(pl.lit(RESIDENT_ID))
        .when(foreign).then(pl.lit(FOREIGN_ID)).otherwise("id_type")
    )  # fmt: skip
    folded = special.select(
        named.alias("id_type"), repair.lasting_number(pl.col("id_type"), pl.col("id_number")).alias("id_number")
    )
    places = is_special.arg_true()

    def written(old: _Converted, name: str) -> _Converted:
        value = old.value.clone().scatter(places, folded[name])
        is_other = value.ne_missing(old.value)
        return _Converted(value, old.given, old.repaired | is_other, old.changed | is_other)

    return {"id_type": written(id_type, "id_type"), "id_number": written(number, "id_number")}


# Conversion from text to value for each kind of column; dates and times become ISO text.
_CONVERSIONS: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "date": lambda text: repair.timestamp(text).dt.strftime(repair.ISO_DATE),
    "time": lambda text: repair.timestamp(text).dt.strftime(repair.ISO_MOMENT),
    "number": repair.number,
    "id_number": repair.document_number,
    "group": repair.group,
    "frequency": repair.frequency,
    "tests": repair.required_tests,
    "code": repair.fold,
    "id_type": lambda text: text,
    "text": lambda text: text,
    "place": repair.place,
    "places": repair.places,
}
_VALUES = ("date", "time", "number", "code")  # A cell of these kinds holds a single value.
_SAMPLE = 1000
# Cells that match these patterns need no repair. Plain text is visible ASCII and common Chinese characters, with no blank or
# apostrophe at its edges and no full-width characters.
_WRITTEN_DATE = "^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}$"
_WRITTEN_TIME = f"{_WRITTEN_DATE[:-1]} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}$"
_PLAIN_TEXT = r"^[!-&(-<>-~\u4e00-\u9fff](?:[ -~\u4e00-\u9fff]*[!-&(-~\u4e00-\u9fff])?$"
_CLEAN = r"^[0-9](?:[ 0-9A-Za-z.:/-]*[0-9A-Za-z.:/-])?$"  # Dates and numbers that `repair.clean` would not change.
_PLAIN_PLACE = r"^[0-9A-Za-z()#\u4e00-\u9fff-]+$"


def _is_repetitive(raw: pl.Series) -> bool:
    head = raw.head(_SAMPLE)
    return len(head) == _SAMPLE and head.n_unique() * 2 < _SAMPLE


def _convert(
    raw: pl.Series, given: pl.Series, column: Column, distinct: pl.Series | None, finals: pl.DataFrame
) -> _Converted:
    """Convert a column; cells already in final form skip repair, and in a repetitive column each distinct text is converted
    once.

    given: whether each cell holds something; distinct: the texts of a repetitive column, else None; finals: the columns that
    are not repetitive, with a flag per cell whether it is in final form.
    """
    texts = raw if distinct is None else distinct
    is_final = finals[column.name] if distinct is None else distinct.to_frame().select(_is_final(column)).to_series()
    others = None if is_final.all() else _repaired(texts.filter(~is_final), column)
    never = given & False
    if others is None or not (others["changed"].any() or others["repaired"].any()):
        return _Converted(raw, given, never, never)
    if distinct is not None:
        rows = pl.DataFrame({"raw": raw}).join(others, on="raw", how="left", maintain_order="left")
        return _Converted(
            rows.select(pl.when(pl.col("given").is_null()).then("raw").otherwise("value")).to_series(),
            rows["given"].fill_null(given), rows["repaired"].fill_null(False), rows["changed"].fill_null(False),
        )  # fmt: skip
    places = (~is_final).arg_true()
    return _Converted(
        raw.clone().scatter(places, others["value"]), given.clone().scatter(places, others["given"]),
        never.clone().scatter(places, others["repaired"]), never.clone().scatter(places, others["changed"]),
    )  # fmt: skip


def _repaired(texts: pl.Series, column: Column) -> pl.DataFrame:
    """Repair texts without nulls. Returns the columns raw, value, given, repaired and changed; the flags are never null."""
    form = "clean" if column.kind in ("date", "time", "number") else "value"
    is_repaired = pl.col("raw") != pl.col(form).fill_null("")
    if column.kind in ("date", "time"):
        is_repaired |= (pl.col("clean") != pl.col("value")).fill_null(False)
    if column.kind == "number":
        is_repaired &= pl.col("raw") != ""
    rows = pl.DataFrame({"raw": texts})
    if texts.str.contains(_CLEAN).all():
        rows = rows.with_columns(clean="raw")
    else:
        rows = rows.with_columns(clean=repair.clean(pl.col("raw")))
        if column.kind in _VALUES:
            rows = rows.with_columns(clean=repair.value_or_none(pl.col("clean")))
    return rows.with_columns(value=_conversion(column)(pl.col("clean"))).select(
        "raw", "value", given=pl.col("clean").is_not_null(), repaired=is_repaired,
        changed=pl.col("value").ne_missing(pl.col("raw")),
    )  # fmt: skip


def _conversion(column: Column) -> Callable[[pl.Expr], pl.Expr]:
    if column.is_phone:
        return repair.phone
    if column.may_say_none:
        return repair.text_or_none
    return repair.key if column.is_key else _CONVERSIONS[column.kind]


@cache
def _is_final(column: Column) -> pl.Expr:
    """Return a flag per cell: it is empty, or repair would certainly not change it. This is a cheap test that may miss some
    cells.
    """
    raw = pl.col(column.name)
    return (_is_final_text(raw, column) | raw.is_null()).fill_null(False).alias(column.name)


def _is_final_text(raw: pl.Expr, column: Column) -> pl.Expr:
    match column.kind:
        case "date" | "time":
            is_day = column.kind == "date"
            # polars parses a blank as a digit, and accepts 23:59:60.
            is_written = raw.str.contains(_WRITTEN_DATE if is_day else _WRITTEN_TIME) & ~raw.str.ends_with("60")
            layout = repair.ISO_DATE if is_day else repair.ISO_TIME
            return is_written & raw.str.to_datetime(layout, strict=False, time_unit="us").is_not_null()
        case "id_number" | "group":
            return raw.str.contains("^[0-9A-Z]+$" if column.kind == "id_number" else "^[1-9A-Z][0-9A-Z]*$")
        case "code":
            return raw.is_in(list(column.codes))
        case "text" if column.is_phone:
            return raw.str.contains(MOBILE)
        case "text" | "id_type":
            is_plain = raw.str.contains(_PLAIN_TEXT)
            if column.is_key:
                is_plain &= ~raw.str.contains(repair.POINT_ZERO)
            may_be_none = column.is_key or column.may_say_none
            return is_plain & ~raw.str.contains(repair.NOTHING_SAID) if may_be_none else is_plain
        case "place":
            return raw.str.contains(_PLAIN_PLACE) & ~raw.str.contains(repair.NO_PLACE)
        case "places":
            return raw.str.contains(_PLAIN_PLACE) & ~raw.str.contains(f"{repair.NO_PLACE}|{repair.ALL_PLACES}")
        case "number" | "frequency" | "tests":
            return pl.lit(False)


@dataclass(frozen=True)
class Problem:
    """Rows with one kind of fault: the reason code, the header text concerned, a flag per row (null counts as false), and a
    message if the code's own is not enough.
    """

    code: str
    source: str
    flags: pl.Expr
    words: str = ""


_GIVEN = "given "


def _given(name: str) -> pl.Expr:
    """Return whether a cell of a column held something, even if it could not be typed."""
    return pl.col(_GIVEN + name)


def _column_problems(column: Column, feed: Feed, typed: pl.DataFrame, received_at: datetime) -> list[Problem]:
    value, has_text, source = pl.col(column.name), _given(column.name), column.source
    problems = []
    if column.name in feed.key:
        problems.append(Problem("no_key", source, value.is_null()))
    elif column.required:
        is_folded = column.kind in ("text", "place", "places")  # Cleaning may leave its text empty.
        problems.append(Problem("missing_value", source, value.is_null() if is_folded else ~has_text))
    match column.kind:
        case "text" | "place" | "places" | "frequency" | "tests":
            problems += _text_problems(column, typed[column.name])
        case "date" | "time":
            problems.append(Problem("bad_date", source, has_text & value.is_null()))
            is_odd = value < FIRST_YEAR
            if column.is_past:
                problems.append(Problem("future_time", source, value > f"{received_at + LATE:{repair.ISO_TIME}}"))
            else:
                is_odd |= (value >= f"{int(LAST_YEAR) + 1}") & (value < NO_END)
            problems.append(Problem("bad_date", source, is_odd, f"年份不在{FIRST_YEAR}至{LAST_YEAR}年"))
        case "number":
            number = value.cast(pl.Float64, strict=False)
            is_right = number.is_between(column.low, column.high)
            if column.is_whole:
                is_right &= number == number.round()
            is_wrong = has_text & ~is_right.fill_null(False)
            problems.append(Problem("bad_number", source, is_wrong))
            if column.codes:
                problems.append(Problem("unknown_code", source, is_wrong))
        case "code" | "id_type":
            codes = column.codes if column.kind == "code" else ID_TYPES
            words = f"{REASONS['unknown_code']}（应为{'、'.join(codes)}之一）"
            problems.append(Problem("unknown_code", source, has_text & ~value.is_in(list(codes)), words))
        case "group":
            problems.append(Problem("unknown_group", source, has_text & ~value.is_in(list(column.codes))))
        case "id_number":
            problems += _document_problems(source, typed, received_at)
    return problems


def _text_problems(column: Column, values: pl.Series) -> list[Problem]:
    value, source = pl.col(column.name), column.source
    is_long = value.str.len_chars() > column.max_characters
    problems = [Problem("too_long", source, is_long, f"文字超过{column.max_characters}字")]
    if column.is_phone:
        words = "手机号被电子表格改成科学计数"
        problems.append(Problem("scientific", source, value.str.contains(ROUNDED), words))
    if column.is_key:
        problems += [
            Problem("rounded_key", source, value.str.contains(ROUNDED)),
            Problem("rounded_key", source, value.str.contains(SPREADSHEET_ERROR), "编号是电子表格的错误值"),
            Problem("rounded_key", source, value.str.contains(MADE_A_DATE), "编号被电子表格改成日期"),
        ]
    if column.is_name:
        names = values.unique().drop_nulls().to_frame("name")
        has_number = pl.col("name").str.contains(HAS_PERSON_NUMBER)
        is_date = pl.col("name").str.contains(MADE_A_DATE)
        if column.kind == "text":  # A grid's code may look like a passport number.
            names = names.with_columns(others=pl.col("name").str.replace_all(CODE_OF_GOODS, "0"))
            has_number |= _has_travel_document(pl.col("name"), pl.col("others"))
        faults = names.select(has_number=has_number, is_date=is_date)
        for fault, words in (
            ("has_number", "此列不得填写手机号或证件号码"),
            ("is_date", "名称被电子表格改成日期，请将该列设为文本格式后重新填写"),
        ):
            wrong = names["name"].filter(faults[fault])
            if len(wrong):
                problems.append(Problem("unknown_code", source, value.is_in(wrong.implode()), words))
    if column.kind == "tests":
        days = value.str.extract_all(r"\d+")
        are_days = value.str.contains(DAY_NUMBERS) & (days.list.n_unique() == days.list.len())
        is_known = are_days | value.str.contains(FREQUENCY)
        problems.append(Problem("unknown_code", source, ~is_known, "应为“第1、4、7天”、“3天1检”、“1周2检”或“每日”"))
    return problems


def _has_travel_document(name: pl.Expr, others: pl.Expr) -> pl.Expr:
    """Return whether each name holds the number of a passport or permit beside other text; codes of goods and dates are none.

    others: the names without codes of goods.
    """
    undated = others.str.replace_all(DATED_CODE, "0")
    return pl.when(name.str.contains(SAYS_DOCUMENT)).then(others).otherwise(undated).str.contains(HAS_TRAVEL_DOCUMENT)


def _document_problems(source: str, typed: pl.DataFrame, received_at: datetime) -> list[Problem]:
    id_type, number = pl.col("id_type"), pl.col("id_number")
    is_resident = (id_type == RESIDENT_ID) & number.is_not_null()
    # Since 2023 a foreigner's permanent residence card uses the resident number format.
    is_foreign = (id_type == FOREIGN_ID) & number.str.contains("^9[0-9]{16}[0-9X]$")
    rows = typed.select(
        "id_type", "id_number",
        is_resident=is_resident.fill_null(False),
        is_numbered=is_resident.fill_null(False) | is_foreign.fill_null(False),
        is_scientific=number.str.contains(r"^\d(\.\d*)?E\+?\d+$").fill_null(False),
    )  # fmt: skip
    numbers, is_numbered, is_scientific = rows["id_number"], rows["is_numbered"], rows["is_scientific"]
    is_wrong, is_unborn = is_numbered.clone(), is_numbered & False
    if is_numbered.any():
        is_valid, is_born = _judge_numbers(numbers.filter(is_numbered), int(f"{received_at:%Y%m%d}"))
        is_wrong = is_wrong.scatter(is_numbered.arg_true(), ~is_valid)
        is_unborn = is_unborn.scatter(is_numbered.arg_true(), is_valid & ~is_born)
    if is_scientific.any():
        # A spreadsheet writes scientific notation with a sign or a decimal point, so 1E234567 is a passport number.
        is_passport = (rows["id_type"] == PASSPORT).fill_null(False) & numbers.str.contains(r"^\dE\d+$").fill_null(
            False
        )
        is_scientific &= ~is_passport
    # A spreadsheet keeps 15 significant digits: the last three of an 18-digit number become zeros.
    is_cut = _matches(numbers, is_wrong, r"^\d{15}000$")
    # The column was rounded. One in eleven rounded numbers has a valid check digit by chance, so valid ones are rejected too.
    if is_cut.any():
        is_cut = _matches(numbers, rows["is_resident"], r"^\d{15}000$")
    is_old = _matches(numbers, is_wrong, r"^\d{15}$")
    problems = [
        Problem("scientific", source, pl.lit(is_scientific)),
        Problem("scientific", source, pl.lit(is_cut), "证件号码末三位被电子表格改成000（只保留15位有效数字）"),
        Problem("check_digit", source, pl.lit(is_old), "15位旧身份证号码，请填18位"),
        Problem("check_digit", source, pl.lit(is_wrong & ~is_scientific & ~is_old)),
        Problem("bad_date", source, pl.lit(is_unborn), "证件号码中的出生日期不存在或晚于报送时间"),
    ]
    others = set(rows["id_type"].unique())
    problems += [
        Problem(
            "unknown_code",
            source,
            (id_type == kind) & ~pl.lit(is_scientific) & ~(number.str.contains(pattern) & number.str.contains("[1-9]")),
            f"{kind}号码不合格式",
        )
        for kind, pattern in DOCUMENT_PATTERNS.items()
        if kind in others
    ]
    return problems


def _matches(number: pl.Series, among: pl.Series, pattern: str) -> pl.Series:
    return among & number.str.contains(pattern) if among.any() else among


def _row_problems(feed: Feed, typed: pl.DataFrame, received_at: datetime) -> list[Problem]:
    """Return the problems that involve more than one column: time order, and the feed's own conditions."""
    problems = []
    for later, earlier in ((feed.column(later), feed.column(earlier)) for later, earlier in feed.order):
        is_before = (typed[later.name] < typed[earlier.name]).fill_null(False)
        words = f"时间先后颠倒，早于{earlier.source}"
        if is_before.any():  # A date without a time was read as midnight.
            is_same_day = typed[later.name].str.slice(0, 10) == typed[earlier.name].str.slice(0, 10)
            lacks_time = is_before & is_same_day & typed[later.name].str.ends_with(" 00:00:00")
            problems.append(Problem("time_order", later.source, pl.lit(lacks_time), f"{words}；只有日期时请填写时刻"))
            is_before &= ~lacks_time
        problems.append(Problem("time_order", later.source, pl.lit(is_before), words))
    return problems + _OWN_CONDITIONS.get(feed.name, _no_conditions)(received_at)


def _no_conditions(_: datetime) -> list[Problem]:
    return []


def _of_test_results(received_at: datetime) -> list[Problem]:
    return [Problem("future_sample", "采样时间", pl.col("sampled_at") > f"{received_at:{repair.ISO_TIME}}")]


def _of_key_population(_: datetime) -> list[Problem]:
    group = pl.col("group_code")
    is_frequency = pl.col("custom_frequency").str.contains(FREQUENCY)
    return [
        Problem("missing_anchor", "锚定日期", group.is_in(list(ANCHORED_GROUPS)) & ~_given("anchor_date")),
        Problem("unknown_code", "自定频次", (group == "38") & ~is_frequency),
    ]


def _of_arrivals(_: datetime) -> list[Problem]:
    is_abroad = pl.col("origin") == "境外"
    return [
        Problem("missing_value", "入境日期", is_abroad & ~_given("entry_date")),
        Problem("missing_value", "离开日期", ~is_abroad & ~_given("left_date")),
    ]


def _of_vaccinations(_: datetime) -> list[Problem]:
    """Require dose, vaccine and date unless the person is exempt or refuses (article 22)."""
    sources = {"dose": "剂次", "vaccine": "疫苗", "vaccinated_date": "接种日期"}
    is_excluded = pl.col("exclusion").is_not_null()
    return [Problem("missing_value", source, ~is_excluded & ~_given(name)) for name, source in sources.items()]


def _of_referrals(_: datetime) -> list[Problem]:
    is_undated = _given("verification_result") & ~_given("verified_at")
    return [Problem("missing_value", "核查时间", is_undated, "有核查结果而缺少核查时间")]


_OWN_CONDITIONS: dict[str, Callable[[datetime], list[Problem]]] = {
    "test_results": _of_test_results,
    "key_population": _of_key_population,
    "arrivals": _of_arrivals,
    "vaccinations": _of_vaccinations,
    "referrals": _of_referrals,
}


def _any(flags: list[pl.Series], height: int) -> pl.Series:
    result = pl.repeat(False, height, eager=True)
    for flag in flags:
        if flag.any():
            result |= flag
    return result


def _reasons(found: list[tuple[Problem, pl.Series]], is_bad: pl.Series) -> pl.DataFrame:
    """Return one row per bad row, with its distinct codes, header texts and messages in the order of the checks.

    found: the problems that some row has, with their flags.
    """
    texts = pl.List(pl.String)
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "index": pl.Int64, "codes": texts, "columns": texts, "words": texts,
    }  # fmt: skip
    if not found:
        return pl.DataFrame(schema=schema)
    problems = [problem for problem, _ in found]
    flags = pl.DataFrame([its.filter(is_bad).alias(str(i)) for i, (_, its) in enumerate(found)])

    def collected(names: list[str]) -> pl.Expr:
        each = [pl.when(pl.col(str(i))).then(pl.lit(name)) for i, name in enumerate(names)]
        return pl.concat_list(each).list.drop_nulls().list.unique(maintain_order=True)

    return flags.select(
        index=pl.lit(is_bad.arg_true().cast(pl.Int64)),
        codes=collected([problem.code for problem in problems]),
        columns=collected([problem.source for problem in problems]),
        words=collected([problem.words or REASONS[problem.code] for problem in problems]),
    )
