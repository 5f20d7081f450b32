"""A sender sends a file in the portal, sees what became of it, and corrects a row; nobody sees another's.

An official corrects a row for a sender, and a second official confirms it.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import httpx
import openpyxl
import psycopg
import pytest

from tests.portal import Portal, running_senders
from tests.support import land_folder, query, sample, write_feed
from yingjian.database import warehouse
from yingjian.landing.land import LandingSummary
from yingjian.privacy import retention
from yingjian.settings import Settings

TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
WRONG = "350503194205022752"
RIGHT = "350503194205022751"


@pytest.fixture(scope="module")
def service(shared_home: Settings) -> Iterator[Portal]:
    with running_senders(shared_home) as portal:
        yield portal


@pytest.fixture
def sender(service: Portal, home: Settings) -> Iterator[Callable[[str], httpx.Client]]:
    clients: list[httpx.Client] = []

    def signed_in(login: str) -> httpx.Client:
        clients.append(service.client(login))
        return clients[-1]

    yield signed_in
    for client in clients:
        client.close()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox" / "test_results").mkdir(parents=True)
    return tmp_path / "inbox"


def row(key: str, laboratory: int = 1, **cells: str) -> dict[str, str]:
    return sample(key, **({"检测机构": f"第{laboratory}检测机构"} | cells))


def file_of(folder: Path, *rows: dict[str, str]) -> bytes:
    return write_feed(folder / "made", "test_results", list(rows), "rows.csv").read_bytes()


def post(
    client: httpx.Client, path: str, content: bytes | None = None, form_of: str = "/sending", **data: object
) -> httpx.Response:
    token = TOKEN.search(client.get(form_of).text)
    assert token
    files = None if content is None else {"file": ("张三.csv", content)}
    return client.post(path, data={"form_token": token[1], **data}, files=files)


def sent(client: httpx.Client, content: bytes, **data: str) -> httpx.Response:
    return post(client, "/sending", content, **({"feed": "test_results", "choice": "send"} | data))


def land(home: Settings, inbox: Path) -> LandingSummary:
    return land_folder(home, inbox)


def events(home: Settings) -> list[tuple]:  # type: ignore[type-arg]
    return query(home, "select actor, action, object, details - 'service' from audit.event order by event_id")


def test_a_good_file_is_checked_at_once_and_taken_by_the_next_landing(sender, home, inbox, tmp_path):
    lab = sender("lab-1")
    answer = sent(lab, file_of(tmp_path, row("G1"), row("G2")))
    assert answer.status_code == 200
    assert "可入库 2 行，退回 0 行" in answer.text and "等待入库" in answer.text
    assert query(home, "select count(*) from staging.test_results") == [(0,)], "the portal itself stages nothing"
    assert land(home, inbox).rows_staged == 2
    assert "已入库" in lab.get("/sending").text
    assert land(home, inbox).files_known == 1
    [(name, location)] = query(home, "select file_name, location from quality.landed_file")
    assert re.fullmatch(r"网页报送\d+\.csv", name) and location.startswith("portal:sending/"), "no name of a person"
    again = sent(lab, file_of(tmp_path, row("G1"), row("G2")))
    assert again.status_code == 422 and "与已入库的文件内容相同，无需再报" in again.text
    assert [event[:2] for event in events(home)].count(("lab-1", "sending")) == 1
    assert "张三" not in str(events(home))


def test_three_mistakes_are_told_by_line_column_and_reason_and_one_is_corrected(sender, home, inbox, tmp_path):
    lab = sender("lab-1")
    content = file_of(
        tmp_path,
        row("G1"),
        row("B1", 证件号码=WRONG),
        row("B2", 检测结果="弱阳性"),
        row("B3", 采样时间="2022-13-01 08:00:00"),
    )
    tried = sent(lab, content, choice="try")
    assert "可入库 1 行，退回 3 行" in tried.text and "没有报送" in tried.text
    assert query(home, "select count(*) from portal.sending") == [(0,)]
    told = sent(lab, content).text
    for words in (
        "第3行",
        "第4行",
        "第5行",
        "身份证校验位错误",
        "代码不在允许范围（应为阴性、阳性、待出、无效之一）",
        "日期不存在或无法识别",
        f"<mark>{WRONG}</mark>",
    ):
        assert words in told
    land(home, inbox)
    page = lab.get("/sending").text
    assert "待更正的行（3）" in page and "身份证校验位错误 1" in page
    [(rejected_id, cells)] = query(
        home, "select rejected_id, cells from quality.rejected_row where 'check_digit' = any(reason_codes)"
    )
    form = lab.get(f"/sending/rows/{rejected_id}").text
    assert form.count("aria-invalid") == 1
    columns = re.findall(r'<label for="c\d+"[^>]*>([^ <]+)', form)
    again = post(lab, f"/sending/rows/{rejected_id}", cell=[cells.get(column, "") for column in columns])
    assert again.status_code == 422 and "仍不能入库" in again.text, "nothing was corrected"
    said = again.text[again.text.index('id="again"') :].partition("</p>")[0]
    assert "“证件号码”：身份证校验位错误" in said and "行" not in said, "the form has one row, whatever its line"
    assert "<option selected>阴性</option>" in again.text and "<option>阳性</option>" in again.text
    given = [cells | {"证件号码": RIGHT}][0]
    done = post(lab, f"/sending/rows/{rejected_id}", cell=[given.get(column, "") for column in columns])
    assert done.status_code == 303 and done.headers["location"] == "/sending?corrected=true"
    assert "已更正，等待入库" in lab.get("/sending").text
    land(home, inbox)
    [(resolved, resolution)] = query(
        home, "select resolved_at is not null, resolution from quality.rejected_row where rejected_id = %s", rejected_id
    )
    assert resolved and "更正" in resolution
    assert "待更正的行（2）" in lab.get("/sending").text
    assert query(home, "select id_number from staging.test_results where sample_key = 'B1'") == [(RIGHT,)]
    assert ("lab-1", "sending_correction") in {event[:2] for event in events(home)}


def test_a_row_without_a_key_is_resolved_by_its_correction(sender, home, inbox, tmp_path):
    """No record key leads from the correction to the row: its number does."""
    lab = sender("lab-1")
    sent(lab, file_of(tmp_path, row("G1"), row("")))
    land(home, inbox)
    [(rejected_id, cells)] = query(home, "select rejected_id, cells from quality.rejected_row")
    columns = re.findall(r'<label for="c\d+"[^>]*>([^ <]+)', lab.get(f"/sending/rows/{rejected_id}").text)
    given = cells | {"样本编号": "N1"}
    post(lab, f"/sending/rows/{rejected_id}", cell=[given.get(column, "") for column in columns])
    land(home, inbox)
    assert query(home, "select count(*) from quality.rejected_row where resolved_at is null") == [(0,)]


def test_a_sender_sees_nothing_of_another(sender, home, inbox, tmp_path):
    one, two = sender("lab-1"), sender("lab-2")
    sent(one, file_of(tmp_path, row("G1"), row("B1", 证件号码=WRONG)))
    write_feed(inbox, "test_results", [row("SECOND-1", 2), row("SECOND-2", 2, 检测结果="?")], "two.csv")
    write_feed(inbox, "test_results", [row("M1", 1), row("M2", 2)], "mixed.csv")
    land(home, inbox)
    assert WRONG in one.get("/sending").text and WRONG not in two.get("/sending").text
    assert "待更正的行（1）" in two.get("/sending").text and "SECOND-2" in two.get("/sending").text
    assert "SECOND-2" not in one.get("/sending").text
    [(theirs,)] = query(home, "select rejected_id from quality.rejected_row where sender = '第1检测机构'")
    assert one.get(f"/sending/rows/{theirs}").status_code == 200
    assert two.get(f"/sending/rows/{theirs}").status_code == 404
    assert post(two, f"/sending/rows/{theirs}", cell=["x"]).status_code == 404
    book = openpyxl.load_workbook(io.BytesIO(post(two, "/sending/returns", feed="test_results").content))
    keys = {str(cells[0].value) for cells in book["数据"].iter_rows(min_row=2)}
    assert keys == {"SECOND-2"}
    assert post(one, "/sending/returns", feed="teams").status_code == 404
    for path in (
        "/quality",
        "/quality/rows",
        "/quarantine",
        "/lists",
        "/today",
        "/zones",
        "/publications",
        "/operations",
    ):
        assert one.get(path).status_code == 403
    assert one.get("/").headers["location"] == "/sending"
    with sender("case-worker") as official:
        assert official.get("/sending").status_code == 403
    assert sender("lab-3").get("/sending").status_code == 303, "a sender without feeds has no session"
    # The files of one sender are listed, one in which others have rows is not.
    assert one.get("/sending").text.count('data-label="是否按时"') == 1
    assert two.get("/sending").text.count('data-label="是否按时"') == 1


def test_nobody_sends_for_another_or_a_feed_that_is_not_its_own(sender, home, inbox, tmp_path):
    one = sender("lab-1")
    answer = sent(one, file_of(tmp_path, row("G1"), row("G2", 2)))
    assert answer.status_code == 422 and "不是本单位（首行：第3行）" in answer.text
    assert sent(one, b"x", feed="teams").status_code == 403
    assert one.get("/sending/templates/teams.xlsx").status_code == 403
    assert query(home, "select count(*) from portal.sending") == [(0,)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello", "没有报送"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * 99, "没有报送"),
        (b"x" * (21 << 20), "超过20MB"),
        (b"", "没有报送"),
    ],
    ids=["text", "picture", "large", "empty"],
)
def test_what_is_no_table_is_told_and_not_kept(sender, home, content, words):
    answer = sent(sender("lab-1"), content)
    assert answer.status_code == 422 and words in answer.text
    assert query(home, "select count(*) from portal.sending") == [(0,)]


def test_the_clerk_sees_columns_states_and_exports_by_sender(sender, home, inbox, tmp_path):
    lab, clerk = sender("lab-1"), sender("case-worker")
    write_feed(inbox, "test_results", [row("G1"), row("B1", 证件号码=WRONG), row("B2", 检测结果="弱阳")], "one.csv")
    write_feed(inbox, "test_results", [row("SECOND-1", 2), row("SECOND-2", 2, 检测结果="?")], "two.csv")
    land(home, inbox)
    page = clerk.get("/quarantine").text
    assert f"<mark>{WRONG}</mark>" in page and page.count("待退回") == 3
    with warehouse.connect(home) as conn:
        conn.execute(
            """
            insert into delivery.attempt (what, occasion, official, channel, number, target, audience_kind, audience, not_before,
                state, sending_at)
            values ('returned', '2022-07-02', 'lab-1', 'mail', 1, 'x', 'sender', '第1检测机构', now(), 'sent', now())
            """
        )
    only = {"feed": "test_results", "sender": "第1检测机构"}
    page = clerk.get("/quarantine", params=only).text
    assert page.count("已退回") == 2 and "SECOND-2" not in page
    [(rejected_id, cells)] = query(
        home, "select rejected_id, cells from quality.rejected_row where 'check_digit' = any(reason_codes)"
    )
    columns = re.findall(r'<label for="c\d+"[^>]*>([^ <]+)', lab.get(f"/sending/rows/{rejected_id}").text)
    given = cells | {"证件号码": RIGHT}
    post(lab, f"/sending/rows/{rejected_id}", cell=[given.get(column, "") for column in columns])
    assert "已更正，等待入库" in clerk.get("/quarantine").text
    land(home, inbox)
    page = clerk.get("/quarantine").text
    assert f"<mark>{WRONG}</mark>" not in page
    assert re.search(r'data-label="30日内已更正" class="figure">1<', page)
    book = openpyxl.load_workbook(io.BytesIO(post(clerk, "/quarantine/returns", form_of="/quarantine", **only).content))
    assert {str(each[0].value) for each in book["数据"].iter_rows(min_row=2)} == {"B2"}
    told = [event for event in events(home) if event[0] == "case-worker"]
    assert {event[1] for event in told} == {"quarantine_view", "export"} and len(told) >= 5
    grid = sender("grid")
    assert "弱阳" not in grid.get("/quarantine").text
    assert post(grid, "/quarantine/returns", form_of="/quarantine", **only).status_code == 403
    assert sender("clerk").get("/quarantine").status_code == 403
    assert lab.get("/quarantine").status_code == 403


def test_a_day_has_a_bound(sender, home, tmp_path):
    with warehouse.connect(home) as conn:
        conn.execute(
            "insert into portal.sending (login, sender, feed, suffix, size_bytes)"
            " select 'lab-1', '第1检测机构', 'test_results', '', 1 from generate_series(1, 500)"
        )
    answer = sent(sender("lab-1"), file_of(tmp_path, row("G1")))
    assert answer.status_code == 422 and "过多" in answer.text
    assert query(home, "select count(*) from portal.sent_file") == [(0,)]


def test_the_bytes_go_by_the_rule_and_the_record_stays(sender, home, inbox, tmp_path):
    sent(sender("lab-1"), file_of(tmp_path, row("G1")))
    land(home, inbox)
    for before, left in ((date.min, 1), (date.max, 0)):
        with warehouse.connect(home, "loader") as conn:
            assert retention._delete_sent(conn, {"pulled": before}).rows == 1 - left
        assert query(home, "select count(*) from portal.sent_file") == [(left,)]
    assert query(home, "select count(*) from portal.sending") == [(1,)]
    assert land(home, inbox).files_known == 0


def test_a_form_of_another_site_is_refused(sender, home):
    lab = sender("lab-1")
    assert lab.post("/sending", data={"feed": "test_results"}, files={"file": ("a.csv", b"x")}).status_code == 403
    assert lab.post("/sending/returns", data={"feed": "test_results"}).status_code == 403


def test_template_and_contract_are_there(sender):
    lab = sender("lab-1")
    book = openpyxl.load_workbook(io.BytesIO(lab.get("/sending/templates/test_results.xlsx").content))
    assert book["数据"].cell(1, 1).value == "样本编号"
    assert json.loads(lab.get("/sending/schemas/test_results.json").content)["title"]


def test_the_service_hands_a_file_over_and_reads_none(home):
    """Least rights: neither role of the portal reads the bytes, stages a row or changes quarantine."""
    for role in ("portal", "reporter"):
        for statement in (
            "select content from portal.sent_file", "delete from portal.sending", "delete from portal.sent_file",
            "insert into quality.landed_file (feed) values ('x')", "update quality.rejected_row set resolved_at = now()",
            "select from staging.test_results",
        ):  # fmt: skip
            with warehouse.connect(home, role) as conn, pytest.raises(Exception, match="permission denied"):
                conn.execute(statement)


def refused_one(home: Settings, inbox: Path, **cells: str) -> int:
    """Land a file with a row that is refused for its document number; return the row's number."""
    write_feed(inbox, "test_results", [row("G1"), row("B1", 证件号码=WRONG, **cells)], "one.csv")
    land(home, inbox)
    [(rejected_id,)] = query(home, "select rejected_id from quality.rejected_row")
    return int(rejected_id)


def proposed(client: httpx.Client, rejected_id: int, reason: str = "与证件核对", number: str = RIGHT) -> httpx.Response:
    """Correct the document number in the form, which makes a proposal."""
    path = f"/quarantine/rows/{rejected_id}"
    form = client.get(path).text
    names = re.findall(r'<label for="c\d+"[^>]*>([^ <]+)', form)
    values = re.findall(r'name="cell" value="([^"]*)"|<option selected>([^<]*)', form)
    cells = {name: typed or chosen for name, (typed, chosen) in zip(names, values, strict=True)}
    return post(client, path, form_of="/quarantine", cell=[*(cells | {"证件号码": number}).values()], reason=reason)


def answered(client: httpx.Client, choice: str, reason: str = "", number: int | None = None) -> httpx.Response:
    if number is None:
        number = int(re.findall(r"/quarantine/corrections/(\d+)", client.get("/quarantine").text)[0])
    return post(client, f"/quarantine/corrections/{number}", form_of="/quarantine", choice=choice, reason=reason)


def waiting(home: Settings) -> int:
    [(number,)] = query(home, "select max(correction_id) from portal.correction")
    return int(number)


def test_an_official_corrects_and_a_second_one_confirms(sender, home, inbox):
    lab, clerk, second = sender("lab-1"), sender("case-worker"), sender("second")
    rejected_id = refused_one(home, inbox)
    assert f'href="/quarantine/rows/{rejected_id}"' in clerk.get("/quarantine").text
    assert clerk.get(f"/quarantine/rows/{rejected_id}").text.count('aria-invalid="true"') == 1
    for answer, words in (
        (proposed(clerk, rejected_id, reason=" "), "请写明理由"),
        (proposed(clerk, rejected_id, reason="长" * 501), "500"),
        (proposed(clerk, rejected_id, number=WRONG), "仍不能入库"),
    ):
        assert answer.status_code == 422 and words in answer.text
    assert query(home, "select count(*) from portal.correction") == [(0,)]
    done = proposed(clerk, rejected_id)
    assert (done.status_code, done.headers["location"]) == (303, "/quarantine?proposed=true")
    assert proposed(second, rejected_id).status_code == 409, "one proposal waits at a time"
    assert query(home, "select count(*) from portal.correction") == [(1,)]
    land(home, inbox)
    assert query(home, "select count(*) from portal.sending") == [(0,)], (
        "nothing goes to landing before the second person"
    )
    number = waiting(home)
    desk = clerk.get("/quarantine").text
    assert "更正待他人确认" in desk and "待他人确认的更正" in desk and "与证件核对" in desk
    page = clerk.get(f"/quarantine/corrections/{number}").text
    assert "须由另一名" in page and 'value="agree"' not in page
    assert answered(clerk, "agree", number=number).status_code == 403
    assert answered(clerk, "return", "我自己", number).status_code == 403
    page = second.get(f"/quarantine/corrections/{number}").text
    changes = page[page.index('id="changes"') : page.index("退回的整行")]
    assert f"<mark>{WRONG}</mark>" in changes and f"<b>{RIGHT}</b>" in changes and changes.count('scope="row"') == 1
    assert answered(second, "agree").status_code == 303
    assert answered(second, "agree", number=number).status_code == 409, "one answer counts"
    assert "已由管理部门更正，等待入库" in lab.get("/sending").text
    assert "等待入库" in second.get("/quarantine").text
    land(home, inbox)
    assert query(home, "select id_number from staging.test_results where sample_key = 'B1'") == [(RIGHT,)]
    assert query(home, "select count(*) from quality.rejected_row where resolved_at is null") == [(0,)]
    told = lab.get("/sending").text
    assert "（管理部门更正）" in told and "待更正的行（0）" in told
    desk = clerk.get("/quarantine").text
    listed = desk[desk.index('id="confirmed"') : desk.index('id="rows"')]
    assert "流调溯源组" in listed and "质控组" in listed and "已入库" in listed
    happened = events(home)
    assert [
        event[:2] for event in happened if event[1].startswith("correction_") and event[1] != "correction_view"
    ] == [("case-worker", "correction_proposed"), ("second", "correction_confirmed")]
    assert ("case-worker", "quarantine_refused") in {event[:2] for event in happened}
    assert not {value for value in (WRONG, RIGHT, "与证件核对") if value in str(happened)}


def test_a_returned_correction_can_be_proposed_again(sender, home, inbox):
    clerk, second = sender("case-worker"), sender("second")
    rejected_id = refused_one(home, inbox)
    proposed(clerk, rejected_id)
    empty = answered(second, "return", " ")
    assert empty.status_code == 422 and "请写明理由" in empty.text
    assert answered(second, "return", "先问检测机构").status_code == 303
    desk = clerk.get("/quarantine").text
    assert "先问检测机构" in desk[desk.index('id="returned"') :] and "待他人确认" not in desk
    assert query(home, "select count(*) from portal.sending") == [(0,)]
    assert proposed(second, rejected_id, "检测机构来电").status_code == 303
    assert answered(second, "agree", number=waiting(home)).status_code == 403
    assert answered(clerk, "agree", number=waiting(home)).status_code == 303
    assert query(home, "select corrects, login, sender from portal.sending") == [
        (rejected_id, "case-worker", "第1检测机构")
    ]


def test_a_row_that_its_sender_corrected_meanwhile_is_not_corrected_twice(sender, home, inbox):
    lab, clerk, second = sender("lab-1"), sender("case-worker"), sender("second")
    rejected_id = refused_one(home, inbox)
    proposed(clerk, rejected_id)
    number = waiting(home)
    [(cells,)] = query(home, "select cells from quality.rejected_row")
    columns = re.findall(r'<label for="c\d+"[^>]*>([^ <]+)', lab.get(f"/sending/rows/{rejected_id}").text)
    given = cells | {"证件号码": RIGHT}
    post(lab, f"/sending/rows/{rejected_id}", cell=[given.get(column, "") for column in columns])
    late = answered(second, "agree", number=number)
    assert late.status_code == 409 and "不再需要确认" in late.text
    assert query(home, "select count(*), count(correction_id) from portal.sending") == [(1, 0)]
    assert clerk.get(f"/quarantine/rows/{rejected_id}").status_code == 404
    land(home, inbox)
    assert answered(second, "agree", number=number).status_code == 409


def test_a_clerk_of_a_part_corrects_and_confirms_rows_of_the_part_alone(sender, home, inbox):
    clerk, grid = sender("case-worker"), sender("grid")
    theirs = refused_one(home, inbox)
    write_feed(
        inbox, "test_results", [row("P0", 检测机构="第1社区"), row("P1", 检测机构="第1社区", 检测结果="?")], "part.csv"
    )
    land(home, inbox)
    [(own, cells)] = query(home, "select rejected_id, cells from quality.rejected_row where sender = '第1社区'")
    assert grid.get(f"/quarantine/rows/{theirs}").status_code == 404
    assert post(grid, f"/quarantine/rows/{theirs}", form_of="/quarantine", cell=["x"], reason="x").status_code == 404
    proposed(clerk, theirs)
    number = waiting(home)
    assert "待他人确认" not in grid.get("/quarantine").text
    assert grid.get(f"/quarantine/corrections/{number}").status_code == 404
    assert answered(grid, "agree", number=number).status_code == 404
    assert query(home, "select count(*) from portal.correction_answer") == [(0,)]
    columns = re.findall(r'<label for="c\d+"[^>]*>([^ <]+)', grid.get(f"/quarantine/rows/{own}").text)
    given = cells | {"检测结果": "阴性"}
    path = f"/quarantine/rows/{own}"
    other = given | {"检测机构": "第1检测机构"}
    cell = [other.get(column, "") for column in columns]
    assert post(grid, path, form_of="/quarantine", cell=cell, reason="x").status_code == 422, "not in another's name"
    cell = [given.get(column, "") for column in columns]
    assert post(grid, path, form_of="/quarantine", cell=cell, reason="电话核实").status_code == 303
    assert answered(clerk, "agree", number=waiting(home)).status_code == 303
    land(home, inbox)
    assert query(home, "select result from staging.test_results where sample_key = 'P1'") == [("阴性",)]
    with sender("clerk") as without:
        assert without.get(f"/quarantine/corrections/{number}").status_code == 403
    with sender("lab-1") as lab:
        assert lab.get(f"/quarantine/corrections/{number}").status_code == 403


def test_the_database_refuses_the_proposer_and_a_file_that_nobody_confirmed(home, inbox):
    """The portal's login itself cannot confirm what it proposed for the same person, nor make the file."""
    rejected_id = refused_one(home, inbox)
    propose = "insert into portal.correction (rejected_id, feed, sender, content, reason, login, name) values (%s, %s, %s, 'x', %s, 'one', '甲')"
    answer = "insert into portal.correction_answer (correction_id, is_agreed, reason, login, name) values (%s, %s, %s, %s, '乙')"
    with warehouse.connect(home, "portal") as conn:
        conn.autocommit = True
        with pytest.raises(psycopg.errors.CheckViolation):
            conn.execute(propose, (rejected_id, "test_results", "第1检测机构", " "))
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            conn.execute(propose, (rejected_id + 1, "test_results", "第1检测机构", "x"))
        conn.execute(propose, (rejected_id, "teams", "第2检测机构", "x"))
        number = waiting(home)
        assert query(home, "select feed, sender from portal.correction") == [("test_results", "第1检测机构")]
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="proposer"):
            conn.execute(answer, (number, True, "", "one"))
        with pytest.raises(psycopg.errors.CheckViolation):
            conn.execute(answer, (number, False, " ", "two"))
        by_hand = "insert into portal.sending (login, sender, feed, suffix, size_bytes, corrects, correction_id) values ('two', 'x', 'test_results', '', 1, %s, %s)"
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="confirmed"):
            conn.execute(by_hand, (rejected_id, number))
        for statement in (
            "update portal.correction set login = 'three'", "delete from portal.correction_answer",
            "select content from portal.correction", "update portal.correction_answer set is_agreed = true",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)
        assert query(home, "select count(*) from portal.sent_file") == [(0,)]
        conn.execute(answer, (number, True, "", "two"))
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute(by_hand, (rejected_id, number))
    assert query(home, "select content from portal.sent_file") == [(b"x",)], "the file is what was proposed"
    with warehouse.connect(home, "reporter") as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("select audit.record('two', 'correction_confirmed', 'correction 1')")


def test_a_proposed_correction_goes_with_what_the_row_says(sender, home, inbox):
    clerk, second = sender("case-worker"), sender("second")
    proposed(clerk, refused_one(home, inbox))
    answered(second, "return", "不清楚")
    for before, left in ((date.min, 1), (date.max, 0)):
        with warehouse.connect(home, "loader") as conn:
            done = {each.what: each.rows for each in retention._rejected(conn, {"rejected_row": before})}
        assert done["portal_correction"] == 1 - left
        assert query(home, "select count(*) from portal.correction") == [(left,)]
    assert query(home, "select count(*) from portal.correction_answer") == [(0,)]
    assert clerk.get("/quarantine").status_code == 200
