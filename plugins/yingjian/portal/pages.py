"""This module renders the portal's Jinja templates in the reader's language."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import date, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from yingjian.modelling import editions
from yingjian.portal.readers import Need, Reader, form_token
from yingjian.portal.words import LANGUAGES, code, event, label, say
from yingjian.reports.content import text

STATIC = Path(__file__).parent / "static"
LANGUAGE_COOKIE = "yingjian_language"
HTML_LANGUAGES = {"zh": "zh-CN", "en": "en"}


def language_of(request: Request) -> str:
    """Return zh or en: the reader's choice, else the first of the two that the browser accepts, else zh."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    asked = re.findall(r"(?:^|,)\s*(zh|en)\b", request.headers.get("accept-language", "").lower())
    return str(asked[0]) if asked else LANGUAGES[0]


def page(
    request: Request, reader: Reader | None, template: str, status_code: int = 200, **context: Any
) -> HTMLResponse:
    """Return a page of the portal; every value is escaped."""
    language = language_of(request)
    content = (
        _environment()
        .get_template(template)
        .render(
            reader=reader,
            need=Need,
            language=language,
            html_language=HTML_LANGUAGES[language],
            t=partial(say, language),
            code=partial(code, language),
            event=partial(event, language),
            label=partial(label, language),
            here=_here(request),
            base=request.scope["root_path"],
            path=request.url.path.removeprefix(request.scope["root_path"]),
            static_version=_static_version(),
            form_token=form_token(reader.login) if reader else "",
            full_day=_FULL_DAY[language],
            **context,
        )
    )
    return HTMLResponse(content, status_code)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("yingjian.portal"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "number": text.number,
        "percent": text.percent,
        "change": text.change,
        "cell": cell,
        "query": query,
    }
    environment.globals["town"] = editions.plan().town
    environment.globals["edition_name"] = editions.version
    environment.tests["moment"] = lambda value: isinstance(value, date)
    return environment


def redirect(request: Request, path: str, status_code: int = 303) -> RedirectResponse:
    """Return a redirection to a page of the portal."""
    return RedirectResponse(request.scope["root_path"] + path, status_code)


def cell(value: Any) -> str:
    """Return a table's value as text: days and times as ISO writes them, numbers with separators, nothing as a dash."""
    if value is None or value == "":
        return text.NOTHING
    if isinstance(value, bool):
        return "✓" if value else text.NOTHING
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int):
        return text.number(value)
    return str(value)


def query(parameters: dict[str, Any], **changed: Any) -> str:
    """Return a query string of the parameters that are set. `changed` overrides them; None removes one."""
    remaining = {name: value for name, value in (parameters | changed).items() if value not in (None, "")}
    return "?" + urlencode(remaining) if remaining else "?"


def _here(request: Request) -> str:
    """Return the path within the portal to come back to; a page that a form requested is read anew."""
    path = request.url.path.removeprefix(request.scope["root_path"])
    return f"{path}?{request.url.query}" if request.url.query else path


def _english_day(value: date) -> str:
    return f"{value:%A} {value.day} {value:%B %Y}"


_FULL_DAY: dict[str, Callable[[date], str]] = {"zh": text.full_day, "en": _english_day}


@cache
def _static_version() -> str:
    digest = hashlib.sha256()
    for file in sorted(STATIC.iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
