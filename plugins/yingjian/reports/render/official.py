"""This module writes the report as an official document (.docx): the brief in the layout of a 公文, then the annex.

The layout follows GB/T 9704: A4, 37 mm above and 28 mm at the left, red head, the body in 仿宋 of 16 pt, headings in 黑体.
"""

from __future__ import annotations

import math
import unicodedata
import zipfile
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from pathlib import Path
from xml.sax.saxutils import escape

import docx
from docx.document import Document as Official
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from docx.text.paragraph import Paragraph
from lxml import etree

from yingjian.reports.content import text
from yingjian.reports.content.document import Chapter, Column, Document, Table, Text

BODY, HEAD, TITLE = "仿宋", "黑体", "方正小标宋简体"
BODY_SIZE, ANNEX_SIZE, TABLE_SIZE = Pt(16), Pt(12), Pt(9)
TEXT_WIDTH, CELL_MARGINS = 156.0, 4.5  # They are in millimetres.
# These are the ids of styles. Finding a style by its name would search all styles for each table and cell.
CELL, GRID = "表格", "TableGrid"
RED = RGBColor(0xC0, 0, 0)


def write_official(document: Document, path: Path) -> None:
    """Write the document; the same report gives the same bytes."""
    word_file = docx.Document()
    _lay_out(word_file, document)
    _brief(word_file, document)
    word_file.add_page_break()  # type: ignore[no-untyped-call]
    _heading(word_file, "附表")
    for chapter in document.chapters:
        _chapter(word_file, chapter)
    buffer = BytesIO()
    word_file.save(buffer)
    path.write_bytes(_reproducible(buffer.getvalue(), document.publication.published_at))


def _lay_out(word_file: Official, document: Document) -> None:
    section = word_file.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin, section.bottom_margin = Mm(37), Mm(35)
    section.left_margin, section.right_margin = Mm(28), Mm(26)
    style = word_file.styles["Normal"]
    _set_font(style.element.get_or_add_rPr(), BODY)
    style.font.size = BODY_SIZE  # type: ignore[attr-defined]
    # The style has the size, not the runs, because the height of an empty cell is that of its paragraph.
    cell = word_file.styles.add_style(CELL, WD_STYLE_TYPE.PARAGRAPH)
    cell.base_style, cell.font.size = style, TABLE_SIZE
    cell.paragraph_format.space_before = cell.paragraph_format.space_after = Pt(1)
    properties, published_at = word_file.core_properties, document.publication.published_at.replace(tzinfo=None)
    properties.title, properties.author, properties.comments = document.title, document.imprint.issued_by, ""
    properties.created = properties.modified = published_at.replace(microsecond=0)
    _page_number(section.footer.paragraphs[0])


def _brief(word_file: Official, document: Document) -> None:
    publication = document.publication
    _line(word_file, f"{document.title}{publication.mark}", size=Pt(26), font=TITLE, colour=RED, is_centred=True)
    _line(
        word_file,
        f"{document.audience.title}　第{document.number}期　{text.full_day(publication.as_of_date)}",
        size=Pt(14),
        is_centred=True,
    )
    imprint = "　".join(f"{word}：{words}" for word, words in document.imprint.lines)
    _rule(_line(word_file, f"{imprint}　依据：{document.edition}", size=Pt(12)))
    if document.state:
        _line(word_file, document.state, font=HEAD, colour=RED if document.is_emergency else None)
    if document.outbreak:
        _heading(word_file, "一、疫情概况")
        for word, sentence in document.outbreak:
            _line(word_file, f"{word}：{sentence}。")
    _heading(word_file, "二、主要数字" if document.outbreak else "一、主要数字")
    for tile in document.tiles:
        changes = "，".join(f"{change.against} {change.text}" for change in tile.changes)
        changes = f"（{changes}）" if changes else ""
        _line(word_file, f"{tile.label} {tile.written}{tile.unit}，{tile.note}{changes}。")
    numbers = iter("三四五" if document.outbreak else "二三四")
    _heading(word_file, f"{next(numbers)}、今日重点工作")
    for place, action in enumerate(document.actions, 1):
        details = "".join(f"{word}：{words}。" for word, words in action.lines)
        _line(word_file, f"{place}. {action.heading}：{action.text}（{action.basis}）{details}")
    _heading(word_file, f"{next(numbers)}、较前日变差指标及原因")
    if document.compared:
        _line(word_file, document.compared)
    for finding in document.findings:
        _line(
            word_file, f"{finding.mark} {finding.heading}：{finding.text}{''.join(f'{why}。' for why in finding.why)}"
        )
    if document.improved:
        _line(word_file, f"好转：{document.improved}。")
    _heading(word_file, f"{next(numbers)}、数据说明")
    if publication.released_by_hand:
        _line(word_file, f"人工放行：{document.notice}")
    for word, sentence in document.facts:
        _line(word_file, f"{word}：{sentence}")
    _line(word_file, document.sources, size=Pt(12))


def _chapter(word_file: Official, chapter: Chapter) -> None:
    """Write a chapter as the PDF has it: sentences, the daily figures as one table, tables."""
    title = _line(word_file, f"{chapter.title}（{chapter.basis}）", size=ANNEX_SIZE, font=HEAD, is_indented=False)
    title.paragraph_format.space_before = Pt(8)
    if daily := chapter.daily_table:
        _table(word_file, daily)
    for part in chapter.printed():
        if isinstance(part, Text):
            _line(word_file, part.words, size=Pt(10.5))
        else:
            _table(word_file, part)


def _table(word_file: Official, table: Table) -> None:
    if table.title:
        title = _line(word_file, table.title, size=Pt(10.5), font=HEAD, is_indented=False)
        title.paragraph_format.space_before = Pt(4)
        title.paragraph_format.keep_with_next = True
    rows = [table.written(row) for row in table.listed]
    rows += [table.written(table.total)] if table.total else []
    rows = [[column.title for column in table.columns], *rows]
    grid = word_file.add_table(rows=1, cols=len(table.columns))
    grid._tbl.tblStyle_val = GRID
    grid.autofit = False  # With autofit, some programs give every column the same width.
    widths = _widths(rows)
    for column, width in zip(grid.columns, widths, strict=True):
        column.width = width
    _form(grid.rows[0].cells, table.columns, widths)
    form = grid.rows[0]._tr
    # The library creates cells one by one, which takes most of the document's time, so each row is a copy of a form row with
    # its texts.
    *cells, end = etree.tostring(form, encoding="unicode").split(_CELL_END)
    lines = ("".join(f"{cell}{_run(words)}{_CELL_END}" for cell, words in zip(cells, row, strict=True)) for row in rows)
    grid._tbl.extend(parse_xml(f"<rows>{''.join(f'{line}{end}' for line in lines)}</rows>"))
    grid._tbl.remove(form)
    head = grid.rows[0]._tr.get_or_add_trPr()
    head.append(OxmlElement("w:tblHeader"))
    for note in table.notes:
        _line(word_file, note, size=TABLE_SIZE)


_CELL_END = "</w:p></w:tc>"


def _run(words: str) -> str:
    """Return the words of a cell in Word's XML, a line break as Word writes it."""
    space = ' xml:space="preserve"' if words != words.strip() else ""
    lines = (f"<w:t{space}>{escape(line)}</w:t>" if line else "" for line in words.split("\n"))
    return f"<w:r>{'<w:br/>'.join(lines)}</w:r>"


def _widths(rows: Sequence[Sequence[str]]) -> list[Mm]:
    """Divide the width of the page: no column gets more than its longest cell needs while another has too little.

    Columns with too little share the rest by the square root of what they need, so that a long text gets more and does not
    become a narrow column of letters.
    """
    needed = [max(map(_width, cells)) for cells in zip(*rows, strict=True)]
    given = [0.0] * len(needed)
    left, weights = TEXT_WIDTH, sum(map(math.sqrt, needed))
    for need, place in sorted((need, place) for place, need in enumerate(needed)):
        given[place] = min(need, left * math.sqrt(need) / weights)
        left -= given[place]
        weights -= math.sqrt(need)
    return [Mm(width + left / len(given)) for width in given]


def _width(words: str) -> float:
    """Return the millimetres that a text needs in one line of a cell; a Chinese character is as wide as high."""
    letters = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1.2 for letter in words)
    return letters * float(TABLE_SIZE.mm) / 2 + CELL_MARGINS


def _form(cells: Sequence[object], columns: Sequence[Column], widths: Sequence[Mm]) -> None:
    """Set width, style and alignment of the cells of an empty row."""
    for cell, column, width in zip(cells, columns, widths, strict=True):
        cell.width = width  # type: ignore[attr-defined]
        paragraph = cell.paragraphs[0]  # type: ignore[attr-defined]
        paragraph._p.style = CELL
        if column.kind != "text":
            paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT


def _heading(word_file: Official, words: str) -> None:
    _line(word_file, words, font=HEAD, is_indented=False)


def _line(
    word_file: Official,
    words: str,
    *,
    size: Pt = BODY_SIZE,
    font: str = BODY,
    colour: RGBColor | None = None,
    is_centred: bool = False,
    is_indented: bool = True,
) -> Paragraph:
    paragraph = word_file.add_paragraph()
    run = paragraph.add_run(words)
    run.font.size = size
    _set_font(run._r.get_or_add_rPr(), font)
    if colour is not None:
        run.font.color.rgb = colour
    paragraph.paragraph_format.space_after = Pt(2)
    if is_centred:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    elif is_indented:
        paragraph.paragraph_format.first_line_indent = size * 2
    return paragraph


def _set_font(properties: object, font: str) -> None:
    """Set the font for Latin and Chinese characters, which Word keeps apart."""
    fonts = properties.get_or_add_rFonts()  # type: ignore[attr-defined]
    for script in ("w:ascii", "w:hAnsi", "w:eastAsia"):
        fonts.set(qn(script), font)


def _rule(paragraph: Paragraph) -> None:
    """Draw the red line below the head."""
    borders, line = OxmlElement("w:pBdr"), OxmlElement("w:bottom")
    for name, value in (("val", "single"), ("sz", "12"), ("space", "4"), ("color", "C00000")):
        line.set(qn(f"w:{name}"), value)
    borders.append(line)
    paragraph._p.get_or_add_pPr().append(borders)


def _page_number(paragraph: Paragraph) -> None:
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), "PAGE")
    paragraph._p.append(field)


def _reproducible(content: bytes, at: datetime) -> bytes:
    """Return the archive with one date for all of its parts; Word's library writes the time of writing."""
    buffer = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in source.infolist():
            entry = zipfile.ZipInfo(part.filename, at.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, source.read(part))
    return buffer.getvalue()
