"""People drop many things in the landing location: archives, spreadsheets of every kind, changed layouts, corrected files."""

from __future__ import annotations

import gzip
import io
import itertools
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import support
from tests.support import kill_landings, land_folder, query, sample, write_feed
from yingjian.landing import archives, decisions, quarantine
from yingjian.landing.feeds import FEEDS
from yingjian.settings import Settings

HEADER = [column.source for column in FEEDS["test_results"].columns]
KEYS = "select sample_key from staging.test_results order by 1"
BALANCE = "select bool_and(rows_read = rows_staged + rows_rejected + rows_superseded) from quality.landed_file"


def statuses(home: Settings) -> dict[str, str]:
    return dict(query(home, "select file_name, status from quality.landed_file"))


def reason(home: Settings) -> str:
    [(text,)] = query(home, "select reason from quality.landed_file where status = 'rejected'")
    return str(text)


def packed(folder: Path, name: str, members: dict[str, bytes]) -> Path:
    path = folder / "test_results" / name
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return path


def content_of(folder: Path, *keys: str, encoding: str = "utf-8") -> bytes:
    path = write_feed(folder / "made", "test_results", [sample(key) for key in keys], "x.csv", encoding)
    content = path.read_bytes()
    shutil.rmtree(folder / "made")
    return content


def test_gzip_and_zip(home: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "test_results"
    folder.mkdir()
    (folder / "a.csv.gz").write_bytes(gzip.compress(content_of(tmp_path, "S1", encoding="gb18030")))
    packed(
        tmp_path, "b.zip", {"一/x.csv": content_of(tmp_path, "S2"), "../../etc/y.csv": content_of(tmp_path, "S3", "S4")}
    )
    first = land_folder(home, tmp_path)
    assert query(home, KEYS) == [("S1",), ("S2",), ("S3",), ("S4",)]
    assert statuses(home) == {
        "a.csv.gz": "unpacked", "a.csv.gz/a.csv": "staged",
        "b.zip": "unpacked", "b.zip/一/x.csv": "staged", "b.zip/../../etc/y.csv": "staged",
    }  # fmt: skip
    again = land_folder(home, tmp_path)
    assert (first.files_staged, again.files_known, again.files_staged) == (3, 2, 0)


@pytest.mark.parametrize("cut", [5, 60])
def test_a_cut_archive_is_rejected_and_others_go_on(home: Settings, tmp_path: Path, cut: int) -> None:
    path = packed(tmp_path, "b.zip", {"x.csv": content_of(tmp_path, "S2")})
    path.write_bytes(path.read_bytes()[:-cut])
    (path.parent / "a.csv.gz").write_bytes(gzip.compress(content_of(tmp_path, "S1"))[:-cut])
    write_feed(tmp_path, "test_results", [sample("S3")], "c.csv")
    land_folder(home, tmp_path)
    assert query(home, KEYS) == [("S3",)]
    reasons = query(home, "select reason from quality.landed_file where status = 'rejected'")
    assert len(reasons) == 2 and all("压缩文件" in text for (text,) in reasons)


def test_a_decompression_bomb_is_refused(home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "RATIO_FROM_BYTES", 1 << 20)
    packed(tmp_path, "b.zip", {"x.csv": b"0" * (4 << 20)})
    write_feed(tmp_path, "test_results", [sample("S1")])
    land_folder(home, tmp_path)
    assert query(home, KEYS) == [("S1",)]
    assert "过大" in reason(home)


def test_no_name_in_an_archive_stops_the_run_or_hides_a_member(home: Settings, tmp_path: Path) -> None:
    """A name that is no text, and two members of one name."""
    path = packed(tmp_path, "a.zip", {"甲.csv": content_of(tmp_path, "S1")})
    path.write_bytes(path.read_bytes().replace("甲".encode(), b"\xff\xfe\xfd"))
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path.with_name("b.zip"), "w") as archive:
        archive.writestr("x.csv", content_of(tmp_path, "S2"))
        archive.writestr("x.csv", content_of(tmp_path, "S3"))
    land_folder(home, tmp_path)
    assert query(home, KEYS) == [("S2",), ("S3",)]
    assert statuses(home) == {
        "a.zip": "rejected", "b.zip": "unpacked", "b.zip/x.csv": "staged", "b.zip/x.csv#2": "staged",
    }  # fmt: skip


def test_no_room_to_unpack_is_no_fault_of_the_file(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(tmp_path, "b.zip", {"x.csv": content_of(tmp_path, "S1")})
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 90, 10))  # type: ignore[attr-defined]
    land_folder(home, tmp_path)
    assert statuses(home) == {}
    monkeypatch.undo()
    land_folder(home, tmp_path)
    assert query(home, KEYS) == [("S1",)]


def test_two_landings_at_once_have_an_archive_on_record_once(home: Settings, tmp_path: Path) -> None:
    packed(tmp_path, "b.zip", {f"{i}.csv": content_of(tmp_path, f"S{i}") for i in range(6)})
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: land_folder(home, tmp_path), range(3)))
    assert query(home, "select count(*), count(distinct location) from quality.landed_file") == [(7, 7)]


def spreadsheet(folder: Path, build: Callable[[openpyxl.Workbook], None], name: str = "a.xlsx") -> None:
    book = openpyxl.Workbook()
    build(book)
    (folder / "test_results").mkdir(exist_ok=True)
    book.save(folder / "test_results" / name)


def cells(key: str, **other: str) -> list[str]:
    return [sample(key, **other).get(name, "") for name in HEADER]


FILES = Path(__file__).parents[2] / "unit" / "landing" / "files"


def test_a_file_is_what_its_content_says(home: Settings, tmp_path: Path) -> None:
    """A name or a zip around it changes nothing: the test lands old and open spreadsheets, a page, and UTF-16."""
    folder = tmp_path / "test_results"
    folder.mkdir()
    shutil.copyfile(FILES / "biff.xls", folder / "a.csv")
    shutil.copyfile(FILES / "table.ods", folder / "b.xlsx")
    packed(
        tmp_path,
        "c.zip",
        {"x.ods": (FILES / "table.ods").read_bytes() + b"\n", "y.xls": (FILES / "dates_of_1904.xlsx").read_bytes()},
    )
    cells = "".join(f"<td>{sample('PAGE').get(name, '')}</td>" for name in HEADER)
    head = "".join(f"<th>{name}</th>" for name in HEADER)
    (folder / "d.xls").write_text(f"<html><table><tr>{head}</tr><tr>{cells}</tr></table></html>", encoding="gb18030")
    (folder / "e.txt").write_bytes(content_of(tmp_path, "WIDE").decode().replace(",", "\t").encode("utf-16"))
    (folder / "f.csv").write_bytes(b"%PDF-1.7")
    land_folder(home, tmp_path)
    assert query(home, KEYS) == [("PAGE",), ("S1",), ("S2",), ("WIDE",)]
    assert query(home, "select file_name, encoding from quality.landed_file where status = 'staged' order by 1") == [
        ("a.csv", "xls"), ("b.xlsx", "ods"), ("c.zip/x.ods", "ods"), ("c.zip/y.xls", "xlsx"), ("d.xls", "html"),
        ("e.txt", "utf-16"),
    ]  # fmt: skip
    assert reason(home) == "这是PDF文件，无法读取；请报送原始表格（.xlsx或CSV）"
    assert query(home, BALANCE) == [(True,)]


def test_several_sheets_hidden_rows_and_empty_rows(home: Settings, tmp_path: Path) -> None:
    def build(book: openpyxl.Workbook) -> None:
        first = book.active
        first.append(HEADER)
        first.append(cells("S1"))
        first.append(cells("S2"))
        first.row_dimensions[3].hidden = True
        for _ in range(3):
            first.append([""] * len(HEADER))
        second = book.create_sheet("乙社区")
        second.append(["某街道核酸检测结果"])
        second.append(["填报日期：2022-07-01"])
        second.append(list(reversed(HEADER)))
        second.append(list(reversed(cells("S3"))))
        second.append(list(reversed(cells("S4", 检测结果="不明"))))
        book.create_sheet("说明").append(["本表由各社区填报"])

    spreadsheet(tmp_path, build)
    land_folder(home, tmp_path)
    assert query(home, KEYS) == [("S1",), ("S2",), ("S3",)]
    [(text, line)] = query(home, "select reason, line from quality.rejected_row")
    assert "工作表“乙社区”第5行" in text and line == 10_000_005
    assert query(home, "select rows_read, extra_columns from quality.landed_file") == [(4, ["工作表“说明”"])]


def test_a_header_of_merged_cells(home: Settings, tmp_path: Path) -> None:
    def build(book: openpyxl.Workbook) -> None:
        sheet = book.active
        sheet.append(["核酸检测结果汇总"])
        upper, lower = list(HEADER), [""] * len(HEADER)
        first = HEADER.index("证件类型")
        upper[first], upper[first + 1] = "证件", ""
        lower[first], lower[first + 1] = "类型", "号码"
        sheet.append(upper)
        sheet.append(lower)
        for column in range(1, len(HEADER) + 1):
            if column - 1 not in (first, first + 1):
                sheet.merge_cells(start_row=2, end_row=3, start_column=column, end_column=column)
        sheet.merge_cells(start_row=2, end_row=2, start_column=first + 1, end_column=first + 2)
        sheet.append(cells("S1"))

    spreadsheet(tmp_path, build)
    land_folder(home, tmp_path)
    assert query(home, f"select sample_key, id_number from ({KEYS.replace('sample_key', '*')}) as s") == [
        ("S1", support.IDENTITY["证件号码"])
    ]


def rewritten(folder: Path, old: str, new: str, name: str = "a.csv", rows: int = 1) -> Path:
    path = write_feed(folder, "test_results", [sample(f"S{i + 1}") for i in range(rows)], name)
    header, body = path.read_text(encoding="utf-8").split("\n", 1)
    path.write_text(header.replace(old, new) + "\n" + body, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["身份证号", "证件号码*", "证件 号码", "证件号码（必填）", "证件\u3000号码"])
def test_header_names_that_are_known_synonyms(home: Settings, tmp_path: Path, name: str) -> None:
    rewritten(tmp_path, "证件号码", name)
    land_folder(home, tmp_path)
    assert query(home, KEYS) == [("S1",)]


def test_a_renamed_column_stops_its_feed_until_it_is_accepted(home: Settings, tmp_path: Path) -> None:
    rewritten(tmp_path, "检测结果", "核酸结论")
    land_folder(home, tmp_path)
    assert query(home, KEYS) == [] and "缺少列“检测结果”" in reason(home)
    with support.warehouse.connect(home) as conn:
        assert decisions.accept(conn, "test_results", "rename", "检测结果", "核酸结论", "平台七月升级", "tester") == 1
    land_folder(home, tmp_path)
    assert query(home, KEYS) == [("S1",)]
    assert query(home, "select count(*) from quality.landed_file") == [(1,)], "one row of the manifest a file"


def test_an_archive_is_opened_again_for_its_rejected_member(home: Settings, tmp_path: Path) -> None:
    renamed = content_of(tmp_path, "S1").decode().replace("检测结果", "核酸结论").encode()
    packed(tmp_path, "b.zip", {"x.csv": renamed, "y.csv": content_of(tmp_path, "S2")})
    land_folder(home, tmp_path)
    assert query(home, KEYS) == [("S2",)]
    with support.warehouse.connect(home) as conn:
        assert decisions.accept(conn, "test_results", "rename", "检测结果", "核酸结论", "平台升级", "tester") == 1
    again = land_folder(home, tmp_path)
    assert (again.files_staged, again.files_known) == (1, 1)
    assert query(home, KEYS) == [("S1",), ("S2",)]
    assert sorted(statuses(home).values()) == ["staged", "staged", "unpacked"]


def test_a_column_that_went_away_can_be_done_without(home: Settings, tmp_path: Path) -> None:
    rewritten(tmp_path, "试管编号", "备注")
    with support.warehouse.connect(home) as conn:
        decisions.accept(conn, "test_results", "absent", "试管编号", None, "平台不再提供", "tester")
        with pytest.raises(ValueError, match="has no column"):
            decisions.accept(conn, "test_results", "absent", "没有的列", None, "平台不再提供", "tester")
        with pytest.raises(ValueError, match="say why"):
            decisions.accept(conn, "test_results", "absent", "试管编号", None, "……", "tester")
    land_folder(home, tmp_path)
    assert query(home, KEYS) == [("S1",)]
    assert query(home, "select extra_columns from quality.landed_file") == [(["备注"],)]


def test_a_column_that_changed_its_meaning_stops_its_feed(home: Settings, tmp_path: Path) -> None:
    write_feed(tmp_path, "test_results", [sample(f"S{i}", 检测结果="0") for i in range(120)])
    write_feed(tmp_path, "test_results", [sample("T1", 检测结果="0"), sample("T2")], "b.csv")
    land_folder(home, tmp_path)
    assert "列“检测结果”的含义或格式可能变了" in reason(home)
    assert query(home, KEYS) == [("T2",)], "a few odd rows are no change of the column"
    with support.warehouse.connect(home) as conn:
        decisions.accept(conn, "test_results", "meaning", "检测结果", None, "逐行处理", "tester")
    land_folder(home, tmp_path)
    assert query(home, "select count(*) from quality.rejected_row") == [(121,)]


def test_an_accepted_column_does_not_hide_another_one(home: Settings, tmp_path: Path) -> None:
    rows = [sample(f"S{i}", 检测结果="0", 采样方式="1") for i in range(120)]
    write_feed(tmp_path, "test_results", [*rows, sample("T", 检测结果="0")])
    with support.warehouse.connect(home) as conn:
        decisions.accept(conn, "test_results", "meaning", "检测结果", None, "逐行处理", "tester")
    land_folder(home, tmp_path)
    assert "列“采样方式”的含义或格式可能变了" in reason(home)


def test_another_member_of_the_tube_or_another_sender_corrects_nothing(home: Settings, tmp_path: Path) -> None:
    """A mixed tube's members share its sample number, and senders choose the same file names."""
    other = {"姓名": "林测试", "证件号码": "35050319810106930X"}
    write_feed(tmp_path, "test_results", [sample("S1", 检测结果="不明"), sample("")], "甲/a.csv")
    land_folder(home, tmp_path)
    write_feed(tmp_path, "test_results", [sample("S1", **other)], "乙/a.csv")
    land_folder(home, tmp_path)
    open_rows = "select record_key from quality.rejected_row where resolved_at is null order by 1"
    assert query(home, open_rows) == [("",), ("S1",)]
    write_feed(tmp_path, "test_results", [sample("S1")], "甲/b.csv")
    land_folder(home, tmp_path)
    assert query(home, open_rows) == [("",)]


def test_a_record_that_was_written_before_a_refused_row_corrects_nothing(home: Settings, tmp_path: Path) -> None:
    """Files come in any order: the older 待出 does not settle the positive result that was refused."""
    write_feed(tmp_path, "test_results", [sample("S1", 检测结果="不明", 更新时间="2022-07-09 20:00:00")], "new.csv")
    land_folder(home, tmp_path)
    write_feed(tmp_path, "test_results", [sample("S1", 检测结果="待出", 更新时间="2022-07-09 09:00:00")], "old.csv")
    land_folder(home, tmp_path)
    open_rows = "select record_key from quality.rejected_row where resolved_at is null"
    assert query(home, open_rows) == [("S1",)]
    write_feed(tmp_path, "test_results", [sample("S1", 检测结果="阳性", 更新时间="2022-07-09 20:00:00")], "right.csv")
    land_folder(home, tmp_path)
    assert query(home, open_rows) == []


def test_quarantine_is_cleared_by_a_corrected_file(home: Settings, tmp_path: Path) -> None:
    bad = [
        sample("S1", 检测结果="不明", 检测机构="甲"),
        sample("", 检测机构="甲"),
        sample("S3", 检测结果="不明", 检测机构="乙"),
        sample("S7", 检测机构="甲"),
        sample("S8", 检测机构="乙"),
        sample("S9", 检测结果="不明", 检测机构="陈某某"),
    ]
    write_feed(tmp_path, "test_results", bad, "a.csv")
    land_folder(home, tmp_path)
    with support.warehouse.connect(home) as conn:
        assert [(row[1], row[3], row[4]) for row in quarantine.summary(conn)] == [
            ("", "unknown_code", 1), ("乙", "unknown_code", 1), ("甲", "no_key", 1), ("甲", "unknown_code", 1),
        ]  # fmt: skip
    write_feed(tmp_path, "test_results", [sample("S1"), sample("S9")], "a.csv")
    land_folder(home, tmp_path)
    still_open = "select record_key from quality.rejected_row where resolved_at is null order by 1"
    assert query(home, still_open) == [("",), ("S3",)], "the export of another day has the same name"
    corrected = [sample("S1"), sample("S2"), *bad[3:5], sample("S9")]
    write_feed(tmp_path, "test_results", corrected, "a.csv")
    land_folder(home, tmp_path)
    assert query(home, still_open) == [("S3",)]
    with support.warehouse.connect(home) as conn:
        [(open_row,)] = conn.execute(
            "select rejected_id from quality.rejected_row where resolved_at is null"
        ).fetchall()
        with pytest.raises(ValueError, match="resolved with words"):
            quarantine.resolve(conn, [open_row], " ")
        assert quarantine.resolve(conn, [open_row], "样本作废") == 1
        assert quarantine.resolve(conn, [open_row], "再次") == 0
    assert query(home, BALANCE) == [(True,)]


def test_quarantine_as_a_spreadsheet(home: Settings, tmp_path: Path) -> None:
    write_feed(tmp_path, "test_results", [sample("=1+1", 检测结果="不明", 采样点="=HYPERLINK(1)")])
    land_folder(home, tmp_path)
    path = tmp_path / "out.xlsx"
    with support.warehouse.connect(home) as conn:
        assert quarantine.export(conn, path, sender="没有") == 0
        assert quarantine.export(conn, path) == 1
    sheet = openpyxl.load_workbook(path).active
    [header, row] = sheet.iter_rows()
    assert [cell.value for cell in header][:4] == ["编号", "数据源", "报送单位", "文件"]
    assert row[5].value == "=1+1" and all(cell.data_type != "f" for cell in row)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_files_that_were_rejected_are_tried_again_on_demand(home: Settings, tmp_path: Path) -> None:
    rewritten(tmp_path, "检测结果", "核酸结论")
    land_folder(home, tmp_path)
    assert land_folder(home, tmp_path).files_known == 1
    with support.warehouse.connect(home) as conn:
        assert quarantine.retry(conn) == 1
    again = land_folder(home, tmp_path)
    assert (again.files_known, again.files_rejected) == (0, 1)
    assert query(home, "select count(*) from quality.landed_file") == [(1,)]


def test_markers_hold_back_what_is_not_done(home: Settings, tmp_path: Path) -> None:
    write_feed(tmp_path, "test_results", [sample("S1")], "a.csv")
    write_feed(tmp_path, "test_results", [sample("S2")], "b.csv")
    (tmp_path / "test_results" / "a.csv.done").touch()
    land_folder(home, tmp_path)
    assert query(home, KEYS) == [("S1",)]
    (tmp_path / "test_results" / "b.csv.done").touch()
    land_folder(home, tmp_path)
    assert query(home, KEYS) == [("S1",), ("S2",)]


def test_a_marker_may_stand_in_the_place_of_the_ending(home: Settings, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        write_feed(tmp_path, "test_results", [sample(name)], name)
    (tmp_path / "test_results" / "a.done").touch()
    (tmp_path / "test_results" / "b.csv.DONE").touch()
    land_folder(home, tmp_path)
    assert query(home, KEYS) == [("a.csv",), ("b.csv",)]


def as_kind(folder: Path, kind: str, name: str, rows: list[dict[str, str]]) -> Path:
    """The function writes an export in one of the formats."""
    path = folder / "test_results" / f"{name}.{kind}"
    if kind == "xlsx":
        spreadsheet(
            folder,
            lambda book: [
                book.active.append(line) for line in [HEADER, *([row.get(c, "") for c in HEADER] for row in rows)]
            ],  # type: ignore[func-returns-value]
            path.name,
        )
        return path
    source = write_feed(folder / "made", "test_results", rows, "x.csv")
    if kind == "zip":
        return packed(folder, path.name, {f"{name}.csv": source.read_bytes()})
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(source.read_bytes(), mtime=0) if kind == "gz" else source.read_bytes())
    return path


KINDS = ["csv", "gz", "zip", "xlsx"]


@pytest.mark.parametrize("kind", KINDS)
def test_any_order_and_twice(home: Settings, tmp_path: Path, kind: str) -> None:
    """Three versions of the same records, in every order of receipt and delivered twice: the newest stays."""
    versions = {
        "a": [sample(f"S{i}", 检测结果="待出", 更新时间="2022-07-01 09:00:00") for i in range(6)],
        "b": [sample(f"S{i}", 检测结果="阴性", 更新时间="2022-07-02 09:00:00") for i in range(4)],
        "c": [sample(f"S{i}", 检测结果="阳性", 更新时间="2022-07-03 09:00:00") for i in range(2)],
    }
    expected = [("S0", "阳性"), ("S1", "阳性"), ("S2", "阴性"), ("S3", "阴性"), ("S4", "待出"), ("S5", "待出")]
    for i, order in enumerate(itertools.permutations(versions)):
        support.empty_staging(home)
        folder = tmp_path / str(i)
        folder.mkdir()
        for second, name in enumerate(order):
            path = as_kind(folder, kind, name, versions[name])
            os.utime(path, (1_656_000_000 + second, 1_656_000_000 + second))
            shutil.copyfile(path, path.with_name(f"{name}(1){path.suffix}"))
        shutil.rmtree(folder / "made", ignore_errors=True)
        land_folder(home, folder)
        assert query(home, "select sample_key, result from staging.test_results order by 1") == expected
        assert query(home, "select sum(rows_read), sum(rows_staged) from quality.landed_file") == [(12, 6)]


@pytest.mark.parametrize("kind", KINDS[1:])
def test_killed_at_any_moment_and_run_again(home: Settings, tmp_path: Path, kind: str) -> None:
    for i in range(8):
        as_kind(tmp_path, kind, str(i), [sample(f"S{i}-{j}") for j in range(200)])
    shutil.rmtree(tmp_path / "made", ignore_errors=True)
    kill_landings(home, tmp_path, 6, seed=7)
    land_folder(home, tmp_path)
    assert query(home, "select count(*) from staging.test_results") == [(1600,)]
    assert query(home, "select sum(rows_read) from quality.landed_file") == [(1600,)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["csv", "gz", "zip", "xlsx"]),
    noise=st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=4)), max_size=3),
    cut=st.integers(0, 60),
)
def test_a_fuzzed_file_never_stops_the_run(
    home: Settings, tmp_path_factory: pytest.TempPathFactory, kind: str, noise: list[tuple[int, bytes]], cut: int
) -> None:
    """Bytes are overwritten and cut off at random, in every format; the balance holds and the next file lands."""
    folder = tmp_path_factory.mktemp("fuzz")
    content = content_of(folder, *(f"S{i}" for i in range(20)))
    if kind == "gz":
        content = gzip.compress(content)
    elif kind == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("x.csv", content)
        content = buffer.getvalue()
    elif kind == "xlsx":
        spreadsheet(folder, lambda book: [book.active.append(row) for row in [HEADER, cells("S1")]])  # type: ignore[func-returns-value]
        content = (folder / "test_results" / "a.xlsx").read_bytes()
        (folder / "test_results" / "a.xlsx").unlink()
    dirty = bytearray(content)
    for place, junk in noise:
        at = place % len(dirty)
        dirty[at : at + len(junk)] = junk
    (folder / "test_results").mkdir(exist_ok=True)
    (folder / "test_results" / f"a.{kind}").write_bytes(bytes(dirty[: len(dirty) - cut]))
    write_feed(folder, "test_results", [sample("LAST")], "z.csv")
    land_folder(home, folder)
    assert query(home, "select count(*) from staging.test_results where sample_key = 'LAST'") == [(1,)]
    assert query(home, BALANCE) == [(True,)]
    assert query(
        home,
        "select (select sum(rows_staged) from quality.landed_file) = (select count(*) from staging.test_results),"
        " (select sum(rows_rejected) from quality.landed_file) = (select count(*) from quality.rejected_row)",
    ) == [(True, True)]


def test_a_home_made_before_archives_and_senders_gets_both(home: Settings, tmp_path: Path) -> None:
    with support.warehouse.connect(home) as conn:
        conn.execute("delete from migration.applied where number < 10")  # Before there were migrations, too.
        conn.execute("alter table quality.rejected_row drop column sender")
        conn.execute(
            """
            alter table quality.landed_file drop column is_to_retry, drop constraint landed_file_status_check,
            add constraint landed_file_status_check check (status in ('staged', 'duplicate', 'rejected', 'unknown_feed'))
            """
        )
    support.migration.migrate(home)
    packed(tmp_path, "b.zip", {"x.csv": content_of(tmp_path, "S1")})
    write_feed(tmp_path, "test_results", [sample("S2", 检测结果="不明", 检测机构="甲"), sample("S3", 检测机构="甲")])
    land_folder(home, tmp_path)
    assert statuses(home)["b.zip"] == "unpacked"
    assert query(home, "select sender from quality.rejected_row") == [("甲",)]
