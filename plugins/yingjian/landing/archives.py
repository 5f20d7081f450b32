"""gzip and zip archives of exports: each member is landed as a file of its own."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from yingjian.landing.errors import FileRejectedError, as_text, label

# Limits against decompression bombs: bytes of a file or of all members together; number of members and size of the archive's
# directory; ratio of a member's unpacked to its packed size, checked from RATIO_FROM_BYTES on.
MAX_BYTES = 16 << 30
MAX_MEMBERS, MAX_DIRECTORY_BYTES = 10_000, 64 << 20
MAX_RATIO, RATIO_FROM_BYTES = 200, 256 << 20
_BLOCK = 1 << 20
_IS_UTF8 = 0x800
# A zip file with one of these members is a document, not an archive.
DOCUMENT_PARTS = frozenset({"[Content_Types].xml", "OFD.xml", "Index/Document.iwa"})
ODF = "application/vnd.oasis.opendocument"


@dataclass(frozen=True)
class Member:
    """A file in an archive: its display name, its packed size in bytes, and a function that opens it."""

    name: str
    packed: int
    open: Callable[[], IO[bytes] | gzip.GzipFile]


def is_archive(path: Path) -> bool:
    """Return whether the first bytes say gzip or zip; zip-based documents such as spreadsheets are not archives."""
    if _is_gzip(path):
        return True
    with path.open("rb") as file:
        is_zip = file.read(4) == b"PK\x03\x04"
    if not is_zip:
        return False
    try:
        require_modest_directory(path)
        with _broken_is_rejected(), zipfile.ZipFile(path) as archive:
            return DOCUMENT_PARTS.isdisjoint(archive.namelist()) and odf_type(archive) is None
    except FileRejectedError:
        return path.suffix.lower() not in (".xlsx", ".ods")


def odf_type(archive: zipfile.ZipFile) -> str | None:
    """Return the media type of an OpenDocument file from its first member; None for any other zip file."""
    first = next(iter(archive.infolist()), None)
    if first is None or first.filename != "mimetype" or first.file_size > 200:
        return None
    text = archive.read(first).decode("ascii", "replace")
    return text if text.startswith(ODF) else None


@contextmanager
def opened(path: Path) -> Iterator[list[Member]]:
    """Yield an archive's members in order, with duplicate names numbered. Raises FileRejectedError if the archive is damaged."""
    if _is_gzip(path):
        name = path.stem if path.suffix.lower() == ".gz" else path.name
        yield [Member(label(name), path.stat().st_size, partial(gzip.open, path))]
        return
    require_modest_directory(path)
    with _broken_is_rejected():
        archive = zipfile.ZipFile(path)
    with archive:
        seen: Counter[str] = Counter()
        members = []
        files = [info for info in archive.infolist() if not info.is_dir()]
        # Members may overlap in the archive, so that each has a normal ratio while the total has not.
        if len(files) > MAX_MEMBERS or sum(info.file_size for info in files) > MAX_BYTES:
            raise FileRejectedError("压缩文件解开后过大或成员过多，疑似异常文件，未读取")
        for info in files:
            name = label(as_text(_member_name(info)))
            if is_system_file(PurePosixPath(name).name) or "__MACOSX" in name:
                continue
            seen[name] += 1
            unique = name if seen[name] == 1 else f"{name}#{seen[name]}"
            members.append(Member(unique, info.compress_size, partial(archive.open, info)))
        yield members


def _member_name(info: zipfile.ZipInfo) -> str:
    """Return a member's name. Programs that do not mark it as UTF-8 mostly write UTF-8 or GBK, which zipfile reads as cp437."""
    if info.flag_bits & _IS_UTF8:
        return info.filename
    for encoding in ("utf-8", "gb18030"):
        try:
            return info.filename.encode("cp437").decode(encoding)
        except UnicodeError:
            continue
    return info.filename


def is_system_file(name: str) -> bool:
    """Return whether the operating system or an office program made a file for itself."""
    return name.startswith((".", "~$")) or name.lower() in ("thumbs.db", "desktop.ini")


def require_modest_directory(path: Path) -> None:
    """Reject a zip archive whose directory alone would fill the memory, before zipfile reads it.

    Raises FileRejectedError; a file without a directory is left to the caller.
    """
    with path.open("rb") as file, _broken_is_rejected():
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # as zipfile finds it itself
    if end and end[zipfile._ECD_SIZE] > MAX_DIRECTORY_BYTES:  # type: ignore[attr-defined]
        raise FileRejectedError("压缩文件的目录过大，疑似异常文件，未读取")


@contextmanager
def unpacked(path: Path, member: Member) -> Iterator[Path]:
    """Yield the path of an unpacked member in a private folder; it has the archive's modification time.

    The member's name is never used as a path. Raises FileRejectedError if the member is damaged, encrypted or exceeds the
    limits, OSError if the disk has no room for it.
    """
    with tempfile.TemporaryDirectory(prefix="yingjian-unpack-") as folder:
        target = Path(folder) / f"member{Path(member.name).suffix.lower()[:8]}"
        with _broken_is_rejected():
            source = member.open()
        with source, target.open("wb") as out:
            _copy(source, out, member.packed)
        stat = path.stat()
        os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        yield target


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _copy(source: IO[bytes] | gzip.GzipFile, out: IO[bytes], packed: int) -> None:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    written = 0
    while True:
        with _broken_is_rejected():
            block = source.read(_BLOCK)
        if not block:
            return
        written += len(block)
        if written > MAX_BYTES or (written > RATIO_FROM_BYTES and written > packed * MAX_RATIO):
            raise FileRejectedError("压缩文件解开后过大，疑似异常文件，未读取")
        if written > free:
            raise OSError(errno.ENOSPC, "no room to unpack an archive")
        out.write(block)


@contextmanager
def _broken_is_rejected() -> Iterator[None]:
    """Turn errors caused by an archive's content into FileRejectedError; disk errors pass through."""
    try:
        yield
    except Exception as error:
        # Errors caused by content have no errno, or EINVAL from a seek to a bad offset.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise FileRejectedError(f"压缩文件无法打开、损坏、不完整或有密码（{type(error).__name__}）") from None
