"""This module computes the table of controls in policy.md."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from tests.oracle.obligations import Obligation, memberships
from tests.oracle.records import Book

# Group: days of isolation, days of monitoring after it, and what day 0 or day 1 the anchor is.
CONTROLS = {
    "31": (7, 3), "A06": (7, 0), "32": (7, 0), "33": (7, 0), "34": (0, 3), "35": (7, 3), "36": (7, 0), "37": (0, 7),
}  # fmt: skip


@dataclass
class Control:
    """One membership's control; isolation_until is the last day of the isolation, ends_on of all of it."""

    key: str
    person: str
    group: str
    starts_from: date
    controlled_from: date
    isolation_until: date | None
    ends_on: date
    slots: list[Obligation]


def controls(book: Book, rows: list[Obligation]) -> list[Control]:
    """ "7 days central isolation + 3 days home monitoring from entry", and so on; day 1 is the anchor but for row 37."""
    found = []
    by_key: dict[str, list[Obligation]] = {}
    for row in rows:
        by_key.setdefault(row.membership.key, []).append(row)
    for m in memberships(book):
        key, slots = m.key, by_key.get(m.key, [])
        if m.start > book.day:
            continue
        if m.group not in CONTROLS or m.anchor is None:
            continue
        isolation, monitoring = CONTROLS[m.group]
        first = m.anchor + timedelta(1 if m.group == "37" else 0)
        until = first + timedelta(isolation - 1) if isolation else None
        found.append(Control(key, m.person, m.group, m.anchor, m.start, until,
                             first + timedelta(isolation + monitoring - 1), slots))  # fmt: skip
    return found


def tests_until(slots: list[Obligation], last: date) -> tuple[int, int]:
    """ "every slot up to that day": how many there are that nothing lifts, and how many are satisfied (late counts)."""
    upto = [row for row in slots if row.due <= last and row.status not in ("exempt", "void")]
    return len(upto), sum(row.status.startswith("satisfied") for row in upto)
