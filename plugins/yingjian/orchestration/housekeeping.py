"""Deletes Airflow's old records and logs (YINGJIAN_AIRFLOW_DAYS)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from yingjian.database import warehouse
from yingjian.orchestration import memory
from yingjian.settings import Settings, SetupError


def clean(settings: Settings, now: datetime | None = None) -> dict[str, int]:
    """Copy task durations into operations.task_run, then delete Airflow's old records and logs.

    Returns how many runs and log files were deleted. Raises SetupError if Airflow could not clean its database.
    """
    before = (now or datetime.now(UTC)) - timedelta(days=settings.airflow_days)
    with (
        warehouse.connect(settings, "reporter") as conn,
        psycopg.connect(warehouse.airflow_uri(settings), autocommit=True) as metadata,
    ):
        memory.keep(conn, metadata)
        had = _runs(metadata)
        _clean_metadata(settings, before)
        runs = had - _runs(metadata)
    deleted = clean_logs(settings.home / "airflow" / "logs", before)
    return {"runs": runs, "log_files": deleted + clean_server_log(settings.home / "postgres" / "server.log", before)}


def _runs(metadata: psycopg.Connection) -> int:
    row = metadata.execute("select count(*) from dag_run").fetchone()
    return int(row[0]) if row else 0


def _clean_metadata(settings: Settings, before: datetime) -> None:
    """Run `airflow db clean`, since only Airflow knows which rows belong together."""
    driver = warehouse.driver_uri(warehouse.airflow_uri(settings))
    environment = {
        **os.environ,  # Airflow hides its database from task processes, so the command needs it again.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": driver,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": driver.replace("+psycopg:", "+psycopg_async:", 1),
    }
    command = [
        sys.executable, "-m", "airflow", "db", "clean", "--clean-before-timestamp", before.isoformat(),
        "--skip-archive", "--error-on-cleanup-failure", "--yes",
    ]  # fmt: skip
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if process.returncode:
        lines = [line for line in (process.stdout + process.stderr).splitlines() if "Error" in line]
        raise SetupError(
            f"airflow db clean failed: {lines[-1].partition('(')[0].strip() if lines else process.returncode}"
        )


def clean_logs(folder: Path, before: datetime) -> int:
    """Delete log files last written before a moment, and empty folders; return how many files were deleted.

    Services keep their own logs open, so these are rotated first: each is copied to a dated file and truncated.
    """
    for log in folder.glob("*.log"):
        _set_aside(log)
    deleted = 0
    for path in sorted(folder.rglob("*"), key=lambda path: len(path.parts), reverse=True):
        if path.is_symlink():
            continue
        if path.is_dir():
            if not any(path.iterdir()) and path.stat().st_mtime < before.timestamp():
                path.rmdir()
        elif path.stat().st_mtime < before.timestamp() and path.suffix != ".lock":
            path.unlink()
            deleted += 1
    return deleted


def clean_server_log(log: Path, before: datetime) -> int:
    """Rotate an embedded server's log and delete old rotated files; return how many files were deleted."""
    if not log.exists():
        return 0
    _set_aside(log)
    old = [path for path in log.parent.glob(f"{log.name}.*") if path.stat().st_mtime < before.timestamp()]
    for path in old:
        path.unlink()
    return len(old)


def _set_aside(log: Path) -> None:
    """Copy an open log's content to a file with today's date, and truncate the log."""
    if log.stat().st_size:
        dated = log.with_name(f"{log.name}.{datetime.now(UTC):%Y-%m-%d}")
        with log.open("rb") as source, dated.open("ab") as copy:
            shutil.copyfileobj(source, copy)
        os.truncate(log, 0)
