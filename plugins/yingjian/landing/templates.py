"""Templates for senders: one spreadsheet per feed, derived from its declaration alone (docs/feeds.md, "Senders")."""

from __future__ import annotations

from pathlib import Path

import xlsxwriter

from yingjian.landing.feeds import FEEDS, ID_TYPES, RECEIPT_IF_EMPTY, Column, Feed

DATA, GUIDE = "数据", "填写说明"
ROWS = 5_000  # So many rows have a drop-down list of codes.
_LISTED = 255  # A spreadsheet limits an inline drop-down list to this many characters.

_KINDS = {
    "text": "文字",
    "place": "地名，各表写法应一致；空格、全半角和首尾标点不计",
    "places": "地名，几个用顿号隔开；空格、全半角和首尾标点不计",
    "code": "从可选项中选一项",
    "date": "日期，如2022-07-01",
    "time": "日期和时间，如2022-07-01 08:30:00；带时区的按时区换算",
    "number": "数字",
    "group": "人群编号，从可选项中选一项",
    "id_type": "从可选项中选一项",
    "id_number": "证件号码，一律按文本填写，居民身份证18位",
    "frequency": "自定频次，如3天1检、1周2检、每日",
    "tests": "检测要求，如第1、4、7天，或3天2检、每日",
}
# The cells of the example row by kind. The person does not exist; the check digit is right.
_EXAMPLES = {
    "id_type": ID_TYPES[0],
    "id_number": "350503194205022751",
    "frequency": "3天1检",
    "tests": "第1、4、7天",
    "date": "2022-07-01",
    "time": "2022-07-01 08:00:00",
}
_LATER = {"date": "2022-07-08", "time": "2022-07-01 20:00:00"}
_OWN = {"person_name": "张示例", "phone": "13800000000"}


def write_templates(folder: Path) -> list[Path]:
    """Write every feed's template into a folder, which is created if missing; return the paths in declaration order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for feed in FEEDS.values():
        paths.append(folder / f"{feed.name}-{feed.title}.xlsx")
        write_template(paths[-1], feed)
    return paths


def write_template(path: Path, feed: Feed) -> None:
    with xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        text = book.add_format({"num_format": "@"})
        heads = {
            is_required: book.add_format({"bold": True, "num_format": "@", "bg_color": "#FCE4D6" if is_required else "#E7E6E6"})
            for is_required in (True, False)
        }  # fmt: skip
        sheet = book.add_worksheet(DATA)
        sheet.freeze_panes(1, 0)
        for place, column in enumerate(feed.columns):
            # All columns have text format, so that no number is rounded and no date becomes a number.
            sheet.set_column(place, place, max(12, 2 * len(column.source) + 4), text)
            sheet.write_string(0, place, column.source, heads[is_needed(column, feed)])
            sheet.write_string(1, place, example(column, feed), text)
            codes = options(column)
            if codes and len(",".join(codes)) <= _LISTED:
                sheet.data_validation(1, place, ROWS, place, {
                    "validate": "list", "source": list(codes), "error_title": "代码不在允许范围",
                    "error_message": f"“{column.source}”请从列表中选择",
                })  # fmt: skip
        title = f"{feed.title}：从“{DATA}”表第2行起填写，第2行是示例，不会入库"
        write_guide(book.add_worksheet(GUIDE), book, feed, title)


def write_guide(sheet: xlsxwriter.worksheet.Worksheet, book: xlsxwriter.Workbook, feed: Feed, title: str) -> None:
    """Write the guide sheet: what each column must contain."""
    bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 1, 14, wrapped)
    sheet.set_column(2, 3, 60, wrapped)
    sheet.write_string(0, 0, title, bold)
    sheet.write_row(2, 0, ["列名", "是否必填", "填写要求", "可选项"], bold)
    for row, column in enumerate(feed.columns, start=3):
        needed = "必填" if is_needed(column, feed) else "可空"
        cells = [column.source, needed, requirement(column, feed), "、".join(options(column))]
        for place, cell in enumerate(cells):
            sheet.write_string(row, place, cell, wrapped)


def is_needed(column: Column, feed: Feed) -> bool:
    return column.required or column.name in feed.key


def options(column: Column) -> tuple[str, ...]:
    """Return the allowed values of a cell; empty if any value is allowed."""
    return ID_TYPES if column.kind == "id_type" else column.codes


def requirement(column: Column, feed: Feed) -> str:
    """Return, in Chinese, what a cell of the column must contain."""
    parts = [_KINDS[column.kind]]
    if column.kind == "number":
        parts.append(f"{column.low:,.0f}至{column.high:,.0f}" + ("的整数" if column.is_whole else ""))
    if column.kind in ("text", "place", "places", "frequency", "tests"):
        parts.append(f"最多{column.max_characters}字")
    if column.name in feed.key:
        others = [feed.column(name).source for name in feed.key if name != column.name]
        parts.append(f"与{'、'.join(others)}一起标识一条记录" if others else "每条记录一个，不得重复")
    if column.is_key:
        parts.append("一律按文本填写，不得为科学计数")
    if column.is_name:
        parts.append("不得填写手机号或证件号码")
    if column.is_past:
        parts.append("不得晚于报送时间")
    parts += [f"不早于{feed.column(earlier).source}" for later, earlier in feed.order if later == column.name]
    if column.is_receipt_if_empty:
        parts.append(RECEIPT_IF_EMPTY)
    if column.may_be_absent:
        parts.append("旧表可以没有此列")
    return "；".join(parts)


def example(column: Column, feed: Feed) -> str:
    """Return the column's cell of the example row. The row is valid, but landing skips it if it is still in the file."""
    if column.may_be_absent:
        return ""
    if column.name in _OWN:
        return _OWN[column.name]
    if column.codes:
        return column.codes[0]
    if column.kind == "number":
        return f"{column.low + 6:.0f}" if column.is_whole else f"{column.low + 6.5:.1f}"
    is_later = column.name == "updated_at" or column.name in {later for later, _ in feed.order}
    if is_later and column.kind in _LATER:
        return "2022-07-08 20:00:00" if column.name == "updated_at" else _LATER[column.kind]
    if column.kind in _EXAMPLES:
        return _EXAMPLES[column.kind]
    return f"SL{1:04d}" if column.is_key else "示例"
