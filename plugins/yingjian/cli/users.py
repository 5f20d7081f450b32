"""`yingjian users`: who may sign in."""

from __future__ import annotations

from typing import Annotated

import typer

from yingjian.cli import terminal
from yingjian.settings import Settings

app = terminal.group("who may sign in")


@app.command("users", epilog=terminal.example("yingjian users --passwords"))
def users(
    passwords: Annotated[bool, typer.Option("--passwords", help="print the passwords of Airflow's users too")] = False,
) -> None:
    """List who may sign in: officials and senders to the portal, the data team to Airflow and the portal (officials.yml)."""
    from yingjian.operations import airflow_users
    from yingjian.people.officials import read_officials

    settings = Settings.load()
    for login, role in airflow_users.users(settings).items():
        secret = f"  {airflow_users.password(settings, login)}" if passwords else ""
        print(f"{login:<16}Airflow: {role}{secret}")
    directory = read_officials(settings.officials)
    for login, official in directory.by_login.items():
        rights = ", ".join(sorted(official.rights)) or "-"
        print(f"{login:<16}portal: {official.name}  {official.audience.title}  {rights}")
    for login in directory.senders_by_login:
        if sender := directory.sender(login):
            print(f"{login:<16}portal: {sender.name}  sends {', '.join(sorted(sender.feeds))}")
