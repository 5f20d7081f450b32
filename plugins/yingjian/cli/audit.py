"""The trail of who did what with persons' data: `audit …` and `rotate-person-key`."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, date, datetime
from typing import Annotated

import typer

from yingjian.cli import terminal
from yingjian.cli.connections import connection
from yingjian.settings import Settings, variables

app = terminal.group("persons' data")
trail = terminal.group("the audit trail: who did what with personal data", "audit")
app.add_typer(trail)


@trail.command("verify", epilog=terminal.example("yingjian audit verify"))
def verify(
    anchors: Annotated[
        typer.FileText | None,
        typer.Option("--anchors", metavar="FILE", help="the recorded anchors (YINGJIAN_AUDIT_ANCHOR), one per line"),
    ] = None,
) -> int:
    """Check that no event was changed or removed."""
    from yingjian.orchestration import anchor
    from yingjian.privacy import audit_trail

    settings = Settings.load()
    with connection() as conn:
        verdict = audit_trail.verify(conn, settings.audit_end)
        if audit_trail.record_changed_definition(conn, getpass.getuser(), settings.audit_definition):
            conn.commit()
            audit_trail.keep_definition(conn, settings.audit_definition)
        held, wrong = audit_trail.against(conn, anchors or (), settings.secret(anchor.KEY).encode())
        missing = anchor.missing(settings, conn, datetime.now(UTC))
    if wrong:
        print(f"yingjian: the audit trail does not match its anchors: {wrong}", file=sys.stderr)
        return 1
    if verdict.broken is not None:
        print(f"yingjian: the audit trail is broken at event {verdict.broken}: {verdict.reason}", file=sys.stderr)
        return 1
    if missing:
        print(f"yingjian: {missing}: see docs/runbooks/watch.md", file=sys.stderr)
        return 1
    print(f"{verdict.events:,} events, intact" + (f", {held:,} anchors match" if held else ""))
    return 0


@trail.command("list", epilog=terminal.example("yingjian audit list --since 2022-07-20 --action person_view"))
def list_(
    since: Annotated[
        date | None, typer.Option("--since", parser=terminal.day, metavar="D", help="from this day on")
    ] = None,
    actor: Annotated[str | None, typer.Option("--actor", metavar="LOGIN")] = None,
    action: Annotated[
        str | None,
        typer.Option("--action", metavar="ACTION", help="person_view, export, release, access_grant, …"),
    ] = None,
    about: Annotated[
        str | None, typer.Option("--object", metavar="OBJECT", help="a person key, a publication or a login")
    ] = None,
    person: Annotated[
        bool,
        typer.Option(
            "--person", help="who looked up a person; reads the document's type and number from standard input"
        ),
    ] = False,
) -> None:
    """List events, the newest last."""
    from yingjian.privacy import audit_trail, correction, rotation

    objects = [about] if about else None
    if person:
        id_type, _, id_number = sys.stdin.readline().strip().partition(" ")
        if not id_number:
            raise ValueError("--person reads one line from standard input: the document's type, a space, its number")
    with connection() as conn:
        if person:
            # A person with a corrected document may have been viewed under each of the documents.
            documents = correction.documents_of(conn, correction.Document(id_type, id_number))
            objects = [
                key for one in documents for key in rotation.keys_of(Settings.load(), one.id_type, one.id_number)
            ]
        events = audit_trail.events(conn, since, actor, action, objects)
        for event in events:
            details = "  ".join(f"{name}={value}" for name, value in event.details.items())
            line = (
                f"{event.event_id}  {event.happened_at:%Y-%m-%d %H:%M:%S}  {event.actor}  {event.action}  {event.object}"
                f"  {event.reason or '-'}  {details}"
            )
            print(terminal.shown(line.rstrip()))


@app.command("rotate-person-key", epilog=terminal.example("yingjian rotate-person-key --reason 年度更换"))
def rotate_person_key(
    reason: Annotated[str, typer.Option("--reason", help="the reason, recorded in the audit trail")],
) -> None:
    """Rotate the secret of the person keys; every key is derived again."""
    from yingjian.privacy import rotation

    settings = Settings.load()
    with connection() as conn, terminal.bar("rotating person keys"):
        outcome = rotation.rotate(conn, settings, variables().person_key_next, getpass.getuser(), reason)
    print(
        f"{outcome.persons:,} people have a new key; the secret's fingerprint was {outcome.before} and is now {outcome.after}"
    )
    if settings.given_person_key:
        print("set YINGJIAN_PERSON_KEY to the new secret before the next landing, and store the old one offline")
    else:
        print(f"the old secret is secrets/person_key_{outcome.before}.json: move it to offline storage")
