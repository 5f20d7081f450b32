"""The tests run `yingjian landing` and `yingjian quarantine` as a person types them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from psycopg.types.json import Jsonb

from tests.support import IDENTITY, land_folder, query, sample, write_feed
from yingjian.cli import main
from yingjian.database import warehouse
from yingjian.landing import quarantine, returns
from yingjian.landing.feeds import Column, Feed
from yingjian.settings import Settings


def test_from_a_rejected_row_to_a_resolved_one(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(home.home))
    landing = tmp_path / "landing"
    write_feed(landing, "test_results", [sample("S1", 检测结果="不明", 检测机构="甲"), sample("S2", 检测机构="甲")])
    renamed = write_feed(landing, "test_results", [sample("S3")], "b.csv")
    renamed.write_text(renamed.read_text(encoding="utf-8").replace("检测结果", "核酸结论"), encoding="utf-8")
    land_folder(home, landing)

    assert main(["quarantine", "list"]) == 0
    listed = capsys.readouterr().out
    assert "甲" in listed and "unknown_code" in listed
    assert (
        "whole  test_results  b.csv  表头不符：缺少列“检测结果”" in listed
        and "1 open rows, 1 files rejected whole" in listed
    )
    assert main(["quarantine", "export", "--feed", "test_results", "--xlsx", str(tmp_path / "out.xlsx")]) == 0
    assert openpyxl.load_workbook(tmp_path / "out.xlsx").active.max_row == 2
    [(row,)] = query(home, "select rejected_id from quality.rejected_row")
    assert main(["quarantine", "resolve", str(row), "--reason", "样本作废"]) == 0
    assert main(["quarantine", "resolve", str(row), "--reason", "再次"]) == 1

    assert main(["landing", "accept", "test_results", "--rename", "核酸结论", "--reason", "x"]) == 2
    assert "NEW=COLUMN" in capsys.readouterr().err
    assert main(["landing", "accept", "nothing", "--without", "社区", "--reason", "x"]) == 2
    assert main(["landing", "accept", "test_results", "--rename", "核酸结论=检测结果", "--reason", "平台升级"]) == 0
    assert "1 rejected files will be read again" in capsys.readouterr().out
    land_folder(home, landing)
    assert query(home, "select sample_key from staging.test_results order by 1") == [("S2",), ("S3",)]
    assert main(["quarantine", "list"]) == 0 and "rejected whole" not in capsys.readouterr().out
    assert main(["quarantine", "retry"]) == 0
    printed = capsys.readouterr()
    assert all(value not in printed.out + printed.err for name, value in IDENTITY.items() if name != "证件类型")


@pytest.mark.parametrize(
    ("sampled_at", "is_resolved"), [("2022-07-01 08:00:00", True), ("2022-07-01 18:00:00", False), (None, False)]
)
def test_a_record_of_a_feed_whose_key_has_a_time_is_corrected(
    home: Settings, sampled_at: str | None, is_resolved: bool
) -> None:
    feed = Feed(
        "sewage",
        "污水监测",
        ("site", "sampled_at"),
        (Column("采样点", "site"), Column("采样时间", "sampled_at", "time"), Column("更新时间", "updated_at", "time")),
    )
    with warehouse.connect(home) as conn:
        conn.execute(
            "create table staging.sewage (site text, sampled_at timestamp, updated_at timestamp, file_id bigint)"
        )
        first, second = (
            conn.execute(
                "insert into quality.landed_file (feed, file_name, location, modified_at, size_bytes, status)"
                " values ('sewage', %(name)s, %(name)s, now(), 1, 'staged') returning file_id",
                {"name": name},
            ).fetchall()[0][0]
            for name in ("a.csv", "b.csv")
        )
        typed = {"site": "W1", "sampled_at": sampled_at, "updated_at": "2022-07-02 08:00:00"}
        conn.execute(
            "insert into quality.rejected_row"
            " (file_id, feed, file_name, line, record_key, reason_codes, reason, raw_text, typed)"
            " values (%s, 'sewage', 'a.csv', 2, 'W1', '{unknown_code}', 'x', 'x', %s)",
            (first, Jsonb(typed)),
        )
        conn.execute("insert into staging.sewage values ('W1', '2022-07-01 08:00', '2022-07-02 08:00', %s)", (second,))
        assert quarantine.clear_corrected(conn, feed, second) == int(is_resolved)
        conn.rollback()


def test_a_row_is_settled_whose_key_was_sent_in_another_form(fresh_home: Settings, tmp_path: Path) -> None:
    sent = {"S1": "'S1", "S2": "Ｓ2", "S3": " S3 ", "S4": "S4"}
    write_feed(tmp_path, "test_results", [sample(key, 检测结果="不明", 更新时间="now") for key in sent.values()])
    resident = IDENTITY | {
        "证件号码": "11010519491231002x",
        "社区": "甲",
        "网格": "1",
        "更新时间": "2022-07-01 08:00:00",
    }
    write_feed(tmp_path, "residents", [resident | {"迁入日期": "不明"}])
    land_folder(fresh_home, tmp_path)
    assert query(fresh_home, "select count(*) from quality.rejected_row where resolved_at is null") == [(5,)]
    write_feed(tmp_path, "test_results", [sample(key) for key in sent], "b.csv")
    write_feed(tmp_path, "residents", [resident], "b.csv")
    land_folder(fresh_home, tmp_path)
    assert query(fresh_home, "select record_key from quality.rejected_row where resolved_at is null") == []


Files = list[tuple[str, list[dict[str, str]]]]


def land(home: Settings, folder: Path, feed: str, files: Files) -> None:
    """Land files one after the other; a name may come twice."""
    for name, rows in files:
        write_feed(folder, feed, rows, f"{name}.csv")
        land_folder(home, folder)


def open_lines(home: Settings) -> list[tuple[str, int]]:
    """Return the rows that wait for a correction: file and line."""
    return query(
        home, "select file_name, line from quality.rejected_row where resolved_at is null order by file_id, line"
    )


def site(day: str, updated_at: str, **cells: str) -> dict[str, str]:
    return {
        "站点编号": "S1", "名称": "甲", "状态": "在用", "房间数": "10", "日期": day, "更新时间": updated_at,
    } | cells  # fmt: skip


def stock(day: str, updated_at: str, **cells: str) -> dict[str, str]:
    return {
        "物资编号": "W1", "品名": "口罩", "单位": "只", "库存": "10", "日期": day, "更新时间": updated_at,
    } | cells  # fmt: skip


def zone(number: str, level: str, updated_at: str) -> dict[str, str]:
    return {
        "通告编号": "T1", "风险区编号": number, "风险区名称": "甲", "等级": level, "社区": "翠屏", "网格": "1",
        "生效日期": "2022-07-10", "更新时间": updated_at,
    }  # fmt: skip


def member(key: str, updated_at: str, **cells: str) -> dict[str, str]:
    return {"记录编号": key, **IDENTITY, "人群编号": "8", "起始日期": "2022-07-01", "更新时间": updated_at} | cells


def tube(name: str, number: str = IDENTITY["证件号码"], **cells: str) -> dict[str, str]:
    return sample("S1", 姓名=name, 证件号码=number, 采样方式="混采", 试管编号="T1", **cells)


OTHER = "11010519491231002X"
UNTIL = "2022-07-02 08:00:00"
RESIDENT = IDENTITY | {"社区": "甲", "更新时间": UNTIL}
PERMIT = RESIDENT | {"证件类型": "港澳居民来往内地通行证", "证件号码": "H0123456701"}
NO_DATE = {"起始日期": "2022-13-01"}


@pytest.mark.parametrize(
    ("feed", "refused", "other"),
    [
        pytest.param(
            "isolation_sites", site("2022-07-01", "2022-07-02 08:00:00", 房间数="约10"),
            site("2022-07-02", "2022-07-03 08:00:00"), id="the-next-day-is-in-更新时间",
        ),
        pytest.param(
            "isolation_sites", site("2022/7/11", "2022/7/11 8:00", 房间数="约10"), site("2022/7/1", "2022/7/12 8:00"),
            id="a-date-within-a-longer-one",
        ),
        pytest.param(
            "supplies", stock("2022-07-01", "2022-07-02 07:30:00", 库存="约10"),
            stock("2022-07-02", "2022-07-03 07:30:00"), id="the-next-days-stock",
        ),
        pytest.param(
            "risk_zones", zone("2", "髙", "2022-07-10 08:00:00"), zone("1", "高", "2022-07-11 08:00:00"),
            id="a-short-number-in-another-cell",
        ),
        pytest.param(
            "test_results", tube("张丽华", OTHER, 检测结果="隂性"), tube("张丽", 更新时间=UNTIL), id="a-name-within-a-name",
        ),
        pytest.param(
            "test_results", tube("王芳", OTHER, 检测结果="阴", 检测机构="李强诊所"), tube("李强", 更新时间=UNTIL),
            id="a-name-in-another-cell",
        ),
        *(
            pytest.param(
                "key_population", member("K1", text, **NO_DATE), member("K1", "2022-07-05 04:00:00"),
                id=f"an-older-version-than-{text}",
            )
            for text in ("2022年7月5日 8:00", "44747.5", "2022-07-05T00:00:00Z", "２０２２-07-05 08:00", "2022-07-05 08:00:00")
        ),
    ],
)  # fmt: skip
def test_another_record_or_an_older_version_settles_nothing(
    home: Settings, tmp_path: Path, feed: str, refused: dict[str, str], other: dict[str, str]
) -> None:
    land(home, tmp_path, feed, [("a", [refused]), ("b", [other])])
    assert query(home, "select rows_rejected from quality.landed_file order by file_id") == [(1,), (0,)]
    assert open_lines(home) == [("a.csv", 2)]


@pytest.mark.parametrize(
    ("feed", "refused", "corrected"),
    [
        pytest.param(
            "supplies", stock("44743", "2022-07-02 07:30:00", 库存="x"), stock("44743", "2022-07-02 07:30:00"),
            id="a-spreadsheets-date",
        ),
        pytest.param(
            "key_population", member('="0012"', "2022-07-05 08:00:00", **NO_DATE), member("0012", "2022/7/5 8:00"),
            id="a-quoted-key",
        ),
        pytest.param(
            "key_population", member("K1", "2062-07-05 08:00:00"), member("K1", "2022-07-05 08:00:00"), id="a-wrong-time",
        ),
        pytest.param(
            "test_results", tube("", "11010519491231002x", 检测结果="阴"), tube("", "110105 19491231 002x"),
            id="a-document-with-blanks",
        ),
        pytest.param("test_results", tube("张丽", "3.50503E+17"), tube("张丽", OTHER), id="a-rounded-document"),
        pytest.param("residents", RESIDENT | {"证件类型": "身份证"}, RESIDENT, id="a-wrong-type"),
        pytest.param("residents", PERMIT | {"迁入日期": "2022-13-01"}, PERMIT, id="a-renewed-permit"),
    ],
)  # fmt: skip
def test_a_row_is_settled_by_its_record_in_whatever_form(
    home: Settings, tmp_path: Path, feed: str, refused: dict[str, str], corrected: dict[str, str]
) -> None:
    land(home, tmp_path, feed, [("a", [refused])])
    assert open_lines(home) == [("a.csv", 2)]
    land(home, tmp_path, feed, [("b", [corrected])])
    assert open_lines(home) == []


def test_a_row_with_bytes_that_are_no_text_waits_for_its_newest_version(home: Settings, tmp_path: Path) -> None:
    path = write_feed(tmp_path, "key_population", [member("K1", "2022-07-05 08:00:00", 现住址="翠屏")])
    path.write_bytes(path.read_bytes().replace("翠屏".encode(), b"\xff\xfe\xfa"))
    land(home, tmp_path, "key_population", [("b", [member("K1", "2022-07-01 08:00:00")])])
    assert open_lines(home) == [("a.csv", 2)]
    land(home, tmp_path, "key_population", [("c", [member("K1", "2022-07-05 08:00:00")])])
    assert open_lines(home) == []


def test_a_row_is_settled_by_a_version_that_is_newer_than_its_correction(home: Settings, tmp_path: Path) -> None:
    """The correction of an old row is superseded at once, or there is nothing to correct."""
    late = member("K1", "2022-07-05 08:00:00", **NO_DATE)
    land(home, tmp_path, "key_population", [("new", [member("K1", "2022-07-06 08:00:00")]), ("late", [late])])
    assert open_lines(home) == []
    assert query(home, "select resolution from quality.rejected_row") == [("已有更新的版本入库：new.csv",)]
    same = member("K1", "2022-07-06 08:00:00", **NO_DATE)
    land(home, tmp_path, "key_population", [("same", [same])])
    assert open_lines(home) == [("same.csv", 2)], "of equal times the later file's is the newer version"


def test_another_days_export_of_the_same_name_and_length_corrects_no_row_without_key(
    home: Settings, tmp_path: Path
) -> None:
    first = [member("A1", "2022-07-01 08:00:00"), member("", "2022-07-01 08:00:00")]
    second = [member(key, "2022-07-02 08:00:00") for key in ("B1", "B2")]
    land(home, tmp_path, "key_population", [("daily", first), ("daily", second)])
    assert open_lines(home) == [("daily.csv", 3)]
    corrected = [first[0], member("A2", "2022-07-01 08:00:00")]
    land(home, tmp_path, "key_population", [("daily", corrected)])
    assert open_lines(home) == []


def send_back(home: Settings, folder: Path, sender: str, correct: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """Land the workbook that a sender gets, with each row as `correct` makes it."""
    with warehouse.connect(home) as conn:
        [path] = returns.write_returns(conn, sender, folder, date(2022, 7, 5))
    book = openpyxl.load_workbook(path)
    path.unlink()
    sheet = book["数据"]
    header = [cell.value for cell in sheet[1]]
    for cells in sheet.iter_rows(min_row=2):
        row = correct({name: cell.value or "" for name, cell in zip(header, cells, strict=True)})
        for name, cell in zip(header, cells, strict=True):
            cell.value = row[name]
    number = len(list((folder / FEED_OF[sender]).iterdir()))
    book.save(folder / FEED_OF[sender] / f"returned-{number}.xlsx")
    land_folder(home, folder)


FEED_OF = {"甲": "test_results", "翠屏": "residents", "乙": "supplies"}
LABORATORY = {"检测机构": "甲"}
NEIGHBOUR = RESIDENT | {"姓名": "林测试", "证件号码": OTHER, "社区": "翠屏"}


@pytest.mark.parametrize(
    ("sender", "rows", "correction"),
    [
        pytest.param(
            "翠屏", [NEIGHBOUR, RESIDENT | {"社区": "翠屏", "证件号码": "350503194205022752"}],
            {"证件号码": "350503194205022751"}, id="a-check-digit",
        ),
        pytest.param(
            "甲", [sample("S0", **LABORATORY), sample("2.02207E+15", **LABORATORY)], {"样本编号": "2022070100000012"},
            id="a-rounded-key",
        ),
        pytest.param("甲", [sample("S0", **LABORATORY), sample("", **LABORATORY)], {"样本编号": "S9"}, id="no-key"),
        pytest.param(
            "甲", [sample("S0", **LABORATORY), sample("S1", **LABORATORY, 更新时间="2062-07-01 08:00:00")],
            {"更新时间": "2022-07-01 08:00:00"}, id="a-time-in-the-future",
        ),
        pytest.param(
            "乙", [stock("2022-07-02", UNTIL, 责任单位="乙"), stock("2022-13-01", UNTIL, 责任单位="乙")],
            {"日期": "2022-07-01"}, id="a-date-of-the-key",
        ),
        pytest.param("甲", [sample("S1", **LABORATORY, 检测结果="隂性")], {"检测结果": "阴性"}, id="a-first-file-all-wrong"),
    ],
)  # fmt: skip
def test_a_returned_row_is_settled_by_its_number(
    home: Settings, tmp_path: Path, sender: str, rows: list[dict[str, str]], correction: dict[str, str]
) -> None:
    land(home, tmp_path, FEED_OF[sender], [("a", rows)])
    assert open_lines(home) == [("a.csv", len(rows) + 1)]
    send_back(home, tmp_path, sender, lambda row: row | correction)
    assert open_lines(home) == []
    with warehouse.connect(home) as conn:
        assert returns.open_rows(conn, sender) == {}


def test_a_returned_row_that_is_refused_again_waits_with_the_first(home: Settings, tmp_path: Path) -> None:
    land(home, tmp_path, "test_results", [("a", [sample("S0", **LABORATORY), sample("", **LABORATORY)])])
    send_back(home, tmp_path, "甲", lambda row: row | {"样本编号": "1.5E+16"})
    assert open_lines(home) == [("a.csv", 3), ("returned-1.xlsx", 2)]
    send_back(home, tmp_path, "甲", lambda row: row | {"样本编号": "S9"})
    assert open_lines(home) == []


def test_a_number_that_no_workbook_has_or_that_is_another_feeds_settles_nothing(home: Settings, tmp_path: Path) -> None:
    land(home, tmp_path, "supplies", [("a", [stock("2022-13-01", UNTIL, 责任单位="乙")])])
    land(home, tmp_path, "test_results", [("a", [sample("S0", **LABORATORY), sample("", **LABORATORY)])])
    [(other,)] = query(home, "select return_number from quality.rejected_row where feed = 'supplies'")
    for number in ("TH" + "0" * 32, quarantine.return_number(other), "1", ""):
        send_back(home, tmp_path, "甲", lambda row: row | {"样本编号": "S9", quarantine.RETURN_NUMBER: number})  # noqa: B023
    assert open_lines(home) == [("a.csv", 2), ("a.csv", 3)]
