"""This DAG runs the watch, which alerts the data team to problems and repeats each alert until the problem is over."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from yingjian.clock import SHANGHAI
from yingjian.orchestration import absence as absences
from yingjian.orchestration import watch as watching
from yingjian.orchestration.common import START, TASKS
from yingjian.settings import Settings


@dag(
    schedule=CronTriggerTimetable("*/5 * * * *", timezone=SHANGHAI.key),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    tags=["yingjian"],
    default_args={
        **TASKS,
        "retries": 1,
        "retry_delay": timedelta(seconds=30),
        "execution_timeout": timedelta(minutes=4),
    },
    doc_md="""
    ### Nobody has to look: whoever must know is told
    Nothing landed, the day not begun, a task too long, a question, a stale publication, a file that cannot be read, no
    backup: one notice for each, again while it lasts, one when it is over. Fetches YINGJIAN_HEARTBEAT_URL each time.

    **When `look` fails:** its log says which look or which channel. **When `absence` fails:** a line to an official did not
    get through (`yingjian delivery list`). See `docs/runbooks/watch.md`.
    """,
)
def watch() -> None:
    @task(doc_md="Every look, and what is due is told.")
    def look() -> dict[str, int]:
        return watching.turn(Settings.load())

    @task(doc_md="At the hour of delivery: recipients of packs read why there is none yet.")
    def absence() -> dict[str, int]:
        return absences.tell(Settings.load())

    look()
    absence()


watch()
