"""These tests compare the marts with a second reading of the policy: plain Python, written without looking at the models.

Many small random towns share one warehouse as one subdistrict; each mart is compared row by row on several business dates.
Towns are made from numbered seeds, so every run has the same towns, and a difference names its town; YINGJIAN_ORACLE_TOWNS
sets their number. `tests/unit/test_second_reading.py` compares the second reading itself with the worked cases.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from tests import support
from tests.oracle import controls, obligations, policy, tables, town_marts
from tests.oracle.obligations import OUTBREAK, Obligation
from tests.oracle.records import Book, end_of
from tests.oracle.town import Town, make_town, world, write_towns
from yingjian.settings import Settings

DAYS = (date(2022, 7, 12), date(2022, 7, 20))
TOWNS = int(os.environ.get("YINGJIAN_ORACLE_TOWNS") or 60)

Row = tuple[object, ...]
Rows = dict[Row, list[Row]]


@dataclass
class View:
    """All towns as they are known on a day, and their obligations."""

    book: Book
    owed: list[Obligation]

    @classmethod
    def of(cls, towns: list[Town], day: date) -> View:
        book = Book(world(towns), day)
        return cls(book, obligations.obligations(book))


@cache
def labels(towns: int = TOWNS) -> dict[str, str]:
    """Return a label for each person, so that messages show no document number."""
    return {
        person: f"town {town.seed} person {town.persons.index(person)}"
        for town in all_towns(towns)
        for person in town.persons
    }


@cache
def all_towns(number: int = TOWNS) -> list[Town]:
    return [make_town(seed, DAYS) for seed in range(1, number + 1)]


def nobody(view: View) -> set[object]:
    return set()


@dataclass(frozen=True)
class Comparison:
    """sql: a query of the mart, of which the first `key` columns identify a row; persons appear as document numbers.

    expected: the same rows from the second reading. With `only_expected`, further rows of the mart are ignored. Rows with a
    cell of `undecided` are left out on both sides, because the policy does not decide them.
    """

    sql: str
    key: int
    expected: Callable[[View], list[Row]]
    only_expected: bool = False
    undecided: Callable[[View], set[object]] = nobody


def table(name: str) -> Callable[[View], list[Row]]:
    """Return a function that gives the rows of a table of the worked cases, in the order of its columns."""
    return lambda view: [tuple(row) for row in tables.TABLES[name](view.book, view.owed)]


def _plain(view: View) -> View:
    """Return the view without full rounds, which are compared separately."""
    return View(view.book, [row for row in view.owed if row.membership.group not in OUTBREAK])


def _without_rounds(name: str) -> Callable[[View], list[Row]]:
    return lambda view: table(name)(_plain(view))


def _needs_review(view: View) -> list[Row]:
    rows = {(row.membership.key, row.membership.person) for row in view.owed
            if row.membership.needs_review and row.membership.group != "P24"}  # fmt: skip
    return sorted(rows)


def _full_round(view: View) -> list[Row]:
    return [(row.membership.key, row.slot, row.due, row.status, row.days_overdue, row.satisfied_on)
            for row in view.owed if row.membership.group in OUTBREAK and row.evidence["fixed"]]  # fmt: skip


def _compliance(view: View) -> list[Row]:
    rows = obligations.compliance(_plain(view).owed, view.book.day)
    return [(*key, *counts) for key, counts in rows.items() if key[1]]


def _forecast(view: View) -> list[Row]:
    rows = obligations.forecast(view.book, _plain(view).owed)
    return [(*key, count) for key, count in rows.items() if key[1]]


def _unscheduled(view: View) -> list[Row]:
    memberships_of_day = obligations.memberships(view.book)
    return [
        (m.key,) for m in memberships_of_day if m.group in ("38", "A07") and not m.frequency and m.end >= view.book.day
    ]


def _control(view: View) -> list[Row]:
    """Return the rows of the worked cases, and whether something is missing: "may_be_released false always names" it."""
    return [(c.membership.person, c.membership.group, c.starts_from, c.ends_on, c.required, c.done, c.may_be_released,
             c.released_on, bool(c.missing)) for c in controls.controls(view.book, view.owed)]  # fmt: skip


def _risk_zone(view: View) -> list[Row]:
    """Return the rows of the worked cases with the number of blockers, since a mart has "the code, or words for it"."""
    rows = table("risk_zone")(view)
    return [(*row[:-1], len([code for code in str(row[-1]).split("、") if code])) for row in rows]


def _key_sites(view: View) -> list[Row]:
    required = policy.DISINFECTIONS_PER_DAY
    counts = town_marts.key_site_disinfection(view.book)
    return [(*key, required, done, max(0, required - done)) for key, done in counts.items()]


def _screening_round(view: View) -> list[Row]:
    counts = town_marts.screening_counts(town_marts.screening(view.book))
    return [(*key, *numbers) for key, numbers in counts.items()]


def _screening_outstanding(view: View) -> list[Row]:
    return [(p.round_id, p.person, p.community, p.grid)
            for p in town_marts.screening(view.book) if p.first_at is None]  # fmt: skip


def _not_reported_yet(view: View) -> set[object]:
    """Return persons with a case sampled up to D and reported later: the policy does not say whether it counts on D."""
    return {row["证件号码"] for row in view.book["cases"]
            if row["采样日期"] <= view.book.day and row["报告时间"] and row["报告时间"] >= end_of(view.book.day)}  # fmt: skip


PERSON = "inner join restricted.person using (person_key)"
NAME = "case when group_code = 'P24' then '' else membership_id end"
NO_OUTBREAK = "group_code not in ('23', '24', '25', '26', '27', '28')"
AS_OF = "(select as_of_date from reporting.publication)"
COMPARISONS = {
    "obligation": Comparison(
        f"""select {NAME}, id_number, group_code, slot, due_date, status, coalesce(days_overdue, 0), satisfied_on,
            last_sample_date from reporting.obligation {PERSON} where {NO_OUTBREAK}""", 4, _without_rounds("obligation")),
    "needs_review": Comparison(
        f"""select distinct membership_id, id_number from reporting.obligation {PERSON}
            where needs_review and group_code <> 'P24'""", 2, _needs_review),
    "full_round": Comparison(
        f"""select membership_id, slot, due_date, status, coalesce(days_overdue, 0), satisfied_on
            from reporting.obligation where not {NO_OUTBREAK}""", 2, _full_round, only_expected=True),
    "due": Comparison(
        f"""select {NAME}, id_number, group_code, slot, due_date, days_until_due from reporting.due {PERSON}
            where {NO_OUTBREAK}""", 4, _without_rounds("due")),
    "overdue": Comparison(
        f"""select {NAME}, id_number, group_code, slot, due_date, days_overdue from reporting.overdue {PERSON}
            where {NO_OUTBREAK}""", 4, _without_rounds("overdue")),
    "compliance_daily": Comparison(
        f"""select group_code, community, case group_code when 'P19' then '' else unit end, sum(required)::int, sum(compliant)::int, sum(overdue)::int,
            sum(exempt)::int from reporting.compliance_daily
            where as_of_date = {AS_OF} and {NO_OUTBREAK} and community <> '' group by 1, 2, 3""",
        3, _compliance),
    "due_forecast": Comparison(
        f"""select * from (
                select forecast.due_date, forecast.community, forecast.tests_due - count(due.obligation_id)::int as tests
                from reporting.due_forecast as forecast
                left join reporting.due on due.due_date = forecast.due_date and due.community = forecast.community
                    and not {NO_OUTBREAK}
                group by forecast.due_date, forecast.community, forecast.tests_due
            ) as without_outbreak where tests > 0 and community <> ''""",
        2, _forecast),
    "unscheduled": Comparison("select membership_id from reporting.unscheduled", 1, _unscheduled),
    "risk_zone": Comparison(
        """select zone_id, level, level_since, was_high, last_positive_date, clear_days, residents, round_sampled,
           round_outstanding, round_complete_on, coalesce(eligible_level, ''), eligible_on,
           coalesce(to_jsonb(mismatch) not in ('null'::jsonb, '[]', '""', 'false'), false),
           case when jsonb_typeof(to_jsonb(blockers)) = 'array' then jsonb_array_length(to_jsonb(blockers))
           else coalesce(cardinality(array_remove(string_to_array(to_jsonb(blockers) #>> '{}', '、'), '')), 0) end
           from reporting.risk_zone""", 1, _risk_zone),
    "screening_round": Comparison(
        """select round_id, community, grid, in_scope, sampled_in_time, sampled_late, outstanding
           from reporting.screening_round where in_scope > 0""", 3, _screening_round),
    "screening_outstanding": Comparison(
        f"select round_id, id_number, o.community, o.grid from reporting.screening_outstanding as o {PERSON}",
        2, _screening_outstanding),
    "vaccination_60plus": Comparison(
        """select community, replace(age_band, '–', '-'), residents, covered, full_course, booster
           from reporting.vaccination_60plus where residents > 0""", 2, table("vaccination_60plus")),
    "disinfection_daily": Comparison(
        """select zone_id, place, disinfection_date, is_building, required, done, shortfall
           from reporting.disinfection_daily""", 3, table("disinfection_daily")),
    "key_site_disinfection": Comparison(
        """select unit, disinfection_date, required, done, shortfall from reporting.key_site_disinfection""", 2,
        _key_sites),
    "readiness": Comparison(
        "select community, listed, shortfall from reporting.readiness where team_type = '流调' and level = '社区'", 1,
        lambda view: [(key, *counts) for key, counts in town_marts.readiness(view.book).items()], only_expected=True),
    "sampling_unit_daily": Comparison(
        """select unit, group_code, community, sampling_day, roster, required, sampled, shortfall, phase
           from reporting.sampling_unit_daily""", 4, table("sampling_unit_daily")),
    "control": Comparison(
        f"""select id_number, group_code, started_on, ends_on, tests_required, tests_done, may_be_released, released_on,
            coalesce(to_jsonb(missing) not in ('null'::jsonb, '[]', '""'), false) from reporting.control {PERSON}""",
        3, _control),
    "contact_clock": Comparison(
        f"""select contact_key, id_number, category, judged_at, isolated_at, round(hours::numeric, 2)::float8, within_8h
            from reporting.contact_clock {PERSON}""", 1, table("contact_clock")),
    "push_clearance": Comparison(
        """select feed, push_date, community, pushed, cleared_same_day, open from reporting.push_clearance
           where pushed > 0""", 3, table("push_clearance")),
    "pool_followup": Comparison(
        f"""select tube_no, id_number, tube_result_at, resampled_at, result, status
            from reporting.pool_followup {PERSON}""", 2, table("pool_followup")),
    "pharmacy_followup": Comparison(
        f"""select purchase_id, id_number, pharmacy, category, purchased_at, pushed_at, investigated_at, cleared_same_day,
            test_due_date, tested_on, status from reporting.pharmacy_followup {PERSON}""", 1, table("pharmacy_followup")),
    "positive_followup": Comparison(
        f"""select id_number, coalesce(case_key, ''), sampled_at, result_at, reported_at, transferred_at, admitted_at, stage,
            again, round(hours::numeric, 2)::float8, due_at, status from reporting.positive_followup {PERSON}""",
        3, table("positive_followup"), undecided=_not_reported_yet),
    "health_monitoring": Comparison(
        f"""select membership_id, id_number, group_code, monitored_on, expected, done, highest_temperature::float8,
            has_symptom, status from reporting.health_monitoring {PERSON}""", 4, table("health_monitoring")),
    "disposition_daily": Comparison(
        f"""select list, coalesce(community, ''), coalesce(grid, ''), items, answered from reporting.disposition_daily
            where as_of_date = {AS_OF} and list = 'overdue' and items > 0""", 3, table("disposition_daily")),
    "roster_correction": Comparison(
        f"""select id_number, membership_id, result, said_at, c.unit, c.community, c.grid
            from reporting.roster_correction as c {PERSON}""", 2, table("roster_correction")),
    "missing_departure": Comparison(
        f"""select membership_id, id_number, ended_on, group_code, c.unit, c.community, c.grid
            from reporting.missing_departure as c {PERSON}""", 1, table("missing_departure")),
}  # fmt: skip
CASES = [pytest.param(day, name, id=f"{day}-{name}") for day in DAYS for name in COMPARISONS]


@dataclass
class Published:
    settings: Settings
    day: date
    view: View


@pytest.fixture(scope="module")
def landed(home_factory: Callable[[str], Settings], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = home_factory("oracle")
    folder: Path = tmp_path_factory.mktemp("oracle_landing")
    write_towns(folder, all_towns())
    support.land_folder(settings, folder)
    assert support.query(settings, "select feed, reason_codes from quality.rejected_row") == []
    return settings


@pytest.fixture(scope="module", params=[pytest.param(DAYS[0], marks=pytest.mark.beyond), DAYS[1]], ids=str)
def published(request: pytest.FixtureRequest, landed: Settings) -> Iterator[Published]:
    support.run_day(landed, request.param)
    yield Published(landed, request.param, View.of(all_towns(), request.param))


def by_key(rows: list[Row], key: int) -> Rows:
    groups: Rows = defaultdict(list)
    for row in rows:
        groups[row[:key]].append(row[key:])
    return {name: sorted(values, key=repr) for name, values in groups.items()}


def differences(name: str, expected: Rows, got: Rows, *, only_expected: bool) -> list[str]:
    names = expected if only_expected else expected | got
    return [
        f"{name} {key}: policy {expected.get(key, 'no row')}, mart {got.get(key, 'no row')}"
        for key in sorted(names, key=repr)
        if expected.get(key) != got.get(key)
    ]


def named(rows: list[Row]) -> list[Row]:
    """Return the rows with labels in place of document numbers."""
    return [tuple(labels().get(cell, cell) if isinstance(cell, str) else cell for cell in row) for row in rows]


def compare(published: Published, name: str, expected: list[Row]) -> list[str]:
    comparison = COMPARISONS[name]
    undecided = comparison.undecided(published.view)
    got = support.query(published.settings, comparison.sql)
    wanted, read = (named([row for row in rows if undecided.isdisjoint(row)]) for rows in (expected, got))
    return differences(
        name, by_key(wanted, comparison.key), by_key(read, comparison.key), only_expected=comparison.only_expected
    )


@pytest.mark.parametrize("name", COMPARISONS)
def test_the_mart_is_what_the_policy_says(published: Published, name: str) -> None:
    expected = COMPARISONS[name].expected(published.view)
    assert expected, "the towns show nothing of this mart"
    difference = compare(published, name, expected)
    assert not difference, f"{len(difference)} of {len(expected)} differ:\n" + "\n".join(difference[:12])


def test_another_reading_is_noticed(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: if one number of one rule is changed, it reports differences."""
    monkeypatch.setitem(policy.ROLLING, "8", (2, 8))
    expected = COMPARISONS["obligation"].expected(View.of(all_towns(), published.day))
    assert compare(published, "obligation", expected) != []
