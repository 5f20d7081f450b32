"""gzip and zip archives of exports: each member is landed as a file of its own."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from yingjian.landing.errors import FileRejectedError, as_text

# A member that unpacks to more than this, or to more than RATIO times its packed size, is no export.
MAX_BYTES = 16 << 30
MAX_RATIO, RATIO_FROM_BYTES = 200, 256 << 20
_BLOCK = 1 << 20
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)


def kind_of(path: Path) -> str | None:
    """gzip, zip or None, by the first bytes; a spreadsheet is no archive."""
    with path.open("rb") as file:
        magic = file.read(4)
    if magic[:2] == b"\x1f\x8b":
        return "gzip"
    if magic != b"PK\x03\x04" or path.suffix.lower() == ".xlsx":
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return None if "[Content_Types].xml" in archive.namelist() else "zip"
    except _BROKEN:
        return "zip"


def members(path: Path) -> list[str]:
    """Names of an archive's members, in its order. Raises FileRejectedError when it cannot be opened."""
    if kind_of(path) == "gzip":
        return [as_text(path.stem if path.suffix.lower() == ".gz" else path.name)]
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
    except _BROKEN as error:
        raise FileRejectedError(f"压缩文件无法打开（{type(error).__name__}）") from None
    return [name for name in names if not Path(name).name.startswith((".", "~$")) and "__MACOSX" not in name]


@contextmanager
def unpacked(path: Path, member: str) -> Iterator[Path]:
    """A member as a file of its own in a private folder; it has the archive's modification time.

    The name of the member is a label only: nothing is ever written under it.
    Raises FileRejectedError when the member is broken, encrypted or out of all proportion.
    """
    with tempfile.TemporaryDirectory(prefix="yingjian-unpack-") as folder:
        target = Path(folder) / f"member{Path(member).suffix.lower()[:8]}"
        try:
            if kind_of(path) == "gzip":
                with gzip.open(path) as source, target.open("wb") as out:
                    _copy(source, out, path.stat().st_size)
            else:
                with zipfile.ZipFile(path) as archive:
                    info = archive.getinfo(member)
                    with archive.open(info) as source, target.open("wb") as out:
                        _copy(source, out, info.compress_size)
        except _BROKEN as error:
            raise FileRejectedError(f"压缩文件损坏、不完整或有密码（{type(error).__name__}）") from None
        stat = path.stat()
        os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        yield target


def _copy(source: IO[bytes] | gzip.GzipFile, out: IO[bytes], packed: int) -> None:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    written = 0
    while block := source.read(_BLOCK):
        written += len(block)
        is_bomb = written > RATIO_FROM_BYTES and written > packed * MAX_RATIO
        if is_bomb or written > min(MAX_BYTES, free):
            raise FileRejectedError("压缩文件解开后过大，疑似异常文件，未读取")
        out.write(block)
