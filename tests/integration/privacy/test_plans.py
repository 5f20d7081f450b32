"""A plan tells nothing of rows that its reader does not see, neither what it counted nor what it estimates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import psycopg
import pytest
from psycopg import sql

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from tests.readers import Town, with_logins
from yingjian.database import warehouse
from yingjian.modelling.marts import HISTORY_COLUMNS
from yingjian.operations import migration
from yingjian.settings import Settings

pytestmark = pytest.mark.slow

READERS = ["m-community", "m-grid", "m-department", "m-case"]
COUNTED = "explain (analyze, costs off, timing off, summary off, buffers off)"
ESTIMATED = "explain"
# A value of the same type that no feed brings.
ABSENT = {
    "text": "text '从未有过'",
    "text[]": "array['从未有过']",
    "date": "date '2222-02-22'",
    "timestamp without time zone": "timestamp '2222-02-22'",
    "timestamp with time zone": "timestamptz '2222-02-22'",
    "integer": "222222",
    "bigint": "222222",
    "numeric": "222222.2",
    "double precision": "222222.2",
}
# A reader may ask for a value in each of these ways.
ASKED = [
    (COUNTED, "{column} = {value}"),
    (COUNTED, "{column} in (select asked.value from (values ({value})) as asked (value))"),
    (ESTIMATED, "{column} = {value}"),
    (ESTIMATED, "{column} <= {value}"),
]


# Everyone reads which publications there are, and of which one a row is.
OF_PUBLICATIONS = ("publication", "publication_history")


@pytest.fixture(scope="module")
def town(home_factory: HomeFactory, built_town: Settings) -> Iterator[Town]:
    """Two publications, of whose values PostgreSQL has statistics."""
    settings = home_factory("plans", built_town)
    support.release(settings, WORLD_DAY)
    with warehouse.connect(settings) as conn:
        conn.execute("analyze")
    with with_logins(settings) as town:
        yield town


def readable(conn: psycopg.Connection) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Schema, name and columns (name, type) of every view that the login may read."""
    return conn.execute(
        """
        select nspname, relname, array_agg(array[attname::text, format_type(atttypid, null)] order by attnum)
        from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace
        inner join pg_attribute on attrelid = pg_class.oid and attnum > 0
        where relkind in ('v', 'r', 'p', 'm') and nspname !~ '^(pg_|information_schema)'
        and has_schema_privilege(nspname, 'usage') and has_table_privilege(pg_class.oid, 'select')
        group by 1, 2 order by 1, 2
        """
    ).fetchall()


def plan(conn: psycopg.Connection, how: str, view: sql.Identifier, condition: sql.Composed) -> list[str]:
    """The function gives the plan's lines, without the condition itself."""
    lines = [
        line for (line,) in conn.execute(sql.SQL("{} select * from {} where {}").format(sql.SQL(how), view, condition))
    ]
    return [line.split(":")[0] if line.lstrip().startswith(("Filter:", "Index Cond:")) else line for line in lines]


@pytest.fixture(scope="module")
def values(town: Town) -> Iterator[Callable[[str, str], list[object]]]:
    """The fixture gives a mart's values of a column, the most frequent first."""
    with warehouse.connect(town.settings) as conn:

        @cache
        def values(mart: str, column: str) -> list[object]:
            text = "select {column} from {table} where {column} is not null group by 1 order by count(*) desc, 1"
            names = {"column": sql.Identifier(column), "table": sql.Identifier("published", mart)}
            return [value for (value,) in conn.execute(sql.SQL(text).format(**names))]

        yield values


@pytest.mark.parametrize("login", READERS)
def test_a_plan_does_not_tell_whether_a_value_exists_elsewhere(
    login: str, town: Town, values: Callable[[str, str], list[object]]
) -> None:
    answers, tried = set(), 0
    with town.as_(login) as conn:
        views = readable(conn)
        for schema, name, columns in views:
            view = sql.Identifier(schema, name)
            for column, kind in columns:
                if kind not in ABSENT or name in OF_PUBLICATIONS or column in HISTORY_COLUMNS:
                    continue
                seen = {
                    str(value)
                    for (value,) in conn.execute(sql.SQL("select {} from {}").format(sql.Identifier(column), view))
                }
                unseen = next((value for value in values(name, column) if str(value) not in seen), None)
                if unseen is None:
                    continue
                present = sql.Literal(unseen).as_string(conn)
                tried += 1
                for how, condition in ASKED:
                    plans = [
                        plan(conn, how, view, sql.SQL(condition).format(column=sql.Identifier(column), value=sql.SQL(f"({value})::{kind}")))
                        for value in (present, ABSENT[kind])
                    ]  # fmt: skip
                    if plans[0] != plans[1]:
                        answers.add(f"{schema}.{name}.{column}: {how[:17]} {condition}")
    assert len(views) > 35 and tried > 100
    assert answers == set()


def test_the_plan_of_a_person_tells_nothing_without_a_look(town: Town) -> None:
    [(mine,)] = support.query(
        town.settings, "select min(person_key) from restricted.person where community = %s", town.community
    )
    [(theirs,)] = support.query(
        town.settings, "select min(person_key) from restricted.person where community <> %s", town.community
    )
    view = sql.Identifier("restricted", "person")

    def plans(conn: psycopg.Connection, key: str) -> list[list[str]]:
        return [
            plan(conn, how, view, sql.SQL("person_key = {}").format(sql.Literal(key))) for how in (COUNTED, ESTIMATED)
        ]

    with town.as_("m-case") as conn:
        nobody = plans(conn, "nobody")
        assert plans(conn, mine) == plans(conn, theirs) == nobody
        assert not any("published" in line or "_p" in line for lines in nobody for line in lines)
        conn.execute("select restricted.resolve(%s, '流调')", (mine,))
        assert plans(conn, mine)[0] != nobody[0], "the test would see a difference"
        assert plans(conn, theirs) == plans(conn, "nobody")


def test_whoever_sees_the_whole_town_keeps_the_indexes(town: Town) -> None:
    for login in ("bi_reader", "m-office"):
        with town.as_(login) as conn:
            conn.execute("set enable_seqscan to off")
            lines = plan(conn, COUNTED, sql.Identifier("reporting", "obligation"), sql.SQL("person_key = 'x'").format())
        assert any("Index" in line for line in lines) and not any("Subquery" in line for line in lines), lines


def test_a_view_of_an_older_version_is_made_anew_by_the_next_migration(town: Town) -> None:
    with warehouse.connect(town.settings) as conn:
        [(columns,)] = conn.execute(
            """
            select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
            where attrelid = 'reporting.due'::regclass and attnum > 0
            """
        )
        conn.execute(f"create or replace view reporting.due as select {columns} from published.due")
        conn.execute('comment on rule "_RETURN" on reporting.due is null')
    migration.migrate(town.settings)
    assert "plans_as_office" in support.query(town.settings, "select pg_get_viewdef('reporting.due')")[0][0]


def test_statistics_and_other_statements_are_not_read(town: Town) -> None:
    """PostgreSQL knows this of a column's values, and others ask for it."""
    values = "select count(*) from pg_stats where schemaname = 'published' and starts_with(tablename, 'obligation')"
    others = """
        select count(*) from pg_stat_activity
        where usename <> current_user and query not in ('', '<insufficient privilege>')
    """
    [(known,)] = support.query(town.settings, values)
    assert known > 10
    for login in [*READERS, "m-office", *warehouse.ROLES]:
        with town.as_(login) as conn:
            assert login == "publisher" or conn.execute(values).fetchone() == (0,), login
            assert conn.execute(others).fetchone() == (0,), login
            assert conn.execute("select pg_has_role(current_user, 'pg_read_all_stats', 'member')").fetchone() == (
                False,
            )


def test_publishing_counts_statements_that_began_before_without_reading_them(town: Town) -> None:
    count = "select published.older_statements(clock_timestamp())"
    with town.as_("publisher") as conn, town.as_("bi_reader") as other:
        assert conn.execute(count).fetchone() == (0,)
        other.pgconn.send_query(b"select pg_sleep(60)")
        while conn.execute(count).fetchone() != (1,):
            pass
        other.cancel()
        other.close()
