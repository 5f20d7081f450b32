"""This module makes Airflow's environment and home, including its metadata database."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime

from yingjian.clock import SHANGHAI, demo_clock
from yingjian.database import warehouse
from yingjian.database.airflow_database import ask_airflow
from yingjian.modelling import lineage
from yingjian.operations import broker
from yingjian.operations.airflow_users import users, write_passwords
from yingjian.pipeline import Dag
from yingjian.settings import TELEMETRY_OFF, Settings, SetupError, variables


def airflow_environment(settings: Settings, *, schedule: bool, ports: dict[str, int]) -> dict[str, str]:
    """Return the environment of Airflow's services and tasks. It contains all settings, so there is no
    airflow.cfg to maintain.
    """
    home = settings.home / "airflow"
    metadata = warehouse.airflow_uri(settings)
    driver = warehouse.driver_uri(metadata)
    url = f"http://{variables().bind}:{ports['api']}"
    # Every task process imports dbt or pandas; more of them than this would only compete for memory.
    tasks_at_once = max(6, 2 * (os.cpu_count() or 2))
    return {
        **TELEMETRY_OFF,
        **warehouse.dbt_environment(settings),
        "YINGJIAN_HOME": str(settings.home),
        "YINGJIAN_WAREHOUSE": settings.warehouse or "",
        "YINGJIAN_AIRFLOW_DATABASE": settings.airflow_database or "",
        "YINGJIAN_LANDING": settings.landing,
        # The platform's token is only passed on for the location that it was configured with.
        "YINGJIAN_API_TOKEN": (variables().api_token or "") if settings.landing == variables().landing else "",
        "YINGJIAN_API_TOKEN_FILE": "",
        "YINGJIAN_LANDING_MINUTES": f"{settings.landing_every.total_seconds() / 60:.3f}",
        "YINGJIAN_PERSON_KEY": settings.given_person_key or "",
        "YINGJIAN_OFFICIALS": str(settings.officials),
        "YINGJIAN_SHARED_FOLDER": str(settings.shared_folder),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": driver,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": driver.replace("+psycopg:", "+psycopg_async:", 1),
        "AIRFLOW__CORE__PARALLELISM": str(tasks_at_once),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.root / "dags"),
        # The plugin is found through the installed package, so this folder stays empty.
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": SHANGHAI.key,
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
            f"{login}:{role}" for login, role in users(settings).items()
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__FERNET_KEY": _fernet_key(settings),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{ports['api']}/execution/",
        "AIRFLOW__API__HOST": variables().bind,
        "AIRFLOW__API__PORT": str(ports["api"]),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        # A task that cannot reach the API on start fails without a log; on a busy machine this may take longer than the default
        # of five seconds.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        # A worker that looks a moment before its task's process ends looks again only with the next heartbeat, and a stop of the
        # services waits for it. As with Airflow's defaults (every 5 seconds, 3 times), heartbeats may fail for 15 seconds.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "15",
        "AIRFLOW__API__EXPOSE_CONFIG": "False",
        "AIRFLOW__API__EXPOSE_STACKTRACE": "False",
        "AIRFLOW__API__SECRET_KEY": settings.secret("airflow_api"),
        "AIRFLOW__API_AUTH__JWT_SECRET": settings.secret("airflow_jwt"),
        # A session ends after a working day.
        "AIRFLOW__API_AUTH__JWT_EXPIRATION_TIME": str(8 * 3600),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(home / "logs" / "dag_processor"),
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(schedule),
        # A person waits for days that a command runs; scheduled days run at night.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1.5" if schedule else "0.3",
        # With a lower threshold, a scheduler that was suspended considers itself dead when it resumes
        # (docs/decisions/slow-is-not-dead.md).
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "240",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        # DAG files change only with the code version, and then the services restart. In a demo the clock may be set at any
        # time, and Airflow asks the timetable for the next run only when it parses the file.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30" if schedule and demo_clock(settings.home) else "300",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "2",
        "AIRFLOW__COSMOS__ENABLE_CACHE": "False",
        **broker.airflow_environment(settings, tasks_at_once),
        **lineage.airflow_environment(settings),
        "PYTHONWARNINGS": "ignore",
        "NO_COLOR": "1",
    }


def _fernet_key(settings: Settings) -> str:
    import base64

    return base64.urlsafe_b64encode(settings.secret("airflow_fernet").encode()[:32]).decode()


def prepare_home(settings: Settings, environment: dict[str, str]) -> None:
    """Create Airflow's home, and migrate its metadata database if Airflow's version or the database changed."""
    from importlib.metadata import version

    from yingjian.modelling.dbt_project import prepare_manifest

    home = settings.home / "airflow"
    (home / "plugins").mkdir(parents=True, exist_ok=True)
    write_passwords(settings)
    marker = home / "metadata_version"
    version_and_database = f"{version('apache-airflow')} {_database_identity(settings)}"
    migrating = None
    if not marker.exists() or marker.read_text() != version_and_database:
        migrating = subprocess.Popen(
            [sys.executable, "-m", "yingjian.operations.airflow_service", "db", "migrate"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    prepare_manifest(settings)  # The manifest is parsed while the migration runs.
    if migrating:
        output, _ = migrating.communicate()
        if migrating.returncode:
            raise SetupError(f"Airflow's metadata could not be made: {output.strip().splitlines()[-1]}")
        marker.write_text(version_and_database)


def _database_identity(settings: Settings) -> str:
    """Return an identifier of the metadata database, since YINGJIAN_AIRFLOW_DATABASE may have changed. Raises SetupError."""
    import psycopg

    from yingjian.database import server

    uri = warehouse.airflow_uri(settings)
    try:
        with psycopg.connect(uri) as conn:
            row = conn.execute("select oid from pg_database where datname = current_database()").fetchone()
            where = conn.info.host if settings.airflow_database else ""
            return f"{where}{row[0] if row else ''}"
    except psycopg.Error as error:
        variable = "YINGJIAN_AIRFLOW_DATABASE" if settings.airflow_database else "YINGJIAN_WAREHOUSE"
        raise server.explained(error, uri, variable) from None


def are_dags_read(settings: Settings) -> bool:
    """Return whether Airflow has read every DAG since a file changed on which the DAGs depend.

    These are the code, the packages' versions, and dbt's manifest, which names the model tasks. A file whose time lies in the
    future says nothing.
    """
    code = (path for folder in ("dags", "plugins") for path in (settings.root / folder).rglob("*.py"))
    files = (settings.root / "uv.lock", settings.dbt_target / "manifest.json", *code)
    changed = max(at for at in (path.stat().st_mtime for path in files) if at <= time.time())
    since = datetime.fromtimestamp(changed, UTC)
    rows = ask_airflow(settings, "select dag_id from dag where last_parsed_time > %s", (since,))
    return set(Dag) <= {dag_id for (dag_id,) in rows}
