"""The clocks of policy.md: contacts, pushed lists, positive tubes, purchases of monitored drugs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tests.oracle.obligations import Obligation, purchases
from tests.oracle.records import Book, end_of

CONTACT_LIMIT = timedelta(hours=8)
PUSHED = {"arrivals": "目的社区", "pharmacy_purchases": "社区"}


@dataclass
class ContactClock:
    contact_key: str
    person: str
    category: str
    judged_at: datetime
    isolated_at: datetime | None
    within_8h: bool | None


def contact_clock(book: Book) -> list[ContactClock]:
    """ "within 8 hours of 判定时间: 隔离时间 with the right 隔离方式; 转运时间 alone does not stop the clock".

    within_8h is None while the eight hours still run at the end of D.
    """
    found = []
    for row in book["contacts"]:
        judged = row["判定时间"]
        if judged >= end_of(book.day):
            continue
        # "a close contact is in central isolation, a secondary contact isolated (at home or centrally)"
        right = row["隔离方式"] == "集中" or (row["类别"] == "次密接" and row["隔离方式"] == "居家")
        isolated = row["隔离时间"] if right and row["隔离时间"] and row["隔离时间"] < end_of(book.day) else None
        if isolated:
            within: bool | None = isolated - judged <= CONTACT_LIMIT
        else:
            within = False if judged + CONTACT_LIMIT < end_of(book.day) else None
        found.append(ContactClock(row["编号"], row["证件号码"], row["类别"], judged, isolated, within))
    return found


def push_clearance(book: Book) -> dict[tuple[str, date, str], tuple[int, int, int]]:
    """ "cleared on the day they are pushed: investigated by 24:00 of the push date": pushed, cleared_same_day, open."""
    pushed: Counter[tuple[str, date, str]] = Counter()
    cleared: Counter[tuple[str, date, str]] = Counter()
    still: Counter[tuple[str, date, str]] = Counter()
    for feed, place in PUSHED.items():
        for row in book[feed]:
            if row["推送时间"] is None or row["推送时间"] >= end_of(book.day):
                continue
            key = (feed, row["推送时间"].date(), row[place])
            done = row["排查时间"]
            pushed[key] += 1
            cleared[key] += done is not None and done < end_of(key[1])
            still[key] += done is None or done >= end_of(book.day)
    return {key: (pushed[key], cleared[key], still[key]) for key in pushed}


@dataclass
class Purchase:
    purchase_id: str
    investigated_at: datetime | None
    due: date
    tested_on: date | None
    obligation: Obligation


def pharmacy_followup(book: Book) -> list[Purchase]:
    """ "investigated the same day; one test by the end of the day after the purchase"."""
    rows = {row["登记编号"]: row for row in book["pharmacy_purchases"]}
    found = []
    for owed in purchases(book):
        row = rows[owed.membership.key.split(":")[1]]
        done = row["排查时间"] if row["排查时间"] and row["排查时间"] < end_of(book.day) else None
        tested = next((s.day for s in book.samples[row["证件号码"]] if s.at >= row["购药时间"]), None)
        found.append(Purchase(row["登记编号"], done, owed.due, tested, owed))
    return found
