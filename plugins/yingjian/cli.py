"""The command line: `yingjian run | up | demo | warehouse | landing | quarantine | audit | simulate | status | …`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from yingjian.settings import Settings, SetupError

if TYPE_CHECKING:
    import psycopg

    from yingjian.services import Airflow

DEMO_PERSONS, DEMO_DAYS, DEMO_RUNS = 3000, 21, 3
DEMO_LAST_DAY = date(2022, 7, 24)  # A day of the plan's own edition; today most of its duties have ended.


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code. Errors of set-up are one sentence on stderr."""
    arguments = _parser().parse_args(argv)
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

    demo = commands.add_parser("demo", help="simulate a town of three weeks and run its last days")
    demo.set_defaults(command=_demo)

    warehouse = commands.add_parser("warehouse", help="the warehouse's server")
    actions = warehouse.add_subparsers(required=True, metavar="ACTION")
    uri = actions.add_parser("uri", help="connection URI for psql, a BI tool or a driver")
    uri.add_argument("--role", default="owner", help="a role, such as bi_reader; default: the owner")
    uri.set_defaults(command=_warehouse_uri)
    actions.add_parser("start", help="start the embedded server").set_defaults(command=_warehouse_start)
    actions.add_parser("stop", help="stop the embedded server").set_defaults(command=_warehouse_stop)

    simulate = commands.add_parser("simulate", help="a landing folder of realistic exports")
    simulate.add_argument("--persons", type=int, required=True, metavar="N")
    simulate.add_argument("--days", type=int, required=True, metavar="K")
    simulate.add_argument("--seed", type=int, default=1, metavar="S")
    simulate.add_argument("--last-day", type=date.fromisoformat, default=DEMO_LAST_DAY, metavar="D")
    simulate.add_argument("out", type=Path, metavar="OUT")
    simulate.set_defaults(command=_simulate)

    _add_landing(commands)
    _add_quarantine(commands)
    _add_delivery(commands)

    audit = commands.add_parser("audit", help="the trail of who did what with persons' data")
    actions = audit.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("verify", help="check that no event was changed or removed").set_defaults(command=_audit_verify)

    commands.add_parser("coverage", help="write docs/coverage.md").set_defaults(command=_coverage)
    commands.add_parser("status", help="what is published and what runs").set_defaults(command=_status)
    return parser


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
        ("list", _quarantine_list, "open rows by feed, sender, file and reason"),
        ("export", _quarantine_export, "open rows as a spreadsheet for their sender (personal data)"),
        ("retry", _quarantine_retry, "read files that were rejected whole again at the next landing"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("--feed", metavar="FEED")
        action.set_defaults(command=command)
        if name != "retry":
            action.add_argument("--sender", metavar="NAME", help="laboratory, pharmacy, department or community")
        if name == "export":
            action.add_argument("--xlsx", type=Path, required=True, metavar="FILE")
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
    from yingjian import services, warehouse

    clock = _Clock()
    if "://" not in landing:
        landing = str(Path(landing).absolute())
        if not Path(landing).is_dir():
            raise FileNotFoundError(f"landing location {landing} is not a folder: make it, or give another --landing")
    with _one_run_at_a_time(settings):
        warehouse.ensure_running(settings)
        warehouse.migrate(settings)
        clock.mark("warehouse")
        with services.running_services(settings) as airflow:
            airflow.clear_the_way()
            clock.mark("Airflow start-up")
            landed = airflow.run_dag("landing", days[0], {"landing": landing})
            clock.mark("landing")
            if landed.state != "success":
                print(f"landing failed: see {settings.home}/airflow/logs/dag_id=landing", file=sys.stderr)
                return 1
            for day in days:
                result = airflow.run_dag("daily", day)
                clock.mark(f"daily run {day}", _by_step(result.tasks))
                if not _explain(settings, day, result):
                    return 1
                if delivers and not airflow.is_scheduled:  # Where it is, the DAGs run by themselves.
                    _deliver(settings, airflow, day, result.run_id, clock)
    clock.mark("shutdown")
    print(clock.table())
    return 0


def _explain(settings: Settings, day: date, result: object) -> bool:
    """Say how a daily run ended; returns whether the day was published."""
    from yingjian.services import RunResult

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
    from yingjian import warehouse
    from yingjian.delivery.recipients import recipients, signatories
    from yingjian.officials import read_officials

    officials = read_officials(settings.officials)
    wanted = {
        "delivery": bool(recipients(officials, "pack")),
        "public_release": bool(signatories(officials) or recipients(officials, "bulletin")),
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
    steps: dict[str, float] = {}
    for task in tasks:
        if task.task_id == "models.dbt_producer_watcher":
            steps["dbt"] = task.seconds
        elif not task.task_id.startswith("models.") and task.state == "success":
            steps[task.task_id] = task.seconds
    return steps


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
    import signal
    import threading

    from yingjian import services, warehouse

    settings = Settings.load()
    Path(settings.landing).mkdir(parents=True, exist_ok=True)
    warehouse.ensure_running(settings)
    warehouse.migrate(settings)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with services.running_services(settings, schedule=True) as airflow:
        print(f"Airflow: {airflow.url}  user {services.ADMIN}, password {airflow.password}")
        print(
            f"reports: {settings.reports}\nCtrl-C stops it; the warehouse stays up (`yingjian warehouse stop`).",
            flush=True,
        )
        try:
            stop.wait()
        except KeyboardInterrupt:
            pass
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from yingjian import simulate

    settings = Settings.load()
    last_day = DEMO_LAST_DAY
    landing = settings.home / f"demo-landing-{last_day}"
    if not landing.exists():
        making = landing.with_name(f"{landing.name}.making")
        print(f"simulating a town of {DEMO_PERSONS} people, {DEMO_DAYS} days up to {last_day}")
        simulate.write_landing(making, DEMO_PERSONS, DEMO_DAYS, seed=1, last_day=last_day)
        making.rename(landing)
    days = [last_day - timedelta(days=i) for i in reversed(range(DEMO_RUNS))]
    code = run_days(settings, days, str(landing), delivers=False)  # Nobody is at the made-up addresses.
    if code == 0:
        print(f'marts: psql "$({Path(sys.argv[0])} warehouse uri)"  (schema reporting)')
    return code


def _coverage(arguments: argparse.Namespace) -> int:
    from yingjian import coverage

    print(coverage.write(Settings.load().root))
    return 0


def _audit_verify(arguments: argparse.Namespace) -> int:
    from yingjian.warehouse import audit_trail

    with _connection() as conn:
        verdict = audit_trail.verify(conn, Settings.load().home / "audit_end.json")
    if verdict.broken is not None:
        print(f"yingjian: the audit trail is broken at event {verdict.broken}: {verdict.reason}", file=sys.stderr)
        return 1
    print(f"{verdict.events:,} events, unbroken")
    return 0


def _warehouse_uri(arguments: argparse.Namespace) -> int:
    from yingjian import warehouse

    settings = Settings.load()
    warehouse.ensure_running(settings)
    print(warehouse.uri(settings, arguments.role))
    return 0


def _warehouse_start(arguments: argparse.Namespace) -> int:
    from yingjian import warehouse

    settings = Settings.load()
    warehouse.ensure_running(settings)
    warehouse.migrate(settings)
    return 0


def _warehouse_stop(arguments: argparse.Namespace) -> int:
    from yingjian.warehouse.embedded import EmbeddedPostgres

    EmbeddedPostgres(Settings.load()).stop()
    return 0


@contextmanager
def _connection() -> Iterator[psycopg.Connection]:
    from yingjian import warehouse

    settings = Settings.load()
    warehouse.ensure_running(settings)
    warehouse.migrate(settings)
    with warehouse.connect(settings) as conn:
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
    for feed, sender, file_name, codes, count in rows:
        print(f"{count:8,}  {feed}  {sender or '-'}  {file_name}  {codes}")
    print(f"{sum(row[-1] for row in rows):8,}  open rows")
    return 0


def _quarantine_export(arguments: argparse.Namespace) -> int:
    from yingjian.landing import quarantine

    with _connection() as conn:
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
    from yingjian import services
    from yingjian.delivery import ledger

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
    from yingjian import simulate

    simulate.write_landing(arguments.out, arguments.persons, arguments.days, arguments.seed, arguments.last_day)
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from yingjian import warehouse
    from yingjian.delivery import ledger

    settings = Settings.load()
    warehouse.ensure_running(settings)
    warehouse.migrate(settings)
    with warehouse.connect(settings) as conn:
        current = conn.execute(
            "select publication_id, as_of_date, published_at, quality_status, checks_failed from reporting.publication"
        ).fetchone()
        print(
            "publication {} of {}, published {:%Y-%m-%d %H:%M}, {}, {} checks failed".format(*current)
            if current
            else "nothing published yet"
        )
        failed = conn.execute(
            """
            select severity, suite, check_name, failing_rows, message from quality.check_result
            where not success and checked_at = (select max(checked_at) from quality.check_result)
            order by severity, suite, check_name
            """
        ).fetchall()
        for severity, suite, name, rows, message in failed:
            print(f"last audit: {severity} {suite}.{name} ({rows if rows is not None else '?'} rows): {message}")
        for line in ledger.summary(conn):
            print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
