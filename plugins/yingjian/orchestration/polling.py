"""This module holds what the project's triggers share: they ask the database again and again until something is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import psycopg
from airflow.triggers.base import BaseTrigger, TriggerEvent


class PollingTrigger(BaseTrigger):
    """This trigger fires once `look` gives what its event holds.

    arguments: the names of the attributes from which the triggerer makes it anew; seconds: between one look and the next.
    """

    arguments: ClassVar[tuple[str, ...]]
    seconds: ClassVar[float] = 5.0

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            name: getattr(self, name) for name in self.arguments
        }

    def look(self) -> dict[str, Any] | None:
        """Return what the event holds, or None while there is nothing yet. It is called in a thread."""
        raise NotImplementedError

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            try:
                event = await asyncio.to_thread(self.look)
            except psycopg.OperationalError as error:  # The server is restarting.
                self.log.warning("the database does not answer: %s", type(error).__name__)
            else:
                if event is not None:
                    yield TriggerEvent(event)  # type: ignore[no-untyped-call]
                    return
            await asyncio.sleep(self.seconds)
