"""Mutual exclusion of builds: one run at a time owns the schema `build`, from its first model to the switch.

docs/decisions/one-build.md has the reasons. Ownership is a row of `publishing.build` and not a lock of a connection, because a
day is built by several tasks in several processes. A run that asks waits until the owner has ended or is dead, and until no
earlier business date is waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import psycopg

from yingjian.database import locks

# A waiting run polls every few seconds; one that was not seen for this long no longer blocks the others.
UNSEEN = timedelta(minutes=2)
BY_HAND = "hand:"

# States of an open build: it waits for its turn, or it owns the schema and is building or asking a person.
OWNING = ("building", "asking")
OPEN = ("waiting", *OWNING)

_COLUMNS = "build_id, run_id, run_key, token::text, as_of_date, state"


class NotOwnerError(RuntimeError):
    """Raised when a run uses the schema `build` without owning it; the text names the owner."""

    may_be_told = True


@dataclass(frozen=True)
class Build:
    """A build is a claim on the schema `build`, stored as a row of `publishing.build`."""

    build_id: int
    run_id: str
    run_key: str
    token: str
    as_of_date: date
    state: str


def ask(conn: psycopg.Connection[Any], run_id: str, day: date, missing_feeds: list[str] | None = None) -> Build:
    """Record a run's claim to build a business date.

    The call is idempotent while the run's claim is waiting or owns the schema. Once that claim has ended, a new one is made,
    and the day is built and published again.
    """
    with conn.transaction():
        _lock(conn)
        newest = _newest(conn, run_id)
        if newest and newest.state in OPEN:
            return newest
        claims = conn.execute("select count(*) from publishing.build where run_id = %s", (run_id,)).fetchone()
        number = (claims[0] if claims else 0) + 1
        row = conn.execute(
            f"""
            insert into publishing.build (run_id, run_key, as_of_date, missing_feeds) values (%s, %s, %s, %s)
            returning {_COLUMNS}
            """,  # type: ignore[arg-type]
            (run_id, run_id if number == 1 else f"{run_id}#{number}", day, missing_feeds or []),
        ).fetchone()
    assert row is not None
    return Build(*row)


def take_turn(
    conn: psycopg.Connection[Any], build: Build, is_alive: Callable[[str], bool], is_earlier_coming: Callable[[], bool]
) -> bool:
    """Take ownership if it is this claim's turn; return whether the claim owns the schema now.

    is_alive: whether the run of a run_id is still running; a dead run's build is ended. is_earlier_coming: whether a run of an
    earlier business date is about to ask. An owner that waits for a person is superseded by a claim for the same or a later
    date.
    """
    with conn.transaction():
        _lock(conn)
        conn.execute("update publishing.build set seen_at = clock_timestamp() where build_id = %s", (build.build_id,))
        owner = _owner(conn)
        if owner is not None and owner.build_id == build.build_id:
            return True
        if owner is not None:
            if not is_alive(owner.run_id):
                _end(conn, owner.build_id, "failed")
            elif owner.state == "asking" and build.as_of_date >= owner.as_of_date:
                _end(conn, owner.build_id, "superseded")
            else:
                return False
        earlier = conn.execute(
            """
            select 1 from publishing.build
            where state = 'waiting' and (as_of_date, build_id) < (%s, %s) and seen_at > clock_timestamp() - %s
            """,
            (build.as_of_date, build.build_id, UNSEEN),
        ).fetchone()
        if earlier is not None or is_earlier_coming():
            return False
        return (
            conn.execute(
                """
                update publishing.build set state = 'building', began_at = clock_timestamp()
                where build_id = %s and state = 'waiting'
                """,
                (build.build_id,),
            ).rowcount
            == 1
        )


def begin(conn: psycopg.Connection[Any], run_id: str) -> Build:
    """Start building the models with a new token, which invalidates earlier models and checks of this run.

    Raises NotOwnerError.
    """
    with conn.transaction():
        locks.hold(conn, locks.STAGING)  # Wait for a running landing.
        _lock(conn)
        build = owned(conn, run_id)
        row = conn.execute(
            f"""
            update publishing.build
            set token = gen_random_uuid(), state = 'building',
                last_file_id = (select max(file_id) from quality.landed_file)
            where build_id = %s returning {_COLUMNS}
            """,  # type: ignore[arg-type]
            (build.build_id,),
        ).fetchone()
    assert row is not None
    return Build(*row)


def keep_models(conn: psycopg.Connection[Any], build: Build, results: dict[str, Any]) -> None:
    """Record each model's result in the build's latest attempt. results: state, seconds and rows by dbt's unique id."""
    with conn.transaction(), conn.cursor() as cursor:
        cursor.executemany(
            """
            insert into operations.model_run (run_key, as_of_date, model, state, seconds, rows, ended_at)
            values (%s, %s, %s, %s, %s, %s, clock_timestamp())
            on conflict (run_key, model) do update set
                state = excluded.state, seconds = excluded.seconds, rows = excluded.rows, ended_at = excluded.ended_at
            """,
            [
                (build.run_key, build.as_of_date, name.rpartition(".")[2], node["state"], node["seconds"], node["rows"])
                for name, node in results.items()
                if name.startswith("model.")
            ],
        )


@contextmanager
def staging_at_rest(
    conn: psycopg.Connection[Any], is_alive: Callable[[str], bool], wait: Callable[[], None]
) -> Iterator[None]:
    """Block new builds and audits while the caller writes staging, so that none reads two states of it.

    The call waits until a running build asks a person or ends. It does not wait for a dead run's build.
    """
    while True:
        conn.execute("select pg_advisory_lock(hashtext(%s))", (locks.STAGING,))
        owner = _owner(conn)
        conn.commit()
        if owner is None or owner.state != "building" or not is_alive(owner.run_id):
            break
        conn.execute("select pg_advisory_unlock(hashtext(%s))", (locks.STAGING,))
        conn.commit()
        wait()
    try:
        yield
    finally:
        conn.execute("select pg_advisory_unlock(hashtext(%s))", (locks.STAGING,))
        conn.commit()


def owned(conn: psycopg.Connection[Any], run_id: str) -> Build:
    """Return the build that a run owns. Raises NotOwnerError."""
    owner = _owner(conn)
    if owner is not None and owner.run_id == run_id:
        return owner
    whose = f"belongs to run {owner.run_id} of {owner.as_of_date}" if owner else "belongs to nobody"
    raise NotOwnerError(f"the schema build {whose}: clear claim_build with what follows, to build this day again")


def ask_person(conn: psycopg.Connection[Any], run_id: str) -> None:
    """Record that the build awaits a person's release; from now on a later run may take its place."""
    with conn.transaction():
        build = owned(conn, run_id)
        conn.execute("update publishing.build set state = 'asking' where build_id = %s", (build.build_id,))


def keep(conn: psycopg.Connection[Any], run_id: str) -> None:
    """Record that the build was released; from now on no other run may take its place. Raises NotOwnerError."""
    with conn.transaction():
        _lock(conn)
        build = owned(conn, run_id)
        conn.execute("update publishing.build set state = 'building' where build_id = %s", (build.build_id,))


def end(conn: psycopg.Connection[Any], build: Build, state: str) -> bool:
    """Free the schema; return whether the build was still open. state: published or failed."""
    with conn.transaction():
        return _end(conn, build.build_id, state)


@contextmanager
def by_hand(
    conn: psycopg.Connection[Any], day: date, is_alive: Callable[[str], bool], wait: Callable[[], None]
) -> Iterator[Build]:
    """Own the schema while this process builds in it; nothing that it builds is published.

    wait: called between two attempts to take ownership.
    """
    run_id = f"{BY_HAND}{uuid4()}"
    conn.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (run_id,))
    conn.commit()
    build = ask(conn, run_id, day)
    try:
        while not take_turn(conn, build, is_alive, lambda: False):
            wait()
        yield begin(conn, run_id)
    finally:
        end(conn, build, "failed")
        conn.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", (run_id,))
        conn.commit()


def process_is_alive(conn: psycopg.Connection[Any], run_id: str) -> bool:
    """Return whether the process of a manual build still holds its lock; this includes a stopped process (SIGSTOP)."""
    row = conn.execute(
        """
        select exists (
            select from pg_locks
            where locktype = 'advisory' and granted
            and (classid::bigint << 32) | objid::bigint = hashtextextended(%s, 0)
        )
        """,
        (run_id,),
    ).fetchone()
    return bool(row and row[0])


def _lock(conn: psycopg.Connection[Any]) -> None:
    conn.execute("lock table publishing.build in share row exclusive mode")


def _newest(conn: psycopg.Connection[Any], run_id: str) -> Build | None:
    row = conn.execute(
        f"select {_COLUMNS} from publishing.build where run_id = %s order by build_id desc limit 1",  # type: ignore[arg-type]
        (run_id,),
    ).fetchone()
    return Build(*row) if row else None


def _owner(conn: psycopg.Connection[Any]) -> Build | None:
    row = conn.execute(
        f"select {_COLUMNS} from publishing.build where state = any(%s)",  # type: ignore[arg-type]
        (list(OWNING),),
    ).fetchone()
    return Build(*row) if row else None


def _end(conn: psycopg.Connection[Any], build_id: int, state: str) -> bool:
    ended = conn.execute(
        "update publishing.build set state = %s, ended_at = clock_timestamp() where build_id = %s and ended_at is null",
        (state, build_id),
    )
    return ended.rowcount == 1
