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
from tests.unit.test_policy_seeds import seed
from yingjian.database import warehouse
from yingjian.modelling.marts import QUALITY_CHECK, published
from yingjian.settings import Settings
from yingjian.simulate.people import resident_numbers

FIRST = date(2022, 7, 1)
GROUPS = ["1", "8", "15", "23", "23", "33", "34", "37"]
PERSONS = 12

# The two models that are kept from build to build; every other model is a query of them and of staging.
INCREMENTS = ["+config.materialized:incremental"]
KEPT = ("intermediate.int_sample__by_day", "intermediate.int_person__from_samples")
EVERYTHING = ["path:seeds", "path:models"]


class Town:
    """A few people whose records change at random; the same seed makes the same changes."""

    def __init__(self, home: Settings, folder: Path, seed: int, first: date = FIRST) -> None:
        self.home, self.folder, self.draw, self.first = home, folder, random.Random(seed), first
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
        return {**IDENTITY, "证件号码": number, "社区": "第1社区", "网格": "1", "更新时间": f"{self.first} 08:00:00"}

    def begin(self) -> None:
        for i, number in enumerate(self.numbers * 2):
            group = self.draw.choice(GROUPS)
            anchored = {"锚定日期": f"{self.first + timedelta(days=i % 4)}"} if group in {"33", "34", "37"} else {}
            self.members.append({
                "记录编号": f"K{i}", **IDENTITY, "证件号码": number, "人群编号": group, "起始日期": f"{self.first}", "工作单位": f"单位{i % 2}",
                "更新时间": f"{self.first - timedelta(days=11)} 08:00:00", **anchored,
            })  # fmt: skip
        self.write("key_population", self.members)
        notices = [("疫情启动", 1), ("疫情结束", 3), ("区域核酸", 1), ("区域核酸", 4)]
        self.write("declarations", [
            {"通告编号": f"G{kind}{day}", "类型": kind, "开始时间": f"{self.first + timedelta(days=day)} 12:00:00",
             "更新时间": f"{self.first} 08:00:00"}
            for kind, day in notices
        ])  # fmt: skip
        self.write("residents", [self.resident(number) for number in self.numbers])
        self.write("pharmacy_purchases", [
            {"登记编号": f"P{i}", **IDENTITY, "证件号码": number, "药店名称": "药店", "药品名称": "布洛芬", "药品类别": "退热",
             "购药时间": f"{self.first + timedelta(days=i)} 10:00:00", "更新时间": f"{self.first + timedelta(days=i)} 11:00:00"}
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
    """Every row of the models that are kept, without what the physical order decides."""
    return {name: sorted(map(str, query(home, f"select * from {name}"))) for name in KEPT}


def every_mart(home: Settings) -> dict[str, list[str]]:
    """Every row of every mart that is built, sorted."""
    names = query(home, "select tablename from pg_tables where schemaname = 'build'")
    return {name: sorted(map(str, query(home, f"select * from build.{name}"))) for (name,) in names}


def build(home: Settings, today: date, *options: str, select: Sequence[str] = INCREMENTS) -> None:
    without_tests = ("--exclude", "resource_type:test", "resource_type:unit_test")
    support.dbt_of(home, today, "build", "--select", *select, *without_tests, *options)


def since(home: Settings) -> int | None:
    ((change,),) = query(home, "select since_change_id from intermediate.int_sample__bounds")
    return change  # type: ignore[no-any-return]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.beyond)])
def test_the_same_rows_as_everything_read_anew(fresh_home: Settings, tmp_path: Path, seed: int) -> None:
    """The kept models are compared on every second day (a row that goes wrong stays wrong), every mart on the last."""
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
        if number % 2:
            select = EVERYTHING if number == 5 else INCREMENTS
            if number == 5:
                build(fresh_home, today, select=select)
            increments = kept(fresh_home) | every_mart(fresh_home)
            build(fresh_home, today, "--full-refresh", select=select)
            everything = kept(fresh_home) | every_mart(fresh_home)
            for name, rows in everything.items():
                assert increments[name] == rows, f"{name} on {today}"
    assert everything.keys() > published().keys() - {QUALITY_CHECK.name}
    assert len(everything[KEPT[0]]) > 30 and len(everything["obligation"]) > 30
    assert everything["sampling_unit_daily"] and everything["screening_outstanding"]


@pytest.mark.beyond
def test_the_same_rows_across_each_change_of_edition(fresh_home: Settings, tmp_path: Path) -> None:
    """Rows from the increments of the days before, on the first day of each edition, and from everything read anew.

    Every mart is compared on the day on which most changes, the kept models on the last day too.
    """
    first_days = [row["effective_from"] for row in seed("policy_edition") if row["effective_from"]]
    day_before = date.fromisoformat(first_days[0]) - timedelta(days=1)
    town = Town(fresh_home, tmp_path, 4, day_before)
    town.begin()
    town.day(day_before)
    town.land()
    build(fresh_home, day_before)
    for first_day in first_days:
        today, select = date.fromisoformat(first_day), EVERYTHING if first_day == "2022-12-07" else INCREMENTS
        town.day(today)
        town.land()
        build(fresh_home, today, select=select)
        assert since(fresh_home) is not None
        if select is INCREMENTS and first_day != first_days[-1]:
            continue
        increments = kept(fresh_home) | every_mart(fresh_home)
        build(fresh_home, today, "--full-refresh", select=select)
        for name, rows in (kept(fresh_home) | every_mart(fresh_home)).items():
            assert increments[name] == rows, f"{name} on {today}"


@pytest.fixture
def begun(fresh_home: Settings, tmp_path: Path) -> Town:
    """A town of which one day was built."""
    town = Town(fresh_home, tmp_path, 3)
    town.begin()
    town.day(FIRST)
    town.land()
    build(fresh_home, FIRST)
    return town


@pytest.mark.slow
def test_what_makes_a_build_read_everything(begun: Town) -> None:
    """Samples that were emptied, or written by hand, and an increment that other code made or whose note is lost."""
    home = begun.home
    build(home, FIRST, select=INCREMENTS)
    assert since(home) is not None
    for statement in (
        "insert into staging.test_results select * from staging.test_results limit 0",  # The rows are written by hand and belong to no file.
        "truncate staging.test_results",
        "update intermediate.increment_progress set definition = 'older' where model like '%by_day'",
        "delete from intermediate.increment_progress where model like '%from_samples'",
        "truncate intermediate.increment_progress, intermediate.int_sample__by_day, intermediate.int_person__from_samples",  # As a crash of the server does.
    ):
        with warehouse.connect(home) as conn:
            conn.execute(statement)  # type: ignore[arg-type]
        build(home, FIRST, select=INCREMENTS)
        assert since(home) is None, statement
    build(home, FIRST, select=INCREMENTS)
    assert since(home) is not None


@pytest.mark.beyond
def test_an_increment_that_is_not_there_is_made_whole(begun: Town) -> None:
    home = begun.home
    before = kept(home)
    with warehouse.connect(home) as conn:
        conn.execute("drop table intermediate.int_person__from_samples cascade")
    build(home, FIRST)
    assert kept(home) == before and before[KEPT[1]]


@pytest.mark.beyond
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


@pytest.mark.beyond
def test_a_day_and_a_person_are_found_by_an_index(begun: Town) -> None:
    """Neither a build's reading nor a query of one day reads all samples once there are many: the plan says so."""
    home = begun.home
    with warehouse.connect(home) as conn:
        conn.execute(
            """
            insert into intermediate.int_sample__by_day (person_key, sample_key, sampled_at, sample_date, is_single, result)
            select md5(n::text), n, day, day, true, '阴性'
            from generate_series(1, 20000) as n, lateral (select date '2022-06-01' - n / 100 as day) as days
            """
        )
        conn.execute("analyze intermediate.int_sample__by_day")
        for condition in (
            f"sample_date = date '{FIRST}'", f"person_key = md5('7') and sample_date = date '{FIRST}'",
            "result in ('阳性', '待出')", "tube_no = 'T1'",
        ):  # fmt: skip
            read = tables_read(conn, f"select * from intermediate.int_sample__by_day where {condition}")
            assert read["int_sample__by_day"] in {"Index Scan", "Bitmap Heap Scan", "Index Only Scan"}, condition
