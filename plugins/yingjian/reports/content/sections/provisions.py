"""This section has a line for each of inspections, isolation sites, stocks, requests, guests, events and drills (articles 5 to 38)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from yingjian.reports.content.document import NO_LIMIT, Action
from yingjian.reports.content.frames import rows
from yingjian.reports.content.sections.section import Content, Reading, Section
from yingjian.reports.content.text import late, number, passed

Count = Callable[[str], int]  # It returns a figure by its code.
QUERIES = {
    "inspections": """
        select count(*) as inspections, count(*) filter (where status = 'waiting') as waiting,
            min(due_on) filter (where status = 'overdue') as first_due
        from inspection_followup
        where publication_id = %(id)s and (found_on > %(day)s::date - 7 or status in ('waiting', 'overdue'))
    """,
    "sites": """
        select count(*) as sites, coalesce(sum(rooms), 0)::int as rooms,
            count(*) filter (where lacking <> '') as lacking, string_agg(
                coalesce(nullif(site_name, ''), site_id) || '（' || lacking || '）', '、' order by site_id collate "C"
            ) filter (where lacking <> '') as named
        from isolation_capacity_daily where publication_id = %(id)s and is_newest
    """,
    "supplies": """
        select count(*) as items, string_agg(
                coalesce(nullif(item, ''), supply_id) || '（可用 ' || days_of_stock || ' 天）', '、'
                order by days_of_stock, supply_id collate "C"
            ) filter (where status = 'short') as named
        from supply_daily where publication_id = %(id)s and is_newest
    """,
    "requests": """
        select count(*) as requests,
            coalesce(max(hours_open) filter (where status = 'overdue'), 0)::int as hours,
            min(due_at) filter (where status = 'overdue') as first_due
        from request_followup
        where publication_id = %(id)s and (received_at > %(day)s::date - 6 or status in ('waiting', 'overdue'))
    """,
    "guests": """
        select count(*) as guests, min(due_at) filter (where status = 'overdue') as first_due from guest_check
        where publication_id = %(id)s and (checked_in_at > %(day)s::date - 6 or status = 'overdue' or is_on_list)
    """,
    "events": """
        select count(*) filter (where days_until between 0 and 7) as events,
            min(due_on) filter (where status = 'overdue' and days_until >= 0) as first_due
        from event_approval where publication_id = %(id)s
    """,
    "drills": """
        select count(*) filter (where is_required) as required, coalesce(sum(held), 0)::int as held,
            min(next_due_on) filter (where status = 'overdue') as first_due
        from drill_summary where publication_id = %(id)s
    """,
}


def _write(reading: Reading) -> Content:
    lines = [line for name, write in LINES.items() for line in write(rows(reading[name])[0], reading.count)]
    sentences = [line for line in lines if isinstance(line, str)]
    actions = [line for line in lines if isinstance(line, Action)]
    return Content(sentences or ["没有督导、隔离场所、物资、诉求、住客、活动和演练的报送。"], actions=actions)


def _inspections(row: Any, count: Count) -> Iterator[str | Action]:
    if row.inspections:
        yield (
            f"督导检查（近7日和未整改）{number(row.inspections)} 处，整改中 {number(row.waiting)} 处，"
            f"逾期 {number(count('inspections_overdue'))} 处。"
        )
    if count("inspections_overdue"):
        words = f"{number(count('inspections_overdue'))} 处检查发现的问题逾期未整改。"
        yield Action("督促整改", words, "第14条", is_urgent=True, limit=late("整改期限", row.first_due))


def _sites(row: Any, count: Count) -> Iterator[str | Action]:
    if row.sites:
        yield (
            f"隔离场所 {number(row.sites)} 处，房间 {number(row.rooms)} 间，可用 {number(count('rooms_free'))} 间，"
            f"有缺项的 {number(row.lacking)} 处。"
        )
    if row.lacking:
        yield Action("补足隔离场所", f"{row.named}。", "第26、35条", limit=NO_LIMIT)


def _supplies(row: Any, count: Count) -> Iterator[str | Action]:
    if row.items:
        yield f"储备物资 {number(row.items)} 种，低于底线天数 {number(count('supplies_short'))} 种。"
    if count("supplies_short"):
        yield Action("补充物资", f"{row.named}低于底线天数。", "第28、36条", is_urgent=True, limit=NO_LIMIT)


def _requests(row: Any, count: Count) -> Iterator[str | Action]:
    if row.requests:
        yield f"群众诉求（近7日和未办结）{number(row.requests)} 件，未办结 {number(count('requests_open'))} 件。"
    if count("requests_overdue"):
        words = f"{number(count('requests_overdue'))} 件群众诉求超时未办结，最久 {number(row.hours)} 小时。"
        yield Action("办结诉求", words, "第28、29条", is_urgent=True, limit=passed(row.first_due))


def _guests(row: Any, count: Count) -> Iterator[str | Action]:
    if row.guests:
        yield (
            f"旅馆住客（近7日和待核）{number(row.guests)} 人，超时未登记上报 {number(count('guests_overdue'))} 人，"
            f"在管控名单中 {number(count('guests_listed'))} 人。"
        )
    if count("guests_listed"):
        yield Action(
            "核查住客",
            f"{number(count('guests_listed'))} 名在店住客在管控名单中，立即核查。",
            "第16条",
            is_urgent=True,
            limit=NO_LIMIT,
        )
    if count("guests_overdue"):
        words = f"{number(count('guests_overdue'))} 名住客超时未登记上报。"
        yield Action("登记住客", words, "第16条", limit=passed(row.first_due))


def _events(row: Any, count: Count) -> Iterator[str | Action]:
    if row.events:
        yield f"未来7日大型活动 {number(row.events)} 场，审批到期仍不全 {number(count('events_lacking'))} 场。"
        if count("events_lacking"):
            words = f"{number(count('events_lacking'))} 场大型活动临近而审批不全，不得举办。"
            yield Action("补齐活动审批", words, "第17条", is_urgent=True, limit=late("审批期限", row.first_due))


def _drills(row: Any, count: Count) -> Iterator[str | Action]:
    """Yield the line on drills, or nothing if nobody reports any."""
    if row.held:
        yield f"方案要求的培训、演练 {number(row.required)} 项，到期未开展 {number(count('drills_overdue'))} 项。"
        if count("drills_overdue"):
            words = f"{number(count('drills_overdue'))} 项培训、演练到期未开展。"
            yield Action("开展演练", words, "第34至38条", limit=late("开展期限", row.first_due))


LINES = {
    "inspections": _inspections,
    "sites": _sites,
    "supplies": _supplies,
    "requests": _requests,
    "guests": _guests,
    "events": _events,
    "drills": _drills,
}
SECTIONS = (
    Section(
        "provisions", "场所、活动与保障", "第5、8至17、26至29、32、34至38条",
        ("inspection_followup", "isolation_capacity_daily", "supply_daily", "request_followup", "guest_check",
         "event_approval", "drill_summary"),
        QUERIES, _write,
        ("inspections_overdue",),
    ),
)  # fmt: skip
