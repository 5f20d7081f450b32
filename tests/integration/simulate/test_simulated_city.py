"""A city's exports land: every row that was written is staged, superseded or was made to be rejected."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.support import land_folder, query
from yingjian import simulate
from yingjian.settings import Settings

PERSONS, DAYS = 50_000, 10


@pytest.mark.beyond
def test_everything_written_lands(fresh_home: Settings, tmp_path: Path) -> None:
    size = simulate.write_landing(tmp_path, PERSONS, DAYS, 2, date(2022, 7, 24))
    summary = land_folder(fresh_home, tmp_path)
    assert summary.files_rejected == 0
    [(files, read, staged, rejected, superseded)] = query(
        fresh_home,
        """
        select count(*), sum(rows_read), sum(rows_staged), sum(rows_rejected), sum(rows_superseded)
        from quality.landed_file where feed <> 'risk_areas'
        """,
    )
    assert files <= size.files - DAYS and read == size.rows == staged + rejected + superseded
    assert rejected == 2 + 4 * DAYS  # Two bad memberships on the first day, four bad samples a day.
    assert query(fresh_home, "select count(*) from staging.residents") == [(PERSONS,)]
    [(samples, positive)] = query(
        fresh_home,
        "select count(*), count(*) filter (where result = '阳性') from staging.test_results where sampled_at::date = '2022-07-19'",
    )
    assert 0.25 * PERSONS < samples < 0.35 * PERSONS and positive == 0
    [(cases, contacts, zones)] = query(
        fresh_home,
        """
        select (select count(*) from staging.cases), (select count(*) from staging.contacts where left(contact_key, 2) = 'CT'),
            (select count(distinct zone_key) from staging.risk_zones)
        """,
    )
    assert 2 <= cases <= 10 and contacts >= 3 * cases and zones == 2
