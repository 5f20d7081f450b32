"""Writes a snapshot of the national risk areas into staging."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import psycopg

from yingjian import reference
from yingjian.clock import SHANGHAI
from yingjian.landing.check import LATE
from yingjian.landing.errors import REASONS, FileRejectedError
from yingjian.landing.feeds import RISK_AREAS
from yingjian.landing.locations import LandingFile
from yingjian.landing.risk_areas import read_snapshot
from yingjian.landing.store import Rejected, write_parts, write_rejected


def stage_snapshot(
    conn: psycopg.Connection, file: LandingFile, path: Path, file_id: int, received_at: datetime
) -> None:
    """Stage a list; it replaces an earlier list of the same hour.

    Raises FileRejectedError for a list from the future, which would hide the absence of newer lists.
    """
    snapshot = read_snapshot(path)
    if snapshot.listed_at > received_at.astimezone(SHANGHAI).replace(tzinfo=None) + LATE:
        raise FileRejectedError(f"名单时间（end_update_time）：{REASONS['future_time']}")
    write_rejected(
        conn,
        file_id,
        RISK_AREAS,
        file.name,
        [
            Rejected(
                line, f"{snapshot.listed_at:%Y-%m-%d %H}时", [code], f"{file.name}第{line}项：{REASONS[code]}", raw
            )
            for line, code, raw in snapshot.rejected
        ],
    )
    before = set(
        conn.execute(
            "select level, province, city, county, area from staging.risk_areas where listed_at = %s",
            (snapshot.listed_at,),
        )
    )
    rows_new = sum(
        (area.level, area.province, area.city, area.county, area.area) not in before for area in snapshot.areas
    )
    write_parts(conn, file_id, [(None, snapshot.listed_at.date(), len(snapshot.areas), rows_new)])
    conn.execute(
        """
        with replaced as (
            delete from staging.risk_areas where listed_at = %s returning file_id
        ),
        counted as (select file_id, count(*) as rows from replaced group by file_id)
        update quality.landed_file as file
        set rows_staged = file.rows_staged - counted.rows, rows_superseded = file.rows_superseded + counted.rows
        from counted
        where file.file_id = counted.file_id
        """,
        (snapshot.listed_at,),
    )
    conn.execute(
        """
        insert into staging.risk_area_snapshots (listed_at, file_id, high_count, medium_count, low_count, areas)
        values (%s, %s, %s, %s, %s, %s)
        on conflict (listed_at) do update set
            file_id = excluded.file_id, high_count = excluded.high_count,
            medium_count = excluded.medium_count, low_count = excluded.low_count, areas = excluded.areas
        """,
        (snapshot.listed_at, file_id, *snapshot.counts.values(), len(snapshot.areas)),
    )
    with conn.cursor() as cursor, cursor.copy("copy staging.risk_areas from stdin") as copy:
        for area in snapshot.areas:
            copy.write_row(
                (
                    snapshot.listed_at,
                    area.level,
                    area.province,
                    area.city,
                    area.county,
                    area.area,
                    area.area_match,
                    file_id,
                    area.line,
                )
            )
    conn.execute(
        """
        update quality.landed_file
        set encoding = 'utf-8', newest_update = %s, rows_read = %s, rows_rejected = %s, rows_staged = %s,
            rows_superseded = %s, rows_repaired = %s
        where file_id = %s
        """,
        (
            snapshot.listed_at, snapshot.rows_read, len(snapshot.rejected), len(snapshot.areas),
            snapshot.rows_superseded, snapshot.rows_repaired, file_id,
        ),
    )  # fmt: skip
    hold_lists(conn)


def hold_lists(conn: psycopg.Connection) -> None:
    """Hold back each list that has far fewer areas than the one before, until somebody accepts it (`yingjian landing accept`).

    Lists may arrive in any order, so all of them are judged again.
    """
    usual = reference.feeds()[RISK_AREAS]
    conn.execute(
        "update staging.risk_area_snapshots as list set areas = ("
        "select count(*) from staging.risk_areas as area where area.listed_at = list.listed_at) where areas is null"
    )
    lists = conn.execute("select listed_at, areas, is_held from staging.risk_area_snapshots order by 1").fetchall()
    accepted = {
        text for (text,) in conn.execute("select source_column from quality.layout_decision where kind = 'list'")
    }
    held = held_lists(
        [(listed_at, areas) for listed_at, areas, _ in lists],
        {listed_at for listed_at, *_ in lists if f"{listed_at:{LIST_TIME}}" in accepted},
        float(usual["held_below_share"]), int(usual["thin_from_rows"]),
    )  # fmt: skip
    for listed_at, _, was_held in lists:
        if was_held != (listed_at in held):
            conn.execute(
                "update staging.risk_area_snapshots set is_held = %s where listed_at = %s", (not was_held, listed_at)
            )


LIST_TIME = "%Y-%m-%d %H:00"


def held_lists(
    lists: list[tuple[datetime, int]], accepted: set[datetime], below_share: float, from_areas: int
) -> set[datetime]:
    """Return the hours of the lists to hold back. lists: (hour, number of areas), by hour.

    A list is held if it has fewer areas than `below_share` of the last list that was not held, and that one has at least
    `from_areas`. Accepted lists are never held.
    """
    held = set()
    believed = 0
    for listed_at, areas in lists:
        if believed >= from_areas and areas < believed * below_share and listed_at not in accepted:
            held.add(listed_at)
        else:
            believed = areas
    return held
