"""These sections report disinfection (article 27), vaccination of residents of 60 and over (22), and reserve teams (34 to 37)."""

from __future__ import annotations

from collections.abc import Sequence

from pandas import DataFrame

from yingjian.reports.content.document import NO_LIMIT, Action, Column
from yingjian.reports.content.frames import by, rows, some, table, total
from yingjian.reports.content.sections.section import Content, Reading, Section
from yingjian.reports.content.text import DAY_IS_OVER, number, percent

DISINFECTION = {
    "zones": """
        select min(coalesce(nullif(name, ''), zone_id)) as name, zone_id, count(*) as places,
            count(*) filter (where shortfall > 0) as short, sum(required)::int as required, sum(done)::int as done,
            sum(shortfall)::int as shortfall
        from disinfection_daily
        where publication_id = %(id)s and disinfection_date = %(day)s
        group by zone_id order by shortfall desc, zone_id collate "C"
    """,
    "sites": """
        select unit as name, array_to_string(communities, '、') as communities, required, done, shortfall
        from key_site_disinfection
        where publication_id = %(id)s and disinfection_date = %(day)s
        order by shortfall desc, unit collate "C"
    """,
    "cases": """
        select coalesce(nullif(community, ''), %(blank)s) collate "C" as community, count(*) as places,
            count(*) filter (where is_done) as done, count(*) filter (where not is_done) as open
        from terminal_disinfection
        where publication_id = %(id)s
        group by 1 order by open desc, community
    """,
}


def _disinfection(reading: Reading) -> Content:
    """Report the places of zones above low and key sites on D, and the places of cases."""
    zones, sites, cases = reading["zones"], reading["sites"], reading["cases"]
    short_places, short_sites = total(zones, "short"), int((sites["shortfall"] > 0).sum())
    undone = reading.count("terminal")
    sentences, actions = [], []
    if len(zones):
        sentences.append(
            f"中高风险区当日应消毒的楼栋和场所 {number(total(zones, 'places'))} 处，次数不足的 {number(short_places)} 处。"
        )
    if len(sites):
        sentences.append(f"疫情期间运行的重点场所 {number(len(sites))} 处，当日次数不足的 {number(short_sites)} 处。")
    if len(cases):
        sentences.append(f"感染者相关场所 {number(total(cases, 'places'))} 处，未完成终末消毒 {number(undone)} 处。")
    if short_places:
        words = f"{number(short_places)} 处楼栋和场所当日消毒不足，在{some(_short(zones))}。"
        actions.append(Action("补足消毒", words, "第27条", is_urgent=True, limit=DAY_IS_OVER))
    if short_sites:
        words = f"{number(short_sites)} 处重点场所当日消毒不足：{some(_short(sites))}。"
        actions.append(Action("重点场所消毒", words, "第27条", is_urgent=True, limit=DAY_IS_OVER))
    if undone:
        actions.append(
            Action(
                "终末消毒",
                f"{number(undone)} 处感染者场所还没有完成终末消毒。",
                "第27条",
                is_urgent=True,
                limit=NO_LIMIT,
            )
        )
    of_zones = (
        Column("风险区", "name", "text"), Column("楼栋和场所", "places"), Column("不足的", "short"),
        Column("应做（次）", "required"), Column("已做（次）", "done"), Column("缺（次）", "shortfall", alarm=True),
    )  # fmt: skip
    of_sites = (
        Column("单位", "name", "text"), Column("社区", "communities", "text"), Column("应做", "required"),
        Column("已做", "done"), Column("缺", "shortfall", alarm=True),
    )  # fmt: skip
    of_cases = (
        Column("社区", "community", "text"), Column("场所", "places"), Column("已完成", "done"),
        Column("未完成", "open", alarm=True),
    )  # fmt: skip
    blocks = [
        table("风险区当日预防性消毒", of_zones, zones),
        table("重点场所当日预防性消毒（次）", of_sites, sites),
        table("感染者场所终末消毒（处）", of_cases, cases),
    ]
    return Content(sentences or ["没有须消毒的风险区、重点场所和感染者场所。"], blocks, actions)


def _short(places: DataFrame) -> Sequence[str]:
    return list(places[places["shortfall"] > 0]["name"])


VACCINATION = {
    "residents": """
        select coalesce(nullif(community, ''), %(blank)s) collate "C" as community, age_band, sum(residents)::int as residents,
            sum(covered)::int as covered, sum(full_course)::int as full_course, sum(booster)::int as booster
        from vaccination_60plus where publication_id = %(id)s
        group by 1, 2 order by 1
    """,
    "lacking": """
        select count(*) filter (where reason is not null) as excluded
        from vaccination_outstanding where publication_id = %(id)s
    """,
}


def _vaccination(reading: Reading) -> Content:
    """Report the doses of residents of 60 and over, 80 and over apart, by community."""
    residents = reading["residents"]
    if not len(residents):
        return Content(["居民登记中没有60周岁及以上的居民。"])
    sentences = [
        f"{band.age_band} 周岁居民 {number(band.residents)} 人：覆盖 {percent(band.covered, band.residents)}，"
        f"全程 {percent(band.full_course, band.residents)}，加强 {percent(band.booster, band.residents)}。"
        for band in rows(by(residents, "age_band"))
    ]
    (lacking,) = rows(reading["lacking"])
    sentences.append(
        f"应接种未接种 {number(reading.count('vaccination_outstanding'))} 人，其中禁忌或拒种 {number(lacking.excluded)} 人。"
    )
    places = by(residents, "community")
    places = places.assign(rate=places["booster"] / places["residents"]).sort_values("rate", kind="stable")
    columns = (
        Column("社区", "community", "text"), Column("60岁以上", "residents"), Column("覆盖", "covered"),
        Column("全程", "full_course"), Column("加强", "booster"), Column("加强率", "booster", "share", whole="residents"),
    )  # fmt: skip
    return Content(sentences, [table("按社区，加强率低的在前（人）", columns, places)])


READINESS = {
    "teams": """
        select team_type, level, community, required, listed, shortfall, surplus, mix_ok, teams_required, teams_listed
        from readiness where publication_id = %(id)s
        order by shortfall desc, mix_ok, team_type collate "C", level collate "C", community collate "C"
    """,
}


def _readiness(reading: Reading) -> Content:
    """Compare reserve teams with what the plan asks for."""
    teams = reading["teams"].fillna({"surplus": 0, "teams_required": 0})
    wrong = teams[(teams["shortfall"] > 0) | (teams["surplus"] > 0) | ~teams["mix_ok"].astype(bool)]
    sentences = [f"应备勤的队伍 {len(teams)} 支，人数或构成不符合方案的 {len(wrong)} 支。"] if len(teams) else []
    for row in rows(by(teams, "team_type", "teams_required", "teams_listed")):
        if row.teams_required:
            sentences.append(
                f"社区{row.team_type}队伍应有 {int(row.teams_required)} 支，名册有 {int(row.teams_listed)} 支。"
            )
    wrong = wrong.assign(
        team=wrong["level"] + wrong["community"] + " · " + wrong["team_type"],
        why=["超员" if row.surplus else "" if row.mix_ok else "构成不符" for row in rows(wrong)],
    )
    columns = (
        Column("队伍", "team", "text"), Column("应有", "required"), Column("名册", "listed"),
        Column("缺", "shortfall", alarm=True), Column("说明", "why", "text"),
    )  # fmt: skip
    return Content(sentences, [table("不符合方案的队伍（人）", columns, wrong)])


SECTIONS = (
    Section(
        "disinfection", "消毒", "第27条", ("disinfection_daily", "key_site_disinfection", "terminal_disinfection"),
        DISINFECTION, _disinfection,
        ("disinfection", "terminal"),
    ),
    Section(
        "vaccination", "60岁以上疫苗接种", "第22条", ("vaccination_60plus", "vaccination_outstanding"), VACCINATION, _vaccination,
        ("vaccination",),
    ),
    Section(
        "readiness", "备勤队伍", "第34至37条", ("readiness",), READINESS, _readiness,
        ("teams_short",),
    ),
)  # fmt: skip
