"""Which required feeds have brought a day's data, by what their files brought."""

from __future__ import annotations

from datetime import date, datetime

import psycopg
import pytest

from tests.integration.orchestration.test_watch import put_file
from tests.metadata import put
from yingjian import clock
from yingjian.orchestration import feeds

DAY = date(2026, 1, 4)
AFTER_MIDNIGHT = datetime(2026, 1, 4, 1, 6, tzinfo=clock.SHANGHAI)


@pytest.mark.parametrize(
    ("parts", "is_missing"),
    [
        ([(date(2026, 1, 3), 60), (DAY, 3)], True),
        ([(date(2026, 1, 3), 3), (DAY, 60)], False),
        ([(DAY, 3)], False),
        ([(date(2026, 1, 3), 2), (date(2026, 1, 5), 2)], False),
    ],
    ids=["the day before, exported after midnight", "the day, with corrections", "the day alone", "a later day"],
)
def test_a_file_brings_the_day_of_most_of_its_new_rows(
    conn: psycopg.Connection, parts: list[tuple[date, int]], is_missing: bool
) -> None:
    put_file(conn, AFTER_MIDNIGHT, newest_update=AFTER_MIDNIGHT)
    [file_id] = conn.execute("select max(file_id) from quality.landed_file").fetchone() or [None]
    for day, rows in parts:
        put(conn, "quality.file_part", file_id=file_id, sender="检验所", day=day, rows=rows, rows_new=rows)
    assert ("arrivals" in feeds.missing_feeds(conn, DAY)) is is_missing
