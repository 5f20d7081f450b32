"""The documents that Yingjian writes: `docs`, `coverage` and `licences`."""

from __future__ import annotations

from yingjian.cli import terminal
from yingjian.settings import Settings

app = terminal.group("documents")


@app.command("docs", epilog=terminal.example("yingjian docs"))
def docs() -> None:
    """Write the data dictionary: every table and column."""
    from yingjian.database import warehouse
    from yingjian.modelling.dbt import write_docs

    settings = Settings.load()
    warehouse.ensure_running(settings)
    print(write_docs(settings))


@app.command("coverage", epilog=terminal.example("yingjian coverage"))
def coverage() -> None:
    """Write docs/generated/coverage.md and dbt's exposures, from the metadata of the models."""
    from yingjian.documents import coverage
    from yingjian.modelling import exposures

    root = Settings.load().root
    print(coverage.write(root))
    print(exposures.write(root))


@app.command("licences", epilog=terminal.example("yingjian licences"))
def licences() -> None:
    """Write docs/generated/licences.md."""
    from yingjian.documents import licences

    print(licences.write(Settings.load().root))
