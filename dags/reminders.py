"""This DAG reminds officials of approaching deadlines, and sends packs that their quiet hours delayed."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from yingjian.clock import SHANGHAI
from yingjian.orchestration import reminders as loop
from yingjian.orchestration.common import EVERY_DAG, TASKS
from yingjian.settings import Settings


@dag(
    schedule=CronTriggerTimetable("*/10 * * * *", timezone=SHANGHAI.key),
    **EVERY_DAG,
    max_active_runs=1,
    default_args={**TASKS, "retries": 1, "retry_delay": timedelta(minutes=2)},
    doc_md="""
    ### Remind officials of deadlines
    Every ten minutes, reminds the officials who chose so in the portal (我的通知) of deadlines that are near: positives,
    contacts, tubes and screening rounds. Each official is reminded once of each deadline, with counts and no personal data.
    Also sends the packs that were held back during an official's quiet hours.

    **When `remind` or `send_waiting` fails:** the log says which messages failed and why. The next run retries those with a
    temporary error. See `docs/runbooks/reminders.md`.
    """,
)
def reminders() -> None:
    @task(doc_md="Sends the reminders, each once, however often it runs; XCom contains only counts.")
    def remind() -> dict[str, int]:
        return loop.remind(Settings.load())

    @task(doc_md="Sends the packs that quiet hours held back.")
    def send_waiting() -> dict[str, int]:
        return loop.send_waiting(Settings.load())

    remind()
    send_waiting()


reminders()
