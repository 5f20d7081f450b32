"""These routes show the clerk refused rows by sender, send the workbook of a sender, and take corrections of officials.

A correction waits for a second official before landing gets it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi import Path as Segment
from fastapi.responses import Response

from yingjian.landing import templates
from yingjian.landing.errors import REASONS
from yingjian.landing.feeds import FEEDS
from yingjian.portal import corrections, quarantine_desk, reading, sending
from yingjian.portal.access import CheckedForm, OfQuarantine
from yingjian.portal.limits import REASON_LENGTH, PageNumber
from yingjian.portal.pages import page, redirect
from yingjian.portal.readers import Need, Reader, RefusedError
from yingjian.portal.routes.row_form import row_page
from yingjian.portal.routes.sending import send_returns

router = APIRouter(prefix="/quarantine")

Number = Annotated[int, Segment(ge=1, le=2**63 - 1)]
Reason = Annotated[str, Form(max_length=1000)]


@router.get("")
def desk(
    request: Request,
    reader: OfQuarantine,
    feed: Annotated[str, Query(max_length=100)] = "",
    sender: Annotated[str, Query(max_length=100)] = "",
    reason: Annotated[str, Query(max_length=100)] = "",
    number: PageNumber = 1,
    proposed: bool = False,
) -> Response:
    """Show the refused rows of the reader's part; every look is recorded."""
    content = reading.looked(
        reader,
        "quarantine_view",
        lambda conn: quarantine_desk.read(conn, reader.audience, feed, sender, reason, number),
        lambda _: "quarantine",
        details=lambda content: {"feed": feed, "reason_code": reason, "page": number, "rows": len(content.listed.rows)},
    )
    return page(
        request,
        reader,
        "quarantine.html.j2",
        desk=content,
        wanted={"feed": feed, "sender": sender, "reason": reason},
        wanted_words=[FEEDS[feed].title if feed in FEEDS else feed, sender, REASONS.get(reason, reason)],
        requirement=templates.requirement,
        options=templates.options,
        days=corrections.DAYS,
        is_proposed=proposed,
    )


@router.post("/returns", dependencies=[CheckedForm])
def returned(
    reader: OfQuarantine,
    feed: Annotated[str, Form(max_length=100)],
    sender: Annotated[str, Form(max_length=100)],
) -> Response:
    """Send the workbook of a sender's open rows; the export is recorded before it is sent."""
    if feed not in FEEDS or not sender:
        raise HTTPException(404)
    if not quarantine_desk.is_own(reader.audience, sender):
        raise RefusedError(Need.QUARANTINE, reader)
    return send_returns(reader, sender, feed, {"feed": feed, "sender": sender})


@router.get("/rows/{rejected_id}")
def row_form(request: Request, reader: OfQuarantine, rejected_id: Number) -> Response:
    """Show a refused row as the form in which its sender would correct it; the look is recorded."""
    row = _row(reader, rejected_id)
    cells = [row["cells"].get(column.source, "") for column in FEEDS[row["feed"]].columns]
    return row_page(request, reader, row, cells, "/quarantine", given="")


@router.post("/rows/{rejected_id}", dependencies=[CheckedForm])
def propose(
    request: Request,
    reader: OfQuarantine,
    rejected_id: Number,
    cell: Annotated[list[Annotated[str, Form(max_length=1000)]], Form(max_length=100)],
    reason: Reason = "",
) -> Response:
    """Record a correction that waits for a second official, or say what is wrong with it."""
    row = _row(reader, rejected_id)
    if len(cell) != len(FEEDS[row["feed"]].columns):
        raise HTTPException(400)
    reason = " ".join(reason.split())
    if problem := _problem(reason):
        return row_page(request, reader, row, cell, "/quarantine", 422, given=reason, problem=problem)
    try:
        tried = corrections.propose(reader, row, cell, reason)
    except corrections.NotOpenError:
        return row_page(request, reader, row, cell, "/quarantine", 409, given=reason, problem="not_open")
    if not sending.is_good(tried):
        return row_page(request, reader, row, cell, "/quarantine", 422, tried, given=reason)
    return redirect(request, "/quarantine?proposed=true")


@router.get("/corrections/{correction_id}")
def correction(request: Request, reader: OfQuarantine, correction_id: Number) -> Response:
    """Show a proposed correction, with the two buttons for everybody but its proposer; the look is recorded."""
    return _correction_page(request, reader, _proposal(reader, correction_id))


@router.post("/corrections/{correction_id}", dependencies=[CheckedForm])
def answer(
    request: Request,
    reader: OfQuarantine,
    correction_id: Number,
    choice: Annotated[Literal["agree", "return"], Form()],
    reason: Reason = "",
) -> Response:
    """Take the answer of the second official; a return needs a reason."""
    proposal = _proposal(reader, correction_id)
    reason = " ".join(reason.split())
    problem = _problem(reason)
    if choice == "agree" and problem == "no_reason":
        problem = ""
    if problem:
        return _correction_page(request, reader, proposal, 422, problem, reason)
    try:
        corrections.answer(reader, proposal, is_agreed=choice == "agree", reason=reason)
    except corrections.NotOpenError:
        return _correction_page(request, reader, _proposal(reader, correction_id), 409, "not_open")
    return redirect(request, f"/quarantine/corrections/{correction_id}")


def _row(reader: Reader, rejected_id: int) -> dict[str, Any]:
    row = reading.looked(
        reader,
        "quarantine_row_view",
        lambda conn: corrections.read_row(conn, reader.audience, rejected_id),
        lambda _: "quarantine",
        details=lambda refused: {"rejected_id": rejected_id, "rows": int(refused is not None)},
    )
    if row is None:
        raise HTTPException(404)
    return row


def _proposal(reader: Reader, correction_id: int) -> dict[str, Any]:
    proposal = reading.looked(
        reader,
        "correction_view",
        lambda conn: corrections.read(conn, reader.audience, correction_id),
        lambda _: f"correction {correction_id}",
        details=lambda proposed: {"rows": int(proposed is not None)},
    )
    if proposal is None:
        raise HTTPException(404)
    return proposal


def _problem(reason: str) -> str:
    if not reason:
        return "no_reason"
    return "long" if len(reason) > REASON_LENGTH else ""


def _correction_page(
    request: Request, reader: Reader, proposal: dict[str, Any], status: int = 200, problem: str = "", given: str = ""
) -> Response:
    return page(
        request,
        reader,
        "correction.html.j2",
        status,
        proposal=proposal,
        feed=FEEDS[proposal["feed"]],
        is_own=proposal["login"] == reader.login,
        problem=problem,
        given=given,
        reason_length=REASON_LENGTH,
        requirement=templates.requirement,
        options=templates.options,
    )
