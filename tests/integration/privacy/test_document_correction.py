"""A declared correction of a document number joins what came under the wrong one to its person."""

from __future__ import annotations

import io
import sys
from datetime import date
from pathlib import Path

import pytest

from tests import support
from tests.support import IDENTITY, land_folder, query, sample, write_feed
from yingjian import cli
from yingjian.database import warehouse
from yingjian.privacy import audit_trail, correction, person_key, rotation
from yingjian.settings import Settings

pytestmark = pytest.mark.slow

DAY = date(2022, 7, 10)
RIGHT, WRONG, OTHER, UNSEEN = "350503194205022751", "350503195001010016", "35050319810106930X", "350503195001010024"
UPDATED = {"更新时间": "2022-07-09 20:00:00"}


def taken(key: str, number: str) -> dict[str, str]:
    return sample(key, "2022-07-09 08:00:00", 证件号码=number)


def member(key: str, number: str) -> dict[str, str]:
    return {
        "记录编号": key, **IDENTITY, "证件号码": number, "人群编号": "1", "社区": "第1社区", "起始日期": "2022-07-01",
    } | UPDATED  # fmt: skip


def registered(number: str, grid: str) -> dict[str, str]:
    return {**IDENTITY, "证件号码": number, "社区": "第1社区", "网格": grid, "迁入日期": "2022-01-01"} | UPDATED


@pytest.fixture
def town(home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Somebody on a roster under the right number, whose sample and a row of the register came under a wrong one."""
    monkeypatch.setenv("YINGJIAN_HOME", str(home.home))
    write_feed(tmp_path, "key_population", [member("K1", RIGHT)])
    write_feed(tmp_path, "test_results", [taken("S1", WRONG), taken("S2", OTHER)])
    write_feed(tmp_path, "residents", [registered(RIGHT, "网格一"), registered(WRONG, "网格二")])
    land_folder(home, tmp_path)
    return home


def correct(monkeypatch: pytest.MonkeyPatch, *numbers: str, withdraw: bool = False) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"居民身份证 {number}\n" for number in numbers)))
    return cli.main(["landing", "correct-document", "--reason", "派出所来函", *(["--withdraw"] if withdraw else [])])


def keys(home: Settings) -> dict[str, str]:
    return dict(query(home, "select id_number, person_key from staging.test_results"))


def key_of(home: Settings, number: str) -> str:
    return rotation.keys_of(home, "居民身份证", number)[0]


def test_samples_of_the_wrong_number_discharge_the_person(
    town: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    last = "select last_sample_date from build.obligation"
    support.build(town, DAY, "+obligation", "+person")
    assert query(town, last) == [(None,)]
    assert correct(monkeypatch, f"{WRONG[:6]} {WRONG[6:]}", RIGHT) == 0, "it is read as landing reads it"
    assert "2 rows" in capsys.readouterr().out
    support.build(town, DAY, "+obligation", "+person")
    assert query(town, last) == [(date(2022, 7, 9),)]
    assert query(town, "select id_number, grid from build.person") == [(RIGHT, "网格二")]
    assert query(town, "select grid from staging_latest.stg_platform__residents") == [("网格一",)], (
        "nobody is there twice"
    )

    [(events, text)] = query(
        town, "select count(*), string_agg(event::text, '') from audit.event as event where action = 'correct_document'"
    )
    assert events == 1 and "派出所来函" in text and WRONG not in text and RIGHT not in text

    write_feed(tmp_path, "test_results", [taken("S3", WRONG)], "later.csv")
    land_folder(town, tmp_path)
    by_sample = dict(query(town, "select sample_key, person_key from staging.test_results"))
    assert by_sample["S1"] == by_sample["S3"] == key_of(town, RIGHT), "what comes later is joined, too"
    assert by_sample["S2"] == key_of(town, OTHER)

    assert correct(monkeypatch, WRONG, withdraw=True) == 0
    support.build(town, DAY, "+obligation", "+person")
    assert query(town, last) == [(None,)]
    assert set(query(town, "select person_key from staging.test_results where id_number = %s", WRONG)) == {
        (key_of(town, WRONG),)
    }


@pytest.mark.parametrize(
    ("of_the_wrong_number", "taken_at", "counts"),
    [
        ("2022-07-09 21:00:00", "2022-07-08 08:00:00", 8),
        pytest.param("2022-07-09 19:00:00", "2022-07-08 08:00:00", 9, marks=pytest.mark.beyond),
    ],
)
def test_a_sample_that_came_under_both_numbers_is_one_sample(
    town: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    of_the_wrong_number: str,
    taken_at: str,
    counts: int,
) -> None:
    """The row that was written last counts, in a build that goes on as in a whole one; the register counts the person once."""
    write_feed(
        tmp_path,
        "test_results",
        [sample("S1", "2022-07-09 08:00:00", 证件号码=RIGHT, 更新时间="2022-07-09 20:00:00")],
        "right.csv",
    )
    write_feed(
        tmp_path, "test_results", [sample("S1", taken_at, 证件号码=WRONG, 更新时间=of_the_wrong_number)], "wrong.csv"
    )
    land_folder(town, tmp_path)
    support.build(town, DAY, "+obligation")
    assert correct(monkeypatch, WRONG, RIGHT) == 0
    of_the_person = (
        "select extract(day from sample_date)::int from intermediate.int_sample__by_day where sample_key = 'S1'"
    )
    for _ in range(2):
        support.build(town, DAY, "+obligation", "+grid_population", "+positive_followup")
        assert query(town, of_the_person) == [(counts,)]
        assert query(town, "select sum(population)::int from build.grid_population") == [(1,)]
    write_feed(
        tmp_path,
        "test_results",
        [sample("S1", "2022-07-07 08:00:00", 证件号码=RIGHT, 更新时间="2022-07-09 23:00:00")],
        "last.csv",
    )
    land_folder(town, tmp_path)
    support.build(town, DAY, "+obligation")
    assert query(town, of_the_person) == [(7,)]
    assert correct(monkeypatch, WRONG, withdraw=True) == 0
    support.build(town, DAY, "+obligation")
    assert query(town, f"{of_the_person} order by 1") == [(7,), (8,)]


def test_what_cannot_be_declared(
    town: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = keys(town)
    for numbers, words in (
        ((WRONG,), "then the right one"),
        ((WRONG, WRONG), "the same"),
        ((WRONG, "350503194205022752"), "身份证校验位错误"),
    ):
        assert correct(monkeypatch, *numbers) == 2
        text = capsys.readouterr().err
        assert words in text and not any(number in text for number in numbers)
    assert correct(monkeypatch, WRONG, withdraw=True) == 2
    assert correct(monkeypatch, WRONG, RIGHT) == 0
    for pair in ((WRONG, OTHER), (RIGHT, OTHER), (OTHER, WRONG)):
        assert correct(monkeypatch, *pair) == 2
    assert correct(monkeypatch, OTHER, RIGHT) == 0, "a person may have had several wrong ones"
    assert len(set(keys(town).values())) == 1
    assert correct(monkeypatch, OTHER, withdraw=True) == correct(monkeypatch, WRONG, withdraw=True) == 0
    assert keys(town) == before


def test_another_secret_keeps_the_person_one(
    town: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = person_key.fingerprint(town.person_secret)
    with warehouse.connect(town) as conn:
        audit_trail.record(conn, "tester", "person_view", key_of(town, OTHER), "流调")
    with warehouse.connect(town) as conn:  # No row of the right number has come.
        documents = [correction.Document("居民身份证", number) for number in (OTHER, UNSEEN)]
        correction.declare(conn, town.person_secret, *documents, "tester", "派出所来函")
        rotation.rotate(conn, town, None, "tester", "年度更换")
    home = Settings.load({"YINGJIAN_HOME": str(town.home)})
    assert person_key.fingerprint(home.person_secret) != before
    assert keys(home)[OTHER] == key_of(home, UNSEEN)
    write_feed(tmp_path, "test_results", [taken("S4", OTHER), taken("S5", UNSEEN)], "later.csv")
    land_folder(home, tmp_path)
    assert keys(home)[OTHER] == keys(home)[UNSEEN]
    capsys.readouterr()
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"居民身份证 {UNSEEN}\n"))
    assert cli.main(["audit", "list", "--person", "--action", "person_view"]) == 0
    assert "tester" in capsys.readouterr().out, "who looked under the wrong number is found by the right one"
    with warehouse.connect(home) as conn:
        correction.withdraw(conn, home.person_secret, documents[0], "tester", "派出所来函")
    assert keys(home)[OTHER] == key_of(home, OTHER)


def test_a_correction_goes_with_the_last_row(town: Settings) -> None:
    with warehouse.connect(town) as conn:
        conn.execute("delete from staging.document_correction")
        wrong, right, other = (correction.Document("居民身份证", number) for number in (WRONG, RIGHT, OTHER))
        correction.declare(conn, town.person_secret, wrong, right, "tester", "派出所来函")
        correction.declare(conn, town.person_secret, other, right, "tester", "派出所来函")
        conn.execute("update staging.document_correction set declared_at = '2022-07-01 12:00+08'")
        conn.execute("delete from staging.key_population")
        conn.execute("delete from staging.residents")
        conn.execute("delete from staging.test_results where id_number = %s", (OTHER,))
        assert correction.forget(conn, date(2022, 7, 1)) == (0, 0)
        assert correction.forget(conn, date(2022, 7, 2)) == (1, 1)
        conn.execute("delete from staging.test_results")
        assert correction.forget(conn, date(2022, 7, 2)) == (1, 0)
