"""The command `settings document` writes the page of environment variables."""

from __future__ import annotations

from yingjian.cli import terminal
from yingjian.settings import Settings

app = terminal.group("the environment variables", "settings")


@app.callback()
def settings() -> None:
    """The settings are environment variables."""


@app.command("document", epilog=terminal.example("yingjian settings document"))
def document() -> None:
    """Write docs/generated/settings.md."""
    from yingjian.documents import variables

    print(variables.write(Settings.load().root))
