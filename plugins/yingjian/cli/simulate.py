"""`yingjian simulate`: a made-up town's exports."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from yingjian.cli import terminal

app = terminal.group("a made-up town")


@app.command("simulate", epilog=terminal.example("yingjian simulate --persons 2000 --days 21 landing"))
def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT")],
    persons: Annotated[int, typer.Option("--persons", metavar="N")],
    days: Annotated[int, typer.Option("--days", metavar="K")],
    seed: Annotated[int, typer.Option("--seed", metavar="S")] = 1,
    last_day: Annotated[date, typer.Option("--last-day", parser=terminal.day, metavar="D")] = date(2022, 7, 24),
) -> None:
    """Write a landing folder of realistic exports."""
    from yingjian import simulate

    start = time.perf_counter()
    with terminal.bar(f"{out}: {days} days of {persons:,} persons"):
        counts = simulate.write_landing(out, persons, days, seed, last_day)
    seconds = time.perf_counter() - start
    print(f"{out}: {counts.rows:,} rows, {counts.files:,} files, {seconds:.1f} s, {counts.rows / seconds:,.0f} rows/s")
