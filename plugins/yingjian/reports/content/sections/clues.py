"""These sections report leads to persons: pushed lists (article 7), positive tubes (24), drug purchases and signals (19)."""

from __future__ import annotations

from collections import Counter
from datetime import date

from pandas import DataFrame

from yingjian.reports.content import text
from yingjian.reports.content.document import NO_LIMIT, Action, Column
from yingjian.reports.content.frames import by, most, rows, some, table, total
from yingjian.reports.content.sections.section import Content, Reading, Section
from yingjian.reports.content.text import number, time_of_day

PUSHES = {
    "clearance": """
        select feed, title, push_date, coalesce(nullif(community, ''), %(blank)s) collate "C" as community, sum(pushed)::int as pushed,
            sum(cleared_same_day)::int as same_day, sum(open)::int as open, max(days_open)::int as days
        from push_clearance
        where publication_id = %(id)s and (push_date > %(day)s::date - 7 or open > 0)
        group by 1, 2, 3, 4
    """,
}


def lists(clearance: DataFrame, as_of: date) -> DataFrame:
    """Return what was pushed and cleared on D (`today`, `today_cleared`) and in all, and what is open, by list."""
    is_today = clearance["push_date"] == as_of
    counted = clearance.assign(
        today=clearance["pushed"].where(is_today, 0), today_cleared=clearance["same_day"].where(is_today, 0)
    )
    return by(counted.drop(columns="days"), "feed", "title")


def _pushes(reading: Reading) -> Content:
    """Report the lists pushed on D and in the week before, and what is still open."""
    clearance = reading["clearance"]
    if not len(clearance):
        return Content(["近7日没有推送名单。"])
    open_ = clearance[clearance["open"] > 0].groupby("community", as_index=False).agg({"open": "sum", "days": "max"})
    open_ = open_.sort_values("open", ascending=False, kind="stable")
    actions = []
    if left := reading.count("pushes_open"):
        words = f"{number(left)} 条推送名单没有清零：{most(open_, 'open')}（条）。"
        first = clearance.loc[clearance["open"] > 0, "push_date"].min()
        limit = text.late("推送当日24时", first)
        actions.append(Action("日推日清", words, "第7条", is_urgent=True, limit=limit, mart="push_outstanding"))
    columns = (
        Column("名单", "title", "text"), Column("当日推送", "today"), Column("当日清零", "today_cleared"),
        Column("近7日当日清零率", "same_day", "share", whole="pushed"), Column("未清", "open", alarm=True),
    )  # fmt: skip
    places = (
        Column("社区", "community", "text"), Column("未清", "open", alarm=True), Column("最久（天）", "days", adds=False),
    )  # fmt: skip
    blocks = [table("推送名单", columns, lists(clearance, reading.as_of)), table("未清名单按社区", places, open_)]
    return Content(["没有推送时间的记录不在其内。"], blocks, actions)


POOLS = {
    "tubes": """
        select tube_no, min(tube_result_at) as result_at, count(*) as members,
            count(*) filter (where status = 'negative') as negative, count(*) filter (where status = 'positive') as positive,
            count(*) filter (where status in ('waiting', 'pending')) as waiting,
            count(*) filter (where status = 'overdue') as overdue, min(due_at) filter (where status = 'overdue') as due_at
        from pool_followup where publication_id = %(id)s
        group by tube_no
        having min(tube_result_at) > %(day)s::date - 6 or bool_or(status in ('waiting', 'pending', 'overdue'))
        order by overdue desc, result_at desc, tube_no collate "C"
    """,
}


def _pools(reading: Reading) -> Content:
    """Report the members of positive mixed tubes of the last week, and older ones without a result."""
    tubes = reading["tubes"]
    if not len(tubes):
        return Content(["近7日没有混管阳性。"])
    members, positive, overdue = total(tubes, "members"), total(tubes, "positive"), reading.count("pools_overdue")
    sentence = (
        f"混管阳性 {number(len(tubes))} 管，涉及 {number(members)} 人，单采阳性 {number(positive)} 人，"
        f"超时未单采 {number(overdue)} 人。"
    )
    actions = []
    if overdue:
        words = f"{number(overdue)} 名混管阳性人员超过{reading.parameter('resample_hours')}小时未单采。"
        limit = text.passed(tubes["due_at"].dropna().min())
        actions.append(Action("单采复核", words, "第24条", is_urgent=True, limit=limit, mart="pool_followup"))
    named = tubes.assign(tube=[f"{row.tube_no}（{time_of_day(row.result_at)}）" for row in rows(tubes)])
    columns = (
        Column("试管（结果时间）", "tube", "text"), Column("人数", "members"), Column("阴性", "negative"),
        Column("阳性", "positive"), Column("待采待出", "waiting"), Column("超时未采", "overdue", alarm=True),
    )  # fmt: skip
    return Content([sentence], [table("逐管跟踪（人）", columns, named)], actions)


PHARMACY = {
    "purchases": """
        select category, count(*) as purchases, count(*) filter (where cleared_same_day) as same_day,
            count(*) filter (where status in ('satisfied', 'satisfied_late')) as tested,
            count(*) filter (where status = 'overdue') as overdue, count(*) filter (where drug_mismatch is not null) as mismatch
        from pharmacy_followup
        where publication_id = %(id)s and (purchased_at >= %(day)s::date - 6 or status = 'overdue')
        group by category order by purchases desc, category collate "C"
    """,
    "signals": """
        select kind, first_on, last_on, concat(community, grid, place) as place, persons, reports, coalesce(result, '') as result,
            is_new
        from signal
        where publication_id = %(id)s and last_on > %(day)s::date - 7
        order by is_new desc, last_on desc, persons desc, signal_id collate "C"
    """,
}
SIGNALS = {
    "repeat_purchase": "一人多次购药",
    "grid_cluster": "网格多人购药",
    "fever": "发热",
    "positive_tube": "混管阳性",
    "untested_unit": "单位无人检测",
    "building_cluster": "楼栋多个信号",
}
# A new signal of these kinds creates an action; a repeated purchase by one person does not, and a grid cluster has its own.
NEW_SIGNALS = ("fever", "positive_tube", "untested_unit", "building_cluster")


def _pharmacy(reading: Reading) -> Content:
    """Report the purchases of monitored drugs of the last week, and signals of the last days."""
    purchase_rows, signals = reading["purchases"], reading["signals"]
    if not len(purchase_rows) and not len(signals):
        return Content(["近7日没有监测药品的购药登记，也没有预警信号。"])
    new = signals[signals["is_new"].astype(bool)]
    purchases, tested, mismatch = (total(purchase_rows, name) for name in ("purchases", "tested", "mismatch"))
    sentences = [
        f"近7日购药和逾期未检的共 {number(purchases)} 次，已检测 {number(tested)} 次，逾期未检 "
        f"{number(reading.count('purchases_overdue'))} 次；预警信号 {number(len(signals))} 个，其中当日 "
        f"{number(reading.count('signals_new'))} 个。"
    ]
    if mismatch:
        sentences.append(f"{number(mismatch)} 次的药品与填报类别不符或不在目录，待核实。")
    columns = (
        Column("药品类别", "category", "text"), Column("购药", "purchases"), Column("当日排查", "same_day"),
        Column("已检测", "tested"), Column("逾期未检", "overdue", alarm=True),
    )  # fmt: skip
    signal_columns = (
        Column("信号", "title", "text"), Column("地点", "place", "text"), Column("自", "first_on", "date"),
        Column("至", "last_on", "date"), Column("人数", "persons"), Column("次数", "reports"), Column("处置", "result", "text"),
    )  # fmt: skip
    return Content(
        sentences,
        [
            table("购药排查与检测（次）", columns, purchase_rows),
            table("近7日预警信号", signal_columns, signals.assign(title=signals["kind"].map(SIGNALS))),
        ],
        _signal_actions(new, reading.parameter("signal_window_days")),
    )


def _signal_actions(new: DataFrame, window: str) -> list[Action]:
    actions = []
    clusters = [f"{row.place}（{row.persons} 人）" for row in rows(new[new["kind"] == "grid_cluster"])]
    if clusters:
        words = f"{window}日内多人购药：{some(clusters, '')}，排查聚集性发热等症状。"
        actions.append(Action("排查聚集", words, "第19条", is_urgent=True, limit=text.THAT_DAY))
    others = Counter(SIGNALS[kind] for kind in new["kind"] if kind in NEW_SIGNALS)
    if others:
        named = "、".join(f"{kind} {number(count)}" for kind, count in others.items())
        words = f"当日新的预警信号：{named}（个），逐个核查并反馈。"
        actions.append(Action("核查预警信号", words, "第18、24条", is_urgent=True, limit=NO_LIMIT))
    return actions


SECTIONS = (
    Section(
        "pushes", "日推日清", "第7条", ("push_clearance", "push_outstanding"), PUSHES, _pushes,
        ("pushes_same_day", "pushes_open"),
    ),
    Section(
        "pools", "混管阳性复核", "第24条", ("pool_followup",), POOLS, _pools,
        ("pools_overdue",),
    ),
    Section(
        "pharmacy", "购药监测与预警信号", "第19条", ("pharmacy_followup", "signal"), PHARMACY, _pharmacy,
        ("purchases_tested", "purchases_overdue"),
    ),
)  # fmt: skip
