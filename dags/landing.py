"""This DAG lands every file in staging or, with a reason, in quarantine; a late required feed triggers its day again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DeltaTriggerTimetable, TriggerRule, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from yingjian.orchestration import tasks
from yingjian.orchestration.common import STAGING, START, TASKS
from yingjian.pipeline import Dag
from yingjian.settings import Settings


@dag(
    schedule=DeltaTriggerTimetable(Settings.load().landing_every),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    tags=["yingjian"],
    default_args={
        **TASKS,
        "retries": 1,
        "retry_delay": timedelta(seconds=10),
    },
    doc_md="""
    ### Land everything new
    Looks every few minutes (YINGJIAN_LANDING_MINUTES) at the location of the settings (YINGJIAN_LANDING). Each file is one
    transaction: a killed run leaves no half file, and the next one goes on where it stopped. `land` is skipped when nothing
    is new. A required feed that brings rows of the last published day has `daily` make that day again.

    **When it fails:** the log names the feed and the reason. A file that cannot be read never fails this DAG: it is
    rejected whole, is listed in `quality.landed_file`, and the report says so. See `docs/runbooks/landing.md`.
    """,
)
def landing() -> None:
    @task(
        outlets=[STAGING],
        execution_timeout=timedelta(hours=6),
        doc_md="Counts only go into XCom; the asset says which feeds got rows; `quality.landed_file` has the files.",
    )
    def land(outlet_events: Any = None) -> dict[str, Any]:
        landed = tasks.land()
        if not any(count for name, count in landed.items() if name.startswith("files_") and name != "files_known"):
            raise AirflowSkipException("nothing is new")
        outlet_events[STAGING].extra = {"feeds": landed["feeds"]}
        return landed

    @task.short_circuit(
        trigger_rule=TriggerRule.NONE_FAILED,
        doc_md="Goes on when a required feed came late for the newest published day.",
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
        doc_md="The day is built, checked and published again; its report says 更正版.",
    )


landing()
