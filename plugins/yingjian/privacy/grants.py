"""This module grants the roles the rights of the table of rights (access.yml), and revokes every other right.

The table is the single source: docs/generated/access.md is generated from it, and a test logs in as each role and tries every
right. Only dbt grants rights of its own, on relations that it creates between two migrations (dbt_project.yml).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import psycopg
from psycopg import sql

from yingjian.privacy.access import read_table

# These roles own what publishing and dbt create. Nobody can log in as them; sql/30_schemas.sql grants what they need.
OWNERS = ("view_owner", "build_owner")

# The query returns each object in the table's schemas: kind, name, its name in a GRANT, the roles that can act as its owner
# and so have every right, and the rights that were granted.
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
    """Grant and revoke until the rights on all objects (or only on `names`) match the table; return the statements.

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
