"""The Word file of the report in a word processor: it opens, and it shows what the report says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from yingjian.people.audience import OFFICE
from yingjian.reports.content.audiences import narrowed
from yingjian.reports.content.document import Table
from yingjian.reports.content.report import read_document
from yingjian.reports.render.official import write_official

WRITER = Path("/usr/lib/libreoffice/program/libswlo.so")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("soffice") is None or not WRITER.exists(),
        reason="no Writer: apt-get install libreoffice-writer-nogui",
    ),
]


def squeezed(words: str) -> str:
    return re.sub(r"\s+", "", words)


def test_a_word_processor_shows_the_brief_and_the_tables(town_database: str, tmp_path: Path) -> None:
    with psycopg.connect(town_database) as conn, narrowed(conn, OFFICE):
        document = read_document(conn, 12, OFFICE)
    write_official(document, tmp_path / "office.docx")
    program = ["soffice", "--headless", f"-env:UserInstallation=file://{tmp_path}/profile"]
    convert = ["--convert-to", "txt:Text (encoded):UTF8", "--outdir", tmp_path, tmp_path / "office.docx"]
    subprocess.run([*program, *convert], check=True, capture_output=True, timeout=180)
    shown = squeezed((tmp_path / "office.txt").read_text("utf-8-sig"))
    assert document.number in shown and "今日重点工作" in shown
    for tile in document.tiles:
        assert squeezed(f"{tile.label}{tile.written}{tile.unit}") in shown
    tables = [table for chapter in document.chapters for table in chapter.each(Table)]
    assert len(tables) > 15
    for table in tables:
        assert squeezed(table.title + "".join(column.title for column in table.columns)) in shown
