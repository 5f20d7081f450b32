"""This module writes the health checks of people who are isolated or monitored at home (articles 4, 18, 30)."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from yingjian.simulate.columns import Integers, chosen, identity, moments, numbered
from yingjian.simulate.exports import Exports

HOURS = (8, 18)
FORGOTTEN, FEVER = 0.08, 0.02  # Shares of checks that are not made, and that find a fever.
SYMPTOMS = ["无", "发热、咳嗽"]


class Monitoring:
    """Writes two health checks a day for everyone who was added; some checks are missing."""

    def __init__(self, exports: Exports, rng: np.random.Generator) -> None:
        self._exports = exports
        self._rng = rng
        self._monitored: dict[date, list[pl.DataFrame]] = {}

    def add(self, people: pl.DataFrame, first_day: date, days: Integers | int) -> None:
        """Add people (name, id_number, phone) from a day on; days: how many, for all or for each."""
        people = people.select("name", "id_number", "phone", days=pl.Series(np.broadcast_to(days, people.height)))
        for offset in range(max(people["days"].to_list(), default=0)):
            still = people.filter(pl.col("days") > offset).drop("days")
            self._monitored.setdefault(first_day + timedelta(days=offset), []).append(still)

    def write_day(self, day: date, stamp: str) -> None:
        """Write the checks of one day."""
        if day not in self._monitored:
            return
        people = pl.concat(self._monitored.pop(day)).unique("id_number", maintain_order=True)
        for time_of_day, hour in enumerate(HOURS):
            done = people.filter(self._rng.random(people.height) >= FORGOTTEN)
            count = done.height
            has_fever = self._rng.random(count) < FEVER
            tenths = np.where(has_fever, self._rng.integers(374, 389, count), self._rng.integers(361, 371, count))
            measured = moments(day, hour * 3600 + self._rng.integers(0, 3600, count))
            self._exports.write("health_checks", f"{stamp}_{hour:02d}", pl.DataFrame({
                "health_check_key": numbered(f"HC{stamp}{time_of_day}", np.arange(count), 5), **identity(done),
                "measured_at": measured, "temperature": pl.Series((tenths / 10).round(1)).cast(pl.String),
                "symptoms": chosen(SYMPTOMS, has_fever), "recorded_by": "网格员", "updated_at": measured + timedelta(minutes=10),
            }))  # fmt: skip
