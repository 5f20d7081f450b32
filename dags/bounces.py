"""Mails that came back are known before the next report is written."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import CronTriggerTimetable, dag, task

from yingjian.orchestration import delivery_tasks, tasks


@dag(
    schedule=CronTriggerTimetable("30 12,23 * * *", timezone="Asia/Shanghai"),
    start_date=datetime(2022, 7, 1, tzinfo=ZoneInfo("Asia/Shanghai")),
    catchup=False,
    max_active_runs=1,
    tags=["yingjian"],
    default_args={
        "owner": "data-team",
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        "on_failure_callback": tasks.notify_failure,
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
