"""Files that did not come whole, versions of a record that contradict each other, and what each file brought by day."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from tests.integration.landing.test_old_dates import kinds_of_rows
from yingjian import cli, quality
from yingjian.clock import SHANGHAI
from yingjian.database import warehouse
from yingjian.landing import decisions
from yingjian.landing.feeds import FEEDS
from yingjian.operations import status as home_status
from yingjian.settings import Settings
from yingjian.simulate.people import resident_numbers

FIRST = date(2022, 7, 4)  # The day is a Monday.


def samples(rows: int, day: date, name: str, laboratory: str = "一所", **cells: str) -> list[dict[str, str]]:
    time = f"{day} 08:00:00"
    return [support.sample(f"{name}-{i}", time, 检测机构=laboratory, **cells) for i in range(rows)]


def land(home: Settings, folder: Path, *files: tuple[str, list[dict[str, str]]], feed: str = "test_results") -> None:
    """Land files one after the other, each made on the day after its newest row."""
    for name, rows in files:
        path = support.write_feed(folder, feed, rows, f"{name}.csv")
        modified_at = datetime.fromisoformat(max(row["更新时间"] for row in rows)).replace(tzinfo=SHANGHAI) + timedelta(
            days=1
        )
        os.utime(path, (modified_at.timestamp(), modified_at.timestamp()))
        support.land_folder(home, folder)


def suspicions(home: Settings) -> dict[str, list[str]]:
    return dict(support.query(home, "select file_name, suspicions from quality.landed_file order by file_id"))


def parts(home: Settings, name: str) -> list[tuple[str, date, int, int]]:
    return support.query(
        home,
        """
        select sender, day, rows, rows_new from quality.file_part inner join quality.landed_file using (file_id)
        where file_name = %s order by 1, 2
        """,
        f"{name}.csv",
    )


def cut(folder: Path, name: str, characters: int, feed: str = "test_results") -> None:
    """Take characters away from a file's end, as a transfer that broke off does."""
    path = folder / feed / f"{name}.csv"
    path.write_text(path.read_text(encoding="utf-8").rstrip("\n")[: -characters or None], encoding="utf-8")


# These tests look at rows by sender and day.


def test_what_a_file_brought_is_counted_by_sender_and_day(home: Settings, tmp_path: Path) -> None:
    tuesday = FIRST + timedelta(days=1)
    monday_rows, tuesday_rows = samples(3, FIRST, "a"), samples(2, tuesday, "b", "二所")
    land(home, tmp_path, ("first", monday_rows), ("both", monday_rows + tuesday_rows))
    assert parts(home, "first") == [("一所", FIRST, 3, 3)]
    assert parts(home, "both") == [("一所", FIRST, 3, 0), ("二所", tuesday, 2, 2)], "what is repeated is not new"
    changed = [
        monday_rows[0] | {"检测结果": "阳性"},
        monday_rows[1] | {"更新时间": f"{tuesday} 09:00:00"},
        monday_rows[2],
    ]
    land(home, tmp_path, ("changed", changed))
    assert parts(home, "changed") == [("一所", FIRST, 2, 1), ("一所", tuesday, 1, 0)], (
        "a newer time alone is nothing new"
    )
    land(home, tmp_path, ("older", [monday_rows[1] | {"检测结果": "阳性", "更新时间": f"{FIRST} 07:00:00"}]))
    assert parts(home, "older") == [("一所", FIRST, 1, 0)], "nor is a version older than what was there"


def test_rows_that_were_rejected_are_no_part(home: Settings, tmp_path: Path) -> None:
    land(home, tmp_path, ("odd", [*samples(2, FIRST, "a"), support.sample("x", f"{FIRST} 08:00:00", 检测结果="不详")]))
    assert parts(home, "odd") == [("一所", FIRST, 2, 2)]


def test_a_national_list_is_a_part_also_when_it_is_empty(home: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "risk_areas"
    folder.mkdir()
    lists = {
        "full.json": '{"data":{"end_update_time":"2022-07-04 09时","hcount":1,"mcount":0,"highlist":[{"type":"1","province":"甲省","city":"乙市","county":"丙县","area_name":"丙县","communitys":["丁村","戊村"]}],"middlelist":[]}}',
        "empty.json": '{"data":{"end_update_time":"2022-07-05 09时","hcount":0,"mcount":0,"highlist":[],"middlelist":[]}}',
    }
    for name, text in lists.items():
        (folder / name).write_text(text, encoding="utf-8")
    support.land_folder(home, tmp_path)
    rows = support.query(home, "select sender, day, rows, rows_new from quality.file_part order by day")
    assert rows == [(None, FIRST, 2, 2), (None, FIRST + timedelta(days=1), 0, 0)]


# The tests below ask whether a file is whole.


def test_stocks_of_a_day_that_are_few_are_said(home: Settings, tmp_path: Path) -> None:
    def stocks(count: int, day: date) -> list[dict[str, str]]:
        return [
            {"物资编号": f"W{i}", "品名": "口罩", "单位": "个", "库存": "9", "责任单位": "一科", "日期": str(day),
             "更新时间": f"{day} 08:00:00"}
            for i in range(count)
        ]  # fmt: skip

    days = [FIRST + timedelta(days=i) for i in range(5)]
    land(home, tmp_path, *((str(day), stocks(12, day)) for day in days[:3]), feed="supplies")
    land(home, tmp_path, (str(days[3]), stocks(6, days[3])), (str(days[4]), stocks(5, days[4])), feed="supplies")
    assert {name: codes for name, codes in suspicions(home).items() if codes} == {f"{days[4]}.csv": ["few_rows"]}


def test_a_file_that_ends_within_a_row_is_flagged(home: Settings, tmp_path: Path) -> None:
    land(home, tmp_path, ("good", samples(5, FIRST, "a")))
    support.write_feed(tmp_path, "test_results", samples(5, FIRST, "b"), "half.csv")
    cut(tmp_path, "half", 30)
    support.land_folder(home, tmp_path)
    assert suspicions(home) == {"good.csv": [], "half.csv": ["cut_row"]}


def test_a_ragged_row_in_the_middle_is_no_cut(home: Settings, tmp_path: Path) -> None:
    path = support.write_feed(tmp_path, "test_results", samples(5, FIRST, "a"), "ragged.csv")
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:3], lines[3][:20], *lines[4:]]) + "\n", encoding="utf-8")
    support.land_folder(home, tmp_path)
    assert suspicions(home) == {"ragged.csv": []}
    assert support.query(home, "select rows_rejected from quality.landed_file") == [(1,)]


def test_a_line_of_totals_is_no_cut(home: Settings, tmp_path: Path) -> None:
    path = support.write_feed(tmp_path, "test_results", samples(5, FIRST, "a"), "totals.csv")
    path.write_text(path.read_text(encoding="utf-8") + "合计,5\n", encoding="utf-8")
    support.land_folder(home, tmp_path)
    assert suspicions(home) == {"totals.csv": []}
    [(codes, words)] = support.query(home, "select reason_codes, reason from quality.rejected_row")
    assert codes == ["ragged_row"] and "合计行" in words


def test_columns_that_change_on_the_way_are_flagged(home: Settings, tmp_path: Path) -> None:
    path = support.write_feed(tmp_path, "test_results", samples(12, FIRST, "a"), "changed.csv")
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:6], *(f"{line},x" for line in lines[6:]), ""]), encoding="utf-8")
    support.land_folder(home, tmp_path)
    assert suspicions(home) == {"changed.csv": ["other_columns"]}
    assert support.query(home, "select rows_staged, rows_rejected from quality.landed_file") == [(5, 7)]


def members(count: int, day: date, **cells: str) -> list[dict[str, str]]:
    people = support.IDENTITY | {
        "人群编号": "8",
        "主管部门": "教育局",
        "起始日期": "2022-07-01",
        "更新时间": f"{day} 08:00:00",
    }
    return [people | {"记录编号": f"K{i}"} | cells for i in range(count)]


def test_a_record_that_vanished_from_a_full_export_is_said(home: Settings, tmp_path: Path) -> None:
    rows = members(20, FIRST)
    other = [row | {"记录编号": f"O{i}", "主管部门": "卫健局"} for i, row in enumerate(rows)]
    changed = [row | {"现住址": "一号", "更新时间": f"{FIRST} 08:30:00"} for row in rows[:5]]
    land(home, tmp_path, ("whole", [*rows, *other]), ("again", rows), ("part", changed), feed="key_population")
    rows = [*changed, *rows[5:]]
    assert not any(suspicions(home).values()), (
        "an increment lacks most records, and another sender's are none of its business"
    )
    ended = [rows[0] | {"移出日期": "2022-07-03", "更新时间": f"{FIRST} 09:00:00"}]
    land(home, tmp_path, ("ended", ended), ("without-ended", rows[1:]), feed="key_population")
    assert not any(suspicions(home).values())
    new = [row | {"记录编号": f"N{i}"} for i, row in enumerate(rows)]
    land(home, tmp_path, ("lacking", [*rows[1:18], *new]), feed="key_population")
    assert {name: codes for name, codes in suspicions(home).items() if codes} == {"lacking.csv": ["vanished"]}


def cadres(count: int) -> list[dict[str, str]]:
    return [
        support.IDENTITY | {"编号": f"T{i}", "队伍类型": "流调", "层级": "街道", "更新时间": f"{FIRST} 08:00:00"}
        for i in range(count)
    ]


def register(count: int) -> list[dict[str, str]]:
    numbers = resident_numbers("350503", np.arange(count) + 4000, np.arange(count))
    return [
        support.IDENTITY | {"证件号码": number, "社区": "第1社区", "更新时间": f"{FIRST} 08:00:00"}
        for number in numbers
    ]


def approvals(count: int) -> list[dict[str, str]]:
    """Rows of a feed that names no sender, and is no roster."""
    person = {name: support.IDENTITY[name] for name in ("证件类型", "证件号码")}
    return [
        person
        | {
            "编号": f"E{i}",
            "起始日期": str(FIRST),
            "截止日期": str(FIRST),
            "原因": "病假",
            "更新时间": f"{FIRST} 08:00:00",
        }
        for i in range(count)
    ]


def requests(count: int) -> list[dict[str, str]]:
    return [
        {
            "编号": f"Q{i}",
            "类别": "就医",
            "受理时间": f"{FIRST} 07:00:00",
            "办理单位": "一科",
            "更新时间": f"{FIRST} 08:00:00",
        }
        for i in range(count)
    ]


@pytest.mark.parametrize(
    ("feed", "listed", "column"), [("exemptions", approvals, "原因"), ("requests", requests, "类别")]
)
def test_a_list_that_is_no_roster_and_shrank_is_said(
    home: Settings, tmp_path: Path, feed: str, listed: Callable[[int], list[dict[str, str]]], column: str
) -> None:
    """A record may grow too old for it, and an increment may be short."""
    rows = listed(20)
    later = f"{FIRST + timedelta(days=1)} 08:00:00"
    changed = [row | {column: "其他", "更新时间": later} for row in rows[:5]]
    aged = rows[8:]
    land(home, tmp_path, ("whole", rows), ("increment", changed), ("aged", aged), feed=feed)
    assert set(map(tuple, suspicions(home).values())) == {()}
    assert len(parts(home, "whole")) == 1, "its rows are staged"
    land(home, tmp_path, ("whole-later", [*changed, *rows[5:]]), ("fraction", rows[18:]), feed=feed)
    assert {name: codes for name, codes in suspicions(home).items() if codes} == {"fraction.csv": ["shrunk"]}


@pytest.mark.parametrize(
    ("feed", "roster"),
    [("key_population", lambda count: members(count, FIRST)), ("residents", register), ("teams", cadres)],
)
def test_a_roster_that_shrank_to_a_fraction_is_said(
    home: Settings, tmp_path: Path, feed: str, roster: Callable[[int], list[dict[str, str]]]
) -> None:
    rows = roster(20)
    increment = [row | {"姓名": "陈改名", "更新时间": f"{FIRST} 09:00:00"} for row in rows[:9]]
    land(home, tmp_path, ("whole", rows), ("half", rows[:10]), feed=feed)
    land(home, tmp_path, ("whole-again", rows[::-1]), ("increment", increment), feed=feed)
    assert {name: codes for name, codes in suspicions(home).items() if "shrunk" in codes} == {}
    land(home, tmp_path, ("whole-later", [*increment, *rows[9:]]), ("fraction", rows[11:]), feed=feed)
    assert {name: codes for name, codes in suspicions(home).items() if codes} == {"fraction.csv": ["shrunk"]}
    assert support.query(home, f"select count(*) from staging.{feed}") == [(20,)], (
        "nothing is believed of what it lacks"
    )


def test_a_date_that_an_empty_cell_becomes_is_flagged(home: Settings, tmp_path: Path) -> None:
    land(home, tmp_path, ("old", members(2, FIRST, 起始日期="1900-01-01")), feed="key_population")
    assert suspicions(home) == {"old.csv": ["old_dates"]}


def national_list(folder: Path, hour: str, areas: int) -> None:
    entry = {"province": "甲省", "city": "乙市", "county": "丙县", "communitys": [f"第{i}村" for i in range(areas)]}
    path = folder / "risk_areas" / f"{hour}-{areas}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"data": {"end_update_time": f"{hour}时", "highlist": [entry] if areas else []}}))


def test_a_list_that_lost_nearly_all_its_areas_waits_for_a_decision(home: Settings, tmp_path: Path) -> None:
    held = "select listed_at::text from staging.risk_area_snapshots where is_held order by 1"
    for hour, areas in (("2022-07-04 08", 40), ("2022-07-04 20", 3), ("2022-07-05 08", 2), ("2022-07-04 12", 50)):
        national_list(tmp_path, hour, areas)
        support.land_folder(home, tmp_path)
    assert support.query(home, held) == [("2022-07-04 20:00:00",), ("2022-07-05 08:00:00",)]
    with warehouse.connect(home) as conn:
        decisions.accept_list(conn, "2022-07-04 20", "所有地区降级", "tester")
        with pytest.raises(ValueError, match="held back"):
            decisions.accept_list(conn, "2022-07-04 20", "所有地区降级", "tester")
    assert support.query(home, held) == [], "the next one is compared with the one that was accepted"


def test_a_line_without_its_usual_end_is_flagged(home: Settings, tmp_path: Path) -> None:
    for number in range(3):
        land(home, tmp_path, (f"good-{number}", samples(5, FIRST, f"a{number}")))
    support.write_feed(tmp_path, "test_results", samples(5, FIRST, "b"), "half.csv")
    cut(tmp_path, "half", 1)  # The last second of the last time is still a time to look at, and a row.
    support.land_folder(home, tmp_path)
    assert suspicions(home)["half.csv"] == ["no_newline"]


def test_a_sender_who_never_ends_the_last_line_is_not_flagged(home: Settings, tmp_path: Path) -> None:
    for number in range(3):
        land(home, tmp_path, (f"other-{number}", samples(5, FIRST, f"o{number}", "二所")))
    for number in range(5):
        support.write_feed(tmp_path, "test_results", samples(5, FIRST, f"a{number}"), f"mine-{number}.csv")
        cut(tmp_path, f"mine-{number}", 0)
        support.land_folder(home, tmp_path)
    assert {name: codes for name, codes in suspicions(home).items() if codes} == {}


def test_less_than_half_of_what_a_sender_brings_is_flagged_until_the_rest_comes(home: Settings, tmp_path: Path) -> None:
    for number, rows in enumerate((40, 50, 60)):
        day = FIRST + timedelta(days=number)
        land(
            home, tmp_path, (f"day-{number}", samples(rows, day, f"a{number}") + samples(8, day, f"b{number}", "小所"))
        )
    thursday = FIRST + timedelta(days=3)
    land(home, tmp_path, ("portion-1", samples(24, thursday, "p1") + samples(1, thursday, "q1", "小所")))
    assert suspicions(home)["portion-1.csv"] == ["few_rows"], "24 of a usual 50"
    land(home, tmp_path, ("again", samples(24, thursday, "p1") + samples(1, FIRST, "c")))
    assert suspicions(home)["portion-1.csv"] == ["few_rows"], "what is repeated is not the rest"
    land(home, tmp_path, ("portion-2", samples(1, thursday, "p2")))
    assert not any(suspicions(home).values()), "25 are half, and so few of a small sender say nothing"


def test_a_day_that_is_not_over_is_not_judged_yet(home: Settings, tmp_path: Path) -> None:
    for number in range(3):
        land(home, tmp_path, (f"day-{number}", samples(60, FIRST + timedelta(days=number), f"a{number}")))
    thursday, friday = FIRST + timedelta(days=3), FIRST + timedelta(days=4)
    land(home, tmp_path, ("wednesday", samples(50, thursday - timedelta(days=1), "w") + samples(9, thursday, "early")))
    support.write_feed(tmp_path, "test_results", samples(9, thursday, "noon"), "noon.csv")
    support.land_folder(home, tmp_path)
    assert not any(suspicions(home).values()), "more of the day may come"
    land(home, tmp_path, ("thursday", samples(9, thursday, "evening") + samples(2, friday, "early")))
    assert {name for name, codes in suspicions(home).items() if codes} == {"noon.csv", "thursday.csv"}


def test_a_day_is_compared_with_the_same_weekday(home: Settings, tmp_path: Path) -> None:
    sundays = {6, 13, 20, 27}
    for number in range(28):
        rows = 40 if number in sundays else 200
        land(home, tmp_path, (f"day-{number:02}", samples(rows, FIRST + timedelta(days=number), f"a{number}")))
    flagged = [name for name, codes in suspicions(home).items() if codes]
    assert flagged == ["day-06.csv", "day-13.csv", "day-20.csv"], (
        "until three Sundays are known, all days are what is usual"
    )


@pytest.fixture(scope="module")
def town(home_factory: HomeFactory, landed_town: Settings) -> Settings:
    """The simulated town. The last test lands more."""
    return home_factory("doubtful", landed_town)


def test_good_files_of_a_town_have_no_flag(town: Settings) -> None:
    [(files, days, new, rows)] = support.query(
        town,
        """
        select count(distinct file_id), count(distinct day), sum(rows_new), sum(rows)
        from quality.file_part
        """,
    )
    assert files > 100 and days > 10 and 0 < new <= rows
    assert {name: codes for name, codes in suspicions(town).items() if codes} == {}
    staged = "select sum(rows_read - rows_rejected) from quality.landed_file where status = 'staged' and feed <> 'risk_areas'"
    counted = "select sum(rows) from quality.file_part inner join quality.landed_file using (file_id) where feed <> 'risk_areas'"
    assert support.query(town, staged) == support.query(town, counted)


# The tests below look for contradictions.


def contradictions(home: Settings) -> list[tuple]:  # type: ignore[type-arg]
    return support.query(
        home,
        """
        select feed, record_key, line, other_line, file_id = other_file_id, columns
        from quality.contradiction order by contradiction_id
        """,
    )


def test_versions_with_equal_times_and_other_values_are_listed(home: Settings, tmp_path: Path) -> None:
    rows = samples(4, FIRST, "a")
    within = [*rows, rows[0] | {"检测结果": "阳性"}, rows[1]]
    land(home, tmp_path, ("within", within))
    assert contradictions(home) == [("test_results", "a-0", 6, 2, True, ["检测结果"])]
    between = [rows[2] | {"检测结果": "阳性", "手机号": "13900000000"}, rows[3], rows[1] | {"检测结果": "阳性", "更新时间": f"{FIRST} 09:00:00"}]  # fmt: skip
    land(home, tmp_path, ("between", between))
    assert contradictions(home)[1:] == [("test_results", "a-2", 2, 4, False, ["手机号", "检测结果"])]
    results = support.query(home, "select sample_key, result from staging.test_results order by 1")
    assert results == [("a-0", "阳性"), ("a-1", "阳性"), ("a-2", "阳性"), ("a-3", "阴性")], "the later one holds"


@pytest.mark.parametrize("feed", [name for name in FEEDS if name != "test_results"])
def test_every_feed_notices_a_contradiction(home: Settings, tmp_path: Path, feed: str, landed_rows: dict[str, dict[str, str]]) -> None:  # fmt: skip
    row = landed_rows[feed]
    others = [column for column in FEEDS[feed].columns if column.name not in FEEDS[feed].key and not column.required]
    changed, cell = next(
        (column, text)
        for kind, text in (("text", "另一个"), ("time", "2022-07-21 08:00:00"), ("code", "阳性"))
        for column in others
        if column.kind == kind and row[column.source] != text
    )
    two = row | {changed.source: cell}
    land(home, tmp_path, ("one", [row]), ("two", [two]), ("three", [two, two]), feed=feed)
    [(name, key, *_, columns)] = contradictions(home)
    assert (name, columns) == (feed, [changed.source])
    assert key != row.get("证件号码"), "no document number"


@pytest.fixture(scope="module")
def landed_rows(town: Settings) -> dict[str, dict[str, str]]:
    """A row of each feed, as the town has it."""
    return {name: kinds_of_rows(town, feed)[0] for name, feed in FEEDS.items()}


# The tests below look at what is shown.


def test_both_are_shown(
    town: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = town
    rows = samples(6, WORLD_DAY, "z")
    support.write_feed(tmp_path, "test_results", [*rows, rows[0] | {"检测结果": "阳性"}, rows[5]], "half.csv")
    cut(tmp_path, "half", 30)
    support.land_folder(settings, tmp_path)
    support.build(settings, WORLD_DAY, "+feed_quality")
    [(state, message, files, versions)] = support.query(
        settings,
        "select status, message, suspicious_files, contradictions from build.feed_quality where feed = 'test_results'",
    )
    assert (state, files, versions) == ("doubtful", 1, 1)
    assert (
        message == "有文件疑似不全：1个末行残缺；更新时间相同而内容不同的记录1条（其中检测结果不同1条），以后到的为准"
    )
    suites = [suite for suite in quality.load_suites(settings.root, WORLD_DAY) if suite.name == "build.feed_quality"]
    token = support.renew(settings, WORLD_DAY).token
    with warehouse.connect(settings, "auditor") as conn:
        result = quality.audit(conn, warehouse.uri(settings, "auditor"), suites, WORLD_DAY, None, token)
    assert result.passed
    failed = support.query(settings, "select check_name from quality.check_result where not success order by 1")
    assert {("files_are_whole",), ("versions_agree",)} <= set(failed)
    text = home_status.render(home_status.collect(settings))
    assert "half files 1 in 7 days: cut_row 1" in text and "contradictions in 7 days: test_results 1" in text
    assert "z-0" not in text
    monkeypatch.setenv("YINGJIAN_HOME", str(settings.home))
    assert cli.main(["quarantine", "contradictions"]) == 0
    output = capsys.readouterr().out
    assert "1  test_results  检测结果  file" in output and "z-0" not in output
    assert cli.main(["quarantine", "contradictions", "--feed", "test_results", "--keys"]) == 0
    assert "test_results  z-0  检测结果  file" in capsys.readouterr().out
