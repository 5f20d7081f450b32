"""These routes show data quality to all readers, and rejected rows to readers with the right."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from yingjian.people.audience import OFFICE
from yingjian.portal import figures, publications, reading
from yingjian.portal.access import Entering, OfQuarantine
from yingjian.portal.limits import PageNumber
from yingjian.portal.pages import page

router = APIRouter()


@router.get("/quality")
def quality(request: Request, reader: Entering) -> Response:
    """Show counts only: arrivals, rejected rows by reason, failed checks and restatements.

    Senders and restatements concern the whole town and are shown to readers who see the whole town.
    """
    with reading.reading(reader.counted) as conn:
        current = publications.current(conn)
        found = figures.quality(conn, current.publication_id) if current else {}
        checks = figures.checks_by_result(conn, current.publication_id) if current else []
    return page(
        request,
        reader,
        "quality.html.j2",
        current=current,
        found=found,
        checks=checks,
        is_whole=reader.counted == OFFICE,
        title_of=figures.checked_title,
    )


@router.get("/quality/rows")
def rejected_rows(
    request: Request,
    reader: OfQuarantine,
    feed: Annotated[str, Query(max_length=100)] = "",
    reason: Annotated[str, Query(max_length=100)] = "",
    number: PageNumber = 1,
) -> Response:
    """Show rejected rows as they were sent; every look is recorded."""
    listed = reading.looked(
        reader,
        "quarantine_view",
        lambda conn: figures.quarantine(conn, reader.audience, feed, reason, number),
        lambda _: "quarantine",
        details=lambda r: {"feed": feed, "reason_code": reason, "page": number, "rows": len(r.rows)},
    )
    return page(
        request,
        reader,
        "rows.html.j2",
        listed=listed,
        feed=feed,
        reason=reason,
    )
