"""This module reads one person as an official may see them: the rows of the official's own part, in the order of time.

Obligations, controls and the other marts come from the publication. Samples, days of memberships and lifts are no
marts: they come from the tables behind the publication, up to its business date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg import sql

from yingjian.database.rows import records
from yingjian.modelling.marts import published
from yingjian.portal.reading import Conn, is_readable
from yingjian.privacy.protection import own_part
from yingjian.reports.content.lists import MASKED_NUMBER
from yingjian.reports.content.publication import Publication

KEY_PATTERN = "^[0-9a-f]{64}$"  # HMAC-SHA-256: an address with anything else names nobody, and is not recorded.
SHOWN = 400  # A person has a few dozen rows of one kind; more than this are cut off.

# These marts may name a person of the reader's part; those with an index on the person come first.
_FIRST = (
    "obligation",
    "control",
    "contact_clock",
    "pool_followup",
    "pharmacy_followup",
    "push_outstanding",
    "zone_blocker",
)


@dataclass(frozen=True)
class Event:
    """An event belongs to one day.

    `kind` is one of `words.EVENTS`, `text` comes from the pipeline, `mark` is a status or a result.
    """

    day: date
    kind: str
    text: str = ""
    at: datetime | None = None
    mark: str = ""


@dataclass(frozen=True)
class Person:
    """This is all that the reader's part knows of a person, as of the publication's business date."""

    person_key: str
    identity: Mapping[str, Any]
    open_obligations: Sequence[Mapping[str, Any]]
    controls: Sequence[Mapping[str, Any]]
    memberships: Sequence[Mapping[str, Any]]
    events: Sequence[Event]

    def days(self) -> list[tuple[date, list[Event]]]:
        """Return events by day, newest first; the events of one day are in the order of time."""
        by_day: dict[date, list[Event]] = {}
        for event in self.events:
            by_day.setdefault(event.day, []).append(event)
        return [(day, by_day[day]) for day in sorted(by_day, reverse=True)]


def is_in_part(conn: Conn, publication_id: int, person_key: str) -> bool:
    """Return whether the person lives in the reader's part, or any row of the part is about this person."""
    marts = [*_FIRST, *(mart for mart in published() if mart not in _FIRST)]
    for mart in marts:
        is_about_persons = records(
            conn,
            "select from pg_attribute where attrelid = to_regclass(%(mart)s) and attname = 'person_key' and not attisdropped",
            mart=mart,
        )
        if not is_about_persons:
            continue
        # The row-level policies show the portal every person, so the place where the person lives is checked here.
        rule = own_part(published()[mart], published()[mart].columns) if mart == "person" else "true"
        if _of_person(conn, mart, publication_id, person_key, "1", limit=1, rule=rule):
            return True
    return False


def read_person(conn: Conn, publication: Publication, person_key: str) -> Person | None:
    """Return the person in the reader's part; None when no row there is about the person."""
    if not is_in_part(conn, publication.publication_id, person_key):
        return None
    person_rows = _PersonRows(conn, publication, person_key)
    obligations = person_rows.rows("obligation", "due_date desc")
    controls = person_rows.rows("control", "started_on desc")
    memberships = person_rows.memberships({row["membership_id"] for row in (*obligations, *controls)})
    events = [
        *_of_obligations(obligations),
        *_of_controls(controls),
        *_of_memberships(memberships, publication.as_of_date),
        *person_rows.samples(),
        *person_rows.lifts(),
        *person_rows.events("contact_clock", "judged_at", "contact"),
        *person_rows.events("pharmacy_followup", "purchased_at", "purchase"),
        *person_rows.events("push_outstanding", "pushed_at", "push"),
        *person_rows.events("pool_followup", "tube_result_at", "pool"),
    ]
    return Person(
        person_key,
        person_rows.identity(),
        sorted(
            (row for row in obligations if row["status"] in ("overdue", "upcoming")), key=lambda row: row["due_date"]
        ),
        controls,
        memberships,
        sorted(events, key=lambda event: (event.day, event.at.time() if event.at else datetime.min.time(), event.kind)),
    )


class _PersonRows:
    """This class reads the rows about one person."""

    def __init__(self, conn: Conn, publication: Publication, person_key: str) -> None:
        self.conn = conn
        self.publication = publication
        self.person_key = person_key

    def rows(self, mart: str, order: str) -> list[dict[str, Any]]:
        return _of_person(self.conn, mart, self.publication.publication_id, self.person_key, "*", order)

    def events(self, mart: str, column: str, kind: str) -> Iterator[Event]:
        for row in self.rows(mart, column):
            at = row[column]
            yield Event(at.date(), kind, row["explanation"], at, row.get("status") or "")

    def identity(self) -> Mapping[str, Any]:
        query = sql.SQL(
            """
            select name, id_type, {masked} as id_number, phone, address, community, grid
            from published.person where publication_id = %(id)s and person_key = %(key)s
            """
        ).format(masked=MASKED_NUMBER)
        identities = records(self.conn, query, id=self.publication.publication_id, key=self.person_key)
        nothing = dict.fromkeys(("name", "id_type", "id_number", "phone", "address", "community", "grid"))
        return identities[0] if identities else nothing

    def memberships(self, ids: set[str]) -> list[dict[str, Any]]:
        """Return the days of the memberships that obligations and controls of the reader's part name."""
        return self._computed(
            "int_membership__unified",
            """
            select membership_id, group_code, group_name, rule_text, basis, unit, department, community, grid,
                start_date, anchor_date, end_date
            from intermediate.int_membership__unified
            where person_key = %(key)s and membership_id = any(%(ids)s) order by start_date desc limit %(limit)s
            """,
            ids=list(ids),
        )

    def samples(self) -> Iterator[Event]:
        for row in self._computed(
            "int_sample__counting",
            """
            select sampled_at, is_single, result from intermediate.int_sample__counting
            where person_key = %(key)s and sample_date <= %(day)s order by sampled_at desc limit %(limit)s
            """,
        ):
            kind = "single_sample" if row["is_single"] else "pooled_sample"
            yield Event(row["sampled_at"].date(), kind, "", row["sampled_at"], row["result"])

    def lifts(self) -> Iterator[Event]:
        for row in self._computed(
            "int_lift__intervals",
            """
            select group_code, state, from_date, nullif(to_date, 'infinity'::date) as to_date
            from intermediate.int_lift__intervals where person_key = %(key)s order by from_date limit %(limit)s
            """,
        ):
            yield Event(row["from_date"], f"{row['state']}_from", row["group_code"] or "")
            if row["to_date"]:
                yield Event(row["to_date"], f"{row['state']}_to", row["group_code"] or "")

    def _computed(self, model: str, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return rows of a model that is no mart; none while the model does not exist."""
        if not is_readable(self.conn, "intermediate", model):
            return []
        return records(
            self.conn, query, key=self.person_key, day=self.publication.as_of_date, limit=SHOWN, **parameters
        )


def _of_person(
    conn: Conn,
    mart: str,
    publication_id: int,
    person_key: str,
    what: str,
    order: str = "1",
    limit: int = SHOWN,
    rule: str = "true",
) -> list[dict[str, Any]]:
    if not is_readable(conn, "published", mart):
        return []
    query = sql.SQL(
        f"select {what} from {{mart}} where publication_id = %(id)s and person_key = %(key)s and ({rule})"  # type: ignore[arg-type]
        f" order by {order} limit %(limit)s"
    )
    return records(conn, query.format(mart=sql.Identifier(mart)), id=publication_id, key=person_key, limit=limit)


def _of_obligations(obligations: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
    for row in obligations:
        yield Event(row["due_date"], "obligation", row["explanation"], None, row["status"])


def _of_controls(controls: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
    for row in controls:
        yield Event(row["started_on"], "control_from", row["title"])
        yield Event(row["ends_on"], "control_to", row["title"])
        if row["released_on"]:
            yield Event(row["released_on"], "released", row["title"])


def _of_memberships(memberships: Sequence[Mapping[str, Any]], until: date) -> Iterator[Event]:
    for row in memberships:
        group = f"{row['group_name']}（{row['group_code']}）"
        yield Event(row["start_date"], "membership_from", group)
        if row["end_date"] and row["end_date"] <= until:
            yield Event(row["end_date"], "membership_to", group)
