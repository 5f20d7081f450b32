"""These routes show today's list, and take what officials did about its items."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from yingjian.portal import dispositions, kept, publications, reading
from yingjian.portal.access import CheckedForm, OfPersons, own_path
from yingjian.portal.pages import page
from yingjian.portal.readers import Reader
from yingjian.reports import today
from yingjian.reports.publication import Publication
from yingjian.reports.today import Today, Wanted

router = APIRouter(prefix="/today")

Word = Annotated[str, Query(max_length=200)]
Read = tuple[Publication, Today] | None


@router.get("")
def one_page(
    request: Request,
    reader: OfPersons,
    grid: Word = "",
    list: Word = "",
    state: Word = "",
    day: Word = "",
    answer: Word = "",
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """Show a page of persons in the order of danger; the look is recorded."""
    wanted = Wanted(
        grid,
        list if list in today.LISTS else "",
        state if state in today.STATES else "",
        _day(day),
        answer if answer in (today.NO_ANSWER, *dispositions.RESULTS) else "",
        number,
    )
    content = _read(reader, wanted, "today_view")
    response = page(
        request,
        reader,
        "today.html.j2",
        publication=content[0] if content else None,
        today=content[1] if content else None,
        wanted=wanted,
        titles={mart: title for mart, (title, _) in today.LISTS.items()},
        states=today.STATES,
        results=dispositions.RESULTS,
        note_length=dispositions.NOTE_LENGTH,
        kept=kept.read(request),
    )
    return response


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
    if result not in dispositions.RESULTS or not items or len(items) != len(item):
        raise HTTPException(400)
    dispositions.answer(reader, items, result, " ".join(note.split())[: dispositions.NOTE_LENGTH])
    response = RedirectResponse(request.scope["root_path"] + own_path(back), 303)
    kept.forget(request, response)
    return response


def _read(reader: Reader, wanted: Wanted, action: str, is_handout: bool = False) -> Read:
    def read(conn: reading.Conn) -> Read:
        publication = publications.current(conn)
        if publication is None:
            return None
        found = today.read_today(conn, publication.publication_id, publication.as_of_date, wanted, is_handout)
        return publication, found

    return reading.looked(reader, action, read, _object, details=lambda content: _details(wanted, content))


def _object(content: Read) -> str:
    return f"publication {content[0].publication_id} today" if content else "today"


def _details(wanted: Wanted, content: Read) -> dict[str, Any]:
    asked = {name: str(value) for name, value in wanted.parameters.items() if value}
    return {"persons": len(content[1].listed) if content else 0, "filters": asked}


def _day(words: str) -> date | None:
    try:
        return date.fromisoformat(words)
    except ValueError:
        return None
