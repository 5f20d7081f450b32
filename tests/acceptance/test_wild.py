"""Single odd landings, each with what must come of it (`EXPECTED.md` in its folder)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests import support
from tests.conftest import HomeFactory
from tests.skips import needs_shared
from tests.support import query
from yingjian.settings import Settings

WILD = support.CASES / "wild"
pytestmark = [needs_shared(WILD), pytest.mark.slow]


@pytest.fixture(scope="module")
def home(home_factory: HomeFactory) -> Settings:
    return home_factory("wild")


def land(home: Settings, *names: str) -> None:
    support.empty_staging(home)
    for name in names:
        support.land_folder(home, WILD / name / "landing")


def rejected(home: Settings) -> list[tuple[int, list[str]]]:
    return query(home, "select line, reason_codes from quality.rejected_row order by line")


@pytest.mark.parametrize("name", sorted(path.name for path in WILD.glob("*")) if WILD.is_dir() else [])
def test_every_landing_is_read_and_balanced(home: Settings, name: str) -> None:
    land(home, name)
    assert query(
        home,
        "select count(*) > 0, bool_and(status = 'staged'), bool_and(rows_read = rows_staged + rows_rejected + rows_superseded)"
        " from quality.landed_file",
    ) == [(True, True, True)]


def test_two_stray_quotes(home: Settings) -> None:
    land(home, "two-stray-quotes")
    assert query(home, "select rows_read, rows_staged, rows_rejected from quality.landed_file") == [(8, 6, 2)]
    assert rejected(home) == [(3, ["ragged_row"]), (7, ["ragged_row"])]
    assert query(home, "select count(distinct id_number), count(distinct tube_no) from staging.test_results") == [
        (6, 6)
    ]


def test_a_second_header_in_another_order(home: Settings) -> None:
    land(home, "second-header-in-another-order")
    assert query(home, "select sample_key, tube_no, sampled_at::time::text from staging.test_results order by 1") == [
        ("MH-1", "T1", "08:00:00"), ("MH-2", "T2", "08:00:00"), ("MH-3", "T3", "08:00:00"),
    ]  # fmt: skip
    assert rejected(home) == []


def test_keys_in_scientific_notation(home: Settings) -> None:
    land(home, "keys-in-scientific-notation")
    assert [codes for _, codes in rejected(home)] == [["rounded_key"], ["rounded_key"]]


def test_a_spreadsheet_under_the_old_name(home: Settings) -> None:
    land(home, "xlsx-named-xls")
    assert query(home, "select count(*) > 0 from staging.test_results") == [(True,)]


def test_an_update_to_come(home: Settings) -> None:
    land(home, "update-time-in-the-future")
    assert [codes for _, codes in rejected(home)] == [["future_time"]]
    assert query(home, "select max(updated_at)::date::text from staging.key_population") == [("2022-07-05",)]


def test_a_tube_result_before_its_sample(home: Settings) -> None:
    land(home, "tube-result-before-its-sample")
    assert {code for _, codes in rejected(home) for code in codes} == {"time_order"}
    assert query(home, "select count(*) from staging.test_results where tested_at < sampled_at") == [(0,)]


@pytest.mark.slow
def test_rows_that_stopped_the_day_of_everybody(home: Settings) -> None:
    """A long text, a dose that is a telephone number, a telephone number for a grid, and a case with a short number."""
    land(
        home, "long-tube-number", "dose-out-of-range", "phone-in-a-grid-stops-the-day", "case-number-in-wording",
        "tube-result-before-its-sample",
    )  # fmt: skip
    codes = query(
        home, "select feed, reason_codes[:2] from quality.rejected_row where feed <> 'test_results' order by 1, line"
    )
    assert codes == [
        ("key_population", ["unknown_code"]),
        ("vaccinations", ["bad_number", "unknown_code"]), ("vaccinations", ["bad_number", "unknown_code"]),
    ]  # fmt: skip
    day = date(2022, 7, 10)
    support.build(home, day)
    result = support.audit(home, day)
    assert result.passed, result.critical
    support.publish(home, day, "wild")
    assert query(home, "select as_of_date from reporting.publication") == [(day,)]


def test_a_national_list_that_shrank(home: Settings) -> None:
    land(home, "partial-list-in-force")
    support.build(home, date(2022, 11, 28), "+feed_quality")
    [(status, message)] = query(home, "select status, message from build.feed_quality where feed = 'risk_areas'")
    assert status == "thin" and "数量异常偏少" in message


def test_punctuation_at_the_edge_of_an_area(home: Settings) -> None:
    land(home, "risk-area-edge-punctuation")
    support.build(home, date(2022, 8, 10), "+int_membership__unified")
    memberships = query(
        home,
        "select membership_id, group_code, anchor_date::text from intermediate.int_membership__unified order by 1",
    )
    assert memberships == [
        ("arrivals:EDGE1", "32", "2022-08-08"), ("arrivals:EDGE2", "32", "2022-08-08"), ("arrivals:EDGE3", "33", "2022-08-08"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "town", [*(pytest.param(town, marks=pytest.mark.beyond) for town in ("town-3", "town-4")), "town-5"]
)
def test_quarantine_of_a_town_by_the_present_rules(home: Settings, town: str) -> None:
    folder: Path = support.CASES / "next" / town
    support.empty_staging(home)
    support.land_folder(home, folder / "landing")
    reasons = query(home, "select feed, coalesce(record_key, ''), unnest(reason_codes) from quality.rejected_row")
    expected = support.expected(folder / "expected" / "rejected.csv")
    assert sorted(set(expected) - set(reasons)) == []
    assert sorted({row[:2] for row in reasons} - {row[:2] for row in expected}) == []
    assert len({(feed, key) for feed, key, _ in reasons}) == len({(feed, key) for feed, key, _ in expected})
