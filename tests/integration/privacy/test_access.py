"""Rights are tried: every role logs in and tries everything on every object; readers see their rows and no others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlparse

import psycopg
import pytest
from psycopg import sql

from tests import support
from tests.conftest import WORLD_DAY
from tests.readers import Town, with_logins
from yingjian import cli
from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.modelling.marts import published
from yingjian.operations import migration
from yingjian.people.audience import OFFICE, Audience
from yingjian.privacy import access, grants
from yingjian.reports.content.audiences import narrowed
from yingjian.settings import PROJECT_ROOT, Settings

TABLE = access.read_table()
GROUPS = {"community_reader": "m-community", "department_reader": "m-department", "case_worker": "m-case"}


@pytest.fixture(scope="module")
def town(world: Settings) -> Iterator[Town]:
    with with_logins(world) as town:
        yield town


# The tests below try the matrix.


OBJECTS = """
    select
        case
            when relispartition then 'partition'
            else (array['table', 'partitioned table', 'view', 'sequence'])[position(relkind::text in 'rpvS')]
        end as kind,
        nspname, relname, format('%I.%I', nspname, relname),
        (select quote_ident(attname) from pg_attribute where attrelid = pg_class.oid and attnum > 0 and not attisdropped
        order by attnum desc limit 1)
    from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace
    where relkind in ('r', 'p', 'v', 'm', 'S', 'f') and nspname !~ '^(pg_|information_schema)'
    union all
    select
        'function', nspname, proname,
        format('%I.%I(%s)', nspname, proname, (
            select string_agg('null::' || format_type(argument, null), ', ' order by place)
            from unnest(proargtypes) with ordinality as arguments (argument, place)
        )),
        pg_proc.oid::text
    from pg_proc inner join pg_namespace on pg_namespace.oid = pronamespace where nspname !~ '^(pg_|information_schema)'
    union all
    select 'schema', nspname, nspname, quote_ident(nspname), null
    from pg_namespace where nspname !~ '^(pg_|information_schema)'
"""
ATTEMPTS = {
    ("schema", "usage"): "select * from {name}.there_is_no_such_table",
    ("schema", "create"): "create table {name}.attempt ()",
    ("function", "execute"): "select {name}",
    ("sequence", "usage"): "select currval('{name}')",
    "select": "select * from {name} limit 0",
    "insert": "insert into {name} default values",
    "update": "update {name} set {column} = default where false",
    "delete": "delete from {name} where false",
    "truncate": "truncate {name}",
}


@pytest.fixture(scope="module")
def objects(town: Town) -> list[tuple[str, str, str, str, str]]:
    # A publication takes every mart out of `build`: one is built again, to have its rights tried there.
    support.dbt_of(town.settings, WORLD_DAY, "run", "--select", "feed_quality")
    with warehouse.connect(town.settings) as conn:
        found = conn.execute(OBJECTS).fetchall()
    assert len(found) > 200
    return found


def full_name(kind: str, schema: str, name: str) -> str:
    return name if kind == "schema" else f"{schema}.{name}"


def test_every_object_has_a_line_and_every_line_an_object(objects: list[tuple[str, str, str, str, str]]) -> None:
    lines = {
        full_name(kind, schema, name): TABLE.line(kind, full_name(kind, schema, name))
        for kind, schema, name, _, _ in objects
    }
    assert [name for name, line in lines.items() if line is None] == []
    unused = {pattern for line in TABLE.lines for pattern in line.objects} - {
        pattern
        for kind, schema, name, _, _ in objects
        for line in TABLE.lines
        for pattern in line.objects
        if access.Line(line.kind, (pattern,), {}, "").is_about(kind, full_name(kind, schema, name))
    }
    assert unused == set()


@pytest.mark.parametrize("role", [*warehouse.ROLES, *GROUPS])
def test_a_role_may_do_what_its_lines_say_and_nothing_else(
    role: str, town: Town, objects: list[tuple[str, str, str, str, str]]
) -> None:
    nothing = access.Grant(frozenset())

    def of(kind: str, name: str) -> frozenset[str]:
        line = TABLE.line(kind, name)
        return line.may.get(role, nothing).privileges if line else frozenset()

    wrong = []
    with town.as_(GROUPS.get(role, role)) as conn:
        conn.execute("set default_transaction_read_only to off")
        for kind, schema, name, quoted, column in objects:
            for privilege in access.PRIVILEGES[kind]:
                expected = privilege in of(kind, full_name(kind, schema, name))
                if kind == "function":
                    has = conn.execute("select has_function_privilege(%s::oid, 'execute')", (column,)).fetchone()
                    if has != (expected,):
                        wrong.append(f"{role}: {privilege} {quoted}: {'denied' if expected else 'allowed'}")
                # Without its schema an object cannot be named.
                expected = expected and (kind == "schema" or "usage" in of("schema", schema))
                statement = ATTEMPTS.get((kind, privilege)) or ATTEMPTS[privilege]
                if may(conn, statement.format(name=quoted, column=column)) not in (expected, None):
                    wrong.append(f"{role}: {privilege} on {kind} {quoted}: {'denied' if expected else 'allowed'}")
    assert wrong == []


def may(conn: psycopg.Connection, statement: str) -> bool | None:
    """Whether the server let a statement through; what else is wrong with it does not matter, and nothing of it stays.

    None where nobody can be let through: a view that takes no rows, or no value of a column that it computes. A row that a
    policy refuses went through, since others are taken.
    """
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(statement)  # type: ignore[arg-type]
    except psycopg.errors.InsufficientPrivilege as error:
        return "row-level security" in str(error)
    except psycopg.Error as error:
        return None if error.sqlstate in {"55000", "0A000"} and "currval" not in statement else True
    return True


def test_the_matrix_notices_a_grant_too_many(town: Town) -> None:
    with warehouse.connect(town.settings) as conn:
        conn.execute("grant select on staging.residents to reporter")
        conn.execute("grant usage on schema staging to reporter")
    try:
        with town.as_("reporter") as conn:
            assert may(conn, "select * from staging.residents limit 0")
            assert not may(conn, "select * from staging.cases limit 0")
    finally:
        with warehouse.connect(town.settings) as conn:
            conn.execute("revoke select on staging.residents from reporter")
            conn.execute("revoke usage on schema staging from reporter")


def test_the_table_gives_the_rights_and_takes_what_was_given_by_hand(town: Town, objects: list) -> None:  # type: ignore[type-arg]
    with warehouse.connect(town.settings) as conn:
        assert grants.apply(conn) == [], "builds and publications grant what the table says, without a migration"
        for statement in (
            "grant select on staging.residents to reporter",
            "grant usage on schema staging to public",
            "grant references on quality.landed_file to loader",
            "revoke select on reporting.due from community_reader",
            "revoke execute on function access.names_of(text) from reporter",
        ):
            conn.execute(statement)  # type: ignore[arg-type]
        assert set(grants.apply(conn)) == {
            "revoke select on table staging.residents from \"reporter\"",
            "revoke usage on schema staging from public",
            "revoke references on table quality.landed_file from \"loader\"",
            "grant select on table reporting.due to \"community_reader\"",
            "grant execute on function access.names_of(part text) to \"reporter\"",
        }  # fmt: skip
        assert grants.apply(conn) == []
        conn.rollback()


def test_a_right_that_a_login_was_given_by_hand_stays(town: Town) -> None:
    """The table speaks of its roles. The owner of a database may give a login of its own more."""
    with warehouse.connect(town.settings) as conn:
        conn.execute("create role somebody; grant select on staging.residents to somebody")
        assert grants.apply(conn) == []
        assert conn.execute("select has_table_privilege('somebody', 'staging.residents', 'select')").fetchone() == (
            True,
        )
        conn.rollback()


def test_counting_columns_of_rejected_rows_are_read_without_the_rows(town: Town) -> None:
    for role in ("transformer", "auditor"):
        with town.as_(role) as conn:
            assert may(conn, "select feed, sender, reason_codes from quality.rejected_row")
            for column in ("raw_text", "record_key"):
                assert not may(conn, f"select {column} from quality.rejected_row")


def test_public_has_nothing(world: Settings) -> None:
    given = support.query(
        world,
        r"""
        select 'relation', relname from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace,
        aclexplode(relacl) as acl where acl.grantee = 0 and nspname !~ '^(pg_|information_schema)'
        union all
        select 'schema', nspname from pg_namespace, aclexplode(nspacl) as acl
        where acl.grantee = 0 and nspname !~ '^(pg_|information_schema)'
        union all
        select 'function', proname from pg_proc inner join pg_namespace on pg_namespace.oid = pronamespace,
        aclexplode(coalesce(proacl, acldefault('f', proowner))) as acl
        where acl.grantee = 0 and nspname !~ '^(pg_|information_schema)'
        union all
        select 'database', datname from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) as acl
        where acl.grantee = 0 and datname = current_database()
        """,
    )
    assert given == []


def test_no_role_is_a_superuser_and_search_paths_are_pinned(world: Settings) -> None:
    rows = support.query(
        world,
        """
        select rolname, rolsuper or rolbypassrls or rolcreatedb or rolreplication, rolcanlogin, rolconfig
        from pg_roles where rolname = any(%s)
        """,
        list(TABLE.roles),
    )
    assert {name for name, *_ in rows} == set(TABLE.roles)
    assert [name for name, is_mighty, *_ in rows if is_mighty] == []
    assert {name for name, _, can_login, _ in rows if can_login} == TABLE.logins
    for name, _, _, settings in rows:
        if name in warehouse.ROLES:
            assert any(text.startswith("search_path=") and text.endswith(", pg_temp") for text in settings), name


def test_who_was_given_nothing_does_not_come_in(town: Town) -> None:
    with warehouse.connect(town.settings) as conn:
        conn.execute("create role nobody_knows login password 'nobody knows'")
    try:
        stranger = Town(town.settings, "", "", {"nobody_knows": "nobody%20knows"})
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            stranger.as_("nobody_knows").__enter__()
        airflow = urlparse(warehouse.airflow_uri(town.settings))._replace(path="/yingjian").geturl()
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(airflow)
        with (
            pytest.raises(psycopg.OperationalError, match="permission denied for database"),
            town.as_("m-case") as conn,
        ):
            psycopg.connect(warehouse.uri(town.settings, "bi_reader").replace("/yingjian", "/airflow"))
    finally:
        with warehouse.connect(town.settings) as conn:
            conn.execute("drop role nobody_knows")


# The tests below read rows.


def own_rows(town: Town, login: str, columns: set[str]) -> str:
    """The rows of a reader's part, said here once more and otherwise than the policies say it."""
    if login == "m-office":
        return "true"
    everyones = " or is_town_wide" if "is_town_wide" in columns else ""  # Figures that the town has once.
    if login == "m-department":
        competent = f"'{town.department}' = any(string_to_array(department, '、'))"
        return competent + everyones if "department" in columns else "false"
    if login == "m-grid":
        has_grid = {"community", "grid"} <= columns
        return f"community = '{town.community}' and grid = '{town.grid}'" if has_grid else f"false{everyones}"
    if "community" in columns:
        return f"community = '{town.community}'" + everyones
    return f"'{town.community}' = any(communities)" if "communities" in columns else "false"


@pytest.mark.parametrize("login", ["m-community", "m-grid", "m-department", "m-case", "m-office"])
def test_a_reader_sees_the_rows_of_the_own_part(login: str, town: Town, objects: list) -> None:  # type: ignore[type-arg]
    views = [
        (name, line)
        for kind, schema, name, _, _ in objects
        if schema == "reporting"
        and (line := TABLE.line(kind, f"reporting.{name}"))
        and "community_reader" in line.may  # Views of the pipeline's own work are the BI tool's alone.
    ]
    assert len(views) > 30
    seen = 0
    for name, line in views:
        with warehouse.connect(town.settings) as conn:
            query = sql.SQL("select md5(t::text) from {} as t where {}")
            view = sql.Identifier("reporting", name)
            columns = {
                column.name
                for column in conn.execute(sql.SQL("select * from {} limit 0").format(view)).description or ()
            }
            rule = own_rows(town, login, columns) if line.may["community_reader"].rows == "own part" else "true"
            expected = sorted(conn.execute(query.format(view, sql.SQL(rule))))
        with town.as_(login) as conn:
            found = sorted(conn.execute(query.format(view, sql.SQL("true"))))
        assert found == expected, name
        seen += len(found)
    assert seen > 50


def test_services_and_the_bi_tool_see_the_whole_town(town: Town) -> None:
    [(rows,)] = support.query(town.settings, "select count(*) from reporting.obligation")
    with town.as_("bi_reader") as conn:
        assert conn.execute("select count(*) from reporting.obligation").fetchone() == (rows,)
    for role in ("transformer", "loader"):
        with town.as_(role) as conn:
            assert conn.execute(
                "select count(*) from published.obligation inner join published.current using (publication_id)"
            ).fetchone() == (rows,)
    with town.as_("publisher") as conn:
        assert conn.execute("select count(*) from reporting.obligation").fetchone() == (0,), (
            "owns the view, reads no row"
        )


def carried_rows(conn: psycopg.Connection, name: str, columns: set[str]) -> list[tuple[object, ...]]:
    """The rows of a mart's current publication that the audience of the transaction reads."""
    chosen = sql.SQL(", ").join(map(sql.Identifier, sorted(columns)))
    return sorted(
        conn.execute(
            sql.SQL(
                """
                select md5(t::text) from (
                    select {} from {} where publication_id = (select publication_id from published.current)
                ) as t
                """
            ).format(chosen, sql.Identifier("published", name))
        )
    )


@pytest.mark.parametrize(
    ("login", "kind"),
    [("m-office", "office"), ("m-community", "community"), ("m-grid", "grid"), ("m-department", "department")],
)
def test_a_carried_audience_reads_the_rows_that_a_login_of_the_same_part_reads(
    login: str, kind: str, town: Town
) -> None:
    audience = {
        "office": OFFICE,
        "community": Audience("community", town.community),
        "grid": Audience.of_grid(town.community, town.grid),
        "department": Audience("department", town.department),
    }[kind]
    seen = 0
    with town.as_(login) as reader, town.as_("reporter") as conn:
        for mart in published().values():
            if mart.reader_schema != "reporting" or mart.is_history:
                continue
            view = sql.Identifier("reporting", mart.name)
            columns = {
                column.name
                for column in reader.execute(sql.SQL("select * from {} limit 0").format(view)).description or ()
            }
            chosen = sql.SQL(", ").join(map(sql.Identifier, sorted(columns)))
            expected = sorted(
                reader.execute(sql.SQL("select md5(t::text) from (select {} from {}) as t").format(chosen, view))
            )
            with narrowed(conn, audience):
                found = carried_rows(conn, mart.name, columns)
            assert found == expected, mart.name
            seen += len(found)
    assert seen > 50


def test_a_reporter_without_an_audience_reads_no_part_and_no_person(town: Town) -> None:
    counts = {}
    without_a_grid = ("grid: ", f"grid:{town.community} ")  # Rows that have none are nobody's grid's.
    for audience in ("", "nobody:", "offices:", "community:", "community", "grid:", "owner:", *without_a_grid):
        with town.as_("reporter") as conn, conn.transaction():
            if audience:
                conn.execute(sql.SQL("set local yingjian.audience = {}").format(sql.Literal(audience)))
            for mart in published().values():
                of_a_part = "not is_town_wide" if mart.everyones else "true"
                row = conn.execute(
                    sql.SQL("select count(*) from {} where {}").format(
                        sql.Identifier("published", mart.name), sql.SQL(of_a_part)
                    )
                ).fetchone()
                counts[audience, mart.name] = row[0] if row else None
    for audience in without_a_grid:  # Persons stand beside rows of the part, of which it has none.
        del counts[audience, "person"]
    assert {name for (audience, name), rows in counts.items() if rows} <= {
        mart.name for mart in published().values() if mart.rows == "town"
    }
    assert counts["", "feed_quality"] and counts["nobody:", "feed_quality"], "what is the same for everyone is read"


@pytest.mark.parametrize("login", ["m-community", "m-grid", "m-department", "m-case", "m-office"])
def test_a_login_does_not_widen_what_it_reads_by_carrying_an_audience(login: str, town: Town) -> None:
    counts = "select (select count(*) from reporting.obligation), (select count(*) from reporting.restatement)"
    with town.as_(login) as conn:
        before = conn.execute(counts).fetchone()
        assert before and before[0]
        for audience in (
            "office:",
            "owner:",
            "community:第1社区",
            "community:第2社区",
            "grid:第1社区 网格1",
            "nobody:",
        ):
            conn.execute("select set_config('yingjian.audience', %s, false)", (audience,))
            assert conn.execute(counts).fetchone() == before
            if login == "m-case":
                assert conn.execute("select count(*) from restricted.person").fetchone() == (0,)
        for role in ("reporter", "publisher", "view_owner"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("set session authorization reporter")
        for (group,) in conn.execute(
            "select rolname from pg_roles where pg_has_role(oid, 'set') and rolname <> session_user"
        ).fetchall():
            conn.execute(sql.SQL("set role {}").format(sql.Identifier(group)))
            assert conn.execute("select count(*) from reporting.obligation").fetchone() == before[:1]
            conn.execute("reset role")


def test_an_audience_ends_with_its_transaction(town: Town) -> None:
    rows = "select count(*) from published.obligation"
    with town.as_("reporter") as conn:
        with narrowed(conn, OFFICE):
            assert conn.execute(rows).fetchone() != (0,)
        assert conn.execute(rows).fetchone() == (0,)
        with conn.transaction():
            with pytest.raises(ZeroDivisionError), narrowed(conn, OFFICE):
                _ = 1 / 0
            assert conn.execute(rows).fetchone() == (0,)
            assert conn.execute("show search_path").fetchone() == ("published, pg_temp",)


def test_whoever_writes_a_pack_reads_it_as_the_reporter(town: Town) -> None:
    """Policies do not apply to a superuser or to the owner of a table."""
    community = Audience("community", town.community)
    others = sql.SQL("select count(*) from obligation where community is distinct from {}").format(town.community)
    server = EmbeddedPostgres(town.settings)
    for uri in (server.uri("postgres"), warehouse.uri(town.settings), warehouse.uri(town.settings, "reporter")):
        with psycopg.connect(uri) as conn, narrowed(conn, community):
            assert conn.execute(others).fetchone() == (0,)
            assert conn.execute("select count(*) > 0 from obligation").fetchone() == (True,)
    with (
        town.as_("bi_reader") as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        narrowed(conn, community),
    ):
        pass


def test_a_reporter_makes_no_temporary_relation(town: Town) -> None:
    with town.as_("reporter") as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("create temporary view overdue as select 1")


def test_a_reader_whose_part_was_taken_sees_nothing_at_once(town: Town) -> None:
    with warehouse.connect(town.settings) as conn:
        password = access.grant(conn, "m-short", [Audience("community", town.community)], False, "tester", "测试")
        conn.commit()
        with Town(town.settings, "", "", {"m-short": password or ""}).as_("m-short") as reader:
            assert reader.execute("select count(*) > 0 from reporting.obligation").fetchone() == (True,)
            assert access.revoke(conn, "m-short", [], False, "tester", "测试")
            conn.commit()
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute("select count(*) from reporting.obligation")


def test_who_has_a_reader_s_role_and_no_part_reads_no_row(town: Town) -> None:
    """The role opens the views; a line of `access.reader` says whose rows are read, and nobody gave this login one."""
    marts = {
        f"{mart.reader_schema}.{name}" for name, mart in published().items() if mart.reader_schema != "reporting_public"
    }
    with warehouse.connect(town.settings) as conn:
        conn.execute("create role no_part login password 'no part' in role community_reader")
    try:
        with Town(town.settings, "", "", {"no_part": "no%20part"}).as_("no_part") as reader:
            views = reader.execute(
                """
                select table_schema || '.' || table_name from information_schema.tables
                where table_schema in ('reporting', 'restricted')
                """
            ).fetchall()
            opened = marts & {view for (view,) in views}
            assert len(opened) > 30
            rows = {view: reader.execute(f"select count(*) from {view}").fetchone() for view in opened}  # type: ignore[arg-type]
        assert {view: count for view, count in rows.items() if count != (0,)} == {}
    finally:
        with warehouse.connect(town.settings) as conn:
            conn.execute("drop role no_part")


def test_every_published_mart_is_protected(world: Settings) -> None:
    bare = support.query(
        world,
        """
        select relname from pg_class where relnamespace = 'published'::regnamespace and relkind = 'p' and not (
            relrowsecurity and exists (select from pg_policy where polrelid = pg_class.oid and polname = 'readers')
        )
        """,
    )
    assert bare == []


def test_policies_are_asked_once_per_query_and_partitions_stay_pruned(town: Town) -> None:
    with warehouse.connect(town.settings) as conn:
        conn.execute(
            "create table published.obligation_p999999 partition of published.obligation for values in (999999)"
        )
    try:
        with town.as_("m-community") as conn:
            plan = "\n".join(
                line
                for (line,) in conn.execute(
                    "explain (analyze, costs off, timing off, buffers off) select * from reporting.obligation"
                )
            )
    finally:
        with warehouse.connect(town.settings) as conn:
            conn.execute("drop table published.obligation_p999999")
    assert re.search(r"Seq Scan on obligation_p999999 obligation_\d \(never executed\)", plan)
    assert plan.count("InitPlan 2\n") == 1 and "access." not in plan, (
        "what a login sees is asked before the rows, not for each"
    )


def test_a_home_from_before_the_roles_is_brought_up_to_date(world: Settings) -> None:
    """One owner for all, no policies: the next migration hands everything over, and finds nothing to do the time after."""
    state = """
        select nspname, relname, pg_get_userbyid(relowner), relacl::text, relrowsecurity,
            (select array_agg(pg_get_expr(polqual, polrelid) order by polname) from pg_policy where polrelid = pg_class.oid)
        from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace
        where relname in ('due', 'int_policy__rules') and relkind in ('r', 'p', 'v') order by 1, 2
    """
    before = support.query(world, state)
    with warehouse.connect(world) as conn:
        for statement in (
            "alter table published.due owner to yingjian_owner",
            "alter view reporting.due owner to yingjian_owner",
            "alter table intermediate.int_policy__rules owner to yingjian_owner",
            "alter table published.due disable row level security",
            "drop policy readers on published.due",
            "revoke all on published.due from view_owner, reporter",
            "revoke all on reporting.due from bi_reader, community_reader",
        ):
            conn.execute(statement)  # type: ignore[arg-type]
    for _ in range(2):
        migration.migrate(world)
        after = support.query(world, state)
        assert [row[:3] + row[4:] for row in after] == [row[:3] + row[4:] for row in before]
        for (*_, acl, _, _), (*_, was, _, _) in zip(after, before, strict=True):
            assert sorted((acl or "").strip("{}").split(",")) == sorted((was or "").strip("{}").split(","))


# The tests below read persons.


def person_of(town: Town, condition: str) -> str:
    [(key,)] = support.query(
        town.settings, f"select person_key from restricted.person where {condition} order by person_key limit 1"
    )
    return str(key)


def events(town: Town, login: str) -> list[tuple]:  # type: ignore[type-arg]
    return support.query(
        town.settings,
        "select action, object, reason from audit.event where actor = %s order by event_id", login,
    )  # fmt: skip


def test_a_person_is_read_after_saying_why_and_only_then(town: Town) -> None:
    mine = person_of(town, f"community = '{town.community}'")
    look = "select person_key from restricted.person"
    before = events(town, "m-case")
    with town.as_("m-case") as conn:
        assert conn.execute(look).fetchall() == []
        with conn.transaction(force_rollback=True):
            conn.execute("select restricted.resolve(%s, '流调')", (mine,))
            assert conn.execute(look).fetchall() == [], "not before it is committed"
        assert conn.execute(look).fetchall() == [] and events(town, "m-case") == before, "nor after it was taken back"
        conn.execute("select restricted.resolve(%s, ' 流调 ')", (mine,))
        assert conn.execute(look).fetchall() == [(mine,)]
        assert events(town, "m-case")[len(before) :] == [("person_view", mine, "流调")]
        with warehouse.connect(town.settings) as owner:
            owner.execute("update access.look set looked_at = looked_at - interval '1 hour'")
        assert conn.execute(look).fetchall() == [], "an hour later it is over"


def test_nobody_is_read_without_a_reason_or_outside_the_own_part(town: Town) -> None:
    mine = person_of(town, f"community = '{town.community}'")
    elsewhere = person_of(
        town,
        f"community <> '{town.community}' and person_key not in"
        f" (select person_key from reporting.obligation where community = '{town.community}')",
    )
    with town.as_("m-case") as conn:
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="say why"):
            conn.execute("select restricted.resolve(%s, ' ')", (mine,))
        for person in (elsewhere, "nobody"):
            with pytest.raises(psycopg.errors.NoDataFound, match="in the part of the town"):
                conn.execute("select restricted.resolve(%s, '流调')", (person,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("insert into access.look values ('m-case', %s, now(), '3')", (elsewhere,))
    with town.as_("m-community") as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("select restricted.resolve(%s, '流调')", (mine,))


def test_a_look_deletes_the_login_s_old_looks_and_no_others(town: Town) -> None:
    mine = person_of(town, f"community = '{town.community}'")
    with warehouse.connect(town.settings) as owner:
        owner.execute("delete from access.look")
        owner.execute(
            """
            insert into access.look (login, person_key, looked_at, asked_in)
            select login, person_key, clock_timestamp() - age, '1' from (
                values ('m-case', 'looked at lately', interval '0'), ('m-case', 'looked at before', '2 hours'),
                ('m-office', %(mine)s, '0'), ('m-office', 'looked at before', '2 hours')
            ) as made (login, person_key, age)
            """,
            {"mine": mine},
        )
    with town.as_("m-case") as conn:
        conn.execute("select restricted.resolve(%s, '流调')", (mine,))
    assert set(support.query(town.settings, "delete from access.look returning login, person_key")) == {
        ("m-case", "looked at lately"), ("m-case", mine), ("m-office", mine), ("m-office", "looked at before"),
    }  # fmt: skip


def test_a_grid_reads_whom_it_has_and_nobody_of_the_same_grid_elsewhere(town: Town) -> None:
    """The numbers of grids come again in each community."""
    duty = "select person_key from reporting.obligation"
    here = f"community = '{town.community}' and grid = '{town.grid}'"
    mine = person_of(town, here)
    others = [
        person_of(town, f"{where} and person_key not in ({duty} where {here})")
        for where in (
            f"community = '{town.community}' and grid <> '{town.grid}'",
            f"community <> '{town.community}' and grid = '{town.grid}'",
        )
    ]
    with town.as_("m-grid-case") as conn:
        conn.execute("select restricted.resolve(%s, '核实')", (mine,))
        assert conn.execute("select person_key from restricted.person").fetchall() == [(mine,)]
        for person in others:
            with pytest.raises(psycopg.errors.NoDataFound):
                conn.execute("select restricted.resolve(%s, '核实')", (person,))
    with town.as_("m-grid") as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("select restricted.resolve(%s, '核实')", (mine,))


@pytest.mark.parametrize("login", ["m-grid-case", "m-case"])
def test_a_grid_and_a_community_read_whom_they_have_a_duty_for_wherever_they_live(login: str, town: Town) -> None:
    here = f"community = '{town.community}' and grid = '{town.grid}'"
    person = person_of(town, f"{here} and person_key in (select person_key from reporting.obligation where {here})")
    move = "update published.person set community = %s, grid = %s where person_key = %s"
    with warehouse.connect(town.settings) as conn:
        conn.execute(move, ("别的社区", "别的网格", person))
    try:
        with town.as_(login) as conn:
            conn.execute("select restricted.resolve(%s, '核实')", (person,))
            # The login may have looked at somebody else within the hour.
            assert (person,) in conn.execute("select person_key from restricted.person").fetchall()
    finally:
        with warehouse.connect(town.settings) as conn:
            conn.execute(move, (town.community, town.grid, person))


def test_a_department_reads_whom_it_answers_for_wherever_they_live(town: Town) -> None:
    duty = f"select person_key from reporting.obligation where '{town.department}' = any(string_to_array(department, '、'))"
    ours, others = person_of(town, f"person_key in ({duty})"), person_of(town, f"person_key not in ({duty})")
    with town.as_("m-duty") as conn:
        conn.execute("select restricted.resolve(%s, '核实')", (ours,))
        assert conn.execute("select person_key from restricted.person").fetchall() == [(ours,)]
        with pytest.raises(psycopg.errors.NoDataFound):
            conn.execute("select restricted.resolve(%s, '核实')", (others,))
    with town.as_("m-office") as conn:
        conn.execute("select restricted.resolve(%s, '核实')", (others,))
        assert conn.execute("select person_key from restricted.person").fetchall() == [(others,)], (
            "one's own looks only"
        )


# The tests below run the commands.


def test_the_commands_leave_a_trace(
    town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(town.settings.home))
    assert cli.main(["access", "grant", "m-new", "--community", "第1社区", "--persons", "--reason", "到岗"]) == 0
    assert "password (shown only once)" in capsys.readouterr().out
    assert cli.main(["access", "grant", "m-new", "--community", "第2社区", "--reason", "代管"]) == 0
    assert "password" not in capsys.readouterr().out
    assert cli.main(["access", "list"]) == 0
    assert "m-new  第1社区、第2社区  persons\n" in capsys.readouterr().out
    assert cli.main(["access", "revoke", "m-new", "--persons", "--reason", "不再流调"]) == 0
    assert cli.main(["access", "revoke", "m-new", "--community", "第2社区", "--reason", "代管结束"]) == 0
    assert cli.main(["access", "list"]) == 0
    assert "m-new  第1社区\n" in capsys.readouterr().out
    assert cli.main(["access", "revoke", "m-new", "--reason", "离岗"]) == 0
    assert "was dropped" in capsys.readouterr().out
    trace = support.query(
        town.settings,
        "select action, reason, details -> 'parts', details -> 'persons' from audit.event where object = 'm-new' order by event_id",
    )
    assert trace[-5:] == [
        ("access_grant", "到岗", ["community 第1社区"], True),
        ("access_grant", "代管", ["community 第2社区"], False),
        ("access_revoke", "不再流调", [], True),
        ("access_revoke", "代管结束", ["community 第2社区"], False),
        ("access_revoke", "离岗", ["community 第1社区"], True),
    ]


def test_a_grid_and_its_community_are_two_parts_of_one_group(
    town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A login that loses its grid keeps the views of its community: both come with the same group."""
    monkeypatch.setenv("YINGJIAN_HOME", str(town.settings.home))
    grant = ["access", "grant", "m-two", "--grid", f"{town.community}/{town.grid}", "--community", town.community]
    assert cli.main([*grant, "--reason", "到岗"]) == 0
    password = re.search(r"shown only once\): (\S+)", capsys.readouterr().out)
    assert password
    assert cli.main(["access", "list"]) == 0
    assert f"m-two  {town.community}、{town.community} {town.grid}\n" in capsys.readouterr().out
    count = "select count(*) > 0, count(distinct grid) > 1 from reporting.obligation"
    with Town(town.settings, "", "", {"m-two": password[1]}).as_("m-two") as conn:
        assert conn.execute(count).fetchone() == (True, True)
        taken = ["access", "revoke", "m-two", "--community", town.community, "--reason", "只管网格"]
        assert cli.main(taken) == 0
        assert conn.execute(count).fetchone() == (True, False)
    assert cli.main(["access", "revoke", "m-two", "--reason", "离岗"]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["grant", "loader", "--office", "--reason", "测试"], "no login of a reader"),
        (["grant", "m-x", "--office", "--reason", " "], "say why with --reason"),
        (["grant", "m-x", "--reason", "测试"], "not an official in officials.yml"),
        (["grant", "m-x", "--grid", "网格1", "--reason", "测试"], "write COMMUNITY/GRID"),
        (["revoke", "m-x", "--reason", "测试"], "reads nothing"),
    ],
)
def test_wrong_commands_are_one_sentence(
    town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(town.settings.home))
    assert cli.main(["access", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1


def test_an_official_gets_what_the_officials_file_says(
    town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(town.settings.home))
    monkeypatch.setenv("YINGJIAN_OFFICIALS", str(PROJECT_ROOT / "docs" / "officials.example.yml"))
    assert cli.main(["access", "grant", "grid", "--reason", "officials.yml"]) == 0
    assert cli.main(["access", "list"]) == 0
    assert "grid  第1社区  persons\n" in capsys.readouterr().out
    assert cli.main(["access", "revoke", "grid", "--reason", "测试完毕"]) == 0


def test_the_page_is_written_from_the_table() -> None:
    assert (PROJECT_ROOT / access.DOCUMENT).read_text(encoding="utf-8") == access.document(TABLE), (
        "run `yingjian access document`"
    )
