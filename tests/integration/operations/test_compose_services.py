"""docker-compose.yml without Docker: each service as a process on loopback, with its own command and environment.

What containers and their network would do is done here: addresses and folders are exchanged for this machine's, a service
begins when those that it depends on are there, and gets nothing of this process's environment.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from tests import compose
from tests.conftest import WORLD_DAY
from tests.servers import SftpServer, free_port
from yingjian.database.embedded import CONFIGURATION, EmbeddedPostgres, allow_search, binaries
from yingjian.operations import service_names
from yingjian.settings import Settings

pytestmark = pytest.mark.beyond
PROGRAMS = Path(sys.executable).parent
NOT_HERE = {"superset", "superset-init", "bi-import"}  # Superset has an environment of its own: test_superset.py.


class Town:
    """The class runs the containers of docker-compose.yml as processes. folder: of them all; landing: URI; connections: JSON by id."""

    def __init__(self, folder: Path, landing: str, connections: dict[str, str]) -> None:
        self.folder = folder
        self.printed = folder / "printed"
        self.working = folder / "working"
        for folder_name in ("printed", "working", "home", "shared", "backups", "programs", "archive/wal", "postgres"):
            (folder / folder_name).mkdir(parents=True)
        (folder / "officials.yml").write_text("officials: []\n")
        self.port = {name: free_port() for name in ("postgres", "redis", "api-server", "portal", "mail")}
        self.cluster = EmbeddedPostgres(Settings.load({"YINGJIAN_HOME": str(folder / "postgres")}))
        self.services = compose.load(
            {
                "SUPERSET_SECRET_KEY": "secret", "SUPERSET_ADMIN_PASSWORD": "secret", "MAIL_DOMAIN": "example.org",
                "YINGJIAN_LANDING": landing,
            }
        )["services"]  # fmt: skip
        for name, container in self.services.items():
            (folder / "secrets" / name).mkdir(parents=True)
            for secret in container.get("secrets", []):
                (folder / "secrets" / name / secret).write_text(f"{self.secret(secret)}\n")
        # connections.env, and airflow.env: only what is asked for runs, not the days since this town's.
        self.env_files = {f"AIRFLOW_CONN_{name}": value for name, value in connections.items()}
        self.env_files["AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE"] = "False"
        self.processes: dict[str, list[subprocess.Popen[bytes]]] = {}

    # These methods hold what differs from containers.

    def secret(self, name: str) -> str:
        return self.cluster.settings.secret("role_postgres") if name == "superuser" else f"{name}0word"

    def here(self, name: str, text: str) -> str:
        """The function returns a text of a service with this machine's addresses and folders, and its own secrets alone."""
        for there, here in {
            "/run/secrets/": f"{self.folder}/secrets/{name}/",
            "postgres@postgres:5432": f"postgres@127.0.0.1:{self.port['postgres']}",
            "@postgres:5432": f"@127.0.0.1:{self.port['postgres']}",
            "@redis:6379": f"@127.0.0.1:{self.port['redis']}",
            "http://api-server:8080": f"http://127.0.0.1:{self.port['api-server']}",
            "/dev/tcp/127.0.0.1/587": f"/dev/tcp/127.0.0.1/{self.port['mail']}",
            "redis-cli ": f"redis-cli -p {self.port['redis']} ",
            "0.0.0.0": "127.0.0.1",
            "listen_addresses=*": "listen_addresses=127.0.0.1",
            "/etc/postgresql/postgresql.conf": str(CONFIGURATION),
            "/archive/": f"{self.folder}/archive/",
            "/var/lib/yingjian": f"{self.folder}/home",
            "/srv/yingjian/shared": f"{self.folder}/shared",
            "/etc/yingjian/officials.yml": f"{self.folder}/officials.yml",
        }.items():
            text = text.replace(there, here)
        return text

    def environment(self, name: str) -> dict[str, str]:
        """A service gets this from the image, the env_files and the file itself."""
        service = self.services[name]
        image = {"PATH": f"{self.folder}/programs:{PROGRAMS}:{binaries()}:/usr/bin:/bin", "LANG": "C.UTF-8"}
        if service["image"].startswith("yingjian/"):
            image |= {
                "HOME": str(self.folder / "home"),
                "YINGJIAN_PORT": str(self.port["api-server"]),
                "YINGJIAN_PORTAL_PORT": str(self.port["portal"]),
            } | self.env_files
        elif name == "postgres":
            image |= {"PGPORT": str(self.port["postgres"])}
        return image | {key: self.here(name, str(value)) for key, value in service.get("environment", {}).items()}

    def command(self, name: str) -> list[str]:
        service = self.services[name]
        if name == "postgres":  # Its entrypoint makes a cluster and folders, then becomes the server.
            return [
                str(binaries() / "postgres"), "-D", str(self.cluster.data), "-p", str(self.port["postgres"]),
                "-c", "unix_socket_directories=", *(self.here(name, part) for part in service["command"][1:]),
            ]  # fmt: skip
        return [self.here(name, part) for part in (*service.get("entrypoint", []), *service.get("command", []))]

    def _prepare_postgres(self) -> None:
        self.cluster.folder.mkdir()
        self.cluster._own_folder()
        self.cluster._make_cluster()
        allow_search(CONFIGURATION.parent, getattr(self.cluster._user, "pw_uid", os.getuid()))
        if user := self.cluster._user:
            os.chown(self.folder / "archive" / "wal", user.pw_uid, user.pw_gid)
            allow_search(self.folder / "archive", user.pw_uid)

    def _prepare_redis(self) -> None:
        entrypoint = self.folder / "programs" / "docker-entrypoint.sh"
        entrypoint.write_text(f'#!/bin/sh\nexec "$@" --port {self.port["redis"]} --bind 127.0.0.1\n')
        entrypoint.chmod(0o755)

    # These methods do what Compose does.

    def up(self, name: str) -> None:
        """Start a service, after what it depends on."""
        if name in self.processes:
            return
        for needed, how in self.services[name].get("depends_on", {}).items():
            self.up(needed)
            if how["condition"] == "service_completed_successfully":
                assert [process.wait(300) for process in self.processes[needed]] == [0, 0], self.tail(needed)
            else:
                self.wait_until_healthy(needed)
        if name == "postgres":
            self._prepare_postgres()
        if name == "redis":
            self._prepare_redis()
        # A service that runs once runs twice at once here: one of another machine must do no harm.
        is_once = self.services[name]["restart"] == "no"
        replicas = 2 if is_once else self.services[name]["deploy"].get("replicas", 1)
        self.processes[name] = [self._start(name, number) for number in range(replicas)]

    def _start(self, name: str, number: int) -> subprocess.Popen[bytes]:
        user = self.cluster._user if name == "postgres" else None
        with (self.printed / f"{name}-{number}").open("wb") as out:
            return subprocess.Popen(
                self.command(name), env=self.environment(name), cwd="/" if user else self.working,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                user=user.pw_uid if user else None, group=user.pw_gid if user else None,
                extra_groups=[] if user else None,
            )  # fmt: skip

    def run(self, name: str, command: list[str], timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """A command in a service's container, as `docker compose exec` runs it."""
        return subprocess.run(
            command, env=self.environment(name), cwd=self.working, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def check(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run the health check of a service."""
        kind, *command = self.services[name]["healthcheck"]["test"]
        command = [self.here(name, part) for part in command]
        return self.run(name, ["sh", "-c", *command] if kind == "CMD-SHELL" else command)

    def wait_until_healthy(self, name: str) -> None:
        until = time.monotonic() + 240
        while (checked := self.check(name)).returncode != 0:
            assert time.monotonic() < until, f"{name}: {checked.stderr} {self.tail(name)}"
            assert all(process.poll() is None for process in self.processes.get(name, [])), self.tail(name)
            time.sleep(1)

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> list[int]:
        """Stop a service as Docker does; returns what its processes ended with. Raises TimeoutExpired after its grace."""
        for process in self.processes[name]:
            process.send_signal(number)
        return [process.wait(60) for process in self.processes.pop(name)]

    def tail(self, name: str) -> str:
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in self.printed.glob(f"{name}-*"))

    def kill(self) -> None:
        for process in (process for group in self.processes.values() for process in group):
            for pid in psutil.pids():
                with suppress(OSError):  # It ended meanwhile.
                    if os.getsid(pid) == process.pid:
                        os.kill(pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, simulated_landing: Path) -> Iterator[Town]:
    """All services, whose exports lie on an SFTP server."""
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed (Debian: redis-server)")
    sftp = SftpServer(simulated_landing)
    town = Town(tmp_path_factory.mktemp("compose"), "sftp://exports@/", {"EXPORTS": sftp.connection})
    mail = Controller(Sink(), hostname="127.0.0.1", port=town.port["mail"])
    mail.start()
    try:
        for name in town.services.keys() - NOT_HERE - {"mail"}:
            town.up(name)
        yield town
    finally:
        town.kill()
        mail.stop()
        sftp.stop()


def query(town: Town, text: str) -> list[Any]:
    uri = town.environment("worker")["YINGJIAN_WAREHOUSE"].replace("@", f":{town.secret('owner')}@", 1)
    with psycopg.connect(uri) as conn:
        return conn.execute(text).fetchall()  # type: ignore[arg-type]


def test_a_day_goes_through(town: Town) -> None:
    """All become healthy; a day asked for in one container is landed from SFTP, built by the workers and published."""
    for name in town.services.keys() - NOT_HERE - {"bootstrap", "init"}:
        town.wait_until_healthy(name)
    done = town.run("init", ["yingjian", "run", "--date", str(WORLD_DAY)], timeout=600)
    assert done.returncode == 0, f"{done.stdout} {done.stderr} {town.tail('worker')}"
    assert query(town, "select as_of_date, quality_status from reporting.publication") == [(WORLD_DAY, "passed")]
    assert query(town, "select count(*) > 50, bool_and(location like 'sftp://exports@/%') from quality.landed_file") == [(True, True)]  # fmt: skip
    status = town.run("init", ["yingjian", "status"])
    assert status.returncode == 0, status.stdout
    assert "scheduler healthy" in status.stdout and status.stdout.count("worker-") == 2
    assert not list(town.working.iterdir()), "nothing takes an address for a folder"
    assert len(list((town.folder / "home" / "reports").glob(f"{WORLD_DAY}-*.html"))) == 1


def test_no_service_but_what_runs_once_knows_the_owner(town: Town) -> None:
    """The portal and the workers have the logins of their own work, whatever stands in their processes."""
    for name in town.services.keys() - NOT_HERE - {"bootstrap", "init", "mail", "postgres", "redis"}:
        known = b"".join(
            Path(f"/proc/{child.pid}/environ").read_bytes()
            for process in town.processes[name]
            for child in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        )
        assert b"transformer0word" in known or name == "portal", (
            "the environment is the right one: dbt's login is in it"
        )
        for secret in (
            "owner",
            "superuser",
            "bi_reader",
            *(("broker", "loader", "publisher") if name == "portal" else ("portal",)),
        ):
            assert town.secret(secret).encode() not in known, (name, secret)
        refused = town.run(name, ["yingjian", "access", "list"])
        assert refused.returncode != 0, name


def test_a_service_that_is_gone_is_not_healthy(town: Town) -> None:
    """Each check fails for its own service alone, in one sentence; stopped services end in time and leave no process."""
    for name in service_names.NAMES:
        sessions = [process.pid for process in town.processes[name]]
        town.stop(name)
        checked = town.check(name)
        assert checked.returncode == 1 and checked.stderr.startswith("yingjian: "), name
        assert "Traceback" not in checked.stderr
        left = subprocess.run(
            ["ps", "-o", "pid=", "-s", ",".join(map(str, sessions))], capture_output=True, check=False
        )
        assert not left.stdout.strip(), f"{name}: {left.stdout!r}"
        for other in service_names.NAMES[service_names.NAMES.index(name) + 1 :]:
            assert town.check(other).returncode == 0, f"{other} without {name}"
    assert town.stop("postgres", signal.SIGINT) == [0]
    checked = town.check("scheduler")
    assert checked.returncode == 1 and "Airflow's database does not answer" in checked.stderr
