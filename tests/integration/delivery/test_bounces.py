"""Mails that come back: real notices, from a Maildir and over a real IMAP server with TLS."""

from __future__ import annotations

import imaplib
import json
import mailbox
import ssl
import subprocess
import sys
import time as clock
from collections.abc import Iterator
from datetime import time
from pathlib import Path

import psycopg
import pytest
import trustme

from tests.integration.delivery.conftest import PUBLICATION, states
from tests.servers import free_port
from tests.towns import town
from yingjian.delivery import bounces, courier
from yingjian.people.officials import Officials
from yingjian.settings import SetupError

IMAP_PASSWORD = "imap-Passw0rd"
# As Postfix writes it (RFC 3464), for a mail of which only the headers come back.
POSTFIX = """Return-Path: <>
Date: Mon, 25 Jul 2022 07:00:09 +0800 (CST)
From: MAILER-DAEMON@beifeng.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: yingjian@beifeng.example
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4Lrm1N0Zzz.1658703609/mx.beifeng.example"
Content-Transfer-Encoding: 8bit
Message-Id: <20220724230009.4Lrm1P2w3Xz@mx.beifeng.example>

This is a MIME-encapsulated message.

--4Lrm1N0Zzz.1658703609/mx.beifeng.example
Content-Description: Notification
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

This is the mail system at host mx.beifeng.example.

<grid@example.org>: host mx.example.org[192.0.2.25] said: 550 5.1.1
    <grid@example.org>: Recipient address rejected: User unknown in virtual
    mailbox table (in reply to RCPT TO command)

--4Lrm1N0Zzz.1658703609/mx.beifeng.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.beifeng.example
X-Postfix-Queue-ID: 4Lrm1N0Zzz
X-Postfix-Sender: rfc822; yingjian@beifeng.example
Arrival-Date: Mon, 25 Jul 2022 07:00:08 +0800 (CST)

Final-Recipient: rfc822; grid@example.org
Original-Recipient: rfc822;grid@example.org
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.org
Diagnostic-Code: smtp; 550 5.1.1 <grid@example.org>: Recipient address
    rejected: User unknown in virtual mailbox table

--4Lrm1N0Zzz.1658703609/mx.beifeng.example
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers
Content-Transfer-Encoding: 8bit

Return-Path: <yingjian@beifeng.example>
Received: from worker (unknown [192.0.2.7])
\tby mx.beifeng.example (Postfix) with ESMTPSA id 4Lrm1N0Zzz
\tfor <grid@example.org>; Mon, 25 Jul 2022 07:00:08 +0800 (CST)
From: yingjian@beifeng.example
To: grid@example.org
Subject: =?utf-8?b?44CQ5bqU5qOA44CR?=
Message-ID:
 {reference}

--4Lrm1N0Zzz.1658703609/mx.beifeng.example--
"""
# Exchange and others write it so, with the whole mail.
WHOLE = """From: postmaster@example.org
To: yingjian@beifeng.example
Subject: Undeliverable
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

gone
--b
Content-Type: message/delivery-status

Reporting-MTA: dns;mx.example.org

Final-recipient: RFC822;grid@example.org
Action: Failed
Status: 5.2.2

--b
Content-Type: message/rfc822

From: yingjian@beifeng.example
To: grid@example.org
Message-ID: {reference}
Subject: x

text
--b--
"""
LETTER = "From: somebody@example.org\nTo: yingjian@beifeng.example\nSubject: Re: report\n\nThank you. {reference}\n"


def notice(reference: str, action: str = "failed", status: str = "5.1.1", form: str = POSTFIX) -> bytes:
    return form.format(reference=reference, action=action, status=status).encode()


@pytest.fixture
def reference(conn: psycopg.Connection, officials: Officials) -> str:
    """The Message-ID of the mail to the community, which its server had accepted."""
    courier.plan(conn, PUBLICATION, "pack", officials, courier.due_at(town.LAST_DAY, time(7)))
    conn.execute(
        "update delivery.attempt set state = 'sent', reference = '<pack.12.' || attempt_id || '@beifeng.example>' where channel = 'mail'"
    )
    [(message_id,)] = conn.execute(
        "select reference from delivery.attempt where official = 'grid' and channel = 'mail'"
    ).fetchall()
    conn.commit()
    return str(message_id)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (notice("<a@b>"), ["5.1.1"]),
        (notice("<a@b>", form=WHOLE), ["5.2.2"]),
        (notice("<a@b>", status="strange"), ["原因不明"]),
        (notice("<a@b>", action="delayed", status="4.4.1"), []),
        (notice("<a@b>", action="delivered", status="2.0.0"), []),
        (notice("<a@b>", form=LETTER), []),
        (b"", []),
        (notice("<a@b>")[:1500], []),
    ],
    ids=["headers", "whole mail", "no status", "delayed", "delivered", "a letter", "nothing", "cut off"],
)
def test_what_a_message_reports(content: bytes, status: list[str]) -> None:
    report = bounces.parse(content)
    assert [one.status for one in report] == status
    assert {one.reference for one in report} <= {"<a@b>"}


def test_a_maildir(conn: psycopg.Connection, reference: str, tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "Maildir")
    letter, delayed = box.add(notice(reference, form=LETTER)), box.add(notice(reference, action="delayed"))
    stranger, ours = box.add(notice("<unknown@beifeng.example>")), box.add(notice(reference))
    assert bounces.read_bounces(conn, bounces.Maildir(tmp_path / "Maildir")) == 1
    assert states(conn)["grid/mail"] == "bounced"
    assert [state for state in states(conn).values() if state == "bounced"] == ["bounced"]
    [(error,)] = conn.execute("select error from delivery.attempt where state = 'bounced'").fetchall()
    assert error == "退信（5.1.1）：收件方未收下邮件" and "@" not in error
    seen = {key for key, _ in box.items() if "S" in box.get_message(key).get_flags()}
    assert ours in seen and not seen & {letter, delayed, stranger}, "what is not ours is left for a person"
    box.add(notice(reference))
    assert bounces.read_bounces(conn, bounces.Maildir(tmp_path / "Maildir")) == 0, "a second notice is no news"


@pytest.fixture(scope="module")
def imap_port(authority: tuple[trustme.CA, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The fixture starts an IMAP server with STARTTLS."""
    folder = tmp_path_factory.mktemp("imap")
    issued = authority[0].issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(folder / "cert.pem"), append=True)
    port = free_port()
    process = subprocess.Popen(
        [
            Path(sys.executable).with_name("pymap"), "--host", "127.0.0.1", "--port", str(port),
            "--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem"), "--no-service", "admin",
            "--no-service", "managesieve", "dict", "--demo-user", "bounces", "--demo-password", IMAP_PASSWORD,
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until = clock.monotonic() + 60
    while clock.monotonic() < until:
        try:
            imaplib.IMAP4("127.0.0.1", port, timeout=5).logout()
            break
        except OSError:
            clock.sleep(0.2)
    yield port
    process.terminate()
    process.wait()


@pytest.fixture
def imap_connection(imap_port: int, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    settings = {
        "conn_type": "imap", "host": "127.0.0.1", "port": imap_port, "login": "bounces", "password": IMAP_PASSWORD,
        "extra": {"starttls": True},
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_IMAP_DEFAULT", json.dumps(settings))
    return settings


def test_a_mailbox_over_imap(
    conn: psycopg.Connection, reference: str, imap_port: int, imap_connection: dict[str, object]
) -> None:
    client = imaplib.IMAP4("127.0.0.1", imap_port)
    client.starttls(ssl.create_default_context())
    client.login("bounces", IMAP_PASSWORD)
    for content in (notice(reference, form=LETTER), notice(reference)):
        client.append("INBOX", "", None, content.replace(b"\n", b"\r\n"))
    client.logout()
    assert bounces.has_mailbox()
    with bounces.imap() as box:
        before = len(list(box.unread()))
        assert bounces.read_bounces(conn, box) == 1
        assert len(list(box.unread())) == before - 1
    assert states(conn)["grid/mail"] == "bounced"


def test_a_mailbox_that_does_not_let_us_in(imap_connection: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_IMAP_DEFAULT", json.dumps(imap_connection | {"password": "wrong-Passw0rd"}))
    with pytest.raises(SetupError, match="imap_default cannot be read") as raised, bounces.imap():
        pass
    assert "wrong-Passw0rd" not in str(raised.value)
    monkeypatch.setenv("AIRFLOW_CONN_IMAP_DEFAULT", json.dumps(imap_connection))
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(SetupError, match="SSLCertVerificationError"), bounces.imap():
        pass
    monkeypatch.delenv("AIRFLOW_CONN_IMAP_DEFAULT")
    assert not bounces.has_mailbox()
