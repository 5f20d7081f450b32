"""This module writes docs/generated/reasons.md: every reason code with an example, and the message that the sender reads.

The messages are not written here: each example is run through landing's own checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from yingjian.landing import check, stage_table, suspicions
from yingjian.landing.errors import REASONS
from yingjian.landing.feeds import FEEDS, Feed
from yingjian.landing.readers import kinds
from yingjian.landing.readers.layout import Chunk, Layout, Record
from yingjian.landing.templates import example

HEAD = """# Reasons

`yingjian feeds reasons` writes this page by landing the examples below; `tests/unit/landing/test_reasons.py` compares both.
`docs/runbooks/landing.md` says what the data team does about them. The words are those that the sender reads.

## Rows in quarantine
The rest of an example's row is that of the sender's template, which is a good one. It was received on 2022-07-09 at 12:00.
"""
RECEIVED = datetime(2022, 7, 9, 12)  # noqa: DTZ001


@dataclass(frozen=True)
class Example:
    """A row of a feed's template with some cells changed, so that it is rejected with a code; todo: what its sender does."""

    code: str
    feed: str
    cells: dict[str, str]
    todo: str


EXAMPLES = [
    Example("check_digit", "test_results", {"证件号码": "350503194205022752"}, "核对证件号码"),
    Example("check_digit", "test_results", {"证件号码": "350503420502275"}, "改填18位号码"),
    Example("scientific", "test_results", {"证件号码": "3.50503E+17"}, "该列设为文本格式后重新填写"),
    Example("scientific", "test_results", {"证件号码": "350503194205022000"}, "该列设为文本格式后重新填写"),
    Example("scientific", "test_results", {"手机号": "1.38E+10"}, "该列设为文本格式后重新填写"),
    Example("unknown_group", "key_population", {"人群编号": "39"}, "填1至38、A06或A28"),
    Example("unknown_code", "test_results", {"检测结果": "弱阳性"}, "从模板的可选项中选一项"),
    Example("unknown_code", "test_results", {"证件类型": "护照", "证件号码": "无"}, "按证件填写号码"),
    Example("unknown_code", "key_population", {"网格": "网格13800000000"}, "网格只填名称"),
    Example("unknown_code", "residents", {"网格": "3月2日"}, "该列设为文本格式后重新填写"),
    Example("unknown_code", "referrals", {"检测要求": "按要求"}, "写明天数或频次"),
    Example("bad_date", "test_results", {"采样时间": "2022-06-31 08:00"}, "改为存在的日期"),
    Example("bad_date", "test_results", {"证件号码": "350503200102302759"}, "核对证件号码"),
    Example("bad_date", "exemptions", {"截止日期": "2202-07-08"}, "核对年份"),
    Example("future_sample", "test_results", {"采样时间": "2022-07-09 12:00:01", "检测时间": ""}, "核对采样时间"),
    Example("no_key", "test_results", {"样本编号": ""}, "补填编号"),
    Example("no_key", "test_results", {"样本编号": "无"}, "补填编号"),
    Example("missing_anchor", "key_population", {"人群编号": "32", "锚定日期": ""}, "补填锚定日期"),
    Example("missing_value", "test_results", {"更新时间": ""}, "补填"),
    Example("missing_value", "referrals", {"核查时间": ""}, "补填核查时间"),
    Example("time_order", "test_results", {"检测时间": "2022-06-30 20:00:00"}, "核对两个时间"),
    Example("future_time", "test_results", {"更新时间": "2202-07-08 20:00:00"}, "核对时间，检查报送系统的时钟"),
    Example("bad_number", "health_checks", {"体温": "365"}, "改为范围内的数字"),
    Example("too_long", "test_results", {"检测机构": "很" * 101}, "缩短文字，检查是否串列"),
    Example("rounded_key", "pharmacy_purchases", {"登记编号": "2.02207E+13"}, "该列设为文本格式后重新填写"),
    Example("rounded_key", "test_results", {"试管编号": "2022-01-02"}, "该列设为文本格式后重新填写"),
    Example("rounded_key", "test_results", {"试管编号": "#N/A"}, "改正公式后重新填写"),
]
# These codes are about whole lines: (code, line as sent, what its sender does).
LINES = [
    ("ragged_row", "E1,居民身份证,350503194205022751", "核对分隔符和引号，补齐各列"),
    ("ragged_row", "合计,1", "不需更正；以后不写合计"),
    (
        "bad_encoding",
        "E1,居民身份证,350503194205022751,8,2022-07-01,2022-07-02,\ufffd,领导,2022-07-01 08:00:00",
        "另存为UTF-8的CSV，或报送.xlsx",
    ),
]


def write(root: Path) -> Path:
    """Write docs/generated/reasons.md; return its path."""
    path = root / "docs" / "generated" / "reasons.md"
    path.write_text(text(), encoding="utf-8")
    return path


def text() -> str:
    """Return the page; it depends on landing's code alone."""
    rows = [(one.code, _cells(one.cells), seen(one), one.todo) for one in EXAMPLES]
    rows += [(code, f"整行：{_short(line)}", seen_line(code, line), todo) for code, line, todo in LINES]
    order = list(REASONS)
    rows.sort(key=lambda row: order.index(row[0]))
    return "\n".join(
        [
            HEAD,
            "| code | example | what the sender reads | what the sender does |",
            "|---|---|---|---|",
            *(f"| `{code}` | {cells} | {words} | {todo} |" for code, cells, words, todo in rows),
            "",
            "## Files that are refused whole",
            "What is no table says what it is and what to send instead:",
            "",
            "| the file is | what the sender does |",
            "|---|---|",
            *(f"| {what} | {instead} |" for what, instead in _no_tables()),
            "",
            "A table without its header, with a column missing or named twice, with a later header that lacks a column, with"
            " a column in which nine rows of ten fail, damaged, or larger than any export says so in the same way.",
            "",
            "## Files that may not be whole",
            "Their rows are staged all the same, but for those in quarantine.",
            "",
            "| code | in words |",
            "|---|---|",
            *(f"| `{code}` | {words} |" for code, words in suspicions.WORDS.items()),
            "",
        ]
    )


def seen(one: Example) -> str:
    """Return the message about an example that its sender reads, without the position of the row."""
    feed = FEEDS[one.feed]
    raw = pl.DataFrame(
        {column.name: [one.cells.get(column.source, example(column, feed)) or None] for column in feed.columns},
        schema={column.name: pl.String for column in feed.columns},
    )
    [(_, codes, columns, words)] = check.type_and_check(raw, feed, RECEIVED).reasons.rows()
    assert one.code in codes, f"{one.code}: {codes}"
    return f"列“{'、'.join(columns)}”：{'、'.join(words)}"


def seen_line(code: str, line: str) -> str:
    """Return the message that the sender reads about a line that cannot be split into a row."""
    feed = FEEDS["exemptions"]
    record = Record(7, line.split(","), line, is_text="\ufffd" not in line)
    rejected = stage_table.rejected_line(record, _no_rows(feed), feed, "")
    assert code in rejected.codes, f"{code}: {rejected.codes}"
    return rejected.reason.partition("：")[2]


def _no_rows(feed: Feed) -> Chunk:
    layout = Layout(tuple(range(len(feed.columns))), len(feed.columns), ())
    return Chunk(pl.Series(dtype=pl.Int32), pl.DataFrame(), pl.Series(dtype=pl.String), [], layout)


def _cells(cells: dict[str, str]) -> str:
    return "，".join(f"{source}：{_short(cell) if cell else '（空）'}" for source, cell in cells.items())


def _short(cell: str) -> str:
    return cell if len(cell) <= 40 else f"{cell[:3]}……（{len(cell)}字）"


def _no_tables() -> list[tuple[str, str]]:
    known = [(what, instead) for _, what, instead in [*kinds.NO_TABLES, *kinds.NO_TABLE_TEXTS]]
    known += kinds.OLE_DOCUMENTS.values()
    known += [(what, kinds.AS_TABLE) for what in kinds.DOCUMENTS.values()]
    return list(dict.fromkeys(known))
