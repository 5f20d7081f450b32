"""Helpers shared by the commands: groups, argument parsers, examples, error messages, a progress bar."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import typer


def group(text: str, name: str | None = None) -> typer.Typer:
    """Return a command group; without a name, its commands are top-level. Tracebacks never show local values, which may be
    personal data.
    """
    return typer.Typer(name=name, help=text, add_completion=False, pretty_exceptions_enable=False)


def example(command: str) -> str:
    """Return the last line of a command's help. A test parses the command line after the colon."""
    return f"Example: {command}"


def day(text: str | date) -> date:
    """Parse a date such as 2022-07-24; a default value is a date already."""
    if isinstance(text, date):
        return text
    try:
        return date.fromisoformat(text)
    except ValueError:
        wrong = "there is no such day" if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else "that is not a date"
        raise typer.BadParameter(f"is {text}, but {wrong}: write year, month and day, as in 2022-07-24") from None


def duration(text: str | timedelta) -> timedelta:
    """Parse a duration such as 90s, 3m or 1h; a default value is a timedelta already."""
    if isinstance(text, timedelta):
        return text
    amount, unit = text[:-1], text[-1:]
    if not amount.isdecimal() or unit not in ("s", "m", "h") or int(amount) == 0:
        raise typer.BadParameter(f"is {text}, but that is not a duration: write 90s, 3m or 1h")
    return timedelta(**{{"s": "seconds", "m": "minutes", "h": "hours"}[unit]: int(amount)})


def shown(text: object) -> str:
    """Return a text that is safe to print: control characters and bidirectional marks, which a terminal would
    obey, become ?.
    """
    return "".join("?" if unicodedata.category(character) in ("Cc", "Cf") else character for character in str(text))


def sentence(error: typer.TyperException) -> str:
    """Return one sentence that says what is wrong with a command line and where to find help."""
    text = error.format_message()
    if isinstance(error, typer.BadParameter) and error.message and error.param is not None:
        option = error.param
        name = option.opts[0] if option.param_type_name == "option" else option.metavar or option.name
        return f"{name} {error.message.removeprefix('Input ').partition(', unable')[0]}".rstrip(".")
    context = getattr(error, "ctx", None)
    hint = f": see `{context.command_path} --help`" if context else ""
    return f"{text[:1].lower()}{text[1:]}".rstrip(".").replace("'", "") + hint


@contextmanager
def bar(title: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """Show a progress bar; yield a function that takes the current step's text and the number of steps done since the last
    call.

    total: number of steps; None shows only the elapsed time. The bar is written to stderr, and only to a terminal, so a
    command's output is unaffected.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text=title, steps=0: None
        return
    amount = [BarColumn(), MofNCompleteColumn()] if total is not None else []
    columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False), *amount, TimeElapsedColumn()]
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda text=title, steps=0: progress.update(task, description=text, advance=steps)
