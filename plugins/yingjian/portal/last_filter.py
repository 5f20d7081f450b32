"""Today's list opens with the reader's last filter, which the browser keeps in a cookie.

The cookie names places, a list, a state and an answer, but no person. It is signed for its reader, so that nobody else who
signs in at the same browser gets it. A day and a page number mean nothing on the next day and are not kept.
"""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response
from itsdangerous import BadSignature

from yingjian.portal.access import cookie_attributes
from yingjian.portal.readers import signer
from yingjian.reports.content.today import Wanted

COOKIE = "yingjian_filter"
DAYS = 30
KEPT = ("grid", "list", "state", "answer")


def is_asked(request: Request) -> bool:
    """Return whether the address has a filter of its own, even an empty one."""
    return any(name in request.query_params for name in Wanted().parameters)


def keep(request: Request, response: Response, login: str, wanted: Wanted) -> None:
    content = {name: value for name in KEPT if (value := getattr(wanted, name))}
    cookie = signer("filter").dumps({"login": login, **content})
    response.set_cookie(COOKIE, cookie, DAYS * 24 * 3600, **cookie_attributes(request, "/today"))


def read(request: Request, login: str) -> Wanted:
    """Return the reader's last filter, or an empty one if the browser keeps none of this reader."""
    try:
        content = signer("filter").loads(request.cookies.get(COOKIE, ""), max_age=DAYS * 24 * 3600)
    except BadSignature:
        return Wanted()
    if content.get("login") != login:
        return Wanted()
    return Wanted(**{name: content.get(name, "") for name in KEPT})
