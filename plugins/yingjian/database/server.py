"""This module checks an external server, and explains in one sentence why Yingjian cannot work with it."""

from __future__ import annotations

from urllib.parse import unquote, urlparse

import psycopg

from yingjian.settings import SetupError

OLDEST, NEWEST = 16, 18  # The tests cover these major versions of PostgreSQL.
SECONDS = 10  # The server must answer within this time.
BOOTSTRAP = "run `yingjian warehouse bootstrap`"

# These substrings of the message of PostgreSQL or libpq identify why a connection failed. The message itself may quote
# anything, so it is not shown.
_REASONS = (
    ("password authentication failed", "{host} refuses the password of {user}: mend {variable}"),
    ("no password supplied", "{host} wants a password of {user}: give it in {variable}"),
    ("permission denied for database", "{user} may not connect to the database {database} of {host}: " + BOOTSTRAP),
    ("database", "{host} has no database {database}: " + BOOTSTRAP),
    ("role", "{host} knows no {user}: " + BOOTSTRAP),
    ("no pg_hba.conf entry", "{host} lets nobody in from this machine as {user}: its pg_hba.conf must"),
    (
        "SSL",
        "{host} and {variable} do not agree about TLS: mend sslmode or sslrootcert there, or the server's certificate",
    ),
    ("certificate", "{variable} names a certificate that does not fit or is not there: mend sslrootcert or sslcert"),
    ("starting up", "{host} is starting up: try again in a minute"),
    ("FATAL", "{host} refuses the connection: its log says why"),
)
_SILENT = "nothing answers at {host}: is the server up, and is {variable} right?"


def require(uri: str, variable: str = "YINGJIAN_WAREHOUSE") -> None:
    """Connect once with a URI. Raises SetupError, which names `variable`, if that fails or the version is not supported."""
    try:
        with psycopg.connect(uri, connect_timeout=SECONDS) as conn:
            version = conn.info.server_version // 10000
    except psycopg.Error as error:
        raise explained(error, uri, variable) from None
    if not OLDEST <= version <= NEWEST:
        raise SetupError(
            f"the server of {variable} is PostgreSQL {version}: Yingjian needs {OLDEST} to {NEWEST}, see docs/upgrading.md"
        )


def explained(error: psycopg.Error, uri: str, variable: str) -> SetupError:
    """Return an error that says what is wrong with a connection and what to do.

    It names the host, role and database, but no secret.
    """
    if isinstance(error, psycopg.ProgrammingError):
        return SetupError(
            f"{variable} is no URI of a PostgreSQL server, as in postgresql://USER:PASSWORD@HOST:5432/DATABASE"
        )
    parsed = urlparse(uri)
    facts = {
        "variable": variable,
        "host": parsed.netloc.rpartition("@")[2] or "this machine's socket",
        "user": unquote(parsed.netloc.rpartition("@")[0].partition(":")[0]) or "this machine's user",
        "database": parsed.path.lstrip("/"),
    }
    message_parts = str(error).partition("FATAL:")
    # The text before FATAL names the host, which may itself contain a substring of _REASONS.
    reason = f"FATAL{message_parts[2]}" if message_parts[1] else str(error)
    for words, sentence in _REASONS:
        if words in reason and (message_parts[1] or words in ("SSL", "certificate", "no password supplied")):
            return SetupError(sentence.format(**facts))
    return SetupError(_SILENT.format(**facts))
