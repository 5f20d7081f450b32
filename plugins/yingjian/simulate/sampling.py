"""This module writes samples: everyday ones, those by appointment, and in the outbreak those of annex rows 23 to 28."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from yingjian.simulate.columns import RESIDENT_ID, Integers, chosen, moments, numbered, samples
from yingjian.simulate.exports import Exports
from yingjian.simulate.scale import Scale

HISTORY_DAYS = 14  # Tests before the first day are needed, because rolling duties look back.
TUBE = 10  # Samples of a tube: neighbours, one after the other.
CARELESS = 0.08  # Share of people who mostly forget their duty.
KEEPS = (0.995, 0.35)  # These shares of duties are met: by others, by the careless.
PENDING, INVALID = 0.03, 0.002
UNIT_GROUPS = [str(row) for row in range(23, 29)]
ROUND = (0.7, 0.95)  # These shares of the roster are sampled by the end of the first and second day.
DAILY = 0.3  # Then each day, except in the unit that forgets it.


class Appointments:
    """Future samples of people under control or follow-up: most are given on the day required, some a day late or never."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._people_by_day: dict[date, list[pl.DataFrame]] = {}

    def add(self, people: pl.DataFrame, days: npt.NDArray[np.datetime64]) -> None:
        """Give each person one appointment, on the day at the same index of `days` or a day later."""
        draw = self._rng.random(people.height)
        days = days.astype("datetime64[D]") + (draw > 0.84)
        people = people.select("name", "id_number", "phone").with_columns(
            second=pl.Series(self._rng.integers(9 * 3600, 20 * 3600, people.height))
        )
        for day in np.unique(days):
            self._people_by_day.setdefault(day.item(), []).append(people.filter((days == day) & (draw < 0.93)))

    def take(self, day: date, laboratory: str) -> list[pl.DataFrame]:
        """Return the samples of a day as a list of one frame, or of none."""
        people = pl.concat(self._people_by_day.pop(day)) if day in self._people_by_day else pl.DataFrame()
        if people.is_empty():
            return []
        key = numbered(f"C{day:%Y%m%d}", np.arange(people.height), 5)
        return [
            samples(people, key, moments(day, people["second"].to_numpy()), point="上门采样", laboratory=laboratory)
        ]


class Everyday:
    """Writes the samples that people give by duty or habit, one file for each laboratory and day.

    careless: rows of the people with a rolling duty that they mostly forget.
    """

    def __init__(
        self,
        exports: Exports,
        rng: np.random.Generator,
        people: pl.DataFrame,
        scale: Scale,
        appointments: Appointments,
    ) -> None:
        self._exports = exports
        self._rng = rng
        self._people = people
        self._scale = scale
        self._appointments = appointments
        self._step = people["step"].to_numpy()
        self._offset = rng.integers(0, 7, people.height, dtype=np.uint16)
        self._keeps = np.where(rng.random(people.height) < CARELESS, KEEPS[1], KEEPS[0]).astype(np.float32)
        self.careless: Integers = np.flatnonzero((self._step > 0) & (self._keeps < KEEPS[0]))
        # People are in the order of their homes, and those of a laboratory's communities follow one another.
        ends = np.searchsorted(people["laboratory"].to_physical().to_numpy(), np.arange(len(scale.laboratories) + 1))
        self._parts = list(zip(scale.laboratories, ends[:-1].tolist(), ends[1:].tolist(), strict=True))
        self._pending: dict[str, pl.DataFrame] = {}
        self._count = 0

    def write_history(self, first_day: date, stamp: str) -> None:
        """Write the two weeks before the first day, with all results."""
        self._exports.write_frames("test_results", f"{stamp}_h", (
            self._samples(index, first_day + timedelta(days=index), *part, []).with_columns(
                pl.col("result").replace("待出", "阴性")
            )
            for index in range(-HISTORY_DAYS, 0) for part in self._parts
        ))  # fmt: skip

    def write_day(self, index: int, day: date, stamp: str, cases: list[int]) -> None:
        """Write one day's samples; index: day of the simulation, from 0; cases: rows of the infected, who give none."""
        for place, (laboratory, begin, end) in enumerate(self._parts):
            rows = self._samples(index, day, laboratory, begin, end, cases)
            frames = [rows, *self._appointments.take(day, laboratory)]
            if laboratory in self._pending:
                # Yesterday's pending samples are exported again, now with a result.
                frames.append(
                    self._pending[laboratory].with_columns(
                        result=pl.lit("阴性"), updated_at=pl.lit(datetime.combine(day, time(7, 30)), pl.Datetime("ms"))
                    )
                )
            self._pending[laboratory] = rows.filter(pl.col("result") == "待出")
            bad = _bad_tests(day, rows) if place == 0 and rows.height else None
            suffix = f"_lab{laboratory[-1]}" if len(self._parts) > 1 else ""
            self._exports.write("test_results", stamp + suffix, pl.concat(frames), bad)

    def _samples(self, index: int, day: date, laboratory: str, begin: int, end: int, cases: list[int]) -> pl.DataFrame:
        """Return the samples of the people from row `begin` to before `end`."""
        step = self._step[begin:end]
        is_due = (step > 0) & ((index + HISTORY_DAYS + self._offset[begin:end]) % np.maximum(step, 1) == 0)
        is_sampled = self._rng.random(end - begin) < np.where(is_due, self._keeps[begin:end], self._scale.habit)
        is_sampled[[case - begin for case in cases if begin <= case < end]] = False
        rows = np.flatnonzero(is_sampled) + begin
        count = len(rows)
        numbers = np.arange(self._count, self._count + count)
        self._count += count
        seconds = self._rng.integers(6 * 3600, 21 * 3600, count // TUBE + 1)[np.arange(count) // TUBE]
        is_single = pl.Series(self._rng.random(count) < 0.15)
        tube = numbered("T", numbers // TUBE, 9)
        draw = self._rng.random(count)
        return samples(
            self._people[rows],
            numbered("S", numbers, 10),
            moments(day, seconds + np.arange(count) % TUBE * 20),
            point=chosen(self._scale.points, rows * len(self._scale.points) // self._people.height),
            laboratory=laboratory,
            tube=pl.select(pl.when(is_single).then(pl.lit("")).otherwise(tube)).to_series(),
            result=chosen(["阴性", "待出", "无效"], (draw < PENDING + INVALID).astype(int) + (draw < INVALID)),
            hours=7,
        )


class UnitSampling:
    """Writes the samples that schools, homes, prisons, workshops and building sites take (articles 10, 11)."""

    def __init__(self, exports: Exports, rng: np.random.Generator, people: pl.DataFrame) -> None:
        self._exports = exports
        self._rng = rng
        self._people = people
        self._rows = np.flatnonzero(people["group"].cast(pl.String).is_in(UNIT_GROUPS).to_numpy())
        self._unit = people["unit"].to_numpy()[self._rows]
        self._draw = rng.random(len(self._rows))
        self._forgetful = np.bincount(self._unit).argmax() if len(self._unit) else 0  # The largest unit forgets.

    def write_day(self, since: int, day: date, stamp: str, cases: list[int]) -> None:
        """Write the samples of one day; since: day of the outbreak, from 0; cases: rows of the people found so far."""
        if since < len(ROUND):
            is_sampled = (self._draw < ROUND[since]) & (self._draw >= (ROUND[since - 1] if since else 0))
        else:
            is_sampled = (self._rng.random(len(self._rows)) < DAILY) & (self._unit != self._forgetful)
        rows: Integers = self._rows[is_sampled & ~np.isin(self._rows, cases)]
        people = self._people[rows]
        self._exports.write(
            "test_results",
            f"{stamp}_u",
            samples(
                people,
                numbered(f"U{stamp}", rows, 7),
                moments(day, self._rng.integers(9 * 3600, 17 * 3600, len(rows))),
                point=numbered("单位", people["unit"], 1),
                laboratory=people["laboratory"].cast(pl.String),
                tube=numbered(f"U{stamp}", np.arange(len(rows)) // TUBE, 5),
            ),
        )


def _bad_tests(day: date, rows: pl.DataFrame) -> list[dict[str, str]]:
    """Return rows that landing must reject: wrong check digit, number in scientific notation, invalid date, unknown result."""
    number = rows["id_number"][0]
    wrong = number[:-1] + ("1" if number[-1] != "1" else "2")
    good = {"样本编号": "", "证件类型": RESIDENT_ID, "证件号码": number, "采样时间": f"{day} 08:00", "采样方式": "单采",
            "检测结果": "阴性", "更新时间": f"{day} 12:00"}  # fmt: skip
    bad = [{"证件号码": wrong}, {"证件号码": "3.50503E+17"}, {"采样时间": "2022-02-30 10:00"}, {"检测结果": "不明"}]
    return [good | {"样本编号": f"BAD{day:%m%d}{i}"} | problem for i, problem in enumerate(bad)]
