"""Invented people: names, valid resident numbers, telephones, and where they live and work."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

SURNAMES = list("陈林黄吴蔡洪许谢张王李刘杨郑庄")
GIVEN = list("敏勇芳磊秀杰超军娜洋艳静强丽涛明霞平刚桂英华慧建国伟")
COMMUNITIES = [f"第{i}社区" for i in range(1, 14)]  # Article 37: thirteen communities.
GRIDS = [f"网格{i}" for i in range(1, 7)]
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

# Group -> (share of the town, k tests in n days) in roughly the proportions of a subdistrict.
GROUPS = {
    "1": (0.002, 1, 1), "2": (0.002, 1, 1), "3": (0.003, 1, 1), "4": (0.002, 1, 1), "5": (0.004, 1, 1),
    "6": (0.002, 1, 1), "7": (0.001, 1, 1), "8": (0.015, 2, 7), "9": (0.030, 2, 7), "10": (0.010, 2, 7),
    "11": (0.003, 2, 7), "12": (0.015, 2, 7), "13": (0.025, 2, 7), "14": (0.010, 2, 7), "15": (0.012, 1, 5),
    "16": (0.004, 1, 5), "17": (0.003, 1, 5), "18": (0.004, 1, 5), "19": (0.006, 1, 5), "20": (0.005, 1, 5),
    "21": (0.008, 1, 5), "22": (0.003, 1, 5), "23": (0.080, 0, 0), "24": (0.004, 0, 0), "25": (0.001, 0, 0),
    "26": (0.002, 0, 0), "27": (0.050, 0, 0), "28": (0.012, 0, 0), "38": (0.004, 1, 3), "A28": (0.002, 1, 1),
}  # fmt: skip


def resident_numbers(births: pl.Series, sequence: pl.Series) -> pl.Series:
    """Valid 18-character numbers: area 350503, birth date, a three-digit sequence, ISO 7064 MOD 11-2."""
    stem = pl.select(
        pl.lit("350503") + pl.lit(births).dt.strftime("%Y%m%d") + pl.lit(sequence).cast(pl.String).str.zfill(3)
    ).to_series()
    digits = [pl.lit(stem).str.slice(i, 1).cast(pl.Int32) * weight for i, weight in enumerate(_WEIGHTS)]
    remainder = pl.select((pl.sum_horizontal(digits) % 11).cast(pl.UInt32)).to_series()
    return stem + pl.Series(list("10X98765432")).gather(remainder)


def make_people(rng: np.random.Generator, count: int, last_day: date) -> pl.DataFrame:
    """People with columns name, id_number, phone, birth, community, grid, building, resident_type, group, unit, k, n.

    No two have the same number: the sequence is drawn without repetition within a birth date.
    """
    oldest = date(1935, 1, 1).toordinal()
    births = np.sort(rng.integers(oldest, last_day.toordinal() - 365, count))
    starts = np.flatnonzero(np.diff(births, prepend=-1))
    within = np.arange(count) - np.repeat(starts, np.diff(np.append(starts, count)))
    birth = pl.Series("birth", births - date(1970, 1, 1).toordinal()).cast(pl.Int32).cast(pl.Date)
    # A thousand people to a birth date at most; of a larger town the rest is one day younger, and so on.
    birth = birth - pl.Series(within // 1000).cast(pl.Int64) * pl.Series([86_400_000]).cast(pl.Duration("ms"))
    names = [
        np.array(SURNAMES)[rng.integers(0, len(SURNAMES), count)],
        np.array(GIVEN)[rng.integers(0, len(GIVEN), count)],
        np.array([*GIVEN, ""])[rng.integers(0, len(GIVEN) + 1, count)],
    ]
    codes = [*GROUPS, ""]
    shares = [share for share, _, _ in GROUPS.values()]
    group = np.array(codes)[rng.choice(len(codes), count, p=[*shares, 1 - sum(shares)])]
    people = pl.DataFrame(
        {
            "name": [surname + one + two for surname, one, two in zip(*names, strict=True)],
            "id_number": resident_numbers(birth.cast(pl.Date), pl.Series(within % 1000)),
            "phone": pl.Series(rng.integers(13_000_000_000, 19_999_999_999, count)).cast(pl.String),
            "birth": birth.cast(pl.Date),
            "community": np.array(COMMUNITIES)[rng.integers(0, len(COMMUNITIES), count)],
            "grid": np.array(GRIDS)[rng.integers(0, len(GRIDS), count)],
            "building": [f"{i}号楼" for i in rng.integers(1, 30, count)],
            "resident_type": np.where(rng.random(count) < 0.7, "常住", "流动"),
            "group": group,
            "unit": [f"单位{i}" for i in rng.integers(1, max(3, count // 60), count)],
            "k": [GROUPS[code][1] if code else 0 for code in group],
            "n": [GROUPS[code][2] if code else 0 for code in group],
        }
    )
    return people.sample(fraction=1.0, shuffle=True, seed=int(rng.integers(0, 2**31)))
