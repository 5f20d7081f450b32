"""`yingjian users`: who may sign in."""

from __future__ import annotations

from typing import Annotated

import typer

from yingjian.cli import terminal
from yingjian.settings import Settings

app = terminal.group("who may sign in")


@app.command("users", epilog=terminal.example("yingjian users --passwords"))
def users(
    passwords: Annotated[bool, typer.Option("--passwords", help="print the passwords that were made for them")] = False,
) -> int:
    """List who may sign in to Airflow and the portal (officials.yml)."""
    from yingjian.operations import services
    from yingjian.people.officials import read_officials

    settings = Settings.load()
    officials = read_officials(settings.officials)
    for login, role in services.users(settings).items():
        official = officials.get(login)
        part = (
            f"{official.name}  {official.audience.title}  {', '.join(sorted(official.rights)) or '-'}"
            if official
            else "-"
        )
        secret = f"  {services.password(settings, login)}" if passwords else ""
        print(f"{login:<16}{role:<8}{part}{secret}")
    return 0
