"""`yingjian access …`: who reads what in the warehouse."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from yingjian.cli import terminal
from yingjian.cli.connections import connection
from yingjian.settings import Settings

if TYPE_CHECKING:
    from yingjian.people.audience import Audience

app = terminal.group("who reads what in the warehouse", "access")

Login = Annotated[str, typer.Argument(metavar="LOGIN")]
Communities = Annotated[list[str] | None, typer.Option("--community", metavar="NAME")]
Grids = Annotated[list[str] | None, typer.Option("--grid", metavar="COMMUNITY/GRID")]
Departments = Annotated[list[str] | None, typer.Option("--department", metavar="NAME")]
Office = Annotated[bool, typer.Option("--office", help="the whole town")]
Persons = Annotated[bool, typer.Option("--persons", help="may look up people, one at a time and with a reason")]
Reason = Annotated[str, typer.Option("--reason", help="the reason, recorded in the audit trail")]


@app.command("grant", epilog=terminal.example("yingjian access grant m-new --community 第1社区 --reason 到岗"))
def grant(
    login: Login,
    reason: Reason,
    community: Communities = None,
    grid: Grids = None,
    department: Departments = None,
    office: Office = False,
    persons: Persons = False,
) -> None:
    """Let a login read a part of the town; without one, what officials.yml says of it."""
    from yingjian.people.officials import read_officials
    from yingjian.privacy import access

    parts = _parts(community, grid, department, office)
    if not parts and not persons:
        official = read_officials(Settings.load().officials).get(login)
        if official is None:
            raise ValueError(
                f"{login} is not an official in officials.yml: give --community, --grid, --department, --office or --persons"
            )
        parts, persons = [official.audience], official.may("persons")
    with connection() as conn:
        password = access.grant(conn, login, parts, persons, getpass.getuser(), reason)
    print(f"{login} reads {'、'.join(part.title for part in parts) or 'persons'}")
    if password:
        print(f"password (shown only once): {password}")


@app.command("revoke", epilog=terminal.example("yingjian access revoke m-new --reason 离岗"))
def revoke(
    login: Login,
    reason: Reason,
    community: Communities = None,
    grid: Grids = None,
    department: Departments = None,
    office: Office = False,
    persons: Persons = False,
) -> None:
    """Take a part of the town from a login; without one, everything."""
    from yingjian.privacy import access

    parts = _parts(community, grid, department, office)
    with connection() as conn:
        gone = access.revoke(conn, login, parts, persons, getpass.getuser(), reason)
    print(f"{login} {'was dropped' if gone else 'has fewer rights now'}: see `yingjian access list`")


def _parts(
    communities: list[str] | None, grids: list[str] | None, departments: list[str] | None, office: bool
) -> list[Audience]:
    from yingjian.names import comparable
    from yingjian.people.audience import OFFICE, Audience

    named = [Audience("community", comparable(name)) for name in communities or []]
    for name in grids or []:
        place, _, grid = (comparable(part) for part in name.rpartition("/"))
        if not place or not grid:
            raise ValueError(f"--grid {name} is not a grid: write COMMUNITY/GRID, such as 第1社区/网格2")
        named.append(Audience.of_grid(place, grid))
    named += [Audience("department", name) for name in departments or []]
    return [OFFICE, *named] if office else named


@app.command("list", epilog=terminal.example("yingjian access list"))
def list_() -> None:
    """List logins and what they read."""
    from yingjian.privacy import access

    with connection() as conn:
        for reader in access.readers(conn):
            parts = "、".join(part.title for part in reader.parts)
            print(f"{reader.login}  {parts}{'  persons' if reader.persons else ''}")


@app.command("grids", epilog=terminal.example("yingjian access grids --hide --reason 单位与网格交叉人数过少"))
def grids(
    reason: Reason,
    is_shown: Annotated[bool, typer.Option("--show/--hide", help="whether both are visible", show_default=False)],
) -> None:
    """Decide whether logins of the office, the BI tool's too, see grid and building in rows of persons."""
    from yingjian.privacy import access

    with connection() as conn:
        access.choose_grids(conn, is_shown, getpass.getuser(), reason)
    print(f"grid and building in rows of people are {'visible to' if is_shown else 'hidden from'} the office's logins")


@app.command("passwords", epilog=terminal.example("yingjian access passwords"))
def passwords() -> None:
    """Give the services' roles the passwords that are set now."""
    from yingjian.database import roles, warehouse

    with connection() as conn:
        roles.set_passwords(conn, Settings.load(), set(warehouse.ROLES))
    print(f"passwords set: {', '.join(warehouse.ROLES)}")


@app.command("document", epilog=terminal.example("yingjian access document"))
def document() -> None:
    """Write docs/generated/access.md."""
    from yingjian.privacy import access

    path = Settings.load().root / access.DOCUMENT
    path.write_text(access.document(access.read_table()), encoding="utf-8")
    print(path)
