"""This DAG lands every file in staging or, with a reason, in quarantine; a late required feed triggers its day again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DeltaTriggerTimetable, TriggerRule, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from yingjian.orchestration import tasks
from yingjian.orchestration.common import EVERY_DAG, STAGING, TASKS
from yingjian.pipeline import Dag
from yingjian.settings import Settings


@dag(
    schedule=DeltaTriggerTimetable(Settings.load().landing_every),
    **EVERY_DAG,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    default_args={**TASKS, "retries": 1, "retry_delay": timedelta(seconds=10)},
    doc_md="""
    ### Land new files
    Checks the landing location (YINGJIAN_LANDING) every few minutes (YINGJIAN_LANDING_MINUTES). Each file is loaded in one
    transaction: a run that is killed leaves no partial file, and the next one continues with the remaining files. `land`
    is skipped if there is nothing new. If a required feed brings rows for the newest published day, `correct` triggers
    `daily` to rebuild that day.

    **When it fails:** the log names the feed and the reason. An unreadable file does not fail this DAG: it is rejected as
    a whole, and `quality.landed_file` and the report list it. See `docs/runbooks/landing.md`.
    """,
)
def landing() -> None:
    @task(
        outlets=[STAGING],
        execution_timeout=timedelta(hours=6),
        doc_md="XCom contains only counts, the asset event has the rows per feed, and `quality.landed_file` lists the files.",
    )
    def land(outlet_events: Any = None) -> dict[str, Any]:
        landed = tasks.land()
        if not any(count for name, count in landed.items() if name.startswith("files_") and name != "files_known"):
            raise AirflowSkipException("there is nothing new")
        outlet_events[STAGING].extra = {"feeds": landed["feeds"]}
        return landed

    @task.short_circuit(
        trigger_rule=TriggerRule.NONE_FAILED,
        doc_md="Continues only if late rows of a required feed arrived for the newest published day.",
    )
    def late() -> dict[str, str]:
        return tasks.late_day()

    late_run = late()
    land() >> late_run
    late_run >> TriggerDagRunOperator(
        task_id="correct",
        trigger_dag_id=Dag.DAILY,
        trigger_run_id="{{ ti.xcom_pull(task_ids='late')['run_id'] }}",
        conf={"date": "{{ ti.xcom_pull(task_ids='late')['date'] }}"},
        skip_when_already_exists=True,
        doc_md="Triggers `daily` for that day again; the new report is marked 更正版.",
    )


landing()
