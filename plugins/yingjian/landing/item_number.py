"""The number of an item of a list as a form shows it: it says nothing, and an answer finds its item by it.

An item's own number may hold a person's key or the number of a roster's record. A form with names would tell by it whose rows
a BI tool shows. So the number in a form is that number encrypted, always in the same way (AES-SIV), with a key that readers of
`reporting` do not have.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import polars as pl
import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

_PREFIX = "Y1"  # No number of a feed's own record begins so and is followed by a valid code.

Mapped = Callable[[str], str]


def hidden(conn: psycopg.Connection[Any]) -> Mapped:
    """Return the function that makes the number of an item as forms show it."""
    cipher = _cipher(conn)

    def number(item_id: str) -> str:
        return _PREFIX + base64.urlsafe_b64encode(cipher.encrypt(item_id.encode(), None)).decode().rstrip("=")

    return number


def revealed(conn: psycopg.Connection[Any]) -> Mapped:
    """Return the function that finds the item of a number; what no form of this warehouse gave out stays as it is."""
    cipher = _cipher(conn)

    def item_id(number: str) -> str:
        code = number.removeprefix(_PREFIX)
        if code == number:
            return number
        try:
            return cipher.decrypt(base64.urlsafe_b64decode(code + "=" * (-len(code) % 4)), None).decode()
        except (ValueError, InvalidTag):
            return number

    return item_id


def reveal(rows: pl.DataFrame, item_id: Mapped) -> pl.DataFrame:
    """Return typed rows of the feed `dispositions` with the items' own numbers."""
    return rows.with_columns(pl.col("item_key").map_elements(item_id, return_dtype=pl.String))


def _cipher(conn: psycopg.Connection[Any]) -> AESSIV:
    row = conn.execute("select secret from access.item_secret").fetchone()
    assert row is not None
    return AESSIV(bytes(row[0]))
