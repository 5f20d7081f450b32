"""`yingjian landing …`: decisions about what is landed."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from yingjian.cli import terminal
from yingjian.cli.connections import connection

app = terminal.group("decisions about what is landed", "landing")


@app.command(
    "accept",
    epilog=terminal.example("yingjian landing accept key_population --rename 开始日期=起始日期 --reason 平台改版"),
)
def accept(
    feed: Annotated[str, typer.Argument(metavar="FEED")],
    reason: Annotated[str, typer.Option("--reason", help="the reason, recorded with the decision")],
    rename: Annotated[
        str | None, typer.Option("--rename", metavar="NEW=COLUMN", help="accept NEW as a name of COLUMN")
    ] = None,
    without: Annotated[
        str | None, typer.Option("--without", metavar="COLUMN", help="accept files without COLUMN")
    ] = None,
    meaning: Annotated[
        str | None,
        typer.Option(
            "--meaning", metavar="COLUMN", help="check COLUMN row by row: only rows with invalid values are rejected"
        ),
    ] = None,
    national_list: Annotated[
        str | None,
        typer.Option(
            "--list", metavar="HOUR", help='accept the list of HOUR ("2022-11-26 08"), although it lost most areas'
        ),
    ] = None,
) -> None:
    """Record a changed layout as a decision; the feed's files are read again."""
    from yingjian.landing import decisions
    from yingjian.landing.feeds import RISK_AREAS

    if sum(change is not None for change in (rename, without, meaning, national_list)) != 1:
        raise ValueError("give exactly one of --rename, --without, --meaning and --list")
    if national_list is not None:
        if feed != RISK_AREAS:
            raise ValueError(f"--list is only for {RISK_AREAS}")
        with connection() as conn:
            decisions.accept_list(conn, national_list, reason, getpass.getuser())
        print(f"{feed}: decision recorded; the next build uses the list of {national_list}")
        return
    header = None
    if rename is not None:
        kind, (header, is_given, source) = "rename", rename.partition("=")
        if not (is_given and header and source):
            raise ValueError("--rename needs NEW=COLUMN, as in --rename 开始日期=起始日期")
    else:
        kind, source = ("absent", without) if without else ("meaning", meaning or "")
    with connection() as conn:
        files = decisions.accept(conn, feed, kind, source, header, reason, getpass.getuser())
    print(f"{feed}: decision recorded; {files} rejected files will be read again at the next landing")


@app.command("correct-document", epilog=terminal.example("yingjian landing correct-document --reason 派出所来函更正"))
def correct_document(
    reason: Annotated[str, typer.Option("--reason", help="the reason, recorded in the audit trail")],
    withdraw: Annotated[bool, typer.Option("--withdraw", help="withdraw the correction of the wrong document")] = False,
) -> None:
    """Assign rows with a wrong document number to the right person. Standard input has the wrong document, then the right one.

    Each stands on a line of its own, type and number with a blank between them.
    """
    from datetime import datetime

    from yingjian.clock import SHANGHAI
    from yingjian.landing.check import document
    from yingjian.modelling.spark_export import forget_stale
    from yingjian.orchestration.build import staging_at_rest
    from yingjian.privacy import correction
    from yingjian.settings import Settings

    lines = [line.split(maxsplit=1) for line in sys.stdin.read().splitlines() if line.strip()]
    if len(lines) != (1 if withdraw else 2) or not all(len(line) == 2 for line in lines):
        raise ValueError(
            "standard input must have one document per line, its type, a space and its number: the wrong one"
            + ("" if withdraw else ", then the right one")
        )
    now = datetime.now(SHANGHAI).replace(tzinfo=None)
    # Both are normalised as landing does, so that the declaration matches the landed rows.
    wrong, *right = [correction.Document(*document(id_type, id_number, now)) for id_type, id_number in lines]
    settings = Settings.load()
    secret = settings.person_secret
    with connection() as conn, staging_at_rest(settings):
        if withdraw:
            rows = correction.withdraw(conn, secret, wrong, getpass.getuser(), reason)
        else:
            rows = correction.declare(conn, secret, wrong, right[0], getpass.getuser(), reason)
        conn.commit()
        forget_stale(settings)
    print(
        f"from the next build on, {rows:,} rows count for {'a person of their own' if withdraw else 'the right person'}"
    )
