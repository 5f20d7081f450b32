"""The marts of the whole plan over the simulated town: none is empty, and each shows what happened there."""

from __future__ import annotations

import pytest

from tests import support
from tests.conftest import WORLD_DAY
from yingjian.settings import Settings

MARTS = [
    "screening_round",
    "screening_building",
    "screening_outstanding",
    "screening_progress",
    "vaccination_60plus",
    "vaccination_outstanding",
    "key_site_disinfection",
    "disinfection_daily",
    "terminal_disinfection",
    "readiness",
    "grid_population",
    "town_state",
    "indicator",
    "dim_article",
    "dim_community",
    "dim_date",
    "dim_department",
    "dim_grid",
    "dim_group",
    "dim_unit",
    "code_label",
    "bridge_group_department",
    "bridge_zone_community",
    "zone_level_period",
    "overdue_episode",
    "sampling_point_hourly",
]


@pytest.mark.parametrize("mart", MARTS)
def test_the_mart_is_not_empty(world: Settings, mart: str) -> None:
    dates = support.query(world, f"select distinct as_of_date from reporting.{mart}")
    assert dates == [(WORLD_DAY,)]


def test_screening_rounds(world: Settings) -> None:
    """Articles 21, 24, 34: one round is over, with some late and some left out; the other goes on at the end of D."""
    rounds = {
        row[0]: row[1:]
        for row in support.query(
            world,
            """
            select round_id, sum(in_scope), sum(sampled_in_time), sum(sampled_late), sum(outstanding), min(status), max(status)
            from reporting.screening_round group by round_id
            """,
        )
    }
    assert set(rounds) == {"GG2", "GG3"}
    over, running = rounds["GG2"], rounds["GG3"]
    assert over[1] > 0.8 * over[0] and over[2] > 0 and over[3] > 0
    assert running[1] > 0 and running[2] == 0 and running[3] > 0 and "running" in running[4:]
    listed = dict(
        support.query(world, "select round_id, count(*) from reporting.screening_outstanding group by round_id")
    )
    assert listed == {"GG2": over[3], "GG3": running[3]}
    hours = dict(support.query(world, "select round_id, max(hour) from reporting.screening_progress group by round_id"))
    assert hours == {"GG2": 24, "GG3": 10}


def test_whoever_is_outstanding_can_be_found(world: Settings) -> None:
    lost = support.query(
        world,
        """
        select person_key from reporting.screening_outstanding
        where person_key not in (select person_key from restricted.person where name <> '' and phone <> '')
        """,
    )
    assert lost == []


def test_nobody_outstanding_has_a_sample_since_the_start(world: Settings) -> None:
    """Article 21 is compared with the samples themselves."""
    wrong = support.query(
        world,
        """
        select round_id, person_key from reporting.screening_outstanding as outstanding
        inner join staging.declarations as round on round.notice_key = outstanding.round_id
        inner join staging.test_results as sample using (person_key)
        where sample.sampled_at >= round.started_at and sample.sampled_at < %s and sample.result <> '无效'
        """,
        WORLD_DAY.replace(day=WORLD_DAY.day + 1),
    )
    assert wrong == []


def test_vaccination_has_coverage(world: Settings) -> None:
    rows = support.query(
        world, "select residents, covered, full_course, booster, community, age_band from reporting.vaccination_60plus"
    )
    assert {row[5] for row in rows} == {"60-79", "80+"} and len({row[4] for row in rows}) == 13
    elderly, covered, full_course, booster = (sum(column) for column in list(zip(*rows, strict=True))[:4])
    assert elderly > covered > booster > 0 and covered >= full_course >= booster
    lacking = support.query(world, "select lacks, count(*) from reporting.vaccination_outstanding group by lacks")
    assert dict(lacking)["first_dose"] == elderly - covered


def test_disinfection(world: Settings) -> None:
    """Article 27: four zones, some days short; of the cases' places all but one are done."""
    zones = support.query(
        world,
        """
        select zone_id, count(distinct disinfection_date), bool_or(is_building), sum(done) > 0
        from reporting.disinfection_daily group by zone_id order by zone_id
        """,
    )
    assert [(zone, *rest) for zone, _, *rest in zones] == [(f"Z{number}", True, True) for number in range(1, 5)]
    assert zones[0][1] == 8  # Declared high on the first day of the outbreak, medium a week later.
    places = support.query(
        world, "select case_key, place, status from reporting.terminal_disinfection where not is_done"
    )
    assert places == [("CASE004", "转运车辆", "started")]


def test_readiness(world: Settings) -> None:
    """Articles 34 to 37: the office's team is complete, every community is there, and one list is missing."""
    office = support.query(
        world,
        "select required, listed, shortfall, mix_ok from reporting.readiness where team_type = '流调' and level = '街道'",
    )
    assert office == [(10, 10, 0, True)]
    communities = support.query(
        world,
        "select required, listed, shortfall, teams_required, teams_listed from reporting.readiness where level = '社区'",
    )
    assert len(communities) == 13
    assert all(row[0] == 3 and row[2] == max(0, 3 - row[1]) and row[3:] == (13, 13) for row in communities)
    missing = support.query(world, "select team_type from reporting.readiness where level = '街道' and shortfall > 0")
    assert missing == [("隔离",)]


def test_population_adds_up(world: Settings) -> None:
    [(population, key_persons)] = support.query(
        world, "select sum(population), sum(key_persons) from reporting.grid_population"
    )
    assert population == 600
    assert key_persons == support.query(
        world,
        "select count(distinct person_key) from intermediate.int_membership__unified where coalesce(end_date, 'infinity') >= %s",
        WORLD_DAY,
    )[0][0]  # fmt: skip


def test_town_is_in_emergency(world: Settings) -> None:
    """Article 23: the declaration of six o'clock came before the report of the first case."""
    [(state, since, kind, cases)] = support.query(
        world, "select state, since::text, trigger_kind, local_cases from reporting.town_state"
    )
    assert (state, since, kind, cases) == ("急", "2022-07-13 06:00:00", "declaration", 4)
