"""This module computes every figure a second time, by SQL over published marts, without the models of indicator_daily."""

from __future__ import annotations

import csv
from collections.abc import Collection
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from yingjian.modelling.marts import published
from yingjian.people.audience import Audience
from yingjian.reports.content import text
from yingjian.settings import PROJECT_ROOT

HEADLINE = "group_code not in ('P19', 'P24')"
OPEN = "status in ('waiting', 'overdue')"
# Each figure has a mart, a numerator (part), a denominator (whole; empty for a count) and a condition on the rows.
FIGURES = {
    "overdue": ("compliance_daily", "sum(overdue)", "", HEADLINE),
    "compliance": ("compliance_daily", "sum(compliant)", "sum(required)", HEADLINE),
    "required": ("compliance_daily", "sum(required)", "", HEADLINE),
    "exempt": ("compliance_daily", "sum(exempt)", "", HEADLINE),
    "overdue_persons": ("obligation", "count(distinct person_key)", "", "status = 'overdue'"),
    "overdue_items": ("obligation", "count(*)", "", "status = 'overdue'"),
    "missed": ("obligation", "count(*)", "", "status = 'missed' and due_date >= as_of_date - 6"),
    "upcoming": ("obligation", "count(*)", "", "status = 'upcoming'"),
    "needs_review": ("obligation", "count(*)", "", "needs_review and status in ('upcoming', 'overdue')"),
    "unscheduled": ("unscheduled", "count(*)", "", "true"),
    "next_day_items": ("due", "count(*)", "", "due_date = as_of_date + 1"),
    "next_day_persons": ("due", "count(distinct person_key)", "", "due_date = as_of_date + 1"),
    "due_week": ("due", "count(*)", "", "true"),
    "zones": ("risk_zone", "count(*)", "", "level <> '低'"),
    "high_zones": ("risk_zone", "count(*)", "", "level = '高'"),
    "medium_zones": ("risk_zone", "count(*)", "", "level = '中'"),
    "lowerable_zones": ("risk_zone", "count(eligible_level)", "", "true"),
    "local_cases": ("town_state", "sum(local_cases)", "", "true"),
    "positives_overdue": ("positive_followup", "count(distinct person_key)", "", "status = 'overdue'"),
    "positives_open": ("positive_followup", "count(distinct person_key)", "", OPEN),
    "new_cases": ("case_contact_daily", "sum(new_cases)", "", "day = as_of_date"),
    "new_cases_known": ("case_contact_daily", "sum(known_contacts)", "sum(new_cases)", "day = as_of_date"),
    "new_contacts": ("contact_clock", "count(distinct person_key)", "", "judged_at::date = as_of_date"),
    "results_late": ("lab_turnaround_daily", "sum(late)", "", "sampled_on >= as_of_date - 2"),
    "never_tested": ("never_tested", "count(*)", "", "true"),
    "never_tested_key": ("never_tested", "count(*)", "", "is_key_person"),
    "screening_coverage": (
        "screening_round", "sum(sampled_in_time)", "sum(in_scope)",
        "deadline >= as_of_date - 6 and deadline < as_of_date + 1",
    ),
    "screening_outstanding": (
        "screening_outstanding", "count(distinct person_key)", "", "deadline < as_of_date + 1 and not is_infected",
    ),
    "sampling_done": (
        "sampling_unit_daily", "sum(required - shortfall)", "sum(required)", "sampling_day = as_of_date",
    ),
    "sampling_short": (
        "sampling_unit_daily", "count(distinct unit)", "", "sampling_day = as_of_date and shortfall > 0",
    ),
    "sampling_proposed": ("sampling_proposal", "count(distinct person_key)", "", "true"),
    "controlled": ("control", "count(distinct person_key)", "", "status in ('in_isolation', 'in_monitoring')"),
    "isolated": ("control", "count(distinct person_key)", "", "status = 'in_isolation'"),
    "monitored": ("control", "count(distinct person_key)", "", "status = 'in_monitoring'"),
    "releasable": ("control", "count(distinct person_key)", "", "status = 'awaiting_release' and may_be_released"),
    "blocked": ("control", "count(distinct person_key)", "", "status = 'awaiting_release' and not may_be_released"),
    "released_early": (
        "control", "count(distinct person_key)", "", "is_released_early and coalesce(released_on, isolation_released_on) >= as_of_date - 6",
    ),
    "monitoring_complete": (
        "health_monitoring", "count(*) filter (where done >= expected)", "count(*)", "monitored_on = as_of_date",
    ),
    "monitoring_short": (
        "health_monitoring", "count(distinct (person_key, community))", "",
        "monitored_on = as_of_date and status = 'short'",
    ),
    "fevers": (
        "health_monitoring", "count(distinct (person_key, community))", "",
        "monitored_on = as_of_date and status = 'signal'",
    ),
    "contacts_in_time": (
        "contact_clock", "count(*) filter (where status = 'in_time')", "count(*)",
        "deadline >= as_of_date and deadline < as_of_date + 1 and status <> 'running'",
    ),
    "contacts_overdue": ("contact_clock", "count(distinct person_key)", "", "status = 'overdue' and not is_infected"),
    "pushes_same_day": ("push_clearance", "sum(cleared_same_day)", "sum(pushed)", "push_date = as_of_date"),
    "pushes_open": ("push_clearance", "sum(open)", "", "true"),
    "pools_overdue": ("pool_followup", "count(distinct person_key)", "", "status = 'overdue'"),
    "pools_tested": (
        "pool_followup", "count(*) filter (where status in ('negative', 'positive'))", "count(*)",
        "status not in ('void', 'exempt')",
    ),
    "purchases_tested": (
        "pharmacy_followup", "count(*) filter (where status = 'satisfied')", "count(*)",
        "test_due_date = as_of_date and status in ('satisfied', 'satisfied_late', 'overdue')",
    ),
    "purchases_overdue": ("pharmacy_followup", "count(*)", "", "status = 'overdue'"),
    "signals_new": ("signal", "count(*)", "", "is_new"),
    "disinfection": (
        "disinfection_daily", "sum(least(done, required))", "sum(required)", "disinfection_date = as_of_date",
    ),
    "key_sites_disinfected": (
        "key_site_disinfection", "sum(least(done, required))", "sum(required)", "disinfection_date = as_of_date",
    ),
    "terminal": ("terminal_disinfection", "count(*)", "", "not is_done"),
    "vaccination": ("vaccination_60plus", "sum(booster)", "sum(residents)", "true"),
    "full_course": ("vaccination_60plus", "sum(full_course)", "sum(residents)", "true"),
    "covered": ("vaccination_60plus", "sum(covered)", "sum(residents)", "true"),
    "vaccination_outstanding": ("vaccination_outstanding", "count(*)", "", "true"),
    "teams_short": ("readiness", "sum(shortfall)", "", "true"),
    "inspections_overdue": ("inspection_followup", "count(*)", "", "status = 'overdue'"),
    "rooms_free": ("isolation_capacity_daily", "sum(rooms_free)", "", "is_newest"),
    "supplies_short": ("supply_daily", "count(*)", "", "is_newest and status = 'short'"),
    "requests_open": ("request_followup", "count(*)", "", OPEN),
    "requests_overdue": ("request_followup", "count(*)", "", "status = 'overdue'"),
    "guests_overdue": ("guest_check", "count(distinct person_key)", "", "status = 'overdue'"),
    "guests_listed": ("guest_check", "count(distinct person_key)", "", "is_on_list and checked_out_at is null"),
    "events_lacking": ("event_approval", "count(*)", "", "status = 'overdue' and days_until >= 0"),
    "drills_overdue": ("drill_summary", "count(*)", "", "status in ('never', 'overdue')"),
    "answered": ("disposition_daily", "sum(answered)", "sum(items)", "true"),
    "residents": ("grid_population", "sum(residents)", "", "true"),
    "floating": ("grid_population", "sum(floating)", "", "true"),
    "key_persons": ("grid_population", "sum(key_persons)", "", "true"),
    "feeds": ("feed_quality", "count(*)", "", "status <> 'ok'"),
    "rejected": ("feed_quality", "sum(rows_rejected)", "", "true"),
}  # fmt: skip

TABLES = """
create table published.indicator (
    publication_id bigint, as_of_date date, indicator_code text, sort_order int, section text, title text, unit text,
    definition text, basis text, better text, is_share boolean, decimals int, by_community boolean, by_department boolean);
create table published.indicator_daily (
    publication_id bigint, as_of_date date, indicator_code text, community text, department text, part bigint,
    whole bigint, value float, value_shown float, is_town_wide boolean);
"""


def definitions() -> dict[str, dict[str, str]]:
    """Return the seed's row of each figure, by code."""
    path = PROJECT_ROOT / "dbt_project" / "seeds" / "reference" / "indicator_definition.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return {row["indicator_code"]: row for row in csv.DictReader(file)}


def read(conn: psycopg.Connection[Any], publication_id: int, code: str) -> tuple[int, int | None, float | None]:
    """Return part, whole and shown value of a figure in the rows that the connection sees."""
    mart, part, whole, where = FIGURES[code]
    row = conn.execute(
        f"select {part}, {whole or 'null'} from published.{mart} where publication_id = %s and ({where})".encode(),
        [publication_id],
    ).fetchone()
    assert row
    return shown(row[0], row[1], is_share=bool(whole))


def shown(part: Any, whole: Any, *, is_share: bool) -> tuple[int, int | None, float | None]:
    count = int(part or 0)
    if not is_share:
        return count, None, count
    return count, int(whole or 0), text.share(count, int(whole or 0))


def fill(
    conn: psycopg.Connection[Any], publication_id: int, kinds: Collection[str] = ("office", "community", "department")
) -> None:
    """Compute and write the figures of a made-up publication, for the town and for each place of these kinds."""
    conn.execute("delete from published.indicator where publication_id = %s", [publication_id])
    conn.execute("delete from published.indicator_daily where publication_id = %s", [publication_id])
    known = definitions()
    conn.execute(
        """
        insert into published.indicator
        select words.* from published.publication as issue
        cross join lateral jsonb_populate_recordset(
            row(issue.publication_id, issue.as_of_date, null, null, null, null, null, null, null, null, null, null, null, null)
            ::published.indicator, %s
        ) as words
        where issue.publication_id = %s
        """,
        [Jsonb(list(known.values())), publication_id],
    )
    ((day,),) = conn.execute(
        "select as_of_date from published.publication where publication_id = %s", [publication_id]
    ).fetchall()
    made: list[tuple[Any, ...]] = []
    columns = dict(
        conn.execute(
            """
            select table_name::text, array_agg(column_name::text) from information_schema.columns
            where table_schema = 'published' group by table_name
            """
        ).fetchall()
    )
    for kind, names in _places(conn, publication_id).items():
        if kind not in kinds:
            continue
        for code, words in known.items():
            mart, part, whole, where = FIGURES[code]
            rule = _rule(kind, mart, columns.get(mart, ()))
            if rule is None or (kind != "office" and words[f"by_{kind}"] == "false"):
                continue
            found = conn.execute(
                f"""
                select place_name, counted.part, counted.whole from unnest(%(names)s::text[]) as places (place_name)
                cross join lateral (
                    select ({part})::bigint as part, ({whole or "null"})::bigint as whole from published.{mart}
                    where publication_id = %(id)s and ({where}) and ({rule})
                ) as counted
                """.encode(),
                {"names": names, "id": publication_id},
            ).fetchall()
            for place, counted, of in found:
                number, every, value = shown(counted, of, is_share=bool(whole))
                share = number / every if every else None
                made.append((
                    publication_id, day, code, place if kind == "community" else None,
                    place if kind == "department" else None, number, every, number if every is None else share, value,
                    words["by_community"] == words["by_department"] == "false",
                ))  # fmt: skip
    with conn.cursor() as cursor, cursor.copy("copy published.indicator_daily from stdin") as copy:
        for row in made:
            copy.write_row(row)


def _places(conn: psycopg.Connection[Any], publication_id: int) -> dict[str, list[str]]:
    places = {"office": [""]}
    for kind, column in (("community", "community"), ("department", "unnest(string_to_array(department, '、'))")):
        found = conn.execute(
            f"select distinct {column} from published.compliance_daily where publication_id = %s".encode(),
            [publication_id],
        )
        places[kind] = [name for (name,) in found if name]
    return places


def _rule(kind: str, mart: str, columns: Collection[str]) -> str | None:
    """Return the condition for a place's rows of a mart; None if the mart does not exist or has no such places."""
    if not columns:
        return None
    if kind == "office":
        return "true"
    column = published()[mart].column_of(kind, columns)
    return {
        "community": "community = places.place_name",
        "communities": "places.place_name = any (communities)",
        "department": "places.place_name = any (string_to_array(department, '、'))",
        None: None,
    }[column]


def of_place(audience: Audience) -> tuple[str | None, str | None]:
    """Return the community and the department under which indicator_daily has the figures of an audience."""
    return {"community": (audience.name, None), "department": (None, audience.name)}.get(audience.kind, (None, None))
