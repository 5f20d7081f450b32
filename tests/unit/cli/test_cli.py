"""The command line: examples that are real, wrong input in one sentence, imports that come late, a bar for people only."""

from __future__ import annotations

import io
import shlex
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rich.console

from yingjian import cli
from yingjian.cli import app, other_programs, terminal

HEAVY = (
    "airflow",
    "dbt",
    "great_expectations",
    "httpx",
    "pandas",
    "polars",
    "psycopg",
    "pydantic_settings",
    "sqlalchemy",
)


def commands(one: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its names."""
    one = one or app.command()
    if not hasattr(one, "commands"):
        yield path, one
        return
    for name, below in one.commands.items():
        yield from commands(below, (*path, name))


def parse(arguments: list[str]) -> tuple[str, ...]:
    """Read a command line without doing anything; returns the names of its command."""
    one, names, parent = app.command(), [], None
    while hasattr(one, "commands"):
        parent = one.make_context(names[-1] if names else "yingjian", arguments, parent=parent)
        name, one, arguments = one.resolve_command(parent, [*parent._protected_args, *parent.args])
        names.append(name)
    one.make_context(names[-1], arguments, parent=parent)
    return tuple(names)


@pytest.mark.parametrize(
    ("path", "command"), list(commands()), ids=lambda value: "-".join(value) if isinstance(value, tuple) else ""
)
def test_the_help_of_each_command_shows_an_example_that_it_understands(path: tuple[str, ...], command: Any) -> None:
    label, _, example = (command.epilog or "").partition(": ")
    program, *arguments = shlex.split(example)
    assert (label, program) == ("Example", "yingjian")
    assert parse(arguments) == path
    assert command.help and command.help[0].isupper() and command.help.endswith(".")


def test_help_shows_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Example: yingjian run --date 2022-07-20 --until 2022-07-24" in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["run", "--date", "2022-02-30"],
            "--date is 2022-02-30, but there is no such day: write year, month and day, as in 2022-07-24",
        ),
        (
            ["run", "--date", "2022-07-20", "--until", "20.7.2022"],
            "--until is 20.7.2022, but that is not a date: write year, month and day, as in 2022-07-24",
        ),
        (
            ["audit", "list", "--since", "yesterday"],
            "--since is yesterday, but that is not a date: write year, month and day, as in 2022-07-24",
        ),
        (["run", "--date", "2022-07-20", "--until", "2022-07-19"], "--until 2022-07-19 is before --date 2022-07-20"),
        (["live", "--day-every", "5"], "--day-every is 5, but that is not a duration: write 90s, 3m or 1h"),
        (["run"], "missing option --date: see `yingjian run --help`"),
        (["quarantine"], "missing command: see `yingjian quarantine --help`"),
        (["fly"], "no such command fly: see `yingjian --help`"),
        (["quarantine", "resolve", "x", "--reason", "y"], "ID should be a valid integer"),
        (
            ["landing", "accept", "controls", "--reason", "x"],
            "give exactly one of --rename, --without, --meaning and --list",
        ),
        (
            ["service", "check", "fly"],
            "SERVICE is fly, but that is not a service: write one of api-server, scheduler, dag-processor, triggerer, worker, portal",
        ),
        (
            ["landing", "accept", "controls", "--reason", "x", "--without", "a", "--meaning", "b"],
            "give exactly one of --rename, --without, --meaning and --list",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"yingjian: {sentence}\n")


def test_what_follows_airflow_and_dbt_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[list[str]] = []
    fake = types.SimpleNamespace(
        airflow=lambda settings, arguments: handed.append(arguments) or 7,
        run_dbt=lambda settings, arguments: handed.append(arguments) or 3,
    )
    monkeypatch.setitem(sys.modules, "yingjian.operations.command_lines", fake)
    monkeypatch.setattr("yingjian.operations.command_lines", fake, raising=False)
    monkeypatch.setattr(other_programs.Settings, "load", lambda: None)
    assert cli.main(["airflow", "--help"]) == 7
    assert cli.main(["dbt", "run", "--vars", "{a: b}", "--", "-x"]) == 3
    assert handed == [["--help"], ["run", "--vars", "{a: b}", "--", "-x"]]


def test_templates_of_the_feeds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[Path] = []
    fake = types.SimpleNamespace(write_templates=written.append)
    monkeypatch.setitem(sys.modules, "yingjian.landing.templates", fake)
    assert cli.main(["feeds", "templates", str(tmp_path)]) == 0
    assert written == [tmp_path] and capsys.readouterr().out == f"{tmp_path}\n"


def test_schemas_and_reasons_of_the_feeds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["feeds", "schema", str(tmp_path / "schemas")]) == 0
    assert (tmp_path / "schemas" / "test_results.schema.json").is_file()
    monkeypatch.setattr("yingjian.documents.reasons.write", lambda root: tmp_path / "reasons.md")
    assert cli.main(["feeds", "reasons"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'schemas'}\n{tmp_path / 'reasons.md'}\n"


def test_a_decision_about_a_list_is_for_lists_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["landing", "accept", "cases", "--list", "2022-11-26 08", "--reason", "x"]) != 0
    assert "--list is only for risk_areas" in capsys.readouterr().err


def test_the_command_line_imports_nothing_heavy() -> None:
    """`yingjian --help` must be there at once."""
    code = f"import sys; from yingjian.cli import app; app.command(); print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_module_is_the_program() -> None:
    done = subprocess.run([sys.executable, "-m", "yingjian.cli", "fly"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "yingjian: no such command fly: see `yingjian --help`\n")


def test_a_bar_is_for_terminals_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.bar("landing", 2) as progress:
        progress("2022-07-20", 1)
    assert capsys.readouterr() == ("", "")
    shown = io.StringIO()
    console = rich.console.Console(file=shown, force_terminal=True, width=80)
    monkeypatch.setattr(rich.console, "Console", lambda **options: console)
    with terminal.bar("landing", 2) as progress:
        progress("2022-07-20", 1)
    assert "2022-07-20" in shown.getvalue() and "1/2" in shown.getvalue()
