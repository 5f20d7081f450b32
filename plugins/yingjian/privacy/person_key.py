"""The secret of the person keys, of which the warehouse knows a fingerprint: keys of another secret are not taken."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import polars as pl
import polars_hash
import psycopg

from yingjian.settings import SetupError

LOCK = "hashtext('yingjian.person_key')"


def fingerprint(secret: bytes) -> str:
    """What the warehouse knows of a secret: 16 hexadecimal digits, from which it does not follow."""
    return hmac.new(secret, b"yingjian person key", hashlib.sha256).hexdigest()[:16]


def require(conn: psycopg.Connection[Any], secret: bytes) -> None:
    """See that the keys in the warehouse are this secret's, until the transaction ends.

    Raises SetupError when they are another's: keys of two secrets would make two persons of one.
    """
    conn.execute(f"select pg_advisory_xact_lock_shared({LOCK})")
    found = known(conn)
    if found != fingerprint(secret):
        raise SetupError(
            f"the person keys of this warehouse were made with another secret (fingerprint {found or 'unknown'}, not"
            f" {fingerprint(secret)}): set YINGJIAN_PERSON_KEY to it, or bring back secrets/person_key.json; nothing was landed"
        )


def known(conn: psycopg.Connection[Any]) -> str | None:
    """The fingerprint of the secret that the warehouse's keys were made with; None before the first."""
    row = conn.execute("select fingerprint from access.person_secret").fetchone()
    return str(row[0]) if row else None


def person_keys(typed: pl.DataFrame, secret: bytes) -> pl.Series:
    """Keyed hash (HMAC-SHA-256, hex) of type and normalised number of each row's identity document."""
    identity = polars_hash.concat_str("id_type", "id_number", separator="|")
    return typed.select(identity.chash.hmac_sha256(key=secret.decode()).alias("person_key")).to_series()
