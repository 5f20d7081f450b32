"""This module computes dispositions, roster corrections, and departures from high-risk posts without A06 (article 6)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from tests.oracle.obligations import Membership, Obligation, memberships, overdue_rows
from tests.oracle.policy import ANSWER_BEFORE_DUE_DAYS, DEPARTURE_LIST_DAYS, HIGH_RISK_POSTS
from tests.oracle.records import FOREVER, Book, Record

DOUBTS = ("已搬离", "不在辖区", "信息有误")


def obligation_id(row: Obligation) -> str:
    """ "obligation_id (membership_id/group_code/slot, `rolling` where there is no slot)"."""
    m = row.membership
    return f"{m.key}/{m.group}/{'rolling' if row.slot is None else row.slot}"


def newest_answers(book: Book) -> dict[tuple[str, str], Record]:
    """ "newest by 处置时间, up to D"; if two have the same time, the one with the later 更新时间."""
    answers: dict[tuple[str, str], Record] = {}
    for row in sorted(book["dispositions"], key=lambda row: (row["处置时间"], row["更新时间"], row["编号"])):
        if book.known(row["处置时间"]):
            answers[row["名单"], row["项目编号"]] = row
    return answers


def disposition_daily(book: Book, rows: list[Obligation]) -> dict[tuple[str, str, str], tuple[int, int]]:
    """items and answered of the list `overdue`: "An answer counts for an item from 7 days before the item's due date on"."""
    answers = newest_answers(book)
    items: Counter[tuple[str, str, str]] = Counter()
    answered: Counter[tuple[str, str, str]] = Counter()
    for row in overdue_rows(rows, book.day):
        key = ("overdue", row.membership.community, row.membership.grid)
        answer = answers.get(("overdue", obligation_id(row)))
        items[key] += 1
        answered[key] += answer is not None and answer["处置时间"].date() >= row.due - timedelta(ANSWER_BEFORE_DUE_DAYS)
    return {key: (items[key], answered[key]) for key in items}


@dataclass(frozen=True)
class Correction:
    membership: Membership
    answer: Record


def roster_correction(book: Book, rows: list[Obligation]) -> list[Correction]:
    """ "the newest answer to any item of a membership says it, and the membership stands on D"; "An answer counts for an item
    from 7 days before the item's due date on".
    """
    dues = {obligation_id(row): row.due for row in rows}
    by_membership: dict[str, Record] = {}
    owners = {obligation_id(row): row.membership for row in rows}
    owners |= {f"{m.key}/{m.group}": m for m in memberships(book)}
    for row in rows:  # An item of a record that was merged is that of the membership, where that has it.
        for key in row.membership.merged:
            item = key + obligation_id(row).removeprefix(row.membership.key)
            owners[item], dues[item] = row.membership, row.due
    known: dict[str, Membership] = {}
    for (_, item), answer in newest_answers(book).items():
        m = owners.get(item) or owners.get(item.rpartition("/")[0])
        if item in dues and answer["处置时间"].date() < dues[item] - timedelta(ANSWER_BEFORE_DUE_DAYS):
            continue
        if m and m.group not in ("P19", "P24"):
            known[m.key] = m
            last = by_membership.get(m.key)
            if last is None or (answer["处置时间"], answer["更新时间"]) > (last["处置时间"], last["更新时间"]):
                by_membership[m.key] = answer
    return [
        Correction(m, by_membership[key])
        for key, m in known.items()
        if by_membership[key]["处置结果"] in DOUBTS and m.start <= book.day <= m.end
    ]


def missing_departure(book: Book) -> list[Record]:
    """Article 6: a high-risk post that has ended "without a membership A06 of the same person with an anchor on or after
    that end"; "Not listed: who is in another such post on the day after the end, and an end more than 30 days before D".
    """
    posts = [row for row in book["key_population"] if row["人群编号"] in HIGH_RISK_POSTS]
    left = [(row["证件号码"], row["锚定日期"]) for row in book["key_population"] if row["人群编号"] == "A06"]
    rows = []
    for row in posts:
        end: date | None = row["移出日期"]
        if end is None or not book.day - timedelta(DEPARTURE_LIST_DAYS) <= end <= book.day:
            continue
        next_day = end + timedelta(1)
        elsewhere = any(
            other["证件号码"] == row["证件号码"] and other["起始日期"] <= next_day <= (other["移出日期"] or FOREVER)
            for other in posts
            if other is not row
        )
        if not elsewhere and not any(person == row["证件号码"] and anchor >= end for person, anchor in left):
            rows.append(row)
    return rows
