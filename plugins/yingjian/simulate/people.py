"""This module invents people: names, valid resident numbers, telephones, households, and where they live and work."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from yingjian.simulate.columns import Integers, chosen, labels, numbered
from yingjian.simulate.scale import GRIDS, Scale

HERE, ELSEWHERE = "350503", "330106"  # These area codes keep numbers of residents and newcomers distinct.
SURNAMES = list("陈林黄吴蔡洪许谢张王李刘杨郑庄")
GIVEN = list("敏勇芳磊秀杰超军娜洋艳静强丽涛明霞平刚桂英华慧建国伟")
NAMES = [surname + one + two for surname in SURNAMES for one in GIVEN for two in [*GIVEN, ""]]
BUILDINGS = 29  # A grid has this many buildings.
OLDEST = date(1935, 1, 1)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = list("10X98765432")
_EPOCH = date(1970, 1, 1).toordinal()
# Households of one to six people have these shares in the national census of 2020.
_HOUSEHOLDS = (0.254, 0.297, 0.210, 0.132, 0.062, 0.045)
# The size of a unit is log-normal: most units are small and a few are large.
_UNIT_MEDIAN, _UNIT_SIGMA = 9, 1.2
# The birth dates and sequence numbers of strangers run through all pairs, so that no two strangers have the same number.
_STRIDE, _BIRTHS = 7_368_787, 25_000

# Group -> (share of the town, k tests in n days) in roughly the proportions of a subdistrict.
GROUPS = {
    "1": (0.002, 1, 1), "2": (0.002, 1, 1), "3": (0.003, 1, 1), "4": (0.002, 1, 1), "5": (0.004, 1, 1),
    "6": (0.002, 1, 1), "7": (0.001, 1, 1), "8": (0.015, 2, 7), "9": (0.030, 2, 7), "10": (0.010, 2, 7),
    "11": (0.003, 2, 7), "12": (0.015, 2, 7), "13": (0.025, 2, 7), "14": (0.010, 2, 7), "15": (0.012, 1, 5),
    "16": (0.004, 1, 5), "17": (0.003, 1, 5), "18": (0.004, 1, 5), "19": (0.006, 1, 5), "20": (0.005, 1, 5),
    "21": (0.008, 1, 5), "22": (0.003, 1, 5), "23": (0.080, 0, 0), "24": (0.004, 0, 0), "25": (0.001, 0, 0),
    "26": (0.002, 0, 0), "27": (0.050, 0, 0), "28": (0.012, 0, 0), "38": (0.004, 1, 3), "A28": (0.002, 1, 1),
}  # fmt: skip


def resident_numbers(area: str, births: Integers, sequence: Integers) -> pl.Series:
    """Return valid 18-character numbers: area, birth date (days since 1970), three-digit sequence, ISO 7064 MOD 11-2.

    For speed, texts and weighted sums come from lookup tables of the dates and of the thousand sequence numbers.
    """
    if not len(births):
        return pl.Series(dtype=pl.String)
    first, last = int(births.min()), int(births.max())
    dates = pl.Series(np.arange(first, last + 1).astype("datetime64[D]")).dt.strftime("%Y%m%d")
    ordinals = numbered("", np.arange(1000), 3)
    sums = (
        _weighted(np.array([int(area)]), 6, 0)[0]
        + _weighted(dates.cast(pl.Int64).to_numpy(), 8, 6)[births - first]
        + _weighted(np.arange(1000), 3, 14)[sequence]
    )
    return pl.select(
        pl.concat_str(
            pl.lit(area),
            dates.gather(births - first),
            ordinals.gather(sequence),
            pl.Series(_CHECK_DIGITS).gather(sums % 11),
        )
    ).to_series()


def _weighted(numbers: Integers, digits: int, place: int) -> Integers:
    """Return the weighted digit sum of each number; `place` is the position of its first digit in the resident number."""
    powers = 10 ** np.arange(digits - 1, -1, -1)
    return np.asarray((numbers[:, None] // powers % 10) @ np.array(_WEIGHTS[place : place + digits]))


def make_people(rng: np.random.Generator, scale: Scale, last_day: date) -> pl.DataFrame:
    """Return the town's people in the order of their homes, in less than 100 bytes each.

    Columns: name, id_number, phone, birth, household, community, grid, building, room, laboratory, resident_type,
    group ("" for none), unit (0 for none), step (days from one test to the next; 0: no rolling duty).
    """
    count = scale.persons
    births = rng.integers(OLDEST.toordinal(), last_day.toordinal() - 365, count) - _EPOCH
    homes = _homes(rng, scale)
    groups = list(GROUPS)
    shares = [share for share, _, _ in GROUPS.values()]
    group = rng.choice(len(groups) + 1, count, p=[1 - sum(shares), *shares])
    steps = np.array([0, *(n // max(k, 1) for _, k, n in GROUPS.values())], dtype=np.uint8)
    return pl.DataFrame(
        {
            "name": _names(rng, count),
            "id_number": resident_numbers(HERE, births, _within(births)),
            "phone": _phones(rng, count),
            "birth": pl.Series(births.astype("datetime64[D]")),
            **homes,
            "resident_type": labels(["流动", "常住"], rng.random(count) < 0.7),
            "group": labels(["", *groups], group),
            "unit": _units(rng, group, homes["community"].to_physical().cast(pl.Int64).to_numpy()),
            "step": steps[group],
        }
    )


def make_strangers(rng: np.random.Generator, scale: Scale, first: int, count: int) -> pl.DataFrame:
    """Return `count` persons from elsewhere, from number `first` on: name, id_number, phone, and where they will stay."""
    walk = np.arange(first, first + count) * _STRIDE % (_BIRTHS * 1000)
    births = walk % _BIRTHS + OLDEST.toordinal() - _EPOCH
    return pl.DataFrame(
        {
            "name": _names(rng, count),
            "id_number": resident_numbers(ELSEWHERE, births, walk // _BIRTHS),
            "phone": _phones(rng, count),
            "community": labels(scale.communities, rng.integers(0, len(scale.communities), count)),
            "grid": labels(GRIDS, rng.integers(0, len(GRIDS), count)),
        }
    )


def _within(values: Integers) -> Integers:
    """Return, for each value, how many equal values come before it."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
    within = np.empty(len(values), dtype=np.int64)
    within[order] = np.arange(len(values)) - np.repeat(starts, np.diff(np.append(starts, len(values))))
    return within


def _names(rng: np.random.Generator, count: int) -> pl.Series:
    return chosen(NAMES, rng.integers(0, len(NAMES), count))


def _phones(rng: np.random.Generator, count: int) -> pl.Series:
    return pl.Series(rng.integers(13_000_000_000, 19_999_999_999, count)).cast(pl.String)


def _homes(rng: np.random.Generator, scale: Scale) -> dict[str, pl.Series]:
    """Return each person's home: households fill grid after grid, and communities differ in size by up to a quarter."""
    sizes = rng.choice(len(_HOUSEHOLDS), scale.persons // 2 + 10, p=_HOUSEHOLDS) + 1
    count = int(np.searchsorted(np.cumsum(sizes), scale.persons)) + 1
    weights = np.repeat(rng.uniform(0.75, 1.25, len(scale.communities)), len(GRIDS))
    place = np.searchsorted(np.cumsum(weights) / weights.sum(), (np.arange(count) + 0.5) / count)
    building = _within(place) * BUILDINGS // np.bincount(place)[place]
    room = _within(place * BUILDINGS + building)
    household = np.repeat(np.arange(count), sizes[:count])[: scale.persons]
    community = place // len(GRIDS)
    return {
        name: values.gather(household)
        for name, values in {
            "household": pl.Series(np.arange(count, dtype=np.uint32)),
            "community": labels(scale.communities, community),
            "grid": labels(GRIDS, place % len(GRIDS)),
            "building": labels([f"{i}号楼" for i in range(1, BUILDINGS + 1)], building),
            "room": pl.Series(((room // 2 + 1) * 100 + room % 2 + 1).astype(np.uint16)),  # A floor has two flats.
            "laboratory": labels(scale.laboratories, community * len(scale.laboratories) // len(scale.communities)),
        }.items()
    }


def _units(rng: np.random.Generator, group: Integers, community: Integers) -> npt.NDArray[np.uint32]:
    """Return each person's unit (0 for none): its members are of one group and live in one community."""
    order = np.lexsort((community, group))
    order = order[group[order] > 0]
    block = group[order] * (community.max(initial=0) + 1) + community[order]
    sizes = np.ceil(rng.lognormal(np.log(_UNIT_MEDIAN), _UNIT_SIGMA, len(order))).astype(np.int64)
    begins = np.diff(block, prepend=-1) != 0
    begins[(ends := np.cumsum(sizes))[ends < len(order)]] = True
    unit = np.zeros(len(group), dtype=np.uint32)
    unit[order] = np.cumsum(begins)
    return unit
