"""A part of `make bench`: it measures the packs of towns of 100,000 and 1,000,000 people, in seconds, memory and bytes.

The published tables are the real ones, made by a build and a publication of an empty warehouse; their rows are generated in
the database. Each pack is written in a process of its own, so that its peak memory can be measured.
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from datetime import date, timedelta
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests import support
from tests.bench.memory import peak_mib
from yingjian import quality
from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.modelling.dbt import build
from yingjian.modelling.marts import published
from yingjian.people.audience import OFFICE, Audience
from yingjian.publishing.publish import publish
from yingjian.reports.packs import write_packs
from yingjian.settings import Settings

PERSONS = (100_000, 1_000_000)
DAY = date(2022, 7, 24)
CHOSEN = {
    "office": OFFICE,
    "a department": Audience("department", "部门1"),
    "a community": Audience("community", "社区1"),
}
KINDS = ("html", "xlsx", "pdf", "docx", "png", "beside")  # "beside" has the lists that are too long for the workbook.

# Every person has one obligation: one in twenty is overdue, one in twenty is done, and the others are due in the next days.
# A community has 3,000 people, a unit 200; there are 20 departments and 38 groups.
PLACE = {
    "community": "'社区' || i % {communities}",
    "grid": "'网格' || i / {communities} % 6",
    "unit": "'单位' || i % {units}",
    "department": "'部门' || i % {units} % 20",
    "group_code": "(1 + i % {units} % 38)::text",
    "group_name": "'人群' || (1 + i % {units} % 38)",
    "person_key": "'key-' || i",
}
DUTY = PLACE | {
    "obligation_id": "'duty-' || i",
    "membership_id": "'member-' || i",
    "rule_family": "'rolling'",
    "basis": "'附件第8项'",
    "rule_text": "'1周2检'",
    "explanation": "'附件第8项：1周2检；最近2次采样 7月3日、7月5日；应于7月10日（含）前采样，已超期2天'",
    "last_sample_date": "{day} - 3",
}
OVERDUE = DUTY | {"status": "'overdue'", "days_overdue": "1 + i % 12", "due_date": "{day} - i % 12"}
DUE = DUTY | {"status": "'upcoming'", "due_date": "{day} + 1 + i % 7", "days_until_due": "1 + i % 7"}
IS_OVERDUE, IS_DUE = "(i + {shift}) % 20 = 0", "(i + {shift}) % 20 not in (0, 10)"


def rows_of_town(persons: int) -> dict[str, tuple[int, str, Mapping[str, str]]]:
    """Return, by mart, the number of values of i, the condition under which i has a row, and each column's SQL over i."""
    community = {"community": "'社区' || i"}
    return {
        "obligation": (
            persons,
            "true",
            DUTY
            | {
                "status": f"case when {IS_OVERDUE} then 'overdue' when {IS_DUE} then 'upcoming' else 'satisfied' end",
                "due_date": f"case when {IS_OVERDUE} then {{day}} - i % 12 else {{day}} + 1 + i % 7 end",
                "days_overdue": f"case when {IS_OVERDUE} then 1 + i % 12 else 0 end",
            },
        ),
        "overdue": (persons, IS_OVERDUE, OVERDUE),
        "due": (persons, IS_DUE, DUE),
        "person": (
            persons,
            "true",
            PLACE | {"name": "'王测试' || i", "id_number": "'350503' || lpad(i::text, 12, '0')", "phone": "'13800000000'"},
        ),
        "compliance_daily": (
            persons // 200,
            "true",
            PLACE | {"required": "200", "overdue": "10", "compliant": "190", "compliance_rate": "0.95"},
        ),
        "due_forecast": (
            7 * (persons // 3000 + 1),
            "true",
            {"community": "'社区' || i / 7", "due_date": "{day} + 1 + i % 7", "tests_due": "380"},
        ),
        "screening_round": (
            persons // 500,
            "true",
            PLACE
            | {"round_id": "'GG1'", "grid": "'网格' || i / {communities}", "in_scope": "500", "sampled_in_time": "480", "sampled_late": "10", "outstanding": "10", "coverage": "0.98",
               "started_at": "{day} - 2", "deadline": "{day} - 1", "status": "'overdue'"},
        ),
        "screening_outstanding": (
            persons // 50, "true", PLACE | {"round_id": "'GG1'", "building": "i % 90 || '号楼'", "is_overdue": "true"},
        ),
        "screening_building": (
            persons // 100,
            "true",
            PLACE | {"round_id": "'GG1'", "building": "i || '号楼'", "deadline": "{day} - 1", "outstanding": "2"},
        ),
        "sampling_unit_daily": (
            persons // 2000,
            "true",
            PLACE
            | {"outbreak_id": "'GG0'", "outbreak_since": "{day} - 5", "sampling_day": "{day}", "phase": "'daily'",
               "roster": "200", "required": "40", "sampled": "40 - i % 3", "shortfall": "i % 3", "group_code": "'23'"},
        ),
        "sampling_proposal": (persons // 50, "true", PLACE | {"group_code": "'23'", "place": "i"}),
        "control": (
            persons // 100, "true", PLACE | {"membership_id": "'control-' || i", "control": "'close_contact'", "title": "'密切接触者'", "basis": "'第二十五条、第二十六条'",
                                             "status": "'in_isolation'", "phase": "'集中隔离'"},
        ),
        "contact_clock": (
            persons // 500,
            "true",
            PLACE | {"contact_key": "'contact-' || i", "category": "'密接'", "judged_at": "{day}", "deadline": "{day} + time '08:00'", "is_infected": "false",
                     "status": "case when i % 20 = 0 then 'overdue' else 'in_time' end"},
        ),
        "push_clearance": (
            persons // 1000,
            "true",
            {"feed": "'arrivals'", "title": "'入（返）丰申报'", "push_date": "{day} - i / {communities}", "community": "'社区' || i % {communities}",
             "pushed": "9", "cleared_same_day": "8", "open": "1", "days_open": "1"},
        ),
        "push_outstanding": (persons // 1000, "true", PLACE | {"feed": "'arrivals'", "record_key": "'push-' || i", "pushed_at": "{day}"}),
        "pool_followup": (
            persons // 1000,
            "true",
            PLACE | {"tube_no": "'T' || i / 10", "status": "case when i % 10 = 0 then 'overdue' else 'negative' end",
                     "tube_result_at": "{day}", "due_at": "{day} + 1"},
        ),
        "pharmacy_followup": (
            persons // 100,
            "true",
            PLACE | {"purchase_id": "'purchase-' || i", "category": "'退热'", "purchased_at": "{day} - 1", "test_due_date": "{day}",
                     "status": "case when i % 9 = 0 then 'overdue' else 'satisfied' end", "cleared_same_day": "true"},
        ),
        "vaccination_60plus": (
            persons // 3000, "true", community | {"age_band": "'60-79'", "residents": "600", "covered": "560", "full_course": "540", "booster": "480"},
        ),
        "grid_population": (
            persons // 500, "true", {"community": "'社区' || i % {communities}", "grid": "'网格' || i / {communities}", "residents": "400", "floating": "100"},
        ),
        "readiness": (
            persons // 3000, "true", community | {"team_type": "'流调'", "level": "'社区'", "required": "3", "listed": "3", "mix_ok": "true"},
        ),
        "risk_zone": (
            persons // 5000,
            "true",
            {"zone_id": "'FX' || i", "name": "'小区' || i", "communities": "array['社区' || i]", "level": "case when i % 2 = 0 then '高' else '中' end",
             "level_since": "{day} - 3", "days_at_level": "3", "is_lowered": "false", "blockers": "array['days']", "explanation": "'无新增阳性3天，未满7天'"},
        ),
        "zone_blocker": (persons // 100, "true", PLACE | {"zone_id": "'FX' || i % 20", "building": "i % 90 || '号楼'"}),
        "disinfection_daily": (
            persons // 5000, "true", {"zone_id": "'FX' || i", "name": "'小区' || i", "place": "'1号楼'", "disinfection_date": "{day}", "required": "2", "done": "1", "shortfall": "1"},
        ),
        "town_state": (1, "true", {"state": "'急'", "why": "'通告疫情启动'", "since": "{day} - 5", "days": "6"}),
    }  # fmt: skip


def publish_town(conn: psycopg.Connection[Any], base: int, publication_id: int, day: date, persons: int) -> None:
    """Publish a made-up town, with partitions like those of the publication `base`."""
    conn.execute(
        """
        insert into published.publication (
            publication_id, as_of_date, policy_edition, quality_status, checks_run, checks_failed, input_files, input_rows,
            code_version, run_key, published_at
        )
        select %s, %s, policy_edition, 'passed', checks_run, 0, 30, %s, code_version, %s, published_at
        from published.publication where publication_id = %s
        """,
        (publication_id, day, persons, f"bench {publication_id}", base),
    )
    town = rows_of_town(persons)
    names = {
        "day": f"date '{day}'",
        "communities": str(persons // 3000),
        "units": str(persons // 200),
        "shift": str(day.toordinal()),
    }
    for mart in published():
        tables = {
            "base": sql.Identifier(f"{mart}_p{base}"),
            "new": sql.Identifier(f"{mart}_p{publication_id}"),
            "mart": sql.Identifier(mart),
            "id": sql.Literal(publication_id),
        }
        conn.execute(sql.SQL("create table published.{new} (like published.{base} including indexes)").format(**tables))
        if mart in town:
            count, condition, columns = town[mart]
            _fill(conn, f"{mart}_p{publication_id}", publication_id, count, condition, columns, names)
        else:
            given = [name for name in _columns(conn, f"{mart}_p{base}") if name not in ("publication_id", "as_of_date")]
            conn.execute(
                sql.SQL("insert into published.{new} (publication_id, as_of_date, {columns}) select {id}, {day}, {columns} from published.{base}").format(
                    **tables, columns=sql.SQL(", ").join(map(sql.Identifier, given)), day=sql.Literal(day)
                )
                if "as_of_date" in _columns(conn, f"{mart}_p{base}")
                else sql.SQL("insert into published.{new} (publication_id, {columns}) select {id}, {columns} from published.{base}").format(
                    **tables, columns=sql.SQL(", ").join(map(sql.Identifier, given))
                )
            )  # fmt: skip
        conn.execute(
            sql.SQL("alter table published.{mart} attach partition published.{new} for values in ({id})").format(
                **tables
            )
        )
    conn.commit()


def _columns(conn: psycopg.Connection[Any], table: str) -> dict[str, tuple[str, bool]]:
    """Return, by column, its type and whether it is not null."""
    return {
        name: (kind, required)
        for name, kind, required in conn.execute(
            """
            select attname, format_type(atttypid, null), attnotnull from pg_attribute
            where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
            """,
            (f"published.{table}",),
        )
    }


def _fill(
    conn: psycopg.Connection[Any],
    table: str,
    publication_id: int,
    count: int,
    condition: str,
    given: Mapping[str, str],
    names: Mapping[str, str],
) -> None:
    """Insert rows by the given SQL; other columns that are not null get an empty value, zero or the day."""
    empty = {
        "text": "''",
        "boolean": "false",
        "date": names["day"],
        "timestamp without time zone": names["day"],
        "text[]": "'{}'",
    }
    chosen: dict[str, str] = {}
    for name, (kind, required) in _columns(conn, table).items():
        if name in given:
            chosen[name] = given[name].format(**names)
        elif name == "publication_id":
            chosen[name] = str(publication_id)
        elif name == "as_of_date":
            chosen[name] = names["day"]
        elif required:
            chosen[name] = empty.get(kind, "0")
    conn.execute(
        sql.SQL("insert into published.{} ({}) select {} from generate_series(0, {}) as i where {}").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, chosen)),
            sql.SQL(", ").join(map(sql.SQL, chosen.values())),  # type: ignore[arg-type]
            sql.Literal(count - 1),
            sql.SQL(condition.format(**names)),  # type: ignore[arg-type]
        )
    )


def written(
    uri: str, publication_id: int, audience: Audience, out: Path, queue: Queue[tuple[float, int, dict[str, int]]]
) -> None:
    """Write one pack in a process of its own; seconds, peak memory in MiB and the files' bytes by kind go to the queue."""
    start = time.perf_counter()
    with psycopg.connect(uri) as conn:
        (pack,) = write_packs(conn, publication_id, out, [audience])
    sizes = {path.suffix[1:]: path.stat().st_size for path in pack.files}
    sizes["beside"] = sum(path.stat().st_size for path in pack.long_lists.values())
    queue.put((time.perf_counter() - start, peak_mib(), sizes))


def measure(settings: Settings, folder: Path) -> dict[str, dict[str, float]]:
    """Return the figures by town and audience; the embedded server of `settings` must run and have its tables."""
    with warehouse.connect(settings, "publisher") as conn:
        token = support.begin_build(conn, "bench", DAY).token
    with redirect_stdout(io.StringIO()):
        build(settings, DAY, token)
    with warehouse.connect(settings) as conn:
        suites = quality.load_suites(settings.root, DAY)
        quality.audit(conn, warehouse.uri(settings), suites, DAY, None, token)
        base = publish(conn, DAY, run_id="bench", code_version="bench")
    # The superuser makes the rows, so that no privileges are needed.
    uri = EmbeddedPostgres(settings).uri("postgres")
    context = get_context("spawn")
    queue: Queue[tuple[float, int, dict[str, int]]] = context.Queue()
    figures: dict[str, dict[str, float]] = {}
    for place, persons in enumerate(PERSONS, 1):
        first = base + 10 * place
        with psycopg.connect(uri) as conn:
            for publication_id, back in ((first, 1), (first + 1, 0)):
                day = DAY - timedelta(days=back + 100 * place)
                publish_town(conn, base, publication_id, day, persons)
        for name, audience in CHOSEN.items():
            process = context.Process(target=written, args=(uri, first + 1, audience, folder / str(persons), queue))
            process.start()
            seconds, peak, sizes = queue.get()
            process.join()
            figures[f"{persons:,} people, {name}"] = {
                "seconds": round(seconds, 1), "peak_mib": peak, **{kind: round(size / 1e6, 2) for kind, size in sizes.items()},
            }  # fmt: skip
    return figures


def show(figures: Mapping[str, Mapping[str, float]]) -> None:
    """Print the table."""
    print(f"{'packs, files in MB':34}{'seconds':>9}{'peak MiB':>10}" + "".join(f"{kind:>8}" for kind in KINDS))
    for name, row in figures.items():
        print(
            f"{name:34}{row['seconds']:>9.1f}{row['peak_mib']:>10,}" + "".join(f"{row[kind]:>8.2f}" for kind in KINDS)
        )
    for name, ratio in ratios(figures).items():
        print(f"{name}: {ratio:.2f}")


def ratios(figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return a pack's memory in the larger town, divided by that in the smaller one."""
    sizes = {name: [figures[f"{persons:,} people, {name}"]["peak_mib"] for persons in PERSONS] for name in CHOSEN}
    return {f"{name}, memory for ten times the people": large / small for name, (small, large) in sizes.items()}
