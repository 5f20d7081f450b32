"""What keeps the warehouse small and its dictionary new: rows of old publications, a page of every table and column."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import CronTriggerTimetable, dag, task

from yingjian import tasks

KEEP_PUBLICATIONS = 40


@dag(
    schedule=CronTriggerTimetable("0 4 * * 0", timezone="Asia/Shanghai"),
    start_date=datetime(2022, 7, 1, tzinfo=ZoneInfo("Asia/Shanghai")),
    catchup=False,
    max_active_runs=1,
    tags=["yingjian"],
    default_args={
        "owner": "data-team",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "on_failure_callback": tasks.notify_failure,
    },
    doc_md="""
    ### Drop the rows of old publications, write the data dictionary
    Publications stay on record with their figures; rows of persons go after the newest publications.

    **When it fails:** nothing is lost and nothing waits for it; clear the task that failed. See `docs/runbooks/maintenance.md`.
    """,
)
def maintenance() -> None:
    @task(doc_md="Partitions of publications older than the newest ones are dropped.")
    def prune() -> list[int]:
        return tasks.prune(KEEP_PUBLICATIONS)

    @task(doc_md="dbt's documentation as one page, `docs/models.html` in the home; no row in it.")
    def docs() -> str:
        return tasks.docs()

    prune()
    docs()


maintenance()
