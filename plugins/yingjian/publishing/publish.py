"""This module publishes a build that the audit accepted, in one switch that makes no reader wait.

dbt builds the marts in `build` beside the published ones. Publishing moves each of them, as it stands, under
`published.<mart>` as the partition of a new publication. Then, in a transaction of its own, it sets
`published.current`: the newest business date becomes current, a past day goes on record and into history. The views of
`reporting` and `restricted` show the current publication only.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import psycopg
from psycopg import sql

from yingjian.database import locks
from yingjian.modelling.marts import HISTORY_COLUMNS, QUALITY_CHECK, READER_SCHEMAS, Mart, published
from yingjian.privacy import audit_trail, grants
from yingjian.privacy.protection import protect
from yingjian.publishing import build as builds
from yingjian.publishing.decision import Release, release_of

SETTLE_SECONDS = 5


class NothingBuiltError(RuntimeError):
    """There is no complete build to publish."""

    may_be_told = True


class NotReleasedError(RuntimeError):
    """The audit failed, and nobody with the right has released the build."""

    may_be_told = True


def publish(
    conn: psycopg.Connection,
    as_of_date: date,
    *,
    run_id: str,
    code_version: str,
    may_release: Collection[str] = (),
) -> int:
    """Publish the build of `as_of_date` that a run owns; return its publication_id.

    The publication becomes current unless a later business date is: then it is on record and in the history only. There
    are two transactions: the first moves the marts under `published`, where nobody reads yet, and the second makes them
    current. If the run dies in between, the last publication stays as it was. A second call by the same run continues
    where the first stopped, or returns the publication that the run has made. may_release: logins of those who may
    release a build that failed its audit; publishing.decision says who did.

    Raises NotOwnerError when the schema `build` belongs to another run; NothingBuiltError when a mart is missing, was
    built for another date or by another build, or was not audited; NotReleasedError when a critical check failed and
    nobody with the right released this build.
    """
    conn.commit()
    with _one_at_a_time(conn):
        publication = conn.execute(
            """
            select publication_id from published.publication
            where run_key = (select run_key from publishing.build where run_id = %s order by build_id desc limit 1)
            """,
            (run_id,),
        ).fetchone()
        if publication:
            return int(publication[0])
        build = builds.owned(conn, run_id)
        if build.as_of_date != as_of_date:
            raise NothingBuiltError(f"the run builds {build.as_of_date}, not {as_of_date}")
        verdict_of_audit = verdict(conn, build)
        release = release_of(conn, build, may_release) if verdict_of_audit.critical else None
        if verdict_of_audit.critical and release is None:
            raise NotReleasedError("the audit failed and nobody released the build: nothing is published")
        conn.commit()
        builds.keep(conn, run_id)
        publication_id = _stage(conn, build)
        _wait_for_older_statements(conn)
        with conn.transaction():
            if not builds.end(conn, build, "published"):
                raise builds.NotOwnerError("the run was taken for dead, and another one builds: nothing is published")
            _insert_publication(
                conn,
                publication_id,
                build,
                verdict_of_audit,
                code_version,
                release,
            )
            _note_policy(conn, publication_id, code_version)
            conn.execute(
                """
                insert into published.current (publication_id) values (%s)
                on conflict (is_only_row) do update set publication_id = excluded.publication_id
                where %s >= (select as_of_date from published.publication where publication_id = current.publication_id)
                """,
                (publication_id, as_of_date),
            )
            conn.execute("delete from published.staged where publication_id = %s", (publication_id,))
            if release:
                audit_trail.record(
                    conn, release.login, "release", f"publication:{publication_id}", release.reason,
                    checks_failed=verdict_of_audit.checks_failed,
                )  # fmt: skip
    return publication_id


@dataclass(frozen=True)
class Verdict:
    """This is the result of the last audit of a build: counts, and the messages of the critical checks that failed."""

    checks_run: int
    checks_failed: int
    critical: tuple[str, ...]


def verdict(conn: psycopg.Connection, build: builds.Build) -> Verdict:
    """Return the verdict on a build, from quality.check_result. Raises NothingBuiltError when it was not audited."""
    rows = conn.execute(
        f"select success, severity, suite, message from ({_FINDINGS}) as findings order by check_id",  # type: ignore[arg-type]
        {"token": build.token},
    ).fetchall()
    if not rows:
        raise NothingBuiltError(f"the build of {build.as_of_date} was not audited: audit it before publishing")
    failed = [row for row in rows if not row[0]]
    return Verdict(
        len(rows), len(failed), tuple(f"{suite}: {says}" for _, severity, suite, says in failed if severity == "fail")
    )


def failed_checks(conn: psycopg.Connection, build_token: UUID) -> list[tuple[str, str, int | None]]:
    """Return the critical checks that failed in the last audit of a build: suite, sentence, and how many rows failed."""
    return conn.execute(
        f"""
        select suite, coalesce(message, check_name), failing_rows from ({_FINDINGS}) as findings
        where severity = 'fail' and not success order by check_id
        """,  # type: ignore[arg-type]
        {"token": build_token},
    ).fetchall()


# The query returns the last audit of a build. It orders by a rising number, because a clock may be set back.
_FINDINGS = """
    select * from quality.check_result
    where build_token = %(token)s and checked_at = (
        select checked_at from quality.check_result where build_token = %(token)s order by check_id desc limit 1
    )
"""


@contextmanager
def _one_at_a_time(conn: psycopg.Connection) -> Iterator[None]:
    conn.execute("select pg_advisory_lock(hashtext(%s))", (locks.PUBLISHING,))
    conn.commit()
    try:
        yield
    finally:
        conn.rollback()
        conn.execute("select pg_advisory_unlock(hashtext(%s))", (locks.PUBLISHING,))
        conn.commit()


def _stage(conn: psycopg.Connection, build: builds.Build) -> int:
    """Move the build under `published` as the partitions of a publication that is not current yet; return its id."""
    with conn.transaction():
        staged = conn.execute("select publication_id, run_key from published.staged").fetchall()
        for publication_id, owner in staged:
            if owner == build.run_key:
                return int(publication_id)
            # A run died between its two transactions and another one took its place.
            for name in published():
                conn.execute(
                    sql.SQL("drop table if exists published.{}").format(sql.Identifier(f"{name}_p{publication_id}"))
                )
            conn.execute("delete from published.staged where publication_id = %s", (publication_id,))
        _require_complete_build(conn, build)
        _take_findings(conn, build)
        row = conn.execute(
            "insert into published.staged (run_key) values (%s) returning publication_id", (build.run_key,)
        ).fetchone()
        assert row is not None
        publication_id = int(row[0])
        for mart in published().values():
            _ensure_published_table(conn, mart.name)
            protect(conn, mart, _columns(conn, "published", mart.name))
            _attach_partition(conn, mart.name, publication_id)
            if mart.is_history:
                bind_to_date(conn, mart.name, publication_id, build.as_of_date)
            _ensure_reader_view(conn, mart)
        _grant(conn)
    return publication_id


def _grant(conn: psycopg.Connection) -> None:
    """Give readers and services their rights on the tables, views and functions that publishing makes."""
    names = [
        f"{schema}.{name}"
        for mart in published().values()
        for schema, name in (
            ("published", mart.name),
            ("own_part", mart.name),
            (mart.reader_schema, mart.name),
            (mart.reader_schema, f"{mart.name}_looked_at"),
        )
    ]
    grants.apply(conn, names)


def _wait_for_older_statements(conn: psycopg.Connection) -> None:
    """Wait until no statement is at work that was planned before the new partitions existed.

    PostgreSQL plans a statement before it takes the snapshot that it reads. If the switch falls between the two, the
    statement sees the new publication as current and does not know its partitions. A statement older than
    SETTLE_SECONDS has its snapshot, so a long query of a dashboard does not delay the publication.
    """
    row = conn.execute("select clock_timestamp()").fetchone()
    conn.commit()
    until = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < until:
        older = conn.execute("select published.older_statements(%s)", (row[0] if row else None,)).fetchone()
        conn.commit()
        if older == (0,):
            return
        time.sleep(0.05)


def prune(conn: psycopg.Connection, keep: int) -> list[int]:
    """Drop the rows of all but the newest `keep` publications; return the ids whose rows were dropped.

    The publications themselves and the rows of marts with `history` or `signed_off` stay on record, and so do the rows
    of the newest publication of every business date. The call waits for a publishing and for a backup that are at work.
    """
    conn.commit()
    with _one_at_a_time(conn):
        return _prune(conn, keep)


def _prune(conn: psycopg.Connection, keep: int) -> list[int]:
    rows = conn.execute(
        """
        select publication_id from published.publication
        where publication_id not in (
            select publication_id from published.publication order by publication_id desc limit %s
        )
        and publication_id not in (select max(publication_id) from published.publication group by as_of_date)
        order by publication_id
        """,
        (keep,),
    ).fetchall()
    dropped = []
    for (publication_id,) in rows:
        partitions = [
            mart.name
            for mart in published().values()
            if not (mart.is_history or mart.is_signed_off)
            and _exists(conn, "published", f"{mart.name}_p{publication_id}")
        ]
        try:
            for mart in partitions:
                conn.execute(sql.SQL("set local lock_timeout to {}").format(sql.Literal(f"{SETTLE_SECONDS}s")))
                conn.execute(sql.SQL("drop table published.{}").format(sql.Identifier(f"{mart}_p{publication_id}")))
                conn.commit()
        except psycopg.errors.LockNotAvailable:
            # A reader is at it. All others would wait behind this statement, so it is left for the next time.
            conn.rollback()
            continue
        if partitions:
            dropped.append(publication_id)
    return dropped


def _require_complete_build(conn: psycopg.Connection, build: builds.Build) -> None:
    """Require that this build made every mart, and that each holds rows of this business date only."""
    again = f"run the models for {build.as_of_date} again before publishing"
    marts = [mart for mart in published() if mart != QUALITY_CHECK.name]
    missing = [mart for mart in marts if not _exists(conn, "build", mart)]
    if missing:
        raise NothingBuiltError(f"build has no {', '.join(missing)}: {again}")
    own_marts: dict[str, bool] = dict(
        conn.execute(
            """
            select mart, token = %s and as_of_date = %s and relation = to_regclass(format('build.%%I', mart))::oid
            from publishing.built_mart
            """,
            (build.token, build.as_of_date),
        ).fetchall()
    )
    strangers = [mart for mart in marts if not own_marts.get(mart)]
    if strangers:
        raise NothingBuiltError(
            f"{', '.join(strangers)} in build were made by another build or for another day: {again}"
        )
    if unwanted := [mart for (mart,) in conn.execute(_WITH_CODE, (marts,)).fetchall()]:
        raise NothingBuiltError(
            f"{', '.join(unwanted)} in build carry more than rows (a trigger, rule, policy, expression or type of dbt's"
            f" own), which would run as the publisher or a reader: {again}"
        )
    if unwanted := [name for (name,) in conn.execute(_CODE_OF_DBT).fetchall()]:
        raise NothingBuiltError(
            f"dbt's login made {', '.join(unwanted)}, which would run as who reads its tables: drop it, and {again}"
        )
    wrong = [
        mart
        for mart in marts
        if conn.execute(
            sql.SQL("select 1 from build.{} where as_of_date is distinct from %s limit 1").format(sql.Identifier(mart)),
            (build.as_of_date,),
        ).fetchone()
    ]
    if wrong:
        raise NothingBuiltError(
            f"{', '.join(wrong)} in build hold rows of another day than {build.as_of_date}: {again}"
        )


# The query returns the marts in `build` that hold more than columns of PostgreSQL's own types and plain indexes over them.
# Whatever else the transformer gives to a table would be evaluated by the role that takes it over.
_WITH_CODE = """
    select mart.relname::text
    from pg_class as mart
    where mart.relnamespace = 'build'::regnamespace and mart.relname = any(%s) and (
        mart.relkind <> 'r' or mart.relrowsecurity or mart.relhasrules
        or exists (select from pg_trigger where tgrelid = mart.oid)
        or exists (select from pg_policy where polrelid = mart.oid)
        or exists (select from pg_attrdef where adrelid = mart.oid)
        or exists (select from pg_constraint where conrelid = mart.oid and contype not in ('n', 'p', 'u'))
        or exists (select from pg_statistic_ext where stxrelid = mart.oid)
        or exists (select from pg_inherits where mart.oid in (inhrelid, inhparent))
        or exists (
            select from pg_index where indrelid = mart.oid and (
                indexprs is not null or indpred is not null
                or exists (
                    select from pg_opclass where oid = any(indclass) and opcnamespace <> 'pg_catalog'::regnamespace
                )
            )
        )
        or exists (
            select from pg_attribute inner join pg_type on pg_type.oid = atttypid
            where attrelid = mart.oid and attnum > 0 and not attisdropped
            and typnamespace <> 'pg_catalog'::regnamespace
        )
    )
    order by 1
"""


# The query returns what the transformer may have made beside relations, and which the audit or another service would evaluate
# while it reads them: functions and aggregates, operators, and policies of tables that no publication takes.
_CODE_OF_DBT = """
    select 'the ' || kind || ' ' || nspname || '.' || name
    from (
        select 'function' as kind, pronamespace as schema, proname::text as name from pg_proc
        union all
        select 'operator', oprnamespace, oprname::text from pg_operator
        union all
        select 'policy', relnamespace, polname::text
        from pg_policy inner join pg_class on pg_class.oid = polrelid
    ) as made
    inner join pg_namespace on pg_namespace.oid = made.schema
    where nspname in ('build', 'intermediate', 'policy', 'staging_latest')
    order by 1
"""


def _take_findings(conn: psycopg.Connection, build: builds.Build) -> None:
    """Make `build.quality_check` from the findings of the last audit of this build."""
    conn.execute("drop table if exists build.quality_check")
    conn.execute(
        """
        create table build.quality_check (
            as_of_date date not null, suite text not null, check_name text not null, table_name text not null,
            severity text not null, success boolean not null, failing_rows bigint, message text
        )
        """
    )
    conn.execute(
        f"""
        insert into build.quality_check
        select as_of_date, suite, check_name, table_name, severity, success, failing_rows, message
        from ({_FINDINGS}) as findings order by check_id
        """,  # type: ignore[arg-type]
        {"token": build.token},
    )
    for column, comment in _FINDINGS_COMMENTS.items():
        conn.execute(sql.SQL("comment on {} is {}").format(sql.SQL(column), sql.Literal(comment)))


_FINDINGS_COMMENTS = {
    "table build.quality_check": "One row per quality check that was run before publishing.",
    "column build.quality_check.as_of_date": "业务日期: Business date D.",
    "column build.quality_check.suite": "检查套件: Suite: schema and table that it guards.",
    "column build.quality_check.check_name": "检查: Name of the check.",
    "column build.quality_check.table_name": "数据表: Table that it guards.",
    "column build.quality_check.severity": "级别: fail stops a publication, warn is shown.",
    "column build.quality_check.success": "是否通过: Whether the check held.",
    "column build.quality_check.failing_rows": "涉及行数: Rows that break it; null when they are not counted.",
    "column build.quality_check.message": "情况说明: What is wrong, in Chinese; null when it holds.",
}


def _insert_publication(
    conn: psycopg.Connection,
    publication_id: int,
    build: builds.Build,
    verdict_of_audit: Verdict,
    code_version: str,
    release: Release | None,
) -> None:
    conn.execute(
        """
        insert into published.publication (
            publication_id, as_of_date, policy_edition, quality_status, checks_run, checks_failed, input_files, input_rows,
            code_version, release_reason, released_by, previous_publication_id, run_key, last_check_id, last_change_id,
            missing_feeds, last_file_id, is_correction
        )
        select
            %(publication_id)s, %(as_of_date)s,
            (
                select edition_code from intermediate.int_policy__editions
                where %(as_of_date)s between effective_from and effective_to
            ),
            %(quality_status)s, %(checks_run)s, %(checks_failed)s,
            count(*), coalesce(sum(rows_read), 0),
            %(code_version)s, %(reason)s, %(released_by)s,
            (select publication_id from published.current), %(run_key)s,
            (select max(check_id) from quality.check_result),
            (select min(change_id) from intermediate.increment_progress),
            (select missing_feeds from publishing.build where build_id = %(build_id)s),
            (select last_file_id from publishing.build where build_id = %(build_id)s),
            exists (select from published.publication where as_of_date = %(as_of_date)s)
        from quality.landed_file
        where status = 'staged'
        """,
        {
            "publication_id": publication_id,
            "build_id": build.build_id,
            "as_of_date": build.as_of_date,
            "quality_status": "released_by_hand" if release else "passed",
            "checks_run": verdict_of_audit.checks_run,
            "checks_failed": verdict_of_audit.checks_failed,
            "code_version": code_version,
            "reason": release.reason if release else None,
            "released_by": release.released_by if release else None,
            "run_key": build.run_key,
        },
    )


def _note_policy(conn: psycopg.Connection, publication_id: int, code_version: str) -> None:
    """Record the state of the policy, table by table; a change since the last publication goes into the trail."""
    tables = conn.execute(
        "select relname from pg_class where relnamespace = 'policy'::regnamespace and relkind = 'r' order by relname"
    ).fetchall()
    for (table,) in tables:
        conn.execute(
            sql.SQL(
                """
                insert into published.policy_state (publication_id, table_name, digest)
                select {id}, {name}, encode(sha256(convert_to(coalesce(
                    string_agg(rule::text, E'\\n' order by rule::text collate "C"), ''
                ), 'UTF8')), 'hex') from {table} as rule
                """
            ).format(id=sql.Literal(publication_id), name=sql.Literal(table), table=sql.Identifier("policy", table))
        )
    changed = conn.execute(
        """
        with before as (
            select table_name, digest from published.policy_state
            where publication_id = (select max(publication_id) from published.policy_state where publication_id < %(id)s)
        ),
        now as (select table_name, digest from published.policy_state where publication_id = %(id)s)
        select coalesce(now.table_name, before.table_name) from before full join now using (table_name)
        where exists (select from before) and now.digest is distinct from before.digest order by 1
        """,
        {"id": publication_id},
    ).fetchall()
    if changed:
        names = [name for (name,) in changed]
        audit_trail.record(
            conn, "publisher", "policy_change", f"publication {publication_id}", None,
            tables=names, code_version=code_version,
        )  # fmt: skip


def _exists(conn: psycopg.Connection, schema: str, table: str) -> bool:
    row = conn.execute("select to_regclass(%s) is not null", (f"{schema}.{table}",)).fetchone()
    return bool(row and row[0])


def _columns(conn: psycopg.Connection, schema: str, table: str) -> dict[str, tuple[str, str | None]]:
    """Return column name -> (type, comment), in the table's order."""
    return {
        name: (kind, comment)
        for name, kind, comment in conn.execute(
            """
            select attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum)
            from pg_attribute
            where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
            order by attnum
            """,
            (f"{schema}.{table}",),
        )
    }


def protect_published(conn: psycopg.Connection) -> None:
    """Put the policies and the reader views of every mart that was published before in place.

    Before the first publication only published.obligation and published.overdue_episode exist, without policies and rows.
    """
    if conn.execute("select exists (select from published.publication)").fetchone() != (True,):
        return
    for mart in published().values():
        if columns := _columns(conn, "published", mart.name):
            protect(conn, mart, columns)
            _ensure_reader_view(conn, mart)


def _ensure_published_table(conn: psycopg.Connection, mart: str) -> None:
    """Make `published.<mart>` with every column of the build, or bring its columns in line with a new version's.

    A column that is new is added. A column of another type is converted, and the readers' views are made again after it.
    """
    build = _columns(conn, "build", mart)
    published = _columns(conn, "published", mart)
    if not published:
        conn.execute(
            sql.SQL(
                "create table published.{} (publication_id bigint not null, {}) partition by list (publication_id)"
            ).format(
                sql.Identifier(mart),
                sql.SQL(", ").join(
                    sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, (kind, _) in build.items()
                ),
            )
        )
        conn.execute(sql.SQL("alter table published.{} owner to publisher").format(sql.Identifier(mart)))
        conn.execute(sql.SQL("grant select on published.{} to view_owner").format(sql.Identifier(mart)))
        return
    for name, (kind, _) in build.items():
        if name not in published:
            conn.execute(
                sql.SQL("alter table published.{} add column {} {}").format(
                    sql.Identifier(mart), sql.Identifier(name), sql.SQL(kind)
                )
            )
        elif published[name][0] != kind:
            for schema in (*READER_SCHEMAS, "own_part"):
                conn.execute(sql.SQL("drop view if exists {}.{}").format(sql.Identifier(schema), sql.Identifier(mart)))
            conn.execute(
                sql.SQL("alter table published.{} alter column {} type {}").format(
                    sql.Identifier(mart), sql.Identifier(name), sql.SQL(kind)
                )
            )


def _attach_partition(conn: psycopg.Connection, mart: str, publication_id: int) -> None:
    """Move `build.<mart>` under `published.<mart>`: no row is copied."""
    partition = f"{mart}_p{publication_id}"
    names = {"mart": sql.Identifier(mart), "partition": sql.Identifier(partition), "id": sql.Literal(publication_id)}
    missing = [name for name in _columns(conn, "published", mart) if name not in _columns(conn, "build", mart)]
    conn.execute(sql.SQL("alter table build.{mart} add publication_id bigint not null default {id}").format(**names))
    for name in missing:
        if name != "publication_id":
            kind, _ = _columns(conn, "published", mart)[name]
            conn.execute(
                sql.SQL("alter table build.{} add {} {}").format(names["mart"], sql.Identifier(name), sql.SQL(kind))
            )
    conn.execute(sql.SQL("alter table build.{mart} rename to {partition}").format(**names))
    conn.execute(sql.SQL("alter table build.{partition} set schema published").format(**names))
    # dbt, the audit and whomever dbt let in lose the table: from now on it is read only through published.<mart> and its
    # policies.
    conn.execute(sql.SQL("alter table published.{partition} owner to publisher").format(**names))
    for (grantee,) in conn.execute(_GRANTEES, {"table": f"published.{partition}"}).fetchall():
        conn.execute(
            sql.SQL("revoke all on published.{partition} from {grantee}").format(
                **names, grantee=sql.Identifier(grantee) if grantee else sql.SQL("public")
            )
        )
    conn.execute(
        sql.SQL("alter table published.{mart} attach partition published.{partition} for values in ({id})").format(
            **names
        )
    )


def bind_to_date(conn: psycopg.Connection, mart: str, publication_id: int, day: date) -> None:
    """Declare that a partition of a history mart has one business date, so that queries of other dates never open it."""
    conn.execute(
        sql.SQL("alter table published.{} add constraint has_one_date check (as_of_date = {})").format(
            sql.Identifier(f"{mart}_p{publication_id}"), sql.Literal(day)
        )
    )


_GRANTEES = """
    select distinct rolname::text
    from (
        select relacl as acl from pg_class where oid = to_regclass(%(table)s)
        union all
        select attacl from pg_attribute where attrelid = to_regclass(%(table)s)
    ) as rights
    cross join aclexplode(acl)
    left join pg_roles on pg_roles.oid = grantee
    where rolname is distinct from 'publisher'
"""


def _ensure_reader_view(conn: psycopg.Connection, mart: Mart) -> None:
    """Make the view that readers query, anew only when its definition changed, so that nobody waits for it.

    A reader's condition must not meet rows that the policies keep from that reader: PostgreSQL evaluates leakproof
    operators before a policy, and `explain (analyze)` counts what they removed (docs/decisions/plans.md).
    """
    columns = [name for name in _columns(conn, "published", mart.name) if name != "publication_id"]
    names = {
        "view": sql.Identifier(mart.reader_schema, mart.name),
        "own_part": sql.Identifier("own_part", mart.name),
        "published": sql.Identifier("published", mart.name),
        "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
        "office_columns": sql.SQL(", ").join(
            _OWN_GRID.format(sql.Identifier(name)) if mart.rows == "persons" and name in GRIDS else sql.Identifier(name)
            for name in columns
        ),
        "shown": _shown_columns(conn, mart, columns),
        "publications": sql.SQL(_shown_publications(mart)),
        "looked_at": sql.Identifier("restricted", f"{mart.name}_looked_at"),
    }
    definition = [
        statement.format(**names)
        for statement in (_LOOKED_AT_VIEW if mart.reader_schema == "restricted" else _READER_VIEW)
    ]
    digest = hashlib.sha256("".join(statement.as_string() for statement in definition).encode()).hexdigest()[:16]
    row = conn.execute(
        """
        select obj_description(oid, 'pg_rewrite') from pg_rewrite
        where ev_class = to_regclass(%s) and rulename = '_RETURN'
        """,
        (f"{mart.reader_schema}.{mart.name}",),
    ).fetchone()
    if not row or row[0] != digest:
        for statement in definition:
            conn.execute(statement)
        conn.execute(
            sql.SQL('comment on rule "_RETURN" on {view} is {digest}').format(**names, digest=sql.Literal(digest))
        )
    _copy_comments(conn, mart)


def _shown_columns(conn: psycopg.Connection, mart: Mart, columns: list[str]) -> sql.Composable:
    """Return what the view selects: a view that is there keeps its columns in their order, and new ones follow."""
    before = list(_columns(conn, mart.reader_schema, mart.name))
    names = [*columns, *HISTORY_COLUMNS] if mart.is_history else columns
    return sql.SQL(", ").join(
        _IS_CURRENT if name == "is_current" and mart.is_history else sql.Identifier(name)
        for name in sorted(names, key=lambda name: before.index(name) if name in before else len(before))
    )


# The office decides whether its logins see where in a community a person lives (docs/decisions/small-cells.md).
GRIDS = ("grid", "building")
_OWN_GRID = sql.SQL("case when (select access.sees_grids()) then {0} end as {0}")
_IS_CURRENT = sql.SQL("publication_id = (select publication_id from published.current) as is_current")


def _shown_publications(mart: Mart) -> str:
    if mart.is_history:
        return """
        in (
            select distinct on (as_of_date) publication_id from published.publication
            order by as_of_date, publication_id desc
        )"""
    return f"= (select publication_id from published.{'released' if mart.is_signed_off else 'current'})"


# A login that sees the whole town reads the table itself, by its indexes. Other logins read it behind a barrier:
# PostgreSQL pushes nothing into a subquery with an offset, and estimates nothing from statistics below a
# security_barrier. The planner drops the other branch, since it evaluates `plans_as_office` while it plans.
_READER_VIEW = (
    sql.SQL(
        """
        create or replace view {own_part} with (security_barrier) as
        select publication_id, {columns} from {published} where publication_id {publications} offset 0
        """
    ),
    sql.SQL("alter view {own_part} owner to view_owner"),
    sql.SQL(
        """
        create or replace view {view} as
        select {shown} from (
            select publication_id, {office_columns}, true as is_of_office from {published}
            union all
            select publication_id, {columns}, false from {own_part}
        ) as branches
        where is_of_office = access.plans_as_office() and publication_id {publications}
        """
    ),
    sql.SQL("alter view {view} owner to view_owner"),
)
# For persons, the function begins with the looks on record, so that no plan reveals anything about anybody else.
_LOOKED_AT_VIEW = (
    sql.SQL(
        """
        create or replace function {looked_at}() returns setof {published}
        language sql stable security definer rows 10 set search_path = pg_catalog, pg_temp as $$
            select person.* from access.persons_looked_at() as looked (person_key)
            inner join {published} as person on looked.person_key = person.person_key
            where person.publication_id {publications}
            union all
            select person.* from {published} as person
            where (select access.sees_all_persons()) and person.publication_id {publications}
        $$
        """
    ),
    sql.SQL("alter function {looked_at} owner to view_owner"),
    sql.SQL("create or replace view {view} with (security_barrier) as select {columns} from {looked_at}()"),
    sql.SQL("alter view {view} owner to view_owner"),
)


def _copy_comments(conn: psycopg.Connection, mart: Mart) -> None:
    """Give the view the comments of the newest partition. Only what differs is written; no reader waits for that."""
    partition = conn.execute(
        """
        select relname, obj_description(inhrelid, 'pg_class')
        from pg_inherits inner join pg_class as partition on partition.oid = inhrelid
        where inhparent = to_regclass(%s) order by inhrelid desc limit 1
        """,
        (f"published.{mart.name}",),
    ).fetchone()
    if partition is None:  # All rows of this mart are gone; the view keeps its comments.
        return
    name, comment = partition
    view = sql.Identifier(mart.reader_schema, mart.name)
    before = conn.execute(
        "select obj_description(to_regclass(%s), 'pg_class')", (f"{mart.reader_schema}.{mart.name}",)
    ).fetchone()
    if before != (comment or "",):
        conn.execute(sql.SQL("comment on view {} is {}").format(view, sql.Literal(comment or "")))
    texts = {column: text for column, (_, text) in _columns(conn, "published", name).items()}
    if mart.is_history:
        texts |= {column: f"{label}: {text}" for column, (label, text) in HISTORY_COLUMNS.items()}
    for column, (_, text) in _columns(conn, mart.reader_schema, mart.name).items():
        if texts.get(column) and texts[column] != text:
            conn.execute(
                sql.SQL("comment on column {}.{} is {}").format(
                    view, sql.Identifier(column), sql.Literal(texts[column])
                )
            )
