"""dbt's debug events reach nobody and are not made into messages; everything else is passed on."""

from __future__ import annotations

from dbt.events.types import LogStartLine, NodeFinished, NodeStart
from dbt_common.events.base_types import EventLevel
from dbt_common.events.event_manager_client import get_event_manager
from dbt_common.events.types import Note

from yingjian.modelling.events import ReadEvents, skip_unread_events


def test_only_events_that_somebody_reads_are_passed_on() -> None:
    passed: list[str] = []
    events = ReadEvents()
    events.add_callback(lambda message: passed.append(message.info.name))
    for event in (NodeStart(), NodeFinished(), LogStartLine()):
        events.fire_event(event)
    events.fire_event(Note(msg="for nobody"), EventLevel.DEBUG)
    events.fire_event(Note(msg="a warning"), EventLevel.WARN)
    assert passed == ["NodeFinished", "LogStartLine", "Note"]


def test_the_manager_of_a_process_is_replaced_once() -> None:
    skip_unread_events()
    manager = get_event_manager()
    skip_unread_events()
    assert isinstance(manager, ReadEvents) and get_event_manager() is manager
