"""This module defines the portal's readers and what each may see. A right that is not granted here is refused.

Only `yingjian.people.officials` defines the rights of an official.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from pathlib import Path

from itsdangerous import BadSignature, URLSafeTimedSerializer

from yingjian import clock
from yingjian.delivery.sign_off import who_may
from yingjian.people import officials
from yingjian.people.audience import OFFICE, Audience
from yingjian.people.officials import Official, Officials
from yingjian.settings import Settings

# This audience sees only the marts that are the same for everyone in the town (`town_wide` in their YAML).
NOBODY = Audience("nobody")
FORM_SECONDS = 12 * 3600


@dataclass(frozen=True)
class Reader:
    """A reader has a session of the portal. The directory lists the login as an official, a data team member or a sender."""

    login: str
    official: Official | None = None
    is_data_team: bool = False
    sender: Official | None = None

    @property
    def audience(self) -> Audience:
        """Return the part of the town whose rows the reader sees; none without an entry in the directory."""
        return self.official.audience if self.official else NOBODY

    @property
    def counted(self) -> Audience:
        """Return the part whose counts the reader sees.

        The data team sees the whole town's, because counts name nobody.
        """
        return self.audience if self.official or not self.is_data_team else OFFICE

    @property
    def sees_persons(self) -> bool:
        return self.may(Need.PERSONS)

    def may(self, need: Need) -> bool:
        official = self.official
        if need is Need.ENTER:
            return official is not None or self.is_data_team
        if need is Need.PART:
            return official is not None
        if need is Need.FIGURES:
            return official is not None and official.audience.kind != "grid"
        if need is Need.DATA_TEAM:
            return self.is_data_team
        if need is Need.SENDER:
            return self.sender is not None
        if need is Need.ANSWER:
            return False  # `may_answer` decides this for each question.
        return official is not None and official.may(need.value)


class Need(Enum):
    """A need is the right that a page requires of its reader."""

    ENTER = "enter"  # Officials and the data team have it: figures without persons.
    PART = "part"  # Officials have it: the rows of the own part.
    FIGURES = "figures"  # Officials of more than a grid have it: figures and zones are not divided by grid.
    PERSONS = "persons"  # Officials with this right have it.
    QUARANTINE = "quarantine"  # Officials with this right have it.
    ANSWER = "answer"  # Officials who are asked have it, and their deputies (`may_answer`).
    DATA_TEAM = "data_team"  # The data team has it.
    SENDER = "sender"  # Senders have it: their own files and rows, and nothing else.


@cache
def settings() -> Settings:
    """Return the settings of this process, which has one home."""
    return Settings.load()


def now() -> datetime:
    """Return the current time of the home as wall time of Asia/Shanghai, without a time zone."""
    return clock.now(settings().home).replace(tzinfo=None)


def directory() -> Officials:
    """Return the officials of the current file, so that a revoked right is gone with the next request.

    Raises SetupError when the file cannot be understood: then nobody is an official.
    """
    path = settings().officials
    try:
        stat = path.stat()
    except FileNotFoundError:
        return Officials()
    return _directory(path, stat.st_mtime_ns, stat.st_size)


@cache
def _directory(path: Path, modified: int, size: int) -> Officials:
    _directory.cache_clear()  # Only the newest version is worth keeping.
    return officials.read_officials(path)


def may_answer(reader: Reader, right: str) -> bool:
    """Return whether an answer of this reader counts, by an own right or as a deputy."""
    return reader.login in who_may(directory(), right)


class RefusedError(Exception):
    """The session is valid, but the request is not allowed for this reader; `need` says which right is missing."""

    def __init__(self, need: Need, reader: Reader) -> None:
        super().__init__(need.name)
        self.need = need
        self.reader = reader


@cache
def signer(purpose: str) -> URLSafeTimedSerializer:
    """Return what signs texts for browsers; a text that was signed for one purpose is not valid for another."""
    return URLSafeTimedSerializer(settings().secret("portal_forms"), salt=f"yingjian.portal.{purpose}")


def form_token(login: str) -> str:
    """Return the token for a form of this reader. Without it another site could send the form in the reader's name."""
    return signer("form").dumps(login)


def login_of_form(token: str) -> str | None:
    """Return the reader to whom the portal once gave this token, however long ago; None when it never did."""
    try:
        return str(signer("form").loads(token))
    except BadSignature:
        return None


def is_form_of(login: str, token: str) -> bool:
    """Return whether the portal gave this token to this reader within the last hours."""
    try:
        return bool(signer("form").loads(token, max_age=FORM_SECONDS) == login)
    except BadSignature:
        return False
