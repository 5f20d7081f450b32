"""All commands together, and how each of them ends: its exit code, and an error as one sentence."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer

from yingjian.cli import (
    access,
    audit,
    backup,
    bi,
    delivery,
    documents,
    feeds,
    landing,
    mart,
    other_programs,
    portal,
    quarantine,
    run,
    service,
    settings,
    simulate,
    status,
    terminal,
    users,
    warehouse,
    whatif,
)
from yingjian.processes import no_core_files
from yingjian.scratch import own_folder
from yingjian.settings import SetupError

WRONG = 2  # The exit code of a command that was asked wrongly, or that the machine is not set up for.
INTERRUPTED = 130  # A shell gives this code after Ctrl-C.

app = terminal.group("应检: what is due to be tested")
for module in (
    run,
    service,
    portal,
    other_programs,
    warehouse,
    simulate,
    whatif,
    landing,
    feeds,
    quarantine,
    delivery,
    audit,
    users,
    bi,
    mart,
):
    app.add_typer(module.app)
for module in (backup, access, documents, settings, status):
    app.add_typer(module.app)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code. Errors of set-up and of the command line are one sentence on stderr."""
    no_core_files()
    os.umask(0o027)  # Nobody else reads what a home holds; the group of a shared folder may read what is put there.
    try:
        with own_folder():
            return int(command()(argv, prog_name="yingjian", standalone_mode=False) or 0)
    except typer.TyperException as error:
        print(f"yingjian: {terminal.sentence(error)}", file=sys.stderr)
        return WRONG
    except (SetupError, FileNotFoundError, ValueError) as error:
        print("yingjian:", *map(terminal.shown, str(error).splitlines()), file=sys.stderr)
        return WRONG
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED


def command() -> Any:
    """The whole command line as one command, with all that are below it."""
    return typer.main.get_command(app)
