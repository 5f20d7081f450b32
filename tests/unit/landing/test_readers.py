"""Files as people send them: encodings, delimiters, titles, ragged rows, open quotes; spreadsheets and JSON lists."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter

from tests import support
from tests.skips import needs_shared
from yingjian.landing import stage_table
from yingjian.landing.errors import FileRejectedError
from yingjian.landing.feeds import FEEDS
from yingjian.landing.readers import csv_file, sheets, xlsx_file
from yingjian.landing.readers.layout import Record
from yingjian.landing.readers.table import open_table
from yingjian.landing.risk_areas import read_snapshot
from yingjian.landing.stage_snapshot import held_lists

FEED = FEEDS["exemptions"]
HEADER = ",".join(column.source for column in FEED.columns)
ROW = "E1,居民身份证,350503194205022751,8,2022-07-01,2022-07-02,休假,领导,2022-07-01 08:00:00"


def records(path: Path) -> list[Record]:
    """The function gives every record of a file in the order of its lines, whole and broken ones."""
    table = open_table(path, FEED)
    records_read = []
    for chunk in table.chunks:
        whole = [list(cells) for cells in chunk.cells.fill_null("").rows()]
        records_read += [
            Record(line, cells, chunk.raw[i]) for i, (line, cells) in enumerate(zip(chunk.lines, whole, strict=True))
        ]
        records_read += chunk.broken
    return sorted(records_read, key=lambda record: record.line)


def write(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encodings_newlines_delimiters(tmp_path: Path, encoding: str, newline: str, delimiter: str) -> None:
    text = newline.join([HEADER, ROW, "", ROW.replace("E1", "E2"), ""]).replace(",", delimiter)
    read = records(write(tmp_path, text.encode(encoding)))
    assert [(r.line, r.cells[0], r.cells[6]) for r in read] == [(2, "E1", "休假"), (4, "E2", "休假")]
    assert all(r.is_text for r in read)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("marks", ["\ufeff", "\ufeff\ufeff", "\ufeff\ufeff\ufeff"])
def test_a_quoted_header_after_several_marks_of_byte_order(tmp_path: Path, encoding: str, marks: str) -> None:
    header = ",".join(f'"{name}"' for name in HEADER.split(","))
    assert [r.line for r in records(write(tmp_path, f"{marks}{header}\n{ROW}\n".encode(encoding)))] == [2]


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


def test_records_above_the_header_whose_bytes_are_no_text(tmp_path: Path) -> None:
    """A file of another encoding was joined to one: its rows stand above the header that can be read."""
    text = "\n".join([HEADER, ROW, ROW.replace("E1", "E2"), ""])
    read = records(write(tmp_path, text.encode("gb18030") + text.replace("E", "F").encode()))
    assert [(r.line, r.cells[0], r.is_text) for r in read] == [
        (2, "E1", False), (3, "E2", False), (5, "F1", True), (6, "F2", True),
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 150, 1 << 20])
def test_lines_of_utf_8_in_a_file_of_gb18030_are_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(csv_file, "BLOCK", size)
    lines = [HEADER, *(ROW.replace("E1", f"E{i}") for i in range(12))]
    later = [HEADER, ROW.replace("E1", "F1"), ROW.replace("E1", "F2")]
    read = records(write(tmp_path, "\r\n".join([*lines, ""]).encode("gb18030") + "\r\n".join(later).encode()))
    assert [r.is_text for r in read] == [True] * 12 + [False] * 3
    assert [r.cells[0] for r in read if r.is_text] == [f"E{i}" for i in range(12)]


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


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_long_file_whose_lines_end_as_on_an_old_macintosh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setattr(csv_file, "MAX_LINE", 1000)
    lines = [HEADER, *(ROW.replace("E1", f"E{i}") for i in range(30)), ""]
    path = write(tmp_path, "\r".join(lines).encode(encoding))
    assert [(r.line, r.cells[0]) for r in records(path)] == [(i + 2, f"E{i}") for i in range(30)]
    assert open_table(path, FEED).encoding == encoding


def test_a_header_with_a_line_break_in_each_cell(tmp_path: Path) -> None:
    header = ",".join(f'"{name}\n（必填）"' for name in HEADER.split(","))
    assert [(r.line, r.cells[0]) for r in records(write(tmp_path, f"免检\n{header}\n{ROW}".encode()))] == [(12, "E1")]


@pytest.mark.parametrize(
    ("end", "cell"),
    [
        ("2022-07-01", "2022-07-01:"), ("2022-07-02 08:00", "2022-07-02 08:00:"), ("2022-07-01\n", "2022-07-01"),
        ("2022-07-01\x1a", "2022-07-01"), ("2022-07-02 08:00:00", "2022-07-02 08:00:00"), ("2022/7/1", "2022/7/1"),
    ],
)  # fmt: skip
def test_a_time_at_the_end_of_a_file_may_be_cut(tmp_path: Path, end: str, cell: str) -> None:
    """A date is read as midnight, so that half a time would be another time."""
    torn = ROW.rpartition(",")[0]
    read = records(write(tmp_path, f"{HEADER}\n{torn},2022-07-01\n{ROW}\n{torn},{end}".encode()))
    assert [r.cells[8] for r in read] == ["2022-07-01", "2022-07-01 08:00:00", cell]


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


@pytest.mark.parametrize("places", [(0, 11), (3,)])
@pytest.mark.parametrize("odd", ODD_LINES.values(), ids=ODD_LINES)
@pytest.mark.parametrize(
    ("end", "encoding"), [("", "utf-8-sig"), ("\n", "gb18030"), ("\r\n", "utf-8-sig"), ("\r\n", "gb18030")]
)
def test_a_file_is_read_alike_however_it_falls_into_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: tuple[int, ...], odd: str | None, end: str, encoding: str
) -> None:
    """Blocks of a few plain lines, then one that is not, against the same file record by record."""
    rows = [odd if odd is not None and i in places else ROW.replace("E1", f"E{i}") for i in range(12)]
    text = (end or "\n").join([HEADER, *rows]) + end
    path = write(tmp_path, text.encode(encoding, "surrogateescape"))
    monkeypatch.setattr(csv_file, "MAX_CELL", 1000)
    with monkeypatch.context() as careful:
        careful.setattr(csv_file, "_split", lambda *_: None)
        expected = records(path)
    assert len(expected) >= 12 - len(places) and expected[-1].line >= 12
    for size in (1, 300, 1 << 20):
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


def test_a_list_that_counts_areas_and_has_none_is_refused(tmp_path: Path) -> None:
    """The list of a level came under another name: its areas are not taken for lowered."""
    path = snapshot(tmp_path, hcount=2, highList=[entry("高村", "低村")], middlelist=[entry("中村")])
    with pytest.raises(FileRejectedError, match="高风险区（hcount），却没有其列表（highlist）"):
        read_snapshot(path)


@pytest.mark.parametrize(
    ("hour", "listed"),
    [("24时", "2022-07-04 23:59:59"), ("0时", "2022-07-04 00:00:00"), ("23时", "2022-07-04 23:00:00")],
)
def test_the_last_list_of_a_day_is_one_of_that_day(tmp_path: Path, hour: str, listed: str) -> None:
    """A list of 24时 holds at the end of that day, so it was listed before the next midnight."""
    assert str(read_snapshot(snapshot(tmp_path, end_update_time=f"2022-07-04 {hour}")).listed_at) == listed


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "不是可读的JSON"), (b"[]", "没有名单"), (b'{"data": {"end_update_time": "x"}}', "没有可读的时间")],
)
def test_what_is_no_list(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(content)
    with pytest.raises(FileRejectedError, match=message):
        read_snapshot(path)


@needs_shared(support.SHARED / "risk_areas")
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


# The tests below read what its name hides.

SAMPLES = FEEDS["test_results"]
FILES = Path(__file__).parent / "files"


def samples(path: Path) -> tuple[str, list[tuple[str, str]]]:
    table = open_table(path, SAMPLES)
    return table.encoding, [row for chunk in table.chunks for row in chunk.cells["sample_key", "sampled_at"].rows()]


@pytest.mark.parametrize("suffix", ["xls", "xlsx", "csv", "txt", "XLS"])
@pytest.mark.parametrize(("name", "kind"), [("biff.xls", "xls"), ("table.ods", "ods"), ("dates_of_1904.xlsx", "xlsx")])
def test_a_spreadsheet_is_known_by_its_content(tmp_path: Path, name: str, kind: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes((FILES / name).read_bytes())
    assert samples(path) == (kind, [("S1", "2022-07-01 08:00:00"), ("S2", "2022-07-02 08:00:00")])


PAGE = (
    "<html><head><meta charset={charset}></head><body><table><tr><td colspan=3>核酸检测结果</td></tr><tr>"
    + "".join(f"<th>{column.source}</th>" for column in SAMPLES.columns)
    + "</tr><tr>"
    + "".join(
        f"<td>{ {'sample_key': 'S1', 'sampled_at': '2022-07-01<br> 08:00:00'}.get(column.name, '') }</td>"
        for column in SAMPLES.columns
    )
    + "</tr></table></body></html>"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("suffix", ["xls", "csv"])
def test_a_page_called_a_spreadsheet(tmp_path: Path, encoding: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(PAGE.format(charset="gb2312" if encoding == "gb18030" else encoding).encode(encoding))
    kind, [(key, taken)] = samples(path)
    assert (kind, key, taken) == ("html", "S1", "2022-07-01\n08:00:00")


def test_a_line_of_text_in_front_of_the_table_of_a_page(tmp_path: Path) -> None:
    page = PAGE.format(charset="utf-8").partition("<body>")[2]
    kind, [(key, _)] = samples(write(tmp_path, f"导出时间：2022-07-01\r\n{page}".encode()))
    assert (kind, key) == ("html", "S1")
    # A cell of CSV may quote a tag.
    assert len(records(write(tmp_path, f"{HEADER}\n{ROW.replace('休假', '<table>见附件</table>')}".encode()))) == 1


def test_a_binary_workbook_says_what_it_is(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsb", "w") as archive:
        for part in ("[Content_Types].xml", "xl/workbook.bin"):
            archive.writestr(part, "")
    with pytest.raises(FileRejectedError, match=r"这是二进制工作簿（\.xlsb），无法读取；请将表格另存为\.xlsx"):
        open_table(tmp_path / "a.xlsb", FEED)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_text_of_two_bytes(tmp_path: Path, encoding: str, delimiter: str) -> None:
    text = "\r\n".join([HEADER, ROW.replace("休假", "休假𠮷"), ROW.replace("E1", "E2"), ""]).replace(",", delimiter)
    path = write(tmp_path, text.encode(encoding))
    assert open_table(path, FEED).encoding == "utf-16"
    assert [(r.line, r.cells[0], r.cells[6]) for r in records(path)] == [(2, "E1", "休假𠮷"), (3, "E2", "休假")]


def test_half_a_character_spoils_its_row_only(tmp_path: Path) -> None:
    text = "\n".join([HEADER, ROW.replace("休假", "休\ud800假"), ROW.replace("E1", "E2"), ""])
    read = records(write(tmp_path, b"\xff\xfe" + text.encode("utf-16-le", "surrogatepass")))
    assert [(r.line, r.is_text) for r in read] == [(2, False), (3, True)]


def test_text_of_two_bytes_that_was_cut(tmp_path: Path) -> None:
    text = "\n".join([HEADER, ROW, ROW.replace("E1", "E2")])
    assert len(records(write(tmp_path, text.encode("utf-16")[:-1]))) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"%PDF-1.7\n", "这是PDF文件"),
        (b"\x89PNG\r\n\x1a\n", "这是图片"),
        (b"Rar!\x1a\x07\x01\x00", "这是RAR压缩文件"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"), "有密码"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "WordDocument".encode("utf-16-le"), "这是Word文档"),
        (b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">', "电子表格无法打开"),
        (b'<?xml version="1.0"?><rows><row/></rows>', "这是XML文件"),
        (b'\xef\xbb\xbf[{"a": 1}]', "这是JSON文件"),
        (b"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n", "这是单个文件网页"),
        (b"ID;PWXL;N;E\nC;Y1;X1\n", "这是SYLK表格"),
        (b"\x03\x16\x07\x01" + bytes(60), "这是二进制文件"),
        (b"II*\x00" + bytes(60), "这是图片"),
        (b"PK\x05\x06" + bytes(18), "这是空的压缩文件"),
        (b"\x1f\x8b\x08" + bytes(20), "这是压缩文件里的压缩文件"),
        (bytes(257) + b"ustar  " + bytes(248), "这是tar归档文件"),
        (b"<html><frameset><frame src='sheet001.htm'></frameset></html>", "网页中没有表格"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "电子表格无法打开"),
    ],
)
def test_what_is_no_table_says_what_it_is_and_what_to_send(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(FileRejectedError, match=words) as refusal:
        open_table(write(tmp_path, content), FEED)
    assert "请" in str(refusal.value)


def test_an_archive_within_an_archive_says_what_it_is(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", f"{HEADER}\n{ROW}\n")
    with pytest.raises(FileRejectedError, match="这是压缩文件里的压缩文件，无法读取；请解开里层"):
        open_table(tmp_path / "a.zip", FEED)


@pytest.mark.parametrize(
    "before", ["<div>\r\n\t", "<center>", "<title>导出</title>", "<p>说明</p>", "<script></script>"]
)
def test_a_page_begins_with_any_tag(tmp_path: Path, before: str) -> None:
    table = PAGE[PAGE.index("<table>") : PAGE.index("</body>")].replace("{", "").replace("}", "")
    path = tmp_path / "a.xls"
    path.write_text(before + table, encoding="utf-8")
    kind, [(key, _)] = samples(path)
    assert (kind, key) == ("html", "S1")


def test_a_page_that_ends_as_an_archive_of_several_disks_is_refused(tmp_path: Path) -> None:
    end = b"PK\x06\x07" + bytes(4) + bytes(8) + (2).to_bytes(4, "little") + b"PK\x05\x06" + bytes(18)
    path = tmp_path / "a.xls"
    path.write_bytes(PAGE.format(charset="utf-8").encode() + end)
    with pytest.raises(FileRejectedError, match="BadZipFile"):
        samples(path)


# The tests below watch a file's structure to its end.

ORDER = [1, 0, 2, 5, 4, 3, 8, 7, 6]


def reordered(line: str) -> str:
    cells = line.split(",")
    return ",".join(cells[i] for i in ORDER)


@pytest.mark.parametrize("size", [1, 150, 300, 1 << 20])
@pytest.mark.parametrize("quoted", ["休假", '"休,假"', '"休\n假"', '"休假'])
def test_a_later_header_is_obeyed_from_there_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, quoted: str
) -> None:
    monkeypatch.setattr(csv_file, "BLOCK", size)
    rows = [ROW.replace("E1", f"E{i}") for i in range(6)]
    rows[1] = rows[1].replace("休假", quoted)
    lines = [HEADER, *rows[:3], HEADER, rows[3], "\ufeff" + reordered(HEADER), *map(reordered, rows[4:])]
    read = records(write(tmp_path, "\n".join(lines).encode()))
    assert [r.cells[0] for r in read if len(r.cells) == 9] == [f"E{i}" for i in range(6) if i != 1 or quoted != '"休假']
    assert all(r.cells[1] == "居民身份证" and r.cells[8] == "2022-07-01 08:00:00" for r in read if len(r.cells) == 9)
    assert len(read) == 6


def test_a_later_header_with_another_number_of_columns(tmp_path: Path) -> None:
    text = "\n".join([HEADER, ROW, f"序号,{HEADER}", f"1,{ROW.replace('E1', 'E2')}"])
    assert [r.cells[0] for r in records(write(tmp_path, text.encode()))] == ["E1", "E2"]


def test_the_word_of_a_header_in_every_row_is_no_header(tmp_path: Path) -> None:
    rows = [ROW.replace("休假", "申请编号未填").replace("E1", f"E{i}") for i in range(30)]
    assert HEADER.startswith("编号,")
    lines = [HEADER, *rows[:20], reordered(HEADER), *map(reordered, rows[20:])]
    read = records(write(tmp_path, "\n".join(lines).encode()))
    assert [(r.line, r.cells[0]) for r in read] == [(i + 2 + (i >= 20), f"E{i}") for i in range(30)]
    assert {r.cells[6] for r in read} == {"申请编号未填"}


def test_a_later_header_that_lacks_a_column_refuses_the_file(tmp_path: Path) -> None:
    text = "\n".join([HEADER, ROW, HEADER.replace(",起始日期", ""), ROW])
    with pytest.raises(FileRejectedError, match="第3行又是表头，表头不符：缺少列“起始日期”"):
        records(write(tmp_path, text.encode()))


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 20_000])
@pytest.mark.parametrize(
    "as_written",
    [
        str,
        lambda header: header.replace(",", "*,"),
        lambda header: header.replace("编号", "编　 号"),
        lambda header: header.replace(",", "（必填）,"),
    ],
)
def test_a_sheet_with_a_later_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int, as_written: Callable[[str], str]
) -> None:
    """However its rows fall into batches: the header holds from there on, and blank rows are no records."""
    monkeypatch.setattr(xlsx_file, "BATCH_ROWS", batch_rows)
    wide = ROW.replace("E1", "E4") + ",one more"
    blank = ",".join([" "] * HEADER.count(","))
    header = as_written(reordered(HEADER))
    book = openpyxl.Workbook()
    for line in (HEADER, ROW, ROW.replace("E1", "E2"), header, reordered(ROW.replace("E1", "E3")), blank, wide):
        book.active.append(line.split(","))
    book.save(tmp_path / "a.xlsx")
    read = records(tmp_path / "a.xlsx")
    assert [(r.line, r.cells[0], r.cells[8][:10]) for r in read] == [
        (2, "E1", "2022-07-01"), (3, "E2", "2022-07-01"), (5, "E3", "2022-07-01"), (7, "E4", "2022-07-01"),
    ]  # fmt: skip
    assert read[3].raw == wide, "a row with a cell too many is kept as it was sent"


def test_records_that_two_stray_quotes_swallowed(tmp_path: Path) -> None:
    rows = [ROW.replace("E1", f"E{i}") for i in range(7)]
    rows[1], rows[5] = rows[1].replace("休假", '"休假'), rows[5].replace("休假", '休假"')
    read = records(write(tmp_path, "\n".join([HEADER, *rows]).encode()))
    assert [(r.line, r.cells[0]) for r in read if len(r.cells) == 9] == [
        (2, "E0"),
        (4, "E2"),
        (5, "E3"),
        (6, "E4"),
        (8, "E6"),
    ]
    assert [r.line for r in read if len(r.cells) != 9] == [3, 7]


@pytest.mark.parametrize("apart", [1, 4, 60, 200])
@pytest.mark.parametrize("size", [16, 1000, 1 << 20])
@pytest.mark.parametrize(
    ("opening", "closing"), [('"休假', '休假"'), ('"休假', '休"假'), ('"休假', 'E1"'), ('"2022-07-02', '休假"')]
)
def test_both_ends_of_a_text_that_swallowed_records_are_spoilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apart: int, size: int, opening: str, closing: str
) -> None:
    monkeypatch.setattr(csv_file, "BLOCK", size)
    rows = [ROW] * (20 + apart)
    rows[10] = ROW.replace(opening.strip('"'), opening)
    rows[10 + apart] = ROW.replace(closing.replace('"', ""), closing)
    read = records(write(tmp_path, "\n".join([HEADER, *rows]).encode()))
    assert len(read) == len(rows) and [r.line for r in read if r.cells != ROW.split(",")] == [12, 12 + apart]
    assert [len(r.cells) for r in read if r.cells != ROW.split(",")] == [1, 1]


@pytest.mark.parametrize(
    "row",
    [
        ROW.replace("E1", '"E\n1"'), ROW.replace("休假", '"休,\n,假,\n,"'), ROW.replace("领导", '"领\n导"'),
        ROW.removesuffix("2022-07-01 08:00:00") + '"2022-07-01\n08:00:00"',
    ],
)  # fmt: skip
def test_a_cell_with_line_breaks_is_one_cell(tmp_path: Path, row: str) -> None:
    read = records(write(tmp_path, "\n".join([HEADER, row, ROW.replace("E1", "E2")]).encode()))
    assert [len(r.cells) for r in read] == [9, 9] and read[1].cells[0] == "E2"


def test_rows_of_a_second_sheet_have_lines_of_their_own(tmp_path: Path) -> None:
    """A row with a cell too many is numbered like the others: it is not taken for a row of the first sheet."""
    book = openpyxl.Workbook()
    for sheet in (book.active, book.create_sheet("乙社区")):
        for line in (HEADER, ROW, f"{ROW},one more"):
            sheet.append(line.split(","))
    book.save(tmp_path / "a.xlsx")
    assert [r.line for r in records(tmp_path / "a.xlsx")] == [2, 3, 10_000_002, 10_000_003]


def test_rows_above_the_header_are_rows(tmp_path: Path) -> None:
    lines = ["某街道", ROW, HEADER, ROW.replace("E1", "E2")]
    assert [(r.line, r.cells[0]) for r in records(write(tmp_path, "\n".join(lines).encode()))] == [(2, "E1"), (4, "E2")]
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append(line.split(","))
    book.save(tmp_path / "a.xlsx")
    assert [(r.line, r.cells[0]) for r in records(tmp_path / "a.xlsx")] == [(2, "E1"), (4, "E2")]


def test_a_sheet_that_goes_on_without_a_header(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for sheet, lines in (
        (book.active, (HEADER, ROW)),
        (book.create_sheet("续表"), (ROW.replace("E1", "E2"), ROW.replace("E1", "E3"))),
        (book.create_sheet("说明"), ("请勿改动",)),
    ):
        for line in lines:
            sheet.append(line.split(","))
    book.save(tmp_path / "a.xlsx")
    assert [(r.line, r.cells[0]) for r in records(tmp_path / "a.xlsx")] == [
        (2, "E1"),
        (10_000_001, "E2"),
        (10_000_002, "E3"),
    ]


def test_a_sheet_begins_where_its_first_row_is_and_may_stand_before_that_with_the_header(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    blank = [""] * 9
    for sheet, lines in (
        (book.active, (ROW,)),
        (book.create_sheet("乙"), (*blank, HEADER, ROW.replace("E1", "E2"))),
        (book.create_sheet("丙"), (*blank, ROW.replace("E1", "E3"))),
    ):
        for line in lines:
            sheet.append(line.split(","))
    book.save(tmp_path / "a.xlsx")
    assert [(r.line, r.cells[0]) for r in records(tmp_path / "a.xlsx")] == [
        (1, "E1"), (10_000_011, "E2"), (20_000_010, "E3"),
    ]  # fmt: skip


def test_a_sheet_that_goes_on_below_a_note(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for line in (HEADER, ROW):
        book.active.append(line.split(","))
    further = book.create_sheet("续表")
    for line in ("", "接上页", ROW.replace("E1", "E2")):
        further.append(line.split(","))
    book.save(tmp_path / "a.xlsx")
    # The note is a row that cannot be taken: it is refused with its reason, not left out.
    assert [r.cells[0] for r in records(tmp_path / "a.xlsx")] == ["E1", "接上页", "E2"]


def test_a_sheet_about_other_records_is_left_out_and_named(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for sheet, lines in (
        (book.active, ("证件类型,证件号码,人群编号,备注", "居民身份证,350503194205022751,8,x")),
        (book.create_sheet("数据"), (HEADER, ROW)),
    ):
        for line in lines:
            sheet.append(line.split(","))
    book.active.title = "汇总"
    book.save(tmp_path / "a.xlsx")
    assert open_table(tmp_path / "a.xlsx", FEED).layout.extra_columns == ("工作表“汇总”",)
    assert [r.cells[0] for r in records(tmp_path / "a.xlsx")] == ["E1"]


def test_a_sheet_with_records_that_lacks_a_column_is_named(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for sheet, header in ((book.active, HEADER), (book.create_sheet("乙社区"), HEADER.replace(",起始日期", ""))):
        sheet.append(header.split(","))
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(FileRejectedError, match="工作表“乙社区”：表头不符：缺少列“起始日期”"):
        open_table(tmp_path / "a.xlsx", FEED)


def test_a_merged_cell_stands_in_each_of_its_rows(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for line in (HEADER, ROW, *(ROW.replace("E1", f"E{i}").replace("休假", "") for i in (2, 3, 4))):
        book.active.append(line.split(","))
    book.active.merge_cells("G2:G4")
    book.active.merge_cells("T2:T4")  # Nothing is written there.
    book.save(tmp_path / "a.xlsx")
    rows = "".join(
        "<tr>" + "".join(f"<td{' rowspan=3' if c == '休假' else ''}>{c}</td>" for c in line.split(",")) + "</tr>"
        for line in (HEADER, ROW, *(ROW.replace("E1", f"E{i}").replace(",休假", "") for i in (2, 3)))
    )
    (tmp_path / "b.xls").write_text(f"<html><meta charset=utf-8><table>{rows}</table></html>", encoding="utf-8")
    assert [r.cells[6] for r in records(tmp_path / "a.xlsx")] == ["休假", "休假", "休假", ""]
    assert [r.cells[6] for r in records(tmp_path / "b.xls")] == ["休假", "休假", "休假"]


@pytest.mark.parametrize("quoted", ["休假", '"休，假"', '"休\n假"'])
def test_lines_of_delimiters_are_blank_and_those_at_an_end_are_nothing(tmp_path: Path, quoted: str) -> None:
    blank = "," * HEADER.count(",")
    lines = [HEADER, ROW.replace("休假", quoted), blank, f"{ROW},,".replace("E1", "E2"), blank[3:], f'{blank}," "', ROW]
    read = records(write(tmp_path, "\n".join(lines).encode()))
    assert [(r.cells[0], len(r.cells)) for r in read] == [("E1", 9), ("E2", 9), ("E1", 9)]


@pytest.mark.parametrize("quoted", ["休假", '"休，假"', '"休\n假"'])
@pytest.mark.parametrize(
    ("added", "ends", "widths"),
    [
        (",,", ["", ",,", "", ",", ",,,"], [11, 11, 11, 11, 11]),
        (",备注", [",x", "", ",", "", ",,"], [10, 10, 10, 10, 11]),
        (",备注,电话", ["", ",x", ",x,y", ",,", ",x,y,z"], [11, 11, 11, 11, 12]),
        (",备注,,", [",x", "", ",x,,", ",x,", ",,,,"], [12, 12, 12, 11, 13]),
        ("", [",,", "", ",", ",x", ",,,,,"], [9, 9, 9, 10, 9]),
    ],
)
def test_columns_to_the_right_of_the_feeds_may_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quoted: str, added: str, ends: list[str], widths: list[int]
) -> None:
    """The header names them or not; a cell that a stray delimiter may have moved there is none of them."""
    rows = [
        ROW.replace("E1", f"E{i}").replace("休假", quoted if i == 0 else "休假") + end for i, end in enumerate(ends)
    ]
    path = write(tmp_path, "\n".join([HEADER + added, *rows, ROW.rpartition(",")[0]]).encode())
    width = HEADER.count(",") + 1 + added.count(",")
    for is_careful in (False, True):
        if is_careful:
            monkeypatch.setattr(csv_file, "_split", lambda *_: None)
        read = records(path)
        assert [r.cells[0] for r in read] == [*(f"E{i}" for i in range(5)), "E1"]
        # A whole row is given with the columns of the feed alone.
        assert [len(r.cells) for r in read] == [9 if w == width else w for w in widths] + [8]
        assert all(r.cells[8].startswith("2022-07-01 08") for r in read[:5])


ADDRESS_LAST = f"{HEADER.removesuffix(',原因,批准人,更新时间')},更新时间,原因,批准人"
MOVED = "E1,居民身份证,350503194205022751,8,2022-07-01,2022-07-02,2022-07-01 08:00:00,"


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize(
    ("ends", "widths"),
    [
        (["翠屏街1号,2楼,"], [10]),
        (["翠屏街1号,2楼,"] * 2, [10, 10]),
        (["休假,领导", "翠屏街1号,2楼,", "休假,领导"], [9, 10, 9]),
        (["休假,领导,", "休假,,", "翠屏街1号,2楼,,", "翠屏街1号,2楼,甲,", "休假,领导,"], [9, 9, 11, 11, 9]),
        (["休假,,,", "休假,领导,,", "休假,,,", "休假,领导", "休假,领导,"], [11, 11, 11, 9, 10]),
        (["休假,,,", "休假,领导,,", "休假,领导,,"], [9, 9, 9]),
    ],
)
def test_blank_cells_at_an_end_are_nothing_where_each_row_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: list[str], widths: list[int], quote: str
) -> None:
    """A comma within a cell without quotes moves the cells behind it, and the last, a blank one, beyond the header."""
    rows = [MOVED.replace("居民身份证", f"{quote}居民身份证{quote}") + end for end in ends]
    path = write(tmp_path, "\n".join([ADDRESS_LAST, *rows]).encode())
    for is_careful in (False, True):
        if is_careful:
            monkeypatch.setattr(csv_file, "_split", lambda *_: None)
        read = records(path)
        assert [len(r.cells) for r in read] == widths
        whole = [end.split(",")[:2] for end, width in zip(ends, widths, strict=True) if width == 9]
        assert [r.cells[6:8] for r in read if len(r.cells) == 9] == whole


def test_each_part_of_a_joined_file_has_a_habit_of_its_own(tmp_path: Path) -> None:
    trailing = [f"{MOVED}休假,领导,"] * 3
    lines = [ADDRESS_LAST, *[f"{MOVED}休假,领导"] * 3, trailing[0], ADDRESS_LAST, *trailing]
    read = records(write(tmp_path, "\n".join(lines).encode()))
    assert [len(r.cells) for r in read] == [9, 9, 9, 10, 9, 9, 9]


@pytest.mark.parametrize("gutter", ['<th class="gutter"></th>', "<th></th>", "<th>操作</th>"])
def test_a_page_whose_header_has_a_cell_more_than_its_rows(tmp_path: Path, gutter: str) -> None:
    def row(line: str, tag: str) -> str:
        return "".join(f'<{tag}><div class="cell">{cell}</div></{tag}>' for cell in line.split(","))

    head = f"<table><thead><tr>{row(HEADER, 'th')}{gutter}</tr></thead>"
    rows = [f"<tr>{row(line, 'td')}</tr>" for line in (ROW, ROW.replace("E1", "E2"), ROW.rpartition(",")[0])]
    # A library writes header and rows as two tables.
    for between in ("", "</table><table>"):
        page = f"<html><body>{head}{between}<tbody>{''.join(rows)}</tbody></table></body></html>"
        read = records(write(tmp_path, page.encode()))
        assert [(r.cells[0], len(r.cells)) for r in read] == [("E1", 9), ("E2", 9), ("E1", 8)]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("翠屏<br>南山", "翠屏\n南山"), ("翠屏<BR/> 南山<br>", "翠屏\n南山"), ("<p>翠屏</p><p>南山</p>", "翠屏\n南山"),
        ("<div>翠屏</div>\n<div>南山</div>", "翠屏\n南山"), ("<ul><li>翠屏</li><li>南山</li></ul>", "翠屏\n南山"),
        ("翠屏<script>var x</script><button>查看</button> 南山<style>td{}</style>", "翠屏 南山"),
        ("翠屏\n 南山", "翠屏 南山"), ("<div class=cell><span>翠屏</span>南山</div>", "翠屏南山"), ("<br>", ""),
    ],
)  # fmt: skip
def test_lines_of_a_cell_of_a_page_stay_lines(tmp_path: Path, cell: str, text: str) -> None:
    rows = "".join(
        f"<tr><td>{line.replace(',', '</td><td>')}</td></tr>" for line in (HEADER, ROW.replace("休假", cell))
    )
    [read] = records(write(tmp_path, f"<html><meta charset=utf-8><table>{rows}</table></html>".encode()))
    assert read.cells[6] == text


@pytest.mark.parametrize(
    ("cell", "is_refused"),
    [
        ('<input value="E1">', True), ('<div><input type="text" value="E1"></div>', True), ('<input value=" ">', False),
        ('E1<input value="x">', False), ('<input type="checkbox" value="1">', False), ("", False),
    ],
)  # fmt: skip
def test_a_page_of_fields_to_fill_in_is_refused(tmp_path: Path, cell: str, is_refused: bool) -> None:
    page = "<html><meta charset=utf-8><table><tr><td>查询<input value='x'></td></tr></table><table>{}</table></html>"
    row = f"<td>{cell}</td><td>{ROW.partition(',')[2].replace(',', '</td><td>')}</td>"
    head = f"<td>{HEADER.replace(',', '</td><td>')}</td><td>操作</td>"
    path = write(tmp_path, page.format(f"<tr>{head}</tr><tr>{row}<td><input value='1'></td></tr>").encode())
    if is_refused:
        with pytest.raises(FileRejectedError, match="网页的表格里是输入框"):
            records(path)
    else:
        assert len(records(path)) == 1


@pytest.mark.parametrize("field", ["<input value='张'>", "<select><option>全部</option><option>8</option></select>"])
def test_a_row_of_fields_below_the_header_of_a_page_filters_its_rows(tmp_path: Path, field: str) -> None:
    def page(*rows: str) -> Path:
        text = "".join(f"<tr><td>{row.replace(',', '</td><td>')}</td></tr>" for row in rows)
        return write(tmp_path, f"<html><meta charset=utf-8><table>{text}</table></html>".encode())

    fields = f",{field}" * 2 + "," * 6
    assert [r.cells[0] for r in records(page(HEADER, fields, ROW))] == ["E1"]
    for rows in ((HEADER, fields), (HEADER, ROW, fields), (HEADER, f"E1{fields}", ROW)):
        with pytest.raises(FileRejectedError, match="网页的表格里是输入框"):
            records(page(*rows))


@pytest.mark.parametrize("size", [1, 60, 1 << 20])
@pytest.mark.parametrize("end", ["\n\x1a", "\x1a", "\r\n\x1a\x1a"])
@pytest.mark.parametrize("quoted", ["休假", '"休\n假"'])
def test_the_mark_that_dos_sets_at_the_end_is_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, end: str, quoted: str
) -> None:
    monkeypatch.setattr(csv_file, "BLOCK", size)
    path = write(tmp_path, f"{HEADER}\n{ROW.replace('休假', quoted)}\n{ROW}{end}".encode("gb18030"))
    assert not open_table(path, FEED).has_lines, "the mark says that the file did not end before"
    assert [(r.line, len(r.cells), r.cells[8]) for r in records(path)] == [
        (2, 9, "2022-07-01 08:00:00"), (3 + quoted.count("\n"), 9, "2022-07-01 08:00:00"),
    ]  # fmt: skip


# The tests below read XML spreadsheets of 2003.


def xml_book(*rows: str, sheet: str = "Sheet1", declared: str = "utf-8") -> str:
    return (
        f'<?xml version="1.0" encoding="{declared}"?>\n<?mso-application progid="Excel.Sheet"?>\n'
        '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">'
        '<Worksheet ss:Name="说明"><Table><Row><Cell><Data ss:Type="String">请勿改动</Data></Cell></Row></Table></Worksheet>'
        f'<Worksheet ss:Name="{sheet}"><Table>{"".join(rows)}</Table></Worksheet></Workbook>'
    )


def xml_row(cells: str, attributes: str = "", kinds: dict[int, str] | None = None) -> str:
    return (
        f"<Row{attributes}>"
        + "".join(
            f'<Cell><Data ss:Type="{(kinds or {}).get(place, "String")}">{text}</Data></Cell>'
            for place, text in enumerate(cells.split(","))
        )
        + "</Row>"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("suffix", ["xls", "xml", "csv", "xlsx"])
def test_an_xml_spreadsheet(tmp_path: Path, encoding: str, suffix: str) -> None:
    dated = (
        ROW.replace("E1", "E2").replace("2022-07-01 08:00:00", "2022-07-01T08:00:00.000").replace("8,2022", "8.,2022")
    )
    title = '<Row><Cell ss:MergeAcross="8"><Data ss:Type="String">免检审批表</Data></Cell></Row>'
    book = xml_book(
        title, xml_row(HEADER), xml_row(ROW), xml_row(dated, ' ss:Index="6"', {3: "Number", 8: "DateTime"}),
        declared=encoding.removesuffix("-sig"),
    )  # fmt: skip
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(book.encode(encoding))
    assert open_table(path, FEED).encoding == "xml"
    assert [(r.line, ",".join(r.cells)) for r in records(path)] == [(3, ROW), (6, ROW.replace("E1", "E2"))]


def test_cells_of_an_xml_spreadsheet_stand_where_they_say(tmp_path: Path) -> None:
    row = (
        '<Row><Cell><Data ss:Type="String">E<B xmlns="http://www.w3.org/TR/REC-html40">1</B></Data>'
        '<Comment><ss:Data>批注</ss:Data></Comment></Cell><Cell ss:Index="3"><Data ss:Type="Number">3.5050319420502198E17</Data></Cell>'
        '<Cell ss:MergeAcross="1"><Data ss:Type="String">8</Data></Cell><Cell><Data ss:Type="Number">44744</Data></Cell></Row>'
    )
    [read] = records(write(tmp_path, xml_book(xml_row(HEADER), row).encode()))
    assert read.cells == ["E1", "", "3.5050319420502195e+17", "8", "", "44744", "", "", ""]


def test_a_merged_cell_of_an_xml_spreadsheet_stands_in_each_of_its_rows(tmp_path: Path) -> None:
    merged = xml_row(ROW).replace(
        '<Cell><Data ss:Type="String">休假', '<Cell ss:MergeDown="2"><Data ss:Type="String">休假'
    )
    merged = merged.replace(
        '<Cell><Data ss:Type="String">2022-07-01 08', '<Cell ss:MergeDown="1"><Data ss:Type="String">2022-07-01 08'
    )
    below = [
        xml_row(ROW.replace("E1", key)).replace(
            '<Cell><Data ss:Type="String">休假</Data></Cell><Cell>', '<Cell ss:Index="8">'
        )
        for key in ("E2", "E3")
    ]
    below[0] = below[0].replace('<Cell><Data ss:Type="String">2022-07-01 08:00:00</Data></Cell>', "")
    read = records(
        write(tmp_path, xml_book(xml_row(HEADER), merged, *below, xml_row(ROW.replace("休假", ""))).encode())
    )
    assert [(r.cells[0], r.cells[6], r.cells[7], r.cells[8][:10]) for r in read] == [
        ("E1", "休假", "领导", "2022-07-01"), ("E2", "休假", "领导", "2022-07-01"), ("E3", "休假", "领导", "2022-07-01"),
        ("E1", "", "领导", "2022-07-01"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "row",
    [
        '<Row ss:Index="99999999"><Cell/></Row>', '<Row><Cell ss:Index="99999"/></Row>',
        "<Row>" + '<Cell ss:MergeAcross="9999"/>' * 2 + "</Row>",
    ],
)  # fmt: skip
def test_an_xml_spreadsheet_larger_than_any(tmp_path: Path, row: str) -> None:
    path = write(tmp_path, xml_book(xml_row(HEADER), row).encode())
    with pytest.raises(FileRejectedError, match="电子表格无法打开（TooMuchTextError）"):
        records(path)


def test_an_xml_spreadsheet_tells_nothing_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("geheim")
    book = xml_book(xml_row(HEADER), xml_row(ROW.replace("休假", "&x;")))
    book = book.replace("<Workbook", f'<!DOCTYPE w [<!ENTITY x SYSTEM "{tmp_path}/secret">]><Workbook', 1)
    [read] = records(write(tmp_path, book.encode()))
    assert read.cells[6] in ("", "&x;")


# The tests below read cells of spreadsheets in which another text is seen than is kept.


def edited_xlsx(path: Path, lines: list[str], edit: Callable[[str], str]) -> Path:
    """The function writes a sheet of lines, and edits its XML."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for line, text in enumerate(lines):
            sheet.write_row(line, 0, text.split(","))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    content = parts["xl/worksheets/sheet1.xml"].decode()
    parts["xl/worksheets/sheet1.xml"] = edit(content).encode()
    assert content.encode() != parts["xl/worksheets/sheet1.xml"]
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return path


@pytest.mark.parametrize("kind", ["xls", "ods"])
def test_errors_of_old_and_open_spreadsheets_are_read_as_they_show(kind: str) -> None:
    first, second = records(FILES / f"errors.{kind}")
    assert first.cells == ROW.replace("2022-07-01,", "#N/A,", 1).replace("领导", "#DIV/0!").split(",")
    assert second.cells == ["#VALUE!", *ROW.split(",")[1:8], "#REF!"]


@pytest.mark.parametrize("error", ["#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"])
def test_an_error_of_a_spreadsheet_is_no_empty_cell(tmp_path: Path, error: str) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        sheet = book.add_worksheet()
        for line, text in enumerate([HEADER, ROW, ROW.replace("E1", "E2")]):
            sheet.write_row(line, 0, text.split(","))
        sheet.write_formula(1, 5, "=1/0", None, error)
        sheet.write_formula(2, 0, "=1/0", None, error)
    read = records(tmp_path / "a.xlsx")
    assert [(r.line, r.cells[0], r.cells[5]) for r in read] == [(2, "E1", error), (3, error, "2022-07-02")]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('<c r="F2"><f>DATE(2022,7,4)</f></c>', "#N/A"),
        ('<c r="F2"><f>DATE(2022,7,4)</f><v></v></c>', "#N/A"),
        ('<c r="F2"><f>IF(A1>0,1)</f><v /></c>', "#N/A"),
        ('<c r="F2" s="0"><f t="shared" si="0"/></c>', "#N/A"),
        ('<c r="F2" t="e"><f>NA()</f><v/></c>', "#N/A"),
        ("<c r='F2' t='e'><v>#REF!</v></c>", "#REF!"),
        ('<c r="F2" t="str"><f>IF(1,"","")</f><v></v></c>', ""),
        ('<c r="F2" t="str"><f>"x"</f><v>x</v></c>', "x"),
        ('<c r="F2"><f>1+1</f><v>2</v></c>', "2"),
        ('<c r="F2"/>', ""),
    ],
)
@pytest.mark.parametrize("block", [7, 1 << 20])
@pytest.mark.parametrize("prefix", ["", "x:"])
def test_a_formula_without_a_result_is_no_empty_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str, text: str, block: int, prefix: str
) -> None:
    def edit(sheet: str) -> str:
        sheet = re.sub('<c r="F2" t="s"><v>[0-9]+</v></c>', cell, sheet)
        return re.sub(r"<(/?)(?=[a-zA-Z])", rf"<\1{prefix}", sheet).replace("xmlns=", "xmlns:x=") if prefix else sheet

    path = edited_xlsx(tmp_path / "a.xlsx", [HEADER, ROW, ROW], edit)
    monkeypatch.setattr(sheets, "BLOCK_BYTES", block)
    [sheet] = sheets.workbook_sheets(str(path))
    cells = ROW.split(",")
    assert list(sheets.texts(sheet)) == [HEADER.split(","), [*cells[:5], text, *cells[6:]], cells]


def test_cells_that_do_not_say_where_they_stand(tmp_path: Path) -> None:
    def edit(sheet: str) -> str:
        above, row, last = re.sub(' (?:r|spans)="[A-Z0-9:]+"', "", sheet).rpartition("<row")
        return above + row + re.sub("<c t=.s.><v>[0-9]+</v></c></row>", "<c><f>1</f></c></row>", last)

    path = edited_xlsx(tmp_path / "a.xlsx", [HEADER, ROW, ROW], edit)
    assert [r.cells for r in records(path)] == [ROW.split(","), [*ROW.split(",")[:8], "#N/A"]]


def test_a_row_of_formulas_without_results_is_a_row(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for line in (HEADER, ",".join(["=A2"] * 9), ROW):
        book.active.append(line.split(","))
    book.save(tmp_path / "a.xlsx")
    assert [(r.line, list(r.cells)) for r in records(tmp_path / "a.xlsx")] == [(2, ["#N/A"] * 9), (3, ROW.split(","))]


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ([ROW, "=1/0,,,,,=1/0", ",,,,,=1/0"], [2]), ([ROW, "=1/0", "", ROW, "=1/0", "=1/0"], [2, 3, 5]),
        (["=1/0", "=1/0"], [2, 3]), ([ROW, "=1/0,,,8"], [2, 3]), ([ROW, "=1/0", "制表人：某"], [2, 3, 4]),
    ],
)  # fmt: skip
def test_formulas_that_were_filled_in_below_the_last_record_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[str], lines: list[int]
) -> None:
    """A sheet of formulas alone is no form that was filled in ahead: its rows are refused."""
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        for sheet in (book.add_worksheet(), book.add_worksheet()):
            for line, text in enumerate([HEADER, *rows]):
                for column, cell in enumerate(text.split(",")):
                    sheet.write(line, column, cell, None, *(["#N/A"] if cell.startswith("=") else []))
    for size in (1, 20_000):
        monkeypatch.setattr(xlsx_file, "BATCH_ROWS", size)
        assert [r.line for r in records(tmp_path / "a.xlsx")] == [*lines, *(10_000_000 + line for line in lines)]


@pytest.mark.parametrize("is_1904", [True, False])
def test_a_serial_number_of_a_workbook_that_counts_from_1904_is_no_date(tmp_path: Path, is_1904: bool) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx", {"date_1904": is_1904}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER.split(","))
        sheet.write_row(1, 0, ROW.split(","))
        sheet.write_number(1, 0, 43283)
        sheet.write_number(1, 4, 43283)
        sheet.write_datetime(1, 5, datetime(2022, 7, 4), book.add_format({"num_format": "yyyy-mm-dd"}))
    [read] = records(tmp_path / "a.xlsx")
    assert read.cells[4] == ("43283（1904年日期系统）" if is_1904 else "43283")
    assert (read.cells[0], read.cells[5]) == ("43283", "2022-07-04")


def test_a_formula_of_an_xml_spreadsheet_without_a_result(tmp_path: Path) -> None:
    cells = ROW.split(",")
    row = xml_row(ROW).replace(f'<Cell><Data ss:Type="String">{cells[5]}</Data></Cell>', '<Cell ss:Formula="=1+1"/>')
    [read] = records(write(tmp_path, xml_book(xml_row(HEADER), row).encode()))
    assert read.cells == [*cells[:5], "#N/A", *cells[6:]]


def test_bytes_behind_an_old_spreadsheet_are_none_of_its_records(tmp_path: Path) -> None:
    path = tmp_path / "a.xls"
    path.write_bytes((FILES / "errors.xls").read_bytes() + b"\x09\x08\x10\x00\x00\x06\x10\x00")
    assert records(path) == records(FILES / "errors.xls")


@pytest.mark.parametrize("kind", ["xls", "ods"])
def test_a_serial_number_of_an_old_or_open_workbook_that_counts_from_1904_is_no_date(kind: str) -> None:
    [read] = records(FILES / f"serials_of_1904.{kind}")
    assert [read.cells[i] for i in (0, 4, 5)] == ["43283", "43283（1904年日期系统）", "2022-07-04"]


def test_a_serial_number_of_an_xml_spreadsheet_that_counts_from_1904_is_no_date(tmp_path: Path) -> None:
    excel = (
        '<x:ExcelWorkbook xmlns:x="urn:schemas-microsoft-com:office:excel"><x:Date1904/></x:ExcelWorkbook><Worksheet'
    )
    row = xml_row(ROW.replace("2022-07-01,", "43283,"), kinds={4: "Number"})
    book = xml_book(xml_row(HEADER), row)
    for text, cell in ((book, "43283"), (book.replace("<Worksheet", excel, 1), "43283（1904年日期系统）")):
        assert [read.cells[4] for read in records(write(tmp_path, text.encode()))] == [cell]


@pytest.mark.parametrize("kind", ["xls", "ods"])
def test_zeros_in_front_of_a_number_that_its_format_shows_in_an_old_or_open_workbook(kind: str) -> None:
    read = records(FILES / f"formats.{kind}")
    # The formats are 000000, then 000-000, none, and 000000.
    assert [r.cells[0] for r in read] == ["012345", "000000", "1234567", "1.5", "12345", "12345", "-5"]
    assert {r.cells[7] for r in read} == {"000007"}


@pytest.mark.parametrize("kind", ["xls", "ods"])
def test_zeros_of_formulas_below_the_last_record_of_an_old_or_open_workbook_are_none(kind: str) -> None:
    """Numbers, dates and times of empty cells, empty texts and an error stand there; the last record has such a zero, too."""
    table = open_table(FILES / f"formats.{kind}", FEED)
    assert [(chunk.lines[-1], chunk.cells["reason"][-1], chunk.broken) for chunk in table.chunks] == [(8, "0", [])]
    assert table.passed_over == ["第9至12行（只有公式）"]
    assert not any(sheets.ZERO in "".join([r.raw, *r.cells]) for r in records(FILES / f"formats.{kind}"))


@pytest.mark.parametrize(
    ("rows", "lines", "passed_over"),
    [
        ([ROW, "=0,,=0", "=0,=0"], [2], "第3至4行（只有公式）"), ([ROW, "=0,=1/0", "", "=0"], [2], "第3至5行（只有公式）"),
        ([ROW, "=0", ROW, "=0"], [2, 3, 4], "第5至5行（只有公式）"), ([ROW, "=0,0"], [2, 3], None), (["=0", "=0"], [2, 3], None),
        ([ROW, "=0,,=5"], [2, 3], None), ([ROW, "=0", "制表人：某"], [2, 3, 4], None), ([ROW, "0,0"], [2, 3], None),
    ],
)  # fmt: skip
def test_zeros_of_formulas_below_the_last_record_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[str], lines: list[int], passed_over: str | None
) -> None:
    """A zero that somebody typed, another result, and a row above the last record stay; so do the rows of a sheet without any."""
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        sheet = book.add_worksheet()
        for line, text in enumerate([HEADER, *rows]):
            for column, cell in enumerate(text.split(",")):
                result = "#N/A" if cell == "=1/0" else int(cell[1:]) if cell.startswith("=") else 0
                sheet.write(line, column, int(cell) if cell == "0" else cell, None, *([result] if "=" in cell else []))

    def cell(text: str) -> str:
        if text.startswith("="):
            kind, result = ("Error", "#N/A") if text == "=1/0" else ("Number", text[1:])
            return f'<Cell ss:Formula="{text}"><Data ss:Type="{kind}">{result}</Data></Cell>'
        return f'<Cell><Data ss:Type="String">{text}</Data></Cell>'

    book_rows = ["<Row>" + "".join(map(cell, text.split(","))) + "</Row>" for text in rows]
    (tmp_path / "a.xml").write_text(xml_book(xml_row(HEADER), *book_rows), encoding="utf-8")
    for name in ("a.xlsx", "a.xml"):
        for size in (1, 20_000):
            monkeypatch.setattr(xlsx_file, "BATCH_ROWS", size)
            table = open_table(tmp_path / name, FEED)
            assert [line for chunk in table.chunks for line in chunk.lines] == lines
            assert table.passed_over == ([passed_over] if passed_over else [])


@pytest.mark.parametrize(
    ("number_format", "number", "text"),
    [
        ("000000", 12345, "012345"), ("0000", 12345, "12345"), ("000000", 0, "000000"), ("000", 1.5, "1.5"),
        ("0", 7, "7"), ("000-000", 12345, "12345"), ("0.00", 7, "7"), ("000", -5, "-5"), ("General", 12345, "12345"),
    ],
)  # fmt: skip
def test_zeros_in_front_of_a_number_that_its_format_shows(
    tmp_path: Path, number_format: str, number: float, text: str
) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        sheet, padded = book.add_worksheet(), book.add_format({"num_format": number_format})
        sheet.write_row(0, 0, HEADER.split(","))
        sheet.write_row(1, 0, ROW.split(","))
        sheet.write_number(1, 0, number, padded)
    assert [r.cells[0] for r in records(tmp_path / "a.xlsx")] == [text]


def test_a_merged_cell_of_an_open_spreadsheet_stands_in_each_of_its_rows(tmp_path: Path) -> None:
    merged, twice = ' table:number-rows-spanned="3"', ' table:number-rows-repeated="2"'

    def row(line: str, attributes: str = "") -> str:
        cells = "".join(
            f'<table:table-cell office:value-type="string"{merged if text == "休假" else ""}><text:p>{text}</text:p>'
            "</table:table-cell>"
            for text in line.split(",")
        )
        covered = re.sub("<table:table-cell[^/]*COVERED.*?table-cell>", "<table:covered-table-cell/>", cells)
        return f"<table:table-row{attributes}>{covered}</table:table-row>"

    def sheet(name: str, *rows: str) -> str:
        return f'<table:table table:name="{name}">{"".join(rows)}</table:table>'

    blank = f'<table:table-row{twice}><table:table-cell table:number-columns-repeated="9"/></table:table-row>'
    below = [row(ROW.replace("休假", "COVERED"), twice), row(ROW.replace("休假", "事假"))]
    names = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f"<office:document-content{names}><office:body><office:spreadsheet>{sheet('甲', row('请勿改动'))}"
        f"{sheet('乙', blank, row(HEADER), row(ROW), *below)}</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr(
            "META-INF/manifest.xml", '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
        )
    assert [r.cells[6] for r in records(tmp_path / "a.ods")] == ["休假", "休假", "休假", "事假"]


# The tests below ask what stands below the last row.


@pytest.mark.parametrize(
    "line",
    [
        "合计,2,,,,,,,",
        "合计,2",
        "合　计：2条",
        '"总计",',
        "共2条",
        "小计",
        "制表人：某某,审核：某某",
        "备注: 以上为今日数据",
        "第1页 共2页",
        "第 2/2 页",
        "共3页",
        "合计",
    ],
)
def test_a_line_of_totals_is_no_cut_row_and_says_so(tmp_path: Path, line: str) -> None:
    table = open_table(write(tmp_path, "\n".join([HEADER, ROW, line, ""]).encode()), FEED)
    [chunk] = table.chunks
    assert not stage_table._is_cut(chunk)
    raw = [*chunk.raw.to_list(), *(record.raw for record in chunk.broken)]
    assert [bool(stage_table._no_record(text)) for text in raw] == [False, True]
    for record in chunk.broken:
        _, _, codes, words, *_ = stage_table.rejected_line(record, chunk, FEED, "a.csv")
        assert codes == ["ragged_row"] and words.startswith("a.csv第3行：这是") and "无需更正" in words


@pytest.mark.parametrize("line", ["E2,居民", "合计01,居民身份证", "注意", "共青团", "第1页街,居民"])
def test_a_row_that_was_cut_is_no_line_of_totals(tmp_path: Path, line: str) -> None:
    [chunk] = open_table(write(tmp_path, "\n".join([HEADER, ROW, line]).encode()), FEED).chunks
    assert stage_table._is_cut(chunk)
    assert [stage_table.rejected_line(record, chunk, FEED, "a.csv")[3] for record in chunk.broken] == [
        f"a.csv第3行：列数与表头不符（应9列，实{len(line.split(','))}列）"
    ]


def test_columns_that_change_on_the_way_are_counted_by_their_number(tmp_path: Path) -> None:
    lines = [HEADER, ROW, *[ROW.replace("E1", f"E{i}") + ",x" for i in range(6)], "合计", ROW + ",x,y"]
    [chunk] = open_table(write(tmp_path, "\n".join(lines).encode()), FEED).chunks
    assert stage_table._widths(chunk) == {10: 6, 11: 1}


@pytest.mark.parametrize(("end", "is_cut"), [("</table></body></html>", False), ("</TABLE>", False), ("", True)])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_page_without_its_end_is_cut(tmp_path: Path, end: str, is_cut: bool, encoding: str) -> None:
    page = PAGE.format(charset=encoding).removesuffix("</table></body></html>") + end
    table = open_table(write(tmp_path, page.encode(encoding)), SAMPLES)
    assert table.is_cut is is_cut and sum(chunk.rows for chunk in table.chunks) == 1


@pytest.mark.parametrize(
    ("old", "new"), [("<tr><td>S1", "<td>S1"), ("<tr><td>S1", "</table><tr><td>S1"), ("<tr><td>S1", "<!-- <tr><td>S1")]
)
def test_a_page_whose_tags_do_not_belong_together(tmp_path: Path, old: str, new: str) -> None:
    assert old in PAGE
    with pytest.raises(FileRejectedError, match="DamagedPageError"):
        open_table(write(tmp_path, PAGE.format(charset="utf-8").replace(old, new).encode()), SAMPLES)


def test_a_row_of_a_page_has_all_its_cells(tmp_path: Path) -> None:
    page = PAGE.format(charset="utf-8").replace("<td>S1</td><td></td>", "<td>S1</td>")
    [chunk] = open_table(write(tmp_path, page.encode()), SAMPLES).chunks
    assert [len(record.cells) for record in chunk.broken] == [len(SAMPLES.columns) - 1] and not chunk.cells.height


# The tests below ask which national lists are believed.


@pytest.mark.parametrize(
    ("areas", "accepted", "held"),
    [
        ([1000, 101, 11], [], []), ([1000, 99, 1000], [], [1]), ([1000, 99, 98, 120], [], [1, 2]),
        ([1000, 99, 98, 9], [1], [3]), ([29, 0, 29], [], []), ([30, 2, 31], [], [1]), ([0, 1000, 0], [], [2]),
        ([1000, 99, 50], [1], []), ([], [], []),
    ],
)  # fmt: skip
def test_a_list_of_a_tenth_of_the_last_is_held_back(areas: list[int], accepted: list[int], held: list[int]) -> None:
    hours = [datetime(2022, 11, 26, hour) for hour in range(len(areas))]
    assert held_lists(
        list(zip(hours, areas, strict=True)), {hours[i] for i in accepted}, below_share=0.1, from_areas=30
    ) == {hours[i] for i in held}


def test_a_row_of_a_form_without_an_answer_is_blank(tmp_path):
    """A form to fill in has the feed's other columns already; one filled cell of the answer makes a row of it."""
    feed = FEEDS["dispositions"]
    path = tmp_path / "form.csv"
    rows = [
        "1,overdue,a,,,,,2022-07-01",
        "2,overdue,b,已通知,,,,2022-07-01",
        "3,overdue,c,, ,,,2022-07-01",
        "4,due,d,,,,备注,2022-07-01",
    ]
    path.write_text("\n".join([",".join(column.source for column in feed.columns), *rows]) + "\n", encoding="utf-8")
    (chunk,) = open_table(path, feed).chunks
    assert chunk.cells["item_key"].to_list() == ["b", "d"] and chunk.lines.to_list() == [3, 5] and chunk.rows == 2
    assert [raw.partition(",")[0] for raw in chunk.raw] == ["2", "4"]
