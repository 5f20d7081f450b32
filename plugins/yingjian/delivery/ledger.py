"""The ledger records deliveries and prevents duplicates (docs/decisions/delivery-once.md).

Every step is a short transaction of its own, so the record stays correct if the process dies at any moment. A process that
makes an attempt holds a session-level advisory lock on it, which the database releases when the process dies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import psycopg

from yingjian.database.rows import records
from yingjian.delivery.recipients import Recipient
from yingjian.people.audience import Audience
from yingjian.privacy import audit_trail

FAILURES = ("failed", "bounced", "uncertain")
IS_SUPERSEDED = """exists (
    select from published.publication as newer
    inner join published.publication as mine on mine.publication_id = %(id)s
    where (newer.as_of_date, newer.publication_id) > (mine.as_of_date, mine.publication_id)
)"""
IS_OPEN = "(state in ('planned', 'sending') or (state = 'failed' and will_retry))"
INTERRUPTED = "发送过程被中断，无法确认是否送达；不会自动重发，请核实后人工处理"


@dataclass(frozen=True)
class Attempt:
    """An attempt is a row of delivery.attempt."""

    attempt_id: int
    publication_id: int | None
    what: str
    occasion: str
    official: str
    channel: str
    number: int
    target: str
    audience: Audience
    state: str


@contextmanager
def _durably(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Commit what the connection has open, then run the block in a transaction of its own."""
    conn.commit()
    with conn.transaction():
        yield


def plan(
    conn: psycopg.Connection[Any],
    publication_id: int | None,
    what: str,
    recipients: Sequence[Recipient],
    not_before: datetime,
    occasion: str = "",
    later: Mapping[str, datetime] = MappingProxyType({}),
) -> int:
    """Record what is to be sent; return the number of attempts. Planning again with the same directory changes nothing.

    `later` replaces `not_before` for officials, by login, because of their quiet hours.

    A pending attempt follows the directory of officials: it takes the official's current address, and it becomes
    `cancelled` when the official no longer receives the pages. If two officials have the same target for the same pages,
    only the first one's attempt is sent, and the other's becomes `shared`.
    """
    key = {"id": publication_id, "what": what, "occasion": occasion}
    with _durably(conn):
        conn.execute("select pg_advisory_xact_lock(hashtext('yingjian.delivery.plan'))")
        conn.execute(
            """
            update delivery.attempt set state = 'cancelled', ended_at = clock_timestamp()
            where publication_id is not distinct from %(id)s and what = %(what)s and occasion = %(occasion)s
            and (state in ('planned', 'shared') or (state = 'failed' and will_retry))
            """,
            key,
        )
        for one in recipients:
            conn.execute(
                """
                insert into delivery.attempt as attempt (
                    publication_id, what, occasion, official, channel, number, target, audience_kind, audience,
                    not_before, state
                )
                select
                    %(id)s, %(what)s, %(occasion)s, %(official)s, %(channel)s, %(number)s, %(target)s,
                    %(kind)s, %(audience)s, %(not_before)s,
                    case when exists (
                        select from delivery.attempt as other
                        where other.publication_id is not distinct from %(id)s and other.what = %(what)s
                        and other.occasion = %(occasion)s
                        and other.channel = %(channel)s and other.target = %(target)s
                        and other.audience_kind = %(kind)s and other.audience = %(audience)s
                        and other.state not in ('shared', 'cancelled')
                    ) then 'shared' else 'planned' end
                on conflict on constraint once_per_official do update
                set
                    target = excluded.target, audience_kind = excluded.audience_kind, audience = excluded.audience,
                    state = excluded.state, will_retry = false, ended_at = null, not_before = excluded.not_before
                where attempt.state = 'cancelled'
                """,
                key
                | {
                    "official": one.official.login,
                    "channel": one.channel.kind,
                    "number": one.number,
                    "target": one.channel.target,
                    "kind": one.audience.kind,
                    "audience": one.audience.name,
                    "not_before": later.get(one.official.login, not_before),
                },
            )
        row = conn.execute(
            """
            select count(*) from delivery.attempt
            where publication_id is not distinct from %(id)s and what = %(what)s and occasion = %(occasion)s
            and state not in ('shared', 'cancelled')
            """,
            key,
        ).fetchone()
    return int(row[0]) if row else 0


def supersede(conn: psycopg.Connection[Any], publication_id: int) -> int:
    """Mark a publication's planned packs as superseded if a newer one of the same or a later date exists; return how many.

    Attempts that were sent or that failed stay as they are.
    """
    with _durably(conn):
        return conn.execute(
            """
            update delivery.attempt set state = 'superseded', ended_at = clock_timestamp()
            where publication_id = %(id)s and what = 'pack' and state = 'planned' and """
            + IS_SUPERSEDED,
            {"id": publication_id},
        ).rowcount


def open_attempts(
    conn: psycopg.Connection[Any], publication_id: int | None, what: str, occasion: str = ""
) -> list[int]:
    """Return the ids of the attempts that are due or under way, in the order of planning."""
    with _durably(conn):
        return [
            number
            for (number,) in conn.execute(
                f"""
                select attempt_id from delivery.attempt
                where publication_id is not distinct from %s and what = %s and occasion = %s
                and not_before <= clock_timestamp() and {IS_OPEN}
                order by attempt_id
                """,  # type: ignore[arg-type]
                (publication_id, what, occasion),
            )
        ]


@contextmanager
def held(conn: psycopg.Connection[Any], attempt_id: int) -> Iterator[Attempt | None]:
    """Yield the attempt under an advisory lock; None when another process holds it, or when the attempt has ended meanwhile.

    If an attempt is `sending` although nobody held its lock, the process that sent it has died.
    """
    name = f"yingjian.delivery.{attempt_id}"
    conn.commit()
    row = conn.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", (name,)).fetchone()
    conn.commit()
    if not row or not row[0]:
        yield None
        return
    try:
        yield _read(conn, attempt_id)
    finally:
        conn.rollback()
        conn.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", (name,))
        conn.commit()


def _read(conn: psycopg.Connection[Any], attempt_id: int) -> Attempt | None:
    with _durably(conn):
        rows = records(
            conn,
            f"""
            select
                attempt_id, publication_id, what, occasion, official, channel, number, target, audience_kind, audience,
                state
            from delivery.attempt
            where attempt_id = %(id)s and {IS_OPEN}
            """,
            id=attempt_id,
        )
    if not rows:
        return None
    row = rows[0]
    return Attempt(**row | {"audience": Audience(row.pop("audience_kind"), row["audience"])})


def sending(conn: psycopg.Connection[Any], attempt: Attempt, reference: str) -> bool:
    """Record that the message may arrive from now on; return False when the attempt was cancelled and must not be made."""
    with _durably(conn):
        return (
            conn.execute(
                f"""
                update delivery.attempt
                set state = 'sending', sending_at = clock_timestamp(), tries = tries + 1, reference = %s
                where attempt_id = %s and {IS_OPEN}
                """,  # type: ignore[arg-type]
                (reference, attempt.attempt_id),
            ).rowcount
            > 0
        )


def not_sent_yet(conn: psycopg.Connection[Any], attempt: Attempt, reason: str) -> None:
    """Record that the message definitely did not arrive and will be retried at once."""
    _to(conn, attempt, "planned", "error = %(text)s", reason)


def sent(conn: psycopg.Connection[Any], attempt: Attempt) -> None:
    """Record that the message was sent, also in the audit trail of who received personal data."""
    with _durably(conn):
        _set(conn, attempt, "sent", "error = %(text)s, will_retry = false, ended_at = clock_timestamp()", None)
        audit_trail.record(
            conn, "delivery", "delivery", f"publication:{attempt.publication_id or 'none'}",
            what=attempt.what, official=attempt.official, channel=attempt.channel, audience=attempt.audience.code,
        )  # fmt: skip


def ended(
    conn: psycopg.Connection[Any], attempt: Attempt, state: str, reason: str, *, will_retry: bool = False
) -> None:
    """Record that the attempt failed, bounced or is uncertain."""
    again = "true" if will_retry else "false"
    _to(conn, attempt, state, f"error = %(text)s, will_retry = {again}, ended_at = clock_timestamp()", reason)


def _to(conn: psycopg.Connection[Any], attempt: Attempt, state: str, settings: str, text: str | None) -> None:
    with _durably(conn):
        _set(conn, attempt, state, settings, text)


def _set(conn: psycopg.Connection[Any], attempt: Attempt, state: str, settings: str, text: str | None) -> None:
    conn.execute(
        f"update delivery.attempt set state = %(state)s, {settings} where attempt_id = %(id)s".encode(),
        {"state": state, "id": attempt.attempt_id, "text": text},
    )


def pause(conn: psycopg.Connection[Any], channel: str, target: str, per_minute: int) -> float:
    """Return the seconds to wait until the rate limit of a target allows another message."""
    with _durably(conn):
        row = conn.execute(
            """
            select extract(epoch from sending_at + interval '1 minute' - clock_timestamp())
            from delivery.attempt
            where channel = %s and target = %s and sending_at > clock_timestamp() - interval '1 minute'
            order by sending_at desc offset %s limit 1
            """,
            (channel, target, per_minute - 1),
        ).fetchone()
    return max(0.0, float(row[0])) if row else 0.0


def bounced(conn: psycopg.Connection[Any], reference: str, reason: str) -> bool:
    """Record that a mail bounced. Return whether that was new."""
    with _durably(conn):
        return (
            conn.execute(
                """
                update delivery.attempt set state = 'bounced', error = %s, will_retry = false, ended_at = clock_timestamp()
                where reference = %s and channel = 'mail' and state in ('sent', 'uncertain')
                """,
                (reason, reference),
            ).rowcount
            > 0
        )


def retry(conn: psycopg.Connection[Any], publication_id: int, attempt_ids: Sequence[int] = ()) -> list[int]:
    """Mark failed, bounced or uncertain attempts for a retry; return their ids.

    Without `attempt_ids`, uncertain attempts are left out: they may have arrived, so a person must name them. A superseded
    pack is never retried.
    """
    with _durably(conn):
        return [
            number
            for (number,) in conn.execute(
                """
                update delivery.attempt set state = 'failed', will_retry = true
                where publication_id = %(id)s and what in ('pack', 'bulletin')
                and state in ('failed', 'bounced', 'uncertain')
                and case
                    when cardinality(%(ids)s::bigint[]) = 0 then state <> 'uncertain' else attempt_id = any(%(ids)s)
                end
                and not (what = 'pack' and """
                + IS_SUPERSEDED
                + ") returning attempt_id",
                {"id": publication_id, "ids": list(attempt_ids)},
            )
        ]


def waiting(conn: psycopg.Connection[Any], publication_id: int, due: datetime) -> list[int]:
    """Return the ids of a pack's attempts that were delayed by quiet hours and are due now."""
    with _durably(conn):
        return [
            number
            for (number,) in conn.execute(
                """
                select attempt_id from delivery.attempt
                where publication_id = %s and what = 'pack' and state = 'planned' and not_before > %s
                and not_before <= clock_timestamp()
                order by attempt_id
                """,
                (publication_id, due),
            )
        ]


def open_occasions(conn: psycopg.Connection[Any], what: str) -> list[str]:
    """Return the occasions of messages of a kind that are due or under way, oldest first."""
    with _durably(conn):
        return [
            occasion
            for (occasion,) in conn.execute(
                f"""
                select occasion from delivery.attempt
                where what = %s and not_before <= clock_timestamp() and {IS_OPEN}
                group by occasion order by min(attempt_id)
                """,  # type: ignore[arg-type]
                (what,),
            )
        ]


def attempts(conn: psycopg.Connection[Any], publication_id: int | None) -> list[dict[str, Any]]:
    """Return every attempt of a publication, for display: columns of delivery.attempt without the addresses."""
    return records(
        conn,
        """
        select
            attempt_id, what, occasion, official, channel, number, audience_kind, audience, state, will_retry, tries, error,
            not_before, ended_at
        from delivery.attempt where publication_id is not distinct from %(id)s
        order by attempt_id
        """,
        id=publication_id,
    )


def summary(conn: psycopg.Connection[Any], publications: int = 3) -> list[str]:
    """Return the states of the newest publications' deliveries: one line for each, followed by a line for each failure.

    The lines are for people to read; they name officials and channels, but no address.
    """
    publication_states = records(
        conn,
        """
        with newest as (
            select distinct publication_id from delivery.attempt where publication_id is not null
            order by publication_id desc limit %(publications)s
        )
        select
            publication_id, publication.as_of_date,
            string_agg(concat_ws(' ', attempts, state), ', ' order by state) as states
        from (
            select publication_id, state, count(*) as attempts
            from delivery.attempt inner join newest using (publication_id)
            group by publication_id, state
        ) as counted
        inner join published.publication as publication using (publication_id)
        group by publication_id, publication.as_of_date
        order by publication_id desc
        """,
        publications=publications,
    )
    lines = []
    for row in publication_states:
        lines.append(f"deliveries of publication {row['publication_id']} of {row['as_of_date']}: {row['states']}")
        lines += [
            f"  {attempt['what']} for {attempt['official']} by {attempt['channel']} {attempt['state']}: {attempt['error']}"
            for attempt in attempts(conn, row["publication_id"])
            if attempt["state"] in FAILURES
        ]
    return lines
