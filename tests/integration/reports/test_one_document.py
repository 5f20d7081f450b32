"""A table or a figure of the report has the same characters on the page, in spreadsheet, PDF, Word file, picture and messages."""

from __future__ import annotations

import email
import email.policy
import html
import io
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import docx
import lxml.html
import openpyxl
import psycopg
import pypdf
import pytest
from openpyxl.cell import Cell
from openpyxl.worksheet.worksheet import Worksheet

from tests.towns import town
from yingjian.delivery.ledger import Attempt
from yingjian.delivery.mail import compose as mail_bytes
from yingjian.delivery.messages import TASKS, Composer
from yingjian.people.audience import OFFICE, Audience
from yingjian.people.officials import Official
from yingjian.reports.content.audiences import narrowed
from yingjian.reports.content.document import FIRST_ACTIONS, Chapter, Document, Figure, Table
from yingjian.reports.content.report import read_document
from yingjian.reports.packs import Pack, write_packs
from yingjian.reports.render import pdf
from yingjian.reports.render.workbook import sheet_name

pytestmark = pytest.mark.slow

CHOSEN = [
    OFFICE,
    Audience("community", "招丰社区"),
    Audience("department", "卫健局"),
    Audience.of_grid(town.COMMUNITIES[0], "01网格"),
]
SHOWN: dict[str, Callable[[object], str]] = {
    "#,##0": lambda value: f"{value:,}",
    "0.0%": lambda value: f"{value:.1%}",
    '"▲"#,##0;"▼"#,##0;"持平"': lambda value: f"{'▲' if value > 0 else '▼'}{abs(value):,}" if value else "持平",  # type: ignore[operator, arg-type]
    'm"月"d"日"': lambda value: f"{value.month}月{value.day}日",  # type: ignore[attr-defined]
    'm"月"d"日"hh:mm': lambda value: f"{value.month}月{value.day}日{value:%H:%M}",  # type: ignore[attr-defined]
}
Written = tuple[str, list[str], list[list[str]]]  # It has a title, columns and rows.


@pytest.fixture(scope="module")
def packs(town_database: str, tmp_path_factory: pytest.TempPathFactory) -> dict[Audience, tuple[Document, Pack]]:
    out = tmp_path_factory.mktemp("packs")
    with psycopg.connect(town_database) as conn:
        # A share that two ways of rounding write differently, and one that is all but whole.
        conn.execute(
            "update published.vaccination_60plus set residents = 2000, booster = 1827 where publication_id = 12"
        )
        conn.execute("update published.sampling_unit_daily set coverage_lately = 0.9999 where publication_id = 12")
        written = {pack.audience: pack for pack in write_packs(conn, 12, out, CHOSEN)}
        documents = {}
        for audience in CHOSEN:
            with narrowed(conn, audience):
                documents[audience] = read_document(conn, 12, audience)
        conn.rollback()
    return {audience: (documents[audience], written[audience]) for audience in CHOSEN}


def tables(document: Document) -> Iterator[tuple[Chapter, Table]]:
    for chapter in document.chapters:
        yield from ((chapter, table) for table in chapter.each(Table))


def expected(table: Table, *, every: bool = False) -> Written:
    rows = (table.every if every else ()) or table.listed
    rows = [*rows, *([table.total] if table.total else [])]
    return table.title, [column.title for column in table.columns], [table.written(row) for row in rows]


def on_page(path: Path) -> dict[str, list[Written]]:
    """Return the tables of the page by the anchor of their section."""
    found: dict[str, list[Written]] = {}
    for anchor, section in re.findall(r'<section id="([\w-]+)".*?>(.*?)</section>', path.read_text("utf-8"), re.DOTALL):
        for title, table in re.findall(r'<div class="table">\s*<h3>(.*?)</h3>(.*?)</table>', section, re.DOTALL):
            head, *rows = (_cells(row) for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL))
            found.setdefault(anchor, []).append((html.unescape(title), head, rows))
    return found


def _cells(row: str) -> list[str]:
    return [
        html.unescape(re.sub(r"<[^>]*>", "", cell)) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL)
    ]


def in_workbook(sheet: Worksheet, table: Table) -> Written:
    """Return the rows of a sheet below a table's title."""
    start = next(row for row in range(1, sheet.max_row + 1) if sheet.cell(row, 1).value == table.title)
    width = len(table.columns)
    head, *rows = (
        [_shown(sheet.cell(row, place)) for place in range(1, width + 1)] for row in range(start + 1, sheet.max_row + 1)
    )
    return table.title, head, rows[: len(expected(table, every=True)[2])]


def _shown(cell: Cell) -> str:
    """A cell's characters, as a spreadsheet program shows them."""
    if cell.value is None:
        return ""
    return cell.value if isinstance(cell.value, str) else SHOWN[cell.number_format](cell.value)


def squeezed(words: str) -> str:
    return re.sub(r"\s+", "", words)


def in_word_file(path: Path) -> tuple[str, list[list[list[str]]]]:
    """Return the text of the paragraphs without blanks, and the cells of each table."""
    written = docx.Document(str(path))
    said = squeezed("".join(paragraph.text for paragraph in written.paragraphs))
    return said, [[[cell.text for cell in row.cells] for row in table.rows] for table in written.tables]


def in_picture(document: Document) -> str:
    """Return the text of the picture without blanks: its template set as a PDF, of which text can be read."""
    inputs = {"report": json.dumps(pdf.content(document), ensure_ascii=False), "form": "picture"}
    compiled = pdf._compiler().compile(input=pdf._template("report"), format="pdf", sys_inputs=inputs)
    return squeezed("".join(sheet.extract_text() for sheet in pypdf.PdfReader(io.BytesIO(compiled)).pages))


def through_libreoffice(path: Path, folder: Path, form: str) -> Path:
    """Return a spreadsheet as LibreOffice shows it, as a page or a PDF."""
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("no LibreOffice found: apt-get install libreoffice-calc-nogui")
    profile = f"-env:UserInstallation=file://{folder}/profile"
    command = [program, "--headless", profile, "--convert-to", form, "--outdir", str(folder), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    return folder / f"{path.stem}.{form}"


@pytest.mark.parametrize("audience", CHOSEN, ids=lambda audience: audience.code)
def test_a_spreadsheet_program_shows_the_characters_of_the_page(packs, tmp_path, audience):
    document, pack = packs[audience]
    shown = lxml.html.fromstring(through_libreoffice(pack.workbook, tmp_path, "html").read_bytes().decode())
    rows = [[squeezed(cell.text_content()) for cell in row.findall("td")] for row in shown.iter("tr")]
    for _, table in tables(document):
        title, columns, lines = expected(table, every=True)
        wanted = [list(map(squeezed, line)) for line in (columns, *lines)]
        width = len(columns)
        starts = [place for place, row in enumerate(rows) if row[:1] == [squeezed(title)]]
        found = [[row[:width] for row in rows[start + 1 : start + 1 + len(wanted)]] for start in starts]
        assert wanted in found, title


@pytest.mark.parametrize("audience", CHOSEN, ids=lambda audience: audience.code)
def test_no_cell_is_too_narrow_for_what_stands_in_it(packs, tmp_path, audience):
    _, pack = packs[audience]
    pages = pypdf.PdfReader(through_libreoffice(pack.workbook, tmp_path, "pdf")).pages
    said = "\n".join(page.extract_text() for page in pages)
    if audience.kind in ("office", "community"):  # The grid of this town has nothing with a deadline.
        assert re.search(r"2022-07-\d\d \d\d:\d\d", said), "there are deadlines"
    assert "##" not in said


@pytest.mark.parametrize("audience", CHOSEN, ids=lambda audience: audience.code)
def test_the_brief_is_the_same_in_every_form(packs, audience):
    check_brief(*packs[audience])


def check_brief(document: Document, pack: Pack) -> None:
    page = squeezed(html.unescape(re.sub(r"<[^>]*>", "", pack.page.read_text("utf-8"))))
    paper = squeezed("".join(sheet.extract_text() for sheet in pypdf.PdfReader(pack.pdf).pages))
    word, _ = in_word_file(pack.official)
    mail = squeezed(pack.summary.read_text("utf-8"))
    picture = in_picture(document)
    for tile in document.tiles:
        for said in (page, paper, word, mail, picture):
            assert squeezed(f"{tile.written}{tile.unit}") in said, tile.label
    for action in document.actions:
        for said in (page, paper, word, mail):
            assert squeezed(action.text) in said, action.heading
    for action in document.actions[:FIRST_ACTIONS]:
        assert squeezed(action.text) in picture, action.heading
    for finding in document.findings:
        for said in (page, paper, word, picture):
            assert squeezed(finding.text) in said, finding.heading
    for _, sentence in (*document.outbreak, *document.facts):
        for said in (page, paper, word):
            assert squeezed(sentence) in said, sentence
    assert document.number in page and document.number in paper and document.number in word


def test_the_office_reads_one_page_first_and_six_in_all(packs):
    document, pack = packs[OFFICE]
    pages = [squeezed(sheet.extract_text()) for sheet in pypdf.PdfReader(pack.pdf).pages]
    assert len(pages) <= 6
    for words in ("疫情概况", "今日重点工作", "较前日变差指标及原因", "数据说明", squeezed(document.facts[-1][1])):
        assert words in pages[0]


@pytest.mark.parametrize("audience", CHOSEN, ids=lambda audience: audience.code)
def test_a_table_is_the_same_in_every_form(packs, audience):
    document, pack = packs[audience]
    check_tables(document, pack)
    assert sum(1 for _ in tables(document)) > {"office": 15, "grid": 0}.get(audience.kind, 8)


def check_tables(document: Document, pack: Pack) -> None:
    page, book = on_page(pack.page), openpyxl.load_workbook(pack.workbook)
    said = re.sub(r"\s+", "", "".join(sheet.extract_text() for sheet in pypdf.PdfReader(pack.pdf).pages))
    _, in_word = in_word_file(pack.official)
    found = list(tables(document))
    assert sum(map(len, page.values())) == len(found)
    for chapter, table in found:
        assert expected(table) in page[chapter.anchor], table.title
        assert in_workbook(book[sheet_name(chapter)], table) == expected(table, every=True)
        title, columns, rows = expected(table)
        assert [columns, *rows] in in_word, title
        for words in (title + "".join(columns), *map("".join, rows)):
            assert re.sub(r"\s+", "", words) in said, (title, words)


def test_all_of_the_rows_are_the_same_ones(packs):
    """The spreadsheet has every row of a table that the page cuts short, and the page's sums are theirs."""
    document, _ = packs[OFFICE]
    (units,) = (table for _, table in tables(document) if table.complete == "单位统计")
    assert list(units.rows) == list(units.every[: len(units.rows)]) and len(units.every) > 100
    for place in (1, 2):
        assert sum(row[place] for row in units.listed) == sum(row[place] for row in units.every) == units.total[place]


@pytest.mark.parametrize("audience", CHOSEN[:3], ids=lambda audience: audience.code)  # A grid has no daily figures.
def test_a_daily_figure_is_the_same_in_every_form(packs, audience):
    assert check_daily_figures(*packs[audience]) > (20 if audience == OFFICE else 3)


def check_daily_figures(document: Document, pack: Pack) -> int:
    """Compare every daily figure; return how many there are."""
    page = pack.page.read_text("utf-8")
    said = re.sub(r"\s+", "", "".join(sheet.extract_text() for sheet in pypdf.PdfReader(pack.pdf).pages))
    _, in_word = in_word_file(pack.official)
    sheet = openpyxl.load_workbook(pack.workbook)["每日指标"]
    rows = {row[1].value: row for row in sheet.iter_rows(min_row=2)}
    figures = [figure for chapter in document.chapters for figure in chapter.each(Figure) if figure.is_daily]
    assert len(figures) == len(rows)
    for figure in figures:
        today, change = rows[figure.title][3], rows[figure.title][5]
        written = today.value if isinstance(today.value, str) else SHOWN[today.number_format](today.value)
        assert f"{written} {figure.unit}".strip() == figure.written and change.value == figure.change
        assert f"{figure.title} <b>{html.escape(figure.written)}</b>" in page
        assert re.sub(r"\s+", "", figure.title + figure.written) in said
        assert any([figure.title, figure.written] == row[:2] for table in in_word for row in table)
    return len(figures)


@pytest.mark.parametrize("audience", CHOSEN, ids=lambda audience: audience.code)
def test_a_message_has_the_characters_of_the_page(town_database, packs, audience):
    with psycopg.connect(town_database) as conn:
        check_messages(conn, *packs[audience])


def check_messages(conn: psycopg.Connection, document: Document, pack: Pack) -> None:
    """Compare what each channel says with the document: mail as it is sent, and the text of a group's robots."""
    composer = Composer(conn, town.PUBLICATION_ID, pack.page.parents[1], b"", "https://portal.example", only_reads=True)
    official = Official("reader", "读者", pack.audience)
    said = {}
    for channel in ("mail", "wecom", "dingtalk"):
        attempt = Attempt(0, town.PUBLICATION_ID, "pack", "", "reader", channel, 1, "", pack.audience, "planned")
        message = composer.message(attempt, official)
        said[channel] = squeezed(message.words(channel))
        if channel == "mail":
            mail = email.message_from_bytes(
                mail_bytes(message, "a@example.org", "b@example.org", "<1@x>"), policy=email.policy.default
            )
            for kind in ("plain", "html"):
                part = mail.get_body((kind,))
                assert part is not None
                said[kind] = squeezed(html.unescape(re.sub(r"<[^>]*>", "", part.get_content())))
    for tile in document.tiles:
        for channel, words in said.items():
            assert squeezed(f"{tile.written}{tile.unit}") in words, (channel, tile.label)
    for action in document.actions:
        for channel in ("mail", "plain", "html"):
            assert squeezed(action.text) in said[channel], (channel, action.heading)
    for action in document.actions[:TASKS]:
        assert squeezed(action.text) in said["dingtalk"], action.heading


@pytest.mark.beyond  # It takes minutes: every audience of the town, in every form.
def test_every_audience_reads_the_same_characters_in_every_form(town_database, tmp_path):
    kinds: Counter[str] = Counter()
    with psycopg.connect(town_database) as conn:
        for pack in write_packs(conn, town.PUBLICATION_ID, tmp_path):
            with narrowed(conn, pack.audience):
                document = read_document(conn, town.PUBLICATION_ID, pack.audience)
            check_brief(document, pack)
            check_tables(document, pack)
            check_daily_figures(document, pack)
            check_messages(conn, document, pack)
            kinds[pack.audience.kind] += 1
    assert kinds["office"] == 1 and kinds["community"] > 5 and kinds["department"] > 5


def test_a_share_that_rounding_could_write_twice(packs):
    """1827 of 2000 is 91.4 % everywhere, and 99.99 % is not all."""
    document, _ = packs[OFFICE]
    by_title = {table.title: table for _, table in tables(document)}
    vaccination = by_title["按社区，加强率低的在前（人）"]
    assert {vaccination.written(row)[-1] for row in vaccination.rows} == {"91.4%"}
    units = by_title["各单位当日"]
    assert {units.written(row)[-1] for row in units.rows} == {"99.9%"}


def test_mail_has_the_page_s_figures_and_actions(packs):
    for audience, (document, pack) in packs.items():
        summary = json.loads(pack.summary.read_text("utf-8"))
        page = html.unescape(re.sub(r"<[^>]*>", "", pack.page.read_text("utf-8")))
        for (label, value), tile in zip(summary["facts"], document.tiles, strict=True):
            assert label == tile.label and value == f"{tile.written}{tile.unit}，{tile.note}"
            assert tile.written in page
        assert len(summary["actions"]) == len(document.actions) > (1 if audience.kind == "grid" else 3)
        assert all(action.text in page for action in document.actions)


def test_the_same_publication_gives_the_same_files(town_database, packs, tmp_path):
    with psycopg.connect(town_database) as conn:
        first, second = (write_packs(conn, town.PUBLICATION_ID, tmp_path / name, [OFFICE])[0] for name in "ab")
        for one, other in zip((*first.files, first.summary), (*second.files, second.summary), strict=True):
            assert one.read_bytes() == other.read_bytes(), one.name
