"""The audit trail: nothing is changed or removed unseen, not even by who owns the table."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests import support
from yingjian import cli
from yingjian.database import warehouse
from yingjian.privacy import audit_trail
from yingjian.settings import Settings


@pytest.fixture
def kept(shared_home: Settings) -> Path:
    """A chain of three events in an otherwise empty trail; returns where the verified end is kept."""
    path = shared_home.home / "audit_end.json"
    path.unlink(missing_ok=True)
    with warehouse.connect(shared_home) as conn:
        conn.execute("alter table audit.event disable trigger user")
        conn.execute("delete from audit.event")
        conn.execute("alter table audit.event enable trigger user")
        for person in ("k1", "k2", "k3"):
            audit_trail.record(conn, "grid", "person_view", person, "核实去向", publication=1)
    return path


def verdict(settings: Settings, kept: Path) -> audit_trail.Verdict:
    with warehouse.connect(settings) as conn:
        return audit_trail.verify(conn, kept)


def tamper(settings: Settings, statement: str) -> None:
    with warehouse.connect(settings) as conn:
        conn.execute("alter table audit.event disable trigger user")
        conn.execute(statement)  # type: ignore[arg-type]
        conn.execute("alter table audit.event enable trigger user")


def test_a_whole_chain(shared_home: Settings, kept: Path) -> None:
    assert verdict(shared_home, kept) == audit_trail.Verdict(3)
    assert support.query(shared_home, "select actor, action, object, details from audit.event where event_id = 2") == [
        ("grid", "person_view", "k2", {"publication": 1})
    ]


@pytest.mark.parametrize(
    "statement",
    ["update audit.event set actor = 'x'", "delete from audit.event where event_id = 3", "truncate audit.event"],
)
def test_events_are_not_changed(shared_home: Settings, kept: Path, statement: str) -> None:
    with warehouse.connect(shared_home) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(statement)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("statement", "broken", "reason"),
    [
        ("update audit.event set actor = 'x' where event_id = 2", 2, "it was changed"),
        ("update audit.event set details = '{}' where event_id = 1", 1, "it was changed"),
        ("delete from audit.event where event_id = 2", 3, "an event before it is missing"),
        (
            "update audit.event as e set actor = 'x', hash = audit.hash_of(row(e.event_id, e.happened_at, 'x', e.action,"
            " e.object, e.reason, e.details, e.previous_hash, ''::bytea)::audit.event) where event_id = 2",
            3,
            "the event before it was replaced",
        ),
    ],
)
def test_a_change_behind_its_back_is_found(
    shared_home: Settings, kept: Path, statement: str, broken: int, reason: str
) -> None:
    tamper(shared_home, statement)
    assert verdict(shared_home, kept) == audit_trail.Verdict(3, broken, reason)


def test_a_chain_cut_short_is_found(shared_home: Settings, kept: Path) -> None:
    assert verdict(shared_home, kept).broken is None
    tamper(shared_home, "delete from audit.event where event_id = 3")
    assert verdict(shared_home, kept).broken == 3


def test_the_command(
    shared_home: Settings, kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(shared_home.home))
    assert cli.main(["audit", "verify"]) == 0
    assert capsys.readouterr().out == "3 events, intact\n"
    tamper(shared_home, "update audit.event set reason = null where event_id = 1")
    assert cli.main(["audit", "verify"]) == 1
    assert capsys.readouterr().err == "yingjian: the audit trail is broken at event 1: it was changed\n"


def test_the_list(
    shared_home: Settings, kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(shared_home.home))
    with warehouse.connect(shared_home) as conn:
        audit_trail.record(conn, "health", "person_view", "k2", "流调")
    assert cli.main(["audit", "list", "--object", "k2"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("2  ") and first.endswith("  grid  person_view  k2  核实去向  publication=1")
    assert second.endswith("  health  person_view  k2  流调")
    assert cli.main(["audit", "list", "--actor", "health", "--action", "person_view"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert cli.main(["audit", "list", "--since", "2999-01-01"]) == 0
    assert capsys.readouterr().out == ""


def test_an_export_leaves_a_trace_also_when_it_fails(
    shared_home: Settings, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(shared_home.home))
    assert cli.main(["quarantine", "export", "--feed", "arrivals", "--xlsx", str(tmp_path / "a.xlsx")]) == 0
    assert cli.main(["quarantine", "export", "--xlsx", str(tmp_path / "no folder" / "b.xlsx"), "--reason", "查证"]) == 2
    exports = "select object, reason, details ->> 'feed', details ->> 'file' from audit.event where action = 'export' order by event_id"
    assert support.query(shared_home, exports) == [
        ("quality.rejected_row", "交报送单位更正", "arrivals", "a.xlsx"),
        ("quality.rejected_row", "查证", None, "b.xlsx"),
    ]
