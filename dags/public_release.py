"""This DAG releases public figures (article 31): it drafts them, waits for a sign-off, and only then publishes them."""

from __future__ import annotations

from airflow.sdk import Param, dag, task

from yingjian.orchestration import delivery_tasks, tasks
from yingjian.orchestration.approval import SignOff
from yingjian.orchestration.common import EVERY_DAG, PACKS, TASKS_THAT_SEND
from yingjian.pipeline import Task


@dag(
    schedule=[PACKS],
    **EVERY_DAG,
    max_active_runs=8,  # A run that waits for a person must not delay the sign-off of a newer publication.
    params={
        "publication_id": Param(None, type=["null", "integer"], title="发布编号 / publication to release"),
        "time_limit_hours": Param(10, type="number", exclusiveMinimum=0, title="审签时限（小时）/ time limit"),
    },
    default_args=TASKS_THAT_SEND,
    doc_md="""
    ### Release public figures after sign-off
    Writes the bulletin and asks the officials with the right `sign_off`, later their deputies too. Once one of them approves
    in the portal, `reporting_public` shows the figures and the bulletin is sent. The daily run does not wait for this DAG;
    a newer publication supersedes the question.

    **When `sign_off` fails:** nobody answered within the time limit, and nothing was released; trigger the DAG again with
    the publication. **When `release` fails:** its log says why the answer was not accepted. **When `bulletin` fails:** the
    figures are released, but a delivery failed (`yingjian delivery list`). See `docs/runbooks/public_release.md`.
    """,
)
def public_release() -> None:
    @task.short_circuit(doc_md="Writes the bulletin; skips the rest of the run if nobody can sign off or receives one.")
    def draft(**context: object) -> bool:
        return delivery_tasks.draft_bulletin(tasks.publication_of(context))

    sign_off = SignOff(
        task_id=Task.SIGN_OFF,
        retries=2,
        doc_md="Asks in the portal, notifies the officials who may sign off and later their deputies, and stays deferred until an"
        " answer; a rejection ends the run.",
    )

    @task(
        doc_md="Records the release in `published.public_release`; from then on `reporting_public` shows these figures."
    )
    def release(**context: object) -> int:
        return delivery_tasks.release(context)

    @task(doc_md="Sends the bulletin to its recipients.")
    def bulletin(**context: object) -> dict[str, int]:
        return delivery_tasks.deliver_bulletin(context)

    draft() >> sign_off >> release() >> bulletin()


public_release()
