"""The commands `run`, `up`, `demo` and `live` have the pipeline work."""

from __future__ import annotations

import fcntl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yingjian.cli import terminal
from yingjian.cli.quarantine import waiting
from yingjian.pipeline import Dag, Task
from yingjian.settings import Settings, SetupError

if TYPE_CHECKING:
    from yingjian.operations.airflow_api import Airflow, TaskResult

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
        raise ValueError(f"--until {last} lies before --date {day}")
    days = [day + timedelta(days=i) for i in range((last - day).days + 1)]
    return run_days(settings, days, landing or settings.landing)


@app.command("up", epilog=terminal.example("yingjian up"))
def up() -> int:
    """Serve Airflow's UI, its scheduler and the warehouse until Ctrl-C."""
    return serve(Settings.load())


@app.command("demo", epilog=terminal.example("yingjian demo"))
def demo() -> int:
    """Simulate a town of three weeks and run its last days."""
    from yingjian.operations import demo as town

    settings = Settings.load()
    landing = town.make_town(settings, print)
    days = [town.LAST_DAY - timedelta(days=i) for i in reversed(range(town.RUNS))]
    code = run_days(settings, days, str(landing))
    if code == 0:
        command = Path(sys.argv[0])
        print(f"report: {max(settings.reports.glob('*.html'), key=lambda path: path.stat().st_mtime)}")
        print(f'marts: psql "$({command} warehouse uri)"  (schema reporting)')
        print(f"next: `{command} live` lets the town go on by itself; `{command} up` starts the UI and the portal")
    return code


@app.command("live", epilog=terminal.example("yingjian live --day-every 5m"))
def live(
    day_every: Annotated[
        timedelta, typer.Option("--day-every", parser=terminal.duration, metavar="TIME", help="default: 3m")
    ] = timedelta(minutes=3),
) -> int:
    """Let a demo go on: everything happens by itself until Ctrl-C."""
    from yingjian.operations import demo as towns

    settings = Settings.load()
    settings = replace(
        settings,
        landing=str(settings.home / "landing"),
        landing_every=max(day_every / 12, timedelta(seconds=6)),
    )
    town = towns.Live(settings, day_every, lambda line: print(line, flush=True))
    return serve(settings, town.start, town.stop)


def run_days(settings: Settings, days: list[date], landing: str) -> int:
    """Land everything in `landing`, then run and deliver each day in order; stops at the first that is not published."""
    from yingjian.database import warehouse
    from yingjian.operations import migration, services

    clock = _Clock()
    if "://" not in landing:
        landing = str(Path(landing).absolute())
        if not Path(landing).is_dir():
            raise FileNotFoundError(f"landing location {landing} is not a folder: make it, or give another --landing")
    settings = replace(settings, landing=landing)
    with one_run_at_a_time(settings):
        print("starting the warehouse", flush=True)
        warehouse.ensure_running(settings)
        migration.migrate(settings)
        clock.mark("warehouse")
        print("starting Airflow", flush=True)
        with services.running_services(settings) as airflow, terminal.bar("landing", 1 + len(days)) as progress:
            airflow.clear_the_way()
            clock.mark("Airflow start-up")
            landed = airflow.run_dag(Dag.LANDING, days[0], on_task=_say_step("landing", progress))
            progress(steps=1)
            clock.mark("landing")
            if landed.state != "success":
                print(f"landing failed: see {settings.home}/airflow/logs/dag_id=landing", file=sys.stderr)
                return 1
            _say_refused(settings)
            for day in days:
                result = airflow.run_dag(
                    Dag.DAILY, day, {"date": day.isoformat()}, on_task=_say_step(str(day), progress)
                )
                progress(str(day), 1)
                clock.mark(f"daily run {day}", _by_step(result.tasks))
                if not _explain(settings, day, result):
                    return 1
                if not airflow.is_scheduled:  # A scheduler runs these DAGs by itself.
                    _deliver(settings, airflow, day, result.run_id, clock)
    clock.mark("shutdown")
    print(clock.table())
    return 0


def _say_step(what: str, progress: Callable[..., None]) -> Callable[[TaskResult], None]:
    """A line for each step that ended; not for each model, which the bar alone names."""

    def say(task: TaskResult) -> None:
        progress(f"{what}: {task.task_id}")
        if not task.task_id.startswith("models."):
            print(f"{what}: {task.task_id} {task.state} in {task.seconds:.1f} s", flush=True)

    return say


def _say_refused(settings: Settings) -> None:
    """Say what landing could not take, this time or before, and nobody has seen to yet; nothing where there is nothing."""
    from yingjian.database import warehouse
    from yingjian.landing import quarantine

    with warehouse.connect(settings) as conn:
        rows, files = quarantine.summary(conn), quarantine.rejected_files(conn)
    if rows or files:
        print(f"landing: {waiting(rows, files)} wait in quarantine: see `yingjian quarantine list`")


def _explain(settings: Settings, day: date, result: object) -> bool:
    """Say how a daily run ended; returns whether the day was published."""
    from yingjian.operations.airflow_api import RunResult

    assert isinstance(result, RunResult)
    logs = settings.home / "airflow" / "logs" / "dag_id=daily" / f"run_id={result.run_id}"
    states = {task.task_id: task.state for task in result.tasks}
    if result.state == "success" and states.get(Task.PUBLISH) == "success":
        report = max(settings.reports.glob(f"{day}-*.html"), key=lambda path: path.stat().st_mtime, default=None)
        print(f"{day}: published; report {report}")
        return True
    if result.state == "awaiting":
        print(
            f"{day}: not published: the audit failed (yingjian status shows which checks); the last publication stays."
            " Run `yingjian up` and answer in the portal, or mend the cause and run again.",
            file=sys.stderr,
        )
        return False
    failed = ", ".join(result.failed_tasks) or result.state
    print(
        f"{day}: not published: {failed} failed; the last publication stays. See {logs}, then run again.",
        file=sys.stderr,
    )
    return False


def _deliver(settings: Settings, airflow: Airflow, day: date, run_id: str, clock: _Clock) -> None:
    """Have a published day delivered and its public figures put to those who sign; nothing where nobody receives."""
    from yingjian.database import warehouse
    from yingjian.delivery.recipients import recipients
    from yingjian.people.officials import read_officials

    officials = read_officials(settings.officials)
    wanted = {
        Dag.DELIVERY: bool(recipients(officials, "pack")),
        Dag.PUBLIC_RELEASE: bool(officials.who_may_answer("sign_off") or recipients(officials, "bulletin")),
    }
    if not any(wanted.values()):
        return
    with warehouse.connect(settings) as conn:
        row = conn.execute("select publication_id from published.publication where run_key = %s", (run_id,)).fetchone()
    conf = {"publication_id": row[0] if row else None}
    for dag_id in (name for name, is_wanted in wanted.items() if is_wanted):
        result = airflow.run_dag(dag_id, day, conf)
        clock.mark(f"{dag_id} {day}", _by_step(result.tasks))
        sentence = {
            (Dag.DELIVERY, "success"): "delivered",
            (
                Dag.DELIVERY,
                "awaiting",
            ): f"delivery waits for {settings.delivery_time:%H:%M}: keep `yingjian up` running",
            (Dag.DELIVERY, "failed"): "not everything was delivered: see `yingjian delivery list`",
            (Dag.PUBLIC_RELEASE, "awaiting"): "the public figures wait to be signed off: run `yingjian up`",
            (Dag.PUBLIC_RELEASE, "failed"): "the sign-off of the public figures could not be asked for",
        }.get((dag_id, result.state))
        if sentence:
            print(f"{day}: {sentence}", file=sys.stderr if result.state == "failed" else sys.stdout)


def _by_step(tasks: list) -> dict[str, float]:  # type: ignore[type-arg]
    return {
        task.task_id: task.seconds
        for task in tasks
        if task.state == "success" and not task.task_id.startswith("models.")
    }


class _Clock:
    """It keeps where the time of a run goes; people read it, and it decides nothing."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._rows: list[tuple[str, float, dict[str, float]]] = []

    def mark(self, name: str, steps: dict[str, float] | None = None) -> None:
        now = time.monotonic()
        self._rows.append((name, now - self._last, steps or {}))
        self._last = now

    def table(self) -> str:
        lines = ["where the time went (seconds):"]
        for name, seconds, steps in self._rows:
            detail = ", ".join(f"{step} {took:.1f}" for step, took in steps.items())
            lines.append(f"  {seconds:7.1f}  {name}" + (f"  ({detail})" if detail else ""))
        lines.append(f"  {sum(seconds for _, seconds, _ in self._rows):7.1f}  total")
        return "\n".join(lines)


def serve(settings: Settings, begin: Callable[[], None] = lambda: None, end: Callable[[], None] = lambda: None) -> int:
    """Airflow's services and the warehouse until Ctrl-C; begin and end are called when they are there and before they go."""
    import signal
    import threading

    from yingjian import clock
    from yingjian.database import warehouse
    from yingjian.operations import migration, services
    from yingjian.orchestration import notices
    from yingjian.people.officials import ADMIN

    if "://" not in settings.landing:
        Path(settings.landing).mkdir(parents=True, exist_ok=True)
    warehouse.ensure_running(settings)
    migration.migrate(settings)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if sentence := notices.unset(settings):
        print(f"{sentence} (docs/runbooks/watch.md)", flush=True)
    with services.running_services(settings, schedule=True) as airflow:
        demo = clock.demo_clock(settings.home)
        if demo and not demo.speed:
            print(
                f"demo:    its clock stands at {demo.shown:%Y-%m-%d %H:%M}, so no day begins; `yingjian live` lets it go on"
            )
        # No password: a service's output stays in a log.
        print(f"Airflow: {airflow.url}  user {ADMIN}, with the password that `yingjian users --passwords` shows")
        print(f"portal:  {settings.portal_url}/  for officials: {_who_signs_in(settings)}")
        print(
            f"landing: {settings.landing}, looked at every {settings.landing_every.total_seconds() / 60:g} min\n"
            f"reports: {settings.reports}\nCtrl-C stops it; the warehouse stays up (`yingjian warehouse stop`).",
            flush=True,
        )
        begin()
        try:
            while not stop.wait(1):
                airflow.check()
        except KeyboardInterrupt:
            pass
        finally:
            end()
    return 0


def _who_signs_in(settings: Settings) -> str:
    from yingjian.people.officials import read_officials

    officials = len(read_officials(settings.officials).by_login)
    if not officials:
        return f"none yet, write {settings.officials} (example: docs/officials.example.yml) and start again"
    return f"{officials} of {settings.officials}; `yingjian official invite LOGIN` gives one a first password"


@contextmanager
def one_run_at_a_time(settings: Settings) -> Iterator[None]:
    """Raises SetupError while another `yingjian run` works in this home, or when the home cannot be written to."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"cannot write to {settings.home} ({error.strerror}): set YINGJIAN_HOME") from None
    with (settings.home / "run.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SetupError(
                f"another `yingjian run` works in {settings.home}: wait for it, or use another home"
            ) from None
        yield
