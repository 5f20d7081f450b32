"""Keeps dbt from making messages of events that nobody reads.

dbt makes a protobuf message of every event, five thousand in a build of 170 models, before it looks whether a logger or a
callback wants one. Nearly all of them are debug events, and the project's logs have none (docs/decisions/rebuilt.md).
"""

from __future__ import annotations

from typing import Any

from dbt.events.types import NodeFinished
from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_manager import EventManager
from dbt_common.events.event_manager_client import ctx_set_event_manager, get_event_manager


class ReadEvents(EventManager):
    """Event manager that passes on every event above the level `debug`, and of those the ends of nodes."""

    def fire_event(self, e: BaseEvent, level: EventLevel | None = None, *arguments: Any, **options: Any) -> None:
        if (level or e.level_tag()) != EventLevel.DEBUG or isinstance(e, NodeFinished):
            super().fire_event(e, level, *arguments, **options)


def skip_unread_events() -> None:
    """Make dbt runs that start from now on in this process use `ReadEvents`."""
    if not isinstance(get_event_manager(), ReadEvents):
        ctx_set_event_manager(ReadEvents())
