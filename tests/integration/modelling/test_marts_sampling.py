"""Outbreak sampling over the simulated town, against the exports themselves (articles 10, 11; annex rows 23 to 28)."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from math import ceil

from tests import support
from tests.conftest import WORLD_DAY
from yingjian.settings import Settings

START = WORLD_DAY - timedelta(days=7)


def test_units_against_their_rosters_and_samples(world: Settings) -> None:
    """Every unit and day, counted in Python from the staged rows."""
    members = support.query(
        world,
        """
        select unit, group_code, coalesce(community, ''), person_key, start_date, coalesce(end_date, '2999-01-01')
        from staging.key_population
        where group_code between '23' and '28' and length(group_code) = 2
        """,
    )
    lifted = support.query(
        world,
        """
        select person_key, coalesce(group_code, ''), start_date, end_date from staging.exemptions
        union all
        select person_key, '', sample_date + 1, coalesce(discharge_date, '2999-01-01') from staging.cases
        """,
    )
    samples: dict[str, set[date]] = defaultdict(set)
    for person, day in support.query(
        world, "select distinct person_key, sampled_at::date from staging.test_results where result <> '无效'"
    ):
        samples[person].add(day)

    def is_lifted(person: str, group: str, day: date) -> bool:
        return any(who == person and code in ("", group) and first <= day <= last for who, code, first, last in lifted)

    expected = {}
    for back in range(8):
        day = START + timedelta(days=back)
        rosters: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for unit, group, community, person, first, last in members:
            if first <= day <= last:
                rosters[unit, group, community].add(person)
        for (unit, group, community), roster in rosters.items():
            if back < 2:
                free = [person for person in roster if not is_lifted(person, group, day)]
                required, phase = len(free), "full_round"
                sampled = sum(any(START <= taken <= day for taken in samples[person]) for person in free)
            else:
                required, phase = ceil(len(roster) / 5), "daily"
                sampled = sum(day in samples[person] for person in roster)
            expected[unit, group, community, day] = (phase, len(roster), required, sampled, max(required - sampled, 0))
    counts = {
        row[:4]: row[4:]
        for row in support.query(
            world,
            """
            select unit, group_code, community, sampling_day, phase, roster, required, sampled, shortfall
            from reporting.sampling_unit_daily
            """,
        )
    }
    assert counts == expected
    assert {row[0] for row in counts.values()} == {"full_round", "daily"}
    assert any(row[4] for row in counts.values()) and not all(row[4] for row in counts.values())


def test_the_full_round_is_one_slot_of_each_member(world: Settings) -> None:
    states = dict(
        support.query(
            world,
            "select status, count(*) from reporting.obligation where rule_family = 'outbreak' group by status",
        )
    )
    assert states["satisfied"] > states["satisfied_late"] > 0
    assert set(states) <= {"satisfied", "satisfied_late", "overdue", "missed", "exempt", "void"}
    assert support.query(
        world, "select distinct slot, due_date from reporting.obligation where rule_family = 'outbreak'"
    ) == [(1, START + timedelta(days=1))]


def test_the_proposal_is_what_tomorrow_requires_and_nobody_else_has_waited_longer(world: Settings) -> None:
    proposals = support.query(
        world,
        """
        select proposal.unit, proposal.group_code, proposal.community, count(*)
        from reporting.sampling_proposal as proposal group by 1, 2, 3
        """,
    )
    assert proposals
    today = {
        row[:3]: row[3]
        for row in support.query(
            world,
            "select unit, group_code, community, roster from reporting.sampling_unit_daily where sampling_day = as_of_date",
        )
    }
    # Memberships that end today leave the roster, and exemptions end: a difference of one person changes at most one.
    assert all(abs(count - ceil(today[tuple(place)] / 5)) <= 1 for *place, count in proposals)
    waited_longer = support.query(
        world,
        """
        with newest as (
            select unit, group_code, community, max(last_sample_date) as newest
            from reporting.sampling_proposal group by 1, 2, 3
        )
        select roster.person_key from intermediate.int_outbreak__rounds as roster
        inner join newest using (unit, group_code, community)
        left join intermediate.int_sample__person_days as sample using (person_key)
        where roster.end_date is null and %s between roster.member_from and roster.member_to
            and roster.person_key not in (select person_key from reporting.sampling_proposal)
            and roster.person_key not in (select person_key from intermediate.int_lift__intervals)
            and roster.person_key not in (select person_key from staging.key_population where end_date = %s)
        group by roster.person_key, newest.newest having max(sample.sample_date) < newest.newest
        """,
        WORLD_DAY,
        WORLD_DAY,
    )
    assert waited_longer == []
