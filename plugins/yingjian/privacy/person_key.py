"""Person keys are keyed hashes of identity documents.

The warehouse stores a fingerprint of the secret, and accepts no keys of another secret.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import polars as pl
import polars_hash
import psycopg

from yingjian.database import locks
from yingjian.settings import SetupError


def fingerprint(secret: bytes) -> str:
    """Return the fingerprint of a secret: 16 hexadecimal digits, from which the secret cannot be computed."""
    return hmac.new(secret, b"yingjian person key", hashlib.sha256).hexdigest()[:16]


def require(conn: psycopg.Connection[Any], secret: bytes) -> None:
    """Check that the warehouse's keys were made with this secret, and block rotations until the transaction ends.

    Raises SetupError when they were made with another one: keys of two secrets would turn one person into two.
    """
    conn.execute("select pg_advisory_xact_lock_shared(hashtext(%s))", (locks.PERSON_KEYS,))
    warehouse_fingerprint = known_fingerprint(conn)
    if warehouse_fingerprint != fingerprint(secret):
        raise SetupError(
            "the person keys of this warehouse were made with another secret"
            f" (fingerprint {warehouse_fingerprint or 'unknown'}, not {fingerprint(secret)}):"
            " set YINGJIAN_PERSON_KEY to it, or bring back secrets/person_key.json; nothing was changed"
        )


def known_fingerprint(conn: psycopg.Connection[Any]) -> str | None:
    """Return the fingerprint of the secret that made the warehouse's keys; None before the first key."""
    row = conn.execute("select fingerprint from access.person_secret").fetchone()
    return str(row[0]) if row else None


def person_keys(typed: pl.DataFrame, secret: bytes) -> pl.Series:
    """Return a keyed hash (HMAC-SHA-256, hex) of type and normalised number of each row's identity document."""
    identity = polars_hash.concat_str("id_type", "id_number", separator="|")
    return typed.select(identity.chash.hmac_sha256(key=secret.decode()).alias("person_key")).to_series()


def keys_of_documents(secret: bytes, documents: Sequence[tuple[str, str]]) -> list[str]:
    """Return the key of each identity document, given as its type and normalised number."""
    typed = pl.DataFrame(documents, schema={"id_type": pl.String, "id_number": pl.String}, orient="row")
    return list(person_keys(typed, secret))
