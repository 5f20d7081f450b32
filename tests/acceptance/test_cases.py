"""The worked cases: exactly the rows that must come out, in order and each date alone, whatever the order of files.

Compared are reporting.obligation and reporting.risk_zone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from tests import support
from tests.conftest import HomeFactory
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.settings import Settings

pytestmark = pytest.mark.skipif(
    not support.CASES.is_dir(), reason=f"the worked cases are not at {support.CASES}; set YINGJIAN_SHARED"
)
TOWNS = sorted(path.name for path in support.CASES.glob("town-*"))
DATES = {town: sorted(path.name for path in (support.CASES / town / "expected").glob("2*")) for town in TOWNS}
TOWN_DATES = [(town, day) for town in TOWNS for day in DATES[town]]


@pytest.fixture(scope="module")
def landed(home_factory: HomeFactory) -> Callable[[str], Settings]:
    """Homes in which nothing but the landing of a town has happened; a town is landed once and copied."""
    towns: dict[str, Settings] = {}

    def make(name: str) -> Settings:
        if name not in towns:
            towns[name] = home_factory(name)
            support.land_folder(towns[name], support.CASES / name / "landing")
        return home_factory(f"{name}-copy", towns[name])

    return make


@pytest.fixture(scope="module", params=TOWNS)
def town(request: pytest.FixtureRequest, landed: Callable[[str], Settings]) -> tuple[str, Settings]:
    return request.param, landed(request.param)


def assert_day(settings: Settings, town: str, day: str) -> None:
    folder = support.CASES / town / "expected" / day
    assert sorted(support.query(settings, support.OBLIGATIONS)) == support.expected(folder / "obligation.csv")
    assert sorted(support.query(settings, support.ZONES)) == support.expected(folder / "risk_zone.csv")


def test_every_date_in_order(town: tuple[str, Settings]) -> None:
    name, settings = town
    for day in DATES[name]:
        support.run_day(settings, date.fromisoformat(day))
        assert_day(settings, name, day)
    history = support.query(settings, "select distinct as_of_date::text from reporting.compliance_daily order by 1")
    assert [row[0] for row in history] == DATES[name]


def test_quarantine(town: tuple[str, Settings]) -> None:
    name, settings = town
    rejected = support.query(
        settings, "select feed, coalesce(record_key, ''), unnest(reason_codes) from quality.rejected_row"
    )
    assert sorted(rejected) == support.expected(support.CASES / name / "expected" / "rejected.csv")


def test_row_balance(town: tuple[str, Settings]) -> None:
    _, settings = town
    unbalanced = support.query(
        settings,
        "select file_name from quality.landed_file where rows_read <> rows_staged + rows_rejected + rows_superseded",
    )
    assert unbalanced == []
    assert support.query(settings, "select count(*) > 50 from quality.landed_file") == [(True,)]


@pytest.mark.parametrize(("name", "day"), [(t, d) for t, d in TOWN_DATES if d != DATES[t][0]])
def test_a_date_alone_in_a_fresh_home(name: str, day: str, landed: Callable[[str], Settings]) -> None:
    home = landed(name)
    support.run_day(home, date.fromisoformat(day))
    assert_day(home, name, day)
    EmbeddedPostgres(home).stop()


def test_files_in_another_order(tmp_path: Path, fresh_home: Settings) -> None:
    """The newest file comes first, in two deliveries."""
    name, day = TOWN_DATES[-1]
    files = sorted((support.CASES / name / "landing").rglob("*.*"), reverse=True)
    for i, part in enumerate((files[: len(files) // 2], files[len(files) // 2 :])):
        for j, file in enumerate(part):
            target = tmp_path / f"part{i}" / file.parent.name / f"{j:05d}{file.suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            os.utime(target, (1_660_000_000 + j, 1_660_000_000 + j))
        support.land_folder(fresh_home, tmp_path / f"part{i}")
    support.run_day(fresh_home, date.fromisoformat(day))
    assert_day(fresh_home, name, day)
