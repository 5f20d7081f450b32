"""These commands run the pipeline: `run`, `up`, `demo` and `live`."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer

from yingjian.cli import terminal
from yingjian.settings import Settings

app = terminal.group("the pipeline at work")


@app.command("run", epilog=terminal.example("yingjian run --date 2022-07-20 --until 2022-07-24"))
def run(
    day: Annotated[date, typer.Option("--date", parser=terminal.day, metavar="D", help="business date, YYYY-MM-DD")],
    until: Annotated[
        date | None, typer.Option("--until", parser=terminal.day, metavar="D2", help="last business date")
    ] = None,
    landing: Annotated[
        str | None, typer.Option("--landing", metavar="URI", help="landing location; default YINGJIAN_LANDING")
    ] = None,
) -> int:
    """Land everything, then make the daily run of each business date."""
    settings = Settings.load()
    last = until or day
    if last < day:
        raise ValueError(f"--until {last} is before --date {day}")
    days = [day + timedelta(days=i) for i in range((last - day).days + 1)]
    return 0 if _run_days(settings, days, landing or settings.landing) else 1


@app.command("up", epilog=terminal.example("yingjian up"))
def up() -> None:
    """Serve Airflow, the officials' portal and the warehouse until Ctrl-C."""
    from yingjian.operations.run import serve

    serve(Settings.load(), _say)


@app.command("demo", epilog=terminal.example("yingjian demo"))
def demo() -> int:
    """Simulate a town of three weeks and run its last days."""
    from yingjian.operations import demo as town

    settings = Settings.load()
    landing = town.make_town(settings, print)
    days = [town.LAST_DAY - timedelta(days=i) for i in reversed(range(town.RUNS))]
    if not _run_days(settings, days, str(landing)):
        return 1
    command = Path(sys.argv[0])
    print(f"report: {max(settings.reports.glob('*.html'), key=lambda path: path.stat().st_mtime)}")
    print(f'marts: psql "$({command} warehouse uri)"  (schema reporting)')
    print(f"next: `{command} live` continues the simulation; `{command} up` starts the UI and the portal")
    return 0


@app.command("live", epilog=terminal.example("yingjian live --day-every 5m"))
def live(
    day_every: Annotated[
        timedelta, typer.Option("--day-every", parser=terminal.duration, metavar="TIME", help="default: 3m")
    ] = timedelta(minutes=3),
) -> None:
    """Let the demo run on its own until Ctrl-C."""
    from yingjian.operations import demo as towns
    from yingjian.operations.run import serve

    settings = Settings.load()
    settings = replace(
        settings,
        landing=str(settings.home / "landing"),
        landing_every=max(day_every / 12, timedelta(seconds=6)),
    )
    town = towns.Live(settings, day_every, _say)
    serve(settings, _say, town.start, town.stop)


def _run_days(settings: Settings, days: list[date], landing: str) -> bool:
    from yingjian.operations.run import Terminal, run_days

    return run_days(settings, days, landing, Terminal(_say, _fail, terminal.bar))


def _say(line: str) -> None:
    print(line, flush=True)


def _fail(line: str) -> None:
    print(line, file=sys.stderr)
