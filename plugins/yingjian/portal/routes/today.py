"""These routes show today's list, and take what officials did about its items."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, UploadFile
from fastapi.responses import Response

from yingjian.landing.feeds import DISPOSITIONS
from yingjian.portal import accounts, dispositions, last_filter, publications, reading, unsaved_answer
from yingjian.portal.access import COOKIE, CheckedForm, OfPersons, own_path
from yingjian.portal.files import received, write_and_send
from yingjian.portal.limits import UPLOAD_BYTES, PageNumber
from yingjian.portal.pages import page, redirect
from yingjian.portal.readers import Reader
from yingjian.reports.content import today
from yingjian.reports.content.publication import Publication
from yingjian.reports.content.today import Listed, Today, Wanted
from yingjian.reports.render.workbook import TODAY, Book, write_today

router = APIRouter(prefix="/today")

Word = Annotated[str, Query(max_length=200)]
Read = tuple[Publication, Today] | None


def wanted_of(
    grid: Word = "",
    list: Word = "",
    state: Word = "",
    day: Word = "",
    answer: Word = "",
    number: PageNumber = 1,
) -> Wanted:
    """Return the filter in an address; invalid values are left out."""
    return Wanted(
        grid,
        list if list in today.LISTS else "",
        state if state in today.STATES else "",
        _day(day),
        answer if answer in (today.NO_ANSWER, *DISPOSITIONS) else "",
        number,
    )


Asked = Annotated[Wanted, Depends(wanted_of)]


@router.get("")
def one_page(request: Request, reader: OfPersons, wanted: Asked, saved: Word = "", unsent: Word = "") -> Response:
    """Show a page of persons in the order of danger; the look is recorded.

    Without a filter in the address, the reader's last filter applies, unless it finds nothing today.
    """
    is_asked = last_filter.is_asked(request)
    if not is_asked:
        wanted = last_filter.read(request, reader.login)
    content = _read(reader, wanted)
    if content and not content[1].page.count and not is_asked and wanted != Wanted():
        wanted = Wanted()
        content = _read(reader, wanted)
    response = page(
        request,
        reader,
        "today.html.j2",
        publication=content[0] if content else None,
        today=content[1] if content else None,
        wanted=wanted,
        titles={mart: title for mart, (title, _) in today.LISTS.items()},
        states=today.STATES,
        results=DISPOSITIONS,
        note_length=dispositions.NOTE_LENGTH,
        unsaved=unsaved_answer.read(request, reader.login),
        saved=saved if saved in DISPOSITIONS else "",
        is_unsent=unsent != "",
        until=int(accounts.ends_at(request.cookies[COOKIE]).timestamp() * 1000),
        is_kept=not is_asked and wanted != Wanted(),
    )
    if is_asked:
        last_filter.keep(request, response, reader.login, wanted)
    return response


@router.get("/handout")
def handout(request: Request, reader: OfPersons, wanted: Asked) -> Response:
    """Show everybody whom the filter finds in tables for paper, one for each grid; the look is recorded."""
    publication, listed = _everybody(reader, wanted, "today_handout")
    grids = today.by_grid(listed)
    return page(
        request, reader, "handout.html.j2", publication=publication, grids=grids, count=len(listed), wanted=wanted
    )


@router.post("/workbook", dependencies=[CheckedForm])
def workbook(reader: OfPersons, wanted: Asked) -> Response:
    """Send everybody whom the filter finds as a form to fill in; the export is recorded before it is sent."""
    publication, listed = _everybody(reader, wanted, "export")

    def write(folder: Path) -> tuple[Path, str]:
        book = Book(folder / "today.xlsx", publication.published_at)
        write_today(book, publication, listed)
        if not listed:
            book.plain(TODAY)
        book.book.close()
        return folder / "today.xlsx", f"{TODAY}_{reader.audience.title}_{publication.as_of_date}.xlsx"

    return write_and_send(write)


@router.post("/answers", dependencies=[CheckedForm])
def take_workbook(request: Request, reader: OfPersons, file: UploadFile) -> Response:
    """Take the answers of a form that was filled in, and say what could not be taken: line, column and reason."""
    if (file.size or 0) > UPLOAD_BYTES:
        taken = dispositions.Taken(0, [], "文件过大，疑似异常文件，未读取")
    else:
        with received(file) as path:
            taken = dispositions.take(reader, path)
    status = 200 if not taken.refused and not taken.problem else 422
    return page(request, reader, "answers.html.j2", status, taken=taken)


@router.post("", dependencies=[CheckedForm])
def give_answer(
    request: Request,
    reader: OfPersons,
    result: Annotated[str, Form(max_length=20)],
    item: Annotated[list[str], Form(max_length=dispositions.ITEMS)] = [],  # noqa: B006  # FastAPI copies it.
    note: Annotated[str, Form(max_length=1000)] = "",
    back: Annotated[str, Form(max_length=2000)] = "/today",
) -> Response:
    """Record what was done about a person's items, and go back to the card."""
    items = [(mart, key) for mart, _, key in (each.partition("|") for each in item) if key]
    if result not in DISPOSITIONS or not items or len(items) != len(item):
        raise HTTPException(400)
    dispositions.answer(reader, items, result, " ".join(note.split())[: dispositions.NOTE_LENGTH])
    here, _, card = own_path(back).partition("#")
    address = f"{here}{'&' if '?' in here else '?'}saved={quote(result)}#{card}"
    response = redirect(request, address)
    unsaved_answer.forget(request, response)
    return response


def _read(reader: Reader, wanted: Wanted) -> Read:
    def read(conn: reading.Conn) -> Read:
        publication = publications.current(conn)
        return (publication, today.read_today(conn, publication, wanted)) if publication else None

    return reading.looked(reader, "today_view", read, _object, details=lambda content: _details(wanted, content))


def _everybody(reader: Reader, wanted: Wanted, action: str) -> tuple[Publication, Sequence[Listed]]:
    def read(conn: reading.Conn) -> tuple[Publication, Sequence[Listed]]:
        publication = publications.current(conn)
        if publication is None:
            raise HTTPException(404)
        return publication, today.read_everybody(conn, publication, wanted)

    return reading.looked(
        reader,
        action,
        read,
        lambda content: f"publication {content[0].publication_id} today",
        details=lambda content: {"persons": len(content[1]), "filters": _filters(wanted)},
    )


def _object(content: Read) -> str:
    return f"publication {content[0].publication_id} today" if content else "today"


def _details(wanted: Wanted, content: Read) -> dict[str, Any]:
    return {"persons": len(content[1].page.rows) if content else 0, "filters": _filters(wanted)}


def _filters(wanted: Wanted) -> dict[str, str]:
    return {name: str(value) for name, value in wanted.parameters.items() if value}


def _day(words: str) -> date | None:
    try:
        return date.fromisoformat(words)
    except ValueError:
        return None
