"""Quiet hours over midnight, the moment at which a clock is told, and who receives what after a choice."""

from __future__ import annotations

from datetime import datetime, time

import pytest

from yingjian.clock import SHANGHAI
from yingjian.delivery.choices import NOBODY_CHOSE, Choice
from yingjian.delivery.recipients import recipients, reminded
from yingjian.delivery.reminders import CLOCKS, is_due
from yingjian.people.audience import OFFICE
from yingjian.people.officials import Channel, Official, Officials
from yingjian.reports.content import today


def at(hour: int, minute: int = 0, day: int = 25) -> datetime:
    return datetime(2022, 7, day, hour, minute, tzinfo=SHANGHAI)


NOON = Choice("a", quiet_from=time(12), quiet_to=time(14))


@pytest.mark.parametrize(
    ("choice", "moment", "end"),
    [
        (Choice("a"), at(7), at(7)),
        (Choice("a"), at(6, 59), at(7)),
        (Choice("a"), at(22), at(7, day=26)),
        (Choice("a"), at(21, 59), at(21, 59)),
        (NOON, at(12), at(14)),
        (NOON, at(14), at(14)),
        (NOON, at(3), at(3)),
        (Choice("a", quiet_from=time(8), quiet_to=time(8)), at(3), at(3)),
    ],
)
def test_what_lies_in_quiet_hours_waits_for_their_end(choice: Choice, moment: datetime, end: datetime) -> None:
    assert choice.after_quiet(moment) == end


@pytest.mark.parametrize(
    ("mart", "deadline", "now", "due"),
    [
        ("contact_clock", at(12), at(9, 59), False),
        ("contact_clock", at(12), at(10), True),
        ("contact_clock", at(12), at(12), False),
        ("contact_clock", at(4), at(2), True),  # It is urgent by the plan.
        ("pool_followup", at(4), at(2), False),
        ("pool_followup", at(4), at(7), True),  # It waited, and is told although it is over.
        ("pool_followup", at(4), at(8), False),
        ("pool_followup", at(23, 30), at(21, 30), True),
        ("pool_followup", at(23, 30), at(22, 10), False),  # The quiet hours have begun.
    ],
)
def test_a_clock_is_told_hours_before_unless_quiet(mart: str, deadline: datetime, now: datetime, due: bool) -> None:
    assert is_due(Choice("a"), mart, deadline.replace(tzinfo=None), now) is due


def test_a_clock_is_told_as_many_hours_before_as_chosen() -> None:
    five = Choice("a", hours_before=5)
    assert is_due(five, "contact_clock", datetime(2022, 7, 25, 15), at(10))
    assert not is_due(five, "contact_clock", datetime(2022, 7, 25, 15), at(9, 59))


def test_every_clock_is_a_list_of_today() -> None:
    assert set(CLOCKS) <= set(today.LISTS)


def test_an_official_does_without_a_pack_but_not_without_a_bulletin() -> None:
    ways = (Channel("mail", "a@example.org"), Channel("folder", "a"), Channel("mail", "b@example.org", "bulletin"))
    officials = Officials({"a": Official("a", "甲", OFFICE, channels=ways)})
    none = type(NOBODY_CHOSE)({"a": Choice("a", wants=())})
    clock = type(NOBODY_CHOSE)({"a": Choice("a", wants=("clock:mail",))})
    assert [one.channel.kind for one in recipients(officials, "pack")] == ["mail", "folder"]
    assert [one.channel.kind for one in recipients(officials, "pack", none)] == ["folder"]
    assert [one.channel.target for one in recipients(officials, "bulletin", none)] == ["b@example.org"]
    assert reminded(officials.by_login["a"], NOBODY_CHOSE) == []
    assert [one.channel.target for one in reminded(officials.by_login["a"], clock)] == ["a@example.org"]
