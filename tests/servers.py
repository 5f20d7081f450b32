"""Servers on loopback that speak the real protocols: HTTP, mail with TLS and a login, Redis and SFTP with a password."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import asyncssh
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from redis import Redis, RedisError
from redis.backoff import ConstantBackoff
from redis.retry import Retry

PASSWORD = "mail-Passw0rd"
SFTP_PASSWORD = "sftp-Passw0rd"
asyncssh.set_log_level("ERROR")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Handler(BaseHTTPRequestHandler):
    """Answers HTTP requests, and logs none of them."""

    def body(self) -> Any:
        """Return the request's JSON."""
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, content: bytes = b"", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def serve(handler: type[Handler], tls: ssl.SSLContext | None = None) -> ThreadingHTTPServer:
    """Start a server for HTTP, or with `tls` for HTTPS, which runs in a thread until it is shut down."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Dsn(SMTP):
    """aiosmtpd does not support delivery-status notifications (RFC 3461): this class accepts and records their parameters."""

    async def smtp_MAIL(self, arg: str) -> None:
        self.event_handler.asked.append(arg)
        await super().smtp_MAIL(arg.replace(" RET=HDRS", ""))

    async def smtp_RCPT(self, arg: str) -> None:
        self.event_handler.asked.append(arg)
        await super().smtp_RCPT(arg.replace(" NOTIFY=FAILURE", ""))


@dataclass
class MailServer:
    """A mail server that records what it gets. answers: replies to RCPT by address, then 250; drops: no reply to DATA."""

    port: int = 0
    accepted: list[Envelope] = field(default_factory=list)
    answers: dict[str, list[str]] = field(default_factory=dict)
    drops: set[str] = field(default_factory=set)
    logins: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    data_answers: list[str] = field(default_factory=list)
    on_data: Callable[[Envelope], None] = lambda envelope: None

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-DSN", responses[-1]]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        left = self.answers.get(address, [])
        if left:
            return left.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data_answers:
            return self.data_answers.pop(0)
        self.accepted.append(envelope)
        self.on_data(envelope)
        if set(envelope.rcpt_tos) & self.drops:
            server.transport.abort()
        return "250 OK"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password.decode() == PASSWORD, handled=False)

    @property
    def recipients(self) -> list[str]:
        return sorted(address for envelope in self.accepted for address in envelope.rcpt_tos)


class TlsController(Controller):
    """Requires a login, after STARTTLS or on a connection that uses TLS from the first byte (`implicit`)."""

    def __init__(self, handler: MailServer, tls: ssl.SSLContext, *, implicit: bool) -> None:
        self._tls = tls
        self._implicit = implicit
        super().__init__(handler, hostname="127.0.0.1", port=handler.port, **({"ssl_context": tls} if implicit else {}))

    def factory(self) -> SMTP:
        login = {
            "authenticator": self.handler.authenticate,
            "auth_required": True,
            "auth_require_tls": not self._implicit,
        }
        starttls = {} if self._implicit else {"tls_context": self._tls, "require_starttls": True}
        return Dsn(self.handler, **login, **starttls)

    def _trigger_server(self) -> None:
        """Only connect, because the controller's own probe does not speak TLS."""
        socket.create_connection(("127.0.0.1", self.port), timeout=5).close()


def server_context(authority: trustme.CA, host: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(host).configure_cert(context)
    return context


def smtp_connection(port: int, password: str = PASSWORD, **extra: Any) -> str:
    """Return AIRFLOW_CONN_SMTP_DEFAULT for a server with STARTTLS and a login."""
    return json.dumps(
        {
            "conn_type": "smtp", "host": "127.0.0.1", "port": port, "login": "yingjian", "password": password,
            "extra": {"disable_ssl": True, "from_email": "yingjian@beifeng.example", "timeout": 10, "retry_limit": 0} | extra,
        }
    )  # fmt: skip


class RedisServer:
    """A Redis server on loopback that requires a password and persists nothing. passed: every command that it received."""

    def __init__(self) -> None:
        self.password = secrets.token_hex(16)
        port = free_port()
        self.url = f"redis://:{self.password}@127.0.0.1:{port}/0"
        self._process = subprocess.Popen(
            ["redis-server", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        assert self._process.stdin
        with self._process.stdin as config:  # Every user of the machine can see arguments, so the password is not one.
            config.write(f'bind 127.0.0.1\nport {port}\nrequirepass {self.password}\nsave ""\n')
        self.client = Redis.from_url(self.url, retry=Retry(ConstantBackoff(0.1), 100))
        self.client.ping()
        self.passed: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(RedisError), Redis.from_url(self.url, socket_timeout=None).monitor() as monitor:
            for command in monitor.listen():
                self.passed.append(command["command"])

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


class SftpServer:
    """An SSH server whose root is a folder. connection: Airflow's connection to it, as JSON; kind: the class of the SFTP handler."""

    def __init__(self, root: Path, kind: type[asyncssh.SFTPServer] = asyncssh.SFTPServer) -> None:
        self.root = root
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.host_key = key.export_public_key().decode().strip()

        class Server(asyncssh.SSHServer):
            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                return password == SFTP_PASSWORD

        async def listen() -> Any:
            return await asyncssh.listen(
                "127.0.0.1", 0, server_factory=Server, server_host_keys=[key],
                sftp_factory=lambda channel: kind(channel, chroot=str(root).encode()),
            )  # fmt: skip

        self._server = asyncio.run_coroutine_threadsafe(listen(), self._loop).result(20)
        self.connection = json.dumps(
            {
                "conn_type": "sftp", "host": "127.0.0.1", "port": self._server.get_port(), "login": "town",
                "password": SFTP_PASSWORD, "extra": {"host_key": self.host_key},
            }
        )  # fmt: skip

    def stop(self) -> None:
        async def close() -> None:
            self._server.close()
            await self._server.wait_closed()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
