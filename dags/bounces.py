"""This DAG reads bounced mail, at noon and before the daily run."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from yingjian.clock import SHANGHAI
from yingjian.orchestration import delivery_tasks
from yingjian.orchestration.common import EVERY_DAG, TASKS


@dag(
    schedule=CronTriggerTimetable("30 12,23 * * *", timezone=SHANGHAI.key),
    **EVERY_DAG,
    max_active_runs=1,
    default_args={**TASKS, "retries": 2, "retry_delay": timedelta(minutes=5)},
    doc_md="""
    ### Read bounced mail
    Reads the sender's mailbox twice a day, at 12:30 and 23:30 (Asia/Shanghai). Does nothing without the connection
    `imap_default`.

    **When it fails:** the mailbox cannot be read; check `imap_default`. Deliveries are not affected. See
    `docs/runbooks/bounces.md`.
    """,
)
def bounces() -> None:
    @task(doc_md="Sets deliveries whose mail bounced to `bounced` and alerts the data team.")
    def read() -> int:
        return delivery_tasks.read_bounces()

    read()


bounces()
