"""Figures as the page writes them."""

from datetime import date, datetime
from math import floor

NOTHING = "—"
WEEKDAYS = "一二三四五六日"
FEED_STATUS = {"ok": "正常", "missing": "缺报", "stale": "滞后", "thin": "偏少", "rejected": "被退回"}


def number(value: int | None) -> str:
    """1234567 → 1,234,567."""
    return NOTHING if value is None else f"{value:,}"


def percent(share: float | None) -> str:
    """A share as percent with one decimal, rounded down: 100% is written only when nothing is open."""
    return NOTHING if share is None else f"{_tenths(share) / 10:.1f}%"


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
