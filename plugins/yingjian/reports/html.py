"""The report page: figures to one self-contained Chinese HTML document."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from yingjian.people.audience import OFFICE, Audience
from yingjian.reports import charts, text
from yingjian.reports.actions import actions
from yingjian.reports.definitions import definitions
from yingjian.reports.figures import UNIT_ROWS, Band, Figures, Headline, Slice
from yingjian.reports.indicators import Series
from yingjian.reports.summary import data_box, findings, improved, movement_table

TABLE_ROWS = 60  # a district's or a province's longer tables end with one row for the rest
ZONE_ROWS = 60
TREND_HEIGHT = 132  # of the daily figures' charts, in units of the view box


@dataclass(frozen=True)
class Change:
    """A headline figure against an earlier day; `tone` is good, bad or empty."""

    against: str
    text: str
    tone: str = ""


@dataclass(frozen=True)
class Tile:
    """One headline figure; `term` is the definition that says what it means."""

    term: str
    label: str
    value: str
    unit: str
    note: str
    changes: Sequence[Change]


@dataclass(frozen=True)
class Breakdown:
    """A table of overdue memberships; `sums` are rows for the parts that are not listed."""

    anchor: str
    title: str
    column: str
    rows: Sequence[Slice]
    sums: Sequence[Slice]

    @property
    def highest(self) -> int:
        return max((row.overdue for row in self.rows), default=0)


@cache
def _environment() -> Environment:
    """Templates are read and compiled once for all packs."""
    environment = Environment(
        loader=PackageLoader("yingjian.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )
    environment.filters |= {
        name: getattr(text, name) for name in ("number", "percent", "day", "full_day", "short_day", "change", "cell")
    }
    return environment


def render(figures: Figures, audience: Audience = OFFICE) -> str:
    """The whole page; every value is escaped."""
    as_of = figures.publication.as_of_date
    terms = definitions(as_of)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            figures=figures,
            audience=audience,
            feed_status=text.FEED_STATUS,
            publication=figures.publication,
            totals=figures.now.totals,
            next_day=as_of + timedelta(days=1),
            day_before=as_of - timedelta(days=1),
            definitions=terms,
            definition_ids={definition.term: f"def-{number}" for number, definition in enumerate(terms, 1)},
            tiles=tiles(figures),
            findings=findings(figures),
            improved=improved(figures),
            movement=movement_of(figures),
            actions=actions(figures),
            data_box=data_box(figures, audience),
            breakdowns=breakdowns(figures),
            forecast_table=forecast_table(figures),
            zone_rows=ZONE_ROWS,
            bar=charts.bar,
            tone=_tone,
            charts=charts_of(figures),
        )
    )


def tiles(figures: Figures) -> list[Tile]:
    """The headline figures, each against the day before and the same weekday of last week."""
    now = figures.now
    tomorrow = text.day(figures.publication.as_of_date + timedelta(days=1))

    def tile(
        term: str, label: str, value: str, unit: str, note: str, difference: Callable[[Headline], tuple[str, str]]
    ) -> Tile:
        changes = [
            Change(against, *(difference(earlier) if earlier else ("无上期数据", "")))
            for against, earlier in (("比前一日", figures.day_before), ("比上周", figures.week_before))
        ]
        return Tile(term, label, value, unit, note, changes)

    def overdue(earlier: Headline) -> tuple[str, str]:
        persons, items = now.overdue_persons - earlier.overdue_persons, now.overdue_items - earlier.overdue_items
        moved = [f"{text.change(value)} {unit}" for value, unit in ((persons, "人"), (items, "项")) if value]
        return "，".join(moved) or "持平", _tone(persons or items)

    def rate(earlier: Headline) -> tuple[str, str]:
        written = text.change_of_share(now.totals.compliance_rate, earlier.totals.compliance_rate)
        return written, {"▲": "good", "▼": "bad"}.get(written[0], "")

    def zones(earlier: Headline) -> tuple[str, str]:
        high, medium = now.high_zones - earlier.high_zones, now.medium_zones - earlier.medium_zones
        return f"高 {text.change(high)}，中 {text.change(medium)}", _tone(high or medium)

    def plain(figure: Callable[[Headline], int]) -> Callable[[Headline], tuple[str, str]]:
        return lambda earlier: (text.change(figure(now) - figure(earlier)), "")

    found = [
        tile(
            "逾期",
            "逾期人数",
            text.number(now.overdue_persons),
            "人",
            f"共 {text.number(now.overdue_items)} 项逾期未检",
            overdue,
        ),
        tile(
            "已达标率",
            "已达标率",
            text.percent(now.totals.compliance_rate),
            "",
            f"达标 {text.number(now.totals.compliant)} 人次",
            rate,
        ),
        tile(
            "应检在管",
            "应检在管",
            text.number(now.totals.required),
            "人次",
            f"另有豁免 {text.number(now.totals.exempt)} 人次",
            plain(lambda day: day.totals.required),
        ),
        tile(
            "次日应检、未来7日到期",
            "次日应检",
            text.number(now.next_day_items),
            "项",
            f"{tomorrow} · {text.number(now.next_day_persons)} 人",
            plain(lambda day: day.next_day_items),
        ),
        tile(
            "风险区等级、无新增天数",
            "高 / 中风险区",
            f"{now.high_zones} / {now.medium_zones}",
            "个",
            "以通告为准",
            zones,
        ),
        tile(
            "可降级",
            "可降级风险区",
            text.number(now.lowerable_zones),
            "个",
            "已达到降级条件",
            plain(lambda day: day.lowerable_zones),
        ),
    ]
    return found if figures.has_zones else found[:4]


def breakdowns(figures: Figures) -> list[list[Breakdown]]:
    """The overdue tables, in the page's two columns.

    Communities are all listed, each looks for its own line; of the rest only those that are not clear.
    """
    return [
        [
            _breakdown("communities", "按社区", "社区", figures.communities, only_overdue=False),
            _breakdown("departments", "按主管部门", "主管部门", figures.departments),
        ],
        [
            _breakdown("groups", "按重点人群", "重点人群", figures.groups),
            Breakdown("units", f"逾期最多的 {UNIT_ROWS} 个工作单位", "工作单位", figures.units, figures.units_rest),
        ],
    ]


def _breakdown(anchor: str, title: str, column: str, parts: Sequence[Slice], only_overdue: bool = True) -> Breakdown:
    def is_shown(part: Slice) -> bool:
        return bool(part.overdue or part.overdue_before) or not only_overdue

    shown = [part for part in parts if is_shown(part)]
    clear = [part for part in parts if not is_shown(part)]
    others = shown[TABLE_ROWS:]
    rest = _sum(others, f"其余 {text.number(len(others))} 个") if others else None
    none_overdue = _sum(clear, f"无逾期的 {text.number(len(clear))} 个") if clear else None
    return Breakdown(anchor, title, column, shown[:TABLE_ROWS], [part for part in (rest, none_overdue) if part])


def _sum(parts: Sequence[Slice], name: str) -> Slice:
    before = [part.overdue_before for part in parts if part.overdue_before is not None]
    return Slice(
        code=None,
        name=name,
        required=sum(part.required for part in parts),
        compliant=sum(part.compliant for part in parts),
        overdue=sum(part.overdue for part in parts),
        overdue_before=sum(before) if before else None,
    )


def movement_of(figures: Figures) -> list[tuple[str, str, int]]:
    """The steps from the overdue items of the day before to those of the day; none without a day before."""
    if figures.movement is None or figures.day_before is None:
        return []
    return movement_table(figures.movement, figures.day_before.overdue_items, figures.now.overdue_items)


def forecast_table(figures: Figures) -> list[tuple[str, Sequence[int]]]:
    """Communities by tests due on the days ahead, most first; the last row adds up those that are not listed."""
    listed = [(row.community, row.tests_due) for row in figures.forecast_rows[:TABLE_ROWS]]
    others = figures.forecast_rows[TABLE_ROWS:]
    if others:
        sums = tuple(map(sum, zip(*(row.tests_due for row in others), strict=True)))
        listed.append((f"其余 {text.number(len(others))} 个", sums))
    return list(listed)


def charts_of(figures: Figures) -> dict[str, Markup]:
    """The report's charts by name: bands, forecast, and one for each daily figure with a trend, by its key."""
    days = [text.short_day(day) for day in figures.days]
    made = {series.indicator.key: _trend(series, days) for series in figures.series if series.has_trend}
    return made | {
        "bands": charts.band_chart(
            "bands", "按逾期天数", [_band_label(band) for band in figures.bands], [band.items for band in figures.bands]
        ),
        "forecast": charts.column_chart(
            "forecast",
            "未来7日到期检测",
            [text.short_day(point.day) for point in figures.forecast],
            [point.tests_due for point in figures.forecast],
            solid=0,
        ),
    }


def _trend(series: Series, days: Sequence[str]) -> Markup:
    indicator = series.indicator
    chart_id, title = f"trend-{indicator.key}", f"近14日{indicator.label}"
    if indicator.is_share:
        return charts.line_chart(chart_id, title, days, series.values, height=TREND_HEIGHT)
    counts = [None if value is None else int(value) for value in series.values]
    return charts.column_chart(chart_id, title, days, counts, solid=len(days) - 1, height=TREND_HEIGHT)


def _band_label(band: Band) -> str:
    if band.last is None:
        return f"{band.first}天以上"
    return f"{band.first}天" if band.first == band.last else f"{band.first}–{band.last}天"


def _tone(difference: int | None) -> str:
    """How a change of a figure is marked of which less is better."""
    return "" if not difference else "bad" if difference > 0 else "good"
