"""The gate: every check has a case in which it fails, and a build that fails is not published."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from yingjian import quality
from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.orchestration import tasks
from yingjian.publishing import decision
from yingjian.publishing import publish as publishing
from yingjian.quality.audit import failing_rows
from yingjian.quality.suites import KEYED_HASH
from yingjian.settings import PROJECT_ROOT, Settings

TOKEN = str(uuid4())  # The token belongs to a build that nobody publishes.
SUITES = quality.load_suites(PROJECT_ROOT, WORLD_DAY)

# The simulated town has neither: a row of each list, of a membership that there is.
DEPARTURE = """
    insert into build.missing_departure
    select as_of_date, membership_id, person_key, group_code, group_name, as_of_date, unit, department, community, grid
    from build.obligation where group_code = '9' limit 1
"""
CORRECTION = """
    insert into build.roster_correction
    select as_of_date, membership_id, person_key, group_code, group_name, '已搬离', as_of_date, unit, department, community, grid
    from build.obligation where group_code = '9' limit 1
"""

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
    "build.zone_blocker.blockers_are_as_many_as_the_zone_says": "update build.risk_zone set round_outstanding = coalesce(round_outstanding, 0) + 1",
    "build.zone_stay_summary.percentiles_are_in_order": "insert into build.zone_stay_summary (as_of_date, level, stays, days_p10, days_median, days_p90, share_shorter) values ('2022-07-20', '高', 1, 3, 2, 1, 0)",
    "build.responsibility.every_unit_has_a_name": "update build.responsibility set unit = ' ' where ordinal = 1",
    "build.responsibility.every_obligation_has_somebody": "delete from build.responsibility where provision like '附件%'",
    "build.responsibility.every_article_has_somebody": "delete from build.responsibility where provision = '26'",
    "build.zone_history.stays_have_a_length": "update build.zone_history set listed_to = listed_from",
    "build.obligation.business_date": "update build.obligation set as_of_date = as_of_date - 1",
    "build.obligation.obligation_id_unique": "drop index if exists build_obligation_id; update build.obligation set obligation_id = 'same'",
    "build.obligation.membership_id_not_null": "alter table build.obligation alter membership_id drop not null; update build.obligation set membership_id = null where status = 'overdue'",
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
    "build.missing_departure.departures_are_of_the_last_days": f"{DEPARTURE}; update build.missing_departure set ended_on = as_of_date - 31",
    "build.missing_departure.nobody_listed_is_under_control": f"{DEPARTURE}; update intermediate.int_membership__unified set group_code = 'A06', anchor_date = '{WORLD_DAY}'",
    "build.missing_departure.every_departure_is_followed": DEPARTURE,
    "build.roster_correction.memberships_in_doubt_still_stand": f"{CORRECTION}; update intermediate.int_membership__unified set end_date = date '{WORLD_DAY}' - 1",
    "build.roster_correction.what_was_said_was_said_by_then": f"{CORRECTION}; update build.roster_correction set said_at = as_of_date + 1",
    "build.sampling_unit_daily.numbers_agree": "update build.sampling_unit_daily set shortfall = shortfall + 1",
    "build.sampling_unit_daily.every_outbreak_day_is_there": "delete from build.sampling_unit_daily where sampling_day = as_of_date",
    "build.sampling_unit_daily.units_sample_enough": "update build.sampling_unit_daily set sampled = 0, shortfall = required",
    "build.sampling_proposal.proposed_for_tomorrow": "update build.sampling_proposal set proposed_for = as_of_date",
    "build.sampling_proposal.nobody_infected_is_proposed": "update build.sampling_proposal set person_key = (select person_key from intermediate.int_lift__intervals where state = 'void' limit 1)",
    "build.screening_round.everyone_in_scope_is_somewhere": "update build.screening_round set in_scope = in_scope + 1",
    "build.screening_round.coverage_between_0_and_1": "update build.screening_round set coverage = 1.5",
    "build.screening_round.complete_means_nobody_left": "update build.screening_round set completed_at = started_at where outstanding > 0",
    "build.screening_round.every_round_is_there": "delete from build.screening_round where round_id = 'GG2'",
    "build.screening_round.rounds_are_done_in_time": "update build.screening_round set status = 'overdue'",
    "build.screening_round.named_places_have_residents": "update build.screening_round set status = 'nobody_in_scope'",
    "build.screening_building.buildings_add_up_to_the_round": "delete from build.screening_building where building = '1号楼'",
    "build.screening_outstanding.nobody_is_left_out": "delete from build.screening_outstanding where round_id = 'GG2'",
    "build.screening_outstanding.every_person_resolves": "delete from build.person",
    "build.screening_progress.progress_only_grows": "update build.screening_progress set sampled = in_scope + 1 where hour = 1",
    "build.screening_progress.progress_ends_where_the_round_stands": "update build.screening_progress set sampled = 0",
    "build.screening_progress.rounds_are_on_track": "update build.screening_progress set is_on_track = false",
    "build.vaccination_60plus.later_doses_are_not_more": "update build.vaccination_60plus set booster = full_course + 1",
    "build.vaccination_60plus.shares_agree": "update build.vaccination_60plus set booster_share = booster_share + 0.1",
    "build.vaccination_60plus.ages_are_known": "update staging.residents set birth_date = null, id_type = '护照'",
    "build.vaccination_outstanding.every_person_resolves": "delete from build.person",
    "build.vaccination_outstanding.who_has_no_dose_lacks_the_first": "update build.vaccination_outstanding set has_doses = 1 where lacks = 'first_dose'",
    "build.key_site_disinfection.shortfall_agrees": "update build.key_site_disinfection set shortfall = shortfall + 1",
    "build.key_site_disinfection.key_sites_are_disinfected_often_enough": "update build.key_site_disinfection set done = 1, shortfall = 1",
    "build.risk_zone.blockers_and_eligibility_agree": "update build.risk_zone set blockers = '{weather}'",
    "build.disinfection_daily.every_zone_above_low_has_places": "update build.risk_zone set zone_id = 'elsewhere'",
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
    "build.contact_clock.every_contact_is_there": "delete from build.contact_clock where status = 'overdue'",
    "build.contact_clock.clock_and_status_agree": "update build.contact_clock set status = 'running' where status = 'overdue'",
    "build.contact_clock.close_contacts_are_in_central_isolation": "update build.contact_clock set mode = '居家' where category = '密接'",
    "build.contact_clock.every_person_resolves": "delete from build.person",
    "build.contact_clock.contacts_are_isolated": "update build.contact_clock set status = 'overdue', is_infected = false",
    "build.push_clearance.every_pushed_record_is_somewhere": "update build.push_clearance set pushed = pushed + 1",
    "build.push_clearance.share_between_0_and_1": "update build.push_clearance set share_same_day = 1.5",
    "build.push_clearance.every_record_is_counted": "delete from build.push_clearance where open > 0",
    "build.push_clearance.lists_are_cleared": "update build.push_clearance set open = 1",
    "build.push_clearance.everything_was_pushed": "update intermediate.int_push__records set clearance = 'not_pushed'",
    "build.push_outstanding.nobody_is_left_out": "delete from build.push_outstanding where feed = 'arrivals'",
    "build.push_outstanding.every_person_resolves": "delete from build.person",
    "build.pool_followup.every_member_has_its_duty": "delete from build.pool_followup where status = 'overdue'",
    "build.pool_followup.result_and_status_agree": "update build.pool_followup set status = 'negative' where status = 'pending'",
    "build.pool_followup.members_are_sampled_in_time": "update build.pool_followup set status = 'overdue'",
    "build.pool_followup.positives_are_known_cases": "update build.pool_followup set status = 'positive'",
    "build.pool_followup.tube_numbers_are_used_once": "update build.pool_followup set needs_review = true",
    "build.pharmacy_followup.every_purchase_is_there": "delete from build.pharmacy_followup where clearance = 'open'",
    "build.pharmacy_followup.clearance_and_times_agree": "update build.pharmacy_followup set cleared_same_day = null",
    "build.pharmacy_followup.test_is_that_of_the_obligation": "update build.pharmacy_followup set status = 'satisfied' where status = 'overdue'",
    "build.pharmacy_followup.no_personal_data": "update build.pharmacy_followup set drug = '阿司匹林 13812345678'",
    "build.pharmacy_followup.purchases_are_investigated": "update build.pharmacy_followup set clearance = 'open'",
    "build.pharmacy_followup.drugs_are_known": "update build.pharmacy_followup set matched_ingredient = null",
    "build.pharmacy_followup.catalogue_agrees": "update build.pharmacy_followup set drug_mismatch = '不一致', matched_ingredient = '布洛芬'",
    "build.signal.signals_are_large_enough": "update build.signal set reports = 0",
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
    "build.positive_followup.every_case_is_followed": "delete from build.positive_followup",
    "build.positive_followup.stage_and_times_agree": "update build.positive_followup set stage = 'not_reported' where case_key is not null",
    "build.positive_followup.clock_and_status_agree": "update build.positive_followup set hours = -1",
    "build.positive_followup.every_person_resolves": "delete from build.person where person_key in (select person_key from build.positive_followup)",
    "build.positive_followup.positives_are_reported_and_transferred": "update build.positive_followup set status = 'overdue'",
    "build.health_monitoring.days_are_of_the_control": "insert into build.health_monitoring (as_of_date, membership_id, person_key, group_code, department, community, grid, monitored_on, expected, done, has_symptom, status) values ('2022-07-20', 'x', repeat('0', 64), '33', '', '', '', '2022-07-20', 2, 2, false, 'complete')",
    "build.health_monitoring.status_and_reports_agree": "insert into build.health_monitoring (as_of_date, membership_id, person_key, group_code, department, community, grid, monitored_on, expected, done, has_symptom, status) values ('2022-07-20', 'x', repeat('0', 64), '33', '', '', '', '2022-07-20', 2, 1, false, 'complete')",
    "build.health_monitoring.monitored_persons_report": "insert into build.health_monitoring (as_of_date, membership_id, person_key, group_code, department, community, grid, monitored_on, expected, done, has_symptom, status) values ('2022-07-20', 'x', repeat('0', 64), '33', '', '', '', '2022-07-20', 2, 1, false, 'short')",
    "build.health_monitoring.nobody_has_a_fever": "insert into build.health_monitoring (as_of_date, membership_id, person_key, group_code, department, community, grid, monitored_on, expected, done, has_symptom, status, highest_temperature) values ('2022-07-20', 'x', repeat('0', 64), '33', '', '', '', '2022-07-20', 2, 2, false, 'signal', 37.3)",
    "build.list_item.every_overdue_obligation_is_an_item": "delete from build.list_item where list = 'overdue'",
    "build.list_item.answers_and_result_agree": "update build.list_item set answers = answers + 1 where result is null",
    "build.disposition.answers_are_known_words": "insert into build.disposition (as_of_date, list, item_id, department, community, grid, answers, result, handled_at) values ('2022-07-20', 'overdue', 'x', '', '', '', 1, '不晓得', '2022-07-20')",
    "build.disposition_daily.answers_add_up": "update build.disposition_daily set answered = items + 1",
    "build.disposition_daily.every_item_is_counted": "delete from build.disposition_daily",
    "build.inspection_followup.every_inspection_is_there": "insert into staging.inspections (inspection_key, article, inspected_at, updated_at, file_id, line) values ('x', '14', '2022-07-20', '2022-07-20', 0, 1)",
    "build.inspection_followup.dates_and_status_agree": "insert into build.inspection_followup (as_of_date, inspection_id, article, place, place_type, community, inspector, found_on, due_on, status, days_overdue, days_open, explanation) values ('2022-07-20', 'x', '14', '', '', '', '', '2022-07-20', '2022-07-20', 'overdue', 0, 0, 'x')",
    "build.inspection_followup.findings_are_mended": "insert into build.inspection_followup (as_of_date, inspection_id, article, place, place_type, community, inspector, found_on, due_on, status, days_overdue, days_open, explanation) values ('2022-07-20', 'x', '14', '', '', '', '', '2022-07-20', '2022-07-20', 'overdue', 1, 0, 'x')",
    "build.isolation_capacity_daily.one_newest_report_of_each_site": "insert into build.isolation_capacity_daily (as_of_date, site_id, site_name, site_status, reported_on, is_newest, days_since, rooms, rooms_free, is_nearly_full, lacks_staff, opens_late, lacking) values ('2022-07-20', 'x', '', '在用', '2022-07-20', false, 0, 1, 1, false, false, false, '')",
    "build.isolation_capacity_daily.rooms_free_are_rooms": "insert into build.isolation_capacity_daily (as_of_date, site_id, site_name, site_status, reported_on, is_newest, days_since, rooms, rooms_free, is_nearly_full, lacks_staff, opens_late, lacking) values ('2022-07-20', 'x', '', '在用', '2022-07-20', true, 0, 1, 2, false, false, false, '')",
    "build.isolation_capacity_daily.sites_are_ready": "insert into build.isolation_capacity_daily (as_of_date, site_id, site_name, site_status, reported_on, is_newest, days_since, rooms, rooms_free, is_nearly_full, lacks_staff, opens_late, lacking) values ('2022-07-20', 'x', '', '在用', '2022-07-20', true, 0, 1, 1, false, false, false, '缺专班人员')",
    "build.supply_daily.one_newest_report_of_each_stock": "insert into build.supply_daily (as_of_date, supply_id, item, unit_of_measure, department, reported_on, is_newest, days_since, stock, daily_use, floor_days, days_of_stock, shortfall, status) values ('2022-07-20', 'x', '', '', '', '2022-07-20', false, 0, 1, 1, 7, 1, 6, 'short')",
    "build.supply_daily.shortfall_and_status_agree": "insert into build.supply_daily (as_of_date, supply_id, item, unit_of_measure, department, reported_on, is_newest, days_since, stock, daily_use, floor_days, days_of_stock, shortfall, status) values ('2022-07-20', 'x', '', '', '', '2022-07-20', true, 0, 1, 1, 7, 1, 0, 'short')",
    "build.supply_daily.stocks_last": "insert into build.supply_daily (as_of_date, supply_id, item, unit_of_measure, department, reported_on, is_newest, days_since, stock, daily_use, floor_days, days_of_stock, shortfall, status) values ('2022-07-20', 'x', '', '', '', '2022-07-20', true, 0, 1, 1, 7, 1, 6, 'short')",
    "build.request_followup.every_kind_has_its_hours": "insert into build.request_followup (as_of_date, request_id, zone_id, category, community, grid, department, received_at, allowed_hours, due_at, hours_open, status) values ('2022-07-20', 'x', '', '就医', '', '', '', '2022-07-20', null, '2022-07-20 04:00:00', 24, 'overdue')",
    "build.request_followup.hours_and_status_agree": "insert into build.request_followup (as_of_date, request_id, zone_id, category, community, grid, department, received_at, allowed_hours, due_at, hours_open, status) values ('2022-07-20', 'x', '', '就医', '', '', '', '2022-07-20', 4, '2022-07-20 04:00:00', 24, 'waiting')",
    "build.request_followup.requests_are_seen_to": "insert into build.request_followup (as_of_date, request_id, zone_id, category, community, grid, department, received_at, allowed_hours, due_at, hours_open, status) values ('2022-07-20', 'x', '', '就医', '', '', '', '2022-07-20', 4, '2022-07-20 04:00:00', 24, 'overdue')",
    "build.guest_check.report_and_status_agree": "insert into build.guest_check (as_of_date, guest_id, person_key, hotel, community, checked_in_at, due_at, hours_to_report, status, list_codes, is_overdue, is_on_list) values ('2022-07-20', 'x', repeat('0', 64), '', '', '2022-07-20', '2022-07-20 02:00:00', 24, 'satisfied', '35', false, true)",
    "build.guest_check.every_person_resolves": "insert into build.guest_check (as_of_date, guest_id, person_key, hotel, community, checked_in_at, due_at, hours_to_report, status, list_codes, is_overdue, is_on_list) values ('2022-07-20', 'x', repeat('0', 64), '', '', '2022-07-20', '2022-07-20 02:00:00', 24, 'overdue', '35', false, true)",
    "build.guest_check.guests_are_reported": "insert into build.guest_check (as_of_date, guest_id, person_key, hotel, community, checked_in_at, due_at, hours_to_report, status, list_codes, is_overdue, is_on_list) values ('2022-07-20', 'x', repeat('0', 64), '', '', '2022-07-20', '2022-07-20 02:00:00', 24, 'overdue', '35', false, true)",
    "build.guest_check.guests_are_on_no_list": "insert into build.guest_check (as_of_date, guest_id, person_key, hotel, community, checked_in_at, due_at, hours_to_report, status, list_codes, is_overdue, is_on_list) values ('2022-07-20', 'x', repeat('0', 64), '', '', '2022-07-20', '2022-07-20 02:00:00', 24, 'overdue', '35', false, true)",
    "build.event_approval.steps_and_status_agree": "insert into build.event_approval (as_of_date, event_id, event_name, organizer, community, held_on, days_until, due_on, steps_missing, missing, late, status) values ('2022-07-20', 'x', '', '', '', '2022-07-20', 0, '2022-07-19', 0, 'x', '', 'overdue')",
    "build.event_approval.events_are_approved": "insert into build.event_approval (as_of_date, event_id, event_name, organizer, community, held_on, days_until, due_on, steps_missing, missing, late, status) values ('2022-07-20', 'x', '', '', '', '2022-07-20', 0, '2022-07-19', 4, 'x', '', 'overdue')",
    "build.drill_summary.everything_required_is_there": "delete from build.drill_summary",
    "build.drill_summary.days_and_status_agree": "update build.drill_summary set held = held + 1 where last_on is null",
    "build.never_tested.nobody_of_them_has_a_sample": "insert into build.never_tested (as_of_date, person_key, community, grid, is_registered, is_key_person) select '2022-07-20', person_key, '', '', true, false from intermediate.int_sample__by_day limit 1",
    "build.never_tested.every_person_resolves": "insert into build.never_tested (as_of_date, person_key, community, grid, is_registered, is_key_person) select '2022-07-20', repeat('0', 64), '', '', true, false",
    "build.case_contact_daily.known_are_not_more_than_new": "insert into build.case_contact_daily (as_of_date, day, community, new_cases, known_contacts, discharged, close_contacts_new, close_contacts_released, close_contacts_positive, secondary_contacts_new, secondary_contacts_released, secondary_contacts_positive, known_share) values ('2022-07-20', '2022-07-20', 'x', 1, 2, 0, 0, 0, 0, 0, 0, 0, 0)",
    "build.case_contact_daily.new_cases_were_known": "insert into build.case_contact_daily (as_of_date, day, community, new_cases, known_contacts, discharged, close_contacts_new, close_contacts_released, close_contacts_positive, secondary_contacts_new, secondary_contacts_released, secondary_contacts_positive, known_share) values ('2022-07-20', '2022-07-20', 'x', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
    "build.lab_turnaround_daily.hours_are_in_order": "insert into build.lab_turnaround_daily (as_of_date, institution, sampled_on, samples, timed, pending, late, median_hours, p90_hours, longest_hours) values ('2022-07-20', 'x', '2022-07-20', 1, 1, 0, 0, 2, 1, 1)",
    "build.lab_turnaround_daily.results_come_in_time": "insert into build.lab_turnaround_daily (as_of_date, institution, sampled_on, samples, timed, pending, late, median_hours, p90_hours, longest_hours) values ('2022-07-20', 'x', '2022-07-20', 1, 1, 0, 1, 1, 1, 1)",
    "build.feed_sender_daily.last_day_and_silence_agree": "insert into build.feed_sender_daily (as_of_date, feed, sender, files, rows, rejected, last_on, is_silent_since) values ('2022-07-20', 'x', 'x', 1, 1, 0, '2022-07-16', '2022-07-20')",
    "build.feed_sender_daily.senders_go_on": "insert into build.feed_sender_daily (as_of_date, feed, sender, files, rows, rejected, last_on, is_silent_since) values ('2022-07-20', 'x', 'x', 1, 1, 0, '2022-07-16', '2022-07-17')",
    "build.indicator_daily.every_figure_is_told": "delete from build.indicator_daily where indicator_code = 'overdue' and community is null",
    "build.indicator_daily.value_and_parts_agree": "update build.indicator_daily set value = value + 1",
    "build.indicator_daily.all_is_shown_only_when_nothing_is_missing": "update build.indicator_daily set value_shown = 1, part = whole - 1 where whole > 0",
    "build.indicator_daily.headline_agrees_with_compliance": "update build.indicator_daily set part = part + 1 where indicator_code = 'overdue'",
    "build.dim_community.every_community_has_a_row": "delete from build.dim_community",
    "build.dim_group.every_group_has_a_row": "delete from build.dim_group where group_code = '9'",
    "build.dim_department.every_department_has_a_row": "delete from build.dim_department",
    "build.dim_unit.every_unit_has_a_row": "delete from build.dim_unit where kind = 'workplace'",
    "build.dim_unit.every_pharmacy_has_a_row": "delete from build.dim_unit where kind = 'pharmacy'",
    "build.dim_unit.every_key_site_has_a_row": "delete from build.dim_unit where kind = 'workplace'",
    "build.dim_date.the_business_date_has_a_row": "delete from build.dim_date where day = as_of_date",
    "build.bridge_zone_community.every_zone_has_its_communities": "delete from build.bridge_zone_community",
    "build.code_label.every_status_has_a_title": "delete from build.code_label where code = 'overdue'",
    "build.zone_level_period.the_last_run_is_the_present_level": "update build.zone_level_period set to_date = from_date",
    "build.overdue_episode.every_overdue_obligation_is_there": "delete from build.overdue_episode",
    "build.overdue_episode.days_agree": "update build.overdue_episode set days = days + 1",
    "build.sampling_point_hourly.persons_are_not_more_than_samples": "update build.sampling_point_hourly set persons = samples + 1",
}  # fmt: skip


def named(name: str) -> tuple[quality.Suite, quality.Check]:
    """The function gives the suite and the check of a name."""
    suite = next(suite for suite in SUITES if name.startswith(f"{suite.name}."))
    return suite, next(check for check in suite.checks if name == f"{suite.name}.{check.name}")


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


# `test_a_key_that_is_a_document_number_is_found_in_every_mart` is the case of these.
KEYED = {suite.name for suite in SUITES if KEYED_HASH in suite.checks}


def test_every_check_has_a_case_in_which_it_fails() -> None:
    checks = {f"{suite.name}.{check.name}" for suite in SUITES for check in suite.checks if check != KEYED_HASH}
    assert checks == set(POISON) and len(KEYED) > 20


def test_the_untouched_build_passes(built: Settings) -> None:
    result = support.audit(built, WORLD_DAY)
    assert result.passed, result.critical
    assert len(result.results) == len(POISON) + len(KEYED)


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
        conn.execute("update build.obligation set explanation = '350503194205022751'")
    ((samples, obligations),) = support.query(
        failing, "select (select count(*) from quality.changed_test_results), (select count(*) from build.obligation)"
    )
    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    with warehouse.connect(failing) as conn:
        result = quality.audit(conn, warehouse.uri(failing), SUITES, WORLD_DAY, None, TOKEN)
    assert obligations in {finding.failing_rows for finding in result.critical}
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


# Great Expectations runs its own expectations, and hands a query on as it stands: one of them stands for all.
QUERY = "build.overdue.overdue_are_overdue"
OF_GREAT_EXPECTATIONS = [name for name in POISON if named(name)[1].query is None or name == QUERY]


@pytest.mark.parametrize("name", OF_GREAT_EXPECTATIONS)
def test_a_check_fails_on_its_poison(name: str, lean: Settings) -> None:
    fails_on(POISON[name], name, lean)


def test_a_key_that_is_a_document_number_is_found_in_every_mart(lean: Settings) -> None:
    poisoned = make_copy(lean, "poisoned", "lean")
    with warehouse.connect(poisoned) as conn:
        for (table,) in conn.execute(
            "select oid::regclass::text from pg_class where relkind = 'r' and oid::regclass::text = any(%s)",
            (sorted(KEYED),),
        ).fetchall():
            conn.execute(f"update {table} set person_key = '350503194205022751'")  # type: ignore[arg-type]
            columns = conn.execute(
                "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and attnotnull", (table,)
            ).fetchall()
            for (column,) in columns:
                conn.execute(f"alter table {table} alter {column} drop not null")  # type: ignore[arg-type]
            conn.execute(f"insert into {table} (person_key) values ('350503194205022751')")  # type: ignore[arg-type]
        suites = [replace(suite, checks=(KEYED_HASH,)) for suite in SUITES if KEYED_HASH in suite.checks]
        conn.commit()
        result = quality.audit(conn, warehouse.uri(poisoned), suites, WORLD_DAY, None, TOKEN)
    assert {failure.suite for failure in result.critical} == KEYED and not result.passed


@pytest.mark.parametrize(
    ("key", "failing"),
    [
        ("0123456789abcdef" * 4, 0),
        ("a" * 63, 1),
        ("a" * 65, 1),
        ("A" * 64, 1),
        ("g" * 64, 1),
        ("a" * 63 + "\n", 1),
        ("", 1),
    ],
    ids=["64 digits", "63", "65", "upper case", "no digits", "line break", "empty"],
)
def test_a_key_has_64_hexadecimal_digits(built: Settings, key: str, failing: int) -> None:
    assert KEYED_HASH.query is not None
    query = KEYED_HASH.query.replace("{batch}", "(values (%s)) as keys (person_key)")
    assert len(support.query(built, query, key)) == failing


def test_each_query_finds_its_poison(lean: Settings) -> None:
    """The query of each other check finds nothing in the untouched build, and some rows after its poison."""
    blind = []
    with warehouse.connect(lean) as conn:
        for name in POISON.keys() - set(OF_GREAT_EXPECTATIONS):
            suite, check = named(name)
            with conn.transaction(force_rollback=True):
                before = failing_rows(conn, suite, check)
                conn.execute(POISON[name])  # type: ignore[arg-type]
                after = failing_rows(conn, suite, check)
            if not (before == 0 or check.severity == "warn") or not after > before:
                blind.append(name)
    assert not blind


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
    suite, check = named(name)
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


@pytest.mark.slow
def test_a_poisoned_mart_is_not_published(built: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Yesterday's publication stays; only a person with a reason releases the build, and the publication says so.

    Nothing that a task hands on counts: the verdict is the audit's, the decision a row about this build.
    """
    monkeypatch.setenv("YINGJIAN_HOME", str(built.home))
    (built.home / "officials.yml").write_text(
        "officials: [{login: director, name: 王主任, audience: office, may: [release]},"
        " {login: press, name: 宣传组, audience: office, may: [sign_off]}]"
    )
    before = support.marts(built)
    support.build_marts(built, WORLD_DAY)
    with warehouse.connect(built) as conn:
        conn.execute("update build.obligation set unit = '13812345678' where group_code = '9'")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    audited = tasks.audit(WORLD_DAY, support.RUN)
    assert (built.data_docs / "index.html").is_file()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()], "the audit leaves no temporary files"
    assert audited["passed"] is False
    assert audited["critical"] == ["build.obligation: 报表字段中出现证件号码或手机号"]
    assert tasks.is_released(support.RUN) is False
    reason = "电话为公开的单位总机"
    with pytest.raises(publishing.NotReleasedError, match="nobody released"):
        tasks.publish(WORLD_DAY, support.RUN)

    def ask() -> None:
        now = datetime.now(UTC)
        with warehouse.connect(built, "publisher") as conn:
            decision.ask(
                conn, decision.RELEASE, support.RUN, WORLD_DAY, now, now + timedelta(hours=1),
                build_token=tasks.build_of(support.RUN),
            )  # fmt: skip

    for login, is_released, given, sentence in (
        ("director", False, "不放行", None), ("director", True, " ", "needs a reason"),
        ("press", True, reason, "may not give it"), ("", True, reason, "may not give it"),
    ):  # fmt: skip
        ask()
        with pytest.raises(decision.NotDecidedError, match=sentence) if sentence else nullcontext():
            support.answer(built, "release", login, given, is_released=is_released)
        with pytest.raises(publishing.NotReleasedError, match="nobody released"):
            tasks.publish(WORLD_DAY, support.RUN)
    assert support.marts(built) == before

    ask()
    support.answer(built, "release", "director", reason)
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
    (tmp_path / "expectations").mkdir()
    (tmp_path / "expectations" / "x.yml").write_text(
        "table: build.x\nchecks:\n  - {name: a, severity: loud, says: b, query: c}\n"
    )
    with pytest.raises(ValueError, match=r"x\.yml: a needs severity fail or warn"):
        quality.load_suites(tmp_path, WORLD_DAY)
