"""This module writes the PDF of a pack: A4, official layout, page numbers, the Chinese font embedded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import typst

from yingjian.reports import text
from yingjian.reports.document import Block, Document, Figure, Table, Text
from yingjian.reports.html import chart

SHANGHAI = timezone(timedelta(hours=8))
FONTS = "pylopdf_fonts_zh_cn"
SENTENCE_LENGTH = 12  # A column with longer words needs room.
SVG_HEAD = '<svg xmlns="http://www.w3.org/2000/svg" font-family="Noto Sans SC" font-size="11.5" '
# A chart in a file without style sheet looks as the page's style sheet says.
STYLE = """><style>
.value { fill: #16202b } .label, .muted { fill: #4d5b69 } .axis { stroke: #16202b } .grid { stroke: #d3dae1 }
.line { stroke: #0b4a8f; stroke-width: 2.2; fill: none } .dot { fill: #fff; stroke: #0b4a8f; stroke-width: 1.8 }
.dot.last, .solid { fill: #0b4a8f } .hatched { stroke: #0b4a8f } .ground { fill: #dbe7f4 }
.hatch { stroke: #0b4a8f; fill: none }
</style>"""


@cache
def _compiler() -> typst.Compiler:
    """Fonts are read once for all packs; only the project's own are used."""
    return typst.Compiler(
        font_paths=typst.Fonts(font_paths=[str(files(FONTS))], include_system_fonts=False),
        ignore_system_fonts=True,
    )


def write_pdf(document: Document, path: Path) -> None:
    """Write the PDF; the same document gives the same bytes."""
    path.write_bytes(typeset("report", content(document), document.publication.published_at))


def typeset(template: str, content: dict[str, Any], published_at: datetime) -> bytes:
    """The PDF of `templates/<template>.typ`, which finds `content` as JSON under its own name."""
    pdf = _compiler().compile(
        input=files("yingjian.reports").joinpath(f"templates/{template}.typ").read_bytes(),
        format="pdf",
        sys_inputs={template: json.dumps(content, ensure_ascii=False)},
        timestamp=published_at.replace(microsecond=0, tzinfo=SHANGHAI),
    )
    assert isinstance(pdf, bytes)
    return pdf


def content(document: Document) -> dict[str, Any]:
    """Return what the template sets: text only, as every form writes it."""
    publication = document.publication
    return {
        "title": document.title,
        "audience": document.audience.title,
        "day": text.full_day(publication.as_of_date),
        "number": f"{publication.publication_id}{publication.mark}",
        "edition": publication.policy_edition,
        "published": f"{publication.published_at:%Y-%m-%d %H:%M}",
        "notice": f"{'人工放行：' if publication.released_by_hand else '质量检查通过：'}{document.notice}",
        "state": document.state,
        "tiles": [
            {"label": tile.label, "value": tile.written, "unit": tile.unit, "note": tile.note,
             "changes": [f"{change.against} {change.text}" for change in tile.changes]}
            for tile in document.tiles
        ],
        "day_before": text.day(document.day_before),
        "compared": document.compared,
        "findings": [asdict(finding) | {"mark": finding.mark} for finding in document.findings],
        "improved": document.improved,
        "actions": [asdict(action) | {"units": "、".join(action.units)} for action in document.actions],
        "facts": [{"word": word, "sentence": sentence} for word, sentence in document.facts],
        "chapters": [
            {"title": chapter.title, "basis": chapter.basis, "blocks": [_beside(block) for block in chapter.blocks]}
            for chapter in document.chapters
        ],
        "definitions": [asdict(definition) for definition in document.definitions],
        "sources": document.sources,
    }  # fmt: skip


def _beside(block: Block | tuple[Block, ...]) -> list[dict[str, Any]]:
    """Figures stand side by side, tables one below the other."""
    return [_block(part) for part in (block if isinstance(block, tuple) else (block,))]


def _block(block: Block) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"kind": "note" if block.is_note else "text", "words": block.words}
    if isinstance(block, Figure):
        change = block.change if block.before is not None else ""
        return {
            "kind": "figure", "title": block.title, "value": block.written, "change": change, "svg": _svg(chart(block)),
            "note": block.note, "basis": block.basis,
        }  # fmt: skip
    rows = [block.written(row) for row in block.listed]
    return {
        "kind": "table",
        "title": block.title,
        "columns": [column.title for column in block.columns],
        "texts": [place for place, column in enumerate(block.columns) if column.kind == "text"],
        "words": _words(block, rows),
        "rows": rows,
        "total": block.written(block.total) if block.total else [],
        "notes": block.notes,
    }


def _words(table: Table, rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the columns after the first that hold sentences."""
    return [place for place in range(1, len(table.columns)) if any(len(row[place]) > SENTENCE_LENGTH for row in rows)]


def _svg(chart: str) -> str:
    return str(chart).replace("<svg ", SVG_HEAD, 1).replace(">", STYLE, 1) if chart else ""
