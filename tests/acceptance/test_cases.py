"""The worked cases: exactly the rows that must come out, in order and each date alone, whatever the order of files.

Each file `expected/<date>/<mart>.csv` is compared with the mart of that name, by the columns that it has.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests import support
from tests.conftest import HomeFactory
from tests.skips import needs_shared
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.settings import Settings

CASES = support.CASES / "next"
pytestmark = needs_shared(CASES)
TOWNS = sorted(path.name for path in CASES.glob("town-*"))
DATES = {town: sorted(path.name for path in (CASES / town / "expected").glob("2*")) for town in TOWNS}
TOWN_DATES = [(town, day) for town in TOWNS for day in DATES[town]]
FIRSTS = [(town, days[0]) for town, days in DATES.items()]
FILES = [
    (town, day, path.stem)
    for town, day in TOWN_DATES
    for path in sorted((CASES / town / "expected" / day).glob("*.csv"))
]


def by_cost(cases: list[Any]) -> list[Any]:
    """Each date alone needs a home of its own: the last town's first date is quick, the other towns' first dates are slow.

    Later dates are compared in order, too, so that `make test-beyond` alone has them in fresh homes.
    """

    def marks(date: tuple[str, str]) -> tuple[pytest.MarkDecorator, ...]:
        return (pytest.mark.beyond,) if date not in FIRSTS else () if date == FIRSTS[-1] else (pytest.mark.slow,)

    return [pytest.param(*case, marks=marks(case[:2])) for case in cases]


# Some columns of a file are called otherwise in the mart, or are computed from it.
COLUMNS = {
    "obligation": {"membership_id": "case when group_code <> 'P24' then membership_id end"},
    "due": {"membership_id": "case when group_code <> 'P24' then membership_id end"},
    "overdue": {"membership_id": "case when group_code <> 'P24' then membership_id end"},
    "risk_zone": {"mismatch": "mismatch is not null", "blockers": "array_to_string(blockers, '、')"},
    "sampling_unit_daily": {"day": "sampling_day"},
    "disinfection_daily": {"day": "disinfection_date"},
    "health_monitoring": {"day": "monitored_on"},
}
# A file leaves out the other rows of the mart.
OUTBREAK = "'23', '24', '25', '26', '27', '28'"
WHERE = {"disposition_daily": "list = 'overdue'"}
WHERE_OF_SMALL_TOWNS = {"obligation": f"group_code not in ({OUTBREAK}, 'P19', 'P24')"}
CURRENT = "as_of_date = (select as_of_date from reporting.publication)"
HISTORIES = {"disposition_daily"}


@pytest.fixture(scope="module")
def landed(home_factory: HomeFactory) -> Callable[[str], Settings]:
    """Homes in which nothing but the landing of a town has happened; a town is landed once and copied."""
    towns: dict[str, Settings] = {}

    def make(name: str) -> Settings:
        if name not in towns:
            towns[name] = home_factory(name)
            support.land_folder(towns[name], CASES / name / "landing")
        return home_factory(f"{name}-copy", towns[name])

    return make


def rows_of(path: Path) -> tuple[list[str], list[tuple[str, ...]]]:
    """The function gives the header and the rows of a file."""
    with path.open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return header, [tuple(row) for row in rows]


def mart_rows(settings: Settings, town: str, mart: str, header: list[str]) -> list[tuple[str, ...]]:
    """The rows of a mart in the columns of a file, each value as the file writes it."""
    named = COLUMNS.get(mart, {})
    columns = ", ".join(
        "person.id_number" if column == "id_number" else f"({named.get(column, f'mart.{column}')})::text"
        for column in header
    )
    where = [WHERE[mart]] if mart in WHERE else []
    where += [CURRENT] if mart in HISTORIES else []
    if "satisfied_on" not in header and mart in WHERE_OF_SMALL_TOWNS:
        where.append(WHERE_OF_SMALL_TOWNS[mart])
    source = f"reporting.{mart} as mart"
    if "id_number" in header:
        source += " left join (select person_key, id_number from restricted.person) as person using (person_key)"
    query = f"select {columns} from {source} where {' and '.join(where) or 'true'}"
    return [tuple(written(cell) for cell in row) for row in support.query(settings, query)]


def written(cell: str | None) -> str:
    """A number is written without zeros at its end."""
    if cell is None:
        return ""
    return cell.rstrip("0").rstrip(".") if re.fullmatch(r"-?\d+\.\d+", cell) else cell


def differences(settings: Settings, town: str, day: str, mart: str) -> list[str]:
    """The rows that one side has more often than the other, without the person: a report of a test shows no document number."""
    header, rows = rows_of(CASES / town / "expected" / day / f"{mart}.csv")
    expected = Counter(tuple(written(cell) for cell in row) for row in rows)
    counts = Counter(mart_rows(settings, town, mart, header))
    shown = [i for i, column in enumerate(header) if column != "id_number"]
    return [
        f"{side}: " + ", ".join(row[i] for i in shown)
        for side, rest in (("missing", expected - counts), ("not expected", counts - expected))
        for row in sorted(rest.elements())
    ]


@pytest.fixture(scope="module")
def alone(landed: Callable[[str], Settings]) -> Callable[[str, str], Settings]:
    """Homes in which one date of a town alone was published; each is made once, whichever mart asks first."""
    homes: dict[tuple[str, str], Settings] = {}

    def make(town: str, day: str) -> Settings:
        if (town, day) not in homes:
            homes[town, day] = landed(town)
            support.run_day(homes[town, day], date.fromisoformat(day))
        return homes[town, day]

    return make


@pytest.mark.parametrize(("town", "day", "mart"), by_cost(FILES))
def test_a_date_alone_in_a_fresh_home(alone: Callable[[str, str], Settings], town: str, day: str, mart: str) -> None:
    difference = differences(alone(town, day), town, day, mart)
    assert not difference, f"{len(difference)} rows differ:\n" + "\n".join(difference[:20])


@pytest.mark.parametrize(("town", "day"), by_cost(TOWN_DATES))
def test_a_control_that_may_not_be_released_says_why(
    alone: Callable[[str, str], Settings], town: str, day: str
) -> None:
    silent = "select membership_id from reporting.control where not may_be_released and missing = ''"
    assert support.query(alone(town, day), silent) == []


@pytest.mark.slow
@pytest.mark.parametrize("town", TOWNS)
def test_every_date_in_order(town: str, home_factory: HomeFactory, alone: Callable[[str, str], Settings]) -> None:
    """An earlier publication changes nothing, and each published date stays in the history."""
    settings = home_factory(f"{town}-in-order", alone(town, DATES[town][0]))
    for day in DATES[town][1:]:
        support.run_day(settings, date.fromisoformat(day))
        for mart in (mart for name, when, mart in FILES if (name, when) == (town, day)):
            assert differences(settings, town, day, mart) == [], mart
    history = support.query(settings, "select distinct as_of_date::text from reporting.compliance_daily order by 1")
    assert [row[0] for row in history] == DATES[town]
    EmbeddedPostgres(settings).stop()


@pytest.fixture(scope="module", params=TOWNS)
def quarantined(request: pytest.FixtureRequest, landed: Callable[[str], Settings]) -> tuple[str, Settings]:
    return request.param, landed(request.param)


def test_quarantine(quarantined: tuple[str, Settings]) -> None:
    """Exactly these rows were rejected, each for the reason of the file; a row may have more."""
    town, settings = quarantined
    _, expected = rows_of(CASES / town / "expected" / "rejected.csv")
    rejected = support.query(settings, "select feed, coalesce(record_key, ''), reason_codes from quality.rejected_row")
    assert sorted(row[:2] for row in rejected) == sorted(row[:2] for row in expected)
    codes = {(feed, key, code) for feed, key, reasons in rejected for code in reasons}
    assert set(expected) - codes == set()


def test_row_balance(quarantined: tuple[str, Settings]) -> None:
    _, settings = quarantined
    unbalanced = support.query(
        settings,
        "select file_name from quality.landed_file where rows_read <> rows_staged + rows_rejected + rows_superseded",
    )
    assert unbalanced == []
    assert support.query(settings, "select count(*) > 50 from quality.landed_file") == [(True,)]


@pytest.mark.beyond
def test_files_in_another_order(tmp_path: Path, fresh_home: Settings) -> None:
    """The newest file comes first, in two deliveries."""
    town, day = TOWN_DATES[-1]
    files = sorted((CASES / town / "landing").rglob("*.*"), reverse=True)
    for i, part in enumerate((files[: len(files) // 2], files[len(files) // 2 :])):
        for j, file in enumerate(part):
            target = tmp_path / f"part{i}" / file.parent.name / f"{j:05d}{file.suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            os.utime(target, (1_660_000_000 + j, 1_660_000_000 + j))
        support.land_folder(fresh_home, tmp_path / f"part{i}")
    support.run_day(fresh_home, date.fromisoformat(day))
    for mart in (mart for name, when, mart in FILES if (name, when) == (town, day)):
        assert differences(fresh_home, town, day, mart) == [], mart
