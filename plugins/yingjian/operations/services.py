"""This module starts Airflow's services for one home, watches them, triggers runs, and stops the services.

`yingjian run` starts them for as long as it lasts, `yingjian up` until Ctrl-C. The DAGs in `dags/` decide what runs
when.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_fixed

from yingjian.clock import SHANGHAI, demo_clock
from yingjian.database import warehouse
from yingjian.modelling import lineage
from yingjian.operations import broker
from yingjian.operations.airflow_service import SUPERVISED_BY
from yingjian.operations.service_names import PORTAL
from yingjian.people.officials import ADMIN, read_officials
from yingjian.pipeline import Dag, Task
from yingjian.settings import TELEMETRY_OFF, Settings, SetupError, variables

log = logging.getLogger(__name__)

# Airflow reads the logs from their files, so no service needs to serve them.
SERVICES = {
    "api-server": ("api-server",),
    "dag-processor": ("dag-processor",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
FINISHED = frozenset({"success", "failed"})
READY_SECONDS = 180
# A service that dies is started again. If it dies more often than DEATHS within DEATHS_SECONDS, it counts as down.
DEATHS, DEATHS_SECONDS = 3, 600
# `yingjian run` begins only when no earlier run of these DAGs is left; runs of the others may go on beside it.
ENDED_BEFORE_A_RUN = (Dag.LANDING, Dag.DAILY, Dag.MAINTENANCE)
# A run waits in these tasks for its hour or for a person, for hours. The command line does not wait with it.
WAITS_AT: dict[str, Task] = {
    Dag.DAILY: Task.RELEASE_BY_HAND,
    Dag.DELIVERY: Task.WAIT_FOR_HOUR,
    Dag.PUBLIC_RELEASE: Task.SIGN_OFF,
}
WAITING = frozenset({"deferred", "up_for_reschedule"})
AT_WORK = frozenset({"scheduled", "queued", "running", "restarting", "up_for_retry"})


def airflow_environment(settings: Settings, *, schedule: bool, ports: dict[str, int]) -> dict[str, str]:
    """Return the environment of Airflow's services and of every task. It has all settings, so no file repeats them."""
    home = settings.home / "airflow"
    metadata = warehouse.airflow_uri(settings)
    driver = warehouse.driver_uri(metadata)
    url = f"http://{variables().bind}:{ports['api']}"
    # Every task process imports dbt or pandas; more processes than cores would only wait for memory.
    tasks_at_once = max(6, 2 * (os.cpu_count() or 2))
    return {
        **TELEMETRY_OFF,
        **warehouse.dbt_environment(settings),
        "YINGJIAN_HOME": str(settings.home),
        "YINGJIAN_WAREHOUSE": settings.warehouse or "",
        "YINGJIAN_AIRFLOW_DATABASE": settings.airflow_database or "",
        "YINGJIAN_LANDING": settings.landing,
        # The platform's token goes to no other place than the one that it was configured with.
        "YINGJIAN_API_TOKEN": (variables().api_token or "") if settings.landing == variables().landing else "",
        "YINGJIAN_API_TOKEN_FILE": "",
        "YINGJIAN_LANDING_MINUTES": f"{settings.landing_every.total_seconds() / 60:.3f}",
        "YINGJIAN_PERSON_KEY": settings.given_person_key or "",
        "YINGJIAN_OFFICIALS": str(settings.officials),
        "YINGJIAN_SHARED_FOLDER": str(settings.shared_folder),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": driver,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": driver.replace("+psycopg:", "+psycopg_async:", 1),
        "AIRFLOW__CORE__PARALLELISM": str(tasks_at_once),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.root / "dags"),
        # The package is installed; Airflow need not import it file by file.
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": SHANGHAI.key,
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
            f"{login}:{role}" for login, role in users(settings).items()
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__FERNET_KEY": _fernet_key(settings),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{ports['api']}/execution/",
        "AIRFLOW__API__HOST": variables().bind,
        "AIRFLOW__API__PORT": str(ports["api"]),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        # A task that cannot reach the API as it starts fails without a log; a busy machine takes longer than five
        # seconds.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__API__EXPOSE_CONFIG": "False",
        "AIRFLOW__API__EXPOSE_STACKTRACE": "False",
        "AIRFLOW__API__SECRET_KEY": settings.secret("airflow_api"),
        "AIRFLOW__API_AUTH__JWT_SECRET": settings.secret("airflow_jwt"),
        # Users must sign in again after a working day.
        "AIRFLOW__API_AUTH__JWT_EXPIRATION_TIME": str(8 * 3600),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(home / "logs" / "dag_processor"),
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(schedule),
        # Somebody waits for the days that a command runs; those of the schedule begin at night.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1.5" if schedule else "0.3",
        # With less, a scheduler that stood still takes itself for dead when it goes on
        # (docs/decisions/slow-is-not-dead.md).
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "240",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        # DAG files change with the version of the code, with which the services start anew. A demo's clock may be set
        # meanwhile: Airflow asks the schedule for its next day when it reads the file.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30" if schedule and demo_clock(settings.home) else "300",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "2",
        "AIRFLOW__COSMOS__ENABLE_CACHE": "False",
        **broker.airflow_environment(settings, tasks_at_once),
        **lineage.airflow_environment(settings),
        "PYTHONWARNINGS": "ignore",
        "NO_COLOR": "1",
    }


def commands(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return Airflow's command for each service of a home, and for each worker that the home starts itself."""
    names = [f"worker-{number}" for number in range(1, settings.workers + 1)] if settings.broker else []
    return SERVICES | {name: broker.worker_command(name) for name in names}


def users(settings: Settings) -> dict[str, str]:
    """Return Airflow's users and their roles: its administrator, and the data team of officials.yml. No official is one.

    Raises SetupError when somebody else has the administrator's login, or when the file cannot be understood.
    """
    officials = read_officials(settings.officials)
    if officials.get(ADMIN) or ADMIN in officials.data_team:
        raise SetupError(f"{settings.officials}: the login {ADMIN} is Airflow's own: give another one")
    return {ADMIN: "admin", **officials.data_team}


def password(settings: Settings, login: str) -> str:
    """Return a user's password in Airflow. It is made at first use and kept among the home's secrets."""
    return settings.secret(f"airflow_{login}" if login == ADMIN else f"airflow_user_{login}")


def write_passwords(settings: Settings) -> None:
    """Write the file from which Airflow's simple auth manager reads its users; only its owner may read it."""
    path = settings.home / "airflow" / "passwords.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # mkstemp sets mode 0600.
    with os.fdopen(descriptor, "w") as file:
        json.dump({login: password(settings, login) for login in users(settings)}, file)
    os.replace(temporary, path)  # A service that starts meanwhile reads the old file or the new one.


def _fernet_key(settings: Settings) -> str:
    import base64

    return base64.urlsafe_b64encode(settings.secret("airflow_fernet").encode()[:32]).decode()


@dataclass(frozen=True)
class TaskResult:
    """A task of a run took `seconds` and ended in `state`."""

    task_id: str
    state: str
    seconds: float


@dataclass(frozen=True)
class RunResult:
    """The `state` of a DAG run is success, failed, or awaiting when it waits for a person or for its hour."""

    dag_id: str
    run_id: str
    state: str
    tasks: list[TaskResult] = field(repr=False)

    @property
    def failed_tasks(self) -> list[str]:
        return [task.task_id for task in self.tasks if task.state == "failed"]


@contextmanager
def running_services(settings: Settings, *, schedule: bool = False) -> Iterator[Airflow]:
    """Yield Airflow's services for this home.

    Services that run already are used, here or at YINGJIAN_AIRFLOW_URL; otherwise they are started here and stopped at
    the end. schedule: the services stay until somebody stops them, at the port that stays the same; else they take a
    free port. A service that dies meanwhile is started again. Raises SetupError when they do not come up, or when the
    port is taken.
    """
    if settings.airflow_url and not schedule:
        airflow = Airflow(settings, settings.airflow_url, is_own=False)
        airflow.wait_until_ready()
        yield airflow
        return
    state_file = _state_file(settings)
    state = _read_state(state_file)
    if state and _is_alive(state["owner"]):
        if state.get("landing") not in (None, settings.landing):
            raise SetupError(
                f"the services that run in {settings.home} land from another location than {settings.landing}: stop them,"
                " or start them with YINGJIAN_LANDING set to it"
            )
        airflow = Airflow(settings, f"http://127.0.0.1:{state['ports']['api']}", is_own=False)
        airflow.wait_until_ready()
        yield airflow
        return
    if state:
        _sweep(state)
    broker.check(settings)
    ports = {"api": _port(variables().port if schedule else 0, "YINGJIAN_PORT")}
    if schedule:  # Officials come to services that stay; `run` ends before anybody could sign in.
        ports[PORTAL] = _port(variables().portal_port, "YINGJIAN_PORTAL_PORT")
    environment = {**os.environ, **airflow_environment(settings, schedule=schedule, ports=ports)}
    prepare_home(settings, environment)
    supervisor = _Supervisor(settings, environment, ports, state_file)
    supervisor.start()
    try:
        airflow = Airflow(settings, f"http://127.0.0.1:{ports['api']}", supervisor.check)
        airflow.wait_until_ready()
        yield airflow
    finally:
        supervisor.stop()


def services_url(settings: Settings) -> str | None:
    """Return the URL of this home's Airflow services, running or about to run; None when there are none."""
    port = recorded_port(settings)
    return f"http://127.0.0.1:{port}" if port else settings.airflow_url


def recorded_port(settings: Settings, service: str = "api") -> int | None:
    """Return the port of this home's API server or portal, running or about to run; None when it does not run."""
    state = _read_state(_state_file(settings))
    return state["ports"].get(service) if state and _is_alive(state["owner"]) else None


class _NotReadyError(Exception):
    """A service answers, but not yet as it should."""


class Airflow:
    """This class calls Airflow's REST API as its administrator."""

    def __init__(
        self, settings: Settings, url: str, check: Callable[[], None] = lambda: None, *, is_own: bool = True
    ) -> None:
        self.url = url
        self._settings = settings
        self.check = check  # `check` raises when waiting any longer is useless.
        self._is_own = is_own  # This process started the services.
        self._client = httpx.Client(base_url=self.url, timeout=60)

    @property
    def is_scheduled(self) -> bool:
        """Return whether DAGs run on their own here, by asset or by the clock, as in services of `yingjian up`."""
        return not self._is_own

    @property
    def password(self) -> str:
        return password(self._settings, ADMIN)

    def wait_until_ready(self) -> None:
        """Wait until the API answers and the DAGs are known; raise SetupError when that does not happen."""
        passing = retry_if_exception_type((httpx.HTTPError, ValueError, _NotReadyError))
        try:
            for attempt in Retrying(stop=stop_after_delay(READY_SECONDS), wait=wait_fixed(0.3), retry=passing):
                with attempt:
                    self.check()
                    self._login()
                    missing = [dag for dag in Dag if self._client.get(f"/api/v2/dags/{dag}").status_code != 200]
                    scheduler = self._client.get("/api/v2/monitor/health").json().get("scheduler", {}).get("status")
                    if missing or scheduler != "healthy":
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
        """Send a request that outlives a restart of the API server or of the database."""
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
        """Make sure that no earlier run goes on beside a new one.

        If this process started the services, a killed process has left an unfinished run behind, or the run waits for a
        person. It is marked failed, because the day runs again. Services of `yingjian up` may be working on it: then
        SetupError is raised.
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
        """Trigger a DAG for the data interval of `day` (Asia/Shanghai) and wait until it ends.

        on_task: called once for each task when it succeeds or fails. A run that only waits for a person or for its hour
        is left waiting.
        """
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
        run_id = run["dag_run_id"]
        seen_waiting = False
        reported: set[str] = set()
        while True:
            time.sleep(1)
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
            if dag_id in WAITS_AT:
                is_waiting = self._get(f"{path}/taskInstances/{WAITS_AT[dag_id]}")["state"] in WAITING
                tasks = self._tasks(dag_id, run_id) if is_waiting else []
                is_waiting = is_waiting and not any(task.state in AT_WORK for task in tasks)
                # The run must wait at two looks in a row: between the end of a task and the start of the next one no
                # task is at work either.
                if is_waiting and seen_waiting:
                    return RunResult(dag_id, run_id, "awaiting", tasks)
                seen_waiting = is_waiting

    def _newest(self, path: str) -> list[TaskResult]:
        """Return the tasks of a run that ended last, in the order of their end."""
        page = self._get(f"{path}/taskInstances", state=sorted(FINISHED), order_by="-end_date", limit=50)
        return [_task_result(task) for task in reversed(page["task_instances"])]

    def _tasks(self, dag_id: str, run_id: str) -> list[TaskResult]:
        instances: list[Any] = []
        while True:  # A page has at most a hundred entries, even if more are requested.
            page = self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100, offset=len(instances))
            instances += page["task_instances"]
            if len(instances) >= page["total_entries"] or not page["task_instances"]:
                break
        return [_task_result(task) for task in instances]


def _task_result(task: dict[str, Any]) -> TaskResult:
    return TaskResult(task["task_id"], task["state"] or "none", float(task["duration"] or 0))


class _Supervisor:
    """The supervisor starts the service processes together, restarts one that dies, and ends them with this process."""

    def __init__(
        self, settings: Settings, environment: dict[str, str], ports: dict[str, int], state_file: Path
    ) -> None:
        self._settings = settings
        self._logs = settings.home / "airflow" / "logs"
        self._environment = environment
        self._state_file = state_file
        self._ports = ports
        self._commands = commands(settings) | ({PORTAL: (PORTAL,)} if PORTAL in ports else {})
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._deaths: dict[str, list[float]] = {}
        self._is_down: str | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._logs.mkdir(parents=True, exist_ok=True)
        for service in self._commands:
            self._spawn(service)
        self._thread.start()

    def check(self) -> None:
        """Raise SetupError when a service does not stay up."""
        if self._is_down:
            raise SetupError(f"the {self._is_down} does not stay up: see {self._logs / f'{self._is_down}.log'}")

    def stop(self) -> None:
        self._stopping.set()
        for process in self._processes.values():
            _signal_group(process.pid, signal.SIGTERM)
        until = time.monotonic() + 10
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, until - time.monotonic()))
            _kill_session(process.pid)
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
        self._state_file.unlink(missing_ok=True)

    def _spawn(self, service: str) -> None:
        with (self._logs / f"{service}.log").open("ab") as output:
            self._processes[service] = subprocess.Popen(
                [sys.executable, "-m", "yingjian.operations.airflow_service", SUPERVISED_BY, str(os.getpid()),
                 *self._commands[service]],
                env=self._environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        state = {
            "owner": _identity(os.getpid()),
            "ports": self._ports,
            "landing": self._settings.landing,
            "services": [_identity(process.pid) for process in self._processes.values()],
        }
        temporary = self._state_file.with_suffix(".new")
        temporary.write_text(json.dumps(state))
        temporary.replace(self._state_file)

    def _watch(self) -> None:
        while not self._is_down and not self._stopping.wait(0.5):
            for service, process in list(self._processes.items()):
                if process.poll() is not None and not self._stopping.is_set():
                    try:
                        self._restart(service, process)
                    except (
                        Exception
                    ) as error:  # A full disk, for instance. The service counts as dead and is tried again.
                        log.warning("%s was not started again: %s", service, type(error).__name__)

    def _restart(self, service: str, process: subprocess.Popen[bytes]) -> None:
        """Start a service again that died, unless it died too often."""
        now = time.monotonic()
        deaths = [then for then in self._deaths.get(service, []) if now - then < DEATHS_SECONDS]
        self._deaths[service] = [*deaths, now]
        if len(self._deaths[service]) > DEATHS:
            self._is_down = service
            return
        _kill_session(process.pid)
        _signal_group(process.pid, signal.SIGKILL)
        self._revive_warehouse()
        self._spawn(service)

    def _revive_warehouse(self) -> None:
        """Start the database again, because a service often dies with it.

        If that fails, the service's next death shows it.
        """
        with suppress(SetupError):
            warehouse.ensure_running(self._settings)


def _started(pid: int) -> float | None:
    """Return the start of a process in seconds since the machine's start; None when the process has ended.

    A change of the clock does not move this value.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return round(float(process.create_time() - psutil.boot_time()), 2)
    except psutil.Error:
        return None


def _identity(pid: int) -> list[float]:
    """Return the identity of a process: pid and start, 0 for one that ended.

    The system may give its pid to another process.
    """
    return [pid, _started(pid) or 0]


def _is_alive(identity: list[float]) -> bool:
    pid, started = identity
    return _started(int(pid)) == started


def _state_file(settings: Settings) -> Path:
    return settings.home / "airflow" / "services.json"


def _read_state(path: Path) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = json.loads(path.read_text())
        return state
    except (OSError, ValueError):
        return None


def _sweep(state: dict[str, Any]) -> None:
    """Kill the services and tasks that a killed run of this home left behind.

    Each service leads a session of its own. A task leaves its service's process group, and writes its title over the
    environment that the system shows, but stays in the session. The system does not reuse a session's number while it
    has a member. If another process than ours leads the session, the number was free in between, and the session is not
    ours.
    """
    for pid, started in state["services"]:
        if _identity(pid)[1] in (0, started):
            _kill_session(pid)


def _kill_session(session: int) -> None:
    """Send signal 9 to every process of Airflow, of its workers or of the portal in a session."""
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and re.search("airflow|celeryd", " ".join(process.cmdline())):
                process.kill()
        except (psutil.Error, OSError):
            continue


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _port(wanted: int, variable: str) -> int:
    """Return a port that nobody listens on: the wanted one, or any if 0 is wanted."""
    with socket.socket() as probe:
        # A connection of earlier services that is not quite over must not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((variables().bind, wanted))
        except OSError:
            raise SetupError(
                f"port {wanted} is taken, by `yingjian up` of another home or by another program (`ss -ltnp` names it):"
                f" stop that one, or set {variable} to another port"
            ) from None
        return int(probe.getsockname()[1])


def prepare_home(settings: Settings, environment: dict[str, str]) -> None:
    """Make Airflow's home, and migrate its metadata database when Airflow's version is new."""
    from importlib.metadata import version

    from yingjian.modelling.dbt import prepare_manifest

    home = settings.home / "airflow"
    (home / "plugins").mkdir(parents=True, exist_ok=True)
    write_passwords(settings)
    marker = home / "metadata_version"
    version_and_database = f"{version('apache-airflow')} {_database_identity(settings)}"
    migrating = None
    if not marker.exists() or marker.read_text() != version_and_database:
        migrating = subprocess.Popen(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    prepare_manifest(settings)  # The manifest is parsed while the migration runs.
    if migrating:
        output, _ = migrating.communicate()
        if migrating.returncode:
            raise SetupError(f"Airflow's metadata could not be made: {output.strip().splitlines()[-1]}")
        marker.write_text(version_and_database)


def _database_identity(settings: Settings) -> str:
    """Return which database it is, since YINGJIAN_AIRFLOW_DATABASE may have changed. Raises SetupError."""
    import psycopg

    from yingjian.database import server

    uri = warehouse.airflow_uri(settings)
    try:
        with psycopg.connect(uri) as conn:
            row = conn.execute("select oid from pg_database where datname = current_database()").fetchone()
            where = conn.info.host if settings.airflow_database else ""
            return f"{where}{row[0] if row else ''}"
    except psycopg.Error as error:
        variable = "YINGJIAN_AIRFLOW_DATABASE" if settings.airflow_database else "YINGJIAN_WAREHOUSE"
        raise server.explained(error, uri, variable) from None
