"""Runs the pipeline: for given days (`yingjian run`), or until it is stopped (`yingjian up`)."""

from __future__ import annotations

import fcntl
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from yingjian.clock import demo_clock
from yingjian.database import warehouse
from yingjian.delivery.recipients import recipients
from yingjian.landing import quarantine
from yingjian.operations import migration, services
from yingjian.operations.airflow_api import Airflow, RunResult, TaskResult
from yingjian.operations.refusals import count_of_open
from yingjian.orchestration import notices
from yingjian.people.officials import ADMIN, read_officials
from yingjian.pipeline import MODEL_TASK, Dag, Task
from yingjian.settings import Settings, SetupError


@dataclass(frozen=True)
class Terminal:
    """Output of a command: `say` prints a line, `fail` a failure, `bar` shows a progress bar with a number of steps."""

    say: Callable[[str], None]
    fail: Callable[[str], None]
    bar: Callable[[str, int], AbstractContextManager[Callable[..., None]]]


def run_days(settings: Settings, days: Sequence[date], landing: str, terminal: Terminal) -> bool:
    """Land everything in `landing`, then run and deliver each day in order; return whether every day was published.

    It stops at the first day that is not published. Raises FileNotFoundError if the landing location is not a folder, and
    SetupError.
    """
    stopwatch = _Stopwatch()
    if "://" not in landing:
        landing = str(Path(landing).absolute())
        if not Path(landing).is_dir():
            raise FileNotFoundError(f"landing location {landing} is not a folder: make it, or give another --landing")
    settings = replace(settings, landing=landing)
    with one_run_at_a_time(settings):
        terminal.say("starting the warehouse")
        warehouse.ensure_running(settings)
        migration.migrate(settings)
        stopwatch.mark("warehouse")
        terminal.say("starting Airflow")
        with services.running_services(settings) as airflow, terminal.bar("landing", 1 + len(days)) as progress:
            airflow.clear_the_way()
            stopwatch.mark("Airflow start-up")
            landed = airflow.run_dag(Dag.LANDING, days[0], on_task=_step_teller("landing", progress, terminal))
            progress(steps=1)
            stopwatch.mark("landing")
            if landed.state != "success":
                terminal.fail(f"landing failed: see {settings.home}/airflow/logs/dag_id=landing")
                return False
            _tell_refused(settings, terminal)
            for day in days:
                result = airflow.run_dag(
                    Dag.DAILY, day, {"date": day.isoformat()}, on_task=_step_teller(str(day), progress, terminal)
                )
                progress(str(day), 1)
                stopwatch.mark(f"daily run {day}", _seconds_by_step(result.tasks))
                if not _tell_outcome(settings, day, result, terminal):
                    return False
                # With active schedules, Airflow starts these DAGs itself; another run of them would be a second one.
                if not airflow.is_scheduled:
                    _deliver(settings, airflow, day, result.run_id, stopwatch, terminal)
    stopwatch.mark("shutdown")
    terminal.say(stopwatch.table())
    return True


def _step_teller(what: str, progress: Callable[..., None], terminal: Terminal) -> Callable[[TaskResult], None]:
    """Return a callback that reports each finished task; models appear only in the progress bar."""

    def tell(task: TaskResult) -> None:
        progress(f"{what}: {task.task_id}")
        if not task.task_id.startswith(MODEL_TASK):
            terminal.say(f"{what}: {task.task_id} {task.state} in {task.seconds:.1f} s")

    return tell


def _tell_refused(settings: Settings, terminal: Terminal) -> None:
    """Report open rows and files in quarantine, from this landing or earlier ones, if there are any."""
    with warehouse.connect(settings) as conn:
        rows, files = quarantine.summary(conn), quarantine.rejected_files(conn)
    if rows or files:
        terminal.say(f"landing: {count_of_open(rows, files)} wait in quarantine: see `yingjian quarantine list`")


def _tell_outcome(settings: Settings, day: date, result: RunResult, terminal: Terminal) -> bool:
    """Report how a daily run ended; return whether the day was published."""
    logs = settings.home / "airflow" / "logs" / "dag_id=daily" / f"run_id={result.run_id}"
    states = {task.task_id: task.state for task in result.tasks}
    if result.state == "success" and states.get(Task.PUBLISH) == "success":
        report = max(settings.reports.glob(f"{day}-*.html"), key=lambda path: path.stat().st_mtime, default=None)
        terminal.say(f"{day}: published; report {report}")
        return True
    if result.state == "awaiting":
        terminal.fail(
            f"{day}: not published: the audit failed (yingjian status shows which checks); the last publication stays."
            " Run `yingjian up` and answer in the portal, or mend the cause and run again."
        )
        return False
    failed = ", ".join(result.failed_tasks) or result.state
    terminal.fail(f"{day}: not published: {failed} failed; the last publication stays. See {logs}, then run again.")
    return False


def _deliver(
    settings: Settings, airflow: Airflow, day: date, run_id: str, stopwatch: _Stopwatch, terminal: Terminal
) -> None:
    """Run the delivery and the public release of a published day, if anybody would receive or sign."""
    officials = read_officials(settings.officials)
    wanted = {
        Dag.PUBLIC_RELEASE: bool(officials.who_may_answer("sign_off") or recipients(officials, "bulletin")),
        Dag.DELIVERY: bool(recipients(officials, "pack")),
    }
    if not any(wanted.values()):
        return
    with warehouse.connect(settings) as conn:
        row = conn.execute("select publication_id from published.publication where run_key = %s", (run_id,)).fetchone()
    conf = {"publication_id": row[0] if row else None}
    # The two run at the same time. Delivery ends while the public release is found to wait for a person, which takes longer.
    started = {dag_id: airflow.start_dag(dag_id, day, conf) for dag_id, is_wanted in wanted.items() if is_wanted}
    for dag_id, started_id in started.items():
        result = airflow.wait_for(dag_id, started_id)
        stopwatch.mark(f"{dag_id} {day}", _seconds_by_step(result.tasks))
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
            (terminal.fail if result.state == "failed" else terminal.say)(f"{day}: {sentence}")


def _seconds_by_step(tasks: Iterable[TaskResult]) -> dict[str, float]:
    return {
        task.task_id: task.seconds
        for task in tasks
        if task.state == "success" and not task.task_id.startswith(MODEL_TASK)
    }


class _Stopwatch:
    """Measures where a run spends its time; for display only."""

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


def serve(
    settings: Settings,
    say: Callable[[str], None],
    begin: Callable[[], None] = lambda: None,
    end: Callable[[], None] = lambda: None,
) -> None:
    """Run Airflow, the portal and the warehouse until Ctrl-C; `begin` is called once they are up, `end` before they stop.

    say: prints lines that tell users where to find things. Raises SetupError.
    """
    if "://" not in settings.landing:
        Path(settings.landing).mkdir(parents=True, exist_ok=True)
    warehouse.ensure_running(settings)
    migration.migrate(settings)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if sentence := notices.unset(settings):
        say(f"{sentence} (docs/runbooks/watch.md)")
    with services.running_services(settings, schedule=True) as airflow:
        demo = demo_clock(settings.home)
        if demo and not demo.speed:
            say(
                f"demo:    its clock stands at {demo.shown:%Y-%m-%d %H:%M}, so no day begins; `yingjian live` lets it go on"
            )
        # The password is not printed, since a service's output is logged.
        say(f"Airflow: {airflow.url}  user {ADMIN}, with the password that `yingjian users --passwords` shows")
        say(f"portal:  {settings.portal_url}/  for officials: {_who_signs_in(settings)}")
        say(
            f"landing: {settings.landing}, looked at every {settings.landing_every.total_seconds() / 60:g} min\n"
            f"reports: {settings.reports}\nCtrl-C stops it; the warehouse stays up (`yingjian warehouse stop`)."
        )
        begin()
        try:
            while not stop.wait(1):
                airflow.check()
        except KeyboardInterrupt:
            pass
        finally:
            end()


def _who_signs_in(settings: Settings) -> str:
    officials = len(read_officials(settings.officials).by_login)
    if not officials:
        return f"none yet, write {settings.officials} (example: docs/officials.example.yml) and start again"
    return f"{officials} of {settings.officials}; `yingjian official invite LOGIN` gives one a first password"


@contextmanager
def one_run_at_a_time(settings: Settings) -> Iterator[None]:
    """Hold the home's run lock. Raises SetupError if another `yingjian run` holds it or the home is not writable."""
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
