"""The office may hide from its own logins in which grid a person lives, who is one of few of a unit there."""

from __future__ import annotations

import getpass
from collections.abc import Iterator

import pytest

from tests import support
from tests.readers import Town, with_logins
from yingjian.database import warehouse
from yingjian.modelling.marts import published
from yingjian.privacy import access
from yingjian.publishing.reader_views import GRIDS
from yingjian.settings import Settings

OF_PERSONS = {mart.name: [name for name in GRIDS if name in mart.columns] for mart in published().values()
              if mart.rows == "persons" and mart.reader_schema == "reporting"}  # fmt: skip


@pytest.fixture(scope="module")
def town(world: Settings) -> Iterator[Town]:
    with with_logins(world) as town:
        yield town


def choose(settings: Settings, shown: bool) -> None:
    with warehouse.connect(settings) as conn:
        access.choose_grids(conn, shown, getpass.getuser(), "单位与网格交叉人数过少")


@pytest.fixture
def hidden(town: Town) -> Iterator[None]:
    choose(town.settings, False)
    yield
    choose(town.settings, True)


def seen(town: Town, role: str) -> dict[str, int]:
    """How many rows of each mart of persons say where in the community the person lives."""
    with town.as_(role) as conn:
        return {
            mart: conn.execute(f"select count(coalesce({', '.join(names)})) from reporting.{mart}").fetchone()[0]  # type: ignore
            for mart, names in OF_PERSONS.items()
            if names
        }


def test_the_marts_of_persons_are_thought_of() -> None:
    assert {"obligation", "due", "overdue", "screening_outstanding", "contact_clock"} <= OF_PERSONS.keys()
    assert all("grid" in names for mart, names in OF_PERSONS.items() if mart in ("obligation", "due", "overdue"))


def test_grids_are_seen_until_the_office_decides_otherwise(town: Town) -> None:
    counts = seen(town, "bi_reader")
    assert counts["obligation"] > 0 and counts["screening_outstanding"] > 0


@pytest.mark.parametrize("role", ["bi_reader", "m-office"])
def test_logins_of_the_office_see_no_grid_of_a_person(town: Town, hidden: None, role: str) -> None:
    assert {mart: count for mart, count in seen(town, role).items() if count} == {}
    with town.as_(role) as conn:
        [(cells,)] = conn.execute(
            "select count(distinct (unit, grid)) filter (where grid <> '') from reporting.obligation"
        )
        assert cells == 0
        [(counted,)] = conn.execute("select count(*) from reporting.obligation where unit is not null")
        assert counted > 0, "units are seen"
        assert conn.execute("select count(*) from reporting.screening_round where grid <> ''").fetchone() != (0,)


def test_those_who_must_find_the_persons_see_them(town: Town, hidden: None) -> None:
    assert seen(town, "m-community")["obligation"] > 0
    assert seen(town, "m-grid")["obligation"] > 0, "a grid's own reader looks for its persons"
    assert support.query(town.settings, "select count(grid) > 0 from reporting.obligation") == [(True,)]


def test_the_choice_is_in_the_trail_with_its_reason(town: Town, hidden: None) -> None:
    last = "select action, object, reason from audit.event where object = 'grids' order by event_id desc limit 1"
    assert support.query(town.settings, last) == [("access_revoke", "grids", "单位与网格交叉人数过少")]
    with warehouse.connect(town.settings) as conn, pytest.raises(ValueError, match="--reason"):
        access.choose_grids(conn, True, "tester", "12")


def test_readers_and_services_choose_nothing(town: Town) -> None:
    for role in ("bi_reader", "m-office", "reporter", "publisher"):
        with town.as_(role) as conn, pytest.raises(Exception, match=r"permission denied|read-only"):
            conn.execute("update access.office_choice set shows_grids = true")
