"""A sender sends files of its feeds here, sees what became of them, and corrects rows that were refused.

The role `portal` puts a file into a table, from which landing takes it like one of the inbox; the role `reporter` reads the
sender's own rows. Nothing here writes to staging or to quarantine.
"""

from __future__ import annotations

import csv
import hashlib
import io
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row

from yingjian import reference
from yingjian.database import warehouse
from yingjian.landing import decisions, manifest, returns, trial
from yingjian.landing.errors import REASONS
from yingjian.landing.feeds import FEEDS, Feed
from yingjian.landing.trial import Trial
from yingjian.people.officials import Official
from yingjian.portal import reading
from yingjian.portal.accounts import ROLE
from yingjian.portal.readers import Need, Reader, RefusedError, now, settings
from yingjian.privacy import audit_trail
from yingjian.reports.content.paging import Page, page_at

MOST_A_DAY = 500  # This limits the files and corrections of one login; no person sends more.
ROWS = 20
FILES = 50
ENDINGS = (".csv", ".txt", ".xlsx", ".xls", ".ods", ".html", ".xml")


# A large file keeps a core for seconds; many at once would starve the pages.
_turn = threading.BoundedSemaphore(1)


class TooManyError(Exception):
    """The login sent so much within a day that nothing more is taken."""


@dataclass(frozen=True)
class Files:
    """These are the files of a sender, the newest first; `reasons` count the refused rows of each by reason, in words."""

    rows: Sequence[dict[str, Any]]
    reasons: dict[int, list[tuple[str, int]]]


def sender_of(reader: Reader) -> Official:
    assert reader.sender
    return reader.sender


def feed_of(reader: Reader, name: str) -> Feed:
    """Return a feed of the sender. Raises RefusedError when it is none of its own."""
    if name not in sender_of(reader).feeds:
        raise RefusedError(Need.SENDER, reader)
    return FEEDS[name]


def feeds(reader: Reader) -> list[Feed]:
    return [FEEDS[name] for name in sender_of(reader).feeds]


def try_file(reader: Reader, feed: Feed, path: Path) -> Trial:
    """Return what landing would do with a file, by the layouts that were decided on."""
    return _try(reader, sender_of(reader).name, feed, path)


def try_row(reader: Reader, sender: str, feed: Feed, content: bytes) -> Trial:
    """Return what landing would do with the file of one row (`row_file`) of a sender."""
    with tempfile.TemporaryDirectory(prefix="yingjian-") as folder:
        path = Path(folder) / "row.csv"
        path.write_bytes(content)
        return _try(reader, sender, feed, path)


def is_landed(reader: Reader, feed: Feed, content: bytes) -> bool:
    """Return whether a file of the feed with the same content was landed before: nothing of it would be taken again."""
    with reading.reading(reader.audience) as conn:
        return manifest.is_staged(conn, feed.name, hashlib.sha256(content).hexdigest())


def row_file(feed: Feed, cells: Sequence[str]) -> bytes:
    """Return a file with the header of a feed and one row."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([column.source for column in feed.columns])
    writer.writerow(cells)
    return text.getvalue().encode()


def is_good(tried: Trial) -> bool:
    """Return whether landing would take all rows of a file, and at least one."""
    return bool(tried.taken) and not tried.problem and not tried.refused


def send(reader: Reader, feed: Feed, content: bytes, suffix: str, corrects: int | None = None) -> int:
    """Hand a file to landing; return its number. Raises TooManyError."""
    with warehouse.connect(settings(), ROLE) as conn, conn.transaction():
        sent = conn.execute(
            "select count(*) from portal.sending where login = %s and sent_at > clock_timestamp() - interval '1 day'",
            (reader.login,),
        ).fetchone()
        if sent and sent[0] >= MOST_A_DAY:
            raise TooManyError
        row = conn.execute(
            """
            insert into portal.sending (login, sender, feed, suffix, size_bytes, corrects)
            values (%s, %s, %s, %s, %s, %s) returning sending_id
            """,
            (
                reader.login, sender_of(reader).name, feed.name, suffix if suffix in ENDINGS else "", len(content),
                corrects,
            ),
        ).fetchone()  # fmt: skip
        assert row
        number = int(row[0])
        conn.execute("insert into portal.sent_file (sending_id, content) values (%s, %s)", (number, content))
        audit_trail.record(
            conn, reader.login, "sending" if corrects is None else "sending_correction", f"sending {number}",
            feed=feed.name, bytes=len(content), rejected_id=corrects,
        )  # fmt: skip
    return number


def correct(reader: Reader, row: dict[str, Any], cells: Sequence[str]) -> Trial:
    """Send a refused row again with other cells, unless it would be refused once more: the trial says why."""
    feed = feed_of(reader, row["feed"])
    content = row_file(feed, cells)
    tried = try_row(reader, sender_of(reader).name, feed, content)
    if is_good(tried):
        send(reader, feed, content, ".csv", row["rejected_id"])
    return tried


def files(conn: reading.Conn, sender: Official) -> Files:
    """Return the files of the portal and of the inbox in which every row is the sender's."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """
            with own as (
                select file.* from quality.landed_file as file
                where exists (select from quality.file_part as part where part.file_id = file.file_id)
                and not exists (
                    select from quality.file_part as part
                    where part.file_id = file.file_id and (part.sender is null or not part.sender = any(%(names)s))
                )
                union
                select file.* from quality.landed_file as file
                inner join portal.sending as sent on file.location = sent.location
                where sent.sender = any(%(names)s)
            ),
            sent as (select * from portal.sending where sender = any(%(names)s))
            select coalesce(own.feed, sent.feed) as feed, own.file_id, sent.sending_id, sent.corrects, sent.correction_id,
                timezone('Asia/Shanghai', coalesce(sent.sent_at, own.received_at)) as sent_at, own.newest_update,
                timezone('Asia/Shanghai', own.received_at) as received_at, coalesce(own.status, 'waiting') as status,
                own.reason, own.rows_read, own.rows_staged, own.rows_rejected, own.rows_superseded
            from own full join sent on own.location = sent.location
            order by 5 desc, own.file_id desc limit %(most)s
            """,
            {"names": returns.names_of(sender.name), "most": FILES},
        ).fetchall()
        counted = cursor.execute(
            """
            select file_id, code, count(*) as rows from quality.rejected_row cross join unnest(reason_codes) as code
            where file_id = any(%s) group by file_id, code order by file_id, count(*) desc, code
            """,
            ([row["file_id"] for row in rows],),
        ).fetchall()
    reasons: dict[int, list[tuple[str, int]]] = {}
    for each in counted:
        code = str(each["code"])
        reasons.setdefault(each["file_id"], []).append((REASONS.get(code, code), int(each["rows"])))
    listed = [
        row | {"title": FEEDS[row["feed"]].title, "in_time": _in_time(row)} for row in rows if row["feed"] in FEEDS
    ]
    return Files(listed, reasons)


def pending(conn: reading.Conn, rejected_ids: Sequence[int]) -> dict[int, bool]:
    """Return the refused rows whose correction waits for the next landing, and whether an official made the correction."""
    return {
        number: by_official
        for number, by_official in conn.execute(
            """
            select sent.corrects, bool_or(sent.correction_id is not null) from portal.sending as sent
            left join quality.landed_file as file on file.location = sent.location
            where sent.corrects = any(%s) and file.file_id is null group by sent.corrects
            """,
            (list(rejected_ids),),
        )
    }


def refused_rows(conn: reading.Conn, sender: Official, number: int) -> tuple[Page[dict[str, Any]], dict[str, int]]:
    """Return a page of the sender's open rows, and how many are open by feed."""
    counts = returns.open_rows(conn, sender.name)
    page = page_at(number, sum(counts.values()), ROWS)
    rows = returns.read_open(conn, sender.name, None, page.size, page.skipped)
    waiting = pending(conn, [row["rejected_id"] for row in rows])
    return page.of([
        row
        | {
            "feed": FEEDS[row["feed"]], "is_pending": row["rejected_id"] in waiting,
            "by_office": waiting.get(row["rejected_id"], False),
        }
        for row in rows if row["feed"] in FEEDS
    ]), counts  # fmt: skip


def _try(reader: Reader, sender: str, feed: Feed, path: Path) -> Trial:
    with reading.reading(reader.audience) as conn:
        decided = decisions.applied(conn, feed)
    with _turn:
        return trial.try_file(path, decided, "", sender, now())


def _in_time(row: dict[str, Any]) -> bool | None:
    """Return whether a file came by the hour that the seed `feed` expects; None where there is no hour or no day."""
    hour = reference.feeds()[row["feed"]]["expected_by"]
    if not hour or row["newest_update"] is None or row["received_at"] is None:
        return None
    received_at: datetime = row["received_at"]
    deadline = datetime.combine(row["newest_update"].date() + timedelta(days=1), time.fromisoformat(hour))
    return received_at <= deadline
