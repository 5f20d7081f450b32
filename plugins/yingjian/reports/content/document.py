"""This module holds the report as data, from which every form of a pack is written.

A document has chapters, and a chapter has blocks: sentences, figures and tables. Blocks in a tuple are placed side by side if
there is room. Cells are values; `text.cell` formats them for every form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from yingjian.reports.content import text

if TYPE_CHECKING:
    from yingjian.people.audience import Audience
    from yingjian.reports.content.publication import Publication

Cell = str | int | float | date | None
Kind = Literal["text", "count", "share", "change", "date", "time"]
Row = Sequence[Cell]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    `of` is the column of the frame, `whole` the denominator of a share. Rows that are left out are summed if the column `adds`.
    `alarm` marks a count that should be zero.
    """

    title: str
    of: str
    kind: Kind = "count"
    whole: str = ""
    adds: bool = True
    alarm: bool = False


@dataclass(frozen=True)
class Table:
    """Page and PDF write `rows`, then `rest`, which adds up the other rows; the spreadsheet writes `every` row instead.

    All of them end with `total`, if there is one. `complete` names the spreadsheet's list with the single rows. With
    `is_barred`, a bar below a row's name shows its first count.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    rest: Sequence[Row] = ()
    every: Sequence[Row] = ()
    total: Row | None = None
    note: str = ""
    complete: str = ""
    is_barred: bool = False

    @property
    def notes(self) -> list[str]:
        """Return the sentences below the table."""
        notes = [f"全部见表格“{self.complete}”。"] if self.rest and self.complete else []
        return [*notes, self.note] if self.note else notes

    @property
    def listed(self) -> list[Row]:
        """Return what page and PDF write below the head, without the total."""
        return [*self.rows, *self.rest]

    def written(self, row: Row) -> list[str]:
        """Return the characters of a row."""
        return [text.cell(value, column.kind) for value, column in zip(row, self.columns, strict=True)]


@dataclass(frozen=True)
class Figure:
    """A daily figure with its last 14 days (`trend`), or the values of one day by its `labels` (`columns`, `bands`).

    `note` is the definition. `before` is the value of the day before; `risen` names the places where a count rose most
    since then, with by how much. `better` is less, more, or empty where neither is.
    """

    key: str
    title: str
    labels: Sequence[str]
    values: Sequence[int | float | None]
    unit: str = ""
    note: str = ""
    basis: str = ""
    is_share: bool = False
    shape: Literal["trend", "columns", "bands"] = "trend"
    before: int | float | None = None
    better: str = "less"
    risen: Sequence[tuple[str, int]] = ()

    @property
    def is_daily(self) -> bool:
        return self.shape == "trend"

    @property
    def today(self) -> int | float | None:
        return self.values[-1] if self.is_daily and self.values else None

    @property
    def written(self) -> str:
        """Return today's value with its unit; empty where the values are of no day."""
        return self.write(self.today) if self.is_daily else ""

    @property
    def change(self) -> str:
        """Return the difference from the day before, with its direction."""
        if self.today is None or self.before is None:
            return text.NOTHING
        if self.is_share:
            return text.change_of_share(self.today, self.before)
        return text.change(int(self.today - self.before))

    @property
    def tone(self) -> str:
        """Return whether the change is for the better: good, bad, or empty where it is neither."""
        sign = self.change[:1]
        if not self.better or sign not in "▲▼":
            return ""
        return "good" if (sign == "▲") == (self.better == "more") else "bad"

    @property
    def has_chart(self) -> bool:
        """A trend needs two days, and one of them not zero: else a chart shows nothing."""
        known = [value for value in self.values if value is not None]
        return not self.is_daily or (len(known) > 1 and any(known))

    @property
    def table(self) -> Table:
        """Return the values by their labels."""
        columns = (Column("", "label", "text"), Column(self.unit or "数值", "value"))
        return Table(self.title, columns, list(zip(self.labels, self.values, strict=True)))

    @property
    def moved(self) -> str:
        """Return a sentence such as 超过8小时未隔离 3 人（▲2）：招丰社区 +2."""
        named = "、".join(f"{place} +{text.number(more)}" for place, more in self.risen)
        return f"{self.title} {self.written}（{self.change}）" + (f"：{named}" if named else "")

    def write(self, value: int | float | None) -> str:
        if value is None:
            return text.NOTHING
        if self.is_share:
            return text.percent(value)
        return f"{text.number(int(value))} {self.unit}".rstrip()


@dataclass(frozen=True)
class Text:
    """A sentence, or a note to what stands before it."""

    words: str
    is_note: bool = False


FIRST_ACTIONS, FIRST_FINDINGS = 5, 3  # This many are open on the page; the others are folded.

Block = Text | Figure | Table
Blocks = Sequence[Block | tuple[Block, ...]]
BlockKind = TypeVar("BlockKind", Text, Figure, Table)


@dataclass(frozen=True)
class Chapter:
    """This is a section of the report as it is printed."""

    anchor: str
    title: str
    basis: str
    blocks: Blocks
    nav: str = ""

    def each(self, kind: type[BlockKind]) -> Iterator[BlockKind]:
        """Yield the blocks of one kind, also those that stand side by side."""
        for part in self._parts():
            if isinstance(part, kind):
                yield part

    def printed(self) -> Iterator[Text | Table]:
        """Yield the sentences and tables of a form without charts: a figure of one day is a table, a daily one is left out."""
        for part in self._parts():
            if not isinstance(part, Figure):
                yield part
            elif not part.is_daily:
                yield part.table

    @property
    def daily_table(self) -> Table | None:
        """Return the daily figures as one table, today's value and its change; None where there are none."""
        daily = [figure for figure in self.each(Figure) if figure.is_daily]
        columns = (
            Column("指标", "title", "text"),
            Column("今日", "today", "text"),
            Column("比前一日", "change", "text"),
        )
        rows = [(f.title, f.written, f.change if f.before is not None else text.NOTHING) for f in daily]
        return Table("", columns, rows) if daily else None

    def _parts(self) -> Iterator[Block]:
        for block in self.blocks:
            yield from block if isinstance(block, tuple) else (block,)


@dataclass(frozen=True)
class Change:
    """A headline figure against an earlier day; `tone` is good, bad or empty."""

    against: str
    text: str
    tone: str = ""


@dataclass(frozen=True)
class Tile:
    """One headline figure; `term` is the definition that says what it means."""

    term: str
    label: str
    value: Cell
    kind: Kind
    unit: str
    note: str
    changes: Sequence[Change]

    @property
    def written(self) -> str:
        return text.cell(self.value, self.kind)

    def against(self, earlier: str) -> str:
        """Return the change against an earlier day; — where there is none."""
        return next((change.text for change in self.changes if change.against == earlier), text.NOTHING)


@dataclass(frozen=True)
class Finding:
    """A finding says what changed since the day before, and in `why` for what cause; `anchor` is the chapter that shows it.

    `is_worse` puts a mark on it; `is_level` says that the figure is unchanged and only its causes are reported.
    """

    heading: str
    text: str
    basis: str
    anchor: str
    is_worse: bool = True
    why: Sequence[str] = ()
    is_level: bool = False

    @property
    def mark(self) -> str:
        return "－" if self.is_level else "▲" if self.is_worse else "▼"


NO_LIMIT = ""  # Neither the plan nor a parameter gives the action a deadline.


@dataclass(frozen=True)
class Action:
    """An action says what must be done today; `basis` is the article it serves, `is_urgent` puts a mark on it.

    `limit` is the deadline (限时) by the rule of the action; every action sets it, and `NO_LIMIT` says that there is none.
    `units` are the responsible units (责任单位) of its articles, as the plan names them. `people` are the officials of these units
    (责任人), each with the telephone number of the office. `mart` is the mart of the list that it is about, if any.
    """

    heading: str
    text: str
    basis: str
    is_urgent: bool = False
    limit: str = field(kw_only=True)
    units: Sequence[str] = ()
    people: Sequence[str] = ()
    mart: str = ""

    def by(self, responsible: Mapping[str, Sequence[str]]) -> Action:
        """Return the action with the units of the articles that it cites, in the plan's order, each once."""
        named = [unit for article in text.articles(self.basis) for unit in responsible.get(str(article), ())]
        return replace(self, units=tuple(dict.fromkeys(named)))

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Return deadline, units and people with their labels; unknown ones are left out."""
        entries = (("限时", self.limit), ("责任单位", "、".join(self.units)), ("责任人", "、".join(self.people)))
        return [(word, words) for word, words in entries if words]


@dataclass(frozen=True)
class Definition:
    """A definition gives a term's meaning in one or two sentences, and the articles or annex rows it comes from."""

    term: str
    basis: str
    meaning: str


@dataclass(frozen=True)
class Imprint:
    """An imprint says who issued the report (编发单位), who signs it (签发人) and to whom it goes (报送)."""

    issued_by: str
    signed_by: str = ""
    sent_to: Sequence[str] = ()

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Return the known parts, each with its label."""
        entries = (("编发单位", self.issued_by), ("签发人", self.signed_by), ("报送", "、".join(self.sent_to)))
        return [(word, words) for word, words in entries if words]


@dataclass(frozen=True)
class Document:
    """One audience's report of one publication.

    The first page is the brief: `state`, `tiles`, `outbreak` (疫情概况: pairs of label and sentence), `actions`, `findings` and
    `facts`. The chapters are its annex (附表). `edition` is the name of the plan's edition. `facts` are notes on the data, as
    pairs of label and sentence. `sheets` are tables that are too wide for a page: only the spreadsheet has them. `hidden` are
    marts whose lists the audience does not see.
    """

    title: str
    publication: Publication
    audience: Audience
    notice: str
    state: str
    state_basis: str
    is_emergency: bool
    edition: str
    imprint: Imprint
    outbreak: Sequence[tuple[str, str]]
    tiles: Sequence[Tile]
    compared: str
    findings: Sequence[Finding]
    improved: str
    actions: Sequence[Action]
    facts: Sequence[tuple[str, str]]
    chapters: Sequence[Chapter]
    definitions: Sequence[Definition]
    sheets: Sequence[Table]
    days: Sequence[date]
    sources: str
    hidden: frozenset[str] = frozenset()

    @property
    def number(self) -> str:
        """Return the number of the issue, which follows from the business date: 第20220724期."""
        return self.publication.number

    @property
    def day_before(self) -> date:
        return self.publication.as_of_date - timedelta(days=1)

    @property
    def next_day(self) -> date:
        return self.publication.as_of_date + timedelta(days=1)

    @property
    def summary(self) -> dict[str, Any]:
        """Return what mail says: the headline figures and the actions, as the page has them."""
        return {
            "facts": [
                [tile.label, f"{tile.written}{tile.unit}" + (f"，{tile.note}" if tile.note else "")]
                for tile in self.tiles
            ],
            "actions": [
                f"{action.heading}：{action.text}（{action.basis}）"
                + "".join(f"{word}：{words}。" for word, words in action.lines)
                for action in self.actions
            ],
        }
