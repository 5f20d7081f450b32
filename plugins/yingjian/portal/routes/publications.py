"""These routes show the publications, and the changes between two of them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response

from yingjian.portal import publications, reading
from yingjian.portal.access import Entering
from yingjian.portal.limits import PAGE_ROWS, PageNumber
from yingjian.portal.pages import page
from yingjian.portal.publications import PublicationId
from yingjian.portal.readers import Need

router = APIRouter()

PUBLICATIONS = 30


@router.get("/publications")
def all_publications(request: Request, reader: Entering, number: PageNumber = 1) -> Response:
    """Show every publication that was ever made."""
    with reading.reading(reader.audience) as conn:
        current = publications.current(conn)
        listed = publications.read_page(conn, number, PUBLICATIONS)
        comparable = publications.with_rows(conn)
    return page(request, reader, "publications.html.j2", current=current, listed=listed, comparable=comparable)


@router.get("/publications/changes")
def changes(
    request: Request,
    reader: Entering,
    before: PublicationId,
    after: PublicationId,
    group: Annotated[str | None, Query(max_length=10)] = None,
    kind: Literal["new", "gone", "changed"] | None = None,
    number: PageNumber = 1,
) -> Response:
    """Show counts by table and by group to all readers, and to officials the rows of their part, without names."""
    with reading.reading(reader.counted) as conn:
        comparable = publications.with_rows(conn)
        chosen = {p.publication_id: p for p in comparable if p.publication_id in (before, after)}
        if not {before, after} <= set(chosen):
            raise HTTPException(404)
        by_table = publications.differences(conn, before, after)
        by_group = publications.differences_by_group(conn, before, after)
        obligations = (
            publications.changed_obligations(conn, before, after, group, kind, number, PAGE_ROWS)
            if reader.may(Need.PART)
            else None
        )
    return page(
        request,
        reader,
        "changes.html.j2",
        comparable=comparable,
        before=chosen[before],
        after=chosen[after],
        by_table=by_table,
        by_group=by_group,
        obligations=obligations,
        group=group,
        kind=kind,
    )
