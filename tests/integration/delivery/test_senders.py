"""Senders get their own rows back as a workbook that they correct and send again, and a sheet of each month."""

from __future__ import annotations

import io
from datetime import date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.integration.delivery.test_mail import PERSON, parsed
from tests.servers import MailServer
from tests.support import land_folder, query, sample, write_feed
from yingjian.clock import SHANGHAI
from yingjian.database import warehouse
from yingjian.delivery.errors import Undelivered
from yingjian.landing import returns
from yingjian.orchestration import senders
from yingjian.privacy import retention
from yingjian.settings import Settings

DIRECTORY = """
officials: []
senders:
  - {login: lab-1, name: 第1检测机构, receives: [{channel: mail, to: one@example.org}]}
  - {login: lab-2, name: 第2检测机构, receives: [{channel: mail, to: two@example.org}]}
  - {login: lab-3, name: 第3检测机构, receives: [{channel: folder, path: 三所}]}
"""
MORNING = datetime(2022, 7, 2, 7, tzinfo=SHANGHAI)
WRONG = "350503194205022752"


def row(key: str, laboratory: int = 1, **cells: str) -> dict[str, str]:
    return sample(key, 检测机构=f"第{laboratory}检测机构", **cells)


@pytest.fixture
def town(home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (home.home / "officials.yml").write_text(DIRECTORY, encoding="utf-8")
    monkeypatch.setenv("YINGJIAN_HOME", str(home.home))
    with warehouse.connect(home) as conn:
        conn.execute("truncate delivery.attempt")
    rows = [
        row("G1"),
        row("B1", 证件号码=WRONG),
        row("B2", 检测结果="=弱阳性,甲"),
        row("B3", 试管编号="=1+1", 检测结果="?"),
    ]
    path = write_feed(tmp_path, "test_results", rows, "张三350503194205022751.csv")
    path.write_text(path.read_text(encoding="utf-8") + "R1,陈测试\n合计,4\n", encoding="utf-8")
    write_feed(tmp_path, "test_results", [row("G2", 2), row("O1", 2, 检测结果="不详")], "other.csv")
    land_folder(home, tmp_path)
    return home


def workbooks(mail: EmailMessage) -> dict[str, Any]:
    return {
        part.get_filename(): openpyxl.load_workbook(io.BytesIO(part.get_payload(decode=True)))  # type: ignore[arg-type]
        for part in mail.iter_attachments()
    }


def test_rows_go_back_to_their_sender_and_come_corrected(
    town: Settings, tmp_path: Path, mail_server: MailServer
) -> None:
    assert senders.send_back(town, MORNING) == {"sent": 2}
    mails = {envelope.rcpt_tos[0]: parsed(envelope) for envelope in mail_server.accepted}
    assert set(mails) == {"one@example.org", "two@example.org"}, "nothing of the third was refused"
    for mail in mails.values():
        text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert not PERSON.search(str(mail["Subject"]) + text) and "陈测试" not in text
    assert "4行" in str(mails["one@example.org"]["Subject"])
    [(name, book)] = workbooks(mails["one@example.org"]).items()
    assert name == "核酸检测结果-退回-2022-07-02.xlsx"
    sheet = book["数据"]
    header = [cell.value for cell in sheet[1]]
    at = {source: place for place, source in enumerate(header, start=1)}
    assert [sheet.cell(line, at["样本编号"]).value for line in range(2, sheet.max_row + 1)] == ["B1", "B2", "B3"]
    marked = {
        (line[0].value, header[place]): cell.comment.text
        for line in sheet.iter_rows(min_row=2)
        for place, cell in enumerate(line)
        if cell.fill.fgColor.rgb == "FFFFC7CE"
    }
    assert set(marked) == {("B1", "证件号码"), ("B2", "检测结果"), ("B3", "检测结果")}
    assert "身份证校验位错误" in marked["B1", "证件号码"] and "从可选项中选一项" in marked["B2", "检测结果"]
    assert sheet.cell(3, at["检测结果"]).value == "=弱阳性,甲" and sheet.cell(3, at["检测结果"]).data_type == "s"
    assert sheet.cell(4, at["试管编号"]).value == "=1+1" and sheet.cell(4, at["试管编号"]).data_type == "s"
    [_, others] = book[returns.OTHERS].iter_rows(values_only=True)
    assert "应" in others[0] and others[1] == "R1,陈测试", (
        "the other rows of its file are this sender's; totals are no row"
    )
    [(_, other)] = workbooks(mails["two@example.org"]).items()
    assert [line[0].value for line in other["数据"].iter_rows(min_row=2)] == ["O1"]

    sheet.cell(2, at["证件号码"]).value = "350503194205022751"
    sheet.cell(3, at["检测结果"]).value = "阳性"
    book.save(tmp_path / "test_results" / name)
    land_folder(town, tmp_path)
    results = query(
        town, "select sample_key, result from staging.test_results where starts_with(sample_key, 'B') order by 1"
    )
    assert results == [("B1", "阴性"), ("B2", "阳性")]
    is_open = "select record_key from quality.rejected_row where resolved_at is null and sender = '第1检测机构'"
    assert {key for (key,) in query(town, is_open)} == {"B3"}

    mail_server.accepted.clear()
    with warehouse.connect(town) as conn:
        conn.execute("update quality.rejected_row set resolved_at = now() where resolved_at is null")
    assert senders.send_back(town, MORNING + timedelta(days=1)) == {}, "nothing was refused since"
    write_feed(tmp_path, "test_results", [row("B4", 2, 采样时间="2022-06-31 08:00")], "later.csv")
    land_folder(town, tmp_path)
    assert senders.send_back(town, MORNING + timedelta(days=1)) == {"sent": 1}
    assert senders.send_back(town, MORNING + timedelta(days=1)) == {"sent": 1}, "once a day"
    assert mail_server.recipients == ["two@example.org"]


def test_a_mail_that_did_not_get_through_goes_out_with_the_next_try(town: Settings, mail_server: MailServer) -> None:
    mail_server.answers["one@example.org"] = ["450 busy"] * 4
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("yingjian.delivery.courier.FIRST_PAUSE_SECONDS", 0)
        with pytest.raises(Undelivered) as error:
            senders.send_back(town, MORNING)
    assert "lab-1/mail" in str(error.value) and "example.org" not in str(error.value)
    assert mail_server.recipients == ["two@example.org"]
    assert senders.send_back(town, MORNING) == {"sent": 2}
    assert mail_server.recipients == ["one@example.org", "two@example.org"]


def test_a_sheet_of_the_month(town: Settings, tmp_path: Path, mail_server: MailServer) -> None:
    june = {"采样时间": "2022-06-10 08:00:00", "更新时间": "2022-06-10 08:00:00"}
    write_feed(tmp_path, "test_results", [row(f"J{i}", **june) for i in range(3)], "june.csv")
    write_feed(
        tmp_path, "test_results", [row("L", 采样时间="2022-07-05 08:00:00", 更新时间="2022-07-05 08:00:00")], "late.csv"
    )
    land_folder(town, tmp_path)
    with warehouse.connect(town) as conn:
        conn.execute("update quality.rejected_row set rejected_at = '2022-07-02 01:00+08'")
        conn.execute("update quality.landed_file set received_at = '2022-07-02 01:00+08' where file_name <> 'late.csv'")
        conn.execute(
            "update quality.landed_file set received_at = '2022-07-06 02:00:01+08' where file_name = 'late.csv'"
        )
    august = datetime(2022, 8, 1, 7, tzinfo=SHANGHAI)
    assert senders.send_months(town, august) == {"sent": 2}
    assert senders.send_months(town, august + timedelta(days=3)) == {"sent": 2}, "once a month"
    assert mail_server.recipients == ["one@example.org", "two@example.org"]
    [mail] = [parsed(envelope) for envelope in mail_server.accepted if envelope.rcpt_tos == ["one@example.org"]]
    assert "2022年7月" in str(mail["Subject"])
    [(name, book)] = workbooks(mail).items()
    assert name == "数据报送情况-2022-07.xlsx"
    [_, _, head, line] = book["汇总"].iter_rows(values_only=True)
    assert dict(zip(head, line, strict=True)) == {
        "数据": "核酸检测结果", "报送天数": 2, "按时天数": 1, "按时率": 0.5, "行数": 2, "退回行": 3, "退回率": 0.6,
        "上月行数": 3, "上月退回率": 0, "退回率趋势": "上升",
    }  # fmt: skip
    reasons = list(book["退回原因"].iter_rows(min_row=2, values_only=True))
    assert reasons == [("核酸检测结果", "代码不在允许范围", 2, 0), ("核酸检测结果", "身份证校验位错误", 1, 0)]
    text = "".join(str(cell) for sheet in book for line in sheet.iter_rows(values_only=True) for cell in line)
    assert not PERSON.search(text)


def test_refused_rows_lose_their_cells_by_rule(town: Settings) -> None:
    with warehouse.connect(town) as conn:
        retention._rejected(conn, {"rejected_row": date(9999, 1, 1)})
        assert conn.execute(
            "select count(*) from quality.rejected_row where cells is not null or typed is not null"
        ).fetchone() == (0,)
        assert returns.open_rows(conn, "第1检测机构") == {}
