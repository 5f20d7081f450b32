"""This module reads the publication of a report, and the earlier ones with which its figures are compared.

Everything is read by publication id, so a report can be written again, with the same bytes, long after the publication
was replaced. Comparisons use the newest publication of an earlier business date whose id is not larger than this one's:
a later recomputation of yesterday does not change a report that was already sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import psycopg

from yingjian.database.rows import records, rows
from yingjian.people.audience import OFFICE, Audience
from yingjian.reports.content.audiences import hidden_marts

TREND_DAYS = 14
# A `Publication` is made of these columns of `published.publication`.
COLUMNS = """
    publication_id, as_of_date, timezone('Asia/Shanghai', published_at) as published_at, policy_edition, quality_status,
    checks_run, checks_failed, input_files, input_rows, code_version, release_reason, released_by, missing_feeds,
    is_correction
"""


def issue_number(as_of_date: date) -> str:
    """Return the number of an issue: 2022-07-24 → 20220724."""
    return f"{as_of_date:%Y%m%d}"


@dataclass(frozen=True)
class Publication:
    """A row of `published.publication`; `published_at` is Asia/Shanghai wall time."""

    publication_id: int
    as_of_date: date
    published_at: datetime
    policy_edition: str
    quality_status: str
    checks_run: int
    checks_failed: int
    input_files: int
    input_rows: int
    code_version: str
    release_reason: str | None
    released_by: str | None
    missing_feeds: list[str]
    is_correction: bool

    @property
    def mark(self) -> str:
        """Return the mark beside the report's title if the day had been published before."""
        return "（更正版）" if self.is_correction else ""

    @property
    def number(self) -> str:
        """Return the number of the issue: the business date, which officials know, and not the publication's id."""
        return issue_number(self.as_of_date)

    @property
    def released_by_hand(self) -> bool:
        return self.quality_status == "released_by_hand"


@dataclass(frozen=True)
class Issue:
    """An issue is a publication for one audience.

    `by_day` are the publications of the days of the trend, the report's own last, None where a day has none. Those in
    `with_rows` still have all their rows. Marts in `hidden` show the audience nothing.
    """

    publication: Publication
    by_day: Sequence[int | None]
    with_rows: frozenset[int]
    audience: Audience = OFFICE
    hidden: frozenset[str] = frozenset()

    @property
    def publication_id(self) -> int:
        return self.publication.publication_id

    @property
    def as_of(self) -> date:
        return self.publication.as_of_date

    @property
    def days(self) -> list[date]:
        return [self.as_of - timedelta(days=back) for back in reversed(range(len(self.by_day)))]

    @property
    def before(self) -> int | None:
        """Return the publication of the day before."""
        return self._earlier(1)

    @property
    def week_before(self) -> int | None:
        """Return the publication of the same weekday of last week."""
        return self._earlier(7)

    @property
    def day_before(self) -> date:
        return self.as_of - timedelta(days=1)

    def _earlier(self, days: int) -> int | None:
        publication_id = self.by_day[-1 - days]
        return publication_id if publication_id in self.with_rows else None


def read_issue(
    conn: psycopg.Connection[Any], publication_id: int, audience: Audience = OFFICE, trend_days: int = TREND_DAYS
) -> Issue:
    """Return the publication and those of the trend's days. The caller is inside `narrowed` for the same audience.

    Raises:
        LookupError: there is no such publication, or its rows were pruned.
    """
    publication = _publication(conn, publication_id)
    newest = _newest_publications(conn, publication, trend_days)
    with_rows = _with_rows(conn, newest.values())
    if publication_id not in with_rows:
        raise LookupError(f"the rows of publication {publication_id} were pruned")
    days = [publication.as_of_date - timedelta(days=back) for back in reversed(range(trend_days))]
    return Issue(publication, [newest.get(day) for day in days], with_rows, audience, hidden_marts(conn, audience))


def read_responsible(conn: psycopg.Connection[Any], publication_id: int) -> dict[str, list[str]]:
    """Return the responsible units by provision of the plan, in the plan's order."""
    provisions = records(
        conn,
        """
        select provision, array_agg(unit order by ordinal) as units from responsibility
        where publication_id = %(id)s
        group by provision
        """,
        id=publication_id,
    )
    return {row["provision"]: row["units"] for row in provisions}


def _publication(conn: psycopg.Connection[Any], publication_id: int) -> Publication:
    query = f"select {COLUMNS} from publication where publication_id = %(id)s"
    publications = rows(conn, Publication, query, id=publication_id)
    if not publications:
        raise LookupError(f"there is no publication {publication_id}")
    return publications[0]


def _with_rows(conn: psycopg.Connection[Any], publication_ids: Iterable[int]) -> frozenset[int]:
    """Return the publications that still have both their rows per feed and their rows about persons."""
    query = """
        select distinct publication_id from feed_quality
        where publication_id = any(%(ids)s) and (
            to_regclass('published.obligation_p' || publication_id) is not null
            or not exists (select from pg_class where oid = to_regclass('published.obligation') and relkind = 'p')
        )
    """
    return frozenset(row["publication_id"] for row in records(conn, query, ids=sorted(publication_ids)))


def _newest_publications(conn: psycopg.Connection[Any], publication: Publication, trend_days: int) -> dict[date, int]:
    """Return the newest publication not newer than this one, by business date, for the days of the trend."""
    newest = records(
        conn,
        """
        select as_of_date, max(publication_id) as publication_id
        from publication
        where publication_id <= %(id)s and as_of_date > %(first)s and as_of_date <= %(last)s
        group by as_of_date
        """,
        id=publication.publication_id,
        first=publication.as_of_date - timedelta(days=trend_days),
        last=publication.as_of_date,
    )
    return {row["as_of_date"]: row["publication_id"] for row in newest}
