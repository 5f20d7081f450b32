"""Files as people send them: encodings, delimiters, titles, ragged rows, open quotes; spreadsheets and JSON lists."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import support
from yingjian.landing.errors import FileRejectedError
from yingjian.landing.feeds import FEEDS
from yingjian.landing.readers import csv_file
from yingjian.landing.readers.layout import Record
from yingjian.landing.readers.table import open_table
from yingjian.landing.risk_areas import read_snapshot

FEED = FEEDS["exemptions"]
HEADER = ",".join(column.source for column in FEED.columns)
ROW = "E1,居民身份证,350503194205022751,8,2022-07-01,2022-07-02,休假,领导,2022-07-01 08:00:00"


def records(path: Path) -> list[Record]:
    """The function gives every record of a file in the order of its lines, whole and broken ones."""
    table = open_table(path, FEED)
    found = []
    for chunk in table.chunks:
        whole = [list(cells) for cells in chunk.cells.fill_null("").rows()]
        found += [
            Record(line, cells, chunk.raw[i]) for i, (line, cells) in enumerate(zip(chunk.lines, whole, strict=True))
        ]
        found += chunk.broken
    return sorted(found, key=lambda record: record.line)


def write(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_newlines_delimiters(tmp_path: Path, encoding: str, newline: str, delimiter: str) -> None:
    text = newline.join([HEADER, ROW, "", ROW.replace("E1", "E2"), ""]).replace(",", delimiter)
    read = records(write(tmp_path, text.encode(encoding)))
    assert [(r.line, r.cells[0], r.cells[6]) for r in read] == [(2, "E1", "休假"), (4, "E2", "休假")]
    assert all(r.is_text for r in read)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_bytes_that_are_no_text_spoil_their_row_only(tmp_path: Path, encoding: str) -> None:
    lines = [
        HEADER.encode(encoding),
        ROW.encode(encoding),
        b"E2,\xff\xfe,1,8,,,,,",
        ROW.replace("E1", "E3").encode(encoding),
    ]
    read = records(write(tmp_path, b"\n".join(lines)))
    assert [(r.line, r.cells[0], r.is_text) for r in read] == [(2, "E1", True), (3, "E2", False), (4, "E3", True)]


def test_title_lines_above_the_header(tmp_path: Path) -> None:
    text = "\n".join(["免检审批表,,,", "填报单位：某街道", "", HEADER, ROW])
    assert [(r.line, r.cells[0]) for r in records(write(tmp_path, text.encode()))] == [(5, "E1")]


def test_quoted_line_breaks_keep_the_line_of_the_record(tmp_path: Path) -> None:
    text = "\n".join([HEADER, ROW.replace("休假", '"休\n假"'), ROW.replace("E1", "E2")])
    assert [(r.line, r.cells[0], r.cells[6]) for r in records(write(tmp_path, text.encode()))] == [
        (2, "E1", "休\n假"), (4, "E2", "休假"),
    ]  # fmt: skip


def test_an_open_quote_spoils_its_line_only(tmp_path: Path) -> None:
    text = "\n".join([HEADER, ROW.replace("休假", '"休假'), ROW.replace("E1", "E2"), ROW.replace("E1", "E3")])
    read = records(write(tmp_path, text.encode()))
    assert [(r.line, len(r.cells)) for r in read] == [(2, 1), (3, 9), (4, 9)]
    assert read[0].raw.startswith("E1")


def test_nul_bytes_and_a_cut_last_line(tmp_path: Path) -> None:
    read = records(write(tmp_path, (HEADER + "\n" + ROW.replace("休", "\0休") + "\nE2,居民").encode()))
    assert [(r.cells[0], len(r.cells)) for r in read] == [("E1", 9), ("E2", 2)]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (2, 0, 1)])
def test_a_cell_too_many_and_one_too_few_do_not_make_up_for_each_other(tmp_path: Path, order: tuple[int, ...]) -> None:
    lines = [ROW, ROW.replace("E1", "E2") + ",x", ROW.replace("E1", "E3").replace(",休假", "")]
    read = records(write(tmp_path, "\n".join([HEADER, *(lines[i] for i in order), ""]).encode()))
    assert [(r.cells[0], len(r.cells)) for r in read] == [[("E1", 9), ("E2", 10), ("E3", 8)][i] for i in order]


ODD_LINES = {
    "none": None,
    "a quote": ROW.replace("休假", '"休,假"'),
    "a quote over two lines": ROW.replace("休假", '"休\n假"'),
    "a quote in a quote": ROW.replace("休假", '"休""假"'),
    "a quote within a cell": ROW.replace("休假", '休"假'),
    "an open quote": ROW.replace("休假", '"休假'),
    "an empty cell in quotes": ROW.replace("休假", '""'),
    "a backslash": ROW.replace("休假", "休\\假\\"),
    "bytes that are no text": ROW.replace("休假", "休\udcff\udcfe假"),
    "a NUL": ROW.replace("休假", "休\0假"),
    "a blank line": "",
    "a cell too few": ROW.rpartition(",")[0],
    "a stray carriage return": ROW.replace("休假", "休\r假"),
    "a long cell": ROW.replace("休假", "休" * 500),
}


@pytest.mark.parametrize("place", [0, 7, 39])
@pytest.mark.parametrize("odd", ODD_LINES.values(), ids=ODD_LINES)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_file_is_read_alike_however_it_falls_into_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int, odd: str | None, end: str, encoding: str
) -> None:
    """Blocks of a few plain lines, then one that is not, against the same file record by record."""
    rows = [ROW.replace("E1", f"E{i}") for i in range(40)]
    if odd is not None:
        rows[place] = odd
    text = (end or "\n").join([HEADER, *rows]) + end
    path = write(tmp_path, text.encode(encoding, "surrogateescape"))
    monkeypatch.setattr(csv_file, "MAX_CELL", 1000)
    with monkeypatch.context() as careful:
        careful.setattr(csv_file, "_split", lambda *_: None)
        expected = records(path)
    assert len(expected) >= 39 and expected[-1].line >= 40
    for size in (1, 300, 1000, 1 << 20):
        monkeypatch.setattr(csv_file, "BLOCK", size)
        assert records(path) == expected


def test_columns_in_any_order_and_extra_ones(tmp_path: Path) -> None:
    columns = [*reversed([c.source for c in FEED.columns]), "备注"]
    table = open_table(write(tmp_path, (",".join(columns) + "\n" + ",".join(map(str, range(10)))).encode()), FEED)
    assert table.layout.positions == tuple(reversed(range(9)))
    assert table.layout.extra_columns == ("备注",)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (HEADER.replace("起始日期", "开始日期"), "缺少列“起始日期”（疑似改名为“开始日期”）"),
        (HEADER.replace(",起始日期", ""), "缺少列“起始日期”"),
        (HEADER.replace("原因", "备注"), "缺少列“原因”（疑似改名为“备注”）"),
        (HEADER + ",原因", "列“原因”出现2次"),
        ("a,b,c", "找不到“免检审批”的表头"),
    ],
)
def test_a_wrong_header_names_the_column(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(FileRejectedError, match=message):
        open_table(write(tmp_path, f"{header}\n{ROW}".encode()), FEED)


def test_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(FileRejectedError, match="文件为空"):
        open_table(write(tmp_path, b""), FEED)


def test_what_is_no_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(FileRejectedError, match="电子表格无法打开"):
        open_table(path, FEED)


# The tests below read the national list.


def snapshot(tmp_path: Path, **data: object) -> Path:
    path = tmp_path / "list.json"
    content = {"data": {"end_update_time": "2022-07-04 17时", "highlist": [], "middlelist": []} | data}
    path.write_text(json.dumps(content, ensure_ascii=False))
    return path


def entry(*areas: str, county: str = "丙县") -> dict[str, object]:
    return {"province": "甲省", "city": "乙市", "county": county, "communitys": list(areas)}


def test_the_higher_level_counts_and_repeats_are_superseded(tmp_path: Path) -> None:
    path = snapshot(tmp_path, highlist=[entry("高村", "高村")], middlelist=[entry("高 村", "中村")])
    read = read_snapshot(path)
    assert [(a.level, a.area) for a in read.areas] == [("高", "高村"), ("中", "中村")]
    assert (read.rows_read, read.rows_superseded, len(read.rejected)) == (4, 2, 0)


def test_stray_blanks_and_blank_entries(tmp_path: Path) -> None:
    blank = {"province": "", "city": "", "county": "", "communitys": [""]}
    read = read_snapshot(snapshot(tmp_path, highlist=[entry("\u3000甲（１号）\u200b、"), entry("  "), blank]))
    assert [(a.area, a.area_match) for a in read.areas] == [("甲（１号）", "甲(1号)")]
    assert [code for _, code, _ in read.rejected] == ["missing_value", "missing_value"]
    assert read.rows_read == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "不是可读的JSON"), (b"[]", "没有名单"), (b'{"data": {"end_update_time": "x"}}', "没有可读的时间")],
)
def test_what_is_no_list(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(content)
    with pytest.raises(FileRejectedError, match=message):
        read_snapshot(path)


@pytest.mark.skipif(not (support.SHARED / "risk_areas").is_dir(), reason="no real snapshots beside the checkout")
def test_every_real_snapshot_is_read_whole() -> None:
    paths = sorted((support.SHARED / "risk_areas").glob("*.json"))
    assert len(paths) > 100
    for path in paths:
        read = read_snapshot(path)
        data = json.loads(path.read_text())["data"]
        texts = sum(
            len(e["communitys"]) or 1 for name in ("highlist", "middlelist", "lowlist") for e in data.get(name) or []
        )
        assert read.rows_read == texts == len(read.areas) + len(read.rejected) + read.rows_superseded, path.name
