"""The sections of the report that follow one topic of the plan each: SQL over the published marts to sentences and tables.

`SECTIONS` is the one list of them: the page, the table of the plan (docs/coverage.md) and the tests read it. A table's
cells are raw values (numbers, shares, days), so that every form of the report writes them in its own way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import psycopg

from yingjian.database.rows import leading, records
from yingjian.reports.text import articles, citation, number, percent, share, time_of_day

NAMED = 3  # how many places a sentence names
LISTED = 30  # rows of a table; one more row adds up the others

Conn = psycopg.Connection[Any]
Cell = str | int | float | date | None


@dataclass(frozen=True)
class Action:
    """A sentence with its heading; `basis` is the article it serves, `urgent` puts a mark on it.

    `units` answer for it: the responsible units (责任单位) of its articles, as the plan names them.
    """

    heading: str
    text: str
    basis: str
    urgent: bool = False
    units: Sequence[str] = ()


@dataclass(frozen=True)
class Table:
    """Rows under a title: whole numbers, shares (float, 0 to 1), days and words. `alarm`: the column of which any is too many.

    Page and PDF write `listed`, the spreadsheet `all_rows`; both add up to the mart. Where there may be thousands of rows
    `rest` adds up those that were not read, and the spreadsheet's sheet `complete` lists them, where one does.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    alarm: str = ""
    note: str = ""
    rest: Sequence[Cell] | None = None
    complete: str = ""

    @property
    def all_rows(self) -> Sequence[Sequence[Cell]]:
        return [*self.rows, self.rest] if self.rest else self.rows

    @property
    def listed(self) -> Sequence[Sequence[Cell]]:
        """The first rows, and one that adds up the others."""
        if len(self.rows) <= LISTED:
            return self.all_rows
        others = self.rows[LISTED:]
        sums = [sum(cells) if all(type(cell) is int for cell in cells) else None for cells in zip(*others, strict=True)]  # type: ignore[arg-type]
        return [*self.rows[:LISTED], (f"其余 {number(len(others))} 行", *sums[1:])]


def _rest(found: Mapping[str, int] | None, cells: Sequence[str | None]) -> Sequence[Cell] | None:
    """The row for what `leading` left out: sums by name, None where a column has none."""
    if found is None:
        return None
    return (f"其余 {number(found['left_out'])} 行", *(found[name] if name else None for name in cells))


@dataclass(frozen=True)
class Section:
    """What a section is about: `anchor` in the page, `basis` articles and annex rows, `marts` it is written from."""

    anchor: str
    title: str
    basis: str
    marts: tuple[str, ...]
    read: Callable[[Conn, int, date], "Content"]


@dataclass(frozen=True)
class Content:
    """What a section says of one publication; without sentences and tables there is nothing to say."""

    said: Sequence[str] = ()
    tables: Sequence[Table] = ()
    actions: Sequence[Action] = ()


@dataclass(frozen=True)
class Topic:
    """A section with its content."""

    section: Section
    said: Sequence[str] = ()
    tables: Sequence[Table] = field(default_factory=tuple)
    actions: Sequence[Action] = field(default_factory=tuple)


def read_topics(conn: Conn, publication_id: int, as_of: date, hidden: frozenset[str] = frozenset()) -> list[Topic]:
    """Every section in the order of `SECTIONS`, without those whose marts are all `hidden` from the audience."""
    topics = []
    for section in SECTIONS:
        if hidden.issuperset(section.marts):
            continue
        content = section.read(conn, publication_id, as_of)
        tables = [table for table in content.tables if table.rows]
        topics.append(Topic(section, content.said, tables, content.actions))
    return topics


def _state(conn: Conn, publication_id: int, as_of: date) -> Content:
    """Article 23: peace or emergency, since when and why."""
    query = "select state, since, why, days, local_cases from town_state where publication_id = %(id)s"
    said, actions = [], []
    for row in records(conn, query, id=publication_id):
        if row["state"] == "急":
            said.append(
                f"应急状态（急）第 {number(row['days'])} 天，自{time_of_day(row['since'])}起：{row['why']}。"
                f"其间本土感染者 {number(row['local_cases'])} 例。"
            )
            if row["days"] == 1:
                actions.append(Action("平急转换", f"已转入应急状态：{row['why']}。", "第23条", urgent=True))
        else:
            said.append(f"常态化（平）：{row['why']}。")
    return Content(said, actions=actions)


def _screening(conn: Conn, publication_id: int, as_of: date) -> Content:
    """Articles 21, 24, 34: rounds of regional screening of the last week, and older ones with people left out."""
    rounds = records(
        conn,
        """
        with rounds as (
            select
                round_id, min(started_at) as started_at, min(deadline) as deadline, sum(in_scope)::int as in_scope,
                sum(sampled_in_time)::int as sampled_in_time, sum(sampled_late)::int as sampled_late,
                sum(outstanding)::int as outstanding, sum(outstanding_infected)::int as infected,
                bool_or(status = 'nobody_in_scope') as has_unknown_place
            from screening_round where publication_id = %(id)s group by round_id
        )
        select rounds.*, progress.is_on_track, progress.forecast_done_at
        from rounds
        left join lateral (
            select is_on_track, forecast_done_at from screening_progress
            where publication_id = %(id)s and screening_progress.round_id = rounds.round_id
            order by hour desc limit 1
        ) as progress on true
        where rounds.started_at > %(day)s::date - 7 or rounds.outstanding > 0
        order by started_at desc, round_id collate "C"
        """,
        id=publication_id,
        day=as_of,
    )
    said, actions = [], []
    for row in rounds:
        sampled = row["sampled_in_time"] + row["sampled_late"]
        text = (
            f"{row['round_id']}（{time_of_day(row['started_at'])}起）：应采 {number(row['in_scope'])} 人，24小时内已采 "
            f"{number(row['sampled_in_time'])} 人，超时 {number(row['sampled_late'])} 人，未采 {number(row['outstanding'])} 人"
            f"，覆盖率 {percent(share(sampled, row['in_scope']))}。"
        )
        is_over = row["deadline"].date() <= as_of
        missing = row["outstanding"] - row["infected"]
        if row["outstanding"] and not is_over and row["is_on_track"] is not None:
            done = row["forecast_done_at"]
            text += f"时限{time_of_day(row['deadline'])}，" + (
                "按目前进度能按时完成。"
                if row["is_on_track"]
                else f"按目前进度要到{time_of_day(done)}。" if done else "尚无人采样。"
            )  # fmt: skip
            if not row["is_on_track"]:
                late = f"区域核酸 {row['round_id']} 按目前进度24小时内完不成，还有 {number(missing)} 人未采。"
                actions.append(Action("加快采样", late, "第34条", urgent=True))
        if missing and is_over:
            left = f"区域核酸 {row['round_id']} 时限已过，还有 {number(missing)} 人未采，按名单逐人找到。"
            actions.append(Action("不漏一人", left, "第21、34条", urgent=True))
        if row["has_unknown_place"]:
            text += "通告中有的地点在居民登记里没有人，请核对地名。"
        said.append(text)
    counts = ("in_scope", "sampled_in_time", "sampled_late", "outstanding")
    places, other_places = leading(
        conn,
        """
        select
            round_id, community, started_at, sum(in_scope)::int as in_scope, sum(sampled_in_time)::int as sampled_in_time,
            sum(sampled_late)::int as sampled_late, sum(outstanding)::int as outstanding
        from screening_round
        where publication_id = %(id)s and started_at > %(day)s::date - 7
        group by round_id, community, started_at
        """,
        order='started_at desc, outstanding desc, round_id collate "C", community collate "C"',
        limit=LISTED,
        sums=counts,
        id=publication_id,
        day=as_of,
    )
    buildings, other_buildings = leading(
        conn,
        """
        select round_id, community, grid, building, outstanding
        from screening_building
        where publication_id = %(id)s and outstanding > 0 and deadline::date <= %(day)s
        """,
        order='outstanding desc, round_id collate "C", community collate "C", grid collate "C", building collate "C"',
        limit=LISTED,
        sums=("outstanding",),
        id=publication_id,
        day=as_of,
    )
    return Content(
        said or ["近7日没有区域核酸检测。"],
        [
            Table(
                "各社区进度",
                ("轮次 · 社区", "应采", "按时", "超时", "未采"),
                [
                    (f"{row['round_id']} · {row['community']}", *(row[name] for name in counts))
                    for row in places
                ],
                alarm="未采",
                rest=_rest(other_places, counts),
            ),
            Table(
                "时限已过仍有人未采的楼栋",
                ("轮次 · 楼栋", "未采"),
                [
                    (" · ".join(filter(None, (row["round_id"], row["community"], row["grid"], row["building"]))), row["outstanding"])
                    for row in buildings
                ],
                alarm="未采",
                note="逐人名单在所在社区的表格“区域核酸未采”。",
                rest=_rest(other_buildings, ("outstanding",)),
                complete="未采楼栋",
            ),
        ],
        actions,
    )  # fmt: skip


def _outbreak(conn: Conn, publication_id: int, as_of: date) -> Content:
    """Articles 10 and 11, annex rows 23 to 28: units on D in a declared outbreak, and how many are proposed for D + 1."""
    phases = records(
        conn,
        """
        select phase, count(*)::int as units, count(*) filter (where shortfall > 0)::int as short,
            sum(required)::int as required, sum(sampled)::int as sampled,
            (array_agg(
                coalesce(nullif(unit, ''), '（未填）') || ' 缺 ' || shortfall
                order by shortfall desc, group_code::int, unit collate "C"
            ) filter (where shortfall > 0))[:%(named)s] as named
        from sampling_unit_daily
        where publication_id = %(id)s and sampling_day = %(day)s
        group by phase order by phase desc
        """,
        id=publication_id,
        day=as_of,
        named=NAMED,
    )
    if not phases:
        return Content(["没有疫情启动的通告，不抽检。"])
    counts = ("roster", "required", "sampled", "shortfall")
    units, other_units = leading(
        conn,
        """
        select coalesce(nullif(unit, ''), '（未填）') collate "C" as unit, group_code, outbreak_since,
            roster, required, sampled, shortfall, coverage_lately::float as coverage_lately
        from sampling_unit_daily
        where publication_id = %(id)s and sampling_day = %(day)s
        """,
        order="shortfall desc, group_code::int, unit, outbreak_since",
        limit=LISTED,
        sums=counts,
        id=publication_id,
        day=as_of,
    )
    (proposed,) = records(
        conn,
        "select count(distinct person_key)::int as persons from sampling_proposal where publication_id = %(id)s",
        id=publication_id,
    )
    titles = {"full_round": ("全员检测", "完成全员检测"), "daily": ("每日抽检20%", "补足抽检")}
    said, actions = [], []
    for row in phases:
        title, heading = titles[row["phase"]]
        said.append(
            f"{title}：{number(row['units'])} 个单位，应检 {number(row['required'])} 人，已检 {number(row['sampled'])} 人，"
            f"不足的单位 {number(row['short'])} 个。"
        )
        if row["short"]:
            text = f"{number(row['short'])} 个单位当日不足：{'、'.join(row['named'])}" + (
                " 等。" if row["short"] > NAMED else "。"
            )
            actions.append(Action(heading, text, "第10、11条", urgent=True))
    said.append(f"次日建议抽检 {number(proposed['persons'])} 人，久未采样的在前。")
    rows = [
        (f"{row['group_code']} {row['unit']}", *(row[name] for name in counts), row["coverage_lately"]) for row in units
    ]
    columns = ("人群 单位", "在册", "应检", "已检", "缺", "近5日覆盖")
    table = Table(
        "各单位当日", columns, rows, alarm="缺", rest=_rest(other_units, (*counts, None)), complete="抽检单位"
    )
    return Content(said, [table], actions)


def _controls(conn: Conn, publication_id: int, as_of: date) -> Content:
    """Articles 4, 6, 8, 18, 25, 26, 30: who is under control, who may be released and who was too early."""
    found = records(
        conn,
        """
        select title, min(basis) as basis, count(*) filter (where status = 'in_isolation')::int as isolated,
            count(*) filter (where status = 'in_monitoring')::int as monitored,
            count(*) filter (where status = 'awaiting_release' and may_be_released)::int as ready,
            count(*) filter (where status = 'awaiting_release' and not may_be_released)::int as blocked,
            count(*) filter (where is_released_early and coalesce(released_on, isolation_released_on) > %(day)s::date - 7)::int
                as early
        from control
        where publication_id = %(id)s
        group by title
        having bool_or(status in ('in_isolation', 'in_monitoring', 'awaiting_release') or is_released_early)
        order by title collate "C"
        """,
        id=publication_id,
        day=as_of,
    )
    if not found:
        return Content(["没有在管的隔离和健康监测人员。"])
    total = {name: sum(row[name] for row in found) for name in ("isolated", "monitored", "ready", "blocked", "early")}
    said = [
        f"隔离 {number(total['isolated'])} 人，健康监测 {number(total['monitored'])} 人；期满可解除 {number(total['ready'])} 人，"
        f"期满但条件不齐 {number(total['blocked'])} 人；近7日提前解除 {number(total['early'])} 人。"
    ]
    actions = []

    def act(heading: str, name: str, text: str, urgent: bool = True) -> None:
        """An action on the controls that have any, by the articles of those."""
        concerned = [row for row in found if row[name]]
        kinds = "、".join(f"{row['title']} {number(row[name])}" for row in concerned)
        cited = [article for row in concerned for article in articles(row["basis"])]
        actions.append(
            Action(heading, f"{text}：{kinds}（人）。", citation(cited) if cited else "第4、25、26、30条", urgent)
        )

    if total["early"]:
        act("核查提前解除", "early", f"近7日有 {number(total['early'])} 人提前或缺检测解除，核实并补齐")
    if total["blocked"]:
        act("补齐解除条件", "blocked", f"{number(total['blocked'])} 人期满但缺检测、结果或三阴性，补齐后方可解除")
    if total["ready"]:
        act("办理解除", "ready", f"{number(total['ready'])} 人期满且条件齐备，可以解除", urgent=False)
    columns = ("管控", "隔离", "监测", "可解除", "期满不齐", "提前解除")
    rows = [(r["title"], r["isolated"], r["monitored"], r["ready"], r["blocked"], r["early"]) for r in found]
    return Content(said, [Table("按管控类别（人）", columns, rows, alarm="提前解除")], actions)


def _contacts(conn: Conn, publication_id: int, as_of: date) -> Content:
    """Articles 25 and 26: contacts judged in the last week, and older ones who are not isolated."""
    found = records(
        conn,
        """
        select category, count(*)::int as contacts, count(*) filter (where status = 'in_time')::int as in_time,
            count(*) filter (where status = 'late')::int as late, count(*) filter (where status = 'running')::int as running,
            count(*) filter (where status = 'overdue')::int as overdue
        from contact_clock
        where publication_id = %(id)s and (judged_at > %(day)s::date - 6 or status in ('running', 'overdue'))
        group by category order by category collate "C" desc
        """,
        id=publication_id,
        day=as_of,
    )
    if not found:
        return Content(["近7日没有新判定的密接、次密接。"])
    open_ = records(
        conn,
        """
        select coalesce(nullif(community, ''), '（未填）') collate "C" as community, count(*)::int as contacts,
            min(deadline) as deadline
        from contact_clock where publication_id = %(id)s and status = 'overdue'
        group by 1 order by contacts desc, community
        """,
        id=publication_id,
    )
    rows = [(r["category"], r["contacts"], r["in_time"], r["late"], r["running"], r["overdue"]) for r in found]
    overdue = sum(row["overdue"] for row in found)
    actions = []
    if overdue:
        named = "、".join(f"{row['community']} {number(row['contacts'])}" for row in open_[:NAMED])
        text = f"{number(overdue)} 名密接、次密接超过8小时仍未按规定隔离：{named}（人）。"
        actions.append(Action("立即隔离", text, "第25、26条", urgent=True))
    return Content(
        ["近7日判定的和仍未隔离的密接、次密接；8小时从判定时间起算，转运不算隔离到位。"],
        [
            Table(
                "8小时内隔离（人）",
                ("类别", "判定", "按时", "超时", "未到时限", "超时未隔离"),
                rows,
                alarm="超时未隔离",
            )
        ],
        actions,
    )


def _pushes(conn: Conn, publication_id: int, as_of: date) -> Content:
    """Article 7: lists pushed on D and in the week before, and what is still open."""
    found = records(
        conn,
        """
        select title, sum(pushed) filter (where push_date = %(day)s)::int as today,
            sum(cleared_same_day) filter (where push_date = %(day)s)::int as same_day,
            (sum(cleared_same_day) / nullif(sum(pushed), 0)::numeric)::float as share, sum(open)::int as open,
            sum(not_pushed)::int as not_pushed
        from (
            select *, push_date > %(day)s::date - 7 as is_recent from push_clearance where publication_id = %(id)s
        ) as clearance
        where is_recent or open > 0
        group by feed, title order by feed collate "C"
        """,
        id=publication_id,
        day=as_of,
    )
    if not found:
        return Content(["近7日没有推送名单。"])
    places, other_places = leading(
        conn,
        """
        select coalesce(nullif(community, ''), '（未填）') collate "C" as community, sum(open)::int as open,
            max(days_open)::int as days
        from push_clearance where publication_id = %(id)s and open > 0
        group by 1
        """,
        order="open desc, community",
        limit=LISTED,
        sums=("open",),
        id=publication_id,
    )
    unpushed = sum(row["not_pushed"] for row in found)
    said = [f"有 {number(unpushed)} 条记录没有推送时间，按其自身日期计。"] if unpushed else []
    left = sum(row["open"] for row in found)
    actions = []
    if left:
        named = "、".join(f"{row['community']} {number(row['open'])}" for row in places[:NAMED])
        actions.append(Action("日推日清", f"{number(left)} 条推送名单没有清零：{named}（条）。", "第7条", urgent=True))
    rows = [(r["title"], r["today"] or 0, r["same_day"] or 0, r["share"], r["open"]) for r in found]
    return Content(
        said,
        [
            Table("推送名单", ("名单", "当日推送", "当日清零", "近7日当日清零率", "未清"), rows, alarm="未清"),
            Table(
                "未清名单按社区", ("社区", "未清", "最久（天）"), [(r["community"], r["open"], r["days"]) for r in places],
                alarm="未清", rest=_rest(other_places, ("open", None)),
            ),
        ],
        actions,
    )  # fmt: skip


def _pools(conn: Conn, publication_id: int, as_of: date) -> Content:
    """Article 24: members of positive mixed tubes of the last week, and older ones without a result."""
    counts = ("members", "negative", "positive", "waiting", "overdue")
    tubes, other_tubes = leading(
        conn,
        """
        select tube_no, min(tube_result_at) as result_at, count(*)::int as members,
            count(*) filter (where status = 'negative')::int as negative,
            count(*) filter (where status = 'positive')::int as positive,
            count(*) filter (where status in ('waiting', 'pending'))::int as waiting,
            count(*) filter (where status = 'overdue')::int as overdue
        from pool_followup where publication_id = %(id)s
        group by tube_no
        having min(tube_result_at) > %(day)s::date - 6 or bool_or(status in ('waiting', 'pending', 'overdue'))
        """,
        order='overdue desc, result_at desc, tube_no collate "C"',
        limit=LISTED,
        sums=counts,
        id=publication_id,
        day=as_of,
    )
    if not tubes:
        return Content(["近7日没有混管阳性。"])
    members, positive, overdue = (
        sum(row[name] for row in (*tubes, other_tubes or {name: 0})) for name in ("members", "positive", "overdue")
    )
    said = [
        f"混管阳性 {number(len(tubes) + (other_tubes or {'left_out': 0})['left_out'])} 管，涉及 {number(members)} 人，"
        f"单采阳性 {number(positive)} 人，超时未单采 {number(overdue)} 人。"
    ]
    actions = []
    if overdue:
        actions.append(Action("单采复核", f"{number(overdue)} 名混管阳性人员超过24小时未单采。", "第24条", urgent=True))
    columns = ("试管（结果时间）", "人数", "阴性", "阳性", "待采待出", "超时未采")
    rows = [(f"{row['tube_no']}（{time_of_day(row['result_at'])}）", *(row[name] for name in counts)) for row in tubes]
    return Content(
        said, [Table("逐管跟踪（人）", columns, rows, alarm="超时未采", rest=_rest(other_tubes, counts))], actions
    )


def _pharmacy(conn: Conn, publication_id: int, as_of: date) -> Content:
    """Article 19 and section three (四): purchases of monitored drugs of the last week, and signals of the last days."""
    found = records(
        conn,
        """
        select category, count(*)::int as purchases, count(*) filter (where cleared_same_day)::int as same_day,
            count(*) filter (where status in ('satisfied', 'satisfied_late'))::int as tested,
            count(*) filter (where status = 'overdue')::int as overdue,
            count(*) filter (where drug_mismatch is not null)::int as mismatch
        from pharmacy_followup
        where publication_id = %(id)s and (purchased_at >= %(day)s::date - 6 or status = 'overdue')
        group by category order by purchases desc, category collate "C"
        """,
        id=publication_id,
        day=as_of,
    )
    signals, other_signals = leading(
        conn,
        """
        select kind, first_on, last_on, community || grid as place, persons, purchases, is_new, is_new::int as new, signal_id
        from signal
        where publication_id = %(id)s and last_on > %(day)s::date - 7
        """,
        order='is_new desc, last_on desc, persons desc, signal_id collate "C"',
        limit=LISTED,
        sums=("persons", "purchases", "new"),
        id=publication_id,
        day=as_of,
    )
    if not found and not signals:
        return Content(["近7日没有监测药品的购药登记。"])
    purchases, tested, overdue, mismatch = (
        sum(row[name] for row in found) for name in ("purchases", "tested", "overdue", "mismatch")
    )
    left_out, new = (other_signals["left_out"], other_signals["new"]) if other_signals else (0, 0)
    new += sum(row["new"] for row in signals)
    said = [
        f"近7日购药和逾期未检的共 {number(purchases)} 次，已检测 {number(tested)} 次，逾期未检 {number(overdue)} 次；"
        f"预警信号 {number(len(signals) + left_out)} 个，其中当日 {number(new)} 个。"
    ]
    if mismatch:
        said.append(f"{number(mismatch)} 次的药品与填报类别不符或不在目录，待核实。")
    actions = []
    clusters = [row for row in signals if row["kind"] == "grid_cluster" and row["is_new"]]
    if clusters:
        named = "、".join(f"{row['place']}（{row['persons']} 人）" for row in clusters[:NAMED])
        actions.append(Action("排查聚集", f"3日内多人购药：{named}，排查聚集性发热等症状。", "第19条", urgent=True))
    columns = ("药品类别", "购药", "当日排查", "已检测", "逾期未检")
    rows = [(r["category"], r["purchases"], r["same_day"], r["tested"], r["overdue"]) for r in found]
    kinds = {"repeat_purchase": "一人多次购药", "grid_cluster": "网格多人购药"}
    signal_rows = [
        (kinds[r["kind"]], r["place"], r["first_on"], r["last_on"], r["persons"], r["purchases"]) for r in signals
    ]
    return Content(
        said,
        [
            Table("购药排查与检测（次）", columns, rows, alarm="逾期未检"),
            Table(
                "近7日预警信号",
                ("信号", "地点", "自", "至", "人数", "次数"),
                signal_rows,
                rest=_rest(other_signals, (None, None, None, "persons", "purchases")),
            ),
        ],
        actions,
    )


def _vaccination(conn: Conn, publication_id: int, as_of: date) -> Content:
    """Article 22: doses of residents of 60 and over, by community."""
    found = records(
        conn,
        """
        select community, residents_60plus, dose_1, dose_2, dose_3, coverage_3::float as coverage_3, residents_of_unknown_age
        from vaccination_60plus
        where publication_id = %(id)s
        order by coverage_3 nulls last, community collate "C"
        """,
        id=publication_id,
    )
    people, third, unknown = (
        sum(row[name] for row in found) for name in ("residents_60plus", "dose_3", "residents_of_unknown_age")
    )
    if not people:
        return Content(["居民登记中没有60周岁及以上的居民。"])
    said = [
        f"60周岁及以上居民 {number(people)} 人，第三剂接种 {number(third)} 人，接种率 {percent(share(third, people))}，"
        f"还有 {number(people - third)} 人未接种第三剂。"
    ]
    if unknown:
        said.append(f"另有 {number(unknown)} 人没有出生日期，未计入。")
    rows = [
        (row["community"], row["residents_60plus"], row["dose_1"], row["dose_2"], row["dose_3"], row["coverage_3"])
        for row in found
    ]
    return Content(
        said, [Table("按社区，接种率低的在前", ("社区", "60岁以上", "一剂", "二剂", "三剂", "三剂率"), rows)]
    )


def _disinfection(conn: Conn, publication_id: int, as_of: date) -> Content:
    """Article 27: preventive disinfection of zones above low on D, terminal disinfection of the places of cases."""
    zones = records(
        conn,
        """
        select coalesce(nullif(name, ''), zone_id) as name, required, done, shortfall
        from disinfection_daily
        where publication_id = %(id)s and disinfection_date = %(day)s
        order by shortfall desc, zone_id collate "C"
        """,
        id=publication_id,
        day=as_of,
    )
    cases = records(
        conn,
        """
        select coalesce(nullif(community, ''), '（未填）') collate "C" as community, count(*)::int as places,
            count(*) filter (where is_done)::int as done, count(*) filter (where not is_done)::int as open
        from terminal_disinfection
        where publication_id = %(id)s
        group by 1 order by open desc, community
        """,
        id=publication_id,
    )
    short = [row for row in zones if row["shortfall"]]
    undone = sum(row["open"] for row in cases)
    said, actions = [], []
    if zones:
        said.append(f"当日应消毒的中高风险区 {len(zones)} 个，次数不足的 {len(short)} 个。")
    if cases:
        said.append(
            f"感染者相关场所 {number(sum(row['places'] for row in cases))} 处，未完成终末消毒 {number(undone)} 处。"
        )
    if short:
        named = "、".join(row["name"] for row in short[:NAMED]) + (" 等" if len(short) > NAMED else "")
        actions.append(Action("补足消毒", f"{len(short)} 个风险区当日消毒不足：{named}。", "第27条", urgent=True))
    if undone:
        actions.append(Action("终末消毒", f"{number(undone)} 处感染者场所还没有完成终末消毒。", "第27条", urgent=True))
    return Content(
        said or ["没有须消毒的风险区和感染者场所。"],
        [
            Table("风险区当日预防性消毒（次）", ("风险区", "应做", "已做", "缺"), [(r["name"], r["required"], r["done"], r["shortfall"]) for r in zones], alarm="缺"),
            Table("感染者场所终末消毒（处）", ("社区", "场所", "已完成", "未完成"), [(r["community"], r["places"], r["done"], r["open"]) for r in cases], alarm="未完成"),
        ],
        actions,
    )  # fmt: skip


def _readiness(conn: Conn, publication_id: int, as_of: date) -> Content:
    """Articles 34 to 37: reserve teams against what the plan asks for."""
    found = records(
        conn,
        """
        select team_type, level, community, required, listed, shortfall, surplus, mix_ok, teams_required, teams_listed
        from readiness
        where publication_id = %(id)s
        order by shortfall desc, mix_ok, team_type collate "C", level collate "C", community collate "C"
        """,
        id=publication_id,
    )
    wrong = [row for row in found if row["shortfall"] or row["surplus"] or not row["mix_ok"]]
    said = [f"应备勤的队伍 {len(found)} 支，人数或构成不符合方案的 {len(wrong)} 支。"] if found else []
    for row in sorted({(r["team_type"], r["teams_required"], r["teams_listed"]) for r in found if r["teams_required"]}):
        said.append(f"社区{row[0]}队伍应有 {row[1]} 支，名册有 {row[2]} 支。")
    rows = [
        (f"{row['level']}{row['community']} · {row['team_type']}", row["required"], row["listed"], row["shortfall"],
         "超员" if row["surplus"] else "构成不符" if not row["mix_ok"] else "")
        for row in wrong
    ]  # fmt: skip
    return Content(said, [Table("不符合方案的队伍（人）", ("队伍", "应有", "名册", "缺", "说明"), rows, alarm="缺")])


def _population(conn: Conn, publication_id: int, as_of: date) -> Content:
    """Article 16: residents, floating and key persons, by community."""
    found = records(
        conn,
        """
        select coalesce(nullif(community, ''), '（未填）') collate "C" as community, count(distinct grid)::int as grids,
            sum(residents)::int as residents, sum(floating)::int as floating, sum(type_unknown)::int as type_unknown,
            sum(key_persons)::int as key_persons, sum(key_persons_not_registered)::int as not_registered
        from grid_population
        where publication_id = %(id)s
        group by 1 order by community
        """,
        id=publication_id,
    )
    if not found:
        return Content(["没有居民登记数据。"])
    total = {name: sum(row[name] for row in found) for name in found[0] if name != "community"}
    said = [
        f"网格 {number(total['grids'])} 个，常住 {number(total['residents'])} 人，流动 {number(total['floating'])} 人，"
        f"重点人员 {number(total['key_persons'])} 人（其中不在居民登记 {number(total['not_registered'])} 人）。"
    ]
    if total["type_unknown"]:
        said.append(f"人口类型未填 {number(total['type_unknown'])} 人。")
    columns = ("社区", "网格", "常住", "流动", "重点人员", "重点未登记")
    rows = [
        (row["community"], row["grids"], row["residents"], row["floating"], row["key_persons"], row["not_registered"])
        for row in found
    ]
    return Content(said, [Table("按社区", columns, rows)])


SECTIONS = (
    Section("state", "平急状态", "第23条", ("town_state",), _state),
    Section("screening", "区域核酸检测", "第21、24、34条",
            ("screening_round", "screening_building", "screening_progress", "screening_outstanding"), _screening),
    Section("outbreak", "疫情抽检", "第10、11条，附件23–28项", ("sampling_unit_daily", "sampling_proposal"), _outbreak),
    Section("controls", "隔离与健康监测", "第4、6、8、18、25、26、30条", ("control",), _controls),
    Section("contacts", "密接隔离时限", "第25、26条", ("contact_clock",), _contacts),
    Section("pushes", "日推日清", "第7条", ("push_clearance", "push_outstanding"), _pushes),
    Section("pools", "混管阳性复核", "第24条", ("pool_followup",), _pools),
    Section("pharmacy", "购药监测与预警信号", "第19条", ("pharmacy_followup", "signal"), _pharmacy),
    Section("disinfection", "消毒", "第27条", ("disinfection_daily", "terminal_disinfection"), _disinfection),
    Section("vaccination", "60岁以上疫苗接种", "第22条", ("vaccination_60plus",), _vaccination),
    Section("readiness", "备勤队伍", "第34至37条", ("readiness",), _readiness),
    Section("population", "网格人口", "第16条", ("grid_population",), _population),
)  # fmt: skip
