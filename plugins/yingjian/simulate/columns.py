"""This module makes columns that several exports share, for all rows at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

RESIDENT_ID = "居民身份证"
Integers = npt.NDArray[np.int64]


def identity(people: pl.DataFrame) -> dict[str, pl.Series | str]:
    """Return the columns that identify each person."""
    return {
        "person_name": people["name"], "id_type": RESIDENT_ID, "id_number": people["id_number"], "phone": people["phone"],
    }  # fmt: skip


def expressions(cells: Mapping[str, pl.Series | str]) -> list[pl.Expr]:
    """Return cells as literals, because `select` takes a string for a column's name; empty columns keep their types."""
    return [pl.lit(cell).alias(name) for name, cell in cells.items()]


def home(people: pl.DataFrame) -> dict[str, pl.Series]:
    return {"community": people["community"], "grid": people["grid"]}


def address(people: pl.DataFrame) -> pl.Series:
    """Return building and flat, which the members of a household share."""
    return people["building"].cast(pl.String) + people["room"].cast(pl.String) + "室"


def labels(texts: list[str], codes: npt.NDArray[np.generic]) -> pl.Series:
    """Return texts by their index in the list, as an Enum of one or two bytes each."""
    return pl.Series(codes.astype(np.uint8 if len(texts) < 256 else np.uint16)).cat.to(pl.Enum(texts))


def chosen(texts: list[str], codes: npt.NDArray[np.generic]) -> pl.Series:
    """Return texts by their index in the list."""
    return pl.Series(texts).gather(codes.astype(np.uint32))


def numbered(prefix: str, numbers: npt.NDArray[np.generic] | pl.Series, width: int) -> pl.Series:
    """Return keys: the prefix and the number, padded with zeros."""
    return prefix + pl.Series(numbers).cast(pl.String).str.zfill(width)


def moments(day: date, seconds: npt.NDArray[np.generic]) -> pl.Series:
    """Return timestamps from seconds after midnight of `day`; they may reach into the next day."""
    return pl.Series(np.datetime64(day, "ms") + seconds.astype(np.int64) * np.timedelta64(1000, "ms"))


def within_an_hour(rng: np.random.Generator, day: date, count: int) -> pl.Series:
    """Return times at which a register of the day was saved, between eight and nine."""
    return moments(day, rng.integers(8 * 3600, 9 * 3600, count))


def releases(rng: np.random.Generator, day: date, record_key: pl.Series, id_number: pl.Series) -> pl.DataFrame:
    """Return rows of `releases` that end the control of these records, with all results negative."""
    return pl.select(expressions({
        "release_key": "RL" + record_key, "record_key": record_key, "id_type": RESIDENT_ID, "id_number": id_number,
        "release_type": "全部管控", "person_result": "阴性", "objects_result": "阴性", "environment_result": "阴性",
        "updated_at": within_an_hour(rng, day, len(record_key)),
    })).with_columns(release_date=day)  # fmt: skip


def samples(
    people: pl.DataFrame,
    key: pl.Series,
    sampled_at: pl.Series,
    *,
    point: pl.Series | str,
    laboratory: pl.Series | str,
    tube: pl.Series | str = "",
    result: pl.Series | str = "阴性",
    hours: int = 6,
) -> pl.DataFrame:
    """Return rows of `test_results`: mixed samples have a tube; the result is known after `hours`."""
    tested_at = sampled_at + timedelta(hours=hours)
    frame = pl.select(expressions({
        "sample_key": key, **identity(people), "sampled_at": sampled_at, "sampling_point": point, "tube_no": tube,
        "laboratory": laboratory, "tested_at": tested_at, "result": result, "updated_at": tested_at + timedelta(hours=1),
    }))  # fmt: skip
    is_single = pl.col("tube_no") == ""
    return frame.with_columns(sampling_method=pl.when(is_single).then(pl.lit("单采")).otherwise(pl.lit("混采")))
