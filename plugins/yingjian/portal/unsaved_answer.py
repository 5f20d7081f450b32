"""If a session ends while its reader fills in a form, the browser keeps the form for a while.

The cookie is signed, no script reads it, and the next form that is saved deletes it. The form is not sent automatically: the
reader signs in, sees what was filled in, and sends it again. Nobody else who signs in at the same browser sees it.
"""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import Response
from itsdangerous import BadSignature

from yingjian.portal.access import cookie_attributes
from yingjian.portal.readers import login_of_form, signer

COOKIE = "yingjian_kept"
SECONDS = 30 * 60
PATH = "/today"
FORM_PATH = f"{PATH}/answers"
UNSENT = f"{PATH}?unsent=form#paper"  # The page says there that the file has to be chosen again.
MOST = 3_500  # This is the longest cookie that browsers keep.


async def keep(request: Request, response: Response) -> str | None:
    """Keep the form of a request; return the page to come back to, or None when the request is no such form.

    A file is not kept, because it contains names; the page to come back to says so.
    """
    if request.method == "POST" and request.url.path == f"{request.scope['root_path']}{FORM_PATH}":
        return UNSENT
    if request.method != "POST" or request.url.path != f"{request.scope['root_path']}{PATH}":
        return None
    form = await request.form()
    login = login_of_form(str(form.get("form_token", "")))
    content = {
        "login": login,
        "items": [value for value in form.getlist("item") if isinstance(value, str)],
        "result": str(form.get("result", "")),
        "note": str(form.get("note", "")),
    }
    cookie = signer("kept").dumps(content)
    if login is not None and len(cookie) <= MOST:
        response.set_cookie(COOKIE, cookie, SECONDS, **cookie_attributes(request, PATH))
    return str(form.get("back", PATH))


def read(request: Request, login: str) -> dict[str, Any] | None:
    """Return the reader's kept form (items, result, note), or None."""
    try:
        content: dict[str, Any] = signer("kept").loads(request.cookies.get(COOKIE, ""), max_age=SECONDS)
    except BadSignature:
        return None
    return content if content.get("login") == login else None


def forget(request: Request, response: Response) -> None:
    response.delete_cookie(COOKIE, **cookie_attributes(request, PATH))
