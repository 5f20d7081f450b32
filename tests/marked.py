"""This module puts made-up persons with unique marks into every feed, so that tests can find where their data leaks."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl

from tests.support import write_feed
from yingjian.landing.check import has_valid_check_digit
from yingjian.landing.feeds import FEEDS, RISK_AREAS, Column, Feed

NAME, NUMBER, PHONE = "泄露标记", "35050319010101", "199876001"
# A mark may occur in these encodings: in a log, a JSON document, a URL or an old system's file.
MARKS = tuple(
    dict.fromkeys(
        form
        for mark in (NAME, NUMBER, PHONE)
        for form in (
            mark.encode(),
            mark.encode("gb18030"),
            mark.encode("utf-16-le"),
            json.dumps(mark)[1:-1].encode(),
            json.dumps(json.dumps(mark))[3:-3].encode(),
            "".join(f"%{byte:02X}" for byte in mark.encode()).encode() if not mark.isascii() else mark.encode(),
        )
    )
)
# Only readers who must find a person may see these columns. Other texts (a unit, a zone's name) may appear in reports.
PERSONAL = frozenset(
    {"姓名", "证件号码", "手机号", "现住址", "七日内旅居史", "批准人", "原因", "处置人", "记录人", "备注"}
)
_VALUES = {
    "date": "2022-07-10", "time": "2022-07-10 08:00:00", "id_type": "居民身份证", "group": "1",
    "frequency": "1周2检",
}  # fmt: skip


def number(index: int) -> str:
    """Return a valid resident number that begins with NUMBER."""
    stem = f"{NUMBER}{index:03}"
    candidates = pl.Series([stem + digit for digit in "0123456789X"])
    return str(candidates.filter(has_valid_check_digit(candidates))[0])


def write(folder: Path) -> None:
    """Write, for each feed, a valid row, rows to be rejected, and unreadable files, some of which have marks in their names."""
    for index, feed in enumerate(FEEDS.values()):
        good = {column.source: _value(column, index) for column in feed.columns}
        marked = {
            column.source: f"{NAME}{column.source}{index}"
            for column in feed.columns
            if column.kind in ("text", "place", "places")
            and column != feed.sender  # Reports may name the sender of a row.
        }
        wrong = [
            good | marked | {column.source: f"{NAME}{PHONE}{number(index)}"}
            for column in feed.columns
            if column.kind not in ("text", "place", "places", "id_number")
        ]
        write_feed(folder, feed.name, [good, *wrong, good | marked | {"更新时间": ""}], f"{number(index)}.csv")
        _write_broken(folder / feed.name, feed, [good, *wrong], index)
    lists = folder / RISK_AREAS
    lists.mkdir()
    (lists / "a.json").write_text(f'{{"data": "{NAME} {number(90)}')
    area = {"province": NAME, "communitys": [f"{NAME}{number(91)}", None]}
    (lists / "b.json").write_text(json.dumps({"data": {"end_update_time": f"{NAME}", "highlist": [area]}}))


def _value(column: Column, index: int) -> str:
    if column.source == "证件号码":
        return number(index)
    if column.source == "手机号":
        return f"{PHONE}{index:02}"
    if column.source in PERSONAL:
        return f"{NAME}{index}"
    if column.kind == "code":
        return column.codes[0]
    if column.kind == "number":
        return f"{max(column.low, 1):g}"
    return _VALUES.get(column.kind, f"M{index}" if column.required or "编号" in column.source else "")


def _write_broken(folder: Path, feed: Feed, rows: list[dict[str, str]], index: int) -> None:
    whole = write_feed(folder.parent, feed.name, rows, "b.csv").read_text(encoding="utf-8")
    header, body = whole.split("\n", 1)
    (folder / "b.csv").write_text(body, encoding="utf-8")  # The file has no header.
    columns = header.split(",")
    (folder / "c.csv").write_text(",".join([*columns[:-1], number(index)]) + "\n" + body, encoding="utf-8")
    (folder / "d.csv").write_text(header.replace(columns[1], f"{PHONE}{index:02}") + "\n" + body, encoding="utf-8")
    (folder / "e.csv.gz").write_bytes(gzip.compress(whole.encode())[:-9])
    (folder / f"f{PHONE}{index:02}.xlsx").write_bytes(b"PK\x03\x04" + whole.encode())
    (folder / "g.csv").write_bytes(header.encode("gb18030") + b"\n" + body.encode("gb18030") + b"\xff\xfe\x00\x81")
    quoted = body.replace(NAME, f'"{NAME}', 1)
    (folder / "h.csv").write_text(f'{header}\n"{NAME}{quoted}', encoding="utf-8")
    (folder / "i.csv").write_text(header + "\n" + body.replace(",", f",{NAME},"), encoding="utf-8")
