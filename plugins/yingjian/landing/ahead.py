"""Work in turn, with the next piece begun while one is in hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(items: Iterable[Item], work: Callable[[Item], Result]) -> Iterator[Result]:
    """Yield the result of `work` on each item; while the caller has one, a thread takes the next item and works on it."""
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
