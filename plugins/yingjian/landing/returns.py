"""Rejected rows go back to their sender: one workbook per feed, to be corrected and sent again.

The data sheet has the feed's header, so that landing can read the corrected workbook as it is. Each faulty cell is highlighted,
with a comment that says what it must be. Each row has a return number, by which landing recognises it whatever was corrected.
The workbooks hold personal data: only the sender of the rows may receive them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

import psycopg
import xlsxwriter
from psycopg.rows import dict_row

from yingjian.landing.feeds import FEEDS, Feed
from yingjian.landing.quarantine import RETURN_NUMBER, return_number
from yingjian.landing.templates import DATA, GUIDE, is_needed, requirement, write_guide
from yingjian.names import comparable

REASON, OTHERS = "退回原因", "无法分列的行"
MOST_ROWS = 5_000  # A larger workbook is too big for a mail. The remaining rows follow once these are corrected.

# Landing stores a rejected row's sender only if that sender also has valid rows: in a shifted row, a person's name may stand in
# the sender's column. Here the sender is known to be one of officials.yml, so a typed value equal to it can be trusted. A row
# that could not be split names no sender; it belongs to this sender if all valid rows of its file do, or if the sender uploaded
# the file in the portal.
_OPEN = """
    from quality.rejected_row as refused
    where refused.resolved_at is null and refused.raw_text <> '' and strpos(refused.reason, '无需更正') = 0
    and (
        coalesce(refused.sender, refused.typed ->> 'sender') = any(%(names)s)
        or (
            refused.sender is null and (
                select bool_and(part.sender is not null and part.sender = any(%(names)s)) from quality.file_part as part
                where part.file_id = refused.file_id
            )
        )
        or exists (
            select from portal.sending as sent
            inner join quality.landed_file as file on file.location = sent.location
            where file.file_id = refused.file_id and sent.sender = any(%(names)s)
        )
    )
"""


def names_of(sender: str) -> list[str]:
    """Return the forms in which rows may hold a sender's name: as written, and normalised as a place name."""
    return sorted({sender, comparable(sender)})


def open_rows(conn: psycopg.Connection[Any], sender: str, since: datetime | None = None) -> dict[str, int]:
    """Return the number of a sender's open rejected rows by feed; since: count only rows rejected after that time."""
    rows = conn.execute(
        f"""
        select feed, count(*) {_OPEN} and (%(since)s::timestamptz is null or refused.rejected_at > %(since)s)
        group by feed order by feed
        """,  # type: ignore[arg-type]
        {"names": names_of(sender), "since": since},
    ).fetchall()
    return {feed: count for feed, count in rows if feed in FEEDS}


def read_open(
    conn: psycopg.Connection[Any], sender: str, feed: str | None, most: int, skipped: int = 0
) -> list[dict[str, Any]]:
    """Return a sender's open rejected rows, newest first: those of one feed, or of all feeds if `feed` is None."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"""
            select refused.rejected_id, refused.feed, refused.line, refused.cells, refused.wrong_columns, refused.reason,
                refused.reason_codes, refused.raw_text, refused.return_number {_OPEN}
            and (%(feed)s::text is null or refused.feed = %(feed)s)
            order by refused.rejected_at desc, refused.file_id, refused.line limit %(most)s offset %(skipped)s
            """,  # type: ignore[arg-type]
            {"names": names_of(sender), "feed": feed, "most": most, "skipped": skipped},
        ).fetchall()


def read_row(conn: psycopg.Connection[Any], sender: str, rejected_id: int) -> dict[str, Any] | None:
    """Return an open rejected row; None if the sender has no open row with that id."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"""
            select refused.rejected_id, refused.feed, refused.cells, refused.wrong_columns, refused.reason, refused.raw_text
            {_OPEN} and refused.rejected_id = %(rejected_id)s
            """,  # type: ignore[arg-type]
            {"names": names_of(sender), "rejected_id": rejected_id},
        ).fetchone()


def write_returns(
    conn: psycopg.Connection[Any], sender: str, folder: Path, day: date, only: str | None = None
) -> list[Path]:
    """Write one workbook per feed (or for the feed `only`) in which a sender has open rows; return the paths."""
    paths = []
    for name in open_rows(conn, sender):
        if only not in (None, name):
            continue
        feed = FEEDS[name]
        rows = read_open(conn, sender, name, MOST_ROWS)
        paths.append(folder / f"{feed.title}-退回-{day:%Y-%m-%d}.xlsx")
        _write(paths[-1], feed, rows, day)
    return paths


def _write(path: Path, feed: Feed, rows: Sequence[dict[str, Any]], day: date) -> None:
    path.touch(mode=0o600)
    options = {"strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        # Fixed metadata makes the same rows give the same bytes, so that copying a workbook into a folder is idempotent.
        book.set_properties({"created": datetime.combine(day, time_of_day())})
        text = book.add_format({"num_format": "@", "quote_prefix": True})
        wrong = book.add_format({"num_format": "@", "quote_prefix": True, "bg_color": "#FFC7CE"})
        bold = book.add_format({"bold": True, "num_format": "@"})
        sheet = book.add_worksheet(DATA)
        sheet.freeze_panes(1, 0)
        for place, column in enumerate(feed.columns):
            sheet.set_column(place, place, max(12, 2 * len(column.source) + 4), text)
            sheet.write_string(0, place, column.source, bold)
        sheet.write_string(0, len(feed.columns), REASON, bold)
        sheet.write_string(0, len(feed.columns) + 1, RETURN_NUMBER, bold)
        sheet.set_column(len(feed.columns), len(feed.columns), 60)
        sheet.set_column(len(feed.columns) + 1, len(feed.columns) + 1, 38)
        for line, row in enumerate((row for row in rows if row["cells"] is not None), start=1):
            for place, column in enumerate(feed.columns):
                is_wrong = column.source in row["wrong_columns"]
                sheet.write_string(line, place, row["cells"].get(column.source, ""), wrong if is_wrong else text)
                if is_wrong:
                    needed = "必填" if is_needed(column, feed) else "可空"
                    sheet.write_comment(line, place, f"{row['reason']}\n应为：{requirement(column, feed)}（{needed}）")
            sheet.write_string(line, len(feed.columns), row["reason"], text)
            sheet.write_string(line, len(feed.columns) + 1, return_number(row["return_number"]), text)
        if any(row["cells"] is None for row in rows):
            others = book.add_worksheet(OTHERS)
            others.set_column(0, 2, 60)
            others.write_row(0, 0, [REASON, "原文", RETURN_NUMBER], bold)
            for line, row in enumerate((row for row in rows if row["cells"] is None), start=1):
                others.write_string(line, 0, row["reason"], text)
                others.write_string(line, 1, row["raw_text"][:32_000], text)
                others.write_string(line, 2, return_number(row["return_number"]), text)
        title = (
            f"{feed.title}：在“{DATA}”表中更正标红的单元格后，将本工作簿放到原报送位置；“{REASON}”列不必删除，"
            f"“{RETURN_NUMBER}”列请勿改动或删除（系统据此核销退回的行）；“{OTHERS}”表的行须连同“{RETURN_NUMBER}”填入“{DATA}”表"
        )
        write_guide(book.add_worksheet(GUIDE), book, feed, title)
