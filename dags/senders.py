"""This DAG sends each sender of data its quarantined rows every day, and a sheet of counts every month."""

from __future__ import annotations

from airflow.sdk import CronTriggerTimetable, dag, task

from yingjian.clock import SHANGHAI
from yingjian.orchestration import senders as loop
from yingjian.orchestration.common import EVERY_DAG, TASKS_THAT_SEND
from yingjian.settings import Settings

AT = Settings.load().delivery_time


@dag(
    schedule=CronTriggerTimetable(f"{AT.minute} {AT.hour} * * *", timezone=SHANGHAI.key),
    **EVERY_DAG,
    max_active_runs=1,
    default_args=TASKS_THAT_SEND,
    doc_md="""
    ### Return quarantined rows to their senders
    Runs daily at YINGJIAN_DELIVERY_TIME. Each sender in `officials.yml` with newly quarantined rows receives all its open
    rows as workbooks to correct and send again. After each month, each sender that sent data receives a
    sheet of counts.

    **When `send_back` or `send_months` fails:** the log says which senders did not get a message and why, without addresses.
    Temporary errors are retried automatically. A message that is `uncertain` may have arrived: ask the sender. See
    `docs/runbooks/senders.md`.
    """,
)
def senders() -> None:
    @task(doc_md="Sends the workbooks, which are deleted when the task ends; XCom contains only counts.")
    def send_back() -> dict[str, int]:
        return loop.send_back(Settings.load())

    @task(doc_md="Sends each sender its monthly sheet once, even if no run took place on the first of the month.")
    def send_months() -> dict[str, int]:
        return loop.send_months(Settings.load())

    send_back()
    send_months()


senders()
