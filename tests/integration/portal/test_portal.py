"""These tests call the portal over HTTP: its own service, real sessions, the town's warehouse."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date

import httpx
import openpyxl
import pytest

from tests.portal import Portal, ask_release
from yingjian.database import warehouse
from yingjian.landing.errors import REASONS
from yingjian.landing.feeds import FEEDS
from yingjian.people.audience import Audience
from yingjian.portal.access import COOKIE
from yingjian.portal.quality import checked_title
from yingjian.privacy import audit_trail
from yingjian.reports.content.audiences import narrowed
from yingjian.reports.packs import pack_of
from yingjian.reports.render.long_lists import path_of

LOGINS = ("director", "case-worker", "health", "grid", "clerk", "operator", "grid-worker")
OFFICIALS = {"director", "case-worker", "health", "grid", "clerk", "grid-worker"}
WIDER = OFFICIALS - {"grid-worker"}  # No figure is divided by grids.
DATA_TEAM = {"operator"}
# Page -> who may open it.
PAGES: dict[str, set[str]] = {
    "/": OFFICIALS,  # The data team is sent on to its own page.
    "/reports/2": OFFICIALS,
    "/reports/2/page": OFFICIALS,
    "/reports/2/pdf": OFFICIALS,
    "/reports/2/docx": OFFICIALS,
    "/reports/2/png": OFFICIALS,
    # The spreadsheet of a part has names in it, the office's has none.
    "/reports/2/xlsx": OFFICIALS - {"clerk"},
    "/today": {"case-worker", "health", "grid", "grid-worker"},
    "/today/handout": {"case-worker", "health", "grid", "grid-worker"},
    "/lists": OFFICIALS,
    "/lists/overdue": OFFICIALS,
    "/zones": WIDER,
    "/map": WIDER,
    "/trends": WIDER,
    "/compare": WIDER,
    "/screen": WIDER,
    "/delivery/preview": OFFICIALS,
    "/notifications": OFFICIALS,
    "/quality": OFFICIALS | DATA_TEAM,
    "/quarantine": {"case-worker", "grid"},
    "/publications": OFFICIALS | DATA_TEAM,
    "/publications/changes?before=1&after=2": OFFICIALS | DATA_TEAM,
    "/operations": DATA_TEAM,
    "/documents/audit": DATA_TEAM,
    "/documents/audit/build.overdue": DATA_TEAM,
    "/documents/models": DATA_TEAM,
    "/documents/models/page": DATA_TEAM,
    "/documents/runbooks/daily": DATA_TEAM,
}
TOKEN = re.compile(r'name="form_token" value="([^"]+)"')


@pytest.fixture(scope="module")
def clients(portal: Portal) -> Iterator[dict[str, httpx.Client]]:
    opened = {login: portal.client(login) for login in LOGINS}
    yield opened
    for client in opened.values():
        client.close()


def get(client: httpx.Client, path: str) -> httpx.Response:
    return client.get(path)


def post(client: httpx.Client, path: str, form_of: str = "/quality", **data: str) -> httpx.Response:
    """Send a form with the token that a page of the portal gave this reader."""
    found = TOKEN.search(get(client, form_of).text)
    assert found
    return client.post(path, data={"form_token": found[1], **data})


def names_in(portal: Portal, text: str) -> set[str]:
    return {
        name for (name,) in portal.query("select distinct name from restricted.person where name <> ''") if name in text
    }


def events(portal: Portal) -> list[tuple]:  # type: ignore[type-arg]
    return portal.query("select actor, action, object, reason, details - 'service' from audit.event order by event_id")


@pytest.mark.parametrize("path", PAGES)
def test_each_page_opens_for_those_who_may_and_for_nobody_else(portal, clients, path):
    opened = {login for login, client in clients.items() if get(client, path).status_code == 200}
    assert opened == PAGES[path]
    with portal.client() as nobody:
        response = get(nobody, path)
        assert response.status_code == 303
        assert response.headers["location"].startswith("/sign-in?next=%2F")
        assert nobody.get(path, headers={"accept": "application/json"}).status_code == 401


def test_every_route_says_what_it_needs(tmp_path):
    """Read from the app itself, so that a page that is added later is not forgotten."""
    script = """
from yingjian.portal.app import create_app
from fastapi.routing import APIRoute
def calls(dependant):
    yield dependant.call
    for each in dependant.dependencies:
        yield from calls(each)
for route in create_app().routes:
    if isinstance(route, APIRoute):
        names = {getattr(call, "__qualname__", "") for call in calls(route.dependant)}
        print(route.path, sorted(route.methods), "needs.<locals>.check" in names, "checked_form" in names)
"""
    environment = {"YINGJIAN_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    told = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    ).stdout
    routes = [line for line in told.splitlines() if line.startswith("/")]
    assert len(routes) > 20
    open_to_all = {line.split()[0] for line in routes if " False True" not in line and " True " not in line}
    # `/password` wants a session, and that is all; the provider's two say nothing without a provider.
    ways_in = {"/sign-in", "/sign-in/provider", "/sign-in/provider/back"}
    assert open_to_all == {"/language", "/health", "/password", *ways_in}
    # The form of the sign-in and the choice of a language belong to no session; the origin guards them.
    assert {line.split()[0] for line in routes if "POST" in line and not line.endswith("True")} == {
        "/language",
        "/sign-in",
    }
    assert {line.split()[0] for line in routes if " False True" in line} == {"/sign-out", "/password"}


def test_a_forged_session_and_one_of_a_user_who_is_gone_open_nothing(portal, clients):
    token = clients["case-worker"].cookies[COOKIE]
    with portal.client() as client:
        for forged in ("x", token[:-3] + "abc", hashlib.sha256(token.encode()).hexdigest(), token + "%00"):
            client.cookies.set(COOKIE, forged, domain="127.0.0.1")
            assert get(client, "/lists/overdue").status_code == 303
    written = portal.settings.officials.read_text()
    try:
        portal.settings.officials.write_text(written.replace("case-worker", "somebody-else"))
        assert get(clients["case-worker"], "/lists").status_code == 303
        portal.settings.officials.write_text("officials: [")
        for login in ("grid", "operator"):
            broken = get(clients[login], "/quality")
            assert broken.status_code == 503
            assert str(portal.settings.officials) not in broken.text
    finally:
        portal.settings.officials.write_text(written)
    assert get(clients["case-worker"], "/lists").status_code == 303, "the session is over for good"
    clients["case-worker"].cookies.set(COOKIE, portal.token("case-worker"), domain="127.0.0.1")
    assert get(clients["case-worker"], "/lists").status_code == 200


def test_a_refusal_is_clear_and_shows_nothing(portal, clients):
    refused = get(clients["grid"], "/operations")
    assert refused.status_code == 403
    assert "本页只供数据团队使用" in refused.text
    assert names_in(portal, refused.text) == set()
    missing = get(clients["clerk"], "/nowhere")
    assert missing.status_code == 404
    assert "Traceback" not in missing.text and "detail" not in missing.text


@pytest.mark.parametrize(
    "address",
    [
        "/reports/99999999999999999999", "/reports/-1/page", "/reports/x/pdf", "/?page=0", "/?page=1e9", "/?day=2022-02-31",
        "/lists/overdue?page=99999999999999999999", "/lists/overdue?社区=%00", "/lists/pg_class", "/lists/overdue'--",
        "/zones?area=%00", "/zones?page=99999999999", "/quarantine?feed=%00", "/quarantine?reason=%00&page=2", "/publications?page=-1",
        "/publications/changes?before=1", "/publications/changes?before=1&after=99999999999999999999",
        "/publications/changes?before=1&after=2&kind=other", "/publications/changes?before=1&after=2&group=%00", "/persons/%00",
        "/persons/..%2f..%2fetc", "/lists/overdue?search=x&sort=-", "/map?figure=%00&community=%00", "/map?figure=x",
        "/compare?a=%00&b=x", "/compare?a=&b=",
    ],
)  # fmt: skip
def test_an_address_that_makes_no_sense_is_no_error(clients, address):
    response = get(clients["case-worker"], address)
    assert response.status_code in (200, 400, 404)
    assert "Traceback" not in response.text


def test_what_every_answer_carries(clients):
    for path in ("/", "/lists/overdue", "/reports/2/page", "/nowhere"):
        headers = get(clients["grid"], path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'self'" in policy and "default-src 'none'" in policy
        assert "script-src 'self'" in policy or "script-src" not in policy
    assert "no-store" not in get(clients["grid"], "/static/portal.css").headers["cache-control"]
    models = get(clients["operator"], "/documents/models/page").headers["content-security-policy"]
    assert models.startswith("sandbox allow-scripts;"), "scripts of others run without this site's session"


def test_an_official_sees_the_rows_of_the_own_part(portal, clients):
    with warehouse.connect(portal.settings) as conn, narrowed(conn, Audience("department", portal.department)):
        row = conn.execute("select count(*) from overdue where publication_id = 2").fetchone()
    assert row
    for login, expected, parts in (
        (
            "grid",
            portal.query("select count(*) from reporting.overdue where community = %s", portal.own)[0][0],
            {portal.own},
        ),
        ("health", row[0], None),
        ("case-worker", portal.query("select count(*) from reporting.overdue")[0][0], None),
    ):
        text = get(clients[login], "/lists/overdue").text
        assert f"共 {expected} 行" in text
        if parts:
            assert set(re.findall(r'data-label="社区"[^>]*>([^<]+)<', text)) == parts


def test_names_only_for_those_with_the_right_and_masked_numbers(portal, clients):
    for login, sees in (("case-worker", True), ("grid", True), ("director", False), ("clerk", False)):
        text = get(clients[login], "/lists/overdue").text
        assert bool(names_in(portal, text)) == sees, login
        assert bool(re.search(r"\d{6}\*{8}\d{3}[\dX]", text)) == sees
        # A person key, 64 of 0-9a-f, may hold eighteen digits in a row by chance.
        without_keys = re.sub(r"\b[\da-f]{64}\b", "", text)
        assert not re.search(r"[1-9]\d{16}[\dX]", without_keys), "no whole document number"
        assert ("/persons/" in text) == sees
    people = names_in(portal, get(clients["grid"], "/lists/overdue").text)
    at_home = {name for (name,) in portal.query(
        "select name from reporting.overdue inner join restricted.person using (person_key) where overdue.community = %s", portal.own
    )}  # fmt: skip
    assert people <= at_home


def test_a_person_is_shown_after_a_reason_and_the_trail_has_it(portal, clients):
    key = portal.person_of(portal.own)
    before = len(events(portal))
    asked = get(clients["grid"], f"/persons/{key}")
    assert asked.status_code == 200 and names_in(portal, asked.text) == set()
    short = post(clients["grid"], f"/persons/{key}", reason="  x ")
    assert short.status_code == 422 and names_in(portal, short.text) == set()
    assert len(events(portal)) == before
    shown = post(clients["grid"], f"/persons/{key}", reason="督促补检，电话联系")
    assert shown.status_code == 200
    ((name, explanation),) = portal.query(
        """
        select name, explanation from reporting.overdue inner join restricted.person using (person_key)
        where person_key = %s order by due_date limit 1
        """,
        key,
    )
    assert name in shown.text and explanation.split("<")[0] in shown.text
    ((last_sample,),) = portal.query(
        "select max(sample_date)::text from intermediate.int_sample__person_days where person_key = %s", key
    )
    assert last_sample is None or last_sample in shown.text
    assert events(portal)[before:] == [
        ("grid", "person_view", key, "督促补检，电话联系", {"part": f"community-{portal.own}", "publication": 2})
    ]


def test_a_person_of_another_part_is_refused_and_the_trail_has_it(portal, clients):
    key = portal.person_of(portal.other)
    before = len(events(portal))
    for login in ("grid", "clerk", "director", "operator"):
        assert get(clients[login], f"/persons/{key}").status_code == 403
    sent = post(clients["grid"], f"/persons/{key}", reason="督促补检，电话联系")
    assert sent.status_code == 403 and names_in(portal, sent.text) == set()
    assert post(clients["case-worker"], f"/persons/{key}", reason="流调溯源").status_code == 200
    nobody = get(clients["case-worker"], f"/persons/{'0' * 64}")
    assert nobody.status_code == 403, "whether there is such a person is not told either"
    told = [(actor, action, about) for actor, action, about, _, _ in events(portal)[before:]]
    assert told == [
        *((login, "persons_refused", key) for login in ("grid", "clerk", "director", "operator", "grid")),
        ("case-worker", "person_view", key),
        ("case-worker", "persons_refused", "0" * 64),
    ]


def test_nothing_is_shown_where_the_trail_cannot_be_written(portal, clients):
    key = portal.person_of(portal.own)
    with warehouse.connect(portal.settings) as conn:
        conn.execute("alter function audit.record rename to record_away")
    try:
        for response in (
            post(clients["grid"], f"/persons/{key}", reason="督促补检，电话联系"),
            get(clients["grid"], "/lists/overdue"),
            post(clients["grid"], "/lists/overdue/export", format="csv"),
        ):
            assert response.status_code == 500
            assert names_in(portal, response.text) == set()
            assert "psycopg" not in response.text and "audit" not in response.text
    finally:
        with warehouse.connect(portal.settings) as conn:
            conn.execute("alter function audit.record_away rename to record")
    log = portal.log.read_text()
    assert "portal: UndefinedFunction at" in log
    assert key not in "".join(line for line in log.splitlines() if "portal:" in line)


def test_a_form_that_the_portal_did_not_give_is_refused(portal, clients):
    key = portal.person_of(portal.own)
    before = len(events(portal))
    others = TOKEN.search(get(clients["clerk"], "/quality").text)
    assert others
    for token in ("", "x", others[1]):
        for path in (f"/persons/{key}", "/lists/overdue/export", "/lists/overdue/search", "/sign-out"):
            sent = clients["grid"].post(path, data={"form_token": token, "reason": "督促补检", "format": "csv"})
            assert sent.status_code == 403, path
    assert len(events(portal)) == before


def test_a_search_finds_a_name_and_stands_in_no_address_and_no_log(portal, clients):
    key = portal.person_of(portal.own)
    ((name, number),) = portal.query("select name, id_number from restricted.person where person_key = %s", key)
    sent = post(clients["grid"], "/lists/overdue/search", words=name)
    assert sent.status_code == 303
    found = clients["grid"].get(sent.headers["location"])
    assert f"/persons/{key}" in found.text
    assert set(re.findall(r'data-label="姓名"[^>]*><a[^>]*>([^<]+)<', found.text)) == {name}
    by_number = clients["grid"].get(post(clients["grid"], "/lists/overdue/search", words=number).headers["location"])
    assert f"/persons/{key}" in by_number.text
    for part in (number[-6:], number[:-1]):
        found = clients["grid"].get(post(clients["grid"], "/lists/overdue/search", words=part).headers["location"])
        assert "没有符合条件的行" in found.text, "nobody finds the masked digits one by one"
    assert (
        "没有符合条件的行"
        in clients["grid"].get(post(clients["grid"], "/lists/overdue/search", words="100%_").headers["location"]).text
    )
    # An official who does not see names does not find by them either.
    blind = clients["clerk"].get(post(clients["clerk"], "/lists/overdue/search", words=name).headers["location"])
    assert "没有符合条件的行" in blind.text
    # Another window's search has taken the cookie's place: the list says so and shows no wrong rows as the right ones.
    assert "查找内容已失效" in clients["grid"].get(sent.headers["location"]).text
    log = portal.log.read_text()
    assert "/lists/overdue" not in log, "addresses of pages are in no log"
    assert name not in log and httpx.QueryParams({"q": name})["q"] not in sent.headers["location"]
    assert str(httpx.QueryParams({"q": name}))[2:] not in log


def test_a_list_is_filtered_sorted_and_paged(portal, clients):
    client = clients["case-worker"]
    filtered = get(client, f"/lists/due?社区={portal.own}&sort=-还有几天").text
    expected = portal.query(
        "select days_until_due from reporting.due where community = %s order by days_until_due desc", portal.own
    )
    assert [int(day) for day in re.findall(r'data-label="还有几天"[^>]*>(\d+)<', filtered)] == [
        day for (day,) in expected[:50]
    ]
    assert 'aria-sort="descending"' in filtered
    ((count,),) = portal.query("select count(*) from reporting.due")
    assert count > 50
    pages = [
        set(re.findall(r"/persons/(\w+)", get(client, f"/lists/due?sort=社区&page={page}").text)) for page in (1, 2)
    ]
    rows = [get(client, f"/lists/due?page={page}").text.count("/persons/") for page in range(1, -(-count // 50) + 1)]
    assert sum(rows) == count and max(rows) <= 50 and pages[0] and pages[1]
    # An address that names no column, or no page, asks for nothing.
    assert "共" in get(client, "/lists/due?sort=person_key;drop&page=-1&社区=' or 1=1 --").text


def test_an_export_is_what_the_list_shows_and_is_recorded(portal, clients):
    before = len(events(portal))
    address = f"/lists/overdue/export?社区={portal.own}"
    sent = post(clients["case-worker"], address, format="csv")
    assert sent.status_code == 200 and "attachment" in sent.headers["content-disposition"]
    assert sent.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(sent.content.decode("utf-8-sig"))))
    ((count,),) = portal.query("select count(*) from reporting.overdue where community = %s", portal.own)
    assert len(rows) == count and {row["社区"] for row in rows} == {portal.own}
    assert all(re.fullmatch(r"\d{6}\*{8}\d{3}[\dX]", row["证件号码"]) for row in rows)
    assert [row["工作单位"] for row in rows if "HYPERLINK" in row["工作单位"]] == ['\'=HYPERLINK("http://x")']
    book = openpyxl.load_workbook(io.BytesIO(post(clients["case-worker"], address, format="xlsx").content))
    sheet = list(book["逾期未检"].values)
    assert len(sheet) == count + 1
    assert not [cell for row in book["逾期未检"] for cell in row if cell.data_type == "f"]
    nameless = post(clients["director"], address, format="csv").content.decode("utf-8-sig")
    assert names_in(portal, nameless) == set() and "姓名" not in nameless
    told = events(portal)[before:]
    assert [(actor, action, about) for actor, action, about, _, _ in told] == [
        ("case-worker", "export", "publication 2 overdue"),
        ("case-worker", "export", "publication 2 overdue"),
        ("director", "export", "publication 2 overdue"),
    ]
    assert [event[4]["rows"] for event in told] == [count] * 3
    assert [event[4]["names"] for event in told] == [True, True, False]


def test_texts_of_the_data_are_text_on_the_page(portal, clients):
    text = get(clients["grid"], "/lists/overdue").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text and "<script>alert" not in text


def test_a_reader_gets_the_own_pack_and_no_other(portal, clients):
    for login, part in (("grid", portal.own), ("health", portal.department)):
        page = get(clients[login], "/reports/2/page").text
        assert part in page
    assert portal.other not in get(clients["grid"], "/reports/2/page").text
    assert get(clients["grid"], "/reports/2/pdf").content.startswith(b"%PDF")
    assert get(clients["grid"], "/reports/2/docx").content.startswith(b"PK")
    assert get(clients["grid"], "/reports/2/png").content.startswith(b"\x89PNG")
    before = len(events(portal))
    sheet = openpyxl.load_workbook(io.BytesIO(get(clients["grid"], "/reports/2/xlsx").content))["逾期未检"]
    assert {row[3] for row in list(sheet.values)[1:]} == {portal.own}
    assert [event[:3] for event in events(portal)[before:]] == [("grid", "export", "publication 2")]
    for path in ("/reports/2/zip", "/reports/1/page", "/reports/99", "/reports/2/..%2f..%2fsecrets"):
        assert get(clients["grid"], path).status_code == 404, path


def test_a_list_too_long_for_the_spreadsheet_is_sent_to_whoever_may_have_the_spreadsheet(portal, clients):
    ((day,),) = portal.query("select as_of_date from reporting.publication where publication_id = 2")
    pack = pack_of(
        Audience("community", portal.own), day, 2, portal.settings.reports
    )  # It is the grid's and the clerk's.
    files = [path_of(pack.workbook, "overdue", ending) for ending in ("csv", "parquet")]
    for file in files:
        file.write_bytes(file.name.encode())
    before = len(events(portal))
    try:
        assert "/reports/2/lists/overdue.parquet" in get(clients["grid"], "/reports/2").text
        sent = get(clients["grid"], "/reports/2/lists/overdue.csv")
        assert sent.content.startswith(b"community-") and "attachment" in sent.headers["content-disposition"]
        assert [event[:3] for event in events(portal)[before:]] == [("grid", "export", "publication 2")]
        assert "/reports/2/lists/" not in get(clients["clerk"], "/reports/2").text
        assert get(clients["clerk"], "/reports/2/lists/overdue.csv").status_code == 404
        for path in ("due.csv", "overdue.xlsx", "overdue.json", "..%2f..%2fsecrets.csv", "overdue.csv.csv"):
            assert get(clients["grid"], f"/reports/2/lists/{path}").status_code == 404, path
    finally:
        for file in files:
            file.unlink()
    assert get(clients["grid"], "/reports/2/lists/overdue.csv").status_code == 404


def test_rejected_rows_for_the_office_all_for_a_part_its_own(portal, clients):
    before = len(events(portal))
    ((count,),) = portal.query("select count(*) from quality.rejected_row where resolved_at is null")
    assert f"共 {count} 行" in get(clients["case-worker"], "/quarantine").text
    ((own,),) = portal.query(
        "select count(*) from quality.rejected_row where resolved_at is null and sender = %s", portal.own
    )
    assert f"共 {own} 行" in get(clients["grid"], "/quarantine").text
    get(clients["director"], "/quarantine")
    assert [event[:2] for event in events(portal)[before:]] == [
        ("case-worker", "quarantine_view"),
        ("grid", "quarantine_view"),
        ("director", "quarantine_refused"),
    ]
    counts = get(clients["operator"], "/quality").text
    assert 'href="/quarantine' not in counts and "退回的行" in counts


def test_rejected_rows_of_one_reason_stand_on_the_clerk_s_desk(portal, clients):
    """The page of data quality leads there, as does the address that the rows had before."""
    quality = get(clients["case-worker"], "/quality").text
    address = html.unescape(re.findall(r'href="(/quarantine\?[^"#]*reason=[^"#]*)#rows"', quality)[0])
    feed, reason = re.findall("feed=([^&]*)&reason=(.*)", address)[0]
    ((count,),) = portal.query(
        "select count(*) from quality.rejected_row where resolved_at is null and feed = %s and %s = any(reason_codes)",
        feed,
        reason,
    )
    shown = get(clients["case-worker"], address).text
    assert f"共 {count} 行" in shown and f"{FEEDS[feed].title} {REASONS[reason]}" in shown
    ((every,),) = portal.query("select count(*) from quality.rejected_row where resolved_at is null")
    assert 0 < count < every
    moved = get(clients["case-worker"], address.replace("/quarantine", "/quality/rows"))
    assert (moved.status_code, moved.headers["location"]) == (301, f"{address}#rows")
    assert get(clients["director"], "/quality/rows").status_code == 403


def test_the_desk_tells_who_is_silent_since_when(portal, clients):
    """Only senders of the current publication that fell silent are told, those silent longest first."""
    with warehouse.connect(portal.settings) as conn:
        [(current, day)] = conn.execute(
            "select publication_id, as_of_date from published.current inner join published.publication using (publication_id)"
        ).fetchall()
        put = (
            "insert into published.feed_sender_daily"
            " (publication_id, as_of_date, feed, sender, files, rows, rejected, last_on, is_silent_since)"
            " values (%s, %s, 'test_results', %s, 0, 0, 0, %s, %s)"
        )
        for publication, sender, last_on, since in (
            (current, "甲检测站", date(2022, 7, 12), date(2022, 7, 13)),
            (current, "乙检测站", date(2022, 7, 2), date(2022, 7, 3)),
            (current, "丙检测站", date(2022, 7, 19), None),
            (1, "丁检测站", date(2022, 7, 2), date(2022, 7, 3)),
        ):
            conn.execute(put, (publication, day, sender, last_on, since))
    try:
        text = get(clients["case-worker"], "/quarantine").text
        listed = text[text.index('id="silent"') : text.index('id="rows"')]
        assert re.findall(r"[甲乙丙丁]检测站", listed) == ["乙检测站", "甲检测站"]
        assert re.search(
            r'甲检测站.*?data-label="中断自"[^>]*>2022-07-13<.*?data-label="最近报送日"[^>]*>2022-07-12<',
            listed,
            re.DOTALL,
        )
        assert "检测站" not in get(clients["grid"], "/quarantine").text, "a part is told of no sender of the town"
    finally:
        with warehouse.connect(portal.settings) as conn:
            conn.execute("delete from published.feed_sender_daily where sender like '%检测站'")


def test_zones_say_when_they_may_be_lowered_and_who_blocks(portal, clients):
    text = get(clients["case-worker"], "/zones").text
    assert re.search(r"可降为低，2022-07-20起.*?与规则不一致.*?已采 9，未采 1.*?1 人待落实", text, re.DOTALL)
    assert re.search(r"全国风险区各等级停留天数.*?12.*?25.0%", text, re.DOTALL)
    address = re.search(r'href="(/lists/zone_blocker\?[^"]+)"', text)
    assert address and "共 1 行" in get(clients["case-worker"], address[1]).text
    ((named, listed),) = portal.query(
        "select (select count(*) from reporting.risk_zone where %s = any(communities)), count(*) from reporting.zone_history",
        portal.own,
    )
    assert listed and "全国名单上的等级变化" in text
    part = get(clients["grid"], "/zones").text
    assert part.count('<li class="card">') == named and "全国名单上的等级变化" not in part
    assert "没有符合条件的行" in get(clients["case-worker"], "/zones?area=没有这个地方").text


def test_data_quality_says_what_is_late_rejected_and_restated(clients):
    for login, sees_the_town in (("grid", False), ("operator", True), ("director", True)):
        text = get(clients[login], "/quality").text
        assert re.search(r"感染者.*?最近一次更新停留在7月1日.*?滞后", text, re.DOTALL)
        assert "身份证校验位错误" in text
        assert bool(re.search(r"2022-07-19.*?样本或结果迟到.*?4", text, re.DOTALL)) == sees_the_town
        assert ("按报送单位" in text) == ("更正" in text) == sees_the_town


def test_the_changes_between_two_publications_are_those_of_the_rows(portal, clients):
    def figures(text: str, name: str) -> list[int]:
        row = re.search(rf'<th scope="row">{name}</th>(.*?)</tr>', text, re.DOTALL)
        assert row
        return [int(re.sub(r"\D", "", each)) for each in re.findall(r'class="figure">(.*?)</td>', row[1], re.DOTALL)]

    office = get(clients["director"], "/publications/changes?before=1&after=2").text
    ((total,),) = portal.query("select count(*) from published.obligation where publication_id = 1")
    assert figures(office, "应检义务") == [1, 1, 3, total - 4]
    assert figures(office, "风险区")[:3] == [0, 0, 0]
    assert office.count('data-label="之后"') == 5
    assert names_in(portal, office) == set()
    back = get(clients["director"], "/publications/changes?before=2&after=1&kind=gone").text
    assert figures(back, "应检义务") == [1, 1, 3, total - 4] and back.count('data-label="之后"') == 1
    data_team = get(clients["operator"], "/publications/changes?before=1&after=2").text
    assert figures(data_team, "应检义务") == [1, 1, 3, total - 4] and 'data-label="之后"' not in data_team
    part = get(clients["grid"], "/publications/changes?before=1&after=2").text
    ((own,),) = portal.query(
        "select count(*) from published.obligation where publication_id = 1 and community = %s", portal.own
    )
    assert figures(part, "应检义务")[3] <= own < total
    assert get(clients["director"], "/publications/changes?before=1&after=3").status_code == 404


def test_the_first_page_counts_what_is_overdue_as_the_report_does(portal, clients):
    """There are more overdue tests than memberships with one: fewer items than persons would puzzle the reader."""
    text = get(clients["director"], "/").text
    assert set(re.findall(r"共 [\d,]+ 项逾期未检", text)) == set(
        re.findall(r"共 [\d,]+ 项逾期未检", get(clients["director"], "/reports/2/page").text)
    ) != set()  # fmt: skip


def test_the_data_team_sees_runs_freshness_and_what_waits(portal, clients):
    link = f'<a href="/release/{ask_release(portal)}">'
    text = get(clients["operator"], "/operations").text
    assert re.search(r"daily.*?2022-07-20.*?失败.*?540 秒.*?audit", text, re.DOTALL)
    assert "质量检查未通过，是否仍要发布（业务日期 2022-07-21" in text
    assert '<a href="/documents/runbooks/daily" lang="en">daily</a>' in text, "a run leads to what to do about it"
    assert "核酸检测结果" in text
    assert names_in(portal, text) == set()
    assert link in get(clients["director"], "/").text and link not in get(clients["grid"], "/").text


def test_the_data_team_sees_what_became_of_deliveries(portal, clients):
    attempt = {
        "publication_id": 2, "what": "pack", "official": "grid", "channel": "mail", "number": 1, "target": "a@example.org",
        "audience_kind": "office", "audience": "", "not_before": "2022-07-21", "state": "bounced",
    }  # fmt: skip
    with warehouse.connect(portal.settings) as conn:
        conn.execute("create schema if not exists delivery")
        kinds = ", ".join(f"{name} {'int' if isinstance(value, int) else 'text'}" for name, value in attempt.items())
        conn.execute(f"create table if not exists delivery.attempt ({kinds})")
        values = ", ".join(f"%({name})s" for name in attempt)
        conn.execute(f"insert into delivery.attempt ({', '.join(attempt)}) values ({values})", attempt)
    try:
        text = get(clients["operator"], "/operations").text
    finally:
        portal.query("delete from delivery.attempt where target = 'a@example.org' returning 1")
    assert re.search(r"发送记录.*?日报.*?邮件.*?被退信.*?1", text, re.DOTALL)
    assert "example.org" not in text


def test_documents_come_without_anything_from_elsewhere(clients):
    page = get(clients["operator"], "/documents/audit/build.overdue").text
    assert "build.overdue" in page and "cdn.example" not in page and "onclick" not in page
    assert "dbt could not build" in get(clients["operator"], "/documents/runbooks/daily").text
    assert "obligation" in get(clients["operator"], "/documents/models/page").text
    for path in (
        "/documents/audit/..",
        "/documents/runbooks/..%2f..%2fREADME",
        "/documents/audit/%2e%2e%2fpasswords",
        "/documents/x",
    ):
        assert get(clients["operator"], path).status_code == 404, path


def test_english_for_those_who_choose_it(portal, clients):
    with portal.client("clerk") as client:
        assert '<html lang="zh-CN">' in get(client, "/").text
        chosen = post(client, "/language", language="en", back="/lists")
        assert chosen.headers["location"] == "/lists"
        cookie = chosen.headers["set-cookie"].lower()
        assert "samesite=lax" in cookie and "httponly" in cookie and "path=/" in cookie
        text = get(client, "/lists").text
        assert '<html lang="en">' in text and "Overdue" in text
        for back in ("//evil.example", "https://evil.example", "/\\evil.example", "/x\r\nset-cookie: a=b"):
            assert post(client, "/language", language="zh", back=back).headers["location"] == "/"
        assert post(client, "/language", language="xx").status_code == 400
    with portal.client("clerk") as client:
        client.headers["accept-language"] = "en-GB,en;q=0.9,zh;q=0.5"
        assert '<html lang="en">' in get(client, "/").text
        client.headers["accept-language"] = "fr"
        assert '<html lang="zh-CN">' in get(client, "/").text


def test_a_town_that_nothing_was_published_for_is_told_so(portal, clients):
    with warehouse.connect(portal.settings) as conn:
        conn.execute("delete from published.current")
    try:
        for path in ("/", "/lists", "/lists/overdue", "/zones", "/quality", "/publications"):
            assert get(clients["case-worker"], path).status_code == 200, path
        assert "尚未发布" in get(clients["case-worker"], "/").text
        assert get(clients["operator"], "/operations").status_code == 200
    finally:
        with warehouse.connect(portal.settings) as conn:
            conn.execute("insert into published.current (publication_id) values (2)")


def test_a_look_cannot_write_and_ends_by_itself(portal):
    script = """
from yingjian.portal import reading
from yingjian.people.audience import Audience
import psycopg
reading.STATEMENT_SECONDS = 1
with reading.reading(Audience("community", "x")) as conn:
    for statement in ("insert into published.staged (run_key) values ('x')", "select pg_sleep(30)"):
        try:
            with conn.transaction():
                conn.execute(statement)
        except psycopg.Error as error:
            print(type(error).__name__)
"""
    environment = {
        "YINGJIAN_HOME": str(portal.settings.home),
        "YINGJIAN_WAREHOUSE": str(portal.settings.warehouse),
        "YINGJIAN_PERSON_KEY": "x",
        "YINGJIAN_ROLE_PASSWORD_REPORTER": portal.settings.given_role_passwords["reporter"],
        "PATH": "/usr/bin:/bin",
    }
    told = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["ReadOnlySqlTransaction", "QueryCanceled"]


def test_the_trail_is_unbroken_at_the_end(portal, tmp_path):
    with warehouse.connect(portal.settings) as conn:
        verdict = audit_trail.verify(conn, tmp_path / "end.json")
    assert verdict.broken is None and verdict.events > 10


def test_no_name_and_no_number_is_in_the_server_s_log(portal):
    log = portal.log.read_text()
    people = portal.query("select name, id_number, phone from restricted.person")
    assert not [person for person in people for value in person[1:] if value and value in log]
    # Names are short: they are looked for as they would stand in an address.
    assert not [name for name, _, _ in people if name and str(httpx.QueryParams({"": name}))[1:] in log]


def test_pages_for_officials_have_no_internal_name(portal, clients):
    """Checks and editions have Chinese words; the data team also sees how the code calls a check."""
    [(suite, name)] = portal.query(
        "select suite, check_name from reporting.quality_check where not success order by severity, suite, check_name limit 1"
    )
    for login in OFFICIALS:
        shown = get(clients[login], "/quality").text
        assert not re.search(r"(build|staging|quality)\.\w+", shown) and name not in shown, login
    assert f"{suite}.{name}" in get(clients["operator"], "/quality").text
    publications = get(clients["director"], "/publications").text
    assert "方案（第二版）" in publications and "beifeng" not in publications


def test_a_table_of_checks_is_called_as_officials_call_it():
    assert checked_title("build.readiness") == "备勤队伍"
    assert checked_title("staging.key_population") == FEEDS["key_population"].title
    assert checked_title("build.dim_date") == checked_title("quality.landed_file") == ""
