"""Two bulletins together can reveal small changes of cumulative figures (docs/decisions/protecting-small-counts.md).

A bulletin hides every small count and whatever would reveal one. The change between two bulletins may still be small, and a
change of a cumulative figure is a count of persons, such as those vaccinated in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg

from yingjian.database.rows import records
from yingjian.reports.bulletin import TOPICS

ACCUMULATES = ("vaccination",)  # Figures of other topics are of one day, or of the persons under control on it.
_EXACT = 1e-6


@dataclass(frozen=True)
class SmallChange:
    """The change of a figure that follows from two bulletins; an empty `community` means the whole town."""

    topic: str
    title: str
    community: str
    persons: int


def small_changes(conn: psycopg.Connection[Any], before: int, after: int, shown_from: int) -> list[SmallChange]:
    """Return the changes that can be derived from the bulletins of two publications and are too small for either.

    shown_from: the smallest count that the later bulletin shows.
    """
    old, new = (
        records(
            conn,
            """
            select topic, figure, title, community, value, is_whole from published.public_figure
            where publication_id = %(id)s and topic = any(%(topics)s) order by sort_order, community
            """,
            id=publication_id,
            topics=list(ACCUMULATES),
        )
        for publication_id in (before, after)
    )
    return [
        change
        for topic in ACCUMULATES
        for change in of_topic(
            topic,
            [row for row in old if row["topic"] == topic],
            [row for row in new if row["topic"] == topic],
            shown_from,
        )
    ]


def of_topic(
    topic: str, before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]], shown_from: int
) -> list[SmallChange]:
    """Return the changes of one topic by fewer than `shown_from` persons. Rows have figure, title, community, value (None: hidden) and is_whole.

    Every count of a community is an unknown of each bulletin, and every figure shown is an equation. A change can be derived if
    it is a linear combination of equations, whatever the counts are.
    """
    cells = list(dict.fromkeys((row["community"], row["figure"]) for row in (*before, *after) if _is_cell(row)))
    titles = {(row["community"], row["figure"]): row for row in (*before, *after)}
    if not cells:
        return []

    def counted_in(row: dict[str, Any]) -> np.ndarray:
        return np.array(
            [
                row["community"] in ("", community) and (row["is_whole"] or row["figure"] == figure)
                for community, figure in cells
            ],
            dtype=float,
        )

    nothing = np.zeros(len(cells))
    equations = [
        (np.concatenate([counted_in(row), nothing] if is_before else [nothing, counted_in(row)]), row["value"])
        for is_before, rows in ((True, before), (False, after))
        for row in rows
        if row["value"] is not None
    ]
    if not equations:
        return []
    shown = np.array([left for left, _ in equations]).T
    wanted = np.array([np.concatenate([-counted_in(row), counted_in(row)]) for row in titles.values()]).T
    weights, *_ = np.linalg.lstsq(shown, wanted, rcond=None)
    follows = np.abs(shown @ weights - wanted).max(axis=0) < _EXACT
    values = np.array([value for _, value in equations], dtype=float) @ weights
    return [
        SmallChange(TOPICS[topic], row["title"].removeprefix("其中："), row["community"], round(float(value)))
        for row, is_known, value in zip(titles.values(), follows, values, strict=True)
        if is_known and 0 < abs(round(float(value))) < shown_from
    ]


def _is_cell(row: dict[str, Any]) -> bool:
    return bool(row["community"]) and not row["is_whole"]
