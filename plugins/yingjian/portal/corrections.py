"""An official corrects a refused row for its sender, and a second official confirms it before landing gets it.

The role `portal` writes proposals and answers; triggers of the database refuse the proposer as second person, and make the file
of a confirmed correction. Events of the trail name no cell and no reason, which may name a person.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import errors

from yingjian.database import warehouse
from yingjian.database.rows import records
from yingjian.landing.feeds import FEEDS
from yingjian.landing.trial import Trial
from yingjian.people.audience import OFFICE, Audience
from yingjian.portal import sending
from yingjian.portal.accounts import ROLE
from yingjian.portal.readers import Need, Reader, RefusedError, settings
from yingjian.portal.reading import Conn
from yingjian.privacy import audit_trail

DAYS = 30
MOST = 100  # A page shows at most this many corrections of each kind.
Rows = Sequence[dict[str, Any]]


class NotOpenError(Exception):
    """The row awaits no correction any more, or somebody answered the proposal already."""


@dataclass(frozen=True)
class Corrections:
    """Proposals that wait for a second person; those that were confirmed, and those returned, within DAYS; newest first."""

    waiting: Rows
    confirmed: Rows
    returned: Rows


def own(audience: Audience) -> dict[str, Any]:
    """Return the query parameters that limit the rows of senders to a part."""
    return {"is_office": audience == OFFICE, "own": audience.name}


def read_row(conn: Conn, audience: Audience, rejected_id: int) -> dict[str, Any] | None:
    """Return a row of the part that awaits a correction, has cells and names its sender; else None."""
    rows = records(
        conn,
        """
        select rejected_id, feed, sender, cells, wrong_columns, reason from quality.rejected_row
        where rejected_id = %(rejected_id)s and (%(is_office)s or sender = %(own)s)
        and cells is not null and sender <> '' and portal.awaits_correction(rejected_id)
        """,
        **own(audience), rejected_id=rejected_id,
    )  # fmt: skip
    return rows[0] if rows and rows[0]["feed"] in FEEDS else None


def propose(reader: Reader, row: dict[str, Any], cells: Sequence[str], reason: str) -> Trial:
    """Record a correction that waits for a second person, unless landing would refuse it: the trial says why.

    Raises NotOpenError when the row awaits no correction, or another proposal waits.
    """
    feed = FEEDS[row["feed"]]
    content = sending.row_file(feed, cells)
    tried = sending.try_row(reader, row["sender"], feed, content)
    if not sending.is_good(tried):
        return tried
    assert reader.official
    try:
        with warehouse.connect(settings(), ROLE) as conn, conn.transaction():
            conn.execute(
                """
                insert into portal.correction (rejected_id, feed, sender, content, reason, login, name)
                values (%s, %s, %s, %s, %s, %s, %s)
                """,
                (
                    row["rejected_id"], feed.name, row["sender"], content, reason, reader.login, reader.official.name,
                ),
            )  # fmt: skip
            audit_trail.record(
                conn, reader.login, "correction_proposed", "quarantine", feed=feed.name, rejected_id=row["rejected_id"]
            )
    except errors.ObjectNotInPrerequisiteState:
        raise NotOpenError from None
    return tried


def read(conn: Conn, audience: Audience, correction_id: int) -> dict[str, Any] | None:
    """Return a proposal about a row of the part, with its cells before and after; None when there is none."""
    rows = _read(conn, audience, "proposed.correction_id = %(correction_id)s", correction_id=correction_id)
    return rows[0] if rows else None


def answer(reader: Reader, proposal: dict[str, Any], *, is_agreed: bool, reason: str) -> None:
    """Answer a proposal as the second person. An agreement hands the corrected row to landing.

    Raises RefusedError for the proposer, NotOpenError when nothing is to be answered.
    """
    if proposal["login"] == reader.login:
        raise RefusedError(Need.QUARANTINE, reader)
    assert reader.official
    try:
        with warehouse.connect(settings(), ROLE) as conn, conn.transaction():
            conn.execute(
                """
                insert into portal.correction_answer (correction_id, is_agreed, reason, login, name)
                values (%s, %s, %s, %s, %s)
                """,
                (proposal["correction_id"], is_agreed, reason, reader.login, reader.official.name),
            )
            audit_trail.record(
                conn, reader.login, "correction_confirmed" if is_agreed else "correction_returned",
                f"correction {proposal['correction_id']}", feed=proposal["feed"], rejected_id=proposal["rejected_id"],
            )  # fmt: skip
    except (errors.ObjectNotInPrerequisiteState, errors.UniqueViolation, errors.ForeignKeyViolation):
        raise NotOpenError from None


def overview(conn: Conn, audience: Audience) -> Corrections:
    """Return the corrections of a part."""
    recent = "answer.answered_at >= now() - make_interval(days => %(days)s)"
    return Corrections(
        _read(conn, audience, "answer.login is null and portal.awaits_correction(proposed.rejected_id)"),
        _read(conn, audience, f"answer.is_agreed and {recent}", days=DAYS),
        _read(conn, audience, f"not answer.is_agreed and {recent}", days=DAYS),
    )


def waiting_rows(proposals: Corrections) -> set[int]:
    return {row["rejected_id"] for row in proposals.waiting}


def _read(conn: Conn, audience: Audience, condition: str, **values: Any) -> list[dict[str, Any]]:
    rows = records(
        conn,
        f"""
        select proposed.correction_id, proposed.rejected_id, proposed.feed, proposed.sender, proposed.content, proposed.reason,
            proposed.login, proposed.name, timezone('Asia/Shanghai', proposed.proposed_at) as proposed_at,
            rejected.cells, rejected.wrong_columns, rejected.reason as refused_because,
            answer.is_agreed, answer.reason as answer_reason, answer.name as answered_by,
            timezone('Asia/Shanghai', answer.answered_at) as answered_at,
            portal.awaits_correction(proposed.rejected_id) as is_open,
            case when file.rows_rejected > 0 then 'rejected' else coalesce(file.status, 'waiting') end as taken
        from portal.correction as proposed
        inner join quality.rejected_row as rejected using (rejected_id)
        left join portal.correction_answer as answer using (correction_id)
        left join portal.sending as sent using (correction_id)
        left join quality.landed_file as file on file.location = sent.location
        where (%(is_office)s or proposed.sender = %(own)s) and {condition}
        order by coalesce(answer.answered_at, proposed.proposed_at) desc limit %(most)s
        """,
        **own(audience), most=MOST, **values,
    )  # fmt: skip
    return [row | {"title": FEEDS[row["feed"]].title, "changes": _changes(row)} for row in rows if row["feed"] in FEEDS]


def _changes(row: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return (column, before, after) of each cell that was faulty or differs, in the order of the feed."""
    before = row["cells"] or {}
    header, cells = csv.reader(io.StringIO(bytes(row["content"]).decode(), newline=""))
    return [
        (column, before.get(column, ""), after)
        for column, after in zip(header, cells, strict=True)
        if column in row["wrong_columns"] or before.get(column, "") != after
    ]
