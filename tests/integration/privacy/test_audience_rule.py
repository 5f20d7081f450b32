"""The rule of who sees which rows, on rows that are made by hand for it: several places, several departments, none."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from tests.readers import protect_town
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.modelling.marts import Mart
from yingjian.people.audience import OFFICE, Audience
from yingjian.privacy import protection
from yingjian.privacy.protection import protect
from yingjian.reports.content.audiences import hidden_marts, narrowed
from yingjian.settings import Settings

PLACE = Mart("by_place", ("community", "department"), "reporting", audience=("community", "department"))
SEVERAL = Mart("by_several", ("communities",), "reporting", audience=("communities",))
COMPETENT = Mart("by_department", ("department",), "reporting", audience=("department",))
OF_OFFICE = Mart("of_office", ("community",), "reporting")
OF_TOWN = Mart("of_town", ("community",), "reporting", is_town_wide=True)
MIXED = Mart("mixed", ("community", "is_town_wide"), "reporting", audience=("community",), everyones="is_town_wide")
IN_GRIDS = Mart("in_grids", ("community", "grid"), "reporting", audience=("community", "grid"))
MARTS = (PLACE, SEVERAL, COMPETENT, OF_OFFICE, OF_TOWN, MIXED, IN_GRIDS)
TABLES = """
    create table published.by_place (row text, community text, department text);
    insert into published.by_place values
        ('a', '甲', '卫健局'), ('b', '乙', '教育局、卫健局'), ('c', '丙', '卫健局某科'), ('d', null, null), ('e', '', '');
    create table published.by_several (row text, communities text[]);
    insert into published.by_several values
        ('a', array['甲']), ('ab', array['甲', '乙']), ('b', array['乙']), ('c', array['甲乙']), ('d', null), ('e', '{}');
    create table published.by_department (row text, department text);
    insert into published.by_department values ('a', '卫健局'), ('b', '教育局、卫健局'), ('c', '教育局'), ('d', null), ('e', '');
    create table published.of_office (row text, community text);
    insert into published.of_office values ('a', '甲');
    create table published.of_town (row text, community text);
    insert into published.of_town values ('a', '甲'), ('b', '乙');
    create table published.mixed (row text, community text, is_town_wide boolean);
    insert into published.mixed values ('a', '甲', false), ('b', '乙', null), ('c', null, true), ('d', null, false);
    create table published.in_grids (row text, community text, grid text);
    insert into published.in_grids values
        ('a1', '甲', '1'), ('a2', '甲', '2'), ('a', '甲', ''), ('an', '甲', null), ('b1', '乙', '1'), ('n1', null, '1'), ('e1', '', '1');
"""
# The current publication, 2, and an earlier one have these persons and duties.
PERSONS = """
    create table published.current (publication_id bigint);
    insert into published.current values (2);
    create table published.person (publication_id bigint, person_key text, community text, grid text);
    insert into published.person values
        (2, 'a1', '甲', '1'), (2, 'a', '甲', ''), (2, 'b1', '乙', '1'), (2, 'e1', '', '1'), (2, 'c2', '丙', '2'),
        (2, 'moved', '丁', '1'), (1, 'moved', '甲', '1'), (2, 'treated', '丁', '1'), (2, 'works', '丁', '1');
    create table published.obligation (publication_id bigint, person_key text, community text, grid text, department text);
    insert into published.obligation values
        (2, 'treated', '', '', '教育局、卫健局'), (2, 'works', '甲', '1', ''), (1, 'c2', '甲', '1', '教育局');
"""
EVERY_ROW = {
    "by_place": "a b c d e",
    "by_several": "a ab b c d e",
    "by_department": "a b c d e",
    "of_office": "a",
    "of_town": "a b",
    "mixed": "a b c d",
    "in_grids": "a a1 a2 an b1 e1 n1",
}
NOTHING = {
    "by_place": "",
    "by_several": "",
    "by_department": "",
    "of_office": "",
    "of_town": "a b",
    "mixed": "c",
    "in_grids": "",
}
SEEN = {
    OFFICE: EVERY_ROW,
    Audience("community", "甲"): NOTHING
    | {"by_place": "a", "by_several": "a ab", "mixed": "a c", "in_grids": "a a1 a2 an"},
    # A grid has the rows that name it in its community: none of the community's others, none of a grid of the same name.
    Audience.of_grid("甲", "1"): NOTHING | {"in_grids": "a1"},
    Audience.of_grid("乙", "2"): NOTHING,
    Audience("grid", "1"): NOTHING,
    Audience.of_grid("甲", ""): NOTHING,
    Audience.of_grid("", "1"): NOTHING,
    Audience("community", "卫健局"): NOTHING,
    Audience("department", "卫健局"): NOTHING | {"by_place": "a b", "by_department": "a b"},
    Audience("department", "教育局、卫健局"): NOTHING,
    Audience("department", "甲"): NOTHING,
    Audience("nobody"): NOTHING,
}
# A login may have several parts; the rows of each are its own.
LOGINS = {
    "one": ([("community", "甲")], SEEN[Audience("community", "甲")]),
    "two": (
        [("community", "甲"), ("community", "乙"), ("department", "教育局")],
        NOTHING
        | {
            "by_place": "a b",
            "by_several": "a ab b",
            "by_department": "b c",
            "mixed": "a b c",
            "in_grids": "a a1 a2 an b1",
        },
    ),
    "grids": ([("grid", "甲 1"), ("grid", "乙 1"), ("grid", "丙 1")], NOTHING | {"in_grids": "a1 b1"}),
    "half_grids": ([("grid", "甲 "), ("grid", " 1")], NOTHING),
    "namesake": ([("community", "卫健局")], NOTHING),
    "office": ([("office", "")], EVERY_ROW),
    "nothing": ([], dict.fromkeys(EVERY_ROW, "")),
}
OWN_PERSONS = {
    "one": "a a1 works",
    "two": "a a1 b1 treated works",
    "grids": "a1 b1 works",
    "half_grids": "",
    "namesake": "",
    "office": "a a1 b1 c2 e1 moved treated works",
    "nothing": "",
}


@pytest.fixture(scope="module")
def database(bare_server: Settings) -> str:
    """The URI of a database with the tables of every kind of mart, as the server's own user."""
    server = EmbeddedPostgres(bare_server)
    with psycopg.connect(server.uri("postgres", "postgres"), autocommit=True) as conn:
        conn.execute("create database audience_rule owner yingjian_owner")
    with psycopg.connect(server.uri("yingjian_owner", "audience_rule")) as conn:
        conn.execute("create schema published")
        conn.execute(TABLES)
        conn.execute(PERSONS)
        protect_town(conn)
        conn.execute("create schema seen; grant usage, create on schema seen to view_owner")
        conn.execute("grant usage on schema published to view_owner")
        conn.execute("grant select on all tables in schema published to view_owner")
        conn.execute("grant execute on all functions in schema access to view_owner, community_reader")
        conn.execute("grant usage on schema seen, access to community_reader")
        for mart in MARTS:
            protect(conn, mart, mart.columns)
            name = sql.Identifier(mart.name)
            conn.execute(sql.SQL("create view seen.{} as select * from published.{}").format(name, name))
            conn.execute(sql.SQL("alter view seen.{} owner to view_owner").format(name))
            conn.execute(sql.SQL("grant select on seen.{} to community_reader").format(name))
        for login, (parts, _) in LOGINS.items():
            conn.execute(
                sql.SQL("create role {} login in role community_reader").format(sql.Identifier(f"rule-{login}"))
            )
            for kind, name_of_part in parts:
                conn.execute(
                    "insert into access.reader (login, kind, name, granted_by) values (%s, %s, %s, 'tester')",
                    (f"rule-{login}", kind, name_of_part),
                )
    return server.uri("postgres", "audience_rule")


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database) as connection:
        yield connection
        connection.rollback()


def rows(conn: psycopg.Connection, schema: str) -> dict[str, str]:
    """The rows that are seen of each mart, by their names."""
    return {
        mart.name: " ".join(
            str(row)
            for (row,) in conn.execute(
                sql.SQL("select row from {} order by row").format(sql.Identifier(schema, mart.name))
            )
        )
        for mart in MARTS
    }


@pytest.mark.parametrize("audience", SEEN, ids=lambda audience: f"{audience.kind} {audience.name}")
def test_a_carried_audience_sees_its_rows(audience: Audience, conn: psycopg.Connection) -> None:
    with narrowed(conn, audience):
        assert rows(conn, "published") == SEEN[audience]


@pytest.mark.parametrize("carried", [None, "", "office", "owner:", "community:", "department:", "甲"])
def test_a_reporter_without_an_audience_sees_no_part(carried: str | None, conn: psycopg.Connection) -> None:
    conn.execute("set local role reporter")
    if carried is not None:
        conn.execute("select set_config('yingjian.audience', %s, true)", (carried,))
    assert rows(conn, "published") == NOTHING


@pytest.mark.parametrize("login", LOGINS)
def test_a_login_sees_the_rows_of_all_its_parts(login: str, conn: psycopg.Connection) -> None:
    conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(f"rule-{login}")))
    for carried in ("", "office:", "community:丙"):
        conn.execute("select set_config('yingjian.audience', %s, true)", (carried,))
        assert rows(conn, "seen") == LOGINS[login][1]


@pytest.mark.parametrize("login", LOGINS)
def test_a_login_may_look_at_the_persons_of_all_its_parts_in_the_current_publication(
    login: str, conn: psycopg.Connection
) -> None:
    persons = [key for (key,) in conn.execute("select distinct person_key from published.person order by 1")]
    conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(f"rule-{login}")))
    own = conn.execute("select key from unnest(%s::text[]) as key where access.is_of_own_part(key)", (persons,))
    assert " ".join(key for (key,) in own) == OWN_PERSONS[login]


def test_a_login_reads_whom_it_looked_at_itself_lately_in_its_own_part(conn: psycopg.Connection) -> None:
    """The view of persons asks both functions, so that an error in one of them would not show in its rows."""
    conn.execute(
        """
        insert into access.look (login, person_key, looked_at, asked_in)
        select 'rule-' || login, person_key, clock_timestamp() - age, '1' from (
            values ('one', 'a1', interval '0'), ('one', 'a', '61 minutes'), ('one', 'b1', '0'),
            ('two', 'a1', '0'), ('two', 'works', '0')
        ) as made (login, person_key, age)
        """
    )
    persons = [key for (key,) in conn.execute("select distinct person_key from published.person")]
    conn.execute('set session authorization "rule-one"')
    may_read = "select key from unnest(%s::text[]) as key where access.may_read_person(key)"
    assert conn.execute(may_read, (persons,)).fetchall() == [("a1",)]
    assert conn.execute("select access.persons_looked_at()").fetchall() == [("a1",)]


def test_policies_of_an_earlier_version_are_replaced(conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = "select polname, polcmd from pg_policy where polrelid = 'published.by_place'::regclass order by 1"
    conn.execute("set role yingjian_owner")
    with monkeypatch.context() as earlier:
        policies = tuple(statement.replace("for select", "for all") for statement in protection._POLICIES)
        earlier.setattr(protection, "_POLICIES", policies)
        protect(conn, PLACE, PLACE.columns)
        assert conn.execute(kinds).fetchall() == [("readers", "*"), ("services", "*")]
    protect(conn, PLACE, PLACE.columns)
    assert conn.execute(kinds).fetchall() == [("readers", "r"), ("services", "r")]
    roles = "select polname, polroles::regrole[]::text[] from pg_policy where polrelid = 'published.by_place'::regclass"
    assert {name: set(of) for name, of in conn.execute(roles).fetchall()} == {
        "readers": {"view_owner", "reporter"},
        "services": {"transformer", "loader"},
    }


def test_a_column_that_is_not_there_yet_shows_nothing(database: str) -> None:
    """A new version of a mart names a column of which the published table knows only from the next publication on."""
    with psycopg.connect(database) as conn:
        conn.execute("set role yingjian_owner")
        conn.execute("alter table published.by_place drop column department cascade")
        protect(conn, PLACE, ("community",))
        with narrowed(conn, Audience("department", "卫健局")):
            assert rows(conn, "published")["by_place"] == ""
        with narrowed(conn, Audience("community", "甲")):
            assert rows(conn, "published")["by_place"] == "a"
        conn.rollback()


def test_marts_without_a_part_of_the_audience_are_hidden(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yingjian.reports.content.audiences.published", lambda: {mart.name: mart for mart in MARTS})
    hidden = {
        "office": set(),
        "community": {"by_department", "of_office"},
        "department": {"by_several", "of_office", "mixed", "in_grids"},
        "grid": {"by_place", "by_several", "by_department", "of_office", "mixed"},
        "nobody": {"by_place", "by_several", "by_department", "of_office", "mixed", "in_grids"},
    }
    for kind, names in hidden.items():
        assert hidden_marts(conn, OFFICE if kind == "office" else Audience(kind, "甲")) == names
