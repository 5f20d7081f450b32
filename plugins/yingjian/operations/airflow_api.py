"""A client of Airflow's REST API that triggers runs and waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_fixed

from yingjian.clock import SHANGHAI
from yingjian.database import warehouse
from yingjian.operations.airflow_home import are_dags_read
from yingjian.operations.airflow_users import password
from yingjian.people.officials import ADMIN
from yingjian.pipeline import Dag, Task
from yingjian.settings import Settings, SetupError

FINISHED = frozenset({"success", "failed"})
READY_SECONDS = 180
POLL_SECONDS = 0.5
# `yingjian run` starts only when no earlier run of these DAGs is unfinished; other DAGs may run in parallel.
ENDED_BEFORE_A_RUN = (Dag.LANDING, Dag.DAILY, Dag.MAINTENANCE)
# In these tasks a run waits for a time or a person, possibly for hours; the command line does not wait for that.
WAITS_AT: dict[str, Task] = {
    Dag.DAILY: Task.RELEASE_BY_HAND,
    Dag.DELIVERY: Task.WAIT_FOR_HOUR,
    Dag.PUBLIC_RELEASE: Task.SIGN_OFF,
}
WAITING = frozenset({"deferred", "up_for_reschedule"})
ENDED = FINISHED | {"skipped", "upstream_failed", "removed"}


@dataclass(frozen=True)
class TaskResult:
    """A task of a run, with the state in which it ended and its duration in seconds."""

    task_id: str
    state: str
    seconds: float


@dataclass(frozen=True)
class RunResult:
    """A DAG run. `state` is success, failed, or awaiting if it waits for a person or a time."""

    dag_id: str
    run_id: str
    state: str
    tasks: list[TaskResult] = field(repr=False)

    @property
    def failed_tasks(self) -> list[str]:
        return [task.task_id for task in self.tasks if task.state == "failed"]


class _NotReadyError(Exception):
    """Raised while a service answers but is not ready, so that the request is retried."""


class Airflow:
    """A client of Airflow's REST API, signed in as administrator."""

    def __init__(
        self, settings: Settings, url: str, check: Callable[[], None] = lambda: None, *, is_own: bool = True
    ) -> None:
        self.url = url
        self._settings = settings
        self.check = check  # It raises if further waiting is useless.
        self._is_own = is_own  # Whether this process started the services.
        self._client = httpx.Client(base_url=self.url, timeout=60)

    @property
    def is_scheduled(self) -> bool:
        """Return whether DAGs are triggered by asset and schedule here, as with `yingjian up`."""
        return not self._is_own

    @property
    def password(self) -> str:
        return password(self._settings, ADMIN)

    def wait_until_ready(self) -> None:
        """Wait until the API answers and Airflow has read all DAGs. Raises SetupError on timeout."""
        passing = retry_if_exception_type((httpx.HTTPError, ValueError, _NotReadyError))
        try:
            for attempt in Retrying(stop=stop_after_delay(READY_SECONDS), wait=wait_fixed(0.3), retry=passing):
                with attempt:
                    self.check()
                    self._login()
                    # The first request of this kind takes two seconds; so it is not the first task that waits for it.
                    self._client.get("/execution/health").raise_for_status()
                    missing = [dag for dag in Dag if self._client.get(f"/api/v2/dags/{dag}").status_code != 200]
                    scheduler = self._client.get("/api/v2/monitor/health").json().get("scheduler", {}).get("status")
                    is_old = self._is_own and not are_dags_read(self._settings)
                    if missing or is_old or scheduler != "healthy":
                        raise _NotReadyError
            return
        except RetryError:
            pass
        errors = ""
        with suppress(httpx.HTTPError):
            errors = "; ".join(
                f"{e['filename']}: {e['stack_trace'].strip().splitlines()[-1]}"
                for e in self._get("/api/v2/importErrors")["import_errors"]
            )
        logs = self._settings.home / "airflow" / "logs"
        raise SetupError(f"Airflow did not come up within {READY_SECONDS} s: {errors or f'see {logs}'}")

    def _login(self) -> None:
        response = self._client.post("/auth/token", json={"username": ADMIN, "password": self.password})
        response.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {response.json()['access_token']}"

    def _get(self, path: str, **params: Any) -> Any:
        return self._request("GET", path, params=params)

    def _request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request with retries that survive a restart of the API server or the database."""
        passing = retry_if_exception_type((httpx.TransportError, _NotReadyError))
        try:
            for attempt in Retrying(
                stop=stop_after_attempt(60), wait=wait_fixed(1), retry=passing, before_sleep=lambda state: self._mend()
            ):
                with attempt:
                    self.check()
                    response = self._client.request(method, path, **options)
                    if response.status_code == 401 and attempt.retry_state.attempt_number == 1:
                        self._login()
                        response = self._client.request(method, path, **options)
                    if response.status_code >= 500:
                        raise _NotReadyError
                    response.raise_for_status()
                    return response.json()
        except RetryError:
            pass
        raise SetupError(
            f"Airflow's API at {self.url} stopped answering: see {self._settings.home / 'airflow' / 'logs'}"
        )

    def _mend(self) -> None:
        if self._settings.warehouse is None:
            warehouse.ensure_running(self._settings)

    def _unfinished(self) -> list[tuple[str, str]]:
        return [
            (dag_id, run["dag_run_id"])
            for dag_id in ENDED_BEFORE_A_RUN
            for state in ("queued", "running")
            for run in self._get(f"/api/v2/dags/{dag_id}/dagRuns", state=state, limit=100)["dag_runs"]
        ]

    def clear_the_way(self) -> None:
        """Ensure that no earlier run continues next to a new one.

        If this process started the services, an unfinished run was left by a killed process or waits for a person; it is marked
        as failed, because the day runs again. With shared services (`yingjian up`) it may be in progress, so SetupError is
        raised.
        """
        for dag_id, run_id in self._unfinished():
            if not self._is_own:
                raise SetupError(f"a run of {dag_id} is at work or waits for a person: see {self.url}, then run again")
            self._request("PATCH", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}", json={"state": "failed"})

    def run_dag(
        self,
        dag_id: str,
        day: date,
        conf: dict[str, Any] | None = None,
        on_task: Callable[[TaskResult], None] = lambda task: None,
    ) -> RunResult:
        """Trigger a DAG for the data interval of `day` (Asia/Shanghai) and wait until it ends, as `wait_for` does."""
        return self.wait_for(dag_id, self.start_dag(dag_id, day, conf), on_task)

    def start_dag(self, dag_id: str, day: date, conf: dict[str, Any] | None = None) -> str:
        """Start a run of a DAG for the data interval of `day` (Asia/Shanghai); return its id."""
        start = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
        run = self._request(
            "POST",
            f"/api/v2/dags/{dag_id}/dagRuns",
            json={
                "logical_date": datetime.now(UTC).isoformat(),
                "data_interval_start": start.isoformat(),
                "data_interval_end": (start + timedelta(days=1)).isoformat(),
                "conf": conf or {},
            },
        )
        return str(run["dag_run_id"])

    def wait_for(
        self, dag_id: str, run_id: str, on_task: Callable[[TaskResult], None] = lambda task: None
    ) -> RunResult:
        """Wait until a run ends, or only waits for a person or a time.

        on_task: called once per task when it succeeds or fails.
        """
        reported: set[str] = set()
        while True:
            path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"
            state = self._get(path)["state"]
            is_over = state in FINISHED
            tasks = self._tasks(dag_id, run_id) if is_over else self._newest(path)
            for task in tasks:
                if task.state in FINISHED and task.task_id not in reported:
                    reported.add(task.task_id)
                    on_task(task)
            if is_over:
                return RunResult(dag_id, run_id, state, tasks)
            if self._is_waiting(dag_id, run_id):
                return RunResult(dag_id, run_id, "awaiting", self._tasks(dag_id, run_id))
            time.sleep(POLL_SECONDS)

    def _is_waiting(self, dag_id: str, run_id: str) -> bool:
        """Return whether a task waits for a time or a person, and everything that does not follow it has ended."""
        waiting = WAITS_AT.get(dag_id)
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{waiting}"
        if waiting is None or self._get(path)["state"] not in WAITING:
            return False
        tasks = self._get(f"/api/v2/dags/{dag_id}/tasks")["tasks"]
        following = {task["task_id"]: set(task["downstream_task_ids"]) for task in tasks}
        after, ahead = {waiting}, following[waiting]
        while ahead:
            after |= ahead
            ahead = set().union(*(following[task_id] for task_id in ahead)) - after
        return all(task.task_id in after or task.state in ENDED for task in self._tasks(dag_id, run_id))

    def _newest(self, path: str) -> list[TaskResult]:
        """Return the tasks of a run that ended most recently, ordered by end."""
        page = self._get(f"{path}/taskInstances", state=sorted(FINISHED), order_by="-end_date", limit=50)
        return [_task_result(task) for task in reversed(page["task_instances"])]

    def _tasks(self, dag_id: str, run_id: str) -> list[TaskResult]:
        instances: list[Any] = []
        while True:  # The API returns at most 100 entries per page.
            page = self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100, offset=len(instances))
            instances += page["task_instances"]
            if len(instances) >= page["total_entries"] or not page["task_instances"]:
                break
        return [_task_result(task) for task in instances]


def _task_result(task: dict[str, Any]) -> TaskResult:
    return TaskResult(task["task_id"], task["state"] or "none", float(task["duration"] or 0))
