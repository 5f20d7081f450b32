"""Runs Airflow's tasks on Celery workers if YINGJIAN_BROKER names a message broker; otherwise they run beside the scheduler.

A message contains the ids of DAG, run and task, and a token for that one task, but no data. Airflow resends messages that are
lost with the broker or a worker. docs/decisions/celery.md has the reasons, and what machines must share.
"""

from __future__ import annotations

from importlib.util import find_spec

from yingjian.settings import Settings, SetupError

SECONDS = 2  # The broker and its workers must answer within this time.
QUEUED_SECONDS = 120


def airflow_environment(settings: Settings, tasks_at_once: int) -> dict[str, str]:
    """Return Airflow's executor settings. Raises SetupError if a broker is named but its packages are missing."""
    if not settings.broker:
        return {"AIRFLOW__CORE__EXECUTOR": "LocalExecutor"}
    _require_packages()
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        # No result backend is set, so results go to Airflow's database.
        "AIRFLOW__CELERY__BROKER_URL": settings.broker,
        # One worker has room for all tasks, so no task queues for long. A task that does was lost and is sent again.
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(tasks_at_once),
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": str(QUEUED_SECONDS),
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "15",
        # Retries are Airflow's job, so the broker must not redeliver: Airflow rejects a task that is delivered twice.
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": str(24 * 3600),
        # A slow send would time out and be repeated.
        "AIRFLOW__CELERY__OPERATION_TIMEOUT": "10",
        # DAGs are read from their folder, so there are no stale copies to clean up.
        "AIRFLOW__DAG_PROCESSOR__STALE_BUNDLE_CLEANUP_INTERVAL": "0",
    }


def worker_command(name: str) -> tuple[str, ...]:
    """Return Airflow's command for a worker; `name` distinguishes the workers of a machine."""
    # Logs are read from shared files, so no log server is needed.
    return ("celery", "worker", "--skip-serve-logs", "--celery-hostname", f"{name}@%h")


def _require_packages() -> None:
    if find_spec("celery") is None:
        raise SetupError(
            "YINGJIAN_BROKER is set and its packages are not installed: run `uv sync --frozen --group celery`"
        )


def check(settings: Settings) -> None:
    """Raise SetupError if a broker is configured but does not answer."""
    if not settings.broker:
        return
    _require_packages()
    from kombu.connection import Connection

    try:
        with Connection(settings.broker, connect_timeout=SECONDS) as connection:  # type: ignore[no-untyped-call]
            connection.ensure_connection(max_retries=1, interval_start=0.5, timeout=SECONDS)
    except Exception as error:  # Each broker type has its own exceptions; their messages may contain the URL.
        raise SetupError(
            f"the broker that YINGJIAN_BROKER names does not answer ({type(error).__name__}): is it up, and is that the"
            " password?"
        ) from None


def workers(settings: Settings, pattern: str | None = None) -> list[str]:
    """Return the sorted names of responding workers: all, or the first one that matches `pattern` (with *).

    Raises SetupError if the broker itself does not answer.
    """
    check(settings)
    from celery import Celery

    one = {"pattern": pattern, "matcher": "glob", "limit": 1} if pattern else {}
    answers = Celery(broker=settings.broker, set_as_current=False).control.ping(timeout=SECONDS, **one) or []
    return sorted(name for answer in answers for name in answer)
