"""`yingjian portal` and `yingjian official …`: the officials' pages, and who signs in to them."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from yingjian.cli import terminal
from yingjian.cli.connections import connection
from yingjian.settings import Settings

app = terminal.group("the officials' pages")
officials = terminal.group("portal accounts", "official")
app.add_typer(officials)


@app.command("portal", epilog=terminal.example("yingjian portal"))
def portal() -> None:
    """Serve the officials' pages as this process, for containers and systemd; `up` starts it too."""
    from yingjian.portal.service import serve

    serve()


@officials.command("invite", epilog=terminal.example("yingjian official invite grid-1"))
def invite(login: Annotated[str, typer.Argument(metavar="LOGIN")]) -> None:
    """Give a login a first password, which signs in once within a week; an earlier one and its sessions end."""
    from yingjian.people.officials import read_officials
    from yingjian.portal import accounts

    settings = Settings.load()
    if not read_officials(settings.officials).signs_in(login):
        raise ValueError(
            f"{login} is not an official, a sender with feeds or a member of the data team: see {settings.officials}"
        )
    with connection() as conn:
        conn.autocommit = True
        password = accounts.invite(conn, login, getpass.getuser())
    print(f"{login} signs in at {settings.portal_url} and chooses a new password")
    print(f"first password (shown only once, valid for {accounts.FIRST_DAYS} days): {password}")


@officials.command("list", epilog=terminal.example("yingjian official list"))
def list_accounts() -> None:
    """List every login that may sign in to the portal, with the state of its password."""
    from yingjian.people.officials import ADMIN, read_officials
    from yingjian.portal import accounts

    directory = read_officials(Settings.load().officials)
    with connection() as conn:
        states = accounts.states(conn)
    senders = filter(directory.sender, directory.senders_by_login)
    for login in (*directory.by_login, *directory.data_team, ADMIN, *senders):
        print(f"{login:<16}{states.get(login, 'not invited')}")
