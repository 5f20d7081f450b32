"""The commands `backup` and `restore` write and read backups of a home, and `backup-key` makes their key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from yingjian.cli import terminal
from yingjian.settings import Settings, variables

app = terminal.group("backups")


@app.command("backup", epilog=terminal.example("yingjian backup /backups/2022-07-24.yjb"))
def backup(out: Annotated[Path, typer.Argument(metavar="OUT")]) -> None:
    """Write the home and its databases as one encrypted file."""
    from yingjian.operations import backup

    with terminal.bar(f"writing {out}"):
        manifest = backup.backup(Settings.load(), out, variables().backup_key)
    print(f"{out}: publication {manifest.publication or 'none'}, {manifest.rows:,} rows")


@app.command(
    "restore", epilog=terminal.example("yingjian restore /backups/2022-07-24.yjb --home /var/lib/yingjian-new")
)
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    home: Annotated[Path, typer.Option("--home", metavar="NEW", help="a folder that is empty or does not exist")],
) -> None:
    """Make a home from a backup: all of it, or nothing."""
    from yingjian.operations import restore as restoring

    with terminal.bar(f"restoring {file} to {home}"):
        manifest = restoring.restore(file, home, variables().backup_key)
    print(
        f"{home}: publication {manifest.publication or 'none'}, {manifest.rows:,} rows; set YINGJIAN_HOME to this folder"
    )


@app.command("backup-key", epilog=terminal.example("yingjian backup-key"))
def backup_key() -> None:
    """Make a new key for backups."""
    from yingjian.operations.backup_keys import make_key

    print(make_key(), end="")
