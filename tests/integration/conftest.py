"""A home of a test module's own, whose staging each test finds empty; a town's rows; and the environment of Spark."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests import support
from yingjian.settings import PROJECT_ROOT, Settings


@pytest.fixture(scope="module")
def shared_home(home_factory: Callable[[str], Settings], request: pytest.FixtureRequest) -> Settings:
    return home_factory(request.module.__name__.rpartition(".")[2])


@pytest.fixture
def home(shared_home: Settings) -> Settings:
    """The module's home with empty staging; the server is the module's."""
    support.empty_staging(shared_home)
    return shared_home


@pytest.fixture
def conn(town_database: str) -> Iterator[psycopg.Connection]:
    """A connection to the rows of a made-up town, whose changes are undone."""
    with psycopg.connect(town_database) as connection:
        yield connection
        connection.rollback()


@pytest.fixture(scope="module")
def spark_python() -> Path:
    """The interpreter of the environment with the group `spark`, made as docs/spark.md says; without Java it fails."""
    assert shutil.which("java"), "Spark needs Java 17: install openjdk-17-jre-headless"
    environment = PROJECT_ROOT / ".venv-spark"
    uv = PROJECT_ROOT / ".venv" / "bin" / "uv"
    done = subprocess.run(
        [str(uv), "sync", "--frozen", "--system-certs", "--no-dev", "--group", "spark"],
        cwd=PROJECT_ROOT, env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"the packages of the group spark cannot be had: {done.stderr.strip()[-300:]}"
    return environment / "bin" / "python"


@pytest.fixture
def interpreted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lets Spark compile no Java for each query, and Java little of Spark: both take longer than a few rows.

    Java neither verifies Spark's classes nor collects garbage in a small heap, which took a seventh of the test.
    """
    java = "-XX:TieredStopAtLevel=1 -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote -XX:+UseSerialGC -Xms600m -Xmn400m"
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "spark-defaults.conf").write_text(
        "spark.sql.codegen.wholeStage false\nspark.sql.codegen.factoryMode NO_CODEGEN\n"
        f"spark.driver.extraJavaOptions {java}\nspark.executor.extraJavaOptions {java}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("SPARK_CONF_DIR", str(folder))
