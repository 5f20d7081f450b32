"""These routes show one person, after the reader gave a reason."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi import Path as Segment
from fastapi.responses import Response

from yingjian.portal import persons, publications, reading
from yingjian.portal.access import CheckedForm, OfPersons
from yingjian.portal.pages import page
from yingjian.portal.persons import KEY_PATTERN, Person
from yingjian.portal.readers import Need, RefusedError
from yingjian.privacy import audit_trail
from yingjian.reports.content.publication import Publication

router = APIRouter()

REASON_LENGTH = range(4, 201)
PersonKey = Annotated[str, Segment(pattern=KEY_PATTERN)]


@router.get("/persons/{person_key}")
def ask_reason(request: Request, reader: OfPersons, person_key: PersonKey) -> Response:
    """Ask for the reason; the page tells nothing about the person yet."""
    with reading.reading(reader.audience) as conn:
        publication = publications.current(conn)
        if publication is None or not persons.is_in_part(conn, publication.publication_id, person_key):
            raise RefusedError(Need.PERSONS, reader)
    return page(request, reader, "reason.html.j2", person_key=person_key, given="", is_short=False)


@router.post("/persons/{person_key}", dependencies=[CheckedForm])
def person(
    request: Request, reader: OfPersons, person_key: PersonKey, reason: Annotated[str, Form(max_length=1000)] = ""
) -> Response:
    """Show the person's timeline, once the reason is recorded."""
    reason = " ".join(reason.split())
    if len(reason) not in REASON_LENGTH or not audit_trail.is_reason(reason):
        return page(request, reader, "reason.html.j2", 422, person_key=person_key, given=reason, is_short=True)

    def read(conn: reading.Conn) -> tuple[Publication, Person]:
        publication = publications.current(conn)
        subject = persons.read_person(conn, publication, person_key) if publication else None
        if publication is None or subject is None:
            raise RefusedError(Need.PERSONS, reader)
        return publication, subject

    publication, subject = reading.looked(
        reader,
        "person_view",
        read,
        lambda _: person_key,
        reason,
        lambda r: {"publication": r[0].publication_id, "part": reader.audience.code},
    )
    return page(request, reader, "person.html.j2", person=subject, publication=publication, reason=reason)
