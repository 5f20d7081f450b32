"""Checks that a build is complete, covers one business date, and consists of plain rows."""

from __future__ import annotations

import psycopg
from psycopg import sql

from yingjian.modelling.marts import QUALITY_CHECK, published
from yingjian.publishing import build as builds
from yingjian.publishing.catalog import exists


class NothingBuiltError(RuntimeError):
    """Raised when there is no complete build to publish."""

    may_be_told = True


def require_complete_build(conn: psycopg.Connection, build: builds.Build) -> None:
    """Require that this build created every mart and that each mart has rows of this business date only.

    Raises NothingBuiltError, which names the marts at fault.
    """
    again = f"run the models for {build.as_of_date} again before publishing"
    marts = [mart for mart in published() if mart != QUALITY_CHECK.name]
    missing = [mart for mart in marts if not exists(conn, "build", mart)]
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


# The query returns marts in `build` with anything beyond columns of built-in types and plain indexes. Any other object that the
# transformer attaches to a table would be evaluated with the rights of the role that takes it over.
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


# The query returns functions, operators and policies that the transformer created. The audit or another service would execute
# them with its own rights while reading.
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
