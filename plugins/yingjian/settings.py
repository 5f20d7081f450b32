"""Where things are and which secrets are used: read once from the environment, then passed as a value."""

from __future__ import annotations

import json
import os
import re
import resource
import secrets
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]

# Nothing leaves the machine: the telemetry of every package that has one.
TELEMETRY_OFF = {
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "False",
    "SCARF_ANALYTICS": "false",
    "SCARF_NO_ANALYTICS": "true",
}

ROLE_PASSWORD = "YINGJIAN_ROLE_PASSWORD_"  # noqa: S105 - the name of variables


def no_core_files() -> None:
    """Of this process and those it starts: a core file holds whatever persons' data was in memory.

    With a limit of 1 the kernel neither writes one nor hands it to a program (core(5)); 0 does not stop the latter.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1) if resource.getrlimit(resource.RLIMIT_CORE)[1] else (0, 0))


class SetupError(RuntimeError):
    """Something on this machine must be changed first; the text is one sentence that says what to do.

    may_be_told: the text of such an exception names no person and may leave in an alert; of others only the type does.
    """

    may_be_told = True


def _hours(env: Mapping[str, str], name: str, default: float) -> float:
    given = env.get(name) or str(default)
    if not re.fullmatch(r"\d+(\.\d+)?", given, re.ASCII) or not float(given):
        raise SetupError(f"{name} is {given}: give a number of hours above 0")
    return float(given)


@dataclass(frozen=True)
class Alerts:
    """How the data team is told, and after how many hours of what.

    mail: addresses; wecom, dingtalk: Airflow connections of group robots; webhook: a URL that gets JSON; heartbeat: a URL
    that is fetched by every turn of the watch. again: a state that lasts is told again; landing: nothing landed; long: a
    task is at work; backup: the newest backup is older.
    """

    mail: tuple[str, ...] = ()
    wecom: str | None = None
    dingtalk: str | None = None
    webhook: str | None = field(default=None, repr=False)
    heartbeat: str | None = field(default=None, repr=False)
    again_hours: float = 12
    landing_hours: float = 26
    long_hours: float = 3
    backup_hours: float = 26

    @classmethod
    def load(cls, env: Mapping[str, str]) -> Alerts:
        """Read YINGJIAN_ALERT_MAIL, _WECOM, _DINGTALK, _WEBHOOK, _AGAIN_HOURS, _LANDING_HOURS, _LONG_HOURS, _BACKUP_HOURS
        and YINGJIAN_HEARTBEAT_URL. Raises SetupError for hours that are none."""
        mail = (env.get("YINGJIAN_ALERT_MAIL") or "").split(",")
        return cls(
            tuple(address.strip() for address in mail if address.strip()),
            env.get("YINGJIAN_ALERT_WECOM") or None,
            env.get("YINGJIAN_ALERT_DINGTALK") or None,
            env.get("YINGJIAN_ALERT_WEBHOOK") or None,
            env.get("YINGJIAN_HEARTBEAT_URL") or None,
            _hours(env, "YINGJIAN_ALERT_AGAIN_HOURS", cls.again_hours),
            _hours(env, "YINGJIAN_ALERT_LANDING_HOURS", cls.landing_hours),
            _hours(env, "YINGJIAN_ALERT_LONG_HOURS", cls.long_hours),
            _hours(env, "YINGJIAN_ALERT_BACKUP_HOURS", cls.backup_hours),
        )

    @property
    def is_anybody_told(self) -> bool:
        return bool(self.mail or self.wecom or self.dingtalk or self.webhook)


@dataclass(frozen=True)
class Settings:
    """home: folder of all state; warehouse: URI of a PostgreSQL server, None = embedded; landing: location URI.

    delivery_time: when the packs of D go out on D + 1, Asia/Shanghai; feed_deadline: until when D waits on D + 1 for its
    feeds; landing_every: how often the landing location is looked at; catch_up_days: how many missed days are made up;
    url: where officials find Airflow's UI.
    broker: URL of the message broker by which workers get Airflow's tasks, None = none, the scheduler's machine runs them;
    workers: how many `up` and `run` start beside the services; airflow_url: where services that run on
    their own, workers and commands find the api-server, when it is not of this machine; airflow_database: URI of Airflow's
    metadata, None = the database `airflow` beside the warehouse.
    deputies_after_hours: when deputies are told of a question that nobody answered; remind_every_hours: all of them, again;
    airflow_days: how long Airflow keeps its record of runs, and its logs.
    """

    home: Path
    warehouse: str | None
    landing: str
    given_person_key: str | None
    root: Path = PROJECT_ROOT
    given_officials: str | None = None
    given_role_passwords: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    given_shared_folder: str | None = None
    delivery_time: time = time(7)
    feed_deadline: time = time(5, 30)
    landing_every: timedelta = timedelta(minutes=5)
    catch_up_days: int = 7
    url: str | None = None
    openlineage_url: str | None = None
    broker: str | None = field(default=None, repr=False)
    workers: int = 2
    airflow_url: str | None = None
    deputies_after_hours: float = 2
    remind_every_hours: float = 4
    airflow_database: str | None = field(default=None, repr=False)
    airflow_days: int = 90
    alerts: Alerts = field(default_factory=Alerts)

    @classmethod
    def load(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read YINGJIAN_HOME, _WAREHOUSE, _LANDING, _PERSON_KEY, _OFFICIALS, _SHARED_FOLDER, _DELIVERY_TIME,
        _FEED_DEADLINE, _LANDING_MINUTES, _CATCH_UP_DAYS, _URL,
        _OPENLINEAGE_URL, _BROKER, _WORKERS, _AIRFLOW_URL, _AIRFLOW_DATABASE, _QUESTION_DEPUTIES_HOURS,
        _QUESTION_AGAIN_HOURS, _AIRFLOW_DAYS, what Alerts reads, and YINGJIAN_ROLE_PASSWORD_<ROLE>.

        Raises SetupError when the warehouse is not embedded and no person key is given, when the hour is none, when the
        broker is of another kind or lets everybody in, or when the workers cannot be counted.
        """
        home = Path(env.get("YINGJIAN_HOME") or PROJECT_ROOT / ".yingjian").absolute()
        warehouse = env.get("YINGJIAN_WAREHOUSE") or None
        person_key = env.get("YINGJIAN_PERSON_KEY") or None
        if warehouse and not person_key:
            raise SetupError(
                "YINGJIAN_WAREHOUSE is set, so YINGJIAN_PERSON_KEY must be too: the secret of the person keys belongs"
                " to the warehouse, not to this folder"
            )
        landing = env.get("YINGJIAN_LANDING") or str(home / "landing")
        passwords = {
            name.removeprefix(ROLE_PASSWORD).lower(): value
            for name, value in env.items()
            if name.startswith(ROLE_PASSWORD) and value
        }
        minutes = env.get("YINGJIAN_LANDING_MINUTES") or "5"
        if not re.fullmatch(r"\d{1,4}(\.\d{1,3})?", minutes, re.ASCII) or not float(minutes):
            raise SetupError(f"YINGJIAN_LANDING_MINUTES is {minutes}: give minutes, as in 5")
        catch_up_days = env.get("YINGJIAN_CATCH_UP_DAYS") or "7"
        if not re.fullmatch(r"[1-9]\d{0,2}", catch_up_days, re.ASCII):
            raise SetupError(f"YINGJIAN_CATCH_UP_DAYS is {catch_up_days}: give a number of days, at least 1")
        broker = env.get("YINGJIAN_BROKER") or None
        if broker and not re.fullmatch(r"(rediss?|amqps?)://[^:/@]*:[^:/@]+@.+", broker):
            # Whoever may write to the broker has Airflow's workers run tasks. The URL itself is a secret.
            raise SetupError(
                "YINGJIAN_BROKER must be like redis://:PASSWORD@HOST:6379/0 or amqp://USER:PASSWORD@HOST//"
            )
        airflow_database = env.get("YINGJIAN_AIRFLOW_DATABASE") or None
        if airflow_database and not airflow_database.startswith("postgresql://"):
            raise SetupError("YINGJIAN_AIRFLOW_DATABASE must be like postgresql://USER:PASSWORD@HOST:5432/DATABASE")
        workers = env.get("YINGJIAN_WORKERS") or "2"
        if not re.fullmatch(r"\d{1,3}", workers, re.ASCII):
            raise SetupError(f"YINGJIAN_WORKERS is {workers}: give a number, 0 where all workers are started elsewhere")
        airflow_days = env.get("YINGJIAN_AIRFLOW_DAYS") or str(cls.airflow_days)
        if not re.fullmatch(r"[1-9]\d{0,3}", airflow_days, re.ASCII):
            raise SetupError(f"YINGJIAN_AIRFLOW_DAYS is {airflow_days}: give a number of days")
        return cls(
            home,
            warehouse,
            landing,
            person_key,
            given_officials=env.get("YINGJIAN_OFFICIALS") or None,
            given_role_passwords=passwords,
            given_shared_folder=env.get("YINGJIAN_SHARED_FOLDER") or None,
            delivery_time=_hour(env, "YINGJIAN_DELIVERY_TIME", "07:00"),
            feed_deadline=_hour(env, "YINGJIAN_FEED_DEADLINE", "05:30"),
            landing_every=timedelta(minutes=float(minutes)),
            catch_up_days=int(catch_up_days),
            url=(env.get("YINGJIAN_URL") or "").rstrip("/") or None,
            openlineage_url=env.get("YINGJIAN_OPENLINEAGE_URL") or None,
            broker=broker,
            workers=int(workers),
            airflow_url=(env.get("YINGJIAN_AIRFLOW_URL") or "").rstrip("/") or None,
            deputies_after_hours=_hours(env, "YINGJIAN_QUESTION_DEPUTIES_HOURS", cls.deputies_after_hours),
            remind_every_hours=_hours(env, "YINGJIAN_QUESTION_AGAIN_HOURS", cls.remind_every_hours),
            airflow_database=airflow_database,
            airflow_days=int(airflow_days),
            alerts=Alerts.load(env),
        )

    @cached_property
    def person_secret(self) -> bytes:
        """Secret of the person keys; made and kept in the home folder when none is given."""
        return (self.given_person_key or self.secret("person_key")).encode()

    @property
    def reports(self) -> Path:
        return self.home / "reports"

    @property
    def officials(self) -> Path:
        """The file that says who reads what (`yingjian.people.officials`)."""
        return Path(self.given_officials).absolute() if self.given_officials else self.home / "officials.yml"

    @property
    def shared_folder(self) -> Path:
        """Where packs and bulletins are put for those who read them from a shared folder."""
        return Path(self.given_shared_folder).absolute() if self.given_shared_folder else self.home / "shared"

    @property
    def pulled(self) -> Path:
        """What the platform's API sent, as files."""
        return self.home / "pulled"

    @property
    def audit_end(self) -> Path:
        """The end of the audit trail as it was verified last."""
        return self.home / "audit_end.json"

    @property
    def data_docs(self) -> Path:
        return self.home / "data_docs"

    @property
    def dbt_target(self) -> Path:
        return self.home / "dbt"

    @property
    def data_dictionary(self) -> Path:
        """What every table and column means, as one page that dbt writes."""
        return self.home / "docs" / "models.html"

    @cached_property
    def code_version(self) -> str:
        """The code's commit, as git names it: YINGJIAN_VERSION in an image, a file in a wheel (hatch_build.py), else the
        checkout; where none of them is, the package's version.
        """
        baked = Path(__file__).with_name("VERSION")
        if given := os.environ.get("YINGJIAN_VERSION") or (
            baked.exists() and baked.read_text(encoding="utf-8").strip()
        ):
            return str(given)
        try:
            if (self.root / ".git").exists():  # Installed elsewhere, it may lie in somebody else's repository.
                return subprocess.run(
                    ["git", "describe", "--always", "--dirty", "--abbrev=12"],
                    cwd=self.root, capture_output=True, text=True, check=True,
                ).stdout.strip()  # fmt: skip
        except (OSError, subprocess.CalledProcessError):
            pass
        return version("yingjian")

    def existing_secret(self, name: str) -> str | None:
        """A secret of this home, if it was made."""
        path = self.home / "secrets" / f"{name}.json"
        return str(json.loads(path.read_text())) if path.exists() else None

    def secret(self, name: str) -> str:
        """A secret of this home, made at first use; the file is readable by its owner only."""
        folder = self.home / "secrets"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{name}.json"
        if not path.exists():
            descriptor, made = tempfile.mkstemp(dir=folder)  # mode 0600
            with os.fdopen(descriptor, "w") as file:
                json.dump(secrets.token_urlsafe(32), file)
            try:
                os.link(made, path)  # Of two at once the first one's secret stays.
            except FileExistsError:
                pass
            finally:
                os.unlink(made)
        return str(json.loads(path.read_text()))


def _hour(env: Mapping[str, str], name: str, default: str) -> time:
    hour = env.get(name) or default
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", hour):
        raise SetupError(f"{name} is {hour}: give hour and minute as in {default}")
    return time.fromisoformat(hour)
