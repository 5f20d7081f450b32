"""This module defines every environment variable of Yingjian: its name, meaning, default and valid values.

`yingjian settings document` writes docs/generated/settings.md from the class Environment. `yingjian.settings` imports it only
when it reads the variables, so that `yingjian --help` does not load pydantic-settings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "YINGJIAN_"
ROLE_PASSWORD = "YINGJIAN_ROLE_PASSWORD_"  # noqa: S105 - the name of variables
IN_A_FILE = "_FILE"  # A variable with this suffix names a file that holds the secret, as in containers.


def _matches(pattern: str, says: str) -> BeforeValidator:
    """Return a check of a variable's text against a pattern; `says` tells the user what to give instead."""

    def check(given: Any) -> Any:
        if isinstance(given, str) and not re.fullmatch(pattern, given, re.ASCII):
            raise ValueError(says)
        return given

    return BeforeValidator(check)


def _hour(default: str) -> BeforeValidator:
    return _matches(r"([01]\d|2[0-3]):[0-5]\d", f"give hour and minute as in {default}")


def _addresses(given: Any) -> Any:
    return tuple(part.strip() for part in given.split(",") if part.strip()) if isinstance(given, str) else given


def _without_slash(given: Any) -> Any:
    return given.rstrip("/") or None if isinstance(given, str) else given


Hours = Annotated[float, _matches(r"(?!0+(\.0+)?$)\d+(\.\d+)?", "give a number of hours above 0")]
Url = Annotated[str | None, BeforeValidator(_without_slash)]
Port = Annotated[
    int,
    _matches(r"[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]", "give a port, as in 8080"),
]


def _secret(description: str) -> Any:
    return Field(default=None, description=description, repr=False)


def _inner(description: str) -> Any:
    return Field(default=None, description=description, repr=False, json_schema_extra={"inner": True})


class Environment(BaseSettings):
    """The environment variables, each with its description; an empty one counts as not set.

    A field `home` is the variable YINGJIAN_HOME. Fields with `inner` are set by Yingjian for the programs that it starts.
    """

    model_config = SettingsConfigDict(
        alias_generator=lambda name: PREFIX + name.upper(),
        case_sensitive=True,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    home: str | None = Field(
        None, description="The home: the folder that holds all state. Default: `.yingjian` in the checkout."
    )
    warehouse: str | None = Field(
        None, description="URI of the PostgreSQL warehouse. Default: an embedded server in the home.", repr=False
    )
    landing: str | None = Field(
        None,
        description="The landing location: a folder, `sftp://`, `s3://` or the platform's API. Default: `landing` in the home.",
    )
    landing_minutes: Annotated[float, _matches(r"(?!0+(\.0+)?$)\d{1,4}(\.\d{1,3})?", "give minutes, as in 5")] = Field(
        5, description="How often the landing location is checked, in minutes."
    )
    api_token: str | None = _secret("The bearer token for the platform's API.")
    person_key: str | None = _secret(
        "The secret from which person keys are derived. Default: generated in the home; required with `YINGJIAN_WAREHOUSE`."
    )
    person_key_next: str | None = _secret("The new secret for `yingjian rotate-person-key`. Default: a generated one.")
    superuser: str | None = _secret("URI of the server's superuser; only `yingjian warehouse bootstrap` uses it.")
    role_passwords: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict,
        alias="YINGJIAN_ROLE_PASSWORD_<ROLE>",  # Each role has a variable; `read` gathers them.
        description="The password of a warehouse role, or of the owner or the superuser if their URI has none. Default: derived"
        " from the owner's password (`docs/decisions/roles.md`).",
        repr=False,
    )
    backup_key: str | None = _secret(
        "The keys for backups (`yingjian backup-key`), or a file with them; `yingjian restore` needs the secret keys."
    )
    officials: str | None = Field(
        None, description="The directory of officials, the data team and senders. Default: `officials.yml` in the home."
    )
    outlines: str | None = Field(
        None,
        description="A GeoJSON file with the outlines of communities and grids for the map. Default: `outlines.geojson` in the"
        " home; without a file, the map shows tiles.",
    )
    shared_folder: str | None = Field(
        None,
        description="The shared folder to which packs and bulletins are delivered. Default: `shared` in the home.",
    )
    feed_deadline: Annotated[time, _hour("05:30")] = Field(
        time(5, 30),
        description="The time on the next day (Asia/Shanghai) until which a business date waits for its required feeds.",
    )
    catch_up_days: Annotated[int, _matches(r"[1-9]\d{0,2}", "give a number of days, at least 1")] = Field(
        7, description="How many missed days are caught up at most."
    )
    delivery_time: Annotated[time, _hour("07:00")] = Field(
        time(7), description="The time on the next day (Asia/Shanghai) at which the packs of a business date are sent."
    )
    url: Url = Field(None, description="The URL of Airflow's UI for the data team, used for links in alerts.")
    port: Port = Field(8080, description="The port of Airflow's UI, for `yingjian up` and in containers.")
    portal_url: Url = Field(
        None,
        description="The URL of the portal for officials, used for links. Default: the portal's port on this machine.",
    )
    portal_port: Port = Field(8081, description="The port on which the portal listens.")
    bind: str = Field("127.0.0.1", description="The address on which Airflow's API server and the portal listen.")
    oidc_issuer: Url = Field(
        None,
        description="The URL of an OpenID Connect provider for signing in to the portal. Default: passwords only.",
    )
    oidc_client: str | None = Field(None, description="The portal's client ID at the OpenID Connect provider.")
    oidc_secret: str | None = _secret("The portal's client secret at the OpenID Connect provider.")
    oidc_claim: str = Field(
        "preferred_username",
        description="The OpenID Connect claim that contains the login in `officials.yml`.",
    )
    airflow_url: Url = Field(
        None,
        description="The URL of an Airflow API server that runs elsewhere, for services, workers and commands here.",
    )
    airflow_database: Annotated[
        str | None,
        _matches(r"postgresql://.*", "must be like postgresql://USER:PASSWORD@HOST:5432/DATABASE"),
    ] = Field(
        None,
        description="URI of Airflow's metadata database. Default: the database `airflow` on the warehouse's server.",
        repr=False,
    )
    airflow_days: Annotated[int, _matches(r"[1-9]\d{0,3}", "give a number of days")] = Field(
        90, description="How many days Airflow's run history and logs are kept."
    )
    # Anyone who can write to the broker can run tasks on Airflow's workers, so the URL is a secret.
    broker: Annotated[
        str | None,
        _matches(
            r"(rediss?|amqps?)://([^:/@]*:[^:/@]+@.+|[^:/@]*@.+)",
            "must be like redis://:PASSWORD@HOST:6379/0 or amqp://USER:PASSWORD@HOST//",
        ),
    ] = Field(
        None,
        description="URL of the message broker for workers. Default: no broker, tasks run on the scheduler's machine.",
        repr=False,
    )
    broker_password: str | None = _secret("The broker's password, if the URL has none.")
    workers: Annotated[int, _matches(r"\d{1,3}", "give a number, 0 where all workers are started elsewhere")] = Field(
        2, description="How many workers `yingjian up` and `yingjian run` start if there is a broker."
    )
    question_deputies_hours: Hours = Field(
        2, description="After how many hours deputies are notified of an unanswered question."
    )
    question_again_hours: Hours = Field(4, description="How often, in hours, officials and deputies are then reminded.")
    alert_mail: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_addresses)] = Field(
        (), description="Mail addresses for alerts to the data team, separated by commas."
    )
    alert_wecom: str | None = Field(None, description="The Airflow connection of a WeCom group robot for alerts.")
    alert_dingtalk: str | None = Field(None, description="The Airflow connection of a DingTalk group robot for alerts.")
    alert_webhook: str | None = _secret("A URL that receives each alert as JSON.")
    alert_again_hours: Hours = Field(
        12, description="After how many hours the alert for a lasting problem is repeated."
    )
    alert_landing_hours: Hours = Field(26, description="After how many hours without a landed file an alert is sent.")
    alert_long_hours: Hours = Field(3, description="The run time of a task, in hours, from which an alert is sent.")
    alert_backup_hours: Hours = Field(
        26, description="The age of the newest backup, in hours, from which an alert is sent."
    )
    audit_anchor: str | None = _secret(
        "Where the end of the audit trail is anchored each hour: another user's append-only file, or a URL that receives JSON."
    )
    heartbeat_url: str | None = _secret("A URL that every run of `watch` fetches, for a dead man's switch.")
    openlineage_url: str | None = Field(
        None, description="An OpenLineage endpoint that receives events about runs and models. Default: none."
    )
    bi_admin_password: str | None = _secret("The password of Superset's admin user, for `yingjian bi import`.")
    bi_login_password: str | None = _secret(
        "The password of the reader's login that `yingjian bi import --login` names."
    )
    dev_schema: str | None = Field(
        None,
        description="The developer's schema for `yingjian dbt … --target dev`. Default: `dev_` followed by the login.",
    )
    engine: Annotated[str, _matches(r"postgres|spark", "give postgres or spark")] = Field(
        "postgres", description="The engine that builds the models: `postgres`, or `spark` (`docs/spark.md`)."
    )
    spark_master: str = Field(
        "local[*]", description="Spark's master URL. The default runs Spark in one process on this machine."
    )
    spark_python: str | None = Field(
        None,
        description="The Python interpreter of the environment with Spark. Default: `.venv-spark/bin/python` in the checkout.",
    )
    version: str | None = Field(None, description="The commit of the code, set when an image is built.")

    build_token: str | None = _inner("The token by which dbt proves that its run holds the build lock.")
    spark_tables: str | None = _inner("The suffix of the tables into which Spark's rows were loaded.")
    project_digest: str | None = _inner(
        "The digest of the dbt project; if it changed, incremental models are built from scratch."
    )
    pg_threads: str | None = _inner("How many models dbt builds in parallel: one per core.")
    pg_host: str | None = _inner("The warehouse's host, for dbt's profile.")
    pg_port: str | None = _inner("The warehouse's port, for dbt's profile.")
    pg_user: str | None = _inner("The role that dbt connects as.")
    pg_password: str | None = _inner("The password of that role.")
    pg_dbname: str | None = _inner("The warehouse's database, for dbt's profile.")
    pg_sslmode: str | None = _inner("dbt's TLS mode (libpq's `sslmode`).")
    pg_sslrootcert: str | None = _inner("The root certificate that dbt trusts.")
    pg_sslcert: str | None = _inner("dbt's client certificate.")
    pg_sslkey: str | None = _inner("The key of dbt's client certificate.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use only the values that `read` passes, so that a test can supply its own environment."""
        return (init_settings,)

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Environment:
        """Return the variables of an environment. Raises ValueError with one sentence that names the invalid variable."""
        env = _with_files(cls, env)
        passwords = {
            name.removeprefix(ROLE_PASSWORD).lower(): value
            for name, value in env.items()
            if name.startswith(ROLE_PASSWORD) and value
        }
        try:
            given: dict[str, Any] = {**_Given(cls, env)(), f"{ROLE_PASSWORD}<ROLE>": passwords}
            return cls(**given)
        except ValidationError as error:
            raise ValueError(_sentence(error, env)) from None


def _with_files(known: type[Environment], env: Mapping[str, str]) -> Mapping[str, str]:
    """Return an environment with the secrets read from their files. A variable takes precedence over its file.

    Raises ValueError with the variable whose file cannot be read.
    """
    secrets = {field.alias for field in known.model_fields.values() if not field.repr}
    plain, of_files = dict(env), {}
    for name, path in env.items():
        secret = name.removesuffix(IN_A_FILE)
        if secret != name and (secret in secrets or secret.startswith(ROLE_PASSWORD)):
            del plain[name]
            if path and not env.get(secret):
                try:
                    of_files[secret] = Path(path).read_text(encoding="utf-8").strip()
                except (OSError, UnicodeDecodeError) as error:
                    raise ValueError(f"{name} is {path}: it cannot be read ({type(error).__name__})") from None
    return plain | of_files


class _Given(EnvSettingsSource):
    """This source reads the variables of a mapping instead of the process's environment."""

    def __init__(self, settings_cls: type[BaseSettings], env: Mapping[str, str]) -> None:
        self._given = {name: value for name, value in env.items() if name.startswith(PREFIX)}
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name: value for name, value in self._given.items() if value}


def _sentence(error: ValidationError, env: Mapping[str, str]) -> str:
    """Return the error message of the first invalid variable. One that begins with `must` is for secrets: it quotes no value."""
    first = error.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0])
    reason = first.get("ctx", {}).get("error")
    text = str(reason) if reason is not None else first["msg"]
    return f"{name} {text}" if text.startswith("must") else f"{name} is {env.get(name)}: {text}"
