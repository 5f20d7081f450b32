"""What tests share: a home with its own server, landing, dbt, and publishing without Airflow."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

from yingjian import quality, warehouse
from yingjian.landing import LandingSummary, land
from yingjian.settings import PROJECT_ROOT, Settings
from yingjian.warehouse import publish as publishing
from yingjian.warehouse.dbt import dbt_environment

SHARED = Path(os.environ.get("YINGJIAN_SHARED") or PROJECT_ROOT.parent / "shared")
CASES = SHARED / "cases"
IDENTITY = {"姓名": "陈测试", "证件类型": "居民身份证", "证件号码": "350503194205022751", "手机号": "13800000000"}


def make_home(folder: Path) -> Settings:
    """A home with a running server and all tables."""
    settings = Settings.load({"YINGJIAN_HOME": str(folder)})
    warehouse.ensure_running(settings)
    warehouse.migrate(settings)
    return settings


def land_folder(settings: Settings, folder: Path) -> LandingSummary:
    return land(str(folder), warehouse.connector(settings, "loader"), settings.person_secret, settings.pulled)


def empty_staging(settings: Settings) -> None:
    """Nothing landed, nothing decided; the server and its tables stay."""
    with warehouse.connect(settings) as conn:
        tables = conn.execute("select tablename from pg_tables where schemaname = 'staging'").fetchall()
        staging = ", ".join(f"staging.{table}" for (table,) in tables)
        conn.execute(
            f"truncate quality.landed_file, quality.rejected_row, quality.layout_decision, {staging}"  # type: ignore[arg-type]
        )


def dbt(settings: Settings, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", *arguments],
        env=dbt_environment(settings), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not check or result.returncode == 0, result.stdout[-4000:]
    return result


def build(settings: Settings, day: date) -> None:
    dbt(
        settings,
        "build",
        "--exclude",
        "resource_type:test",
        "resource_type:unit_test",
        "--vars",
        f"{{as_of_date: '{day}'}}",
    )


def audit(settings: Settings, day: date) -> quality.AuditResult:
    suites = quality.load_suites(settings.root / "expectations", day)
    with warehouse.connect(settings, "auditor") as conn:
        return quality.audit(conn, warehouse.uri(settings, "auditor"), suites, day, None)


def publish(settings: Settings, day: date, run_key: str) -> int:
    with warehouse.connect(settings, "publisher") as conn:
        return publishing.publish(conn, day, run_key=run_key, checks_run=0, checks_failed=0, code_version="test")


def run_day(settings: Settings, day: date, run_key: str | None = None) -> int:
    """Build, audit and publish a day as the DAG does, without Airflow; returns the publication id."""
    build(settings, day)
    result = audit(settings, day)
    assert result.passed, result.critical
    return publish(settings, day, run_key or f"test {day}")


def query(settings: Settings, text: str, *parameters: object) -> list[tuple]:  # type: ignore[type-arg]
    with warehouse.connect(settings) as conn:
        return conn.execute(text, parameters).fetchall()  # type: ignore[arg-type]


OBLIGATIONS = """
    select membership_id, id_number, group_code, coalesce(slot::text, ''), due_date::text, status, days_overdue::text
    from reporting.obligation inner join restricted.person using (person_key)
    where group_code not in ('P19', 'P24')
"""
ZONES = "select zone_id, level, clear_days::text, coalesce(eligible_level, ''), coalesce(eligible_on::text, '') from reporting.risk_zone"


def marts(settings: Settings) -> dict[str, list[tuple]]:  # type: ignore[type-arg]
    """Every row of the marts that a day's data decides, sorted; without what a new publication changes."""
    names = ["obligation", "due", "overdue", "compliance_daily", "due_forecast", "risk_zone", "unscheduled"]
    with warehouse.connect(settings) as conn:
        return {name: sorted(map(str, conn.execute(f"select * from reporting.{name}"))) for name in names}  # type: ignore[arg-type, misc]


def expected(path: Path) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8") as file:
        return sorted(tuple(row) for row in list(csv.reader(file))[1:])


def write_feed(
    folder: Path, feed: str, rows: list[dict[str, str]], name: str = "a.csv", encoding: str = "utf-8"
) -> Path:
    """An export of a feed with these rows (header texts to cells; what is missing is empty)."""
    from yingjian.landing.feeds import FEEDS

    path = folder / feed / name
    path.parent.mkdir(parents=True, exist_ok=True)
    header = [column.source for column in FEEDS[feed].columns]
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([row.get(column, "") for column in header] for row in rows)
    return path


def sample(key: str, taken: str = "2022-07-01 08:00:00", **cells: str) -> dict[str, str]:
    """A good row of test_results."""
    return {
        "样本编号": key,
        **IDENTITY,
        "采样时间": taken,
        "采样方式": "单采",
        "检测结果": "阴性",
        "更新时间": taken,
    } | cells
