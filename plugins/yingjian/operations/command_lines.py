"""Implements `yingjian airflow …` and `yingjian dbt …`: the original command lines with this home's environment.

Neither needs running services. dbt has two targets: `warehouse`, for which a writing command owns the schema `build` meanwhile,
and `dev`, a developer's own schema over the published tables (docs/runbooks/services.md).
"""

from __future__ import annotations

import getpass
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg import sql

from yingjian.database import warehouse
from yingjian.modelling import dbt_project
from yingjian.modelling.marts import published
from yingjian.operations import airflow_home, migration, service
from yingjian.settings import Settings, SetupError, variables

# These dbt commands write to the warehouse.
WRITING = frozenset({"build", "clone", "retry", "run", "run-operation", "seed", "snapshot"})
# These schemas hold the unpublished models and the seeds.
BUILT_SCHEMAS = ("staging_latest", "intermediate", "policy")


def airflow(settings: Settings, arguments: Sequence[str]) -> int:
    """Run Airflow's command line; return its exit code. Raises SetupError if the home cannot be prepared."""
    warehouse.ensure_running(settings)
    environment = service.environment(settings)
    airflow_home.prepare_home(settings, environment)
    return _run("airflow", arguments, environment)


def run_dbt(settings: Settings, arguments: Sequence[str]) -> int:
    """Run dbt's command line; return its exit code.

    A command that writes to the target `warehouse` waits until this process owns the schema `build`, and releases it at the
    end. Raises SetupError for a writing command without a business date, or for an invalid YINGJIAN_DEV_SCHEMA.
    """
    warehouse.ensure_running(settings)
    with warehouse.connect(settings) as conn:
        migration.require_migrated(conn)
    command_line = understand(arguments)
    environment = dbt_project.dbt_environment(settings)
    door: AbstractContextManager[Mapping[str, str]] = nullcontext({})
    if command_line.target == "dev":
        schema = dev_schema()
        published = prepare_dev(settings, schema)
        environment |= {"YINGJIAN_DEV_SCHEMA": schema, "DBT_TARGET_PATH": str(settings.dbt_target / "dev")}
        if command_line.command and command_line.day is None and published:
            arguments = [*arguments, "--vars", f"{{as_of_date: '{published}'}}"]
    elif command_line.command in WRITING:
        from yingjian.orchestration import build

        if command_line.day is None:
            raise SetupError(
                f"dbt {command_line.command} writes to the schema build: say for which business date,"
                " --vars '{as_of_date: YYYY-MM-DD}', or use --target dev"
            )
        door = build.by_hand(settings, command_line.day)
    with door as token_variables:
        return _run(dbt_project.COMMAND_LINE, arguments, {**environment, **token_variables})


@dataclass(frozen=True)
class DbtCommandLine:
    """A dbt command line as dbt parses it; `day` is the variable as_of_date."""

    command: str | None
    target: str
    day: date | None


def understand(arguments: Sequence[str]) -> DbtCommandLine:
    """Parse a command line with dbt's own parser. Raises SetupError if as_of_date is not a date."""
    from dbt.cli.main import cli

    # Parsing is lenient and runs nothing; dbt itself reports errors later.
    context = cli.make_context("dbt", list(arguments), resilient_parsing=True)
    words = [*context._protected_args, *context.args]
    name = words[0] if words else None
    command = cli.commands.get(name or "")
    options: dict[str, Any] = dict(context.params)
    if command and name:
        own = command.make_context(name, words[1:], parent=context, resilient_parsing=True).params
        options |= {key: value for key, value in own.items() if value is not None}
    day = (options.get("vars") or {}).get("as_of_date")
    try:
        return DbtCommandLine(name, options.get("target") or "warehouse", date.fromisoformat(str(day)) if day else None)
    except ValueError:
        raise SetupError(f"as_of_date is {day}: give a date as in 2022-07-24") from None


def dev_schema() -> str:
    """Return the developer's schema: YINGJIAN_DEV_SCHEMA, else dev_<login>. Raises SetupError for an invalid name."""
    login = re.sub(r"[^a-z0-9]+", "_", getpass.getuser().lower())
    name = variables().dev_schema or f"dev_{login}"
    if not re.fullmatch(r"dev_[a-z0-9_]{1,50}", name, re.ASCII):
        raise SetupError(f"YINGJIAN_DEV_SCHEMA is {name}: give dev_ and small letters, digits or underscores")
    return name


def prepare_dev(settings: Settings, schema: str) -> date | None:
    """Create the schema `schema` with a view for each model that it lacks.

    A mart's view shows the published rows, any other view those of the last build. Returns the published business date; None
    before the first publication.
    """
    with warehouse.connect(settings) as conn:
        conn.execute(sql.SQL("create schema if not exists {} authorization transformer").format(sql.Identifier(schema)))
    with warehouse.connect(settings, "transformer") as conn:
        own_relations = _relations(conn, (schema,)).keys()
        views = {
            name: sql.SQL("select * from {}").format(sql.Identifier(source, name))
            for name, source in _relations(conn, BUILT_SCHEMAS).items()
        }
        for mart in _relations(conn, ("published",)).keys() & published().keys():
            columns = conn.execute(
                "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped"
                " and attname <> 'publication_id' order by attnum",
                (f"published.{mart}",),
            ).fetchall()
            views[mart] = sql.SQL(
                "select {} from {} where publication_id = (select publication_id from published.current)"
            ).format(
                sql.SQL(", ").join(sql.Identifier(column) for (column,) in columns),
                sql.Identifier("published", mart),
            )
        for name in sorted(views.keys() - own_relations):
            view = sql.Identifier(schema, name)
            conn.execute(sql.SQL("create view {} as {}").format(view, views[name]))
            # Simple views are updatable in PostgreSQL; revoking the rights keeps writes away from the underlying tables.
            conn.execute(sql.SQL("revoke insert, update, delete on {} from transformer").format(view))
        row = conn.execute(
            "select as_of_date from published.publication"
            " where publication_id = (select publication_id from published.current)"
        ).fetchone()
        return row[0] if row else None


def _relations(conn: Any, schemas: Sequence[str]) -> dict[str, str]:
    """Return table or view name -> schema, without partitions."""
    return dict(
        conn.execute(
            """
            select relname, nspname from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace
            where nspname = any(%s) and relkind in ('r', 'p', 'v') and not relispartition
            """,
            (list(schemas),),
        ).fetchall()
    )


def _run(module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command line in a subprocess, which receives Ctrl-C itself; return its exit code by shell convention."""
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], env={**os.environ, **environment})
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            continue
        return code if code >= 0 else 128 - code
