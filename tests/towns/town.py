"""A made-up town's published rows: 13 communities, 22 departments, one publication a day.

`PUBLISHED` is the part of the published schema that a report reads; `load` fills it. Nothing here is computed
by the pipeline: the rows only have the shape and the size of real ones.
"""

import csv
import random
from datetime import date, datetime, timedelta
from typing import Any

import psycopg

from tests import figures
from tests.towns import town_topics
from yingjian.settings import PROJECT_ROOT

LAST_DAY = date(2022, 7, 24)
PUBLICATION_ID = 12

OBLIGATION = """publication_id bigint, as_of_date date, obligation_id text, membership_id text, person_key text, group_code text,
    group_name text, slot int, unit text, department text, community text, grid text, due_date date, status text,
    days_overdue int, satisfied_on date, last_sample_date date, needs_review boolean, basis text, explanation text"""
PUBLISHED = f"""
create schema published;
create table published.publication (
    publication_id bigint primary key, as_of_date date, published_at timestamptz, policy_edition text,
    quality_status text, checks_run int, checks_failed int, input_files int, input_rows bigint, code_version text,
    release_reason text, released_by text, previous_publication_id bigint,
    missing_feeds text[] not null default '{{}}', is_correction boolean not null default false);
create table published.obligation ({OBLIGATION});
create table published.overdue ({OBLIGATION});
create table published.due ({OBLIGATION}, days_until_due int);
create table published.compliance_daily (
    publication_id bigint, as_of_date date, department text, group_code text, group_name text, community text,
    unit text, required bigint, compliant bigint, overdue bigint, exempt bigint, compliance_rate numeric,
    is_headline boolean);
create table published.risk_zone (
    publication_id bigint, as_of_date date, zone_id text, name text, communities text[], level text, level_since date,
    was_high boolean, last_positive_date date, clear_days int, residents int, round_sampled int,
    round_outstanding int, round_complete_on date, eligible_level text, eligible_on date, earliest_on date, overlapping_zones text[], mismatch text,
    explanation text, days_since_positive int, days_at_level int, is_lowered boolean);
create table published.due_forecast (publication_id bigint, due_date date, community text, tests_due bigint);
create table published.feed_quality (
    publication_id bigint, as_of_date date, feed text, title text, files int, new_files int, rows_read bigint, rows_staged bigint,
    rows_rejected bigint, rows_superseded bigint, rows_repaired bigint, rejected_files int,
    newest_update timestamp, status text, message text);
create table published.person (
    publication_id bigint, person_key text, name text, id_number text, phone text, address text, community text, grid text);
create index on published.person (publication_id, person_key);
create index on published.obligation (publication_id, obligation_id);
create index on published.due (publication_id);
create table published.responsibility (publication_id bigint, provision text, ordinal int, unit text, basis text);
create table published.rejection_summary (publication_id bigint, feed text, reason_code text, reason text, rows bigint);
create table published.rejection_by_sender (publication_id bigint, feed text, sender text, rows int);
create table published.restatement (
    publication_id bigint, restated_date date, reason text, from_status text, to_status text, rows int);
create table published.quality_check (
    publication_id bigint, suite text, check_name text, table_name text, severity text, success boolean,
    failing_rows bigint, message text);
"""

COMMUNITIES = (
    "北峰社区",
    "招丰社区",
    "群石社区",
    "群山社区",
    "塔后社区",
    "博东社区",
    "霞美社区",
    "石坑社区",
    "招联社区",
    "丰州路社区",
    "见龙亭社区",
    "环山社区",
    "西埔社区",
)
GROUPS = {
    "1": ("跨境交通工具司乘保洁", "交通运输部门", 1),
    "3": ("进口冷链一线人员", "市场监管局", 1),
    "4": ("集中隔离场所工作人员", "集中隔离专班", 1),
    "5": ("定点医疗机构、核酸检测实验室", "卫健局", 1),
    "6": ("发热门诊医务人员", "卫健局", 1),
    "8": ("快递、外卖", "邮政管理局", 4),
    "9": ("酒店餐饮理发等服务人员", "文体旅游局", 4),
    "10": ("装修装卸服务", "住建局", 4),
    "11": ("口岸管理服务人员", "海关", 4),
    "12": ("交通运输服务", "住建局", 4),
    "13": ("商超、农（集）贸市场", "商务局、市场监管局", 4),
    "14": ("普通医疗机构其他人员", "卫健局", 4),
    "15": ("食堂及供餐企业", "教育局", 5),
    "16": ("出海作业人员", "农水局", 5),
    "17": ("旅游景区、剧院、电影院", "宣传部", 5),
    "18": ("药店从业人员", "市场监管局", 5),
    "19": ("一线环卫工人", "城管局", 5),
    "20": ("家政服务人员", "商务局", 5),
    "21": ("保安服务人员", "公安分局", 5),
    "22": ("母婴服务行业", "民政局", 5),
    "23": ("学校和托幼机构", "教育局", 7),
    "26": ("监管场所", "司法部门", 7),
    "27": ("生产车间", "企业办", 7),
    "31": ("境外入丰人员", "北峰街道", 2),
    "32": ("高风险地区入（返）丰人员", "集中隔离专班", 2),
    "33": ("中风险地区入（返）丰人员", "北峰街道", 3),
    "34": ("低风险地区入（返）丰人员", "北峰街道", 2),
    "35": ("密切接触者", "集中隔离专班", 2),
    "36": ("次密切接触者", "北峰街道", 3),
    "A28": ("封管控区配送人员", "物资保障组", 1),
    "P19": ("购药人员", "药品监管办", 2),
    "P24": ("混管阳性管内人员", "核酸检测组", 1),
    "7": ("其他接触入境人员物品一线人员", "移民管理部门", 1),
}


def load(conn: psycopg.Connection[Any], days: int = 12, last_day: date = LAST_DAY) -> None:
    """Create the tables and publish `days` business dates up to `last_day` (id 12), the sixth from the end left out."""
    conn.execute(PUBLISHED)
    conn.execute(town_topics.PUBLISHED)
    conn.execute(figures.TABLES)
    for back in reversed(range(days)):
        if back != 5:
            publish(conn, PUBLICATION_ID - back, last_day - timedelta(days=back))


def publish(conn: psycopg.Connection[Any], publication_id: int, day: date, **publication: Any) -> None:
    """One publication's rows; the same id and day always give the same ones."""
    choose = random.Random(f"{publication_id} {day}")
    row = {
        "publication_id": publication_id,
        "as_of_date": day,
        "published_at": f"{day + timedelta(days=1)} 05:42:10.123456+08",
        "policy_edition": "beifeng-2",
        "quality_status": "passed",
        "checks_run": 118,
        "checks_failed": 2,
        "input_files": 214,
        "input_rows": 418_230,
        "code_version": "0.1.0+3f9c2d1",
        "release_reason": None,
        "released_by": None,
        "previous_publication_id": publication_id - 1,
    } | publication
    _insert(conn, "publication", [row])
    _obligations(conn, publication_id, day, choose)
    _zones(conn, publication_id, day)
    for mart, rows in town_topics.rows(publication_id, day, COMMUNITIES).items():
        _insert(conn, mart, rows)
    _quality(conn, publication_id, day)
    _restatements(conn, publication_id, day)
    _insert(conn, "responsibility", [{"publication_id": publication_id} | row for row in responsibilities()])
    if row["quality_status"] == "released_by_hand":
        _failed_check(conn, publication_id)
    figures.fill(conn, publication_id)


def responsibilities() -> list[dict[str, str]]:
    """The wording is the plan's own, from the policy seed."""
    path = PROJECT_ROOT / "dbt_project" / "seeds" / "policy" / "policy_responsibility.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: row[name] for name in ("provision", "ordinal", "unit", "basis")} for row in csv.DictReader(file)]


def _obligations(conn: psycopg.Connection[Any], publication_id: int, day: date, choose: random.Random) -> None:
    """Each duty falls due every few days, is done late now and then, and is the same duty in every publication."""
    compliance, obligations, forecast = [], [], {}
    for code, (group_name, department, every) in GROUPS.items():
        for place, community in enumerate(COMMUNITIES):
            size = random.Random(f"{code} {place}")
            required = size.randint(2, 14) * (3 if code in ("8", "9", "13", "23", "27") else 1)
            lateness = 0.05 if place in (1, 6) else 0.02
            lateness = 0 if code in ("11", "16", "26", "4", "6") else lateness
            unit = f"{community.removesuffix('社区')}{group_name[:4]}第{place % 3 + 1}站"
            of_place = []
            for member in range(required):
                standing = _standing(f"{code}-{place}-{member}", day, every, lateness, code, choose)
                if standing is None:
                    continue
                of_place.append(
                    {
                        "publication_id": publication_id,
                        "as_of_date": day,
                        "obligation_id": f"{code}-{place}-{member}",
                        "person_key": f"key-{size.randrange(6_000)}",
                        "group_code": code,
                        "group_name": group_name,
                        "unit": unit,
                        "department": department,
                        "community": community,
                        "grid": f"{place + 1:02}网格",
                        "needs_review": code == "34" and member % 4 == 0,
                        "basis": f"附件第{code}项",
                        "explanation": f"{group_name}，到期未采样",
                    }
                    | standing
                )
            late = sum(row["status"] == "overdue" for row in of_place)
            exempt = sum(row["status"] == "exempt" for row in of_place)
            compliance.append(
                {
                    "publication_id": publication_id,
                    "as_of_date": day,
                    "department": department,
                    "group_code": code,
                    "group_name": group_name,
                    "community": community,
                    "unit": unit,
                    "required": len(of_place) - exempt,
                    "compliant": len(of_place) - exempt - late,
                    "overdue": late,
                    "exempt": exempt,
                    "compliance_rate": (len(of_place) - exempt - late) / max(len(of_place) - exempt, 1),
                    "is_headline": code not in ("P19", "P24"),
                }
            )
            obligations += of_place
    overdue = [row for row in obligations if row["status"] == "overdue"]
    due = [row | {"days_until_due": (row["due_date"] - day).days} for row in obligations if row["status"] == "upcoming"]
    for row in due:
        key = (row["due_date"], row["community"])
        forecast[key] = forecast.get(key, 0) + 1
    _insert(conn, "person", _people(publication_id, {row["person_key"] for row in overdue + due}))
    _insert(conn, "compliance_daily", compliance)
    _insert(conn, "overdue", overdue)
    _insert(conn, "due", due)
    _insert(conn, "obligation", obligations)
    _insert(
        conn,
        "due_forecast",
        [
            {"publication_id": publication_id, "due_date": when, "community": community, "tests_due": tests}
            for (when, community), tests in forecast.items()
        ],
    )


def _standing(
    duty: str, day: date, every: int, lateness: float, code: str, choose: random.Random
) -> dict[str, Any] | None:
    """The function says where a duty stands on a day, or None when it is not there: it began later, or it ended."""
    fate = random.Random(duty)
    joined = LAST_DAY - timedelta(days=int(fate.random() * 400))
    if day < joined:
        return None
    if fate.random() < 0.002:  # nobody found this person for weeks
        due, lost = LAST_DAY - timedelta(days=23), {"slot": None, "satisfied_on": None, "last_sample_date": None}
        return lost | {"due_date": due, "status": "overdue", "days_overdue": (day - due).days + 1}
    cycle, into = divmod((day - joined).days, every)
    turn = random.Random(f"{duty} {cycle}")
    due = day - timedelta(days=into)
    late = min(1 + int(turn.expovariate(0.42)), 31) if turn.random() < lateness * every else 0
    kind, restated = turn.random(), choose.random() < 0.01
    standing = {
        "slot": cycle if code in ("31", "35") else None,
        "due_date": due + timedelta(days=every),
        "status": "upcoming",
        "days_overdue": 0,
        "satisfied_on": None,
        "last_sample_date": due + timedelta(days=late),
    }
    if into < late and not restated:
        days = into + 1
        return standing | {
            "due_date": due,
            "status": "overdue",
            "days_overdue": days,
            "last_sample_date": due - timedelta(days=every),
        }
    if late and kind < 0.04:
        return None
    if late and kind < 0.08:
        return standing | {"due_date": due, "status": "exempt", "last_sample_date": None}
    if late and kind < 0.16:
        return standing | {"due_date": due, "status": "missed", "slot": cycle, "last_sample_date": None}
    return standing


def _people(publication_id: int, keys: set[str]) -> list[dict[str, Any]]:
    return [
        {
            "publication_id": publication_id,
            "person_key": key,
            "name": f"王测试{key.removeprefix('key-')}",
            "id_number": f"350503{key.removeprefix('key-'):0>12}",
            "phone": f"138{key.removeprefix('key-'):0>8}",
        }
        for key in sorted(keys)
    ]


def _zones(conn: psycopg.Connection[Any], publication_id: int, day: date) -> None:
    def zone(number: int, name: str, level: str, since: date, **more: Any) -> dict[str, Any]:
        return {
            "publication_id": publication_id,
            "as_of_date": day,
            "zone_id": f"FX{number:03}",
            "name": name,
            "communities": [COMMUNITIES[number]],
            "level": level,
            "level_since": since,
            "was_high": False,
            "last_positive_date": since,
            "clear_days": (day - since).days,
            "residents": 412 * number,
            "round_sampled": None,
            "round_outstanding": None,
            "round_complete_on": None,
            "eligible_level": None,
            "eligible_on": None,
            "earliest_on": since + timedelta(days=7),
            "overlapping_zones": ["FX009"] if number == 3 else [],
            "mismatch": None,
            "explanation": "",
            "days_since_positive": (day - since).days,
            "days_at_level": (day - since).days,
            "is_lowered": level == "低",
        } | more

    first = date(2022, 7, 16)
    if day < first + timedelta(days=2):
        return
    zones = [
        zone(
            1,
            "招丰花园3–5号楼",
            "高",
            first,
            explanation="第7天起的全员筛查还有37人未采样或结果未出；第7天起的全员筛查有1人结果为阳性",
            round_sampled=375,
            round_outstanding=37,
        ),
        zone(3, "群山工业区宿舍", "高", day - timedelta(days=2), explanation="无新增阳性2天，未满7天，最早7月29日可降"),
        zone(
            5,
            "博东市场及周边",
            "中",
            first,
            was_high=True,
            last_positive_date=date(2022, 7, 12),
            mismatch="7月16日由高风险降为中风险时仅4天无新增，第二十八条要求连续7天",
        ),
    ]
    if day >= first + timedelta(days=8):
        zones.append(
            zone(
                2,
                "群石新村",
                "中",
                first,
                eligible_level="低",
                eligible_on=date(2022, 7, 23),
                round_sampled=824,
                round_outstanding=0,
                round_complete_on=date(2022, 7, 23),
            )
        )
        zones.append(zone(8, "招联路沿街店铺", "低", day))
    _insert(conn, "risk_zone", zones)


def _quality(conn: psycopg.Connection[Any], publication_id: int, day: date) -> None:
    counts = {
        "test_results": ("核酸检测", 352_410, 1_204),
        "key_population": ("重点人群", 21_233, 96),
        "residents": ("居民登记", 38_120, 41),
        "arrivals": ("入（返）丰申报", 2_310, 12),
        "pharmacy_purchases": ("购药登记", 1_876, 9),
        "contacts": ("密接次密接", 644, 0),
        "releases": ("解除隔离", 310, 0),
        "disinfections": ("消毒记录", 92, 0),
        "exemptions": ("豁免", 88, 0),
        "cases": ("病例", 14, 0),
    }
    bad = {
        "contacts": ("missing", "今日没有收到新文件，沿用7月22日的数据。") if day == LAST_DAY else ("ok", ""),
        "disinfections": ("stale", "最新一行是7月21日，超过 48 小时。"),
    }
    feeds = []
    for feed, (title, read, rejected_before) in counts.items():
        rejected = rejected_before + (day.day if feed == "test_results" else 0)
        superseded = read // 9
        status, message = bad.get(feed, ("ok", ""))
        feeds.append(
            {
                "publication_id": publication_id,
                "as_of_date": day,
                "feed": feed,
                "title": title,
                "files": 1 + read // 9_000,
                "new_files": int(status == "ok"),
                "rows_read": read,
                "rows_staged": read - rejected - superseded,
                "rows_rejected": rejected,
                "rows_superseded": superseded,
                "rows_repaired": read // 14,
                "rejected_files": int(feed == "arrivals"),
                "newest_update": datetime(day.year, day.month, day.day, 23, 10),
                "status": status,
                "message": message,
            }
        )
    _insert(conn, "feed_quality", feeds)
    _insert(
        conn,
        "rejection_summary",
        [
            {"publication_id": publication_id, "feed": feed, "reason_code": code, "reason": reason, "rows": rows}
            for feed, code, reason, rows in (
                ("test_results", "check_digit", "居民身份证校验码不对", 702),
                ("test_results", "scientific", "证件号码被表格软件改成科学计数", 502),
                ("key_population", "unknown_group", "人群编号不在名单内", 60),
                ("key_population", "missing_anchor", "缺锚定日期", 36),
                ("residents", "bad_date", "日期不存在", 41),
                ("arrivals", "ragged_row", "单元格数与表头不符", 12),
            )
        ],
    )
    _insert(
        conn,
        "quality_check",
        [
            {
                "publication_id": publication_id,
                "suite": "obligation",
                "check_name": f"check_{number}",
                "table_name": "obligation",
                "severity": "fail",
                "success": True,
                "failing_rows": 0,
                "message": None,
            }
            for number in range(116)
        ]
        + [
            {
                "publication_id": publication_id,
                "suite": "test_results",
                "check_name": "daily_volume",
                "table_name": "staging.test_results",
                "severity": "warn",
                "success": False,
                "failing_rows": None,
                "message": "当日采样 6,120 份，比前七日平均少 34%",
            },
            {
                "publication_id": publication_id,
                "suite": "key_population",
                "check_name": "department_known",
                "table_name": "staging.key_population",
                "severity": "warn",
                "success": False,
                "failing_rows": 18,
                "message": "18 行主管部门不在名册",
            },
        ],
    )


def _restatements(conn: psycopg.Connection[Any], publication_id: int, day: date) -> None:
    reasons = (("样本或结果迟到", "overdue", "satisfied", 31), ("名册、通告等记录补录", "none", "overdue", 4))
    _insert(
        conn,
        "restatement",
        [
            {
                "publication_id": publication_id,
                "restated_date": day - timedelta(days=back),
                "reason": reason,
                "from_status": before,
                "to_status": after,
                "rows": rows - back,
            }
            for reason, before, after, rows in reasons
            for back in (1, 2, 3)
        ],
    )


def _failed_check(conn: psycopg.Connection[Any], publication_id: int) -> None:
    check = {
        "publication_id": publication_id,
        "suite": "key_population",
        "check_name": "roster_volume",
        "table_name": "staging.key_population",
        "severity": "fail",
        "success": False,
        "failing_rows": None,
        "message": "重点人群名册比前一日少 31%",
    }
    _insert(conn, "quality_check", [check])


def _insert(conn: psycopg.Connection[Any], table: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        columns = list(rows[0])
        with (
            conn.cursor() as cursor,
            cursor.copy(f"copy published.{table} ({', '.join(columns)}) from stdin".encode()) as copy,
        ):
            for row in rows:
                copy.write_row([row[column] for column in columns])
