"""`make bench`: landing against raw COPY of the same bytes, as a ratio measured in one run.

The database, the disk and the processor are the same for both, so the ratio says something on any machine; the
seconds do not.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import psycopg

from yingjian import warehouse
from yingjian.landing import land
from yingjian.landing.feeds import FEEDS
from yingjian.settings import Settings
from yingjian.warehouse.embedded import EmbeddedPostgres

ROWS = 300_000
FEED = FEEDS["test_results"]


def write_results(path: Path, rows: int) -> None:
    """One export of `rows` good test results of a made-up town."""
    keys = pl.Series(np.arange(rows)).cast(pl.String).str.zfill(10)
    hours = pl.Series(np.arange(rows) % 24).cast(pl.String).str.zfill(2)
    cells: dict[str, str | pl.Series] = {
        "样本编号": "S" + keys, "姓名": "陈测试", "证件类型": "护照", "证件号码": "E" + keys, "手机号": "13800000000",
        "采样时间": "2022-07-01 " + hours + ":15:00", "采样点": "采样点1", "采样方式": "单采", "检测机构": "检测机构A",
        "检测时间": "2022-07-02 " + hours + ":15:00", "检测结果": "阴性", "更新时间": "2022-07-02 " + hours + ":30:00",
    }  # fmt: skip
    columns = {column.source: cells.get(column.source, "") for column in FEED.columns}
    frame = pl.DataFrame({"_": keys}).select((pl.lit(cell)).alias(name) for name, cell in columns.items())
    path.parent.mkdir(parents=True)
    frame.write_csv(path)


def raw_copy(conn: psycopg.Connection, path: Path) -> float:
    """Seconds that COPY needs for the bytes of the file, into a table of text columns without an index."""
    columns = ", ".join(f'"{column.source}" text' for column in FEED.columns)
    conn.execute(f"create unlogged table raw_copy ({columns})")  # type: ignore[arg-type]
    conn.commit()
    start = time.perf_counter()
    statement = "copy raw_copy from stdin with (format csv, header)"
    with conn.cursor() as cursor, cursor.copy(statement) as copy, path.open("rb") as file:
        while block := file.read(1 << 20):
            copy.write(block)
    conn.commit()
    return time.perf_counter() - start


def main() -> int:
    """Print the table and, last, the figures as one line of JSON."""
    with tempfile.TemporaryDirectory(prefix="yingjian-bench-") as folder:
        settings = Settings.load({"YINGJIAN_HOME": f"{folder}/home"})
        warehouse.ensure_running(settings)
        try:
            warehouse.migrate(settings)
            path = Path(folder) / "landing" / FEED.name / "results.csv"
            write_results(path, ROWS)
            with warehouse.connect(settings) as conn:
                conn.execute("set search_path to staging")
                raw = raw_copy(conn, path)
            start = time.perf_counter()
            summary = land(str(path.parents[1]), warehouse.connector(settings), settings.person_secret)
            landing = time.perf_counter() - start
            assert summary.rows_staged == ROWS
        finally:
            EmbeddedPostgres(settings).stop()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"rows                               {ROWS:>10,}")
    print(f"raw COPY, rows per second          {ROWS / raw:>10,.0f}")
    print(f"landing + staging, rows per second {ROWS / landing:>10,.0f}")
    print(f"landing / raw COPY                 {raw / landing:>10.2f}")
    print(f"peak memory of landing, MiB        {peak:>10,}")
    print(json.dumps({"rows": ROWS, "landing_over_copy": round(raw / landing, 3), "peak_mib": peak}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
