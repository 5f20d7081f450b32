"""`make audit` fails where nothing could be audited, not only where something was found."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.servers import Handler, serve
from yingjian.settings import PROJECT_ROOT

KNOWN = {"id": "MADE-UP-1", "modified": "2022-07-20T00:00:00Z", "summary": "made up"}


@contextmanager
def database(knows: str | None) -> Iterator[str]:
    """A vulnerability database like OSV's, which knows one vulnerability of the packages whose query has this text."""

    class Database(Handler):
        def do_POST(self) -> None:
            queries = self.body()["queries"]
            found = [{"vulns": [KNOWN]} if knows and knows in json.dumps(query) else {} for query in queries]
            self._give({"results": found if knows else []})

        def do_GET(self) -> None:
            self._give(KNOWN | {"affected": []})

        def _give(self, content: dict[str, Any]) -> None:
            self.answer(json.dumps(content).encode(), **{"Content-Type": "application/json"})

    server = serve(Database)
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def audit(url: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "-o", ".venv/ready", "audit", f"AUDIT=--service-url {url}"]
    return subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        env={**os.environ, "UV_HTTP_RETRIES": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_database_that_knows_nothing_audits_nothing() -> None:
    with database(None) as url:
        done = audit(url)
    assert done.returncode != 0 and "nothing was audited" in done.stderr


@pytest.mark.slow
def test_a_database_that_is_not_there_audits_nothing() -> None:
    done = audit("http://127.0.0.1:1/")
    assert done.returncode != 0 and "nothing was audited" in done.stderr


def test_what_runs_is_audited() -> None:
    with database("2.11.2") as url:
        done = audit(url)
    assert done.returncode == 0, done.stderr
    with database("jinja2") as url:
        assert audit(url).returncode != 0, "the program itself uses a version of it"
