"""Two bulletins, each of which hides its small counts, tell no small change together that the signatory is not told of."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from yingjian.reports.differencing import SmallChange, of_topic

PARTS = {"booster": "其中：完成加强免疫", "uncovered": "其中：尚未接种"}
Cells = dict[tuple[str, str], int]


def bulletin(cells: Cells, hidden: set[str], parts_of_town: bool = True) -> list[dict[str, Any]]:
    """Return the rows of a topic, which have the counts by community and part; these communities are hidden."""
    places = list(dict.fromkeys(place for place, _ in cells))
    rows = []
    for place in ("", *places):
        for figure, title in {"residents_60plus": "60岁及以上居民", **PARTS}.items():
            is_whole = figure not in PARTS
            value: int | None = sum(
                count for (where, part), count in cells.items() if place in ("", where) and (is_whole or part == figure)
            )
            if place in hidden or (not place and not is_whole and not parts_of_town):
                value = None
            rows.append({"figure": figure, "title": title, "community": place, "value": value, "is_whole": is_whole})
    return rows


def known(changes: list[SmallChange]) -> set[tuple[str, str, int]]:
    return {(change.community, change.title, change.persons) for change in changes}


BEFORE = {("甲", "booster"): 500, ("甲", "uncovered"): 40, ("乙", "booster"): 300, ("乙", "uncovered"): 60}
AFTER = BEFORE | {("甲", "booster"): 502, ("甲", "uncovered"): 38}


def test_a_small_change_of_what_both_show_is_told() -> None:
    told = known(of_topic("vaccination", bulletin(BEFORE, set()), bulletin(AFTER, set()), 5))
    assert {("甲", "完成加强免疫", 2), ("甲", "尚未接种", -2), ("", "完成加强免疫", 2)} <= told
    assert not [place for place, *_ in told if place == "乙"]
    more = AFTER | {("甲", "booster"): 507, ("甲", "uncovered"): 33}
    assert of_topic("vaccination", bulletin(BEFORE, set()), bulletin(more, set()), 5) == []
    assert of_topic("vaccination", bulletin(BEFORE, set()), bulletin(more, set()), 8), (
        "another edition shows from eight"
    )


def test_what_is_hidden_and_does_not_follow_is_not_told() -> None:
    told = known(
        of_topic("vaccination", bulletin(BEFORE, {"甲", "乙"}, False), bulletin(AFTER, {"甲", "乙"}, False), 5)
    )
    assert told == set()


def test_a_change_that_follows_only_from_sums_is_told() -> None:
    """A community is hidden the first day; the town's figures less the others' give it."""
    told = known(of_topic("vaccination", bulletin(BEFORE, {"甲"}), bulletin(AFTER, set()), 5))
    assert ("甲", "完成加强免疫", 2) in told


@pytest.mark.parametrize("seed", range(12))
def test_whatever_linear_programming_finds_without_knowing_bounds_is_told(seed: int) -> None:
    """The reader solves for the least and the greatest change of each cell; where both agree and it is small, it was told."""
    draw = random.Random(seed)
    places = "甲乙丙丁"
    before: Cells = {(place, part): draw.randint(20, 60) for place in places for part in PARTS}
    after = {cell: count + draw.choice((0, 0, 1, 3, 9)) for cell, count in before.items()}
    shown = [
        bulletin(cells, set(draw.sample(places, draw.randint(0, 2))), draw.random() < 0.5) for cells in (before, after)
    ]
    cells = list(before)
    left, right = [], []
    for number, rows in enumerate(shown):
        for row in rows:
            if row["value"] is not None:
                counted = [
                    row["community"] in ("", place) and (row["is_whole"] or row["figure"] == part)
                    for place, part in cells
                ]
                nothing = [False] * len(cells)
                left.append([*counted, *nothing] if number == 0 else [*nothing, *counted])
                right.append(row["value"])
    told = known(of_topic("vaccination", *shown, 5))
    for index, (place, part) in enumerate(cells):
        change = np.zeros(2 * len(cells))
        change[index], change[len(cells) + index] = -1, 1
        ends = [
            linprog(sign * change, A_eq=np.array(left, dtype=float), b_eq=right, bounds=(None, None))
            for sign in (1, -1)
        ]
        follows = all(end.status == 0 for end in ends)
        real = after[place, part] - before[place, part]
        is_told = (place, PARTS[part].removeprefix("其中："), real) in told
        assert is_told == (follows and 0 < abs(real) < 5), (place, part)
