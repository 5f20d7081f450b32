"""These tests call today's list over HTTP, and follow an answer into the marts of the next day."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import openpyxl
import psycopg
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from psycopg import sql

from tests import support
from tests.integration.modelling.test_models import PAIRS_PER_ROW, pairs_per_row
from tests.portal import Portal
from yingjian import clock
from yingjian.database import warehouse
from yingjian.landing import item_number
from yingjian.landing.feeds import DISPOSITIONS
from yingjian.people.audience import OFFICE
from yingjian.portal import publications
from yingjian.reports.content import today
from yingjian.reports.content.audiences import narrowed
from yingjian.reports.content.today import Wanted, natural
from yingjian.reports.render.workbook import ANSWER, ITEM_COLUMNS, TODAY, TODAY_COLUMNS
from yingjian.settings import Settings

TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
ITEM = re.compile(r'name="item" value="([^"]+)"')
KEY = re.compile(r"[0-9a-f]{64}")


@pytest.fixture
def client(portal: Portal) -> Iterator[Callable[[str | None], httpx.Client]]:
    opened: list[httpx.Client] = []

    def open_for(login: str | None) -> httpx.Client:
        opened.append(portal.client(login))
        return opened[-1]

    yield open_for
    for each in opened:
        each.close()
    with warehouse.connect(portal.settings) as conn:
        conn.execute("delete from portal.disposition")


def card_of(page: str, item: str) -> str:
    return next(card for card in page.split('<li class="card') if item in card)


def tell(client: httpx.Client, page: str, *items: str, result: str = "已通知", **more: str) -> httpx.Response:
    found = TOKEN.search(page)
    assert found
    return client.post("/today", data={"form_token": found[1], "item": list(items), "result": result, **more})


def test_the_list_has_what_cannot_wait_of_the_own_part_and_nothing_else(portal, client):
    page = client("grid").get("/today").text
    items = ITEM.findall(page)
    expected = portal.query(
        """
        select 'overdue|' || obligation_id from reporting.overdue where community = %(own)s
        and not exists (select from reporting.pool_followup as f where f.membership_id = overdue.membership_id and f.status in ('waiting', 'overdue'))
        and not (group_code = 'P19' and exists (select from reporting.pharmacy_followup as f where f.person_key = overdue.person_key and f.status in ('upcoming', 'overdue')))
        union all select 'due|' || obligation_id from reporting.due where community = %(own)s and days_until_due = 1
        and not exists (select from reporting.pool_followup as f where f.membership_id = due.membership_id and f.status in ('waiting', 'overdue'))
        and not (group_code = 'P19' and exists (select from reporting.pharmacy_followup as f where f.person_key = due.person_key and f.status in ('upcoming', 'overdue')))
        union all select 'positive_followup|' || positive_id from reporting.positive_followup where community = %(own)s and status in ('waiting', 'overdue')
        union all select 'contact_clock|' || contact_key from reporting.contact_clock where community = %(own)s and status in ('running', 'overdue') and not is_infected
        union all select 'pool_followup|' || membership_id from reporting.pool_followup where community = %(own)s and status in ('waiting', 'overdue')
        union all select 'push_outstanding|' || feed || ':' || record_key from reporting.push_outstanding where community = %(own)s
        union all select 'pharmacy_followup|' || purchase_id from reporting.pharmacy_followup where community = %(own)s and status in ('upcoming', 'overdue')
        union all select 'screening_outstanding|' || round_id || '/' || person_key from reporting.screening_outstanding where community = %(own)s and not is_infected
        union all select 'health_monitoring|' || membership_id || '/' || monitored_on from reporting.health_monitoring
        where community = %(own)s and monitored_on = as_of_date and status = 'signal'
        """.replace("%(own)s", f"'{portal.own}'")
    )
    assert sorted(items) == sorted(item for (item,) in expected) and len(items) > 5
    lists = [item.partition("|")[0] for item in items]
    firsts = [lists.index(mart) for mart in ("pool_followup", "contact_clock", "push_outstanding", "overdue")]
    assert firsts == sorted(firsts), "the order is that of danger"
    persons = {KEY.search(i)[0] for i in items if KEY.search(i)}
    assert len(re.findall('<li class="card someone', page)) <= len(items)
    phones = re.findall(r'href="tel:(\d+)"', page)
    known = portal.query("select phone from restricted.person where community = %s", portal.own)
    assert phones and set(phones) <= {phone for (phone,) in known}
    assert not any(key in address for key in persons for address in re.findall(r'(?:href|action)="([^"]*)"', page))


def test_a_look_is_on_record_and_those_without_the_right_have_none(portal, client):
    client("grid").get("/today?list=overdue&grid=" + portal.own)
    actor, action, subject, details = portal.query(
        "select actor, action, object, details from audit.event order by event_id desc limit 1"
    )[0]
    assert (actor, action, subject) == ("grid", "today_view", "publication 2 today")
    assert details["filters"] == {"list": "overdue", "grid": portal.own} and details["persons"] > 0
    for login in ("clerk", "director", "operator"):
        assert client(login).get("/today").status_code == 403
    assert 'href="/today"' not in client("clerk").get("/").text


def test_filters_leave_what_they_say(portal, client):
    grid = client("case-worker")
    every = grid.get("/today").text
    options = re.findall(r'<option value="(第\d+社区)">', every)
    assert options == sorted(options, key=natural) and options.index("第2社区") < options.index("第10社区")
    for query in ("list=overdue", "state=late", "answer=none", "day=2022-07-20"):
        page = grid.get(f"/today?{query}").text
        shown, all_of = (int(re.search(r"(\d+) 项：", text)[1]) for text in (page, every))
        assert 0 < shown < all_of, query
    assert all(item.startswith("overdue|") for item in ITEM.findall(grid.get("/today?list=overdue").text))
    first, second = (set(ITEM.findall(grid.get(f"/today?page={number}").text)) for number in (1, 2))
    assert first and second and not first & second
    assert len(re.findall('<li class="card someone', every)) == 25


def test_no_item_is_compared_with_every_answer_or_every_mixed_sample(portal, monkeypatch):
    """PostgreSQL expects few items and thousands come; the query of a page took seconds in a town of 100,000."""
    plans: list[dict[str, Any]] = []

    def explained(conn: psycopg.Connection, query: sql.Composed, **given: Any) -> list[dict[str, Any]]:
        plans.append(
            conn.execute(sql.SQL("explain (analyze, format json) ") + query, given).fetchall()[0][0][0]["Plan"]
        )
        return records(conn, query, **given)

    records = today.records
    monkeypatch.setattr(today, "records", explained)
    with warehouse.connect(portal.settings) as conn, conn.transaction(force_rollback=True):
        for statement in (
            """
            insert into published.disposition_p2 (
                publication_id, as_of_date, list, item_id, department, community, grid, answers, result, handled_at
            )
            select 2, as_of_date, 'overdue', obligation_id || '/past', '', '', '', 1, '已通知', as_of_date
            from published.overdue_p2 limit 200
            """,
            """
            insert into published.pool_followup_p2
            select (jsonb_populate_record(null::published.pool_followup_p2, to_jsonb(known) || jsonb_build_object(
                'tube_no', 'tube ' || number, 'membership_id', 'somebody ' || number, 'status', 'waiting'
            ))).* from generate_series(1, 200) as number, (select * from published.pool_followup_p2 limit 1) as known
            """,
            "analyze published.disposition_p2, published.pool_followup_p2",
        ):
            conn.execute(statement)
        with narrowed(conn, OFFICE):
            publication = publications.current(conn)
            assert publication
            read = today.read_today(conn, publication, Wanted())
    assert read.items > 200 and len(plans) == 3
    # So few persons may be compared without an index.
    compared = [max(pairs_per_row(plan, unless_by="person_key"), default=0.0) for plan in plans]
    assert [pairs for pairs in compared if pairs > PAIRS_PER_ROW] == []


def test_an_answer_is_shown_at_once_and_on_record_without_the_item(portal, client):
    grid = client("grid")
    page = grid.get("/today").text
    item, other = ITEM.findall(page)[:2]
    response = tell(grid, page, item, result="联系不上", note="  三次 未接 ", back="/today?state=late#p1")
    assert (
        response.status_code == 303 and unquote(response.headers["location"]) == "/today?state=late&saved=联系不上#p1"
    )
    again = grid.get("/today").text
    assert "<b>联系不上</b>" in card_of(again, item) and "三次 未接" in card_of(again, item)
    assert "社区网格员" in card_of(again, item) and "<b>" not in card_of(again, other).partition("answered")[2]
    tell(grid, page, item, result="已通知")
    assert "<b>已通知</b>" in card_of(grid.get("/today").text, item), "the newest answer is shown"
    event = portal.query(
        "select action, object, details - 'service' from audit.event where action = 'disposition' order by event_id desc limit 1"
    )
    assert event == [
        ("disposition", "publication 2", {"items": 1, "lists": [item.partition("|")[0]], "results": ["已通知"]})
    ]
    log = portal.log.read_text()
    assert not KEY.search(log) and "三次" not in log


def test_an_answer_about_what_is_not_in_the_own_part_is_refused(portal, client):
    grid, office = client("grid"), client("case-worker")
    page = grid.get("/today").text
    theirs = next(i for i in ITEM.findall(office.get("/today").text) if i not in ITEM.findall(page))
    for items in ([theirs], [ITEM.findall(page)[0], theirs], ["overdue|nobody"], ["pg_class|x"]):
        assert tell(grid, page, *items).status_code == 403
    for wrong in ({"result": "办了"}, {"result": ""}):
        assert tell(grid, page, ITEM.findall(page)[0], **wrong).status_code == 400
    assert tell(grid, page, "overdue").status_code == 400
    assert tell(client("clerk"), page, ITEM.findall(page)[0]).status_code in (303, 403)
    assert grid.post("/today", data={"item": ITEM.findall(page)[0], "result": "已通知"}).status_code == 303
    assert portal.query("select count(*) from portal.disposition") == [(0,)]


def test_nothing_is_lost_when_the_session_is_over(portal, client):
    nobody, page = client(None), client("grid").get("/today").text
    item = ITEM.findall(page)[0]
    response = tell(nobody, page, item, result="拒绝", note="不开门", back="/today?state=late#p1")
    assert response.status_code == 303
    assert response.headers["location"] == "/sign-in?next=%2Ftoday%3Fstate%3Dlate%23p1"
    nobody.cookies.set("yingjian_session", portal.token("grid"), domain="127.0.0.1")
    card = card_of(nobody.get("/today").text, item)
    assert "“拒绝”还没有保存" in card and 'value="不开门"' in card
    assert tell(nobody, nobody.get("/today").text, item, result="拒绝", note="不开门").status_code == 303
    card = card_of(nobody.get("/today").text, item)
    assert "还没有保存" not in card and "<b>拒绝</b>" in card


def form_of(client: httpx.Client, path: Path) -> openpyxl.Workbook:
    """The form that a reader saves, with its sheet, as a spreadsheet program opens it."""
    found = TOKEN.search(client.get("/today").text)
    assert found
    response = client.post("/today/workbook", data={"form_token": found[1]})
    assert response.status_code == 200
    path.write_bytes(response.content)
    return openpyxl.load_workbook(path)


def item_of(portal, row: Sequence[Any]) -> str:
    """The item that a row of a form is about."""
    with warehouse.connect(portal.settings) as conn:
        return f"{row[-3]}|{item_number.revealed(conn)(row[-2])}"


def fill(sheet: Worksheet, line: int, **cells: object) -> None:
    heads = {cell.value: cell.column for cell in sheet[1]}
    for name, value in cells.items():
        sheet.cell(line, heads[name]).value = value


def send(client: httpx.Client, path: Path) -> httpx.Response:
    found = TOKEN.search(client.get("/today").text)
    assert found
    return client.post(
        "/today/answers", data={"form_token": found[1]}, files={"file": ("名单.xlsx", path.read_bytes())}
    )


def test_the_form_has_a_choice_of_answers_and_hides_what_is_the_feed_s(portal, client, tmp_path):
    grid = client("grid")
    sheet = form_of(grid, tmp_path / "form.xlsx")[TODAY]
    heads = [cell.value for cell in sheet[1]]
    assert heads == [*TODAY_COLUMNS, *ANSWER, *ITEM_COLUMNS]
    choice, time = sheet.data_validations.dataValidation
    assert all(word in choice.error and word in choice.prompt for word in DISPOSITIONS)
    assert time.prompt == "不填的按收到文件的时间计"
    assert choice.formula1 == f'"{",".join(DISPOSITIONS)}"' and choice.type == "list"
    columns = {cell.value: sheet.column_dimensions[cell.column_letter] for cell in sheet[1]}
    assert all(columns[ITEM_COLUMNS[0]].hidden for _ in ITEM_COLUMNS) and not columns["处置结果"].hidden
    items = [item_of(portal, row) for row in sheet.iter_rows(min_row=2, values_only=True)]
    assert sorted(items) == sorted(ITEM.findall(grid.get("/today").text))
    assert all("*" in row[1] for row in sheet.iter_rows(min_row=2, values_only=True) if row[1])
    action, details = portal.query(
        "select action, details from audit.event where action = 'export' order by event_id desc limit 1"
    )[0]
    assert action == "export" and details["persons"] == len(
        {row[0] for row in sheet.iter_rows(min_row=2, values_only=True)}
    )
    (gone,) = portal.query(
        "select count(*) from audit.event where action ~ '^(today|disposition|export)' and concat(object, details) ~ '[0-9a-f]{64}'"
    )
    assert gone == (0,)


def test_a_form_comes_back_with_three_ordinary_mistakes(portal, client, tmp_path):
    """A code by hand, a time in the future, and a number that the spreadsheet cut; the sender sees each by its line."""
    grid, path = client("grid"), tmp_path / "form.xlsx"
    book = form_of(grid, path)
    sheet = book[TODAY]
    given = {"处置人": "王网格", "处置时间": "2022-07-21 09:30"}
    fill(sheet, 2, 处置结果="已通知", 备注="约好下午", **given)
    fill(sheet, 3, 处置结果="电话打过了", **given)
    fill(sheet, 4, 处置结果="已通知", 处置人="王网格", 处置时间="2099-01-01 08:00")
    fill(sheet, 5, 处置结果="拒绝", 项目编号=3.5050319420502275e17, **given)
    item = item_of(portal, [cell.value for cell in sheet[2]])
    book.save(path)
    response = send(grid, path)
    assert response.status_code == 422 and "已收到 1 条处置" in response.text
    shown = re.findall(r'<th scope="row".*?>(.*?)</th><td[^>]*>(.*?)</td><td[^>]*>(.*?)</td>', response.text)
    assert [(line, column) for line, column, _ in shown] == [
        ("第3行", "处置结果"), ("第4行", "处置时间"), ("第5行", "项目编号"),
    ]  # fmt: skip
    assert all(reason for _, _, reason in shown)
    assert all(word in shown[0][2] for word in DISPOSITIONS), "the line says what may stand there"
    assert "<b>已通知</b>" not in response.text
    card = card_of(grid.get("/today").text, item)
    assert "<b>已通知</b>" in card and "王网格 2022-07-21 09:30" in card and "约好下午" in card
    for line in (3, 4, 5):
        fill(sheet, line, 处置结果=None, 处置人=None, 处置时间=None)
    book.save(path)
    assert send(grid, path).status_code == 200


def test_a_time_that_is_left_out_is_that_of_receipt(portal, client, tmp_path):
    grid, path = client("grid"), tmp_path / "form.xlsx"
    book = form_of(grid, path)
    fill(book[TODAY], 2, 处置结果="已通知", 处置人="王网格")
    book.save(path)
    before = datetime.now(clock.SHANGHAI).replace(tzinfo=None, microsecond=0)
    response = send(grid, path)
    assert response.status_code == 200 and "已收到 1 条处置" in response.text
    ((handled_at,),) = portal.query("select handled_at from portal.disposition")
    assert before <= handled_at <= datetime.now(clock.SHANGHAI).replace(tzinfo=None)


def test_a_grid_reads_its_own_rows_and_none_of_the_community_s_others(portal, client):
    """The list, the hand-out, the form and answers are those of the grid; the community has every one of them."""
    worker, community = client("grid-worker"), client("grid")
    page = worker.get("/today").text
    items, others = set(ITEM.findall(page)), set(ITEM.findall(community.get("/today").text))
    assert items and items < others
    here = set(ITEM.findall(community.get(f"/today?grid={portal.own}/{portal.own_grid}").text))
    assert items <= here, "the community's filter has those besides whose row names no grid"
    late = portal.query(
        f"select 'overdue|' || obligation_id from reporting.overdue where community = '{portal.own}' and grid = '{portal.own_grid}'"
    )
    found = {item for item in items if item.startswith("overdue|")}
    assert found and found <= {item for (item,) in late}
    assert 'id="f-grid"' not in page and f"{portal.own} {portal.own_grid}" in page
    handout = worker.get("/today/handout").text
    assert re.findall(r"<h2><span>(.*?)</span>", handout) == [f"{portal.own} {portal.own_grid}"]
    assert tell(worker, page, sorted(items)[0]).status_code == 303
    theirs = sorted(others - items)[0]
    assert tell(worker, page, theirs).status_code == 403
    assert portal.query("select login from portal.disposition") == [("grid-worker",)]


def test_a_person_of_the_own_grid_opens_and_a_neighbour_does_not(portal, client):
    worker = client("grid-worker")
    query = """
        select person_key from restricted.person where community = %s and (grid = %s) = %s and person_key in (
            select person_key from reporting.obligation
        ) and person_key not in (
            select person_key from reporting.obligation where community = %s and grid = %s and not %s
        ) order by 1 limit 1
    """
    token = TOKEN.search(worker.get("/today").text)
    assert token
    for is_own, status in ((True, 200), (False, 403)):
        ((key,),) = portal.query(query, portal.own, portal.own_grid, is_own, portal.own, portal.own_grid, is_own)
        form = {"form_token": token[1], "reason": "上门核实"}
        response = worker.post(f"/persons/{key}", data=form, follow_redirects=True)
        assert response.status_code == status, is_own


def test_a_grid_s_home_has_no_figure_of_the_community(portal, client):
    worker = client("grid-worker")
    home = worker.get("/").text
    ((count,),) = portal.query(
        f"select count(*) from reporting.overdue where community = '{portal.own}' and grid = '{portal.own_grid}'"
    )
    assert re.search(rf'逾期未检</span> <b class="bad">{count}</b>', home)
    assert "应检尽检率" not in home and "/zones" not in home and "/map" not in home
    assert "/lists/guest_check" not in home, "guests have no grid, so that nothing is said of them"
    report = worker.get("/reports/2/page").text
    assert f"只含{portal.own} {portal.own_grid}的数据，各项数字都是本网格的" in report
    assert "应检尽检率</a>" not in report


def test_the_last_filter_is_kept_for_its_reader_alone(portal, client):
    grid = client("grid")
    every = ITEM.findall(grid.get("/today").text)
    filtered = ITEM.findall(grid.get("/today?list=overdue&day=2022-07-20").text)
    page = grid.get("/today").text
    kept = ITEM.findall(page)
    assert 0 < len(filtered) <= len(kept) < len(every), "the day is not kept"
    assert all(item.startswith("overdue|") for item in kept) and "按您上次的筛选显示" in page
    other = client("case-worker")
    other.cookies.set("yingjian_filter", grid.cookies["yingjian_filter"])
    assert "按您上次的筛选显示" not in other.get("/today").text
    assert ITEM.findall(grid.get("/today?grid=").text) == every, "the reader takes the filter back"
    assert ITEM.findall(grid.get("/today").text) == every
    grid.get("/today?grid=没有这个社区")
    page = grid.get("/today").text
    assert ITEM.findall(page) == every and "按您上次" not in page, "a filter that nothing is left of hides nothing"
    cookie = grid.cookies["yingjian_filter"]
    assert not KEY.search(cookie)


def test_a_form_of_a_demo_comes_back(portal, client, tmp_path):
    """The clock of a demo stands in the town's days, and its publications have the machine's time, which the form has."""
    clock.set_demo_clock(portal.settings.home, datetime(2022, 7, 22, 6, 30, tzinfo=clock.SHANGHAI))
    try:
        grid, path = client("grid"), tmp_path / "form.xlsx"
        book = form_of(grid, path)
        fill(book[TODAY], 2, 处置结果="已通知", 处置人="王网格", 处置时间="2022-07-22 06:10")
        book.save(path)
        response = send(grid, path)
        assert response.status_code == 200 and "已收到 1 条处置" in response.text
    finally:
        (portal.settings.home / clock.FILE).unlink()


def test_a_form_that_is_sent_when_the_session_is_over_is_asked_for_again(portal, client):
    nobody = client(None)
    response = nobody.post("/today/answers", data={"form_token": "x"}, files={"file": ("名单.xlsx", b"x")})
    assert response.status_code == 303
    assert response.headers["location"] == "/sign-in?next=%2Ftoday%3Funsent%3Dform%23paper"
    words = "登录曾过期，表格没有交上"
    assert words in client("grid").get("/today?unsent=form").text and words not in client("grid").get("/today").text


def test_a_form_that_is_kept_is_shown_to_its_reader_alone(portal, client):
    """The session ended while the form was filled in; somebody else signs in at the same browser."""
    browser, page = client("grid"), client("grid").get("/today").text
    token, item = TOKEN.search(page), ITEM.search(page)
    assert token and item
    form = {"form_token": token[1], "item": item[1], "result": "已通知", "note": "约好下午三点"}
    browser.cookies.delete("yingjian_session")
    assert browser.post("/today", data=form).headers["location"].startswith("/sign-in")
    cookie = browser.cookies["yingjian_kept"]
    for login, is_shown in (("grid", True), ("case-worker", False)):
        other = client(login)
        other.cookies.set("yingjian_kept", cookie)
        pages = (
            [other.get(f"/today?page={number}").text for number in range(1, 40)]
            if login != "grid"
            else [other.get("/today").text]
        )
        assert any(item[1] in text for text in pages), "the item stands on the lists of both"
        assert any("约好下午三点" in text for text in pages) == is_shown
    browser.cookies.delete("yingjian_kept")
    browser.post("/today", data={**form, "form_token": "x"})
    assert "yingjian_kept" not in browser.cookies, "the portal gave nobody this form"


def test_a_form_says_nothing_by_which_its_persons_are_found_elsewhere(portal, client, tmp_path):
    """Tubes, positives, region sampling: the items' own numbers hold person keys and records of rosters; the form's do not."""
    sheet = form_of(client("case-worker"), tmp_path / "form.xlsx")[TODAY]
    rows = list(sheet.iter_rows(min_row=2, values_only=True))
    items = {item_of(portal, row).partition("|")[2] for row in rows}
    assert any(KEY.search(item) for item in items), "the town has such items"
    known = {text for (text,) in portal.query("select distinct person_key from published.person")}
    known |= {text for (text,) in portal.query("select distinct membership_id from reporting.obligation")} | items
    for row in rows:
        cells = [str(cell) for cell in row if cell is not None]
        assert not any(text in cell for cell in cells for text in known if len(text) > 6)
    assert len({row[-2] for row in rows}) == len(items), "the same item has the same number"
    again = form_of(client("case-worker"), tmp_path / "again.xlsx")[TODAY]
    assert list(again.iter_rows(min_row=2, values_only=True)) == rows


def test_a_row_of_somebody_else_is_refused_and_no_file_is_too_odd(portal, client, tmp_path):
    office, grid, path = client("case-worker"), client("grid"), tmp_path / "form.xlsx"
    book = form_of(office, path)
    sheet = book[TODAY]
    own = set(ITEM.findall(grid.get("/today").text))
    line = next(
        line
        for line, row in enumerate(sheet.iter_rows(min_row=2, values_only=True), 2)
        if item_of(portal, row) not in own
    )
    fill(sheet, line, 处置结果="已通知", 处置人="王网格", 处置时间="2022-07-21 09:30")
    book.save(path)
    response = send(grid, path)
    assert (
        "已收到 0 条处置" in response.text and "不在您今日的名单上" in response.text and f"第{line}行" in response.text
    )
    for content in (b"", b"PK\x03\x04", "姓名,电话\n张三,1\n".encode()):
        path.write_bytes(content)
        response = send(grid, path)
        assert response.status_code == 422 and 'role="alert"' in response.text
    assert portal.query("select count(*) from portal.disposition") == [(0,)]
    assert "张三" not in portal.log.read_text()


def test_the_form_lands_like_any_file_and_its_mistakes_are_named(home_factory, portal, client, tmp_path):
    """The same file in the landing location: rows without an answer are none, a corrected one takes the place of the first."""
    town, path = home_factory("form"), tmp_path / "landing" / "dispositions" / "form.xlsx"
    path.parent.mkdir(parents=True)
    book = form_of(client("grid"), path)
    sheet = book[TODAY]
    given = {"处置人": "王网格", "处置时间": "2022-07-21 09:30"}
    fill(sheet, 2, 处置结果="已通知", **given)
    fill(sheet, 3, 处置结果="电话打过了", **given)
    fill(sheet, 4, 处置结果="拒绝", 处置人="王网格", 处置时间="2099-01-01 08:00")
    fill(sheet, 5, 处置结果="拒绝", 项目编号=3.5050319420502275e17, **given)
    book.save(path)
    support.land_folder(town, path.parents[1])
    assert support.query(town, "select rows_read, rows_staged, rows_rejected from quality.landed_file") == [(4, 1, 3)]
    refused = support.query(town, "select line, reason_codes, reason from quality.rejected_row order by line")
    assert [(line, codes) for line, codes, _ in refused] == [
        (3, ["unknown_code"]), (4, ["future_time"]), (5, ["rounded_key"]),
    ]  # fmt: skip
    assert all(reason.startswith(f"form.xlsx第{line}行，列“") for line, _, reason in refused)
    fill(sheet, 3, 处置结果="联系不上")
    book.save(path.with_name("again.xlsx"))
    support.land_folder(town, path.parents[1])
    assert support.query(town, "select result, handled_by from staging.dispositions order by result") == [
        ("已通知", "王网格"), ("联系不上", "王网格"),
    ]  # fmt: skip
    assert support.query(town, "select line from quality.rejected_row where resolved_at is null order by line") != []


def test_an_answer_that_lands_finds_its_item(home_factory, tmp_path):
    """Whatever list the item is of; a number that no form gave out stays as the sender wrote it."""
    town, folder = home_factory("form"), tmp_path / "landing" / "dispositions"
    folder.mkdir(parents=True)
    items = [f"R1/{'a' * 64}", "病例-1", "key_population:KP0000001/8/rolling", "x" * 250]
    with warehouse.connect(town, "reporter") as conn:
        numbers = [*map(item_number.hidden(conn), items), "Y1-unknown", "KP1/8/rolling"]
    lines = [
        f"{place},overdue,{number},已通知,王网格,2022-07-21 09:30:00,,2022-07-21 09:30:00"
        for place, number in enumerate(numbers)
    ]
    (folder / "a.csv").write_text(
        "编号,名单,项目编号,处置结果,处置人,处置时间,备注,更新时间\n" + "\n".join(lines) + "\n", encoding="utf-8"
    )
    support.land_folder(town, folder.parent)
    assert (
        support.query(
            town,
            "select reason from quality.rejected_row where file_id = (select max(file_id) from quality.landed_file)",
        )
        == []
    )
    rows = support.query(
        town, "select item_key from staging.dispositions where disposition_key ~ '^[0-9]$' order by disposition_key"
    )
    assert [key for (key,) in rows] == [*items, "Y1-unknown", "KP1/8/rolling"]


def test_the_hand_out_has_a_table_for_each_grid_in_the_natural_order(portal, client):
    office = client("case-worker")
    page = office.get("/today/handout").text
    grids = re.findall(r"<h2><span>(.*?)</span>", page)
    assert len(grids) == len(set(grids)) > 10 and grids == sorted(grids, key=natural)
    assert page.count('<th scope="row"') == int(re.search(r"(\d+) 人", office.get("/today").text)[1])
    one = office.get(f"/today/handout?grid={portal.own}").text
    assert {grid.partition(" ")[0] for grid in re.findall(r"<h2><span>(.*?)</span>", one)} == {portal.own}
    assert portal.query("select action from audit.event order by event_id desc limit 1") == [("today_handout",)]
    assert client("clerk").get("/today/handout").status_code == 403


@pytest.mark.slow
def test_an_answer_is_in_the_marts_of_the_next_day_and_changes_no_duty(home_factory, built_town: Settings):
    town = home_factory("answers", like=built_town)
    ((day,),) = support.query(town, "select max(as_of_date) from build.overdue")
    counted = "select * from build.compliance_daily order by 1, 2, 3, 4, 5, 6"
    duties = "select * from build.obligation order by obligation_id"
    before = support.query(town, counted), support.query(town, duties)
    ((item, membership),) = support.query(
        town, "select obligation_id, membership_id from build.overdue order by obligation_id limit 1"
    )
    with warehouse.connect(town, "portal") as conn:
        conn.execute(
            "insert into portal.disposition (list, item_id, result, login, handled_by, handled_at)"
            " values ('overdue', %s, '已搬离', 'grid', '网格员', %s), ('overdue', %s, '已采样', 'grid', '网格员', %s)",
            (item, f"{day} 09:00", item, f"{day} 08:00"),
        )
    support.build(town, day)
    assert (support.query(town, counted), support.query(town, duties)) == before
    found = "select result, handled_at::text from build.disposition where list = 'overdue' and item_id = %s"
    assert support.query(town, found, item) == [("已搬离", f"{day} 09:00:00")]
    corrections = support.query(town, "select membership_id from build.roster_correction where result = '已搬离'")
    assert (membership,) in corrections
