"""This DAG reads bounced mail, at noon and before the daily run."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from yingjian.clock import SHANGHAI
from yingjian.orchestration import delivery_tasks
from yingjian.orchestration.common import START, TASKS


@dag(
    schedule=CronTriggerTimetable("30 12,23 * * *", timezone=SHANGHAI.key),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    tags=["yingjian"],
    default_args={
        **TASKS,
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
    },
    doc_md="""
    ### Read the mailbox to which undeliverable mail returns
    At noon, and before the daily run. Without a connection `imap_default` it does nothing.

    **When it fails:** the mailbox cannot be read: check `imap_default`. Deliveries go on. See `docs/runbooks/bounces.md`.
    """,
)
def bounces() -> None:
    @task(doc_md="A delivery whose mail came back is `bounced`, and the team is told.")
    def read() -> int:
        return delivery_tasks.read_bounces()

    read()


bounces()
