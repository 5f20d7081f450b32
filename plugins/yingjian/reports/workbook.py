"""The spreadsheet of a pack: a summary, the daily figures, a sheet per topic, a sheet per list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from yingjian.people.audience import Audience
from yingjian.reports import text
from yingjian.reports.actions import actions
from yingjian.reports.definitions import definitions
from yingjian.reports.figures import Figures, Slice
from yingjian.reports.html import tiles
from yingjian.reports.lists import LISTS, PLAIN_LISTS, columns, read_list, read_plain_list
from yingjian.reports.movement import CAUSES, DIMENSIONS
from yingjian.reports.summary import TITLES, data_box, findings, improved
from yingjian.reports.topics import Table

SHEET_ROWS = 1_048_575  # of a sheet, below its header
WIDE = ("说明", "工作单位", "内容", "检查", "口径")


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
        self._wrapped = self.book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"})

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
        sheet = self.book.add_worksheet(name)
        _for_paper(sheet)
        return sheet

    def write(self, sheet: Worksheet, line: int, row: Sequence[Any], wrap: bool = False) -> None:
        for place, value in enumerate(row):
            if value is None or value == "":
                continue
            kind = type(value)
            if kind in (int, float):
                sheet.write_number(line, place, value, self._formats[kind])
            elif kind in (date, datetime):
                sheet.write_datetime(line, place, value, self._formats[kind])
            else:
                sheet.write_string(line, place, str(value), self._wrapped if wrap else self._formats[str])

    def title(self, sheet: Worksheet, line: int, words: str, small: bool = False) -> None:
        sheet.write_string(line, 0, words, self._bold if small else self._title)

    def head(self, sheet: Worksheet, line: int, header: Sequence[str]) -> None:
        for place, words in enumerate(header):
            sheet.write(line, place, words or None, self._head)

    def _start(self, name: str, header: Sequence[str]) -> Worksheet:
        sheet = self.book.add_worksheet(name)
        for place, words in enumerate(header):
            sheet.set_column(place, place, 44 if words in WIDE else max(10, len(words) * 2 + 3))
        self.head(sheet, 0, header)
        sheet.freeze_panes(1, 0)
        _for_paper(sheet)
        sheet.repeat_rows(0)
        return sheet

    def _finish(self, sheet: Worksheet, header: Sequence[str], lines: int) -> None:
        sheet.autofilter(0, 0, max(lines, 1), len(header) - 1)


def _for_paper(sheet: Worksheet) -> None:
    """A4 across, as wide as the page."""
    sheet.set_paper(9)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


def write_workbook(conn: psycopg.Connection[Any], figures: Figures, audience: Audience, path: Path) -> dict[str, int]:
    """Write the spreadsheet of a pack; inside `narrowed`. Returns rows by list.

    Memory does not follow the lists: their rows come by a server-side cursor and go to disk one by one.
    """
    book, publication_id = Book(path, figures.publication.published_at), figures.publication.publication_id
    _summary(book, figures, audience)
    _daily(book, figures)
    _slices(book, figures)
    _movement(book, figures)
    for topic in figures.topics:
        if topic.tables:
            _topic(book, topic.section.title, topic.section.basis, topic.said, topic.tables)
    counts = {}
    for plain in PLAIN_LISTS:
        if plain.mart in figures.hidden:
            continue
        counts[plain.title] = book.sheet(plain.title, plain.columns, read_plain_list(conn, publication_id, plain))
    for found in LISTS:
        if found.mart in figures.hidden:
            continue
        rows = read_list(conn, publication_id, found, audience.sees_names)
        counts[found.title] = book.sheet(found.title, columns(found, audience.sees_names), rows)
    _quality(book, figures)
    terms = ((term.term, term.basis, term.meaning) for term in definitions(figures.publication.as_of_date))
    book.sheet("口径", ("名称", "依据", "内容"), terms)
    book.book.close()
    return counts


def _summary(book: Book, figures: Figures, audience: Audience) -> None:
    """The five-minute reading: state, what got worse, what must be done by whom, what is to be known of the data."""
    publication, sheet = figures.publication, book.plain("摘要")
    sheet.set_column(0, 0, 16)
    sheet.set_column(1, 1, 14)
    sheet.set_column(2, 2, 90)
    sheet.set_column(3, 3, 22)
    sheet.set_column(4, 4, 40)
    sheet.set_column(5, 5, 16)
    book.title(sheet, 0, f"北峰街道应检尽检日报{publication.mark}（{audience.title}）")
    book.write(sheet, 1, ("业务日期", publication.as_of_date))
    book.write(sheet, 2, ("发布编号", publication.publication_id))
    book.write(sheet, 3, ("方案版本", publication.policy_edition))
    line = 4
    for topic in figures.topics:
        if topic.section.anchor == "state":
            for sentence in topic.said:
                book.write(sheet, line, ("平急状态", None, sentence, topic.section.basis), wrap=True)
                line += 1
    line += 1
    book.head(sheet, line, ("主要数字", "数值", "说明", "比前一日", "比上周", "单位"))
    now = figures.now
    values = (
        now.overdue_persons, now.totals.compliance_rate, now.totals.required, now.next_day_items,
        f"{now.high_zones} / {now.medium_zones}", now.lowerable_zones,
    )  # fmt: skip
    for tile, value in zip(tiles(figures), values, strict=False):
        line += 1
        book.write(
            sheet, line, (tile.label, value, tile.note, *(change.text for change in tile.changes), tile.unit), wrap=True
        )
    line += 2
    book.head(sheet, line, ("比前一日", "", "何处变差，为什么", "依据"))
    for finding in findings(figures):
        line += 1
        told = "\n".join((finding.text, *finding.why))
        book.write(sheet, line, (finding.heading, finding.mark, told, finding.basis), wrap=True)
    if better := improved(figures):
        line += 1
        book.write(sheet, line, ("好转", "▽", better), wrap=True)
    line += 2
    book.head(sheet, line, ("今日要办", "序号", "内容", "依据", "责任单位"))
    for number, action in enumerate(actions(figures), 1):
        line += 1
        book.write(sheet, line, (action.heading, number, action.text, action.basis, "、".join(action.units)), wrap=True)
    line += 2
    book.head(sheet, line, ("数据须知", "", "内容"))
    for word, sentence in data_box(figures, audience):
        line += 1
        book.write(sheet, line, (word, None, sentence), wrap=True)


def _daily(book: Book, figures: Figures) -> None:
    """The daily figures: today, the day before, the last 14 days as numbers, definition and article."""
    titles = TITLES | {"overdue": "逾期未检", "zones": "风险区"}
    header = ("章节", "指标", "单位", "今日", "前一日", "变化", *figures.days, "口径", "依据")
    rows = (
        (titles[series.indicator.section], series.indicator.label, series.indicator.unit, series.today, series.before,
         series.change, *series.values, series.indicator.definition, series.indicator.basis)
        for series in figures.series
    )  # fmt: skip
    book.sheet("每日指标", [head if isinstance(head, str) else f"{head:%Y-%m-%d}" for head in header], rows)


def _slices(book: Book, figures: Figures) -> None:
    def rows(parts: Sequence[Slice], by: str) -> Iterable[Sequence[Any]]:
        for part in parts:
            name = f"{part.code} {part.name}" if part.code else part.name
            yield by, name, part.overdue, part.required, part.compliant, part.compliance_rate, part.change

    header = ("分组", "名称", "逾期人次", "应检人次", "达标人次", "达标率", "逾期比前一日")
    parts = (("社区", figures.communities), ("主管部门", figures.departments), ("重点人群", figures.groups))
    book.sheet("分组统计", header, (row for by, found in parts for row in rows(found, by)))


def _movement(book: Book, figures: Figures) -> None:
    """Why the overdue items changed since the day before, by cause: in all, by community, department and group."""
    if figures.movement is None:
        return
    parts = [("合计", [figures.movement.total]), *(
        (DIMENSIONS[dimension], shares) for dimension, shares in figures.movement.by_dimension.items()
    )]  # fmt: skip
    rows = (
        (
            by,
            share.name or "合计",
            share.new,
            share.cleared,
            share.net,
            *(share.by_cause.get(cause, 0) for cause in CAUSES),
        )
        for by, shares in parts
        for share in shares
    )
    book.sheet("逾期增减", ("分组", "名称", "新增", "消除", "净增", *CAUSES.values()), rows)


def _topic(book: Book, title: str, basis: str, said: Sequence[str], tables: Sequence[Table]) -> None:
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
        for row in table.all_rows:
            book.write(sheet, line, row)
            line += 1
        if table.rest and table.complete:
            book.write(sheet, line, (f"全部见“{table.complete}”",))
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
    rejections = ((row.title, row.reason, row.rows) for row in figures.rejections)
    book.sheet("退回原因", ("数据", "说明", "行数"), rejections)
    restated = ((item.restated_date, item.reason, item.rows) for item in figures.restatements)
    book.sheet("以前日期的更正", ("日期", "说明", "义务数"), restated)
