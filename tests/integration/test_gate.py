"""The gate: every check has a case in which it fails, and a build that fails is not published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests import metadata, support
from tests.conftest import WORLD_DAY, HomeFactory
from yingjian import quality
from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.orchestration import tasks
from yingjian.publishing import publish as publishing
from yingjian.settings import PROJECT_ROOT, Settings

TOKEN = str(uuid4())  # The token belongs to a build that nobody publishes.
SUITES = quality.load_suites(PROJECT_ROOT / "expectations", WORLD_DAY)

# For each check what breaks it: SQL over the build or staging that a fault could have left.
POISON = {
    "quality.landed_file.row_balance_of_each_file": "alter table quality.landed_file drop constraint row_balance; update quality.landed_file set rows_read = rows_read + 1 where file_id = (select min(file_id) from quality.landed_file)",
    "quality.landed_file.rejected_rows_are_all_in_quarantine": "delete from quality.rejected_row where rejected_id = (select min(rejected_id) from quality.rejected_row)",
    "quality.landed_file.same_bytes_staged_once": "drop index quality.landed_file_once; update quality.landed_file set sha256 = 'x' where feed = 'arrivals'",
    "quality.landed_file.staged_rows_are_all_in_staging": "delete from staging.key_population where line = 2",
    "quality.landed_file.staged_samples_are_all_in_staging": "delete from staging.test_results where line = 2",
    "quality.landed_file.every_file_was_read": "insert into quality.landed_file (feed, file_name, location, modified_at, size_bytes, status) values ('x', 'x', 'x', now(), 1, 'unknown_feed')",
    "quality.changed_test_results.person_key_not_null": "alter table staging.test_results alter person_key drop not null; update staging.test_results set person_key = null where line = 2",
    "quality.changed_test_results.result_codes": "update staging.test_results set result = '不明' where line = 2",
    "quality.changed_test_results.volume_against_the_days_before": f"delete from intermediate.int_sample__by_day where sample_date = date '{WORLD_DAY}'",
    "staging.key_population.group_codes_have_a_rule": "update staging.key_population set group_code = '99' where line = 2",
    "staging.key_population.person_key_not_null": "alter table staging.key_population alter person_key drop not null; update staging.key_population set person_key = null where line = 2",
    "build.feed_quality.business_date": "update build.feed_quality set as_of_date = as_of_date - 1",
    "build.feed_quality.expected_feeds_arrived": "update build.feed_quality set status = 'missing' where feed = 'residents'",
    "build.feed_quality.feeds_are_fresh": "update build.feed_quality set status = 'stale' where feed = 'residents'",
    "build.feed_quality.volume_is_usual": "update build.feed_quality set status = 'thin' where feed = 'test_results'",
    "build.feed_quality.files_are_whole": "update build.feed_quality set suspicious_files = 1 where feed = 'test_results'",
    "build.feed_quality.versions_agree": "update build.feed_quality set contradictions = 1 where feed = 'test_results'",
    "build.restatement.restated_days_are_past": "insert into build.restatement (as_of_date, restated_date, base_publication_id, group_code, reason_code, reason, from_status, to_status, rows) values ('2022-07-20', '2022-07-21', 1, '1', 'x', 'x', 'x', 'x', 1)",
    "build.risk_zone.one_place_has_one_level": "update build.risk_zone set is_level_contested = true",
    "build.zone_blocker.person_key_is_a_keyed_hash": "insert into build.zone_blocker (as_of_date, zone_id, level, person_key, community, grid, building, reason, round_from_date, explanation) values ('2022-07-20', 'Z1', '高', '350503194205022751', '', '', '', 'not_sampled', '2022-07-20', 'x')",
    "build.zone_blocker.blockers_are_as_many_as_the_zone_says": "update build.risk_zone set round_outstanding = coalesce(round_outstanding, 0) + 1",
    "build.zone_stay_summary.percentiles_are_in_order": "insert into build.zone_stay_summary (as_of_date, level, stays, days_p10, days_median, days_p90, share_shorter) values ('2022-07-20', '高', 1, 3, 2, 1, 0)",
    "build.responsibility.every_unit_has_a_name": "update build.responsibility set unit = ' ' where ordinal = 1",
    "build.responsibility.every_article_has_somebody": "delete from build.responsibility where provision = '26'",
    "build.zone_history.stays_have_a_length": "update build.zone_history set listed_to = listed_from",
    "build.obligation.business_date": "update build.obligation set as_of_date = as_of_date - 1",
    "build.obligation.obligation_id_unique": "drop index if exists build_obligation_id; update build.obligation set obligation_id = 'same'",
    "build.obligation.membership_id_not_null": "alter table build.obligation alter membership_id drop not null; update build.obligation set membership_id = null where status = 'overdue'",
    "build.obligation.person_key_is_a_keyed_hash": "update build.obligation set person_key = '350503194205022751' where status = 'overdue'",
    "build.obligation.status_codes": "update build.obligation set status = 'late' where status = 'overdue'",
    "build.obligation.days_overdue_agree_with_status": "update build.obligation set days_overdue = days_overdue + 1 where status = 'overdue'",
    "build.obligation.open_and_due_agree": "update build.obligation set due_date = as_of_date where status = 'upcoming'",
    "build.obligation.every_expected_slot_is_there": "delete from build.obligation where rule_family = 'anchored' and slot = 7",
    "build.obligation.every_rolling_duty_is_there": "delete from build.obligation where group_code = '9'",
    "build.obligation.no_personal_data": "update build.obligation set unit = '13812345678' where group_code = '9'",
    "build.obligation.no_names": "update build.obligation set explanation = (select name from build.person where person.person_key = obligation.person_key)",
    "build.due.due_are_the_upcoming_within_the_horizon": "delete from build.due where days_until_due = 1",
    "build.overdue.due_overdue_and_closed_are_all": "delete from build.overdue where days_overdue = 1",
    "build.overdue.overdue_are_overdue": "update build.overdue set days_overdue = 0",
    "build.compliance_daily.required_is_compliant_plus_overdue": "update build.compliance_daily set compliant = compliant + 1",
    "build.compliance_daily.compliance_rate_between_0_and_1": "update build.compliance_daily set compliance_rate = 1.5",
    "build.compliance_daily.every_overdue_membership_is_counted": "update build.compliance_daily set overdue = 0, compliant = required",
    "build.due_forecast.forecast_is_what_is_due": "update build.due_forecast set tests_due = tests_due + 1",
    "build.due_forecast.seven_days_ahead": "update build.due_forecast set due_date = due_date + 30",
    "build.risk_zone.zone_id_unique": "update build.risk_zone set zone_id = 'Z'",
    "build.risk_zone.level_codes": "update build.risk_zone set level = '红'",
    "build.risk_zone.eligible_level_and_day_together": "update build.risk_zone set eligible_level = '低', eligible_on = null",
    "build.risk_zone.declaration_and_rule_agree": "update build.risk_zone set mismatch = '不一致'",
    "build.control.every_membership_under_control_is_there": "delete from build.control where control = 'close_contact'",
    "build.control.release_and_what_is_missing_agree": "update build.control set may_be_released = true, missing = 'x'",
    "build.control.tests_done_are_not_more_than_required": "update build.control set tests_done = tests_required + 1",
    "build.control.days_are_in_order": "update build.control set ends_on = started_on - 1",
    "build.control.nobody_was_released_too_early": "update build.control set is_released_early = true, too_early = 'x'",
    "build.control.nobody_waits_for_a_release": "update build.control set status = 'awaiting_release'",
    "build.sampling_unit_daily.numbers_agree": "update build.sampling_unit_daily set shortfall = shortfall + 1",
    "build.sampling_unit_daily.every_outbreak_day_is_there": "delete from build.sampling_unit_daily where sampling_day = as_of_date",
    "build.sampling_unit_daily.units_sample_enough": "update build.sampling_unit_daily set sampled = 0, shortfall = required",
    "build.sampling_proposal.person_key_is_a_keyed_hash": "update build.sampling_proposal set person_key = '350503194205022751'",
    "build.sampling_proposal.proposed_for_tomorrow": "update build.sampling_proposal set proposed_for = as_of_date",
    "build.sampling_proposal.nobody_infected_is_proposed": "update build.sampling_proposal set person_key = (select person_key from intermediate.int_lift__intervals where state = 'void' limit 1)",
    "build.screening_round.everyone_in_scope_is_somewhere": "update build.screening_round set in_scope = in_scope + 1",
    "build.screening_round.coverage_between_0_and_1": "update build.screening_round set coverage = 1.5",
    "build.screening_round.complete_means_nobody_left": "update build.screening_round set completed_at = started_at where outstanding > 0",
    "build.screening_round.every_round_is_there": "delete from build.screening_round where round_id = 'GG2'",
    "build.screening_round.rounds_are_done_in_time": "update build.screening_round set status = 'overdue'",
    "build.screening_round.named_places_have_residents": "update build.screening_round set status = 'nobody_in_scope'",
    "build.screening_building.buildings_add_up_to_the_round": "delete from build.screening_building where building = '1号楼'",
    "build.screening_outstanding.person_key_is_a_keyed_hash": "update build.screening_outstanding set person_key = '350503194205022751'",
    "build.screening_outstanding.nobody_is_left_out": "delete from build.screening_outstanding where round_id = 'GG2'",
    "build.screening_outstanding.every_person_resolves": "delete from build.person",
    "build.screening_progress.progress_only_grows": "update build.screening_progress set sampled = in_scope + 1 where hour = 1",
    "build.screening_progress.progress_ends_where_the_round_stands": "update build.screening_progress set sampled = 0",
    "build.screening_progress.rounds_are_on_track": "update build.screening_progress set is_on_track = false",
    "build.vaccination_60plus.later_doses_are_not_more": "update build.vaccination_60plus set dose_3 = dose_2 + 1",
    "build.vaccination_60plus.coverage_agrees": "update build.vaccination_60plus set coverage_3 = null",
    "build.vaccination_60plus.ages_are_known": "update build.vaccination_60plus set residents_of_unknown_age = 1",
    "build.disinfection_daily.shortfall_agrees": "update build.disinfection_daily set shortfall = shortfall + 1",
    "build.disinfection_daily.every_zone_above_low_has_its_day": "delete from build.disinfection_daily where disinfection_date = as_of_date",
    "build.disinfection_daily.zones_are_disinfected_often_enough": "update build.disinfection_daily set done = 1, shortfall = 1",
    "build.terminal_disinfection.every_case_is_there": "delete from build.terminal_disinfection where case_key = 'CASE001'",
    "build.terminal_disinfection.done_has_its_end": "update build.terminal_disinfection set finished_at = null",
    "build.terminal_disinfection.cases_are_known": "update build.terminal_disinfection set is_known_case = false",
    "build.terminal_disinfection.every_place_is_done": "update build.terminal_disinfection set is_done = false",
    "build.readiness.numbers_agree": "update build.readiness set shortfall = shortfall + 1",
    "build.readiness.every_listed_member_is_counted": "delete from build.readiness where team_type = '转运'",
    "build.readiness.teams_are_ready": "update build.readiness set mix_ok = false",
    "build.grid_population.kinds_add_up": "update build.grid_population set floating = floating + 1",
    "build.grid_population.every_resident_is_counted": "delete from build.grid_population where grid = '网格1'",
    "build.grid_population.everyone_has_a_grid": "update build.grid_population set grid = ''",
    "build.town_state.one_row_for_the_business_date": "update build.town_state set as_of_date = as_of_date - 1",
    "build.town_state.an_emergency_has_its_beginning": "update build.town_state set since = null",
    "build.town_state.emergency_has_been_declared": "delete from staging.declarations",
    "build.contact_clock.person_key_is_a_keyed_hash": "update build.contact_clock set person_key = '350503194205022751'",
    "build.contact_clock.every_contact_is_there": "delete from build.contact_clock where status = 'overdue'",
    "build.contact_clock.clock_and_status_agree": "update build.contact_clock set status = 'running' where status = 'overdue'",
    "build.contact_clock.close_contacts_are_in_central_isolation": "update build.contact_clock set mode = '居家' where category = '密接'",
    "build.contact_clock.every_person_resolves": "delete from build.person",
    "build.contact_clock.contacts_are_isolated": "update build.contact_clock set status = 'overdue', is_infected = false",
    "build.push_clearance.every_pushed_record_is_somewhere": "update build.push_clearance set pushed = pushed + 1",
    "build.push_clearance.share_between_0_and_1": "update build.push_clearance set share_same_day = 1.5",
    "build.push_clearance.every_record_is_counted": "delete from build.push_clearance where open > 0",
    "build.push_clearance.lists_are_cleared": "update build.push_clearance set open = 1",
    "build.push_clearance.everything_was_pushed": "update build.push_clearance set not_pushed = 1",
    "build.push_outstanding.person_key_is_a_keyed_hash": "update build.push_outstanding set person_key = '350503194205022751'",
    "build.push_outstanding.nobody_is_left_out": "delete from build.push_outstanding where feed = 'arrivals'",
    "build.push_outstanding.every_person_resolves": "delete from build.person",
    "build.pool_followup.person_key_is_a_keyed_hash": "update build.pool_followup set person_key = '350503194205022751'",
    "build.pool_followup.every_member_has_its_duty": "delete from build.pool_followup where status = 'overdue'",
    "build.pool_followup.result_and_status_agree": "update build.pool_followup set status = 'negative' where status = 'pending'",
    "build.pool_followup.members_are_sampled_in_time": "update build.pool_followup set status = 'overdue'",
    "build.pool_followup.positives_are_known_cases": "update build.pool_followup set status = 'positive'",
    "build.pool_followup.tube_numbers_are_used_once": "update build.pool_followup set needs_review = true",
    "build.pharmacy_followup.person_key_is_a_keyed_hash": "update build.pharmacy_followup set person_key = '350503194205022751'",
    "build.pharmacy_followup.every_purchase_is_there": "delete from build.pharmacy_followup where clearance = 'open'",
    "build.pharmacy_followup.clearance_and_times_agree": "update build.pharmacy_followup set cleared_same_day = null",
    "build.pharmacy_followup.test_is_that_of_the_obligation": "update build.pharmacy_followup set status = 'satisfied' where status = 'overdue'",
    "build.pharmacy_followup.no_personal_data": "update build.pharmacy_followup set drug = '阿司匹林 13812345678'",
    "build.pharmacy_followup.purchases_are_investigated": "update build.pharmacy_followup set clearance = 'open'",
    "build.pharmacy_followup.drugs_are_known": "update build.pharmacy_followup set matched_ingredient = null",
    "build.pharmacy_followup.catalogue_agrees": "update build.pharmacy_followup set drug_mismatch = '不一致', matched_ingredient = '布洛芬'",
    "build.signal.signals_are_large_enough": "update build.signal set persons = 1, purchases = 1",
    "build.signal.repeated_buyers_have_a_signal": "delete from build.signal where kind = 'repeat_purchase'",
    "build.signal.new_signals": "update build.signal set is_new = true",
    "build.public_figure.no_small_count_is_shown": "update build.public_figure set value = 4, is_protected = false where topic = 'testing' and figure = 'overdue' and community = (select min(community) from build.public_figure where is_protected and figure = 'overdue' and community <> '')",
    "build.public_figure.no_small_count_follows_from_the_communities": "update build.public_figure set value = (select value - 3 from build.public_figure where figure = 'required' and community = '') where figure = 'required' and community = (select min(community) from build.public_figure where figure = 'required' and community <> '' and not is_protected); update build.public_figure set value = 0 where figure = 'required' and community not in ('', (select min(community) from build.public_figure where figure = 'required' and community <> '' and not is_protected)) and not is_protected",
    "build.public_figure.no_small_count_follows_from_the_parts": "update build.public_figure set value = value + 1 where figure = 'required' and community = ''",
    "build.public_figure.a_hidden_whole_has_hidden_parts": "update build.public_figure set value = 0, is_protected = false where figure = 'overdue' and is_protected",
    "build.public_figure.nothing_of_a_person": "update build.public_figure set wording = wording || '（CASE001）' where topic = 'state'",
    "build.person.person_key_unique": "update build.person set person_key = 'same'",
    "build.person.person_is_complete": "update build.person set id_number = null where person_key = (select min(person_key) from build.person)",
    "build.person.every_obligation_resolves": "delete from build.person",
}  # fmt: skip


@pytest.fixture(scope="module")
def built(home_factory: HomeFactory, built_town: Settings) -> Settings:
    """A town of its own: published yesterday, built today, not yet published."""
    settings = home_factory("gate", built_town)
    with warehouse.connect(settings) as conn:
        # Unique indexes stand in the way of poison; a fault could have lost them.
        for (index,) in conn.execute(
            "select indexrelid::regclass::text from pg_index where indisunique and not indisprimary and indrelid::regclass::text like 'build.%'"
        ).fetchall():
            conn.execute(f"drop index {index}")  # type: ignore[arg-type]
    return settings


def test_every_check_has_a_case_in_which_it_fails() -> None:
    assert {f"{suite.name}.{check.name}" for suite in SUITES for check in suite.checks} == set(POISON)


def test_the_untouched_build_passes(built: Settings) -> None:
    result = support.audit(built, WORLD_DAY)
    assert result.passed, result.critical
    assert len(result.results) == len(POISON)


@pytest.fixture(scope="module")
def lean(built: Settings) -> Settings:
    """The build and what it is made from, without what is published: quick to copy."""
    copy = make_copy(built, "lean", "yingjian")
    with warehouse.connect(copy) as conn:
        conn.execute("drop schema reporting, restricted cascade")
        marts = conn.execute(
            "select tablename from pg_tables where schemaname = 'published' and tablename <> 'publication'"
        ).fetchall()
        for (mart,) in marts:
            conn.execute(f"drop table if exists published.{mart} cascade")  # type: ignore[arg-type]
    return copy


def test_the_rows_that_are_checked_stay_in_the_database(lean: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Great Expectations nor a check fetches what it looks at: a province's samples would not fit, and name persons."""
    failing = make_copy(lean, "failing", "lean")
    fetched = []
    execute = psycopg.Cursor.execute

    def counted(cursor: psycopg.Cursor, *arguments: Any, **options: Any) -> psycopg.Cursor:
        executed = execute(cursor, *arguments, **options)
        fetched.append(cursor.rowcount)
        return executed

    with warehouse.connect(failing) as conn:
        conn.execute("update published.publication set last_change_id = null")
        conn.execute("update build.obligation set explanation = repeat('1', 18)")
    ((samples, obligations),) = support.query(
        failing, "select (select count(*) from quality.changed_test_results), (select count(*) from build.obligation)"
    )
    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    with warehouse.connect(failing) as conn:
        result = quality.audit(conn, warehouse.uri(failing), SUITES, WORLD_DAY, None, TOKEN)
    assert obligations in {found.failing_rows for found in result.critical}
    assert len(fetched) > 100 and max(fetched) < 50 < min(samples, obligations), "names of columns at most"


def test_the_audit_reads_no_other_files_samples(lean: Settings) -> None:
    """A query of one row, as Great Expectations asks first, does not read all files' rows: its plan says so."""
    grown = make_copy(lean, "grown", "lean")
    with warehouse.connect(grown) as conn:
        conn.execute("alter table staging.test_results disable trigger user")
        conn.execute(
            "create temp table one as select * from staging.test_results limit 1;"
            "insert into staging.test_results select (jsonb_populate_record(one, jsonb_build_object("
            "'sample_key', n, 'file_id', 1000 + n / 2000))).* from one, generate_series(1, 200000) as n;"
            "select staging.settle_samples();"
            "insert into staging.sample_change (file_id) select max(file_id) from staging.test_results"
        )
        for rows in (
            "select 1 from quality.changed_test_results limit 1",
            "select * from quality.changed_test_results",
        ):
            assert support.tables_read(conn, rows)["test_results"] == "Bitmap Heap Scan"


@pytest.mark.parametrize("name", POISON)
def test_a_check_fails_on_its_poison(name: str, lean: Settings) -> None:
    fails_on(POISON[name], name, lean)


@pytest.mark.parametrize(
    ("name", "poison"),
    [
        (
            "quality.changed_test_results.result_codes",
            "create temp table written as select * from staging.test_results where line = 2 limit 1;"
            "update written set sample_key = 'by hand', result = '不明';"
            "insert into staging.test_results select * from written",
        ),
        ("quality.landed_file.staged_samples_are_all_in_staging", "truncate staging.test_results"),
    ],
)
def test_samples_that_no_file_is_noted_of_are_checked_too(name: str, poison: str, lean: Settings) -> None:
    """Rows written by hand, and an emptied table, are not read past."""
    fails_on(poison, name, lean)


def fails_on(poison: str, name: str, lean: Settings) -> None:
    suite = next(suite for suite in SUITES if name.startswith(f"{suite.name}."))
    check = next(check for check in suite.checks if name == f"{suite.name}.{check.name}")
    poisoned = make_copy(lean, "poisoned", "lean")
    with warehouse.connect(poisoned) as conn:
        conn.execute(poison)  # type: ignore[arg-type]
    with warehouse.connect(poisoned) as conn:
        alone = quality.Suite(suite.schema, suite.table, (check,))
        result = quality.audit(conn, warehouse.uri(poisoned), [alone], WORLD_DAY, None, TOKEN)
    assert [failure.check.name for failure in result.failed] == [check.name]
    assert result.passed is (check.severity == "warn")


def make_copy(settings: Settings, name: str, template: str) -> Settings:
    """The fixture copies one of the home's databases, with it as a template."""
    server = EmbeddedPostgres(settings)
    with psycopg.connect(server.uri("postgres", "postgres"), autocommit=True) as conn:
        conn.execute(f"drop database if exists {name} with (force)")  # type: ignore[arg-type]
        conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (template,))
        conn.execute(f"create database {name} template {template} owner yingjian_owner")  # type: ignore[arg-type]
    return replace(settings, warehouse=server.uri("yingjian_owner", name), given_person_key="x")


@pytest.fixture
def question(built: Settings, tmp_path: Path) -> Iterator[tuple[psycopg.Connection, UUID]]:
    """A connection to Airflow's own record, and the question of the run that builds: release it by hand?"""
    metadata.migrate(warehouse.airflow_uri(built), tmp_path)
    (built.home / "officials.yml").write_text(
        "officials: [{login: director, name: 王主任, audience: office, role: user, may: [release]},"
        " {login: press, name: 宣传组, audience: office, role: user, may: [sign_off]}]"
    )
    with psycopg.connect(warehouse.airflow_uri(built), autocommit=True) as airflow:
        metadata.put_run(airflow, "daily", support.RUN)
        task = metadata.put_task(airflow, "daily", support.RUN, "release_by_hand", "success")
        metadata.put_question(airflow, task)
        yield airflow, task


def test_a_poisoned_mart_is_not_published(
    built: Settings, question: tuple[psycopg.Connection, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Yesterday's publication stays; only a person with a reason releases the build, and the publication says so.

    Nothing that a task hands on counts: the verdict is the audit's, the answer Airflow's own record.
    """
    monkeypatch.setenv("YINGJIAN_HOME", str(built.home))
    before = support.marts(built)
    support.build_marts(built, WORLD_DAY)
    with warehouse.connect(built) as conn:
        conn.execute("update build.obligation set unit = '13812345678' where group_code = '9'")
    audited = tasks.audit(WORLD_DAY, support.RUN)
    assert audited["passed"] is False
    assert audited["critical"] == ["build.obligation: 报表字段中出现证件号码或手机号"]
    assert tasks.is_released(support.RUN) is False
    reason = "电话为公开的单位总机"
    with pytest.raises(publishing.NotReleasedError, match="nobody released"):
        tasks.publish(WORLD_DAY, support.RUN)
    for login, chosen, given in (
        ("director", "Reject", "x"), ("director", "Approve", " "), ("press", "Approve", reason), ("", "Approve", reason),
    ):  # fmt: skip
        metadata.put_answer(*question, login, chosen, given)
        with pytest.raises(publishing.NotReleasedError, match="nobody released"):
            tasks.publish(WORLD_DAY, support.RUN)
    assert support.marts(built) == before

    metadata.put_answer(*question, "director", "Approve", reason, "王主任")
    publication_id = tasks.publish(WORLD_DAY, support.RUN)
    assert support.query(
        built,
        "select publication_id, as_of_date, quality_status, release_reason, released_by from reporting.publication",
    ) == [(publication_id, WORLD_DAY, "released_by_hand", reason, "王主任")]
    assert tasks.publish(WORLD_DAY, support.RUN) == publication_id
    assert support.query(built, "select actor, object, reason from audit.event where action = 'release'") == [
        ("director", f"publication:{publication_id}", reason)
    ], "in the audit trail, once"


def test_a_check_that_cannot_run_fails(built: Settings) -> None:
    broken = quality.Suite(
        "quality", "landed_file", (quality.Check("broken", "fail", "坏", None, "select nothing from {batch}"),)
    )
    with warehouse.connect(built) as conn:
        result = quality.audit(conn, warehouse.uri(built), [broken], WORLD_DAY, None, TOKEN)
    assert not result.passed


def test_a_malformed_suite_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text("table: build.x\nchecks:\n  - {name: a, severity: loud, says: b, query: c}\n")
    with pytest.raises(ValueError, match=r"x\.yml: a needs severity fail or warn"):
        quality.load_suites(tmp_path, WORLD_DAY)
