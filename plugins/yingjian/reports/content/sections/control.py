"""These sections report isolation and health monitoring (articles 4, 6, 8, 18, 25, 26, 30), and the clocks of contacts."""

from __future__ import annotations

from collections.abc import Iterator

from pandas import DataFrame

from yingjian.reports.content import text
from yingjian.reports.content.document import NO_LIMIT, Action, Column
from yingjian.reports.content.frames import by, most, rows, table, total
from yingjian.reports.content.sections.section import Content, Reading, Section
from yingjian.reports.content.text import articles, citation, day, number

CONTROLS = {
    "controls": """
        select title, min(basis) as basis, count(*) filter (where status = 'in_isolation') as isolated,
            count(*) filter (where status = 'in_monitoring') as monitored,
            count(distinct person_key) filter (where status in ('in_isolation', 'in_monitoring')) as managed,
            count(*) filter (where status = 'awaiting_release' and may_be_released) as ready,
            count(*) filter (where status = 'awaiting_release' and not may_be_released) as blocked,
            min(ends_on) filter (where status = 'awaiting_release' and may_be_released) as ready_since,
            min(ends_on) filter (where status = 'awaiting_release' and not may_be_released) as blocked_since,
            count(*) filter (where is_released_early and coalesce(released_on, isolation_released_on) > %(day)s::date - 7) as early
        from control
        where publication_id = %(id)s
        group by title
        having bool_or(status in ('in_isolation', 'in_monitoring', 'awaiting_release') or is_released_early)
        order by title collate "C"
    """,
}


CONTACT_TITLES = {"密接": "密切接触者", "次密接": "次密切接触者"}


def _controls(reading: Reading) -> Content:
    """Report who is under control, who may be released, and who was released too early."""
    controls = reading["controls"]
    if not len(controls):
        return Content(["没有在管的隔离和健康监测人员。"])
    isolated, monitored, ready, blocked, early = (
        number(reading.count(code)) for code in ("isolated", "monitored", "releasable", "blocked", "released_early")
    )
    sentence = (
        f"隔离 {isolated} 人，健康监测 {monitored} 人；期满可解除 {ready} 人，期满未具备解除条件 {blocked} 人；"
        f"近7日提前解除 {early} 人。"
    )
    managed = {kind: total(controls[controls["title"] == title], "managed") for kind, title in CONTACT_TITLES.items()}
    outbreak = [("在管", "，".join(f"{kind} {number(persons)} 人" for kind, persons in managed.items()))]
    columns = (
        Column("管控", "title", "text"), Column("隔离", "isolated"), Column("监测", "monitored"), Column("可解除", "ready"),
        Column("期满未具备条件", "blocked"), Column("提前解除", "early", alarm=True),
    )  # fmt: skip
    return Content(
        [sentence],
        [table("按管控类别（人）", columns, controls)],
        list(_releases(reading, controls)),
        outbreak=outbreak,
    )


def _releases(reading: Reading, controls: DataFrame) -> Iterator[Action]:
    """Yield the actions on controls, each with the articles of the controls concerned."""
    for heading, name, code, says, is_urgent in (
        ("核查提前解除", "early", "released_early", "近7日有 {} 人提前或缺检测解除，核实并补齐", True),
        ("补齐解除条件", "blocked", "blocked", "{} 人期满但缺检测、结果或三阴性，补齐后方可解除", True),
        ("办理解除", "ready", "releasable", "{} 人期满且条件齐备，可以解除", False),
    ):
        concerned = controls[controls[name] > 0]
        if len(concerned):
            cited = [article for basis in concerned["basis"] for article in articles(basis)]
            kinds = "、".join(f"{title} {number(count)}" for title, count in zip(concerned["title"], concerned[name].tolist(), strict=True))  # fmt: skip
            words = f"{says.format(number(reading.count(code)))}：{kinds}（人）。"
            since = concerned[f"{name}_since"].dropna() if name != "early" else concerned["ready_since"][:0]
            limit = f"期满之日（最早 {day(since.min())}）" if len(since) else NO_LIMIT
            yield Action(heading, words, citation(cited) if cited else "第4、25、26、30条", is_urgent, limit=limit)


MONITORING = {
    "monitored": """
        select coalesce(nullif(community, ''), %(blank)s) collate "C" as community, count(distinct person_key) as persons,
            count(distinct person_key) filter (where status = 'short') as short,
            count(distinct person_key) filter (where status = 'signal') as signals
        from health_monitoring
        where publication_id = %(id)s and monitored_on = %(day)s
        group by 1 order by signals desc, short desc, community
    """,
}


def _monitoring(reading: Reading) -> Content:
    """Report the people with too few health reports on D, and those with a fever."""
    monitored = reading["monitored"]
    if not len(monitored):
        return Content(["当日没有居家健康监测人员。"])
    persons, short, signals = total(monitored, "persons"), reading.count("monitoring_short"), reading.count("fevers")
    sentence = (
        f"当日健康监测 {number(persons)} 人，报告次数不足 {number(short)} 人，发热或有症状 {number(signals)} 人。"
    )
    actions = []
    if signals:
        named = "、".join(f"{row.community} {number(row.signals)}" for row in rows(monitored) if row.signals)
        words = f"{number(signals)} 名健康监测人员发热或有症状：{named}（人）。"
        actions.append(Action("排查发热", words, "第18条", is_urgent=True, limit=text.THAT_DAY))
    if short:
        words = f"{number(short)} 名健康监测人员当日报告体温和症状不足。"
        actions.append(Action("督促报告体温", words, "第18、30条", limit=text.DAY_IS_OVER))
    columns = (
        Column("社区", "community", "text"), Column("在管", "persons"), Column("报告不足", "short"),
        Column("发热或症状", "signals", alarm=True),
    )  # fmt: skip
    return Content([sentence], [table("当日健康监测（人）", columns, monitored)], actions)


CONTACTS = {
    "contacts": """
        select category, coalesce(nullif(community, ''), %(blank)s) collate "C" as community, count(*) as contacts,
            count(*) filter (where status = 'in_time') as in_time, count(*) filter (where status = 'late') as late,
            count(*) filter (where status = 'running') as running,
            count(*) filter (where status = 'overdue' and not is_infected) as overdue,
            min(deadline) filter (where status = 'overdue' and not is_infected) as deadline
        from contact_clock
        where publication_id = %(id)s and (judged_at > %(day)s::date - 6 or status in ('running', 'overdue'))
        group by 1, 2 order by 1, 2
    """,
}


def _contacts(reading: Reading) -> Content:
    """Report the contacts judged in the last week, and older ones who are not isolated."""
    contacts = reading["contacts"]
    if not len(contacts):
        return Content(["近7日没有新判定的密接、次密接。"])
    actions = []
    hours = reading.parameter("contact_isolation_hours")
    if overdue := reading.count("contacts_overdue"):
        places = by(contacts, "community").sort_values("overdue", ascending=False, kind="stable")
        words = f"{number(overdue)} 名密接、次密接超过{hours}小时仍未按规定隔离：{most(places, 'overdue')}（人）。"
        limit = text.passed(contacts["deadline"].dropna().min())
        actions.append(Action("立即隔离", words, "第25、26条", is_urgent=True, limit=limit, mart="contact_clock"))
    columns = (
        Column("类别", "category", "text"), Column("判定", "contacts"), Column("按时", "in_time"), Column("超时", "late"),
        Column("未到时限", "running"), Column("超时未隔离", "overdue", alarm=True),
    )  # fmt: skip
    categories = by(contacts, "category").sort_values("category", ascending=False)
    sentence = f"近7日判定的和仍未隔离的密接、次密接；{hours}小时从判定时间起算，转运不算隔离到位，已确认感染的不计超时未隔离。"
    return Content([sentence], [table(f"{hours}小时内隔离（人）", columns, categories)], actions)


SECTIONS = (
    Section(
        "controls", "隔离与健康监测", "第4、6、8、18、25、26、30条", ("control",), CONTROLS, _controls,
        ("controlled", "blocked"),
    ),
    Section(
        "monitoring", "居家健康监测", "第4、18、30条", ("health_monitoring",), MONITORING, _monitoring,
        ("monitoring_complete",),
    ),
    Section(
        "contacts", "密接隔离时限", "第25、26条", ("contact_clock",), CONTACTS, _contacts,
        ("contacts_in_time", "contacts_overdue"),
    ),
)  # fmt: skip
