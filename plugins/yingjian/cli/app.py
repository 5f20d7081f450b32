"""This module joins all commands into one command line, and turns errors into exit codes and one-sentence messages."""

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

WRONG = 2  # The exit code for wrong usage or a faulty set-up.
INTERRUPTED = 130  # Shells use this exit code after Ctrl-C.

app = terminal.group("应检: what is due to be tested")
for module in (
    run, service, portal, other_programs, warehouse, simulate, whatif, landing, feeds, quarantine, delivery, audit, users, bi,
    mart, backup, access, documents, settings, status,
):  # fmt: skip
    app.add_typer(module.app)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit code: what the command returns, or 0 if that is nothing.

    Set-up and usage errors are printed as one sentence on stderr.
    """
    no_core_files()
    # Files of a home are not readable by others; group access is kept for shared folders.
    os.umask(0o027)
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
    """Return the whole command line as one Click command."""
    return typer.main.get_command(app)
