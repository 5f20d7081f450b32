"""Repair and typing of whole columns: notations of the same value are normalised (docs/feeds.md).

Every function takes and returns polars expressions over text columns in which an empty cell is null.
"""

from __future__ import annotations

import polars as pl

from yingjian.landing.errors import INVISIBLE
from yingjian.landing.feeds import MACAO_PERMIT, TAIWAN_PERMIT
from yingjian.names import BLANKS, EDGES, FULL_WIDTH

_DIGITS_AND_LETTERS = {wide: half for wide, half in FULL_WIDTH.items() if half.isalnum()}

ISO_DATE = "%Y-%m-%d"
ISO_TIME = "%Y-%m-%d %H:%M:%S"
ISO_MOMENT = f"{ISO_TIME}%.f"  # Keeps a fraction of a second: it can decide which version is newer.


def clean(text: pl.Expr) -> pl.Expr:
    """Strip surrounding blanks, a leading apostrophe and invisible characters, and fold full-width digits and letters.

    An empty result is null.
    """
    shown = (
        pl.when(text.str.contains(f"[{INVISIBLE}]")).then(text.str.replace_all(f"[{INVISIBLE}]", "")).otherwise(text)
    )
    # Senders write ="0012" to keep a spreadsheet from turning a text into a number.
    unwrapped = shown.str.replace(r'^="([^"]*)"$', "$1")
    stripped = unwrapped.str.strip_chars(BLANKS).str.strip_chars_start("'’‘＇").str.strip_chars(BLANKS)
    folded = (
        pl.when(stripped.str.contains(r"[\uFF10-\uFF19\uFF21-\uFF3A\uFF41-\uFF5A]"))
        .then(stripped.str.replace_many(_DIGITS_AND_LETTERS))
        .otherwise(stripped)
    )
    return pl.when(folded != "").then(folded)


def fold(text: pl.Expr) -> pl.Expr:
    """Fold all full-width characters to half-width, for cells with a number, date or code."""
    return pl.when(text.str.contains(r"[\uFF01-\uFF5E]")).then(text.str.replace_many(FULL_WIDTH)).otherwise(text)


# Words for nothing, and texts without a letter or digit. As keys they would merge records of many people into one, and single
# samples into one tube, and as references they match nothing.
NOTHING = (
    r"(?i)^[(\[]?(?:无|空|否|没有|暂无|未知|不详|待补|待定|无编号|n/?a|nil|nul|null|none|nan|undefined|#{1,3})[)\]]?$"
    r"|^[^\p{L}\p{N}#]+$"
)
_NO_FAULT = "^(?:无|没有|未见|未发现)(?:问题|异常|禁忌|隐患)?[。.]?$|^(?:正常|合格)[。.]?$"
NOTHING_SAID = f"{NOTHING}|{_NO_FAULT}"


# Tables and databases write these in a cell without a date, number or code. A word such as 不详 says more than that.
_NO_VALUE = r"(?i)^(?:[-‐–—－_/／\\＼]+|无|暂无|没有|[(（<]?null[)）>]?|none|nil|n/a|\\n)$"

POINT_ZERO = r"^(\d{1,15})\.0$"  # Programs that store integers as floats write them so.


def key(text: pl.Expr) -> pl.Expr:
    """Normalise a record key, so that feeds that refer to each other's records agree; null for words such as 无."""
    folded = fold(text).str.replace(POINT_ZERO, "$1")
    return pl.when(~folded.str.contains(NOTHING)).then(folded)


def value_or_none(text: pl.Expr) -> pl.Expr:
    """Return the text; null if it is a sign for an empty cell."""
    return pl.when(~text.str.contains(_NO_VALUE)).then(text)


def text_or_none(text: pl.Expr) -> pl.Expr:
    """Return the text; null if it is a word for nothing."""
    return pl.when(~fold(text).str.contains(NOTHING_SAID)).then(text)


def document_number(text: pl.Expr) -> pl.Expr:
    """Write a document number in one form: half-width, upper case, without blanks, hyphens, or a spreadsheet's .0."""
    return fold(text).str.to_uppercase().str.replace_all(r"[\s\-‐–—]", "").str.replace(POINT_ZERO, "$1")


def phone(text: pl.Expr) -> pl.Expr:
    """Normalise a mobile number to eleven digits, without +86 or a spreadsheet's .0; any other text is unchanged."""
    plain = fold(text).str.replace_all(r"[\s\-‐–—()]", "")
    return pl.coalesce(plain.str.extract(r"^(?:(?:\+|00)?86|0)?(1[3-9]\d{9})(?:\.0+)?$"), text)


def lasting_number(id_type: pl.Expr, number: pl.Expr) -> pl.Expr:
    """Return a travel permit's number without its renewal digits; the rest stays the same for life."""
    return (
        pl.when(id_type == MACAO_PERMIT)
        .then(number.str.replace(r"^([HM]\d{8})\d{2}$", "$1"))
        .when(id_type == TAIWAN_PERMIT)
        .then(number.str.replace(r"^(\d{8})(?:\d{2})?(?:[0-9A-Z]{2}|\([0-9A-Z]{1,2}\))?$", "$1"))
        .otherwise(number)
    )


def timestamp(text: pl.Expr) -> pl.Expr:
    """Parse a date with optional time in every form that exports use; null if it is none.

    Accepted are `2022-07-01`, `2022/7/1`, `2022.7.1`, `20220701`, `2022年7月1日` and a spreadsheet's serial number; times with or
    without seconds, after a blank or `T`. A time with a zone (`Z`, `+00:00`, `GMT+8`) is converted to Asia/Shanghai.
    """
    return text.map_batches(_timestamps, return_dtype=pl.Datetime("us"))


# A time in this form is no range and has no zone. If a column has no other times, it is read in a sixth of the time.
_USUAL = r"^[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}(?: [0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?$"
_PARTS = (
    r"^(?<y>[1-9]\d{3})-(?<mo>\d{1,2})-(?<d>\d{1,2})"
    r"(?:\s+(?<h>\d{1,2})(?::(?<mi>\d{1,2})(?::(?<s>[0-5]?\d)(?:-(?<f>\d+))?)?)?)?$"
)


def _timestamps(texts: pl.Series) -> pl.Series:
    if texts.str.contains(_USUAL).all():
        parts = texts.str.replace_all("[/.]", "-").str.extract_groups(_PARTS)
        return pl.DataFrame({"parts": parts}).select(_from_parts(pl.col("parts"))).to_series()
    # Each step is materialised: in a single expression, polars would repeat the first steps for every part of a date, and plan
    # for longer than it works.
    frame = pl.DataFrame({"text": texts}).select(folded=fold(pl.col("text")))
    hours = frame["folded"].str.extract_groups(_RANGE).struct
    start, end = (hours.field(name).cast(pl.Int64) for name in ("from", "to"))
    is_range = ((end >= start) | (start >= EVENING)).fill_null(False)
    frame = frame.with_columns(zone=pl.col("folded").str.extract_groups(_ZONED)).with_columns(
        folded=pl.coalesce(pl.col("zone").struct.field("local"), "folded"), minutes=_minutes_east(pl.col("zone"))
    )
    # An incomplete time is refused, since the file may have been cut off: 08:1 may have been 08:16.
    whole = pl.when(~pl.col("folded").str.contains(r":\d?$|[\sT]\d{1,2}$") & ~is_range).then("folded")
    frame = frame.with_columns(
        plain=whole.str.replace_all(r"\s*[年月/.]\s*", "-")
        .str.replace_all(r"\s*日\s*|T", " ")
        .str.replace_all("[时点分]", ":")
        .str.replace_all(r"[:\s]*秒?\s*$", "")
    )
    frame = frame.with_columns(
        parts=pl.col("plain").str.extract_groups(_PARTS),
        compact=pl.col("plain").str.extract_groups(
            r"^(?<y>[1-9]\d{3})(?<mo>\d{2})(?<d>\d{2})(?:\s*(?<h>\d{2}):?(?<mi>[0-5]\d)(?::?(?<s>[0-5]\d))?(?<f>))?$"
        ),
        serial=pl.col("folded").str.extract(r"^(\d{5}(?:\.\d+)?)$").cast(pl.Float64, strict=False),
    )
    since_1899 = pl.lit("1899-12-30").str.to_datetime("%Y-%m-%d", time_unit="us") + pl.duration(
        seconds=(pl.col("serial") * 86400).round(0).cast(pl.Int64)
    )
    frame = frame.with_columns(
        local=pl.coalesce(_from_parts(pl.col("parts")), _from_parts(pl.col("compact")), since_1899)
    )
    here = pl.col("local") + pl.duration(minutes=HERE_MINUTES - pl.col("minutes"))
    frame = frame.with_columns(
        moment=pl.when(pl.col("zone").struct.field("local").is_null()).then("local").otherwise(here)
    )
    return frame.select(pl.when(pl.col("moment").dt.year().is_between(1000, 9999)).then("moment")).to_series()


HERE_MINUTES = 8 * 60  # Asia/Shanghai is so far east of Greenwich, without summer time since 1991.
# A time of day followed by a zone. An offset needs a time of day and must be complete.
_ZONED = (
    r"^(?<local>.*(?:\d:\d{2}(?::\d{2}(?:[.,]\d+)?)?|[T\s]\d{4}(?:\d{2})?))\s*"
    r"(?:(?<utc>[Zz]|UTC|GMT)|(?<prefix>UTC|GMT)?(?<sign>[+-])(?<hours>\d{1,2})(?::?(?<minutes>\d{2}))?)$"
)
# A range of times such as opening hours (08:00-12:00) is no UTC offset, and which end is meant is ambiguous. A range that
# starts in the evening may end before it begins.
EVENING = 18
_RANGE = r"[\s日](?<from>\d{1,2})[:时点]\d{2}分?\s*-\s*(?<to>\d{1,2})(?:[:时点]\d{2}分?)?$"


def _minutes_east(zone: pl.Expr) -> pl.Expr:
    """Return a zone's UTC offset in minutes; null for an offset that no zone has."""
    hours, minutes = (zone.struct.field(name).cast(pl.Int64).fill_null(0) for name in ("hours", "minutes"))
    # +0 may be a truncated +08:00; after GMT, a single digit is usual.
    is_cut = zone.struct.field("prefix").is_null() & (zone.struct.field("hours").str.len_bytes() == 1)
    size = pl.when((hours <= 14) & (minutes < 60) & ~is_cut).then(hours * 60 + minutes)
    east = pl.when(zone.struct.field("sign") == "-").then(-size).otherwise(size)
    return pl.when(zone.struct.field("utc").is_not_null()).then(0).otherwise(east)


def _from_parts(parts: pl.Expr) -> pl.Expr:
    def part(name: str, default: str = "0") -> pl.Expr:
        return parts.struct.field(name).fill_null(default).str.zfill(2)

    text = pl.format(
        "{}-{}-{} {}:{}:{}.{}",
        parts.struct.field("y"), part("mo"), part("d"), part("h"), part("mi"), part("s"),
        parts.struct.field("f").fill_null("").str.slice(0, 6).str.pad_end(6, "0"),
    )  # fmt: skip
    return text.str.to_datetime(ISO_MOMENT, strict=False, time_unit="us")


_THOUSANDS = r"^\d{1,3}(?:,\d{3})+(?:\.\d+)?$"


def number(text: pl.Expr) -> pl.Expr:
    """Parse a finite decimal number, as text, perhaps with commas between thousands; null if it is none."""
    folded = fold(text)
    plain = pl.when(folded.str.contains(_THOUSANDS)).then(folded.str.replace_all(",", "")).otherwise(folded)
    value = plain.cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value.cast(pl.String))


def group(text: pl.Expr) -> pl.Expr:
    """Write the number of a group in one form: half-width, upper case, without zeros in front or a spreadsheet's .0."""
    return fold(text).str.to_uppercase().str.replace(POINT_ZERO, "$1").str.replace(r"^0+(\d)", "$1")


def frequency(text: pl.Expr) -> pl.Expr:
    """Write 自定频次 in one form: half-width digits, Chinese numerals as digits, no blanks."""
    numerals = {"一": "1", "二": "2", "两": "2", "三": "3", "四": "4", "五": "5", "六": "6", "七": "7"}
    return fold(text).str.replace_all(r"\s", "").str.replace_many(numerals)


def required_tests(text: pl.Expr) -> pl.Expr:
    """Write 检测要求 like 自定频次, with day numbers joined by 、."""
    return frequency(text).str.replace_all("[,;；，]", "、")


# Punctuation alone, and the words and error values that stand for nothing, are no place.
NO_PLACE = (
    r"(?i)^(?:[^\p{L}\p{N}]+|无|暂无|没有|#?(?:n/a|null!?|none|nan|undefined)|#(?:ref!|value!|name\?|div/0!|num!))$"
)
# Words for all places become an empty list, which means all.
ALL_PLACES = "^(?:全部|所有|全体)(?:社区|网格|范围|区域)?$|^全(?:街道|镇|乡|区|市|域)$"


def place(text: pl.Expr) -> pl.Expr:
    """Normalise a place name to its comparable form (`names.comparable`); null if nothing is left."""
    name = _named(_without_blanks(text).str.strip_chars(EDGES))
    return pl.when(~name.str.contains(NO_PLACE)).then(name)


def places(text: pl.Expr) -> pl.Expr:
    """Normalise a list of places: distinct comparable names joined by 、; null if it is empty or a word for all places.

    Commas, semicolons, slashes, pipes and line breaks also separate names.
    """
    joined = _without_blanks(text.str.strip_chars(BLANKS).str.replace_all(r"[\r\n]+", "、"))
    joined = pl.when(joined.str.contains(NO_PLACE)).then(pl.lit("")).otherwise(joined)
    separated = joined.str.replace_all(r"[,;/|]", "、").str.replace_all(f"[{EDGES}]*、[{EDGES}]*", "、")
    members = separated.str.strip_chars(EDGES).str.split("、").list.unique(maintain_order=True)
    names = members.list.eval(pl.element().filter(~pl.element().str.contains(NO_PLACE)))
    are_all = members.list.eval(pl.element().str.contains(ALL_PLACES)).list.any()
    return pl.when(~are_all).then(_named(names.list.join("、")))


def _without_blanks(text: pl.Expr) -> pl.Expr:
    return fold(text).str.replace_all(f"[{BLANKS}]", "")


def _named(text: pl.Expr) -> pl.Expr:
    return pl.when(text != "").then(text)
