"""A part of `make bench`: it measures how long users wait for common commands, and what idle services cost.

The commands are `make run` in a bare clone, `yingjian run` for days of the demo's town and for days without files of a town
of 100,000 people, and `yingjian up` in an empty home.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from statistics import median

import psutil

from tests.bench.bench_days import DAYS_MEASURED, HISTORY_PERSONS, LAST_DAY, SIZE_HISTORY, Town
from yingjian.database import warehouse
from yingjian.database.airflow_database import ask_airflow
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.operations import demo
from yingjian.pipeline import Dag
from yingjian.settings import PROJECT_ROOT, Settings

EMPTY_DAYS = 3
SETTLING_SECONDS, IDLE_SECONDS = 90.0, 120.0
# Each part has a title, a goal, and the unit of both.
GOALS = {
    "bare_clone": ("a bare clone to the report, packages in the cache", 120, "s"),
    "town_day": (f"a day of a town of {demo.PERSONS:,} through Airflow", 20, "s"),
    "empty_day": (f"an empty day of {HISTORY_PERSONS:,} people through `yingjian run`", 30, "s"),
    "empty_day_work": ("its work alone", 12, "s"),
    "idle": ("an idle `up`, its database included", 5, "% of a core"),
}


def measure(folder: Path) -> dict[str, float]:
    """Return each figure of GOALS, and the number of processes of an idle `up`."""
    figures = {"bare_clone": _bare_clone(folder / "clone")}
    # The clone's home already has the demo's town, whose last days can be run again.
    figures["town_day"] = _town_day(folder / "clone" / ".yingjian")
    figures["empty_day"], figures["empty_day_work"] = _empty_day(folder / "city")
    figures["idle"], figures["idle_processes"] = _idle(folder / "idle")
    return figures


def _bare_clone(clone: Path) -> float:
    subprocess.run(["git", "clone", "--quiet", str(PROJECT_ROOT), str(clone)], check=True)
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    start = time.perf_counter()
    _checked(["make", "run"], kept, clone)
    return round(time.perf_counter() - start, 1)


def _town_day(home: Path) -> float:
    """Return the median seconds of runs of the DAG `daily`, from the first task to the last."""
    settings = Settings.load({"YINGJIAN_HOME": str(home)})
    first = demo.LAST_DAY - timedelta(days=DAYS_MEASURED - 1)
    landing = ("--landing", str(home / "landing"))
    _yingjian(home, "run", "--date", str(first), "--until", str(demo.LAST_DAY), *landing)
    warehouse.ensure_running(settings)
    rows = ask_airflow(
        settings,
        """
        select extract(epoch from end_date - start_date)::float from dag_run
        where dag_id = %s and state = 'success' order by start_date desc limit %s
        """,
        (Dag.DAILY, DAYS_MEASURED),
    )
    EmbeddedPostgres(settings).stop()
    assert len(rows) == DAYS_MEASURED
    return round(median(seconds for (seconds,) in rows), 1)


def _empty_day(folder: Path) -> tuple[float, float]:
    """Return the median seconds of the command and of its work alone, on days without files.

    The town has the demo's officials, who read three of its parts.
    """
    town = Town(folder, HISTORY_PERSONS, SIZE_HISTORY)
    town.settings.officials.write_text(demo.example_officials(town.settings), encoding="utf-8")
    try:
        town.run(LAST_DAY)
        days = [LAST_DAY + timedelta(days=i + 1) for i in range(2 * EMPTY_DAYS)]
        work = [sum(town.run(day).values()) for day in days[:EMPTY_DAYS]]
        seconds = []
        for day in days[EMPTY_DAYS:]:
            start = time.perf_counter()
            _yingjian(town.settings.home, "run", "--date", str(day), "--landing", str(town.landing))
            seconds.append(time.perf_counter() - start)
        return round(median(seconds), 1), round(median(work), 1)
    finally:
        town.stop()


def _idle(home: Path) -> tuple[float, float]:
    """Return the CPU time of all processes of an idle `up` in an empty home, in percent of a core, and their number."""
    with _up(home) as process:
        time.sleep(SETTLING_SECONDS)
        before, start = _processor_seconds(process, home), time.perf_counter()
        time.sleep(IDLE_SECONDS)
        used = sum(seconds - before.get(pid, 0.0) for pid, seconds in _processor_seconds(process, home).items())
        return round(100 * used / (time.perf_counter() - start), 1), float(len(before))


@contextmanager
def _up(home: Path) -> Iterator[psutil.Process]:
    command = [sys.executable, "-m", "yingjian.cli", "up"]
    with subprocess.Popen(command, env=_environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as up:
        try:
            yield psutil.Process(up.pid)
        finally:
            up.terminate()


def _processor_seconds(process: psutil.Process, home: Path) -> dict[int, float]:
    postmaster = int((home / "postgres" / "data" / "postmaster.pid").read_text().split("\n")[0])
    seconds = {}
    for root in (process, psutil.Process(postmaster)):
        for one in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                used = one.cpu_times()
                seconds[one.pid] = used.user + used.system
    return seconds


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "YINGJIAN_HOME": str(home)}


def _yingjian(home: Path, *arguments: str) -> None:
    _checked([sys.executable, "-m", "yingjian.cli", *arguments], _environment(home), PROJECT_ROOT)


def _checked(command: list[str], environment: Mapping[str, str], folder: Path) -> None:
    done = subprocess.run(command, env=dict(environment), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def show(figures: Mapping[str, float]) -> None:
    """Print the table of goals."""
    for name, (title, goal, unit) in GOALS.items():
        print(f"{title:60}{figures[name]:>8.1f} {unit:12} goal {goal}")
    print(f"{'processes of an idle `up`, with its database':60}{figures['idle_processes']:>8.0f}")


def ratios(figures: Mapping[str, float]) -> dict[str, float]:
    """Return each figure divided by its goal; the goals are set for a machine with two cores."""
    return {title: figures[name] / goal for name, (title, goal, _) in GOALS.items()}
