"""This module gives the roles the rights that the table of rights (access.yml) says, and takes every other right away.

The table is the only description: docs/access.md is written from it, and a test logs in as each role and tries it. Only dbt
grants by itself, on relations that it makes between two migrations (dbt_project.yml).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import psycopg
from psycopg import sql

from yingjian.privacy.access import read_table

# These roles own what publishing and dbt make, and nobody logs in as them: sql/30_schemas.sql says what they need for it.
OWNERS = ("view_owner", "build_owner")

# The query returns each object in the schemas of the table: kind, name, how GRANT calls it, the roles that have every right
# because they act as its owner, and the rights that were given.
_OBJECTS = """
    with objects as (
        select
            case
                when relispartition then 'partition'
                else (array['table', 'partitioned table', 'view', 'sequence'])[position(relkind::text in 'rpvS')]
            end as kind,
            relnamespace as schema, relname::text as name, relowner as owner,
            format('%%s %%I.%%I', case relkind when 'S' then 'sequence' else 'table' end, nspname, relname) as target,
            coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner)) as acl
        from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace
        where relkind in ('r', 'p', 'v', 'S')
        union all
        select
            'function', pronamespace, proname::text, proowner,
            format('function %%I.%%I(%%s)', nspname, proname, pg_get_function_identity_arguments(pg_proc.oid)),
            coalesce(proacl, acldefault('f', proowner))
        from pg_proc inner join pg_namespace on pg_namespace.oid = pronamespace
    ),
    named as (
        select kind, format('%%s.%%s', nspname, name) as name, owner, target, acl
        from objects inner join pg_namespace on pg_namespace.oid = objects.schema
        where nspname = any(%(schemas)s)
        union all
        select 'schema', nspname::text, nspowner, format('schema %%I', nspname), coalesce(nspacl, acldefault('n', nspowner))
        from pg_namespace where nspname = any(%(schemas)s)
    )
    select
        kind, name, target,
        array(select rolname::text from pg_roles where rolname = any(%(roles)s) and pg_has_role(oid, owner, 'usage')),
        array(
            select array[coalesce(rolname::text, 'public'), lower(privilege_type)]
            from aclexplode(acl) left join pg_roles on pg_roles.oid = grantee
            where grantee <> owner and (grantee = 0 or rolname = any(%(roles)s))
        )
    from named
    where %(names)s::text[] is null or name = any(%(names)s) order by kind, name
"""


def apply(conn: psycopg.Connection[Any], names: Collection[str] | None = None) -> list[str]:
    """Bring the rights on every object, or on those of these names, to what the table says; return the statements.

    The connection's role must be able to act as the owner of each object.
    """
    table = read_table()
    objects = conn.execute(
        _OBJECTS,
        {
            "schemas": [name for line in table.lines if line.kind == "schema" for name in line.objects],
            "roles": [role for role in table.roles if role not in OWNERS],
            "names": None if names is None else list(names),
        },
    ).fetchall()
    statements = []
    for kind, name, target, owners, given in objects:
        line = table.line(kind, name)
        wanted = {
            (role, privilege)
            for role, grant in (line.may.items() if line else ())
            for privilege in grant.privileges
            if role not in owners
        }
        present = {(role, privilege) for role, privilege in given}
        statements += [
            f"revoke {privilege} on {target} from {_role(role)}" for role, privilege in sorted(present - wanted)
        ]
        statements += [
            f"grant {privilege} on {target} to {_role(role)}" for role, privilege in sorted(wanted - present)
        ]
    for statement in statements:
        conn.execute(sql.SQL(statement))  # type: ignore[arg-type]
    return statements


def _role(name: str) -> str:
    return "public" if name == "public" else sql.Identifier(name).as_string()
