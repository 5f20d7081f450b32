"""The marts against a second reading of the policy: plain Python, written without looking at the models.

Many small random towns lie in one warehouse; each mart is compared row by row on several business dates. Towns are made
from numbered seeds, so a difference names the town, and the same towns run every time; YINGJIAN_ORACLE_TOWNS asks for more.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from tests import support
from tests.oracle import clocks, controls, obligations, town_marts, zones
from tests.oracle.obligations import OUTBREAK, Obligation
from tests.oracle.records import Book
from tests.oracle.town import Town, make_town, write_towns
from yingjian.settings import Settings

DAYS = (date(2022, 7, 12), date(2022, 7, 20))
TOWNS = int(os.environ.get("YINGJIAN_ORACLE_TOWNS") or 60)

Row = tuple[object, ...]
Rows = dict[Row, list[Row]]


class View:
    """A town on a day: its book, its obligations, and a label for each person that is no document number."""

    def __init__(self, town: Town, day: date) -> None:
        self.book = Book(town, day)
        self.owed = obligations.obligations(self.book)

    def who(self, person: str) -> str:
        return label(self.book.town, person)


def label(town: Town, person: str) -> str:
    return f"town {town.seed} person {town.persons.index(person)}"


@dataclass(frozen=True)
class Comparison:
    """sql: what the mart says, the first `key` columns identify a row and `person` names a document number.

    expected: the same rows from a town. Where `only_expected`, rows that the oracle does not have are no difference:
    the policy leaves them open.
    """

    sql: str
    key: int
    expected: Callable[[View], list[Row]]
    only_expected: bool = False


def _name(row: Obligation) -> str:
    return "P24" if row.membership.group == "P24" else row.membership.key


def _plain(view: View) -> list[Obligation]:
    return [row for row in view.owed if row.membership.group not in OUTBREAK]


def _obligation(view: View) -> list[Row]:
    return [
        (_name(row), view.who(row.membership.person), row.membership.group, row.slot, row.due, row.status,
         row.days_overdue, row.satisfied_on, max(view.book.sample_days(row.membership.person), default=None),
         row.membership.needs_review)
        for row in _plain(view)
    ]  # fmt: skip


def _full_round(view: View) -> list[Row]:
    return [(row.membership.key, row.due, row.status, row.days_overdue, row.satisfied_on)
            for row in view.owed if row.membership.group in OUTBREAK and row.evidence["fixed"]]  # fmt: skip


def _due(view: View) -> list[Row]:
    rows = obligations.due_rows(view.book, _plain(view))
    return [(_name(row), view.who(row.membership.person), row.slot, row.due, days) for row, days in rows]


def _overdue(view: View) -> list[Row]:
    rows = obligations.overdue_rows(_plain(view), view.book.day)
    return [(_name(row), view.who(row.membership.person), row.slot, row.due, row.days_overdue) for row in rows]


def _compliance(view: View) -> list[Row]:
    return [(*key, *counts) for key, counts in obligations.compliance(_plain(view), view.book.day).items() if key[1]]


def _forecast(view: View) -> list[Row]:
    rows = obligations.forecast(view.book, _plain(view))
    return [(*key, count) for key, count in rows.items() if key[1]]


def _unscheduled(view: View) -> list[Row]:
    found = obligations.memberships(view.book)
    return [(m.key,) for m in found if m.group == "38" and not m.frequency and m.end >= view.book.day]


def _zones(view: View) -> list[Row]:
    return [(z.zone_id, z.level, z.level_since, z.was_high, z.last_positive, z.clear_days, z.residents,
             z.eligible_level or None, z.eligible_on) for z in zones.zones(view.book)]  # fmt: skip


def _screening_round(view: View) -> list[Row]:
    counts = town_marts.screening_counts(town_marts.screening(view.book))
    return [(*key, *numbers) for key, numbers in counts.items()]


def _screening_outstanding(view: View) -> list[Row]:
    return [(p.round_id, view.who(p.person), p.community, p.grid)
            for p in town_marts.screening(view.book) if p.first_at is None]  # fmt: skip


def _contact_clock(view: View) -> list[Row]:
    return [(c.contact_key, view.who(c.person), c.category, c.judged_at, c.isolated_at, c.within_8h)
            for c in clocks.contact_clock(view.book)]  # fmt: skip


def _pool(view: View) -> list[Row]:
    return [(m.tube, view.who(m.person), m.known_at, m.resampled_at, m.result)
            for m in obligations.tube_members(view.book)]  # fmt: skip


def _pharmacy(view: View) -> list[Row]:
    return [(p.purchase_id, p.investigated_at, p.due, p.tested_on) for p in clocks.pharmacy_followup(view.book)]


def _control(view: View) -> list[Row]:
    last: dict[tuple[str, str], date] = {}
    for c in controls.controls(view.book, view.owed):
        if c.controlled_from > c.ends_on:
            continue  # A person who arrived after the control ended has no row.
        last[c.person, c.group] = max(c.ends_on, last.get((c.person, c.group), c.ends_on))
    return [(view.who(person), group, day) for (person, group), day in last.items()]


def _unit_days(view: View) -> list[Row]:
    return [(u.unit, u.group, u.day, u.roster, u.required, u.sampled, u.shortfall)
            for u in town_marts.sampling_unit_daily(view.book)]  # fmt: skip


PERSON = "inner join restricted.person using (person_key)"
NAME = "case when group_code = 'P24' then 'P24' else membership_id end"
NO_OUTBREAK = "group_code not in ('23', '24', '25', '26', '27', '28')"
COMPARISONS = {
    "obligation": Comparison(
        f"""select {NAME}, id_number, group_code, slot, due_date, status, coalesce(days_overdue, 0), satisfied_on,
            last_sample_date, needs_review from reporting.obligation {PERSON} where {NO_OUTBREAK}""", 4, _obligation),
    "full_round": Comparison(
        f"""select membership_id, due_date, status, coalesce(days_overdue, 0), satisfied_on
            from reporting.obligation where not {NO_OUTBREAK}""", 2, _full_round, only_expected=True),
    "due": Comparison(
        f"""select {NAME}, id_number, slot, due_date, days_until_due from reporting.due {PERSON}
            where {NO_OUTBREAK}""", 3, _due),
    "overdue": Comparison(
        f"""select {NAME}, id_number, slot, due_date, days_overdue from reporting.overdue {PERSON}
            where {NO_OUTBREAK}""", 3, _overdue),
    "compliance_daily": Comparison(
        f"""select group_code, community, case group_code when 'P19' then '' else unit end, sum(required)::int, sum(compliant)::int, sum(overdue)::int,
            sum(exempt)::int from reporting.compliance_daily
            where as_of_date = (select as_of_date from reporting.publication) and {NO_OUTBREAK} and community <> '' group by 1, 2, 3""",
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
        """select zone_id, level, level_since, was_high, last_positive_date, clear_days, residents, eligible_level,
           eligible_on from reporting.risk_zone""", 1, _zones),
    "screening_round": Comparison(
        """select round_id, community, grid, in_scope, sampled_in_time, sampled_late, outstanding
           from reporting.screening_round where in_scope > 0""", 3, _screening_round),
    "screening_outstanding": Comparison(
        f"select round_id, id_number, o.community, o.grid from reporting.screening_outstanding as o {PERSON}",
        2, _screening_outstanding),
    "vaccination_60plus": Comparison(
        """select community, residents_60plus, dose_1, dose_2, dose_3 from reporting.vaccination_60plus
           where residents_60plus > 0""", 1,
        lambda view: [(key, *counts) for key, counts in town_marts.vaccination_60plus(view.book).items()]),
    "disinfection_daily": Comparison(
        "select zone_id, disinfection_date, required, done, shortfall from reporting.disinfection_daily", 2,
        lambda view: [(*key, *counts) for key, counts in town_marts.disinfection_daily(view.book).items()]),
    "readiness": Comparison(
        "select community, listed, shortfall from reporting.readiness where team_type = '流调' and level = '社区'", 1,
        lambda view: [(key, *counts) for key, counts in town_marts.readiness(view.book).items()], only_expected=True),
    "sampling_unit_daily": Comparison(
        """select unit, group_code, sampling_day, roster, required, sampled, shortfall
           from reporting.sampling_unit_daily where phase = 'daily'""", 3, _unit_days),
    "control": Comparison(
        f"select id_number, group_code, max(ends_on) from reporting.control {PERSON} group by 1, 2", 2, _control),
    "contact_clock": Comparison(
        f"""select contact_key, id_number, category, judged_at, isolated_at, within_8h
            from reporting.contact_clock {PERSON}""", 1, _contact_clock),
    "push_clearance": Comparison(
        """select feed, push_date, community, pushed, cleared_same_day, open from reporting.push_clearance
           where feed <> 'contacts' and pushed > 0""", 3,
        lambda view: [(*key, *counts) for key, counts in clocks.push_clearance(view.book).items()]),
    "pool_followup": Comparison(
        f"""select tube_no, id_number, tube_result_at, resampled_at, result
            from reporting.pool_followup {PERSON}""", 2, _pool),
    "pharmacy_followup": Comparison(
        "select purchase_id, investigated_at, test_due_date, tested_on from reporting.pharmacy_followup", 1, _pharmacy),
}  # fmt: skip
CASES = [pytest.param(day, name, id=f"{day}-{name}") for day in DAYS for name in COMPARISONS]


def towns() -> list[Town]:
    return [make_town(seed, DAYS) for seed in range(1, TOWNS + 1)]


@dataclass
class Published:
    settings: Settings
    day: date
    views: list[View]
    labels: dict[str, str]

    def rows(self, sql: str) -> list[Row]:
        found = support.query(self.settings, sql)
        return [tuple(self.labels.get(cell, cell) if isinstance(cell, str) else cell for cell in row) for row in found]


@pytest.fixture(scope="module")
def landed(home_factory: Callable[[str], Settings], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = home_factory("oracle")
    folder: Path = tmp_path_factory.mktemp("oracle_landing")
    write_towns(folder, towns())
    support.land_folder(settings, folder)
    assert support.query(settings, "select feed, reason_codes from quality.rejected_row") == []
    return settings


@pytest.fixture(scope="module", params=DAYS, ids=str)
def published(request: pytest.FixtureRequest, landed: Settings) -> Iterator[Published]:
    support.run_day(landed, request.param)
    made = towns()
    labels = {person: label(town, person) for town in made for person in town.persons}
    yield Published(landed, request.param, [View(town, request.param) for town in made], labels)


def by_key(rows: list[Row], key: int) -> Rows:
    found: Rows = defaultdict(list)
    for row in rows:
        found[row[:key]].append(row[key:])
    return {name: sorted(values, key=repr) for name, values in found.items()}


def differences(name: str, expected: Rows, got: Rows, *, only_expected: bool) -> list[str]:
    names = expected if only_expected else expected | got
    return [
        f"{name} {key}: policy {expected.get(key, 'no row')}, mart {got.get(key, 'no row')}"
        for key in sorted(names, key=repr)
        if expected.get(key) != got.get(key)
    ]


def compare(published: Published, name: str, expected: list[Row]) -> list[str]:
    comparison = COMPARISONS[name]
    got = by_key(published.rows(comparison.sql), comparison.key)
    return differences(name, by_key(expected, comparison.key), got, only_expected=comparison.only_expected)


def all_expected(published: Published, name: str) -> list[Row]:
    return [row for view in published.views for row in COMPARISONS[name].expected(view)]


@pytest.mark.parametrize("name", COMPARISONS)
def test_the_mart_is_what_the_policy_says(published: Published, name: str) -> None:
    expected = all_expected(published, name)
    assert expected, "the towns show nothing of this mart"
    found = compare(published, name, expected)
    assert not found, f"{len(found)} of {len(expected)} differ:\n" + "\n".join(found[:12])


def test_another_reading_is_noticed(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check can fail: with one number of one rule changed, the marts differ from it."""
    monkeypatch.setitem(obligations.ROLLING, "8", (2, 8))
    again = [View(view.book.town, published.day) for view in published.views]
    expected = [row for view in again for row in COMPARISONS["obligation"].expected(view)]
    assert compare(published, "obligation", expected) != []
