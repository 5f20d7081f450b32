"""The trail records keys and reasons, not what somebody put in their place, and a terminal shows it as text."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from starlette.requests import Request

from tests import support
from yingjian import clock
from yingjian.cli import main, terminal
from yingjian.database import warehouse
from yingjian.operations import migration, status
from yingjian.orchestration import anchor
from yingjian.portal import app
from yingjian.portal.readers import Need, RefusedError
from yingjian.privacy import audit_trail
from yingjian.settings import Settings, SetupError

KEY = "0" * 64
NOW = datetime(2026, 1, 5, 8, tzinfo=clock.SHANGHAI)


@pytest.mark.parametrize(
    ("asked", "recorded"), [(KEY, KEY), ("350503194205022751", None), ("陈测试13800000000", None), ("x" * 64, None)]
)
def test_a_refusal_names_a_key_and_nothing_else_of_an_address(
    asked: str, recorded: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Any] = []
    monkeypatch.setattr(app.reading, "refusal", lambda reader, need, person_key: events.append(person_key))
    monkeypatch.setattr(app, "_message", lambda *_: None)
    scope = {
        "type": "http", "path": f"/persons/{asked}", "root_path": "", "query_string": b"", "headers": [(b"host", b"portal")],
        "path_params": {"person_key": asked},
    }  # fmt: skip
    app._refused(Request(scope), RefusedError(Need.PERSONS, None))  # type: ignore[arg-type]
    assert events == [recorded]


def test_no_service_writes_a_number_or_a_command_to_a_terminal_into_the_trail(guarded: Settings) -> None:
    with warehouse.connect(guarded, "reporter") as conn:
        for written, kept in (
            ("publication:7", "publication:7"), (KEY, KEY), ("1" * 64, "1" * 64),
            ("陈测试 350503194205022751", "not well-formed"), ("tel13800000000", "not well-formed"),
            ("a\x1b[2Jb", "not well-formed"), ("x" * 300, "not well-formed"),
        ):  # fmt: skip
            number = audit_trail.record(conn, "tester", "export", written, "for a test")
            conn.commit()
            assert support.query(guarded, "select object from audit.event where event_id = %s", number) == [(kept,)]


def test_a_reason_has_letters(guarded: Settings) -> None:
    assert [audit_trail.is_reason(text) for text in ("流调", "to call", "....", "1234", " x ", "")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip
    for reason in ("....", "12345", " x "):
        with warehouse.connect(guarded) as conn, pytest.raises(psycopg.errors.InvalidParameterValue, match="say why"):
            conn.execute("select restricted.resolve(%s, %s)", (KEY, reason))


def test_a_terminal_shows_text(
    guarded: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with warehouse.connect(guarded, "reporter") as conn:
        audit_trail.record(conn, "terminal", "export", "list", "a\x1b]0;title\x07b\u202ec\nd")
    monkeypatch.setenv("YINGJIAN_HOME", str(guarded.home))
    assert main(["audit", "list", "--actor", "terminal"]) == 0
    shown = capsys.readouterr().out
    assert "a?]0;title?b?c?d" in shown and terminal.shown("王某 a") == "王某 a"


def test_the_verifier_believes_no_function_of_the_database(guarded: Settings, tmp_path: Path) -> None:
    """The owner exchanged the function that makes the hashes, and an event."""
    with warehouse.connect(guarded) as owner:
        number = audit_trail.record(owner, "tester", "export", "list", "for a test")
        assert audit_trail.verify(owner, tmp_path / "end.json").broken is None
        owner.execute("alter table audit.event disable trigger event_is_append_only")
        owner.execute("update audit.event set actor = 'another' where event_id = %s", (number,))
        owner.execute(
            """
            create or replace function audit.hash_of(e audit.event) returns bytea
            language sql stable as $$ select e.hash $$
            """
        )
        verdict = audit_trail.verify(owner, tmp_path / "other.json")
        assert (verdict.broken, verdict.reason) == (number, "it was changed")
        owner.rollback()


@pytest.fixture
def anchored(guarded: Settings, tmp_path: Path) -> Settings:
    """The home, with a file that somebody else made for the ends of its trail."""
    (tmp_path / "anchors").touch()
    with warehouse.connect(guarded) as owner:
        owner.execute("truncate operations.anchor")
        audit_trail.record(owner, "tester", "export", "list", "for a test")
    return replace(guarded, audit_anchor=str(tmp_path / "anchors"))


def test_a_trail_that_was_written_anew_is_not_the_one_that_was_noted(
    anchored: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The chain is whole, and the home's own note of its end went with it."""
    monkeypatch.setenv("YINGJIAN_HOME", str(anchored.home))
    verify = ["audit", "verify", "--anchors", str(tmp_path / "anchors")]
    with warehouse.connect(anchored, "reporter") as conn:
        anchor.note(anchored, conn, NOW)
    assert main(verify) == 0 and "1 anchors match" in capsys.readouterr().out
    end = (anchored.home / "audit_end.json").read_text()
    forged = """
        alter table audit.event disable trigger user;
        update audit.event as e set actor = 'another', hash = audit.hash_of(
            row(e.event_id, e.happened_at, 'another', e.action, e.object, e.reason, e.details, e.previous_hash, e.hash)
        ) where event_id = (select max(event_id) from audit.event);
        alter table audit.event enable trigger user
    """
    with warehouse.connect(anchored) as owner:
        kept = owner.execute("select actor, hash from audit.event order by event_id desc limit 1").fetchone()
        owner.execute(forged)
    (anchored.home / "audit_end.json").unlink()
    assert main(["audit", "verify"]) == 0, "the chain alone does not tell"
    assert main(verify) == 1 and "is gone or another one than at" in capsys.readouterr().err
    with warehouse.connect(anchored) as owner:
        owner.execute("alter table audit.event disable trigger user")
        owner.execute(
            "update audit.event set actor = %s, hash = %s where event_id = (select max(event_id) from audit.event)",
            kept,
        )
        owner.execute("alter table audit.event enable trigger user")
    (anchored.home / "audit_end.json").write_text(end)
    (tmp_path / "anchors").write_text('{"at": "2026-01-05", "event": 1, "hash": "00", "code": "00"}\n')
    assert main(verify) == 1 and "was not made with this home's secret" in capsys.readouterr().err


def test_an_anchor_is_due_each_hour_and_missing_after_two(anchored: Settings, tmp_path: Path) -> None:
    with warehouse.connect(anchored, "reporter") as conn:
        assert anchor.is_due(conn, NOW)
        with pytest.raises(ValueError, match="has never been noted elsewhere"):
            anchor.require(anchored, conn, NOW)
        anchor.note(anchored, conn, NOW)
        assert not anchor.is_due(conn, NOW + timedelta(minutes=59)) and anchor.is_due(conn, NOW + timedelta(hours=1))
        anchor.require(anchored, conn, NOW + timedelta(hours=2))
        with pytest.raises(ValueError, match="has not been noted elsewhere since 2026-01-05"):
            anchor.require(anchored, conn, NOW + timedelta(hours=2, seconds=1))
        for place in (str(tmp_path / "nowhere"), "https://127.0.0.1:9/", "http://elsewhere.example/"):
            with pytest.raises(SetupError, match="YINGJIAN_AUDIT_ANCHOR"):
                anchor.note(replace(anchored, audit_anchor=place), conn, NOW + timedelta(hours=3))
        assert anchor.last_at(conn) == NOW, "what the place did not take was not noted"
    assert len((tmp_path / "anchors").read_text().splitlines()) == 1


def test_an_anchor_that_is_missing_is_a_failure_of_the_commands(
    anchored: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(anchored.home))
    monkeypatch.setenv("YINGJIAN_AUDIT_ANCHOR", str(anchored.audit_anchor))
    says = "been noted elsewhere"
    assert main(["audit", "verify"]) == 1 and "has never been noted elsewhere: see" in capsys.readouterr().err
    assert not [sentence for sentence in status.collect(anchored)["down"] if says in sentence], (
        "the trail has just begun"
    )
    with monkeypatch.context() as later:
        later.setattr(anchor, "MISSING", timedelta(0))
        assert [sentence for sentence in status.collect(anchored)["down"] if says in sentence]
    with warehouse.connect(anchored, "reporter") as conn:
        anchor.note(anchored, conn, datetime.now(clock.SHANGHAI))
    assert main(["audit", "verify"]) == 0
    assert not [sentence for sentence in status.collect(anchored)["down"] if says in sentence]


def test_a_service_writes_as_itself_for_somebody_and_no_other_service_s_event(guarded: Settings) -> None:
    """Everybody who may write an event could write a sign-in or a decision in the director's name."""
    forged = {
        "loader": ("sign_off_decision", "release", "person_view", "access_grant"),
        "publisher": ("release_decision", "sign_in", "delivery", "backup"),
        "reporter": ("release_decision", "sign_in_failed", "release", "restore"),
        "portal": ("release", "list_view", "invite", "role_change"),
    }
    for service, actions in forged.items():
        for action in actions:
            with warehouse.connect(guarded, service) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
                audit_trail.record(conn, "director", action, "question:1", "已核")
    with warehouse.connect(guarded, "reporter") as conn:
        number = audit_trail.record(conn, "director", "export", "list", service="portal", rows=3)
    details = "select actor, details from audit.event where event_id = %s"
    assert support.query(guarded, details, number) == [("director", {"service": "reporter", "rows": 3})]
    with warehouse.connect(guarded) as owner:
        number = audit_trail.record(owner, "tester", "backup", "home", service="portal")
    assert support.query(guarded, details, number) == [("tester", {})]


def test_a_change_of_the_trail_s_definition_leaves_an_event(
    guarded: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trigger that was off for a moment is one, and what `migrate` does by itself is none."""
    monkeypatch.setenv("YINGJIAN_HOME", str(guarded.home))
    count = "select count(*) from audit.event where action = 'trail_ddl'"
    migration.migrate(guarded)
    [(before,)] = support.query(guarded, count)
    assert main(["audit", "verify"]) == 0 and support.query(guarded, count) == [(before,)]
    changes = (
        "alter table audit.event disable trigger event_is_append_only;"
        " alter table audit.event enable trigger event_is_append_only",
        "create or replace function audit.refuse() returns trigger language plpgsql as $$ begin return new; end $$",
        "create rule nothing as on insert to audit.event do instead nothing; drop rule nothing on audit.event",
        "alter table audit.event add column other text; alter table audit.event drop column other",
    )
    for number, change in enumerate(changes, start=1):
        with warehouse.connect(guarded) as owner:
            owner.execute(change)  # type: ignore[arg-type]
        main(["audit", "verify"])
        assert support.query(guarded, count) == [(before + number,)], change
    with warehouse.connect(guarded) as owner:
        owner.execute("alter table audit.event disable trigger event_is_append_only")
    capsys.readouterr()
    assert main(["audit", "verify"]) == 1 and "a trigger that forbids it is gone or off" in capsys.readouterr().err
    with warehouse.connect(guarded) as owner:
        owner.execute("alter table audit.event enable trigger event_is_append_only")
    migration.migrate(guarded)
    assert support.query(guarded, count) == [(before + len(changes) + 2,)], "a migration covers nothing up"
    assert main(["audit", "verify"]) == 0 and support.query(guarded, count) == [(before + len(changes) + 2,)]
