"""Files that mean harm: whatever a sender puts into the landing folder is refused or taken as harmless text.

The next file always lands, and neither memory nor time follow what a file claims to be. What is large is sparse or
packed: no test writes more than a few megabytes.
"""

from __future__ import annotations

import io
import itertools
import json
import logging
import multiprocessing
import os
import socket
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import pytest

from tests import support
from tests.bench.memory import peak_mib
from tests.support import land_folder, query, sample, write_feed
from yingjian.cli import main
from yingjian.landing import archives, quarantine
from yingjian.landing.errors import LABEL_CHARACTERS, label
from yingjian.landing.feeds import FEEDS
from yingjian.landing.readers import csv_file, sheets
from yingjian.settings import Settings

HEADER = [column.source for column in FEEDS["test_results"].columns]
TEXTS = [column.source for column in FEEDS["test_results"].columns if column.kind == "text"]
MEMORY_MEBIBYTES = 900  # A process that lands may hold so much; polars and its threads take a third of it.

INJECTIONS = {
    "sql": "x'); drop table staging.test_results; --",
    "sql_dollar": "$$; select pg_sleep(100); $$",
    "copy_end": "\\.",
    "copy_null": "\\N",
    "formula": '=HYPERLINK("http://evil.example","x")',
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-2+3",
    "at": "@SUM(1+1)",
    "tab_formula": "a\t=1+1",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "jinja": "{{ 7 * 7 }}{% raw %}",
    "format": "%s%n{0}{}",
    "line_break": 'a\n"b";c',
}


@pytest.fixture
def refused(home: Settings, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Lands `tmp_path` with one good file beside the hostile one; returns why the hostile one was refused."""
    write_feed(tmp_path, "test_results", [sample("GOOD")], "z.csv")

    def land() -> str:
        land_folder(home, tmp_path)
        assert query(home, "select sample_key from staging.test_results") == [("GOOD",)]
        [(reason,)] = query(home, "select reason from quality.landed_file where status = 'rejected'")
        return str(reason)

    yield land


def put(folder: Path, name: str, content: bytes = b"") -> Path:
    path = folder / "test_results" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def zipped(members: dict[str, str | bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


# Text that is code elsewhere


@pytest.mark.parametrize("column", TEXTS)
def test_code_in_any_text_column_stays_text(home: Settings, tmp_path: Path, column: str) -> None:
    name = FEEDS["test_results"].columns[HEADER.index(column)].name
    rows = [sample(f"S{i}") | {column: text} for i, text in enumerate(INJECTIONS.values())]
    write_feed(tmp_path, "test_results", rows)
    write_feed(tmp_path, "test_results", [row | {"检测结果": text} for row, text in zip(rows, INJECTIONS.values(), strict=True)], "b.csv")  # fmt: skip
    land_folder(home, tmp_path)
    staged = query(home, f"select {name} from staging.test_results")
    # A key of signs alone is none.
    kept = set(INJECTIONS.values()) - ({INJECTIONS["copy_end"]} if name in ("sample_key", "tube_no") else set())
    assert {value for (value,) in staged} - {None} == kept
    raw = "\n".join(text for (text,) in query(home, "select raw_text from quality.rejected_row"))
    assert all(text.replace('"', '""') in raw for text in INJECTIONS.values())


def test_the_spreadsheet_for_a_sender_holds_text_only(home: Settings, tmp_path: Path) -> None:
    """Also after somebody edits a cell: a spreadsheet then reads it anew, unless it is marked as text."""
    rows = [sample(text, 检测结果="不明", 检测机构=text) for text in INJECTIONS.values()]
    write_feed(tmp_path, "test_results", [*rows, *(sample(f"S{i}", 检测机构=t) for i, t in enumerate(INJECTIONS.values()))])  # fmt: skip
    land_folder(home, tmp_path)
    with support.warehouse.connect(home) as conn:
        assert quarantine.export(conn, tmp_path / "out.xlsx") == len(rows)
    [_, *lines] = openpyxl.load_workbook(tmp_path / "out.xlsx").active.iter_rows()
    assert {line[5].value for line in lines} == set(INJECTIONS.values())
    assert {line[2].value for line in lines} == set(INJECTIONS.values())
    for cell in itertools.chain.from_iterable(line[1:] for line in lines):
        assert (cell.data_type, cell.number_format, cell.quotePrefix) == ("s", "@", True)


def test_control_characters_and_marks_of_direction_go_out_of_the_cells(home: Settings, tmp_path: Path) -> None:
    write_feed(
        tmp_path, "test_results",
        [
            sample("S\x071", 姓名="陈\u202e测\u2066试", 采样点="\x1b[31m红\x7f\u200b点\ufeff", 试管编号="T\x1b]0;x"),
            sample("S2", 姓名="می\u200cخواهم", 采样点="两行\n地址"),
        ],
    )  # fmt: skip
    land_folder(home, tmp_path)
    assert query(
        home, "select sample_key, person_name, sampling_point, tube_no from staging.test_results order by 1"
    ) == [("S1", "陈测试", "[31m红点", "T]0;x"), ("S2", "می\u200cخواهم", "两行\n地址", None)]
    assert query(home, "select rows_repaired from quality.landed_file") == [(1,)], "and it is counted"


# Names


def test_names_of_files_are_labels(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """No escape sequence reaches a terminal or a log, no person's number; what is no text stops nothing."""
    bad = [sample("S1", 检测结果="不明", 检测机构="甲"), sample("S2", 检测机构="甲")]
    for name in ("\x1b[2J\n\u202egnp.csv", "陈某350503194205022751.csv", "13800000000.csv", "x" * 251 + ".csv"):
        write_feed(tmp_path, "test_results", bad, name)
        bad = [row | {"样本编号": row["样本编号"] + "0"} for row in bad]
    for folder in (b"\xff\xfe", b"\x1b[2J", b"test_results\xe2\x80\xae"):
        (tmp_path / os.fsdecode(folder)).mkdir()
        (tmp_path / os.fsdecode(folder + b"/" + b"\xff.csv")).write_text("x")
    (tmp_path / "test_results" / os.fsdecode(b"\xff\xfe.csv")).write_text("x")
    with caplog.at_level(logging.DEBUG):
        land_folder(home, tmp_path)
    monkeypatch.setenv("YINGJIAN_HOME", str(home.home))
    assert main(["quarantine", "list"]) == 0
    printed = capsys.readouterr().out + caplog.text
    assert not {"\x1b", "\u202e"} & set(printed)
    assert "350503194205022751" not in printed and "13800000000" not in printed and "陈某＊＊＊.csv" in printed
    assert len(printed.splitlines()) < 20
    files = query(home, "select feed, status, length(file_name) from quality.landed_file")
    assert sorted(status for _, status, _ in files) == ["rejected", *["staged"] * 4, *["unknown_feed"] * 3]
    assert {feed for feed, status, _ in files if status == "staged"} == {"test_results"}, "an unseen mark makes no feed"
    assert max(length for _, _, length in files) == LABEL_CHARACTERS


def test_a_label_cannot_become_a_feed() -> None:
    for character in map(chr, itertools.chain(range(0x3000), range(0xD800, 0xE000), range(0xFE00, 0x10000))):
        assert label(f"{character}residents") not in FEEDS and label(f"residents{character}") not in FEEDS


def test_the_longest_path_and_the_deepest_folder(home: Settings, tmp_path: Path) -> None:
    """A location longer than an index takes, and a folder deeper than Python recurses."""
    deep = tmp_path / "test_results"
    deep.mkdir()
    back = os.open(".", os.O_RDONLY)
    try:
        os.chdir(deep)
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.fchdir(back)
        os.close(back)
    long = deep
    for i in range(14):
        long = long / (str(i) + "，" * 80)
        long.mkdir()
    write_feed(tmp_path, "test_results", [sample("S1")]).rename(long / "a.csv")
    try:
        land_folder(home, tmp_path)
        again = land_folder(home, tmp_path)
    finally:
        subprocess.run(
            ["rm", "-rf", str(deep / "d")], check=True
        )  # The folder is too deep for pytest's own cleaning up.
    assert query(home, "select sample_key, length(location) > 9000 from staging.test_results, quality.landed_file") == [
        ("S1", True)
    ]
    assert again.files_known == 1


def test_only_regular_files_of_the_feed_are_opened(home: Settings, tmp_path: Path) -> None:
    outside = write_feed(tmp_path / "outside", "test_results", [sample("SECRET")]).parent
    landing = tmp_path / "landing"
    inside = write_feed(landing, "test_results", [sample("S1")])
    folder = inside.parent
    (folder / "link.csv").symlink_to(outside / "a.csv")
    (folder / "up.csv").symlink_to("../../outside/test_results/a.csv")
    (folder / "folder").symlink_to(outside)
    (folder / "nowhere.csv").symlink_to("nothing")
    (folder / "loop.csv").symlink_to("loop.csv")
    (folder / "own.csv").symlink_to("a.csv")
    os.mkfifo(folder / "pipe.csv")
    (folder / "zero.csv").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(folder)  # The name of a socket is short.
        listener.bind("socket.csv")
        os.chdir(here)
        land_folder(home, landing)
    assert query(home, "select sample_key from staging.test_results") == [("S1",)]
    statuses = dict(query(home, "select file_name, status from quality.landed_file"))
    assert statuses == {
        name: "rejected"
        for name in ("link.csv", "up.csv", "folder", "nowhere.csv", "loop.csv", "pipe.csv", "zero.csv", "socket.csv")
    } | {"a.csv": "staged", "own.csv": "duplicate"}
    (landing / "test_results").rename(tmp_path / "mounted")
    landing.joinpath("test_results").symlink_to(tmp_path / "mounted")
    write_feed(landing, "test_results", [sample("S2")], "b.csv")
    land_folder(home, landing)
    assert query(home, "select count(*) from staging.test_results") == [(2,)], "a feed's own folder may be a link"


def test_a_file_exchanged_for_a_link_while_it_lands(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yingjian.landing import land as landing

    path = write_feed(tmp_path / "landing", "test_results", [sample("S1")])
    outside = write_feed(tmp_path / "outside", "test_results", [sample("SECRET")])
    known_files = landing.manifest.known_files

    def exchange(conn: object) -> object:
        path.unlink()
        path.symlink_to(outside)
        return known_files(conn)  # type: ignore[arg-type]

    monkeypatch.setattr(landing.manifest, "known_files", exchange)
    assert land_folder(home, tmp_path / "landing").files_rejected == 1
    assert query(home, "select count(*) from staging.test_results") == [(0,)]


# The tests below try sizes.


def landed_by_another_process(home: Settings, folder: Path) -> int:
    """Land in a process of its own; returns the most memory it took, in MiB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_land_and_measure, (home, folder))


def _land_and_measure(home: Settings, folder: Path) -> int:
    land_folder(home, folder)
    return peak_mib()


def sparse(path: Path, head: str, size: int) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(head, encoding="utf-8")
    os.truncate(path, size)


@pytest.mark.slow
def test_lines_of_a_gigabyte(home: Settings, tmp_path: Path) -> None:
    """The bytes come from the first byte on, and below a good header and row."""
    folder = tmp_path / "test_results"
    sparse(folder / "a.csv", "x", 1 << 30)
    good = write_feed(tmp_path, "test_results", [sample("S1")], "b.csv").read_text(encoding="utf-8")
    sparse(folder / "b.csv", good, 1 << 30)
    write_feed(tmp_path, "test_results", [sample("GOOD")], "z.csv")
    assert landed_by_another_process(home, tmp_path) < MEMORY_MEBIBYTES
    assert query(home, "select sample_key from staging.test_results") == [("GOOD",)]
    reasons = query(home, "select reason from quality.landed_file where status = 'rejected' order by file_name")
    assert [text[:5] for (text,) in reasons] == ["这是二进制", "这是二进制"]


@pytest.mark.beyond
def test_ten_gigabytes(home: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "test_results"
    good = write_feed(tmp_path, "test_results", [sample("S1")], "a.csv").read_text(encoding="utf-8")
    sparse(folder / "a.csv", good, 10 << 30)
    sparse(folder / "b.xlsx", "PK\x03\x04", 10 << 30)
    write_feed(tmp_path, "test_results", [sample("GOOD")], "z.csv")
    assert landed_by_another_process(home, tmp_path) < MEMORY_MEBIBYTES
    assert query(home, "select sample_key from staging.test_results") == [("GOOD",)]
    assert query(home, "select count(*) from quality.landed_file where status = 'rejected'") == [(2,)]


def test_a_list_larger_than_any(refused: Callable[[], str], tmp_path: Path) -> None:
    sparse(tmp_path / "risk_areas" / "d.json", '{"data": {', 65 << 20)
    assert refused() == "名单过大，疑似异常文件，未读取"


def test_larger_than_any_export_is_not_even_opened(
    refused: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sparse(tmp_path / "test_results" / "a.csv", "x", archives.MAX_BYTES + 1)
    monkeypatch.setattr(archives, "is_archive", lambda path: path.name == "a.csv" and pytest.fail("opened"))
    assert refused() == "文件过大，疑似异常文件，未读取"


@pytest.mark.parametrize("head", ["PK\x03\x04", "<html><table>"])
def test_a_spreadsheet_of_a_gigabyte_is_not_taken_into_memory(
    refused: Callable[[], str], tmp_path: Path, head: str
) -> None:
    sparse(tmp_path / "test_results" / "a.xlsx", head, (1 << 30) + 1)
    assert refused().startswith("电子表格过大")


@pytest.mark.parametrize("rows", [0, 3])
def test_a_million_columns(refused: Callable[[], str], tmp_path: Path, rows: int) -> None:
    """As a header, and as rows below a good header: there only the rows are refused."""
    wide = ",".join(["列"] * 1_000_000)
    put(tmp_path, "a.csv", (",".join(HEADER) + "," + wide + "\n" if not rows else wide).encode())
    assert refused().startswith(("多于2000列，疑似异常文件，未读取", "前6行中找不到“核酸检测结果”的表头"))


def test_rows_of_a_million_cells_are_refused_one_by_one(home: Settings, tmp_path: Path) -> None:
    path = write_feed(tmp_path, "test_results", [sample("GOOD")])
    path.write_text(path.read_text(encoding="utf-8") + ("," * 1_000_000 + "x\n") * 3, encoding="utf-8")
    land_folder(home, tmp_path)
    assert query(home, "select rows_staged, rows_rejected from quality.landed_file") == [(1, 3)]


def test_names_that_take_a_pattern_forever(refused: Callable[[], str], tmp_path: Path) -> None:
    """A cell of 100,000 asterisks that do not end it: every pattern over headers takes linear time."""
    put(tmp_path, "a.csv", ("x" + "*" * 90_000 + "x,").encode() + ",".join(HEADER[1:]).encode())
    assert "缺少列“样本编号”" in refused()


def test_quotes_that_never_close_take_linear_time(
    refused: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every line both ends the quote of the line above and opens one: a record that ends nowhere begins on each."""
    monkeypatch.setattr(csv_file, "MAX_REREAD", 10_000_000)
    put(tmp_path, "a.csv", (",".join(HEADER) + "\n" + 'a","b\n' * 300_000).encode())
    assert refused() == "引号大量不配对，无法分行读取"


def test_a_header_whose_quote_never_closes(refused: Callable[[], str], tmp_path: Path) -> None:
    put(tmp_path, "a.csv", (",".join(HEADER) + ',"x\n' + "y\n" * 200).encode())
    assert refused() == "表头的引号不配对"


def test_a_first_cell_larger_than_csv_takes(home: Settings, tmp_path: Path) -> None:
    """In a process that has read no other file before."""
    put(tmp_path, "a.csv", b'"' + (b"x" * 700_000 + b"\n") * 7 + b'"')
    write_feed(tmp_path, "test_results", [sample("GOOD")], "z.csv")
    landed_by_another_process(home, tmp_path)
    assert query(home, "select status from quality.landed_file order by file_name") == [("rejected",), ("staged",)]


# The tests below try archives.


def test_members_that_share_their_packed_bytes(refused: Callable[[], str], tmp_path: Path) -> None:
    """A bomb without a suspicious member: a thousand entries of the directory, one packed stream, 16 GiB together."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = b"0" * (17 << 20)
    packed = stream.compress(content) + stream.flush()
    name = b"x.csv"
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, zlib.crc32(content), len(packed), len(content), 5, 0)
    entry = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, zlib.crc32(content), len(packed), len(content), 5, 0, 0, 0, 0, 0, 0
    )  # fmt: skip
    directory = (entry + name) * 1000
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1000, 1000, len(directory), len(local + name + packed), 0)
    put(tmp_path, "b.zip", local + name + packed + directory + end)
    assert refused() == "压缩文件解开后过大或成员过多，疑似异常文件，未读取"


def test_an_archive_of_very_many_members(
    refused: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = zipped({f"{i}.csv": b"" for i in range(300)}, zipfile.ZIP_STORED)
    put(tmp_path, "b.zip", content)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 299)
    assert "成员过多" in refused()


@pytest.mark.parametrize("name", ["b.zip", "b.xlsx", "b.csv"])
def test_a_directory_that_would_fill_the_memory(
    refused: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    put(tmp_path, name, zipped({"[Content_Types].xml": "", **{f"{i}": b"" for i in range(300)}}, zipfile.ZIP_STORED))
    monkeypatch.setattr(archives, "MAX_DIRECTORY_BYTES", 10_000)
    monkeypatch.setattr(zipfile.ZipFile, "_RealGetContents", lambda _: pytest.fail("read"))
    assert refused() == "压缩文件的目录过大，疑似异常文件，未读取"


def test_archives_in_archives_are_not_unpacked(home: Settings, tmp_path: Path) -> None:
    inner = zipped({"x.csv": write_feed(tmp_path / "m", "test_results", [sample("S1")]).read_bytes()})
    folder = tmp_path / "landing"
    folder.mkdir()
    put(folder, "b.zip", zipped({"c.zip": inner, "../../../../tmp/evil.csv": b"x", "/etc/evil.csv": b"x", "C:\\evil.csv": b"x"}))  # fmt: skip
    land_folder(home, folder)
    assert query(home, "select status, count(*) from quality.landed_file group by 1 order by 1") == [
        ("rejected", 4), ("unpacked", 1),
    ]  # fmt: skip
    assert not Path("/tmp/evil.csv").exists() and not Path("/etc/evil.csv").exists()


def test_a_member_with_the_longest_name(home: Settings, tmp_path: Path) -> None:
    content = write_feed(tmp_path / "m", "test_results", [sample("S1")]).read_bytes()
    folder = tmp_path / "landing"
    folder.mkdir()
    put(folder, "b.zip", zipped({"目录/" * 9000 + "x.csv": content, "\x1b[2J350503194205022751.csv": b"x"}))
    land_folder(home, folder)
    assert query(home, "select sample_key from staging.test_results") == [("S1",)]
    names = [name for (name,) in query(home, "select file_name from quality.landed_file order by status")]
    assert all("\x1b" not in name and "350503194205022751" not in name and len(name) < 300 for name in names)


# The tests below try spreadsheets.

PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
}


def row(number: int, cells: list[str]) -> str:
    return f'<row r="{number}">' + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in cells) + "</row>"


def workbook(rows: str, doctype: str = "", strings: str = "") -> bytes:
    """The function makes a spreadsheet of one sheet, from its XML."""
    sheet = f'<?xml version="1.0"?>{doctype}<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData></worksheet>'
    shared = f'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{strings}</sst>'
    return zipped({**PARTS, "xl/worksheets/sheet1.xml": sheet, "xl/sharedStrings.xml": shared})


GOOD_CELLS = [sample("S1").get(name, "") for name in HEADER]
ENTITIES = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(12))


def test_the_hand_made_spreadsheet_is_a_good_one(home: Settings, tmp_path: Path) -> None:
    put(tmp_path, "a.xlsx", workbook(row(1, HEADER) + row(2, GOOD_CELLS)))
    land_folder(home, tmp_path)
    assert query(home, "select sample_key from staging.test_results") == [("S1",)]


@pytest.mark.parametrize(
    ("doctype", "cell"),
    [
        (f'<!DOCTYPE x [<!ENTITY e0 "ha">{ENTITIES}]>', "&e12;"),
        ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', "&e;"),
        ('<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">', "&e;"),
        ("", "&#0;"),
    ],
    ids=["billion laughs", "external entity", "external DTD", "NUL"],
)
def test_entities_are_not_expanded(refused: Callable[[], str], tmp_path: Path, doctype: str, cell: str) -> None:
    put(tmp_path, "a.xlsx", workbook(row(1, HEADER) + row(2, [cell, *GOOD_CELLS[1:]]), doctype))
    assert refused().startswith("电子表格无法打开（XmlError）")


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv", "a"])
def test_one_cell_in_the_last_corner_ends_no_run(refused: Callable[[], str], tmp_path: Path, name: str) -> None:
    """A reader makes room for all seventeen billion cells in between: half a terabyte, and its process is aborted."""
    corner = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    put(tmp_path, name, workbook(row(1, HEADER) + row(2, GOOD_CELLS) + corner))
    assert refused().startswith("电子表格无法打开（OutOfMemory）")


def test_one_long_text_in_very_many_cells(refused: Callable[[], str], tmp_path: Path) -> None:
    """A megabyte of text that stands there once, and a thousand cells that show it."""
    cells = '<c t="s"><v>0</v></c>' * 5
    shown = "".join(f'<row r="{i}">{cells}</row>' for i in range(2, 200))
    put(tmp_path, "a.xlsx", workbook(row(1, HEADER) + shown, strings=f"<si><t>{'x' * 1_000_000}</t></si>"))
    assert refused().startswith("电子表格无法打开（TooMuchTextError）")


def test_a_spreadsheet_that_unpacks_to_more_than_any(
    refused: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yingjian.landing.readers import xlsx_file

    monkeypatch.setattr(xlsx_file, "MAX_UNPACKED", 20 << 20)
    put(tmp_path, "a.xlsx", workbook(row(1, HEADER) + " " * (21 << 20)))
    assert refused() == "电子表格解开后过大，疑似异常文件，未读取"


def test_more_sheets_than_any_workbook(refused: Callable[[], str], tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for _ in range(sheets.MAX_SHEETS):
        book.create_sheet()
    put(tmp_path, "a.xlsx")
    book.save(tmp_path / "test_results" / "a.xlsx")
    assert refused().startswith("电子表格无法打开（TooMuchTextError）")


def test_formulas_give_what_the_sender_saw(home: Settings, tmp_path: Path) -> None:
    """The value that stands beside a formula is taken; nothing is computed, nothing fetched."""
    cells = '<c t="str"><f>WEBSERVICE("http://127.0.0.1:9/")</f><v>S1</v></c>' + "".join(
        f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in GOOD_CELLS[1:]
    )
    put(tmp_path, "a.xlsx", workbook(row(1, HEADER) + f'<row r="2">{cells}</row>'))
    land_folder(home, tmp_path)
    assert query(home, "select sample_key from staging.test_results") == [("S1",)]


# The tests below try JSON.


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[" * 200_000, "不是可读的JSON（RecursionError）"),
        ('{"data": {"end_update_time": "2022-07-04 17时", "hcount": ' + "9" * 5000 + "}}", "不是可读的JSON（ValueError）"),
        ('{"data": {"end_update_time": "2022-07-04 17时", "hcount": -' + "9" * 50 + "}}", "数据库不接受其内容（22003）"),
        ('{"data": {"end_update_time": "2202-07-04 17时"}}', "名单时间（end_update_time）：时间晚于文件接收时间一天以上"),
        ('{"data": {"end_update_time": "0202-07-04 17时"}}', "名单没有可读的时间（end_update_time）"),
    ],
    ids=["nested", "number", "count", "future", "year"],
)  # fmt: skip
def test_json_that_takes_a_reader_down(refused: Callable[[], str], tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "risk_areas").mkdir()
    (tmp_path / "risk_areas" / "a.json").write_text(content)
    assert refused() == reason


def test_json_whose_values_are_of_another_kind(home: Settings, tmp_path: Path) -> None:
    (tmp_path / "risk_areas").mkdir()
    area = {"province": "甲\u0000省", "city": ["x"], "county": 7, "communitys": ["'); drop table x; --", "\ud800\u202e甲", None, {}]}  # fmt: skip
    data = {"end_update_time": "2022-07-04 17时", "highlist": [area], "hcount": True, "mcount": 1.5, "lcount": "x"}
    (tmp_path / "risk_areas" / "a.json").write_text(json.dumps({"data": data}))
    land_folder(home, tmp_path)
    assert query(home, "select province, area from staging.risk_areas order by 2") == [
        ("甲省", "'); drop table x; --"), ("甲省", "?甲"),
    ]  # fmt: skip
    assert query(home, "select rows_read, rows_rejected from quality.landed_file") == [(4, 2)]
    assert query(home, "select high_count, medium_count, low_count from staging.risk_area_snapshots") == [
        (None, None, None)
    ]
