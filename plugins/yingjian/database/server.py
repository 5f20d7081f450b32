"""A server that is not embedded: whether Yingjian can work with it, and in one sentence why not."""

from __future__ import annotations

from urllib.parse import unquote, urlparse

import psycopg

from yingjian.settings import SetupError

OLDEST, NEWEST = 16, 18  # PostgreSQL's major versions with which the tests ran.
SECONDS = 10  # that it has to answer
BOOTSTRAP = "run `yingjian warehouse bootstrap`"

# What PostgreSQL and its client say of a connection that was not made. Their texts go no further: they may quote anything.
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
    """Connect once, as the URI of the environment variable says. Raises SetupError."""
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
    """What is wrong with a connection, and what to do; names host, role and database, and no secret."""
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
    said = str(error).partition("FATAL:")
    # What stands before FATAL names the host, and may hold any of these words.
    said_by = f"FATAL{said[2]}" if said[1] else str(error)
    for words, sentence in _REASONS:
        if words in said_by and (said[1] or words in ("SSL", "certificate", "no password supplied")):
            return SetupError(sentence.format(**facts))
    return SetupError(_SILENT.format(**facts))
