"""The clerk's desk: refused rows by sender, what was returned or corrected, and who fell silent. It only reads.

`yingjian.portal.corrections` writes what an official corrects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from yingjian.database.rows import records
from yingjian.landing.feeds import FEEDS
from yingjian.names import comparable
from yingjian.people.audience import OFFICE, Audience
from yingjian.portal import corrections, sending
from yingjian.portal.corrections import Corrections
from yingjian.portal.limits import PAGE_ROWS
from yingjian.portal.reading import Conn, is_readable
from yingjian.reports.content.paging import Page, read_page

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Desk:
    """senders: open rows by sender and feed, with `returned_at` and `corrected`; silent: senders that fell silent.

    corrections: those of officials.
    """

    senders: Rows
    listed: Page[dict[str, Any]]
    silent: Rows
    corrections: Corrections


def is_own(audience: Audience, sender: str) -> bool:
    """Return whether a reader of this part may see the rows of a sender: the office all, others those of their own name."""
    return audience == OFFICE or sender == audience.name


def read(conn: Conn, audience: Audience, feed: str, sender: str, reason: str, number: int) -> Desk:
    """Return the desk of a part; `feed`, `sender` and `reason` (a code) filter its rows unless they are empty."""
    own = corrections.own(audience)
    chosen = own | {"feed": feed, "sender": sender, "reason": reason}
    body = """
        from quality.rejected_row
        where resolved_at is null and (%(is_office)s or sender = %(own)s)
        and (%(feed)s = '' or feed = %(feed)s) and (%(sender)s = '' or sender = %(sender)s)
        and (%(reason)s = '' or %(reason)s = any(reason_codes))
    """
    columns = """
        rejected_id, feed, sender, cells, wrong_columns, reason, raw_text,
        timezone('Asia/Shanghai', rejected_at) as rejected_at
    """
    page = read_page(conn, columns, body, "rejected_id desc", number, PAGE_ROWS, **chosen)
    returned = _returned(conn)
    proposals = corrections.overview(conn, audience)
    proposed_rows = corrections.waiting_rows(proposals)
    waiting = sending.pending(conn, [row["rejected_id"] for row in page.rows])
    return Desk(
        [
            row | {"title": _title(row["feed"]), "returned_at": returned.get(comparable(row["sender"] or ""))}
            for row in _senders(conn, own)
        ],
        page.of(
            [
                row
                | {
                    "title": _title(row["feed"]),
                    "declared": FEEDS.get(row["feed"]),
                    "state": "corrected"
                    if row["rejected_id"] in waiting
                    else "proposed"
                    if row["rejected_id"] in proposed_rows
                    else "returned"
                    if (at := returned.get(comparable(row["sender"] or ""))) and at > row["rejected_at"]
                    else "open",
                }
                for row in page.rows
            ]
        ),
        [row | {"title": _title(row["feed"])} for row in _silent(conn)],
        proposals,
    )


def _title(feed: str) -> str:
    return FEEDS[feed].title if feed in FEEDS else feed


def _returned(conn: Conn) -> dict[str, datetime]:
    """Return when the last workbook was sent to each sender, by the sender's normalized name."""
    rows = records(
        conn,
        """
        select audience, timezone('Asia/Shanghai', max(sending_at)) as at from delivery.attempt
        where what = 'returned' and state = 'sent' group by audience
        """,
    )
    return {comparable(row["audience"]): row["at"] for row in rows}


def _senders(conn: Conn, own: dict[str, Any]) -> Rows:
    return records(
        conn,
        """
        select sender, feed, count(*) filter (where resolved_at is null) as open,
            count(*) filter (where resolved_at >= now() - make_interval(days => %(days)s)) as corrected
        from quality.rejected_row
        where (%(is_office)s or sender = %(own)s)
        and (resolved_at is null or resolved_at >= now() - make_interval(days => %(days)s))
        group by sender, feed order by 3 desc, sender, feed
        """,
        **own, days=corrections.DAYS,
    )  # fmt: skip


def _silent(conn: Conn) -> Rows:
    """Return the senders of the current publication that fell silent; a part sees those that the mart shows it."""
    if not is_readable(conn, "published", "feed_sender_daily"):  # Nothing was published yet.
        return []
    return records(
        conn,
        """
        select feed, sender, is_silent_since, last_on from feed_sender_daily
        where publication_id = (select publication_id from published.current) and is_silent_since is not null
        order by is_silent_since, feed, sender
        """,
    )
