"""Increments hold the same rows as everything read anew, whatever came, changed or went between."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests import support
from tests.support import IDENTITY, land_folder, query, sample, tables_read, write_feed
from yingjian.database import warehouse
from yingjian.settings import Settings
from yingjian.simulate.people import resident_numbers

FIRST = date(2022, 7, 1)
GROUPS = ["1", "8", "15", "23", "23", "33", "34", "37"]
PERSONS = 12

# Every row that is kept, without what the physical order decides.
KEPT = {
    "by_day": "select * from intermediate.int_sample__by_day",
    "dates": "select person_key, sample_dates from intermediate.int_sample__dates where sample_dates <> '{}'",
    "person": "select * from intermediate.int_person__from_samples",
    "obligation": "select * from build.obligation",
    "who": "select * from build.person",
    "tubes": "select * from build.pool_followup",
    "purchases": "select * from build.pharmacy_followup",
    "controls": "select * from build.control",
    "units": "select * from build.sampling_unit_daily",
    "rounds": "select * from intermediate.int_screening__persons",
    "first_samples": "select * from intermediate.int_screening__first_samples",
}
INCREMENTS = ["+config.materialized:increment"]
MODELS = [
    f"+{mart}"
    for mart in (
        "obligation", "person", "pool_followup", "pharmacy_followup", "control", "sampling_unit_daily", "screening_round",
    )
]  # fmt: skip


class Town:
    """A few people whose records change at random; the same seed makes the same changes."""

    def __init__(self, home: Settings, folder: Path, seed: int) -> None:
        self.home, self.folder, self.draw = home, folder, random.Random(seed)
        self.numbers = list(resident_numbers("350503", np.arange(PERSONS) + 4000, np.arange(PERSONS)))
        self.samples: list[dict[str, str]] = []
        self.members: list[dict[str, str]] = []
        self.files = 0

    def write(self, feed: str, rows: list[dict[str, str]]) -> None:
        self.files += 1
        write_feed(self.folder, feed, rows, f"{self.files:04}.csv")

    def person(self) -> dict[str, str]:
        return {**IDENTITY, "证件号码": self.draw.choice(self.numbers), "姓名": self.draw.choice(["陈甲", "林乙", ""])}

    def resident(self, number: str) -> dict[str, str]:
        return {**IDENTITY, "证件号码": number, "社区": "第1社区", "网格": "1", "更新时间": f"{FIRST} 08:00:00"}

    def begin(self) -> None:
        for i, number in enumerate(self.numbers * 2):
            group = self.draw.choice(GROUPS)
            anchored = {"锚定日期": f"{FIRST + timedelta(days=i % 4)}"} if group in {"33", "34", "37"} else {}
            self.members.append({
                "记录编号": f"K{i}", **IDENTITY, "证件号码": number, "人群编号": group, "起始日期": f"{FIRST}", "工作单位": f"单位{i % 2}",
                "更新时间": "2022-06-20 08:00:00", **anchored,
            })  # fmt: skip
        self.write("key_population", self.members)
        notices = [("疫情启动", 1), ("疫情结束", 3), ("区域核酸", 1), ("区域核酸", 4)]
        self.write("declarations", [
            {"通告编号": f"G{kind}{day}", "类型": kind, "开始时间": f"{FIRST + timedelta(days=day)} 12:00:00",
             "更新时间": f"{FIRST} 08:00:00"}
            for kind, day in notices
        ])  # fmt: skip
        self.write("residents", [self.resident(number) for number in self.numbers])
        self.write("pharmacy_purchases", [
            {"登记编号": f"P{i}", **IDENTITY, "证件号码": number, "药店名称": "药店", "药品名称": "布洛芬", "药品类别": "退热",
             "购药时间": f"{FIRST + timedelta(days=i)} 10:00:00", "更新时间": f"{FIRST + timedelta(days=i)} 11:00:00"}
            for i, number in enumerate(self.numbers[:5])
        ])  # fmt: skip

    def day(self, today: date) -> None:
        """Samples of today and late ones, results that follow, corrections of any column, and the same file again."""
        rows = []
        for _ in range(self.draw.randint(8, 20)):
            taken = today - timedelta(days=self.draw.choice([0, 0, 0, 0, 1, 3, 6]))
            rows.append(
                sample(
                    f"S{len(self.samples)}",
                    f"{taken} {self.draw.randint(6, 20):02}:15:00",
                    **self.person(),
                    采样方式=self.draw.choice(["单采", "混采"]),
                    试管编号=f"T{self.draw.randint(1, 6)}",
                    检测时间=f"{taken} 22:00:00",
                    检测结果=self.draw.choice(["阴性", "阴性", "待出", "无效", "阳性"]),
                    更新时间=f"{today} {self.draw.randint(6, 20):02}:30:00",
                )
            )
            self.samples.append(rows[-1])
        self.write("test_results", rows)
        changed = []
        for old in self.draw.sample(self.samples, 6):
            moved = date.fromisoformat(old["采样时间"][:10]) - timedelta(days=self.draw.choice([0, 1, 2]))
            changed.append(old | {
                "检测结果": self.draw.choice(["阴性", "无效", "阳性"]), "采样时间": f"{moved} 09:00:00",
                "姓名": self.draw.choice(["陈甲", "黄丙", ""]), "手机号": self.draw.choice(["13800000001", ""]),
                # Some are older than what is known and change nothing.
                "更新时间": f"{today - timedelta(days=self.draw.choice([0, 0, 0, 9]))} 23:00:00",
            })  # fmt: skip
        self.write("test_results", changed)
        self.write("key_population", [
            old | {"移出日期": f"{today + timedelta(days=self.draw.randint(-3, 3))}", "更新时间": f"{today} 08:00:00"}
            for old in self.draw.sample(self.members, 2)
        ])  # fmt: skip
        self.write("residents", [
            self.resident(number) | {"迁出日期": f"{today - timedelta(days=3)}", "更新时间": f"{today} 09:00:00"}
            for number in self.draw.sample(self.numbers, 1)
        ])  # fmt: skip
        self.write("exemptions", [
            {"编号": f"E{self.files}", "证件类型": IDENTITY["证件类型"], "证件号码": self.draw.choice(self.numbers),
             "人群编号": self.draw.choice(["", *GROUPS]), "起始日期": f"{today - timedelta(days=self.draw.randint(0, 5))}",
             "截止日期": f"{today + timedelta(days=self.draw.randint(0, 2))}", "更新时间": f"{today} 08:00:00"}
        ])  # fmt: skip

    def delete_some(self) -> None:
        """Retention or a person takes these rows away."""
        with warehouse.connect(self.home, "loader") as conn:
            conn.execute("delete from staging.test_results where line = %s", (self.draw.randint(2, 6),))

    def land(self) -> None:
        land_folder(self.home, self.folder)


def kept(home: Settings) -> dict[str, list[str]]:
    return {name: sorted(map(str, query(home, text))) for name, text in KEPT.items()}


def build(home: Settings, today: date, *options: str, select: Sequence[str] = MODELS) -> None:
    without_tests = ("--exclude", "resource_type:test", "resource_type:unit_test")
    support.dbt_of(home, today, "build", "--select", *select, *without_tests, *options)


def since(home: Settings) -> int | None:
    ((change,),) = query(home, "select since_change_id from intermediate.int_sample__bounds")
    return change  # type: ignore[no-any-return]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_rows_as_everything_read_anew(fresh_home: Settings, tmp_path: Path, seed: int) -> None:
    town = Town(fresh_home, tmp_path, seed)
    town.begin()
    for number in range(6):
        # A day comes again, or the day before, now and then.
        today = FIRST + timedelta(days=number + town.draw.choice([0, 1]))
        town.day(today)
        if number == 3:
            town.delete_some()
        town.land()
        build(fresh_home, today)
        assert (since(fresh_home) is None) == (number == 0), "only the first build reads everything"
        increments = kept(fresh_home)
        build(fresh_home, today, "--full-refresh")
        everything = kept(fresh_home)
        for name, rows in everything.items():
            assert increments[name] == rows, f"{name} on {today}"
    assert len(everything["by_day"]) > 30 and len(everything["obligation"]) > 30
    assert everything["units"] and any("None" not in row for row in everything["first_samples"])


@pytest.fixture
def begun(fresh_home: Settings, tmp_path: Path) -> Town:
    """A town of which one day was built."""
    town = Town(fresh_home, tmp_path, 3)
    town.begin()
    town.day(FIRST)
    town.land()
    build(fresh_home, FIRST)
    return town


def test_what_makes_a_build_read_everything(begun: Town) -> None:
    """Samples that were emptied, or written by hand, and an increment that is not there, or that other code made."""
    home = begun.home
    build(home, FIRST, select=INCREMENTS)
    assert since(home) is not None
    for statement in (
        "insert into staging.test_results select * from staging.test_results limit 0",  # The rows are written by hand and belong to no file.
        "truncate staging.test_results",
        "drop table intermediate.int_sample__dates cascade",
        "update intermediate.increment_progress set definition = 'older' where model like '%by_day'",
        "delete from intermediate.increment_progress where model like '%from_samples'",  # As a crash of the server does.
    ):
        with warehouse.connect(home) as conn:
            conn.execute(statement)  # type: ignore[arg-type]
        build(home, FIRST, select=INCREMENTS)
        assert since(home) is None, statement
        build(home, FIRST, select=INCREMENTS)
        assert since(home) is not None, statement


def test_a_build_that_died_between_two_increments_goes_on(begun: Town) -> None:
    """The one that was made reads the same changes again, and nothing is there twice."""
    home = begun.home
    begun.day(FIRST + timedelta(days=1))
    begun.land()
    support.dbt_of(home, FIRST, "build", "--select", "+int_sample__by_day")
    build(home, FIRST + timedelta(days=1))
    assert since(home) is not None
    increments = kept(home)
    build(home, FIRST + timedelta(days=1), "--full-refresh")
    assert increments == kept(home)


def test_only_the_days_touched_are_read(begun: Town) -> None:
    """Neither a build's reading nor a query of one day looks into another day's partition: the plan says so."""
    home = begun.home
    for number in range(1, 4):
        begun.day(FIRST + timedelta(days=number))
    begun.land()
    build(home, FIRST + timedelta(days=4))
    with warehouse.connect(home) as conn:
        assert len(tables_read(conn, "select * from intermediate.int_sample__by_day")) > 4
        one = tables_read(conn, "select * from intermediate.int_sample__by_day where sample_date = date '2022-07-03'")
        assert one.keys() == {"int_sample__by_day_20220703"}
        from_a_day = tables_read(
            conn,
            "select * from intermediate.int_sample__counting"
            " where sample_date >= (select max(sample_date) from intermediate.int_sample__by_day)",
            analyze=True,
        )
        assert from_a_day.keys() == {"int_sample__by_day_20220704"}, "the bound is known when it runs"
        ((known, held),) = conn.execute(
            "select reltuples, (select count(*) from intermediate.int_sample__by_day) from pg_class"
            " where oid = 'intermediate.int_sample__by_day'::regclass"
        )
        assert held / 1.1 <= known, "the whole is analysed as it grows, too"
