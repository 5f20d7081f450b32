"""A list of risk areas into staging."""

from __future__ import annotations

from pathlib import Path

import psycopg

from yingjian.landing.errors import REASONS
from yingjian.landing.feeds import RISK_AREAS
from yingjian.landing.locations import Found
from yingjian.landing.risk_areas import read_snapshot
from yingjian.landing.store import write_parts, write_rejected


def stage_snapshot(conn: psycopg.Connection, file: Found, path: Path, file_id: int) -> None:
    """A later list of the same hour takes the place of the earlier one."""
    snapshot = read_snapshot(path)
    write_rejected(
        conn,
        file_id,
        RISK_AREAS,
        file.name,
        [
            (line, f"{snapshot.listed_at:%Y-%m-%d %H}时", [code], f"{file.name}第{line}项：{REASONS[code]}", raw, None)
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
        insert into staging.risk_area_snapshots (listed_at, file_id, high_count, medium_count, low_count)
        values (%s, %s, %s, %s, %s)
        on conflict (listed_at) do update set
            file_id = excluded.file_id, high_count = excluded.high_count,
            medium_count = excluded.medium_count, low_count = excluded.low_count
        """,
        (snapshot.listed_at, file_id, *snapshot.counts.values()),
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
