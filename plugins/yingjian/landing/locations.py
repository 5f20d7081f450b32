"""Landing locations: a folder, object storage or SFTP through Airflow's connections, or the platform's own API.

A location lists files and provides each as a local file. It is read-only: `quality.landed_file` records what was landed.
"""

from __future__ import annotations

import base64
import csv
import errno
import hashlib
import io
import ipaddress
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import NoneType
from typing import Any, Protocol
from urllib.parse import quote, unquote, unquote_to_bytes, urlparse

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from yingjian.landing.archives import is_system_file
from yingjian.landing.errors import label
from yingjian.landing.feeds import FEEDS, RISK_AREAS
from yingjian.settings import SetupError, variables

# A file with one of these suffixes is still being written, or is itself a marker.
UNFINISHED = (".part", ".tmp", ".done", ".crdownload", ".filepart")
DONE = ".done"
PAGE_ROWS, MAX_PAGE_BYTES = 5000, 256 << 20
# Limits of one pull of one feed; the next landing continues from there.
MAX_PAGES, MAX_PULL_BYTES = 20_000, 16 << 30
MAX_CURSOR = 4000
MAX_RECORDED = 2**63 - 1  # The largest value of the bigint column that stores the size.
ATTEMPTS = 6
FIRST_WAIT = 0.5  # Seconds; doubled after each failed attempt.


NO_FOLDER = "（不在文件夹中）"
NOT_IN_A_FOLDER = "文件不在任何数据源的文件夹中，未读取：请放入以数据源命名的文件夹"


@dataclass(frozen=True)
class LandingFile:
    """A file in the landing location: `feed` is its folder, `name` its display name, `location` its address.

    A file outside any folder has the feed NO_FOLDER and is rejected. refusal: why it must not be opened, in Chinese.
    """

    feed: str
    name: str
    location: str
    size: int
    modified_at: datetime
    refusal: str | None = None


class Location(Protocol):
    """A place with one folder per feed. problems: what the last `find` could not list, and why."""

    problems: list[str]

    def find(self) -> list[LandingFile]:
        """Return every finished file in order of receipt: by modification time, then name."""

    def local(self, file: LandingFile) -> Any:
        """Return a context manager for a local copy that does not change meanwhile. Raises OSError if the file is unavailable."""


def open_location(uri: str, cache: Path) -> Location:
    """Open the location of a folder path or URI. cache: folder of this home for the pages of an API.

    Raises FileNotFoundError if a folder does not exist, ValueError if the URI's scheme is unknown or unencrypted, SetupError if
    an SFTP connection has no host key.
    """
    parsed = urlparse(uri)
    if parsed.scheme in ("", "file"):
        folder = Path(unquote(parsed.path) if parsed.scheme else uri)
        if not folder.is_dir():
            raise FileNotFoundError(f"landing location {folder} is not a folder: make it, or set YINGJIAN_LANDING")
        return Folder(folder)
    if parsed.scheme in ("http", "https"):
        if parsed.scheme == "http" and not is_loopback(parsed.hostname or ""):
            raise ValueError(
                "landing location http:// would send persons' data and the token in the clear: use https://"
            )
        return PlatformApi(uri, cache / hashlib.sha256(uri.encode()).hexdigest()[:16])
    if parsed.scheme == "sftp":
        return Sftp(uri)
    if parsed.scheme == "s3":
        return ObjectStorage(uri)
    raise ValueError(
        f"landing location {parsed.scheme}:// is not supported: give a folder, file://, sftp://, s3:// or http(s)://"
    )


def is_loopback(host: str) -> bool:
    """Return whether a host is the local machine, so that traffic does not leave it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _finished(files: list[LandingFile]) -> list[LandingFile]:
    """Drop unfinished files, and, in a folder whose sender sets `.done` markers, files without one.

    The marker of `a.csv` is `a.csv.done` or `a.done`.
    """
    marked = {file.location[: -len(DONE)] for file in files if file.name.lower().endswith(DONE)}
    folders = {location.rpartition("/")[0] for location in marked}
    finished = [
        file
        for file in files
        if not is_system_file(file.name)
        and not file.name.lower().endswith(UNFINISHED)
        and (
            not marked.isdisjoint((file.location, file.location.rpartition(".")[0]))
            or file.location.rpartition("/")[0] not in folders
        )
    ]
    return sorted(finished, key=lambda file: (file.modified_at, file.name, file.feed))


class Folder:
    """A local or mounted folder.

    The feeds' folders belong to the operator and may be symlinks. Senders can write inside them, so a file there is opened only
    if it is a regular file below its folder: no pipe, no device, no symlink that leads out of it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.problems: list[str] = []

    def find(self) -> list[LandingFile]:
        files = []
        for entry in sorted(path for path in self._root.iterdir() if path.name[0] != "."):
            for path in _paths(entry) if entry.is_dir() else [entry]:
                try:
                    files.append(self._landing_file(entry, path))
                except OSError:
                    continue  # The file disappeared while the folder was read.
        return _finished(files)

    @staticmethod
    def _landing_file(entry: Path, path: Path) -> LandingFile:
        feed, refusal = (NO_FOLDER, NOT_IN_A_FOLDER) if path == entry else (label(entry.name), _refusal(entry, path))
        status = path.lstat() if refusal else path.stat()
        return LandingFile(feed, label(path.name), path.absolute().as_uri(), status.st_size, _moment(status), refusal)

    @contextmanager
    def local(self, file: LandingFile) -> Iterator[Path]:
        path = Path(os.fsdecode(unquote_to_bytes(file.location.removeprefix("file://"))))
        folder = self._root.absolute() / path.relative_to(self._root.absolute()).parts[0]
        descriptor = _opened(folder, path)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or (status.st_size, _moment(status)) != (file.size, file.modified_at):
                raise OSError("the file was exchanged after it was found")
            # Readers need a path. This symlink leads to the open descriptor, so exchanging the file meanwhile has no effect.
            with tempfile.TemporaryDirectory(prefix="yingjian-open-") as place:
                opened = Path(place) / path.name
                opened.symlink_to(f"/proc/{os.getpid()}/fd/{descriptor}")
                yield opened
        finally:
            os.close(descriptor)


def _opened(folder: Path, path: Path) -> int:
    """Open a file in a feed's folder without races; return its descriptor.

    The path is resolved once and then opened with O_NOFOLLOW, and a pipe does not block. Raises OSError if the resolved path is
    not below the folder.
    """
    real_folder, real_path = os.path.realpath(folder), Path(os.path.realpath(path))
    if not real_path.is_relative_to(real_folder):
        raise OSError("the file lies outside of its feed's folder")
    *folders, name = real_path.relative_to(real_folder).parts
    at = os.open(real_folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for inner in folders:
            below = os.open(inner, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    finally:
        os.close(at)


def _moment(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1e6, UTC)


def _paths(folder: Path) -> list[Path]:
    """Return all non-directories below a folder, sorted by path; symlinks to folders are not followed."""
    paths: list[Path] = []
    ahead = [folder]
    while ahead:
        try:
            with os.scandir(ahead.pop()) as entries:
                for entry in entries:
                    (ahead if entry.is_dir(follow_symlinks=False) else paths).append(Path(entry.path))
        except OSError:
            continue  # The folder disappeared, is not readable, or its path is too long for the system.
    return sorted(paths)


def _refusal(folder: Path, path: Path) -> str | None:
    """Return why a path in a feed's folder must not be opened, or None. Raises OSError if it has disappeared."""
    is_link = stat.S_ISLNK(path.lstat().st_mode)
    if is_link and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        return "链接指向数据源目录之外，未读取"
    if is_link and not os.path.exists(path):
        return "链接没有目标，未读取"
    if not stat.S_ISREG(path.stat().st_mode):
        return "不是普通文件（管道、设备、套接字或文件夹的链接），未读取"
    return None


class ObjectStorage:
    """Object storage, which Airflow's ObjectStoragePath reads: `s3://connection@bucket/prefix`."""

    def __init__(self, uri: str) -> None:
        self._fs, self._root = self._open(uri)
        self._uri = uri.rstrip("/")
        self.problems: list[str] = []

    @staticmethod
    def _open(uri: str) -> tuple[Any, str]:
        """Return the fsspec file system of a URI, and the folder's path in it."""
        from airflow.sdk import ObjectStoragePath

        root = ObjectStoragePath(uri)
        return root.fs, str(root.path).rstrip("/")

    def find(self) -> list[LandingFile]:
        self._fs.invalidate_cache()  # fsspec file systems are shared within the process, and so are their listing caches.
        files = []
        self.problems = []
        with _plain("the landing location cannot be listed"):
            listing = self._fs.find(self._root, detail=True)
        for path, info in listing.items():
            try:
                inner = PurePosixPath(path.lstrip("/")).relative_to(self._root.lstrip("/"))
            except ValueError:
                self.problems.append("the landing location lists a name that lies outside of it: it was not read")
                continue
            if not inner.parts or any(part.startswith(".") for part in inner.parts[:-1]):
                continue
            size, is_in_folder = info["size"], len(inner.parts) > 1
            feed = label(inner.parts[0]) if is_in_folder else NO_FOLDER
            refusal = "服务器未说明文件大小，未读取" if size is None else None if is_in_folder else NOT_IN_A_FOLDER
            files.append(
                LandingFile(
                    feed, label(inner.name), f"{self._uri}/{quote(os.fsencode(inner))}",
                    min(int(size or 0), MAX_RECORDED), _modified_at(info), refusal,
                )
            )  # fmt: skip
        return _finished(files)

    @contextmanager
    def local(self, file: LandingFile) -> Iterator[Path]:
        inner = os.fsdecode(unquote_to_bytes(file.location.removeprefix(self._uri + "/")))
        with tempfile.TemporaryDirectory(prefix="yingjian-fetch-") as folder:
            if shutil.disk_usage(folder).free < file.size:
                raise OSError(errno.ENOSPC, "no room to fetch a file")
            target = Path(folder) / f"file{PurePosixPath(file.name).suffix.lower()[:8]}"
            with _plain("the file cannot be fetched"):
                self._fetch(inner, target, file.size)
            _set_time(target, file.modified_at)
            yield target

    def _fetch(self, inner: str, target: Path, size: int) -> None:
        """Copy a file of the listed size. Raises OSError at the first byte beyond it, since the stream may be endless."""
        left = size
        with self._fs.open(f"{self._root}/{inner}", "rb") as source, target.open("wb") as out:
            while block := source.read(min(1 << 20, left + 1)):
                left -= len(block)
                if left < 0:
                    break
                out.write(block)
        if left:
            raise OSError("the file changed while it was fetched")


@contextmanager
def _plain(what: str) -> Iterator[None]:
    """Turn any exception of the client library into OSError, without its message, which may contain file names."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{what}: {type(error).__name__}") from None


class Sftp(ObjectStorage):
    """An SFTP server, `sftp://connection@/path`, whose host key the connection must declare."""

    @staticmethod
    def _open(uri: str) -> tuple[Any, str]:
        from airflow.providers.sftp.fs.sftp import get_fs
        from airflow.sdk import BaseHook

        parsed = urlparse(uri)
        name = unquote(parsed.username or "")
        known = _known_hosts(name, BaseHook.get_connection(name).extra_dejson)
        return get_fs(name, {"known_hosts": known}), unquote(parsed.path).rstrip("/")


def _known_hosts(connection: str, extra: dict[str, Any]) -> bytes:
    """Return the connection's host keys as known_hosts lines. Raises SetupError if there are none.

    Airflow's SFTP file system does not verify the host key unless it is given one.
    """
    given, path = str(extra.get("host_key") or "").strip(), str(extra.get("known_hosts") or "").strip()
    try:
        if given:
            kind, _, key = given.rpartition(" ") if " " in given else ("", "", given)
            blob = base64.b64decode(key, validate=True)
            kind = kind or blob[4 : 4 + int.from_bytes(blob[:4])].decode("ascii")
            return f"* {kind} {key}\n".encode("ascii")
        if path:
            return Path(path).read_bytes()
    except (ValueError, OSError):
        raise SetupError(
            f"the connection {connection} has a host_key or known_hosts that cannot be read: give `host_key` as in"
            ' "ssh-ed25519 AAAA…", or `known_hosts` as the path of a file'
        ) from None
    raise SetupError(
        f"the connection {connection} has no host key, so that any server could pass for the sender's: add `host_key` or"
        " `known_hosts` to its extra (docs/runbooks/landing.md)"
    )


def _modified_at(info: dict[str, Any]) -> datetime:
    value = next((info[name] for name in ("LastModified", "mtime", "last_modified") if info.get(name) is not None), 0)
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(int(value), UTC)
    assert isinstance(value, datetime)
    return value.astimezone(UTC).replace(microsecond=0)


def _set_time(path: Path, moment: datetime) -> None:
    nanoseconds = round(moment.timestamp() * 1e6) * 1000
    os.utime(path, ns=(nanoseconds, nanoseconds))


class PlatformApi(Folder):
    """The platform's paginated API: `GET <uri>/<feed>?cursor=…&limit=…` gives `{"records": […], "next": …}`.

    Each page is saved as a file, and its cursor with it, before the next is requested, so that an interrupted pull resumes
    where it stopped. Transient errors (429, 5xx, no connection) are retried with exponential backoff, up to ATTEMPTS times.
    `YINGJIAN_API_TOKEN` is sent as bearer token if set.
    """

    def __init__(self, uri: str, cache: Path) -> None:
        super().__init__(cache)
        self._uri = uri.rstrip("/")
        self._wait = wait_exponential(multiplier=FIRST_WAIT, max=60)

    def find(self) -> list[LandingFile]:
        token = variables().api_token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with httpx.Client(headers=headers, timeout=60) as client:
            for feed in [*FEEDS, RISK_AREAS]:
                try:
                    self._pull(client, feed)
                except OSError as error:
                    self.problems.append(str(error))
        return super().find()

    def _pull(self, client: httpx.Client, feed: str) -> None:
        state = self._root / f".{feed}.json"
        cursor = json.loads(state.read_text())["cursor"] if state.exists() else None
        seen, size = {cursor}, 0
        for _ in range(MAX_PAGES):
            answer = self._page(client, feed, cursor)
            if answer is None:
                return
            page, page_bytes = answer
            if page["records"]:
                self._keep(feed, page["records"])
            following = page.get("next")
            if following is None or following == cursor or not page["records"]:
                if following is not None:
                    _write(state, json.dumps({"cursor": following}).encode())
                return
            if following in seen:
                raise OSError(f"the platform's API does not give {feed}: a cursor came twice")
            _write(state, json.dumps({"cursor": following}).encode())
            seen.add(following)
            cursor, size = following, size + page_bytes
            if size > MAX_PULL_BYTES:
                break
        raise OSError(f"the platform's API gives too much of {feed} at once: the next landing goes on")

    def _page(self, client: httpx.Client, feed: str, cursor: str | int | None) -> tuple[dict[str, Any], int] | None:
        """Return a page and its size in bytes; None if the platform has no such feed. Raises OSError if all attempts fail."""
        parameters = {"limit": str(PAGE_ROWS)} | ({"cursor": str(cursor)} if cursor is not None else {})
        try:
            for attempt in Retrying(
                stop=stop_after_attempt(ATTEMPTS), wait=self._wait, retry=retry_if_exception(_is_passing), reraise=True
            ):
                with attempt, client.stream("GET", f"{self._uri}/{feed}", params=parameters) as answer:
                    if answer.status_code == httpx.codes.NOT_FOUND:
                        return None
                    answer.raise_for_status()
                    body = _modest(answer)
                    page = json.loads(body)
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            status = getattr(getattr(error, "response", None), "status_code", "")
            raise OSError(
                f"the platform's API does not give {feed}: {type(error).__name__} {status}".rstrip()
            ) from None
        if not isinstance(page, dict) or not _are_records(page.get("records")):
            raise OSError(f"the platform's API does not give {feed}: its answer has no list of records")
        following = page.get("next")
        if not isinstance(following, (str, int, NoneType)) or len(str(following)) > MAX_CURSOR:
            raise OSError(f"the platform's API does not give {feed}: its answer has a cursor that is none")
        return page, len(body)

    def _keep(self, feed: str, records: list[Any]) -> None:
        """Save a page under a name derived from its content, so that the same page is stored once."""
        if feed == RISK_AREAS:
            contents = [json.dumps(record, ensure_ascii=False).encode() for record in records]
        else:
            text = io.StringIO()
            names = dict.fromkeys(name for record in records for name in record)
            # Records may omit optional columns, so these are added to the header. If a record has an unknown Chinese name, it
            # may be a renamed column, so nothing is added and the header check finds it; ASCII names, such as id, are the
            # platform's own.
            columns = {column.source: column for column in FEEDS[feed].columns} if feed in FEEDS else {}
            if all(name in columns or name.isascii() for name in names):
                optional = (s for s, c in columns.items() if not c.required and c.name not in FEEDS[feed].key)
                names |= dict.fromkeys(optional)
            writer = csv.DictWriter(text, list(names), lineterminator="\n")
            writer.writeheader()
            writer.writerows({name: _cell(value) for name, value in record.items()} for record in records)
            contents = [text.getvalue().encode()]
        suffix = "json" if feed == RISK_AREAS else "csv"
        for content in contents:
            _write(self._root / feed / f"{hashlib.sha256(content).hexdigest()[:24]}.{suffix}", content)


def _modest(answer: httpx.Response) -> bytes:
    """Return the decompressed response body. Raises ValueError if it exceeds MAX_PAGE_BYTES."""
    body = bytearray()
    for block in answer.iter_bytes():
        body += block
        if len(body) > MAX_PAGE_BYTES:
            raise ValueError("an answer of too many bytes")
    return bytes(body)


def _cell(value: Any) -> str:
    """Return a JSON value as cell text: booleans as 是 or 否, lists joined by 、."""
    match value:
        case None:
            return ""
        case bool():
            return "是" if value else "否"
        case list():
            return "、".join(map(_cell, value))
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value).replace("\r\n", "\n").replace("\r", "\n")


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(record, dict) for record in value)


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code == httpx.codes.TOO_MANY_REQUESTS or error.response.is_server_error
    return isinstance(error, httpx.TransportError)


def _write(path: Path, content: bytes) -> None:
    """Write a file atomically and durably: it has all of its content or does not exist, even after a crash."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
