"""This DAG deletes old data, verifies the audit trail and writes the data dictionary."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from yingjian.clock import SHANGHAI
from yingjian.orchestration import housekeeping, tasks
from yingjian.orchestration.common import START, TASKS
from yingjian.settings import Settings

KEEP_PUBLICATIONS = 40


@dag(
    schedule=CronTriggerTimetable("0 4 * * 0", timezone=SHANGHAI.key),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    tags=["yingjian"],
    default_args={
        **TASKS,
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
    },
    doc_md="""
    ### What is over goes; the trail is verified
    Publications stay on record with their figures; rows of persons go when their days are over (seed `retention_rule`).

    **When `prune`, `retain`, `docs` or `clean` fails:** nothing is lost and nothing waits for it; clear the task.
    **When `verify_trail` fails:** somebody changed the audit trail. Do not clear it; see `docs/runbooks/maintenance.md`.
    """,
)
def maintenance() -> None:
    @task(doc_md="Partitions of publications older than the newest ones are dropped.")
    def prune() -> list[int]:
        return tasks.prune(KEEP_PUBLICATIONS)

    @task(doc_md="Personal data whose days are over is deleted; `quality.deletion` says what, the trail that it was.")
    def retain() -> dict[str, int]:
        return tasks.retain()

    @task(doc_md="Every event against its hash and the one before, and the end that was verified last time.")
    def verify_trail() -> int:
        return tasks.verify_trail()

    @task(doc_md="dbt's documentation as one page, `docs/models.html` in the home; no row in it.")
    def docs() -> str:
        return tasks.docs()

    @task(
        doc_md="Airflow's record of runs and its logs go after YINGJIAN_AIRFLOW_DAYS; what runs took stays on record."
    )
    def clean() -> dict[str, int]:
        return housekeeping.clean(Settings.load())

    prune()
    retain()
    verify_trail()
    docs()
    clean()


maintenance()
