"""Airflow's tasks on workers of their own, by way of the message broker that YINGJIAN_BROKER names; else beside the scheduler.

A message names DAG, run and task and carries a token for that one task: no row, no argument. What is lost with the broker or
with a worker Airflow sends again. Why, and what machines must share: docs/decisions/celery.md.
"""

from __future__ import annotations

from importlib.util import find_spec

from yingjian.settings import Settings, SetupError

SECONDS = 2  # that the broker and its workers have to answer
QUEUED_SECONDS = 120


def airflow_environment(settings: Settings, tasks_at_once: int) -> dict[str, str]:
    """Airflow's settings for it. Raises SetupError when a broker is named and the packages are not installed."""
    if not settings.broker:
        return {"AIRFLOW__CORE__EXECUTOR": "LocalExecutor"}
    _require_packages()
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        # Results stand in Airflow's database, since no other is named.
        "AIRFLOW__CELERY__BROKER_URL": settings.broker,
        # One worker is enough for all tasks, so none waits for long in a queue: one that does is lost, and is sent again.
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(tasks_at_once),
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": str(QUEUED_SECONDS),
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "15",
        # Not the broker but Airflow says what is tried again; what the broker brings a second time Airflow refuses.
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": str(24 * 3600),
        # A message that was slow to leave would be sent twice.
        "AIRFLOW__CELERY__OPERATION_TIMEOUT": "10",
        # DAGs are read from their folder: no copies of them to clear away.
        "AIRFLOW__DAG_PROCESSOR__STALE_BUNDLE_CLEANUP_INTERVAL": "0",
    }


def worker_command(name: str) -> tuple[str, ...]:
    """The command of Airflow for a worker; `name` tells it from the others of its machine."""
    # Logs are read from their files.
    return ("celery", "worker", "--skip-serve-logs", "--celery-hostname", f"{name}@%h")


def _require_packages() -> None:
    if find_spec("celery") is None:
        raise SetupError(
            "YINGJIAN_BROKER is set and its packages are not installed: run `uv sync --frozen --group celery`"
        )


def check(settings: Settings) -> None:
    """Raises SetupError when a broker is named and does not answer."""
    if not settings.broker:
        return
    _require_packages()
    from kombu.connection import Connection

    try:
        with Connection(settings.broker, connect_timeout=SECONDS) as connection:  # type: ignore[no-untyped-call]
            connection.ensure_connection(max_retries=1, timeout=SECONDS)
    except Exception as error:  # Each kind of broker has its own; their texts may hold the URL.
        raise SetupError(
            f"the broker that YINGJIAN_BROKER names does not answer ({type(error).__name__}): is it up, and is that the"
            " password?"
        ) from None


def workers(settings: Settings, pattern: str | None = None) -> list[str]:
    """The names of the workers that answer, sorted: of all, or the first whose name is like `pattern` (with *).

    Raises SetupError when the broker itself does not answer.
    """
    check(settings)
    from celery import Celery

    one = {"pattern": pattern, "matcher": "glob", "limit": 1} if pattern else {}
    answers = Celery(broker=settings.broker, set_as_current=False).control.ping(timeout=SECONDS, **one) or []
    return sorted(name for answer in answers for name in answer)
