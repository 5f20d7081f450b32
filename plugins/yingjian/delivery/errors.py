"""These exceptions say how an attempt failed.

Officials read the reasons, which are Chinese and hold no address and no secret.
"""

from __future__ import annotations


class NotSent(Exception):
    """The message was definitely not sent.

    `again`: a retry may help. `is_general`: the whole channel is down, for other messages too.
    """

    def __init__(self, reason: str, *, again: bool, is_general: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again
        self.is_general = is_general


class Bounced(NotSent):
    """The server rejected this address permanently."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, again=False)


class MaybeSent(Exception):
    """The connection broke after the message was handed over. It may have arrived, so it is not retried automatically."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Undelivered(Exception):
    """A run ended with undelivered messages. The text names officials and channels, but no address, so alerts may quote it."""

    may_be_told = True
