"""These routes show the lists of persons."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, unquote

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import Response

from yingjian.portal import lists, publications, reading
from yingjian.portal.access import CheckedForm, OfPart, cookie_attributes
from yingjian.portal.files import CSV, XLSX, write_and_send
from yingjian.portal.lists import Asked
from yingjian.portal.pages import page, query, redirect
from yingjian.reports.content.lists import PersonList
from yingjian.reports.content.publication import Publication

router = APIRouter()

SEARCH_COOKIE = "yingjian_search"
FORMATS = {"csv": CSV, "xlsx": XLSX}


@router.get("/lists")
def overview(request: Request, reader: OfPart) -> Response:
    """Show all lists with the number of rows in the reader's part."""
    with reading.reading(reader.audience) as conn:
        current = publications.current(conn)
        counted = lists.counts(conn, current.publication_id, reader.audience) if current else {}
    return page(request, reader, "lists.html.j2", current=current, counted=counted, lists=lists.BY_MART)


@router.get("/lists/{mart}")
def one_list(request: Request, reader: OfPart, mart: str) -> Response:
    """Show a page of a list; a look at names is recorded."""
    person_list = _list(mart)
    search, handle = _search_of(request)
    asked = Asked.of(person_list, request.query_params, search)

    def read(conn: reading.Conn) -> tuple[Publication, lists.Listed] | None:
        publication = publications.current(conn)
        if publication is None:
            return None
        return publication, lists.read_page(conn, publication, person_list, asked, reader.sees_persons)

    if reader.sees_persons:
        read_now = reading.looked(
            reader, "list_view", read, lambda r: _object(mart, r), details=lambda r: _details(asked, r)
        )
    else:
        with reading.reading(reader.audience) as conn:
            read_now = read(conn)
    if read_now is None:
        return page(request, reader, "lists.html.j2", current=None, counted={}, lists=lists.BY_MART)
    publication, listed = read_now
    return page(
        request,
        reader,
        "list.html.j2",
        person_list=person_list,
        publication=publication,
        listed=listed,
        asked=asked,
        filters=lists.filters_of(person_list),
        handle=handle,
        parameters=asked.parameters | {"search": handle},
        is_lost=bool(request.query_params.get("search")) and not search,
    )


@router.post("/lists/{mart}/search", dependencies=[CheckedForm])
async def search_list(request: Request, reader: OfPart, mart: str) -> Response:
    """Keep the search in a cookie, because addresses appear in logs, and redirect to the list."""
    person_list = _list(mart)
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    asked = Asked.of(person_list, form, form.get("words", ""))
    handle = secrets.token_hex(4) if asked.search else None
    address = f"/lists/{mart}{query(asked.parameters, page=None, search=handle)}"
    response = redirect(request, address)
    if handle:
        cookie = f"{handle}.{quote(asked.search)}"
        response.set_cookie(SEARCH_COOKIE, cookie, **cookie_attributes(request, "/lists", "strict"))
    return response


@router.post("/lists/{mart}/export", dependencies=[CheckedForm])
def export_list(request: Request, reader: OfPart, mart: str, format: Annotated[str, Form()]) -> Response:
    """Send the rows that the list's address requests, as a file; the export is recorded before it is sent."""
    person_list = _list(mart)
    if format not in FORMATS:
        raise HTTPException(400)
    search, _ = _search_of(request)
    asked = Asked.of(person_list, request.query_params, search)

    def write(folder: Path) -> tuple[Path, str]:
        path = folder / f"list.{format}"

        def read(conn: reading.Conn) -> tuple[Publication, int]:
            publication = publications.current(conn)
            if publication is None:
                raise HTTPException(404)
            return publication, lists.export(conn, publication, person_list, asked, reader.sees_persons, path)

        publication, _ = reading.looked(
            reader,
            "export",
            read,
            lambda r: f"publication {r[0].publication_id} {mart}",
            details=lambda r: {"format": format, "rows": r[1], "names": reader.sees_persons, **_asked(asked)},
        )
        return path, f"{person_list.title}_{reader.audience.title}_{publication.as_of_date}.{format}"

    try:
        return write_and_send(write, FORMATS[format])
    except ValueError:
        raise HTTPException(400) from None


def _list(mart: str) -> PersonList:
    if mart not in lists.BY_MART:
        raise HTTPException(404)
    return lists.BY_MART[mart]


def _search_of(request: Request) -> tuple[str, str | None]:
    """Return the search and its handle, if the address names the search that the cookie keeps."""
    handle, _, words = request.cookies.get(SEARCH_COOKIE, "").partition(".")
    asked = request.query_params.get("search")
    return (unquote(words), asked) if asked and asked == handle else ("", None)


def _object(mart: str, read: tuple[Publication, lists.Listed] | None) -> str:
    return f"publication {read[0].publication_id} {mart}" if read else mart


def _details(asked: Asked, read: tuple[Publication, lists.Listed] | None) -> dict[str, Any]:
    return {"rows": len(read[1].page.rows) if read else 0, "page": asked.page, **_asked(asked)}


def _asked(asked: Asked) -> dict[str, Any]:
    """Return the filters for the trail; a search is recorded without its words, because it may be a name."""
    return {"filters": dict(asked.filters), "searched": bool(asked.search)}
