"""A bad row of each feed that came with the second half of the plan: a clear reason, nothing lost, and the day goes on."""

from __future__ import annotations

from datetime import date

import pytest

from tests import support
from tests.conftest import HomeFactory
from tests.unit.landing.test_check import ROWS
from yingjian.landing.feeds import FEEDS
from yingjian.settings import Settings

DAY = date(2022, 7, 10)
# Each cell that is wrong, with the code; a row has one fault, and the line after it is good.
BAD: dict[str, list[tuple[str, str, str]]] = {
    "referrals": [
        ("编号", "", "no_key"), ("类别", "八不同", "unknown_code"), ("检测要求", "看情况", "unknown_code"),
        ("核查时间", "2022-06-30 08:00", "time_order"), ("证件号码", "350503194205022750", "check_digit"),
        ("下发时间", "2022-02-30 08:00", "bad_date"), ("核查时间", "", "missing_value"),
    ],
    "dispositions": [
        ("处置结果", "不知道", "unknown_code"), ("项目编号", "", "missing_value"), ("处置时间", "2999-01-01 08:00", "future_time"),
        ("备注", "长" * 401, "too_long"),
    ],
    "health_checks": [
        ("体温", "365", "bad_number"), ("测量时间", "", "missing_value"), ("证件号码", "3.50503E+17", "scientific"),
    ],
    "inspections": [
        ("整改完成时间", "2022-06-30 08:00", "time_order"), ("条款", "", "missing_value"), ("场所", "13800000000", "unknown_code"),
    ],
    "isolation_sites": [
        ("房间数", "十", "bad_number"), ("可用房间数", "1.5", "bad_number"), ("状态", "停用", "unknown_code"), ("日期", "", "no_key"),
    ],
    "supplies": [("库存", "-1", "bad_number"), ("底线天数", "0.5", "bad_number"), ("物资编号", "2.02207E+15", "rounded_key")],
    "requests": [("类别", "聊天", "unknown_code"), ("办结时间", "2022-06-30 09:00", "time_order"), ("受理时间", "昨天", "bad_date")],
    "guests": [("离店时间", "2022-06-30 08:00", "time_order"), ("入住时间", "2999-01-01 08:00", "future_time"), ("证件类型", "驾照", "unknown_code")],
    "events": [("规模", "很多", "bad_number"), ("举办日期", "", "missing_value"), ("卫健审核日期", "2022-13-01", "bad_date")],
    "drills": [("类型", "开会", "unknown_code"), ("参加人数", "-3", "bad_number"), ("日期", "7月", "bad_date")],
}  # fmt: skip


def rows(feed: str) -> list[dict[str, str]]:
    """The function gives a good row, then each bad one and a good one after it, under keys of their own."""
    key = FEEDS[feed].column(FEEDS[feed].key[0]).source
    made = [ROWS[feed] | {key: f"{feed}-0"}]
    for place, (column, cell, _) in enumerate(BAD[feed], 1):
        made += [ROWS[feed] | {key: f"{feed}-bad-{place}"} | {column: cell}, ROWS[feed] | {key: f"{feed}-{place}"}]
    return made


@pytest.fixture(scope="module")
def town(home_factory: HomeFactory, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings, folder = home_factory("bad_rows"), tmp_path_factory.mktemp("landing")
    for feed in BAD:
        support.write_feed(folder, feed, rows(feed))
    assert support.land_folder(settings, folder).files_rejected == 0
    return settings


@pytest.mark.parametrize("feed", BAD)
def test_each_bad_row_says_file_line_column_and_reason(town: Settings, feed: str) -> None:
    found = support.query(
        town,
        "select line, reason_codes, reason, raw_text from quality.rejected_row where feed = %s order by line",
        feed,
    )
    # The header is line 1, the first good row line 2.
    assert [line for line, *_ in found] == [3 + 2 * place for place in range(len(BAD[feed]))]
    for (line, codes, reason, raw_text), (column, cell, code) in zip(found, BAD[feed], strict=True):
        assert code in codes, (column, codes)
        assert "a.csv" in reason and f"第{line}行" in reason and column in reason
        assert cell in raw_text


@pytest.mark.parametrize("feed", BAD)
def test_nothing_is_lost(town: Settings, feed: str) -> None:
    balance = "select rows_read, rows_staged, rows_rejected, rows_superseded from quality.landed_file where feed = %s"
    bad = len(BAD[feed])
    assert support.query(town, balance, feed) == [(2 * bad + 1, bad + 1, bad, 0)]
    assert support.query(town, f"select count(*) from staging.{feed}") == [(bad + 1,)]


@pytest.mark.slow
def test_the_day_goes_on(town: Settings) -> None:
    publication = support.run_day(town, DAY)
    assert support.query(town, "select publication_id from reporting.publication") == [(publication,)]
    told = dict(support.query(town, "select feed, rows_rejected from reporting.feed_quality"))
    assert {feed: told[feed] for feed in BAD} == {feed: len(bad) for feed, bad in BAD.items()}
