"""Settings hold paths, addresses and secrets. They are read from the environment once, and then passed on."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from yingjian.environment import Environment

PROJECT_ROOT = Path(__file__).resolve().parents[2]

# These variables turn off the telemetry of all packages, so that no data leaves the machine.
TELEMETRY_OFF = {
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "False",
    "SCARF_ANALYTICS": "false",
    "SCARF_NO_ANALYTICS": "true",
}


def home_of(env: Mapping[str, str]) -> Path:
    """Return the folder of all state that an environment names. No other variable is read or checked for this."""
    return Path(env.get("YINGJIAN_HOME") or PROJECT_ROOT / ".yingjian").absolute()


class SetupError(RuntimeError):
    """Something on this machine must be changed first; the text is one sentence that says what to do.

    may_be_told: the text of such an exception holds no personal data, so an alert may quote it; of others it gives the type.
    """

    may_be_told = True


def variables(env: Mapping[str, str] = os.environ) -> Environment:
    """Return every variable of Yingjian. Raises SetupError, which names the variable that has an invalid value."""
    from yingjian.environment import Environment

    try:
        return Environment.read(env)
    except ValueError as error:
        raise SetupError(str(error)) from None


def _broker(url: str | None, password: str | None) -> str | None:
    """Return the broker's URL with its password. Raises SetupError if there is none: anyone could have workers run tasks."""
    if url is None:
        return None
    scheme, _, rest = url.partition("://")
    user, _, host = rest.rpartition("@")
    if ":" in user:
        return url
    if not password:
        raise SetupError(
            "YINGJIAN_BROKER must be like redis://:PASSWORD@HOST:6379/0, or YINGJIAN_BROKER_PASSWORD must be set"
        )
    return f"{scheme}://{user}:{quote(password, safe='')}@{host}"


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """The channels over which the data team is alerted, and the thresholds in hours.

    mail: addresses; wecom, dingtalk: Airflow connections of group robots; webhook: a URL that gets JSON; heartbeat: a URL
    that each run of the watch fetches. again: until a lasting state is reported again; landing: without a landed file; long:
    a task's run time; backup: the age of the newest backup.
    """

    mail: tuple[str, ...]
    wecom: str | None
    dingtalk: str | None
    webhook: str | None = field(repr=False)
    heartbeat: str | None = field(repr=False)
    again_hours: float
    landing_hours: float
    long_hours: float
    backup_hours: float

    @property
    def is_anybody_told(self) -> bool:
        return bool(self.mail or self.wecom or self.dingtalk or self.webhook)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The variables of `yingjian.environment`, which has their defaults, and the folders and secrets that follow from them.

    home: folder of all state; warehouse: URI of a PostgreSQL server, None = embedded; landing: location URI.

    delivery_time: when the packs of D go out on D + 1, Asia/Shanghai; feed_deadline: until when D waits on D + 1 for its
    feeds; landing_every: how often the landing location is looked at; catch_up_days: how many missed days are made up;
    url: where the data team finds Airflow's UI; portal_url: where officials find the portal.
    broker: URL of the message broker for Airflow's workers, None = none, and the scheduler's machine runs all tasks;
    workers: how many `up` and `run` start; airflow_url: the api-server for separate services, workers and commands, if it
    runs on another machine; airflow_database: URI of Airflow's metadata, None = the database `airflow` on the warehouse's
    server.
    deputies_after_hours: when deputies are notified of an unanswered question; remind_every_hours: when all are reminded;
    airflow_days: how long Airflow keeps its record of runs, and its logs. engine: what builds the models, postgres or spark;
    spark_master: Spark's master URL.
    """

    home: Path
    warehouse: str | None = field(repr=False)
    landing: str
    given_person_key: str | None = field(repr=False)
    root: Path
    given_officials: str | None
    given_outlines: str | None
    given_role_passwords: Mapping[str, str] = field(repr=False, hash=False)
    given_shared_folder: str | None
    delivery_time: time
    feed_deadline: time
    landing_every: timedelta
    catch_up_days: int
    url: str | None
    portal_url: str
    openlineage_url: str | None
    broker: str | None = field(repr=False)
    workers: int
    airflow_url: str | None
    deputies_after_hours: float
    remind_every_hours: float
    airflow_database: str | None = field(repr=False)
    airflow_days: int
    alerts: Alerts
    audit_anchor: str | None = field(repr=False)
    engine: str
    spark_master: str
    given_spark_python: str | None

    @classmethod
    def load(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings from the variables that `yingjian.environment` describes.

        Raises SetupError when a value is invalid, and when the warehouse is not embedded and no person key is given.
        """
        given = variables(env)
        home = home_of(env)
        if given.warehouse and not given.person_key:
            raise SetupError(
                "YINGJIAN_WAREHOUSE is set, so YINGJIAN_PERSON_KEY must be too: the secret of the person keys belongs"
                " to the warehouse, not to this folder"
            )
        return cls(
            root=PROJECT_ROOT,
            home=home,
            warehouse=given.warehouse,
            landing=given.landing or str(home / "landing"),
            given_person_key=given.person_key,
            given_officials=given.officials,
            given_outlines=given.outlines,
            given_role_passwords=given.role_passwords,
            given_shared_folder=given.shared_folder,
            delivery_time=given.delivery_time,
            feed_deadline=given.feed_deadline,
            landing_every=timedelta(minutes=given.landing_minutes),
            catch_up_days=given.catch_up_days,
            url=given.url,
            portal_url=given.portal_url or f"http://127.0.0.1:{given.portal_port}",
            openlineage_url=given.openlineage_url,
            broker=_broker(given.broker, given.broker_password),
            workers=given.workers,
            airflow_url=given.airflow_url,
            deputies_after_hours=given.question_deputies_hours,
            remind_every_hours=given.question_again_hours,
            airflow_database=given.airflow_database,
            airflow_days=given.airflow_days,
            alerts=Alerts(
                mail=given.alert_mail,
                wecom=given.alert_wecom,
                dingtalk=given.alert_dingtalk,
                webhook=given.alert_webhook,
                heartbeat=given.heartbeat_url,
                again_hours=given.alert_again_hours,
                landing_hours=given.alert_landing_hours,
                long_hours=given.alert_long_hours,
                backup_hours=given.alert_backup_hours,
            ),
            audit_anchor=given.audit_anchor,
            engine=given.engine,
            spark_master=given.spark_master,
            given_spark_python=given.spark_python,
        )

    def portal_link(self, path: str = "/") -> str:
        """Return the link to a page of the portal, which officials open."""
        return f"{self.portal_url}{path}"

    @cached_property
    def person_secret(self) -> bytes:
        """Return the secret of the person keys; it is created and kept in the home if none is given."""
        return (self.given_person_key or self.secret("person_key")).encode()

    @property
    def reports(self) -> Path:
        return self.home / "reports"

    @property
    def officials(self) -> Path:
        """The file that says who reads what (`yingjian.people.officials`)."""
        return Path(self.given_officials).absolute() if self.given_officials else self.home / "officials.yml"

    @property
    def outlines(self) -> Path:
        """The outlines of communities and grids (`yingjian.portal.outlines`); most homes have none."""
        return Path(self.given_outlines).absolute() if self.given_outlines else self.home / "outlines.geojson"

    @property
    def shared_folder(self) -> Path:
        """Packs and bulletins are copied here for readers of a shared folder."""
        return Path(self.given_shared_folder).absolute() if self.given_shared_folder else self.home / "shared"

    @property
    def pulled(self) -> Path:
        """Pages fetched from the platform's API are kept here as files."""
        return self.home / "pulled"

    @property
    def audit_end(self) -> Path:
        """The last verified event of the audit trail is kept in this file."""
        return self.home / "audit_end.json"

    @property
    def audit_definition(self) -> Path:
        """The last known digest of the definition of the trail's table, triggers and functions is kept in this file."""
        return self.home / "audit_definition"

    @property
    def data_docs(self) -> Path:
        return self.home / "data_docs"

    @property
    def dbt_target(self) -> Path:
        return self.home / "dbt"

    @property
    def spark(self) -> Path:
        """Spark reads and writes personal data in this folder (`yingjian.modelling.spark_export`)."""
        return self.home / "spark"

    @property
    def spark_python(self) -> Path:
        """The interpreter of the environment that has Spark."""
        return Path(self.given_spark_python or self.root / ".venv-spark" / "bin" / "python").absolute()

    @property
    def data_dictionary(self) -> Path:
        """The page that dbt generates, which describes every table and column."""
        return self.home / "docs" / "models.html"

    @cached_property
    def code_version(self) -> str:
        """The code's commit as git describes it: from YINGJIAN_VERSION in an image, from a file in a wheel (hatch_build.py),
        or from the checkout; without any of these, it is the package's version.
        """
        baked = Path(__file__).with_name("VERSION")
        if given := variables().version or (baked.exists() and baked.read_text(encoding="utf-8").strip()):
            return str(given)
        try:
            if (self.root / ".git").exists():  # An installed package may lie in another project's repository.
                return subprocess.run(
                    ["git", "describe", "--always", "--dirty", "--abbrev=12"],
                    cwd=self.root, capture_output=True, text=True, check=True,
                ).stdout.strip()  # fmt: skip
        except (OSError, subprocess.CalledProcessError):
            pass
        return version("yingjian")

    def make_home(self) -> None:
        """Create the home with access for its owner only, and close an existing one that is open to others.

        A home of root stays searchable, because the embedded server runs as a user of its own and must reach its files.
        """
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        mode = self.home.stat().st_mode & 0o777
        private = mode & (0o711 if os.geteuid() == 0 else 0o700)
        if mode != private and os.access(self.home, os.W_OK):
            self.home.chmod(private)

    def existing_secret(self, name: str) -> str | None:
        """Return a secret of this home; None if it does not exist yet."""
        path = self.home / "secrets" / f"{name}.json"
        return str(json.loads(path.read_text())) if path.exists() else None

    def secret(self, name: str) -> str:
        """Return a secret of this home, created at first use in a file that only its owner can read."""
        self.make_home()
        folder = self.home / "secrets"
        folder.mkdir(exist_ok=True, mode=0o700)
        path = folder / f"{name}.json"
        if not path.exists():
            descriptor, temporary = tempfile.mkstemp(dir=folder)  # It creates the file with mode 0600.
            with os.fdopen(descriptor, "w") as file:
                json.dump(secrets.token_urlsafe(32), file)
            try:
                os.link(temporary, path)  # Linking is atomic: if two processes race, the first one's secret stays.
            except FileExistsError:
                pass
            finally:
                os.unlink(temporary)
        return str(json.loads(path.read_text()))
