"""This module writes a document as one self-contained Chinese HTML page."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from yingjian.reports.content import text
from yingjian.reports.content.document import FIRST_ACTIONS, FIRST_FINDINGS, Document, Figure, Table, Text
from yingjian.reports.render import charts

TREND_HEIGHT = 132  # This is the height of the charts of daily figures, in units of the view box.
SENTENCE_LENGTH = 20  # A column with longer words is as wide as it can be.
DENSE_COLUMNS, WIDE_COLUMNS = 5, 8  # With more columns a table needs smaller type, or cards, on a phone.


@cache
def environment() -> Environment:
    """Return the environment, whose templates are compiled once for all packs; every value is escaped."""
    environment = Environment(
        loader=PackageLoader("yingjian.reports.render"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )
    environment.filters |= {name: getattr(text, name) for name in ("day", "full_day", "cell")}
    environment.tests |= {"text": _is(Text), "figure": _is(Figure), "table": _is(Table), "beside": _is(tuple)}
    environment.globals |= {"chart": chart, "bar": charts.bar, "shape": shape, "is_words": is_words, "tone": tone}
    return environment


def render(document: Document) -> str:
    """Return the whole page."""
    ids = {definition.term: f"def-{number}" for number, definition in enumerate(document.definitions, 1)}
    return (
        environment()
        .get_template("report.html.j2")
        .render(document=document, definition_ids=ids, first_actions=FIRST_ACTIONS, first_findings=FIRST_FINDINGS)
    )


def chart(figure: Figure) -> Markup:
    """Return a figure as SVG; empty when it has nothing to show."""
    if not figure.has_chart:
        return Markup("")
    counts = [None if value is None else int(value) for value in figure.values]
    if figure.shape == "bands":
        return charts.band_chart(figure.key, figure.title, figure.labels, [count or 0 for count in counts])
    if figure.shape == "columns":
        return charts.column_chart(figure.key, figure.title, figure.labels, counts, solid=0)
    chart_id, title = f"trend-{figure.key}", f"近14日{figure.title}"
    if figure.is_share:
        return charts.line_chart(chart_id, title, figure.labels, figure.values, height=TREND_HEIGHT)
    return charts.column_chart(chart_id, title, figure.labels, counts, solid=len(counts) - 1, height=TREND_HEIGHT)


def shape(table: Table) -> str:
    """Return how a phone shows the table: in small type, or a row as a card where it is too wide for that."""
    count = len(table.columns)
    if count > WIDE_COLUMNS or any(is_words(table, place) for place in range(count)):
        return "cards"
    return "dense" if count > DENSE_COLUMNS else "plain"


def is_words(table: Table, place: int) -> bool:
    """Return whether a column after the first holds sentences."""
    if table.columns[place].kind != "text" or not place:
        return False
    return any(len(str(row[place] or "")) > SENTENCE_LENGTH for row in table.rows)


def tone(table: Table, place: int, value: object) -> str:
    """Return how a cell is marked: an alarm that is not zero is bad, and so is a rise."""
    column = table.columns[place]
    if not isinstance(value, int) or not value:
        return ""
    if column.kind == "change":
        return "bad" if value > 0 else "good"
    return "bad" if column.alarm else ""


def _is(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)
