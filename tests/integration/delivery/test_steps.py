"""The DAGs' tasks work with everything real but Airflow: database, officials, mail, robots, folder, command line."""

from __future__ import annotations

import mailbox
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowFailException

from tests.integration.delivery.conftest import DIRECTORY, PUBLICATION, RobotServer, states
from tests.integration.delivery.test_bounces import notice
from tests.integration.delivery.test_mail import body, parsed, to
from tests.servers import MailServer
from yingjian import cli
from yingjian.delivery import ledger
from yingjian.delivery.errors import Undelivered
from yingjian.orchestration import delivery_tasks, tasks
from yingjian.people.audience import Audience
from yingjian.publishing import decision
from yingjian.reports.content import audiences
from yingjian.settings import Settings, SetupError

RUN = "manual__2022-07-25"


@pytest.fixture
def home(published: str, conn: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose warehouse is the published town, with the directory of officials."""
    (tmp_path / "officials.yml").write_text(DIRECTORY, encoding="utf-8")
    for name, value in {
        "YINGJIAN_HOME": str(tmp_path),
        "YINGJIAN_WAREHOUSE": published,
        "YINGJIAN_PERSON_KEY": "key",
        "YINGJIAN_PORTAL_URL": "https://yingjian.example/",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("YINGJIAN_OFFICIALS", raising=False)
    return tmp_path


@pytest.fixture
def few(home: Path) -> Path:
    """Only the office: its pack is written quickly enough for many tests."""
    text = DIRECTORY.split("  - login: health")[0] + "  - login: press" + DIRECTORY.split("  - login: press")[1]
    (home / "officials.yml").write_text(text, encoding="utf-8")
    return home


def context(run: str = RUN) -> Any:
    """Airflow gives a task of `public_release` this; tasks' handed-on values are forged, and nobody may believe them."""
    forged = {
        "draft": {"publication_id": PUBLICATION + 1},
        "sign_off": {"is_released": True, "login": "director", "name": "director"},
    }
    return {
        "ti": SimpleNamespace(xcom_pull=lambda task_ids: forged[task_ids]),
        "run_id": run,
        "params": {"publication_id": PUBLICATION},
    }


def asked(conn: psycopg.Connection, run: str = RUN) -> int:
    """A run of `public_release` whose question is not answered; returns the question's number."""
    now = datetime.now(UTC)
    question = decision.ask(
        conn, decision.SIGN_OFF, run, now.date(), now, now + timedelta(hours=1), publication_id=PUBLICATION
    )
    conn.commit()
    return question


def answer(conn: psycopg.Connection, question: int, login: str, reason: str = "", *, is_released: bool = True) -> None:
    decision.decide(
        conn, question, login=login, name=login, is_released=is_released, reason=reason, allowed=["director", "deputy"]
    )
    conn.commit()


def is_public(conn: psycopg.Connection) -> bool:
    with conn.transaction():
        return bool(conn.execute("select from reporting_public.publication").fetchall())


def test_the_whole_town_s_packs_over_every_channel(
    home: Path, mail_server: MailServer, robot_server: RobotServer, conn: psycopg.Connection
) -> None:
    planned = delivery_tasks.plan(PUBLICATION)
    assert planned == {"publication_id": PUBLICATION, "due_at": "2022-07-25T07:00:00+08:00", "deliveries": 7}
    assert delivery_tasks.deliver(PUBLICATION) == {"sent": 7}
    assert len(mail_server.accepted) == 4 and len(robot_server.requests) == 3
    assert (home / "shared" / "招丰社区" / "2022-07-24-p12" / "community-招丰社区.xlsx").is_file()
    assert delivery_tasks.deliver(PUBLICATION) == {"sent": 7}
    assert len(mail_server.accepted) == 4 and len(robot_server.requests) == 3
    assert "https://yingjian.example/" in body(to(mail_server, "director@example.org"), "plain")


def test_without_officials_there_is_nothing_to_do(home: Path) -> None:
    (home / "officials.yml").unlink()
    assert delivery_tasks.plan(PUBLICATION) == {} and delivery_tasks.draft_bulletin(PUBLICATION) is False


def test_what_did_not_get_through_ends_the_run_and_is_in_the_alert(
    few: Path, mail_server: MailServer, robot_server: RobotServer, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("YINGJIAN_ALERT_MAIL", "night@example.org")
    mail_server.answers = {"deputy@example.org": ["550 5.1.1 no"]}
    with pytest.raises(Undelivered, match="deputy/mail：收件地址被拒绝") as raised:
        delivery_tasks.deliver(PUBLICATION)
    assert isinstance(raised.value, AirflowFailException), "a bounce is not tried again"
    assert "@" not in str(raised.value)
    failed = SimpleNamespace(dag_id="delivery", task_id="deliver")
    tasks.notify_failure({"task_instance": failed, "exception": raised.value})
    alert = to(mail_server, "night@example.org")
    text = "".join((part.get_payload(decode=True) or b"").decode() for part in alert.walk() if not part.is_multipart())
    assert "delivery.deliver failed" in text and "deputy/mail：收件地址被拒绝（550 5.1.1）" in text
    tasks.notify_failure({"task_instance": failed, "exception": ValueError("350503194205022751")})
    assert "350503194205022751" not in str([envelope.content for envelope in mail_server.accepted])

    cli.main(["status"])
    shown = capsys.readouterr().out
    assert f"deliveries of publication {PUBLICATION} of 2022-07-24: 1 bounced, 3 sent" in shown
    assert "pack for deputy by mail bounced: 收件地址被拒绝（550 5.1.1）" in shown


def test_a_cause_that_may_pass_is_left_to_airflow_s_next_try(
    few: Path, mail_server: MailServer, robot_server: RobotServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yingjian.delivery.courier.FIRST_PAUSE_SECONDS", 0)
    mail_server.answers = {"deputy@example.org": ["450 4.2.0 busy"] * 4}
    with pytest.raises(Undelivered) as raised:
        delivery_tasks.deliver(PUBLICATION)
    assert not isinstance(raised.value, AirflowFailException)
    assert delivery_tasks.deliver(PUBLICATION) == {"sent": 4}


def test_a_draft_is_written_for_the_signatories(few: Path) -> None:
    assert delivery_tasks.draft_bulletin(PUBLICATION) is True
    assert delivery_tasks.day_of(PUBLICATION) == date(2022, 7, 24)
    assert (few / "reports" / "2022-07-24-p12" / "bulletin.pdf").is_file()


def test_request_reminder_and_release(
    few: Path,
    mail_server: MailServer,
    robot_server: RobotServer,
    conn: psycopg.Connection,
) -> None:
    def tell(what: str, occasion: str = RUN, *, deputies: bool = False) -> dict[str, int]:
        return delivery_tasks.tell_signatories(
            what, PUBLICATION, occasion, "https://yingjian.example/answer", deputies=deputies
        )

    assert tell("request") == {"sent": 3} == tell("request")
    request = to(mail_server, "director@example.org")
    assert request["Subject"].startswith("【应检】请审签：7月24日")
    assert "https://yingjian.example/answer" in body(request, "html")
    assert [part.get_filename() for part in request.iter_attachments()] == ["bulletin.html", "bulletin.pdf"]
    assert len(robot_server.requests) == 2 and len(mail_server.accepted) == 1

    assert tell("reminder", f"{RUN}#2", deputies=True) == {"sent": 4} and len(mail_server.accepted) == 3
    assert tell("reminder", f"{RUN}#2", deputies=True) == {"sent": 4} and len(mail_server.accepted) == 3, "once"
    assert tell("reminder", f"{RUN}#3", deputies=True) == {"sent": 4} and len(mail_server.accepted) == 5, "again"

    answer(conn, asked(conn), "deputy")
    assert delivery_tasks.release(context()) == PUBLICATION
    assert conn.execute("select publication_id from reporting_public.publication").fetchall() == [(PUBLICATION,)]
    conn.commit()
    assert delivery_tasks.deliver_bulletin(context()) == {"sent": 1}
    assert (few / "shared" / "对外发布" / "2022-07-24-p12" / "bulletin.pdf").is_file()


def test_only_the_decision_s_row_releases(few: Path, conn: psycopg.Connection) -> None:
    """Not what a task handed on, not a task marked as successful, not an answer whose right was taken away meanwhile."""
    task = asked(conn)
    with pytest.raises(ValueError, match="nobody signed"):
        delivery_tasks.release(context())
    answer(conn, task, "director")
    directory = (few / "officials.yml").read_text(encoding="utf-8")
    (few / "officials.yml").write_text(directory.replace("[release, sign_off]", "[release]"), encoding="utf-8")
    with pytest.raises(ValueError, match="somebody who may not"):
        delivery_tasks.release(context())
    (few / "officials.yml").write_text(directory, encoding="utf-8")
    with pytest.raises(ValueError, match="not signed off"):
        delivery_tasks.deliver_bulletin(context())
    assert not is_public(conn) and not (few / "shared").exists()

    with pytest.raises(ValueError, match="nobody signed"):
        delivery_tasks.release(context(run="another"))
    assert delivery_tasks.release(context()) == PUBLICATION
    assert is_public(conn)


def test_a_rejection_releases_nothing_though_the_task_was_marked_as_successful(
    few: Path, conn: psycopg.Connection
) -> None:
    answer(conn, asked(conn), "director", "待核", is_released=False)
    with pytest.raises(ValueError, match="rejected"):
        delivery_tasks.release(context())
    assert not is_public(conn)


def test_an_answer_given_again_is_another_decision(few: Path, conn: psycopg.Connection) -> None:
    task = asked(conn)
    answer(conn, task, "director")
    assert delivery_tasks.release(context()) == delivery_tasks.release(context()) == PUBLICATION
    answer(conn, asked(conn), "deputy", "更正", is_released=False)
    delivery_tasks.record_rejection(context())
    assert not is_public(conn)
    assert conn.execute("select decision, decided_by from published.public_release order by decision_id").fetchall() == [
        ("released", "director"), ("rejected", "deputy"),
    ]  # fmt: skip


def test_a_rejection_and_the_end_of_the_time(
    few: Path, mail_server: MailServer, robot_server: RobotServer, conn: psycopg.Connection
) -> None:
    answer(conn, asked(conn), "director", "待核", is_released=False)
    delivery_tasks.record_rejection(context())
    delivery_tasks.expire(PUBLICATION, "later")
    delivery_tasks.tell_signatories("expiry", PUBLICATION, "later", "", deputies=True)
    assert conn.execute("select decision, reason from published.public_release order by decision_id").fetchall() == [
        ("rejected", "待核"),
        ("expired", None),
    ]
    assert [str(parsed(one)["Subject"])[:10] for one in mail_server.accepted] == ["【应检】审签未完成，"] * 2
    assert not (few / "shared").exists()


def test_which_publication_a_run_is_about() -> None:
    events = [
        SimpleNamespace(extra={"publication_id": 4}),
        SimpleNamespace(extra={"publication_id": 5}),
        SimpleNamespace(extra={}),
    ]
    assert tasks.publication_of({"params": {"publication_id": 7}, "triggering_asset_events": {"packs": events}}) == 7
    assert tasks.publication_of({"params": {"publication_id": None}, "triggering_asset_events": {"packs": events}}) == 5
    with pytest.raises(ValueError, match="which publication"):
        tasks.publication_of({"params": {}, "triggering_asset_events": {}})


def test_the_command_line(
    few: Path,
    mail_server: MailServer,
    robot_server: RobotServer,
    conn: psycopg.Connection,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    asked = ["--publication", str(PUBLICATION)]
    assert cli.main(["delivery", "retry", *asked]) == 1
    assert cli.main(["delivery", "list", "--publication", "99"]) == 2
    assert "there is no publication 99" in capsys.readouterr().err
    delivery_tasks.deliver(PUBLICATION)
    assert cli.main(["delivery", "list", *asked]) == 0
    shown = capsys.readouterr().out
    assert "pack  deputy  mail  sent" in shown and f"4  deliveries of publication {PUBLICATION} of 2022-07-24" in shown
    assert "@" not in shown

    nobody_s = Audience("department", "公安分局")
    monkeypatch.setattr(audiences, "audiences", lambda *_: [nobody_s])
    assert cli.main(["delivery", "packs", *asked]) == 0
    folder = Path(capsys.readouterr().out.split(": ")[1].strip())
    assert (folder / f"{nobody_s.code}.pdf").is_file()

    [(reference,)] = conn.execute(
        "select reference from delivery.attempt where official = 'deputy' and channel = 'mail'"
    ).fetchall()
    conn.commit()
    mailbox.Maildir(tmp_path / "Maildir").add(notice(reference))
    assert cli.main(["delivery", "bounces", "--maildir", str(tmp_path / "Maildir")]) == 0
    assert "1 newly bounced mails" in capsys.readouterr().out and states(conn)["deputy/mail"] == "bounced"
    assert cli.main(["delivery", "bounces", "--maildir", str(tmp_path / "nowhere")]) == 2
    assert cli.main(["delivery", "bounces"]) == 2
    assert "AIRFLOW_CONN_IMAP_DEFAULT" in capsys.readouterr().err
    assert delivery_tasks.read_bounces() == 0, "no mailbox, nothing to do"


@pytest.mark.slow
def test_a_bulletin_that_a_person_wants_sent_again_goes_with_the_packs(
    home: Path, mail_server: MailServer, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yingjian.delivery.courier.FIRST_PAUSE_SECONDS", 0)
    answer(conn, asked(conn), "director")
    delivery_tasks.release(context())
    (home / "officials.yml").write_text(
        "officials:"
        + DIRECTORY.split("officials:")[1].split("  - login: director")[0]
        + "  - login: press"
        + DIRECTORY.split("  - login: press")[1],
        encoding="utf-8",
    )
    (home / "shared").write_text("not a folder")
    with pytest.raises(Undelivered):
        delivery_tasks.deliver_bulletin(context())
    (home / "shared").unlink()
    conn.execute("update delivery.attempt set will_retry = false")
    conn.commit()
    assert delivery_tasks.plan(PUBLICATION) == {}
    assert len(ledger.retry(conn, PUBLICATION)) == 1
    assert delivery_tasks.plan(PUBLICATION)["deliveries"] == 1
    delivery_tasks.deliver(PUBLICATION)
    assert states(conn) == {"press/folder": "sent"}


@pytest.mark.parametrize("hour", ["7", "24:00", "07:60", "7 Uhr"])
def test_an_hour_that_is_none(hour: str) -> None:
    with pytest.raises(SetupError, match="YINGJIAN_DELIVERY_TIME"):
        Settings.load({"YINGJIAN_DELIVERY_TIME": hour})
