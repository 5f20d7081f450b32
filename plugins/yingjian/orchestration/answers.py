"""This module reads who answered a question, as Airflow's API recorded it.

Any task can write a value that a task hands on (XCom), and everybody who may edit the DAG's runs can edit it. Only
Airflow's API writes the row of `hitl_detail`, with the user who signed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from yingjian import clock
from yingjian.orchestration.airflow_database import ask_airflow
from yingjian.settings import Settings

APPROVE, REJECT = "Approve", "Reject"


@dataclass(frozen=True)
class Answer:
    """A person's answer has login and name of Airflow's user, the choice, and the reason (empty when none was given)."""

    login: str
    name: str
    chosen: str
    reason: str
    answered_at: datetime


def answer_of(settings: Settings, dag_id: str, run_id: str, task_id: str) -> Answer | None:
    """Return the answer to the question of a task in its present try; None when no person answered it.

    A task that somebody marked as successful, or whose time was over, has none. A task that was cleared keeps its
    answer until it asks again.
    """
    rows = ask_airflow(
        settings,
        """
        select
            detail.responded_by ->> 'id', detail.responded_by ->> 'name', detail.chosen_options,
            detail.params_input ->> 'reason', detail.responded_at
        from hitl_detail as detail
        inner join task_instance as task on task.id = detail.ti_id
        where task.dag_id = %s and task.run_id = %s and task.task_id = %s
        and detail.responded_at is not null and detail.responded_by ->> 'id' is not null
        """,
        (dag_id, run_id, task_id),
    )
    if not rows or rows[0][2] not in ([APPROVE], [REJECT]):
        return None
    login, name, chosen, reason, answered_at = rows[0]
    moment = answered_at.astimezone(clock.SHANGHAI)
    return Answer(login, name or login, chosen[0], str(reason or "").strip(), moment)
