"""The tests run `yingjian landing` and `yingjian quarantine` as a person types them."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from tests.support import IDENTITY, land_folder, query, sample, write_feed
from yingjian.cli import main
from yingjian.database import warehouse
from yingjian.landing import quarantine
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
    ("sent", "is_resolved"),
    [
        ("W1,2022-07-01 08:00:00,弱阳", True),
        ("W1,2022/7/1 8:00,弱阳", True),
        ("W1,2022-07-01 18:00,弱阳", False),
        ("W1,2022-07-02 08:00,弱阳", False),
    ],
)
def test_a_record_of_a_feed_whose_key_has_a_time_is_corrected(home: Settings, sent: str, is_resolved: bool) -> None:
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
        conn.execute(
            "insert into quality.rejected_row (file_id, feed, file_name, line, record_key, reason_codes, reason, raw_text)"
            " values (%s, 'sewage', 'a.csv', 2, 'W1', '{unknown_code}', 'x', %s)",
            (first, sent),
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
