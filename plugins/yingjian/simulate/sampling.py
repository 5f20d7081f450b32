"""The sampling of schools, homes, prisons, workshops and building sites in the outbreak (articles 10, 11).

It draws from a generator of its own, so that the rest of the town stays as it is.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl

from yingjian.simulate.exports import Exports

GROUPS = [str(row) for row in range(23, 29)]
ROUND = (0.7, 0.95)  # Of the roster: sampled on the day of the declaration, by the end of the day after it.
DAILY = 0.3  # Then each day, except in the unit that forgets it.
RESIDENT_ID = "居民身份证"


class UnitSampling:
    """Writes the samples that the units take, day by day."""

    def __init__(self, exports: Exports, rng: np.random.Generator, people: pl.DataFrame) -> None:
        self._exports = exports
        self._rng = rng
        self._people = people.with_row_index("row").filter(pl.col("group").is_in(GROUPS))
        self._draw = rng.random(self._people.height)
        units = self._people["unit"].unique().sort()
        self._forgetful = units[0] if units.len() else ""

    def write_day(self, since: int, day: date, stamp: str, cases: list[int]) -> None:
        """The samples of one day; since: day of the outbreak, from 0; cases: rows of the people found so far."""
        if since < len(ROUND):
            chosen = (self._draw < ROUND[since]) & (self._draw >= (ROUND[since - 1] if since else 0))
        else:
            chosen = (self._rng.random(self._people.height) < DAILY) & (
                self._people["unit"] != self._forgetful
            ).to_numpy()
        people = self._people.filter(pl.Series(chosen) & ~self._people["row"].is_in(cases))
        when = [
            datetime.combine(day, time(9)) + timedelta(seconds=int(s))
            for s in self._rng.integers(0, 8 * 3600, people.height)
        ]
        if people.height:
            self._exports.write("test_results", f"{stamp}_u", pl.DataFrame({
                "sample_key": [f"U{stamp}{row:07d}" for row in people["row"]], "person_name": people["name"],
                "id_type": [RESIDENT_ID] * people.height, "id_number": people["id_number"], "phone": people["phone"],
                "sampled_at": when, "sampling_point": people["unit"], "sampling_method": ["混采"] * people.height,
                "tube_no": [f"U{stamp}{i // 10:05d}" for i in range(people.height)],
                "laboratory": ["检测机构A"] * people.height, "tested_at": [moment + timedelta(hours=6) for moment in when],
                "result": ["阴性"] * people.height, "updated_at": [moment + timedelta(hours=7) for moment in when],
            }))  # fmt: skip
