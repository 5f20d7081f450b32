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


def test_who_answers_for_a_unit_and_where_they_are_reached(tmp_path: Path) -> None:
    officials = read_officials(
        written(
            tmp_path,
            '{login: a, name: 甲, audience: office, phone: "0595-2200 0101", units: [转运组]}',
            "{login: b, name: 乙, audience: office, units: [隔离组, 转运组]}",
        )
    )
    assert [one.login for one in officials.responsible(["隔离组", "转运组", "隔离组"])] == ["b", "a"]
    assert officials.responsible(["学校组"]) == []
    assert (officials.by_login["a"].phone, officials.by_login["b"].phone) == ("0595-2200 0101", "")
    for entry, wrong in (
        ("phone: 12345678", "phone wants"),
        ("phone: 请找我", "phone wants"),
        ("units: 转运组", "units wants"),
    ):
        with pytest.raises(SetupError, match=wrong):
            read_officials(written(tmp_path, f"{{login: a, name: 甲, audience: office, {entry}}}"))


def test_without_a_file_there_is_nobody(tmp_path: Path) -> None:
    assert read_officials(tmp_path / "officials.yml") == Officials()


def test_where_it_is(tmp_path: Path) -> None:
    assert Settings.load({"YINGJIAN_HOME": str(tmp_path)}).officials == tmp_path / "officials.yml"
    assert Settings.load({"YINGJIAN_OFFICIALS": "/etc/officials.yml"}).officials == Path("/etc/officials.yml")


def test_the_least_entry(tmp_path: Path) -> None:
    official = read_officials(written(tmp_path, GOOD)).get("a")
    assert official is not None and official.audience == OFFICE
    with pytest.raises(KeyError):
        official.may("everything")


def test_a_community_is_compared_as_the_exports_are(tmp_path: Path) -> None:
    """docs: feeds.md; a department is written as the plan writes it."""
    parts = ("{community: '第 1 社区（东）。'}", "{department: '卫健局 '}", "{community: '第１社区(东)'}")
    entries = [f"{{login: a{place}, name: 甲, audience: {part}}}" for place, part in enumerate(parts)]
    officials = read_officials(written(tmp_path, *entries))
    audiences = [official.audience for official in officials.by_login.values()]
    assert audiences == [
        Audience("community", "第1社区(东)"), Audience("department", "卫健局"), Audience("community", "第1社区(东)"),
    ]  # fmt: skip


def test_a_grid_is_named_with_its_community(tmp_path: Path) -> None:
    """The numbers of grids come again in each community."""
    parts = ("{community: '第 1 社区', grid: '网格２'}", "{community: 第2社区, grid: 网格2}", "{community: 第1社区}")
    officials = read_officials(
        written(tmp_path, *(f"{{login: a{place}, name: 甲, audience: {part}}}" for place, part in enumerate(parts)))
    )
    one, two = Audience.of_grid("第1社区", "网格2"), Audience.of_grid("第2社区", "网格2")
    assert [official.audience for official in officials.by_login.values()] == [
        one,
        two,
        Audience("community", "第1社区"),
    ]
    assert officials.audiences == [Audience("community", "第1社区"), one, two]
    assert (one.title, one.part, one.sees_names) == ("第1社区 网格2", "网格", True)
    others = [
        Audience.of_grid("第1社区_网", "2"),
        Audience.of_grid("第1社区", "网_2"),
        Audience("community", "第1社区_网格2"),
    ]
    assert len({audience.code for audience in (one, two, *others)}) == 5, "the files of a pack are one grid's"
    assert " " not in one.code
    for wrong in ("{community: 第1社区, grid: 2}", "{community: 第1社区, grid: ' '}", "{community: '', grid: 网格2}"):
        with pytest.raises(SetupError, match="community and grid want names"):
            read_officials(written(tmp_path, f"{{login: a, name: 甲, audience: {wrong}}}"))
    with pytest.raises(SetupError, match="audience is office, or one of"):
        read_officials(written(tmp_path, "{login: a, name: 甲, audience: {grid: 网格2}}"))


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("{login: 'a b', name: 甲, audience: office}", "login wants"),
        ("{login: 'a:admin', name: 甲, audience: office}", "login wants"),
        ("{login: a, audience: office}", "name is missing"),
        ("{login: a, name: 甲}", "audience is office, or one of"),
        ("{login: a, name: 甲, audience: {town: 北峰}}", "audience is office, or one of"),
        ("{login: a, name: 甲, audience: {community: '、'}}", "audience is office, or one of"),
        ("{login: a, name: 甲, audience: office, role: viewer}", "role is no longer of an official.*list data_team"),
        ("{login: a, name: 甲, audience: office, may: [all]}", "may wants a list of"),
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
def test_a_mistake_is_named(tmp_path: Path, entry: str, sentence: str) -> None:
    with pytest.raises(SetupError, match="official 1: .*" + sentence):
        read_officials(written(tmp_path, entry))


def test_a_sender_stands_apart() -> None:
    officials = read_officials(EXAMPLE)
    assert officials.get("lab-1") is None, "it reads no page of officials"
    [sender] = officials.senders.by_login.values()
    assert officials.sender("lab-1") == sender and sender.feeds == ("test_results",)
    assert (sender.audience, sender.rights) == (Audience("sender", "第1检测机构"), frozenset())
    assert [(way.kind, way.what) for way in sender.channels] == [("mail", "returned")]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("{login: s, receives: [{channel: mail, to: a@b}]}", "name is missing"),
        ("{login: s, name: 甲}", "a sender receives files"),
        ("{login: s, name: 甲, receives: [{channel: wecom, connection: x}]}", "mail or folder"),
        ("{login: s, name: 甲, may: [persons], receives: [{channel: mail, to: a@b}]}", "and nothing else"),
        ("{login: a, name: 甲, receives: [{channel: mail, to: a@b}]}", "the login a is there twice"),
        ("甲", "and nothing else"),
        (
            "{login: s, name: 甲, feeds: [tests], receives: [{channel: mail, to: a@b}]}",
            "feeds wants a list of key_population",
        ),
        ("{login: s, name: 甲, feeds: [risk_areas], receives: [{channel: mail, to: a@b}]}", "feeds wants a list"),
    ],
)
def test_a_mistake_of_a_sender_is_named(tmp_path: Path, entry: str, sentence: str) -> None:
    path = written(tmp_path, GOOD)
    path.write_text(path.read_text(encoding="utf-8") + f"senders:\n  - {entry}\n", encoding="utf-8")
    with pytest.raises(SetupError, match="sender 1: .*" + sentence):
        read_officials(path)


def test_the_data_team_stands_apart() -> None:
    officials = read_officials(EXAMPLE)
    assert officials.data_team == {"engineer": "op"} and officials.get("engineer") is None
    assert officials.is_data_team("engineer") and officials.is_data_team("admin")
    assert not officials.is_data_team("director")
    assert all(map(officials.signs_in, ("director", "engineer", "admin", "lab-1")))
    assert not officials.signs_in("nobody")


def test_a_sender_without_feeds_signs_in_nowhere(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    entry = "{login: s, name: 甲, receives: [{channel: mail, to: a@b}]}"
    path.write_text(path.read_text(encoding="utf-8") + f"senders:\n  - {entry}\n", encoding="utf-8")
    officials = read_officials(path)
    assert officials.sender("s") is None and not officials.signs_in("s")


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("{login: e}", "wants login and role"),
        ("{login: e, role: op, audience: office}", "wants login and role"),
        ("{login: 'a b', role: op}", "login wants"),
        ("{login: e, role: root}", "role is none of"),
        ("{login: a, role: op}", "a is an official, who has no account in Airflow"),
        ("甲", "wants login and role"),
    ],
)
def test_a_mistake_of_the_data_team_is_named(tmp_path: Path, entry: str, sentence: str) -> None:
    path = written(tmp_path, GOOD)
    path.write_text(path.read_text(encoding="utf-8") + f"data_team:\n  - {entry}\n", encoding="utf-8")
    with pytest.raises(SetupError, match="data_team 1: .*" + sentence):
        read_officials(path)


@pytest.mark.parametrize("right", ["sign_off", "release"])
def test_a_deputy_who_is_told_of_a_question_can_answer_it(tmp_path: Path, right: str) -> None:
    official = f"{{login: a, name: 甲, audience: office, may: [{right}], deputy: b}}"
    officials = read_officials(written(tmp_path, official, "{login: b, name: 乙, audience: office}"))
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
