"""A small set of figures that a test changes in one place."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from yingjian.reports.figures import (
    Feed,
    Figures,
    ForecastDay,
    ForecastRow,
    Headline,
    Longest,
    OpenItems,
    Publication,
    Slice,
    Totals,
    Zone,
    in_bands,
)
from yingjian.reports.indicators import INDICATORS, Series

DAY = date(2022, 7, 24)


def publication(**changes: Any) -> Publication:
    row = Publication(
        publication_id=12,
        as_of_date=DAY,
        published_at=datetime(2022, 7, 25, 5, 42),
        policy_edition="beifeng-2",
        quality_status="passed",
        checks_run=118,
        checks_failed=0,
        input_files=10,
        input_rows=1000,
        code_version="0.1.0",
        release_reason=None,
        released_by=None,
        missing_feeds=[],
        is_correction=False,
    )
    return replace(row, **changes)


def headline(**changes: Any) -> Headline:
    return replace(Headline(Totals(100, 95, 5, 2), 5, 6, 40, 38, 1, 2, 1, "平", 0), **changes)


def part(name: str, overdue: int, before: int | None = None, required: int = 50, code: str | None = None) -> Slice:
    return Slice(code, name, required, required - overdue, overdue, before)


def zone(**changes: Any) -> Zone:
    row = Zone("FX1", "招丰花园", ["招丰社区"], "高", DAY, DAY, 0, 10, None, None, None, None, None, None, [], None, [])
    return replace(row, **changes)


def feed(**changes: Any) -> Feed:
    row = Feed("cases", "病例", 1, 1, 10, 8, 1, 1, 2, 0, datetime(2022, 7, 24, 23), "ok", None)
    return replace(row, **changes)


def series(key: str, today: int | float | None, before: int | float | None = None, **changes: Any) -> Series:
    """The function makes an indicator's last two days."""
    (indicator,) = (indicator for indicator in INDICATORS if indicator.key == key)
    return replace(Series(indicator, [*[None] * 12, before, today], before), **changes)


def all_series(*changed: Series) -> tuple[Series, ...]:
    """Every indicator; those that are not given have but one day, shares 95 % and counts none."""
    given = {each.indicator.key: each for each in changed}
    return tuple(
        given.get(indicator.key) or series(indicator.key, 0.95 if indicator.is_share else 0) for indicator in INDICATORS
    )


def figures(**changes: Any) -> Figures:
    parts = [part("甲社区", 3, 1), part("乙社区", 2, 2), part("丙社区", 0, 0)]
    forecast = ForecastRow("甲社区", (40, 0, 0, 0, 0, 0, 0))
    made = Figures(
        publication=publication(),
        now=headline(),
        day_before=None,
        week_before=None,
        days=[DAY - timedelta(days=back) for back in reversed(range(14))],
        series=all_series(),
        movement=None,
        zone_changes=[],
        departments=parts,
        communities=parts,
        groups=parts,
        units=parts[:2],
        units_rest=[part("无逾期的 1 个", 0, 0)],
        bands=in_bands([(1, 3), (9, 3)]),
        longest=Longest(9, 3, "快递、外卖", "甲社区"),
        forecast=[ForecastDay(DAY + timedelta(days=ahead), due) for ahead, due in enumerate(forecast.tests_due, 1)],
        forecast_rows=[forecast],
        zones=[],
        topics=[],
        open_items=OpenItems(40, 0),
        feeds=[feed()],
        rejections=[],
        senders=[],
        restatements=[],
        checks=[],
        responsible={"18": ["各部门", "核酸检测组"], "20": ["各社区"], "21": ["各部门", "各社区"], "28": ["转运组"]},
    )
    return replace(made, **changes)
