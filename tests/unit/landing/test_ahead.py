"""The next piece of work is begun while one is in hand, and never more than one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from yingjian.landing.ahead import ahead


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as thread:
        yield thread


def test_one_is_begun_ahead_and_the_order_stays(thread: ThreadPoolExecutor) -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        return 10 * item

    results = ahead(range(5), work, thread)
    assert next(results) == 0
    for done in (10, 20, 30):
        assert next(results) == done
        assert len(begun) <= done // 10 + 2
    assert list(results) == [40]
    assert begun == [0, 1, 2, 3, 4]


def test_what_fails_fails_in_its_turn(thread: ThreadPoolExecutor) -> None:
    results = ahead(["1", "none", "3"], int, thread)
    assert next(results) == 1
    with pytest.raises(ValueError, match="none"):
        next(results)


def test_who_stops_early_waits_for_the_thread(thread: ThreadPoolExecutor) -> None:
    begun, released = Event(), Event()
    ended: list[int] = []

    def work(item: int) -> int:
        if item:
            begun.set()
            released.wait(10)
            ended.append(item)
        return item

    results = ahead(range(3), work, thread)
    assert next(results) == 0
    assert begun.wait(10)
    with ThreadPoolExecutor(1) as other:
        closed = other.submit(results.close)
        assert not closed.done()
        released.set()
    assert ended == [1]
