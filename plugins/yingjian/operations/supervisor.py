"""Supervises the processes of a home's services: starts them together and restarts one that dies."""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from yingjian.database import warehouse
from yingjian.operations import broker
from yingjian.operations.airflow_service import SUPERVISED_BY
from yingjian.operations.service_names import PORTAL
from yingjian.operations.service_processes import identity_of, kill_session, signal_group
from yingjian.settings import Settings, SetupError

log = logging.getLogger(__name__)

# Logs are read from files, so no service has to serve them.
SERVICES = {
    "api-server": ("api-server",),
    "dag-processor": ("dag-processor",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
# A command's day does not need these if Airflow has read the DAGs on an earlier start and nothing waits deferred. Most have
# ended before these start (docs/decisions/services-that-start-later.md).
LATER, SECONDS_LATER = ("dag-processor", "triggerer"), 60
# A service that dies is restarted; after more than DEATHS deaths within DEATHS_SECONDS it counts as down.
DEATHS, DEATHS_SECONDS = 3, 600
# Within this many seconds of SIGTERM, a service ends what it is doing. A triggerer has nothing to end: after a restart, its
# triggers ask the database again. If it does not end at once, it often takes ten seconds to see that its child has ended.
SECONDS_TO_STOP, TRIGGERER_SECONDS_TO_STOP = 10, 1


def commands(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return Airflow's command for each service of a home, including the workers that the home starts."""
    names = [f"worker-{number}" for number in range(1, settings.workers + 1)] if settings.broker else []
    return SERVICES | {name: broker.worker_command(name) for name in names}


class Supervisor:
    """Starts the service processes, restarts any that dies, and stops them with this process."""

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
        self._later_from = math.inf
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self, *, later: Collection[str] = ()) -> None:
        """Start the services; those of `later` start after SECONDS_LATER."""
        self._logs.mkdir(parents=True, exist_ok=True)
        self._later_from = time.monotonic() + SECONDS_LATER
        for service in self._commands:
            if service not in later:
                self._spawn(service)
        self._thread.start()

    def check(self) -> None:
        """Raise SetupError if a service keeps dying."""
        if self._is_down:
            raise SetupError(f"the {self._is_down} does not stay up: see {self._logs / f'{self._is_down}.log'}")

    def stop(self) -> None:
        self._stopping.set()
        for process in self._processes.values():
            signal_group(process.pid, signal.SIGTERM)
        signalled = time.monotonic()
        for service, process in self._processes.items():
            until = signalled + (TRIGGERER_SECONDS_TO_STOP if service == "triggerer" else SECONDS_TO_STOP)
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, until - time.monotonic()))
            kill_session(process.pid)
            signal_group(process.pid, signal.SIGKILL)
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
            "owner": identity_of(os.getpid()),
            "ports": self._ports,
            "landing": self._settings.landing,
            "services": [identity_of(process.pid) for process in self._processes.values()],
            "later": [name for name in self._commands if name not in self._processes],
        }
        temporary = self._state_file.with_suffix(".new")
        temporary.write_text(json.dumps(state))
        temporary.replace(self._state_file)

    def _watch(self) -> None:
        while not self._is_down and not self._stopping.wait(0.5):
            for service in self._commands:
                try:
                    self._watch_one(service, self._processes.get(service))
                except Exception as error:  # A full disk, for instance. The start is tried again.
                    log.warning("%s was not started: %s", service, type(error).__name__)

    def _watch_one(self, service: str, process: subprocess.Popen[bytes] | None) -> None:
        if process is None:
            if time.monotonic() >= self._later_from:
                self._spawn(service)
        elif process.poll() is not None and not self._stopping.is_set():
            self._restart(service, process)

    def _restart(self, service: str, process: subprocess.Popen[bytes]) -> None:
        """Restart a dead service, unless it has died too often."""
        now = time.monotonic()
        deaths = [then for then in self._deaths.get(service, []) if now - then < DEATHS_SECONDS]
        self._deaths[service] = [*deaths, now]
        if len(self._deaths[service]) > DEATHS:
            self._is_down = service
            return
        kill_session(process.pid)
        signal_group(process.pid, signal.SIGKILL)
        self._revive_warehouse()
        self._spawn(service)

    def _revive_warehouse(self) -> None:
        """Restart the database, because a service often dies with it.

        If that fails, the service dies again, which shows it.
        """
        with suppress(SetupError):
            warehouse.ensure_running(self._settings)
