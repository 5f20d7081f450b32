"""Shades of the map follow the gap to the best value."""

import pytest

from yingjian.portal.overview import shades


@pytest.mark.parametrize(
    ("values", "better", "expected"),
    [
        ([0, 0], "less", [0, 0]),
        ([0, 1, 3, 4, 6, 9], "less", [0, 1, 1, 2, 2, 3]),
        ([1.0, 0.97, 0.99, 0.98], "more", [0, 3, 1, 2]),
        ([None, 0.5], "more", [0, 3]),
        ([5], "less", [3]),
        ([], "less", []),
    ],
)
def test_shades_are_thirds_of_the_worst(values, better, expected):
    assert shades(values, better) == expected
