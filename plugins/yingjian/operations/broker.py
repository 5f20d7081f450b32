"""Airflow's tasks run on workers, if YINGJIAN_BROKER names a message broker; otherwise they run beside the scheduler.

A message names DAG, run and task and carries a token for that one task: no row, no argument. Airflow sends again the
messages that are lost with the broker or with a worker. docs/decisions/celery.md has the reasons, and what machines
must share.
"""

from __future__ import annotations

from importlib.util import find_spec

from yingjian.settings import Settings, SetupError

SECONDS = 2  # The broker and its workers must answer within this time.
QUEUED_SECONDS = 120


def airflow_environment(settings: Settings, tasks_at_once: int) -> dict[str, str]:
    """Return Airflow's settings for the broker. Raises SetupError when a broker is named without its packages."""
    if not settings.broker:
        return {"AIRFLOW__CORE__EXECUTOR": "LocalExecutor"}
    _require_packages()
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        # Airflow's database holds the results, since no other place is named.
        "AIRFLOW__CELERY__BROKER_URL": settings.broker,
        # One worker can take all tasks, so no task waits for long in a queue. A task that does was lost, and is sent
        # again.
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(tasks_at_once),
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": str(QUEUED_SECONDS),
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "15",
        # Airflow, not the broker, decides what is tried again. Airflow refuses a task that the broker brings a second
        # time.
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": str(24 * 3600),
        # A message that takes long to leave would be sent twice.
        "AIRFLOW__CELERY__OPERATION_TIMEOUT": "10",
        # Airflow reads DAGs from their folder, so there are no copies of them to clear away.
        "AIRFLOW__DAG_PROCESSOR__STALE_BUNDLE_CLEANUP_INTERVAL": "0",
    }


def worker_command(name: str) -> tuple[str, ...]:
    """Return Airflow's command for a worker; `name` distinguishes it from the other workers of its machine."""
    # Airflow reads the logs from their files.
    return ("celery", "worker", "--skip-serve-logs", "--celery-hostname", f"{name}@%h")


def _require_packages() -> None:
    if find_spec("celery") is None:
        raise SetupError(
            "YINGJIAN_BROKER is set and its packages are not installed: run `uv sync --frozen --group celery`"
        )


def check(settings: Settings) -> None:
    """Raise SetupError when a broker is named and does not answer."""
    if not settings.broker:
        return
    _require_packages()
    from kombu.connection import Connection

    try:
        with Connection(settings.broker, connect_timeout=SECONDS) as connection:  # type: ignore[no-untyped-call]
            connection.ensure_connection(max_retries=1, interval_start=0.5, timeout=SECONDS)
    except Exception as error:  # Each kind of broker has errors of its own; their texts may hold the URL.
        raise SetupError(
            f"the broker that YINGJIAN_BROKER names does not answer ({type(error).__name__}): is it up, and is that the"
            " password?"
        ) from None


def workers(settings: Settings, pattern: str | None = None) -> list[str]:
    """Return the sorted names of the workers that answer: of all, or the first whose name is like `pattern` (with *).

    Raises SetupError when the broker itself does not answer.
    """
    check(settings)
    from celery import Celery

    one = {"pattern": pattern, "matcher": "glob", "limit": 1} if pattern else {}
    answers = Celery(broker=settings.broker, set_as_current=False).control.ping(timeout=SECONDS, **one) or []
    return sorted(name for answer in answers for name in answer)
