"""This DAG reminds officials of approaching deadlines, and sends packs that their quiet hours delayed."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from yingjian.clock import SHANGHAI
from yingjian.orchestration import reminders as loop
from yingjian.orchestration.common import START, TASKS
from yingjian.settings import Settings


@dag(
    schedule=CronTriggerTimetable("*/10 * * * *", timezone=SHANGHAI.key),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    tags=["yingjian"],
    default_args={
        **TASKS,
        "retries": 1,
        "retry_delay": timedelta(minutes=2),
    },
    doc_md="""
    ### Before the time is over
    Every ten minutes. Officials who asked for it in the portal (我的通知) are told of clocks that run out soon: positives,
    contacts, tubes, rounds. Each is told once of each clock, as counts without persons. What waited for the end of an
    official's quiet hours goes out, too.

    **When `remind` or `send_waiting` fails:** the log says who did not get what and why. What may get through later is tried
    again by the next run. See `docs/runbooks/reminders.md`.
    """,
)
def reminders() -> None:
    @task(doc_md="Counts only go into XCom; a second run tells nobody again.")
    def remind() -> dict[str, int]:
        return loop.remind(Settings.load())

    @task(doc_md="Packs whose hour lay in a reader's quiet hours.")
    def send_waiting() -> dict[str, int]:
        return loop.send_waiting(Settings.load())

    remind()
    send_waiting()


reminders()
