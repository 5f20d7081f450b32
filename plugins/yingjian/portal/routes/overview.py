"""These routes show the map, the trends, the comparison of two communities, and the wall display."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response

from yingjian.names import comparable
from yingjian.portal import outlines, overview, publications, reading
from yingjian.portal.access import OfFigures
from yingjian.portal.outlines import Drawing
from yingjian.portal.overview import Map, Overview, Tile
from yingjian.portal.pages import page
from yingjian.portal.readers import Reader, settings

router = APIRouter()

Name = Annotated[str | None, Query(max_length=200)]
# Nobody reloads a wall display; browsers follow this header without a script.
REFRESH_SECONDS = 300


@router.get("/map")
def town_map(request: Request, reader: OfFigures, figure: Name = None, community: Name = None) -> Response:
    """Show the communities of the reader's part, or the grids of one, coloured by a figure."""
    current, own, grids = None, None, None
    with reading.reading(reader.audience) as conn:
        if current := publications.current(conn):
            own = overview.read_overview(conn, current.publication_id, reader.audience)
            community = _community(reader, own, community)
            if community is not None:
                grids = overview.read_grids(conn, own, community)
    choices = own.mapped if own else {}
    chosen = figure if figure in choices else next(iter(choices), "")
    shown = grids or (own.map(chosen) if own and choices else None)
    drawing, fault = _drawing(shown)
    return page(
        request,
        reader,
        "map.html.j2",
        current=current,
        map=shown,
        is_of_grids=grids is not None,
        choices=choices,
        chosen=chosen,
        community=community,
        has_grids=reader.audience.kind != "department",
        drawing=drawing,
        fault=fault,
    )


@router.get("/trends")
def trends(request: Request, reader: OfFigures) -> Response:
    """Show the important figures of the reader's part over the days, and the office the ranking."""
    current, own, rankings = None, None, []
    with reading.reading(reader.audience) as conn:
        if current := publications.current(conn):
            own = overview.read_overview(conn, current.publication_id, reader.audience)
            rankings = overview.read_rankings(conn, own)
    return page(
        request,
        reader,
        "trends.html.j2",
        current=current,
        figures=own.daily(overview.TRENDS) if own else (),
        rankings=rankings,
        chart=overview.chart,
        days=overview.DAYS,
    )


@router.get("/compare")
def compare(request: Request, reader: OfFigures, a: Name = None, b: Name = None) -> Response:
    """Show the figures of two communities of the reader's part side by side."""
    current, own = None, None
    with reading.reading(reader.audience) as conn:
        if current := publications.current(conn):
            own = overview.read_overview(conn, current.publication_id, reader.audience)
    names = list(own.communities) if own else []
    if any(name is not None and name not in names for name in (a, b)):
        raise HTTPException(404)
    first = names[0] if a is None and names else a
    second = next((name for name in names if name != first), None) if b is None else b
    content: dict[str, Any] = {"rows": [], "trends": []}
    if own and first is not None and second is not None:
        content["rows"] = own.compared(first, second)
        content["trends"] = [
            [each.daily(own.issue, [code])[0] for each in (own.communities[first], own.communities[second])]
            for code in overview.COMPARED_TRENDS
        ]
    return page(
        request,
        reader,
        "compare.html.j2",
        current=current,
        names=names,
        pair=(first, second),
        chart=overview.chart,
        days=overview.DAYS,
        **content,
    )


@router.get("/screen")
def screen(request: Request, reader: OfFigures) -> Response:
    """Show state, figures, map, trends and ranking on a wall display; it names no person and reloads itself."""
    current = None
    content: dict[str, Any] = {}
    with reading.reading(reader.audience) as conn:
        if current := publications.current(conn):
            own = overview.read_overview(conn, current.publication_id, reader.audience)
            community = _community(reader, own, None)
            grids = overview.read_grids(conn, own, community) if community is not None else None
            content = {
                "state": overview.read_state(conn, own),
                "figures": own.daily(overview.ON_SCREEN),
                "trends": own.daily(overview.SCREEN_TRENDS),
                "map": grids or (own.map("overdue_persons") if own.communities else None),
                "rankings": overview.read_rankings(conn, own),
            }
    response = page(
        request,
        reader,
        "screen.html.j2",
        current=current,
        chart=overview.chart,
        days=overview.DAYS,
        minutes=REFRESH_SECONDS // 60,
        ranks=overview.RANKS,
        **content,
    )
    response.headers["refresh"] = str(REFRESH_SECONDS)
    return response


def _community(reader: Reader, own: Overview, asked: str | None) -> str | None:
    """Return the community whose grids are shown, if any. A reader of a community sees only that one's."""
    if asked is None:
        return reader.audience.name if reader.audience.kind == "community" else None
    if asked not in own.communities:
        raise HTTPException(404)
    return asked


def _drawing(shown: Map | None) -> tuple[Drawing[Tile] | None, str | None]:
    """Return the outlines of the tiles, where a file has them, and what is wrong with the file."""
    try:
        shapes = outlines.read_outlines(settings().outlines)
    except outlines.OutlinesError as error:
        return None, error.reason
    if shapes is None or shown is None:
        return None, None
    return outlines.draw(shapes, {(comparable(tile.community), tile.grid): tile for tile in shown.tiles}), None
