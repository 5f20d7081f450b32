"""The rows of a file into staging, and those that cannot be used into quarantine with the reason."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import cast

import polars as pl
import psycopg

from yingjian.clock import SHANGHAI
from yingjian.landing import check, suspicions
from yingjian.landing.errors import REASONS, FileRejectedError
from yingjian.landing.feeds import Feed
from yingjian.landing.locations import Found
from yingjian.landing.readers.layout import Chunk, Record
from yingjian.landing.readers.table import open_table
from yingjian.landing.readers.xlsx_file import SHEET_LINES
from yingjian.landing.store import Block, Incoming, Part, Sent, key_column, write_rejected
from yingjian.privacy import person_key


def stage_table(
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
        good = good.with_columns(person_key.person_keys(good, secret))
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
