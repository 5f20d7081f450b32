"""These routes sign officials in and out, and let them set their own password."""

from __future__ import annotations

import logging
from typing import Annotated

import httpx
from authlib.common.errors import AuthlibBaseError
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from joserfc.errors import JoseError
from starlette.concurrency import run_in_threadpool

from yingjian.portal import accounts
from yingjian.portal.access import COOKIE, FORGETTING, CheckedForm, SignedIn, cookie_attributes, own_path, reader
from yingjian.portal.pages import page, redirect
from yingjian.portal.provider import login_of, provider
from yingjian.portal.readers import settings

log = logging.getLogger(__name__)
router = APIRouter()

Text = Annotated[str, Form(max_length=1000)]


@router.get("/sign-in")
def form(request: Request, next: str = "/") -> Response:
    return _sign_in_page(request, next)


@router.post("/sign-in")
def sign_in(request: Request, login: Text = "", password: Text = "", next: Text = "/") -> Response:
    """Open a session and go to the requested page, or say in one sentence why not; never whether the login exists."""
    login = login.strip()
    try:
        token = accounts.sign_in(login, password, _address(request))
    except accounts.BlockedError as error:
        return _sign_in_page(request, next, 429, login, problem="blocked", seconds=error.seconds)
    except accounts.WrongPasswordError:
        return _sign_in_page(request, next, 401, login, problem="wrong")
    return _signed_in(request, token, next)


@router.post("/sign-out", dependencies=[CheckedForm])
def sign_out(request: Request) -> Response:
    accounts.sign_out(request.cookies[COOKIE])
    response = RedirectResponse(f"{request.scope['root_path']}/sign-in", 303, headers=FORGETTING)
    response.delete_cookie(COOKIE, **cookie_attributes(request))
    return response


@router.get("/password")
def password_form(request: Request, session: SignedIn) -> Response:
    return _password_page(request, session)


@router.post("/password", dependencies=[CheckedForm])
def set_password(request: Request, session: SignedIn, old: Text = "", new: Text = "", again: Text = "") -> Response:
    """Set a new password; every other session of the login ends."""
    if new != again:
        return _password_page(request, session, 422, problem="again")
    try:
        token = accounts.set_password(session, old, new, _address(request))
    except accounts.BlockedError as error:
        return _password_page(request, session, 429, problem="blocked", seconds=error.seconds)
    except accounts.WrongPasswordError:
        return _password_page(request, session, 401, problem="wrong_old")
    except accounts.UnfitPasswordError as error:
        return _password_page(request, session, 422, problem=error.why)
    return _signed_in(request, token, "/")


@router.get("/sign-in/provider")
async def to_provider(request: Request, next: str = "/") -> Response:
    client = provider()
    if client is None:
        raise HTTPException(404)
    request.session["next"] = own_path(next)
    back: str = f"{settings().portal_url}/sign-in/provider/back"
    try:
        response: Response = await client.authorize_redirect(request, back)
    except (AuthlibBaseError, httpx.HTTPError) as error:
        return _provider_failed(request, error)
    return response


@router.get("/sign-in/provider/back", name="from_provider")
async def from_provider(request: Request) -> Response:
    """Open a session for the login that the provider's ID token names; authlib checks state, nonce, signature and times."""
    client = provider()
    if client is None:
        raise HTTPException(404)
    try:
        login = login_of(await client.authorize_access_token(request))
    except (AuthlibBaseError, JoseError, httpx.HTTPError, ValueError) as error:
        return _provider_failed(request, error)
    token = await run_in_threadpool(accounts.sign_in_elsewhere, login)
    next = request.session.get("next", "/")
    request.session.clear()
    if token is None:
        return _sign_in_page(request, next, 403, problem="not_listed")
    return _signed_in(request, token, next)


def _provider_failed(request: Request, error: Exception) -> Response:
    log.warning("portal: the OpenID Connect provider's answer was not taken (%s)", type(error).__name__)
    request.session.clear()
    return _sign_in_page(request, "/", 502, problem="provider")


def _address(request: Request) -> str:
    """Return where a request came from: the reader's own address when the proxy in front is one of FORWARDED_ALLOW_IPS."""
    return request.client.host if request.client else ""


def _signed_in(request: Request, token: str, next: str) -> Response:
    response = redirect(request, own_path(next))
    response.set_cookie(COOKIE, token, **cookie_attributes(request))
    return response


def _sign_in_page(
    request: Request, next: str, status: int = 200, login: str = "", problem: str = "", seconds: int = 0
) -> Response:
    return page(
        request,
        None,
        "sign_in.html.j2",
        status,
        next=own_path(next),
        login=login,
        problem=problem,
        seconds=seconds,
        has_provider=provider() is not None,
    )


def _password_page(
    request: Request, session: accounts.Session, status: int = 200, problem: str = "", seconds: int = 0
) -> Response:
    return page(
        request,
        reader(session.login),
        "password.html.j2",
        status,
        is_first=session.sets_password,
        problem=problem,
        seconds=seconds,
        length=accounts.LENGTH,
    )
