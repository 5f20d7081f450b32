"""`yingjian status`: what is up, published and waiting."""

from __future__ import annotations

from typing import Annotated

import typer

from yingjian.cli import terminal
from yingjian.settings import Settings

app = terminal.group("the state of this home")


@app.command("status", epilog=terminal.example("yingjian status --json"))
def status(
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="print JSON for monitoring; plugins/yingjian/operations/status.py documents the keys"
        ),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="exit with 1 also if something needs attention")] = False,
) -> int:
    """Show what is up, published and waiting; the exit code is 1 if a required service is down."""
    import json

    from yingjian.operations import status

    values = status.collect(Settings.load())
    print(json.dumps(values, ensure_ascii=False, indent=2) if as_json else status.render(values))
    return status.exit_code(values, strict=strict)
