"""Choices of officials reach the delivery, and deadlines that come near are told once, over a real mail server."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path

import psycopg
import pytest

from tests.integration.delivery.conftest import DIRECTORY, PUBLICATION, RobotServer, states
from tests.integration.delivery.test_mail import PERSON, body, to
from tests.integration.delivery.test_steps import home  # noqa: F401  # The fixture is theirs, too.
from tests.servers import MailServer
from tests.towns import town
from yingjian import clock
from yingjian.clock import SHANGHAI
from yingjian.delivery import courier, ledger
from yingjian.delivery.errors import Undelivered
from yingjian.delivery.reminders import plan
from yingjian.orchestration import delivery_tasks, reminders
from yingjian.people.officials import Officials, read_officials
from yingjian.reports.content import today
from yingjian.settings import Settings

BEFORE = datetime(2022, 7, 24, 16, tzinfo=SHANGHAI)  # Two contacts of the town must be isolated by 17:00.


@pytest.fixture
def desk(home: Path, conn: psycopg.Connection) -> Settings:  # noqa: F811
    """A home whose clock stands an hour before a deadline, with the town's publication as the current one."""
    (home / "officials.yml").write_text(DIRECTORY.replace("招丰社区", "北峰社区"), encoding="utf-8")
    conn.execute("insert into published.current values (true, %s) on conflict do nothing", (PUBLICATION,))
    conn.commit()
    clock.set_demo_clock(home, BEFORE)
    return Settings.load()


def choose(conn: psycopg.Connection, login: str, *wants: str, quiet: tuple[str, str] = ("22:00", "07:00")) -> None:
    conn.execute(
        "insert into portal.notification (login, wants, quiet_from, quiet_to) values (%s, %s, %s, %s)"
        " on conflict (login) do update set wants = excluded.wants",
        (login, list(wants), *quiet),
    )
    conn.commit()


def test_a_deadline_is_told_once_as_counts_to_who_asked_for_it(
    desk: Settings, conn: psycopg.Connection, mail_server: MailServer
) -> None:
    assert reminders.remind(desk) == {}, "reminders must be asked for"
    choose(conn, "grid", "report:mail", "clock:mail")
    assert reminders.remind(desk) == {"sent": 1}
    mail = to(mail_server, "grid@example.org")
    assert str(mail["Subject"]) == "【应检】限时提醒：2项时限将至"
    told = body(mail, "plain")
    assert "密接未隔离：2项，最早7月24日17:00（北峰社区2）" in told
    assert "https://yingjian.example/today" in told and "https://yingjian.example/notifications" in told
    assert not PERSON.search(told) and "key-" not in told and not list(mail.iter_attachments())
    assert reminders.remind(desk) == {}, "once per clock and reader"
    clock.set_demo_clock(desk.home, BEFORE.replace(minute=30))
    assert reminders.remind(desk) == {} and len(mail_server.accepted) == 1
    assert states(conn) == {"grid/mail": "sent"}
    trail = conn.execute(
        "select details ->> 'what', details ->> 'official', object from audit.event order by event_id desc limit 1"
    ).fetchone()
    assert trail == ("clock", "grid", "publication:none")


def test_a_reminder_that_did_not_get_through_is_sent_by_the_next_run(
    desk: Settings, conn: psycopg.Connection, mail_server: MailServer
) -> None:
    choose(conn, "grid", "clock:mail")
    mail_server.answers = {"grid@example.org": ["451 4.3.0 later"] * courier.TRIES}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(courier, "FIRST_PAUSE_SECONDS", 0)
        patch.setattr(courier, "LONGEST_PAUSE_SECONDS", 0)
        with pytest.raises(Undelivered):
            reminders.remind(desk)
    assert mail_server.accepted == []
    assert reminders.remind(desk) == {"sent": 1} and len(mail_server.accepted) == 1


def test_a_clock_that_was_noted_and_never_planned_is_told(
    desk: Settings, conn: psycopg.Connection, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(conn, "grid", "clock:mail")
    with monkeypatch.context() as patch:
        patch.setattr(courier, "plan", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            reminders.remind(desk)
    clock.set_demo_clock(desk.home, BEFORE.replace(minute=10))
    assert reminders.remind(desk) == {"sent": 1}


def test_the_clocks_of_a_mass_test_are_noted_with_one_statement(
    desk: Settings, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round of a town has as many clocks as people, and each run reads them for each official."""
    choose(conn, "grid", "clock:mail")
    deadline = BEFORE.replace(hour=17, tzinfo=None)
    running = [today.Clock("screening_outstanding", f"round/{number}", "北峰社区", deadline) for number in range(300)]
    monkeypatch.setattr(today, "running_clocks", lambda *_: running)
    statements, execute = [], conn.execute
    monkeypatch.setattr(conn, "execute", lambda query, *given: statements.append(query) or execute(query, *given))
    officials = read_officials(desk.officials)
    assert plan(conn, officials, BEFORE) == 1 and plan(conn, officials, BEFORE) == 0
    assert execute("select count(*) from delivery.reminder").fetchone() == (len(running),)
    assert len(statements) < 40


def test_the_pack_follows_the_choice(
    desk: Settings, conn: psycopg.Connection, mail_server: MailServer, robot_server: RobotServer
) -> None:
    choose(conn, "director", "focus:mail", "focus:wecom")
    choose(conn, "deputy")
    choose(conn, "health", "report:mail")
    delivery_tasks.plan(PUBLICATION)
    delivery_tasks.deliver(PUBLICATION)
    assert set(states(conn)) == {"director/mail", "director/wecom", "health/mail", "grid/mail", "grid/folder"}
    focus, whole = to(mail_server, "director@example.org"), to(mail_server, "grid@example.org")
    assert "今日重点工作" in str(focus["Subject"]) and not list(focus.iter_attachments())
    assert "\n1. " in body(focus, "plain") and "逾期人数" not in body(focus, "plain")
    assert list(whole.iter_attachments()) and "\n1. " in body(whole, "plain")
    assert "\n1. " not in body(to(mail_server, "health@example.org"), "plain"), "the day's work is not wanted"
    [wecom] = robot_server.requests
    assert "今日重点工作" in wecom["body"]["markdown"]["content"], "a message without a picture has the work as text"
    for kind in ("plain", "html"):
        assert "https://yingjian.example/notifications" in body(whole, kind)


def test_quiet_hours_keep_a_pack_until_their_end(
    desk: Settings, conn: psycopg.Connection, officials: Officials, mail_server: MailServer, robot_server: RobotServer
) -> None:
    choose(conn, "deputy", "report:mail", quiet=("06:00", "08:30"))
    due = courier.due_at(town.LAST_DAY, time(7))
    courier.plan(conn, PUBLICATION, "pack", officials, due)
    moments = dict(conn.execute("select official, not_before from delivery.attempt").fetchall())
    assert moments["director"] == due and moments["deputy"] == due.replace(hour=8, minute=30)
    waiting = ledger.waiting(conn, PUBLICATION, due)
    assert [row["official"] for row in ledger.attempts(conn, PUBLICATION) if row["attempt_id"] in waiting] == ["deputy"]
    # A publication that comes late at night waits for the morning of everybody who chose nothing.
    night = datetime(2022, 7, 25, 23, tzinfo=SHANGHAI)
    courier.plan(conn, PUBLICATION, "pack", officials, due, now=night)
    late = dict(conn.execute("select official, not_before from delivery.attempt").fetchall())
    assert late["director"] == datetime(2022, 7, 26, 7, tzinfo=SHANGHAI) and late["deputy"] == due
    courier.plan(conn, PUBLICATION, "pack", officials, due, now=night.replace(month=8))
    assert set(dict(conn.execute("select official, not_before from delivery.attempt").fetchall()).values()) <= {
        due,
        due.replace(hour=8, minute=30),
    }, "a person who runs an earlier day need not wait"


def test_what_waited_is_sent_once_when_the_hours_are_over(
    desk: Settings, conn: psycopg.Connection, mail_server: MailServer, robot_server: RobotServer
) -> None:
    choose(conn, "deputy", "report:mail", quiet=("06:00", "08:30"))
    delivery_tasks.plan(PUBLICATION)
    conn.execute("update delivery.attempt set state = 'cancelled' where official <> 'deputy'")
    conn.execute("update delivery.attempt set not_before = now() + interval '1 hour' where official = 'deputy'")
    conn.commit()
    assert reminders.send_waiting(desk) == {} and mail_server.accepted == []
    conn.execute("update delivery.attempt set not_before = %s where official = 'deputy'", (datetime.now(UTC),))
    conn.commit()
    reminders.send_waiting(desk)
    assert states(conn)["deputy/mail"] == "sent"
    assert len([one for one in mail_server.accepted if one.rcpt_tos == ["deputy@example.org"]]) == 1
    assert reminders.send_waiting(desk) == {}


def test_the_portal_s_login_sees_one_choice_alone(desk: Settings, conn: psycopg.Connection) -> None:
    choose(conn, "grid", "clock:mail")
    choose(conn, "deputy")
    with conn.transaction(force_rollback=True):
        conn.execute(
            "grant usage on schema portal to portal; grant select, insert, update on portal.notification to portal"
        )
        conn.execute("set local role portal")
        assert conn.execute("select login from portal.notification").fetchall() == []
        conn.execute("set local yingjian.login = 'grid'")
        assert conn.execute("select login from portal.notification").fetchall() == [("grid",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("insert into portal.notification (login, wants) values ('director', '{}')")
