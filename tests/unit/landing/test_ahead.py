"""The next piece of work is begun while one is in hand, and never more than one."""

from __future__ import annotations

import pytest

from yingjian.landing.ahead import ahead


def test_one_is_begun_ahead_and_the_order_stays() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        return 10 * item

    results = ahead(range(5), work)
    assert next(results) == 0
    for done in (10, 20, 30):
        assert next(results) == done
        assert len(begun) <= done // 10 + 2
    assert list(results) == [40]
    assert begun == [0, 1, 2, 3, 4]


def test_what_fails_fails_in_its_turn() -> None:
    results = ahead(["1", "none", "3"], int)
    assert next(results) == 1
    with pytest.raises(ValueError, match="none"):
        next(results)
