"""Landing: every file of a landing location goes into staging, or into quarantine with a reason; nothing is dropped."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg

from yingjian.landing import archives, decisions, manifest, quarantine, uploads
from yingjian.landing.ahead import ahead
from yingjian.landing.errors import FileRejectedError, label
from yingjian.landing.feeds import FEEDS, RISK_AREAS, Feed
from yingjian.landing.locations import LandingFile, open_location
from yingjian.landing.readers.table import begin
from yingjian.landing.readers.xlsx_file import Reader
from yingjian.landing.stage_snapshot import stage_snapshot
from yingjian.landing.stage_table import stage_table
from yingjian.privacy import person_key

log = logging.getLogger(__name__)


@dataclass
class LandingSummary:
    """Counts of one landing: files by outcome, and rows."""

    files_staged: int = 0
    files_duplicate: int = 0
    files_rejected: int = 0
    files_known: int = 0
    rows_read: int = 0
    rows_staged: int = 0
    rows_rejected: int = 0
    rows_superseded: int = 0


def land(location: str, connect: Callable[[], psycopg.Connection], person_secret: bytes, cache: Path) -> LandingSummary:
    """Land every new file of `location` (a folder or URI with one folder per feed, see `locations`) and every portal upload.

    Each file is landed in its own transaction; a file that cannot be read is rejected whole, and the others go on. cache:
    folder that keeps the pages of an API. Raises FileNotFoundError if the location is not a folder, ValueError if its kind is
    unknown, OSError if it is unreachable, and SetupError if the warehouse's person keys were made with another secret.
    """
    summary = LandingSummary()
    place = open_location(location, cache)
    files = place.find()
    with connect() as conn, ThreadPoolExecutor(1) as opening, ThreadPoolExecutor(1) as preparing:
        sent = uploads.Uploads(conn)
        known = manifest.known_files(conn)
        feeds = {name: decisions.applied(conn, feed) for name, feed in FEEDS.items()}
        conn.commit()
        landing = _Landing(conn, feeds, person_secret, summary, preparing)
        found, uploaded = (landing.new(each, known) for each in (files, sent.find()))
        # Portal uploads are read through this connection, so only this thread may read them; the others are prefetched by a
        # thread.
        opened = chain(
            ahead(found, partial(_Opened, place.local), opening), map(partial(_Opened, sent.local), uploaded)
        )
        for one in opened:
            try:
                with one:
                    landing.take(one)
            except OSError as error:
                # The file is not recorded, so the next landing tries it again. Logs leave out file names, because some senders
                # name files after persons.
                summary.files_rejected += 1
                log.warning("landing: a file of %s cannot be opened: %s", _known(one.file.feed), type(error).__name__)
        if summary.files_staged:
            conn.execute("select staging.settle_samples()")
    if place.problems:
        raise OSError("; ".join(place.problems) + "; everything else was landed")
    return summary


class _Opened:
    """A local copy of a file, as a context manager. Entering it raises OSError if the file could not be opened.

    state: its size and modification time before anything was read; reader: the reader already started on a spreadsheet.
    """

    def __init__(self, local: Callable[[LandingFile], AbstractContextManager[Path]], file: LandingFile) -> None:
        self.file = file
        self.reader: Reader | None = None
        self._error: OSError | None = None
        with ExitStack() as stack:
            try:
                self.path = stack.enter_context(local(file))
                self.state = _state(self.path)
                self.reader = begin(self.path)
            except OSError as error:
                self._error = error
            if self.reader is not None:
                stack.enter_context(self.reader)
            self._open = stack.pop_all()

    def __enter__(self) -> Self:
        if self._error is not None:
            self._open.close()
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


@dataclass
class _Landing:
    """The state of one landing: connection, feeds with accepted layout changes, person key secret, counts, and the thread that
    prepares rows.
    """

    conn: psycopg.Connection
    feeds: dict[str, Feed]
    person_secret: bytes = field(repr=False)
    summary: LandingSummary
    preparing: ThreadPoolExecutor = field(repr=False)

    def new(self, files: Iterable[LandingFile], known: set[tuple[str, str, int, datetime]]) -> list[LandingFile]:
        """Return the files to open: those not on record yet. Files that must not be opened are rejected here."""
        new = []
        for file in files:
            if (file.feed, file.location, file.size, file.modified_at) in known:
                self.summary.files_known += 1
            elif file.refusal or file.size > archives.MAX_BYTES:
                self._reject(file, None, file.refusal or "文件过大，疑似异常文件，未读取")
            else:
                new.append(file)
        return new

    def take(self, opened: _Opened) -> None:
        """Land a file, or each member of an archive; an archive is recorded once all its members are."""
        file, path = opened.file, opened.path
        is_known_feed = file.feed in FEEDS or file.feed == RISK_AREAS
        if not is_known_feed or not archives.is_archive(path):
            self._land(opened)
            return
        sha256 = _sha256(path)
        try:
            with archives.opened(path) as members:
                for member in members:
                    self._take_member(file, path, sha256, member)
        except FileRejectedError as error:
            self._reject(file, sha256, str(error))
        else:
            self._settle(file, sha256, "unpacked", None)

    def _take_member(self, archive: LandingFile, path: Path, sha256: str, member: archives.Member) -> None:
        """Land one member; one that cannot be unpacked is recorded with the archive's size and hash."""
        file = replace(
            archive, name=f"{archive.name}/{member.name}", location=f"{archive.location}!/{quote(member.name)}"
        )
        try:
            with archives.unpacked(path, member) as unpacked:
                file = replace(file, size=unpacked.stat().st_size)
                with _Opened(lambda _: nullcontext(unpacked), file) as opened:
                    self._land(opened)
        except FileRejectedError as error:
            self._reject(file, sha256, str(error))

    def _land(self, opened: _Opened) -> None:
        file = opened.file
        sha256 = _sha256(opened.path)
        try:
            with self.conn.transaction():
                self._stage(opened, sha256)
                if _state(opened.path) != opened.state:
                    raise _StillWrittenError
        except _StillWrittenError:
            log.warning("landing: a file of %s changed while it was read; left for the next landing", _known(file.feed))
        except FileRejectedError as error:
            self._reject(file, sha256, str(error))
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded) as error:
            # The server's message may quote a row; only its code goes on.
            self._reject(file, sha256, f"数据库不接受其内容（{error.sqlstate}）")
        except psycopg.Error as error:
            # The server's message may quote a row; only its code goes on.
            raise RuntimeError(
                f"landing: the file of {_known(file.feed)} with SHA-256 {sha256[:12]}… could not be staged, the database"
                f" said {type(error).__name__} ({error.sqlstate}); nothing of it was kept, run again"
            ) from None

    def _stage(self, opened: _Opened, sha256: str) -> None:
        conn, summary, file, path = self.conn, self.summary, opened.file, opened.path
        manifest.lock(conn, file.feed)
        if manifest.is_recorded(conn, file):
            summary.files_known += 1
        elif file.feed not in FEEDS and file.feed != RISK_AREAS:
            expected = "、".join([*FEEDS, RISK_AREAS])
            manifest.record(
                conn, file, sha256, "unknown_feed", f"没有名为“{label(file.feed)}”的数据源；应为：{expected}"
            )
            summary.files_rejected += 1
        elif manifest.is_staged(conn, file.feed, sha256):
            manifest.record(conn, file, sha256, "duplicate", "与已入库的文件内容相同")
            summary.files_duplicate += 1
        else:
            file_id, received_at = manifest.record(conn, file, sha256, "staged", None)
            if file.feed == RISK_AREAS:
                stage_snapshot(conn, file, path, file_id, received_at)
            else:
                feed = self.feeds[file.feed]
                person_key.require(conn, self.person_secret)
                stage_table(
                    conn, file, path, feed, file_id, received_at, self.person_secret, self.preparing, opened.reader
                )
                quarantine.clear_corrected(conn, feed, file_id)
                uploads.settle_correction(conn, file_id)
            _count(conn, file_id, summary)

    def _settle(self, file: LandingFile, sha256: str | None, status: str, reason: str | None) -> int | None:
        """Record a file without staged rows; return its file_id. Returns None if another landing recorded it first."""
        with self.conn.transaction():
            manifest.lock(self.conn, file.feed)
            if manifest.is_recorded(self.conn, file):
                return None
            file_id, _ = manifest.record(self.conn, file, sha256, status, reason)
            return file_id

    def _reject(self, file: LandingFile, sha256: str | None, reason: str) -> None:
        file_id = self._settle(file, sha256, "rejected", reason)
        self.summary.files_rejected += 1
        log.warning("landing: file %s (%s) rejected: see quality.landed_file", file_id, _known(file.feed))


def _known(feed: str) -> str:
    return feed if feed in FEEDS or feed == RISK_AREAS else "an unknown feed"


class _StillWrittenError(Exception):
    """Raised when a file changed after its hash was taken."""


def _state(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _count(conn: psycopg.Connection, file_id: int, summary: LandingSummary) -> None:
    row = conn.execute(
        "select rows_read, rows_staged, rows_rejected, rows_superseded from quality.landed_file where file_id = %s",
        (file_id,),
    ).fetchone()
    assert row is not None
    summary.files_staged += 1
    summary.rows_read += row[0]
    summary.rows_staged += row[1]
    summary.rows_rejected += row[2]
    summary.rows_superseded += row[3]
