"""The roles of the warehouse's server: made where they are missing, with the passwords that this home knows."""

from __future__ import annotations

from collections.abc import Collection

import psycopg
from psycopg import sql

from yingjian.database.bootstrap import scram
from yingjian.database.schema import SQL_FOLDER, run_file
from yingjian.database.warehouse import ROLES, password
from yingjian.settings import Settings, SetupError


def make_roles(conn: psycopg.Connection, settings: Settings) -> list[str]:
    """Make the roles that are missing, with the passwords that this home knows; returns which log in.

    On the owner's connection. Raises SetupError when the owner may not make roles.
    """
    there = _login_roles(conn)
    try:
        run_file(conn, SQL_FOLDER / "00_roles.sql")
    except psycopg.errors.InsufficientPrivilege as error:
        how = (
            "stop it with `yingjian warehouse stop`"
            if settings.warehouse is None
            else "run `yingjian warehouse bootstrap`"
        )
        raise SetupError(
            f"the owner of the warehouse may not make its roles ({error.diag.message_primary}): {how}, then run again"
        ) from None
    made = sorted(_login_roles(conn) - there)
    set_passwords(conn, settings, made)
    return made


def set_passwords(conn: psycopg.Connection, settings: Settings, roles: Collection[str]) -> None:
    """Give roles the passwords that this home knows; on the owner's connection."""
    for role in sorted(roles):
        conn.execute(
            sql.SQL("alter role {} password {}").format(
                sql.Identifier(role), sql.Literal(scram(conn, role, password(settings, role)))
            )
        )


def _login_roles(conn: psycopg.Connection) -> set[str]:
    return {name for (name,) in conn.execute("select rolname from pg_roles where rolname = any(%s)", (list(ROLES),))}
