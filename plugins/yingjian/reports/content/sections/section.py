"""This module defines a section of the report: what it reads, and how its content is written from that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import psycopg
from pandas import DataFrame

from yingjian.modelling import editions
from yingjian.reports.content.document import Action, Block, Blocks, Change, Chapter, Figure, Finding, Table, Text, Tile
from yingjian.reports.content.figures import Figures, Value
from yingjian.reports.content.frames import read_frame
from yingjian.reports.content.publication import Issue


@dataclass(frozen=True)
class Reading:
    """A reading has the data of a section: a frame for each of its queries, its daily figures, and every figure."""

    issue: Issue
    frames: Mapping[str, DataFrame]
    figures: tuple[Figure, ...]
    numbers: Figures

    def __getitem__(self, name: str) -> DataFrame:
        return self.frames[name]

    @property
    def as_of(self) -> date:
        return self.issue.as_of

    def figure(self, key: str) -> Figure:
        return next(figure for figure in self.figures if figure.key == key)

    def parameter(self, name: str) -> str:
        """Return a parameter of the plan, such as the hours of a deadline, by the edition of the report."""
        return editions.parameter(name, self.issue.publication.policy_edition)

    def value(self, code: str, publication_id: int | None = None) -> Value:
        """Return the value of a figure in a publication, by default the report's own."""
        return self.numbers.value(publication_id or self.issue.publication_id, code)

    def count(self, code: str, publication_id: int | None = None) -> int:
        """Return a figure that counts, or the part of a share."""
        return self.value(code, publication_id).part

    def changes(self, difference: Callable[[int], tuple[str, str]]) -> list[Change]:
        """Return the changes of a headline figure since the day before and last week; a day without a publication is left out."""
        earlier = (("比前一日", self.issue.before), ("比上周", self.issue.week_before))
        return [Change(against, *difference(number)) for against, number in earlier if number]


@dataclass(frozen=True)
class Content:
    """This is the content of a section for one publication.

    The chapter has the `sentences`, the daily figures, and the `blocks`. `findings` and `improved` compare with the day
    before; without them, the section's figures that changed are reported. `risen` names, by the key of a figure, the places
    where it rose if they are not communities. `facts` are notes on the data, `outbreak` is the brief's text on cases and
    contacts, `is_emergency` says that the town is in the state 急, and `sheets` are tables for the spreadsheet alone.
    """

    sentences: Sequence[str] = ()
    blocks: Blocks = ()
    actions: Sequence[Action] = ()
    tiles: Sequence[Tile] = ()
    findings: Sequence[Finding] | None = None
    improved: Sequence[str] | None = None
    risen: Mapping[str, Sequence[tuple[str, int]]] = field(default_factory=dict)
    facts: Sequence[tuple[str, str]] = ()
    outbreak: Sequence[tuple[str, str]] = ()
    is_emergency: bool = False
    sheets: Sequence[Table] = ()
    has_figures: bool = True


@dataclass(frozen=True)
class Section:
    """A section has an `anchor` on the page, `basis` articles and annex rows, `marts` it is written from.

    `queries` are SQL over the marts, by the name of their frame. They may use `id`, `before` (the publication of the day
    before, or 0), `ids` (these two and that of a week before), `trend` (those of the last 14 days), `day` (the business date),
    and `blank` (the text for a missing name). `figures` are the codes of its daily figures. `write` makes the content from a
    reading. `nav` and `heading` are other names for the section in the table of contents and among the findings.
    """

    anchor: str
    title: str
    basis: str
    marts: tuple[str, ...]
    queries: Mapping[str, str]
    write: Callable[[Reading], Content]
    figures: tuple[str, ...] = ()
    nav: str = ""
    heading: str = ""

    def is_for(self, issue: Issue) -> bool:
        """Return whether the audience has a part in any of its marts; otherwise the section is left out."""
        return not issue.hidden.issuperset(self.marts)

    def read(self, conn: psycopg.Connection[Any], issue: Issue, figures: Figures) -> Reading:
        """Run the section's queries; inside `narrowed` they read the audience's rows."""
        ids = [number for number in (issue.publication_id, issue.before, issue.week_before) if number is not None]
        trend = [number for number in issue.by_day if number is not None]
        given = {
            "id": issue.publication_id, "before": issue.before or 0, "ids": ids, "trend": trend, "day": issue.as_of,
        }  # fmt: skip
        frames = {name: read_frame(conn, query, **given) for name, query in self.queries.items()}
        return Reading(issue, frames, figures.daily(issue, self.figures), figures)

    def content(self, reading: Reading) -> Written:
        """Return the section's content with its chapter and, unless it has its own, the findings from its figures."""
        content = self.write(reading)
        daily = [
            replace(figure, risen=(content.risen.get(figure.key) or figure.risen) if figure.tone == "bad" else ())
            for figure in reading.figures
        ]
        figures = tuple(daily) if content.has_figures else ()
        blocks: list[Block | tuple[Block, ...]] = [Text(sentence) for sentence in content.sentences]
        blocks += [figures] if figures else []
        for block in content.blocks:
            parts = block if isinstance(block, tuple) else (block,)
            if parts_shown := tuple(part for part in parts if not isinstance(part, Table) or part.rows):
                blocks.append(parts_shown if isinstance(block, tuple) else parts_shown[0])
        chapter = Chapter(self.anchor, self.title, self.basis, blocks, self.nav)
        findings, improved = content.findings, content.improved
        if findings is None:
            worse = [figure for figure in daily if figure.tone == "bad"]
            findings = [self._finding(worse)] if worse else []
        if improved is None:
            improved = [figure.moved for figure in daily if figure.tone == "good"]
        return Written(self, content, chapter, findings, improved)

    def _finding(self, worse: Sequence[Figure]) -> Finding:
        """Return one sentence for the daily figures that got worse."""
        bases = "；".join(dict.fromkeys(figure.basis for figure in worse))
        return Finding(
            self.heading or self.title, "；".join(figure.moved for figure in worse) + "。", bases, self.anchor
        )


@dataclass(frozen=True)
class Written:
    """This is a section as it is printed."""

    section: Section
    content: Content
    chapter: Chapter
    findings: Sequence[Finding] = field(default_factory=tuple)
    improved: Sequence[str] = field(default_factory=tuple)


def tone(difference: int) -> str:
    """Return how the change of a figure is marked that should be small."""
    return "" if not difference else "bad" if difference > 0 else "good"
