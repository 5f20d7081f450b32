"""Publishes a build that passed the audit, in one atomic switch that blocks no reader.

dbt builds the marts in `build`, next to the published ones. Publishing first moves each mart under `published.<mart>` as the
partition of a new publication, without copying rows. A second transaction then updates `published.current`: the newest business
date becomes current; a past day only goes on record and into history. The views in `reporting` and `restricted` show the
current publication only.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date

import psycopg
from psycopg import sql

from yingjian.database import locks
from yingjian.modelling.marts import published
from yingjian.privacy import audit_trail, grants
from yingjian.privacy.protection import protect
from yingjian.publishing import build as builds
from yingjian.publishing.catalog import columns_of
from yingjian.publishing.completeness import NothingBuiltError, require_complete_build
from yingjian.publishing.decision import Release, release_of
from yingjian.publishing.partitions import attach_partition, bind_to_date, ensure_published_table
from yingjian.publishing.reader_views import ensure_reader_view
from yingjian.publishing.verdict import Verdict, take_findings, verdict

SETTLE_SECONDS = 5


class NotReleasedError(RuntimeError):
    """Raised when the audit failed and nobody with the right has released the build."""

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

    The publication becomes current unless a later business date already is; then it is only recorded and added to the history.
    There are two transactions: the first moves the marts under `published`, where nobody reads them yet, the second makes them
    current. If the run dies in between, the last publication stays in place. The call is idempotent for a run: it resumes where
    the first attempt stopped, or returns the run's publication. may_release: logins that may release a build that failed its
    audit.

    Raises NotOwnerError if the schema `build` belongs to another run; NothingBuiltError if a mart is missing, was built for
    another date or by another build, or was not audited; NotReleasedError if a critical check failed and nobody with the right
    released this build.
    """
    conn.commit()
    with one_at_a_time(conn):
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
            _insert_publication(conn, publication_id, build, verdict_of_audit, code_version, release)
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


@contextmanager
def one_at_a_time(conn: psycopg.Connection) -> Iterator[None]:
    conn.execute("select pg_advisory_lock(hashtext(%s))", (locks.PUBLISHING,))
    conn.commit()
    try:
        yield
    finally:
        conn.rollback()
        conn.execute("select pg_advisory_unlock(hashtext(%s))", (locks.PUBLISHING,))
        conn.commit()


def _stage(conn: psycopg.Connection, build: builds.Build) -> int:
    """Move the build under `published` as partitions of a publication that is not current yet; return its id."""
    with conn.transaction():
        staged = conn.execute("select publication_id, run_key from published.staged").fetchall()
        for publication_id, owner in staged:
            if owner == build.run_key:
                return int(publication_id)
            # Another run died between its two transactions; drop what it staged.
            for name in published():
                conn.execute(
                    sql.SQL("drop table if exists published.{}").format(sql.Identifier(f"{name}_p{publication_id}"))
                )
            conn.execute("delete from published.staged where publication_id = %s", (publication_id,))
        require_complete_build(conn, build)
        take_findings(conn, build)
        row = conn.execute(
            "insert into published.staged (run_key) values (%s) returning publication_id", (build.run_key,)
        ).fetchone()
        assert row is not None
        publication_id = int(row[0])
        for mart in published().values():
            ensure_published_table(conn, mart.name)
            protect(conn, mart, columns_of(conn, "published", mart.name))
            attach_partition(conn, mart.name, publication_id)
            if mart.is_history:
                bind_to_date(conn, mart.name, publication_id, build.as_of_date)
            ensure_reader_view(conn, mart)
        _grant(conn)
    return publication_id


def _grant(conn: psycopg.Connection) -> None:
    """Grant readers and services their rights on the tables, views and functions that publishing creates."""
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
    """Wait for statements that were planned before the new partitions existed.

    PostgreSQL plans a statement before it takes the snapshot that it reads. If the switch falls in between, the statement sees
    the new publication as current but its plan lacks the new partitions. A statement older than SETTLE_SECONDS has its
    snapshot, so a dashboard's long query does not delay the publication.
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
    """Record a digest of each policy table; changes since the last publication are written to the audit trail."""
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
