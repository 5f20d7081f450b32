"""The PDF of a pack: A4, official layout, page numbers, the Chinese font embedded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import typst

from yingjian.people.audience import Audience
from yingjian.reports import text
from yingjian.reports.actions import actions
from yingjian.reports.definitions import definitions
from yingjian.reports.figures import Figures, Slice
from yingjian.reports.html import ZONE_ROWS, breakdowns, charts_of, forecast_table, movement_of, tiles
from yingjian.reports.summary import data_box, findings, improved

SHANGHAI = timezone(timedelta(hours=8))
FONTS = "pylopdf_fonts_zh_cn"
SENTENCE_LENGTH = 12
SVG_HEAD = '<svg xmlns="http://www.w3.org/2000/svg" font-family="Noto Sans SC" font-size="11.5" '
# What the page's style sheet says of a chart, for a file that has no style sheet.
STYLE = """><style>
.value { fill: #16202b } .label, .muted { fill: #4d5b69 } .axis { stroke: #16202b } .grid { stroke: #d3dae1 }
.line { stroke: #0b4a8f; stroke-width: 2.2; fill: none } .dot { fill: #fff; stroke: #0b4a8f; stroke-width: 1.8 }
.dot.last, .solid { fill: #0b4a8f } .hatched { stroke: #0b4a8f } .ground { fill: #dbe7f4 }
.hatch { stroke: #0b4a8f; fill: none }
</style>"""


@cache
def _compiler() -> typst.Compiler:
    """Fonts are read once for all packs; only the project's own are used."""
    return typst.Compiler(
        font_paths=typst.Fonts(font_paths=[str(files(FONTS))], include_system_fonts=False),
        ignore_system_fonts=True,
    )


def write_pdf(figures: Figures, audience: Audience, path: Path) -> None:
    """Write the PDF; the same figures give the same bytes."""
    path.write_bytes(typeset("report", _content(figures, audience), figures.publication.published_at))


def typeset(template: str, content: dict[str, Any], published_at: datetime) -> bytes:
    """The PDF of `templates/<template>.typ`, which finds `content` as JSON under its own name."""
    pdf = _compiler().compile(
        input=files("yingjian.reports").joinpath(f"templates/{template}.typ").read_bytes(),
        format="pdf",
        sys_inputs={template: json.dumps(content, ensure_ascii=False)},
        timestamp=published_at.replace(microsecond=0, tzinfo=SHANGHAI),
    )
    assert isinstance(pdf, bytes)
    return pdf


def _content(figures: Figures, audience: Audience) -> dict[str, Any]:
    """What the template sets: text only, as the page writes it."""
    publication = figures.publication
    notice = (
        f"人工放行：有 {figures.failed_checks} 项必须通过的质量检查未通过。理由：{publication.release_reason or '未填写'}。"
        f"放行人：{publication.released_by or '未记录'}。"
        if publication.released_by_hand
        else f"质量检查通过（{text.number(publication.checks_run)} 项）。"
    )
    state = [sentence for topic in figures.topics if topic.section.anchor == "state" for sentence in topic.said]
    made = {name: _svg(chart) for name, chart in charts_of(figures).items()}
    found = findings(figures)
    day_before = text.day(publication.as_of_date - timedelta(days=1))
    compared = (
        f"{day_before}没有发布，无上期数据，不能比较。" if figures.day_before is None
        else "" if any(finding.is_worse for finding in found)
        else "与前一日相比，没有变差的项目。"
    )  # fmt: skip
    return {
        "audience": audience.title,
        "day": text.full_day(publication.as_of_date),
        "number": f"{publication.publication_id}{publication.mark}",
        "edition": publication.policy_edition,
        "published": f"{publication.published_at:%Y-%m-%d %H:%M}",
        "notice": notice,
        "state": "".join(state),
        "tiles": [
            {"label": tile.label, "value": tile.value, "unit": tile.unit, "note": tile.note,
             "changes": [f"{change.against} {change.text}" for change in tile.changes]}
            for tile in tiles(figures)
        ],
        "day_before": day_before,
        "compared": compared,
        "findings": [
            {"mark": finding.mark, "heading": finding.heading, "text": finding.text, "basis": finding.basis,
             "why": list(finding.why)}
            for finding in found
        ],
        "improved": improved(figures),
        "actions": [
            {"heading": action.heading, "text": action.text, "basis": action.basis, "units": "、".join(action.units)}
            for action in actions(figures)
        ],
        "data": [{"word": word, "sentence": sentence} for word, sentence in data_box(figures, audience)],
        "sections": [
            *_overdue(figures, made), *_forecast(figures, made), *_zones(figures, made), *_topics(figures, made),
            *_quality(figures, made),
        ],
        "definitions": [
            {"term": term.term, "basis": term.basis, "meaning": term.meaning}
            for term in definitions(publication.as_of_date)
        ],
    }  # fmt: skip


def _svg(chart: str) -> str:
    return str(chart).replace("<svg ", SVG_HEAD, 1).replace(">", STYLE, 1)


def _daily(figures: Figures, made: dict[str, str], section: str) -> list[dict[str, str]]:
    """The daily figures of a section, as the page writes them."""
    return [
        {
            "label": series.indicator.label,
            "value": series.written,
            "change": series.change if series.before is not None else "",
            "svg": made.get(series.indicator.key, ""),
            "meaning": series.indicator.definition,
            "basis": series.indicator.basis,
        }
        for series in figures.series_of(section)
    ]


def _section(
    title: str, basis: str, said: Sequence[str] = (), daily: Sequence[Any] = (), tables: Sequence[Any] = ()
) -> dict[str, Any]:
    return {"title": title, "basis": basis, "said": list(said), "daily": list(daily), "tables": list(tables)}


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """`words` are the columns after the first that hold sentences and need room."""
    words = [place for place in range(1, len(columns)) if any(len(row[place]) > SENTENCE_LENGTH for row in rows)]
    return {"title": title, "columns": list(columns), "rows": [list(row) for row in rows], "words": words}


def _figure(label: str, svg: str, basis: str, meaning: str = "") -> dict[str, str]:
    """A chart with its values written in it."""
    return {"label": label, "value": "", "change": "", "svg": svg, "meaning": meaning, "basis": basis}


def _overdue(figures: Figures, made: dict[str, str]) -> list[dict[str, Any]]:
    def row(part: Slice) -> list[str]:
        name = f"{part.code} {part.name}" if part.code else part.name
        return [
            name,
            text.number(part.overdue),
            text.number(part.required),
            text.percent(part.compliance_rate),
            text.change(part.change),
        ]

    tables = [
        _table(
            table.title,
            [table.column, "逾期", "应检", "达标率", "比前一日"],
            [row(part) for part in (*table.rows, *table.sums)],
        )
        for column in breakdowns(figures) for table in column if table.rows
    ]  # fmt: skip
    daily = _daily(figures, made, "overdue")
    if figures.now.overdue_items:
        meaning = f"共 {text.number(figures.now.overdue_items)} 项；到期当日24时算逾期1天。"
        daily.append(_figure("按逾期天数", made["bands"], "第18、21条", meaning))
    if steps := movement_of(figures):
        rows = [[f"{sign}{words}", text.number(items)] for sign, words, items in steps]
        tables.insert(0, _table("逾期从前一日到本日（项）", ["原因", "项"], rows))
    return [_section("逾期未检", "第18、21条，附件", daily=daily, tables=tables)]


def _forecast(figures: Figures, made: dict[str, str]) -> list[dict[str, Any]]:
    if not figures.forecast_rows:
        return [_section("未来7日到期", "附件第1–38项", ["未来7日没有到期的检测。"])]
    columns = ["社区", *(text.short_day(point.day) for point in figures.forecast)]
    rows = [[name, *map(text.number, due)] for name, due in forecast_table(figures)]
    rows.append(["合计", *(text.number(point.tests_due) for point in figures.forecast)])
    said = [
        f"未到期的应检项目共 {text.number(figures.open_items.upcoming)} 项；待核实 {text.number(figures.open_items.needs_review)} 项。"
    ]
    meaning = "各日到期的检测项数，假定此后不再采样，不含已逾期的。"
    daily = [_figure("未来7日到期检测（项）", made["forecast"], "附件第1–38项", meaning)]
    return [_section("未来7日到期", "附件第1–38项", said, daily, [_table("按社区", columns, rows)])]


def _zones(figures: Figures, made: dict[str, str]) -> list[dict[str, Any]]:
    if not figures.has_zones:
        return []
    rows = [
        [zone.name or zone.zone_id, zone.level, text.day(zone.level_since), text.number(zone.clear_days),
         f"{text.day(zone.eligible_on)}起可降为{zone.eligible_level}" if zone.eligible_level
         else "；".join([*zone.blockers, *([zone.mismatch] if zone.mismatch else [])]) or "—"]
        for zone in figures.zones[:ZONE_ROWS]
    ]  # fmt: skip
    said = [] if rows else ["今日无风险区。"]
    if len(figures.zones) > ZONE_ROWS:
        said.append(f"其余 {len(figures.zones) - ZONE_ROWS} 个风险区见表格“风险区”。")
    table = _table("等级以通告为准", ["风险区", "等级", "自", "无新增天数", "降级条件"], rows)
    return [_section("风险区", "第28条", said, _daily(figures, made, "zones") if rows else [], [table] if rows else [])]


def _topics(figures: Figures, made: dict[str, str]) -> list[dict[str, Any]]:
    return [
        _section(
            topic.section.title,
            topic.section.basis,
            topic.said,
            _daily(figures, made, topic.section.anchor),
            [
                _table(table.title, table.columns, [[text.cell(value) for value in row] for row in table.listed])
                for table in topic.tables
            ],
        )
        for topic in figures.topics
        if topic.section.anchor != "state"
    ]  # fmt: skip


def _quality(figures: Figures, made: dict[str, str]) -> list[dict[str, Any]]:
    feeds = [
        [feed.title, text.FEED_STATUS.get(feed.status, feed.status), *map(text.number, (feed.rows_read, feed.rows_staged, feed.rows_rejected, feed.rows_superseded))]
        for feed in figures.feeds
    ]  # fmt: skip
    checks = [
        [
            check.message or check.check_name,
            "必须通过" if check.severity == "fail" else "提示",
            text.number(check.failing_rows),
        ]
        for check in figures.checks
    ]
    tables = [
        _table("各类数据（行）", ["数据", "状态", "读入", "入库", "退回", "被更新"], feeds),
        _table("未通过的检查和提示", ["检查", "级别", "行数"], checks),
    ]
    daily = _daily(figures, made, "quality")
    return [_section("数据质量", "第20条", daily=daily, tables=[table for table in tables if table["rows"]])]
