"""One person as an official may see them: the rows of the own part, in the order of time.

Obligations, controls and the other marts are read from the publication. Samples, memberships' days and what lifts them
are no marts: they are read from what the publication was computed from, up to its business date.
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
from yingjian.reports.figures import Publication
from yingjian.reports.lists import MASKED_NUMBER

KEY_PATTERN = "^[A-Za-z0-9_-]{1,128}$"
SHOWN = 400  # rows of one kind; of a person there are a few dozen

# Marts in which a person of the own part stands, those with an index on the person first.
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
    """Something of one day: `kind` of `words.EVENTS`, `text` as the pipeline says it, `mark` a status or a result."""

    day: date
    kind: str
    text: str = ""
    at: datetime | None = None
    mark: str = ""


@dataclass(frozen=True)
class Person:
    """What is known of a person in the reader's part, as of the publication's business date."""

    person_key: str
    identity: Mapping[str, Any]
    open_obligations: Sequence[Mapping[str, Any]]
    controls: Sequence[Mapping[str, Any]]
    memberships: Sequence[Mapping[str, Any]]
    events: Sequence[Event]

    def days(self) -> list[tuple[date, list[Event]]]:
        """Events by day, newest first; of one day in the order of time."""
        by_day: dict[date, list[Event]] = {}
        for event in self.events:
            by_day.setdefault(event.day, []).append(event)
        return [(day, by_day[day]) for day in sorted(by_day, reverse=True)]


def is_in_part(conn: Conn, publication_id: int, person_key: str) -> bool:
    """Whether any row of the reader's part is about this person."""
    marts = [*_FIRST, *(mart for mart in published() if mart not in _FIRST)]
    for mart in marts:
        is_about_persons = records(
            conn,
            "select from pg_attribute where attrelid = to_regclass(%(mart)s) and attname = 'person_key' and not attisdropped",
            mart=mart,
        )
        if is_about_persons and _of_person(conn, mart, publication_id, person_key, "1", limit=1):
            return True
    return False


def read_person(conn: Conn, publication: Publication, person_key: str) -> Person | None:
    """The person's rows in the reader's part; None when there is none."""
    if not is_in_part(conn, publication.publication_id, person_key):
        return None
    mine = _Mine(conn, publication, person_key)
    obligations = mine.rows("obligation", "due_date desc")
    controls = mine.rows("control", "started_on desc")
    memberships = mine.memberships({row["membership_id"] for row in (*obligations, *controls)})
    events = [
        *_of_obligations(obligations),
        *_of_controls(controls),
        *_of_memberships(memberships, publication.as_of_date),
        *mine.samples(),
        *mine.lifts(),
        *mine.events("contact_clock", "judged_at", "contact"),
        *mine.events("pharmacy_followup", "purchased_at", "purchase"),
        *mine.events("push_outstanding", "pushed_at", "push"),
        *mine.events("pool_followup", "tube_result_at", "pool"),
    ]
    return Person(
        person_key,
        mine.identity(),
        sorted(
            (row for row in obligations if row["status"] in ("overdue", "upcoming")), key=lambda row: row["due_date"]
        ),
        controls,
        memberships,
        sorted(events, key=lambda event: (event.day, event.at.time() if event.at else datetime.min.time(), event.kind)),
    )


class _Mine:
    """The rows about one person."""

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
        found = records(self.conn, query, id=self.publication.publication_id, key=self.person_key)
        nothing = dict.fromkeys(("name", "id_type", "id_number", "phone", "address", "community", "grid"))
        return found[0] if found else nothing

    def memberships(self, ids: set[str]) -> list[dict[str, Any]]:
        """Days of the memberships that the reader's part knows by their obligations and controls."""
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
            way = "single_sample" if row["is_single"] else "pooled_sample"
            yield Event(row["sampled_at"].date(), way, "", row["sampled_at"], row["result"])

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
        """Rows of a model that is no mart; none while it is not there."""
        if not is_readable(self.conn, "intermediate", model):
            return []
        return records(
            self.conn, query, key=self.person_key, day=self.publication.as_of_date, limit=SHOWN, **parameters
        )


def _of_person(
    conn: Conn, mart: str, publication_id: int, person_key: str, what: str, order: str = "1", limit: int = SHOWN
) -> list[dict[str, Any]]:
    if not records(conn, "select 1 as found where to_regclass(%(mart)s) is not null", mart=mart):
        return []
    query = sql.SQL(
        f"select {what} from {{mart}} where publication_id = %(id)s and person_key = %(key)s order by {order} limit %(limit)s"  # type: ignore[arg-type]
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
        said = f"{row['group_name']}（{row['group_code']}）"
        yield Event(row["start_date"], "membership_from", said)
        if row["end_date"] and row["end_date"] <= until:
            yield Event(row["end_date"], "membership_to", said)
