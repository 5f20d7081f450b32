"""This module writes the spreadsheet of a pack: a summary, the daily figures, a sheet per chapter, a sheet per list."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from yingjian.landing.feeds import DISPOSITIONS, RECEIPT_IF_EMPTY
from yingjian.reports.content import text
from yingjian.reports.content.document import Chapter, Document, Figure, Row, Table, Text
from yingjian.reports.content.lists import IDENTITY, LISTS, PLAIN_LISTS, columns, read_list, read_plain_list
from yingjian.reports.content.publication import Publication
from yingjian.reports.content.today import Listed, read_everybody
from yingjian.reports.render.long_lists import LONG, LongList

SHEET_ROWS = 1_048_575  # A sheet has at most this many rows below its header.
# A cell of these kinds looks as `text.cell` writes it, and stays a number or a date.
CODES = {
    "count": "#,##0",
    "share": "0.0%",
    "change": '"▲"#,##0;"▼"#,##0;"持平"',
    "date": 'm"月"d"日"',
    "time": 'm"月"d"日"hh:mm',
}
WIDEST = 44
TODAY = "今日名单"
TODAY_COLUMNS = (*IDENTITY, "社区", "网格", "住址", "事项", "截止", "说明", "已有处置")
ANSWER = ("处置结果", "处置人", "处置时间", "备注")
ITEM_COLUMNS = ("编号", "名单", "项目编号", "更新时间")
WIDE = ("说明", "工作单位", "内容", "检查", "口径")


class Book:
    """A book has sheets with a frozen header, a filter, and cells by the type of their value."""

    def __init__(self, path: Path, created: datetime) -> None:
        # Rows go to disk as they come, and no cell is ever a formula or a link.
        self.book = xlsxwriter.Workbook(
            path,
            {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
        )  # fmt: skip
        self.book.set_properties({"title": "应检尽检日报", "created": created})
        self.text = self.book.add_format({"num_format": "@"})
        self._head = self.book.add_format({"bold": True, "bottom": 1, "bg_color": "#dbe7f4", "text_wrap": True})
        self._title = self.book.add_format({"bold": True, "font_size": 15})
        self._bold = self.book.add_format({"bold": True})
        self._formats: dict[type, Format] = {
            float: self.book.add_format({"num_format": "0.0"}),
            int: self.book.add_format({"num_format": "#,##0"}),
            date: self.book.add_format({"num_format": "yyyy-mm-dd"}),
            datetime: self.book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
            str: self.book.add_format({"num_format": "@"}),
        }
        self._kinds = {kind: self.book.add_format({"num_format": code}) for kind, code in CODES.items()}
        self._widths: dict[int, int] = {}
        self._wrapped = self.book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"})

    def sheet(self, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Write rows under a header, on a further sheet when one is full; return the number of rows."""
        total, part, sheet, line = 0, 1, self.start(name, header), 0
        kinds = ["share" if words.endswith("率") else "" for words in header]
        for row in rows:
            if line == SHEET_ROWS:
                self.finish(sheet, header, line)
                part += 1
                sheet, line = self.start(f"{name}{part}", header), 0
            line += 1
            self.write(sheet, line, row, kinds)
            total += 1
        self.finish(sheet, header, line)
        return total

    def listing(self, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Write a sheet for rows, or none if there are no rows; return the number of rows."""
        left = iter(rows)
        first = next(left, None)
        return 0 if first is None else self.sheet(name, header, itertools.chain([first], left))

    def plain(self, name: str) -> Worksheet:
        sheet = self.book.add_worksheet(name)
        _for_paper(sheet)
        return sheet

    def write(
        self, sheet: Worksheet, line: int, row: Sequence[Any], kinds: Sequence[str] = (), wrap: bool = False
    ) -> None:
        """Write values by their type, or by the kinds of their columns: then a cell shows what the page writes."""
        for place, value in enumerate(row):
            kind = kinds[place] if place < len(kinds) else ""
            shown = text.NOTHING if value is None and kind else value
            if shown is None or shown == "":
                continue
            self._widths[place] = max(self._widths.get(place, 0), min(_width(shown, kind) + 2, WIDEST))
            chosen = self._kinds.get(kind) or self._formats.get(type(shown), self._formats[str])
            if isinstance(shown, (int, float)) and not isinstance(shown, bool):
                sheet.write_number(line, place, text.share(shown) if kind == "share" else shown, chosen)
            elif isinstance(shown, date):
                sheet.write_datetime(line, place, shown, chosen)
            else:
                sheet.write_string(line, place, str(shown), self._wrapped if wrap else self._formats[str])

    def title(self, sheet: Worksheet, line: int, words: str, small: bool = False) -> None:
        sheet.write_string(line, 0, words, self._bold if small else self._title)

    def table(self, sheet: Worksheet, line: int, table: Table) -> int:
        """Write a table with all its rows from a line on; return the line after it."""
        kinds = [column.kind for column in table.columns]
        self.title(sheet, line, table.title, small=True)
        self.head(sheet, line + 1, [column.title for column in table.columns])
        rows: list[Row] = [*(table.every or table.listed), *([table.total] if table.total else [])]
        for place, row in enumerate(rows, line + 2):
            self.write(sheet, place, row, kinds)
        for place, note in enumerate(table.notes, line + 2 + len(rows)):
            self.write(sheet, place, (note,))
        return line + 2 + len(rows) + len(table.notes)

    def head(self, sheet: Worksheet, line: int, header: Sequence[str]) -> None:
        for place, words in enumerate(header):
            sheet.write(line, place, words or None, self._head)

    def start(self, name: str, header: Sequence[str]) -> Worksheet:
        sheet = self.book.add_worksheet(name)
        self._widths = {
            place: 44 if words in WIDE else max(10, len(words) * 2 + 3) for place, words in enumerate(header)
        }
        self.head(sheet, 0, header)
        sheet.freeze_panes(1, 0)
        _for_paper(sheet)
        sheet.repeat_rows(0)
        return sheet

    def finish(self, sheet: Worksheet, header: Sequence[str], lines: int) -> None:
        """Make the columns as wide as their contents, because a program shows ### for a time that does not fit."""
        for place, _ in enumerate(header):
            sheet.set_column(place, place, self._widths[place])
        sheet.autofilter(0, 0, max(lines, 1), len(header) - 1)


def write_today(book: Book, publication: Publication, listed: Iterable[Listed]) -> int:
    """Write today's list as a form: an item a row, with empty columns for the answer; return the number of rows.

    The sheet comes back as a file of the feed dispositions. Its last columns, which are hidden, are that feed's, so that an
    answer that is corrected and sent again replaces the first. No sheet is written without rows.
    """
    rows = (
        (
            person.name, person.id_number, person.phone, person.community, person.grid, person.address, item.title, item.limit,
            item.explanation, item.answer.result if item.answer else None, *([None] * len(ANSWER)),
            f"{publication.as_of_date}/{item.list}/{_short(item.number)}", item.list, item.number,
            f"{publication.published_at:%Y-%m-%d %H:%M:%S}",
        )
        for person in listed
        for item in person.items
    )  # fmt: skip
    header = (*TODAY_COLUMNS, *ANSWER, *ITEM_COLUMNS)
    count = book.listing(TODAY, header, rows)
    if count:
        sheet, first, words = book.book.get_worksheet_by_name(TODAY), len(TODAY_COLUMNS), "、".join(DISPOSITIONS)
        sheet.data_validation(1, first, count, first, {
            "validate": "list", "source": list(DISPOSITIONS), "error_title": "代码不在允许范围",
            "error_message": f"“处置结果”只能填：{words}", "input_title": "处置结果", "input_message": f"只能填：{words}",
        })  # fmt: skip
        sheet.data_validation(1, first + 2, count, first + 2, {
            "validate": "any", "input_title": "处置时间", "input_message": RECEIPT_IF_EMPTY,
        })  # fmt: skip
        for place in range(first, first + len(ANSWER)):
            sheet.set_column(place, place, 22, book.text)
        sheet.set_column(first + len(ANSWER), len(header) - 1, None, None, {"hidden": True})
    return count


def _short(number: str) -> str:
    """Return a hash of an item's number, which may be longer than the feed's key allows."""
    return hashlib.sha256(number.encode()).hexdigest()[:32]


def _width(value: object, kind: str) -> int:
    """Return how many Latin characters a cell is wide; a Chinese one is as wide as two."""
    if isinstance(value, datetime):
        return 16
    shown = (
        text.cell(value, kind)
        if kind and isinstance(value, int | float | date)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )
    # A Chinese character takes three bytes and is as wide as two of one byte.
    return (len(shown) + len(shown.encode())) // 2


def _for_paper(sheet: Worksheet) -> None:
    """Print the sheet on A4 across, as wide as the page."""
    sheet.set_paper(9)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


def write_workbook(
    conn: psycopg.Connection[Any], document: Document, long_lists: Mapping[str, LongList], path: Path
) -> dict[str, int]:
    """Write the spreadsheet of a pack; return the rows by list. The caller is inside `narrowed`.

    A list in `long_lists` has files of its own, and its sheet says so.

    Memory does not grow with the lists: their rows come by a server-side cursor and go to disk one by one.
    """
    book, publication_id = Book(path, document.publication.published_at), document.publication.publication_id
    _summary(book, document)
    counts, sees_names, hidden = {}, document.audience.sees_names, document.hidden
    if sees_names:
        counts[TODAY] = write_today(book, document.publication, read_everybody(conn, document.publication))
    # The lists are what people work with, so they come first; one without rows has no sheet.
    for person_list in LISTS:
        if person_list.mart in long_lists:
            counts[person_list.title] = _elsewhere(book, person_list.title, long_lists[person_list.mart])
        elif person_list.mart not in hidden:
            rows = read_list(conn, publication_id, person_list, sees_names)
            counts[person_list.title] = book.listing(person_list.title, columns(person_list, sees_names), rows)
    _daily(book, document)
    for chapter in document.chapters:
        _chapter(book, chapter)
    for table in document.sheets:
        book.sheet(table.title, [column.title for column in table.columns], table.every or table.listed)
    for plain in PLAIN_LISTS:
        if plain.mart not in hidden:
            counts[plain.title] = book.listing(plain.title, plain.columns, read_plain_list(conn, publication_id, plain))
    terms = ((term.term, term.basis, term.meaning) for term in document.definitions)
    book.sheet("口径", ("名称", "依据", "内容"), terms)
    book.book.close()
    return counts


def _elsewhere(book: Book, title: str, long_list: LongList) -> int:
    """Write a sheet that says where the rows of a list are; return how many there are."""
    for_spreadsheets, for_analysts = long_list.files
    words = (
        f"本名单共{long_list.rows:,}行，超过一张表的上限{LONG:,}行，不列入本工作簿，内容没有删减。",
        f"全部内容在同一期的文件 {for_spreadsheets}（Excel、WPS可打开）和 {for_analysts}（数据分析用）中，栏目相同。",
        "在门户打开本期日报可下载；共享文件夹中与本工作簿放在一起；不随邮件发送。",
    )
    sheet = book.plain(title)
    for line, sentence in enumerate(words):
        book.write(sheet, line, (sentence,))
    return long_list.rows


def _summary(book: Book, document: Document) -> None:
    """Write the five-minute summary: state, what got worse, what must be done by whom, and the notes on the data."""
    publication, sheet = document.publication, book.plain("摘要")
    for place, width in enumerate((16, 14, 90, 22, 40, 24, 40)):
        sheet.set_column(place, place, width)
    book.title(sheet, 0, f"{document.title}{publication.mark}（{document.audience.title}）")
    book.write(sheet, 1, ("业务日期", publication.as_of_date))
    book.write(sheet, 2, ("期号", document.number))
    book.write(sheet, 3, ("依据", None, document.edition))
    for line, (word, words) in enumerate(document.imprint.lines, 4):
        book.write(sheet, line, (word, None, words))
    line = 4 + len(document.imprint.lines)
    if document.state:
        book.write(sheet, line, ("平急状态", None, document.state, document.state_basis), wrap=True)
        line += 1

    def part(header: Sequence[str], rows: Iterable[Sequence[Any]], kinds: Sequence[Sequence[str]] = ()) -> None:
        nonlocal line
        line += 1
        book.head(sheet, line, header)
        for place, row in enumerate(rows):
            line += 1
            book.write(sheet, line, row, kinds[place] if kinds else (), wrap=True)
        line += 1

    part(
        ("主要数字", "数值", "说明", "比前一日", "比上周", "单位"),
        ((it.label, it.value, it.note, it.against("比前一日"), it.against("比上周"), it.unit) for it in document.tiles),
        [("", it.kind) for it in document.tiles],
    )
    findings = [(it.heading, it.mark, "\n".join((it.text, *it.why)), it.basis) for it in document.findings]
    part(
        ("比前一日", "", "变差指标及原因", "依据"),
        [*findings, *([("好转", "▼", document.improved)] if document.improved else [])],
    )
    part(
        ("今日重点工作", "序号", "内容", "依据", "责任单位", "限时", "责任人"),
        (
            (it.heading, number, it.text, it.basis, "、".join(it.units), it.limit, "、".join(it.people))
            for number, it in enumerate(document.actions, 1)
        ),
    )
    if document.outbreak:
        part(("疫情概况", "", "内容"), ((word, None, sentence) for word, sentence in document.outbreak))
    part(("数据说明", "", "内容"), ((word, None, sentence) for word, sentence in document.facts))


def _daily(book: Book, document: Document) -> None:
    """Write the daily figures: today, the day before, the last 14 days as numbers, definition and article.

    A grid has none, and no sheet of them.
    """
    if not any(figure.is_daily for chapter in document.chapters for figure in chapter.each(Figure)):
        return
    header = (
        "章节",
        "指标",
        "单位",
        "今日",
        "前一日",
        "变化",
        *(f"{day:%Y-%m-%d}" for day in document.days),
        "口径",
        "依据",
    )
    sheet, line = book.start("每日指标", header), 0
    for chapter in document.chapters:
        for figure in chapter.each(Figure):
            if figure.is_daily:
                line += 1
                kind = "share" if figure.is_share else ""
                row = (
                    chapter.title,
                    figure.title,
                    figure.unit,
                    figure.today,
                    figure.before,
                    figure.change,
                    *figure.values,
                )
                book.write(
                    sheet,
                    line,
                    (*row, figure.note, figure.basis),
                    ("", "", "", *[kind] * 2, "", *[kind] * len(figure.values)),
                )
    book.finish(sheet, header, line)


def _chapter(book: Book, chapter: Chapter) -> None:
    """Write a sheet for a chapter that has more than sentences and daily figures."""
    if not any(isinstance(part, Table) for part in chapter.printed()):
        return
    sheet = book.plain(sheet_name(chapter))
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 12, 13)
    book.title(sheet, 0, f"{chapter.title}（{chapter.basis}）")
    line = 1
    for part in chapter.printed():
        if isinstance(part, Text):
            book.write(sheet, line, (part.words,))
            line += 1
        else:
            line = book.table(sheet, line + 1, part)


def sheet_name(chapter: Chapter) -> str:
    """Return the name of a chapter's sheet, with a suffix if a list has the same title."""
    taken = {one_list.title for one_list in (*LISTS, *PLAIN_LISTS)}
    return f"{chapter.title}汇总" if chapter.title in taken else chapter.title
