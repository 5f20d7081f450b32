"""Implements `yingjian service NAME`, which runs one Airflow service as its own process, for containers and systemd.

`yingjian up` starts and supervises all services on one machine. Here the container engine or systemd does: `init` once, then
each service, as in docker-compose.yml (docs/decisions/one-service-per-container.md).
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys
from typing import NoReturn

import httpx

from yingjian.operations import migration
from yingjian.operations.service_names import JOBS, PORTAL, WORKER
from yingjian.settings import Settings, SetupError, variables

SECONDS = 3  # A service or a database must answer within this time.
HEARTBEAT_SECONDS = 60  # This is twice Airflow's default threshold: a service on a busy machine is slow, not dead.


def become(settings: Settings, name: str) -> NoReturn:
    """Replace this process with the named service; DAGs run by their schedule.

    Raises SetupError if a worker has no broker, or if the broker does not answer.
    """
    from yingjian.operations import airflow_users, broker, supervisor

    command = supervisor.SERVICES.get(name)
    if command is None:
        _require_broker(settings)
        broker.check(settings)
        command = broker.worker_command(f"worker-{os.getpid()}")
    if name == "api-server":
        airflow_users.write_passwords(settings)  # The data team may have grown since `init`.
        command = (*command, "--proxy-headers")  # FORWARDED_ALLOW_IPS names the proxies whose headers are trusted.
    arguments = [sys.executable, "-m", "yingjian.operations.airflow_service", *command]
    os.execve(sys.executable, arguments, environment(settings))  # noqa: S606


def init(settings: Settings) -> None:
    """Create or update what all services share: warehouse, Airflow's database, home. Concurrent calls wait for each other.

    Raises SetupError.
    """
    from yingjian.database import warehouse
    from yingjian.operations import airflow_home

    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        lock = (settings.home / "init.lock").open("w")
    except OSError as error:
        raise SetupError(f"cannot write to {settings.home} ({error.strerror}): whose folder is it?") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        warehouse.ensure_running(settings)
        migration.migrate(settings)
        airflow_home.prepare_home(settings, environment(settings))


def environment(settings: Settings) -> dict[str, str]:
    """Return the services' environment: this process's, extended by Airflow's settings.

    An AIRFLOW__… variable that is set explicitly wins over Yingjian's choice.
    """
    from yingjian.operations import airflow_home, service_processes

    port = service_processes.recorded_port(settings) or variables().port
    here = f"http://127.0.0.1:{port}"
    chosen = airflow_home.airflow_environment(settings, schedule=True, ports={"api": port})
    chosen["AIRFLOW__API__BASE_URL"] = settings.url or here
    chosen["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] = f"{settings.airflow_url or here}/execution/"
    # `check` finds this machine's heartbeats by host name.
    chosen["AIRFLOW__CORE__HOSTNAME_CALLABLE"] = "socket.gethostname"
    given_settings = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW__")}
    return {**os.environ, **chosen, **given_settings}


def check(settings: Settings, name: str) -> None:
    """Raise SetupError if the service `name` on this machine does not work. It is fast, because it does not import Airflow."""
    if name == WORKER:
        _check_worker(settings)
    elif name in JOBS:
        _check_heartbeat(settings, name)
    elif name == PORTAL:
        check_portal(variables().portal_port)
    else:
        _check_api_server()


def _check_api_server() -> None:
    url = f"http://127.0.0.1:{variables().port}/api/v2/monitor/health"
    try:
        health = httpx.get(url, timeout=SECONDS, trust_env=False).raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise SetupError(f"the api-server does not answer ({type(error).__name__})") from None
    if health["metadatabase"]["status"] != "healthy":
        raise SetupError("the api-server answers, but does not reach Airflow's database")


def check_portal(port: int) -> None:
    """Raise SetupError unless a portal on this machine's port answers and reaches its database."""
    try:
        httpx.get(f"http://127.0.0.1:{port}/health", timeout=SECONDS, trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        raise SetupError(f"the portal does not answer ({type(error).__name__})") from None


def _check_heartbeat(settings: Settings, name: str) -> None:
    import psycopg

    from yingjian.database import warehouse

    try:
        with psycopg.connect(warehouse.airflow_uri(settings), connect_timeout=SECONDS) as conn:
            row = conn.execute(
                "select extract(epoch from now() - max(latest_heartbeat))::int from job"
                " where job_type = %s and hostname = %s and state = 'running'",
                (JOBS[name], socket.gethostname()),
            ).fetchone()
    except psycopg.Error as error:
        raise SetupError(f"Airflow's database does not answer ({type(error).__name__})") from None
    age = row[0] if row else None
    if age is None:
        raise SetupError(f"no {name} of this machine is at work")
    if age > HEARTBEAT_SECONDS:
        raise SetupError(f"the {name} gave its last sign of life {age} s ago")


def _check_worker(settings: Settings) -> None:
    from yingjian.operations import broker

    _require_broker(settings)
    if not broker.workers(settings, f"*@{socket.gethostname()}"):
        raise SetupError("no worker of this machine answers")


def _require_broker(settings: Settings) -> None:
    if not settings.broker:
        raise SetupError("YINGJIAN_BROKER is not set: a worker gets its tasks from the broker that it names")
