"""The command `mart new` creates the files of a new mart."""

from __future__ import annotations

from typing import Annotated

import typer

from yingjian.cli import terminal
from yingjian.settings import Settings

app = terminal.group("new marts", "mart")


@app.callback()
def group() -> None:
    """Without this callback, Typer would drop the name of the group's only command."""


@app.command("new", epilog=terminal.example("yingjian mart new overdue_by_community"))
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="the name of the mart, a table of reporting")],
) -> None:
    """Write a model, its YAML and its checks, which build as they stand; then change them."""
    from yingjian.modelling import new_mart

    root = Settings.load().root
    for path in new_mart.write(root, name):
        print(path.relative_to(root))
    print(
        f"Next: make model M={name}, or yingjian dbt build --target dev --select +{name}. Then CONTRIBUTING.md, Add a mart."
    )
