"""`make bench`: it measures each part of the work and a baseline in the same run, and reports their ratio.

Both use the same database, disk and processor, so ratios can be compared between machines; seconds cannot.
A single part is run by `python -m tests.bench history`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path
from statistics import median
from typing import Any, LiteralString

import numpy as np
import polars as pl
import psycopg
import xlsxwriter

from tests.bench import bench_days, bench_goals, bench_obligations, bench_readers, bench_reports, bench_simulate, kept
from tests.bench.memory import peak_mib
from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.landing import repair
from yingjian.landing.feeds import FEEDS, RESIDENT_ID
from yingjian.landing.land import land
from yingjian.operations import migration
from yingjian.settings import Settings
from yingjian.simulate.people import make_people
from yingjian.simulate.scale import Scale

ROWS, XLSX_ROWS, ROUNDS = 1_000_000, 100_000, 3
FEED = FEEDS["test_results"]


def results(rows: int) -> pl.DataFrame:
    """Return `rows` valid test results, one per person of a made-up town, as the platform exports them: columns by header text."""
    rng = np.random.default_rng(1)
    people = make_people(rng, Scale(rows), date(2022, 7, 1))

    def times(hour: int) -> pl.Series:
        moments = np.datetime64("2022-07-01", "ms") + (np.sort(rng.integers(0, 43_200, rows)) + hour * 3600) * 1000
        return pl.Series(moments).dt.strftime(repair.ISO_TIME)

    cells: dict[str, str | pl.Series] = {
        "样本编号": "S" + pl.Series(np.arange(rows)).cast(pl.String).str.zfill(10), "姓名": people["name"],
        "证件类型": RESIDENT_ID, "证件号码": people["id_number"], "手机号": people["phone"], "采样时间": times(6),
        "采样点": "第1社区采样点", "采样方式": "单采", "检测机构": "检测机构A", "检测时间": times(18), "检测结果": "阴性",
        "更新时间": times(30),
    }  # fmt: skip
    columns = {column.source: cells.get(column.source) for column in FEED.columns}
    return people.select(pl.lit(cell).alias(name) for name, cell in columns.items())


def write_export(path: Path, frame: pl.DataFrame, encoding: str) -> None:
    if path.suffix == ".xlsx":
        book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
        sheet = book.add_worksheet()
        for line, row in enumerate([tuple(frame.columns), *frame.iter_rows()]):
            sheet.write_row(line, 0, row)
        book.close()
        return
    path.write_bytes(frame.write_csv().encode(encoding))


def raw_copy(conn: psycopg.Connection, path: Path) -> float:
    """Return the seconds that COPY needs for the bytes of the file, into a table of text columns without an index."""
    columns = ", ".join(f'"{column.source}" text' for column in FEED.columns)
    conn.execute("drop table if exists raw_copy")
    conn.execute(f"create table raw_copy ({columns})")  # type: ignore[arg-type]
    conn.commit()
    return _copied(conn, "copy raw_copy from stdin with (format csv, header)", path)


def ready_copy(conn: psycopg.Connection, path: Path) -> float:
    """Return the seconds that COPY needs to write the rows of the last landing into the same table again.

    path: the file that keeps them meanwhile, in COPY's format.
    """
    with conn.cursor() as cursor, cursor.copy("copy staging.test_results to stdout") as copy, path.open("wb") as file:
        for block in copy:
            file.write(block)
    _empty(conn)
    return _copied(conn, "copy staging.test_results from stdin", path)


def _copied(conn: psycopg.Connection, statement: LiteralString, path: Path) -> float:
    start = time.perf_counter()
    with conn.cursor() as cursor, cursor.copy(statement) as copy, path.open("rb") as file:
        while block := file.read(1 << 20):
            copy.write(block)
    conn.commit()
    return time.perf_counter() - start


def _empty(conn: psycopg.Connection) -> None:
    conn.execute("truncate staging.test_results, quality.landed_file, quality.rejected_row")
    conn.commit()


def landed(settings: Settings, folder: Path, queue: Queue[tuple[float, int]]) -> None:
    """Land a folder in a process of its own; seconds and peak memory in MiB go to the queue."""
    start = time.perf_counter()
    land(str(folder), warehouse.connector(settings), settings.person_secret, settings.pulled)
    queue.put((time.perf_counter() - start, peak_mib()))


def landing(folder: Path) -> dict[str, dict[str, float]]:
    """Measure landing of each format, as the median of some rounds: rows per second, its ratios to COPY, and peak memory.

    over_copy: the speed relative to COPY of the same bytes into text columns without an index; over_ready: relative to COPY
    of the same rows, already prepared, into the same table.
    """
    context = get_context("spawn")
    queue: Queue[tuple[float, int]] = context.Queue()
    formats = {
        "UTF-8": ("results.csv", "utf-8", ROWS),
        "UTF-8, a tenth": ("results.csv", "utf-8", ROWS // 10),
        "GB18030": ("results.csv", "gb18030", ROWS),
        "xlsx": ("results.xlsx", "", XLSX_ROWS),
        "xlsx, three files": ("results.xlsx", "", 3 * XLSX_ROWS),
    }
    figures: dict[str, dict[str, float]] = {}
    raw = ready = 0.0
    with _warehouse(folder) as settings:
        for i, (name, (file_name, encoding, rows)) in enumerate(formats.items()):
            path = Path(folder) / str(i) / FEED.name / file_name
            path.parent.mkdir(parents=True)
            step = XLSX_ROWS if path.suffix == ".xlsx" else rows
            for number, part in enumerate(results(rows).iter_slices(step)):
                write_export(path.with_stem(f"{path.stem}{number}"), part, encoding)
            path = path.with_stem(f"{path.stem}0")
            seconds, peaks, raws, readies = [], [], [], []
            for _ in range(ROUNDS):
                with warehouse.connect(settings) as conn:
                    _empty(conn)
                    if name == "UTF-8":
                        raws.append(raw_copy(conn, path) / rows)
                process = context.Process(target=landed, args=(settings, path.parents[1], queue))
                process.start()
                taken, peak = queue.get()
                process.join()
                seconds.append(taken)
                peaks.append(peak)
                with warehouse.connect(settings) as conn:
                    assert conn.execute("select count(*) from staging.test_results").fetchone() == (rows,)
                    if name == "UTF-8":
                        readies.append(ready_copy(conn, folder / "ready") / rows)
            if name == "UTF-8":
                raw, ready = median(raws), median(readies)
            a_row = median(seconds) / rows
            figures[name] = {
                "rows": rows, "rows_per_second": round(1 / a_row), "over_copy": round(raw / a_row, 3),
                "over_ready": round(ready / a_row, 3), "copy_rows_per_second": round(1 / raw),
                "ready_rows_per_second": round(1 / ready), "peak_mib": max(peaks),
            }  # fmt: skip
    return figures


def show_landing(figures: dict[str, dict[str, float]]) -> None:
    figure = figures["UTF-8"]
    raw, ready = figure["copy_rows_per_second"], figure["ready_rows_per_second"]
    print(f"COPY of the same bytes into text columns without an index: {raw:,.0f} rows per second")
    print(
        f"COPY of the rows, ready, into the table of staging: {ready:,.0f} rows per second, {ready / raw:.2f} of that"
    )
    print(f"{'landing + staging':20}{'rows':>12}{'rows/s':>12}{'/ COPY':>12}{'/ COPY, ready':>15}{'peak MiB':>10}")
    for name, figure in figures.items():
        print(
            f"{name:20}{figure['rows']:>12,}{figure['rows_per_second']:>12,}{figure['over_copy']:>12.2f}"
            f"{figure['over_ready']:>15.2f}{figure['peak_mib']:>10,}"
        )


def landing_ratios(figures: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return, by format, the time of a row divided by that of COPY of the same bytes."""
    return {f"{name}, over COPY": row["copy_rows_per_second"] / row["rows_per_second"] for name, row in figures.items()}


def packs(folder: Path) -> dict[str, dict[str, float]]:
    with _warehouse(folder) as settings:
        return bench_reports.measure(settings, folder)


def sizes(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure days by size of the town, and a full refresh of each town's obligations."""
    obligations: dict[str, dict[str, float]] = {}
    days = {}
    for persons in bench_days.SIZES:
        with _folder(folder) as own:
            days[f"{persons:,} people"] = bench_days.by_size(Path(own), persons, obligations)
    return days, obligations


def show_sizes(figures: tuple[dict[str, Any], dict[str, Any]]) -> None:
    bench_days.show_sizes(figures[0])
    bench_obligations.show(figures[1])


def size_ratios(figures: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, float]:
    return bench_days.size_ratios(figures[0]) | bench_obligations.ratios(figures[1])


@dataclass(frozen=True)
class Part:
    """A part of the bench: a function that measures, one that prints the figures, and one that gives ratios (less is better)."""

    measure: Callable[[Path], Any]
    show: Callable[[Any], None]
    ratios: Callable[[Any], dict[str, float]]


PARTS = {
    "simulator": Part(
        lambda folder: bench_simulate.measure(folder / "town", 1_000_000, 10), bench_simulate.show, lambda _: {}
    ),
    "landing": Part(landing, show_landing, landing_ratios),
    "history": Part(bench_days.by_history, bench_days.show_history, bench_days.history_ratios),
    "sizes": Part(sizes, show_sizes, size_ratios),
    "readers": Part(bench_days.with_readers, bench_readers.show, bench_readers.ratios),
    "packs": Part(packs, bench_reports.show, bench_reports.ratios),
    "goals": Part(bench_goals.measure, bench_goals.show, bench_goals.ratios),
}


@contextmanager
def _warehouse(folder: Path) -> Iterator[Settings]:
    """Run a warehouse for one part, and stop it at the end."""
    settings = Settings.load({"YINGJIAN_HOME": f"{folder}/home"})
    warehouse.ensure_running(settings)
    try:
        migration.migrate(settings)
        yield settings
    finally:
        EmbeddedPostgres(settings).stop()


def _folder(parent: Path | None = None) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="yingjian-bench-", dir=parent)


def main() -> int:
    """Measure the named parts (default: all), print their tables, write `bench.json`, and print which ratios got worse."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help=f"which of {', '.join(PARTS)} (all)")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the figures go")
    parser.add_argument("--keep", action="store_true", help=f"put them into {kept.FILE.name} and its page as well")
    asked = parser.parse_args()
    figures = {}
    for name in asked.parts or PARTS:
        part = PARTS[name]
        with _folder() as folder:
            # A round trip through JSON makes the figures comparable with the kept ones.
            figures[name] = json.loads(json.dumps(part.measure(Path(folder))))
        part.show(figures[name])
        for line in kept.worse(kept.read().get(name), figures[name], part.ratios):
            print(line)
        sys.stdout.flush()
        asked.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1))
    if asked.keep:
        kept.keep(figures, {name: part.show for name, part in PARTS.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
