"""Writes the valid rows of a file into staging, and the others into quarantine with the reason."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import cast
from uuid import UUID

import polars as pl
import psycopg

from yingjian.clock import SHANGHAI
from yingjian.landing import check, item_number, quarantine, suspicions
from yingjian.landing.ahead import ahead
from yingjian.landing.errors import REASONS, FileRejectedError
from yingjian.landing.feeds import DISPOSITION_FEED, Feed
from yingjian.landing.locations import LandingFile
from yingjian.landing.readers.layout import Chunk, Record
from yingjian.landing.readers.table import open_table
from yingjian.landing.readers.xlsx_file import SHEET_LINES, Reader
from yingjian.landing.store import Block, Incoming, Part, RawRows, Rejected, identity, key_column, write_rejected
from yingjian.privacy import correction, person_key


def stage_table(
    conn: psycopg.Connection,
    file: LandingFile,
    path: Path,
    feed: Feed,
    file_id: int,
    received_at: datetime,
    person_secret: bytes,
    thread: ThreadPoolExecutor,
    reader: Reader | None = None,
) -> None:
    """Stage a table. thread: it prepares the rows; the same one for all files, since polars keeps the compiled patterns of each
    thread.
    """
    table = open_table(path, feed, reader)
    places = zip(feed.columns, table.layout.positions, strict=True)
    incoming = Incoming(conn, feed, file_id, [column.name for column, place in places if place is None])
    rows_read = rows_rejected = rows_repaired = 0
    failures: Counter[str] = Counter()
    newest_update: str | None = None
    is_cut = has_old_dates = False
    widths: Counter[int] = Counter()
    corrected: list[str] = []
    persons = _Keys(person_secret, correction.right_keys(conn, person_secret)) if feed.has_person else None
    items = item_number.revealed(conn) if feed.name == DISPOSITION_FEED else None
    local_receipt = received_at.astimezone(SHANGHAI).replace(tzinfo=None)

    def prepare(chunk: Chunk) -> _Prepared:
        return _prepare(chunk, feed, incoming, file.name, local_receipt, persons, items)

    with closing(ahead(table.chunks, prepare, thread)) as chunks:
        for chunk in chunks:
            rows_read += chunk.read
            rows_repaired += chunk.repaired
            rows_rejected += len(chunk.problems)
            failures.update(chunk.failures)
            newest_update = max(filter(None, (newest_update, chunk.newest_update)), default=None)
            is_cut = chunk.is_cut
            widths.update(chunk.widths)
            has_old_dates |= chunk.has_old_dates
            corrected += chunk.corrected
            if chunk.parts:
                incoming.write(chunk.block, chunk.parts)
            if chunk.problems:
                write_rejected(conn, file_id, feed.name, file.name, chunk.problems)
    require_unchanged_meaning(feed, failures, rows_read)
    # In a shifted row, a person's name may stand in the sender's column. So a rejected row keeps its sender only if that sender
    # has a valid row, in this file or an earlier one.
    if rows_rejected:
        conn.execute(
            """
            update quality.rejected_row set sender = null
            where file_id = %s and not (sender = any(%s)) and sender not in (
                select part.sender from quality.file_part as part
                inner join quality.landed_file as file on part.file_id = file.file_id
                where file.feed = %s and part.sender is not null
            )
            """,
            (file_id, sorted(incoming.senders()), feed.name),
        )
    if corrected:
        quarantine.settle_returned(conn, feed, file_id, corrected)
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
            table.encoding, [*table.layout.extra_columns, *table.passed_over], newest_update, rows_read, rows_rejected,
            balance.staged, balance.superseded, rows_repaired, file_id,
        ),
    )  # fmt: skip
    suspicions.note(
        conn, feed.name, file_id, _ends_with_newline(path) if table.has_lines else None,
        is_cut=is_cut or table.is_cut, has_other_columns=any(rows >= OTHER_WIDTH_ROWS for rows in widths.values()),
        has_old_dates=has_old_dates, is_newest=balance.superseded == 0,
    )  # fmt: skip


# A reference to an empty cell, formatted as a date, shows a day of the spreadsheet's epoch year, 1900 or 1904.
OLD_UNTIL = "1905"


def _has_old_dates(good: pl.DataFrame, feed: Feed) -> bool:
    """Return whether a date or time lies before OLD_UNTIL; birth dates are left out, since people can be that old."""
    columns = [c.name for c in feed.columns if c.kind in ("date", "time") and c.name != "birth_date"]
    return any(str(earliest) < OLD_UNTIL for name in columns if (earliest := good[name].min()) is not None)


# If this many rows share a cell count other than the header's, the layout changed within the file.
OTHER_WIDTH_ROWS = 5


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() in (b"\n", b"\r")


@dataclass(frozen=True)
class _Prepared:
    """A chunk ready for the database: `block` holds its valid rows, `parts` their number by sender and day.

    is_cut: whether its last row has fewer cells than the header; widths: number of rows by unexpected cell count;
    has_old_dates: whether a valid row has a date from a spreadsheet's epoch; corrected: return numbers of the rejected rows
    that its valid rows correct.
    """

    read: int
    parts: dict[Part, int]
    repaired: int
    newest_update: str | None
    block: Block
    problems: list[Rejected]
    is_cut: bool
    failures: Counter[str] = field(default_factory=Counter)
    widths: Counter[int] = field(default_factory=Counter)
    has_old_dates: bool = False
    corrected: Sequence[str] = ()


@dataclass(frozen=True)
class _Keys:
    """The secret for person keys, and the replacement keys for persons whose document was corrected."""

    secret: bytes = field(repr=False)
    corrected: dict[str, str] = field(repr=False)

    def of(self, rows: pl.DataFrame) -> pl.Series:
        keys = person_key.person_keys(rows, self.secret)
        return keys.replace(self.corrected) if self.corrected else keys


def _prepare(
    chunk: Chunk,
    feed: Feed,
    incoming: Incoming,
    file_name: str,
    received_at: datetime,
    persons: _Keys | None,
    items: item_number.Mapped | None = None,
) -> _Prepared:
    if not chunk.cells.height:
        problems = rejected_rows(chunk, None, feed, file_name)
        return _Prepared(chunk.rows, {}, 0, None, Block((), "", b""), problems, _is_cut(chunk), widths=_widths(chunk))
    checked = check.type_and_check(chunk.cells, feed, received_at)
    problems = rejected_rows(chunk, checked, feed, file_name)
    good, is_good = checked.typed.with_columns(line=chunk.lines), ~checked.is_bad
    good = good.filter(is_good)
    if persons is not None:
        good = good.with_columns(persons.of(good))
    if items is not None:
        good = good.with_columns(pl.col("item_key").map_elements(items, return_dtype=pl.String))
    columns, raw_rows = chunk.layout.names(feed), None
    if chunk.delimiter and columns and items is None:
        raw_rows = RawRows(chunk.raw.filter(is_good), checked.is_as_sent.filter(is_good), columns, chunk.delimiter)
    return _Prepared(
        chunk.rows, _parts(good, feed), int(checked.is_repaired.filter(is_good).sum()),
        cast("str | None", good["updated_at"].max()), incoming.serialize(good, raw_rows), problems,
        _is_cut(chunk), Counter(checked.reasons["columns"].explode().drop_nulls().to_list()), _widths(chunk),
        _has_old_dates(good, feed), _return_numbers(chunk).filter(is_good).drop_nulls().to_list(),
    )  # fmt: skip


def rejected_rows(chunk: Chunk, checked: check.Checked | None, feed: Feed, file_name: str) -> list[Rejected]:
    """Return the rejected rows of a chunk, ordered by line; checked: None if the chunk has only broken records."""
    problems = [rejected_line(record, chunk, feed, file_name) for record in chunk.broken]
    problems = _identified(problems, chunk, feed)
    if checked is None or not checked.reasons.height:
        return problems
    keys = chunk.cells[feed.columns[_key_column(feed)].name]
    bad = checked.typed.filter(checked.is_bad)
    senders = [None] * bad.height if feed.sender is None else bad[feed.sender.name].to_list()
    identities = bad.select(identity(feed)).iter_rows(named=True)
    numbers = _return_numbers(chunk).filter(checked.is_bad)
    updated_at = feed.column("updated_at").source
    for (index, codes, columns, words), sender, typed, number in zip(
        checked.reasons.iter_rows(), senders, identities, numbers, strict=True
    ):
        other, row = _no_record(chunk.raw[index]), chunk.cells.row(index)
        if updated_at in columns:
            typed["updated_at"] = None
        problems.append(
            Rejected(
                chunk.lines[index],
                keys[index] or "",
                codes,
                f"{file_name}{_place(chunk, chunk.lines[index])}"
                + (other or f"，列“{'、'.join(columns)}”：{'、'.join(words)}"),
                chunk.raw[index],
                sender,
                None if other else {c.source: cell for c, cell in zip(feed.columns, row, strict=True) if cell},
                columns,
                None if other else typed | {"sender": sender},
                None if number is None else UUID(number),
            )
        )
    return sorted(problems, key=itemgetter(0))


def _return_numbers(chunk: Chunk) -> pl.Series:
    """Return, for each row, the return number of the rejected row that it corrects, as 32 hexadecimal digits; null if it has
    none.
    """
    if quarantine.RETURN_NUMBER not in chunk.layout.extra_columns:
        return pl.repeat(None, chunk.raw.len(), dtype=pl.String, eager=True)
    return chunk.raw.str.extract(quarantine.RETURN_NUMBER_PATTERN)


def _identified(problems: list[Rejected], chunk: Chunk, feed: Feed) -> list[Rejected]:
    """Add the identifying values to broken rows whose only fault is undecodable bytes."""
    columns = chunk.layout.positions
    whole = [i for i, record in enumerate(chunk.broken) if problems[i].codes == ["bad_encoding"]]
    if not whole:
        return problems
    cells = pl.DataFrame(
        {
            column.name: [None if place is None else chunk.broken[i].cells[place] or None for i in whole]
            for column, place in zip(feed.columns, columns, strict=True)
        },
        schema={column.name: pl.String for column in feed.columns},
    )
    identities = check.typed(cells, feed).select(identity(feed)).iter_rows(named=True)
    problems = list(problems)
    for i, typed in zip(whole, identities, strict=True):
        problems[i] = problems[i]._replace(typed=typed)
    return problems


def _parts(good: pl.DataFrame, feed: Feed) -> dict[Part, int]:
    sender = pl.lit(None, pl.String) if feed.sender is None else pl.col(feed.sender.name)
    part = pl.struct(sender.alias("sender"), pl.col("updated_at").str.slice(0, 10).alias("day")).alias("part")
    counted = good.select(part.value_counts()).to_series()
    return {(row["part"]["sender"], row["part"]["day"]): row["count"] for row in counted}


def _is_cut(chunk: Chunk) -> bool:
    """Return whether the last row has fewer cells than the header; totals and notes below the table are ignored."""
    broken = [record for record in chunk.broken if not _no_record(record.raw)]
    last = max(broken, key=lambda record: record.line, default=None)
    if last is None or (chunk.lines.len() and last.line < chunk.lines[-1]):
        return False
    return len(last.cells) < chunk.layout.width


def _widths(chunk: Chunk) -> Counter[int]:
    """Count the rows whose cell count differs from the header's, by that count; a line of one cell is a torn row or a note."""
    return Counter(len(r.cells) for r in chunk.broken if len(r.cells) not in (1, chunk.layout.width))


_TOTALS = re.compile(
    r"(?:[合总小共]\s*计|汇\s*总)(?:\s*[:：\s]\s*[\d.]*|\d+(?=[条人行份例笔名]))?\s*[条人行份例笔名]?\s*(?:[\",;\t]|$)"
    r"|共\s*\d+\s*[条人行份例笔名]"
)
_NOTES = re.compile(
    r"(?:制表|填表|填报|审核|复核|经办|负责人|签字|打印|导出|备注|说明|注)[^,，;；\t]{0,8}[:：]|以下(?:空白|无正文)"
    r"|(?:第\s*\d+\s*(?:/\s*\d+\s*)?页[\s,;，]*)?共\s*\d+\s*页|第\s*\d+\s*(?:/\s*\d+\s*)?页\W*$"
)


def _no_record(raw: str) -> str:
    """Return the message for a line of totals or a note below the table, which is no record; empty for any other row."""
    text = raw.lstrip("\"' \t,;\u3000")
    if _TOTALS.match(text):
        return "：这是合计行，不是记录，无需更正；请勿在数据区写合计"
    return "：这是说明文字，不是记录，无需更正；请勿在数据区写说明" if _NOTES.match(text) else ""


def rejected_line(record: Record, chunk: Chunk, feed: Feed, file_name: str) -> Rejected:
    """Return the rejection of a record that could not be split into the header's columns, or that has undecodable bytes."""
    layout = chunk.layout
    codes = ["ragged_row"] if len(record.cells) != layout.width else []
    codes += [] if record.is_text else ["bad_encoding"]
    position = layout.positions[_key_column(feed)]
    key = "" if "ragged_row" in codes or position is None else record.cells[position]
    words = "、".join(REASONS[code] for code in codes)
    if "bad_encoding" not in codes and (other := _no_record(record.raw)):
        return Rejected(record.line, key, codes, f"{file_name}{_place(chunk, record.line)}{other}", record.raw)
    cells = f"（应{layout.width}列，实{len(record.cells)}列）" if "ragged_row" in codes else ""
    return Rejected(record.line, key, codes, f"{file_name}{_place(chunk, record.line)}：{words}{cells}", record.raw)


def _place(chunk: Chunk, line: int) -> str:
    return f"{chunk.place}第{line % SHEET_LINES}行"


# A column's meaning is suspected to have changed if the file has at least this many rows and this share of them fails in that
# column.
CHANGED_FROM_ROWS, CHANGED_SHARE = 100, 0.9


def require_unchanged_meaning(feed: Feed, failures: Counter[str], rows: int) -> None:
    """Raise FileRejectedError if nearly every row fails in the same column: then the column has changed, not the rows."""
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
