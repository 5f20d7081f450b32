"""This module says where the warehouse is, and connects to it as a role."""

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
from yingjian.settings import Settings, SetupError

OWNER = "owner"
TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")  # A URI may set these TLS parameters of libpq.

# Each service and the BI tool has a role of its own (sql/00_roles.sql).
ROLES = ("loader", "transformer", "auditor", "publisher", "reporter", "portal", "bi_reader")


def ensure_running(settings: Settings) -> None:
    """Start the embedded server if it does not answer; an external server must already run.

    Raises SetupError with a sentence that says what to do.
    """
    if settings.warehouse is None:
        EmbeddedPostgres(settings).ensure_running()
    elif urlparse(uri(settings)).password:  # A service need not know the owner's password.
        server.require(uri(settings))


def uri(settings: Settings, role: str = OWNER) -> str:
    """Return the connection URI of a role (`owner` or one of ROLES) for psql, a BI tool or a driver.

    Raises SetupError when there is no such role, or when its password is not known here.
    """
    if role != OWNER and role not in ROLES:
        raise SetupError(f"there is no role {role} whose password is known here: one of {OWNER}, {', '.join(ROLES)}")
    if settings.warehouse is None:
        return EmbeddedPostgres(settings).uri(OWNER_ROLE if role == OWNER else role)
    if role == OWNER:
        return with_password(settings, settings.warehouse)
    return _external(settings.warehouse, role, password(settings, role))


def with_password(settings: Settings, given: str) -> str:
    """Return a URI with the password of its role, if it has none itself and YINGJIAN_ROLE_PASSWORD_<ROLE> is set."""
    parsed = urlparse(given)
    password = settings.given_role_passwords.get(unquote(parsed.username or "").lower())
    if parsed.password or not password:
        return given
    return _external(given, unquote(parsed.username or ""), password)


def airflow_uri(settings: Settings) -> str:
    """Return the connection URI of Airflow's metadata, as Airflow's own role.

    It is YINGJIAN_AIRFLOW_DATABASE if that is set, else the database `airflow` on the warehouse's server.
    """
    if settings.airflow_database:
        return settings.airflow_database
    if settings.warehouse is None:
        return EmbeddedPostgres(settings).uri(AIRFLOW_ROLE, "airflow")
    return _external(settings.warehouse, AIRFLOW_ROLE, password(settings, AIRFLOW_ROLE), "/airflow")


def driver_uri(uri: str) -> str:
    """Return a connection URI for SQLAlchemy, with the psycopg driver."""
    return uri.replace("postgresql://", "postgresql+psycopg://", 1)


def password(settings: Settings, role: str) -> str:
    """Return the password of a service's role.

    For the embedded server it is a secret of the home, for any other server YINGJIAN_ROLE_PASSWORD_<ROLE>. Without that
    variable it is derived from the owner's password, so that one secret is enough. Raises SetupError when neither is given.
    """
    if settings.warehouse is None:
        return settings.secret(f"role_{role}")
    if role in settings.given_role_passwords:
        return settings.given_role_passwords[role]
    owners = owner_password(settings, f"set YINGJIAN_ROLE_PASSWORD_{role.upper()}, or ")
    digest = hmac.new(owners.encode(), f"yingjian role {role}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def owner_password(settings: Settings, otherwise: str = "") -> str:
    """Return the owner's password. Raises SetupError when neither YINGJIAN_WAREHOUSE nor a variable of the role has it."""
    password = unquote(urlparse(with_password(settings, settings.warehouse or "")).password or "")
    if not password:
        raise SetupError(f"YINGJIAN_WAREHOUSE has no password: {otherwise}give the owner's in it")
    return password


def _external(owner_uri: str, role: str, password: str, path: str | None = None) -> str:
    parsed = urlparse(owner_uri)
    host = parsed.netloc.rpartition("@")[2]
    return parsed._replace(
        netloc=f"{quote(role, safe='')}:{quote(password, safe='')}@{host}", path=path or parsed.path
    ).geturl()


def dbt_environment(settings: Settings) -> dict[str, str]:
    """Return the variables of dbt_project/profiles.yml: dbt connects as `transformer`, with the TLS of the URI."""
    parsed = urlparse(uri(settings, "transformer"))
    parameters = dict(parse_qsl(parsed.query))
    return {
        **{f"YINGJIAN_PG_{name.upper()}": parameters.get(name, "") for name in TLS},
        "YINGJIAN_PG_HOST": parsed.hostname or "127.0.0.1",
        "YINGJIAN_PG_PORT": str(parsed.port or 5432),
        "YINGJIAN_PG_USER": unquote(parsed.username or ""),
        "YINGJIAN_PG_PASSWORD": unquote(parsed.password or ""),
        "YINGJIAN_PG_DBNAME": parsed.path.lstrip("/"),
    }


def connect(settings: Settings, role: str = OWNER) -> psycopg.Connection:
    """Return a connection as `role`, in Asia/Shanghai; it is not in autocommit."""
    return psycopg.connect(uri(settings, role), options="-c TimeZone=Asia/Shanghai")


def connector(settings: Settings, role: str = OWNER) -> Callable[[], psycopg.Connection]:
    """Return a function that opens connections, for code that connects later or more than once."""
    return lambda: connect(settings, role)
