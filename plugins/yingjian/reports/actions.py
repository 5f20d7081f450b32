"""What must be done today and by whom, as short sentences made from the figures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from yingjian.reports.figures import BAND_DAYS, Figures, Slice
from yingjian.reports.text import articles, day, name, number, percent
from yingjian.reports.topics import Action

Item = TypeVar("Item")

NAMED = 3  # how many departments, communities, zones or feeds a sentence names
LONG_OVERDUE_DAYS = BAND_DAYS[-1][0]


def actions(figures: Figures) -> list[Action]:
    """The day's work: what is urgent first, in the order of the sources; never empty."""
    sources: tuple[Callable[[Figures], Iterator[Action]], ...] = (
        _release, _overdue, _long_overdue, _topics, _lowerable, _mismatches, _next_day, _review, _feeds,
    )  # fmt: skip
    found = [
        replace(action, units=responsible(figures, action.basis)) for source in sources for action in source(figures)
    ]
    return sorted(found, key=lambda action: not action.urgent)


def responsible(figures: Figures, basis: str) -> tuple[str, ...]:
    """The responsible units of the articles that a citation names, in the plan's order, each once."""
    named = [unit for article in articles(basis) for unit in figures.responsible.get(str(article), ())]
    return tuple(dict.fromkeys(named))


def _release(figures: Figures) -> Iterator[Action]:
    if figures.publication.released_by_hand:
        text = (
            f"有 {number(figures.failed_checks)} 项必须通过的质量检查未通过，本期经人工放行，请先看放行理由和数据质量。"
        )
        yield Action("谨慎使用", text, "第20条", urgent=True)


def _overdue(figures: Figures) -> Iterator[Action]:
    now = figures.now
    if not now.totals.required:
        yield Action("无应检数据", "本日没有任何应检人员的数据，不能据此认为无人逾期。", "第20条", urgent=True)
        return
    if not now.overdue_items:
        yield Action("逾期清零", "没有逾期未检人员。", "第18、21条")
        return
    text = f"{number(now.overdue_persons)} 人共 {number(now.overdue_items)} 项逾期未检。"
    communities, departments = _most(figures.communities), _most(figures.departments)
    if communities:
        share = sum(part.overdue for part in communities) / now.totals.overdue
        held = f"（合占 {percent(share)}）" if len(figures.communities) > NAMED else ""
        text += f"社区最多：{_named(communities)}{held}。"
    if departments:
        text += f"部门最多：{_named(departments)}。"
    yield Action("督促补检", text, "第18、21条", urgent=True)


def _long_overdue(figures: Figures) -> Iterator[Action]:
    longest = figures.longest
    if longest is None or longest.days_overdue < LONG_OVERDUE_DAYS:
        return
    text = f"逾期 {LONG_OVERDUE_DAYS} 天以上 {number(figures.bands[-1].items)} 项，逐人核实去向；"
    text += f"最长 {number(longest.days_overdue)} 天（{longest.group_name}，{longest.community}"
    text += f"等 {number(longest.items)} 项）。" if longest.items > 1 else "）。"
    yield Action("久拖未检", text, "第21条", urgent=True)


def _topics(figures: Figures) -> Iterator[Action]:
    for topic in figures.topics:
        yield from topic.actions


def _lowerable(figures: Figures) -> Iterator[Action]:
    zones = [zone for zone in figures.zones if zone.eligible_level]
    if zones:
        named = _listed(zones, lambda zone: f"{zone.name}（{zone.level}→{zone.eligible_level}"
                        + (f"，{day(zone.eligible_on)}起）" if zone.eligible_on else "）"))  # fmt: skip
        yield Action("研判降级", f"{len(zones)} 个风险区达到降级条件：{named}。", "第28条", urgent=True)


def _mismatches(figures: Figures) -> Iterator[Action]:
    zones = [zone for zone in figures.zones if zone.mismatch]
    if zones:
        named = _listed(zones, lambda zone: zone.name)
        yield Action(
            "核对通告", f"{len(zones)} 个风险区的通告与规则不一致：{named}，见“风险区”。", "第28条", urgent=True
        )


def _next_day(figures: Figures) -> Iterator[Action]:
    now, tomorrow = figures.now, figures.publication.as_of_date + timedelta(days=1)
    if now.next_day_items:
        text = f"{day(tomorrow)}应检 {number(now.next_day_persons)} 人共 {number(now.next_day_items)} 项"
        most = sorted(figures.forecast_rows, key=lambda row: (-row.tests_due[0], row.community))[:NAMED]
        named = "、".join(f"{row.community} {number(row.tests_due[0])}" for row in most if row.tests_due[0])
        yield Action("安排采样", f"{text}，其中{named}。" if named else f"{text}。", "第18条")


def _review(figures: Figures) -> Iterator[Action]:
    count = figures.open_items.needs_review
    if count:
        yield Action(
            "核实来源", f"{number(count)} 项待核实：来源县有风险区、来源区域对不上名单，暂按低风险地区管理。", "第30条"
        )


def _feeds(figures: Figures) -> Iterator[Action]:
    feeds = [feed for feed in figures.feeds if feed.status != "ok"]
    if feeds:
        named = _listed(feeds, lambda feed: feed.title)
        yield Action("补报数据", f"{len(feeds)} 类数据缺报、滞后或被退回：{named}。", "第20条")


def _most(parts: Sequence[Slice]) -> list[Slice]:
    """Those with most overdue; none where there is but one, which is the reader's own."""
    return [part for part in parts[:NAMED] if part.overdue] if len(parts) > 1 else []


def _named(parts: Sequence[Slice]) -> str:
    return "、".join(f"{name(part.name)} {number(part.overdue)}" for part in parts) + " 人次"


def _listed(items: Sequence[Item], called: Callable[[Item], str]) -> str:
    named = "、".join(called(item) for item in items[:NAMED])
    return named + (" 等" if len(items) > NAMED else "")
