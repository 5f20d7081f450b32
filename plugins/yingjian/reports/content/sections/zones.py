"""This section reports risk zones (article 28): their level, since when, and what still blocks lowering it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pandas import DataFrame, Series

from yingjian.reports.content import text
from yingjian.reports.content.document import NO_LIMIT, Action, Column, Finding, Tile
from yingjian.reports.content.frames import rows, some, table
from yingjian.reports.content.sections.section import Content, Reading, Section, tone
from yingjian.reports.content.text import day, number

LISTED = 60
LEVELS = {"高": 3, "中": 2, "低": 1}
LEVEL_FIGURES = ("high_zones", "medium_zones", "lowerable_zones")
KINDS = {"declared": "新划定", "raised": "升级", "positive": "出现新增本土感染者", "lowered": "降级"}

QUERIES = {
    "zones": """
        select publication_id, zone_id, coalesce(nullif(name, ''), zone_id) as name,
            array_to_string(communities, '、') as communities, level, level_since, last_positive_date, residents,
            round_sampled, round_outstanding, round_complete_on, eligible_level, eligible_on, earliest_on,
            array_to_string(overlapping_zones, '、') as overlapping, nullif(mismatch, '') as mismatch, explanation,
            days_since_positive, days_at_level, coalesce(is_lowered, false) as is_lowered
        from risk_zone where publication_id = any(%(ids)s) order by zone_id collate "C"
    """,
}
COLUMNS = (
    Column("风险区", "name", "text"), Column("社区", "communities", "text"), Column("等级", "shown_level", "text"),
    Column("自", "level_since", "date"), Column("本等级（天）", "days_at_level", adds=False),
    Column("末例", "last_positive_date", "date"), Column("距末例（天）", "days_since_positive", adds=False),
    Column("核酸筛查", "round", "text"), Column("降级条件", "condition", "text"),
)  # fmt: skip


def shown(zones: DataFrame) -> DataFrame:
    """Return the zones that are shown, gravest first; a zone that was lowered to 低 is shown as 已解除 for some days."""
    zones_shown = zones[(zones["level"] != "低") | zones["is_lowered"]].copy()
    zones_shown["shown_level"] = zones_shown["level"].where(~zones_shown["is_lowered"].astype(bool), "已解除")
    zones_shown["round"] = [_round(zone) for zone in rows(zones_shown)]
    zones_shown["condition"] = [_condition(zone) for zone in rows(zones_shown)]
    return zones_shown.sort_values("level", key=_rank, ascending=False, kind="stable").reset_index(drop=True)


def changed(zones: DataFrame, publication_id: int, before: int) -> DataFrame:
    """Return the zones that changed since the day before, gravest first; a zone that stays low is left out.

    `kind`: declared, raised, positive (a new local case) or lowered; `level_before` is missing where there was no zone.
    """
    now, earlier = (zones[zones["publication_id"] == number] for number in (publication_id, before))
    zones_changed = now.merge(
        earlier[["zone_id", "level", "last_positive_date"]], "left", "zone_id", suffixes=("", "_before")
    )
    zones_changed["kind"] = [_kind(zone) for zone in rows(zones_changed)]
    zones_changed = zones_changed[zones_changed["kind"].notna()]
    kinds, ranks = [list(KINDS).index(kind) for kind in zones_changed["kind"]], -_rank(zones_changed["level"])
    order = zones_changed.assign(kinds=kinds, ranks=ranks).sort_values(["kinds", "ranks", "zone_id"])
    return order[["kind", "name", "level", "level_before"]].reset_index(drop=True)


def _rank(levels: Series[str]) -> Series[float]:
    return levels.map(LEVELS).astype(float)


def _kind(zone: Any) -> str | None:
    rank, was = LEVELS.get(zone.level, 0), LEVELS.get(zone.level_before, 0)
    if rank > 1 and not was:
        return "declared"
    if was and rank != was:
        return "raised" if rank > was else "lowered"
    is_later = zone.last_positive_date and (
        not zone.last_positive_date_before or zone.last_positive_date > zone.last_positive_date_before
    )
    return "positive" if rank > 1 and is_later else None


def _round(zone: Any) -> str:
    if zone.round_complete_on:
        return f"{day(zone.round_complete_on)}完成一轮"
    if zone.residents is None or zone.round_outstanding is None:
        return text.NOTHING
    sampled, residents, outstanding = (number(int(value or 0)) for value in (zone.round_sampled, zone.residents, zone.round_outstanding))  # fmt: skip
    return f"已采 {sampled} / {residents} 人，未采 {outstanding}"


def _condition(zone: Any) -> str:
    """Return whether the zone may be lowered, or from when; what blocks it; and how the notice differs from the rule."""
    if zone.eligible_level:
        first = f"✓ {f'{day(zone.eligible_on)}起' if zone.eligible_on else ''}可降为{zone.eligible_level}风险区"
    else:
        first = text.NOTHING if zone.level == "低" else f"最早 {day(zone.earliest_on)}"
    return "；".join(
        filter(
            None,
            (
                first,
                zone.explanation,
                f"与 {zone.overlapping} 范围重叠" if zone.overlapping else "",
                f"通告与规则不一致：{zone.mismatch}" if zone.mismatch else "",
            ),
        )
    )


def _write(reading: Reading) -> Content:
    issue, zones = reading.issue, reading["zones"]
    zones_shown = shown(zones[zones["publication_id"] == issue.publication_id])
    changes = changed(zones, issue.publication_id, issue.before) if issue.before else zones[:0].assign(kind="")
    high, medium, lowerable = (reading.count(code) for code in LEVEL_FIGURES)
    sentence = (
        f"高风险区 {high} 个，中风险区 {medium} 个，可降级 {lowerable} 个。"
        "升降以指挥部通告为准，下表只提示条件是否达到。"
    )
    lowered = [
        f"{zone.name}（{zone.level_before}→{zone.level}）" for zone in rows(changes[changes["kind"] == "lowered"])
    ]
    complete = "其余见表格“风险区”。" if len(zones_shown) > LISTED else ""
    listed = table("等级以通告为准", COLUMNS, zones_shown, limit=LISTED, unit="个风险区", note=complete)
    return Content(
        sentences=[sentence] if len(zones_shown) else ["今日无风险区。"],
        blocks=[listed],
        has_figures=bool(len(zones_shown)),
        actions=list(_actions(zones_shown)),
        tiles=_tiles(reading),
        findings=list(_findings(changes)),
        improved=[f"降级的风险区 {_some(lowered)}"] if lowered else [],
    )


def _tiles(reading: Reading) -> list[Tile]:
    high, medium, lowerable = (reading.count(code) for code in LEVEL_FIGURES)

    def of_levels(earlier: int) -> tuple[str, str]:
        more_high, more_medium = (
            high - reading.count("high_zones", earlier),
            medium - reading.count("medium_zones", earlier),
        )
        return f"高 {text.change(more_high)}，中 {text.change(more_medium)}", tone(more_high or more_medium)

    return [
        Tile(
            "风险区等级、无新增天数", "高 / 中风险区", f"{high} / {medium}", "text", "个", "以通告为准",
            reading.changes(of_levels),
        ),
        Tile(
            "可降级", "可降级风险区", lowerable, "count", "个", "已达到降级条件",
            reading.changes(lambda earlier: (text.change(lowerable - reading.count("lowerable_zones", earlier)), "")),
        ),
    ]  # fmt: skip


def _actions(zones_shown: DataFrame) -> Iterator[Action]:
    eligible = rows(zones_shown[zones_shown["eligible_level"].notna()])
    if eligible:
        named = some([
            f"{zone.name}（{zone.level}→{zone.eligible_level}{f'，{day(zone.eligible_on)}起' if zone.eligible_on else ''}）"
            for zone in eligible
        ])  # fmt: skip
        since = min((zone.eligible_on for zone in eligible if zone.eligible_on), default=None)
        limit = f"{day(since)}起" if since else ""
        words = f"{len(eligible)} 个风险区达到降级条件：{named}。"
        yield Action("研判降级", words, "第28条", is_urgent=True, limit=limit)
    wrong = [zone.name for zone in rows(zones_shown[zones_shown["mismatch"].notna()])]
    if wrong:
        words = f"{len(wrong)} 个风险区的通告与规则不一致：{some(wrong)}，见“风险区”。"
        yield Action("核对通告", words, "第28条", is_urgent=True, limit=NO_LIMIT)


def _findings(changes: DataFrame) -> Iterator[Finding]:
    kinds_of_change = []
    for kind in ("declared", "raised", "positive"):
        zones = rows(changes[changes["kind"] == kind])
        if zones:
            named = [
                f"{zone.name}（{f'{zone.level_before}→' if kind == 'raised' else ''}{zone.level}）" for zone in zones
            ]
            kinds_of_change.append(f"{KINDS[kind]} {len(zones)} 个：{_some(named)}")
    if kinds_of_change:
        yield Finding("风险区", "；".join(kinds_of_change) + "。", "第28条", "zones")


def _some(names: list[str]) -> str:
    return some(names, f" 等 {len(names)} 个")


SECTIONS = (Section("zones", "风险区", "第28条", ("risk_zone",), QUERIES, _write, ("zones",)),)
