"""These sections report the town's state (article 23), positive persons (24, 26), and early signs of an outbreak (18, 21, 25)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from yingjian.reports.content import text
from yingjian.reports.content.document import NO_LIMIT, Action, Column, Finding
from yingjian.reports.content.frames import by, rows, table
from yingjian.reports.content.sections.section import Content, Reading, Section
from yingjian.reports.content.text import number, percent

STATE = {
    "state": """
        select publication_id, state, since, why, days, local_cases from town_state where publication_id = any(%(ids)s)
    """,
}


def _state(reading: Reading) -> Content:
    sentences, actions, findings = [], [], []
    by_publication = {row.publication_id: row for row in rows(reading["state"])}
    row = by_publication.get(reading.issue.publication_id)
    why = text.notices(row.why) if row else ""
    if row and row.state == "急":
        sentences.append(
            f"应急状态（急）第 {number(row.days)} 天，自{text.time_of_day(row.since)}起：{why}。"
            f"其间本土感染者 {number(row.local_cases)} 例。"
        )
        if row.days == 1:
            actions.append(Action("平急转换", f"已转入应急状态：{why}。", "第23条", is_urgent=True, limit="立即"))
    elif row:
        sentences.append(f"常态化（平）：{why}。")
    before = by_publication.get(reading.issue.before)
    if row and row.state == "急" and before and before.state == "平":
        findings.append(Finding("平急状态", "由常态化（平）转入应急状态（急）。", "第23条", "state"))
    cases, earlier = (
        by_publication[key].local_cases if key in by_publication else 0
        for key in (reading.issue.publication_id, reading.issue.before)
    )
    if row and row.state == "急" and reading.issue.before and cases > earlier:
        words = f"本轮本土感染者 {number(cases)} 例，比前一日多 {number(cases - earlier)} 例。"
        findings.append(Finding("本土疫情", words, "第23条", "state"))
    return Content(sentences, actions=actions, findings=findings, is_emergency=bool(row and row.state == "急"))


POSITIVES = {
    "positives": """
        select stage, status, coalesce(again, false) as again, hours, due_at, coalesce(nullif(community, ''), %(blank)s) collate "C" as community
        from positive_followup
        where publication_id = %(id)s and (status in ('waiting', 'overdue') or due_at > %(day)s::date - 6)
        order by hours desc, positive_id collate "C"
    """,
}
STAGES = {"not_reported": "未报告", "not_transferred": "已报告未转运"}


def _positives(reading: Reading) -> Content:
    """Report positive persons: the open ones, and those of the last week."""
    positives = reading["positives"]
    if not len(positives):
        return Content(["近7日没有阳性人员，也没有未报告、未转运的。"])
    open_ = positives[positives["status"].isin(["waiting", "overdue"])]
    overdue = open_[open_["status"] == "overdue"]
    stages, again = open_["stage"].value_counts(), int(positives["again"].sum())
    sentence = (
        f"近7日的和仍未办结的阳性人员 {number(len(positives))} 人：未报告 {number(int(stages.get('not_reported', 0)))} 人，"
        f"已报告未转运 {number(int(stages.get('not_transferred', 0)))} 人，"
        f"超时办结 {number(int((positives['status'] == 'satisfied_late').sum()))} 人"
        + (f"；其中出院后复阳 {number(again)} 人。" if again else "。")
    )
    actions = []
    if len(overdue):
        named = "、".join(f"{place} {number(count)}" for place, count in Counter(overdue["community"]).most_common(3))
        longest = number(round(overdue["hours"].iloc[0]))
        words = f"{number(len(overdue))} 名阳性人员超过时限仍未报告或未转运，最久 {longest} 小时：{named}（人）。"
        limit = text.passed(overdue["due_at"].min())
        actions.append(
            Action("立即报告转运", words, "第24、26条", is_urgent=True, limit=limit, mart="positive_followup")
        )
    counted = open_.assign(
        place=open_["community"] + " · " + open_["stage"].map(STAGES), persons=1, overdue=(open_["status"] == "overdue").astype(int)
    )  # fmt: skip
    listed = by(counted[["place", "persons", "overdue"]], "place").sort_values(
        "overdue", ascending=False, kind="stable"
    )
    columns = (Column("社区 · 环节", "place", "text"), Column("人数", "persons"), Column("超时", "overdue", alarm=True))
    return Content([sentence], [table("未办结的阳性人员（人）", columns, listed)], actions)


EARLY = {
    "moved": """
        select coalesce(sum(discharged), 0)::int as discharged,
            coalesce(sum(close_contacts_released + secondary_contacts_released), 0)::int as released,
            coalesce(sum(close_contacts_positive + secondary_contacts_positive), 0)::int as positive, count(*) as places
        from case_contact_daily where publication_id = %(id)s and day = %(day)s
    """,
    "in_hospital": """
        select coalesce(sum(new_cases - discharged), 0)::int as persons, coalesce(sum(new_cases), 0)::int as cases
        from case_contact_daily where publication_id = %(id)s and day <= %(day)s
    """,
    "laboratories": """
        select coalesce(nullif(institution, ''), %(blank)s) collate "C" as institution, sum(samples)::int as samples,
            sum(pending)::int as pending, sum(late)::int as late, max(p90_hours)::int as hours
        from lab_turnaround_daily where publication_id = %(id)s and sampled_on > %(day)s::date - 3
        group by 1 order by late desc, institution
    """,
    "untested": """
        select coalesce(nullif(community, ''), %(blank)s) collate "C" as community, count(*) as persons,
            count(*) filter (where is_key_person) as key_persons
        from never_tested where publication_id = %(id)s
        group by 1 order by key_persons desc, persons desc, community
    """,
}


def _early(reading: Reading) -> Content:
    """Report new cases and contacts of D, laboratories' hours, and who was never tested."""
    (moved,), untested = rows(reading["moved"]), reading["untested"]
    cases, known, contacts, never_tested, key_persons = (
        reading.count(code)
        for code in ("new_cases", "new_cases_known", "new_contacts", "never_tested", "never_tested_key")
    )
    sentences = []
    if moved.places:
        sentences.append(
            f"近24小时新增感染者 {number(cases)} 例，其中已掌握的密接、次密接 {number(known)} 例"
            f"（{percent(reading.value('new_cases_known').shown)}），出院 {number(moved.discharged)} 例；新判定密接、次密接 "
            f"{number(contacts)} 人，解除 {number(moved.released)} 人，转阳 {number(moved.positive)} 人。"
        )
    if len(untested):
        sentences.append(f"从未检测 {number(never_tested)} 人，其中重点人员 {number(key_persons)} 人。")
    laboratories = (
        Column("检测机构", "institution", "text"), Column("样本", "samples"), Column("待出", "pending"),
        Column("超时", "late", alarm=True), Column("最慢一日90%（小时）", "hours", adds=False),
    )  # fmt: skip
    places = (
        Column("社区", "community", "text"), Column("人数", "persons"), Column("其中重点人员", "key_persons", alarm=True),
    )  # fmt: skip
    return Content(
        sentences or ["近24小时没有病例、密接变化。"],
        [
            table("近3日检测机构出结果（份）", laboratories, reading["laboratories"]),
            table("从未检测（人）", places, untested, note="逐人名单在所在社区的表格“从未检测”。"),
        ],
        list(_early_actions(cases - known, key_persons, reading.parameter("contact_isolation_hours"))),
        outbreak=list(_outbreak(reading, cases, known)),
    )


def _outbreak(reading: Reading, cases: int, known: int) -> Iterator[tuple[str, str]]:
    """Yield new cases by how they were found, who is in hospital, and who was discharged."""
    (moved,), (hospital,) = rows(reading["moved"]), rows(reading["in_hospital"])
    if not hospital.cases:
        return
    kinds = f"（已掌握的密接、次密接 {number(known)} 例，其他 {number(cases - known)} 例）" if cases else ""
    yield "昨日新增", f"感染者 {number(cases)} 例{kinds}"
    yield "在院", f"{number(hospital.persons)} 例（含待转运），昨日出院 {number(moved.discharged)} 例"


def _early_actions(unknown: int, key_persons: int, hours: str) -> Iterator[Action]:
    if unknown > 0:
        words = f"近24小时有 {number(unknown)} 例新增感染者不在已掌握的密接、次密接中，立即流调。"
        yield Action("查清来源", words, "第25条", is_urgent=True, limit=f"{hours}小时内密接、次密接隔离到位")
    if key_persons:
        yield Action("补上首检", f"{number(key_persons)} 名重点人员从未检测，逐人核实。", "第18、21条", limit=NO_LIMIT)


SECTIONS = (
    Section("state", "平急状态", "第23条", ("town_state",), STATE, _state),
    Section(
        "positives", "阳性人员报告与转运", "第24、26条", ("positive_followup",), POSITIVES, _positives,
        ("positives_overdue",),
    ),
    Section(
        "early", "疫情苗头", "第18、21、25、26条", ("case_contact_daily", "lab_turnaround_daily", "never_tested"), EARLY, _early,
        ("new_cases_known",),
    ),
)  # fmt: skip
