"""The made-up town's published rows that the topics of the report read (tables and rows by mart)."""

from datetime import date, datetime, time, timedelta
from typing import Any

PUBLISHED = """
create table published.town_state (
    publication_id bigint, as_of_date date, state text, since timestamp, why text, days int, local_cases int);
create table published.screening_round (
    publication_id bigint, as_of_date date, round_id text, community text, grid text, started_at timestamp, deadline timestamp,
    in_scope int, sampled_in_time int, sampled_late int, outstanding int, outstanding_infected int, status text);
create table published.screening_building (
    publication_id bigint, as_of_date date, round_id text, community text, grid text, building text, deadline timestamp, outstanding int);
create table published.screening_outstanding (
    publication_id bigint, as_of_date date, round_id text, person_key text, community text, grid text, building text,
    deadline timestamp, is_overdue boolean, is_infected boolean);
create table published.screening_progress (
    publication_id bigint, as_of_date date, round_id text, hour int, is_on_track boolean, forecast_done_at timestamp);
create table published.sampling_unit_daily (
    publication_id bigint, as_of_date date, unit text, group_code text, group_name text, department text, community text,
    outbreak_since date, sampling_day date, phase text, roster int, required int, sampled int, shortfall int,
    coverage_lately numeric);
create table published.sampling_proposal (
    publication_id bigint, as_of_date date, person_key text, unit text, group_code text, department text, community text, grid text,
    place int, last_sample_date date, explanation text);
create table published.control (
    publication_id bigint, as_of_date date, membership_id text, person_key text, title text, department text, community text, grid text,
    status text, phase text, basis text, started_on date, ends_on date, explanation text, may_be_released boolean, is_released_early boolean, released_on date, isolation_released_on date);
create table published.contact_clock (
    publication_id bigint, as_of_date date, contact_key text, person_key text, category text, community text, grid text,
    judged_at timestamp, deadline timestamp, status text, explanation text);
create table published.push_outstanding (
    publication_id bigint, as_of_date date, feed text, record_key text, person_key text, community text, pushed_at timestamp,
    days_open int, explanation text);
create table published.zone_blocker (
    publication_id bigint, as_of_date date, zone_id text, person_key text, community text, grid text, building text, explanation text);
create table published.push_clearance (
    publication_id bigint, as_of_date date, feed text, title text, push_date date, community text, pushed int, cleared_same_day int,
    open int, not_pushed int, days_open int);
create table published.pool_followup (
    publication_id bigint, as_of_date date, tube_no text, person_key text, community text, grid text, tube_result_at timestamp,
    due_at timestamp, status text, explanation text);
create table published.pharmacy_followup (
    publication_id bigint, as_of_date date, category text, community text, purchased_at timestamp, cleared_same_day boolean, test_due_date date,
    status text, drug_mismatch text);
create table published.signal (
    publication_id bigint, as_of_date date, signal_id text, kind text, first_on date, last_on date, is_new boolean, community text,
    grid text, persons int, purchases int);
create table published.vaccination_60plus (
    publication_id bigint, as_of_date date, community text, residents_60plus int, dose_1 int, dose_2 int, dose_3 int,
    coverage_3 numeric, residents_of_unknown_age int);
create table published.disinfection_daily (
    publication_id bigint, as_of_date date, zone_id text, name text, disinfection_date date, required int, done int, shortfall int);
create table published.terminal_disinfection (publication_id bigint, as_of_date date, community text, is_done boolean);
create table published.readiness (
    publication_id bigint, as_of_date date, team_type text, level text, community text, required int, listed int, shortfall int,
    surplus int, mix_ok boolean, teams_required int, teams_listed int);
create table published.grid_population (
    publication_id bigint, as_of_date date, community text, grid text, residents int, floating int, type_unknown int,
    key_persons int, key_persons_not_registered int);
"""


def rows(publication_id: int, day: date, communities: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
    """Rows by mart: an emergency on its 9th day, with one round over and one running. Some figures differ by the day."""
    turn = day.toordinal() % 5  # The figure is 0 on the last day of the town, 4 the day before.
    over, running = datetime.combine(day - timedelta(days=3), time(8)), datetime.combine(day, time(14))
    by_mart: dict[str, list[dict[str, Any]]] = {
        "town_state": [
            {
                "as_of_date": day,
                "state": "急",
                "since": datetime.combine(day - timedelta(days=8), time(8)),
                "why": "报告本土感染者（CASE001）",
                "days": 9,
                "local_cases": 4,
            }
        ],
        "screening_round": [
            {
                "round_id": name,
                "community": community,
                "grid": "网格1",
                "started_at": started,
                "deadline": started + timedelta(days=1),
                "in_scope": 400,
                "sampled_in_time": in_time,
                "sampled_late": late,
                "outstanding": 400 - in_time - late,
                "outstanding_infected": 1,
                "status": "overdue" if name == "GG2" else "running",
            }
            for name, started, in_time, late in (("GG2", over, 380, 12), ("GG3", running, 150, 0))
            for community in communities[:2]
        ],
        "screening_building": [
            {
                "round_id": "GG2",
                "community": communities[0],
                "grid": "网格1",
                "building": f"{number}号楼",
                "deadline": over + timedelta(days=1),
                "outstanding": number,
            }
            for number in (1, 2, 3)
        ],
        "screening_outstanding": [
            {
                "round_id": "GG2",
                "person_key": f"key-{number}",
                "community": communities[number % 2],
                "grid": "网格1",
                "building": "1号楼",
                "deadline": over + timedelta(days=1),
                "is_overdue": True,
                "is_infected": number == 0,
            }
            for number in range(16)
        ],
        "screening_progress": [
            {
                "round_id": "GG3",
                "hour": hour,
                "is_on_track": False,
                "forecast_done_at": running + timedelta(hours=27),
            }
            for hour in (9, 10)
        ],
        "sampling_unit_daily": [
            {
                "unit": f"{community.removesuffix('社区')}小学",
                "group_code": "23",
                "group_name": "学校",
                "department": "教育局",
                "community": community,
                "outbreak_since": day - timedelta(days=8),
                "sampling_day": day,
                "phase": "daily",
                "roster": 50,
                "required": 10,
                "sampled": 10 - short,
                "shortfall": short,
                "coverage_lately": 0.9 - short / 10,
            }
            for community, short in zip(communities[:4], (3, 1, turn, int(turn > 2)), strict=True)
        ],
        "sampling_proposal": [
            {
                "person_key": f"key-{number}",
                "unit": "北峰小学",
                "group_code": "23",
                "department": "教育局",
                "community": communities[0],
                "grid": "网格1",
                "place": number + 1,
                "last_sample_date": day - timedelta(days=5),
                "explanation": "每日抽检",
            }
            for number in range(40)
        ],
        "control": [
            {
                "membership_id": f"{title}{number}",
                "person_key": f"key-{number}",
                "grid": "网格1",
                "phase": "集中隔离",
                "started_on": day - timedelta(days=5),
                "ends_on": day + timedelta(days=4),
                "explanation": "解除尚缺：检测未做",
                "title": title,
                "basis": "第四条" if title == "境外入丰人员" else "第二十五条、第二十六条",
                "department": "集中隔离专班",
                "community": communities[number % 3],
                "status": status,
                "may_be_released": may,
                "is_released_early": status == "released_early",
                "released_on": day if status.startswith("released") else None,
                "isolation_released_on": None,
            }
            for title in ("密切接触者", "境外入丰人员")
            for number, (status, may) in enumerate(
                [("in_isolation", False)] * 5
                + [("in_monitoring", False)] * 4
                + [("awaiting_release", True)] * 3
                + [("awaiting_release", False), ("released_early", False), ("released", True)]
            )
        ],
        "contact_clock": [
            {
                "contact_key": f"{category}{number}",
                "person_key": f"key-{number}",
                "grid": "网格1",
                "explanation": "缺隔离记录",
                "category": category,
                "community": communities[number % 2],
                "judged_at": datetime.combine(day, time(9)),
                "deadline": datetime.combine(day, time(17)),
                "status": status,
            }
            for category in ("密接", "次密接")
            for number, status in enumerate(
                (
                    "in_time",
                    "in_time",
                    "late",
                    "overdue",
                    "running",
                    *(("overdue",) if turn == 0 else ("in_time",) * turn),
                )
            )
        ],
        "push_clearance": [
            {
                "feed": feed,
                "title": title,
                "push_date": day - timedelta(days=back),
                "community": community,
                "pushed": 6 + turn,
                "cleared_same_day": 5 - back % 2 + turn // 2,
                "open": back % 2 + (turn == 4),
                "not_pushed": 1,
                "days_open": back + 1 if back % 2 else 0,
            }
            for feed, title in (("arrivals", "入（返）丰申报"), ("pharmacy_purchases", "购药登记"))
            for back in range(3)
            for community in communities[:3]
        ],
        "pool_followup": [
            {
                "tube_no": "T000012",
                "person_key": f"key-{number}",
                "grid": "网格1",
                "due_at": datetime.combine(day, time(20)),
                "explanation": "尚缺单采样本",
                "community": communities[number % 2],
                "tube_result_at": datetime.combine(day - timedelta(days=1), time(20)),
                "status": status,
            }
            for number, status in enumerate(("negative", "negative", "positive", "pending", "overdue"))
        ],
        "pharmacy_followup": [
            {
                "category": category,
                "community": communities[number % 4],
                "purchased_at": datetime.combine(day - timedelta(days=number % 3), time(10)),
                "cleared_same_day": number != 2,
                "test_due_date": day - timedelta(days=number % 3 - 1),
                "status": "overdue" if number == 3 else "satisfied",
                "drug_mismatch": "药品不在目录" if number == 4 else None,
            }
            for category in ("退热", "止咳")
            for number in range(6)
        ],
        "push_outstanding": [
            {
                "feed": "arrivals",
                "record_key": f"A{number}",
                "person_key": f"key-{number}",
                "community": communities[number],
                "pushed_at": datetime.combine(day, time(9)),
                "days_open": 1,
                "explanation": "缺排查记录",
            }
            for number in range(3)
        ],
        "zone_blocker": [
            {
                "zone_id": "FX001",
                "person_key": f"key-{number}",
                "community": communities[1],
                "grid": "网格1",
                "building": "3号楼",
                "explanation": "尚未采样",
            }
            for number in range(37)
        ],
        "signal": [
            {
                "signal_id": f"grid_cluster:{communities[0]}",
                "kind": "grid_cluster",
                "first_on": day - timedelta(days=2),
                "last_on": day,
                "is_new": True,
                "community": communities[0],
                "grid": "网格3",
                "persons": 4,
                "purchases": 5,
            }
        ],
        "vaccination_60plus": [
            {
                "community": community,
                "residents_60plus": 500,
                "dose_1": 460,
                "dose_2": 440,
                "dose_3": 300 + 10 * place + day.day,
                "coverage_3": (300 + 10 * place + day.day) / 500,
                "residents_of_unknown_age": 1,
            }
            for place, community in enumerate(communities)
        ],
        "disinfection_daily": [
            {
                "zone_id": f"FX{number}",
                "name": name,
                "disinfection_date": day,
                "required": 2,
                "done": 2 - short,
                "shortfall": short,
            }
            for number, name, short in ((1, "招丰花园3–5号楼", 1), (3, "群山工业区宿舍", turn // 2))
        ],
        "terminal_disinfection": [{"community": communities[number % 2], "is_done": number > 1} for number in range(5)],
        "readiness": [
            {
                "team_type": "流调",
                "level": "社区",
                "community": community,
                "required": 3,
                "listed": listed,
                "shortfall": max(3 - listed, 0),
                "surplus": max(listed - 5, 0),
                "mix_ok": True,
                "teams_required": 13,
                "teams_listed": 12,
            }
            for community, listed in zip(communities, (0, 6, 3, 4, 5, 3, 3, 3, 4, 4, 5, 5, 3), strict=True)
        ],
        "grid_population": [
            {
                "community": community,
                "grid": f"网格{number}",
                "residents": 600,
                "floating": 200,
                "type_unknown": 1,
                "key_persons": 30,
                "key_persons_not_registered": 2,
            }
            for community in communities
            for number in (1, 2, 3)
        ],
    }
    own = {"publication_id": publication_id, "as_of_date": day}
    return {mart: [own | row for row in found] for mart, found in by_mart.items()}
