"""The commands `bi …` serve BI tools: they check, write and import dashboards, datasets and metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from yingjian.cli import terminal
from yingjian.settings import Settings, SetupError, variables

app = terminal.group("dashboards, datasets and metrics for BI tools", "bi")

LOGIN = (
    "the reader's login with which Superset connects to the warehouse; default: bi_reader, which reads the whole town"
)
Login = Annotated[str, typer.Option("--login", metavar="LOGIN", help=LOGIN)]


@app.command("check", epilog=terminal.example("yingjian bi check"))
def check() -> int:
    """Run every dataset and metric as bi_reader, and compare the figures with what the report says to each audience."""
    from yingjian.bi import check as checking
    from yingjian.bi import dashboards, datasets
    from yingjian.database import warehouse

    settings = Settings.load()
    known = datasets.load(settings.root, _manifest(settings))
    with warehouse.connect(settings, "bi_reader") as reader, warehouse.connect(settings, "reporter") as reporter:
        result = checking.check(reader, reporter, known, dashboards.load(settings.root, known))
    for finding in result.findings:
        print(finding)
    print(
        f"{len(known)} datasets with {result.columns} columns and {result.metrics} metrics; {result.figures} figures compared"
        f" with the report; {len(result.findings)} differences"
    )
    return 1 if result.findings else 0


@app.command("bundle", epilog=terminal.example("yingjian bi bundle dashboards.zip"))
def bundle(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="the zip archive to write")], login: Login = "bi_reader"
) -> None:
    """Write the dashboards as an import of Superset; it holds no password."""
    settings = Settings.load()
    out.write_bytes(_bundle(settings, login))
    print(out)


@app.command("import", epilog=terminal.example("yingjian bi import http://127.0.0.1:8088"))
def import_(
    url: Annotated[str, typer.Argument(metavar="URL", help="the URL of Superset")], login: Login = "bi_reader"
) -> None:
    """Bring the dashboards into a Superset, as its admin with YINGJIAN_BI_ADMIN_PASSWORD. A second import changes nothing."""
    from yingjian.bi import superset
    from yingjian.bi.bundle import OFFICE_LOGIN
    from yingjian.database import warehouse

    settings, given = Settings.load(), variables()
    if not given.bi_admin_password:
        raise SetupError("set YINGJIAN_BI_ADMIN_PASSWORD to the password of Superset's admin user")
    if login != OFFICE_LOGIN and not given.bi_login_password:
        raise SetupError(f"set YINGJIAN_BI_LOGIN_PASSWORD to the password of {login}")
    archive = _bundle(settings, login)
    password = warehouse.password(settings, OFFICE_LOGIN) if login == OFFICE_LOGIN else given.bi_login_password
    superset.import_bundle(url, archive, given.bi_admin_password, password or "")
    print(f"dashboards imported into {url}")


@app.command("semantic", epilog=terminal.example("yingjian bi semantic semantic-layer"))
def semantic(out: Annotated[Path, typer.Argument(metavar="OUT", help="the folder to write")]) -> None:
    """Write the figures as semantic models of MetricFlow, a dbt project that reads as bi_reader."""
    from yingjian.bi import datasets, semantic

    settings = Settings.load()
    print(semantic.write(datasets.load(settings.root, _manifest(settings)), out))


def _bundle(settings: Settings, login: str) -> bytes:
    from yingjian.bi import bundle, dashboards, datasets
    from yingjian.database import warehouse

    known = datasets.load(settings.root, _manifest(settings))
    uri = warehouse.uri(settings, "bi_reader")
    return bundle.write(known, dashboards.load(settings.root, known), uri, login)


def _manifest(settings: Settings) -> Path:
    from yingjian.database import warehouse
    from yingjian.modelling.dbt_project import prepare_manifest

    warehouse.ensure_running(settings)
    return prepare_manifest(settings)
