"""This module writes the PDF of a pack (A4, official layout, page numbers, the Chinese font embedded) and its picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import typst

from yingjian.reports.content import text
from yingjian.reports.content.document import FIRST_ACTIONS, Chapter, Document, Table, Text

SHANGHAI = timezone(timedelta(hours=8))  # Typst takes no name of a time zone, only a fixed offset.
FONTS = "pylopdf_fonts_zh_cn"
SENTENCE_LENGTH = 12  # A column with longer texts needs more room.
WIDE_COLUMNS = 6  # A table with more columns, or with sentences, is as wide as the page.
PICTURE_DOTS = 144  # The picture is 780 dots wide: two for each point of a phone.


@cache
def _compiler() -> typst.Compiler:
    """Return the compiler, which reads the fonts once for all packs and uses only the project's own."""
    return typst.Compiler(
        font_paths=typst.Fonts(font_paths=[str(files(FONTS))], include_system_fonts=False),
        ignore_system_fonts=True,
    )


def write_pdf(document: Document, path: Path) -> None:
    """Write the PDF; the same document gives the same bytes."""
    path.write_bytes(typeset("report", content(document), document.publication.published_at))


def write_picture(document: Document, path: Path) -> None:
    """Write the brief as one long picture (PNG); the same document gives the same bytes."""
    inputs = {"report": json.dumps(content(document), ensure_ascii=False), "form": "picture"}
    picture = _compiler().compile(input=_template("report"), format="png", ppi=PICTURE_DOTS, sys_inputs=inputs)
    assert isinstance(picture, bytes)
    path.write_bytes(picture)


def typeset(template: str, content: dict[str, Any], published_at: datetime) -> bytes:
    """Return the PDF of `templates/<template>.typ`, which gets `content` as JSON under the template's name."""
    pdf = _compiler().compile(
        input=_template(template),
        format="pdf",
        sys_inputs={template: json.dumps(content, ensure_ascii=False)},
        timestamp=published_at.replace(microsecond=0, tzinfo=SHANGHAI),
    )
    assert isinstance(pdf, bytes)
    return pdf


def _template(name: str) -> bytes:
    return files("yingjian.reports.render").joinpath(f"templates/{name}.typ").read_bytes()


def content(document: Document) -> dict[str, Any]:
    """Return the content of the template: only text, formatted as in every form."""
    publication = document.publication
    return {
        "title": document.title,
        "audience": document.audience.title,
        "day": text.full_day(publication.as_of_date),
        "number": document.number,
        "mark": publication.mark,
        "edition": document.edition,
        "imprint": _lines(document.imprint.lines),
        "notice": f"{'人工放行：' if publication.released_by_hand else ''}{document.notice}",
        "released": publication.released_by_hand,
        "state": document.state,
        "emergency": document.is_emergency,
        "outbreak": _lines(document.outbreak),
        "tiles": [
            {"label": tile.label, "value": tile.written, "unit": tile.unit, "note": tile.note,
             "changes": [f"{change.against} {change.text}" for change in tile.changes]}
            for tile in document.tiles
        ],
        "day_before": text.day(document.day_before),
        "compared": document.compared,
        "findings": [asdict(finding) | {"mark": finding.mark} for finding in document.findings],
        "improved": document.improved,
        "actions": [
            {"heading": it.heading, "text": it.text, "basis": it.basis, "urgent": it.is_urgent, "lines": _lines(it.lines)}
            for it in document.actions
        ],
        "first": FIRST_ACTIONS,
        "facts": _lines(document.facts),
        "chapters": [
            {"title": chapter.title, "basis": chapter.basis, "blocks": list(_blocks(chapter))}
            for chapter in document.chapters
        ],
        "definitions": [asdict(definition) for definition in document.definitions],
        "sources": document.sources,
    }  # fmt: skip


def _lines(lines: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"word": word, "words": words} for word, words in lines]


def _blocks(chapter: Chapter) -> Iterator[dict[str, Any]]:
    """Yield the sentences and tables of a chapter; its daily figures are one table, because only the page has charts."""
    if daily := chapter.daily_table:
        yield _table(daily)
    for part in chapter.printed():
        if isinstance(part, Text):
            yield {"kind": "note" if part.is_note else "text", "words": part.words}
        else:
            yield _table(part)


def _table(table: Table) -> dict[str, Any]:
    rows = [table.written(row) for row in table.listed]
    words = _words(table, rows)
    return {
        "kind": "table",
        "title": table.title,
        "columns": [column.title for column in table.columns],
        "texts": [place for place, column in enumerate(table.columns) if column.kind == "text"],
        "words": words,
        "wide": len(table.columns) > WIDE_COLUMNS,
        "rows": rows,
        "total": table.written(table.total) if table.total else [],
        "notes": table.notes,
    }


def _words(table: Table, rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the columns after the first that hold sentences."""
    return [place for place in range(1, len(table.columns)) if any(len(row[place]) > SENTENCE_LENGTH for row in rows)]
