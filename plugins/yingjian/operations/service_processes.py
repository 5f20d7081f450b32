"""This module records which processes are the services of a home, and ends those that a killed run left behind."""

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
    """Return the port of this home's API server or portal, running or about to run; None when it does not run."""
    state = read_state(state_file_of(settings))
    return state["ports"].get(service) if state and is_alive(state["owner"]) else None


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


def identity_of(pid: int) -> list[float]:
    """Return the identity of a process: pid and start, 0 for one that ended.

    The system may give its pid to another process.
    """
    return [pid, _started(pid) or 0]


def is_alive(identity: list[float]) -> bool:
    pid, started = identity
    return _started(int(pid)) == started


def state_file_of(settings: Settings) -> Path:
    """Return the file that records the services of a home."""
    return settings.home / "airflow" / "services.json"


def read_state(path: Path) -> dict[str, Any] | None:
    """Return the recorded services: their owner, ports, landing location and identities; None without a record."""
    try:
        state: dict[str, Any] = json.loads(path.read_text())
        return state
    except (OSError, ValueError):
        return None


def sweep(state: dict[str, Any]) -> None:
    """Kill the services and tasks that a killed run of this home left behind.

    Each service leads a session of its own. A task leaves its service's process group, and writes its title over the
    environment that the system shows, but stays in the session. The system does not reuse a session's number while it
    has a member. If another process than ours leads the session, the number was free in between, and the session is not
    ours.
    """
    for pid, started in state["services"]:
        if identity_of(pid)[1] in (0, started):
            kill_session(pid)


def kill_session(session: int) -> None:
    """Send signal 9 to every process of Airflow, of its workers or of the portal in a session."""
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and re.search("airflow|celeryd", " ".join(process.cmdline())):
                process.kill()
        except (psutil.Error, OSError):
            continue


def signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
