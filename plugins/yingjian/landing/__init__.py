"""Landing: every file of a landing location into staging, or into quarantine with a reason; nothing is dropped."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlparse
from zoneinfo import ZoneInfo

import psycopg

from yingjian.landing import check
from yingjian.landing.errors import REASONS, FileRejectedError, as_text
from yingjian.landing.feeds import FEEDS, RISK_AREAS, Feed
from yingjian.landing.readers import Chunk, Record, Table, open_table
from yingjian.landing.risk_areas import read_snapshot
from yingjian.landing.store import Incoming, staging_ddl, write_rejected

__all__ = ["LandingSummary", "land", "staging_ddl"]

log = logging.getLogger(__name__)

SHANGHAI = ZoneInfo("Asia/Shanghai")
UNFINISHED = (".part", ".tmp", ".done", ".crdownload", ".filepart")


@dataclass
class LandingSummary:
    """Counts of one landing: files by what became of them, and rows."""

    files_staged: int = 0
    files_duplicate: int = 0
    files_rejected: int = 0
    files_known: int = 0
    rows_read: int = 0
    rows_staged: int = 0
    rows_rejected: int = 0
    rows_superseded: int = 0


@dataclass(frozen=True)
class Found:
    """A file in the landing location: `feed` is its folder, `location` its address, relative to nothing."""

    feed: str
    path: Path
    size: int
    modified_at: datetime

    @property
    def name(self) -> str:
        return as_text(self.path.name)

    @property
    def location(self) -> str:
        return self.path.absolute().as_uri()


def land(location: str, connect: Callable[[], psycopg.Connection], person_secret: bytes) -> LandingSummary:
    """Land every new file of `location` (a folder or `file://` URI with one folder per feed).

    Each file in a transaction of its own; a file that cannot be read is rejected whole and the others go on.
    Raises FileNotFoundError when the location is no folder.
    """
    summary = LandingSummary()
    files = find_files(_as_folder(location))
    with connect() as conn:
        known = _known_files(conn)
        conn.commit()
        for file in files:
            if (file.feed, file.location, file.size, file.modified_at) in known:
                summary.files_known += 1
            else:
                _land_file(conn, file, person_secret, summary)
    return summary


def find_files(folder: Path) -> list[Found]:
    """The files of a landing folder in the order of their receipt: by modification time, then name."""
    found = []
    for feed_folder in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        for path in sorted(feed_folder.rglob("*")):
            if path.is_file() and not path.name.startswith((".", "~$")) and path.suffix.lower() not in UNFINISHED:
                stat = path.stat()
                modified_at = datetime.fromtimestamp(stat.st_mtime_ns // 1000 / 1e6, UTC)
                found.append(Found(feed_folder.name, path, stat.st_size, modified_at))
    return sorted(found, key=lambda file: (file.modified_at, file.name, file.feed))


def _as_folder(location: str) -> Path:
    parsed = urlparse(location)
    if parsed.scheme not in ("", "file"):
        raise ValueError(f"landing location {parsed.scheme}:// is not supported: give a folder or a file:// URI")
    folder = Path(unquote(parsed.path) if parsed.scheme else location)
    if not folder.is_dir():
        raise FileNotFoundError(f"landing location {folder} is not a folder: make it, or set YINGJIAN_LANDING")
    return folder


def _known_files(conn: psycopg.Connection) -> set[tuple[str, str, int, datetime]]:
    return {
        (feed, location, size, modified_at.astimezone(UTC))
        for feed, location, size, modified_at in conn.execute(
            "select feed, location, size_bytes, modified_at from quality.landed_file"
        )
    }


def _land_file(conn: psycopg.Connection, file: Found, person_secret: bytes, summary: LandingSummary) -> None:
    try:
        sha256 = _sha256(file.path)
    except OSError as error:
        # Not recorded, so that the next landing tries it again.
        summary.files_rejected += 1
        log.warning("landing: %s/%s cannot be opened: %s", file.feed, file.name, type(error).__name__)
        return
    try:
        with conn.transaction():
            # One landing at a time writes to a feed: a second one waits, then finds the file landed.
            conn.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"yingjian.landing.{file.feed}",))
            if _is_recorded(conn, file):
                summary.files_known += 1
                return
            if file.feed not in FEEDS and file.feed != RISK_AREAS:
                expected = "、".join([*FEEDS, RISK_AREAS])
                _record(conn, file, sha256, "unknown_feed", f"没有名为“{as_text(file.feed)}”的数据源；应为：{expected}")
                summary.files_rejected += 1
            elif _is_staged(conn, file.feed, sha256):
                _record(conn, file, sha256, "duplicate", "与已入库的文件内容相同")
                summary.files_duplicate += 1
            else:
                file_id, received_at = _record(conn, file, sha256, "staged", None)
                if file.feed == RISK_AREAS:
                    _stage_snapshot(conn, file, file_id)
                else:
                    _stage_table(conn, file, FEEDS[file.feed], file_id, received_at, person_secret)
                if not _is_unchanged(file):
                    raise _StillWrittenError
                _count(conn, file_id, summary)
    except _StillWrittenError:
        log.warning("landing: %s/%s changed while it was read; left for the next landing", file.feed, file.name)
    except (FileRejectedError, psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
        # The server's message may quote a row; only its code goes on.
        reason = f"数据库不接受其内容（{error.sqlstate}）" if isinstance(error, psycopg.Error) else str(error)
        with conn.transaction():
            conn.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"yingjian.landing.{file.feed}",))
            if not _is_recorded(conn, file):
                _record(conn, file, sha256, "rejected", reason)
        summary.files_rejected += 1
        log.warning("landing: %s/%s rejected: %s", file.feed, file.name, reason)
    except psycopg.Error as error:
        # The server's message may quote a row; only its code goes on.
        raise RuntimeError(
            f"landing: {file.feed}/{file.name} could not be staged, the database said {type(error).__name__}"
            f" ({error.sqlstate}); nothing of it was kept, run again"
        ) from None


class _StillWrittenError(Exception):
    """The file is not the one whose hash was taken."""


def _is_unchanged(file: Found) -> bool:
    try:
        stat = file.path.stat()
    except OSError:
        return False
    return (stat.st_size, datetime.fromtimestamp(stat.st_mtime_ns // 1000 / 1e6, UTC)) == (file.size, file.modified_at)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_recorded(conn: psycopg.Connection, file: Found) -> bool:
    row = conn.execute(
        """
        select 1 from quality.landed_file
        where feed = %s and location = %s and size_bytes = %s and modified_at = %s
        """,
        (file.feed, file.location, file.size, file.modified_at),
    ).fetchone()
    return row is not None


def _is_staged(conn: psycopg.Connection, feed: str, sha256: str) -> bool:
    row = conn.execute(
        "select 1 from quality.landed_file where feed = %s and sha256 = %s and status = 'staged'", (feed, sha256)
    ).fetchone()
    return row is not None


def _record(
    conn: psycopg.Connection, file: Found, sha256: str, status: str, reason: str | None
) -> tuple[int, datetime]:
    row = conn.execute(
        """
        insert into quality.landed_file (feed, file_name, location, modified_at, size_bytes, sha256, status, reason)
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        returning file_id, received_at
        """,
        (file.feed, file.name, file.location, file.modified_at, file.size, sha256, status, reason),
    ).fetchone()
    assert row is not None
    return row


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


def _stage_table(
    conn: psycopg.Connection, file: Found, feed: Feed, file_id: int, received_at: datetime, person_secret: bytes
) -> None:
    table = open_table(file.path, feed)
    incoming = Incoming(conn, feed, file_id)
    read = rejected = repaired = 0
    newest_update: str | None = None
    local_receipt = received_at.astimezone(SHANGHAI).replace(tzinfo=None)

    def prepare(chunk: Chunk) -> _Prepared:
        return _prepare(chunk, table, feed, incoming, file.name, local_receipt, person_secret)

    for chunk in _ahead(map(prepare, table.chunks)):
        read += chunk.read
        repaired += chunk.repaired
        rejected += len(chunk.problems)
        newest_update = max(filter(None, (newest_update, chunk.newest_update)), default=None)
        if chunk.good:
            incoming.write(chunk.data, chunk.good)
        if chunk.problems:
            write_rejected(conn, file_id, feed.name, file.name, chunk.problems)
    balance = incoming.balance()
    conn.execute(
        """
        update quality.landed_file
        set encoding = %s, extra_columns = %s, newest_update = %s, rows_read = %s, rows_rejected = %s,
            rows_staged = %s, rows_superseded = %s, rows_repaired = %s
        where file_id = %s
        """,
        (
            table.encoding, list(table.layout.extra_columns), newest_update, read, rejected,
            balance.staged, balance.superseded, repaired, file_id,
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class _Prepared:
    """A chunk on its way to the database: `data` are its good rows as COPY takes them."""

    read: int
    good: int
    repaired: int
    newest_update: str | None
    data: bytes
    problems: list[Problem]


def _prepare(
    chunk: Chunk, table: Table, feed: Feed, incoming: Incoming, file_name: str, received_at: datetime, secret: bytes
) -> _Prepared:
    problems = [_broken(record, table, feed) for record in chunk.broken]
    if not chunk.cells.height:
        return _Prepared(chunk.rows, 0, 0, None, b"", problems)
    checked = check.type_and_check(chunk.cells, feed, received_at)
    keys = chunk.cells[feed.columns[_key_column(feed)].name]
    problems += [
        (
            chunk.lines[index],
            keys[index] or "",
            codes,
            f"{file_name}第{chunk.lines[index]}行，列“{'、'.join(columns)}”：{'、'.join(words)}",
            chunk.raw(index),
        )
        for index, codes, columns, words in checked.reasons.iter_rows()
    ]
    good = checked.typed.with_columns(line=chunk.lines)
    repaired = checked.is_repaired
    if checked.reasons.height:
        good, repaired = good.filter(~checked.is_bad), repaired.filter(~checked.is_bad)
    if feed.has_person:
        good = good.with_columns(check.person_keys(good, secret))
    return _Prepared(
        chunk.rows, good.height, int(repaired.sum()), cast("str | None", good["updated_at"].max()),
        incoming.serialize(good), sorted(problems),
    )  # fmt: skip


def _ahead(items: Iterator[_Prepared]) -> Iterator[_Prepared]:
    """The same items; the next one is prepared while the caller works with the present one."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


Problem = tuple[int, str, list[str], str, str]


def _broken(record: Record, table: Table, feed: Feed) -> Problem:
    """Why a record that is no row of the table is rejected."""
    width = table.layout.width
    codes = ["ragged_row"] if len(record.cells) != width else []
    codes += [] if record.is_text else ["bad_encoding"]
    key = "" if "ragged_row" in codes else record.cells[table.layout.positions[_key_column(feed)]]
    words = "、".join(REASONS[code] for code in codes)
    cells = f"（应{width}列，实{len(record.cells)}列）" if "ragged_row" in codes else ""
    return record.line, key, codes, f"第{record.line}行：{words}{cells}", record.raw


def _key_column(feed: Feed) -> int:
    """Place of the column by which quarantine names a record: the first of its key that is no type of document."""
    name = next(name for name in feed.key if name != "id_type")
    return next(i for i, column in enumerate(feed.columns) if column.name == name)


def _stage_snapshot(conn: psycopg.Connection, file: Found, file_id: int) -> None:
    """A later list of the same hour takes the place of the earlier one."""
    snapshot = read_snapshot(file.path)
    write_rejected(
        conn,
        file_id,
        RISK_AREAS,
        file.name,
        [
            (line, f"{snapshot.listed_at:%Y-%m-%d %H}时", [code], f"{file.name}第{line}项：{REASONS[code]}", raw)
            for line, code, raw in snapshot.rejected
        ],
    )
    conn.execute(
        """
        with replaced as (
            delete from staging.risk_areas where listed_at = %s returning file_id
        ),
        counted as (select file_id, count(*) as rows from replaced group by file_id)
        update quality.landed_file as file
        set rows_staged = file.rows_staged - counted.rows, rows_superseded = file.rows_superseded + counted.rows
        from counted
        where file.file_id = counted.file_id
        """,
        (snapshot.listed_at,),
    )
    conn.execute(
        """
        insert into staging.risk_area_snapshots (listed_at, file_id, high_count, medium_count, low_count)
        values (%s, %s, %s, %s, %s)
        on conflict (listed_at) do update set
            file_id = excluded.file_id, high_count = excluded.high_count,
            medium_count = excluded.medium_count, low_count = excluded.low_count
        """,
        (snapshot.listed_at, file_id, *snapshot.counts.values()),
    )
    with conn.cursor() as cursor, cursor.copy("copy staging.risk_areas from stdin") as copy:
        for area in snapshot.areas:
            copy.write_row(
                (
                    snapshot.listed_at,
                    area.level,
                    area.province,
                    area.city,
                    area.county,
                    area.area,
                    area.area_match,
                    file_id,
                    area.line,
                )
            )
    conn.execute(
        """
        update quality.landed_file
        set encoding = 'utf-8', newest_update = %s, rows_read = %s, rows_rejected = %s, rows_staged = %s,
            rows_superseded = %s, rows_repaired = %s
        where file_id = %s
        """,
        (
            snapshot.listed_at, snapshot.rows_read, len(snapshot.rejected), len(snapshot.areas),
            snapshot.rows_superseded, snapshot.rows_repaired, file_id,
        ),
    )  # fmt: skip
