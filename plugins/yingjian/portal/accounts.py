"""Officials sign in here: passwords, growing pauses after failures, and server-side sessions.

Everything runs as the role `portal`. A session's token is in the browser's cookie only; the table has its hash. Every
sign-in, failure and sign-out is an event of the trail, which names a login only when officials.yml has it: people type
other things into that field.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

import psycopg
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from yingjian.database import warehouse
from yingjian.portal.readers import directory, settings
from yingjian.privacy import audit_trail

Conn = psycopg.Connection[Any]

ROLE = "portal"
SESSION = timedelta(hours=10)  # Officials sign in once a working day.
IDLE = timedelta(hours=2)
SETTING = timedelta(minutes=15)  # A session of a first password must set a new one within this time.
FIRST_DAYS = 7
FIRST_PAUSE = timedelta(seconds=30)
LENGTH = range(10, 201)  # This is the permitted length of a password.
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Bound:
    """`free` failures in a row are without a pause; each further one doubles the pause, up to `longest`."""

    free: int
    longest: timedelta


# Guesses from one address cause long pauses that affect no other address. Guesses from many addresses meet the wider bound,
# whose pauses affect the official too: they are short, and leave 96 guesses a day.
FROM_ONE = Bound(4, timedelta(hours=1))
FROM_ALL = Bound(40, timedelta(minutes=15))

_hasher = PasswordHasher()
# A check takes 64 MiB and a core for a moment; many at once would starve the pages.
_turn = threading.BoundedSemaphore(2)


class BlockedError(Exception):
    """Too many failures in a row: no password is tried for `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__("blocked")
        self.seconds = seconds


class WrongPasswordError(Exception):
    """The login or its password is not right."""


class UnfitPasswordError(Exception):
    """A new password is refused; `why` is short, login or same."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Session:
    """A session belongs to a login; if `sets_password` is true, it may only set a password."""

    login: str
    sets_password: bool


def sign_in(login: str, password: str, address: str) -> str:
    """Open a session; return its token. `address` is the network address that the request came from.

    Raises BlockedError during a pause, WrongPasswordError when login and password do not fit.
    """
    with _connected() as conn:
        _count_attempt(conn, login, address)
        row = conn.execute(
            "select password_hash, is_first, coalesce(first_until <= clock_timestamp(), false)"
            " from portal.account where login = %s",
            (login,),
        ).fetchone()
        known_hash, is_first, is_over = row or (None, False, False)
        is_known = directory().signs_in(login)
        usable = known_hash if is_known and not is_over else None
        if not _fits(usable or _nobodys_hash(), password) or usable is None:
            with conn.transaction():
                _failed(conn, login, address, is_known)
            raise WrongPasswordError
        with conn.transaction():
            if is_first:  # The hash is compared again, so that two requests at once open one session.
                used = conn.execute(
                    "update portal.account set password_hash = null where login = %s and password_hash = %s",
                    (login, usable),
                )
                if not used.rowcount:
                    raise WrongPasswordError
            elif _hasher.check_needs_rehash(usable):
                conn.execute("update portal.account set password_hash = %s where login = %s", (_hash(password), login))
            _forget_attempts(conn, login, address)
            return _open(conn, login, "first_password" if is_first else "password", sets_password=is_first)


def sign_in_elsewhere(login: str) -> str | None:
    """Open a session for a login that an OpenID Connect provider vouches for; None when officials.yml does not have it."""
    with _connected() as conn, conn.transaction():
        if not directory().signs_in(login):
            _trail(conn, UNKNOWN, "sign_in_failed", way="oidc")
            return None
        return _open(conn, login, "oidc", sets_password=False)


def session_of(token: str) -> Session | None:
    """Return the session of a token; None when it is over or its login left officials.yml, which ends it."""
    with _connected() as conn:
        row = conn.execute(
            """
            select login, sets_password, seen_at < clock_timestamp() - interval '1 minute' from portal.session
            where token_hash = %s and ends_at > clock_timestamp() and seen_at > clock_timestamp() - %s
            """,
            (_digest(token), IDLE),
        ).fetchone()
        if row is None:
            return None
        login, sets_password, is_to_note = row
        if not directory().signs_in(login):
            end_sessions(conn, login, "left")
            return None
        if is_to_note:
            conn.execute(
                "update portal.session set seen_at = clock_timestamp() where token_hash = %s", (_digest(token),)
            )
        return Session(login, sets_password)


def ends_at(token: str) -> datetime:
    """Return when the session of a token ends if no other request comes."""
    with _connected() as conn:
        row = conn.execute(
            "select least(ends_at, clock_timestamp() + %s) from portal.session where token_hash = %s",
            (IDLE, _digest(token)),
        ).fetchone()
    return row[0] if row else datetime.now(UTC)


def sign_out(token: str) -> None:
    with _connected() as conn, conn.transaction():
        row = conn.execute(
            "delete from portal.session where token_hash = %s returning login", (_digest(token),)
        ).fetchone()
        if row:
            _trail(conn, row[0], "sign_out")


def set_password(session: Session, old: str, new: str, address: str) -> str:
    """Set a new password, end every session of the login, and open a new one; return its token.

    A session of a first password need not give the old one. Raises BlockedError, WrongPasswordError, UnfitPasswordError.
    """
    login = session.login
    with _connected() as conn:
        row = conn.execute("select password_hash from portal.account where login = %s", (login,)).fetchone()
        if not session.sets_password:
            _count_attempt(conn, login, address)
            if row is None or row[0] is None or not _fits(row[0], old):
                with conn.transaction():
                    _failed(conn, login, address, is_known=True)
                raise WrongPasswordError
            _forget_attempts(conn, login, address)
        require_fit(login, new, old)
        with conn.transaction():
            conn.execute(
                """
                update portal.account
                set password_hash = %s, is_first = false, first_until = null, changed_at = clock_timestamp()
                where login = %s
                """,
                (_hash(new), login),
            )
            _trail(conn, login, "password_set")
            end_sessions(conn, login, "password_set")
            return _open(conn, login, "password_set", sets_password=False)


def require_reached() -> None:
    """Raise psycopg.OperationalError when the database does not answer."""
    with _connected() as conn:
        conn.execute("select 1")


def require_fit(login: str, password: str, old: str) -> None:
    """Raise UnfitPasswordError if a password is too short, too long or too uniform, contains the login, or equals the old one."""
    if len(password) not in LENGTH or len(set(password)) < 4:
        raise UnfitPasswordError("short")
    if login.casefold() in password.casefold():
        raise UnfitPasswordError("login")
    if password == old:
        raise UnfitPasswordError("same")


def invite(conn: Conn, login: str, by: str) -> str:
    """Give a login a first password, which signs in once within a week, and end its sessions; return the password.

    The connection is the owner's. An earlier password is no longer valid, so this is the reset too.
    """
    password = secrets.token_urlsafe(12)
    with conn.transaction():
        conn.execute(
            """
            insert into portal.account (login, password_hash, is_first, first_until)
            values (%(login)s, %(hash)s, true, clock_timestamp() + %(days)s)
            on conflict (login) do update set
                password_hash = excluded.password_hash, is_first = true, first_until = excluded.first_until,
                changed_at = clock_timestamp()
            """,
            {"login": login, "hash": _hash(password), "days": timedelta(days=FIRST_DAYS)},
        )
        conn.execute("delete from portal.attempt where login_hash = %s", (_digest(login),))
        _trail(conn, by, "invite", f"account:{login}")
        end_sessions(conn, login, "invited")
    return password


def states(conn: Conn) -> dict[str, str]:
    """Return for each invited login whether its password is a first one or its own, or none that still signs in."""
    return dict(
        conn.execute(
            """
            select login, case
                when password_hash is null or first_until <= clock_timestamp() then 'expired'
                when is_first then 'invited'
                else 'own password'
            end
            from portal.account
            """
        ).fetchall()
    )


def end_sessions(conn: Conn, login: str, because: str) -> None:
    ended = conn.execute("delete from portal.session where login = %s", (login,))
    if ended.rowcount:
        _trail(conn, login, "sessions_ended", because=because)


def _count_attempt(conn: Conn, login: str, address: str) -> None:
    """Count an attempt before its password is checked, so that concurrent guesses do not slip by. Raises BlockedError.

    An attempt that one bound refuses counts for neither: an address that is paused already does not pause others.
    """
    with conn.transaction():
        for source, bound in ((_source(login, address), FROM_ONE), (b"", FROM_ALL)):
            _count_for(conn, login, source, bound)
    # Attempts are deleted after a day, so that the table stays small.
    conn.execute("delete from portal.attempt where last_at < clock_timestamp() - interval '1 day'")


def _count_for(conn: Conn, login: str, source: bytes, bound: Bound) -> None:
    which = {"login": _digest(login), "source": source}
    row = conn.execute(
        """
        insert into portal.attempt as known (login_hash, source_hash, failures) values (%(login)s, %(source)s, 1)
        on conflict (login_hash, source_hash) do update set
            failures = known.failures + 1,
            last_at = clock_timestamp(),
            blocked_until = case when known.failures >= %(free)s then
                clock_timestamp() + least(%(first)s * power(2, least(known.failures - %(free)s, 20)), %(longest)s)
            end
        where known.blocked_until is null or known.blocked_until <= clock_timestamp()
        returning failures
        """,
        which | {"free": bound.free, "first": FIRST_PAUSE, "longest": bound.longest},
    ).fetchone()
    if row is None:
        until = conn.execute(
            "select ceil(extract(epoch from blocked_until - clock_timestamp()))::int from portal.attempt"
            " where login_hash = %(login)s and source_hash = %(source)s",
            which,
        ).fetchone()
        raise BlockedError(max(1, until[0] if until else 1))


def _failed(conn: Conn, login: str, address: str, is_known: bool) -> None:
    row = conn.execute(
        "select failures, blocked_until from portal.attempt where login_hash = %s and source_hash = %s",
        (_digest(login), _source(login, address)),
    ).fetchone()
    until: datetime | None = row[1] if row else None
    _trail(
        conn,
        login if is_known else UNKNOWN,
        "sign_in_failed",
        failures=row[0] if row else 1,
        blocked_until=until.isoformat(timespec="seconds") if until else None,
    )


def _forget_attempts(conn: Conn, login: str, address: str) -> None:
    """Reset the counts of this address and of all addresses together. Another address that guessed keeps its pause."""
    conn.execute(
        "delete from portal.attempt where login_hash = %s and source_hash in ('', %s)",
        (_digest(login), _source(login, address)),
    )


def _source(login: str, address: str) -> bytes:
    """Return a hash of a login and an address. IPv6 addresses count by /64 network, because one office has a whole network."""
    with suppress(ValueError):
        known = ip_address(address)
        if known.version == 6:
            address = str(ip_network((known, 64), strict=False))
    return _digest(f"{login}\0{address}")


def _open(conn: Conn, login: str, way: str, *, sets_password: bool) -> str:
    token = secrets.token_urlsafe(32)
    conn.execute("delete from portal.session where ends_at <= clock_timestamp()")
    conn.execute(
        "insert into portal.session (token_hash, login, sets_password, ends_at) values (%s, %s, %s, clock_timestamp() + %s)",
        (_digest(token), login, sets_password, SETTING if sets_password else SESSION),
    )
    _trail(conn, login, "sign_in", way=way)
    return token


def _trail(conn: Conn, actor: str, action: str, about: str = "portal", **details: Any) -> None:
    audit_trail.record(conn, actor, action, about, **details)


def _connected() -> psycopg.Connection[Any]:
    conn = warehouse.connect(settings(), ROLE)
    conn.autocommit = True
    return conn


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _hash(password: str) -> str:
    with _turn:
        return _hasher.hash(password)


def _fits(known_hash: str, password: str) -> bool:
    try:
        with _turn:
            return _hasher.verify(known_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    """Return the hash of a password that nobody has, so that an unknown login takes as long as a known one."""
    return _hash(secrets.token_urlsafe(32))
