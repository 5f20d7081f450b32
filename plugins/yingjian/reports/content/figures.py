"""This module reads the figures of the report from the marts `indicator` (words) and `indicator_daily` (values).

A day's value is read from the publication of that day, as it was published then; inside `narrowed` it is the audience's own.
Nothing is counted here: the models of dbt_project/models/indicators compute each figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from yingjian.database.rows import records
from yingjian.people.audience import OFFICE, Audience
from yingjian.reports.content import text
from yingjian.reports.content.document import Figure
from yingjian.reports.content.frames import BLANK, NAMED
from yingjian.reports.content.publication import Issue

Number = int | float | None


@dataclass(frozen=True)
class Words:
    """The words of a figure, as the mart `indicator` has them. `better` is less, more or none."""

    title: str
    unit: str
    definition: str
    basis: str
    better: str
    is_share: bool
    by_community: bool
    by_department: bool

    def is_told(self, audience: Audience) -> bool:
        """Return whether the figure has a value for an audience; one that no place has is the town's and is shown to everyone.

        No figure is divided by grids.
        """
        is_divided = {"community": self.by_community, "department": self.by_department}.get(audience.kind, False)
        return audience == OFFICE or is_divided or not (self.by_community or self.by_department)


@dataclass(frozen=True)
class Value:
    """The value of a figure in one publication: `part` of `whole`, and as it is printed."""

    part: int
    whole: int | None
    shown: Number


@dataclass(frozen=True)
class Figures:
    """The figures of an issue: words by code, values by publication and code, and the counts of communities by both."""

    words: Mapping[str, Words]
    values: Mapping[int, Mapping[str, Value]]
    communities: Mapping[int, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)

    def value(self, publication_id: int | None, code: str) -> Value:
        """Return a value; a publication without it counts nothing, and has no share."""
        nothing = Value(0, 0, None) if self._is_share(code) else Value(0, None, 0)
        return self.values.get(publication_id or 0, {}).get(code, nothing)

    def daily(self, issue: Issue, codes: Iterable[str]) -> tuple[Figure, ...]:
        """Return the figures of these codes that the audience has a part in, each with the days of the trend."""
        return tuple(
            self._figure(issue, code)
            for code in codes
            if code in self.words and self.words[code].is_told(issue.audience)
        )

    def _is_share(self, code: str) -> bool:
        return code in self.words and self.words[code].is_share

    def _figure(self, issue: Issue, code: str) -> Figure:
        words = self.words[code]
        values = [
            self.value(publication_id, code).shown if self.values.get(publication_id or 0) else None
            for publication_id in issue.by_day
        ]
        figure = Figure(
            code.replace("_", "-"), words.title, [text.short_day(day) for day in issue.days], values,
            "" if words.is_share else words.unit, words.definition, words.basis, words.is_share,
            before=values[-2] if issue.before else None, better="" if words.better == "none" else words.better,
        )  # fmt: skip
        return figure if figure.tone != "bad" or words.is_share else replace(figure, risen=self._risen(issue, code))

    def _risen(self, issue: Issue, code: str) -> list[tuple[str, int]]:
        """Return the communities where a count rose most since the day before."""
        now, before = (
            self.communities.get(publication_id or 0, {}).get(code, {})
            for publication_id in (issue.publication_id, issue.before)
        )
        rise = {place: count - before.get(place, 0) for place, count in now.items()}
        most = sorted((-more, place or BLANK) for place, more in rise.items() if more > 0)
        return [(place, -less) for less, place in most[:NAMED]]


def read_figures(conn: psycopg.Connection[Any], issue: Issue) -> Figures:
    """Return the figures of an issue. The caller is inside `narrowed` for the same audience.

    The words are those of the publication; a publication that is older than the mart `indicator` gets the newest words.
    """
    ids = [publication_id for publication_id in issue.by_day if publication_id is not None]
    words = {
        row.pop("indicator_code"): Words(**row)
        for row in records(
            conn,
            """
            select indicator_code, title, unit, definition, basis, better, is_share, by_community, by_department
            from indicator where publication_id = coalesce(
                (select publication_id from indicator where publication_id = %(id)s limit 1),
                (select max(publication_id) from indicator)
            )
            order by sort_order
            """,
            id=issue.publication_id,
        )
    }
    values: dict[int, dict[str, Value]] = {}
    communities: dict[int, dict[str, dict[str, int]]] = {}
    for row in records(
        conn,
        """
        select publication_id, indicator_code, community, department, part, whole, value_shown
        from indicator_daily
        where publication_id = any(%(ids)s) and (
            (community is null or community = %(community)s or publication_id = any(%(compared)s))
            and department is not distinct from %(department)s
            or community is null and department is null
        )
        """,
        ids=ids,
        compared=[issue.publication_id, issue.before],
        community=issue.audience.name if issue.audience.kind == "community" else None,
        department=issue.audience.name if issue.audience.kind == "department" else None,
    ):
        code, publication_id = row["indicator_code"], row["publication_id"]
        if row["community"] is not None:
            communities.setdefault(publication_id, {}).setdefault(code, {})[row["community"]] = row["part"]
        if _is_whole_of(issue.audience, row["community"], row["department"]):
            values.setdefault(publication_id, {})[code] = _value(row)
    return Figures(words, values, communities)


def read_communities(conn: psycopg.Connection[Any], issue: Issue, figures: Figures) -> dict[str, Figures]:
    """Return the figures of each community that the audience reads. The caller is inside `narrowed` for the same audience.

    A department reads those of its own groups there. `figures` are those of the issue, whose words are reused.
    """
    is_department = issue.audience.kind == "department"
    words = {
        code: each
        for code, each in figures.words.items()
        if each.by_community and (each.by_department or not is_department)
    }
    values: dict[str, dict[int, dict[str, Value]]] = {}
    for row in records(
        conn,
        """
        select publication_id, indicator_code, community, part, whole, value_shown from indicator_daily
        where publication_id = any(%(ids)s) and community is not null and department is not distinct from %(department)s
        """,
        ids=[publication_id for publication_id in issue.by_day if publication_id is not None],
        department=issue.audience.name if is_department else None,
    ):
        of_community = values.setdefault(row["community"], {}).setdefault(row["publication_id"], {})
        of_community[row["indicator_code"]] = _value(row)
    return {community: Figures(words, by_publication) for community, by_publication in values.items()}


def _value(row: Mapping[str, Any]) -> Value:
    whole, shown = row["whole"], row["value_shown"]
    return Value(row["part"], whole, shown if whole is not None or shown is None else int(shown))


def _is_whole_of(audience: Audience, community: str | None, department: str | None) -> bool:
    """Return whether a row is the total of an audience; a row without a place that a part sees is the town's, for everyone."""
    own = {"community": (audience.name, None), "department": (None, audience.name)}.get(audience.kind, (None, None))
    return (community, department) in (own, (None, None))
