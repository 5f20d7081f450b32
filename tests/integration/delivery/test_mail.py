"""Mail over a real SMTP server on loopback, with TLS and a login: what arrives, and what each refusal leads to."""

from __future__ import annotations

import email
import email.policy
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, time
from email.message import EmailMessage
from pathlib import Path

import openpyxl
import psycopg
import pypdf
import pytest
import trustme
from aiosmtpd.smtp import Envelope

from tests.integration.delivery.conftest import PUBLICATION, states
from tests.servers import PASSWORD, MailServer, TlsController, free_port, server_context, smtp_connection
from yingjian.delivery import courier
from yingjian.delivery.courier import Delivered
from yingjian.delivery.ledger import Attempt
from yingjian.delivery.mail import Mail
from yingjian.delivery.messages import Composer
from yingjian.people.audience import OFFICE, Audience
from yingjian.people.officials import Officials
from yingjian.reports.packs import pack_of

PERSON = re.compile(r"王测试|key-\d|\d{17}[\dX]|(?<!\d)1[3-9]\d{9}(?!\d)")
NOW = courier.due_at(date(2022, 7, 24), time(7))


@pytest.fixture
def mail_only(officials: Officials) -> Officials:
    """The directory has none of the other channels."""
    return Officials(
        {
            login: replace(official, channels=tuple(c for c in official.channels if c.kind == "mail"))
            for login, official in officials.by_login.items()
        }
    )


@pytest.fixture
def deliver(conn: psycopg.Connection, composer: Composer, mail_only: Officials) -> Callable[..., Delivered]:
    """Plan and deliver the packs; pauses take no time."""

    def run() -> Delivered:
        courier.plan(conn, PUBLICATION, "pack", mail_only, NOW)
        return courier.deliver(conn, PUBLICATION, "pack", mail_only, composer, {"mail": Mail()}, sleep=lambda _: None)

    return run


def parsed(envelope: Envelope) -> EmailMessage:
    assert isinstance(envelope.content, bytes)
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def to(server: MailServer, address: str) -> EmailMessage:
    [message] = [parsed(envelope) for envelope in server.accepted if envelope.rcpt_tos == [address]]
    return message


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_each_official_gets_the_pages_that_are_theirs(
    mail_server: MailServer, deliver: Callable[..., Delivered]
) -> None:
    done = deliver()
    assert done.states == {"sent": 4} and done.failures == ()
    assert mail_server.logins and set(mail_server.logins) == {"yingjian"}
    assert mail_server.recipients == sorted(
        f"{login}@example.org" for login in ("director", "deputy", "health", "grid")
    )
    files = {
        address: [part.get_filename() for part in to(mail_server, f"{address}@example.org").iter_attachments()]
        for address in ("director", "health", "grid")
    }
    assert files == {
        "director": ["office.html", "office.xlsx", "office.pdf", "office.docx", "office.png"],
        "health": [
            f"department-卫健局.{kind}" for kind in ("html", "pdf", "docx", "png")
        ],  # names only for who may see persons
        "grid": [f"community-招丰社区.{kind}" for kind in ("html", "xlsx", "pdf", "docx", "png")],
    }


def test_names_are_in_no_subject_and_no_text_and_only_in_the_spreadsheet_of_the_community(
    mail_server: MailServer, deliver: Callable[..., Delivered]
) -> None:
    deliver()
    assert len(mail_server.accepted) == 4
    for message in map(parsed, mail_server.accepted):
        assert not PERSON.search(str(message["Subject"]) + body(message, "html") + body(message, "plain"))
        for part in message.iter_attachments():
            content = part.get_content()
            if part.get_filename().endswith(".xlsx"):
                book = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
                cells = "\n".join(
                    str(cell)
                    for sheet in book
                    for row in sheet.iter_rows(values_only=True, max_row=200)
                    for cell in row
                )
                assert bool(PERSON.search(cells)) is (str(message["To"]) == "grid@example.org")
            elif part.get_filename().endswith(".pdf"):
                text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)
                assert not PERSON.search(text)


def test_the_subject_is_chinese_and_the_text_says_the_figures_of_the_page(
    mail_server: MailServer, deliver: Callable[..., Delivered], conn: psycopg.Connection
) -> None:
    deliver()
    [raw] = [envelope.content for envelope in mail_server.accepted if envelope.rcpt_tos == ["grid@example.org"]]
    assert isinstance(raw, bytes) and raw.isascii() and b"Subject: =?utf-8?" in raw
    message = to(mail_server, "grid@example.org")
    assert message["Subject"] == "【应检】7月24日日报 招丰社区（第20220724期）"
    [overdue] = conn.execute(
        "select count(distinct person_key) from published.overdue where publication_id = %s and community = '招丰社区'",
        (PUBLICATION,),
    ).fetchone() or [0]
    for kind in ("html", "plain"):
        assert "逾期人数" in body(message, kind) and f"{overdue:,}人" in body(message, kind)
    assert "今日重点工作" in body(message, "html") and "https://yingjian.example/" in body(message, "html")
    assert message["Auto-Submitted"] == "auto-generated"


def test_the_message_id_is_that_of_the_attempt_and_bounces_bring_no_pages_back(
    mail_server: MailServer, deliver: Callable[..., Delivered], conn: psycopg.Connection, composer: Composer
) -> None:
    deliver()
    references = dict(conn.execute("select official, reference from delivery.attempt").fetchall())
    assert to(mail_server, "grid@example.org")["Message-ID"] == references["grid"]
    assert len(set(references.values())) == 4 and all(r.endswith("@beifeng.example>") for r in references.values())
    assert all("RET=HDRS" in line or "NOTIFY=FAILURE" in line for line in mail_server.asked)
    first = dict(references)
    conn.execute("truncate delivery.attempt")
    conn.commit()
    deliver()
    assert dict(conn.execute("select official, reference from delivery.attempt").fetchall()) == first


def test_a_release_by_hand_is_in_the_subject(
    mail_server: MailServer, deliver: Callable[..., Delivered], composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composer, "edition", replace(composer.edition, is_by_hand=True))
    deliver()
    assert str(to(mail_server, "director@example.org")["Subject"]).endswith("（人工放行）")
    assert "人工放行" in body(to(mail_server, "director@example.org"), "html")


def test_tls_from_the_first_byte(
    tls: object, authority: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch, deliver: Callable[..., Delivered]
) -> None:
    server = MailServer(free_port())
    controller = TlsController(server, server_context(authority[0]), implicit=True)
    controller.start()
    try:
        monkeypatch.setenv(
            "AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(server.port, disable_ssl=False, disable_tls=True)
        )
        assert deliver().states == {"sent": 4}
        assert set(server.logins) == {"yingjian"}
    finally:
        controller.stop()


@pytest.mark.parametrize(
    ("trusted", "host"), [(False, "127.0.0.1"), (True, "other.example")], ids=["unknown authority", "another host"]
)
def test_a_wrong_certificate_stops_before_the_password(
    trusted: bool, host: str, mail_server: MailServer, authority: tuple[trustme.CA, Path],
    monkeypatch: pytest.MonkeyPatch, deliver: Callable[..., Delivered],
) -> None:  # fmt: skip
    server = MailServer(free_port())
    controller = TlsController(server, server_context(authority[0] if trusted else trustme.CA(), host), implicit=False)
    controller.start()
    try:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(server.port))
        done = deliver()
    finally:
        controller.stop()
    assert done.states == {"failed": 4} and not done.will_retry
    assert all("证书不可信" in failure for failure in done.failures)
    assert server.logins == [] and server.accepted == []


def test_a_wrong_password_is_tried_once_and_never_said(
    mail_server: MailServer, monkeypatch: pytest.MonkeyPatch, deliver: Callable[..., Delivered],
    caplog: pytest.LogCaptureFixture, conn: psycopg.Connection,
) -> None:  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(mail_server.port, "wrong-Passw0rd"))
    caplog.set_level("DEBUG")
    done = deliver()
    assert done.states == {"failed": 4} and not done.will_retry
    assert len(mail_server.logins) == 2, "one login with each of the two ways the server offers, for all four together"
    errors = str(conn.execute("select array_agg(error) from delivery.attempt").fetchall())
    assert "拒绝登录（535）" in errors
    assert "@" not in "".join(done.failures) + errors
    for text in (caplog.text, errors, *done.failures):
        assert "wrong-Passw0rd" not in text and PASSWORD not in text


def test_a_later_try_after_4xx_and_a_bounce_after_5xx(
    mail_server: MailServer, deliver: Callable[..., Delivered], conn: psycopg.Connection
) -> None:
    mail_server.answers = {
        "director@example.org": ["450 4.2.0 busy", "421 4.3.2 shutting down"],
        "health@example.org": ["550 5.1.1 <health@example.org> no such user"],
    }
    done = deliver()
    assert states(conn) == {
        "director/mail": "sent", "deputy/mail": "sent", "grid/mail": "sent", "health/mail": "bounced",
    }  # fmt: skip
    assert done.failures == ("health/mail：收件地址被拒绝（550 5.1.1）",) and not done.will_retry
    assert conn.execute("select official, tries from delivery.attempt where tries > 1").fetchall() == [("director", 3)]
    assert deliver().states == done.states
    assert len(mail_server.accepted) == 3, "neither the sent ones nor the bounced one go out again"


def test_what_is_busy_for_long_is_left_to_the_next_run(
    mail_server: MailServer, deliver: Callable[..., Delivered], conn: psycopg.Connection
) -> None:
    mail_server.answers = {"grid@example.org": ["451 4.7.1 greylisted"] * courier.TRIES}
    done = deliver()
    assert done.states == {"sent": 3, "failed": 1} and done.will_retry
    assert deliver().states == {"sent": 4}
    assert mail_server.recipients.count("grid@example.org") == 1


def test_a_message_that_is_refused_as_such_is_no_bounce(
    mail_server: MailServer, deliver: Callable[..., Delivered], conn: psycopg.Connection
) -> None:
    mail_server.data_answers = ["552 5.3.4 too big"]
    done = deliver()
    assert sorted(done.states.items()) == [("failed", 1), ("sent", 3)] and not done.will_retry
    assert "552 5.3.4" in done.failures[0]


def test_a_connection_lost_after_the_message_is_uncertain_and_not_sent_again(
    mail_server: MailServer, deliver: Callable[..., Delivered], conn: psycopg.Connection
) -> None:
    mail_server.drops = {"grid@example.org"}
    done = deliver()
    assert states(conn)["grid/mail"] == "uncertain" and done.states == {"sent": 3, "uncertain": 1}
    assert "请核实" in done.failures[0]
    deliver()
    assert mail_server.recipients.count("grid@example.org") == 1


def test_no_server_is_said_once_and_tried_again_later(
    tls: object, monkeypatch: pytest.MonkeyPatch, deliver: Callable[..., Delivered], conn: psycopg.Connection
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(free_port()))
    done = deliver()
    assert done.states == {"failed": 4} and done.will_retry
    assert conn.execute("select sum(tries) from delivery.attempt").fetchone() == (0,), "nothing was ever begun"
    monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT")
    done = deliver()
    assert not done.will_retry and "没有邮件连接" in done.failures[0]


def test_an_office_s_pack_is_written_when_it_is_missing(composer: Composer, reports: Path) -> None:
    pack = composer._pack_of(Audience("community", "北峰社区"))
    assert [path.name for path in pack.files] == [
        f"community-北峰社区.{kind}" for kind in ("html", "xlsx", "pdf", "docx", "png")
    ]
    assert all(path.is_file() for path in (*pack.files, pack.summary))


def test_the_figures_of_a_mail_are_those_that_were_stored_with_the_pack(
    conn: psycopg.Connection, officials: Officials, tmp_path: Path
) -> None:
    """Delivery computes no figure: it says what was stored beside the page, whatever became of the rows since."""
    pack = pack_of(OFFICE, date(2022, 7, 24), PUBLICATION, tmp_path)
    pack.page.parent.mkdir()
    for path in pack.files:
        path.touch()
    stored = {"facts": [["逾期人数", "4,711人"]], "actions": ["督促补检：一句话。（第18条）"]}
    pack.summary.write_text(json.dumps(stored), encoding="utf-8")
    attempt = Attempt(1, PUBLICATION, "pack", "", "director", "mail", 1, "x", OFFICE, "planned")
    message = Composer(conn, PUBLICATION, tmp_path, b"", "").message(attempt, officials.by_login["director"])
    assert message.facts == (("逾期人数", "4,711人"),)
    assert message.tasks == ("督促补检：一句话。（第18条）",)
    assert message.files == pack.files
