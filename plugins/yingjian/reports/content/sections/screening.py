"""These sections report regional screening (articles 21, 24, 34) and unit sampling in outbreaks (10, 11, annex rows 23–28)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pandas as pd
from pandas import DataFrame, Series

from yingjian.reports.content.document import Action, Column
from yingjian.reports.content.frames import by, rows, some, table
from yingjian.reports.content.sections.section import Content, Reading, Section
from yingjian.reports.content.text import DAY_IS_OVER, group, notice, number, passed, percent, time_of_day

COUNTS = ["in_scope", "sampled_in_time", "sampled_late", "outstanding"]
SCREENING = {
    "places": """
        select round_id, community, min(started_at) as started_at, min(deadline) as deadline, sum(in_scope)::int as in_scope,
            sum(sampled_in_time)::int as sampled_in_time, sum(sampled_late)::int as sampled_late,
            sum(outstanding)::int as outstanding, sum(outstanding_infected)::int as infected,
            coalesce(bool_or(status = 'nobody_in_scope'), false) as has_unknown_place
        from screening_round where publication_id = %(id)s
        group by round_id, community order by round_id collate "C", community collate "C"
    """,
    "progress": """
        select distinct on (round_id) round_id, is_on_track, forecast_done_at
        from screening_progress where publication_id = %(id)s order by round_id, hour desc
    """,
    "buildings": """
        select round_id, concat_ws(' · ', nullif(community, ''), nullif(grid, ''), nullif(building, '')) as building,
            outstanding
        from screening_building
        where publication_id = %(id)s and outstanding > 0 and deadline::date <= %(day)s
        order by outstanding desc, round_id collate "C", community collate "C", grid collate "C", building collate "C"
    """,
}


def rounds(places: DataFrame, as_of: date) -> DataFrame:
    """Return the rounds of the last week, and older ones with people left out, newest first."""
    sums = {name: "sum" for name in (*COUNTS, "infected")}
    by_round = places.groupby("round_id", as_index=False).agg(
        {"started_at": "min", "deadline": "min", "has_unknown_place": "any"} | sums
    )
    by_round = by_round[_is_recent(by_round, as_of) | (by_round["outstanding"] > 0)]
    return by_round.sort_values("started_at", ascending=False, kind="stable")


def _is_recent(places: DataFrame, as_of: date) -> Series[bool]:
    return places["started_at"] > pd.Timestamp(as_of) - timedelta(days=7)


def _screening(reading: Reading) -> Content:
    as_of, places = reading.as_of, reading["places"]
    progress = {row.round_id: row for row in rows(reading["progress"])}
    sentences, actions = [], []
    for row in rows(rounds(places, as_of)) if len(places) else []:
        sentence, to_do = _round(row, progress.get(row.round_id), as_of, reading.parameter("screening_hours"))
        sentences.append(sentence)
        actions += to_do
    recent = places[_is_recent(places, as_of)]
    recent = recent.assign(
        place=recent["round_id"].map(notice) + " · " + recent["community"],
        found_out=recent["outstanding"] - recent["infected"],
    )
    columns = (
        Column("轮次 · 社区", "place", "text"), Column("应采", "in_scope"), Column("按时", "sampled_in_time"),
        Column("超时", "sampled_late"), Column("未采", "found_out", alarm=True), Column("另感染者", "infected"),
    )  # fmt: skip
    buildings = (Column("轮次 · 楼栋", "building", "text"), Column("未采", "outstanding", alarm=True))
    return Content(
        sentences or ["近7日没有区域核酸检测。"],
        [
            table(
                "各社区进度", columns,
                recent.sort_values(["started_at", "outstanding"], ascending=False, kind="stable"),
            ),
            table(
                "时限已过仍有人未采的楼栋", buildings,
                reading["buildings"].assign(
                    building=reading["buildings"]["round_id"].map(notice) + " · " + reading["buildings"]["building"]
                ),
                note="逐人名单在所在社区的表格“区域核酸未采”。", complete="未采楼栋",
            ),
        ],
        actions,
    )  # fmt: skip


def _round(row: Any, progress: Any, as_of: date, hours: str) -> tuple[str, list[Action]]:
    """Return the sentence on a round, and what must be done so that nobody is left out."""
    sampled, missing = row.sampled_in_time + row.sampled_late, row.outstanding - row.infected
    words = (
        f"{notice(row.round_id)}（{time_of_day(row.started_at)}起）：应采 {number(row.in_scope)} 人，{hours}小时内已采 "
        f"{number(row.sampled_in_time)} 人，超时 {number(row.sampled_late)} 人，未采 {number(missing)} 人"
        + (f"（另感染者 {number(row.infected)} 人）" if row.infected else "")
        + f"，覆盖率 {percent(sampled, row.in_scope)}。"
    )
    actions, is_over = [], row.deadline.date() <= as_of
    if row.outstanding and not is_over and progress is not None and progress.is_on_track is not None:
        done = progress.forecast_done_at
        pace = f"按目前进度要到{time_of_day(done)}。" if done else "尚无人采样。"
        words += f"时限{time_of_day(row.deadline)}，" + ("按目前进度能按时完成。" if progress.is_on_track else pace)
        if not progress.is_on_track:
            late = f"区域核酸（{notice(row.round_id)}）按目前进度{hours}小时内完不成，还有 {number(missing)} 人未采。"
            actions.append(Action("加快采样", late, "第34条", is_urgent=True, limit=f"{time_of_day(row.deadline)}前"))
    if missing and is_over:
        left = f"区域核酸（{notice(row.round_id)}）时限已过，还有 {number(missing)} 人未采，按名单逐人找到。"
        limit = passed(row.deadline)
        actions.append(
            Action("不漏一人", left, "第21、34条", is_urgent=True, limit=limit, mart="screening_outstanding")
        )
    if row.has_unknown_place:
        words += "通告中有的地点在居民登记里没有人，请核对地名。"
    return words, actions


OUTBREAK = {
    "units": """
        select phase, coalesce(nullif(unit, ''), %(blank)s) collate "C" as unit, group_code, coalesce(community, '') as community,
            roster, required, sampled, shortfall, coverage_lately::float as coverage_lately
        from sampling_unit_daily
        where publication_id = %(id)s and sampling_day = %(day)s
        order by shortfall desc, group_code::int, unit, community collate "C"
    """,
}
PHASES = {"full_round": ("全员检测", "完成全员检测"), "daily": ("每日抽检20%", "补足抽检")}


def _outbreak(reading: Reading) -> Content:
    """Report the units on D in an outbreak, community by community, and how many persons are proposed for D + 1."""
    units = reading["units"]
    if not len(units):
        return Content(["没有疫情，不抽检。"])
    sentences, actions = [], []
    for phase, (title, heading) in PHASES.items():
        of_phase = units[units["phase"] == phase]
        if not len(of_phase):
            continue
        short = of_phase[of_phase["shortfall"] > 0]
        count = len(short[["unit", "group_code"]].drop_duplicates())
        sums = by(of_phase[["phase", "required", "sampled"]], "phase").iloc[0]
        sentences.append(
            f"{title}：{number(len(of_phase[['unit', 'group_code']].drop_duplicates()))} 个单位，应检 {number(int(sums.required))} 人，"
            f"已检 {number(int(sums.sampled))} 人，不足的单位 {number(count)} 个。"
        )
        if count:
            named = some([f"{row.unit} 缺 {row.shortfall}" for row in rows(short)])
            actions.append(
                Action(
                    heading,
                    f"{number(count)} 个单位当日不足：{named}。",
                    "第10、11条",
                    is_urgent=True,
                    limit=DAY_IS_OVER,
                )
            )
    sentences.append(f"次日建议抽检 {number(reading.count('sampling_proposed'))} 人，久未采样的在前。")
    named_units = units.assign(name=units["group_code"].map(group) + " " + units["unit"] + " " + units["community"])
    columns = (
        Column("人群 单位 社区", "name", "text"), Column("在册", "roster"), Column("应检", "required"), Column("已检", "sampled"),
        Column("缺", "shortfall", alarm=True), Column("近5日覆盖", "coverage_lately", "share"),
    )  # fmt: skip
    return Content(sentences, [table("各单位当日", columns, named_units, complete="抽检单位")], actions)


SECTIONS = (
    Section(
        "screening", "区域核酸检测", "第21、24、34条",
        ("screening_round", "screening_building", "screening_progress", "screening_outstanding"), SCREENING, _screening,
        ("screening_coverage", "screening_outstanding"),
    ),
    Section(
        "outbreak", "疫情抽检", "第10、11条，附件23–28项", ("sampling_unit_daily", "sampling_proposal"), OUTBREAK, _outbreak,
        ("sampling_done", "sampling_short"),
    ),
)  # fmt: skip
