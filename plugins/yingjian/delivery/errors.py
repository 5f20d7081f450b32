"""How sending ends when it does not end well. The reasons are read by officials: Chinese, no address, no secret."""

from __future__ import annotations


class NotSent(Exception):
    """Surely not sent. `again`: whether trying again may help; `is_general`: no other message gets through either."""

    def __init__(self, reason: str, *, again: bool, is_general: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again
        self.is_general = is_general


class Bounced(NotSent):
    """Refused for this address, for good."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, again=False)


class MaybeSent(Exception):
    """The connection broke after the message was handed over: it may have arrived, and is not sent again by itself."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Undelivered(Exception):
    """A run ended with something undelivered; the text names officials and channels, no address, and may be mailed."""

    may_be_told = True
