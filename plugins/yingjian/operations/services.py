"""Airflow's services for one home: start, watch, ask for runs, stop.

`yingjian run` starts them for as long as it lasts, `yingjian up` until Ctrl-C. Nothing here decides what runs when:
that is in `dags/`.
"""

from __future__ import annotations

import ctypes
import json
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
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psutil

from yingjian.database import warehouse
from yingjian.modelling import lineage
from yingjian.operations import broker
from yingjian.people.officials import read_officials
from yingjian.settings import TELEMETRY_OFF, Settings, SetupError, no_core_files

SHANGHAI = ZoneInfo("Asia/Shanghai")
ADMIN = "admin"
# Logs are read from their files: no service needs to serve them.
SERVICES = {
    "api-server": ("api-server",),
    "dag-processor": ("dag-processor",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
FINISHED = frozenset({"success", "failed"})
# Where `up` and `service api-server` serve Airflow unless YINGJIAN_PORT says otherwise; the portal's own service has the next one.
PORT = 8080
PORTAL_PORT = 8081
READY_SECONDS = 180
# A service that dies is started again, but not for ever: more deaths than this in so many seconds, and it does not stay up.
DEATHS, DEATHS_SECONDS = 3, 600
PORTAL = "/yingjian/"
DAGS = ("landing", "daily", "maintenance", "delivery", "public_release", "bounces", "watch")
# Of two runs at once these would disturb each other. The others are made to be left waiting and to be repeated.
ONE_AT_A_TIME = ("landing", "daily", "maintenance")
# Where a run waits for its hour or for a person, for hours: nobody at the command line waits with it.
WAITS_AT = {"daily": "release_by_hand", "delivery": "wait", "public_release": "sign_off"}
WAITING = frozenset({"awaiting_input", "deferred", "up_for_reschedule"})
AT_WORK = frozenset({"scheduled", "queued", "running", "restarting", "up_for_retry"})


def airflow_environment(settings: Settings, *, schedule: bool, ports: dict[str, int]) -> dict[str, str]:
    """The environment of Airflow's services and of every task: all settings, no file to keep in step."""
    home = settings.home / "airflow"
    metadata = warehouse.airflow_uri(settings)
    driver = metadata.replace("postgresql://", "postgresql+psycopg://", 1)
    url = f"http://{os.environ.get('YINGJIAN_BIND', '127.0.0.1')}:{ports['api']}"
    # Every task process imports dbt or pandas; more of them than cores only waits for memory.
    tasks_at_once = max(6, 2 * (os.cpu_count() or 2))
    return {
        **TELEMETRY_OFF,
        **warehouse.dbt_environment(settings),
        "YINGJIAN_HOME": str(settings.home),
        "YINGJIAN_WAREHOUSE": settings.warehouse or "",
        "YINGJIAN_AIRFLOW_DATABASE": settings.airflow_database or "",
        "YINGJIAN_LANDING": settings.landing,
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
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Asia/Shanghai",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
            f"{login}:{role}" for login, role in users(settings).items()
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__FERNET_KEY": _fernet_key(settings),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{ports['api']}/execution/",
        "AIRFLOW__API__HOST": os.environ.get("YINGJIAN_BIND", "127.0.0.1"),
        "AIRFLOW__API__PORT": str(ports["api"]),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        # A task that cannot reach the API as it starts fails without a log; a busy machine takes longer than five seconds.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__API__EXPOSE_CONFIG": "False",
        "AIRFLOW__API__EXPOSE_STACKTRACE": "False",
        "AIRFLOW__API__SECRET_KEY": settings.secret("airflow_api"),
        "AIRFLOW__API_AUTH__JWT_SECRET": settings.secret("airflow_jwt"),
        # Who signed in is asked again after a working day.
        "AIRFLOW__API_AUTH__JWT_EXPIRATION_TIME": str(8 * 3600),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(home / "logs" / "dag_processor"),
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(schedule),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        # With less, a scheduler that stood still takes itself for dead when it goes on (docs/decisions/slow-is-not-dead.md).
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "240",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "2",
        "AIRFLOW__COSMOS__ENABLE_CACHE": "False",
        **broker.airflow_environment(settings, tasks_at_once),
        **lineage.airflow_environment(settings),
        "PYTHONWARNINGS": "ignore",
        "NO_COLOR": "1",
    }


def commands(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Airflow's command for each service of a home, and for each worker that it starts itself."""
    names = [f"worker-{number}" for number in range(1, settings.workers + 1)] if settings.broker else []
    return SERVICES | {name: broker.worker_command(name) for name in names}


def users(settings: Settings) -> dict[str, str]:
    """Airflow's users and their roles: its administrator, and every official of officials.yml.

    Raises SetupError when an official is called like the administrator, or when the file cannot be understood.
    """
    officials = read_officials(settings.officials)
    if officials.get(ADMIN):
        raise SetupError(f"{settings.officials}: the login {ADMIN} is Airflow's own: give the official another one")
    return {ADMIN: "admin"} | {login: official.role for login, official in officials.by_login.items()}


def password(settings: Settings, login: str) -> str:
    """A user's password in Airflow: made at first use, kept among the home's secrets."""
    return settings.secret(f"airflow_{login}" if login == ADMIN else f"airflow_user_{login}")


def write_passwords(settings: Settings) -> None:
    """The file by which Airflow's simple auth manager knows its users; readable by its owner only."""
    path = settings.home / "airflow" / "passwords.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, made = tempfile.mkstemp(dir=path.parent)  # mode 0600
    with os.fdopen(descriptor, "w") as file:
        json.dump({login: password(settings, login) for login in users(settings)}, file)
    os.replace(made, path)  # A service that starts meanwhile reads the old file or the new one.


def _fernet_key(settings: Settings) -> str:
    import base64

    return base64.urlsafe_b64encode(settings.secret("airflow_fernet").encode()[:32]).decode()


@dataclass(frozen=True)
class TaskResult:
    """A task of a run: `seconds` it took, `state` it ended in."""

    task_id: str
    state: str
    seconds: float


@dataclass(frozen=True)
class RunResult:
    """A DAG run: `state` is success, failed, or awaiting when it waits for a person or for its hour."""

    dag_id: str
    run_id: str
    state: str
    tasks: list[TaskResult] = field(repr=False)

    @property
    def failed_tasks(self) -> list[str]:
        return [task.task_id for task in self.tasks if task.state == "failed"]


@contextmanager
def running_services(settings: Settings, *, schedule: bool = False) -> Iterator[Airflow]:
    """Airflow's services for this home: those that run already, here or where YINGJIAN_AIRFLOW_URL says, else started
    here and stopped at the end.

    schedule: for as long as somebody wants, at the port that stays the same; else at a free one. A service that dies
    meanwhile is started again. Raises SetupError when they do not come up, or when the port is taken.
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
    ports = {"api": _port(wanted_port() if schedule else 0)}
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
    """Where Airflow's services of this home are, or are meant to be; None where none run."""
    port = recorded_port(settings)
    return f"http://127.0.0.1:{port}" if port else settings.airflow_url


def recorded_port(settings: Settings) -> int | None:
    """The port of the API server that runs for this home, or is meant to; None where no services do."""
    state = _read_state(_state_file(settings))
    return int(state["ports"]["api"]) if state and _is_alive(state["owner"]) else None


class Airflow:
    """Airflow's REST API, as its administrator."""

    def __init__(
        self, settings: Settings, url: str, check: Callable[[], None] = lambda: None, *, is_own: bool = True
    ) -> None:
        self.url = url
        self._settings = settings
        self.check = check  # raises when it is no use waiting any longer
        self._is_own = is_own  # whether this process started the services
        self._client = httpx.Client(base_url=self.url, timeout=60)

    @property
    def is_scheduled(self) -> bool:
        """Whether DAGs run on their own here, by asset or by the clock: services of `yingjian up`."""
        return not self._is_own

    @property
    def password(self) -> str:
        return password(self._settings, ADMIN)

    def wait_until_ready(self) -> None:
        """Wait for the API and for the DAGs to be known; raises SetupError when they do not come."""
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            self.check()
            try:
                self._login()
                missing = [dag for dag in DAGS if self._client.get(f"/api/v2/dags/{dag}").status_code != 200]
                scheduler = self._client.get("/api/v2/monitor/health").json().get("scheduler", {}).get("status")
                if not missing and scheduler == "healthy":
                    return
            except (httpx.HTTPError, ValueError):
                pass
            time.sleep(0.3)
        errors = ""
        try:
            errors = "; ".join(
                f"{e['filename']}: {e['stack_trace'].strip().splitlines()[-1]}"
                for e in self._get("/api/v2/importErrors")["import_errors"]
            )
        except httpx.HTTPError:
            pass
        logs = self._settings.home / "airflow" / "logs"
        raise SetupError(f"Airflow did not come up within {READY_SECONDS} s: {errors or f'see {logs}'}")

    def _login(self) -> None:
        response = self._client.post("/auth/token", json={"username": ADMIN, "password": self.password})
        response.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {response.json()['access_token']}"

    def _get(self, path: str, **params: Any) -> Any:
        return self._request("GET", path, params=params)

    def _request(self, method: str, path: str, **options: Any) -> Any:
        """A request that outlives a restart of the API server or of the database."""
        for attempt in range(60):
            self.check()
            try:
                response = self._client.request(method, path, **options)
                if response.status_code == 401 and attempt == 0:
                    self._login()
                    continue
                if response.status_code < 500:
                    response.raise_for_status()
                    return response.json()
            except httpx.TransportError:
                pass
            if self._settings.warehouse is None:
                warehouse.ensure_running(self._settings)
            time.sleep(1)
        raise SetupError(
            f"Airflow's API at {self.url} stopped answering: see {self._settings.home / 'airflow' / 'logs'}"
        )

    def _unfinished(self) -> list[tuple[str, str]]:
        return [
            (dag_id, run["dag_run_id"])
            for dag_id in ONE_AT_A_TIME
            for state in ("queued", "running")
            for run in self._get(f"/api/v2/dags/{dag_id}/dagRuns", state=state, limit=100)["dag_runs"]
        ]

    def clear_the_way(self) -> None:
        """See that no earlier run goes on beside a new one.

        In services that this process started, an unfinished run was left behind by a killed process, or waits for a
        person who is answered by running the day again: it is marked failed. In services of `yingjian up` it may be
        at work: raises SetupError.
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

        on_task: called once for each task that ended well or failed, as it ends. A run that waits for a person or for its
        hour, with nothing else at work, is left waiting.
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
        told: set[str] = set()
        while True:
            time.sleep(0.5)
            path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"
            state = self._get(path)["state"]
            is_over = state in FINISHED
            tasks = self._tasks(dag_id, run_id) if is_over else self._newest(path)
            for task in tasks:
                if task.state in FINISHED and task.task_id not in told:
                    told.add(task.task_id)
                    on_task(task)
            if is_over:
                return RunResult(dag_id, run_id, state, tasks)
            if dag_id in WAITS_AT:
                is_waiting = self._get(f"{path}/taskInstances/{WAITS_AT[dag_id]}")["state"] in WAITING
                tasks = self._tasks(dag_id, run_id) if is_waiting else []
                is_waiting = is_waiting and not any(task.state in AT_WORK for task in tasks)
                # Seen twice: between a task's end and the next one's beginning nothing is at work either.
                if is_waiting and seen_waiting:
                    return RunResult(dag_id, run_id, "awaiting", tasks)
                seen_waiting = is_waiting

    def _newest(self, path: str) -> list[TaskResult]:
        """The tasks of a run that ended last, in the order of their end."""
        page = self._get(f"{path}/taskInstances", state=sorted(FINISHED), order_by="-end_date", limit=50)
        return [_task_result(task) for task in reversed(page["task_instances"])]

    def _tasks(self, dag_id: str, run_id: str) -> list[TaskResult]:
        instances: list[Any] = []
        while True:  # A page has at most a hundred entries, whatever is asked for.
            page = self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100, offset=len(instances))
            instances += page["task_instances"]
            if len(instances) >= page["total_entries"] or not page["task_instances"]:
                break
        return [_task_result(task) for task in instances]


def _task_result(task: dict[str, Any]) -> TaskResult:
    return TaskResult(task["task_id"], task["state"] or "none", float(task["duration"] or 0))


class _Supervisor:
    """The service processes: started together, restarted when one dies, gone when this process is gone."""

    def __init__(
        self, settings: Settings, environment: dict[str, str], ports: dict[str, int], state_file: Path
    ) -> None:
        self._settings = settings
        self._logs = settings.home / "airflow" / "logs"
        self._environment = environment
        self._state_file = state_file
        self._ports = ports
        self._commands = commands(settings)
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
        """Raises SetupError when a service does not stay up."""
        if self._is_down:
            raise SetupError(f"Airflow's {self._is_down} does not stay up: see {self._logs / f'{self._is_down}.log'}")

    def stop(self) -> None:
        self._stopping.set()
        for process in self._processes.values():
            _signal_group(process.pid, signal.SIGTERM)
        until = time.monotonic() + 10
        for process in self._processes.values():
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
            _kill_session(process.pid)
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
        self._state_file.unlink(missing_ok=True)

    def _spawn(self, service: str) -> None:
        with (self._logs / f"{service}.log").open("ab") as log:
            self._processes[service] = subprocess.Popen(
                [sys.executable, "-m", "yingjian.operations.airflow_service", *self._commands[service]],
                env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=_die_with_parent,
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
        while not self._stopping.wait(0.5):
            for service, process in list(self._processes.items()):
                if process.poll() is not None and not self._stopping.is_set():
                    _kill_session(process.pid)
                    _signal_group(process.pid, signal.SIGKILL)
                    now = time.monotonic()
                    deaths = [then for then in self._deaths.get(service, []) if now - then < DEATHS_SECONDS]
                    self._deaths[service] = [*deaths, now]
                    if len(self._deaths[service]) > DEATHS:
                        self._is_down = service
                        return
                    self._revive_warehouse()
                    self._spawn(service)

    def _revive_warehouse(self) -> None:
        """A service often dies because the database did; a failure is told by the service's next death."""
        try:
            warehouse.ensure_running(self._settings)
        except SetupError:
            pass


def _die_with_parent() -> None:
    """In the child: be killed when the parent is gone (Linux, PR_SET_PDEATHSIG), and leave no core file."""
    no_core_files()
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    except (OSError, AttributeError):
        pass


def _started(pid: int) -> float | None:
    """When a process began, in seconds from the machine's own start, which no change of the clock moves; None: it ended."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return round(float(process.create_time() - psutil.boot_time()), 2)
    except psutil.Error:
        return None


def _identity(pid: int) -> list[float]:
    """A process, so that its number is not mistaken for another's later: pid and when it began; 0 for one that ended."""
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
    """Kill what a killed run of this home left behind: the services and the tasks at work.

    Each service leads a session of its own. A task leaves its service's process group, and writes its title over the
    environment that the system shows, but stays in the session. A session's number is not given to another process while a
    member is left; where the leader is another process than ours, the number was free in between and is not ours.
    """
    for pid, started in state["services"]:
        if _identity(pid)[1] in (0, started):
            _kill_session(pid)


def _kill_session(session: int) -> None:
    """Kill -9 every process of Airflow or of its workers in a session."""
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and re.search("airflow|celeryd", " ".join(process.cmdline())):
                process.kill()
        except (psutil.Error, OSError):
            continue


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def wanted_port() -> int:
    """Where `up` serves Airflow: YINGJIAN_PORT, else PORT. Raises SetupError when it is no port."""
    wanted = os.environ.get("YINGJIAN_PORT") or str(PORT)
    if not re.fullmatch(r"[1-9]\d{0,4}", wanted, re.ASCII) or int(wanted) > 65535:
        raise SetupError(f"YINGJIAN_PORT is {wanted}: give a port, as in {PORT}")
    return int(wanted)


def _port(wanted: int) -> int:
    """A port that nobody listens on: the wanted one; any, where 0 is wanted."""
    with socket.socket() as probe:
        # A connection of the services before that is not quite over takes no port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((os.environ.get("YINGJIAN_BIND", "127.0.0.1"), wanted))
        except OSError:
            raise SetupError(
                f"port {wanted} is taken, by `yingjian up` of another home or by another program (`ss -ltnp` names it):"
                " stop that one, or set YINGJIAN_PORT to another port"
            ) from None
        return int(probe.getsockname()[1])


def prepare_home(settings: Settings, environment: dict[str, str]) -> None:
    """Airflow's home and its metadata database, migrated when Airflow's version is new."""
    from importlib.metadata import version

    from yingjian.modelling.dbt import prepare_manifest

    home = settings.home / "airflow"
    (home / "plugins").mkdir(parents=True, exist_ok=True)
    write_passwords(settings)
    marker = home / "metadata_version"
    wanted = f"{version('apache-airflow')} {_database_identity(settings)}"
    migrating = None
    if not marker.exists() or marker.read_text() != wanted:
        migrating = subprocess.Popen(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    prepare_manifest(settings)  # Meanwhile.
    if migrating:
        output, _ = migrating.communicate()
        if migrating.returncode:
            raise SetupError(f"Airflow's metadata could not be made: {output.strip().splitlines()[-1]}")
        marker.write_text(wanted)


def _database_identity(settings: Settings) -> str:
    """Which database it is; YINGJIAN_AIRFLOW_DATABASE may name another one than before. Raises SetupError."""
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
