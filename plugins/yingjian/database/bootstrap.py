"""What only a superuser can do, once per server: the owner, Airflow's role and the two databases. Nothing after it needs one."""

from __future__ import annotations

import psycopg
from psycopg import sql

OWNER_ROLE, AIRFLOW_ROLE = "yingjian_owner", "airflow"
DATABASES = {"yingjian": OWNER_ROLE, "airflow": AIRFLOW_ROLE}


def bootstrap(conn: psycopg.Connection, owner_password: str, airflow_password: str) -> None:
    """Make or mend them on a superuser's connection in autocommit; again changes nothing but the passwords.

    The owner is no superuser: it makes the other roles (CREATEROLE) and everything in its database. A second one at the
    same time waits until this connection is closed.
    """
    conn.execute("select pg_advisory_lock(hashtext('yingjian.bootstrap'))")
    for role, password, attribute in (
        (OWNER_ROLE, owner_password, "createrole"),
        (AIRFLOW_ROLE, airflow_password, "nocreaterole"),
    ):
        if conn.execute("select to_regrole(%s) is null", (role,)).fetchone() == (True,):
            conn.execute(sql.SQL("create role {}").format(sql.Identifier(role)))
        conn.execute(
            sql.SQL(f"alter role {{}} login {attribute} password {{}}").format(
                sql.Identifier(role), sql.Literal(scram(conn, role, password))
            )
        )
    owners: dict[str, str] = dict(
        conn.execute("select datname, pg_get_userbyid(datdba) from pg_database where not datistemplate").fetchall()
    )
    for database, owner in DATABASES.items():
        names = {"database": sql.Identifier(database), "owner": sql.Identifier(owner)}
        if database not in owners:
            conn.execute(sql.SQL("create database {database} owner {owner}").format(**names))
            conn.execute(sql.SQL("revoke all on database {database} from public").format(**names))
        elif owners[database] != owner:
            conn.execute(sql.SQL("alter database {database} owner to {owner}").format(**names))
    # What the owner's function published.older_statements counts.
    _give(conn, "pg_read_all_stats")
    # A role that was made before the owner could make roles.
    for (role,) in conn.execute("select rolname from pg_roles where rolname = 'bi_reader'").fetchall():
        _give(conn, role)


def _give(conn: psycopg.Connection, role: str) -> None:
    conn.execute(
        sql.SQL("grant {} to {} with admin true, inherit true, set true").format(
            sql.Identifier(role), sql.Identifier(OWNER_ROLE)
        )
    )


def scram(conn: psycopg.Connection, role: str, password: str) -> str:
    """The verifier that the server keeps of a password: the password itself is in no statement, so in no log."""
    return conn.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
