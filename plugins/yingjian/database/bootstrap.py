"""This module creates the owner, Airflow's role and the two databases.

Only this step, once per server, needs a superuser.
"""

from __future__ import annotations

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

OWNER_ROLE, AIRFLOW_ROLE = "yingjian_owner", "airflow"
DATABASES = {"yingjian": OWNER_ROLE, "airflow": AIRFLOW_ROLE}


def bootstrap(conn: psycopg.Connection, owner_password: str, airflow_password: str) -> None:
    """Create or repair the roles and databases, on a superuser's connection in autocommit.

    The function is idempotent: a second call changes only the passwords.

    The owner is no superuser: it creates the other roles (CREATEROLE) and everything in its database. A session-level
    advisory lock lets only one bootstrap run at a time; it is released when its connection closes.
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
    # Readers need no access to the default databases of a server.
    conn.execute("revoke all on database postgres, template1 from public")
    # The owner's function published.older_statements counts the statements of every role, access.end_readers terminates the
    # sessions of readers, and reserved connections stay free for the services.
    for role in ("pg_read_all_stats", "pg_signal_backend", "pg_use_reserved_connections"):
        _give(conn, role)
    conn.execute(sql.SQL("grant pg_use_reserved_connections to {}").format(sql.Identifier(AIRFLOW_ROLE)))
    conn.execute(sql.SQL("grant set on parameter temp_file_limit to {}").format(sql.Identifier(OWNER_ROLE)))
    warehouse = make_conninfo(conn.info.dsn, dbname="yingjian", password=conn.info.password)
    with psycopg.connect(warehouse, autocommit=True) as other:
        _keep_from_readers(other)
    # In older installations the superuser created this role, so the owner must be granted it.
    for (role,) in conn.execute("select rolname from pg_roles where rolname = 'bi_reader'").fetchall():
        _give(conn, role)


# PostgreSQL's defaults let every role take any advisory lock, and fill the disk with large objects and messages in the WAL.
# Functions in a view or a row policy run with the rights of whoever reads it, so none of them may run SQL that is given as
# text, change a setting, or be user-defined (docs/decisions/roles.md).
_FOR_SERVICES_ONLY = """
    select 'function ' || oid::regprocedure from pg_proc
    where pronamespace = 'pg_catalog'::regnamespace and has_function_privilege('public', oid, 'execute')
    and (
        proname ~ '^(pg_(try_)?advisory_(xact_)?lock(_shared)?|lo_.*|loread|lowrite|pg_logical_emit_message)$'
        or proname ~ '^((query|cursor|table|schema|database)_to_xml.*|ts_stat|set_config)$'
        or oid = 'ts_rewrite(tsquery, text)'::regprocedure
    )
    union all
    select 'language ' || quote_ident(lanname) from pg_language
    where lanpltrusted and has_language_privilege('public', oid, 'usage')
"""


def _keep_from_readers(conn: psycopg.Connection) -> None:
    """Restrict functions and languages that could block or impersonate a service to the owner, who may grant them."""
    for (item,) in conn.execute(_FOR_SERVICES_ONLY).fetchall():
        for statement in ("revoke all on {} from public", "grant all on {} to {} with grant option"):
            conn.execute(sql.SQL(statement).format(sql.SQL(item), sql.Identifier(OWNER_ROLE)))


def _give(conn: psycopg.Connection, role: str) -> None:
    conn.execute(
        sql.SQL("grant {} to {} with admin true, inherit true, set true").format(
            sql.Identifier(role), sql.Identifier(OWNER_ROLE)
        )
    )


def scram(conn: psycopg.Connection, role: str, password: str) -> str:
    """Return the SCRAM verifier of a password, so that statements and logs never contain the password itself."""
    return conn.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
