"""A city's people and its outbreak are in proportion to a small town's."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from yingjian.landing.check import has_valid_check_digit
from yingjian.simulate.exports import Exports
from yingjian.simulate.monitoring import Monitoring
from yingjian.simulate.outbreak import Outbreak
from yingjian.simulate.people import GROUPS, make_people, make_strangers
from yingjian.simulate.sampling import Appointments
from yingjian.simulate.scale import Scale

CITY = Scale(1_000_000)
LAST_DAY = date(2022, 7, 24)


@pytest.fixture(scope="module")
def people() -> pl.DataFrame:
    return make_people(np.random.default_rng(1), CITY, LAST_DAY)


def test_numbers_are_valid_and_nobody_has_anothers(people: pl.DataFrame) -> None:
    strangers = make_strangers(np.random.default_rng(2), CITY, 0, 100_000)
    numbers = pl.concat([people["id_number"], strangers["id_number"]])
    assert numbers.n_unique() == len(numbers) == 1_100_000
    assert has_valid_check_digit(numbers).all()


def test_communities_and_grids(people: pl.DataFrame) -> None:
    communities = people.group_by("community").len()["len"]
    assert len(communities) == 250
    assert communities.is_between(2_800, 5_200).all()
    assert people.group_by("community", "grid").len().height == 250 * 6


def test_a_household_shares_a_flat(people: pl.DataFrame) -> None:
    home = ["community", "grid", "building", "room"]
    households = people.group_by("household").agg(pl.len(), pl.struct(home).n_unique().alias("homes"))
    assert households["homes"].max() == 1 and households["len"].max() == 6
    assert households.height == people.select(home).n_unique()
    assert 2.4 < people.height / households.height < 2.8


def test_groups_in_proportion(people: pl.DataFrame) -> None:
    counts = dict(people["group"].cast(pl.String).value_counts().iter_rows())
    for group, (share, _, _) in GROUPS.items():
        assert counts[group] == pytest.approx(share * people.height, rel=0.15)


def test_units_are_small_and_large_and_of_one_group_and_community(people: pl.DataFrame) -> None:
    units = people.filter(pl.col("group") != "").group_by("unit").agg(
        pl.len(), pl.col("group").n_unique().alias("groups"), pl.col("community").n_unique().alias("communities")
    )  # fmt: skip
    assert units["groups"].max() == units["communities"].max() == 1 and units["unit"].min() == 1
    sizes = units["len"]
    assert sizes.median() < 10 < sizes.mean() < 25 and sizes.max() > 100
    assert people.filter(pl.col("group") == "")["unit"].max() == 0


def test_an_outbreak_of_some_hundred_cases(people: pl.DataFrame, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    exports = Exports(tmp_path, 3)
    outbreak = Outbreak(exports, rng, people, CITY, Appointments(rng), Monitoring(exports, rng))
    cases = outbreak.cases
    assert 100 <= cases.height <= 500 and cases["row"].n_unique() == cases.height
    assert cases["zone"].n_unique() == CITY.zones == cases["is_first"].sum()
    assert cases["day"].n_unique() > 10 and cases["day"].is_sorted()
    households = people[cases["row"]]["household"]
    assert households.n_unique() < cases.height  # Some infect those they live with.


@pytest.mark.parametrize(("persons", "communities", "zones", "laboratories"), [(600, 13, 4, 1), (20_000, 13, 4, 1), (1_000_000, 250, 50, 3)])  # fmt: skip
def test_what_grows(persons: int, communities: int, zones: int, laboratories: int) -> None:
    scale = Scale(persons)
    assert (len(scale.communities), scale.zones, len(scale.laboratories)) == (communities, zones, laboratories)
    assert zones + scale.round_communities <= len(scale.communities)
