"""This module creates the missing roles of the warehouse's server, with the passwords that this home knows."""

from __future__ import annotations

from collections.abc import Collection

import psycopg
from psycopg import sql

from yingjian.database.bootstrap import scram
from yingjian.database.schema import SQL_FOLDER, run_file
from yingjian.database.warehouse import ROLES, password
from yingjian.settings import Settings, SetupError


def make_roles(conn: psycopg.Connection, settings: Settings) -> list[str]:
    """Create the missing roles with the passwords that this home knows; return the new roles that can log in.

    The connection is the owner's. Raises SetupError when the owner may not create roles, or when an older bootstrap left
    readers or dbt with privileges that could disrupt or impersonate a service.
    """
    roles_before = _login_roles(conn)
    how = (
        "stop it with `yingjian warehouse stop`" if settings.warehouse is None else "run `yingjian warehouse bootstrap`"
    )
    try:
        run_file(conn, SQL_FOLDER / "00_roles.sql")
    except psycopg.errors.InsufficientPrivilege as error:
        raise SetupError(
            f"the owner of the warehouse may not make its roles ({error.diag.message_primary}): {how}, then run again"
        ) from None
    may_lock = "select has_function_privilege('bi_reader', 'pg_advisory_lock(bigint)', 'execute')"
    if conn.execute(may_lock).fetchone() == (True,):
        raise SetupError(f"readers could stop the services of this warehouse by their locks: {how}, then run again")
    may_write_code = "select has_language_privilege('transformer', 'plpgsql', 'usage')"
    if conn.execute(may_write_code).fetchone() == (True,):
        raise SetupError(f"dbt's login could write functions that run as who reads its views: {how}, then run again")
    new_roles = sorted(_login_roles(conn) - roles_before)
    set_passwords(conn, settings, new_roles)
    return new_roles


def set_passwords(conn: psycopg.Connection, settings: Settings, roles: Collection[str]) -> None:
    """Give roles the passwords that this home knows; the connection is the owner's."""
    for role in sorted(roles):
        conn.execute(
            sql.SQL("alter role {} password {}").format(
                sql.Identifier(role), sql.Literal(scram(conn, role, password(settings, role)))
            )
        )


def _login_roles(conn: psycopg.Connection) -> set[str]:
    return {name for (name,) in conn.execute("select rolname from pg_roles where rolname = any(%s)", (list(ROLES),))}
