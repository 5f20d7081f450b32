"""Pipelines work: the next item is prefetched by a thread while the caller handles the current one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    items: Iterable[Item], work: Callable[[Item], Result], thread: ThreadPoolExecutor
) -> Generator[Result, None, None]:
    """Yield the result of `work` for each item, in order; `thread`, a pool of one, works on the next item while the caller uses
    the result. Close the generator if an item may remain: it then waits for the thread.
    """
    remaining = iter(items)

    def following() -> Iterator[Result]:
        for item in remaining:
            yield work(item)
            return

    coming = thread.submit(list, following())
    try:
        while results := coming.result():
            coming = thread.submit(list, following())
            yield from results
    finally:
        wait([coming])
