"""Whether Airflow has read the DAGs decides which services a start waits for."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from tests import metadata
from yingjian.database import warehouse
from yingjian.operations.airflow_home import are_dags_read
from yingjian.pipeline import Dag
from yingjian.settings import Settings

HOUR = 3600


@pytest.fixture
def home(fresh_home: Settings, tmp_path: Path) -> Settings:
    """The home's project has files that changed an hour ago, and Airflow has read the DAGs now."""
    settings = replace(fresh_home, root=tmp_path)
    for name in ("uv.lock", "dags/daily.py", "plugins/yingjian/pipeline.py", settings.dbt_target / "manifest.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        changed(path, -HOUR)
    with psycopg.connect(warehouse.airflow_uri(settings)) as conn:
        for dag in Dag:
            metadata.put_dag(conn, dag, datetime.now(UTC))
    return settings


def changed(path: Path, seconds: float) -> None:
    """Let a file have changed this many seconds from now."""
    os.utime(path, (time.time() + seconds,) * 2)


def test_before_airflow_has_read_any_or_has_tables(fresh_home: Settings) -> None:
    assert not are_dags_read(fresh_home)
    with psycopg.connect(warehouse.airflow_uri(fresh_home)) as conn:
        conn.execute("drop table dag cascade")
    assert not are_dags_read(fresh_home)


@pytest.mark.parametrize("name", ["uv.lock", "dags/daily.py", "plugins/yingjian/pipeline.py", "manifest"])
def test_they_are_read_until_a_file_changes(home: Settings, name: str) -> None:
    path = home.dbt_target / "manifest.json" if name == "manifest" else home.root / name
    assert are_dags_read(home)
    changed(path, HOUR)
    assert are_dags_read(home), "a time in the future says nothing"
    with psycopg.connect(warehouse.airflow_uri(home)) as conn:
        conn.execute("update dag set last_parsed_time = now() - interval '1 minute' where dag_id = %s", (Dag.WATCH,))
    assert are_dags_read(home)
    changed(path, 0)
    assert not are_dags_read(home)


def test_every_dag_must_be_read(home: Settings) -> None:
    with psycopg.connect(warehouse.airflow_uri(home)) as conn:
        conn.execute("delete from dag where dag_id = %s", (Dag.BOUNCES,))
    assert not are_dags_read(home)
