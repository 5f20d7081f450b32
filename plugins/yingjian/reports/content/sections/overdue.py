"""This section reports overdue tests (articles 18, 21): who is overdue, since when, why that changed, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from pandas import DataFrame

from yingjian.reports.content import text
from yingjian.reports.content.document import (
    NO_LIMIT,
    Action,
    Block,
    Blocks,
    Column,
    Figure,
    Finding,
    Table,
    Text,
    Tile,
)
from yingjian.reports.content.frames import BLANK, NAMED, by, rows, table, total
from yingjian.reports.content.sections.section import Content, Reading, Section, tone
from yingjian.reports.content.text import day, name, number, percent

BANDS = (("1天", 1, 1), ("2–3天", 2, 3), ("4–7天", 4, 7), ("8天以上", 8, 10**6))
LONG_OVERDUE_DAYS = BANDS[-1][1]
PLACES = 60  # communities, departments and groups that the page lists
UNITS = 10
# An item that is overdue on the report's day but was not the day before is new; one that was overdue the day before but is not
# any more is cleared. The change is new minus cleared. The causes are in the order of the report.
NEW = {
    "fell_due": "当日到期未采",
    "joined": "新纳入即到期",
    "recorded_late": "名册等补录",
    "lift_ended": "豁免或治疗期满",
    "restated_new": "样本撤回等更正",
}
CLEARED = {
    "sampled": "当日补采",
    "sample_late": "样本迟报入库",
    "missed": "未补采转为漏检",
    "lifted": "转为豁免或治疗",
    "ended": "解除或移出",
    "restated_cleared": "记录更正",
}
CAUSES = NEW | CLEARED
DIMENSIONS = {"community": "社区", "department": "主管部门", "group_name": "重点人群"}

QUERIES = {
    # An older publication has no is_headline, so null counts as true.
    "compliance": """
        select publication_id, department, community, unit, concat_ws(' ', group_code, group_name) as group_name,
            sum(required)::bigint as required, sum(compliant)::bigint as compliant, sum(overdue)::bigint as overdue
        from compliance_daily join publication using (publication_id, as_of_date)
        where publication_id in (%(id)s, %(before)s) and is_headline is not false
        group by 1, 2, 3, 4, 5
    """,
    "days": """
        select days_overdue, coalesce(nullif(group_name, ''), group_code) as group_name, community, count(*) as items
        from overdue where publication_id = %(id)s group by 1, 2, 3
    """,
    "ranks": """
        select publication_id, coalesce(community, department) as name, community is not null as is_community, part, whole
        from indicator_daily
        where publication_id = any(%(trend)s) and indicator_code = 'compliance' and whole > 0
            and (community is null) <> (department is null)
    """,
    # The same duty has the same obligation_id in every publication.
    "movement": """
        with new as (
            select
                overdue.community, overdue.department, overdue.group_name,
                case
                    when earlier.obligation_id is null and overdue.due_date < overdue.as_of_date then 'recorded_late'
                    when earlier.obligation_id is null then 'joined'
                    when earlier.status in ('exempt', 'void') then 'lift_ended'
                    when earlier.status = 'upcoming' and earlier.due_date = overdue.as_of_date then 'fell_due'
                    else 'restated_new'
                end as cause
            from overdue
            left join obligation as earlier
                on earlier.publication_id = %(before)s and earlier.obligation_id = overdue.obligation_id
            where overdue.publication_id = %(id)s and %(before)s > 0 and earlier.status is distinct from 'overdue'
        ),

        cleared as (
            select
                overdue.community, overdue.department, overdue.group_name,
                case
                    when later.obligation_id is null then 'ended'
                    when later.status in ('exempt', 'void') then 'lifted'
                    when later.status = 'missed' then 'missed'
                    when later.sampled_on = later.as_of_date then 'sampled'
                    when later.sampled_on is distinct from overdue.sampled_on then 'sample_late'
                    else 'restated_cleared'
                end as cause
            from (
                select *, case when slot is null then last_sample_date else satisfied_on end as sampled_on
                from overdue where publication_id = %(before)s
            ) as overdue
            left join (
                select *, case when slot is null then last_sample_date else satisfied_on end as sampled_on
                from obligation where publication_id = %(id)s
            ) as later on later.obligation_id = overdue.obligation_id
            where later.status is distinct from 'overdue'
        )

        select community, department, group_name, cause, count(*) as items
        from (select * from new union all select * from cleared) as moved
        group by 1, 2, 3, 4
    """,
}


def parts(compliance: DataFrame, column: str, publication_id: int, before: int | None) -> DataFrame:
    """Return the memberships by one column, most overdue first: required, compliant, overdue, and the change of overdue.

    The change is missing without a day before.
    """
    named = compliance.assign(name=compliance[column].replace("", BLANK).fillna(BLANK))
    if column == "group_name":
        named["name"] = named["name"].map(text.group)
    counts = by(named[named["publication_id"] == publication_id].drop(columns="publication_id"), "name")
    earlier = named[named["publication_id"] == before].groupby("name")["overdue"].sum().rename("overdue_before")
    counts_of_parts = counts.merge(earlier, how="outer", on="name").fillna(0)
    counts_of_parts["change"] = counts_of_parts["overdue"] - counts_of_parts["overdue_before"] if before else None
    if before is None:
        counts_of_parts["overdue_before"] = 0
    counts_of_parts = counts_of_parts[
        (counts_of_parts["required"] > 0) | (counts_of_parts["overdue"] > 0) | (counts_of_parts["overdue_before"] > 0)
    ]
    order = counts_of_parts.assign(most=-counts_of_parts["overdue"], largest=-counts_of_parts["required"]).sort_values(
        ["most", "largest", "name"]
    )
    return order.drop(columns=["most", "largest"]).reset_index(drop=True)


def ranking(ranks: DataFrame, by_day: Sequence[int | None]) -> DataFrame:
    """Return the places of the last publication by their share, lowest first: rank, its change, and days at the end.

    ranks: publication_id, name, part, whole. by_day: the publications of the days, the newest last; a day without one
    neither adds to the days at the end nor ends them. `moved` and `end` are words.
    """
    shares = ranks.assign(share=ranks["part"] / ranks["whole"])
    shares["rank"] = shares.groupby("publication_id")["share"].rank(method="min", ascending=False).astype(int)
    lowest = shares.groupby("publication_id")["share"].transform("min")
    highest = shares.groupby("publication_id")["share"].transform("max")
    shares["is_last"] = (shares["share"] == lowest) & (lowest < highest)
    days = [number for number in reversed(by_day) if number is not None]
    by_publication = {number: shares[shares["publication_id"] == number].set_index("name") for number in days}
    now, before = by_publication[days[0]], by_publication.get(by_day[-2] or 0)
    moves, ends = [], []
    for place in now.index:
        was = None if before is None or place not in before.index else int(before.at[place, "rank"])
        up = None if was is None else was - int(now.at[place, "rank"])
        moves.append(text.NOTHING if up is None else f"升 {up}" if up > 0 else f"降 {-up}" if up < 0 else "持平")
        last = [place in of_day.index and bool(of_day.at[place, "is_last"]) for of_day in by_publication.values()]
        streak = next((count for count, is_last in enumerate(last) if not is_last), len(last))
        ends.append(f"连续 {streak} 日末位" if streak > 1 else "末位" if streak else "")
    ranked = now.reset_index().assign(moved=moves, end=ends)
    return ranked.sort_values(["rank", "name"], ascending=[False, True]).reset_index(drop=True)


def rankings(reading: Reading) -> list[Table]:
    """Return the ranking of communities and of departments, for the office alone; a part has nothing to compare."""
    if reading.issue.audience.name:
        return []
    tables = []
    for is_community, word in ((True, "社区"), (False, "主管部门")):
        places = reading["ranks"][reading["ranks"]["is_community"].astype(bool) == is_community]
        if not (places["publication_id"] == reading.issue.publication_id).any():
            continue
        ranked = ranking(places, reading.issue.by_day)
        columns = (
            Column(word, "name", "text"), Column("名次", "rank", adds=False),
            Column("应检尽检率", "part", "share", whole="whole"), Column("比前一日", "moved", "text"), Column("末位", "end", "text"),
        )  # fmt: skip
        is_short = ranked["part"] < ranked["whole"]
        tables.append(
            table(
                f"{word}排名，末位在前",
                columns,
                ranked,
                limit=PLACES,
                unit="个",
                is_shown=is_short,
                hidden="全部达标的",
            )
        )
    return tables


def by_cause(movement: DataFrame) -> dict[str, int]:
    """Return the items that became overdue, and that ceased to be, by cause."""
    return {str(cause): int(items) for cause, items in movement.groupby("cause")["items"].sum().items()}


def moved(movement: DataFrame, column: str) -> DataFrame:
    """Return the items by one column and cause, with their sums `new`, `cleared` and `net`; the largest rise first."""
    named = movement.assign(name=movement[column].replace("", BLANK).fillna(BLANK) if column else "合计")
    items_by_cause = named.pivot_table(index="name", columns="cause", values="items", aggfunc="sum", fill_value=0)
    items_by_cause = items_by_cause.reindex(columns=list(CAUSES), fill_value=0).astype(int)
    items_by_cause["new"], items_by_cause["cleared"] = (
        items_by_cause[list(NEW)].sum(axis=1),
        items_by_cause[list(CLEARED)].sum(axis=1),
    )
    items_by_cause["net"] = items_by_cause["new"] - items_by_cause["cleared"]
    order = items_by_cause.reset_index().assign(
        most=-items_by_cause["net"].to_numpy(), larger=-items_by_cause["new"].to_numpy()
    )
    return order.sort_values(["most", "larger", "name"]).drop(columns=["most", "larger"]).reset_index(drop=True)


def bands(days: DataFrame) -> list[int]:
    """Return the overdue items by the bands of days overdue."""
    return [total(days[days["days_overdue"].between(first, last)], "items") for _, first, last in BANDS]


def _write(reading: Reading) -> Content:
    issue = reading.issue
    places, departments, groups, units = (
        parts(reading["compliance"], column, issue.publication_id, issue.before)
        for column in ("community", "department", "group_name", "unit")
    )
    items = reading.count("overdue_items")
    has_before = issue.before is not None
    moves = {column: moved(reading["movement"], column) for column in ("", *DIMENSIONS)}
    steps = has_before and bool(items or reading.count("overdue_items", issue.before))
    return Content(
        sentences=[] if items else ["没有逾期未检的项目。"],
        blocks=_blocks(reading, items, (places, departments, groups, units), steps=steps),
        actions=list(_actions(reading, places, departments)),
        tiles=_tiles(reading),
        findings=[_finding(reading, moves)] if steps else [],
        improved=[],
        sheets=[_by_dimension(moves)] if has_before and len(reading["movement"]) else [],
    )


def _blocks(reading: Reading, items: int, breakdowns: tuple[DataFrame, ...], *, steps: bool) -> Blocks:
    issue, (places, departments, groups, units) = reading.issue, breakdowns
    figure = Figure(
        "bands", "按逾期天数", [label for label, _, _ in BANDS], bands(reading["days"]), "项",
        f"共 {number(items)} 项；到期当日24时算逾期1天。", "第18、21条", shape="bands",
    )  # fmt: skip
    note = (
        "趋势图标“无”或断线之处，当日没有发布；各日按当时发布的数字。"
        if reading.figures and reading.figures[0].has_chart
        else "近14日只有这一期，趋势从下一期起显示。"
    )
    beside: tuple[Block, ...] = (*([figure] if items else []), *([_steps(reading, items)] if steps else []))
    counted = "表中单位：人次（一人在两类人群中计两次）。"
    if issue.before is None:
        counted += f"“比前一日”为“—”：{day(issue.day_before)}没有发布，无上期数据。"
    tables = (
        _breakdown("按社区", "社区", places, is_whole=True),
        _breakdown("按主管部门", "主管部门", departments),
        _breakdown("按重点人群", "重点人群", groups),
        _breakdown(f"逾期最多的 {UNITS} 个工作单位", "工作单位", units, limit=UNITS, complete="单位统计"),
    )
    return [
        Text(note, is_note=True),
        *([beside] if beside else []),
        tables,
        tuple(rankings(reading)),
        *([Text(counted, is_note=True)] if len(places) else []),
    ]


def _breakdown(
    title: str, column: str, parts_shown: DataFrame, *, is_whole: bool = False, limit: int = PLACES, complete: str = ""
) -> Table:
    """Return the overdue memberships by a column.

    All communities are listed, because each looks for its own line; of other parts, only those that have or had overdue tests.
    """
    is_shown = None if is_whole else parts_shown["overdue"] > 0
    if is_shown is not None and limit == PLACES:
        is_shown |= parts_shown["overdue_before"] > 0
    columns = (
        Column(column, "name", "text"), Column("逾期", "overdue"), Column("应检", "required"),
        Column("应检尽检率", "compliant", "share", whole="required"), Column("比前一日", "change", "change"),
    )  # fmt: skip
    return table(
        title, columns, parts_shown, limit=limit, unit="个", is_shown=is_shown, hidden="无逾期的", has_total=True,
        complete=complete, is_barred=True,
    )  # fmt: skip


def _steps(reading: Reading, items: int) -> Table:
    """Return the steps from the overdue items of the day before to those of the day."""
    issue, causes = reading.issue, by_cause(reading["movement"])
    steps = [("前一日逾期", reading.count("overdue_items", issue.before))]
    steps += [(f"＋{words}", causes[cause]) for cause, words in NEW.items() if causes.get(cause)]
    steps += [(f"－{words}", causes[cause]) for cause, words in CLEARED.items() if causes.get(cause)]
    return Table(
        f"逾期从{day(issue.day_before)}到{day(issue.as_of)}（项）",
        (Column("原因", "cause", "text"), Column("项", "items")),
        steps,
        total=("＝本日逾期", items),
    )


def _by_dimension(moves: Mapping[str, DataFrame]) -> Table:
    """Return why the overdue items changed, by cause: in all, by community, department and group."""
    titles = {"": "合计"} | DIMENSIONS
    movements = pd.concat([part.assign(by=titles[column]) for column, part in moves.items()])
    columns = (
        Column("分组", "by", "text"), Column("名称", "name", "text"), Column("新增", "new"), Column("消除", "cleared"),
        Column("净增", "net"), *(Column(words, cause) for cause, words in CAUSES.items()),
    )  # fmt: skip
    return table("逾期增减", columns, movements, limit=len(movements))


def _tiles(reading: Reading) -> list[Tile]:
    required, met = reading.count("required"), reading.value("compliance")
    persons, items = reading.count("overdue_persons"), reading.count("overdue_items")

    def overdue(earlier: int) -> tuple[str, str]:
        fewer = [persons - reading.count("overdue_persons", earlier), items - reading.count("overdue_items", earlier)]
        changes = [f"{text.change(value)} {unit}" for value, unit in zip(fewer, "人项", strict=True) if value]
        return "，".join(changes) or "持平", tone(fewer[0] or fewer[1])

    def compliance(earlier: int) -> tuple[str, str]:
        written = text.change_of_share(met.shown, reading.value("compliance", earlier).shown)
        return written, {"▲": "good", "▼": "bad"}.get(written[0], "")

    return [
        Tile("逾期", "逾期人数", persons, "count", "人", f"共 {number(items)} 项逾期未检", reading.changes(overdue)),
        Tile("应检尽检率", "应检尽检率", met.shown, "share", "", f"达标 {number(met.part)} 人次", reading.changes(compliance)),
        Tile(
            "应检人次", "应检人次", required, "count", "人次", f"另有豁免 {number(reading.count('exempt'))} 人次",
            reading.changes(lambda earlier: (text.change(required - reading.count("required", earlier)), "")),
        ),
    ]  # fmt: skip


def _actions(reading: Reading, places: DataFrame, departments: DataFrame) -> Iterator[Action]:
    persons, items = reading.count("overdue_persons"), reading.count("overdue_items")
    if not reading.count("required"):
        yield Action(
            "无应检数据", "本日没有任何应检人员的数据，不能据此认为无人逾期。", "第20条", is_urgent=True, limit=NO_LIMIT
        )
        return
    if not items:
        yield Action("逾期清零", "没有逾期未检人员。", "第18、21条", limit=NO_LIMIT)
        return
    words = f"{number(persons)} 人共 {number(items)} 项逾期未检。"
    if most := _most(places):
        held = percent(total(places[:NAMED], "overdue"), reading.count("overdue"))
        words += f"社区最多：{most}" + (f"（合占 {held}）。" if len(places) > NAMED else "。")
    if most := _most(departments):
        words += f"部门最多：{most}。"
    yield Action("督促补检", words, "第18、21条", is_urgent=True, limit="到期当日24时，已逾期", mart="overdue")
    yield from _long_overdue(reading["days"])


def _most(places: DataFrame) -> str:
    """Return the places with the most overdue; empty if there is only one, which is the reader's own."""
    most = places[places["overdue"] > 0][:NAMED]
    if len(places) < 2 or not len(most):
        return ""
    return "、".join(f"{name(part.name)} {number(part.overdue)}" for part in rows(most)) + " 人次"


def _long_overdue(days: DataFrame) -> Iterator[Action]:
    oldest = days[days["days_overdue"] == days["days_overdue"].max()]
    if not len(oldest) or oldest["days_overdue"].iloc[0] < LONG_OVERDUE_DAYS:
        return
    first = sorted(rows(oldest), key=lambda row: (-row.items, row.group_name or "", row.community or ""))[0]
    items = total(oldest, "items")
    words = f"逾期 {LONG_OVERDUE_DAYS} 天以上 {number(bands(days)[-1])} 项，逐人核实去向；"
    words += f"最长 {number(first.days_overdue)} 天（{first.group_name}，{first.community or BLANK}"
    words += f"等 {number(items)} 项）。" if items > 1 else "）。"
    yield Action("长期未检", words, "第21条", is_urgent=True, limit="到期当日24时，已逾期")


def _finding(reading: Reading, moves: Mapping[str, DataFrame]) -> Finding:
    """Return the finding on overdue items, with the same wording for a fall and a rise."""
    items = reading.count("overdue_items")
    more = items - reading.count("overdue_items", reading.issue.before)
    words = f"{number(items)} 项，比前一日" + (
        f"多 {number(more)} 项" if more > 0 else f"少 {number(-more)} 项" if more else "持平"
    )
    compliance = reading.figure("compliance")
    if compliance.today is not None:
        words += f"；应检尽检率 {compliance.written}（{compliance.change}）"
    causes = by_cause(reading["movement"])
    why = [
        f"{heading} {number(sum(causes.get(cause, 0) for cause in kinds))} 项{_named_causes(causes, kinds)}"
        for heading, kinds in (("新增", NEW), ("消除", CLEARED))
    ]
    if risen := "；".join(filter(None, (_risen(moves[column], column) for column in DIMENSIONS))):
        why.append(f"净增最多：{risen}")
    return Finding("逾期", f"{words}。", "第18、21条", "overdue", more > 0, why, is_level=not more)


def _named_causes(causes: Mapping[str, int], kinds: Mapping[str, str]) -> str:
    causes_named = [f"{words} {number(causes[cause])}" for cause, words in kinds.items() if causes.get(cause)]
    return f"：{'、'.join(causes_named)}" if causes_named else ""


def _risen(places: DataFrame, column: str) -> str:
    """Return the places with the largest rise, and the main cause of their new items; empty if there is only one place."""
    most = places[places["net"] > 0][:NAMED]
    if not len(most) or len(places) == 1:
        return ""
    causes: list[Any] = most[list(NEW)].idxmax(axis=1).tolist()
    named = [
        f"{name(place)} +{number(net)}" + (f"（{CAUSES[cause]}）" if cause != "fell_due" else "")
        for place, net, cause in zip(most["name"], most["net"].tolist(), causes, strict=True)
    ]
    return f"{DIMENSIONS[column]}·{'、'.join(named)}"


SECTIONS = (
    Section(
        "overdue",
        "逾期未检",
        "第18、21条，附件",
        ("compliance_daily", "overdue"),
        QUERIES,
        _write,
        ("overdue", "compliance", "missed"),
        nav="逾期",
    ),
)
