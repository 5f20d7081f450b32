"""This module makes logins of readers in a published town: one for each kind of reader, with its part of the town."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlparse

import psycopg

from tests import support
from yingjian.database import schema, warehouse
from yingjian.modelling.marts import published
from yingjian.people.audience import OFFICE, Audience
from yingjian.privacy import access
from yingjian.privacy.protection import protect
from yingjian.settings import Settings


def protect_town(conn: psycopg.Connection) -> None:
    """Give a made-up town's tables (tests/towns/town.py) the roles, functions and policies of a warehouse."""
    conn.execute("create schema if not exists restricted")
    for path in (
        schema.SQL_FOLDER / "00_roles.sql",
        schema.MIGRATIONS / "0004_access.sql",
        schema.MIGRATIONS / "0096_item_secret.sql",
        schema.MIGRATIONS / "0101_grid_reader.sql",
        schema.SQL_FOLDER / "26_access.sql",
    ):
        schema.run_file(conn, path)
    conn.execute("grant usage on schema published to reporter")
    conn.execute("grant select on all tables in schema published to reporter")
    conn.execute("grant execute on all functions in schema access to reporter")
    conn.execute("grant usage on schema access to reporter; grant select on access.item_secret to reporter")
    tables = conn.execute(
        """
        select relname, array_agg(attname::text) from pg_class inner join pg_attribute on attrelid = pg_class.oid
        where relnamespace = 'published'::regnamespace and relname = any(%s) and attnum > 0 group by 1
        """,
        (list(published()),),
    ).fetchall()
    for name, columns in tables:
        protect(conn, published()[name], columns)


@dataclass
class Town:
    """The published town with a login for each kind of reader; `community`, its `grid` and `department` are their parts."""

    settings: Settings
    community: str
    department: str
    passwords: dict[str, str]
    grid: str = ""

    @contextmanager
    def as_(self, role: str) -> Iterator[psycopg.Connection]:
        if role in self.passwords:
            parsed = urlparse(warehouse.uri(self.settings))
            uri = parsed._replace(netloc=f"{role}:{self.passwords[role]}@{parsed.hostname}:{parsed.port}").geturl()
        else:
            uri = warehouse.uri(self.settings, role)
        with psycopg.connect(uri, autocommit=True) as conn:
            yield conn


@contextmanager
def with_logins(world: Settings) -> Iterator[Town]:
    """Grant the logins, yield the town with them, and revoke them at the end."""
    [(community, department)] = support.query(
        world,
        """
        select community, split_part(department, '、', 1) from reporting.obligation
        where community <> '' and department like '%%、%%' group by 1, 2 order by count(*) desc, 1, 2 limit 1
        """,
    )
    [(grid,)] = support.query(
        world,
        """
        select person.grid from restricted.person as person
        inner join reporting.overdue as late using (person_key, community, grid)
        where person.community = %s and person.grid <> '' group by 1 order by count(*) desc, 1 limit 1
        """,
        community,
    )
    parts = {
        "m-grid": ([Audience.of_grid(community, grid)], False),
        "m-grid-case": ([Audience.of_grid(community, grid)], True),
        "m-community": ([Audience("community", community)], False),
        "m-department": ([Audience("department", department)], False),
        "m-duty": ([Audience("department", department)], True),
        "m-case": ([Audience("community", community)], True),
        "m-office": ([OFFICE], True),
    }
    with warehouse.connect(world) as conn:
        passwords = {
            login: access.grant(conn, login, part, persons, "tester", "测试") or ""
            for login, (part, persons) in parts.items()
        }
    yield Town(world, community, department, passwords, grid)
    with warehouse.connect(world) as conn:
        for login in passwords:
            access.revoke(conn, login, [], False, "tester", "测试完毕")
