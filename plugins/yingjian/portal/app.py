"""This module makes the portal's FastAPI app: its routes, the headers of every answer, and its error pages."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.sessions import SessionMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yingjian.portal import reading, unsaved_answer
from yingjian.portal.access import FORGETTING, OwnPasswordError, SignedOutError, StaleFormError, own_path, sign_in_url
from yingjian.portal.pages import STATIC, page, redirect
from yingjian.portal.persons import KEY_PATTERN
from yingjian.portal.readers import Need, RefusedError, settings
from yingjian.portal.routes import (
    decisions,
    delivery,
    documents,
    home,
    lists,
    notifications,
    operations,
    overview,
    persons,
    publications,
    quality,
    quarantine,
    sending,
    sign_in,
    today,
    zones,
)
from yingjian.settings import SetupError

log = logging.getLogger(__name__)

ROUTERS = tuple(
    module.router
    for module in (
        home, sign_in, decisions, today, overview, lists, persons, zones, quality, publications, operations, documents, sending,
        quarantine, delivery, notifications,
    )
)  # fmt: skip
PROVIDER_SECONDS = 600  # A sign-in at the OpenID Connect provider may take this long.

# The page frames stored reports; it needs no other site and no inline script.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-src 'self'; form-action 'self';"
    " manifest-src 'self'; base-uri 'none'; frame-ancestors 'self'"
)
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-frame-options": "SAMEORIGIN",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


def create_app() -> FastAPI:
    """Return the portal's app."""
    app = FastAPI(title="应检", openapi_url=None, docs_url=None, redoc_url=None)
    # This cookie holds the state of a sign-in at a provider; readers' sessions are on the server.
    app.add_middleware(
        SessionMiddleware,
        secret_key=settings().secret("portal_provider"),
        session_cookie="yingjian_provider",
        max_age=PROVIDER_SECONDS,
        same_site="lax",
        https_only=settings().portal_url.startswith("https:"),
    )
    app.add_middleware(Guard)
    app.mount("/static", _Static(directory=STATIC), name="static")
    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(SignedOutError, _signed_out)
    app.add_exception_handler(OwnPasswordError, _own_password)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(StaleFormError, _stale_form)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(HTTPException, _http_error)
    return app


class _Static(StaticFiles):
    """This app serves style and script; their names have their version, so browsers may keep them."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["cache-control"] = "public, max-age=604800"
        if str(args[0]).endswith("worker.js"):
            # The service worker serves today's list, which is outside its folder; a phone must not keep an old version.
            response.headers["cache-control"] = "no-cache"
            response.headers["service-worker-allowed"] = "/"
            response.headers["content-security-policy"] = "default-src 'none'; connect-src 'self'"
        return response


class Guard:
    """This middleware refuses forms of other sites, sets the headers of every answer, and reports errors without a value."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                present = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in present),
                ]
            await send(message)

        try:
            if _is_of_another_site(request := Request(scope, receive)):
                await _message(request, 403, "stale_form")(scope, receive, send_with_headers)
                return
            await self.app(scope, receive, send_with_headers)
        except Exception as error:
            # The text of an error may hold a row's values: its kind and its place are enough to find it.
            log.error("portal: %s at %s", type(error).__name__, _place(error))
            if started:
                return
            await _trouble(request, error)(scope, receive, send_with_headers)


def _is_of_another_site(request: Request) -> bool:
    """Return whether a browser says that another site sends this form. The forms of readers have a token besides."""
    if request.method in ("GET", "HEAD"):
        return False
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    place = "?"
    while trace:
        code = trace.tb_frame.f_code
        if "yingjian" in code.co_filename:
            place = f"{Path(code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _trouble(request: Request, error: Exception) -> Response:
    if isinstance(error, psycopg.DataError):  # The database cannot store some input, such as a zero byte.
        return _message(request, 400, "not_understood")
    if isinstance(error, psycopg.errors.QueryCanceled):
        return _message(request, 503, "too_much")
    if isinstance(error, SetupError):
        return _message(request, 503, "set_up")
    if isinstance(error, psycopg.OperationalError):
        return _message(request, 503, "no_warehouse")
    return _message(request, 500, "unexpected")


def _message(request: Request, status: int, what: str, error: RefusedError | None = None) -> Response:
    if _wants_json(request):
        return JSONResponse({"detail": what}, status)
    return page(request, error.reader if error else None, "message.html.j2", status, what=what)


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted


async def _signed_out(request: Request, error: Exception) -> Response:
    if _wants_json(request):
        return JSONResponse({"detail": "signed_out"}, 401)
    response = RedirectResponse(sign_in_url(request), 303, headers=FORGETTING)
    if back := await unsaved_answer.keep(request, response):
        response.headers["location"] = sign_in_url(request, back)
    return response


def _own_password(request: Request, error: Exception) -> Response:
    return redirect(request, "/password")


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    if request.url.path == f"{request.scope['root_path']}/" and error.reader.may(Need.SENDER):
        return redirect(request, "/sending")  # Senders see only this page.
    if error.need in (Need.PERSONS, Need.QUARANTINE):
        person_key = request.path_params.get("person_key", "")
        is_key = re.fullmatch(KEY_PATTERN, person_key) is not None
        reading.refusal(error.reader, error.need, person_key if is_key else None)
    return _message(request, 403, f"refused_{error.need.value}", error)


async def _stale_form(request: Request, error: Exception) -> Response:
    response = RedirectResponse("/", 303)
    if back := await unsaved_answer.keep(request, response):
        response.headers["location"] = request.scope["root_path"] + own_path(back)
        return response
    return _message(request, 403, "stale_form")


def _not_understood(request: Request, error: Exception) -> Response:
    return _message(request, 400, "not_understood")


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _message(request, error.status_code, "not_found" if error.status_code == 404 else "not_understood")
