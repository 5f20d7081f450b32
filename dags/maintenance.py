"""This DAG deletes old data, verifies the audit trail and writes the data dictionary."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from yingjian.clock import SHANGHAI
from yingjian.orchestration import housekeeping, tasks
from yingjian.orchestration.common import EVERY_DAG, TASKS
from yingjian.settings import Settings

KEEP_PUBLICATIONS = 40


@dag(
    schedule=CronTriggerTimetable("0 4 * * 0", timezone=SHANGHAI.key),
    **EVERY_DAG,
    max_active_runs=1,
    default_args={**TASKS, "retries": 1, "retry_delay": timedelta(minutes=1)},
    doc_md="""
    ### Delete old data and verify the audit trail
    Personal data is deleted when its retention period is over (seed `retention_rule`). The record of every publication is
    kept.

    **When `prune`, `retain`, `docs` or `clean` fails:** nothing is lost and nothing depends on it; clear the task.
    **When `verify_trail` fails:** its log says whether the audit trail was changed or its end is no longer anchored. If it was
    changed, do not clear the task. See `docs/runbooks/maintenance.md`.
    """,
)
def maintenance() -> None:
    @task(doc_md="Drops the rows of old publications; the newest one of each business date keeps its rows.")
    def prune() -> list[int]:
        return tasks.prune(KEEP_PUBLICATIONS)

    @task(
        doc_md="Deletes personal data whose retention period is over; `quality.deletion` and the audit trail record it."
    )
    def retain() -> dict[str, int]:
        return tasks.retain()

    @task(
        doc_md="Checks the hash of every event, its link to the previous one, and the end that was verified last time."
    )
    def verify_trail() -> int:
        return tasks.verify_trail()

    @task(doc_md="Writes the data dictionary, `docs/models.html` in the home; it contains no data.")
    def docs() -> str:
        return tasks.docs()

    @task(
        doc_md="Deletes Airflow's run history and logs after YINGJIAN_AIRFLOW_DAYS; `operations.task_run` keeps the durations."
    )
    def clean() -> dict[str, int]:
        return housekeeping.clean(Settings.load())

    prune()
    retain()
    verify_trail()
    docs()
    clean()


maintenance()
