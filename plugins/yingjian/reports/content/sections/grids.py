"""These sections report what communities and grids did about the lists (articles 18, 21), and who lives in them (16)."""

from __future__ import annotations

from pandas import DataFrame

from yingjian.modelling.marts import published
from yingjian.reports.content.document import Column, Table
from yingjian.reports.content.frames import rows, table, total
from yingjian.reports.content.lists import LISTS
from yingjian.reports.content.sections.section import Content, Reading, Section
from yingjian.reports.content.text import number, percent

DISPOSITIONS = {
    "lists": """
        select list, sum(items)::int as items, sum(answered)::int as answered, sum(not_reached + refused)::int as refused,
            sum(moved_away + not_here + wrong_data)::int as doubtful
        from disposition_daily where publication_id = %(id)s and as_of_date = %(day)s
        group by list order by items desc, list collate "C"
    """,
    "answers": """
        select list, sum(items)::int as items, sum(answered)::int as answered, sum(notified)::int as notified,
            sum(sampled)::int as sampled, sum(appointed)::int as appointed, sum(not_reached)::int as not_reached,
            sum(refused)::int as refused, sum(moved_away)::int as moved_away, sum(not_here)::int as not_here,
            sum(wrong_data)::int as wrong_data, sum(exemption_requested)::int as exemption_requested
        from disposition_daily where publication_id = %(id)s and as_of_date = %(day)s
        group by list
    """,
}
RESULTS = (
    "notified", "sampled", "appointed", "not_reached", "refused", "moved_away", "not_here", "wrong_data",
    "exemption_requested",
)  # fmt: skip
# Lists have the titles of the spreadsheet. The list of controls has another, because only controls that are over can be
# answered.
TITLES = {listed.mart: listed.title for listed in LISTS} | {
    "control": "期满或提前解除",
    "pharmacy_followup": "购药待检",
    "signal": "预警信号",
    "inspection_followup": "问题待整改",
    "request_followup": "诉求待办",
    "event_approval": "活动待批",
    "missing_departure": "离岗未登记",
}


def answered(reading: Reading) -> dict[str, str]:
    """Return a sentence on the answers to each list, by its mart; empty if nobody has answered yet."""
    answers, labels = reading["answers"], published()["disposition_daily"].labels
    if not total(answers, "answered"):
        return {}
    sentences = {}
    for row in rows(answers):
        counts = [(labels[name], getattr(row, name)) for name in RESULTS]
        counts.append(("未处置", row.items - row.answered))
        sentences[row.list] = (
            f"处置：{'、'.join(f'{title} {number(count)}' for title, count in counts if count)}（项）。"
        )
    return sentences


def answers_table(title: str, lists: DataFrame, note: str = "") -> Table:
    """Return the table of the lists with their items and the answers about them; `lists` is the query of DISPOSITIONS."""
    columns = (
        Column("清单", "title", "text"), Column("事项", "items"), Column("已反馈", "answered"),
        Column("反馈率", "answered", "share", whole="items"), Column("联系不上、拒绝", "refused"),
        Column("搬离、不在、信息有误", "doubtful"),
    )  # fmt: skip
    return table(title, columns, lists.assign(title=[TITLES.get(name, name) for name in lists["list"]]), note=note)


def _dispositions(reading: Reading) -> Content:
    """Report how many items of each list were answered on D."""
    lists = reading["lists"]
    if not len(lists):
        return Content(["各清单没有待办事项。"])
    answered = reading.value("answered")
    sentence = (
        f"各清单事项 {number(answered.whole)} 项，已反馈处置结果 {number(answered.part)} 项（{percent(answered.shown)}）；"
        "反馈不改变应检和达标。"
    )
    return Content([sentence], [answers_table("各清单处置（项）", lists)])


POPULATION = {
    "places": """
        select coalesce(nullif(community, ''), %(blank)s) collate "C" as community, count(distinct grid) as grids,
            sum(residents)::int as residents, sum(floating)::int as floating, sum(type_unknown)::int as type_unknown,
            sum(key_persons)::int as key_persons, sum(key_persons_not_registered)::int as not_registered
        from grid_population
        where publication_id = %(id)s
        group by 1 order by community
    """,
}


def _population(reading: Reading) -> Content:
    """Report the residents, floating and key persons, by community."""
    places = reading["places"]
    if not len(places):
        return Content(["没有居民登记数据。"])
    sentences = [
        f"网格 {number(total(places, 'grids'))} 个，常住 {number(reading.count('residents'))} 人，"
        f"流动 {number(reading.count('floating'))} 人，重点人员 {number(reading.count('key_persons'))} 人"
        f"（其中不在居民登记 {number(total(places, 'not_registered'))} 人）。"
    ]
    if unknown := total(places, "type_unknown"):
        sentences.append(f"人口类型未填 {number(unknown)} 人。")
    columns = (
        Column("社区", "community", "text"), Column("网格", "grids"), Column("常住", "residents"),
        Column("流动", "floating"), Column("重点人员", "key_persons"), Column("重点未登记", "not_registered"),
    )  # fmt: skip
    return Content(sentences, [table("按社区", columns, places)])


SECTIONS = (
    Section(
        "dispositions", "清单处置", "第18、21条", ("disposition_daily", "disposition"), DISPOSITIONS, _dispositions,
        ("answered",),
    ),
    Section("population", "网格人口", "第16条", ("grid_population",), POPULATION, _population),
)  # fmt: skip
