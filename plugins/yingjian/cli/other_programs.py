"""These commands pass their arguments to the original command lines of Airflow and dbt."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

from yingjian.cli import terminal
from yingjian.settings import Settings

app = terminal.group("the command lines of Airflow and dbt")


class Foreign(TyperCommand):
    """A command without options: all arguments, including `--help` and `--`, go to the other command line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.args = list(args)
        return []


@app.command("airflow", cls=Foreign, epilog=terminal.example("yingjian airflow dags list"))
def airflow(context: typer.Context) -> int:
    """Call Airflow's own command line with this home's environment."""
    from yingjian.operations import command_lines

    return command_lines.airflow(Settings.load(), context.args)


@app.command("dbt", cls=Foreign, epilog=terminal.example("yingjian dbt build --target dev --select due"))
def dbt(context: typer.Context) -> int:
    """Call dbt's own command line with this home's environment."""
    from yingjian.operations import command_lines

    return command_lines.run_dbt(Settings.load(), context.args)
