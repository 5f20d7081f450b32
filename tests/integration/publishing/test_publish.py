"""Publishing is one switch, no waiting, nothing half; it is repeatable, and goes back by date."""

from __future__ import annotations

import re
import threading
from datetime import date, timedelta

import psycopg
import pytest

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from yingjian.database import warehouse
from yingjian.modelling import marts
from yingjian.modelling.marts import published
from yingjian.operations import migration
from yingjian.publishing import build as builds
from yingjian.publishing import publish as publishing
from yingjian.publishing.completeness import NothingBuiltError
from yingjian.publishing.pruning import prune
from yingjian.publishing.reader_views import ensure_reader_view
from yingjian.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def town(home_factory: HomeFactory, built_town: Settings) -> Settings:
    """Published yesterday, built today."""
    return home_factory("publish", built_town)


def test_readers_see_one_publication_or_the_other_and_never_wait(town: Settings) -> None:
    """A dashboard holds a transaction open on the old rows while another one polls through the switch."""
    support.audit(town, WORLD_DAY)
    seen: set[tuple[object, ...]] = set()
    errors: list[Exception] = []
    stop = threading.Event()

    def poll() -> None:
        try:
            with psycopg.connect(
                warehouse.uri(town, "bi_reader"), autocommit=True, options="-c statement_timeout=2000"
            ) as conn:
                while not stop.is_set():
                    row = conn.execute(
                        """
                        select (select as_of_date from reporting.publication), (select min(as_of_date) from reporting.obligation),
                        (select max(as_of_date) from reporting.overdue), (select count(*) > 0 from reporting.due_forecast)
                        """
                    ).fetchone()
                    seen.add(row or ())
        except Exception as error:
            errors.append(error)

    reader = threading.Thread(target=poll)
    with psycopg.connect(warehouse.uri(town, "bi_reader")) as slow:
        slow.execute("set transaction isolation level repeatable read")
        before = slow.execute("select count(*) from reporting.obligation").fetchone()
        reader.start()
        while not seen and not errors:
            pass
        support.publish(town, WORLD_DAY, "today")
        assert slow.execute("select count(*) from reporting.obligation").fetchone() == before
    while not any(row and row[0] == WORLD_DAY for row in tuple(seen)) and not errors:
        pass
    stop.set()
    reader.join()
    assert errors == []
    yesterday = WORLD_DAY - timedelta(days=1)
    assert seen == {(yesterday, yesterday, yesterday, True), (WORLD_DAY, WORLD_DAY, WORLD_DAY, True)}


def test_migrating_waits_for_no_reader_and_none_waits_for_it(town: Settings) -> None:
    """`up` and `run` migrate; a dashboard may hold its transaction open for as long as it likes."""
    with psycopg.connect(warehouse.uri(town, "bi_reader")) as slow:
        slow.execute("select * from reporting.publication, (select count(*) from reporting.obligation) as o").fetchall()
        migrating = threading.Thread(target=migration.migrate, args=(town,), daemon=True)
        migrating.start()
        migrating.join(60)
        assert not migrating.is_alive()


def test_a_history_has_a_row_set_for_each_published_day_and_says_which_is_current(town: Settings) -> None:
    """docs: marts.md; the newest publication of each business date, of which one is current."""
    histories = [mart for mart in marts.published().values() if mart.is_history]
    assert {"compliance_daily", "disposition_daily", "feed_sender_daily"} <= {mart.name for mart in histories}
    support.publish(town, WORLD_DAY, "today")
    yesterday = WORLD_DAY - timedelta(days=1)
    for mart in histories:
        days = support.query(town, f"select distinct as_of_date, is_current from reporting.{mart.name} order by 1")
        assert days == [(yesterday, False), (WORLD_DAY, True)], mart.name


def test_a_query_of_dates_opens_no_history_of_other_dates(town: Settings) -> None:
    """A dashboard asks for a range of days, or for what is current; a year of publications lies beside it."""
    histories = [mart.name for mart in marts.published().values() if mart.is_history]
    partitions = dict(
        support.query(town, "select as_of_date, max(publication_id) from published.publication group by 1")
    )
    yesterday = WORLD_DAY - timedelta(days=1)
    with warehouse.connect(town, "bi_reader") as conn:
        for name in histories:
            for condition, expected in (
                ("true", set(partitions.values())),
                (f"as_of_date = date '{yesterday}'", {partitions[yesterday]}),
                (f"as_of_date >= timestamp '{WORLD_DAY}'", {partitions[WORLD_DAY]}),  # Superset writes it so.
                (f"as_of_date = date '{yesterday}' or as_of_date > '2222-02-22'", {partitions[yesterday]}),
            ):
                query = f"explain (format json) select count(*) from reporting.{name} where {condition}"
                [(plan,)] = conn.execute(query.encode()).fetchall()
                opened = re.findall(rf"'{name}_p(\d+)'", str(plan))
                assert set(map(int, opened)) & set(partitions.values()) == expected, (name, condition)


def test_a_history_has_an_index_by_date(town: Settings) -> None:
    """docs: marts.md; a date that is known only when the query runs is looked up by it."""
    leading = """
        select distinct attname::text from pg_index
        inner join pg_inherits on inhrelid = indrelid and inhparent = to_regclass(%s)
        inner join pg_attribute on attrelid = indrelid and attnum = indkey[0]
    """
    for mart in marts.published().values():
        if mart.is_history:
            assert ("as_of_date",) in support.query(town, leading, f"published.{mart.name}"), mart.name


def test_a_column_that_is_new_comes_last_in_a_view_that_readers_have(town: Settings) -> None:
    """A home from before `is_current`, then a mart with one more column: the view is never dropped."""
    order = """
        select array_agg(attname::text order by attnum) from pg_attribute
        where attrelid = 'reporting.disposition_daily'::regclass and attnum > 0
    """
    mart = marts.published()["disposition_daily"]
    with psycopg.connect(warehouse.uri(town)) as conn:
        conn.execute("drop view reporting.disposition_daily")
        conn.execute(
            "create view reporting.disposition_daily as select as_of_date, list, community from published.disposition_daily"
        )
        conn.execute("alter table published.disposition_daily add column more int")
        ensure_reader_view(conn, mart)
        (names,) = conn.execute(order).fetchone() or ()
        assert names[:3] == ["as_of_date", "list", "community"] and names[-3:] == [
            "more",
            "publication_id",
            "is_current",
        ]
        ensure_reader_view(conn, mart)
        assert conn.execute(order).fetchone() == (names,)
        conn.rollback()


def test_publishing_twice_for_one_run_publishes_once(town: Settings) -> None:
    again = support.publish(town, WORLD_DAY, "today")
    assert support.query(town, "select publication_id from reporting.publication") == [(again,)]
    assert support.query(town, "select count(*) from published.publication") == [(2,)]


def test_nothing_built_is_said(town: Settings) -> None:
    with pytest.raises(builds.NotOwnerError, match="the schema build belongs to nobody"):
        support.publish(town, WORLD_DAY, "nothing claimed")
    support.claim(town, WORLD_DAY)
    with pytest.raises(NothingBuiltError, match="the build of 2022-07-20 was not audited"):
        support.publish(town, WORLD_DAY, "nothing audited")
    support.rebuild(town)
    with warehouse.connect(town) as conn:
        conn.execute("drop table build.due, build.person")
    with pytest.raises(NothingBuiltError, match="build has no due, person: run the models for 2022-07-20"):
        support.publish(town, WORLD_DAY, "something missing")


def test_a_build_for_another_date_is_not_published(town: Settings) -> None:
    support.build_marts(town, WORLD_DAY)
    support.audit(town, WORLD_DAY)
    with pytest.raises(NothingBuiltError, match="the run builds 2022-07-20, not 2022-07-21"):
        support.publish(town, date(2022, 7, 21), "wrong date")


def test_a_fault_while_publishing_leaves_the_last_publication(town: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before = support.marts(town)

    def break_down(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(publishing, "ensure_reader_view", break_down)
    with pytest.raises(RuntimeError, match="power cut"):
        support.publish(town, WORLD_DAY, "power cut")
    monkeypatch.undo()
    assert support.marts(town) == before

    monkeypatch.setattr(publishing, "_insert_publication", break_down)
    for run_key in ("between the two", "another run"):
        with pytest.raises((RuntimeError, NothingBuiltError)):
            support.publish(town, WORLD_DAY, run_key)
        assert support.marts(town) == before
    monkeypatch.undo()
    support.publish(town, WORLD_DAY, "between the two")
    assert support.marts(town) == before, "the same run goes on where it stopped"

    support.build_marts(town, WORLD_DAY)
    support.audit(town, WORLD_DAY)
    monkeypatch.setattr(publishing, "_insert_publication", break_down)
    with pytest.raises(RuntimeError, match="power cut"):
        support.publish(town, WORLD_DAY, "abandoned")
    monkeypatch.undo()
    support.build_marts(town, WORLD_DAY)
    support.audit(town, WORLD_DAY)
    support.publish(town, WORLD_DAY, "after the power cut")
    assert support.query(town, "select count(*) from published.staged") == [(0,)]
    assert support.marts(town) == before, "the same date again changes nothing but the publication id"


def test_every_table_and_column_of_reporting_has_its_comment(town: Settings) -> None:
    missing = support.query(
        town,
        """
        select c.relname, a.attname from pg_class c
        inner join pg_namespace n on n.oid = c.relnamespace
        inner join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        where n.nspname in ('reporting', 'reporting_public', 'restricted')
        and (col_description(c.oid, a.attnum) is null or obj_description(c.oid, 'pg_class') is null)
        """,
    )
    assert missing == []


def test_the_comment_of_a_column_begins_with_its_chinese_title(town: Settings) -> None:
    untitled = support.query(
        town,
        """
        select c.relname, a.attname, col_description(c.oid, a.attnum) from pg_class c
        inner join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'reporting'::regnamespace and split_part(col_description(c.oid, a.attnum), ': ', 1) !~ '^[^a-z]*[一-龥]'
        """,
    )
    assert untitled == []


def test_numbers_reach_a_reader_as_numbers(town: Settings) -> None:
    """Drivers hand a numeric over as text or as a type of their own, which tools neither add up nor draw."""
    numeric = """
        select table_name, column_name from information_schema.columns
        where table_schema in ('reporting', 'reporting_public', 'restricted') and data_type = 'numeric'
    """
    assert support.query(town, numeric) == []


def test_a_column_of_another_type_is_converted(town: Settings) -> None:
    """A home was published by a version in which the share was a numeric: its publications stay and go on."""
    rates = "select as_of_date, community, unit, group_code, department, compliance_rate from reporting.compliance_daily order by 1, 2, 3, 4, 5"
    before = support.query(town, rates)
    support.rebuild(town)
    with warehouse.connect(town) as conn:
        conn.execute(
            """
            drop view reporting.compliance_daily, own_part.compliance_daily;
            alter table published.compliance_daily alter column compliance_rate type numeric
            """
        )
    support.publish(town, WORLD_DAY, "after a change of type")
    assert support.query(town, rates) == before and before
    assert all(isinstance(rate, float) for *_, rate in before if rate is not None)


def test_the_contract_of_the_marts(town: Settings) -> None:
    """docs: marts.md, the columns that must be there."""
    contract = {
        "publication": "publication_id as_of_date published_at policy_edition quality_status checks_run checks_failed input_files input_rows code_version",
        "obligation": "as_of_date obligation_id membership_id person_key group_code rule_family basis slot unit department community grid due_date status days_overdue satisfied_on last_sample_date explanation",
        "due": "obligation_id due_date days_until_due explanation",
        "overdue": "obligation_id due_date days_overdue explanation",
        "compliance_daily": "as_of_date department group_code community unit required compliant overdue exempt compliance_rate",
        "risk_zone": "zone_id name communities level level_since was_high last_positive_date clear_days residents round_sampled round_outstanding round_complete_on eligible_level eligible_on mismatch blockers",
        "due_forecast": "due_date community tests_due",
        "screening_round": "round_id community grid started_at deadline in_scope sampled_in_time sampled_late outstanding coverage completed_at",
        "screening_outstanding": "round_id person_key community grid",
        "vaccination_60plus": "community age_band residents covered full_course booster",
        "disinfection_daily": "zone_id disinfection_date required done shortfall",
        "readiness": "team_type level community required listed shortfall mix_ok",
    }
    for table, columns in contract.items():
        actual_columns = {
            name
            for (name,) in support.query(
                town,
                "select column_name from information_schema.columns where table_schema = 'reporting' and table_name = %s",
                table,
            )
        }
        assert set(columns.split()) <= actual_columns, table
    person = {
        name
        for (name,) in support.query(
            town,
            "select column_name from information_schema.columns where table_schema = 'restricted' and table_name = 'person'",
        )
    }
    assert person == set(
        ["as_of_date", "person_key", "name", "id_type", "id_number", "phone", "address", "community", "grid"]
    )


def test_the_public_sees_only_what_is_signed_off_and_goes_on_seeing_it(town: Settings) -> None:
    [(current,)] = support.query(town, "select publication_id from published.current")
    assert support.query(town, "select count(*) from reporting_public.public_figure") == [(0,)]
    with warehouse.connect(town) as conn:
        conn.execute(
            "insert into published.public_release (publication_id, decision, decided_by, run_key) values (%s, 'released', 'director', 'r')",
            (current,),
        )
    seen = support.query(town, "select * from reporting_public.public_figure order by topic, figure, community")
    assert len(seen) > 20
    publish_again(town)
    assert support.query(town, "select publication_id from reporting_public.publication") == [(current,)]
    with warehouse.connect(town) as conn:
        prune(conn, keep=0)
    assert support.query(town, "select * from reporting_public.public_figure order by topic, figure, community") == seen


def publish_again(town: Settings) -> None:
    """A newer publication of the day, as the build of a later run would be."""
    support.rebuild(town)
    support.publish(town, WORLD_DAY, "later")


def test_explanations_read_well(town: Settings) -> None:
    texts = [text for (text,) in support.query(town, "select explanation from reporting.obligation")]
    assert texts and all(text.startswith(("附件第", "第")) and text.count("；") >= 2 for text in texts)
    overdue = [text for (text,) in support.query(town, "select explanation from reporting.overdue")]
    assert overdue and all("已超期" in text and "前采样" in text for text in overdue)


def test_old_publications_are_pruned_but_the_newest_of_a_date_is_kept(town: Settings) -> None:
    with warehouse.connect(town) as conn:
        dropped = prune(conn, keep=1)
    publication_ids = {
        row[0] for row in support.query(town, "select distinct publication_id from published.obligation")
    }
    newest = {
        row[0]
        for row in support.query(town, "select max(publication_id) from published.publication group by as_of_date")
    }
    assert newest <= publication_ids
    assert not publication_ids & set(dropped)
    assert len(support.query(town, "select distinct as_of_date from reporting.compliance_daily")) == 2


def test_the_history_goes_on_without_the_rows_of_persons(town: Settings) -> None:
    """Retention drops a past day's rows of persons: its figures stay, and say that they are not current."""
    yesterday = WORLD_DAY - timedelta(days=1)
    figures = "select indicator_code, part from reporting.indicator_daily where as_of_date = %s and not is_current"
    before = sorted(map(str, support.query(town, figures, yesterday)))
    with warehouse.connect(town) as conn:
        for (publication,) in conn.execute(
            "select publication_id from published.publication where as_of_date = %s", [yesterday]
        ).fetchall():
            for mart in published().values():
                if not mart.is_history:
                    conn.execute(f"drop table if exists published.{mart.name}_p{publication}")  # type: ignore[arg-type]
    assert sorted(map(str, support.query(town, figures, yesterday))) == before and len(before) > 100
    dates = [(yesterday, False), (WORLD_DAY, True)]
    for table in ("indicator_daily", "compliance_daily", "publication_history"):
        assert sorted(support.query(town, f"select distinct as_of_date, is_current from reporting.{table}")) == dates
