"""Figures as the page writes them."""

import re
from collections.abc import Iterable
from datetime import date, datetime
from math import floor

NOTHING = "—"
WEEKDAYS = "一二三四五六日"
FEED_STATUS = {
    "ok": "正常",
    "missing": "缺报",
    "stale": "滞后",
    "thin": "偏少",
    "doubtful": "存疑",
    "rejected": "被退回",
}


def number(value: int | None) -> str:
    """1234567 → 1,234,567."""
    return NOTHING if value is None else f"{value:,}"


def percent(share: float | None) -> str:
    """A share as percent with one decimal, rounded down: 100% is written only when nothing is open."""
    return NOTHING if share is None else f"{_tenths(share) / 10:.1f}%"


def name(value: str) -> str:
    """A name inside a sentence: several departments that are competent together are one (甲、乙 → 甲／乙)."""
    return value.replace("、", "／")


def day(value: date | None) -> str:
    """2022-07-05 → 7月5日."""
    return NOTHING if value is None else f"{value.month}月{value.day}日"


def full_day(value: date) -> str:
    """2022-07-05 → 2022年7月5日（星期二）."""
    return f"{value.year}年{day(value)}（星期{WEEKDAYS[value.weekday()]}）"


def short_day(value: date) -> str:
    """2022-07-05 → 7/5."""
    return f"{value.month}/{value.day}"


def time_of_day(value: datetime | None) -> str:
    """2022-07-05 08:00 → 7月5日08:00."""
    return NOTHING if value is None else f"{day(value)}{value:%H:%M}"


def share(part: int, whole: int) -> float | None:
    """part / whole; None without a whole."""
    return part / whole if whole else None


def cell(value: str | int | float | date | None) -> str:
    """A table's value: words as they are, whole numbers, shares, days and times."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return time_of_day(value)
    if isinstance(value, date):
        return day(value)
    return percent(value) if isinstance(value, float) else number(value)


def change(value: int | None) -> str:
    """A difference with its direction, so that it does not need colour."""
    if value is None:
        return NOTHING
    return f"▲{value:,}" if value > 0 else f"▼{-value:,}" if value < 0 else "持平"


def change_of_share(now: float | None, before: float | None) -> str:
    """The difference of two shares as the page writes them, in percentage points."""
    if now is None or before is None:
        return NOTHING
    tenths = _tenths(now) - _tenths(before)
    return f"▲{tenths / 10:.1f} 个百分点" if tenths > 0 else f"▼{-tenths / 10:.1f} 个百分点" if tenths < 0 else "持平"


def _tenths(share: float) -> int:
    """Tenths of a percent, rounded down (the small addend undoes the binary fraction of 0.29 × 1000)."""
    return floor(share * 1000 + 1e-9)


_CHINESE_DIGITS = "零一二三四五六七八九"


def articles(basis: str) -> list[int]:
    """The articles that a citation names, in its order: 第4、25条 → 4, 25; 第34至37条 → 34 … 37; 第二十六条 → 26.

    Rows of the annex (附件第8项) are none, and neither are articles of a later edition (二十条第三条, 新十条第一条).
    """
    found: list[int] = []
    for cited in re.findall(r"(?<!十条)第([\d、至–一二三四五六七八九十]+)条", basis):
        for part in cited.split("、"):
            first, _, last = part.replace("–", "至").partition("至")
            found += range(_article(first), _article(last or first) + 1)
    return list(dict.fromkeys(found))


def citation(numbers: Iterable[int]) -> str:
    """4, 25 → 第4、25条."""
    return f"第{'、'.join(map(str, sorted(set(numbers))))}条"


def _article(written: str) -> int:
    if written.isascii():
        return int(written)
    tens, has_tens, ones = written.rpartition("十")
    return (_CHINESE_DIGITS.index(tens or "一") * 10 if has_tens else 0) + (_CHINESE_DIGITS.index(ones) if ones else 0)
