"""`make bench`: each part of the work against what it is to be compared with, as ratios measured in one run.

The database, the disk and the processor are the same for both, so the ratio says something on any machine; the
seconds do not. One part alone: `python -m yingjian.bench history`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psycopg
import xlsxwriter

from yingjian import bench_days, bench_obligations, bench_readers, bench_reports, bench_simulate, warehouse
from yingjian.landing import land
from yingjian.landing.feeds import FEEDS
from yingjian.settings import Settings
from yingjian.warehouse.embedded import EmbeddedPostgres

ROWS, XLSX_ROWS = 1_000_000, 100_000
FEED = FEEDS["test_results"]


def results(rows: int) -> pl.DataFrame:
    """`rows` good test results of a made-up town, as the platform exports them: text, columns by their header texts."""
    keys = pl.Series(np.arange(rows)).cast(pl.String).str.zfill(10)
    hours = pl.Series(np.arange(rows) % 24).cast(pl.String).str.zfill(2)
    cells: dict[str, str | pl.Series] = {
        "样本编号": "S" + keys, "姓名": "陈测试", "证件类型": "护照", "证件号码": "E" + keys, "手机号": "13800000000",
        "采样时间": "2022-07-01 " + hours + ":15:00", "采样点": "采样点1", "采样方式": "单采", "检测机构": "检测机构A",
        "检测时间": "2022-07-02 " + hours + ":15:00", "检测结果": "阴性", "更新时间": "2022-07-02 " + hours + ":30:00",
    }  # fmt: skip
    columns = {column.source: cells.get(column.source) for column in FEED.columns}
    return pl.DataFrame({"_": keys}).select(pl.lit(cell).alias(name) for name, cell in columns.items())


def write_export(path: Path, frame: pl.DataFrame, encoding: str) -> None:
    path.parent.mkdir(parents=True)
    if path.suffix == ".xlsx":
        book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
        sheet = book.add_worksheet()
        for line, row in enumerate([tuple(frame.columns), *frame.iter_rows()]):
            sheet.write_row(line, 0, row)
        book.close()
        return
    path.write_bytes(frame.write_csv().encode(encoding))


def raw_copy(conn: psycopg.Connection, path: Path) -> float:
    """Seconds that COPY needs for the bytes of the file, into a table of text columns without an index."""
    columns = ", ".join(f'"{column.source}" text' for column in FEED.columns)
    conn.execute(f"create table raw_copy ({columns})")  # type: ignore[arg-type]
    conn.commit()
    start = time.perf_counter()
    statement = "copy raw_copy from stdin with (format csv, header)"
    with conn.cursor() as cursor, cursor.copy(statement) as copy, path.open("rb") as file:
        while block := file.read(1 << 20):
            copy.write(block)
    conn.commit()
    return time.perf_counter() - start


def peak_mib() -> int:
    """The largest resident size of this process so far (Linux); getrusage would count the parent's, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def landed(settings: Settings, folder: Path, queue: Queue[tuple[float, int]]) -> None:
    """Land a folder in a process of its own; seconds and peak memory in MiB go to the queue."""
    start = time.perf_counter()
    land(str(folder), warehouse.connector(settings), settings.person_secret, settings.pulled)
    queue.put((time.perf_counter() - start, peak_mib()))


def landing(folder: Path) -> dict[str, dict[str, float]]:
    """Landing of each format: rows a second, over raw COPY of the same bytes, and peak memory."""
    context = get_context("spawn")
    queue: Queue[tuple[float, int]] = context.Queue()
    formats = {
        "UTF-8": ("results.csv", "utf-8", ROWS),
        "UTF-8, a tenth": ("results.csv", "utf-8", ROWS // 10),
        "GB18030": ("results.csv", "gb18030", ROWS),
        "xlsx": ("results.xlsx", "", XLSX_ROWS),
    }
    figures: dict[str, dict[str, float]] = {}
    with _warehouse(folder) as settings:
        for i, (name, (file_name, encoding, rows)) in enumerate(formats.items()):
            path = Path(folder) / str(i) / FEED.name / file_name
            write_export(path, results(rows), encoding)
            with warehouse.connect(settings) as conn:
                conn.execute("truncate staging.test_results, quality.landed_file, quality.rejected_row")
                conn.execute("set search_path to staging")
                if name == "UTF-8":
                    raw = raw_copy(conn, path) / rows
            process = context.Process(target=landed, args=(settings, path.parents[1], queue))
            process.start()
            seconds, peak = queue.get()
            process.join()
            with warehouse.connect(settings) as conn:
                assert conn.execute("select count(*) from staging.test_results").fetchone() == (rows,)
            figures[name] = {
                "rows": rows, "rows_per_second": round(rows / seconds), "over_copy": round(raw * rows / seconds, 3),
                "copy_rows_per_second": round(1 / raw), "peak_mib": peak,
            }  # fmt: skip
    return figures


def show_landing(figures: dict[str, dict[str, float]]) -> None:
    copied = figures["UTF-8"]["copy_rows_per_second"]
    print(f"raw COPY of the same bytes into an unindexed text table: {copied:,.0f} rows per second")
    print(f"{'landing + staging':20}{'rows':>12}{'rows/s':>12}{'/ raw COPY':>12}{'peak MiB':>10}")
    for name, figure in figures.items():
        print(
            f"{name:20}{figure['rows']:>12,}{figure['rows_per_second']:>12,}{figure['over_copy']:>12.2f}"
            f"{figure['peak_mib']:>10,}"
        )


def packs(folder: Path) -> dict[str, dict[str, float]]:
    with _warehouse(folder) as settings:
        return bench_reports.measure(settings, folder)


def sizes(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Days by size of the town, and the obligations of each town read anew."""
    obligations: dict[str, dict[str, float]] = {}
    days = {}
    for persons in bench_days.SIZES:
        with _folder(folder) as own:
            days[f"{persons:,} people"] = bench_days.by_size(Path(own), persons, obligations)
    return days, obligations


def show_sizes(figures: tuple[dict[str, Any], dict[str, Any]]) -> None:
    bench_days.show_sizes(figures[0])
    bench_obligations.show(figures[1])


PARTS: dict[str, tuple[Callable[[Path], Any], Callable[[Any], None]]] = {
    "simulator": (lambda folder: bench_simulate.measure(folder / "town", 1_000_000, 10), bench_simulate.show),
    "landing": (landing, show_landing),
    "history": (bench_days.by_history, bench_days.show_history),
    "sizes": (sizes, show_sizes),
    "readers": (bench_days.with_readers, bench_readers.show),
    "packs": (packs, bench_reports.show),
}


@contextmanager
def _warehouse(folder: Path) -> Iterator[Settings]:
    """A warehouse of its own, as long as the part lasts."""
    settings = Settings.load({"YINGJIAN_HOME": f"{folder}/home"})
    warehouse.ensure_running(settings)
    try:
        warehouse.migrate(settings)
        yield settings
    finally:
        EmbeddedPostgres(settings).stop()


def _folder(parent: Path | None = None) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="yingjian-bench-", dir=parent)


def main() -> int:
    """Measure the parts named (all), print their tables, and keep the figures as JSON in `bench.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help=f"which of {', '.join(PARTS)} (all)")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the figures go")
    asked = parser.parse_args()
    figures = {}
    for name in asked.parts or PARTS:
        measure, show = PARTS[name]
        with _folder() as folder:
            figures[name] = measure(Path(folder))
        show(figures[name])
        sys.stdout.flush()
        asked.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
