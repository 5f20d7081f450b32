"""Every file of the landing location into staging, or into quarantine with a reason."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import Asset, dag, task

from yingjian import tasks

STAGING = Asset("yingjian://staging")


@dag(
    schedule=None,
    start_date=datetime(2022, 7, 1, tzinfo=ZoneInfo("Asia/Shanghai")),
    catchup=False,
    max_active_runs=1,
    tags=["yingjian"],
    default_args={
        "owner": "data-team",
        "retries": 1,
        "retry_delay": timedelta(seconds=10),
        "on_failure_callback": tasks.notify_failure,
    },
    doc_md="""
    ### Land everything new
    Each file is one transaction: a killed run leaves no half file, and running it again goes on where it stopped.

    **When it fails:** the log names the file and the reason. A file that cannot be read never fails this DAG: it is
    rejected whole, is listed in `quality.landed_file`, and the report says so. See `docs/runbooks/landing.md`.
    """,
)
def landing() -> None:
    @task(outlets=[STAGING], doc_md="Counts only go into XCom; see `quality.landed_file` for the files.")
    def land(dag_run: object = None) -> dict[str, int]:
        return tasks.land((getattr(dag_run, "conf", None) or {}).get("landing"))

    land()


landing()
