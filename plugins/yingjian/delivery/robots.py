"""This channel is a group robot of WeCom or DingTalk. It gets a short message with figures and a link.

An Airflow connection describes the robot. The connection's password is the robot's key or token. Its host is that of
the service (empty: the public one). In its extra, `secret` is DingTalk's signing secret and `path` overrides the path. The
URL of a robot holds its key, so no log and no error may contain it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import time
from typing import Any, ClassVar

import httpx
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowException

from yingjian.delivery.errors import MaybeSent, NotSent
from yingjian.delivery.messages import Message

TIMEOUT_SECONDS = 15

log = logging.getLogger(__name__)


class Robot:
    """This class holds the code that both services share."""

    service: ClassVar[str]
    path: ClassVar[str]
    key_name: ClassVar[str]
    per_minute: int | None = 20  # Both services allow a robot this many messages.
    is_repeatable = False
    busy: ClassVar[frozenset[int]]  # A retry may help after these error codes.

    def __init__(self) -> None:
        # httpx logs the URL of each request, which holds the key.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._client = httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False)

    def reference(self, message: Message) -> str:
        return message.token

    def open(self) -> None:
        """Do nothing: every message is a request of its own."""

    def close(self) -> None:
        self._client.close()

    def send(self, target: str, message: Message) -> None:
        """Post to the robot of the connection `target`.

        Raises:
            NotSent: the connection is missing, or the service refused the message; `again` when it was busy.
            MaybeSent: the service did not answer after the message was handed over.
        """
        try:
            connection = Connection.get(target)
        except AirflowException:
            raise NotSent(f"没有 Airflow 连接 {target}", again=False) from None
        url, params = self._address(connection)
        try:
            response = self._client.post(url, params=params, json=self._body(message))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol):
            raise NotSent("无法连接机器人服务", again=True) from None
        except httpx.HTTPError:
            raise MaybeSent("消息已交出，但未收到机器人服务的确认") from None
        self._judge(response)
        self._follow(url, params, message)

    def _follow(self, url: str, params: dict[str, str], message: Message) -> None:
        """Send what follows a message that has arrived. A failure here must not mark the message as not sent."""

    def _judge(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in (429, 503):
            raise NotSent(f"机器人服务繁忙（HTTP {status}）", again=True)
        if status >= 500:
            raise MaybeSent(f"机器人服务出错（HTTP {status}），无法确认是否送达")
        try:
            code = int(response.json()["errcode"])
        except (ValueError, KeyError, TypeError):
            raise NotSent(f"机器人服务的回答不可识别（HTTP {status}）", again=False) from None
        if status >= 300 or code != 0:
            raise NotSent(f"机器人服务拒绝（errcode {code}）", again=code in self.busy)

    def _address(self, connection: Connection) -> tuple[str, dict[str, str]]:
        scheme = connection.schema or "https"
        host = connection.host or self.service
        port = f":{connection.port}" if connection.port else ""
        path = connection.extra_dejson.get("path", self.path)
        return f"{scheme}://{host}{port}{path}", {self.key_name: connection.password or ""}

    def _body(self, message: Message) -> dict[str, Any]:
        raise NotImplementedError


class WeCom(Robot):
    """企业微信群机器人."""

    service = "qyapi.weixin.qq.com"
    path = "/cgi-bin/webhook/send"
    key_name = "key"
    busy = frozenset({-1, 45009, 45033})
    per_minute: int | None = 10  # The picture counts as a second message.

    def _body(self, message: Message) -> dict[str, Any]:
        return {"msgtype": "markdown", "markdown": {"content": message.words("wecom")}}

    def _follow(self, url: str, params: dict[str, str], message: Message) -> None:
        """Send the picture of the first page. The figures have already been sent, so a failure is only logged."""
        shown = message.shown("wecom")
        if shown is None:
            return
        picture = shown.read_bytes()
        digest = hashlib.md5(picture, usedforsecurity=False).hexdigest()
        image = {"base64": base64.b64encode(picture).decode(), "md5": digest}
        try:
            self._judge(self._client.post(url, params=params, json={"msgtype": "image", "image": image}))
        except (httpx.HTTPError, NotSent, MaybeSent) as error:
            log.warning("delivery: the picture did not follow its message: %s", type(error).__name__)


class DingTalk(Robot):
    """钉钉自定义机器人, signed when the connection has a secret."""

    service = "oapi.dingtalk.com"
    path = "/robot/send"
    key_name = "access_token"
    busy = frozenset({-1, 130101, 410100, 430102})

    def _address(self, connection: Connection) -> tuple[str, dict[str, str]]:
        url, params = super()._address(connection)
        secret = connection.extra_dejson.get("secret")
        if secret:
            timestamp = str(round(time.time() * 1000))
            params |= {"timestamp": timestamp, "sign": sign(timestamp, secret)}
        return url, params

    def _body(self, message: Message) -> dict[str, Any]:
        return {"msgtype": "markdown", "markdown": {"title": message.subject, "text": message.words("dingtalk")}}


def sign(timestamp: str, secret: str) -> str:
    """Return DingTalk's signature: Base64 of HMAC-SHA-256 of `timestamp\\nsecret` under the secret."""
    digest = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
