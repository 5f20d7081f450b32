"""The tests run the real `yingjian airflow …` and `yingjian dbt …`, in this home, without running services."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import date

import pytest

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from tests.support import query
from yingjian import cli
from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.operations import command_lines
from yingjian.settings import Settings, SetupError, variables

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def town(home_factory: HomeFactory, world: Settings) -> Iterator[Settings]:
    """A copy of the published town, which these tests may write to."""
    EmbeddedPostgres(world).stop()
    yield home_factory("command_lines", world)
    warehouse.ensure_running(world)


def yingjian(settings: Settings, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "yingjian.cli", *arguments],
        env={**os.environ, "YINGJIAN_HOME": str(settings.home), **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.beyond
def test_airflows_own_command_line(fresh_home: Settings) -> None:
    """On a home in which no service ever ran; its exit code is handed on."""
    listed = yingjian(fresh_home, "airflow", "config", "get-value", "core", "dags_folder")
    assert listed.returncode == 0 and listed.stdout.strip().endswith("/dags"), listed.stderr
    assert yingjian(fresh_home, "airflow", "--no-such-option").returncode == 2
    assert yingjian(fresh_home, "airflow", "db", "check").returncode == 0, "it knows this home's metadata"


@pytest.mark.beyond
def test_dbts_own_command_line(town: Settings) -> None:
    listed = yingjian(town, "dbt", "--quiet", "ls", "--select", "due", "--resource-type", "model", "--output", "name")
    assert (listed.returncode, listed.stdout.strip()) == (0, "due"), listed.stderr
    assert yingjian(town, "dbt", "--version").returncode == 0
    assert yingjian(town, "dbt", "build", "--no-such-option").returncode == 2


@pytest.mark.beyond
def test_dev_builds_ones_own_mart_over_what_is_published(town: Settings) -> None:
    before = support.marts(town)
    own = {"YINGJIAN_DEV_SCHEMA": "dev_tester"}
    select = (
        "--target",
        "dev",
        "--select",
        "int_sample__dates",
        "overdue",
        "--exclude",
        "resource_type:test",
        "resource_type:unit_test",
    )
    done = yingjian(town, "dbt", "build", *select, **own)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    kinds = dict(
        query(
            town,
            "select relname, relkind::text from pg_class where relnamespace = 'dev_tester'::regnamespace and relkind in ('r', 'v')",
        )
    )
    assert {name for name, kind in kinds.items() if kind == "r"} == {"int_sample__dates", "overdue"}
    assert kinds["due"] == kinds["int_sample__by_day"] == kinds["policy_rule"] == "v"
    rows = "select count(*) from {}.overdue"
    assert query(town, rows.format("dev_tester")) == query(town, rows.format("reporting"))
    assert support.marts(town) == before, "nothing of what is published changed"
    progress = "select count(*) from intermediate.increment_progress where model like 'dev_%%'"
    assert query(town, progress) == [(0,)]
    with warehouse.connect(town, "transformer") as conn, pytest.raises(Exception, match="permission denied"):
        conn.execute("delete from dev_tester.int_sample__by_day")


def test_what_writes_to_the_warehouse_goes_through_the_door(
    town: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(town.home))
    assert cli.main(["dbt", "run", "--select", "due"]) == 2
    assert "say for which business date" in capsys.readouterr().err
    variables = ("--vars", f"{{as_of_date: '{WORLD_DAY}'}}")
    done = yingjian(
        town, "dbt", "run", "--select", "feed_quality", "policy_rule_versions_that_do_not_exist", *variables
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert query(
        town, "select state from publishing.build where run_id like 'hand:%%' order by build_id desc limit 1"
    ) == [("failed",)]


def test_what_a_command_line_asks_for() -> None:
    understand = command_lines.understand
    assert understand(["build", "-t", "dev"]) == command_lines.DbtCommandLine("build", "dev", None)
    assert understand(["--log-level", "debug", "run", "--target=dev"]).command == "run"
    assert understand(["run", "--vars", "{as_of_date: 2022-07-24}"]).day == date(2022, 7, 24)
    assert understand(["run", "--vars", "{as_of_date: '2022-07-24'}"]).day == date(2022, 7, 24)
    assert understand(["--version"]) == command_lines.DbtCommandLine(None, "warehouse", None)
    assert understand(["nothing", "--such"]) == command_lines.DbtCommandLine("nothing", "warehouse", None)
    with pytest.raises(SetupError, match="give a date"):
        understand(["run", "--vars", "{as_of_date: today}"])


def test_a_schema_of_ones_own_has_a_name_of_its_own_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("YINGJIAN_DEV_SCHEMA", raising=False)
    assert command_lines.dev_schema().startswith("dev_")
    for name in ("published", "dev_", "dev_x; drop schema y", "Dev_x"):
        monkeypatch.setenv("YINGJIAN_DEV_SCHEMA", name)
        with pytest.raises(SetupError, match="give dev_ and small letters"):
            command_lines.dev_schema()


def test_a_taken_port_is_one_sentence(
    fresh_home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(fresh_home.home))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("YINGJIAN_PORT", str(port))
        assert cli.main(["up"]) == 2
    message = capsys.readouterr().err
    assert (
        message.startswith(f"yingjian: port {port} is taken")
        and "YINGJIAN_PORT" in message
        and message.count("\n") == 1
    )
    monkeypatch.setenv("YINGJIAN_PORT", "http")
    assert cli.main(["up"]) == 2
    assert "YINGJIAN_PORT is http" in capsys.readouterr().err
    monkeypatch.delenv("YINGJIAN_PORT")
    assert (variables({}).port, variables({}).portal_port) == (8080, 8081)
