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
    judged_at timestamp, deadline timestamp, status text, is_infected boolean, explanation text);
create table published.push_outstanding (
    publication_id bigint, as_of_date date, feed text, record_key text, person_key text, community text, pushed_at timestamp,
    days_open int, explanation text);
create table published.zone_blocker (
    publication_id bigint, as_of_date date, zone_id text, person_key text, community text, grid text, building text, explanation text);
create table published.push_clearance (
    publication_id bigint, as_of_date date, feed text, title text, push_date date, community text, pushed int, cleared_same_day int,
    open int, days_open int);
create table published.pool_followup (
    publication_id bigint, as_of_date date, tube_no text, membership_id text, person_key text, community text, grid text,
    tube_result_at timestamp, due_at timestamp, status text, explanation text);
create table published.pharmacy_followup (
    publication_id bigint, as_of_date date, purchase_id text, person_key text, category text, community text, grid text,
    purchased_at timestamp, cleared_same_day boolean, test_due_date date, status text, explanation text, drug_mismatch text);
create table published.signal (
    publication_id bigint, as_of_date date, signal_id text, kind text, first_on date, last_on date, is_new boolean, community text,
    grid text, persons int, purchases int, place text, reports int, result text);
create table published.positive_followup (
    publication_id bigint, as_of_date date, positive_id text, person_key text, community text, grid text, sampled_at timestamp,
    result_at timestamp, reported_at timestamp, stage text, again boolean, hours float, due_at timestamp, status text, explanation text);
create table published.health_monitoring (
    publication_id bigint, as_of_date date, membership_id text, person_key text, group_code text, department text, community text,
    grid text, monitored_on date, expected int, done int, highest_temperature float, status text);
create table published.case_contact_daily (
    publication_id bigint, as_of_date date, day date, community text, new_cases int, known_contacts int, discharged int,
    close_contacts_new int, close_contacts_released int, close_contacts_positive int, secondary_contacts_new int,
    secondary_contacts_released int, secondary_contacts_positive int);
create table published.lab_turnaround_daily (
    publication_id bigint, as_of_date date, institution text, sampled_on date, samples int, pending int, late int, p90_hours float);
create table published.never_tested (
    publication_id bigint, as_of_date date, person_key text, community text, grid text, is_registered boolean, is_key_person boolean);
create table published.disposition (
    publication_id bigint, as_of_date date, list text, item_id text, person_key text, department text, community text, grid text, result text,
    handled_at timestamp);
create table published.disposition_daily (
    publication_id bigint, as_of_date date, list text, community text, grid text, items int, answered int, notified int,
    sampled int, appointed int, not_reached int, refused int, moved_away int, not_here int, wrong_data int, exemption_requested int);
create table published.inspection_followup (
    publication_id bigint, as_of_date date, inspection_id text, community text, found_on date, due_on date, status text);
create table published.isolation_capacity_daily (
    publication_id bigint, as_of_date date, site_id text, site_name text, reported_on date, is_newest boolean, rooms int, rooms_free int, lacking text);
create table published.supply_daily (
    publication_id bigint, as_of_date date, supply_id text, item text, department text, is_newest boolean, days_of_stock float, status text);
create table published.request_followup (
    publication_id bigint, as_of_date date, request_id text, community text, department text, received_at timestamp, due_at timestamp, hours_open float, status text);
create table published.guest_check (
    publication_id bigint, as_of_date date, guest_id text, person_key text, hotel text, community text, checked_in_at timestamp,
    checked_out_at timestamp, reported_at timestamp, due_at timestamp, status text, list_codes text, is_overdue boolean, is_on_list boolean);
create table published.event_approval (
    publication_id bigint, as_of_date date, event_id text, community text, days_until int, due_on date, status text);
create table published.drill_summary (
    publication_id bigint, as_of_date date, drill_type text, article text, is_required boolean, held int, next_due_on date, status text);
create table published.vaccination_60plus (
    publication_id bigint, as_of_date date, community text, age_band text, residents int, covered int, full_course int,
    booster int);
create table published.vaccination_outstanding (
    publication_id bigint, as_of_date date, person_key text, community text, grid text, age_band text, has_doses int, lacks text,
    since date, reason text, explanation text);
create table published.disinfection_daily (
    publication_id bigint, as_of_date date, zone_id text, name text, place text, disinfection_date date, required int,
    done int, shortfall int, communities text[]);
create table published.key_site_disinfection (
    publication_id bigint, as_of_date date, unit text, communities text[], department text, disinfection_date date, required int,
    done int, shortfall int);
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
                "is_infected": False,
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
                "days_open": back + 1 if back % 2 else 0,
            }
            for feed, title in (("arrivals", "入（返）丰申报"), ("pharmacy_purchases", "购药登记"))
            for back in range(3)
            for community in communities[:3]
        ],
        "pool_followup": [
            {
                "tube_no": "T000012",
                "membership_id": f"T000012/key-{number}",
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
                "purchase_id": f"{category}-{number}",
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
                "place": "",
                "reports": 4,
                "result": None,
            },
            {
                "signal_id": f"fever:key-1:{day}",
                "kind": "fever",
                "first_on": day,
                "last_on": day,
                "is_new": True,
                "community": communities[1],
                "grid": "网格1",
                "persons": 1,
                "purchases": 0,
                "place": "",
                "reports": 2,
                "result": "已通知",
            },
        ],
        "positive_followup": [
            {
                "positive_id": f"key-{number}:0",
                "person_key": f"key-{number}",
                "community": communities[number % 2],
                "grid": "网格1",
                "sampled_at": datetime.combine(day, time(8)),
                "result_at": datetime.combine(day, time(14)),
                "reported_at": None if stage == "not_reported" else datetime.combine(day, time(15)),
                "stage": stage,
                "again": number == 1,
                "hours": hours,
                "due_at": datetime.combine(day, time(16)),
                "status": status,
                "explanation": "缺感染者报告，未转运",
            }
            for number, (stage, status, hours) in enumerate(
                [
                    ("not_reported", "overdue", 10.0),
                    ("not_transferred", "overdue" if turn == 0 else "waiting", 10.0),
                    ("transferred", "satisfied_late", 3.5),
                    ("admitted", "satisfied", 1.0),
                ]
            )
        ],
        "health_monitoring": [
            {
                "membership_id": f"home{number}",
                "person_key": f"key-{number}",
                "group_code": "36",
                "department": "各街道",
                "community": communities[number % 2],
                "grid": "网格1",
                "monitored_on": day - timedelta(days=back),
                "expected": 2,
                "done": done,
                "highest_temperature": 37.4 if status == "signal" else 36.5,
                "status": status,
            }
            for number, (done, status) in enumerate(((2, "complete"), (1, "short"), (2, "signal")))
            for back in (0, 1)
        ],
        "case_contact_daily": [
            {
                "day": day,
                "community": communities[0],
                "new_cases": 3,
                "known_contacts": 2,
                "discharged": 1,
                "close_contacts_new": 8,
                "close_contacts_released": 2,
                "close_contacts_positive": 2,
                "secondary_contacts_new": 12,
                "secondary_contacts_released": 0,
                "secondary_contacts_positive": 0,
            }
        ],
        "lab_turnaround_daily": [
            {"institution": "甲检验所", "sampled_on": day, "samples": 900, "pending": 40, "late": 4, "p90_hours": 12.5}
        ],
        "never_tested": [
            {
                "person_key": f"key-{number}",
                "community": communities[number % 2],
                "grid": "网格1",
                "is_registered": True,
                "is_key_person": number < 3,
            }
            for number in range(9)
        ],
        "disposition": [
            {
                "list": "overdue",
                "item_id": "m/8/rolling",
                "person_key": "key-1",
                "department": "邮政管理局",
                "community": communities[0],
                "grid": "网格1",
                "result": "已通知",
            }
        ],
        "disposition_daily": [
            {
                "list": name,
                "community": communities[0],
                "grid": "01网格",
                "items": items,
                "answered": items // 2,
                "notified": max(items // 2 - 2, 0),
                "sampled": 0,
                "appointed": 0,
                "exemption_requested": 0,
                "not_reached": 1,
                "refused": 0,
                "moved_away": 1,
                "not_here": 0,
                "wrong_data": 0,
            }
            for name, items in (("overdue", 20), ("positive_followup", 2))
        ],
        "inspection_followup": [
            {
                "inspection_id": f"JC{number}",
                "community": communities[number],
                "found_on": day - timedelta(days=number),
                "due_on": day - timedelta(days=1),
                "status": status,
            }
            for number, status in enumerate(("overdue", "waiting", "satisfied", "passed"))
        ],
        "isolation_capacity_daily": [
            {
                "site_id": "GL1",
                "site_name": "某酒店",
                "reported_on": day,
                "is_newest": True,
                "rooms": 80,
                "rooms_free": 7,
                "lacking": "可用房间不足",
            }
        ],
        "supply_daily": [
            {
                "supply_id": "WZ1",
                "item": "防护服",
                "department": "物资保障组",
                "is_newest": True,
                "days_of_stock": 3.0,
                "status": "short",
            }
        ],
        "request_followup": [
            {
                "request_id": f"SQ{number}",
                "community": communities[0],
                "department": "医疗救治组",
                "received_at": datetime.combine(day, time(8)),
                "due_at": datetime.combine(day, time(20)),
                "hours_open": 16.0,
                "status": status,
            }
            for number, status in enumerate(("satisfied", "overdue"))
        ],
        "guest_check": [
            {
                "guest_id": f"ZS{number}",
                "person_key": f"key-{number}",
                "hotel": "某宾馆",
                "community": communities[1],
                "checked_in_at": datetime.combine(day, time(12)),
                "checked_out_at": None,
                "reported_at": None,
                "due_at": datetime.combine(day, time(14)),
                "status": status,
                "list_codes": codes,
                "is_overdue": False,
                "is_on_list": codes != "",
            }
            for number, (status, codes) in enumerate((("satisfied", ""), ("overdue", ""), ("satisfied", "35")))
        ],
        "event_approval": [
            {
                "event_id": "HD1",
                "community": communities[0],
                "days_until": 1,
                "due_on": day - timedelta(days=4),
                "status": "overdue",
            }
        ],
        "drill_summary": [
            {"drill_type": "培训", "article": "37", "is_required": True, "held": 1, "status": "held"},
            {"drill_type": "演练", "article": "34", "is_required": True, "held": 0, "status": "never"},
        ],
        "vaccination_60plus": [
            {
                "community": community,
                "age_band": band,
                "residents": residents,
                "covered": residents - 40,
                "full_course": residents - 60,
                "booster": residents // 2 + place + day.day,
            }
            for place, community in enumerate(communities)
            for band, residents in (("60-79", 400), ("80+", 100))
        ],
        "vaccination_outstanding": [
            {
                "person_key": f"key-{number}",
                "community": communities[0],
                "grid": "网格1",
                "age_band": "80+",
                "has_doses": number,
                "lacks": ("first_dose", "full_course", "booster")[number],
                "since": day - timedelta(days=30),
                "reason": "禁忌" if number == 0 else None,
                "explanation": "缺接种",
            }
            for number in range(3)
        ],
        "disinfection_daily": [
            {
                "zone_id": f"FX{number}",
                "name": name,
                "place": place,
                "communities": [communities[number]],
                "disinfection_date": day,
                "required": 2,
                "done": 2 - short,
                "shortfall": short,
            }
            for number, name, short in ((1, "招丰花园3–5号楼", 1), (3, "群山工业区宿舍", turn // 2))
            for place in ("1号楼", "电梯")
        ],
        "key_site_disinfection": [
            {
                "unit": "博东市场",
                "communities": [communities[0]],
                "department": "商务局",
                "disinfection_date": day,
                "required": 2,
                "done": 1,
                "shortfall": 1,
            }
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
