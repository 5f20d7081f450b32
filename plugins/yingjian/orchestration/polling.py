"""This module has the base class of the project's triggers, which poll the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import psycopg
from airflow.triggers.base import BaseTrigger, TriggerEvent


@dataclass(eq=False, repr=False)
class PollingTrigger(BaseTrigger):
    """A trigger that fires once `look` returns the payload of its event.

    Its fields are serialised for the triggerer. seconds: the polling interval.
    """

    seconds: ClassVar[float] = 5.0

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def serialize(self) -> tuple[str, dict[str, Any]]:
        arguments = {field.name: getattr(self, field.name) for field in fields(self) if field.init}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    def look(self) -> dict[str, Any] | None:
        """Return the event's payload, or None to keep polling. It runs in a thread."""
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
