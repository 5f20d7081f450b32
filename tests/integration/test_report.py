"""A report from published rows in a real PostgreSQL."""

import re
from collections.abc import Iterator
from datetime import date, timedelta

import psycopg
import pytest

from tests.unit.reports import town
from yingjian.reports import figures as reading
from yingjian.reports import write_report
from yingjian.reports.audiences import OFFICE, narrowed
from yingjian.reports.figures import Figures

DAY_BEFORE = town.PUBLICATION_ID - 1


@pytest.fixture(scope="module")
def published(empty_database: str) -> Iterator[str]:
    with psycopg.connect(empty_database) as conn:
        town.load(conn)
    yield empty_database


@pytest.fixture
def conn(published: str) -> Iterator[psycopg.Connection]:
    """A connection whose changes are undone."""
    with psycopg.connect(published) as connection:
        yield connection
        connection.rollback()


def read_figures(conn: psycopg.Connection, publication_id: int) -> Figures:
    with narrowed(conn, OFFICE):
        return reading.read_figures(conn, publication_id)


def single(conn: psycopg.Connection, query: str) -> int:
    row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_the_file_is_named_by_date_and_publication_and_small(conn, tmp_path):
    path = write_report(conn, town.PUBLICATION_ID, tmp_path / "reports")
    assert path == tmp_path / "reports" / "2022-07-24-p12.html"
    assert path.stat().st_size < 2_000_000
    assert list(path.parent.iterdir()) == [path]


def test_the_same_publication_gives_the_same_bytes_also_after_later_ones(conn, tmp_path):
    first = write_report(conn, town.PUBLICATION_ID, tmp_path / "first").read_bytes()
    town.publish(conn, 13, town.LAST_DAY - timedelta(days=1))  # yesterday, computed again
    town.publish(conn, 14, town.LAST_DAY)
    conn.execute("set time zone 'America/New_York'")
    assert write_report(conn, town.PUBLICATION_ID, tmp_path / "second").read_bytes() == first
    assert write_report(conn, 14, tmp_path / "third").read_bytes() != first


def test_figures_are_those_of_the_published_rows(conn):
    figures = read_figures(conn, town.PUBLICATION_ID)
    assert figures.now.overdue_items == single(conn, "select count(*) from published.overdue where publication_id = 12")
    assert figures.now.overdue_persons == single(
        conn, "select count(distinct person_key) from published.overdue where publication_id = 12"
    )
    assert figures.now.next_day_items == figures.forecast[0].tests_due
    assert figures.now.totals.required == figures.now.totals.compliant + figures.now.totals.overdue
    for parts in (figures.communities, figures.departments, figures.groups, figures.units):
        assert sum(part.required for part in parts) == figures.now.totals.required
        assert sum(part.overdue for part in parts) == figures.now.totals.overdue
        assert sum(part.overdue_before or 0 for part in parts) == figures.day_before.totals.overdue
    assert sum(band.items for band in figures.bands) == figures.now.overdue_items
    assert (figures.now.high_zones, figures.now.medium_zones, figures.now.lowerable_zones) == (2, 2, 1)


def test_a_figure_is_compared_with_the_newest_publication_of_the_earlier_date(conn):
    town.publish(conn, 13, town.LAST_DAY - timedelta(days=1))
    town.publish(conn, 14, town.LAST_DAY)
    again = single(conn, "select sum(overdue)::int from published.compliance_daily where publication_id = 13")
    assert read_figures(conn, 14).day_before.totals.overdue == again
    assert read_figures(conn, 12).day_before.totals.overdue != again


def test_a_day_without_publication_is_a_gap_and_no_comparison(conn):
    figures = read_figures(conn, town.PUBLICATION_ID)
    assert [point.day for point in figures.trend if point.totals is None] == [
        date(2022, 7, 11),
        date(2022, 7, 12),
        date(2022, 7, 19),
    ]
    after_the_gap = read_figures(conn, town.PUBLICATION_ID - 4)
    assert after_the_gap.day_before is None
    assert {part.change for part in after_the_gap.communities} == {None}


def test_without_history_and_without_zones_it_reads_well(conn, tmp_path):
    town.publish(conn, 30, date(2022, 7, 1))
    page = write_report(conn, 30, tmp_path).read_text(encoding="utf-8")
    assert "无上期数据" in page
    assert "今日无风险区。" in page


def test_a_pruned_publication_gives_no_empty_report(conn, tmp_path):
    conn.execute("delete from published.feed_quality where publication_id = %s", (DAY_BEFORE,))
    assert read_figures(conn, town.PUBLICATION_ID).day_before is None
    with pytest.raises(LookupError, match="pruned"):
        write_report(conn, DAY_BEFORE, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unknown_publication_is_an_error(conn, tmp_path):
    with pytest.raises(LookupError, match="no publication 99"):
        write_report(conn, 99, tmp_path)


def test_no_person_is_on_the_page(conn, tmp_path):
    page = write_report(conn, town.PUBLICATION_ID, tmp_path).read_text(encoding="utf-8")
    assert "key-" not in page
    assert not re.search(r"\d{17}[\dX]|1[3-9]\d{9}", page)
    assert not re.search(r"\d\d网格", page), "the grids of persons' obligations"
