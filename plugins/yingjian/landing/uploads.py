"""Files uploaded in the portal reach landing through a table, so that the portal needs no access to a landing folder.

A file is named by its number: its own name is dropped, since some senders name files after persons.
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
    """The files uploaded in the portal and not yet deleted by retention, read through landing's connection."""

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
        """Yield the path of a local copy. Raises OSError if retention has deleted the file meanwhile."""
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
    """Resolve the rejected row that a portal upload corrects, if all rows of the upload were accepted; return how many."""
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
