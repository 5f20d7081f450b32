"""This DAG sends each official their pack, at the configured hour on the day after the business date."""

from __future__ import annotations

from airflow.providers.standard.sensors.date_time import DateTimeSensor
from airflow.sdk import Param, dag, task

from yingjian.orchestration import delivery_tasks, tasks
from yingjian.orchestration.common import PACKS, START, TASKS_THAT_SEND
from yingjian.pipeline import Task


@dag(
    schedule=[PACKS],
    start_date=START,
    catchup=False,
    max_active_runs=8,  # A run that waits for its hour must not delay the delivery of a newer publication.
    params={"publication_id": Param(None, type=["null", "integer"], title="发布编号 / publication to deliver")},
    tags=["yingjian"],
    default_args=TASKS_THAT_SEND,
    doc_md="""
    ### To each their pages
    Waits until the set hour (YINGJIAN_DELIVERY_TIME, Asia/Shanghai; past: at once), then sends mail, group messages and
    files. Nobody gets the same publication twice, however often it runs; one that a newer publication replaced before
    the hour is not sent.

    **When `deliver` fails:** the log and the alert say who did not get what and why (`yingjian delivery list`). What may
    get through later is tried again by itself; the rest after you mended the cause: `yingjian delivery retry`. A delivery
    that is `uncertain` may have arrived: ask before you send it again. See `docs/runbooks/delivery.md`.
    """,
)
def delivery() -> None:
    @task.short_circuit(doc_md="On record who receives what; ends here when nobody does.")
    def plan(**context: object) -> dict[str, object]:
        return delivery_tasks.plan(tasks.publication_of(context))

    wait = DateTimeSensor(
        task_id=Task.WAIT_FOR_HOUR,
        target_time="{{ ti.xcom_pull(task_ids='plan')['due_at'] }}",
        mode="reschedule",
        poke_interval=60,
        doc_md="Until the set hour of the day after the business date.",
    )

    @task(doc_md="Each attempt is on record in `delivery.attempt` before and after.")
    def deliver(planned: dict[str, int]) -> dict[str, int]:
        return delivery_tasks.deliver(planned["publication_id"])

    planned = plan()
    planned >> wait >> deliver(planned)


delivery()
