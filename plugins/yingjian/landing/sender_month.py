"""The monthly report for a sender: what arrived and when, what was rejected and why, compared with the month before.

It counts rows and names no person. A day is the date of 更新时间. A day is on time if its first file was received by the hour of
the next day that the seed `feed` sets (expected_by).
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import psycopg
import xlsxwriter

from yingjian import reference
from yingjian.clock import SHANGHAI
from yingjian.landing.errors import REASONS
from yingjian.landing.feeds import FEEDS
from yingjian.landing.returns import names_of


@dataclass
class Month:
    """One sender's deliveries of one feed in a month; days_on_time is None if the feed has no expected hour."""

    days: int = 0
    days_on_time: int | None = None
    rows: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    rejected: int = 0

    @property
    def rejected_share(self) -> float | None:
        """Return the share of rows that were rejected (0 to 1); None if there were no rows."""
        read = self.rows + self.rejected
        return self.rejected / read if read else None


def month_before(first: date) -> date:
    """Return the first day of the previous month."""
    return (first - timedelta(days=1)).replace(day=1)


def read_month(conn: psycopg.Connection[Any], sender: str, first: date) -> dict[str, Month]:
    """Return a sender's deliveries by feed, for the month that starts on `first`."""
    after = first + timedelta(days=calendar.monthrange(first.year, first.month)[1])
    key = {"names": names_of(sender), "first": first, "after": after}
    months: dict[str, Month] = {}
    for feed, day, rows, received_at in conn.execute(
        """
        select file.feed, part.day, sum(part.rows)::bigint, min(file.received_at)
        from quality.file_part as part
        inner join quality.landed_file as file on part.file_id = file.file_id
        where file.status = 'staged' and part.sender = any(%(names)s) and part.day >= %(first)s and part.day < %(after)s
        group by file.feed, part.day
        """,
        key,
    ):
        if feed not in FEEDS:
            continue
        month = months.setdefault(feed, Month())
        month.days += 1
        month.rows += rows
        if hour := reference.feeds()[feed]["expected_by"]:
            deadline = datetime.combine(day + timedelta(days=1), time.fromisoformat(hour), SHANGHAI)
            month.days_on_time = (month.days_on_time or 0) + (received_at <= deadline)
    for feed, code, rows in conn.execute(
        """
        select refused.feed, code, count(*)
        from quality.rejected_row as refused
        cross join unnest(refused.reason_codes || array['']) as code
        where refused.sender = any(%(names)s)
        and (refused.rejected_at at time zone 'Asia/Shanghai')::date >= %(first)s
        and (refused.rejected_at at time zone 'Asia/Shanghai')::date < %(after)s
        group by refused.feed, code order by count(*) desc, code
        """,
        key,
    ):
        if feed not in FEEDS:
            continue
        month = months.setdefault(feed, Month())
        # The query adds an empty code to each row, so that a row with several codes is counted once.
        if code:
            month.reasons[code] = rows
        else:
            month.rejected = rows
    return dict(sorted(months.items(), key=lambda item: list(FEEDS).index(item[0])))


def trend(now: float | None, before: float | None) -> str:
    """Return, as one Chinese word, how the share of rejected rows changed; empty if either share is missing."""
    if now is None or before is None:
        return ""
    moved = round(100 * now, 1) - round(100 * before, 1)
    return "上升" if moved > 0 else "下降" if moved < 0 else "持平"


def write_month(conn: psycopg.Connection[Any], sender: str, first: date, path: Path) -> dict[str, Month]:
    """Write the report for the month that starts on `first` to an .xlsx file; return the figures it shows."""
    months, before = read_month(conn, sender, first), read_month(conn, sender, month_before(first))
    path.touch(mode=0o600)
    with xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        book.set_properties({"created": datetime.combine(first, time())})
        bold, share = book.add_format({"bold": True}), book.add_format({"num_format": "0.0%"})
        sheet = book.add_worksheet("汇总")
        sheet.set_column(0, 9, 14)
        sheet.write_string(0, 0, f"{sender} {first.year}年{first.month}月数据报送情况", bold)
        head = [
            "数据",
            "报送天数",
            "按时天数",
            "按时率",
            "行数",
            "退回行",
            "退回率",
            "上月行数",
            "上月退回率",
            "退回率趋势",
        ]
        sheet.write_row(2, 0, head, bold)
        for line, (name, month) in enumerate(months.items(), start=3):
            old = before.get(name, Month())
            on_time = None if month.days_on_time is None or not month.days else month.days_on_time / month.days
            sheet.write_row(line, 0, [FEEDS[name].title, month.days])
            sheet.write(line, 2, "未规定时限" if month.days_on_time is None else month.days_on_time)
            sheet.write(line, 3, on_time, share)
            sheet.write_row(line, 4, [month.rows, month.rejected])
            sheet.write(line, 6, month.rejected_share, share)
            sheet.write(line, 7, old.rows)
            sheet.write(line, 8, old.rejected_share, share)
            sheet.write(line, 9, trend(month.rejected_share, old.rejected_share))
        reasons = book.add_worksheet("退回原因")
        reasons.set_column(0, 1, 40)
        reasons.write_row(0, 0, ["数据", "原因", "本月行数", "上月行数"], bold)
        line = 1
        for name, month in months.items():
            old = before.get(name, Month())
            for code in dict.fromkeys([*month.reasons, *old.reasons]):
                cells = [FEEDS[name].title, REASONS[code], month.reasons.get(code, 0), old.reasons.get(code, 0)]
                reasons.write_row(line, 0, cells)
                line += 1
    return months
