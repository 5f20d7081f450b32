"""Opaque item numbers for forms: they reveal nothing, and an answer finds its item by them.

An item's own id may contain a person key or a roster's record key. On a form with names, it would tell readers whose rows a BI
tool shows. So forms show the id in deterministic encryption (AES-SIV), with a key that readers of `reporting` do not have.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

# No record key of a feed starts with this and continues with a valid ciphertext.
_PREFIX = "Y1"

Mapped = Callable[[str], str]


def hidden(conn: psycopg.Connection[Any]) -> Mapped:
    """Return a function that encrypts an item id into its number on forms."""
    cipher = _cipher(conn)

    def number(item_id: str) -> str:
        return _PREFIX + base64.urlsafe_b64encode(cipher.encrypt(item_id.encode(), None)).decode().rstrip("=")

    return number


def revealed(conn: psycopg.Connection[Any]) -> Mapped:
    """Return a function that decrypts a number into the item id; a number that this warehouse did not issue is unchanged."""
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


def _cipher(conn: psycopg.Connection[Any]) -> AESSIV:
    row = conn.execute("select secret from access.item_secret").fetchone()
    assert row is not None
    return AESSIV(bytes(row[0]))
