"""Records the processes of a home's services, and kills those left behind by a killed run."""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from yingjian.settings import Settings


def recorded_port(settings: Settings, service: str = "api") -> int | None:
    """Return the recorded port of this home's API server or portal; None if the services' owner is not running."""
    state = read_state(state_file_of(settings))
    return state["ports"].get(service) if state and is_alive(state["owner"]) else None


def services_to_come(settings: Settings) -> list[str]:
    """Return the services of this home that its `yingjian run` has not started yet (supervisor.LATER)."""
    return list((read_state(state_file_of(settings)) or {}).get("later", []))


def _started(pid: int) -> float | None:
    """Return a process's start time in seconds since boot; None if it has ended.

    The value does not depend on the wall clock.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return round(float(process.create_time() - psutil.boot_time()), 2)
    except psutil.Error:
        return None


def identity_of(pid: int) -> list[float]:
    """Return a process's identity: pid and start time (0 if it has ended).

    A pid alone may be reused.
    """
    return [pid, _started(pid) or 0]


def is_alive(identity: list[float]) -> bool:
    pid, started = identity
    return _started(int(pid)) == started


def state_file_of(settings: Settings) -> Path:
    """Return the file that records the services of a home."""
    return settings.home / "airflow" / "services.json"


def read_state(path: Path) -> dict[str, Any] | None:
    """Return the recorded services (owner, ports, landing location, identities); None if there is no record."""
    try:
        state: dict[str, Any] = json.loads(path.read_text())
        return state
    except (OSError, ValueError):
        return None


def sweep(state: dict[str, Any]) -> None:
    """Kill services and tasks that a killed run of this home left behind.

    Each service leads its own session. A task leaves the service's process group and overwrites its visible environment, but
    stays in the session. A session id is not reused while it has members. If the process with that pid is not the one we
    recorded, the id has been reused, and the session is not ours.
    """
    for pid, started in state["services"]:
        if identity_of(pid)[1] in (0, started):
            kill_session(pid)


def kill_session(session: int) -> None:
    """Send SIGKILL to every Airflow, worker or portal process of a session."""
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and re.search("airflow|celeryd", " ".join(process.cmdline())):
                process.kill()
        except (psutil.Error, OSError):
            continue


def signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
