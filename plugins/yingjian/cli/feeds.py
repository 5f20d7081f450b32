"""`yingjian feeds …`: what senders need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from yingjian.cli import terminal

app = terminal.group("templates and schemas for senders", "feeds")


@app.command("templates", epilog=terminal.example("yingjian feeds templates templates"))
def templates(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="the folder to write; created if it does not exist")],
) -> None:
    """Write a workbook for each feed, which a sender fills in."""
    from yingjian.landing.templates import write_templates

    write_templates(out)
    print(out)


@app.command("schema", epilog=terminal.example("yingjian feeds schema schemas"))
def schema(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="the folder to write; created if it does not exist")],
) -> None:
    """Write the columns of each feed as JSON Schema, for senders that send by program."""
    from yingjian.landing.schema import write_schemas

    write_schemas(out)
    print(out)


@app.command("reasons", epilog=terminal.example("yingjian feeds reasons"))
def reasons() -> None:
    """Write docs/generated/reasons.md."""
    from yingjian.documents import reasons as page
    from yingjian.settings import Settings

    print(page.write(Settings.load().root))
