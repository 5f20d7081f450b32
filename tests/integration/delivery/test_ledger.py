"""Once and only once: killed in the middle, two at a time, superseded, moved; every attempt on record."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path

import psycopg
import pytest

from tests.integration.delivery.conftest import DIRECTORY, PUBLICATION, directory, states
from tests.servers import MailServer
from tests.towns import town
from yingjian.delivery import courier, ledger
from yingjian.delivery.courier import Delivered
from yingjian.delivery.errors import MaybeSent, NotSent
from yingjian.delivery.mail import Mail
from yingjian.delivery.messages import Composer, Letter, Message
from yingjian.delivery.recipients import askable, recipients
from yingjian.people.officials import Officials
from yingjian.settings import PROJECT_ROOT

DUE = courier.due_at(town.LAST_DAY, time(7))


class Spy:
    """A channel that writes down what it is given; `fails` are raised first, one per message."""

    per_minute = None
    is_repeatable = False

    def __init__(self, kind: str, fails: list[Exception] | None = None) -> None:
        self.kind = kind
        self.sent: list[tuple[str, Message]] = []
        self.fails = fails or []

    def reference(self, message: Message) -> str:
        return message.token

    def open(self) -> None: ...

    def close(self) -> None: ...

    def send(self, target: str, message: Message) -> None:
        if self.fails:
            raise self.fails.pop(0)
        self.sent.append((target, message))


@pytest.fixture
def deliver(conn: psycopg.Connection, composer: Composer, officials: Officials) -> Callable[..., Delivered]:
    def run(spies: dict[str, Spy], who: Officials = officials, what: str = "pack", due: datetime = DUE) -> Delivered:
        courier.plan(conn, PUBLICATION, what, who, due)
        return courier.deliver(conn, PUBLICATION, what, who, composer, spies, sleep=lambda _: None)

    return run


def spies(**fails: list[Exception]) -> dict[str, Spy]:
    return {kind: Spy(kind, fails.get(kind)) for kind in ("mail", "wecom", "dingtalk", "folder")}


def test_the_hour_is_that_of_the_next_day_in_shanghai() -> None:
    assert courier.due_at(date(2022, 7, 24), time(7)).isoformat() == "2022-07-25T07:00:00+08:00"


def test_who_receives_what(officials: Officials) -> None:
    packs = [(one.official.login, one.channel.kind, one.audience.title) for one in recipients(officials, "pack")]
    assert packs == [
        ("director", "mail", "街道"), ("director", "wecom", "街道"), ("director", "dingtalk", "街道"),
        ("deputy", "mail", "街道"), ("health", "mail", "卫健局"), ("grid", "mail", "招丰社区"),
        ("grid", "folder", "招丰社区"),
    ]  # fmt: skip
    assert [one.official.login for one in recipients(officials, "bulletin")] == ["press"]
    assert [(one.official.login, one.channel.kind) for one in askable(officials, "sign_off", deputies=True)] == [
        ("director", "mail"), ("director", "wecom"), ("director", "dingtalk"), ("deputy", "mail"),
    ]  # fmt: skip
    assert {one.official.login for one in askable(officials, "release", deputies=False)} == {"director"}
    assert askable(officials, "quarantine", deputies=True) == []


def test_before_the_hour_nothing_is_sent(conn: psycopg.Connection, deliver: Callable[..., Delivered]) -> None:
    channels = spies()
    assert deliver(channels, due=courier.due_at(date(9999, 1, 1), time(7))).states == {"planned": 7}
    assert all(spy.sent == [] for spy in channels.values())


def test_twice_is_once(deliver: Callable[..., Delivered]) -> None:
    first, second = spies(), spies()
    assert deliver(first).states == deliver(second).states == {"sent": 7}
    assert sum(len(spy.sent) for spy in first.values()) == 7 and all(spy.sent == [] for spy in second.values())


def test_every_delivery_is_in_the_audit_trail(conn: psycopg.Connection, deliver: Callable[..., Delivered]) -> None:
    [before] = conn.execute("select count(*) from audit.event").fetchone() or [0]
    deliver(spies(mail=[NotSent("拒绝", again=False)]))
    rows = conn.execute(
        "select actor, action, object, details ->> 'official', details ->> 'audience' from audit.event where event_id > %s",
        (before,),
    ).fetchall()
    assert len(rows) == 6
    assert ("delivery", "delivery", f"publication:{PUBLICATION}", "grid", "community-招丰社区") in rows


def test_a_newer_publication_before_the_hour_supersedes(
    conn: psycopg.Connection, deliver: Callable[..., Delivered]
) -> None:
    assert deliver(spies(mail=[NotSent("忙", again=True)] * courier.TRIES)).states == {"sent": 6, "failed": 1}
    conn.execute("update delivery.attempt set state = 'planned' where channel = 'wecom'")
    older = "insert into published.publication (publication_id, as_of_date) values (%s, %s)"
    conn.execute(older, (PUBLICATION + 2, date(2022, 7, 20)))
    conn.commit()
    ledger.supersede(conn, PUBLICATION)
    assert "superseded" not in states(conn).values(), "an earlier day run again does not replace this one"
    conn.execute(older, (PUBLICATION + 3, town.LAST_DAY))
    conn.commit()
    channels = spies()
    assert deliver(channels).states == {"sent": 5, "superseded": 2}
    assert states(conn)["director/wecom"] == states(conn)["director/mail"] == "superseded"
    assert all(spy.sent == [] for spy in channels.values())


def test_a_killed_sender_leaves_an_uncertain_mail_and_the_rest_is_sent_once(
    published: str, conn: psycopg.Connection, mail_server: MailServer, reports: Path, tmp_path: Path,
    composer: Composer, officials: Officials,
) -> None:  # fmt: skip
    """kill -9 between the server's acceptance and the record of it: nobody can know, so nobody gets it twice."""
    (tmp_path / "officials.yml").write_text(DIRECTORY)
    accepted = threading.Event()
    go_on = threading.Event()

    def accept(_: object) -> None:
        accepted.set()
        go_on.wait(60)

    mail_server.on_data = accept
    script = textwrap.dedent(
        f"""
        import sys
        from datetime import time
        from pathlib import Path
        import psycopg
        from yingjian.delivery import courier
        from yingjian.delivery.folder import Folder
        from yingjian.delivery.mail import Mail
        from yingjian.delivery.messages import Composer
        from yingjian.people.officials import read_officials
        from tests.towns import town
        officials = read_officials(Path({str(tmp_path / "officials.yml")!r}))
        with psycopg.connect({published!r}) as conn:
            courier.plan(conn, {PUBLICATION}, "pack", officials, courier.due_at(town.LAST_DAY, time(7)))
            composer = Composer(conn, {PUBLICATION}, Path({str(reports)!r}), b"secret", "")
            courier.deliver(conn, {PUBLICATION}, "pack", officials, composer, {{"mail": Mail()}})
        """
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT_ROOT, env={**os.environ})
    try:
        assert accepted.wait(90)
        assert states(conn)["director/mail"] == "sending"
        with ledger.held(conn, ledger.open_attempts(conn, PUBLICATION, "pack")[0]) as attempt:
            assert attempt is None, "while the other is alive nobody else touches it"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        go_on.set()
    mail_server.on_data = lambda _: None
    who = officials
    courier.plan(conn, PUBLICATION, "pack", who, DUE)
    channels = {**spies(), "mail": Mail()}
    done = courier.deliver(conn, PUBLICATION, "pack", who, composer, channels)  # type: ignore[arg-type]
    assert done.states["uncertain"] == 1
    assert any(failure.startswith("director/mail：发送过程被中断") for failure in done.failures)
    assert mail_server.recipients.count("director@example.org") == 1
    assert {mail_server.recipients.count(f"{login}@example.org") for login in ("deputy", "health", "grid")} == {1}


def test_two_runs_at_once_send_each_mail_once(
    connect: Callable[[], psycopg.Connection], conn: psycopg.Connection, mail_server: MailServer, reports: Path,
    officials: Officials, composer: Composer,
) -> None:  # fmt: skip
    errors: list[Exception] = []
    barrier = threading.Barrier(3)
    for official in officials.by_login.values():
        composer._pack_of(official.audience)

    def run() -> None:
        try:
            with connect() as mine, connect() as reader:
                barrier.wait()
                courier.plan(mine, PUBLICATION, "pack", officials, DUE)
                mails = {**spies(), "mail": Mail()}
                own = Composer(reader, PUBLICATION, reports, b"secret", "")
                courier.deliver(mine, PUBLICATION, "pack", officials, own, mails)  # type: ignore[arg-type]
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert mail_server.recipients == sorted(
        f"{login}@example.org" for login in ("director", "deputy", "health", "grid")
    )
    assert set(states(conn).values()) == {"sent"}


def test_one_attempt_s_fault_is_not_the_others_and_says_nothing_personal(
    conn: psycopg.Connection, deliver: Callable[..., Delivered], caplog: pytest.LogCaptureFixture
) -> None:
    done = deliver(spies(mail=[RuntimeError("王测试 350503194205022751")]))
    assert done.states == {"sent": 6, "uncertain": 1}
    assert "RuntimeError" in done.failures[0] and "王测试" not in done.failures[0] + caplog.text


def test_the_same_place_for_the_same_pages_is_served_once(
    conn: psycopg.Connection, deliver: Callable[..., Delivered], tmp_path: Path
) -> None:
    both = directory(tmp_path, DIRECTORY.replace("deputy@example.org", "director@example.org"))
    channels = spies()
    assert deliver(channels, both).states == {"sent": 6, "shared": 1}
    assert [target for target, _ in channels["mail"].sent].count("director@example.org") == 1
    without = Officials({login: o for login, o in both.by_login.items() if login != "director"})
    conn.execute("update delivery.attempt set state = 'planned' where official = 'director'")
    conn.commit()
    channels = spies()
    deliver(channels, without)
    assert [target for target, _ in channels["mail"].sent] == ["director@example.org"]
    assert states(conn)["director/mail"] == "cancelled" and states(conn)["deputy/mail"] == "sent"


def test_who_left_gets_nothing_and_a_new_address_is_used(
    conn: psycopg.Connection, deliver: Callable[..., Delivered], officials: Officials, tmp_path: Path
) -> None:
    courier.plan(conn, PUBLICATION, "pack", officials, DUE)
    changed = directory(tmp_path, DIRECTORY.replace("health@example.org", "new@example.org"))
    changed = Officials({login: o for login, o in changed.by_login.items() if login != "grid"})
    channels = spies()
    deliver(channels, changed)
    assert sorted(target for target, _ in channels["mail"].sent) == [
        "deputy@example.org", "director@example.org", "new@example.org",
    ]  # fmt: skip
    assert states(conn)["grid/mail"] == states(conn)["grid/folder"] == "cancelled"
    again = directory(tmp_path, DIRECTORY.replace("health@example.org", "newest@example.org"))
    channels = spies()
    deliver(channels, again)
    assert [target for target, _ in channels["mail"].sent] == ["grid@example.org"], (
        "a new address is no reason to send again"
    )


def test_a_person_may_have_failed_ones_sent_again_and_an_uncertain_one_by_its_number(
    conn: psycopg.Connection, deliver: Callable[..., Delivered]
) -> None:
    deliver(spies(mail=[NotSent("拒绝", again=False)], wecom=[MaybeSent("无确认")]))
    assert states(conn)["director/mail"] == "failed" and states(conn)["director/wecom"] == "uncertain"
    channels = spies()
    deliver(channels)
    assert all(spy.sent == [] for spy in channels.values())
    assert len(ledger.retry(conn, PUBLICATION)) == 1
    deliver(channels)
    assert len(channels["mail"].sent) == 1 and channels["wecom"].sent == []
    [uncertain] = [row["attempt_id"] for row in ledger.attempts(conn, PUBLICATION) if row["state"] == "uncertain"]
    assert ledger.retry(conn, PUBLICATION) == [] and ledger.retry(conn, PUBLICATION, [uncertain]) == [uncertain]
    deliver(channels)
    assert len(channels["wecom"].sent) == 1 and set(states(conn).values()) == {"sent"}
    assert ledger.retry(conn, PUBLICATION, [uncertain]) == [], "what arrived is not sent again, whoever asks"
    conn.execute("update delivery.attempt set state = 'failed' where channel = 'folder'")
    conn.execute(
        "insert into published.publication (publication_id, as_of_date) values (%s, %s)",
        (PUBLICATION + 3, town.LAST_DAY),
    )
    conn.commit()
    assert ledger.retry(conn, PUBLICATION) == [], "nor what a newer publication replaced"


def test_the_bulletin_goes_to_those_who_receive_it(deliver: Callable[..., Delivered]) -> None:
    channels = spies()
    assert deliver(channels, what="bulletin").states == {"sent": 1}
    [(target, message)] = channels["folder"].sent
    assert target == "对外发布" and [path.name for path in message.files] == ["bulletin.html", "bulletin.pdf"]
    assert ("重点人群应检", "4,321 人次") in message.facts and ("当日新增本土感染者", "＊") in message.facts


def test_a_request_goes_out_once_per_run(conn: psycopg.Connection, composer: Composer, officials: Officials) -> None:
    for occasion, expected in (("run-1", 4), ("run-1", 0), ("run-2", 4)):
        asked = askable(officials, "sign_off", deputies=True)
        courier.plan(conn, PUBLICATION, "request", officials, DUE, occasion, asked)
        channels = spies()
        courier.deliver(conn, PUBLICATION, "request", officials, composer, channels, occasion=occasion)
        assert sum(len(spy.sent) for spy in channels.values()) == expected
        assert all("请审签" in message.subject for spy in channels.values() for _, message in spy.sent)


def test_a_letter_is_about_no_publication_and_goes_out_once(conn: psycopg.Connection, officials: Officials) -> None:
    letter = Letter("7月25日日报未能按时发布", (("原因", "等待核酸检测结果"),), secret=b"secret")
    asked = askable(officials, "release", deputies=True)
    for occasion, expected in (("2022-07-25", 4), ("2022-07-25", 0), ("2022-07-26", 4)):
        courier.plan(conn, None, "absence", officials, DUE, occasion, asked)
        channels = spies()
        done = courier.deliver(conn, None, "absence", officials, letter, channels, occasion=occasion)
        assert done.states == {"sent": 4} and sum(len(spy.sent) for spy in channels.values()) == expected
    with pytest.raises(psycopg.errors.CheckViolation):
        courier.plan(conn, None, "pack", officials, DUE)


def test_every_table_and_column_has_its_comment(conn: psycopg.Connection) -> None:
    missing = conn.execute(
        """
        select c.relname, a.attname from pg_class c
        inner join pg_namespace n on n.oid = c.relnamespace
        inner join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where (n.nspname in ('delivery', 'reporting_public') or c.relname in ('public_release', 'released'))
        and c.relkind in ('r', 'v')
        and (col_description(c.oid, a.attnum) is null or obj_description(c.oid, 'pg_class') is null)
        """
    ).fetchall()
    assert missing == []
