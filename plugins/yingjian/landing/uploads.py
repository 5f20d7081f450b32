"""Files that senders send in the portal: a table hands them to landing, so that the portal needs no right to a landing folder.

A file has a number and no name of its own: some senders call files after persons.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from yingjian.landing.locations import LandingFile


class Uploads:
    """The files that the portal took and that retention did not delete; the connection is landing's."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self._conn = conn

    def find(self) -> list[LandingFile]:
        rows = self._conn.execute(
            """
            select sent.sending_id, sent.feed, sent.suffix, sent.location, sent.size_bytes, sent.sent_at, sent.corrects
            from portal.sending as sent inner join portal.sent_file using (sending_id) order by sent.sending_id
            """
        ).fetchall()
        self._conn.commit()
        return [
            LandingFile(feed, f"{'网页更正' if corrects else '网页报送'}{number}{suffix}", location, size, sent_at)
            for number, feed, suffix, location, size, sent_at, corrects in rows
        ]

    @contextmanager
    def local(self, file: LandingFile) -> Iterator[Path]:
        """Give the file on this machine. Raises OSError when retention deleted it meanwhile."""
        row = self._conn.execute(
            "select content from portal.sent_file inner join portal.sending using (sending_id) where location = %s",
            (file.location,),
        ).fetchone()
        self._conn.commit()
        if row is None:
            raise OSError("the file is gone")
        with tempfile.TemporaryDirectory(prefix="yingjian-sent-") as folder:
            path = Path(folder) / file.name
            path.write_bytes(row[0])
            yield path


def settle_correction(conn: psycopg.Connection[Any], file_id: int) -> int:
    """Resolve the rejected row whose correction a file is, when the file's row was taken; return how many."""
    return conn.execute(
        """
        update quality.rejected_row as rejected
        set resolved_at = now(), resolution = '已在门户更正：' || file.file_name
        from quality.landed_file as file
        inner join portal.sending as sent on file.location = sent.location
        where file.file_id = %s and file.rows_read > 0 and file.rows_rejected = 0
        and rejected.rejected_id = sent.corrects and rejected.resolved_at is null
        """,
        (file_id,),
    ).rowcount
