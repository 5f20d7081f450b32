"""The warehouse: where it is, how to connect to it as which role."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from urllib.parse import parse_qsl, quote, unquote, urlparse

import psycopg

from yingjian.database import server
from yingjian.database.bootstrap import AIRFLOW_ROLE, OWNER_ROLE
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.settings import ROLE_PASSWORD, Settings, SetupError

OWNER = "owner"
TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")  # What a URI may say of it, as libpq names it.

# The services and the BI tool: each logs in as itself (sql/00_roles.sql).
ROLES = ("loader", "transformer", "auditor", "publisher", "reporter", "bi_reader")


def ensure_running(settings: Settings) -> None:
    """Start the embedded server if the warehouse is embedded and does not answer; another one must answer by itself.

    Raises SetupError with a sentence that says what to do.
    """
    if settings.warehouse is None:
        EmbeddedPostgres(settings).ensure_running()
    elif urlparse(settings.warehouse).password:  # A worker need not know the owner's.
        server.require(settings.warehouse)


def uri(settings: Settings, role: str = OWNER) -> str:
    """Connection URI of a role (`owner` or one of ROLES) for psql, a BI tool or a driver.

    Raises SetupError for a role that is none, or whose password is not known here.
    """
    if role != OWNER and role not in ROLES:
        raise SetupError(f"there is no role {role} whose password is known here: one of {OWNER}, {', '.join(ROLES)}")
    if settings.warehouse is None:
        return EmbeddedPostgres(settings).uri(OWNER_ROLE if role == OWNER else role)
    return settings.warehouse if role == OWNER else _external(settings.warehouse, role, password(settings, role))


def airflow_uri(settings: Settings) -> str:
    """Connection URI of Airflow's metadata: YINGJIAN_AIRFLOW_DATABASE, else database `airflow` on the warehouse's server, as
    Airflow's own role.
    """
    if settings.airflow_database:
        return settings.airflow_database
    if settings.warehouse is None:
        return EmbeddedPostgres(settings).uri(AIRFLOW_ROLE, "airflow")
    return _external(settings.warehouse, AIRFLOW_ROLE, password(settings, AIRFLOW_ROLE), "/airflow")


def password(settings: Settings, role: str) -> str:
    """The password of a service's role: the home's secret where the server is embedded, else YINGJIAN_ROLE_PASSWORD_<ROLE>.

    Without that variable it follows from the owner's password, so that one machine needs one secret. Raises SetupError
    when neither is given.
    """
    if settings.warehouse is None:
        return settings.secret(f"role_{role}")
    if role in settings.given_role_passwords:
        return settings.given_role_passwords[role]
    owners = owner_password(settings, f"set {ROLE_PASSWORD}{role.upper()}, or ")
    digest = hmac.new(owners.encode(), f"yingjian role {role}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def owner_password(settings: Settings, otherwise: str = "") -> str:
    """The owner's password, as YINGJIAN_WAREHOUSE has it. Raises SetupError when it has none."""
    found = unquote(urlparse(settings.warehouse or "").password or "")
    if not found:
        raise SetupError(f"YINGJIAN_WAREHOUSE has no password: {otherwise}give the owner's in it")
    return found


def _external(owner_uri: str, role: str, password: str, path: str | None = None) -> str:
    parsed = urlparse(owner_uri)
    host = parsed.netloc.rpartition("@")[2]
    return parsed._replace(
        netloc=f"{quote(role, safe='')}:{quote(password, safe='')}@{host}", path=path or parsed.path
    ).geturl()


def dbt_environment(settings: Settings) -> dict[str, str]:
    """What dbt_project/profiles.yml reads from the environment: dbt connects as `transformer`, with the TLS of the URI."""
    parsed = urlparse(uri(settings, "transformer"))
    given = dict(parse_qsl(parsed.query))
    return {
        **{f"YINGJIAN_PG_{name.upper()}": given.get(name, "") for name in TLS},
        "YINGJIAN_PG_HOST": parsed.hostname or "127.0.0.1",
        "YINGJIAN_PG_PORT": str(parsed.port or 5432),
        "YINGJIAN_PG_USER": unquote(parsed.username or ""),
        "YINGJIAN_PG_PASSWORD": unquote(parsed.password or ""),
        "YINGJIAN_PG_DBNAME": parsed.path.lstrip("/"),
    }


def connect(settings: Settings, role: str = OWNER) -> psycopg.Connection:
    """A connection as `role`, in Asia/Shanghai; not in autocommit."""
    return psycopg.connect(uri(settings, role), options=f"-c {quote('TimeZone')}=Asia/Shanghai")


def connector(settings: Settings, role: str = OWNER) -> Callable[[], psycopg.Connection]:
    """A function that opens connections, for code that opens them when it needs them."""
    return lambda: connect(settings, role)
