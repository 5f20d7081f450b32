"""This module streams the packs' lists from a publication: persons (one row per person and duty), units, buildings and zones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

FETCHED = 5_000  # At most this many rows are in memory at once.
IDENTITY = ("姓名", "证件号码", "联系电话")

# A row of `person` shows the first six and the last four characters of the document number.
MASKED_NUMBER = sql.SQL(
    """
    case when length(person.id_number) > 10
        then left(person.id_number, 6) || repeat('*', length(person.id_number) - 10) || right(person.id_number, 4)
        else left(person.id_number, 2) || repeat('*', greatest(length(person.id_number) - 2, 0)) end
    """
)


@dataclass(frozen=True)
class PersonList:
    """This is a sheet of persons. `query` returns the columns after the identity's, and `person_key` last."""

    title: str
    basis: str
    mart: str
    columns: Sequence[str]
    query: str

    @property
    def unordered(self) -> str:
        """Return the query without its order, because counting and filtering need not sort a million rows."""
        return self.query[: self.query.rindex("order by")]


@dataclass(frozen=True)
class PlainList:
    """This is a sheet of units, buildings or zones. It names nobody and is the same for every audience that sees its rows.

    Columns named 率 hold shares.
    """

    title: str
    basis: str
    mart: str
    columns: Sequence[str]
    query: str


LISTS = (
    PersonList(
        "逾期未检",
        "第18、21条，附件",
        "overdue",
        ("社区", "网格", "工作单位", "主管部门", "重点人群", "到期日", "逾期天数", "依据", "说明"),
        """
        select community, grid, unit, department, group_name, due_date, days_overdue, basis, explanation, person_key
        from overdue where publication_id = {id}
        order by days_overdue desc, community collate "C", obligation_id collate "C"
        """,
    ),
    PersonList(
        "未来7日应检",
        "第18条，附件",
        "due",
        ("社区", "网格", "工作单位", "主管部门", "重点人群", "到期日", "还有几天", "依据", "说明"),
        """
        select community, grid, unit, department, group_name, due_date, days_until_due, basis, explanation, person_key
        from due where publication_id = {id}
        order by due_date, community collate "C", obligation_id collate "C"
        """,
    ),
    PersonList(
        "区域核酸未采",
        "第21、24、34条",
        "screening_outstanding",
        ("社区", "网格", "楼栋", "轮次", "时限", "说明"),
        """
        select community, grid, building, round_id, deadline,
            case when is_infected then '感染者，不必寻找' when is_overdue then '时限已过' else '' end, person_key
        from screening_outstanding where publication_id = {id}
        order by round_id collate "C", community collate "C", grid collate "C", building collate "C", person_key
        """,
    ),
    PersonList(
        "次日抽检",
        "第10、11条，附件23–28项",
        "sampling_proposal",
        ("社区", "网格", "工作单位", "主管部门", "次序", "最近采样", "说明"),
        """
        select community, grid, unit, department, place, last_sample_date, explanation, person_key
        from sampling_proposal where publication_id = {id}
        order by unit collate "C", group_code collate "C", place
        """,
    ),
    PersonList(
        "隔离与监测",
        "第4、6、8、18、25、26、30条",
        "control",
        ("社区", "网格", "主管部门", "管控", "状态", "起始", "期满", "可否解除", "说明"),
        """
        select community, grid, department, title, phase, started_on, ends_on,
            case when may_be_released then '可解除' else '' end, explanation, person_key
        from control
        where publication_id = {id} and status in ('in_isolation', 'in_monitoring', 'awaiting_release', 'released_early')
        order by ends_on, community collate "C", membership_id collate "C"
        """,
    ),
    PersonList(
        "密接未隔离",
        "第25、26条",
        "contact_clock",
        ("社区", "网格", "类别", "判定时间", "时限", "说明"),
        """
        select community, grid, category, judged_at, deadline, explanation, person_key
        from contact_clock where publication_id = {id} and status in ('running', 'overdue') and not is_infected
        order by deadline, contact_key collate "C"
        """,
    ),
    PersonList(
        "推送未清",
        "第7条",
        "push_outstanding",
        ("社区", "推送时间", "未清天数", "说明"),
        """
        select community, pushed_at, days_open, explanation, person_key
        from push_outstanding where publication_id = {id}
        order by days_open desc, feed collate "C", record_key collate "C"
        """,
    ),
    PersonList(
        "混管待复核",
        "第24条",
        "pool_followup",
        ("社区", "网格", "试管", "结果时间", "时限", "说明"),
        """
        select community, grid, tube_no, tube_result_at, due_at, explanation, person_key
        from pool_followup where publication_id = {id} and status in ('waiting', 'overdue', 'pending', 'positive')
        order by due_at, tube_no collate "C", person_key
        """,
    ),
    PersonList(
        "阳性未转运",
        "第24、26条",
        "positive_followup",
        ("社区", "网格", "结果时间", "时限", "说明"),
        """
        select community, grid, coalesce(result_at, reported_at, sampled_at), due_at, explanation, person_key
        from positive_followup where publication_id = {id} and status in ('waiting', 'overdue')
        order by due_at, positive_id collate "C"
        """,
    ),
    PersonList(
        "健康监测异常",
        "第4、18、30条",
        "health_monitoring",
        ("社区", "网格", "主管部门", "人群编号", "应报", "已报", "最高体温", "情况"),
        """
        select community, grid, department, group_code, expected, done, highest_temperature,
            case status when 'signal' then '发热或有症状' else '报告不足' end, person_key
        from health_monitoring
        where publication_id = {id} and monitored_on = as_of_date and status in ('signal', 'short')
        order by status, community collate "C", membership_id collate "C"
        """,
    ),
    PersonList(
        "住客待核",
        "第16条",
        "guest_check",
        ("社区", "住宿单位", "入住时间", "上报时间", "所在名单", "情况"),
        """
        select community, hotel, checked_in_at, reported_at, list_codes,
            concat_ws('；', case when status = 'overdue' then '超时未登记上报' end, case when is_overdue then '检测逾期' end), person_key
        from guest_check where publication_id = {id} and (status = 'overdue' or is_on_list)
        order by checked_in_at desc, guest_id collate "C"
        """,
    ),
    PersonList(
        "从未检测",
        "第18、21条",
        "never_tested",
        ("社区", "网格", "重点人员", "在居民登记"),
        """
        select community, grid, case when is_key_person then '是' else '' end, case when is_registered then '是' else '' end, person_key
        from never_tested where publication_id = {id}
        order by is_key_person desc, community collate "C", grid collate "C", person_key
        """,
    ),
    PersonList(
        "阻碍降级",
        "第28条",
        "zone_blocker",
        ("社区", "网格", "楼栋", "风险区", "说明"),
        """
        select community, grid, building, zone_id, explanation, person_key
        from zone_blocker where publication_id = {id}
        order by zone_id collate "C", community collate "C", grid collate "C", building collate "C", person_key
        """,
    ),
    PersonList(
        "老年人未接种",
        "第22条",
        "vaccination_outstanding",
        ("社区", "网格", "年龄段", "已种剂次", "缺", "自", "禁忌或拒种", "说明"),
        """
        select community, grid, age_band, has_doses,
            case lacks when 'first_dose' then '第1剂' when 'full_course' then '全程' else '加强针' end, since, reason,
            explanation, person_key
        from vaccination_outstanding where publication_id = {id}
        order by community collate "C", grid collate "C", age_band desc, since, person_key
        """,
    ),
)

PLAIN_LISTS = (
    PlainList(
        "单位统计",
        "第18、21条",
        "compliance_daily",
        (
            "社区",
            "工作单位",
            "主管部门",
            "人群编号",
            "重点人群",
            "逾期人次",
            "应检人次",
            "达标人次",
            "豁免人次",
            "应检尽检率",
        ),
        """
        select community, unit, department, group_code, group_name, overdue, required, compliant, exempt,
            compliance_rate::float
        from compliance_daily join publication using (publication_id, as_of_date)
        where publication_id = {id} and is_headline is not false
        order by overdue desc, required desc, community collate "C", unit collate "C", group_code collate "C",
            department collate "C"
        """,
    ),
    PlainList(
        "抽检单位",
        "第10、11条，附件23–28项",
        "sampling_unit_daily",
        ("社区", "工作单位", "主管部门", "人群编号", "在册", "应检", "已检", "缺", "近5日覆盖率"),
        """
        select community, unit, department, group_code, roster, required, sampled, shortfall, coverage_lately::float
        from sampling_unit_daily
        where publication_id = {id} and sampling_day = as_of_date
        order by shortfall desc, community collate "C", unit collate "C", group_code collate "C"
        """,
    ),
    PlainList(
        "未采楼栋",
        "第21、34条",
        "screening_building",
        ("轮次", "社区", "网格", "楼栋", "时限", "未采"),
        """
        select round_id, community, grid, building, deadline, outstanding
        from screening_building
        where publication_id = {id} and outstanding > 0
        order by outstanding desc, round_id collate "C", community collate "C", grid collate "C", building collate "C"
        """,
    ),
    PlainList(
        "风险区",
        "第28条",
        "risk_zone",
        (
            "编号",
            "风险区",
            "社区",
            "等级",
            "自",
            "末例",
            "距末例天数",
            "本等级天数",
            "居民",
            "已采",
            "未采",
            "可降为",
            "可降自",
            "最早",
            "说明",
        ),
        """
        select zone_id, name, array_to_string(communities, '、'), case when is_lowered then '已解除' else level end,
            level_since, last_positive_date, days_since_positive, days_at_level, residents, round_sampled, round_outstanding, eligible_level, eligible_on, earliest_on,
            concat_ws('；', nullif(explanation, ''), nullif(mismatch, ''))
        from risk_zone
        where publication_id = {id} and (level <> '低' or is_lowered)
        order by array_position('{{高,中,低}}'::text[], level), zone_id collate "C"
        """,
    ),
)


def columns(person_list: PersonList, sees_names: bool) -> tuple[str, ...]:
    return (*(IDENTITY if sees_names else ()), *person_list.columns)


def with_identity(listed: sql.Composable, publication_id: int) -> sql.Composed:
    """Return a query that puts name, masked document number, telephone and list position before the rows of another.

    The rows keep their order, and end with a person key.
    """
    return sql.SQL(
        """
        with listed as (select row_number() over () as list_position, listed.* from ({listed}) as listed)
        select person.name, {masked}, person.phone, listed.*
        from listed
        left join published.person on person.publication_id = {id} and person.person_key = listed.person_key
        order by listed.list_position
        """
    ).format(listed=listed, masked=MASKED_NUMBER, id=sql.Literal(publication_id))


def read_list(
    conn: psycopg.Connection[Any], publication_id: int, person_list: PersonList, sees_names: bool
) -> Iterator[tuple[Any, ...]]:
    """Yield rows in the order of `columns`, read by a server-side cursor, so that memory does not grow with the town."""
    yield from streamed(conn, list_query(publication_id, person_list, sees_names), sees_names)


def list_query(publication_id: int, person_list: PersonList, sees_names: bool) -> sql.Composed:
    """Return the query of a list's rows, whose columns `streamed` knows."""
    body = sql.SQL(person_list.query).format(id=sql.Literal(publication_id))  # type: ignore[arg-type]
    return with_identity(body, publication_id) if sees_names else body


def streamed(conn: psycopg.Connection[Any], body: sql.Composed, has_identity: bool) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a list's query without the list position and the person key."""
    with conn.cursor(name="person_list", row_factory=tuple_row) as cursor:
        cursor.itersize = FETCHED
        cursor.execute(body)
        for row in cursor:
            yield (*row[:3], *row[4:-1]) if has_identity else tuple(row[:-1])


def read_plain_list(
    conn: psycopg.Connection[Any], publication_id: int, plain_list: PlainList
) -> Iterator[tuple[Any, ...]]:
    """Yield rows in the order of `plain_list.columns`, read by a server-side cursor."""
    with conn.cursor(name="plain_list", row_factory=tuple_row) as cursor:
        cursor.itersize = FETCHED
        cursor.execute(sql.SQL(plain_list.query).format(id=sql.Literal(publication_id)))  # type: ignore[arg-type]
        yield from cursor
