"""officials.yml: who reads what; each mistake is named with its entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from yingjian.people.audience import OFFICE, Audience
from yingjian.people.officials import Officials, read_officials
from yingjian.settings import PROJECT_ROOT, Settings, SetupError

EXAMPLE = PROJECT_ROOT / "docs" / "officials.example.yml"
GOOD = "{login: a, name: 甲, audience: office}"


def written(tmp_path: Path, *entries: str) -> Path:
    path = tmp_path / "officials.yml"
    path.write_text("officials:\n" + "".join(f"  - {entry}\n" for entry in entries), encoding="utf-8")
    return path


def test_the_example_is_read() -> None:
    officials = read_officials(EXAMPLE)
    assert officials.get("health").audience == Audience("department", "卫健局")  # type: ignore[union-attr]
    assert officials.get("grid").may("persons") and not officials.get("director").may("persons")  # type: ignore[union-attr]
    approvers = officials.with_right("sign_off")
    assert [official.login for official in approvers] == ["director", "deputy"]
    assert officials.deputies(approvers[:1]) == approvers[1:]
    assert officials.deputies(approvers) == [], "who may sign off himself is no deputy of himself"


def test_without_a_file_there_is_nobody(tmp_path: Path) -> None:
    assert read_officials(tmp_path / "officials.yml") == Officials()


def test_where_it_is(tmp_path: Path) -> None:
    assert Settings.load({"YINGJIAN_HOME": str(tmp_path)}).officials == tmp_path / "officials.yml"
    assert Settings.load({"YINGJIAN_OFFICIALS": "/etc/officials.yml"}).officials == Path("/etc/officials.yml")


def test_the_least_entry(tmp_path: Path) -> None:
    official = read_officials(written(tmp_path, GOOD)).get("a")
    assert official is not None and official.audience == OFFICE and official.role == "viewer"
    with pytest.raises(KeyError):
        official.may("everything")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{login: 'a b', name: 甲, audience: office}", "login wants"),
        ("{login: 'a:admin', name: 甲, audience: office}", "login wants"),
        ("{login: a, audience: office}", "name is missing"),
        ("{login: a, name: 甲}", "audience is office, or one of"),
        ("{login: a, name: 甲, audience: {town: 北峰}}", "audience is office, or one of"),
        ("{login: a, name: 甲, audience: office, role: root}", "role is none of"),
        ("{login: a, name: 甲, audience: office, may: [all]}", "may wants a list of"),
        ("{login: a, name: 甲, audience: office, may: [release]}", "give the role user"),
        ("{login: a, name: 甲, audience: office, deputy: b}", "the deputy b is not a login"),
        ("{login: a, name: 甲, audience: office, rights: []}", "rights is none of"),
        ("{login: a, name: 甲, audience: office, receives: [{channel: fax, to: '1'}]}", "channel is none of"),
        ("{login: a, name: 甲, audience: office, receives: [{channel: mail}]}", "mail wants to"),
        (
            "{login: a, name: 甲, audience: office, receives: [{channel: folder, path: ../x}]}",
            "below the shared folder",
        ),
        ("{login: a, name: 甲, audience: office, receives: [{channel: mail, to: a@b, what: all}]}", "pack or bulletin"),
        ("甲", "wants login, name and audience"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, entry: str, said: str) -> None:
    with pytest.raises(SetupError, match="official 1: .*" + said):
        read_officials(written(tmp_path, entry))


@pytest.mark.parametrize("right", ["sign_off", "release"])
def test_a_deputy_who_is_told_of_a_question_can_answer_it(tmp_path: Path, right: str) -> None:
    official = f"{{login: a, name: 甲, audience: office, role: user, may: [{right}], deputy: b}}"
    with pytest.raises(SetupError, match="official 1: the deputy b answers tasks in Airflow: give the role user"):
        read_officials(written(tmp_path, official, "{login: b, name: 乙, audience: office}"))
    officials = read_officials(written(tmp_path, official, "{login: b, name: 乙, audience: office, role: user}"))
    assert [one.login for one in officials.who_may_answer(right)] == ["a", "b"]


def test_a_login_twice_and_a_broken_file(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="official 2: the login a is there twice"):
        read_officials(written(tmp_path, GOOD, GOOD))
    (tmp_path / "officials.yml").write_text("officials: [")
    with pytest.raises(SetupError, match="cannot be read as YAML"):
        read_officials(tmp_path / "officials.yml")
    (tmp_path / "officials.yml").write_text("[]")
    with pytest.raises(SetupError, match="wants a list"):
        read_officials(tmp_path / "officials.yml")
