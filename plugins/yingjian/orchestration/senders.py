"""Messages to senders about their own rows: rejected rows daily, and a monthly report.

The workbooks hold personal data; they exist in a private temporary folder only until they are sent. Only counts are passed on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from yingjian import clock
from yingjian.delivery.ledger import Attempt
from yingjian.delivery.messages import MARK, Message, token
from yingjian.landing import returns, sender_month
from yingjian.landing.feeds import FEEDS
from yingjian.orchestration import delivery_tasks
from yingjian.people.officials import Official
from yingjian.reports.content import text
from yingjian.settings import Settings


@dataclass(frozen=True)
class Returned:
    """Writes a sender's message with its rejected rows."""

    conn: psycopg.Connection
    folder: Path
    day: date
    secret: bytes = field(repr=False)

    def message(self, attempt: Attempt, official: Official) -> Message:
        counts = returns.open_rows(self.conn, official.name)
        folder = self.folder / str(attempt.attempt_id)
        folder.mkdir(mode=0o700, exist_ok=True)
        files = returns.write_returns(self.conn, official.name, folder, self.day)
        return Message(
            token(attempt, self.secret), f"退回-{self.day:%Y-%m-%d}",
            f"{MARK}{text.day(self.day)}退回待更正{sum(counts.values())}行",
            tuple((FEEDS[feed].title, f"{count}行") for feed, count in counts.items()),
            ("打开附件，按标红单元格的批注更正", "更正后将同一工作簿放到原报送位置"),
            "附件含个人信息，请勿转发。" + (
                f"行数较多，每个附件最多{returns.MOST_ROWS}行，其余随后退回。"
                if any(count > returns.MOST_ROWS for count in counts.values()) else ""
            ),
            files=tuple(files),
        )  # fmt: skip


@dataclass(frozen=True)
class Monthly:
    """Writes a sender's message with the report of the month that starts on `first`."""

    conn: psycopg.Connection
    folder: Path
    first: date
    secret: bytes = field(repr=False)

    def message(self, attempt: Attempt, official: Official) -> Message:
        folder = self.folder / str(attempt.attempt_id)
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"数据报送情况-{self.first:%Y-%m}.xlsx"
        months = sender_month.write_month(self.conn, official.name, self.first, path)
        return Message(
            token(attempt, self.secret), f"月报-{self.first:%Y-%m}",
            f"{MARK}{self.first.year}年{self.first.month}月数据报送情况",
            tuple(
                (FEEDS[feed].title, f"{month.rows}行，退回{month.rejected}行") for feed, month in months.items()
            ),
            files=(path,),
        )  # fmt: skip


def send_back(settings: Settings, now: datetime | None = None) -> dict[str, int]:
    """Send each sender with newly rejected rows all of its open rows, once a day; return the number of messages by state.

    Nothing is sent in a demo. Raises Undelivered.
    """
    if clock.demo_clock(settings.home):
        return {}
    day = (now or clock.now(settings.home)).date()
    with TemporaryDirectory(prefix="returned-") as folder:
        return delivery_tasks.send_to_senders(
            "returned", day.isoformat(),
            lambda settings, conn: Returned(conn, Path(folder), day, settings.person_secret), _has_news,
        )  # fmt: skip


def send_months(settings: Settings, now: datetime | None = None) -> dict[str, int]:
    """Send each sender with data in the previous month its monthly report, once; return the number of messages by state.

    Nothing is sent in a demo. Raises Undelivered.
    """
    if clock.demo_clock(settings.home):
        return {}
    first = sender_month.month_before((now or clock.now(settings.home)).date().replace(day=1))
    with TemporaryDirectory(prefix="month-") as folder:
        return delivery_tasks.send_to_senders(
            "month", f"{first:%Y-%m}",
            lambda settings, conn: Monthly(conn, Path(folder), first, settings.person_secret),
            lambda conn, sender: bool(sender_month.read_month(conn, sender.name, first)),
        )  # fmt: skip


def _has_news(conn: psycopg.Connection, sender: Official) -> bool:
    """Return whether rows of a sender were rejected since the last message that was or may have been delivered."""
    row = conn.execute(
        """
        select max(sending_at) from delivery.attempt
        where what = 'returned' and official = %s and state in ('sent', 'uncertain')
        """,
        (sender.login,),
    ).fetchone()
    return bool(returns.open_rows(conn, sender.name, row[0] if row else None))
