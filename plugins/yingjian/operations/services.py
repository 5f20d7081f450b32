"""This module starts Airflow's services for one home, and stops them.

`yingjian run` starts them for as long as it lasts, `yingjian up` until Ctrl-C. The DAGs in `dags/` decide what runs
when.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from yingjian.operations import broker
from yingjian.operations.airflow_api import Airflow
from yingjian.operations.airflow_home import airflow_environment, prepare_home
from yingjian.operations.service_names import PORTAL
from yingjian.operations.service_processes import is_alive, read_state, recorded_port, state_file_of, sweep
from yingjian.operations.supervisor import Supervisor
from yingjian.settings import Settings, SetupError, variables


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
    state_file = state_file_of(settings)
    state = read_state(state_file)
    if state and is_alive(state["owner"]):
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
        sweep(state)
    broker.check(settings)
    ports = {"api": free_port(variables().port if schedule else 0, "YINGJIAN_PORT")}
    if schedule:  # Officials come to services that stay; `run` ends before anybody could sign in.
        ports[PORTAL] = free_port(variables().portal_port, "YINGJIAN_PORTAL_PORT")
    environment = {**os.environ, **airflow_environment(settings, schedule=schedule, ports=ports)}
    prepare_home(settings, environment)
    supervisor = Supervisor(settings, environment, ports, state_file)
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


def free_port(wanted: int, variable: str) -> int:
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
