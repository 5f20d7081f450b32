"""Whether a file came whole: cut within a row, without its usual end, or with less than its senders usually bring.

Codes: `cut_row`, `no_newline`, `few_rows`. The file is staged all the same; who looks after the feed is told. What is usual
stands in the seed `feed` (few_below_share, few_from_rows, usual_from).
"""

from __future__ import annotations

import csv
from functools import cache
from typing import Any

import psycopg

from yingjian.settings import PROJECT_ROOT

WORDS = {
    "cut_row": "末行残缺",
    "no_newline": "末尾缺少换行，疑似未传完",
    "few_rows": "行数不足平日一半",
}


def note(conn: psycopg.Connection[Any], feed: str, file_id: int, is_cut: bool, ends_with_newline: bool | None) -> None:
    """Put on record what is suspicious about a file whose parts are on record, in its transaction.

    is_cut: its last row has too few cells; ends_with_newline: null where it has no lines. What it brought may complete
    a day of which an earlier file brought too little: that one is suspicious no longer.
    """
    usual = _usual(feed)
    codes = ["cut_row"] if is_cut else []
    if ends_with_newline is False and _had_newlines(conn, feed, file_id, int(usual["usual_from"])):
        codes.append("no_newline")
    conn.execute(
        "update quality.landed_file set ends_with_newline = %s, suspicions = %s where file_id = %s",
        (ends_with_newline, codes, file_id),
    )
    if usual["few_below_share"]:
        conn.execute(_FEW_ROWS, usual | {"feed": feed, "file_id": file_id})


@cache
def _usual(feed: str) -> dict[str, str]:
    """The feed's row of the seed. Landing may come before dbt has made its table, so it is read from the file."""
    with (PROJECT_ROOT / "dbt_project" / "seeds" / "reference" / "feed.csv").open(encoding="utf-8") as file:
        return next(row for row in csv.DictReader(file) if row["feed"] == feed)


def _had_newlines(conn: psycopg.Connection[Any], feed: str, file_id: int, usual_from: int) -> bool:
    """Whether the last `usual_from` files before this one that share a sender with it all ended with a newline."""
    row = conn.execute(
        """
        select count(*) = %(usual_from)s and bool_and(ends_with_newline) from (
            select ends_with_newline from quality.landed_file as before
            where feed = %(feed)s and status = 'staged' and file_id <> %(file_id)s and ends_with_newline is not null
            and exists (
                select from quality.file_part as part
                inner join quality.file_part as mine on part.sender is not distinct from mine.sender
                where part.file_id = before.file_id and mine.file_id = %(file_id)s
            )
            order by file_id desc limit %(usual_from)s
        ) as files
        """,
        {"feed": feed, "file_id": file_id, "usual_from": usual_from},
    ).fetchone()
    return bool(row and row[0])


# Of each sender a file is judged by the day of which it brought most: corrections of days before come with it, and what was
# done in the hour after midnight. A day counts with all that came for it, so that three portions of a day are whole
# together, and what an export repeats counts once.
_FEW_ROWS = """
    with mine as (
        select distinct on (sender) sender, day from quality.file_part
        where file_id = %(file_id)s and rows_new > 0 order by sender, rows_new desc, day desc
    ),

    touched as (
        select distinct part.file_id
        from quality.file_part as part
        inner join mine on part.sender is not distinct from mine.sender and part.day = mine.day
        inner join quality.landed_file as file on part.file_id = file.file_id
        where file.feed = %(feed)s and file.status = 'staged'
    ),

    main as (
        select distinct on (file_id, sender) file_id, sender, day from quality.file_part
        where file_id in (select file_id from touched) and rows_new > 0
        order by file_id, sender, rows_new desc, day desc
    ),

    -- A day is over for a file that was made on the day after, and once the feed has anything newer.
    judged_days as (
        select main.sender, main.day
        from main
        inner join quality.landed_file as file on main.file_id = file.file_id
        group by main.sender, main.day
        having bool_or((file.modified_at at time zone 'Asia/Shanghai')::date = main.day + 1)
        or exists (
            select from quality.landed_file as newer
            where newer.feed = %(feed)s and newer.status = 'staged' and newer.newest_update >= main.day + 1
        )
    ),

    days as (
        select part.sender, part.day, sum(part.rows_new) as rows
        from quality.file_part as part
        inner join quality.landed_file as file on part.file_id = file.file_id
        where file.feed = %(feed)s and file.status = 'staged'
        and exists (select from judged_days where judged_days.sender is not distinct from part.sender)
        group by part.sender, part.day
    ),

    usual as (
        select
            judged_days.sender,
            judged_days.day,
            case
                when count(*) filter (where days.is_same_weekday) >= %(usual_from)s::int
                    then percentile_cont(0.5) within group (order by days.rows) filter (where days.is_same_weekday)
                else percentile_cont(0.5) within group (order by days.rows)
            end as rows
        from judged_days
        inner join lateral (
            select sender, rows, extract(isodow from day) = extract(isodow from judged_days.day) as is_same_weekday
            from days where day < judged_days.day
        ) as days on judged_days.sender is not distinct from days.sender
        group by judged_days.sender, judged_days.day
        having count(*) >= %(usual_from)s::int
    ),

    few as (
        select usual.sender, usual.day
        from usual
        inner join days on usual.sender is not distinct from days.sender and usual.day = days.day
        where usual.rows >= %(few_from_rows)s::int and days.rows < usual.rows * %(few_below_share)s::numeric
    ),

    judged as (
        select main.file_id, bool_or(few.day is not null) as is_few
        from main
        left join few on main.sender is not distinct from few.sender and main.day = few.day
        group by main.file_id
    )

    update quality.landed_file as file
    set suspicions = array_remove(suspicions, 'few_rows') || case when is_few then array['few_rows'] else '{}' end
    from judged
    where file.file_id = judged.file_id and is_few is distinct from ('few_rows' = any(suspicions))
"""
