"""The simulator: the same arguments give the same bytes; every feed is there, as the platform writes it."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pytest

from tests.bench import bench_simulate
from yingjian import cli, simulate
from yingjian.landing.feeds import FEEDS, RISK_AREAS
from yingjian.landing.readers.table import open_table
from yingjian.simulate import exports, scale

LAST_DAY = date(2022, 7, 24)
CITY = 60_000


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*")) if path.is_file()
    }  # fmt: skip


def column(path: Path, source: str) -> list[str]:
    """The function gives the cells of one column of an export."""
    feed = FEEDS[path.parent.name]
    place = [feed_column.source for feed_column in feed.columns].index(source)
    return [cell for chunk in open_table(path, feed).chunks for cell in chunk.cells.to_series(place)]


@pytest.mark.parametrize(("persons", "days"), [(300, 4), pytest.param(CITY, 1, marks=pytest.mark.slow)])
def test_deterministic_by_seed(tmp_path: Path, persons: int, days: int) -> None:
    sizes = [
        simulate.write_landing(tmp_path / name, persons, days, seed, LAST_DAY)
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert digest(tmp_path / "a") == digest(tmp_path / "b") and sizes[0] == sizes[1]
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_deterministic_in_another_process(tmp_path: Path) -> None:
    bench_simulate.measure(tmp_path / "a", 300, 3)
    simulate.write_landing(tmp_path / "b", 300, 3, bench_simulate.SEED, bench_simulate.LAST_DAY)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_every_feed_is_there_and_can_be_read(simulated_landing: Path) -> None:
    assert {path.name for path in simulated_landing.iterdir()} == {*FEEDS, RISK_AREAS}
    for feed in FEEDS.values():
        for path in (simulated_landing / feed.name).iterdir():
            assert next(open_table(path, feed).chunks).cells.height


@pytest.mark.parametrize("persons", [1, 2, 30])
def test_a_hamlet_is_a_town_too(tmp_path: Path, persons: int) -> None:
    simulate.write_landing(tmp_path, persons, 4, 1, LAST_DAY)
    (register,) = (tmp_path / "residents").glob("*[0-9].csv")
    assert len(column(register, "证件号码")) == persons


@pytest.mark.slow
def test_memory_follows_persons_not_days(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few, many = (bench_simulate.measure(tmp_path / str(days), CITY, days) for days in (2, 24))
    assert many["rows"] > 2 * few["rows"]
    assert many["peak_mib"] < 1.2 * few["peak_mib"]
    bench_simulate.show(many)
    assert f"{many['rows']:,}" in capsys.readouterr().out


@pytest.mark.slow
def test_a_city_sends_several_files_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of each laboratory, and a long one in parts; none lacks a sample or has one twice."""
    persons = 15_000
    monkeypatch.setattr(scale, "LABORATORY", persons // 3)
    monkeypatch.setattr(exports, "FILE_ROWS", 100)
    simulate.write_landing(tmp_path, persons, 1, 1, LAST_DAY)
    files = [path for path in (tmp_path / "test_results").iterdir() if "(1)" not in path.name and "_k" not in path.name]
    day = [path for path in files if "_lab" in path.name]
    assert {path.stem.partition("_lab")[2][0] for path in day} == set("ABC") and len(day) > 3
    for path in day:
        assert set(column(path, "检测机构")) == {f"检测机构{path.stem.partition('_lab')[2][0]}"}
    keys = [column(path, "样本编号") for path in files]
    assert all(len(file_keys) <= exports.FILE_ROWS + 4 for file_keys in keys)
    samples = [key for file_keys in keys for key in file_keys if key.startswith("S0")]
    assert len(samples) == len(set(samples)) == int(max(samples)[1:]) + 1


def test_the_command_prints_what_it_wrote_and_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", "--persons", "50", "--days", "2", "--seed", "5", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    files = sum(path.is_file() for path in tmp_path.rglob("*"))
    keys = {feed.name: feed.columns[0].source for feed in FEEDS.values()}
    rows = sum(len(column(path, keys[path.parent.name])) for path in tmp_path.glob("*/*[!)].csv"))
    assert printed.startswith(f"{tmp_path}: {rows:,} rows, {files} files, ") and printed.endswith(" rows/s\n")
    assert printed.count("\n") == 1
