"""This route shows risk zones."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from yingjian.portal import publications, reading
from yingjian.portal.access import OfFigures
from yingjian.portal.limits import PageNumber
from yingjian.portal.pages import page
from yingjian.portal.zones import read_history, read_stays, read_zones

router = APIRouter()


@router.get("/zones")
def zones(
    request: Request,
    reader: OfFigures,
    area: Annotated[str, Query(max_length=100)] = "",
    number: PageNumber = 1,
) -> Response:
    """Show the reader's zones with their blockers, the stays of real zones, and the history of the national lists."""
    with reading.reading(reader.audience) as conn:
        current = publications.current(conn)
        publication_id = current.publication_id if current else 0
        own_zones = read_zones(conn, publication_id) if current else []
        stays = read_stays(conn, publication_id) if current else []
        history = read_history(conn, publication_id, area, number) if current else None
    return page(
        request,
        reader,
        "zones.html.j2",
        current=current,
        zones=own_zones,
        stays=stays,
        history=history,
        area=area,
    )
