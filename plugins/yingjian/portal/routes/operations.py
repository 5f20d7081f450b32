"""These routes show the data team runs, freshness, deliveries, and links to the documents."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from yingjian.portal import accounts, documents, publications, questions, reading, runs
from yingjian.portal.access import OfDataTeam
from yingjian.portal.operations import read_deliveries, read_landed
from yingjian.portal.pages import page

router = APIRouter()


@router.get("/health")
def health() -> Response:
    """Answer whoever watches the service: the portal works and reaches its database."""
    accounts.require_reached()
    return JSONResponse({"status": "ok"})


@router.get("/operations")
def operations(request: Request, reader: OfDataTeam) -> Response:
    """Show the operations; nothing on the page is about a person."""
    with reading.reading(reader.audience) as conn:
        current = publications.current(conn)
        landed = read_landed(conn)
        deliveries = read_deliveries(conn)
    return page(
        request,
        reader,
        "operations.html.j2",
        current=current,
        runs=runs.last_runs(),
        waiting=questions.all_open(),
        landed=landed,
        deliveries=deliveries,
        documents=documents.there(),
        runbooks=documents.runbooks(),
    )
