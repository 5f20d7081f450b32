"""What two publications of consecutive days show to have changed: overdue items, one by one, by cause; and risk zones.

An item of the report's day that was not overdue the day before is *new*, one of the day before that is not overdue any
more is *cleared*; new − cleared is the change. Compared is by `obligation_id`, which names the same duty in every
publication.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from yingjian.database.rows import records, rows

# Causes in the order in which they are told. Articles 18 and 21: a test that was due is done, on its day.
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


@dataclass(frozen=True)
class Share:
    """Items that became overdue and that ceased to be, of one community, department or group, by cause."""

    name: str
    by_cause: dict[str, int]

    @property
    def new(self) -> int:
        return sum(self.by_cause.get(cause, 0) for cause in NEW)

    @property
    def cleared(self) -> int:
        return sum(self.by_cause.get(cause, 0) for cause in CLEARED)

    @property
    def net(self) -> int:
        return self.new - self.cleared

    @property
    def main_cause(self) -> str:
        """The cause of most of its new items."""
        return max(NEW, key=lambda cause: self.by_cause.get(cause, 0))


@dataclass(frozen=True)
class ZoneChange:
    """A risk zone whose state is another one than the day before (article 28).

    `kind`: declared, raised, positive (a new local case) or lowered; `level_before` None where there was no zone.
    """

    kind: str
    name: str
    level: str
    level_before: str | None


@dataclass(frozen=True)
class Movement:
    """The change of overdue items since the day before, in all and by dimension, largest rise first."""

    total: Share
    by_dimension: dict[str, Sequence[Share]]


def read_movement(conn: psycopg.Connection[Any], publication_id: int, before: int) -> Movement:
    """Compare two publications of consecutive business dates; inside `narrowed`, the audience's items."""
    found = records(
        conn,
        """
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
            where overdue.publication_id = %(id)s and earlier.status is distinct from 'overdue'
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
        ),

        moved as (select * from new union all select * from cleared)

        select
            case
                when grouping(community) = 0 then 'community'
                when grouping(department) = 0 then 'department'
                when grouping(group_name) = 0 then 'group_name'
            end as dimension,
            coalesce(nullif(coalesce(community, department, group_name), ''), '（未填）') as name,
            cause,
            count(*)::int as items
        from moved
        group by grouping sets ((cause), (community, cause), (department, cause), (group_name, cause))
        """,
        id=publication_id,
        before=before,
    )
    causes: dict[str | None, dict[str, dict[str, int]]] = {}
    for row in found:
        by_name = causes.setdefault(row["dimension"], {}).setdefault(row["name"], {})
        by_name[row["cause"]] = by_name.get(row["cause"], 0) + row["items"]
    (total,) = causes.get(None, {"": {}}).values()
    return Movement(
        Share("", total),
        {
            dimension: sorted(
                (Share(name, by_cause) for name, by_cause in causes.get(dimension, {}).items()),
                key=lambda share: (-share.net, -share.new, share.name),
            )
            for dimension in DIMENSIONS
        },
    )


def read_zone_changes(conn: psycopg.Connection[Any], publication_id: int, before: int) -> list[ZoneChange]:
    """The zones that changed, gravest first; a zone that was low and is low is none."""
    return rows(
        conn,
        ZoneChange,
        """
        with ranked as (
            select *, array_position('{低,中,高}'::text[], level) as rank, coalesce(nullif(name, ''), zone_id) as title
            from risk_zone
        ),

        compared as (
            select
                present.title as name, present.level, earlier.level as level_before, present.zone_id, present.rank,
                case
                    when present.rank > 1 and earlier.zone_id is null then 'declared'
                    when present.rank > earlier.rank then 'raised'
                    when present.rank < earlier.rank then 'lowered'
                    when present.rank > 1
                        and present.last_positive_date > coalesce(earlier.last_positive_date, '-infinity')
                        then 'positive'
                end as kind
            from ranked as present
            left join ranked as earlier
                on earlier.publication_id = %(before)s and earlier.zone_id = present.zone_id
            where present.publication_id = %(id)s
        )

        select kind, name, level, level_before from compared
        where kind is not null
        order by array_position('{declared,raised,positive,lowered}'::text[], kind), rank desc, zone_id collate "C"
        """,
        id=publication_id,
        before=before,
    )
