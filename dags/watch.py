"""This DAG runs the watch, which alerts the data team to problems and repeats each alert until the problem is over."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from yingjian.clock import SHANGHAI
from yingjian.orchestration import absence as absences
from yingjian.orchestration import watch as watching
from yingjian.orchestration.common import EVERY_DAG, TASKS
from yingjian.settings import Settings


@dag(
    schedule=CronTriggerTimetable("*/5 * * * *", timezone=SHANGHAI.key),
    **EVERY_DAG,
    max_active_runs=1,
    default_args={
        **TASKS,
        "retries": 1,
        "retry_delay": timedelta(seconds=30),
        "execution_timeout": timedelta(minutes=4),
    },
    doc_md="""
    ### Alert the data team to problems
    Every five minutes, checks for missing files, a run that has not started, long-running tasks, unanswered questions, a
    stale publication, rejected files, missing backups and more. Alerts once per problem, repeats the alert while the
    problem lasts, and reports when it is over. Each run also fetches YINGJIAN_HEARTBEAT_URL.

    **When `look` fails:** its log names the check or the channel that failed. **When `absence` fails:** a message to an
    official failed (`yingjian delivery list`). See `docs/runbooks/watch.md`.
    """,
)
def watch() -> None:
    @task(doc_md="Runs every check and sends the alerts that are due.")
    def look() -> dict[str, int]:
        return watching.turn(Settings.load())

    @task(doc_md="At YINGJIAN_DELIVERY_TIME, tells recipients of packs why there is no publication yet.")
    def absence() -> dict[str, int]:
        return absences.tell(Settings.load())

    look()
    absence()


watch()
