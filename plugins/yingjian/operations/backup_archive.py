"""The backup format: a tar archive that ends with an HMAC, encrypted with age."""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import tarfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Any

import pyrage

from yingjian.operations.backup_keys import MAC
from yingjian.settings import Settings, SetupError

FORMAT = 2
# A backup leaves these out, because every run recreates them: the server's own files, Airflow's logs, dbt's artifacts, Great
# Expectations' pages, and Spark's files.
NOT_KEPT = frozenset({"postgres", "airflow", "dbt", "data_docs", "scratch", "spark", "audit_definition", "run.lock"})
PART_BYTES = 8 << 20
# Readers' logins may be members of these groups; no other property of a role is taken from a backup.
READER_GROUPS = ("bi_reader", "case_worker", "community_reader", "department_reader")


@dataclass(frozen=True)
class Manifest:
    """The contents of a backup.

    `tables` maps database -> schema.table -> row count, `publication` is the current publication's id, `person_key` the
    fingerprint of the person-key secret.
    """

    format: int
    code_version: str
    person_key: str
    publication: int | None
    tables: dict[str, dict[str, int]] = field(repr=False)

    @property
    def rows(self) -> int:
        return sum(sum(tables.values()) for tables in self.tables.values())


def _new_mac(mac: bytes) -> hmac.HMAC:
    return hmac.new(mac, b"yingjian backup %d\0" % FORMAT, hashlib.sha256)


def fingerprint(settings: Settings) -> str:
    """Return the fingerprint of the person-key secret, which tells whether a restored home would derive the
    same person keys.
    """
    return hashlib.sha256(b"yingjian.operations.backup:" + settings.person_secret).hexdigest()[:16]


def small_member(name: str, content: bytes) -> tuple[tarfile.TarInfo, Iterable[bytes]]:
    """Return an archive member with its content in memory."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, [content]


def tar(members: Iterable[tuple[tarfile.TarInfo, Iterable[bytes]]], mac: bytes) -> Iterator[bytes]:
    """Yield the bytes of an archive of these members, ending with its HMAC."""
    code = _new_mac(mac)
    for info, blocks in members:
        header, padding = (
            info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"),
            b"\0" * (-info.size % tarfile.BLOCKSIZE),
        )
        for block in chain([header], blocks, [padding]):
            code.update(block)
            yield block
    yield end_of(code)


def end_of(code: hmac.HMAC) -> bytes:
    """Return the end of an archive: the HMAC of everything before as a member, and the end-of-archive blocks."""
    info, (content,) = small_member("hmac", code.digest())
    member = info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape") + content
    return member + b"\0" * (-info.size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


END_BYTES = 4 * tarfile.BLOCKSIZE


class Pulled(io.RawIOBase):
    """A file object that reads from an iterator of blocks."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._left = memoryview(block)
        length = min(len(buffer), len(self._left))
        buffer[:length] = self._left[:length]
        self._left = self._left[length:]
        return length


class _Checked(io.RawIOBase):
    """A writable file object that computes the HMAC of all but the last END_BYTES bytes, and keeps those."""

    def __init__(self, mac: bytes) -> None:
        self.code = _new_mac(mac)
        self.end = b""

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        held = self.end + bytes(content)
        self.code.update(held[:-END_BYTES])
        self.end = held[-END_BYTES:]
        return len(content)


def require_own(copy: Path, file: Path, identities: list[pyrage.x25519.Identity], mac: bytes) -> None:
    """Raise SetupError unless the key decrypts the copy of a file and its HMAC proves it complete, unchanged and the office's
    own.
    """
    content = _Checked(mac)
    try:
        with copy.open("rb") as source:
            pyrage.decrypt_io(source, content, identities)
    except (pyrage.DecryptError, OSError) as error:
        if "No matching keys" in str(error):
            raise SetupError(f"{file} was not made for this key: nothing was restored") from None
        raise SetupError(f"{file} is damaged, cut off or no backup: nothing was restored") from None
    if not hmac.compare_digest(content.end, end_of(content.code)):
        raise SetupError(
            f"{file} was not written by who has this {MAC}…, or by another version of this program: nothing was restored"
        )


@contextmanager
def decrypted(file: Path, identities: list[pyrage.x25519.Identity]) -> Iterator[IO[bytes]]:
    """Yield the decrypted content of a verified backup as a readable stream."""
    reading, writing = os.pipe()

    def decrypt() -> None:
        # An error here (the reader stopped, or the file was deleted) ends the stream, and tarfile reports an unexpected end.
        with suppress(pyrage.DecryptError, OSError), file.open("rb") as source, open(writing, "wb") as sink:
            pyrage.decrypt_io(source, sink, identities)

    thread = threading.Thread(target=decrypt)
    thread.start()
    try:
        with open(reading, "rb") as stream:
            yield stream
    finally:
        thread.join()


def explained(error: BaseException, what: str) -> SetupError:
    """Convert an error to a SetupError that starts with `what` and quotes no data."""
    if isinstance(error, SetupError):
        return error
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return SetupError(f"{what} ({reason}): nothing was kept")
