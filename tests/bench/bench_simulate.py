"""This module measures the simulator in a process of its own: rows written per second, and peak memory."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path

from tests.bench.memory import peak_mib
from yingjian import simulate

SEED, LAST_DAY = 1, date(2022, 7, 24)


def measure(folder: Path, persons: int, days: int) -> dict[str, float]:
    """Write a town into `folder` (new); return persons, days, rows, files, seconds with the process's start, and peak MiB."""
    start = time.perf_counter()
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        written, peak = process.submit(_written, folder, persons, days).result()
    seconds = time.perf_counter() - start
    return {
        "persons": persons, "days": days, "rows": written.rows, "files": written.files, "seconds": round(seconds, 1),
        "rows_per_second": round(written.rows / seconds), "peak_mib": peak,
    }  # fmt: skip


def show(figures: dict[str, float]) -> None:
    """Print the figures of `measure`."""
    print(f"{'simulator':20}{'days':>6}{'rows':>12}{'files':>8}{'rows/s':>12}{'peak MiB':>10}")
    print(
        f"{figures['persons']:<14,} people{figures['days']:>5,}{figures['rows']:>12,}{figures['files']:>8,}"
        f"{figures['rows_per_second']:>12,}{figures['peak_mib']:>10,}"
    )


def _written(folder: Path, persons: int, days: int) -> tuple[simulate.LandingSize, int]:
    size = simulate.write_landing(folder, persons, days, SEED, LAST_DAY)
    return size, peak_mib()
