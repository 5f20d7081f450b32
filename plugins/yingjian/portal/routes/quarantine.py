"""These routes show the clerk refused rows by sender, and send the workbook of a sender."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import Response

from yingjian.landing import templates
from yingjian.landing.feeds import FEEDS
from yingjian.portal import quarantine_desk, reading
from yingjian.portal.access import CheckedForm, OfQuarantine
from yingjian.portal.pages import page, workbook
from yingjian.portal.readers import Need, RefusedError

router = APIRouter(prefix="/quarantine")


@router.get("")
def desk(
    request: Request,
    reader: OfQuarantine,
    feed: Annotated[str, Query(max_length=100)] = "",
    sender: Annotated[str, Query(max_length=100)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """Show the refused rows of the reader's part; every look is recorded."""
    found = reading.looked(
        reader,
        "quarantine_view",
        lambda conn: quarantine_desk.read(conn, reader.audience, feed, sender, number),
        lambda _: "quarantine",
        details=lambda content: {"feed": feed, "page": number, "rows": len(content.rows)},
    )
    return page(
        request,
        reader,
        "quarantine.html.j2",
        desk=found,
        feed=feed,
        sender=sender,
        number=number,
        pages=max(1, -(-found.count // quarantine_desk.ROWS)),
        requirement=templates.requirement,
        options=templates.options,
        days=quarantine_desk.CORRECTED_DAYS,
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
    folder = tempfile.TemporaryDirectory(prefix="yingjian-")  # Only its owner may read this folder.
    paths = reading.looked(
        reader,
        "export",
        lambda conn: quarantine_desk.write_returns(conn, sender, Path(folder.name), feed),
        lambda _: "quality.rejected_row",
        details=lambda _: {"feed": feed, "sender": sender},
    )
    if not paths:
        folder.cleanup()
        raise HTTPException(404)
    return workbook(paths[0], paths[0].name, folder)
