"""This module reminds officials of deadlines (clocks) that are about to expire, each official once of each clock.

A message counts the items by list and community, and names no person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from yingjian.clock import SHANGHAI
from yingjian.database.rows import records
from yingjian.delivery import courier
from yingjian.delivery.choices import Choice, read_choices
from yingjian.delivery.ledger import Attempt
from yingjian.delivery.messages import CHOICE_PAGE, MARK, Message, token
from yingjian.delivery.recipients import Recipient, reminded
from yingjian.people.officials import Official, Officials
from yingjian.reports.content import text, today
from yingjian.reports.content.audiences import narrowed

WHAT = "clock"
# These lists have a clock. True: the plan makes it urgent (第二十五、二十六条: 立即转运, 8小时内应隔尽隔), even in quiet hours.
CLOCKS: Mapping[str, bool] = {
    "positive_followup": True,
    "contact_clock": True,
    "pool_followup": False,
    "screening_outstanding": False,
}
LATE = timedelta(hours=1)  # A reminder that quiet hours delayed is still sent within this time after their end.
KEPT = timedelta(days=7)


def plan(conn: psycopg.Connection[Any], officials: Officials, now: datetime) -> int:
    """Plan a reminder for each official who opted in and has clocks that expire soon; return the number of attempts.

    `now` is the time of the home. A clock counts as reminded only when an attempt is recorded for it.
    """
    row = conn.execute("select publication_id from published.current").fetchone()
    if row is None:
        return 0
    # The occasion must be unique, so it is the machine's time: a demo's clock may stand still.
    choices, occasion = read_choices(conn), datetime.now(UTC).isoformat(timespec="milliseconds")
    to: list[Recipient] = []
    for official in officials.by_login.values():
        if ways := reminded(official, choices):
            with narrowed(conn, official.audience):
                running = today.running_clocks(conn, row[0], tuple(CLOCKS))
            soon = [clock for clock in running if is_due(choices.of(official.login), clock.list, clock.limit, now)]
            conn.commit()
            if _note(conn, official.login, soon, occasion):
                to += ways
    with conn.transaction():
        conn.execute("delete from delivery.reminder where deadline < %s", (_wall(now) - KEPT,))
    conn.commit()
    return courier.plan(conn, None, WHAT, officials, datetime.now(UTC), occasion, to) if to else 0


def is_due(choice: Choice, mart: str, deadline: datetime, now: datetime) -> bool:
    """Return whether an official must be reminded of a clock now.

    A reminder is due from the chosen number of hours before the deadline until the deadline. One that quiet hours delayed is
    sent when they end, even if the deadline has passed by then.
    """
    end = deadline.replace(tzinfo=SHANGHAI)
    first = end - timedelta(hours=choice.hours_before)
    at = first if CLOCKS[mart] else choice.after_quiet(first)
    if at == first and not CLOCKS[mart] and choice.after_quiet(now) != now:
        return False  # The quiet hours began after the reminder became due.
    return at <= now < max(end, at + LATE if at != first else end)


def _note(conn: psycopg.Connection[Any], login: str, clocks: list[today.Clock], occasion: str) -> bool:
    """Record the clocks of which an official is reminded on this occasion; return whether there is a new one."""
    digests = [hashlib.sha256(f"{clock.item_id}\n{clock.limit.isoformat()}".encode()).digest() for clock in clocks]
    with conn.transaction():
        noted = conn.execute(
            """
            insert into delivery.reminder as told (official, list, clock, community, deadline, occasion)
            select %(official)s, list, clock, community, deadline, %(occasion)s
            from unnest(%(lists)s::text[], %(clocks)s::bytea[], %(communities)s::text[], %(deadlines)s::timestamp[])
                as soon (list, clock, community, deadline)
            on conflict (official, list, clock) do update set occasion = excluded.occasion
            where told.occasion not in (
                select attempt.occasion from delivery.attempt
                where attempt.what = %(what)s and attempt.official = %(official)s
            )
            """,
            {
                "official": login, "occasion": occasion, "what": WHAT, "clocks": digests,
                "lists": [clock.list for clock in clocks],
                "communities": [clock.community for clock in clocks],
                "deadlines": [clock.limit for clock in clocks],
            },
        )  # fmt: skip
    conn.commit()
    return noted.rowcount > 0


@dataclass(frozen=True)
class Reminder:
    """This writer makes the message of a reminder from its recorded clocks. `portal` is the portal's base URL."""

    conn: psycopg.Connection[Any]
    portal: str
    secret: bytes = field(repr=False)

    def message(self, attempt: Attempt, official: Official) -> Message:
        """Return the message. Raises LookupError when its clocks are no longer recorded."""
        noted = records(
            self.conn,
            """
            select list, community, count(*)::int as items, min(deadline) as deadline from delivery.reminder
            where official = %(official)s and occasion = %(occasion)s
            group by list, community order by min(deadline), community collate "C"
            """,
            official=attempt.official, occasion=attempt.occasion,
        )  # fmt: skip
        if not noted:
            raise LookupError("nothing is noted for this reminder")
        items = sum(row["items"] for row in noted)
        lines = []
        for mart in CLOCKS:
            if of_list := [row for row in noted if row["list"] == mart]:
                places = "、".join(f"{row['community'] or '未分社区'}{row['items']}" for row in of_list)
                count, first = sum(row["items"] for row in of_list), min(row["deadline"] for row in of_list)
                lines.append((today.LISTS[mart][0], f"{count}项，最早{text.time_of_day(first)}（{places}）"))
        link = f"{self.portal}/{'today' if official.may('persons') else ''}"
        return Message(
            token(attempt, self.secret), "", f"{MARK}限时提醒：{items}项时限将至", tuple(lines), (),
            "请在时限前办结并填写处置；每项只提醒一次。", link, choice=f"{self.portal}{CHOICE_PAGE}",
        )  # fmt: skip


def _wall(moment: datetime) -> datetime:
    """Return a moment as wall time of Asia/Shanghai, without a time zone."""
    return moment.astimezone(SHANGHAI).replace(tzinfo=None)
