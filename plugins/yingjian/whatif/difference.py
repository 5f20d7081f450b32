"""This module counts how two editions differ on a business date. It returns only counts: no names, no lists of persons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg import sql

DIMENSIONS = {"group_code": "人群", "department": "主管部门", "community": "社区"}
DAYS = 7
UNKNOWN = "未填写"
# These statuses are isolation or monitoring on the day; the others are over.
IN_CONTROL = ("in_isolation", "in_monitoring")


@dataclass(frozen=True)
class Pair:
    """A pair has a count under the current plan and the same count under the draft."""

    before: int = 0
    after: int = 0

    @property
    def change(self) -> int:
        return self.after - self.before

    def __add__(self, other: Pair) -> Pair:
        return Pair(self.before + other.before, self.after + other.after)


@dataclass(frozen=True)
class Row:
    """The counts of a group, department or community: tests due by day, overdue tests, and persons in control."""

    name: str
    days: tuple[Pair, ...]
    overdue: Pair
    in_control: Pair

    @property
    def week(self) -> Pair:
        return sum(self.days, Pair())

    @property
    def differs(self) -> bool:
        return any(pair.change for pair in (*self.days, self.overdue, self.in_control))


@dataclass(frozen=True)
class Zone:
    """A zone of which the editions say different things: the level it may be lowered to, from when, mismatch or blockers."""

    name: str
    level: str
    before: str
    after: str


@dataclass(frozen=True)
class Difference:
    """The whole difference: the town as a row, rows by dimension, and the zones that differ."""

    days: tuple[date, ...]
    town: Row
    rows: Mapping[str, tuple[Row, ...]]
    zones: tuple[Zone, ...]
    zones_compared: int


def compare(conn: psycopg.Connection[Any], before: str, after: str, day: date) -> Difference:
    """Compare both schemas. In each row, a person who is under several controls counts once."""
    days = tuple(day + timedelta(days=number) for number in range(1, DAYS + 1))
    titles = dict(
        conn.execute(
            sql.SQL("select group_code, max(group_name) from {} group by group_code").format(
                _table(after, "int_policy__rules")
            )
        ).fetchall()
    )
    rows = {}
    for dimension in DIMENSIONS:
        dimension_rows = _rows(conn, before, after, days, sql.Identifier(dimension), dimension == "community")
        if dimension == "group_code":
            dimension_rows = [
                Row(f"{row.name} {titles.get(row.name, '')}".strip(), row.days, row.overdue, row.in_control)
                for row in sorted(dimension_rows, key=lambda row: _number(row.name))
            ]
        rows[dimension] = tuple(dimension_rows)
    town = _rows(conn, before, after, days, sql.Literal("全街道"), True)
    zones = _zones(conn, before, after)
    return Difference(
        days,
        town[0] if town else Row("全街道", (Pair(),) * DAYS, Pair(), Pair()),
        rows,
        tuple(zone for zone in zones if zone.before != zone.after),
        len(zones),
    )


def _number(code: str) -> tuple[int, str]:
    """Return a sort key: annex rows are ordered by number, and other groups follow."""
    return (int(code), "") if code.isdecimal() else (1000, code)


def _table(schema: str, name: str) -> sql.Identifier:
    return sql.Identifier(schema, name)


def _rows(
    conn: psycopg.Connection[Any], before: str, after: str, days: Sequence[date], by: sql.Composable, has_forecast: bool
) -> list[Row]:
    """Return the rows by a column. The forecast only has communities, also those in which nothing is due."""
    if has_forecast:
        due = _counts(conn, before, after, by, "due_forecast", "sum(tests_due)::int", "due_date")
    else:
        due = _counts(conn, before, after, by, "due", "count(*)", "due_date")
    overdue = _counts(conn, before, after, by, "overdue", "count(*)")
    persons = _counts(
        conn,
        before,
        after,
        by,
        "control",
        "count(distinct person_key)",
        where=sql.SQL("status = any({})").format(list(IN_CONTROL)),
    )
    names = sorted({name for name, _ in (*due, *overdue, *persons)})
    return [
        Row(
            name,
            tuple(due.get((name, day), Pair()) for day in days),
            overdue.get((name, None), Pair()),
            persons.get((name, None), Pair()),
        )
        for name in names
    ]


def _counts(
    conn: psycopg.Connection[Any],
    before: str,
    after: str,
    by: sql.Composable,
    mart: str,
    counted: str,
    day: str | None = None,
    where: sql.Composable | None = None,
) -> dict[tuple[str, date | None], Pair]:
    counts: dict[tuple[str, date | None], Pair] = {}
    for schema in (before, after):
        query = sql.SQL(
            "select coalesce(nullif({by}::text, ''), {unknown}), {day}, {counted} from {table} where {where} group by 1, 2"
        ).format(
            by=by,
            unknown=sql.Literal(UNKNOWN),
            day=sql.Identifier(day) if day else sql.SQL("null::date"),
            counted=sql.SQL(counted),  # type: ignore[arg-type]
            table=_table(schema, mart),
            where=where or sql.SQL("true"),
        )
        for name, on, count in conn.execute(query).fetchall():
            counts[name, on] = counts.get((name, on), Pair()) + (Pair(count, 0) if schema == before else Pair(0, count))
    return counts


def _zones(conn: psycopg.Connection[Any], before: str, after: str) -> list[Zone]:
    query = "select zone_id, name, level, eligible_level, eligible_on, mismatch, blockers from {} order by zone_id"
    verdicts: list[dict[str, tuple[str, str, str]]] = []
    for schema in (before, after):
        rows = conn.execute(sql.SQL(query).format(_table(schema, "risk_zone"))).fetchall()
        verdicts.append({zone_id: (name, level, _verdict(*rest)) for zone_id, name, level, *rest in rows})
    there = [{**verdicts[0], **verdicts[1]}[zone_id] for zone_id in sorted({*verdicts[0], *verdicts[1]})]
    keys = sorted({*verdicts[0], *verdicts[1]})
    return [
        Zone(name, level, verdicts[0].get(key, ("", "", "没有"))[2], verdicts[1].get(key, ("", "", "没有"))[2])
        for key, (name, level, _) in zip(keys, there, strict=True)
    ]


def _verdict(eligible: str | None, on: date | None, mismatch: str | None, blockers: Iterable[str] | None) -> str:
    """Return the rules' verdict on a zone as one text."""
    parts = [
        f"{on:%-m月%-d日}起可降为{eligible}风险" if eligible and on else "不可降级",
        *(blockers or ()),
        mismatch or "",
    ]
    return "；".join(part for part in parts if part)
