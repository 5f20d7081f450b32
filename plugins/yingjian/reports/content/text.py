"""This module writes figures the same way on the page, in the spreadsheet, in the PDF and in mail."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from fractions import Fraction
from math import floor

NOTHING = "—"
WEEKDAYS = "一二三四五六日"
THAT_DAY = "当日"  # This is the deadline for what must be looked into on the day when it becomes known.
DAY_IS_OVER = "当日24时，已逾期"  # This is the deadline of what had to be done on the day of the report.


def number(value: int | None) -> str:
    """1234567 → 1,234,567."""
    return NOTHING if value is None else f"{value:,}"


def share(part: float | None, whole: float | None = 1) -> float | None:
    """Return the share part / whole as every form writes it: in tenths of a percent, rounded half up; None without a whole.

    It is 1 (100.0%) only when nothing is missing.
    """
    if part is None or not whole:
        return None
    # Decimal digits are rounded as a person would round; 0.29 × 1000 in binary fractions is less than 290.
    tenths = floor(Fraction(str(part)) / Fraction(str(whole)) * 1000 + Fraction(1, 2))
    return (999 if tenths == 1000 and part < whole else tenths) / 1000


def percent(part: float | None, whole: float | None = 1) -> str:
    """Return a share as percent with one decimal."""
    rounded = share(part, whole)
    return NOTHING if rounded is None else f"{rounded * 100:.1f}%"


def parts_of_whole(values: Sequence[int]) -> list[float]:
    """Return the values as percent of their sum with one decimal, so that they add to 100.0; zeros where the sum is 0.

    The remainder of rounding down goes to the values with the largest fractions.
    """
    whole = sum(values)
    tenths = [value * 1000 // whole if whole else 0 for value in values]
    order = sorted(range(len(values)), key=lambda place: -(values[place] * 1000 % whole) if whole else 0)
    for place in order[: 1000 - sum(tenths) if whole else 0]:
        tenths[place] += 1
    return [tenth / 10 for tenth in tenths]


def name(value: str) -> str:
    """Return a name for a sentence, in which several departments that are competent together are one (甲、乙 → 甲／乙)."""
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


def passed(limit: datetime | None) -> str:
    """Return a deadline that is over: 7月24日17:00，已超时; empty where nothing has one."""
    return "" if limit is None or limit != limit else f"{time_of_day(limit)}，已超时"  # noqa: PLR0124


def late(word: str, first: date | None) -> str:
    """Return the deadline of items that are due on days that are over: 整改期限（最早 7月20日，已逾期）; empty without a day."""
    return "" if first is None else f"{word}（最早 {day(first)}，已逾期）"


def cell(value: str | float | date | None, kind: str = "") -> str:
    """Return the text of a table's cell by the kind of its column or, without one, by the type of the value."""
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return time_of_day(value)
    if isinstance(value, date):
        return day(value)
    if kind == "change":
        return change(int(value))
    return percent(value) if kind == "share" or isinstance(value, float) else number(value)


def change(value: int | None) -> str:
    """Return a difference with its direction, so that it does not depend on colour."""
    if value is None:
        return NOTHING
    return f"▲{value:,}" if value > 0 else f"▼{-value:,}" if value < 0 else "持平"


def change_of_share(now: float | None, before: float | None) -> str:
    """Return the difference of two shares as they are written, in percentage points."""
    rounded, earlier = share(now), share(before)
    if rounded is None or earlier is None:
        return NOTHING
    points = round((rounded - earlier) * 100, 1)
    return f"▲{points:.1f} 个百分点" if points > 0 else f"▼{-points:.1f} 个百分点" if points < 0 else "持平"


_CHINESE_DIGITS = "零一二三四五六七八九"


def articles(basis: str) -> list[int]:
    """Return the articles that a citation names, in its order: 第4、25条 → 4, 25; 第34至37条 → 34 … 37; 第二十六条 → 26.

    Rows of the annex (附件第8项) and articles of another text (二十条第三条, 新十条第一条, 试行第二条) are left out.
    """
    numbers: list[int] = []
    for cited in re.findall(r"(?:^|(?<=[、，；和及（(\s]))第([\d、至–一二三四五六七八九十]+)条", basis):
        for part in cited.split("、"):
            first, _, last = part.replace("–", "至").partition("至")
            numbers += range(_article(first), _article(last or first) + 1)
    return list(dict.fromkeys(numbers))


_CITED = re.compile(r"第(\d+(?:[、至–]\d+)*)条")
_ROWS = re.compile(r"附件(\d+(?:–\d+)?)项")


def cited(basis: str) -> str:
    """Return a citation as officials write it: 第18、21条，附件23–28项 → 第十八、二十一条，附件第23–28项."""
    with_articles = _CITED.sub(
        lambda match: f"第{re.sub(chr(92) + 'd+', lambda one: numeral(int(one[0])), match[1])}条", basis
    )
    return _ROWS.sub(r"附件第\1项", with_articles)


def numeral(value: int) -> str:
    """Return a number from 1 to 99 in Chinese: 28 → 二十八."""
    tens, ones = divmod(value, 10)
    return ("" if not tens else "十" if tens == 1 else f"{_CHINESE_DIGITS[tens]}十") + (
        _CHINESE_DIGITS[ones] if ones else ""
    )


def notice(code: str) -> str:
    """Return the name of a round of screening, which is the number of its notice: GG2 → 第2号通告."""
    number = re.fullmatch(r"GG0*(\d+)", code)
    return f"第{number[1]}号通告" if number else code


def notices(words: str) -> str:
    """Return a sentence with the names of notices: 通告疫情启动（GG1） → 通告疫情启动（第1号通告）."""
    return re.sub(r"(?<=（)GG\d+(?=）)", lambda match: notice(match[0]), words)


def group(code_and_name: str) -> str:
    """Return a group of persons without the code that stands for an article: P19 购药人员 → 第十九条 购药人员."""
    article = re.match(r"[AP]0?(\d+)(?= |$)", code_and_name)
    return f"第{numeral(int(article[1]))}条{code_and_name[article.end() :]}" if article else code_and_name


def citation(numbers: Iterable[int]) -> str:
    """4, 25 → 第4、25条."""
    return f"第{'、'.join(map(str, sorted(set(numbers))))}条"


def _article(numeral: str) -> int:
    if numeral.isascii():
        return int(numeral)
    tens, has_tens, ones = numeral.rpartition("十")
    return (_CHINESE_DIGITS.index(tens or "一") * 10 if has_tens else 0) + (_CHINESE_DIGITS.index(ones) if ones else 0)
