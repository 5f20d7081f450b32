"""Generates and parses backup keys: one to encrypt, one to decrypt, and one to authenticate."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import pyrage

from yingjian.settings import SetupError

_SECRET, _PUBLIC, MAC = "AGE-SECRET-KEY-", "age1", "YINGJIAN-MAC-"
MAKE_KEY = "`yingjian backup-key` makes one; keep it where the home is not, since without it no backup can be read"


def make_key() -> str:
    """Return the text of a new key file, as needed for restoring; its comment has the part that a server needs for backups.

    The server encrypts with the public key, which cannot decrypt a backup, and authenticates with the MAC key.
    """
    identity = pyrage.x25519.Identity.generate()
    mac = f"{MAC}{secrets.token_urlsafe(32)}"
    return f"# for backups: {identity.to_public()},{mac}\n{mac}\n{identity}\n"


def _lines(key: str | None) -> list[str]:
    if not key:
        raise SetupError(f"YINGJIAN_BACKUP_KEY is not set: {MAKE_KEY}")
    text = key
    if _SECRET not in key and MAC not in key and not key.startswith(_PUBLIC):
        try:
            text = Path(key).read_text()
        except (OSError, ValueError):
            raise SetupError(f"YINGJIAN_BACKUP_KEY is neither a key nor a file with one: {MAKE_KEY}") from None
    return [line for line in re.split(r"[\s,]+", re.sub(r"#.*", "", text)) if line]


def recipients_of(key: str | None) -> list[pyrage.x25519.Recipient]:
    """Return the public keys to encrypt for. Raises SetupError if there is none."""
    try:
        return [
            pyrage.x25519.Identity.from_str(line).to_public()
            if line.startswith(_SECRET)
            else pyrage.x25519.Recipient.from_str(line)
            for line in _lines(key)
            if not line.startswith(MAC)
        ] or _lines(None)
    except (pyrage.IdentityError, pyrage.RecipientError):
        raise SetupError(f"YINGJIAN_BACKUP_KEY holds no valid key: {MAKE_KEY}") from None


def identities_of(key: str | None) -> list[pyrage.x25519.Identity]:
    """Return the secret keys that decrypt a backup. Raises SetupError if there is none."""
    lines = [line for line in _lines(key) if line.startswith(_SECRET)]
    if not lines:
        raise SetupError("YINGJIAN_BACKUP_KEY holds the public key: restoring needs the secret one (AGE-SECRET-KEY-…)")
    try:
        return [pyrage.x25519.Identity.from_str(line) for line in lines]
    except pyrage.IdentityError:
        raise SetupError(f"YINGJIAN_BACKUP_KEY holds no valid key: {MAKE_KEY}") from None


def mac_of(key: str | None) -> bytes:
    """Return the MAC key, which proves that a backup is the office's own. Raises SetupError if there is none."""
    macs = [line for line in _lines(key) if line.startswith(MAC)]
    if not macs:
        raise SetupError(
            f"YINGJIAN_BACKUP_KEY has no {MAC}…, by which a backup is known as your own: `yingjian backup-key` makes a key"
            " that has one"
        )
    return macs[0].encode()
