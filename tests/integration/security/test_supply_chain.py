"""`make audit` fails where nothing could be audited, not only where something was found."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from yingjian.settings import PROJECT_ROOT

KNOWN = {"id": "MADE-UP-1", "modified": "2022-07-20T00:00:00Z", "summary": "made up"}


@contextmanager
def database(knows: str | None) -> Iterator[str]:
    """A vulnerability database like OSV's, which knows one vulnerability of the packages whose query has this text."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            queries = json.loads(self.rfile.read(int(self.headers["content-length"])))["queries"]
            found = [{"vulns": [KNOWN]} if knows and knows in json.dumps(query) else {} for query in queries]
            self._answer({"results": found if knows else []})

        def do_GET(self) -> None:
            self._answer(KNOWN | {"affected": []})

        def _answer(self, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def audit(url: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "-o", ".venv/ready", "audit", f"AUDIT=--service-url {url}"]
    return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)


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
