"""This module knows the form of a backup: a tar archive that ends with an HMAC, in the age format."""

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
# Every run makes these anew: the server's own files, Airflow's logs, dbt's artifacts, the pages of Great Expectations, and
# what Spark reads.
NOT_KEPT = frozenset({"postgres", "airflow", "dbt", "data_docs", "scratch", "spark", "audit_definition", "run.lock"})
PART_BYTES = 8 << 20
# A reader's login may be a member of these, and is named so: nothing else of a role is taken from a backup.
READER_GROUPS = ("bi_reader", "case_worker", "community_reader", "department_reader")


@dataclass(frozen=True)
class Manifest:
    """The manifest says what is in a backup.

    `tables` maps database -> schema.table -> rows, `publication` is the current one, `person_key` is the secret's
    fingerprint.
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
    """Return the fingerprint by which a restored home knows that it makes the same person keys."""
    return hashlib.sha256(b"yingjian.operations.backup:" + settings.person_secret).hexdigest()[:16]


def small_member(name: str, content: bytes) -> tuple[tarfile.TarInfo, Iterable[bytes]]:
    """Return a member of an archive whose content is held in memory."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, [content]


def tar(members: Iterable[tuple[tarfile.TarInfo, Iterable[bytes]]], mac: bytes) -> Iterator[bytes]:
    """Yield the bytes of an archive of these members, which ends with its HMAC."""
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
    """Return the last bytes of an archive: the HMAC of all before as a member, and the marks of the end."""
    info, (content,) = small_member("hmac", code.digest())
    member = info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape") + content
    return member + b"\0" * (-info.size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


END_BYTES = 4 * tarfile.BLOCKSIZE


class Pulled(io.RawIOBase):
    """This is a file to read from; its content comes from blocks."""

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
    """This is a file to write to. It keeps the HMAC of all but the last bytes, and these."""

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
    """Raise SetupError unless the key opens the copy of a file, all of it is as it was written, and the office wrote it."""
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
    """Open the content of a backup that is whole, as a file to read from."""
    reading, writing = os.pipe()

    def decrypt() -> None:
        # An error here (the reader stopped, or the file has gone) ends the stream. tarfile then says that it ends too
        # early.
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
    """Return an error as a sentence that begins with `what`, and quotes nothing of what was written or read."""
    if isinstance(error, SetupError):
        return error
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return SetupError(f"{what} ({reason}): nothing was kept")
