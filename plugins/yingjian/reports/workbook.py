"""The spreadsheet of a pack: a summary, a sheet per topic, a sheet per list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from yingjian.reports import text
from yingjian.reports.actions import actions
from yingjian.reports.audiences import Audience
from yingjian.reports.figures import Figures, Slice
from yingjian.reports.html import tiles
from yingjian.reports.lists import LISTS, columns, read_list

SHEET_ROWS = 1_048_575  # of a sheet, below its header
WIDE = ("说明", "工作单位", "内容", "检查")


class Book:
    """Sheets with a frozen header, a filter, and cells by the type of their value."""

    def __init__(self, path: Path, created: datetime) -> None:
        # Rows go to disk as they come, and no cell is ever a formula or a link.
        self.book = xlsxwriter.Workbook(
            path,
            {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
        )  # fmt: skip
        self.book.set_properties({"title": "应检尽检日报", "created": created})
        self._head = self.book.add_format({"bold": True, "bottom": 1, "bg_color": "#dbe7f4", "text_wrap": True})
        self._title = self.book.add_format({"bold": True, "font_size": 15})
        self._bold = self.book.add_format({"bold": True})
        self._formats: dict[type, Format] = {
            float: self.book.add_format({"num_format": "0.0%"}),
            int: self.book.add_format({"num_format": "#,##0"}),
            date: self.book.add_format({"num_format": "yyyy-mm-dd"}),
            datetime: self.book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
            str: self.book.add_format({"num_format": "@"}),
        }

    def sheet(self, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Write rows under a header, on a further sheet where one is full; returns the number of rows."""
        total, part, sheet, line = 0, 1, self._start(name, header), 0
        for row in rows:
            if line == SHEET_ROWS:
                self._finish(sheet, header, line)
                part += 1
                sheet, line = self._start(f"{name}{part}", header), 0
            line += 1
            self.write(sheet, line, row)
            total += 1
        self._finish(sheet, header, line)
        return total

    def plain(self, name: str) -> Worksheet:
        return self.book.add_worksheet(name)

    def write(self, sheet: Worksheet, line: int, row: Sequence[Any], first: int = 0) -> None:
        for place, value in enumerate(row, first):
            if value is None:
                continue
            kind = type(value)
            if kind in (int, float):
                sheet.write_number(line, place, value, self._formats[kind])
            elif kind in (date, datetime):
                sheet.write_datetime(line, place, value, self._formats[kind])
            else:
                sheet.write_string(line, place, str(value), self._formats[str])

    def title(self, sheet: Worksheet, line: int, words: str, small: bool = False) -> None:
        sheet.write_string(line, 0, words, self._bold if small else self._title)

    def head(self, sheet: Worksheet, line: int, header: Sequence[str]) -> None:
        for place, words in enumerate(header):
            sheet.write_string(line, place, words, self._head)

    def _start(self, name: str, header: Sequence[str]) -> Worksheet:
        sheet = self.book.add_worksheet(name)
        for place, words in enumerate(header):
            sheet.set_column(place, place, 44 if words in WIDE else max(10, len(words) * 2 + 3))
        self.head(sheet, 0, header)
        sheet.freeze_panes(1, 0)
        return sheet

    def _finish(self, sheet: Worksheet, header: Sequence[str], lines: int) -> None:
        sheet.autofilter(0, 0, max(lines, 1), len(header) - 1)


def write_workbook(conn: psycopg.Connection[Any], figures: Figures, audience: Audience, path: Path) -> dict[str, int]:
    """Write the spreadsheet of a pack; inside `narrowed`. Returns rows by list."""
    book = Book(path, figures.publication.published_at)
    _summary(book, figures, audience)
    _slices(book, figures)
    for topic in figures.topics:
        if topic.tables:
            _topic(book, topic.section.title, topic.section.basis, topic.said, topic.tables)
    counts = {}
    for found in LISTS:
        rows = read_list(conn, figures.publication.publication_id, found, audience.sees_names)
        counts[found.title] = book.sheet(found.title, columns(found, audience.sees_names), rows)
    _quality(book, figures)
    book.book.close()
    return counts


def _summary(book: Book, figures: Figures, audience: Audience) -> None:
    publication, sheet = figures.publication, book.plain("摘要")
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 1, 16)
    sheet.set_column(2, 5, 20)
    book.title(sheet, 0, f"北峰街道应检尽检日报（{audience.title}）")
    book.write(sheet, 1, ("业务日期", publication.as_of_date))
    book.write(sheet, 2, ("发布编号", publication.publication_id))
    book.write(sheet, 3, ("方案版本", publication.policy_edition))
    passed = "通过" if not publication.released_by_hand else f"人工放行：{publication.release_reason}"
    book.write(sheet, 4, ("质量检查", passed))
    line = 6
    for topic in figures.topics:
        if topic.section.anchor == "state":
            for sentence in topic.said:
                book.write(sheet, line, ("平急状态", sentence))
                line += 1
    line += 1
    book.head(sheet, line, ("指标", "数值", "单位", "说明", "比前一日", "比上周"))
    now = figures.now
    values = (
        now.overdue_persons, now.totals.compliance_rate, now.totals.required, now.next_day_items,
        f"{now.high_zones} / {now.medium_zones}", now.lowerable_zones,
    )  # fmt: skip
    for tile, value in zip(tiles(figures), values, strict=True):
        line += 1
        book.write(sheet, line, (tile.label, value, tile.unit, tile.note, *(change.text for change in tile.changes)))
    line += 2
    book.title(sheet, line, "今日要办", small=True)
    for number, action in enumerate(actions(figures), 1):
        line += 1
        book.write(sheet, line, (number, action.heading, action.text, None, None, action.basis))


def _slices(book: Book, figures: Figures) -> None:
    def rows(parts: Sequence[Slice], by: str) -> Iterable[Sequence[Any]]:
        for part in parts:
            name = f"{part.code} {part.name}" if part.code else part.name
            yield by, name, part.overdue, part.required, part.compliant, part.compliance_rate, part.change

    header = ("分组", "名称", "逾期人次", "应检人次", "达标人次", "达标率", "逾期比前一日")
    parts = (
        ("社区", figures.communities), ("主管部门", figures.departments), ("重点人群", figures.groups), ("工作单位", figures.units),
    )  # fmt: skip
    book.sheet("分组统计", header, (row for by, found in parts for row in rows(found, by)))


def _topic(book: Book, title: str, basis: str, said: Sequence[str], tables: Sequence[Any]) -> None:
    sheet = book.plain(title)
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 8, 13)
    book.title(sheet, 0, f"{title}（{basis}）")
    line = 1
    for sentence in said:
        book.write(sheet, line, (sentence,))
        line += 1
    for table in tables:
        line += 1
        book.title(sheet, line, table.title, small=True)
        book.head(sheet, line + 1, table.columns)
        line += 2
        for row in table.rows:
            book.write(sheet, line, row)
            line += 1


def _quality(book: Book, figures: Figures) -> None:
    feeds = (
        (feed.title, text.FEED_STATUS.get(feed.status, feed.status), feed.files, feed.rows_read, feed.rows_staged,
         feed.rows_rejected, feed.rows_superseded, feed.message or "")
        for feed in figures.feeds
    )  # fmt: skip
    book.sheet("数据质量", ("数据", "状态", "文件", "读入", "入库", "退回", "被更新", "说明"), feeds)
    checks = (
        (check.message or check.check_name, "必须通过" if check.severity == "fail" else "提示", check.failing_rows)
        for check in figures.checks
    )
    book.sheet("未通过的检查", ("检查", "级别", "行数"), checks)
