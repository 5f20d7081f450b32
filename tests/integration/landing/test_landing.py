"""Landing into PostgreSQL: the balance always holds, in any order, twice, at once, and through kills."""

from __future__ import annotations

import random
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import IDENTITY, kill_landings, land_folder, query, sample, write_feed
from yingjian.database import warehouse
from yingjian.landing.feeds import FEEDS
from yingjian.landing.readers import csv_file
from yingjian.settings import Settings

FILES = "select feed, file_name, status, reason, rows_read, rows_staged, rows_rejected, rows_superseded from quality.landed_file"


def test_newest_version_wins_across_files(home: Settings, tmp_path: Path) -> None:
    write_feed(tmp_path, "test_results", [sample("S1", 检测结果="待出"), sample("S2")], "a.csv")
    write_feed(tmp_path, "test_results", [sample("S1", 检测结果="阳性", 更新时间="2022-07-02 08:00:00")], "b.csv")
    write_feed(tmp_path, "test_results", [sample("S1", 检测结果="阴性", 更新时间="2022-06-30 08:00:00")], "c.csv")
    land_folder(home, tmp_path)
    assert query(home, "select sample_key, result from staging.test_results order by 1") == [
        ("S1", "阳性"),
        ("S2", "阴性"),
    ]
    assert query(home, f"{FILES} order by file_name") == [
        ("test_results", "a.csv", "staged", None, 2, 1, 0, 1),
        ("test_results", "b.csv", "staged", None, 1, 1, 0, 0),
        ("test_results", "c.csv", "staged", None, 1, 0, 0, 1),
    ]


def test_at_equal_times_the_later_line_then_the_later_file(home: Settings, tmp_path: Path) -> None:
    write_feed(tmp_path, "test_results", [sample("S1", 采样点="一"), sample("S1", 采样点="二")], "a.csv")
    land_folder(home, tmp_path)
    assert query(home, "select sampling_point from staging.test_results") == [("二",)]
    write_feed(tmp_path, "test_results", [sample("S1", 采样点="三")], "0.csv")
    land_folder(home, tmp_path)
    assert query(home, "select sampling_point from staging.test_results") == [("三",)]


def test_at_equal_times_a_file_of_an_older_layout_keeps_what_it_lacks(home: Settings, tmp_path: Path) -> None:
    row = IDENTITY | {"病例编号": "C1", "类型": "确诊", "来源": "本土", "采样日期": "2022-07-01", "社区": "甲", "更新时间": "2022-07-02 08:00:00"}  # fmt: skip
    times = {"转运时间": "2022-07-01 12:00:00", "收治机构": "某医院", "入院时间": "2022-07-01 13:00:00"}
    staged = "select hospital, transferred_at is null, community from staging.cases"
    write_feed(tmp_path, "cases", [row | times], "a.csv")
    land_folder(home, tmp_path)
    old = [column.source for column in FEEDS["cases"].columns if column.source not in times]
    for name, cells in (
        ("b.csv", row | {"社区": "乙"}),
        ("c.csv", row | {"社区": "丙", "更新时间": "2022-07-03 08:00:00"}),
    ):
        text = "\n".join([",".join(old), ",".join(cells.get(source, "") for source in old), ""])
        (tmp_path / "cases" / name).write_text(text, encoding="utf-8")
        land_folder(home, tmp_path)
        if name == "b.csv":
            assert query(home, staged) == [("某医院", False, "乙")]
            assert query(home, "select columns from quality.contradiction") == [(["社区"],)]
    assert query(home, staged) == [(None, True, "丙")], "a newer version is a row of its own"


def test_a_rejected_row_supersedes_nothing(home: Settings, tmp_path: Path) -> None:
    write_feed(tmp_path, "test_results", [sample("S1")], "a.csv")
    write_feed(tmp_path, "test_results", [sample("S1", 检测结果="不明", 更新时间="2022-07-09 08:00:00")], "b.csv")
    land_folder(home, tmp_path)
    assert query(home, "select result from staging.test_results") == [("阴性",)]
    assert query(home, "select file_name, line, record_key, reason_codes from quality.rejected_row") == [
        ("b.csv", 2, "S1", ["unknown_code"])
    ]


def test_the_rows_of_a_file_are_found_as_soon_as_they_landed(home: Settings, tmp_path: Path) -> None:
    """Else whoever reads a file reads all files, until autovacuum comes by."""
    for day in range(1, 9):
        rows = [sample(f"S{day}{i}", f"2022-07-0{day} 08:00:00") for i in range(3000)]
        write_feed(tmp_path, "test_results", rows, f"{day}.csv")
    land_folder(home, tmp_path)
    assert query(home, "select brin_summarize_new_values('staging.test_results_of_file')") == [(0,)]
    plan = query(home, "explain select sample_key from staging.test_results where file_id = 3")
    assert any("test_results_of_file" in line for (line,) in plan), plan


def test_landing_does_not_wait_for_who_keeps_the_table(home: Settings, tmp_path: Path) -> None:
    """Autovacuum, for which a second's wait would be its end."""
    with warehouse.connect(home) as conn:
        conn.execute("lock table staging.test_results in share update exclusive mode")
        write_feed(tmp_path, "test_results", [sample("S1")])
        assert land_folder(home, tmp_path).files_staged == 1


def test_the_same_bytes_are_loaded_once(home: Settings, tmp_path: Path) -> None:
    path = write_feed(tmp_path, "test_results", [sample("S1")], "a.csv")
    shutil.copyfile(path, path.with_name("a(1).csv"))
    first = land_folder(home, tmp_path)
    again = land_folder(home, tmp_path)
    assert (first.files_staged, first.files_duplicate, again.files_known) == (1, 1, 2)
    assert query(home, "select count(*) from quality.landed_file") == [(2,)]


def test_other_feeds_go_on(home: Settings, tmp_path: Path) -> None:
    write_feed(tmp_path, "test_results", [sample("S1")])
    write_feed(tmp_path, "exemptions", []).write_text("编号,证件类型\n1,2\n")
    (tmp_path / "unheard_of").mkdir()
    (tmp_path / "unheard_of" / "x.csv").write_text("a\n")
    (tmp_path / "risk_areas").mkdir()
    (tmp_path / "risk_areas" / "x.json").write_text("{")
    (tmp_path / "test_results" / "half.csv.part").write_text("not finished")
    (tmp_path / "in_no_folder.csv").write_text("a\n")
    summary = land_folder(home, tmp_path)
    assert (summary.files_staged, summary.files_rejected) == (1, 4)
    reasons = dict(query(home, "select feed, reason from quality.landed_file where status <> 'staged'"))
    assert "没有名为“unheard_of”的数据源" in reasons["unheard_of"]
    assert "请放入以数据源命名的文件夹" in reasons["（不在文件夹中）"]
    assert "不是可读的JSON" in reasons["risk_areas"]
    assert "找不到" in reasons["exemptions"] or "缺少列" in reasons["exemptions"]


def test_a_missing_landing_location_says_so(home: Settings, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        land_folder(home, tmp_path / "nowhere")


def test_an_empty_landing_folder(home: Settings, tmp_path: Path) -> None:
    assert land_folder(home, tmp_path).files_staged == 0


def test_a_later_list_of_the_same_hour_takes_its_place(home: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "risk_areas"
    folder.mkdir()
    for name, areas in (("a", ["甲"]), ("b", ["乙", "丙"])):
        (folder / f"{name}.json").write_text(
            '{"data": {"end_update_time": "2022-07-04 17时", "highlist": [{"province": "省", "city": "市", "county": "县",'
            f' "communitys": {str(areas).replace(chr(39), chr(34))}}}]}}}}'
        )
    land_folder(home, tmp_path)
    assert query(home, "select area from staging.risk_areas order by 1") == [("丙",), ("乙",)]
    assert query(home, "select file_name, rows_staged, rows_superseded from quality.landed_file order by 1") == [
        ("a.json", 0, 1), ("b.json", 2, 0),
    ]  # fmt: skip


def test_spreadsheet(home: Settings, tmp_path: Path) -> None:
    """The sheet has numbers as numbers, dates as dates, and a title above the header."""
    import openpyxl

    from yingjian.landing.feeds import FEEDS

    book = openpyxl.Workbook()
    book.active.append(["核酸检测结果"])
    header = [column.source for column in FEEDS["test_results"].columns]
    book.active.append(header)
    row = sample("S1") | {"采样时间": datetime(2022, 7, 1, 8), "手机号": 13800000000}
    book.active.append([row.get(name) for name in header])
    book.active.append([(row | {"样本编号": "S2", "证件号码": 350503194205022751}).get(name) for name in header])
    (tmp_path / "test_results").mkdir()
    book.save(tmp_path / "test_results" / "a.xlsx")
    land_folder(home, tmp_path)
    assert query(home, "select sample_key, phone, sampled_at from staging.test_results") == [
        ("S1", "13800000000", datetime(2022, 7, 1, 8))
    ]
    assert query(home, "select record_key, reason_codes from quality.rejected_row") == [("S2", ["scientific"])]


DIRT = st.sampled_from(
    [
        "",
        " ",
        "'",
        "\u3000",
        "\u200b",
        ",",
        '"',
        "\n",
        "\0",
        "x",
        "2022-02-30",
        "3.5E+17",
        "＝",
        "=1+1",
        "'; drop table",
        "\ud7ff",
    ]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cells=st.lists(st.tuples(st.integers(0, 12), DIRT, st.integers(0, 3)), max_size=12),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
    noise=st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3)), max_size=4),
)
def test_every_row_is_accounted_for(
    home: Settings, cells: list[tuple[int, str, int]], encoding: str, noise: list[tuple[int, bytes]]
) -> None:
    """Whatever the dirt: read = staged + rejected + superseded, and nothing stops the run."""
    rows = [sample(f"S{i % 3}", 更新时间=f"2022-07-0{1 + i % 5} 08:00:00") for i in range(4)]
    for column, dirt, row in cells:
        name = list(rows[row])[column % len(rows[row])]
        rows[row][name] = rows[row][name] + dirt
    with tempfile.TemporaryDirectory() as folder:
        path = write_feed(Path(folder), "test_results", rows, f"{random.random()}.csv", encoding)
        content = bytearray(path.read_bytes())
        for place, junk in noise:
            content[place % (len(content) + 1) : place % (len(content) + 1)] = junk
        path.write_bytes(bytes(content))
        land_folder(home, Path(folder))
    balance = "rows_read = rows_staged + rows_rejected + rows_superseded"
    assert query(home, f"select count(*) from quality.landed_file where ({balance}) is not true") == [(0,)]
    assert query(
        home, "select sum(rows_staged) = (select count(*) from staging.test_results) from quality.landed_file"
    ) == [(True,)]
    assert query(
        home, "select sum(rows_rejected) = (select count(*) from quality.rejected_row) from quality.landed_file"
    ) == [(True,)]


def test_two_landings_at_once_load_once(home: Settings, tmp_path: Path) -> None:
    for i in range(6):
        write_feed(tmp_path, "test_results", [sample(f"S{i}-{j}") for j in range(50)], f"{i}.csv")
    with ThreadPoolExecutor(3) as pool:
        summaries = list(pool.map(lambda _: land_folder(home, tmp_path), range(3)))
    assert sum(summary.files_staged for summary in summaries) == 6
    assert query(home, "select count(*), sum(rows_staged) from quality.landed_file") == [(6, 300)]


def test_killed_at_any_moment_and_run_again(home: Settings, tmp_path: Path) -> None:
    """Landing processes are killed at random moments; the sums are those of an undisturbed landing."""
    for i in range(12):
        write_feed(tmp_path, "test_results", [sample(f"S{i}-{j}") for j in range(400)], f"{i:02d}.csv")
    kill_landings(home, tmp_path, 12, seed=5)
    land_folder(home, tmp_path)
    assert query(home, "select count(*), sum(rows_read) from quality.landed_file") == [(12, 4800)]
    assert query(home, "select count(*) from staging.test_results") == [(4800,)]


def test_no_personal_data_in_errors_and_reasons(
    home: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = sample("S1", 检测结果="不明", 采样时间="2022-02-30")
    write_feed(tmp_path, "test_results", [bad])
    land_folder(home, tmp_path)
    [(reason,)] = query(home, "select reason from quality.rejected_row")
    assert "a.csv第2行" in reason and "检测结果" in reason
    for value in IDENTITY.values():
        assert value not in caplog.text
        assert value == "居民身份证" or value not in reason


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"检测时间": "0000-01-01 00:00:00"}, "bad_date"),
        ({"更新时间": "2022-07-01 08:1"}, "bad_date"),
        ({"采样时间": "2022-07-01 23:59:60"}, "bad_date"),
        ({"样本编号": "".join(map(str, range(3000)))}, "too_long"),
        ({"采样点": "x" * 1_100_000}, "ragged_row"),
    ],
)
def test_a_row_that_postgresql_or_csv_cannot_take_costs_only_itself(
    home: Settings, tmp_path: Path, cells: dict[str, str], code: str
) -> None:
    write_feed(tmp_path, "test_results", [sample("S1") | cells, sample("S2")])
    land_folder(home, tmp_path)
    assert query(home, "select sample_key from staging.test_results") == [("S2",)]
    assert query(home, "select line, reason_codes from quality.rejected_row") == [(2, [code])]


# A cell may hold these, and COPY, CSV or repair take the like for something else.
ODD_CELLS = [
    {}, {"采样点": "\\N"}, {"采样点": "\\."}, {"采样点": "a\\tb\\"}, {"姓名": "欧阳\u3000测试"}, {"姓名": " 陈测试"}, {"姓名": "'陈测试"},
    {"采样点": ""}, {"检测时间": ""}, {"采样点": "NULL"}, {"采样点": "１号点"}, {"采样点": "甲、乙"}, {"采样点": "甲，乙；丙"},
    {"采样时间": "2022/7/1 8:00"}, {"采样时间": "2022-07-01 08:00"}, {"检测结果": " 阴性"}, {"采样点": "\u200b点"}, {"采样点": "a b"},
    {"证件号码": "３５０５０３１９４２０５０２２７５１"}, {"证件号码": "'350503194205022751"}, {"检测结果": "不明"},
]  # fmt: skip
STAGED = "select (to_jsonb(t) - 'file_id')::text from staging.test_results as t order by sample_key"
REFUSED = "select line, record_key, reason_codes, reason, raw_text from quality.rejected_row order by line"


@pytest.mark.parametrize(("encoding", "delimiter"), [("utf-8", ","), ("utf-8", "\t"), ("gb18030", ";")])
@pytest.mark.parametrize("quotes", ["none", "some", "all"])
@pytest.mark.parametrize("order", ["as listed", "reversed", "with another column"])
def test_rows_are_staged_alike_however_they_are_read(
    home: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    delimiter: str,
    quotes: str,
    encoding: str,
    order: str,
) -> None:
    """As the lines that were sent, or written anew, or from records that were read one by one."""
    header = [column.source for column in FEEDS["test_results"].columns]
    header = {"reversed": header[::-1], "with another column": [*header, "备注"]}.get(order, header)
    rows = [sample(f"S{i:02}") | cells for i, cells in enumerate(ODD_CELLS)]
    cells = [header, *([row.get(name, "") for name in header] for row in rows)]
    if quotes != "none":
        cells = [[f'"{c}"' if quotes == "all" or i % 3 == 0 else c for i, c in enumerate(row)] for row in cells]
    path = tmp_path / "test_results" / "a.csv"
    path.parent.mkdir()
    path.write_text("".join(delimiter.join(row) + "\n" for row in cells), encoding=encoding, newline="")
    land_folder(home, tmp_path)
    staged_and_refused = query(home, STAGED), query(home, REFUSED)
    assert (len(staged_and_refused[0]), [line for line, *_ in staged_and_refused[1]]) == (
        len(rows) - 1,
        [len(rows) + 1],
    )
    with warehouse.connect(home) as conn:
        conn.execute("truncate staging.test_results, quality.landed_file, quality.rejected_row")
    monkeypatch.setattr(csv_file, "_split", lambda *_: None)
    land_folder(home, tmp_path)
    assert (query(home, STAGED), query(home, REFUSED)) == staged_and_refused


def test_a_quote_left_open_in_the_last_line_is_no_row(home: Settings, tmp_path: Path) -> None:
    path = write_feed(tmp_path, "test_results", [sample("S1"), sample("S2")])
    path.write_text(path.read_text(encoding="utf-8").rstrip()[:-19] + '"2022-07-01 08:00', encoding="utf-8")
    land_folder(home, tmp_path)
    assert query(home, "select line, reason_codes from quality.rejected_row") == [(3, ["ragged_row"])]


def test_empty_columns_at_the_end_of_every_row(home: Settings, tmp_path: Path) -> None:
    path = write_feed(tmp_path, "test_results", [sample("S1")])
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("".join(f"{line},,\n" for line in lines), encoding="utf-8")
    land_folder(home, tmp_path)
    assert query(home, "select sample_key from staging.test_results") == [("S1",)]


def test_a_list_with_half_a_character(home: Settings, tmp_path: Path) -> None:
    (tmp_path / "risk_areas").mkdir()
    (tmp_path / "risk_areas" / "a.json").write_text(
        '{"data": {"end_update_time": "2022-07-04 24时", "highlist": [{"province": "省", "communitys": ["\\ud800甲"]}]}}'
    )
    write_feed(tmp_path, "test_results", [sample("S1")])
    land_folder(home, tmp_path)
    assert query(home, "select listed_at, area from staging.risk_areas") == [(datetime(2022, 7, 4, 23, 59, 59), "?甲")]
    assert query(home, "select sample_key from staging.test_results") == [("S1",)]


def test_a_file_that_grows_is_left_for_the_next_landing_and_one_that_goes_was_open(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yingjian.landing import land as landing

    gone = write_feed(tmp_path, "test_results", [sample("S1")], "a.csv")
    grows = write_feed(tmp_path, "test_results", [sample("S2")], "b.csv")
    write_feed(tmp_path, "test_results", [sample("S3")], "c.csv")
    take_hash = landing._sha256

    def meanwhile(path: Path) -> str:
        if path.name == gone.name:
            gone.unlink()
        taken = take_hash(path)
        if path.name == grows.name:
            write_feed(tmp_path, "test_results", [sample("S2"), sample("S4")], "b.csv")
        return taken

    monkeypatch.setattr(landing, "_sha256", meanwhile)
    land_folder(home, tmp_path)
    assert query(home, "select sample_key from staging.test_results order by 1") == [("S1",), ("S3",)]
    monkeypatch.undo()
    land_folder(home, tmp_path)
    assert query(home, "select sample_key from staging.test_results order by 1") == [("S1",), ("S2",), ("S3",), ("S4",)]
