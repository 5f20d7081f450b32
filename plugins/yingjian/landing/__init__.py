"""Landing: every file of a landing location into staging, or into quarantine with a reason; nothing is dropped."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import cast
from urllib.parse import quote
from zoneinfo import ZoneInfo

import polars as pl
import psycopg

from yingjian.landing import archives, check, decisions, quarantine, suspicions
from yingjian.landing.errors import REASONS, FileRejectedError, label
from yingjian.landing.feeds import FEEDS, RISK_AREAS, Feed
from yingjian.landing.locations import Found, open_location
from yingjian.landing.readers import Chunk, Record, open_table
from yingjian.landing.readers.xlsx_file import SHEET_LINES
from yingjian.landing.risk_areas import read_snapshot
from yingjian.landing.store import (
    Block,
    Incoming,
    Part,
    Sent,
    key_column,
    staging_ddl,
    write_parts,
    write_rejected,
)
from yingjian.privacy import person_key

__all__ = ["LandingSummary", "land", "staging_ddl"]

log = logging.getLogger(__name__)

SHANGHAI = ZoneInfo("Asia/Shanghai")


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


def land(location: str, connect: Callable[[], psycopg.Connection], person_secret: bytes, cache: Path) -> LandingSummary:
    """Land every new file of `location`: a folder or URI with one folder per feed (see `locations`).

    Each file in a transaction of its own; a file that cannot be read is rejected whole and the others go on.
    cache: where pages of an API are kept. Raises FileNotFoundError when the location is no folder, ValueError when its
    kind is unknown, OSError when it is out of reach, SetupError when the warehouse's person keys are another secret's.
    """
    summary = LandingSummary()
    place = open_location(location, cache)
    files = place.find()
    with connect() as conn:
        known = _known_files(conn)
        feeds = {name: decisions.applied(conn, feed) for name, feed in FEEDS.items()}
        conn.commit()
        landing = _Landing(conn, feeds, person_secret, summary)
        for file in files:
            if (file.feed, file.location, file.size, file.modified_at) in known:
                summary.files_known += 1
                continue
            if file.refusal or file.size > archives.MAX_BYTES:
                landing.refuse(file)
                continue
            try:
                with place.local(file) as path:
                    landing.take(file, path)
            except OSError as error:
                # Not recorded, so that the next landing tries it again. Logs do not say what files are called: some
                # senders call them after persons.
                summary.files_rejected += 1
                log.warning("landing: a file of %s cannot be opened: %s", _known(file.feed), type(error).__name__)
        if summary.files_staged:
            conn.execute("select staging.settle_samples()")
    if place.problems:
        raise OSError("; ".join(place.problems) + "; everything else was landed")
    return summary


def _known_files(conn: psycopg.Connection) -> set[tuple[str, str, int, datetime]]:
    return {
        (feed, location, size, modified_at.astimezone(UTC))
        for feed, location, size, modified_at in conn.execute(
            "select feed, location, size_bytes, modified_at from quality.landed_file where not is_to_retry"
        )
    }


@dataclass
class _Landing:
    """One landing's connection, feeds with their decided layouts, secret of the person keys, and counts."""

    conn: psycopg.Connection
    feeds: dict[str, Feed]
    person_secret: bytes = field(repr=False)
    summary: LandingSummary

    def take(self, file: Found, path: Path) -> None:
        """A file, or each member of an archive; an archive is on record once all its members are."""
        is_known_feed = file.feed in FEEDS or file.feed == RISK_AREAS
        if not is_known_feed or not archives.is_archive(path):
            self._land(file, path)
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

    def refuse(self, file: Found) -> None:
        """Put a file on record that is not even opened."""
        self._reject(file, None, file.refusal or "文件过大，疑似异常文件，未读取")

    def _take_member(self, archive: Found, path: Path, sha256: str, member: archives.Member) -> None:
        """A member that cannot be unpacked is on record under the archive's size and hash."""
        file = replace(
            archive, name=f"{archive.name}/{member.name}", location=f"{archive.location}!/{quote(member.name)}"
        )
        try:
            with archives.unpacked(path, member) as unpacked:
                self._land(replace(file, size=unpacked.stat().st_size), unpacked)
        except FileRejectedError as error:
            self._reject(file, sha256, str(error))

    def _land(self, file: Found, path: Path) -> None:
        before = _state(path)
        sha256 = _sha256(path)
        try:
            with self.conn.transaction():
                self._stage(file, path, sha256)
                if _state(path) != before:
                    raise _StillWrittenError
        except _StillWrittenError:
            log.warning("landing: a file of %s changed while it was read; left for the next landing", _known(file.feed))
        except FileRejectedError as error:
            self._reject(file, sha256, str(error))
        except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
            # The server's message may quote a row; only its code goes on.
            self._reject(file, sha256, f"数据库不接受其内容（{error.sqlstate}）")
        except psycopg.Error as error:
            # The server's message may quote a row; only its code goes on.
            raise RuntimeError(
                f"landing: the file of {_known(file.feed)} with SHA-256 {sha256[:12]}… could not be staged, the database"
                f" said {type(error).__name__} ({error.sqlstate}); nothing of it was kept, run again"
            ) from None

    def _stage(self, file: Found, path: Path, sha256: str) -> None:
        conn, summary = self.conn, self.summary
        _lock(conn, file.feed)
        if _is_recorded(conn, file):
            summary.files_known += 1
        elif file.feed not in FEEDS and file.feed != RISK_AREAS:
            expected = "、".join([*FEEDS, RISK_AREAS])
            _record(conn, file, sha256, "unknown_feed", f"没有名为“{label(file.feed)}”的数据源；应为：{expected}")
            summary.files_rejected += 1
        elif _is_staged(conn, file.feed, sha256):
            _record(conn, file, sha256, "duplicate", "与已入库的文件内容相同")
            summary.files_duplicate += 1
        else:
            file_id, received_at = _record(conn, file, sha256, "staged", None)
            if file.feed == RISK_AREAS:
                _stage_snapshot(conn, file, path, file_id)
            else:
                feed = self.feeds[file.feed]
                person_key.require(conn, self.person_secret)
                _stage_table(conn, file, path, feed, file_id, received_at, self.person_secret)
                quarantine.clear_corrected(conn, feed, file_id)
            _count(conn, file_id, summary)

    def _settle(self, file: Found, sha256: str | None, status: str, reason: str | None) -> int | None:
        """Put a file on record of which no row is staged, once also when two landings meet it; returns its file_id."""
        with self.conn.transaction():
            _lock(self.conn, file.feed)
            if _is_recorded(self.conn, file):
                return None
            file_id, _ = _record(self.conn, file, sha256, status, reason)
            return file_id

    def _reject(self, file: Found, sha256: str | None, reason: str) -> None:
        file_id = self._settle(file, sha256, "rejected", reason)
        self.summary.files_rejected += 1
        log.warning("landing: file %s (%s) rejected: see quality.landed_file", file_id, _known(file.feed))


def _known(feed: str) -> str:
    return feed if feed in FEEDS or feed == RISK_AREAS else "an unknown feed"


class _StillWrittenError(Exception):
    """The file is not the one whose hash was taken."""


def _lock(conn: psycopg.Connection, feed: str) -> None:
    """One landing at a time writes to a feed: a second one waits, then finds the file landed."""
    conn.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"yingjian.landing.{feed}",))


def _state(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_recorded(conn: psycopg.Connection, file: Found) -> bool:
    row = conn.execute(
        """
        select 1 from quality.landed_file
        where feed = %s and location = %s and size_bytes = %s and modified_at = %s and not is_to_retry
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
    conn: psycopg.Connection, file: Found, sha256: str | None, status: str, reason: str | None
) -> tuple[int, datetime]:
    """The file's row of the manifest; a file that is tried again keeps its row."""
    again = conn.execute(
        """
        update quality.landed_file
        set status = %s, reason = %s, sha256 = %s, received_at = now(), is_to_retry = false
        where feed = %s and location = %s and size_bytes = %s and modified_at = %s and is_to_retry
        returning file_id, received_at
        """,
        (status, reason, sha256, file.feed, file.location, file.size, file.modified_at),
    ).fetchone()
    if again is not None:
        return again
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
    conn: psycopg.Connection,
    file: Found,
    path: Path,
    feed: Feed,
    file_id: int,
    received_at: datetime,
    person_secret: bytes,
) -> None:
    table = open_table(path, feed)
    incoming = Incoming(conn, feed, file_id)
    read = rejected = repaired = 0
    failures: Counter[str] = Counter()
    newest_update: str | None = None
    is_cut = False
    local_receipt = received_at.astimezone(SHANGHAI).replace(tzinfo=None)

    def prepare(chunk: Chunk) -> _Prepared:
        return _prepare(chunk, feed, incoming, file.name, local_receipt, person_secret)

    for chunk in _ahead(table.chunks, prepare):
        read += chunk.read
        repaired += chunk.repaired
        rejected += len(chunk.problems)
        failures.update(chunk.failures)
        newest_update = max(filter(None, (newest_update, chunk.newest_update)), default=None)
        is_cut = chunk.is_cut
        if chunk.parts:
            incoming.write(chunk.block, chunk.parts)
        if chunk.problems:
            write_rejected(conn, file_id, feed.name, file.name, chunk.problems)
    _require_unchanged_meaning(feed, failures, read)
    # In a row whose cells stand in the wrong columns, a person's name may stand where the sender should.
    conn.execute(
        "update quality.rejected_row set sender = null where file_id = %s and not (sender = any(%s))",
        (file_id, sorted(incoming.senders())),
    )
    balance = incoming.balance()
    incoming.write_parts()
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
    suspicions.note(conn, feed.name, file_id, is_cut, None if table.encoding == "xlsx" else _ends_with_newline(path))


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() in (b"\n", b"\r")


@dataclass(frozen=True)
class _Prepared:
    """A chunk on its way to the database; `block` has its good rows, `parts` how many there are by sender and day.

    is_cut: whether the last of its rows has fewer cells than the header.
    """

    read: int
    parts: dict[Part, int]
    repaired: int
    newest_update: str | None
    block: Block
    problems: list[Problem]
    is_cut: bool
    failures: Counter[str] = field(default_factory=Counter)


def _prepare(
    chunk: Chunk, feed: Feed, incoming: Incoming, file_name: str, received_at: datetime, secret: bytes
) -> _Prepared:
    problems = [_broken(record, chunk, feed, file_name) for record in chunk.broken]
    if not chunk.cells.height:
        return _Prepared(chunk.rows, {}, 0, None, Block((), "", b""), problems, _is_cut(chunk))
    checked = check.type_and_check(chunk.cells, feed, received_at)
    keys = chunk.cells[feed.columns[_key_column(feed)].name]
    senders = None if feed.sender is None else checked.typed[feed.sender.name]
    problems += [
        (
            chunk.lines[index],
            keys[index] or "",
            codes,
            f"{file_name}{_place(chunk, chunk.lines[index])}，列“{'、'.join(columns)}”：{'、'.join(words)}",
            chunk.raw[index],
            senders[index] if senders is not None else None,
        )
        for index, codes, columns, words in checked.reasons.iter_rows()
    ]
    good, is_good = checked.typed.with_columns(line=chunk.lines), ~checked.is_bad
    good = good.filter(is_good)
    if feed.has_person:
        good = good.with_columns(check.person_keys(good, secret))
    columns, sent = chunk.layout.names(feed), None
    if chunk.delimiter and columns:
        sent = Sent(chunk.raw.filter(is_good), checked.is_as_sent.filter(is_good), columns, chunk.delimiter)
    return _Prepared(
        chunk.rows, _parts(good, feed), int(checked.is_repaired.filter(is_good).sum()),
        cast("str | None", good["updated_at"].max()), incoming.serialize(good, sent), sorted(problems, key=itemgetter(0)),
        _is_cut(chunk), Counter(checked.reasons["columns"].explode().drop_nulls().to_list()),
    )  # fmt: skip


def _parts(good: pl.DataFrame, feed: Feed) -> dict[Part, int]:
    sender = pl.lit(None, pl.String) if feed.sender is None else pl.col(feed.sender.name)
    counted = good.group_by(sender.alias("sender"), pl.col("updated_at").str.slice(0, 10).alias("day")).len()
    return {(sender, day): rows for sender, day, rows in counted.iter_rows()}


def _is_cut(chunk: Chunk) -> bool:
    """Whether the last row has fewer cells than the header."""
    last = max(chunk.broken, key=lambda record: record.line, default=None)
    if last is None or (chunk.lines.len() and last.line < chunk.lines[-1]):
        return False
    return len(last.cells) < chunk.layout.width


def _ahead(chunks: Iterator[Chunk], prepare: Callable[[Chunk], _Prepared]) -> Iterator[_Prepared]:
    """Each chunk prepared; while the caller works with one, the next is read and prepared."""

    def following() -> _Prepared | None:
        chunk = next(chunks, None)
        return None if chunk is None else prepare(chunk)

    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(following)
        while (prepared := ahead.result()) is not None:
            ahead = pool.submit(following)
            yield prepared


Problem = tuple[int, str, list[str], str, str, str | None]


def _broken(record: Record, chunk: Chunk, feed: Feed, file_name: str) -> Problem:
    """Why a record that is no row of the table is rejected."""
    layout = chunk.layout
    codes = ["ragged_row"] if len(record.cells) != layout.width else []
    codes += [] if record.is_text else ["bad_encoding"]
    position = layout.positions[_key_column(feed)]
    key = "" if "ragged_row" in codes or position is None else record.cells[position]
    words = "、".join(REASONS[code] for code in codes)
    cells = f"（应{layout.width}列，实{len(record.cells)}列）" if "ragged_row" in codes else ""
    return record.line, key, codes, f"{file_name}{_place(chunk, record.line)}：{words}{cells}", record.raw, None


def _place(chunk: Chunk, line: int) -> str:
    return f"{chunk.place}第{line % SHEET_LINES}行"


# So many rows of a file, and such a share of them, must fail in one column before the column itself is suspected.
CHANGED_FROM_ROWS, CHANGED_SHARE = 100, 0.9


def _require_unchanged_meaning(feed: Feed, failures: Counter[str], rows: int) -> None:
    """Raises FileRejectedError when nearly every row fails in the same column: the column has changed, not the rows."""
    if rows < CHANGED_FROM_ROWS:
        return
    for source, count in failures.items():
        if count >= rows * CHANGED_SHARE and source not in feed.accepted_meanings:
            raise FileRejectedError(
                f"列“{source}”的含义或格式可能变了：{rows}行中{count}行无法识别。文件已保留；"
                f"确认无误后执行 yingjian landing accept {feed.name} --meaning {source}"
            )


def _key_column(feed: Feed) -> int:
    return next(i for i, column in enumerate(feed.columns) if column.name == key_column(feed))


def _stage_snapshot(conn: psycopg.Connection, file: Found, path: Path, file_id: int) -> None:
    """A later list of the same hour takes the place of the earlier one."""
    snapshot = read_snapshot(path)
    write_rejected(
        conn,
        file_id,
        RISK_AREAS,
        file.name,
        [
            (line, f"{snapshot.listed_at:%Y-%m-%d %H}时", [code], f"{file.name}第{line}项：{REASONS[code]}", raw, None)
            for line, code, raw in snapshot.rejected
        ],
    )
    before = set(
        conn.execute(
            "select level, province, city, county, area from staging.risk_areas where listed_at = %s",
            (snapshot.listed_at,),
        )
    )
    rows_new = sum(
        (area.level, area.province, area.city, area.county, area.area) not in before for area in snapshot.areas
    )
    write_parts(conn, file_id, [(None, snapshot.listed_at.date(), len(snapshot.areas), rows_new)])
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
