"""This channel sends mail over SMTP, by Airflow's connection `smtp_default` (AIRFLOW_CONN_SMTP_DEFAULT).

The hook handles TLS, authentication and the check of the server's certificate. This module decides, command by command,
what each answer of the server means: a message that was refused before its content was sent has certainly not arrived.
"""

from __future__ import annotations

import mimetypes
import re
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr

from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.sdk.exceptions import AirflowException

from yingjian.delivery.errors import Bounced, MaybeSent, NotSent
from yingjian.delivery.messages import Message

CONNECTION = "smtp_default"


class Mail(SmtpHook):
    """This channel sends messages over one connection.

    The connection is opened at first use, and reopened if it broke.
    """

    per_minute: int | None = None
    is_repeatable = False

    def __init__(self) -> None:
        super().__init__(CONNECTION)

    def reference(self, message: Message) -> str:
        """Return the Message-ID. Retries of an attempt have the same one, so that a duplicate can be recognized."""
        return f"<{message.token}@{self._sender().rpartition('@')[2]}>"

    def open(self) -> None:
        """Connect and log in. Raises NotSent, which says whether a retry may help."""
        if self._smtp_client is not None:
            return
        try:
            self.get_conn()
            self._sender()
        except smtplib.SMTPAuthenticationError as error:
            raise self._closed(f"邮件服务器拒绝登录（{error.smtp_code}）", again=False) from None
        except smtplib.SMTPNotSupportedError:
            raise self._closed("邮件服务器不支持连接所要求的加密或登录方式", again=False) from None
        except ssl.SSLCertVerificationError:
            raise self._closed("邮件服务器证书不可信", again=False) from None
        except smtplib.SMTPResponseException as error:
            raise self._closed(f"邮件服务器暂不可用（{error.smtp_code}）", again=error.smtp_code < 500) from None
        except ssl.SSLError:
            raise self._closed("与邮件服务器协商加密失败", again=False) from None
        except AirflowException:
            raise self._closed(f"没有邮件连接 {CONNECTION}，或邮件服务器不接受连接", again=False) from None
        except (OSError, smtplib.SMTPException):
            raise self._closed("无法连接邮件服务器", again=True) from None

    def send(self, target: str, message: Message) -> None:
        """Send to one address.

        Raises:
            Bounced: the server rejected the address permanently (5xx).
            NotSent: it was not sent; a retry may help after a 4xx answer or a broken connection.
            MaybeSent: the connection broke after the message had been transmitted.
        """
        client = self._smtp_client
        assert isinstance(client, smtplib.SMTP)
        content = compose(message, self._sender(), target, self.reference(message))
        try:
            client.ehlo_or_helo_if_needed()
            # A bounce message must not quote the pages, because other people may read it.
            self._expect(client.mail(parseaddr(self._sender())[1], ["RET=HDRS"] if client.has_extn("dsn") else []))
            code, reply = client.rcpt(target, ["NOTIFY=FAILURE"] if client.has_extn("dsn") else [])
            if code >= 500:
                client.rset()
                raise Bounced(f"收件地址被拒绝（{_codes(code, reply)}）")
            self._expect((code, reply))
        except (OSError, smtplib.SMTPException):
            raise self._closed("与邮件服务器的连接中断，尚未发出", again=True, is_general=False) from None
        try:
            answer = client.data(content)
        except smtplib.SMTPDataError as error:
            self._expect((error.smtp_code, error.smtp_error if isinstance(error.smtp_error, bytes) else b""))
        except (OSError, smtplib.SMTPException):
            self.close()
            raise MaybeSent("邮件已交出，但未收到服务器确认") from None
        else:
            self._expect(answer)

    def close(self) -> None:
        """Close the connection; a broken one is no error."""
        client, self._smtp_client = self._smtp_client, None
        if isinstance(client, smtplib.SMTP):
            try:
                client.quit()
            except (OSError, smtplib.SMTPException):
                client.close()

    def _sender(self) -> str:
        sender = self.from_email
        if not sender:
            raise NotSent(f"邮件连接 {CONNECTION} 没有发件地址（from_email）", again=False, is_general=True)
        return sender

    def _expect(self, answer: tuple[int, bytes]) -> None:
        """Raise NotSent unless the server accepted the command."""
        code, reply = answer
        if code < 400:
            return
        client = self._smtp_client
        assert isinstance(client, smtplib.SMTP)
        if code == 421:
            self.close()
        else:
            client.rset()
        raise NotSent(f"邮件服务器没有接收（{_codes(code, reply)}）", again=code < 500)

    def _closed(self, reason: str, *, again: bool, is_general: bool = True) -> NotSent:
        client, self._smtp_client = self._smtp_client, None
        if isinstance(client, smtplib.SMTP):
            client.close()
        return NotSent(reason, again=again, is_general=is_general)


def compose(message: Message, sender: str, recipient: str, message_id: str) -> bytes:
    """Return the mail as bytes; subject and file names in Chinese are encoded by RFC 2047 and 2231."""
    mail = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    mail["From"] = sender
    mail["To"] = recipient
    mail["Subject"] = message.subject
    mail["Date"] = formatdate(localtime=True)
    mail["Message-ID"] = message_id
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.plain(), cte="base64")
    mail.add_alternative(message.html(), subtype="html", cte="base64")
    for path in message.attached("mail"):
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        main, _, sub = kind.partition("/")
        mail.add_attachment(path.read_bytes(), maintype=main, subtype=sub, filename=path.name)
    return mail.as_bytes()


def _codes(code: int, reply: bytes) -> str:
    """Return the status codes of an answer without its text, which may contain the address."""
    enhanced = re.match(rb"[245]\.\d{1,3}\.\d{1,3}", reply)
    return f"{code} {enhanced[0].decode()}" if enhanced else str(code)
