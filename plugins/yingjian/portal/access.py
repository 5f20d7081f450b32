"""This module identifies the reader of each request by the portal's own session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Form, Request

from yingjian.portal import accounts
from yingjian.portal.accounts import Session
from yingjian.portal.readers import Need, Reader, RefusedError, directory, is_form_of

COOKIE = "yingjian_session"
# This header makes a browser delete the pages that it keeps for offline use.
FORGETTING = {"clear-site-data": '"storage"'}


class SignedOutError(Exception):
    """There is no valid session; the reader must sign in."""


class OwnPasswordError(Exception):
    """The session began with a first password; the reader must set a new one."""


class StaleFormError(Exception):
    """The portal did not give this form to this reader, or gave it too long ago."""


def session(request: Request) -> Session:
    """Return the session of the cookie. Raises SignedOutError when there is none."""
    token = request.cookies.get(COOKIE)
    opened = accounts.session_of(token) if token else None
    if opened is None:
        raise SignedOutError
    return opened


SignedIn = Annotated[Session, Depends(session)]


def reader_of(signed_in: SignedIn) -> Reader:
    """Return the reader of a session, as the directory has the login now."""
    if signed_in.sets_password:
        raise OwnPasswordError
    return reader(signed_in.login)


def reader(login: str) -> Reader:
    officials = directory()
    return Reader(login, officials.get(login), officials.is_data_team(login), officials.sender(login))


def needs(need: Need) -> Callable[[Reader], Reader]:
    """Return a dependency that lets in every reader who meets a need."""

    def check(reader: Annotated[Reader, Depends(reader_of)]) -> Reader:
        if not reader.may(need):
            raise RefusedError(need, reader)
        return reader

    return check


Entering = Annotated[Reader, Depends(needs(Need.ENTER))]
OfPart = Annotated[Reader, Depends(needs(Need.PART))]
OfFigures = Annotated[Reader, Depends(needs(Need.FIGURES))]
OfPersons = Annotated[Reader, Depends(needs(Need.PERSONS))]
OfQuarantine = Annotated[Reader, Depends(needs(Need.QUARANTINE))]
OfDataTeam = Annotated[Reader, Depends(needs(Need.DATA_TEAM))]
OfSender = Annotated[Reader, Depends(needs(Need.SENDER))]


def checked_form(signed_in: SignedIn, form_token: Annotated[str, Form(max_length=500)] = "") -> None:
    """Raise StaleFormError unless the portal gave this form to this user within the last hours."""
    if not is_form_of(signed_in.login, form_token):
        raise StaleFormError


CheckedForm = Depends(checked_form)


def sign_in_url(request: Request, back: str | None = None) -> str:
    """Return the address of the sign-in, which leads back to the requested page, or to the page that is given."""
    root = request.scope["root_path"]
    if back is None:
        back = request.url.path.removeprefix(root) if request.method == "GET" else "/"
        back += f"?{request.url.query}" if request.method == "GET" and request.url.query else ""
    return f"{root}/sign-in?{urlencode({'next': back})}"


def own_path(back: str) -> str:
    """Return the path if it stays within the portal and no browser takes it for another site's address; else /."""
    return (
        back if back.startswith("/") and not back.startswith("//") and "\\" not in back and back.isprintable() else "/"
    )


def cookie_attributes(request: Request, path: str = "/", samesite: str = "lax") -> dict[str, Any]:
    """Return the attributes of a cookie for a path of the portal; no script reads it, and no other site's form sends it."""
    return {
        "path": f"{request.scope['root_path']}{path}",
        "httponly": True,
        "samesite": samesite,
        "secure": request.url.scheme == "https",
    }
