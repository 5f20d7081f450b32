"""These routes show each message of the current publication as it will be sent, before its hour. They send nothing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from yingjian.delivery import preview
from yingjian.delivery.choices import read_choices
from yingjian.delivery.messages import Composer
from yingjian.delivery.preview import Preview
from yingjian.people.audience import OFFICE, Audience
from yingjian.portal import publications, reading
from yingjian.portal.access import OfPart
from yingjian.portal.pages import page
from yingjian.portal.readers import Reader, directory, settings
from yingjian.portal.routes.home import STORED_POLICY
from yingjian.reports.content.publication import Publication

router = APIRouter()

Part = Annotated[str, Query(max_length=200)]


@router.get("/delivery/preview")
def previews(request: Request, reader: OfPart, part: Part = "") -> Response:
    """Show what one part of the town is sent: the office chooses a part, others see their own."""
    audience = _part(reader, part)
    publication, messages = reading.looked(
        reader,
        "delivery_preview",
        lambda conn: _read(conn, audience),
        lambda content: f"publication {content[0].publication_id}" if content[0] else "none",
        details=lambda content: {"audience": audience.code, "messages": len(content[1])},
    )
    return page(
        request,
        reader,
        "preview.html.j2",
        current=publication,
        messages=messages,
        chosen=_code(audience),
        parts=[(_code(each), each) for each in _parts(reader)],
        is_office=audience == OFFICE,
    )


@router.get("/delivery/preview/{place}/{form}")
def part_of_message(reader: OfPart, place: int, form: str, part: Part = "") -> Response:
    """Show a mail as its reader sees it (`mail`), or the picture that follows a message (`picture`)."""
    audience = _part(reader, part)
    with reading.reading(reader.audience) as conn:
        _, messages = _read(conn, audience)
    if not 0 <= place < len(messages):
        raise HTTPException(404)
    chosen = messages[place]
    if form == "mail" and chosen.channel == "mail" and chosen.message:
        return HTMLResponse(chosen.message.html(), headers={"content-security-policy": STORED_POLICY})
    if form == "picture" and chosen.picture:
        return FileResponse(chosen.picture, media_type="image/png")
    raise HTTPException(404)


def _read(conn: reading.Conn, audience: Audience) -> tuple[Publication | None, list[Preview]]:
    current = publications.current(conn)
    if current is None:
        return None, []
    own, officials, choices = settings(), directory(), read_choices(conn)
    # The secret marks a mail that is sent; no page shows that mark, so the portal does not need it.
    composer = Composer(
        conn, current.publication_id, own.reports, b"", own.portal_link(), officials, choices=choices, only_reads=True
    )  # fmt: skip
    return current, preview.previews(conn, composer, officials, choices, audience, own.delivery_time)


def _parts(reader: Reader) -> list[Audience]:
    """Return the parts whose messages the reader may see, the own one first."""
    if reader.audience != OFFICE:
        return [reader.audience]
    return list(dict.fromkeys([OFFICE, *preview.parts(directory())]))


def _part(reader: Reader, code: str) -> Audience:
    """Return the part that was asked for. Raises HTTPException when there is none, or when it is not the reader's."""
    for each in _parts(reader):
        if code in ("", _code(each)):
            return each
    raise HTTPException(404)


def _code(audience: Audience) -> str:
    return f"{audience.kind}:{audience.name}" if audience.name else audience.kind
