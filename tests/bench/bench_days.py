"""A part of `make bench`: it measures time and memory of the daily run by step, days of history and size of the town.

A day runs the functions of the DAGs `landing` and `daily`: land the day's files, build, audit, publish, write the report.
It runs in a process of its own, without Airflow; an empty day through Airflow shows Airflow's overhead.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from copy import copy
from dataclasses import dataclass, field
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import psycopg

from tests import support
from tests.bench.bench_obligations import measure as measure_obligations
from tests.bench.bench_readers import QUERIES, Dashboard, charts, fill_history
from yingjian import quality, simulate
from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.landing.land import land
from yingjian.modelling import dbt
from yingjian.modelling.marts import published
from yingjian.operations import migration
from yingjian.publishing import build as builds
from yingjian.publishing.publish import publish
from yingjian.settings import Settings

LAST_DAY, SEED = date(2022, 7, 24), 1
DAYS_MEASURED = 5  # The median is taken over this many consecutive days.
HISTORIES, HISTORY_PERSONS = (10, 30, 90), 100_000
SIZES, SIZE_HISTORY = (10_000, 100_000, 1_000_000), 10
STEPS = ("land", "build", "audit", "publish", "report")
SAMPLE_SECONDS = 0.5
REST_MEASURED_SECONDS, SWITCH_MARGIN_SECONDS = 10.0, 1.0


@dataclass
class Memory:
    """The peak memory of the server, of Python and of both, in MiB, as sums of proportional set sizes (PSS)."""

    peaks: dict[str, int] = field(default_factory=dict)

    def see(self, postgres: int, python: int) -> None:
        for name, size in (("postgres", postgres), ("python", python), ("together", postgres + python)):
            self.peaks[name] = max(self.peaks.get(name, 0), size)


class Town:
    """A simulated town whose exports reach the landing folder day by day."""

    def __init__(self, folder: Path, persons: int, days: int) -> None:
        self.exports = folder / "exports"
        self.first = LAST_DAY - timedelta(days=days - 1)
        simulate.write_landing(self.exports, persons, days, SEED, LAST_DAY)
        self._open(folder)

    def _open(self, folder: Path) -> None:
        self.folder, self.landing = folder, folder / "landing"
        self.settings = Settings.load({"YINGJIAN_HOME": str(folder / "home"), "YINGJIAN_LANDING": str(self.landing)})
        warehouse.ensure_running(self.settings)
        migration.migrate(self.settings)

    def copied(self, folder: Path) -> Town:
        """Return a copy of the town with a server of its own; this town's server is restarted."""
        self.stop()
        folder.mkdir()
        for part in ("home", "landing"):
            subprocess.run(["cp", "-a", self.folder / part, folder / part], check=True)
        self._open(self.folder)
        other = copy(self)
        other._open(folder)
        return other

    def deliver(self, until: date) -> None:
        """Put every export of the days up to `until` into the landing folder."""
        for path in self.exports.rglob("*.*"):
            stamp = re.search(r"(\d{4})-?(\d\d)-?(\d\d)", path.name)
            there = self.landing / path.relative_to(self.exports)
            if (stamp is None or date(*map(int, stamp.groups())) <= until) and not there.exists():
                there.parent.mkdir(parents=True, exist_ok=True)
                os.link(path, there)

    def run(self, day: date, memory: Memory | None = None) -> dict[str, float]:
        """Run a day after a checkpoint and a sync, as in production; return the seconds of each step.

        Sampling `memory` slows the run, the more memory there is.
        """
        self.deliver(day)
        with psycopg.connect(EmbeddedPostgres(self.settings).uri("postgres"), autocommit=True) as conn:
            conn.execute("checkpoint")
        os.sync()
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            begun = process.submit(_ready, self.settings).result()
            with _watched(self.settings, begun, memory) if memory else nullcontext():
                return process.submit(run_day, self.settings, day).result()

    def stop(self) -> None:
        EmbeddedPostgres(self.settings).stop()


def _ready(settings: Settings) -> int:
    """Read dbt's project, as Airflow's scheduler does before it forks a task; return the process."""
    dbt.read_project(settings)
    return os.getpid()


def run_day(settings: Settings, day: date) -> dict[str, float]:
    """Land, build, audit, publish and report a business date as the DAGs do; return the seconds by step."""
    from yingjian.reports.packs import write_report

    seconds: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        seconds[step] = time.perf_counter() - start

    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    with timed("land"):
        land(settings.landing, warehouse.connector(settings, "loader"), settings.person_secret, settings.pulled)
    run_id = f"bench {day}"
    with timed("build"):
        with warehouse.connect(settings, "publisher") as conn:
            owned = support.begin_build(conn, run_id, day)
        results: dict[str, Any] = {}
        dbt.build(settings, day, owned.token, results.update)
    with timed("audit"), warehouse.connect(settings, "auditor") as conn:
        suites = quality.load_suites(settings.root, day)
        audited = quality.audit(conn, warehouse.uri(settings, "auditor"), suites, day, None, owned.token)
        assert audited.passed, [failure.check.name for failure in audited.critical]
    with timed("publish"), warehouse.connect(settings, "publisher") as conn:
        publication = publish(conn, day, run_id=run_id, code_version="bench")
    with warehouse.connect(settings, "publisher") as conn:
        builds.keep_models(conn, owned, results)
    with timed("report"), warehouse.connect(settings, "reporter") as conn:
        settings.reports.mkdir(parents=True, exist_ok=True)
        write_report(conn, publication, settings.reports)
    return seconds


def by_history(folder: Path) -> dict[str, dict[str, float]]:
    """Return the seconds of a day by step, by days of history before it, in a town whose days are run in order.

    The town is copied at each length of history, and the copies' days are interleaved, so that other load on the machine
    affects all of them alike.
    """
    town = Town(folder / "town", HISTORY_PERSONS, max(HISTORIES) + DAYS_MEASURED)
    copies: dict[int, Town] = {}
    try:
        for i in range(max(HISTORIES)):
            town.run(town.first + timedelta(days=i))
            if i + 1 in HISTORIES:
                copies[i + 1] = town.copied(folder / f"{i + 1} days")
        town.stop()
        days: dict[int, list[dict[str, float]]] = {history: [] for history in copies}
        for i in range(DAYS_MEASURED):
            for history, copied in copies.items():
                days[history].append(copied.run(town.first + timedelta(days=history + i)))
        return {f"{history} days of history": _typical(of_copy) for history, of_copy in days.items()}
    finally:
        for each in (town, *copies.values()):
            each.stop()


def by_size(folder: Path, persons: int, obligations: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return the seconds of a day by step and the peak memory, the first day's peak, and the seconds of a day without files.

    The figures of a full refresh of the town's obligations, and of other engines, are added to `obligations`.
    """
    memory, first_memory = Memory(), Memory()
    town = Town(folder, persons, SIZE_HISTORY + DAYS_MEASURED + 1)
    try:
        # The first day lands all history, so its time is not that of a day.
        before = town.first + timedelta(days=SIZE_HISTORY - 1)
        town.run(before, first_memory)
        figures = _typical([town.run(before + timedelta(days=i)) for i in range(1, DAYS_MEASURED + 1)])
        town.run(LAST_DAY, memory)
        obligations[f"{persons:,} people"] = measure_obligations(town.settings, LAST_DAY)
        empty = town.run(LAST_DAY + timedelta(days=1))
        figures["nothing_came"] = round(sum(empty.values()), 1)
        figures["first_day_mib"] = first_memory.peaks["together"]
        return figures | {f"peak_mib_{name}": size for name, size in memory.peaks.items()}
    finally:
        town.stop()


def _typical(days: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median over some days, by step and of the total."""
    figures = {step: round(median(day[step] for day in days), 2) for step in STEPS}
    return figures | {"day": round(median(sum(day.values()) for day in days), 2)}


def with_readers(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Measure a dashboard's waits over 90 days of history: at rest, during a day's run, and while its publication switches.

    It also prints the share of the build's seconds that indicators and history take.
    """
    town = Town(folder, HISTORY_PERSONS, SIZE_HISTORY + 1)
    try:
        day = LAST_DAY - timedelta(days=1)
        town.run(day)
        fill_history(town.settings, day)
        queries = QUERIES | charts(town.settings)
        rest, run = Dashboard(town.settings, queries), Dashboard(town.settings, queries)
        with rest.open():
            time.sleep(REST_MEASURED_SECONDS)
        with run.open():
            seconds = town.run(LAST_DAY)
            ended = time.perf_counter()
        print(f"figures and history, of the seconds of all models: {_part_of_history(town.settings, LAST_DAY):.3f}")
        switching = ended - seconds["report"] - seconds["publish"] - SWITCH_MARGIN_SECONDS
        return {
            "at rest": rest.percentiles(),
            "during a day's run": run.percentiles(),
            "while it is switched": run.percentiles(since=switching),
        }
    finally:
        town.stop()


def _part_of_history(settings: Settings, day: date) -> float:
    """Return the share of a day's build time that indicators and history marts take."""
    history = [mart.name for mart in published().values() if mart.is_history]
    with warehouse.connect(settings) as conn:
        [(part,)] = conn.execute(
            """
            select sum(seconds) filter (where model like 'indicator%%' or model = any(%s)) / sum(seconds)
            from operations.model_run where as_of_date = %s
            """,
            [history, day],
        ).fetchall()
    return float(part)


@contextmanager
def _watched(settings: Settings, pid: int, memory: Memory) -> Iterator[None]:
    ended = threading.Event()
    postmaster = int((settings.home / "postgres" / "data" / "postmaster.pid").read_text().split("\n")[0])

    def watch() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            memory.see(_held(postmaster), _held(pid))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _held(root: int) -> int:
    """Return the memory of a process and its children in MiB: proportional set sizes, so that shared memory counts once."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(root)
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):  # It ended meanwhile.
                total += one.memory_full_info().pss
    return total >> 20


def show_history(figures: Mapping[str, Mapping[str, float]]) -> None:
    """Print the table of `by_history` and its ratio."""
    print(f"{f'a day, {HISTORY_PERSONS:,} people':34}" + "".join(f"{step:>9}" for step in (*STEPS, "day")))
    for name, row in figures.items():
        print(f"{name:34}" + "".join(f"{row[step]:>9.1f}" for step in (*STEPS, "day")))
    for name, ratio in history_ratios(figures).items():
        print(f"{name}: {ratio:.2f}")


def history_ratios(figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    first, last = (figures[f"{days} days of history"]["day"] for days in (HISTORIES[0], HISTORIES[-1]))
    return {f"a day with {HISTORIES[-1]} days of history over one with {HISTORIES[0]}": last / first}


def size_ratios(figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return a day's time and memory, divided by those of the smallest town."""
    (_, smallest), *others = figures.items()
    times = {f"{name}, a day over the smallest town's": row["day"] / smallest["day"] for name, row in others}
    memory = "peak_mib_together"
    return times | {f"{name}, memory over the smallest town's": row[memory] / smallest[memory] for name, row in others}


def show_sizes(figures: Mapping[str, Mapping[str, float]]) -> None:
    """Print the table of `by_size` for each town."""
    columns = (*STEPS, "day", "nothing_came")
    print(
        f"{'a day, by size':24}"
        + "".join(f"{step:>13}" for step in columns)
        + f"{'ms/person':>11}{'peak MiB':>10}{'first day':>10}"
    )
    for name, row in figures.items():
        persons = int(name.split()[0].replace(",", ""))
        print(
            f"{name:24}" + "".join(f"{row[step]:>13.1f}" for step in columns)
            + f"{1000 * (row['day'] - _fixed(figures)) / persons:>11.3f}{row['peak_mib_together']:>10,.0f}"
            + f"{row['first_day_mib']:>10,.0f}"
        )  # fmt: skip


def _fixed(figures: Mapping[str, Mapping[str, float]]) -> float:
    """Return the seconds of a day without files in the smallest town, which do not depend on its size."""
    return next(iter(figures.values()))["nothing_came"]
