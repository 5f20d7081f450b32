"""This DAG sends each official their pack, at the configured hour on the day after the business date."""

from __future__ import annotations

from airflow.providers.standard.sensors.date_time import DateTimeSensor
from airflow.sdk import Param, dag, task

from yingjian.orchestration import delivery_tasks, tasks
from yingjian.orchestration.common import EVERY_DAG, PACKS, TASKS_THAT_SEND
from yingjian.pipeline import Task


@dag(
    schedule=[PACKS],
    **EVERY_DAG,
    max_active_runs=8,  # A run that waits for its hour must not delay the delivery of a newer publication.
    params={"publication_id": Param(None, type=["null", "integer"], title="发布编号 / publication to deliver")},
    default_args=TASKS_THAT_SEND,
    doc_md="""
    ### Send each official their pack
    Waits until YINGJIAN_DELIVERY_TIME (Asia/Shanghai; immediately if it is past), then sends mail, group messages and
    files. Delivery is idempotent: a second run sends nothing twice. A publication that was superseded before the hour is
    not sent.

    **When `deliver` fails:** the log and the alert say which deliveries failed and why (`yingjian delivery list`). Temporary
    errors are retried automatically; for the others, fix the cause and run `yingjian delivery retry`. A delivery that is
    `uncertain` may have arrived: ask the recipient before you resend it. See `docs/runbooks/delivery.md`.
    """,
)
def delivery() -> None:
    @task.short_circuit(doc_md="Records who receives what; skips the rest of the run if nobody receives anything.")
    def plan(**context: object) -> dict[str, object]:
        return delivery_tasks.plan(tasks.publication_of(context))

    wait = DateTimeSensor(
        task_id=Task.WAIT_FOR_HOUR,
        target_time="{{ ti.xcom_pull(task_ids='plan')['due_at'] }}",
        mode="reschedule",
        poke_interval=60,
        doc_md="Waits until YINGJIAN_DELIVERY_TIME on the day after the business date.",
    )

    @task(doc_md="Sends; records each attempt in `delivery.attempt` before and after.")
    def deliver(planned: dict[str, int]) -> dict[str, int]:
        return delivery_tasks.deliver(planned["publication_id"])

    planned = plan()
    planned >> wait >> deliver(planned)


delivery()
