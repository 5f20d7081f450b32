"""These routes show data quality to all readers."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from yingjian.people.audience import OFFICE
from yingjian.portal import publications, reading
from yingjian.portal.access import Entering, OfQuarantine
from yingjian.portal.pages import page, redirect
from yingjian.portal.quality import checked_title, read_checks, read_quality

router = APIRouter()


@router.get("/quality")
def quality(request: Request, reader: Entering) -> Response:
    """Show counts only: arrivals, rejected rows by reason, failed checks and restatements.

    Senders and restatements concern the whole town and are shown to readers who see the whole town.
    """
    with reading.reading(reader.counted) as conn:
        current = publications.current(conn)
        tables = read_quality(conn, current.publication_id) if current else {}
        checks = read_checks(conn, current.publication_id) if current else []
    return page(
        request,
        reader,
        "quality.html.j2",
        current=current,
        tables=tables,
        checks=checks,
        is_whole=reader.counted == OFFICE,
        title_of=checked_title,
    )


@router.get("/quality/rows")
def rejected_rows(request: Request, reader: OfQuarantine) -> Response:
    """Redirect old addresses to the clerk's desk, which replaced the page of rejected rows."""
    address = request.url.query and f"?{request.url.query}"
    return redirect(request, f"/quarantine{address}#rows", 301)
