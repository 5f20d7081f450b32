"""`yingjian quarantine …`: rows and files that could not be taken."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from yingjian.cli import terminal
from yingjian.cli.connections import connection

app = terminal.group("rejected rows and files", "quarantine")

Feed = Annotated[str | None, typer.Option("--feed", metavar="FEED")]
Sender = Annotated[
    str | None, typer.Option("--sender", metavar="NAME", help="a laboratory, pharmacy, department or community")
]


@app.command("list", epilog=terminal.example("yingjian quarantine list --feed test_results"))
def list_(feed: Feed = None, sender: Sender = None) -> None:
    """List open rows by feed, sender, file and reason, and files rejected whole."""
    from yingjian.landing import quarantine
    from yingjian.operations.refusals import count_of_open

    with connection() as conn:
        rows = quarantine.summary(conn, feed, sender)
        files = [] if sender else quarantine.rejected_files(conn, feed)
    for of_feed, file_name, reason in files:
        print(f"   whole  {of_feed}  {file_name}  {reason}")
    for of_feed, from_sender, file_name, codes, count in rows:
        print(f"{count:8,}  {of_feed}  {from_sender or '-'}  {file_name}  {codes}")
    print(count_of_open(rows, files))


@app.command("export", epilog=terminal.example("yingjian quarantine export --sender 第1检测机构 --xlsx rows.xlsx"))
def export(
    xlsx: Annotated[Path, typer.Option("--xlsx", metavar="FILE")],
    feed: Feed = None,
    sender: Sender = None,
    reason: Annotated[str, typer.Option("--reason", help="the reason, recorded in the audit trail")] = "交报送单位更正",
) -> None:
    """Write open rows as a spreadsheet for their sender (personal data)."""
    from yingjian.landing import quarantine
    from yingjian.privacy import audit_trail

    with connection() as conn:
        audit_trail.record(
            conn, getpass.getuser(), "export", "quality.rejected_row", reason,
            feed=feed, sender=sender, file=xlsx.name,
        )  # fmt: skip
        conn.commit()  # The event is committed first, so that the attempt is on record even if the export fails.
        rows = quarantine.export(conn, xlsx, feed, sender)
    print(f"{rows} rows written to {xlsx}; the file contains personal data: give it only to the sender")


@app.command("contradictions", epilog=terminal.example("yingjian quarantine contradictions --keys"))
def contradictions(
    feed: Feed = None,
    keys: Annotated[bool, typer.Option("--keys", help="list the individual records too")] = False,
) -> None:
    """List versions of a record with the same 更新时间 and different values, by feed, columns and files."""
    from yingjian.landing import quarantine

    with connection() as conn:
        rows = quarantine.contradictions(conn, feed)
        records = quarantine.contradicting_records(conn, feed) if keys else []
    for of_feed, columns, file_id, other_file_id, count in rows:
        print(f"{count:8,}  {of_feed}  {columns}  file {file_id} over file {other_file_id}")
    for of_feed, key, columns, file_id, line, other_file_id, other_line in records:
        print(
            f"  {of_feed}  {key or '-'}  {columns}  file {file_id} line {line} over file {other_file_id} line {other_line}"
        )
    print(
        f"{sum(count for *_, count in rows):,} versions were replaced by another with the same 更新时间 and different values"
    )


@app.command("retry", epilog=terminal.example("yingjian quarantine retry --feed contacts"))
def retry(feed: Feed = None) -> None:
    """Let files that were rejected whole be read again at the next landing."""
    from yingjian.landing import quarantine

    with connection() as conn:
        files = quarantine.retry(conn, feed)
    print(f"{files} files will be read again at the next landing")


@app.command("resolve", epilog=terminal.example("yingjian quarantine resolve 17 18 --reason 已更正重报"))
def resolve(
    ids: Annotated[list[int], typer.Argument(metavar="ID", help="first column of the exported spreadsheet")],
    reason: Annotated[str, typer.Option("--reason")],
) -> int:
    """Mark open rows as resolved, with a reason."""
    from yingjian.landing import quarantine

    with connection() as conn:
        rows = quarantine.resolve(conn, ids, reason)
    print(f"{rows} of {len(ids)} rows resolved")
    return 0 if rows else 1
