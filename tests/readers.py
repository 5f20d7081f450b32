"""Logins of readers in a published town: one for each kind, each with the part of the town that is its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlparse

import psycopg

from tests import support
from yingjian.database import warehouse
from yingjian.people.audience import OFFICE, Audience
from yingjian.privacy import access
from yingjian.settings import Settings


@dataclass
class Town:
    """The published town with a login for each kind of reader; `community` and `department` are theirs."""

    settings: Settings
    community: str
    department: str
    passwords: dict[str, str]

    @contextmanager
    def as_(self, role: str) -> Iterator[psycopg.Connection]:
        if role in self.passwords:
            found = urlparse(warehouse.uri(self.settings))
            uri = found._replace(netloc=f"{role}:{self.passwords[role]}@{found.hostname}:{found.port}").geturl()
        else:
            uri = warehouse.uri(self.settings, role)
        with psycopg.connect(uri, autocommit=True) as conn:
            yield conn


@contextmanager
def with_logins(world: Settings) -> Iterator[Town]:
    """The town with its logins, which are taken away at the end."""
    [(community, department)] = support.query(
        world,
        """
        select community, split_part(department, '、', 1) from reporting.obligation
        where community <> '' and department like '%%、%%' group by 1, 2 order by count(*) desc, 1, 2 limit 1
        """,
    )
    parts = {
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
    yield Town(world, community, department, passwords)
    with warehouse.connect(world) as conn:
        for login in passwords:
            access.revoke(conn, login, [], False, "tester", "测试完毕")
