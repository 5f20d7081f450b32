"""The preview of messages: it shows each reader what the own part is sent, in the words of the delivery, and sends nothing."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator

import httpx
import pytest

from tests.portal import Portal
from yingjian.people.audience import OFFICE, Audience
from yingjian.people.officials import read_officials
from yingjian.reports.packs import pack_of

WORDS = re.compile(r'<pre class="text"[^>]*>(.*?)</pre>', re.S)


@pytest.fixture(scope="module")
def clients(portal: Portal) -> Iterator[dict[str, httpx.Client]]:
    opened = {login: portal.client(login) for login in ("director", "health", "grid")}
    yield opened
    for client in opened.values():
        client.close()


def preview(client: httpx.Client, part: str = "") -> str:
    response = client.get("/delivery/preview", params={"part": part} if part else {})
    assert response.status_code == 200
    return html.unescape(response.text)


def attempts(portal: Portal) -> int:
    return int(portal.query("select count(*) from delivery.attempt")[0][0])


def test_the_office_sees_each_channel_with_its_own_text(portal, clients):
    before = attempts(portal)
    text = preview(clients["director"])
    assert [title for title in ("日报 · 邮件", "日报 · 企业微信", "日报 · 钉钉", "对外发布 · 共享文件夹") if title in text] == [
        "日报 · 邮件", "日报 · 企业微信", "日报 · 钉钉", "对外发布 · 共享文件夹",
    ]  # fmt: skip
    mail, wecom, dingtalk = WORDS.findall(text)
    assert mail.startswith("【应检】7月20日日报 街道") and "\n1. " in mail
    assert wecom.startswith("**【应检】") and "今日重点工作" not in wecom
    assert "**今日重点工作**" in dingtalk
    stored = pack_of(
        OFFICE, portal.query("select as_of_date from reporting.publication")[0][0], 2, portal.settings.reports
    )
    facts = json.loads(stored.summary.read_text(encoding="utf-8"))["facts"]
    assert all(f"{label}：{value}" in mail and value in wecom for label, value in facts)
    assert "街道主要领导" in text and "example.org" not in text, "names, and no address"
    assert "2022-07-21 07:00" in text and "对外发布审签同意后" in text
    assert f"{stored.pdf.stat().st_size / 1024:,.1f} KB" in text
    assert attempts(portal) == before, "nothing is planned by looking"


def test_a_mail_is_shown_as_its_reader_gets_it_and_the_picture_by_itself(portal, clients):
    mail = clients["director"].get("/delivery/preview/0/mail")
    assert mail.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<ol" in mail.text and "【应检】" in mail.text
    assert clients["director"].get("/delivery/preview/1/picture").content.startswith(b"\x89PNG")
    for path in ("/0/picture", "/1/mail", "/99/mail", "/-1/mail", "/0/xlsx", "/x/mail"):
        assert clients["director"].get(f"/delivery/preview{path}").status_code in (400, 404), path


def test_a_part_sees_its_own_messages_and_no_other(portal, clients):
    own = preview(clients["grid"])
    assert own.count('<section class="card preview"') == 2, "with and without the spreadsheet of names"
    assert "社区网格员" in own and "社区文员" in own and "街道主要领导" not in own
    with_names, without = own.split('<section class="card preview"')[1:]
    assert (".xlsx" in with_names, ".xlsx" in without) == (True, False)
    assert preview(clients["director"], f"community:{portal.own}").count('<section class="card preview"') == 2
    for part in ("office", f"community:{portal.other}", "x"):
        assert clients["grid"].get("/delivery/preview", params={"part": part}).status_code == 404
        assert clients["grid"].get("/delivery/preview/0/mail", params={"part": part}).status_code == 404
    assert "没有人接收" in preview(clients["health"])


def test_a_message_without_stored_files_says_so_and_writes_none(portal, clients):
    own = Audience("community", portal.own)
    stored = pack_of(
        own, portal.query("select as_of_date from reporting.publication")[0][0], 2, portal.settings.reports
    )
    aside = stored.summary.with_suffix(".aside")
    stored.summary.rename(aside)
    try:
        assert "内容尚未生成" in preview(clients["grid"])
        assert not stored.summary.exists()
        assert clients["grid"].get("/delivery/preview/0/mail").status_code == 404
    finally:
        aside.rename(stored.summary)


def test_what_was_sent_is_marked_and_the_look_is_on_record(portal, clients):
    officials = read_officials(portal.settings.officials)
    assert officials.by_login["grid"].channels[0].kind == "mail"
    portal.query(
        "insert into delivery.attempt (publication_id, what, official, channel, number, target, audience_kind, audience,"
        " not_before, state, ended_at) values (2, 'pack', 'grid', 'mail', 1, 'grid@example.org', 'community', %s, now(),"
        " 'sent', timestamptz '2022-07-21 07:01+08') returning 1",
        portal.own,
    )
    try:
        text = preview(clients["grid"])
        assert "已送达" in text and "2022-07-21 07:01" in text and "待发" in text
    finally:
        portal.query("delete from delivery.attempt where official = 'grid' and publication_id = 2 returning 1")
    seen = portal.query(
        "select actor, object, details ->> 'audience' from audit.event where action = 'delivery_preview'"
    )
    assert ("grid", "publication 2", f"community-{portal.own}") in seen
