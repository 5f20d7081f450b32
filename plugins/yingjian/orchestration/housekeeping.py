"""Airflow's own record and logs are kept for some time (YINGJIAN_AIRFLOW_DAYS), and then go."""

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
    """Take what runs took into the memory of runs, then delete Airflow's record and logs that are too old.

    Returns how many runs and log files went. Raises SetupError when Airflow could not clean its database.
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
    return {"runs": runs, "log_files": clean_logs(settings.home / "airflow" / "logs", before)}


def _runs(metadata: psycopg.Connection) -> int:
    row = metadata.execute("select count(*) from dag_run").fetchone()
    return int(row[0]) if row else 0


def _clean_metadata(settings: Settings, before: datetime) -> None:
    """By Airflow's own command, since only Airflow knows which rows hang together."""
    driver = warehouse.airflow_uri(settings).replace("postgresql://", "postgresql+psycopg://", 1)
    environment = {
        **os.environ,  # In a task's process Airflow hides its database: it is told again.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": driver,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": driver.replace("+psycopg:", "+psycopg_async:", 1),
    }
    command = [
        sys.executable, "-m", "airflow", "db", "clean", "--clean-before-timestamp", before.isoformat(),
        "--skip-archive", "--error-on-cleanup-failure", "--yes",
    ]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if "Error" in line]
        raise SetupError(
            f"airflow db clean failed: {lines[-1].partition('(')[0].strip() if lines else done.returncode}"
        )


def clean_logs(folder: Path, before: datetime) -> int:
    """Delete log files that were last written before a moment, and folders that are empty then; returns how many files.

    The services' own logs are open: each is copied beside itself and begun again, so that the copy ages.
    """
    for log in folder.glob("*.log"):
        if log.stat().st_size:
            dated = log.with_name(f"{log.name}.{datetime.now(UTC):%Y-%m-%d}")
            with log.open("rb") as written, dated.open("ab") as copy:
                shutil.copyfileobj(written, copy)
            os.truncate(log, 0)
    gone = 0
    for path in sorted(folder.rglob("*"), key=lambda path: len(path.parts), reverse=True):
        if path.is_symlink():
            continue
        if path.is_dir():
            if not any(path.iterdir()) and path.stat().st_mtime < before.timestamp():
                path.rmdir()
        elif path.stat().st_mtime < before.timestamp() and path.suffix != ".lock":
            path.unlink()
            gone += 1
    return gone
