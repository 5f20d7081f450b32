"""The five-minute reading in plain sentences: what got worse and why, and what is to be known of the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from yingjian.people.audience import Audience
from yingjian.reports.figures import Figures
from yingjian.reports.indicators import Series
from yingjian.reports.movement import CAUSES, CLEARED, DIMENSIONS, NEW, Movement, Share
from yingjian.reports.text import FEED_STATUS, day, name, number
from yingjian.reports.topics import SECTIONS

NAMED = 3  # places, zones, feeds, checks that a sentence names
TITLES = {section.anchor: section.title for section in SECTIONS} | {"quality": "数据报送"}
APART = frozenset({"overdue", "zones"})  # sections with a sentence of their own


@dataclass(frozen=True)
class Finding:
    """What changed since the day before, and in `why` a line for each cause; `anchor` is the report's section that shows it.

    `is_worse` puts a mark on it.
    """

    heading: str
    text: str
    basis: str
    anchor: str
    is_worse: bool = True
    why: Sequence[str] = ()

    @property
    def mark(self) -> str:
        return "▲" if self.is_worse else "▽"


def findings(figures: Figures) -> list[Finding]:
    """What got worse since the day before and why, gravest first; empty without a publication of the day before.

    The overdue items come in any case: that they fell is told the same way.
    """
    if figures.day_before is None:
        return []
    return [*_state(figures), *_overdue(figures), *_zones(figures), *_sections(figures)]


def improved(figures: Figures) -> str:
    """What got better, in one sentence; empty when nothing did."""
    better = [
        _moved(series) for series in figures.series if series.tone == "good" and series.indicator.section not in APART
    ]
    lowered = [zone for zone in figures.zone_changes if zone.kind == "lowered"]
    if lowered:
        better.insert(
            0, "降级的风险区 " + _some([f"{zone.name}（{zone.level_before}→{zone.level}）" for zone in lowered])
        )
    return "；".join(better)


def _state(figures: Figures) -> Iterator[Finding]:
    now, before = figures.now, figures.day_before
    assert before is not None
    if now.state == "急" and before.state == "平":
        yield Finding("平急状态", "由常态化（平）转入应急状态（急）。", "第23条", "state")
    if now.state == "急" and now.local_cases > before.local_cases:
        more = number(now.local_cases - before.local_cases)
        text = f"本轮本土感染者 {number(now.local_cases)} 例，比前一日多 {more} 例。"
        yield Finding("本土疫情", text, "第23条", "state")


def _overdue(figures: Figures) -> Iterator[Finding]:
    now, before, movement = figures.now, figures.day_before, figures.movement
    assert before is not None
    if movement is None or not (now.overdue_items or before.overdue_items):
        return
    items = now.overdue_items - before.overdue_items
    more = f"多 {number(items)} 项" if items > 0 else f"少 {number(-items)} 项" if items else "持平"
    text = f"{number(now.overdue_items)} 项，比前一日{more}"
    compliance = next((series for series in figures.series if series.indicator.key == "compliance"), None)
    if compliance is not None and compliance.today is not None:
        text += f"；已达标率 {compliance.written}（{compliance.change}）"
    why = [
        f"新增 {number(movement.total.new)} 项{_by_cause(movement.total, NEW)}",
        f"消除 {number(movement.total.cleared)} 项{_by_cause(movement.total, CLEARED)}",
    ]
    risen = "；".join(filter(None, (_risen(movement, dimension) for dimension in DIMENSIONS)))
    if risen:
        why.append(f"净增最多：{risen}")
    yield Finding("逾期", f"{text}。", "第18、21条", "overdue", items > 0, why)


def _by_cause(total: Share, causes: Mapping[str, str]) -> str:
    told = [f"{CAUSES[cause]} {number(total.by_cause[cause])}" for cause in causes if total.by_cause.get(cause)]
    return f"：{'、'.join(told)}" if told else ""


def _risen(movement: Movement, dimension: str) -> str:
    """The places of a dimension with the largest rise; nothing where there is but one place."""
    shares = movement.by_dimension[dimension]
    most = [share for share in shares if share.net > 0][:NAMED]
    if not most or len(shares) == 1:
        return ""
    named = [
        f"{name(share.name)} +{number(share.net)}"
        + (f"（{CAUSES[share.main_cause]}）" if share.main_cause != "fell_due" else "")
        for share in most
    ]
    return f"{DIMENSIONS[dimension]}·{'、'.join(named)}"


def _zones(figures: Figures) -> Iterator[Finding]:
    told = []
    for kind, says in (("declared", "新划定"), ("raised", "升级"), ("positive", "出现新增本土感染者")):
        zones = [zone for zone in figures.zone_changes if zone.kind == kind]
        if zones:
            named = [
                f"{zone.name}（{zone.level_before}→{zone.level}）"
                if kind == "raised"
                else f"{zone.name}（{zone.level}）"
                for zone in zones
            ]
            told.append(f"{says} {len(zones)} 个：{_some(named)}")
    if told:
        yield Finding("风险区", "；".join(told) + "。", "第28条", "zones")


def _sections(figures: Figures) -> Iterator[Finding]:
    """One sentence for each other section with a daily figure that got worse."""
    worse: dict[str, list[Series]] = {}
    for series in figures.series:
        if series.tone == "bad" and series.indicator.section not in APART:
            worse.setdefault(series.indicator.section, []).append(series)
    for section, found in worse.items():
        bases = list(dict.fromkeys(series.indicator.basis for series in found))
        text = "；".join(_moved(series) for series in found) + "。"
        yield Finding(TITLES[section], text, "；".join(bases), section)


def _moved(series: Series) -> str:
    """超过8小时未隔离 3 人（▲2）：招丰社区 +2."""
    named = "、".join(f"{place} +{number(risen)}" for place, risen in series.risen)
    return f"{series.indicator.label} {series.written}（{series.change}）" + (f"：{named}" if named else "")


def data_box(figures: Figures, audience: Audience) -> list[tuple[str, str]]:
    """What is to be known of the data before the figures are used: a word and a sentence each.

    Whose rows they are, what is missing or late, what was rejected, which checks failed, what was released by hand by whom and why, and what
    of earlier days was restated (article 20).
    """
    lines = [("范围", _scope(figures, audience))] if audience.name else []
    lines += [("报送", _arrival(figures)), ("退回", _rejected(figures)), ("检查", _checks(figures))]
    publication = figures.publication
    if publication.released_by_hand:
        who, why = publication.released_by or "未记录", publication.release_reason or "未填写"
        lines.append(("人工放行", f"放行人：{who}；理由：{why}。"))
    if "restatement" not in figures.hidden:
        lines.append(("更正", _restated(figures)))
    return lines


def _scope(figures: Figures, audience: Audience) -> str:
    elsewhere = [section.title for section in SECTIONS if figures.hidden.issuperset(section.marts)]
    if not figures.has_zones:
        elsewhere.insert(0, "风险区")
    text = f"只含{audience.name}的数据。"
    return text + (f"{'、'.join(elsewhere)}不按部门分，见街道日报。" if elsewhere else "")


def _arrival(figures: Figures) -> str:
    missing = set(figures.publication.missing_feeds)
    late = [feed for feed in figures.feeds if feed.status != "ok" or feed.feed in missing]
    if not late:
        return f"{len(figures.feeds)} 类数据均按要求送到。"
    named = _some([
        f"{feed.title}（{'截稿时当日数据未到' if feed.feed in missing else FEED_STATUS.get(feed.status, feed.status)}）"
        for feed in sorted(late, key=lambda feed: feed.feed not in missing)
    ])  # fmt: skip
    return f"{len(late)} 类缺报、滞后、偏少或被退回：{named}。"


def _rejected(figures: Figures) -> str:
    (series,) = (series for series in figures.series if series.indicator.key == "rejected")
    if not series.today:
        return "没有退回的行。"
    text = f"累计 {series.written}" + (f"，比前一日 {series.change}" if series.before is not None else "")
    top = figures.rejections[:NAMED]
    if top:
        text += "；待更正最多：" + "、".join(f"{row.title}·{row.reason} {number(row.rows)}" for row in top)
    return text + "。"


def _checks(figures: Figures) -> str:
    publication = figures.publication
    failed = [check.message or check.check_name for check in figures.checks if check.severity == "fail"]
    hints = [check.message or check.check_name for check in figures.checks if check.severity != "fail"]
    text = f"{number(publication.checks_run)} 项；" if publication.checks_run else ""
    text += f"必须通过的 {len(failed)} 项未通过：{_some(failed)}" if failed else "必须通过的全部通过"
    if hints:
        text += f"；提示 {len(hints)} 项：{_some(hints)}"
    return text + "。"


def _restated(figures: Figures) -> str:
    if not figures.restatements:
        return "与上一次发布相比，以前日期没有更正。"
    reasons: dict[str, int] = {}
    for item in figures.restatements:
        reasons[item.reason] = reasons.get(item.reason, 0) + item.rows
    days = [item.restated_date for item in figures.restatements]
    told = "、".join(
        f"{reason} {number(rows)}" for reason, rows in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    )
    return f"与上一次发布相比，以前日期更正 {number(sum(reasons.values()))} 项（{_between(min(days), max(days))}）：{told}。"


def _between(first: date, last: date) -> str:
    return day(first) if first == last else f"{day(first)}至{day(last)}"


def _some(names: list[str]) -> str:
    return "、".join(names[:NAMED]) + (f" 等 {len(names)} 个" if len(names) > NAMED else "")


def movement_table(movement: Movement, before: int, now: int) -> list[tuple[str, str, int]]:
    """From the items of the day before to those of the day: sign, words and items of each step."""
    steps = [("", "前一日逾期", before)]
    for sign, causes in (("＋", NEW), ("－", CLEARED)):
        steps += [
            (sign, CAUSES[cause], movement.total.by_cause[cause])
            for cause in causes
            if movement.total.by_cause.get(cause)
        ]
    return [*steps, ("＝", "本日逾期", now)]
