"""Landing reads from where it was told, from whom it was told, and the file that it looked at."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.servers import Handler, SftpServer, serve
from tests.support import sample, write_feed
from yingjian.landing import archives, locations
from yingjian.operations import airflow_home
from yingjian.orchestration import tasks
from yingjian.settings import PROJECT_ROOT, Settings, SetupError

# The tests below show where files come from.


def test_a_run_names_no_location() -> None:
    assert not inspect.signature(tasks.land).parameters
    assert "params" not in (PROJECT_ROOT / "dags" / "landing.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("uri", ["http://platform.example/v1", "http://10.0.0.1/v1", "http://localhost.example/v1"])
def test_an_api_is_asked_over_https(uri: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="use https://"):
        locations.open_location(uri, tmp_path)
    for allowed in (
        "https://platform.example/v1",
        "http://127.0.0.1:1/v1",
        "http://localhost:1/v1",
        "http://[::1]:1/v1",
    ):
        assert isinstance(locations.open_location(allowed, tmp_path), locations.PlatformApi)


def test_the_token_goes_to_the_configured_address_only(guarded: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINGJIAN_LANDING", "https://platform.example/v1")
    monkeypatch.setenv("YINGJIAN_API_TOKEN", "only-for-this-test")

    def token(landing: str) -> str:
        of_run = replace(guarded, landing=landing)
        return airflow_home.airflow_environment(of_run, schedule=False, ports={"api": 1})["YINGJIAN_API_TOKEN"]

    assert token("https://platform.example/v1") == "only-for-this-test"
    assert token("https://elsewhere.example/v1") == ""


# The tests below read from an SFTP server.


@pytest.fixture(scope="module")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    server = SftpServer(tmp_path_factory.mktemp("sftp"))
    write_feed(server.root / "landing", "test_results", [sample("S1")])
    yield server
    server.stop()


@pytest.fixture
def found(sftp: SftpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """How many files are found with these values in the extra of the connection."""
    number = iter(range(100))

    def found(**extra: Any) -> int:
        name = f"guarded_{next(number)}"
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(json.loads(sftp.connection) | {"extra": extra}))
        return len(locations.open_location(f"sftp://{name}@/landing", tmp_path).find())

    return found


def test_a_server_whose_host_key_is_known_is_read(sftp: SftpServer, found: Any, tmp_path: Path) -> None:
    assert found(host_key=sftp.host_key) == 1
    assert found(host_key=sftp.host_key.split()[1]) == 1, "as Airflow's SSH connections have it"
    (tmp_path / "known_hosts").write_text(f"127.0.0.1 {sftp.host_key}\n")
    assert found(known_hosts=str(tmp_path / "known_hosts")) == 1


def test_another_server_and_a_connection_without_a_key_are_refused(found: Any, tmp_path: Path) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    with pytest.raises(Exception, match=r"(?i)host key"):
        found(host_key=other)
    for extra in ({}, {"no_host_key_check": True}):
        with pytest.raises(SetupError, match="has no host key"):
            found(**extra)
    for extra in ({"host_key": "x y"}, {"known_hosts": str(tmp_path / "nowhere")}):
        with pytest.raises(SetupError, match="cannot be read"):
            found(**extra)


# The tests below read from an SFTP server that means harm.


@pytest.fixture
def false_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A function that starts a server of a kind and opens the location on it; each has its own connection."""
    servers: list[SftpServer] = []
    write_feed(tmp_path / "landing", "test_results", [sample("S1")])

    def opened(kind: type[asyncssh.SFTPServer]) -> locations.Location:
        servers.append(SftpServer(tmp_path, kind))
        name = f"false_{tmp_path.parent.name}_{tmp_path.name}_{len(servers)}".replace("-", "_")
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", servers[-1].connection)
        return locations.open_location(f"sftp://{name}@/landing", tmp_path)

    yield opened
    for server in servers:
        server.stop()


def lists(name: str, *, size: int | None = 5, is_folder: bool = False) -> type[asyncssh.SFTPServer]:
    """A server that lists one more name in every folder of a feed."""
    mode = 0o40755 if is_folder else 0o100644

    class Listing(asyncssh.SFTPServer):
        async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
            if not path.endswith(b"/d"):
                async for entry in super().scandir(path):
                    yield entry
            if b"test_results" in path:
                yield asyncssh.SFTPName(
                    name.encode(), attrs=asyncssh.SFTPAttrs(size=size, permissions=mode, mtime=1, atime=1)
                )

    return Listing


def test_a_file_without_end_is_not_fetched_beyond_its_size(false_server: Any) -> None:
    asked = []

    class Endless(asyncssh.SFTPServer):
        def read(self, file_obj: object, offset: int, size: int) -> bytes:
            asked.append(size)
            if sum(asked) > 64 << 20:
                raise asyncssh.SFTPError(asyncssh.FX_FAILURE, "enough")
            return b"x" * size

    location = false_server(Endless)
    [file] = location.find()
    with pytest.raises(OSError, match="changed while it was fetched"), location.local(file):
        pass
    assert sum(asked) < 4 << 20


def test_a_link_to_a_folder_stops_no_other_file(false_server: Any, tmp_path: Path) -> None:
    (tmp_path / "landing" / "test_results" / "loop").symlink_to("..")
    location = false_server(asyncssh.SFTPServer)
    outcomes = {}
    for file in location.find():
        try:
            with location.local(file) as opened:
                outcomes[file.name] = "S1" in opened.read_text(encoding="utf-8")
        except OSError:
            outcomes[file.name] = False
    assert outcomes == {"a.csv": True, "loop": False}


def test_names_outside_of_the_location_are_not_read(false_server: Any) -> None:
    location = false_server(lists("/etc/passwd"))
    assert [file.name for file in location.find()] == ["a.csv"]
    assert location.problems == ["the landing location lists a name that lies outside of it: it was not read"]
    location = false_server(lists("../../etc/passwd"))
    assert [file.name for file in location.find()] == ["a.csv"]


def test_a_size_that_is_none_or_too_large_is_refused(false_server: Any) -> None:
    by_name = {file.name: file for file in false_server(lists("b.csv", size=None)).find()}
    assert by_name["a.csv"].refusal is None and by_name["b.csv"].refusal == "服务器未说明文件大小，未读取"
    by_name = {file.name: file for file in false_server(lists("b.csv", size=2**63)).find()}
    assert archives.MAX_BYTES < by_name["b.csv"].size < 2**63


def test_folders_without_end_end(false_server: Any) -> None:
    with pytest.raises(OSError, match="cannot be listed: RecursionError"):
        false_server(lists("d", is_folder=True)).find()


# Check and use are one.


def one_file(folder: Path) -> tuple[locations.Location, locations.LandingFile, Path]:
    path = write_feed(folder, "test_results", [sample("S1")], "inner/a.csv")
    location = locations.open_location(str(folder), folder)
    [file] = location.find()
    return location, file, path


@pytest.mark.parametrize("exchanged", ["file", "folder"])
def test_a_file_exchanged_after_it_was_looked_at(
    exchanged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link takes the place of the file, or of its folder, between the look and the opening."""
    location, file, path = one_file(tmp_path / "landing")
    secret = write_feed(tmp_path / "outside", "test_results", [sample("SECRET")])
    open_file = os.open

    def exchange(name: Any, *arguments: Any, **options: Any) -> int:
        monkeypatch.undo()
        if exchanged == "file":
            path.unlink()
            path.symlink_to(secret)
        else:
            path.parent.rename(tmp_path / "moved")
            path.parent.symlink_to(secret.parent)
        return open_file(name, *arguments, **options)

    monkeypatch.setattr(os, "open", exchange)
    with pytest.raises(OSError), location.local(file):
        pass


def test_what_is_read_is_the_file_that_was_opened(tmp_path: Path) -> None:
    location, file, path = one_file(tmp_path / "landing")
    secret = write_feed(tmp_path / "outside", "test_results", [sample("SECRET")])
    with location.local(file) as opened:
        path.unlink()
        path.symlink_to(secret)
        assert "S1" in opened.read_text(encoding="utf-8") and opened.name == "a.csv"


def test_a_pipe_in_the_place_of_a_file_stops_nothing(tmp_path: Path) -> None:
    location, file, path = one_file(tmp_path / "landing")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="exchanged"), location.local(file):
        pass


# The tests below read pages of the API.


class Endless:
    """An API that always has a next page; `cursors` are given in turn."""

    def __init__(self, cursors: Iterator[Any]) -> None:
        self.asked = 0

        class Pages(Handler):
            def do_GET(handler) -> None:
                if "/test_results?" not in handler.path:
                    handler.send_error(404)
                    return
                self.asked += 1
                records = [{"样本编号": f"S{self.asked}"}]
                handler.answer(json.dumps({"records": records, "next": next(cursors)}).encode())

        self._server = serve(Pages)
        self.uri = f"http://127.0.0.1:{self._server.server_port}/v1"

    def problems(self, cache: Path) -> str:
        location = locations.open_location(self.uri, cache)
        location.find()
        self._server.shutdown()
        return "; ".join(location.problems)


def test_pages_without_end_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locations, "MAX_PAGES", 5, raising=False)
    api = Endless(iter(range(1, 40)))
    assert "too much of test_results at once" in api.problems(tmp_path / "number")
    assert api.asked == 5
    monkeypatch.setattr(locations, "MAX_PAGES", 30, raising=False)
    monkeypatch.setattr(locations, "MAX_PULL_BYTES", 200, raising=False)
    api = Endless(iter(range(1, 40)))
    assert "too much of test_results at once" in api.problems(tmp_path / "bytes")
    assert 2 < api.asked < 10


@pytest.mark.parametrize(
    ("cursors", "why"), [("abab" * 20, "a cursor came twice"), ([["a"]] * 40, "a cursor that is none"), (["x" * 5000] * 40, "a cursor that is none")],
    ids=["twice", "list", "long"],
)  # fmt: skip
def test_a_cursor_that_comes_twice_or_is_none(cursors: Any, why: str, tmp_path: Path) -> None:
    api = Endless(iter(cursors))
    assert why in api.problems(tmp_path)
    assert api.asked <= 3
