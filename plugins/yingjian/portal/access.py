"""Who is at the portal's door, and what they may see. What is not granted here is refused.

Apps that a plugin mounts do not inherit Airflow's authentication: the session is checked here, with Airflow's own
functions, whichever auth manager Airflow runs. What an official may see stands in `yingjian.officials` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from fastapi import Depends, Form, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials
from itsdangerous import BadSignature, URLSafeTimedSerializer

from yingjian import officials
from yingjian.officials import Official, Officials
from yingjian.reports.audiences import Audience
from yingjian.settings import Settings

# Narrowed to this audience, only what is the same for everyone in the town is left (`reports.audiences.TOWN_WIDE`).
NOBODY = Audience("nobody")
FORM_SECONDS = 12 * 3600


class SignedOutError(Exception):
    """There is no valid session: to Airflow's login."""


class RefusedError(Exception):
    """The session is valid, and what was asked for is not for this reader; `need` says what would be needed."""

    def __init__(self, need: Need, reader: Reader) -> None:
        super().__init__(need.name)
        self.need = need
        self.reader = reader


class StaleFormError(Exception):
    """A form was sent that the portal did not give to this reader, or gave long ago."""


@dataclass(frozen=True)
class Reader:
    """A signed-in user of Airflow: `official` when the directory lists the login, `is_data_team` by Airflow's own roles."""

    login: str
    official: Official | None = None
    is_data_team: bool = False

    @property
    def audience(self) -> Audience:
        """The part of the town whose rows the reader sees; none without an entry in the directory."""
        return self.official.audience if self.official else NOBODY

    @property
    def sees_persons(self) -> bool:
        return self.may(Need.PERSONS)

    def may(self, need: Need) -> bool:
        official = self.official
        if need is Need.ENTER:
            return official is not None or self.is_data_team
        if need is Need.PART:
            return official is not None
        if need is Need.DATA_TEAM:
            return self.is_data_team
        return official is not None and official.may(need.value)


class Need(Enum):
    """What a page asks of its reader."""

    ENTER = "enter"  # an official or the data team: figures without persons
    PART = "part"  # an official: the rows of the own part
    PERSONS = "persons"  # an official with this right
    QUARANTINE = "quarantine"  # an official with this right
    DATA_TEAM = "data_team"  # Airflow's operators and administrators


@cache
def settings() -> Settings:
    """The settings of this process; the API server has one home."""
    return Settings.load()


def directory() -> Officials:
    """The officials as the file says now: a right that was taken away is gone with the next request.

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


async def signed_in(
    request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer_scheme)]
) -> BaseUser:
    """The user of the session cookie or of the bearer token, as Airflow itself reads them."""
    try:
        return await get_user(request, None, bearer)
    except HTTPException:
        raise SignedOutError from None


SignedIn = Annotated[BaseUser, Depends(signed_in)]


def reader_of(user: SignedIn) -> Reader:
    """What the directory and Airflow say of a user.

    The login is the user's name in Airflow: with the FAB and the Keycloak auth manager the id is a number or a UUID.
    The data team are those whom Airflow lets see connections: its operators and administrators.
    """
    login = user.get_name()
    return Reader(
        login, directory().get(login), bool(get_auth_manager().is_authorized_connection(method="GET", user=user))
    )


def needs(need: Need) -> Callable[[Reader], Reader]:
    """A dependency that lets in whoever meets a need."""

    def check(reader: Annotated[Reader, Depends(reader_of)]) -> Reader:
        if not reader.may(need):
            raise RefusedError(need, reader)
        return reader

    return check


Entering = Annotated[Reader, Depends(needs(Need.ENTER))]
OfPart = Annotated[Reader, Depends(needs(Need.PART))]
OfPersons = Annotated[Reader, Depends(needs(Need.PERSONS))]
OfQuarantine = Annotated[Reader, Depends(needs(Need.QUARANTINE))]
OfDataTeam = Annotated[Reader, Depends(needs(Need.DATA_TEAM))]


@cache
def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings().secret("portal_forms"), salt="yingjian.portal.form")


def form_token(login: str) -> str:
    """What a form of this reader carries, so that another site cannot send it in the reader's name."""
    return _signer().dumps(login)


def checked_form(user: SignedIn, form_token: Annotated[str, Form(max_length=500)] = "") -> None:
    """Raises StaleFormError when the form is not one that the portal gave to this user within the last hours."""
    try:
        login = _signer().loads(form_token, max_age=FORM_SECONDS)
    except BadSignature:
        raise StaleFormError from None
    if login != user.get_name():
        raise StaleFormError


CheckedForm = Depends(checked_form)


def login_url(request: Request) -> str:
    """Airflow's login, which comes back to the page that was asked for."""
    back = f"{request.scope['root_path']}/"
    if request.method == "GET":
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return get_auth_manager().get_url_login(next_url=back)
