"""This module alerts the data team by mail, group robots and a webhook, as configured in the settings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import httpx

from yingjian.delivery.errors import MaybeSent, NotSent, Undelivered
from yingjian.delivery.mail import Mail
from yingjian.delivery.messages import Message
from yingjian.delivery.robots import DingTalk, Robot, WeCom
from yingjian.settings import Alerts

TIMEOUT_SECONDS = 15
logging.getLogger("httpx").setLevel(logging.WARNING)  # httpx logs the URL of each request, which is a secret.


def tell(alerts: Alerts, message: Message, content: Mapping[str, Any]) -> tuple[str, ...]:
    """Send a message over every configured channel; return the reasons of the channels that failed.

    content: the JSON for the webhook. Raises Undelivered when every configured channel failed. Reasons and errors contain
    no address and no URL, because the URL of a webhook is a secret.
    """
    ways: list[Callable[[], None]] = [partial(_mail, address, message) for address in alerts.mail]
    if alerts.wecom:
        ways.append(partial(_robot, WeCom, alerts.wecom, message))
    if alerts.dingtalk:
        ways.append(partial(_robot, DingTalk, alerts.dingtalk, message))
    if alerts.webhook:
        ways.append(partial(_post, alerts.webhook, content))
    failures = []
    for way in ways:
        try:
            way()
        except (NotSent, MaybeSent) as error:
            failures.append(error.reason)
    if ways and len(failures) == len(ways):
        raise Undelivered("no alert channel took the message: " + "; ".join(dict.fromkeys(failures)))
    return tuple(failures)


def beat(alerts: Alerts) -> str | None:
    """Fetch the heartbeat's URL, so that its service sees that the watch is alive; return why that failed, else None."""
    if alerts.heartbeat:
        try:
            httpx.get(alerts.heartbeat, timeout=TIMEOUT_SECONDS).raise_for_status()
        except httpx.HTTPStatusError as error:
            return f"the heartbeat was refused (HTTP {error.response.status_code})"
        except httpx.HTTPError as error:
            return f"the heartbeat did not get through ({type(error).__name__})"
    return None


def _mail(address: str, message: Message) -> None:
    mail = Mail()
    try:
        mail.open()
        mail.send(address, message)
    finally:
        mail.close()


def _robot(kind: type[Robot], connection: str, message: Message) -> None:
    robot = kind()
    try:
        robot.send(connection, message)
    finally:
        robot.close()


def _post(url: str, content: Mapping[str, Any]) -> None:
    try:
        response = httpx.post(url, json=content, timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        raise NotSent(f"the webhook did not answer ({type(error).__name__})", again=True) from None
    if response.status_code >= 300:
        raise NotSent(f"the webhook refused (HTTP {response.status_code})", again=True)
