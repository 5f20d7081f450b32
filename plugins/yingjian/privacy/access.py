"""This module reads the table of rights (access.yml), and manages the logins of readers and their parts of the town."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg import sql

from yingjian.database.bootstrap import AIRFLOW_ROLE, OWNER_ROLE, scram
from yingjian.database.warehouse import ROLES
from yingjian.modelling.marts import published
from yingjian.names import LOGIN
from yingjian.people.audience import Audience
from yingjian.privacy.audit_trail import record, require_reason

TABLE = Path(__file__).parent / "access.yml"
DOCUMENT = Path("docs") / "generated" / "access.md"

# These privileges, by kind of object, are what `owns` means in access.yml.
PRIVILEGES = {
    "schema": ("usage", "create"),
    "table": ("select", "insert", "update", "delete", "truncate"),
    "partitioned table": ("select", "insert", "update", "delete", "truncate"),
    "partition": ("select", "insert", "update", "delete", "truncate"),
    "view": ("select", "insert", "update", "delete"),
    "sequence": ("usage",),
    "function": ("execute",),
}
ROWS = ("all", "own part", "carried part", "persons looked at", "none")


@dataclass(frozen=True)
class Grant:
    """A grant lists a role's privileges on an object, and the rows that they apply to (one of ROWS)."""

    privileges: frozenset[str]
    rows: str = "all"


@dataclass(frozen=True)
class Line:
    """A line of the table names objects of one kind, by name or pattern, what each role may do with them, and why."""

    kind: str
    objects: tuple[str, ...]
    may: Mapping[str, Grant]
    why: str

    def is_about(self, kind: str, name: str) -> bool:
        return kind == self.kind and any(fnmatchcase(name, pattern) for pattern in self.objects)


@dataclass(frozen=True)
class Table:
    """The table of rights.

    `roles` describes each role, and `logins` names those that can log in. The first of the `lines` that matches an object
    applies.
    """

    roles: Mapping[str, str]
    logins: frozenset[str]
    lines: tuple[Line, ...]

    def line(self, kind: str, name: str) -> Line | None:
        """Return the first line that matches an object; None if there is none."""
        return next((line for line in self.lines if line.is_about(kind, name)), None)


def read_table() -> Table:
    """Return the table of access.yml. Raises ValueError, which names the invalid line and its error."""
    content = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    roles = {name: entry["is"] for name, entry in content["roles"].items()}
    logins = frozenset(name for name, entry in content["roles"].items() if entry["login"])
    return Table(roles, logins, tuple(_line(entry, roles) for entry in content["objects"]))


def _line(entry: Mapping[str, Any], roles: Iterable[str]) -> Line:
    kind, objects = entry["kind"], (*entry.get("objects", ()), *_views(entry.get("marts")))
    if not objects:
        raise ValueError(f"access.yml: a line for a {kind} names neither objects nor marts that there are")
    if kind not in PRIVILEGES:
        raise ValueError(f"access.yml: {objects[0]}: {kind} is none of {', '.join(PRIVILEGES)}")
    may = {}
    for role, text in (entry.get("may") or {}).items():
        privileges, _, rows = text.partition(" of ")
        named = frozenset(PRIVILEGES[kind] if privileges == "owns" else privileges.split())
        if role not in roles or named - set(PRIVILEGES[kind]) or (rows or "all") not in ROWS:
            raise ValueError(f"access.yml: {objects[0]}: `{role}: {text}` is no grant of a {kind}")
        may[role] = Grant(named, rows or "all")
    return Line(kind, objects, may, entry["why"].strip())


def _views(rows: str | None) -> list[str]:
    """Return the reader views of the marts whose `rows` are of this kind: town, persons, places or office."""
    return [f"{mart.reader_schema}.{mart.name}" for mart in published().values()
            if mart.rows == rows and mart.reader_schema != "restricted"]  # fmt: skip


def document(table: Table) -> str:
    """Return the table as a page in Markdown."""
    lines = [
        "# Who may do what in the warehouse",
        "",
        "Written by `yingjian access document` from `plugins/yingjian/privacy/access.yml`; a test logs in as each role and tries",
        "everything on every object. What is not here is denied; PUBLIC has nothing. Why it is so: `docs/decisions/roles.md`.",
        "",
        "| role | logs in | what it is |",
        "|---|---|---|",
        *(f"| `{role}` | {'yes' if role in table.logins else 'no'} | {text} |" for role, text in table.roles.items()),
        "",
        "| kind | objects | who may | why |",
        "|---|---|---|---|",
    ]
    for line in table.lines:
        who = "<br>".join(f"`{role}`: {_words(line.kind, grant)}" for role, grant in line.may.items())
        objects = "<br>".join(f"`{name}`" for name in line.objects)
        lines.append(f"| {line.kind} | {objects} | {who or 'nobody but the owner'} | {line.why} |")
    return "\n".join(lines) + "\n"


def _words(kind: str, grant: Grant) -> str:
    every = PRIVILEGES[kind]
    words = (
        "everything"
        if len(every) > 1 and set(every) == grant.privileges
        else " ".join(name for name in every if name in grant.privileges)
    )
    rows = {"all": "", "none": " (no row)"}.get(grant.rows, f" ({grant.rows})")
    return words + rows


# The functions below create and drop the logins of readers.

# Membership in a group grants the views; the table access.reader limits their rows.
_GROUPS = {
    "community": "community_reader",
    "grid": "community_reader",
    "department": "department_reader",
    "office": "bi_reader",
}
_PERSONS = "case_worker"
CONNECTIONS = 10  # A reader's login may have this many connections at once.


@dataclass(frozen=True)
class Reader:
    """A reader is a login with its parts of the town; `persons` says whether it may look up persons."""

    login: str
    parts: tuple[Audience, ...]
    persons: bool


def grant(
    conn: psycopg.Connection[Any], login: str, parts: Iterable[Audience], persons: bool, granted_by: str, reason: str
) -> str | None:
    """Let a login read parts of the town. A new login is created, and its password is returned only this once.

    The grant and its audit event are part of the connection's transaction. Raises ValueError for a name that is invalid or
    belongs to another role.
    """
    _require_reader_name(login)
    require_reason(reason)
    parts = list(parts)
    password = None
    if conn.execute("select to_regrole(quote_ident(%s)) is null", (login,)).fetchone() == (True,):
        password = secrets.token_urlsafe(18)
        conn.execute(
            sql.SQL("create role {} login password {}").format(
                sql.Identifier(login), sql.Literal(scram(conn, login, password))
            )
        )
        conn.execute(sql.SQL("alter role {} set search_path to reporting, pg_temp").format(sql.Identifier(login)))
        conn.execute("select access.limit_reader(%s, %s)", (login, CONNECTIONS))
    elif conn.execute("select exists (select from access.reader where login = %s)", (login,)).fetchone() != (True,):
        raise ValueError(f"{login} is a role of this server that is no reader: choose another name")
    for part in parts:
        _member(conn, "grant {} to {}", _GROUPS[part.kind], login)
        conn.execute(
            "insert into access.reader (login, kind, name, granted_by) values (%s, %s, %s, %s) on conflict do nothing",
            (login, part.kind, part.name, granted_by),
        )
    if persons:
        _member(conn, "grant {} to {}", _PERSONS, login)
    record(conn, granted_by, "access_grant", login, reason.strip(), parts=_texts(parts), persons=persons)
    return password


def revoke(
    conn: psycopg.Connection[Any], login: str, parts: Iterable[Audience], persons: bool, revoked_by: str, reason: str
) -> bool:
    """Revoke parts of the town, or the right to look up persons, from a login; without either, revoke everything.

    A login that has no part left is dropped. Return whether it was dropped. Raises ValueError when the login is no reader,
    or does not have a part that is to be revoked.
    """
    require_reason(reason)
    reader = next((reader for reader in readers(conn) if reader.login == login), None)
    if reader is None:
        raise ValueError(f"{login} reads nothing: see yingjian access list")
    parts_taken = list(parts) or ([] if persons else list(reader.parts))
    if unknown := [part.title for part in parts_taken if part not in reader.parts]:
        raise ValueError(f"{login} does not read {', '.join(unknown)}: see yingjian access list")
    for part in parts_taken:
        conn.execute(
            "delete from access.reader where login = %s and kind = %s and name = %s", (login, part.kind, part.name)
        )
    parts_left = [part for part in reader.parts if part not in parts_taken]
    if parts_left:
        for group in {_GROUPS[part.kind] for part in parts_taken} - {_GROUPS[part.kind] for part in parts_left}:
            _member(conn, "revoke {} from {}", group, login)
        if persons:
            _member(conn, "revoke {} from {}", _PERSONS, login)
    else:
        conn.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(login)))
    if persons or not parts_left:
        conn.execute("delete from access.look where login = %s", (login,))
    record(
        conn, revoked_by, "access_revoke", login, reason.strip(),
        parts=_texts(parts_taken), persons=persons or not parts_left, dropped=not parts_left,
    )  # fmt: skip
    return not parts_left


def choose_grids(conn: psycopg.Connection[Any], shown: bool, chosen_by: str, reason: str) -> None:
    """Set whether the office's logins see grid and building in rows of persons; the audit trail records who and why."""
    require_reason(reason)
    conn.execute("update access.office_choice set shows_grids = %s", (shown,))
    record(conn, chosen_by, "access_grant" if shown else "access_revoke", "grids", reason.strip())


def readers(conn: psycopg.Connection[Any]) -> Iterator[Reader]:
    """Yield the logins that were granted something, by name."""
    rows = conn.execute(
        """
        select
            login,
            array_agg(kind order by kind, name),
            array_agg(name order by kind, name),
            coalesce(bool_or(pg_has_role(to_regrole(quote_ident(login))::oid, %s::regrole::oid, 'member')), false)
        from access.reader where not (login = any(%s)) and kind <> 'owner' group by login order by login
        """,
        (_PERSONS, list(ROLES)),
    ).fetchall()
    for login, kinds, names, persons in rows:
        parts = tuple(Audience(kind, name) for kind, name in zip(kinds, names, strict=True))
        yield Reader(login, parts, persons)


def _texts(parts: Iterable[Audience]) -> list[str]:
    return [f"{part.kind} {part.name}".strip() for part in parts]


def _member(conn: psycopg.Connection[Any], statement: str, role: str, login: str) -> None:
    conn.execute(sql.SQL(statement).format(sql.Identifier(role), sql.Identifier(login)))  # type: ignore[arg-type]


def _require_reader_name(login: str) -> None:
    names_taken = {*read_table().roles, OWNER_ROLE, AIRFLOW_ROLE, "postgres", "public"}
    if not LOGIN.fullmatch(login) or login in names_taken or login.startswith("pg_"):
        raise ValueError(
            f"{login} is no login of a reader: wants a letter, then letters, digits, dots, dashes, underscores"
        )
