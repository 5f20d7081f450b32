"""Starts and stops the Airflow services of a home.

`yingjian run` keeps them for its own duration, `yingjian up` until Ctrl-C. The schedules of the DAGs in `dags/` decide what
runs when.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from yingjian.operations import broker
from yingjian.operations.airflow_api import Airflow
from yingjian.operations.airflow_home import airflow_environment, are_dags_read, prepare_home
from yingjian.operations.service_names import PORTAL
from yingjian.operations.service_processes import is_alive, read_state, recorded_port, state_file_of, sweep
from yingjian.operations.supervisor import LATER, Supervisor
from yingjian.settings import Settings, SetupError, variables


@contextmanager
def running_services(settings: Settings, *, schedule: bool = False) -> Iterator[Airflow]:
    """Yield a client for this home's Airflow services.

    Running services are reused, here or at YINGJIAN_AIRFLOW_URL; otherwise services are started and stopped at the end.
    schedule: the services stay up on their fixed port and run DAGs by schedule; otherwise they use a free port. A service that
    dies is restarted. Raises SetupError if the services do not come up or the port is taken.
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
    if schedule:  # The portal is only started with services that stay up; `run` ends too soon to sign in.
        ports[PORTAL] = free_port(variables().portal_port, "YINGJIAN_PORTAL_PORT")
    environment = {**os.environ, **airflow_environment(settings, schedule=schedule, ports=ports)}
    prepare_home(settings, environment)
    supervisor = Supervisor(settings, environment, ports, state_file)
    supervisor.start(later=() if schedule or not are_dags_read(settings) else LATER)
    try:
        airflow = Airflow(settings, f"http://127.0.0.1:{ports['api']}", supervisor.check)
        airflow.wait_until_ready()
        yield airflow
    finally:
        supervisor.stop()


def services_url(settings: Settings) -> str | None:
    """Return the URL of this home's Airflow services; None if there are none."""
    port = recorded_port(settings)
    return f"http://127.0.0.1:{port}" if port else settings.airflow_url


def free_port(wanted: int, variable: str) -> int:
    """Return a free port: the wanted one, or any if it is 0. Raises SetupError if it is taken."""
    with socket.socket() as probe:
        # Connections of earlier services in TIME_WAIT must not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((variables().bind, wanted))
        except OSError:
            raise SetupError(
                f"port {wanted} is taken, by `yingjian up` of another home or by another program (`ss -ltnp` names it):"
                f" stop that one, or set {variable} to another port"
            ) from None
        return int(probe.getsockname()[1])
