"""Reads the audit's findings about a build, and stores them with the marts."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg import sql

from yingjian.publishing import build as builds
from yingjian.publishing.completeness import NothingBuiltError


@dataclass(frozen=True)
class Verdict:
    """The result of a build's last audit: counts, and the messages of the critical checks that failed."""

    checks_run: int
    checks_failed: int
    critical: tuple[str, ...]


def verdict(conn: psycopg.Connection, build: builds.Build) -> Verdict:
    """Return the verdict on a build from quality.check_result. Raises NothingBuiltError if it was not audited."""
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
    """Return the critical checks that failed in a build's last audit: (suite, message, number of failing rows)."""
    return conn.execute(
        f"""
        select suite, coalesce(message, check_name), failing_rows from ({_FINDINGS}) as findings
        where severity = 'fail' and not success order by check_id
        """,  # type: ignore[arg-type]
        {"token": build_token},
    ).fetchall()


# The query returns a build's last audit. It orders by id, since the clock may be set back.
_FINDINGS = """
    select * from quality.check_result
    where build_token = %(token)s and checked_at = (
        select checked_at from quality.check_result where build_token = %(token)s order by check_id desc limit 1
    )
"""


def take_findings(conn: psycopg.Connection, build: builds.Build) -> None:
    """Create `build.quality_check` from the findings of this build's last audit."""
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
