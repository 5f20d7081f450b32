"""The official document and the picture: what they say, how they are laid out, and that they are made the same again."""

import struct
from datetime import datetime
from pathlib import Path

import docx
import pytest
from docx.oxml.ns import qn

from tests.unit.reports.hand_made import BEFORE, NOW, document, feed, frame, issue, zone
from yingjian.reports.document import Document, Table
from yingjian.reports.official import write_official
from yingjian.reports.pdf import write_picture


@pytest.fixture
def made() -> Document:
    urgent = frame("state", (NOW, "急", datetime(2022, 7, 16, 8), "报告本土感染者", 9, 4))
    return document(
        of=issue(before=BEFORE), state=urgent, zones=frame("zones", zone(eligible_level="中")),
        feeds=frame("feeds", feed(status="missing")),
    )  # fmt: skip


def test_the_document_says_what_the_page_says(made: Document, tmp_path: Path) -> None:
    write_official(made, tmp_path / "a.docx")
    written = docx.Document(str(tmp_path / "a.docx"))
    said = "\n".join(paragraph.text for paragraph in written.paragraphs)
    for words in (
        made.title, f"第{made.number}期", made.edition, made.state, "编发单位：北峰街道防控办",
        *(action.text for action in made.actions), *(finding.text for finding in made.findings),
        *(f"{word}：{sentence}" for word, sentence in made.facts), made.sources,
    ):  # fmt: skip
        assert words in said, words
    tables = [[[cell.text for cell in row.cells] for row in table.rows] for table in written.tables]
    for chapter in made.chapters:
        for table in chapter.each(Table):
            rows = [table.written(row) for row in (*table.listed, *([table.total] if table.total else []))]
            assert [[column.title for column in table.columns], *rows] in tables, table.title


def test_the_layout_is_that_of_an_official_document(made: Document, tmp_path: Path) -> None:
    write_official(made, tmp_path / "a.docx")
    written = docx.Document(str(tmp_path / "a.docx"))
    section = written.sections[0]
    assert [round(side.mm) for side in (section.page_width, section.page_height)] == [210, 297]
    assert [round(side.mm) for side in (section.top_margin, section.left_margin)] == [37, 28]
    title, body = written.paragraphs[0].runs[0], written.paragraphs[3].runs[0]
    assert str(title.font.color.rgb) == "C00000" and title.font.size.pt == 26
    assert body.font.size.pt == 16
    normal = written.styles["Normal"].element.rPr.rFonts
    assert normal.get(qn("w:eastAsia")) == "仿宋"


@pytest.mark.parametrize("write", [write_official, write_picture])
def test_the_same_report_gives_the_same_bytes(made: Document, tmp_path: Path, write, monkeypatch) -> None:
    write(made, tmp_path / "a")
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    write(made, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_picture_is_as_wide_as_a_phone_and_fits_a_group_robot(made: Document, tmp_path: Path) -> None:
    write_picture(made, tmp_path / "a.png")
    picture = (tmp_path / "a.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) < 2 * 1024 * 1024
    width, height = struct.unpack(">II", picture[16:24])
    assert width == 780 and height > width
