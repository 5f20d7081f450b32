"""Where exports come from: a folder, object storage and SFTP by Airflow's connections, or the platform's own API.

A location lists files and hands out each as a local file. Nothing in it is ever changed: what was landed is marked in
`quality.landed_file`.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import io
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
from typing import Any, Protocol
from urllib.parse import quote, unquote, unquote_to_bytes, urlparse

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from yingjian.landing.errors import label
from yingjian.landing.feeds import FEEDS, RISK_AREAS

# A file with one of these endings is being written, or is a marker itself.
UNFINISHED = (".part", ".tmp", ".done", ".crdownload", ".filepart")
DONE = ".done"
PAGE_ROWS, MAX_PAGE_BYTES = 5000, 256 << 20
ATTEMPTS = 6
FIRST_WAIT = 0.5  # Seconds; doubled after each refusal.


@dataclass(frozen=True)
class Found:
    """A file in the landing location: `feed` is its folder, `name` a label of what it is called, `location` its address.

    refusal: why it must not be opened, in Chinese.
    """

    feed: str
    name: str
    location: str
    size: int
    modified_at: datetime
    refusal: str | None = None


class Location(Protocol):
    """A place with one folder per feed. problems: feeds that could not be asked for by the last `find`, and why."""

    problems: list[str]

    def find(self) -> list[Found]:
        """Every finished file, in the order of receipt: by modification time, then name."""

    def local(self, file: Found) -> Any:
        """Context manager: the file on this machine, unchanged until it ends. Raises OSError when it cannot be had."""


def open_location(uri: str, cache: Path) -> Location:
    """The location behind a folder's path or a URI. cache: folder of this home for what an API sent.

    Raises FileNotFoundError when a folder does not exist, ValueError when the URI is of no known kind.
    """
    parsed = urlparse(uri)
    if parsed.scheme in ("", "file"):
        folder = Path(unquote(parsed.path) if parsed.scheme else uri)
        if not folder.is_dir():
            raise FileNotFoundError(f"landing location {folder} is not a folder: make it, or set YINGJIAN_LANDING")
        return Folder(folder)
    if parsed.scheme in ("http", "https"):
        return PlatformApi(uri, cache / hashlib.sha256(uri.encode()).hexdigest()[:16])
    if parsed.scheme in ("s3", "sftp"):
        return ObjectStorage(uri)
    raise ValueError(
        f"landing location {parsed.scheme}:// is not supported: give a folder, file://, sftp://, s3:// or http(s)://"
    )


def _finished(files: list[Found]) -> list[Found]:
    """Without what is being written; in a folder whose sender sets `.done` markers, only what has one."""
    marked = {file.location.removesuffix(DONE) for file in files if file.name.lower().endswith(DONE)}
    folders = {location.rpartition("/")[0] for location in marked}
    finished = [
        file
        for file in files
        if not file.name.startswith((".", "~$"))
        and not file.name.lower().endswith(UNFINISHED)
        and (file.location in marked or file.location.rpartition("/")[0] not in folders)
    ]
    return sorted(finished, key=lambda file: (file.modified_at, file.name, file.feed))


class Folder:
    """A folder of this machine, or one that is mounted.

    Its feeds' folders may be links: they are the operator's. Inside them senders write, and what they put there is opened
    only if it is a regular file of that folder: no pipe, no device, no link that leads out of it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.problems: list[str] = []

    def find(self) -> list[Found]:
        files = []
        for folder in sorted(path for path in self._root.iterdir() if path.is_dir() and path.name[0] != "."):
            for path in _paths(folder):
                try:
                    files.append(self._found(folder, path))
                except OSError:
                    continue  # It went away while the folder was read.
        return _finished(files)

    @staticmethod
    def _found(folder: Path, path: Path) -> Found:
        refusal = _refusal(folder, path)
        status = path.lstat() if refusal else path.stat()
        modified_at = datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1e6, UTC)
        return Found(
            label(folder.name), label(path.name), path.absolute().as_uri(), status.st_size, modified_at, refusal
        )

    @contextmanager
    def local(self, file: Found) -> Iterator[Path]:
        path = Path(os.fsdecode(unquote_to_bytes(file.location.removeprefix("file://"))))
        folder = self._root.absolute() / path.relative_to(self._root.absolute()).parts[0]
        if _refusal(folder, path):
            raise OSError("the file was exchanged after it was found")
        yield path


def _paths(folder: Path) -> list[Path]:
    """Everything below a folder that is no folder itself, in the order of its path; links to folders are not followed."""
    found: list[Path] = []
    ahead = [folder]
    while ahead:
        try:
            with os.scandir(ahead.pop()) as entries:
                for entry in entries:
                    (ahead if entry.is_dir(follow_symlinks=False) else found).append(Path(entry.path))
        except OSError:
            continue  # It went away, is closed to us, or its path is longer than the system takes.
    return sorted(found)


def _refusal(folder: Path, path: Path) -> str | None:
    """Why a path in a feed's folder must not be opened; raises OSError when it is gone."""
    is_link = stat.S_ISLNK(path.lstat().st_mode)
    if is_link and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        return "链接指向数据源目录之外，未读取"
    if is_link and not os.path.exists(path):
        return "链接没有目标，未读取"
    if not stat.S_ISREG(path.stat().st_mode):
        return "不是普通文件（管道、设备、套接字或文件夹的链接），未读取"
    return None


class ObjectStorage:
    """`s3://connection@bucket/prefix` or `sftp://connection@/path`, through Airflow's ObjectStoragePath."""

    def __init__(self, uri: str) -> None:
        from airflow.sdk import ObjectStoragePath

        self._root = ObjectStoragePath(uri)
        self._fs = self._root.fs
        self._uri = uri.rstrip("/")
        self.problems: list[str] = []

    def find(self) -> list[Found]:
        root = str(self._root.path).rstrip("/")
        self._fs.invalidate_cache()  # File systems of one process are shared, and so is what they remember.
        files = []
        for path, info in self._fs.find(root, detail=True).items():
            inner = PurePosixPath(path.lstrip("/")).relative_to(root.lstrip("/"))
            if len(inner.parts) < 2 or any(part.startswith(".") for part in inner.parts[:-1]):
                continue
            files.append(
                Found(
                    label(inner.parts[0]), label(inner.name), f"{self._uri}/{quote(os.fsencode(inner))}", int(info["size"]),
                    _modified_at(info),
                )
            )  # fmt: skip
        return _finished(files)

    @contextmanager
    def local(self, file: Found) -> Iterator[Path]:
        inner = os.fsdecode(unquote_to_bytes(file.location.removeprefix(self._uri + "/")))
        with tempfile.TemporaryDirectory(prefix="yingjian-fetch-") as folder:
            if shutil.disk_usage(folder).free < file.size:
                raise OSError(errno.ENOSPC, "no room to fetch a file")
            target = Path(folder) / f"file{PurePosixPath(file.name).suffix.lower()[:8]}"
            with self._fs.open(f"{str(self._root.path).rstrip('/')}/{inner}", "rb") as source, target.open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
            if target.stat().st_size != file.size:
                raise OSError("the file changed while it was fetched")
            _set_time(target, file.modified_at)
            yield target


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

    Each page is kept as a file before the next is asked for, and the cursor with it, so that a pull that breaks off goes
    on where it stopped. Waits longer after each refusal (429, 5xx, no connection) and gives up after ATTEMPTS.
    `YINGJIAN_API_TOKEN` is sent as bearer token when set.
    """

    def __init__(self, uri: str, cache: Path) -> None:
        super().__init__(cache)
        self._uri = uri.rstrip("/")
        self._wait = wait_exponential(multiplier=FIRST_WAIT, max=60)

    def find(self) -> list[Found]:
        token = os.environ.get("YINGJIAN_API_TOKEN")
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
        while True:
            page = self._page(client, feed, cursor)
            if page is None:
                return
            if page["records"]:
                self._keep(feed, page["records"])
            following = page.get("next")
            if following is not None:
                _write(state, json.dumps({"cursor": following}).encode())
            if following is None or following == cursor or not page["records"]:
                return
            cursor = following

    def _page(self, client: httpx.Client, feed: str, cursor: str | None) -> dict[str, Any] | None:
        """A page; None when the platform has no such feed. Raises OSError when it stays out of reach."""
        parameters = {"limit": str(PAGE_ROWS)} | ({"cursor": cursor} if cursor is not None else {})
        try:
            for attempt in Retrying(
                stop=stop_after_attempt(ATTEMPTS), wait=self._wait, retry=retry_if_exception(_is_passing), reraise=True
            ):
                with attempt, client.stream("GET", f"{self._uri}/{feed}", params=parameters) as answer:
                    if answer.status_code == httpx.codes.NOT_FOUND:
                        return None
                    answer.raise_for_status()
                    page = json.loads(_modest(answer))
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            status = getattr(getattr(error, "response", None), "status_code", "")
            raise OSError(
                f"the platform's API does not give {feed}: {type(error).__name__} {status}".rstrip()
            ) from None
        if not isinstance(page, dict) or not _are_records(page.get("records")):
            raise OSError(f"the platform's API does not give {feed}: its answer has no list of records")
        return page

    def _keep(self, feed: str, records: list[Any]) -> None:
        """One page as a file, named by its content, so that the same page is kept once."""
        if feed == RISK_AREAS:
            contents = [json.dumps(record, ensure_ascii=False).encode() for record in records]
        else:
            text = io.StringIO()
            names = dict.fromkeys(name for record in records for name in record)
            writer = csv.DictWriter(text, list(names), lineterminator="\n")
            writer.writeheader()
            writer.writerows(records)
            contents = [text.getvalue().encode()]
        suffix = "json" if feed == RISK_AREAS else "csv"
        for content in contents:
            _write(self._root / feed / f"{hashlib.sha256(content).hexdigest()[:24]}.{suffix}", content)


def _modest(answer: httpx.Response) -> bytes:
    """The body of an answer, unpacked; raises ValueError when it is larger than any page."""
    body = bytearray()
    for block in answer.iter_bytes():
        body += block
        if len(body) > MAX_PAGE_BYTES:
            raise ValueError("an answer of too many bytes")
    return bytes(body)


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(record, dict) for record in value)


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code == httpx.codes.TOO_MANY_REQUESTS or error.response.is_server_error
    return isinstance(error, httpx.TransportError)


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing, also when the machine stops."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
