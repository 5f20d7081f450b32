"""The commands `worker` and `service …` replace the process with one of Airflow's services."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from yingjian.cli import terminal
from yingjian.operations.service_names import CHECKED, NAMES, WORKER
from yingjian.settings import Settings, SetupError

app = terminal.group("Airflow's services")
services = terminal.group("run one of Airflow's services as this process, for containers and systemd", "service")


def _become(name: str) -> Callable[[], None]:
    def become() -> None:
        from yingjian.operations import service

        service.become(Settings.load(), name)

    return become


app.command(
    "worker",
    help="Start another worker for the tasks of `up` or `run`, on this or another machine.",
    epilog=terminal.example("yingjian worker"),
)(_become(WORKER))
app.add_typer(services)


def _service(text: str) -> str:
    if text not in CHECKED:
        raise typer.BadParameter(f"is {text}, but that is not a service: write one of {', '.join(CHECKED)}")
    return text


@services.command("init", epilog=terminal.example("yingjian service init"))
def init() -> None:
    """Make the databases and the home, once before the services."""
    from yingjian.operations import service
    from yingjian.orchestration import notices

    settings = Settings.load()
    service.init(settings)
    if sentence := notices.unset(settings):
        print(f"{sentence} (docs/runbooks/watch.md)")


for _name in NAMES:
    services.command(
        _name, help=f"Run Airflow's {_name} as this process.", epilog=terminal.example(f"yingjian service {_name}")
    )(_become(_name))


@services.command("check", epilog=terminal.example("yingjian service check scheduler"))
def check(name: Annotated[str, typer.Argument(parser=_service, metavar="SERVICE")]) -> int:
    """Check a service of this machine; the exit code is 1 when it does not work."""
    from yingjian.operations import service

    try:
        service.check(Settings.load(), name)
    except SetupError as error:
        print(f"yingjian: {error}: see docs/runbooks/services.md", file=sys.stderr)
        return 1  # Container health checks only define exit codes 0 and 1.
    return 0
