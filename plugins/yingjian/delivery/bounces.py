"""This module reads delivery-status notifications (RFC 3464) about mail that a server accepted but could not deliver.

It reads them from a mailbox over IMAP, by Airflow's connection `imap_default` (AIRFLOW_CONN_IMAP_DEFAULT: host, port,
login, password; `folder` and `starttls` in its extra), or from a Maildir. A notice is ours when it quotes a recorded
Message-ID. Our notices are marked as read; all other messages are left untouched.
"""

from __future__ import annotations

import email
import email.policy
import imaplib
import mailbox
import re
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any, Protocol

import psycopg

from yingjian.delivery import ledger
from yingjian.settings import SetupError

CONNECTION = "imap_default"
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Notice:
    """A notice reports a mail that failed: its Message-ID, and the status that the notice gives (such as 5.1.1)."""

    reference: str
    status: str


class Mailbox(Protocol):
    """A mailbox gives its unread messages and can mark them as read."""

    def unread(self) -> Iterable[tuple[Any, bytes]]: ...
    def mark_read(self, key: Any) -> None: ...


def read_bounces(conn: psycopg.Connection[Any], box: Mailbox) -> int:
    """Record the mails that bounced; return how many of them are new."""
    newly_bounced = 0
    for key, content in list(box.unread()):
        notices = parse(content)
        if notices and all(_is_ours(conn, notice) for notice in notices):
            newly_bounced += sum(
                ledger.bounced(conn, notice.reference, f"退信（{notice.status}）：收件方未收下邮件")
                for notice in notices
            )
            box.mark_read(key)
    return newly_bounced


def _is_ours(conn: psycopg.Connection[Any], notice: Notice) -> bool:
    with conn.transaction():
        return (
            conn.execute(
                "select from delivery.attempt where reference = %s and channel = 'mail'", (notice.reference,)
            ).fetchone()
            is not None
        )


def parse(content: bytes) -> list[Notice]:
    """Return the failures that a message reports.

    The list is empty for a message that is no delivery-status notification, or that only reports a delay.
    """
    message = email.message_from_bytes(content, policy=email.policy.default)
    if message.get_content_type() != "multipart/report" or message.get_param("report-type") != "delivery-status":
        return []
    reference, statuses = "", []
    for part in message.iter_parts() if isinstance(message, EmailMessage) else []:
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            blocks: Any = part.get_payload()
            statuses += [_status(block) for block in blocks if str(block.get("Action", "")).strip().lower() == "failed"]
        elif kind in ("message/rfc822", "message/global"):
            reference = _message_id(part.get_payload(0))  # type: ignore[arg-type]
        elif kind in ("text/rfc822-headers", "message/global-headers"):
            headers = part.get_payload(decode=True)
            reference = _message_id(email.message_from_bytes(headers if isinstance(headers, bytes) else b""))
    return [Notice(reference, status) for status in statuses] if reference else []


def _message_id(message: Message) -> str:
    return str(message.get("Message-ID", "")).strip()


def _status(block: Message) -> str:
    code = re.match(r"\d\.\d{1,3}\.\d{1,3}", str(block.get("Status", "")).strip())
    return code[0] if code else "原因不明"


class Maildir:
    """This mailbox is a Maildir on this machine, such as one into which a local mail server delivers."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise FileNotFoundError(f"{path} is not a Maildir: give the folder that has cur, new and tmp")
        self._box = mailbox.Maildir(path, create=False)

    def unread(self) -> Iterator[tuple[str, bytes]]:
        for key in self._box.keys():  # noqa: SIM118 - a Maildir is no dict: iterating it gives messages
            if "S" not in self._box.get_message(key).get_flags():
                yield key, self._box.get_bytes(key)

    def mark_read(self, key: str) -> None:
        message = self._box.get_message(key)
        message.set_subdir("cur")
        message.add_flag("S")
        self._box[key] = message


class Imap:
    """This mailbox is read over IMAP, always with TLS: from the first byte or by STARTTLS."""

    def __init__(self, client: imaplib.IMAP4) -> None:
        self._client = client

    def unread(self) -> Iterator[tuple[bytes, bytes]]:
        _, numbers = self._client.uid("search", "UNSEEN")
        for number in (numbers[0] or b"").split():
            _, parts = self._client.uid("fetch", number.decode(), "(BODY.PEEK[])")
            content = next((part[1] for part in parts if isinstance(part, tuple)), None)
            if isinstance(content, bytes):
                yield number, content

    def mark_read(self, key: bytes) -> None:
        self._client.uid("store", key.decode(), "+FLAGS", r"(\Seen)")


@contextmanager
def imap() -> Iterator[Imap]:
    """Open the mailbox of the connection `imap_default`.

    Raises SetupError when it cannot be read; the error does not quote the server.
    """
    from airflow.sdk import Connection

    connection = Connection.get(CONNECTION)
    extra = connection.extra_dejson
    context = ssl.create_default_context()
    host = connection.host or ""
    try:
        if extra.get("starttls"):
            client = imaplib.IMAP4(host, connection.port or 143, timeout=TIMEOUT_SECONDS)
            client.starttls(context)
        else:
            client = imaplib.IMAP4_SSL(host, connection.port or 993, ssl_context=context, timeout=TIMEOUT_SECONDS)
        with client:
            client.login(connection.login or "", connection.password or "")
            client.select(extra.get("folder", "INBOX"))
            yield Imap(client)
    except (OSError, imaplib.IMAP4.error) as error:
        raise SetupError(f"the mailbox of {CONNECTION} cannot be read ({type(error).__name__})") from None


def has_mailbox() -> bool:
    """Return whether there is a connection `imap_default`."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        Connection.get(CONNECTION)
    except AirflowNotFoundException:
        return False
    return True
