"""The lists of persons in the packs: one row per person and duty, streamed from a publication."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

FETCHED = 5_000  # rows in memory at once
IDENTITY = ("姓名", "证件号码", "联系电话")


@dataclass(frozen=True)
class PersonList:
    """A sheet of persons. `query` gives the columns after the identity's, and `person_key` last."""

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
)


def columns(found: PersonList, sees_names: bool) -> tuple[str, ...]:
    return (*(IDENTITY if sees_names else ()), *found.columns)


def read_list(
    conn: psycopg.Connection[Any], publication_id: int, found: PersonList, sees_names: bool
) -> Iterator[tuple[Any, ...]]:
    """Rows in the order of `columns`; read by a server-side cursor, so memory does not follow the town.

    The document number is masked: its first six and last four characters stay.
    """
    body = sql.SQL(found.query).format(id=sql.Literal(publication_id))  # type: ignore[arg-type]
    if sees_names:
        body = sql.SQL(
            """
            with listed as (select row_number() over () as place, listed.* from ({body}) as listed)
            select person.name, case when length(person.id_number) > 10
                then left(person.id_number, 6) || repeat('*', length(person.id_number) - 10) || right(person.id_number, 4)
                else left(person.id_number, 2) || repeat('*', greatest(length(person.id_number) - 2, 0)) end,
                person.phone, listed.*
            from listed
            left join published.person on person.publication_id = {id} and person.person_key = listed.person_key
            order by listed.place
            """
        ).format(body=body, id=sql.Literal(publication_id))
    with conn.cursor(name="person_list", row_factory=tuple_row) as cursor:
        cursor.itersize = FETCHED
        cursor.execute(body)
        for row in cursor:
            # Without the place in the list and the person key, which are the query's own.
            yield (*row[:3], *row[4:-1]) if sees_names else tuple(row[:-1])
