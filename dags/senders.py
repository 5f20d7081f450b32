"""This DAG sends each sender of data its quarantined rows every day, and a sheet of counts every month."""

from __future__ import annotations

from airflow.sdk import CronTriggerTimetable, dag, task

from yingjian.clock import SHANGHAI
from yingjian.orchestration import senders as loop
from yingjian.orchestration.common import START, TASKS_THAT_SEND
from yingjian.settings import Settings

AT = Settings.load().delivery_time


@dag(
    schedule=CronTriggerTimetable(f"{AT.minute} {AT.hour} * * *", timezone=SHANGHAI.key),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    tags=["yingjian"],
    default_args=TASKS_THAT_SEND,
    doc_md="""
    ### Who sends learns what was wrong
    At the hour of delivery (YINGJIAN_DELIVERY_TIME). Each sender of `officials.yml` of whom rows were refused since
    the last mail gets its open rows as workbooks that it corrects and sends again; after each month a sheet of counts.

    **When `send_back` or `send_months` fails:** the log says which sender did not get it and why, without an address. What may
    get through later is tried again by itself. A message that is `uncertain` may have arrived: ask. See
    `docs/runbooks/senders.md`.
    """,
)
def senders() -> None:
    @task(doc_md="Counts only go into XCom; the workbooks are gone when the task ends.")
    def send_back() -> dict[str, int]:
        return loop.send_back(Settings.load())

    @task(doc_md="Once for each month and sender, also when the first day was missed.")
    def send_months() -> dict[str, int]:
        return loop.send_months(Settings.load())

    send_back()
    send_months()


senders()
