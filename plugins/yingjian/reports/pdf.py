"""The PDF of a pack: A4, official layout, page numbers, the Chinese font embedded."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from importlib.resources import files
from pathlib import Path
from typing import Any

import typst

from yingjian.reports import text
from yingjian.reports.actions import actions
from yingjian.reports.audiences import Audience
from yingjian.reports.figures import Figures, Slice
from yingjian.reports.html import breakdowns, charts_of, tiles

SHANGHAI = timezone(timedelta(hours=8))
FONTS = "pylopdf_fonts_zh_cn"
CHARTS = {
    "rate": "近14日已达标率",
    "overdue": "近14日逾期人次",
    "bands": "按逾期天数",
    "forecast": "未来7日到期检测（项）",
}
SVG_HEAD = '<svg xmlns="http://www.w3.org/2000/svg" font-family="Noto Sans SC" font-size="11.5" '
# What the page's style sheet says of a chart, for a file that has no style sheet.
STYLE = """><style>
.value { fill: #16202b } .label, .muted { fill: #4d5b69 } .axis { stroke: #16202b } .grid { stroke: #d3dae1 }
.line { stroke: #0b4a8f; stroke-width: 2.2; fill: none } .dot { fill: #fff; stroke: #0b4a8f; stroke-width: 1.8 }
.dot.last, .solid { fill: #0b4a8f } .hatched { stroke: #0b4a8f } .ground { fill: #dbe7f4 }
.hatch { stroke: #0b4a8f; fill: none }
</style>"""


def write_pdf(figures: Figures, audience: Audience, path: Path) -> None:
    """Write the PDF; the same figures give the same bytes."""
    template = files("yingjian.reports").joinpath("templates/report.typ").read_bytes()
    created = figures.publication.published_at.replace(microsecond=0, tzinfo=SHANGHAI)
    compiler = typst.Compiler(
        input=template,
        font_paths=typst.Fonts(font_paths=[str(files(FONTS))], include_system_fonts=False),
        ignore_system_fonts=True,
    )
    pdf = compiler.compile(
        format="pdf",
        sys_inputs={"report": json.dumps(_content(figures, audience), ensure_ascii=False)},
        timestamp=created,
    )
    assert isinstance(pdf, bytes)
    path.write_bytes(pdf)


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
    return {
        "audience": audience.title,
        "day": text.full_day(publication.as_of_date),
        "number": str(publication.publication_id),
        "edition": publication.policy_edition,
        "published": f"{publication.published_at:%Y-%m-%d %H:%M}",
        "notice": notice,
        "state": "".join(state),
        "tiles": [
            {"label": tile.label, "value": tile.value, "unit": tile.unit, "note": tile.note,
             "changes": [f"{change.against} {change.text}" for change in tile.changes]}
            for tile in tiles(figures)
        ],
        "actions": [{"heading": action.heading, "text": action.text, "basis": action.basis} for action in actions(figures)],
        "charts": _charts(figures),
        "sections": [*_overdue(figures), *_zones(figures), *_topics(figures), *_quality(figures)],
    }  # fmt: skip


def _charts(figures: Figures) -> list[dict[str, str]]:
    made = charts_of(figures)
    names = ["rate", "overdue"] if sum(day.totals is not None for day in figures.trend) > 1 else []
    names += ["bands"] if figures.now.overdue_items else []
    names += ["forecast"] if figures.forecast_rows else []
    return [
        {"title": CHARTS[name], "svg": str(made[name]).replace("<svg ", SVG_HEAD, 1).replace(">", STYLE, 1)}
        for name in names
    ]


def _overdue(figures: Figures) -> list[dict[str, Any]]:
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
        {"title": table.title, "columns": [table.column, "逾期", "应检", "达标率", "比前一日"],
         "rows": [row(part) for part in (*table.rows, *table.sums)]}
        for column in breakdowns(figures) for table in column if table.rows
    ]  # fmt: skip
    return [{"title": "逾期未检", "basis": "第18、21条，附件", "said": [], "tables": tables}]


def _zones(figures: Figures) -> list[dict[str, Any]]:
    rows = [
        [zone.name or zone.zone_id, zone.level, text.day(zone.level_since), text.number(zone.clear_days),
         f"{text.day(zone.eligible_on)}起可降为{zone.eligible_level}" if zone.eligible_level
         else "；".join([*zone.blockers, *([zone.mismatch] if zone.mismatch else [])]) or "—"]
        for zone in figures.zones
    ]  # fmt: skip
    said = [] if rows else ["今日无风险区。"]
    table = {"title": "等级以通告为准", "columns": ["风险区", "等级", "自", "无新增天数", "降级条件"], "rows": rows}
    return [{"title": "风险区", "basis": "第28条", "said": said, "tables": [table] if rows else []}]


def _topics(figures: Figures) -> list[dict[str, Any]]:
    return [
        {
            "title": topic.section.title,
            "basis": topic.section.basis,
            "said": list(topic.said),
            "tables": [
                {
                    "title": table.title,
                    "columns": list(table.columns),
                    "rows": [[text.cell(value) for value in row] for row in table.listed],
                }
                for table in topic.tables
            ],
        }
        for topic in figures.topics
        if topic.section.anchor != "state"
    ]


def _quality(figures: Figures) -> list[dict[str, Any]]:
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
        {"title": "各类数据（行）", "columns": ["数据", "状态", "读入", "入库", "退回", "被更新"], "rows": feeds},
        {"title": "未通过的检查和提示", "columns": ["检查", "级别", "行数"], "rows": checks},
    ]
    return [
        {"title": "数据质量", "basis": "第20条", "said": [], "tables": [table for table in tables if table["rows"]]}
    ]
