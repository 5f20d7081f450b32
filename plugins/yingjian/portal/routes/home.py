"""These routes show reports by date, and keep the reader's language."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import FileResponse, Response

from yingjian.people.audience import Audience
from yingjian.portal import lists, publications, questions, reading
from yingjian.portal.access import Entering, OfPart, cookie_attributes, own_path
from yingjian.portal.files import CSV, XLSX, download
from yingjian.portal.headline import read_headline
from yingjian.portal.limits import PageNumber
from yingjian.portal.pages import LANGUAGE_COOKIE, page, redirect
from yingjian.portal.publications import PublicationId
from yingjian.portal.readers import Need, Reader, settings
from yingjian.portal.words import LANGUAGES
from yingjian.reports.content.publication import Publication
from yingjian.reports.packs import pack_of

router = APIRouter()

REPORTS = 14
KINDS = {
    "page": ("html", "text/html; charset=utf-8"),
    "pdf": ("pdf", "application/pdf"),
    "docx": ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    "png": ("png", "image/png"),
    "xlsx": ("xlsx", XLSX),
}
LONG_LISTS = {"csv": CSV, "parquet": "application/vnd.apache.parquet"}
# A stored page contains its style. It may load no script and nothing from another site.
STORED_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


@router.get("/")
def home(request: Request, reader: Entering, day: date | None = None, number: PageNumber = 1) -> Response:
    """Show today's figures of the reader's part and the reports by date; for the data team its runs come first."""
    if not reader.may(Need.PART):
        return redirect(request, "/operations")
    with reading.reading(reader.audience) as conn:
        current = publications.current(conn)
        listed = publications.read_page(conn, number, REPORTS, day)
        headline = read_headline(conn, current, reader.audience) if current else {}
        counted = lists.counts(conn, current.publication_id, reader.audience) if current else {}
    return page(
        request,
        reader,
        "home.html.j2",
        current=current,
        headline=headline,
        files=files_of(reader, current) if current else {},
        counted=counted,
        lists=lists.BY_MART,
        reports=listed.of([(publication, files_of(reader, publication)) for publication in listed.rows]),
        waiting=questions.open_for(reader),
        day=day,
    )


@router.get("/reports/{publication_id}")
def report(request: Request, reader: OfPart, publication_id: PublicationId) -> Response:
    """Show the stored page of the reader's part, in the portal's frame."""
    publication = _publication(reader, publication_id)
    return page(
        request,
        reader,
        "report.html.j2",
        publication=publication,
        files=files_of(reader, publication),
        long_lists=[(lists.BY_MART[mart], ending) for mart, ending in long_lists_of(reader, publication)],
    )


@router.get("/reports/{publication_id}/lists/{mart}.{ending}")
def long_list(reader: OfPart, publication_id: PublicationId, mart: str, ending: str) -> Response:
    """Send a list of the reader's own pack that is too long for its spreadsheet, as it was stored."""
    publication = _publication(reader, publication_id)
    path = long_lists_of(reader, publication).get((mart, ending))
    if path is None:
        raise HTTPException(404)
    return _export(reader, publication, path, LONG_LISTS[ending], lists.BY_MART[mart].title)


@router.get("/reports/{publication_id}/{kind}")
def stored_file(reader: OfPart, publication_id: PublicationId, kind: str) -> Response:
    """Send a file of the reader's own pack, as it was stored."""
    if kind not in KINDS:
        raise HTTPException(404)
    publication = _publication(reader, publication_id)
    path = files_of(reader, publication)[kind]
    if path is None:
        raise HTTPException(404)
    if kind == "page":
        return FileResponse(path, media_type=KINDS[kind][1], headers={"content-security-policy": STORED_POLICY})
    if kind == "xlsx":
        return _export(reader, publication, path, KINDS[kind][1], "应检尽检日报")
    return _download(reader, publication, path, KINDS[kind][1], "应检尽检日报")


def _export(reader: Reader, publication: Publication, path: Path, media_type: str, title: str) -> Response:
    """Send a file with rows of lists; with names in it, the export is recorded before it is sent."""
    if reader.audience.sees_names:
        reading.looked(
            reader,
            "export",
            lambda conn: None,
            lambda _: f"publication {publication.publication_id}",
            details=lambda _: {"file": path.name},
        )
    return _download(reader, publication, path, media_type, title)


def _download(reader: Reader, publication: Publication, path: Path, media_type: str, title: str) -> Response:
    part = f"{reader.audience.title}_{publication.as_of_date}_p{publication.publication_id}"
    return download(path, f"{title}_{part}{path.suffix}", media_type)


def files_of(reader: Reader, publication: Publication) -> dict[str, Path | None]:
    """Return the stored files of the reader's own pack, by kind; None for a file that is missing or not allowed.

    The spreadsheet of a part has names in it, so it requires the right to see persons.
    """
    audience: Audience = reader.audience
    pack = pack_of(audience, publication.as_of_date, publication.publication_id, settings().reports)
    files = {"page": pack.page, "pdf": pack.pdf, "xlsx": pack.workbook, "docx": pack.official, "png": pack.picture}
    hidden = {"xlsx"} if audience.sees_names and not reader.sees_persons else set()
    return {kind: path if path.is_file() and kind not in hidden else None for kind, path in files.items()}


def long_lists_of(reader: Reader, publication: Publication) -> dict[tuple[str, str], Path]:
    """Return the files of the lists that are too long for the reader's spreadsheet, by mart and ending.

    They need the right that the spreadsheet needs.
    """
    if files_of(reader, publication)["xlsx"] is None:
        return {}
    return pack_of(reader.audience, publication.as_of_date, publication.publication_id, settings().reports).long_lists


def _publication(reader: Reader, publication_id: int) -> Publication:
    with reading.reading(reader.audience) as conn:
        publication = publications.get(conn, publication_id)
    if publication is None:
        raise HTTPException(404)
    return publication


@router.post("/language")
def choose_language(
    request: Request, language: Annotated[str, Form()], back: Annotated[str, Form(max_length=2000)] = "/"
) -> Response:
    """Keep the chosen language in a cookie and go back. This needs no session, because the sign-in page offers it too."""
    if language not in LANGUAGES:
        raise HTTPException(400)
    response = redirect(request, own_path(back))
    response.set_cookie(LANGUAGE_COOKIE, language, 365 * 24 * 3600, **cookie_attributes(request))
    return response
