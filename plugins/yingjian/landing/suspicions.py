"""Detects files that look incomplete: cut within a row, without their usual final newline, or smaller than usual.

Codes: `cut_row`, `no_newline`, `few_rows`, `other_columns`, `old_dates`, `vanished`, `shrunk`. The file is staged all the same,
and whoever is responsible for the feed is told. The thresholds are in the seed `feed` (few_below_share, few_from_rows,
usual_from).
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from yingjian import reference
from yingjian.landing.feeds import FEEDS

WORDS = {
    "cut_row": "末行残缺",
    "no_newline": "末尾缺少换行，疑似未传完",
    "few_rows": "行数不足平日一半",
    "other_columns": "中途列数改变",
    "old_dates": "有1900年前后的日期，疑似空单元格",
    "vanished": "全量名单缺少以前报过的记录",
    "shrunk": "全量名单行数不足前一份一半",
}
# Records of these rosters stay in every export until they have an end date, in the column given here, so none may vanish
# before. Exports of other feeds may drop old records.
_ENDS = {"key_population": "end_date", "residents": "moved_out_date", "teams": None}


def note(
    conn: psycopg.Connection[Any],
    feed: str,
    file_id: int,
    ends_with_newline: bool | None,
    *,
    is_cut: bool,
    has_other_columns: bool,
    has_old_dates: bool,
    is_newest: bool,
) -> None:
    """Record what is suspicious about a file, in the transaction that lands it; its parts must be recorded already.

    ends_with_newline: None for a file without lines; is_cut: its last row has too few cells; has_other_columns: many rows share
    a cell count other than the header's; has_old_dates: it has dates from a spreadsheet's epoch; is_newest: no row of it was
    superseded. The file may complete a day of which an earlier file brought too few rows; the suspicion of that file is then
    withdrawn.
    """
    usual = reference.feeds()[feed]
    codes = ["cut_row"] if is_cut else []
    if ends_with_newline is False and _had_newlines(conn, feed, file_id, int(usual["usual_from"])):
        codes.append("no_newline")
    if has_other_columns:
        codes.append("other_columns")
    if has_old_dates:
        codes.append("old_dates")
    if feed in _ENDS and is_newest and _lacks_records(conn, feed, file_id, usual):
        codes.append("vanished")
    if usual["shrunk_below_share"] and _has_shrunk(conn, feed, file_id, usual):
        codes.append("shrunk")
    conn.execute(
        "update quality.landed_file set ends_with_newline = %s, suspicions = %s where file_id = %s",
        (ends_with_newline, codes, file_id),
    )
    if usual["few_below_share"]:
        conn.execute(_FEW_ROWS, usual | {"feed": feed, "file_id": file_id})


def _lacks_records(conn: psycopg.Connection[Any], feed: str, file_id: int, usual: dict[str, str]) -> bool:
    """Return whether a file is a full export that lacks records which the sender's earlier files had.

    A file counts as a full export if it repeats most of the earlier records. Ended records may be missing.
    """
    ended = _ENDS[feed]
    row = conn.execute(
        sql.SQL(
            """
            with mine as (
                select sender, sum(rows) as rows from quality.file_part
                where file_id = %(file_id)s group by sender having sum(rows) >= %(full_from_rows)s::int
            ),

            before as (
                select mine.sender, mine.rows, count(*) filter (where {is_open}) as missing, count(*) as others
                from mine
                inner join {table} as staged on {is_of_sender}
                where staged.file_id < %(file_id)s
                group by mine.sender, mine.rows
            ),

            again as (
                select mine.sender, sum(parts.rows_new) as rows_new
                from mine
                inner join quality.file_part as parts
                    on mine.sender is not distinct from parts.sender and parts.file_id = %(file_id)s
                group by mine.sender
            )

            select coalesce(bool_or(before.missing > 0), false)
            from before
            inner join again on before.sender is not distinct from again.sender
            -- Full is what repeats most of itself and leaves out little of what was there.
            where before.rows - again.rows_new >= %(full_from_share)s::numeric * (before.rows - again.rows_new + before.others)
            and before.rows - again.rows_new >= %(full_from_rows)s::int
            """
        ).format(
            table=sql.Identifier("staging", feed),
            is_of_sender=_is_of_sender(feed),
            is_open=sql.SQL("staged.{} is null").format(sql.Identifier(ended)) if ended else sql.SQL("true"),
        ),
        usual | {"file_id": file_id},
    ).fetchone()
    return bool(row and row[0])


def _has_shrunk(conn: psycopg.Connection[Any], feed: str, file_id: int, usual: dict[str, str]) -> bool:
    """Return whether a sender's file is far smaller than the previous one, which was a full export, and hardly has new rows.

    A file of mostly repeated rows is no increment, so its size should not drop.
    """
    row = conn.execute(
        sql.SQL(
            """
            with mine as (
                select sender, sum(rows) as rows, sum(rows_new) as rows_new from quality.file_part
                where file_id = %(file_id)s group by sender
            )

            select coalesce(bool_or(true), false)
            from mine
            cross join lateral (
                select sum(part.rows) as rows
                from quality.file_part as part
                inner join quality.landed_file as file on part.file_id = file.file_id
                where file.feed = %(feed)s and file.status = 'staged' and part.file_id < %(file_id)s
                and part.sender is not distinct from mine.sender
                group by part.file_id order by part.file_id desc limit 1
            ) as before
            where before.rows >= %(full_from_rows)s::int
            and mine.rows < before.rows * %(shrunk_below_share)s::numeric
            and mine.rows - mine.rows_new >= mine.rows * %(full_from_share)s::numeric
            and before.rows >= %(full_from_share)s::numeric * (
                select count(*) from {table} as staged where {is_of_sender}
            )
            """
        ).format(table=sql.Identifier("staging", feed), is_of_sender=_is_of_sender(feed)),
        usual | {"feed": feed, "file_id": file_id},
    ).fetchone()
    return bool(row and row[0])


def _is_of_sender(feed: str) -> sql.Composable:
    """Return the SQL condition that a staged row belongs to `mine.sender`; always true for a feed without a sender column."""
    sender = FEEDS[feed].sender
    return (
        sql.SQL("staged.{} is not distinct from mine.sender").format(sql.Identifier(sender.name))
        if sender
        else sql.SQL("true")
    )


def _had_newlines(conn: psycopg.Connection[Any], feed: str, file_id: int, usual_from: int) -> bool:
    """Return whether the last `usual_from` other files with a sender in common with this one all ended with a newline."""
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


# For each sender, a file is judged by the day of which it brings most new rows, since it also brings corrections of earlier
# days and tests taken just after midnight. A day's rows are summed over all files, so that three partial deliveries count as
# one whole, and repeated rows count once.
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
