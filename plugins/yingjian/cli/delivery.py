"""`yingjian delivery …`: what was sent to whom."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yingjian.cli import terminal
from yingjian.cli.connections import connection
from yingjian.pipeline import Dag
from yingjian.settings import Settings, SetupError

if TYPE_CHECKING:
    import psycopg

app = terminal.group("deliveries: what was sent to whom", "delivery")

Publication = Annotated[
    int | None, typer.Option("--publication", metavar="N", help="default: the current one", show_default=False)
]


def _publication(conn: psycopg.Connection, requested_id: int | None) -> tuple[int, date]:
    """Return the requested or the current publication's id and business date. Raises ValueError if there is none."""
    row = conn.execute(
        """
        select publication_id, as_of_date from published.publication
        where publication_id = coalesce(%s, (select publication_id from published.current))
        """,
        (requested_id,),
    ).fetchone()
    if row is None:
        raise ValueError("nothing published yet" if requested_id is None else f"there is no publication {requested_id}")
    return row[0], row[1]


@app.command("list", epilog=terminal.example("yingjian delivery list --publication 12"))
def list_(publication: Publication = None) -> None:
    """List every delivery of a publication, and what became of it."""
    from yingjian.delivery import ledger

    with connection() as conn:
        publication_id, day = _publication(conn, publication)
        rows = ledger.attempts(conn, publication_id)
    for row in rows:
        state = f"{row['state']}, will be retried" if row["will_retry"] else row["state"]
        print(
            f"{row['attempt_id']:6}  {row['what']}  {row['official']}  {row['channel']}  {state}  {row['error'] or ''}"
        )
    print(f"{len(rows):6}  deliveries of publication {publication_id} of {day}")


@app.command("retry", epilog=terminal.example("yingjian delivery retry 31 32"))
def retry(
    ids: Annotated[
        list[int] | None,
        typer.Argument(metavar="ID", help="only these deliveries; required for uncertain ones", show_default=False),
    ] = None,
    publication: Publication = None,
) -> int:
    """Send again what failed or bounced."""
    from yingjian.delivery import ledger
    from yingjian.operations import services

    settings = Settings.load()
    with connection() as conn:
        publication_id, day = _publication(conn, publication)
        again = ledger.retry(conn, publication_id, ids or [])
    if not again:
        print("nothing to resend: see `yingjian delivery list`; a pack that a newer publication superseded is not sent")
        return 1
    with services.running_services(settings) as airflow:
        result = airflow.run_dag(Dag.DELIVERY, day, {"publication_id": publication_id})
    print(f"{len(again)} deliveries of publication {publication_id} were retried: see `yingjian delivery list`")
    return 0 if result.state == "success" else 1


@app.command("packs", epilog=terminal.example("yingjian delivery packs --publication 12"))
def packs(publication: Publication = None) -> None:
    """Write the packs of every department and community, also of those that no official reads."""
    from yingjian.database import warehouse
    from yingjian.people.officials import read_officials
    from yingjian.reports.content.audiences import audiences
    from yingjian.reports.packs import write_packs

    settings = Settings.load()
    with connection() as conn:
        publication_id, day = _publication(conn, publication)
    with warehouse.connect(settings, "reporter") as conn:
        everyone = audiences(conn, publication_id)
        written = write_packs(conn, publication_id, settings.reports, everyone, read_officials(settings.officials))
    print(f"{len(written)} packs of publication {publication_id} of {day}: {written[0].page.parent}")


@app.command("bounces", epilog=terminal.example("yingjian delivery bounces --maildir Maildir"))
def bounces(
    maildir: Annotated[
        Path | None,
        typer.Option("--maildir", metavar="FOLDER", help="default: the mailbox of the connection imap_default"),
    ] = None,
) -> None:
    """Read the mails that came back, over IMAP or from a Maildir."""
    from yingjian.delivery import bounces

    with connection() as conn:
        if maildir is not None:
            news = bounces.read_bounces(conn, bounces.Maildir(maildir))
        elif not bounces.has_mailbox():
            raise SetupError(
                "there is no Airflow connection imap_default: set AIRFLOW_CONN_IMAP_DEFAULT, or give --maildir"
            )
        else:
            with bounces.imap() as box:
                news = bounces.read_bounces(conn, box)
    print(f"{news} newly bounced mails")
