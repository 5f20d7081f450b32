"""`yingjian whatif` shows what a draft of an edition would change."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yingjian.cli import terminal
from yingjian.cli.connections import connection
from yingjian.settings import Settings

if TYPE_CHECKING:
    from yingjian.whatif.difference import Difference, Pair

app = terminal.group("a draft of the plan")


@app.command("whatif", epilog=terminal.example("yingjian whatif --edition draft --date 2022-07-24"))
def whatif(
    edition: Annotated[
        Path,
        typer.Option(
            "--edition", metavar="FOLDER", help="CSV files named like the policy seeds, with only the draft's rows"
        ),
    ],
    day: Annotated[date, typer.Option("--date", parser=terminal.day, metavar="D", help="business date, YYYY-MM-DD")],
) -> int:
    """Build a draft edition beside what is published, and show what it would change."""
    from yingjian.modelling.dbt import BuildError

    settings = Settings.load()
    with connection():  # The context starts the warehouse, and refuses one of another version.
        pass
    try:
        page, book, changes = _compare(settings, edition, day)
    except BuildError as error:
        print(f"yingjian: the draft cannot be built: {error}", file=sys.stderr)
        return 1
    _show(changes)
    print(page)
    print(book)
    return 0


def _compare(settings: Settings, edition: Path, day: date) -> tuple[Path, Path, Difference]:
    """Build the draft and the present edition, compare them, and write page and workbook."""
    from yingjian.whatif import beside, difference, report

    with (
        terminal.bar("reading the draft", 2) as progress,
        beside.built(settings, edition, day, lambda text: progress(f"built: {text}", 1)) as both,
        beside.reading(settings) as conn,
    ):
        changes = difference.compare(conn, both.before, both.after, day)
    page, book = report.write(settings.reports / "whatif", both.draft, day, changes)
    return page, book, changes


def _show(changes: Difference) -> None:
    """Print the town's daily counts and the week of each group that differs; a cell without an arrow is unchanged."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    days = Table("", "现行", "草案", "增减")
    for on, pair in zip(changes.days, changes.town.days, strict=True):
        days.add_row(f"{on:%m-%d}", f"{pair.before:,}", f"{pair.after:,}", f"{pair.change:+,}" if pair.change else "0")
    console.print("全街道每日应检")
    console.print(days)
    groups = Table("", "未来七天应检", "逾期未检", "管控中人数")
    for row in (changes.town, *(row for row in changes.rows["group_code"] if row.differs)):
        is_moved = not row.week.change and any(pair.change for pair in row.days)
        groups.add_row(
            row.name, _cell(row.week) + ("（日期有变）" if is_moved else ""), _cell(row.overdue), _cell(row.in_control)
        )
    console.print("全街道和有变化的人群")
    console.print(groups)
    console.print(f"风险区：{changes.zones_compared} 个中 {len(changes.zones)} 个不同")


def _cell(pair: Pair) -> str:
    return f"{pair.before:,}→{pair.after:,}" if pair.change else f"{pair.before:,}"
