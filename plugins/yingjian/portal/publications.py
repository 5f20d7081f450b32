"""This module reads the publications, the stored files of each, and the changes between two of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from psycopg import sql
from pydantic import Field

from yingjian.database.rows import records, rows
from yingjian.portal.reading import Conn, is_readable
from yingjian.reports.content import paging
from yingjian.reports.content.paging import Page
from yingjian.reports.content.publication import COLUMNS, Publication

PublicationId = Annotated[int, Field(ge=0, lt=2**63)]

_PUBLICATION = f"select {COLUMNS} from published.publication "


def current(conn: Conn) -> Publication | None:
    """Return the publication that readers see now; None before the first."""
    publications = rows(
        conn, Publication, _PUBLICATION + "where publication_id = (select publication_id from published.current)"
    )
    return publications[0] if publications else None


def get(conn: Conn, publication_id: int) -> Publication | None:
    publications = rows(conn, Publication, _PUBLICATION + "where publication_id = %(id)s", id=publication_id)
    return publications[0] if publications else None


def read_page(conn: Conn, number: int, size: int, day: date | None = None) -> Page[Publication]:
    """Return a page of publications, newest business date first; `day` limits them to one business date."""
    body = "from published.publication where %(day)s::date is null or as_of_date = %(day)s"
    page = paging.read_page(conn, COLUMNS, body, "as_of_date desc, publication_id desc", number, size, day=day)
    return page.of([Publication(**row) for row in page.rows])


def with_rows(conn: Conn) -> list[Publication]:
    """Return publications whose rows were not pruned, newest first."""
    return rows(
        conn,
        Publication,
        _PUBLICATION
        + "where to_regclass('published.obligation_p' || publication_id) is not null order by publication_id desc limit 200",
    )


@dataclass(frozen=True)
class ComparedMart:
    """The rows of this mart can be matched between two publications.

    `key` identifies a row; `state` is the column that may change.
    """

    mart: str
    key: tuple[str, ...]
    state: str | None = None


OBLIGATION = ComparedMart("obligation", ("obligation_id",), "status")
COMPARED = (
    OBLIGATION,
    ComparedMart("control", ("membership_id",), "status"),
    ComparedMart("contact_clock", ("contact_key",), "status"),
    ComparedMart("push_outstanding", ("feed", "record_key")),
    ComparedMart("pool_followup", ("tube_no", "person_key"), "status"),
    ComparedMart("pharmacy_followup", ("purchase_id",), "status"),
    ComparedMart("screening_outstanding", ("round_id", "person_key")),
    ComparedMart("risk_zone", ("zone_id",), "level"),
    ComparedMart("zone_blocker", ("zone_id", "person_key"), "reason"),
)


@dataclass(frozen=True)
class Difference:
    """A difference counts the rows of a mart or of a group that are new, gone or changed."""

    name: str
    new: int
    gone: int
    changed: int
    same: int
    title: str = ""

    @property
    def differs(self) -> bool:
        return bool(self.new or self.gone or self.changed)


def differences(conn: Conn, before: int, after: int) -> list[Difference]:
    """Return the differences by mart, in the reader's part."""
    differing = []
    for compared in COMPARED:
        if is_readable(conn, "published", compared.mart):
            body = sql.SQL("select {counts} from {sides}").format(counts=_counts(compared), sides=_sides(compared))
            differing.append(Difference(compared.mart, **records(conn, body, before=before, after=after)[0]))
    return differing


def differences_by_group(conn: Conn, before: int, after: int) -> list[Difference]:
    """Return the differences of obligations by group, most changes first."""
    body = sql.SQL(
        """
        select coalesce(now.group_code, was.group_code) as name,
            max(coalesce(now.group_name, was.group_name)) as title, {counts}
        from {sides}
        group by 1
        order by count(*) filter (where {differs}) desc, 1
        """
    ).format(counts=_counts(OBLIGATION), sides=_sides(OBLIGATION), differs=_differs(OBLIGATION))
    return [Difference(**row) for row in records(conn, body, before=before, after=after)]


@dataclass(frozen=True)
class Changed:
    """This obligation differs between two publications. `before` and `after` are its status in each, None where it is missing."""

    obligation_id: str
    person_key: str
    group_code: str
    group_name: str
    community: str
    grid: str
    unit: str
    due_date: date
    before: str | None
    after: str | None
    explanation: str


def changed_obligations(
    conn: Conn, before: int, after: int, group: str | None, kind: str | None, number: int, size: int
) -> Page[Changed]:
    """Return a page of the obligations that are new, gone or changed; `group` and `kind` limit them.

    kind: new, gone or changed.
    """
    body = sql.SQL(
        """
        from {sides}
        where {differs}
        and (%(group)s::text is null or coalesce(now.group_code, was.group_code) = %(group)s)
        and case %(kind)s::text when 'new' then was.publication_id is null when 'gone' then now.publication_id is null
            when 'changed' then was.publication_id is not null and now.publication_id is not null else true end
        """
    ).format(sides=_sides(OBLIGATION), differs=_differs(OBLIGATION))
    parameters: dict[str, Any] = {"before": before, "after": after, "group": group, "kind": kind}
    either = sql.SQL(", ").join(
        sql.SQL("coalesce(now.{0}, was.{0}) as {0}").format(sql.Identifier(name))
        for name in ("person_key", "group_code", "group_name", "community", "grid", "unit", "due_date", "explanation")
    )
    columns = sql.SQL("obligation_id, {}, was.status as before, now.status as after").format(either)
    order = """
        coalesce(now.community, was.community) collate "C", coalesce(now.due_date, was.due_date), obligation_id collate "C"
    """
    page = paging.read_page(conn, columns, body, order, number, size, **parameters)
    return page.of([Changed(**row) for row in page.rows])


def _sides(compared: ComparedMart) -> sql.Composed:
    """Return the mart's rows of two publications, `was` and `now`, side by side.

    If a row is new or gone, the columns of one side are null.
    """
    return sql.SQL(
        """
        (select * from {mart} where publication_id = %(before)s) as was
        full outer join (select * from {mart} where publication_id = %(after)s) as now using ({key})
        """
    ).format(mart=sql.Identifier(compared.mart), key=sql.SQL(", ").join(map(sql.Identifier, compared.key)))


def _says_else(compared: ComparedMart) -> sql.Composable:
    if compared.state is None:
        return sql.SQL("false")
    return sql.SQL("was.{0} is distinct from now.{0}").format(sql.Identifier(compared.state))


def _differs(compared: ComparedMart) -> sql.Composed:
    return sql.SQL("(was.publication_id is null or now.publication_id is null or {})").format(_says_else(compared))


def _counts(compared: ComparedMart) -> sql.Composed:
    return sql.SQL(
        """
        (count(*) filter (where was.publication_id is null))::int as new,
        (count(*) filter (where now.publication_id is null))::int as gone,
        (count(*) filter (where was.publication_id = %(before)s and now.publication_id = %(after)s and {says_else}))::int
            as changed,
        (count(*) filter (where was.publication_id = %(before)s and now.publication_id = %(after)s and not {says_else}))::int
            as same
        """
    ).format(says_else=_says_else(compared))
