"""Pipelines work: the next item is prefetched by a thread while the caller handles the current one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(items: Iterable[Item], work: Callable[[Item], Result]) -> Iterator[Result]:
    """Yield the result of `work` for each item, in order; a thread works on the next item while the caller uses the result."""
    remaining = iter(items)

    def following() -> Iterator[Result]:
        for item in remaining:
            yield work(item)
            return

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(list, following())
        while results := coming.result():
            coming = pool.submit(list, following())
            yield from results
