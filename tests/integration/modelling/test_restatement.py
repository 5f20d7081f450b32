"""Late and corrected data restate earlier days, and the next publication says so."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from tests import support
from tests.skips import needs_shared
from tests.support import IDENTITY, land_folder, query, run_day, sample, tables_read, write_feed
from yingjian.database import warehouse
from yingjian.settings import Settings

pytestmark = pytest.mark.slow

RESTATED = "select restated_date::text, group_code, reason_code, from_status, to_status, rows from reporting.restatement order by 1, 2, 3"


def member(key: str, group: str, number: str, **cells: str) -> dict[str, str]:
    return {
        "记录编号": key, **IDENTITY, "证件号码": number, "人群编号": group, "起始日期": "2022-06-20",
        "更新时间": "2022-06-20 08:00:00",
    } | cells  # fmt: skip


def test_late_samples_and_corrected_memberships(home: Settings, tmp_path: Path) -> None:
    discharged = {"锚定日期": "2022-06-28", "起始日期": "2022-06-28"}
    tested, closed = "350503194205022751", "35050319810106930X"
    write_feed(
        tmp_path, "key_population",
        [member("K37", "37", tested, **discharged), member("K1", "1", closed), member("K2", "1", tested)],
    )  # fmt: skip
    write_feed(tmp_path, "test_results", [sample("S0", "2022-06-21 08:00:00")])
    land_folder(home, tmp_path)
    run_day(home, date(2022, 7, 10))
    assert query(home, RESTATED) == [], "nothing to compare the first publication with"

    # A sample that arrives ten days late, and a membership that was closed retroactively.
    write_feed(tmp_path, "test_results", [sample("S1", "2022-07-01 08:00:00")], "late.csv")
    write_feed(
        tmp_path, "key_population",
        [member("K1", "1", closed, 移出日期="2022-07-05", 更新时间="2022-07-11 08:00:00")], "closed.csv",
    )  # fmt: skip
    land_folder(home, tmp_path)
    run_day(home, date(2022, 7, 11))
    assert query(home, RESTATED) == [
        ("2022-07-01", "37", "sample_late", "missed", "satisfied", 1),
        ("2022-07-10", "1", "record_corrected", "overdue", "none", 1),
        ("2022-07-10", "1", "sample_late", "overdue", "overdue", 1),
    ]
    run_day(home, date(2022, 7, 12))
    assert query(home, RESTATED) == [], "the day after has nothing left to say"

    # It is compared with one publication, as the plan says: the others are left alone, however many there are.
    ids = [number for (number,) in query(home, "select publication_id from published.publication order by 1")]
    for day, before in ((date(2022, 7, 12), ids[2]), (date(2022, 7, 10), ids[0])):
        support.build(home, day, "+int_publication__before", "stg_published__obligations")
        with warehouse.connect(home) as conn:
            read = tables_read(
                conn,
                "select * from staging_latest.stg_published__obligations"
                " where publication_id = (select publication_id from intermediate.int_publication__before)",
                analyze=True,
            )
        assert read.keys() == {f"obligation_p{before}"}, day


@needs_shared(support.SHARED / "risk_areas")
def test_every_real_list_lands_and_gives_the_history_of_its_zones(home: Settings, tmp_path: Path) -> None:
    day = date(2022, 9, 13)
    (tmp_path / "risk_areas").mkdir()
    lists = list((support.SHARED / "risk_areas").glob("*.json"))
    for path in lists:
        shutil.copyfile(path, tmp_path / "risk_areas" / path.name)
    land_folder(home, tmp_path)
    assert query(home, "select count(*) from quality.landed_file where feed = 'risk_areas' and status <> 'staged'") == [
        (0,)
    ]
    assert query(home, "select count(*) from quality.landed_file where feed = 'risk_areas'") == [(len(lists),)]
    support.build(home, day, "+zone_history")
    [(stays, areas, odd)] = query(
        home,
        """
        select count(*), count(distinct (province, city, county, area)), count(*) filter (where listed_to <= listed_from)
        from build.zone_history
        """,
    )
    assert stays >= areas > 1000 and odd == 0
    # Article 28 against the country: a high zone stays high for about a week.
    [(median,)] = query(
        home,
        """
        select percentile_cont(0.5) within group (order by extract(epoch from listed_to - listed_from) / 86400)
        from build.zone_history where level = '高' and listed_to is not null and listed_from > '2022-07-10'
        """,
    )
    assert 5 <= float(median) <= 10
    # The rule of seven clear days: most high zones stay about that long, and the summary says so.
    support.build(home, day, "zone_stay_summary", "+int_policy__zone_rules")
    summary = {
        row[0]: row[1:]
        for row in query(
            home, "select level, stays, days_median, rule_days, share_shorter from build.zone_stay_summary"
        )
    }
    assert summary["高"][0] > 1000 and 5 <= summary["高"][1] <= 10 and summary["高"][2] == 7
    assert 0 < summary["高"][3] < 1
    assert summary["中"][0] > 0 and summary["中"][2] == 3
