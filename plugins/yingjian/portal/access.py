"""This module identifies the reader of each request by the portal's own session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Form, Request
from fastapi.responses import Response

from yingjian.portal import accounts
from yingjian.portal.accounts import Session
from yingjian.portal.readers import Need, Reader, RefusedError, directory, is_form_of

COOKIE = "yingjian_session"
# A browser that gets this forgets the pages that it keeps for a time without a network.
FORGETTING = {"clear-site-data": '"storage"'}


class SignedOutError(Exception):
    """There is no valid session; the reader must sign in."""


class OwnPasswordError(Exception):
    """The session began with a first password; the reader must set an own one."""


class StaleFormError(Exception):
    """A form was sent that the portal did not give to this reader, or gave long ago."""


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
    """Return a path within the portal, which no browser takes for another site's address."""
    return (
        back if back.startswith("/") and not back.startswith("//") and "\\" not in back and back.isprintable() else "/"
    )


def keep_session(request: Request, response: Response, token: str) -> None:
    """Give the browser the token of its session; no script reads it, and no other site's form sends it."""
    path, is_https = _place(request)
    response.set_cookie(COOKIE, token, path=path, httponly=True, samesite="lax", secure=is_https)


def forget_session(request: Request, response: Response) -> None:
    path, is_https = _place(request)
    response.delete_cookie(COOKIE, path=path, httponly=True, samesite="lax", secure=is_https)


def _place(request: Request) -> tuple[str, bool]:
    return f"{request.scope['root_path']}/", request.url.scheme == "https"
