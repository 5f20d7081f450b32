"""Publishing is one switch, no waiting, nothing half; it is repeatable, and goes back by date."""

from __future__ import annotations

import threading
from datetime import date, timedelta

import psycopg
import pytest

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from yingjian.database import warehouse
from yingjian.operations import migration
from yingjian.publishing import build as builds
from yingjian.publishing import publish as publishing
from yingjian.settings import Settings


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
    while not any(row and row[0] == WORLD_DAY for row in seen) and not errors:
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


def test_publishing_twice_for_one_run_publishes_once(town: Settings) -> None:
    again = support.publish(town, WORLD_DAY, "today")
    assert support.query(town, "select publication_id from reporting.publication") == [(again,)]
    assert support.query(town, "select count(*) from published.publication") == [(2,)]


def test_nothing_built_is_said(town: Settings) -> None:
    with pytest.raises(builds.NotOwnerError, match="the schema build belongs to nobody"):
        support.publish(town, WORLD_DAY, "nothing claimed")
    support.claim(town, WORLD_DAY)
    with pytest.raises(publishing.NothingBuiltError, match="the build of 2022-07-20 was not audited"):
        support.publish(town, WORLD_DAY, "nothing audited")
    support.rebuild(town)
    with warehouse.connect(town) as conn:
        conn.execute("drop table build.due, build.person")
    with pytest.raises(publishing.NothingBuiltError, match="build has no due, person: run the models for 2022-07-20"):
        support.publish(town, WORLD_DAY, "something missing")


def test_a_build_for_another_date_is_not_published(town: Settings) -> None:
    support.build_marts(town, WORLD_DAY)
    support.audit(town, WORLD_DAY)
    with pytest.raises(publishing.NothingBuiltError, match="the run builds 2022-07-20, not 2022-07-21"):
        support.publish(town, date(2022, 7, 21), "wrong date")


def test_a_fault_while_publishing_leaves_the_last_publication(town: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before = support.marts(town)

    def break_down(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(publishing, "_ensure_reader_view", break_down)
    with pytest.raises(RuntimeError, match="power cut"):
        support.publish(town, WORLD_DAY, "power cut")
    monkeypatch.undo()
    assert support.marts(town) == before

    monkeypatch.setattr(publishing, "_insert_publication", break_down)
    for run_key in ("between the two", "another run"):
        with pytest.raises((RuntimeError, publishing.NothingBuiltError)):
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
        and not (n.nspname = 'reporting' and c.relname = 'publication')
        """,
    )
    assert missing == []


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
        "vaccination_60plus": "community residents_60plus dose_1 dose_2 dose_3 coverage_3",
        "disinfection_daily": "zone_id disinfection_date required done shortfall",
        "readiness": "team_type level community required listed shortfall mix_ok",
    }
    for table, columns in contract.items():
        found = {
            name
            for (name,) in support.query(
                town,
                "select column_name from information_schema.columns where table_schema = 'reporting' and table_name = %s",
                table,
            )
        }
        assert set(columns.split()) <= found, table
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
        publishing.prune(conn, keep=0)
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
        dropped = publishing.prune(conn, keep=1)
    kept = {row[0] for row in support.query(town, "select distinct publication_id from published.obligation")}
    newest = {
        row[0]
        for row in support.query(town, "select max(publication_id) from published.publication group by as_of_date")
    }
    assert newest <= kept
    assert not kept & set(dropped)
    assert len(support.query(town, "select distinct as_of_date from reporting.compliance_daily")) == 2
