"""The command line: `yingjian COMMAND …`; `yingjian --help` says what there is."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yingjian.database import roles
from yingjian.operations import migration, service
from yingjian.settings import Settings, SetupError, no_core_files

if TYPE_CHECKING:
    import psycopg

    from yingjian.operations.services import Airflow, TaskResult
    from yingjian.people.audience import Audience


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code. Errors of set-up are one sentence on stderr."""
    arguments = _parser().parse_args(argv)
    no_core_files()
    try:
        return int(arguments.command(arguments) or 0)
    except SetupError as error:
        print(f"yingjian: {error}", file=sys.stderr)
        return 2
    except (FileNotFoundError, ValueError) as error:
        print(f"yingjian: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="yingjian", description="应检: what is due to be tested")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="land everything, then the daily run of each business date")
    run.add_argument("--date", type=date.fromisoformat, required=True, metavar="D", help="business date, YYYY-MM-DD")
    run.add_argument("--until", type=date.fromisoformat, metavar="D2", help="last business date")
    run.add_argument("--landing", metavar="URI", help="landing location; default YINGJIAN_LANDING")
    run.set_defaults(command=_run)

    up = commands.add_parser("up", help="Airflow's UI, scheduler and the warehouse until Ctrl-C")
    up.set_defaults(command=_up)

    worker = commands.add_parser("worker", help="one more worker for the tasks of `up` or `run`, here or elsewhere")
    worker.set_defaults(command=_service, name=service.WORKER)
    _add_service(commands)

    _add_command_lines(commands)
    _add_demo(commands)
    migrate = commands.add_parser("migrate", help="bring the warehouse's tables, views and rights to this version")
    migrate.set_defaults(command=_migrate)

    warehouse = commands.add_parser("warehouse", help="the warehouse's server")
    actions = warehouse.add_subparsers(required=True, metavar="ACTION")
    uri = actions.add_parser("uri", help="connection URI for psql, a BI tool or a driver")
    uri.add_argument("--role", default="owner", help="a role, such as bi_reader; default: the owner")
    uri.set_defaults(command=_warehouse_uri)
    actions.add_parser("start", help="start the embedded server, and migrate").set_defaults(command=_migrate)
    bootstrap = actions.add_parser(
        "bootstrap",
        help="once per server, as the superuser of YINGJIAN_SUPERUSER: the owner, Airflow's role, the databases",
    )
    bootstrap.set_defaults(command=_warehouse_bootstrap)
    actions.add_parser("stop", help="stop the embedded server").set_defaults(command=_warehouse_stop)

    simulate = commands.add_parser("simulate", help="a landing folder of realistic exports")
    simulate.add_argument("--persons", type=int, required=True, metavar="N")
    simulate.add_argument("--days", type=int, required=True, metavar="K")
    simulate.add_argument("--seed", type=int, default=1, metavar="S")
    simulate.add_argument("--last-day", type=date.fromisoformat, default=date(2022, 7, 24), metavar="D")
    simulate.add_argument("out", type=Path, metavar="OUT")
    simulate.set_defaults(command=_simulate)

    _add_landing(commands)
    _add_quarantine(commands)
    _add_delivery(commands)

    _add_audit(commands)
    users = commands.add_parser("users", help="who may sign in to Airflow and the portal (officials.yml)")
    users.add_argument("--passwords", action="store_true", help="print the passwords that were made for them")
    users.set_defaults(command=_users)
    _add_backup(commands)
    _add_access(commands)

    rotate = commands.add_parser("rotate-person-key", help="another secret of the person keys: every key is made anew")
    rotate.add_argument("--reason", required=True, help="why; kept in the trail")
    rotate.set_defaults(command=_rotate_person_key)
    commands.add_parser("docs", help="write the data dictionary: every table and column").set_defaults(command=_docs)
    commands.add_parser(
        "coverage", help="write docs/coverage.md and dbt's exposures, from the metadata of the models"
    ).set_defaults(command=_coverage)
    commands.add_parser("licences", help="write docs/licences.md").set_defaults(command=_licences)
    _add_status(commands)
    return parser


def _add_command_lines(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    for name, command in (("airflow", _airflow), ("dbt", _dbt)):
        # No prefix is one of its options: whatever follows is for the other command line.
        other = commands.add_parser(
            name, help=f"{name}'s own command line, with this home's environment", prefix_chars="\0", add_help=False
        )
        other.add_argument("arguments", nargs=argparse.REMAINDER)
        other.set_defaults(command=command)


def _add_service(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    one = commands.add_parser("service", help="one of Airflow's services as this process, for containers and systemd")
    actions = one.add_subparsers(required=True, metavar="SERVICE")
    actions.add_parser("init", help="once before them: the databases and the home").set_defaults(command=_service_init)
    for name in service.NAMES:
        actions.add_parser(name).set_defaults(command=_service, name=name)
    check = actions.add_parser("check", help="exit code 1 when a service of this machine does not work")
    check.add_argument("name", choices=service.NAMES)
    check.set_defaults(command=_service_check)


def _add_demo(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    demo = commands.add_parser("demo", help="simulate a town of three weeks and run its last days")
    demo.set_defaults(command=_demo)

    live = commands.add_parser(
        "live", help="on a demo: the town goes on, and everything happens by itself until Ctrl-C"
    )
    live.add_argument("--day-every", type=_duration, default=timedelta(minutes=3), metavar="TIME", help="default: 3m")
    live.set_defaults(command=_live)


def _add_status(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    status = commands.add_parser(
        "status", help="what is up, published and waiting; exit code 1 when what must run does not"
    )
    status.add_argument(
        "--json", action="store_true", help="for monitoring: keys as in plugins/yingjian/operations/status.py"
    )
    status.add_argument("--strict", action="store_true", help="exit code 1 also when somebody must look at something")
    status.set_defaults(command=_status)


def _add_audit(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    audit = commands.add_parser("audit", help="the trail of who did what with persons' data")
    actions = audit.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("verify", help="check that no event was changed or removed").set_defaults(command=_audit_verify)
    events = actions.add_parser("list", help="events, the newest last")
    events.add_argument("--since", type=date.fromisoformat, metavar="D", help="from this day on")
    events.add_argument("--actor", metavar="LOGIN")
    events.add_argument("--action", metavar="ACTION", help="person_view, export, release, access_grant, …")
    events.add_argument("--object", metavar="OBJECT", help="a person_key, a publication, a login")
    events.add_argument(
        "--person",
        action="store_true",
        help="who looked at a person: type and number of the document on standard input",
    )
    events.set_defaults(command=_audit_list)


def _add_backup(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    saving = commands.add_parser("backup", help="the home and its databases as one encrypted file")
    saving.add_argument("out", type=Path, metavar="OUT")
    saving.set_defaults(command=_backup)
    restoring = commands.add_parser("restore", help="a home from a backup: all of it, or nothing")
    restoring.add_argument("file", type=Path, metavar="FILE")
    restoring.add_argument(
        "--home", type=Path, required=True, metavar="NEW", help="a folder that is empty or not there yet"
    )
    restoring.set_defaults(command=_restore)
    commands.add_parser("backup-key", help="a new key for backups").set_defaults(command=_backup_key)


def _add_access(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    access = commands.add_parser("access", help="who reads what in the warehouse")
    actions = access.add_subparsers(required=True, metavar="ACTION")
    for name, command, text in (
        ("grant", _access_grant, "let a login read a part of the town; without one, what officials.yml says of it"),
        ("revoke", _access_revoke, "take a part of the town from a login; without one, everything"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("login", metavar="LOGIN")
        action.add_argument("--community", action="append", default=[], metavar="NAME")
        action.add_argument("--department", action="append", default=[], metavar="NAME")
        action.add_argument("--office", action="store_true", help="the whole town")
        action.add_argument("--persons", action="store_true", help="the look at persons, one by one, with a reason")
        action.add_argument("--reason", required=True, help="why; kept in the trail")
        action.set_defaults(command=command)
    actions.add_parser("list", help="logins and what they read").set_defaults(command=_access_list)
    actions.add_parser("passwords", help="give the services' roles the passwords that are set now").set_defaults(
        command=_access_passwords
    )
    actions.add_parser("document", help="write docs/access.md").set_defaults(command=_access_document)


def _add_landing(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    landing = commands.add_parser("landing", help="decisions about what is landed")
    actions = landing.add_subparsers(required=True, metavar="ACTION")
    accept = actions.add_parser("accept", help="record a changed layout as a decision; the feed's files are read again")
    accept.add_argument("feed", metavar="FEED")
    change = accept.add_mutually_exclusive_group(required=True)
    change.add_argument("--rename", metavar="NEW=COLUMN", help="NEW is a name of the feed's COLUMN now")
    change.add_argument("--without", metavar="COLUMN", help="files may lack COLUMN")
    change.add_argument("--meaning", metavar="COLUMN", help="odd values of COLUMN are judged row by row")
    accept.add_argument("--reason", required=True, help="why; kept with the decision")
    accept.set_defaults(command=_landing_accept)


def _add_quarantine(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    quarantine = commands.add_parser("quarantine", help="rows and files that could not be taken")
    actions = quarantine.add_subparsers(required=True, metavar="ACTION")
    for name, command, text in (
        ("list", _quarantine_list, "open rows by feed, sender, file and reason, and files rejected whole"),
        ("export", _quarantine_export, "open rows as a spreadsheet for their sender (personal data)"),
        (
            "contradictions",
            _quarantine_contradictions,
            "versions of a record with the same 更新时间 and different values, by feed, columns and files",
        ),
        ("retry", _quarantine_retry, "read files that were rejected whole again at the next landing"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("--feed", metavar="FEED")
        action.set_defaults(command=command)
        if name == "contradictions":
            action.add_argument("--keys", action="store_true", help="name the records, too")
        elif name != "retry":
            action.add_argument("--sender", metavar="NAME", help="laboratory, pharmacy, department or community")
        if name == "export":
            action.add_argument("--xlsx", type=Path, required=True, metavar="FILE")
            action.add_argument("--reason", default="交报送单位更正", help="why; kept in the trail")
    resolve = actions.add_parser("resolve", help="say what became of open rows")
    resolve.add_argument("ids", type=int, nargs="+", metavar="ID", help="first column of the exported spreadsheet")
    resolve.add_argument("--reason", required=True)
    resolve.set_defaults(command=_quarantine_resolve)


def _add_delivery(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    delivery = commands.add_parser("delivery", help="what was sent to whom")
    actions = delivery.add_subparsers(required=True, metavar="ACTION")
    listed = actions.add_parser("list", help="every delivery of a publication, and what became of it")
    listed.set_defaults(command=_delivery_list)
    retry = actions.add_parser("retry", help="send again what failed or bounced")
    retry.add_argument("ids", type=int, nargs="*", metavar="ID", help="only these; an uncertain one only when named")
    retry.set_defaults(command=_delivery_retry)
    for action in (listed, retry):
        action.add_argument("--publication", type=int, metavar="N", help="default: the current one")
    bounces = actions.add_parser("bounces", help="read the mails that came back, over IMAP or from a Maildir")
    bounces.add_argument("--maildir", type=Path, metavar="FOLDER", help="default: the connection imap_default")
    bounces.set_defaults(command=_delivery_bounces)


def _run(arguments: argparse.Namespace) -> int:
    settings = Settings.load()
    until = arguments.until or arguments.date
    if until < arguments.date:
        raise ValueError(f"--until {until} lies before --date {arguments.date}")
    days = [arguments.date + timedelta(days=i) for i in range((until - arguments.date).days + 1)]
    return run_days(settings, days, arguments.landing or settings.landing)


def run_days(settings: Settings, days: list[date], landing: str, *, delivers: bool = True) -> int:
    """Land everything in `landing`, then run and deliver each day in order; stops at the first that is not published."""
    from yingjian.database import warehouse
    from yingjian.operations import services

    clock = _Clock()
    if "://" not in landing:
        landing = str(Path(landing).absolute())
        if not Path(landing).is_dir():
            raise FileNotFoundError(f"landing location {landing} is not a folder: make it, or give another --landing")
    settings = replace(settings, landing=landing)
    with _one_run_at_a_time(settings):
        print("starting the warehouse", flush=True)
        warehouse.ensure_running(settings)
        migration.migrate(settings)
        clock.mark("warehouse")
        print("starting Airflow", flush=True)
        with services.running_services(settings) as airflow:
            airflow.clear_the_way()
            clock.mark("Airflow start-up")
            landed = airflow.run_dag("landing", days[0], on_task=_say_step("landing"))
            clock.mark("landing")
            if landed.state != "success":
                print(f"landing failed: see {settings.home}/airflow/logs/dag_id=landing", file=sys.stderr)
                return 1
            _say_refused(settings)
            for day in days:
                result = airflow.run_dag("daily", day, {"date": day.isoformat()}, on_task=_say_step(str(day)))
                clock.mark(f"daily run {day}", _by_step(result.tasks))
                if not _explain(settings, day, result):
                    return 1
                if delivers and not airflow.is_scheduled:  # Where it is, the DAGs run by themselves.
                    _deliver(settings, airflow, day, result.run_id, clock)
    clock.mark("shutdown")
    print(clock.table())
    return 0


def _say_step(what: str) -> Callable[[TaskResult], None]:
    """A line for each step that ended; not for each model."""

    def say(task: TaskResult) -> None:
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
        print(f"landing: {_waiting(rows, files)} wait in quarantine: see `yingjian quarantine list`")


def _waiting(rows: Sequence[tuple[Any, ...]], files: Sequence[object]) -> str:
    return f"{sum(row[-1] for row in rows):,} open rows{f', {len(files)} files rejected whole' if files else ''}"


def _explain(settings: Settings, day: date, result: object) -> bool:
    """Say how a daily run ended; returns whether the day was published."""
    from yingjian.operations.services import RunResult

    assert isinstance(result, RunResult)
    logs = settings.home / "airflow" / "logs" / "dag_id=daily" / f"run_id={result.run_id}"
    states = {task.task_id: task.state for task in result.tasks}
    if result.state == "success" and states.get("publish") == "success":
        report = max(settings.reports.glob(f"{day}-*.html"), key=lambda path: path.stat().st_mtime, default=None)
        print(f"{day}: published; report {report}")
        return True
    if result.state == "awaiting":
        print(
            f"{day}: not published: the audit failed (yingjian status shows which checks); the last publication stays."
            " Run `yingjian up` and answer the task release_by_hand, or mend the cause and run again.",
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
        "delivery": bool(recipients(officials, "pack")),
        "public_release": bool(officials.who_may_answer("sign_off") or recipients(officials, "bulletin")),
    }
    if not any(wanted.values()):
        return
    with warehouse.connect(settings) as conn:
        row = conn.execute("select publication_id from published.publication where run_key = %s", (run_id,)).fetchone()
    conf = {"publication_id": row[0] if row else None}
    for dag_id in (name for name, is_wanted in wanted.items() if is_wanted):
        result = airflow.run_dag(dag_id, day, conf)
        clock.mark(f"{dag_id} {day}", _by_step(result.tasks))
        said = {
            ("delivery", "success"): "delivered",
            ("delivery", "awaiting"): f"delivery waits for {settings.delivery_time:%H:%M}: keep `yingjian up` running",
            ("delivery", "failed"): "not everything was delivered: see `yingjian delivery list`",
            ("public_release", "awaiting"): "the public figures wait to be signed off: run `yingjian up`",
            ("public_release", "failed"): "the sign-off of the public figures could not be asked for",
        }.get((dag_id, result.state))
        if said:
            print(f"{day}: {said}", file=sys.stderr if result.state == "failed" else sys.stdout)


def _by_step(tasks: list) -> dict[str, float]:  # type: ignore[type-arg]
    return {
        task.task_id: task.seconds
        for task in tasks
        if task.state == "success" and not task.task_id.startswith("models.")
    }


class _Clock:
    """Where the time of a run goes; for people to read, decides nothing."""

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


def _one_run_at_a_time(settings: Settings):  # type: ignore[no-untyped-def]
    import fcntl
    from contextlib import contextmanager

    @contextmanager
    def lock():  # type: ignore[no-untyped-def]
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

    return lock()


def _up(arguments: argparse.Namespace) -> int:
    return _serve(Settings.load())


def _serve(settings: Settings, begin: Callable[[], None] = lambda: None, end: Callable[[], None] = lambda: None) -> int:
    """Airflow's services and the warehouse until Ctrl-C; begin and end are called when they are there and before they go."""
    import signal
    import threading

    from yingjian import clock
    from yingjian.database import warehouse
    from yingjian.operations import services
    from yingjian.orchestration import notices

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
        print(f"Airflow: {airflow.url}  user {services.ADMIN}, password {airflow.password}")
        print(f"portal:  {airflow.url}{services.PORTAL}  for officials: {_who_signs_in(settings)}")
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


def _service(arguments: argparse.Namespace) -> int:
    service.become(Settings.load(), arguments.name)


def _service_init(arguments: argparse.Namespace) -> int:
    from yingjian.orchestration import notices

    settings = Settings.load()
    service.init(settings)
    if sentence := notices.unset(settings):
        print(f"{sentence} (docs/runbooks/watch.md)")
    return 0


def _service_check(arguments: argparse.Namespace) -> int:
    try:
        service.check(Settings.load(), arguments.name)
    except SetupError as error:
        print(f"yingjian: {error}: see docs/runbooks/services.md", file=sys.stderr)
        return 1  # A container's health check knows 0 and 1 only.
    return 0


def _airflow(arguments: argparse.Namespace) -> int:
    from yingjian.operations import command_lines

    return command_lines.airflow(Settings.load(), arguments.arguments)


def _dbt(arguments: argparse.Namespace) -> int:
    from yingjian.operations import command_lines

    return command_lines.run_dbt(Settings.load(), arguments.arguments)


def _who_signs_in(settings: Settings) -> str:
    from yingjian.operations import services

    officials = len(services.users(settings)) - 1
    if not officials:
        return f"none yet, write {settings.officials} (example: docs/officials.example.yml) and start again"
    return f"{officials} of {settings.officials}; `yingjian users --passwords` shows their passwords"


def _users(arguments: argparse.Namespace) -> int:
    from yingjian.operations import services
    from yingjian.people.officials import read_officials

    settings = Settings.load()
    officials = read_officials(settings.officials)
    for login, role in services.users(settings).items():
        official = officials.get(login)
        part = (
            f"{official.name}  {official.audience.title}  {', '.join(sorted(official.rights)) or '-'}"
            if official
            else "-"
        )
        secret = f"  {services.password(settings, login)}" if arguments.passwords else ""
        print(f"{login:<16}{role:<8}{part}{secret}")
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from yingjian.operations import demo

    settings = Settings.load()
    landing = demo.make_town(settings, print)
    days = [demo.LAST_DAY - timedelta(days=i) for i in reversed(range(demo.RUNS))]
    code = run_days(settings, days, str(landing))
    if code == 0:
        command = Path(sys.argv[0])
        print(f"report: {max(settings.reports.glob('*.html'), key=lambda path: path.stat().st_mtime)}")
        print(f'marts: psql "$({command} warehouse uri)"  (schema reporting)')
        print(f"next: `{command} live` lets the town go on by itself; `{command} up` starts the UI and the portal")
    return code


def _live(arguments: argparse.Namespace) -> int:
    from yingjian.operations import demo

    settings = Settings.load()
    settings = replace(
        settings,
        landing=str(settings.home / "landing"),
        landing_every=max(arguments.day_every / 12, timedelta(seconds=6)),
    )
    town = demo.Live(settings, arguments.day_every, lambda line: print(line, flush=True))
    return _serve(settings, town.start, town.stop)


def _duration(text: str) -> timedelta:
    """A time as people write it: 90s, 3m, 1h."""
    amount, unit = text[:-1], text[-1:]
    if not amount.isdigit() or unit not in ("s", "m", "h") or int(amount) == 0:
        raise argparse.ArgumentTypeError(f"{text} is no time: write 90s, 3m or 1h")
    return timedelta(**{{"s": "seconds", "m": "minutes", "h": "hours"}[unit]: int(amount)})


def _backup(arguments: argparse.Namespace) -> int:
    import os

    from yingjian.operations import backup

    made = backup.backup(Settings.load(), arguments.out, os.environ.get("YINGJIAN_BACKUP_KEY"))
    print(f"{arguments.out}: publication {made.publication or 'none'}, {made.rows:,} rows")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    import os

    from yingjian.operations import backup

    made = backup.restore(arguments.file, arguments.home, os.environ.get("YINGJIAN_BACKUP_KEY"))
    print(f"{arguments.home}: publication {made.publication or 'none'}, {made.rows:,} rows; set YINGJIAN_HOME to it")
    return 0


def _backup_key(arguments: argparse.Namespace) -> int:
    from yingjian.operations import backup

    print(backup.make_key(), end="")
    return 0


def _coverage(arguments: argparse.Namespace) -> int:
    from yingjian.documents import coverage
    from yingjian.modelling import exposures

    root = Settings.load().root
    print(coverage.write(root))
    print(exposures.write(root))
    return 0


def _docs(arguments: argparse.Namespace) -> int:
    from yingjian.database import warehouse
    from yingjian.modelling.dbt import write_docs

    settings = Settings.load()
    warehouse.ensure_running(settings)
    print(write_docs(settings))
    return 0


def _licences(arguments: argparse.Namespace) -> int:
    from yingjian.documents import licences

    print(licences.write(Settings.load().root))
    return 0


def _audit_verify(arguments: argparse.Namespace) -> int:
    from yingjian.privacy import audit_trail

    with _connection() as conn:
        verdict = audit_trail.verify(conn, Settings.load().audit_end)
    if verdict.broken is not None:
        print(f"yingjian: the audit trail is broken at event {verdict.broken}: {verdict.reason}", file=sys.stderr)
        return 1
    print(f"{verdict.events:,} events, unbroken")
    return 0


def _audit_list(arguments: argparse.Namespace) -> int:
    from yingjian.privacy import audit_trail, rotation

    objects = [arguments.object] if arguments.object else None
    if arguments.person:
        id_type, _, id_number = sys.stdin.readline().strip().partition(" ")
        if not id_number:
            raise ValueError("--person wants one line on standard input: the type of the document, a blank, its number")
        objects = rotation.keys_of(Settings.load(), id_type, id_number)
    with _connection() as conn:
        found = audit_trail.events(conn, arguments.since, arguments.actor, arguments.action, objects)
        for event in found:
            details = "  ".join(f"{name}={value}" for name, value in event.details.items())
            print(
                f"{event.event_id}  {event.happened_at:%Y-%m-%d %H:%M:%S}  {event.actor}  {event.action}  {event.object}"
                f"  {event.reason or '-'}  {details}".rstrip()
            )
    return 0


def _rotate_person_key(arguments: argparse.Namespace) -> int:
    import getpass
    import os

    from yingjian.privacy import rotation

    settings = Settings.load()
    with _connection() as conn:
        done = rotation.rotate(
            conn, settings, os.environ.get("YINGJIAN_PERSON_KEY_NEXT") or None, getpass.getuser(), arguments.reason
        )
    print(
        f"{done.persons:,} persons have another key now; the secret's fingerprint was {done.before} and is {done.after}"
    )
    if settings.given_person_key:
        print("set YINGJIAN_PERSON_KEY to the new secret before the next landing, and keep the old one under seal")
    else:
        print(f"the old secret is secrets/person_key_{done.before}.json: keep it under seal, away from this machine")
    return 0


def _access_grant(arguments: argparse.Namespace) -> int:
    import getpass

    from yingjian.people.officials import read_officials
    from yingjian.privacy import access

    parts, persons = _parts(arguments), arguments.persons
    if not parts and not persons:
        official = read_officials(Settings.load().officials).get(arguments.login)
        if official is None:
            raise ValueError(
                f"{arguments.login} is no official of officials.yml: say --community, --department, --office or --persons"
            )
        parts, persons = [official.audience], official.may("persons")
    with _connection() as conn:
        password = access.grant(conn, arguments.login, parts, persons, getpass.getuser(), arguments.reason)
    print(f"{arguments.login} reads {'、'.join(part.title for part in parts) or 'persons'}")
    if password:
        print(f"password, shown this once: {password}")
    return 0


def _access_revoke(arguments: argparse.Namespace) -> int:
    import getpass

    from yingjian.privacy import access

    with _connection() as conn:
        gone = access.revoke(
            conn, arguments.login, _parts(arguments), arguments.persons, getpass.getuser(), arguments.reason
        )
    print(f"{arguments.login} {'is gone' if gone else 'reads less'}: see yingjian access list")
    return 0


def _parts(arguments: argparse.Namespace) -> list[Audience]:
    from yingjian.people.audience import OFFICE, Audience

    named = [Audience("community", name) for name in arguments.community]
    named += [Audience("department", name) for name in arguments.department]
    return [OFFICE, *named] if arguments.office else named


def _access_list(arguments: argparse.Namespace) -> int:
    from yingjian.privacy import access

    with _connection() as conn:
        for reader in access.readers(conn):
            parts = "、".join(part.title for part in reader.parts)
            print(f"{reader.login}  {parts}{'  persons' if reader.persons else ''}")
    return 0


def _access_passwords(arguments: argparse.Namespace) -> int:
    from yingjian.database import warehouse

    with _connection() as conn:
        roles.set_passwords(conn, Settings.load(), set(warehouse.ROLES))
    print(f"passwords set: {', '.join(warehouse.ROLES)}")
    return 0


def _access_document(arguments: argparse.Namespace) -> int:
    from yingjian.privacy import access

    path = Settings.load().root / access.DOCUMENT
    path.write_text(access.document(access.read_table()), encoding="utf-8")
    print(path)
    return 0


def _warehouse_uri(arguments: argparse.Namespace) -> int:
    from yingjian.database import warehouse

    settings = Settings.load()
    warehouse.ensure_running(settings)
    found = warehouse.uri(settings, arguments.role)
    if arguments.role != warehouse.OWNER:
        with warehouse.connect(settings) as conn:
            migration.require_migrated(conn)
    print(found)
    return 0


def _warehouse_bootstrap(arguments: argparse.Namespace) -> int:
    import os
    from urllib.parse import urlparse

    import psycopg

    from yingjian.database import server, warehouse
    from yingjian.database.bootstrap import AIRFLOW_ROLE, OWNER_ROLE, bootstrap

    settings = Settings.load()
    superuser = os.environ.get("YINGJIAN_SUPERUSER")
    if settings.warehouse is None or not superuser:
        raise SetupError(
            "bootstrap prepares a server that is not embedded: set YINGJIAN_WAREHOUSE to the owner's URI and"
            " YINGJIAN_SUPERUSER to a superuser's"
        )
    named = urlparse(settings.warehouse)
    if (named.scheme, named.username, named.path) != ("postgresql", OWNER_ROLE, "/yingjian"):
        raise SetupError(
            f"bootstrap makes the role {OWNER_ROLE} and the database yingjian: name them in YINGJIAN_WAREHOUSE"
        )
    server.require(superuser, "YINGJIAN_SUPERUSER")
    with psycopg.connect(superuser, autocommit=True) as conn:
        bootstrap(conn, warehouse.owner_password(settings), warehouse.password(settings, AIRFLOW_ROLE))
    migration.migrate(settings)
    print("the server has its owner, Airflow's role and the two databases; nothing needs the superuser from now on")
    return 0


def _migrate(arguments: argparse.Namespace) -> int:
    from yingjian.database import warehouse

    settings = Settings.load()
    warehouse.ensure_running(settings)
    migration.migrate(settings)
    return 0


def _warehouse_stop(arguments: argparse.Namespace) -> int:
    from yingjian.database.embedded import EmbeddedPostgres

    EmbeddedPostgres(Settings.load()).stop()
    return 0


@contextmanager
def _connection() -> Iterator[psycopg.Connection]:
    from yingjian.database import warehouse

    settings = Settings.load()
    warehouse.ensure_running(settings)
    with warehouse.connect(settings) as conn:
        migration.require_migrated(conn)
        yield conn


def _landing_accept(arguments: argparse.Namespace) -> int:
    import getpass

    from yingjian.landing import decisions

    header = None
    if arguments.rename is not None:
        kind, (header, is_given, source) = "rename", arguments.rename.partition("=")
        if not (is_given and header and source):
            raise ValueError("--rename wants NEW=COLUMN, as in --rename 开始日期=起始日期")
    else:
        kind, source = ("absent", arguments.without) if arguments.without else ("meaning", arguments.meaning)
    with _connection() as conn:
        files = decisions.accept(conn, arguments.feed, kind, source, header, arguments.reason, getpass.getuser())
    print(f"{arguments.feed}: decision recorded; {files} rejected files will be read again at the next landing")
    return 0


def _quarantine_list(arguments: argparse.Namespace) -> int:
    from yingjian.landing import quarantine

    with _connection() as conn:
        rows = quarantine.summary(conn, arguments.feed, arguments.sender)
        files = [] if arguments.sender else quarantine.rejected_files(conn, arguments.feed)
    for feed, file_name, reason in files:
        print(f"   whole  {feed}  {file_name}  {reason}")
    for feed, sender, file_name, codes, count in rows:
        print(f"{count:8,}  {feed}  {sender or '-'}  {file_name}  {codes}")
    print(_waiting(rows, files))
    return 0


def _quarantine_contradictions(arguments: argparse.Namespace) -> int:
    from yingjian.landing import quarantine

    with _connection() as conn:
        rows = quarantine.contradictions(conn, arguments.feed)
        records = quarantine.contradicting_records(conn, arguments.feed) if arguments.keys else []
    for feed, columns, file_id, other_file_id, count in rows:
        print(f"{count:8,}  {feed}  {columns}  file {file_id} over file {other_file_id}")
    for feed, key, columns, file_id, line, other_file_id, other_line in records:
        print(
            f"  {feed}  {key or '-'}  {columns}  file {file_id} line {line} over file {other_file_id} line {other_line}"
        )
    print(f"{sum(count for *_, count in rows):,} versions gave way to another of the same 更新时间 with other values")
    return 0


def _quarantine_export(arguments: argparse.Namespace) -> int:
    import getpass

    from yingjian.landing import quarantine
    from yingjian.privacy import audit_trail

    with _connection() as conn:
        audit_trail.record(
            conn, getpass.getuser(), "export", "quality.rejected_row", arguments.reason,
            feed=arguments.feed, sender=arguments.sender, file=arguments.xlsx.name,
        )  # fmt: skip
        conn.commit()  # Whatever becomes of the file, that somebody wanted it is on record.
        rows = quarantine.export(conn, arguments.xlsx, arguments.feed, arguments.sender)
    print(f"{rows} rows written to {arguments.xlsx}; it holds personal data: give it to its sender only")
    return 0


def _quarantine_retry(arguments: argparse.Namespace) -> int:
    from yingjian.landing import quarantine

    with _connection() as conn:
        files = quarantine.retry(conn, arguments.feed)
    print(f"{files} files will be read again at the next landing")
    return 0


def _quarantine_resolve(arguments: argparse.Namespace) -> int:
    from yingjian.landing import quarantine

    with _connection() as conn:
        rows = quarantine.resolve(conn, arguments.ids, arguments.reason)
    print(f"{rows} of {len(arguments.ids)} rows resolved")
    return 0 if rows else 1


def _publication(conn: psycopg.Connection, asked: int | None) -> tuple[int, date]:
    """The publication asked for, or the current one, and its business date."""
    row = conn.execute(
        """
        select publication_id, as_of_date from published.publication
        where publication_id = coalesce(%s, (select publication_id from published.current))
        """,
        (asked,),
    ).fetchone()
    if row is None:
        raise ValueError("nothing published yet" if asked is None else f"there is no publication {asked}")
    return row[0], row[1]


def _delivery_list(arguments: argparse.Namespace) -> int:
    from yingjian.delivery import ledger

    with _connection() as conn:
        publication_id, day = _publication(conn, arguments.publication)
        rows = ledger.attempts(conn, publication_id)
    for row in rows:
        state = f"{row['state']}, will be tried again" if row["will_retry"] else row["state"]
        print(
            f"{row['attempt_id']:6}  {row['what']}  {row['official']}  {row['channel']}  {state}  {row['error'] or ''}"
        )
    print(f"{len(rows):6}  deliveries of publication {publication_id} of {day}")
    return 0


def _delivery_retry(arguments: argparse.Namespace) -> int:
    from yingjian.delivery import ledger
    from yingjian.operations import services

    settings = Settings.load()
    with _connection() as conn:
        publication_id, day = _publication(conn, arguments.publication)
        again = ledger.retry(conn, publication_id, arguments.ids)
    if not again:
        print(
            "nothing to send again: see `yingjian delivery list`; a pack that a newer publication replaced stays unsent"
        )
        return 1
    with services.running_services(settings) as airflow:
        result = airflow.run_dag("delivery", day, {"publication_id": publication_id})
    print(f"{len(again)} deliveries of publication {publication_id} made again: see `yingjian delivery list`")
    return 0 if result.state == "success" else 1


def _delivery_bounces(arguments: argparse.Namespace) -> int:
    from yingjian.delivery import bounces

    with _connection() as conn:
        if arguments.maildir is not None:
            news = bounces.read_bounces(conn, bounces.Maildir(arguments.maildir))
        elif not bounces.has_mailbox():
            raise SetupError(
                "there is no Airflow connection imap_default: set AIRFLOW_CONN_IMAP_DEFAULT, or give --maildir"
            )
        else:
            with bounces.imap() as box:
                news = bounces.read_bounces(conn, box)
    print(f"{news} mails came back that were not known of")
    return 0


def _simulate(arguments: argparse.Namespace) -> int:
    import time

    from yingjian import simulate

    start = time.perf_counter()
    made = simulate.write_landing(arguments.out, arguments.persons, arguments.days, arguments.seed, arguments.last_day)
    seconds = time.perf_counter() - start
    print(
        f"{arguments.out}: {made.rows:,} rows, {made.files:,} files, {seconds:.1f} s, {made.rows / seconds:,.0f} rows/s"
    )
    return 0


def _status(arguments: argparse.Namespace) -> int:
    import json

    from yingjian.operations import status

    found = status.collect(Settings.load())
    print(json.dumps(found, ensure_ascii=False, indent=2) if arguments.json else status.render(found))
    return status.exit_code(found, strict=arguments.strict)


if __name__ == "__main__":
    sys.exit(main())
