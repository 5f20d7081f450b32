"""A report from published rows in a real PostgreSQL."""

import re
from collections.abc import Iterator
from datetime import date, timedelta

import psycopg
import pytest

from tests.unit.reports import town
from yingjian.people.audience import OFFICE
from yingjian.reports import figures as reading
from yingjian.reports import write_report
from yingjian.reports.actions import actions
from yingjian.reports.audiences import narrowed
from yingjian.reports.figures import Figures
from yingjian.reports.movement import NEW

DAY_BEFORE = town.PUBLICATION_ID - 1


@pytest.fixture
def conn(town_database: str) -> Iterator[psycopg.Connection]:
    """A connection whose changes are undone."""
    with psycopg.connect(town_database) as connection:
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
    units = [*figures.units, *figures.units_rest]
    for parts in (figures.communities, figures.departments, figures.groups, units):
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
    gaps = [date(2022, 7, 11), date(2022, 7, 12), date(2022, 7, 19)]
    for series in figures.series:
        if not series.indicator.is_share:
            days = zip(figures.days, series.values, strict=True)
            assert [day for day, value in days if value is None] == gaps, series.indicator.key
    after_the_gap = read_figures(conn, town.PUBLICATION_ID - 4)
    assert after_the_gap.day_before is None
    assert {part.change for part in after_the_gap.communities} == {None}
    assert after_the_gap.movement is None
    assert {series.before for series in after_the_gap.series} == {None}


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


def test_each_day_of_a_trend_is_as_it_was_published(conn):
    overdue, compliance = read_figures(conn, town.PUBLICATION_ID).series_of("overdue")
    for series, value in ((overdue, "sum(overdue)::int"), (compliance, "sum(compliant)::float / sum(required)")):
        for day, shown in zip(range(-11, 1), series.values[2:], strict=True):
            if shown is not None:
                query = f"select {value} from published.compliance_daily where publication_id = {12 + day}"
                assert shown == single(conn, query)
    later = read_figures(conn, town.PUBLICATION_ID - 1)
    assert later.series_of("overdue")[0].values[-1] == overdue.before == overdue.values[-2]


def test_a_daily_figure_of_its_day_alone(conn):
    """A purchase whose test was due another day, a contact whose hours ran out another day, count on that day."""
    by_key = {series.indicator.key: series for series in read_figures(conn, town.PUBLICATION_ID).series}
    assert by_key["purchases-tested"].today == single(
        conn,
        """
        select count(*) filter (where status = 'satisfied')::float / count(*) from published.pharmacy_followup
        where publication_id = 12 and test_due_date = '2022-07-24'
        """,
    )
    conn.execute("update published.contact_clock set deadline = deadline - interval '1 day' where publication_id = 12")
    moved = {series.indicator.key: series for series in read_figures(conn, town.PUBLICATION_ID).series}
    assert moved["contacts-in-time"].today is None
    assert moved["contacts-overdue"].today == by_key["contacts-overdue"].today == 4
    assert by_key["contacts-overdue"].risen == [("招丰社区", 2)]


CAUSES = {  # what of the duty was published the day before and the day after: the cause that it has
    "fell_due": (("upcoming", 24), ("overdue", 24)),
    "joined": (None, ("overdue", 24)),
    "recorded_late": (None, ("overdue", 22)),
    "lift_ended": (("exempt", 20), ("overdue", 24)),
    "restated_new": (("upcoming", 27), ("overdue", 24)),
    "sampled": (("overdue", 23), ("satisfied_late", 23)),
    "sample_late": (("overdue", 21), ("satisfied", 21)),
    "missed": (("overdue", 21), ("missed", 21)),
    "lifted": (("overdue", 21), ("void", 21)),
    "ended": (("overdue", 21), None),
    "restated_cleared": (("overdue", 23), ("upcoming", 26)),
    "": (("overdue", 21), ("overdue", 21)),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_of_a_change_of_overdue(conn, cause):
    for publication_id, state in zip((11, 12), CAUSES[cause], strict=True):
        for mart in ("obligation", "overdue"):
            conn.execute(f"delete from published.{mart} where publication_id = %s", (publication_id,))
            if state and (mart == "obligation" or state[0] == "overdue"):
                sampled = {"sampled": 24, "sample_late": 21}.get(cause) if publication_id == 12 else None
                conn.execute(
                    f"""
                    insert into published.{mart} (
                        publication_id, as_of_date, obligation_id, person_key, group_code, group_name, slot, unit,
                        department, community, grid, due_date, status, days_overdue, satisfied_on, needs_review
                    )
                    values (%s, date '2022-07-12' + %s::int, 'one', 'key-1', '31', '境外', 1, '', '甲局', '甲社区', '',
                        date '2022-07-01' + %s::int - 1, %s, 0, date '2022-07-01' + %s::int - 1, false)
                    """,
                    (publication_id, publication_id, state[1], state[0], sampled),
                )
    movement = read_figures(conn, 12).movement
    assert movement.total.by_cause == ({cause: 1} if cause else {})
    if cause:
        (community,) = movement.by_dimension["community"]
        assert community.name == "甲社区" and community.net == (1 if cause in NEW else -1)


def test_a_rolling_duty_is_cleared_by_a_sample_of_the_day_or_by_one_that_came_late(conn):
    for taken, cause in (("2022-07-24", "sampled"), ("2022-07-22", "sample_late"), ("2022-07-15", "restated_cleared")):
        for mart in ("obligation", "overdue"):
            conn.execute(f"delete from published.{mart} where publication_id in (11, 12)")
        for mart in ("obligation", "overdue"):
            conn.execute(
                f"""
                insert into published.{mart} (publication_id, as_of_date, obligation_id, person_key, group_code,
                    community, due_date, status, days_overdue, last_sample_date, needs_review)
                values (11, '2022-07-23', 'one', 'key-1', '8', '甲社区', '2022-07-22', 'overdue', 2, '2022-07-15', false)
                """
            )
        conn.execute(
            """
            insert into published.obligation (publication_id, as_of_date, obligation_id, person_key, group_code,
                community, due_date, status, days_overdue, last_sample_date, needs_review)
            values (12, '2022-07-24', 'one', 'key-1', '8', '甲社区', '2022-07-29', 'upcoming', 0, %s, false)
            """,
            (taken,),
        )
        assert read_figures(conn, 12).movement.total.by_cause == {cause: 1}


def test_zones_are_compared_with_the_day_before(conn):
    assert {(zone.kind, zone.name) for zone in read_figures(conn, town.PUBLICATION_ID).zone_changes} == {
        ("declared", "群石新村"),
        ("positive", "群山工业区宿舍"),
    }
    conn.execute("update published.risk_zone set level = '中' where publication_id = 11 and zone_id = 'FX001'")
    conn.execute("update published.risk_zone set level = '高' where publication_id = 11 and zone_id = 'FX005'")
    kinds = {zone.name: zone.kind for zone in read_figures(conn, town.PUBLICATION_ID).zone_changes}
    assert (kinds["招丰花园3–5号楼"], kinds["博东市场及周边"]) == ("raised", "lowered")


def test_a_pruned_day_is_a_gap_but_for_what_is_kept_for_ever(conn):
    for mart in ("feed_quality", "contact_clock", "risk_zone"):
        conn.execute(f"delete from published.{mart} where publication_id = {DAY_BEFORE}")
    by_key = {series.indicator.key: series for series in read_figures(conn, town.PUBLICATION_ID).series}
    assert by_key["contacts-overdue"].values[-2] is None
    assert by_key["overdue"].values[-2] is not None, "published.compliance_daily keeps every publication"


def test_actions_name_the_responsible_units_of_the_publication_s_edition(conn):
    conn.execute("update published.responsibility set unit = '新专班' where publication_id = 12 and provision = '21'")
    figures = read_figures(conn, town.PUBLICATION_ID)
    assert {action.heading: action.units for action in actions(figures)}["久拖未检"] == ("新专班",)
    assert read_figures(conn, DAY_BEFORE).responsible["21"] == ["各部门", "各社区"]


def test_no_person_is_on_the_page(conn, tmp_path):
    page = write_report(conn, town.PUBLICATION_ID, tmp_path).read_text(encoding="utf-8")
    assert "key-" not in page
    assert not re.search(r"\d{17}[\dX]|1[3-9]\d{9}", page)
    assert not re.search(r"\d\d网格", page), "the grids of persons' obligations"
