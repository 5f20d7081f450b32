"""This module makes small random towns: exports of every feed for 5 to 25 made-up persons, with many dates on boundaries.

A town is a pure function of its seed and of the business dates on which it is compared. Its communities, units, document
numbers and record keys contain the seed, so that many towns can share one warehouse without collisions.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path

from tests import support
from tests.oracle.reader import PLACES, Landing, Listed, Row

ROLLING = ("1", "3", "8", "9", "15", "20", "A28")
OUTBREAK = ("23", "24", "28")
ANCHORED = ("29", "30", "31", "32", "33", "34", "35", "36", "37", "A06")
VACCINES = ("灭活疫苗", "腺病毒载体疫苗", "重组蛋白疫苗", "不详")
REQUIREMENTS = ("第1、4、7天", "第1、4、7天", "第1、2、3、5、7天", "3天2检", "3天2检", "2天1检", "1周2检", "每日", "")
RESULTS = ("已通知", "已采样", "约定时间", "联系不上", "拒绝", "已搬离", "不在辖区", "信息有误", "申请豁免")
FREQUENCIES = ("", "每日", "3天1检", "1周2检", "2天1检", "7天3检")
SNAPSHOT_HOURS = (9, 16, 23)
CLOCK = ("00:00:00", "00:00:01", "08:00:00", "12:00:00", "18:30:00", "23:59:58", "23:59:59")


@dataclass
class Town(Landing):
    """The exports of a town, which include stale versions of rows."""

    seed: int = 0
    persons: list[str] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        return f"T{self.seed:05d}"


def resident_number(area: int, born: date, sequence: int) -> str:
    """Return a resident number with its check digit (ISO 7064 mod 11-2)."""
    body = f"{area:06d}{born:%Y%m%d}{sequence:03d}"
    total = sum(int(digit) * 2 ** (17 - i) for i, digit in enumerate(body))
    return body + "10X98765432"[total % 11]


def make_town(seed: int, days: tuple[date, ...]) -> Town:
    return _Maker(seed, days).make()


class _Maker:
    def __init__(self, seed: int, days: tuple[date, ...]) -> None:
        self.random = random.Random(seed)
        self.days = days
        self.town = Town(seed=seed)
        self.communities = [f"{self.town.prefix}{name}社区" for name in "甲乙"]
        self.grids = ["第一网格", "第二网格"]
        self.count = 0
        self.anchors: set[tuple[str, str, date]] = set()
        self.taken: set[tuple[str, datetime]] = set()
        self.births: dict[str, date] = {}

    def make(self) -> Town:
        self.make_persons()
        self.make_snapshots()
        self.make_declarations()
        self.make_roster()
        self.make_arrivals()
        self.make_cases()
        self.make_contacts()
        self.make_referrals()
        self.make_zones()
        self.make_purchases()
        self.make_exemptions()
        self.make_tests()
        self.make_tubes()
        self.make_vaccinations()
        self.make_teams()
        self.make_releases()
        self.make_health_checks()
        self.make_dispositions()
        self.make_odd_rows()
        self.make_stale_versions()
        return self.town

    # Draws

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def day(self, low: int = -12, high: int = 4) -> date:
        """Draw a date around one of the business dates, often on it or a week before it."""
        base = self.random.choice(self.days)
        offset = self.random.choice((-7, -6, -2, -1, 0, 1)) if self.chance(0.4) else self.random.randint(low, high)
        return base + timedelta(min(max(offset, low), high))

    def at(self, day: date) -> datetime:
        return datetime.combine(day, time.fromisoformat(self.random.choice(CLOCK)))

    def key(self, kind: str) -> str:
        self.count += 1
        return f"{self.town.prefix}{kind}{self.count:04d}"

    def person(self) -> str:
        return self.random.choice(self.town.persons)

    def identity(self, number: str) -> Row:
        kind = "护照" if number.startswith("E") else "居民身份证"
        return {"姓名": "某居民", "证件类型": kind, "证件号码": number, "手机号": ""}

    def place(self) -> Row:
        return {"社区": self.random.choice(self.communities), "网格": self.random.choice(self.grids)}

    def add(self, feed: str, **cells: object) -> Row:
        row = {name: _cell(value) for name, value in cells.items()}
        row["更新时间"] = row.get("更新时间") or f"{max(self.days) + timedelta(10):%Y-%m-%d} 08:00:00"
        self.town.rows[feed].append(row)
        return row

    # These functions make the feeds.

    def make_persons(self) -> None:
        for i in range(self.random.randint(5, 25)):
            age_day = self.random.choice(self.days) + timedelta(self.random.choice((-1, 0, 1)))
            years = self.random.choice((60, 60, 61, 59, 30, 8))
            born = date(1960, 2, 29) if self.chance(0.05) else age_day.replace(year=age_day.year - years)
            number = f"E{self.town.seed:05d}{i:03d}" if self.chance(0.1) else resident_number(
                110000 + self.town.seed, born, i + 1
            )  # fmt: skip
            self.town.persons.append(number)
            self.births[number] = born
            if self.chance(0.75):
                moved_in = self.day(-9, 2) if self.chance(0.15) else None
                moved_out = self.day(3, 8) if self.chance(0.1) else None
                if moved_in and moved_out:
                    moved_out = max(moved_in, moved_out)
                self.add("residents", **self.identity(number), 出生日期=born, **self.place(), 楼栋=self.random.choice(("1号楼", "１号楼", "2号楼", "")),
                         人口类型=self.random.choice(("常住", "流动")),
                         迁入日期=moved_in, 迁出日期=moved_out)  # fmt: skip

    def make_snapshots(self) -> None:
        areas = [f"{self.town.prefix}小区{i}号楼" for i in (1, 2, 3)]
        county = (f"{self.town.prefix}省", f"{self.town.prefix}省", f"{self.town.prefix}县")
        first, last = min(self.days) - timedelta(25), max(self.days)
        day = first
        while day <= last:
            moment = datetime.combine(day, time(SNAPSHOT_HOURS[(day - first).days // 2 % 3]))
            self.town.lists.append((moment, 0))
            for area in areas if self.chance(0.9) else []:
                level = self.random.choice(("高", "中", ""))
                if level:
                    self.town.listed.append(Listed(moment, 0, level, county, area))
            day += timedelta(2)

    def make_declarations(self) -> None:
        everywhere = "、".join(self.communities)
        for _ in range(self.random.choice((0, 1, 1, 2, 3))):
            scope = {"范围社区": self.random.choice((everywhere, everywhere, self.communities[0])),
                     "范围网格": self.random.choice(("", "", "第一网格"))}  # fmt: skip
            start = self.at(self.day(-9, 1))
            self.add(
                "declarations",
                通告编号=self.key("Y"),
                类型="疫情启动",
                **scope,
                开始时间=start,
                结束时间=start + timedelta(2) if self.chance(0.2) else None,
            )
            if self.chance(0.6):
                end = self.at(start.date() + timedelta(self.random.choice((0, 1, 2, 3, 5, 8))))
                where = scope if self.chance(0.6) else {"范围社区": everywhere, "范围网格": ""}
                self.add("declarations", 通告编号=self.key("Y"), 类型="疫情结束", **where, 开始时间=end, 结束时间=None)
        for _ in range(self.random.randint(0, 2)):
            start = self.at(self.day(-4, 1))
            place = self.random.choice((everywhere, self.communities[0]))
            self.add("declarations", 通告编号=self.key("Q"), 类型="区域核酸", 范围社区=place,
                     范围网格=self.random.choice(("", "第一网格", "第一网格、第二网格")), 开始时间=start,
                     结束时间=None)  # fmt: skip

    def make_roster(self) -> None:
        units = [(f"{self.town.prefix}单位{i}", self.random.choice(OUTBREAK)) for i in (1, 2)]
        for number in self.town.persons:
            for _ in range(self.random.choice((0, 1, 1, 1, 2, 3))):
                kind = self.random.random()
                unit = f"{self.town.prefix}单位{self.random.choice('345')}"
                if kind < 0.35:
                    unit, group = self.random.choice(units)
                elif kind < 0.6:
                    group = self.random.choice(ROLLING)
                elif kind < 0.7:
                    group = "38"
                else:
                    group = self.random.choice(ANCHORED)
                start = self.day()
                anchor = start + timedelta(self.random.choice((0, 0, 0, 0, -1, -3, 1)))
                if group in ANCHORED and (number, group, anchor) in self.anchors:
                    continue
                self.anchors.add((number, group, anchor))
                length = self.random.choice((0, 1, 2, 5, 6, 7, 9, 12))
                self.add("key_population", 记录编号=self.key("R"), **self.identity(number), 人群编号=group,
                         工作单位=unit, 主管部门=f"{self.town.prefix}局", **self.place(), 起始日期=start,
                         锚定日期=anchor if group in ANCHORED else None,
                         移出日期=start + timedelta(length) if self.chance(0.4) else None,
                         自定频次=self.random.choice(FREQUENCIES) if group == "38" else "")  # fmt: skip

    def make_arrivals(self) -> None:
        for _ in range(self.random.randint(0, 5)):
            arrived = self.day()
            abroad = self.chance(0.3)
            before = arrived - timedelta(self.random.choice((0, 0, 1, 3, 6, 7, 8)))
            cells: dict[str, object] = {"来源地": "境外", "入境日期": before}
            if not abroad:
                cells = {"来源地": self.random.choice(("省", "市", "县")), "离开日期": before}
                cells["来源省"] = cells["来源市"] = f"{self.town.prefix}省"
                cells["来源县"] = f"{self.town.prefix}{self.random.choice(('县', '县', '县', '邻县'))}"
                number = self.random.choice(("1", "2", "3", " 1 ", "３", "9"))
                cells["来源区域"] = f"{self.town.prefix}小区{number}号楼"
            pushed = self.at(arrived) if self.chance(0.7) else None
            self.add("arrivals", 申报编号=self.key("S"), **self.identity(self.person()), **cells, 抵达日期=arrived,
                     入境口岸省=self.random.choice(("福建省", "上海市")) if abroad else "",
                     目的社区=self.random.choice(self.communities), 网格=self.random.choice(self.grids),
                     推送时间=pushed, 排查时间=self.investigated(pushed))  # fmt: skip

    def investigated(self, pushed: datetime | None) -> datetime | None:
        if pushed is None or self.chance(0.2):
            return None
        midnight = datetime.combine(pushed.date(), time()) + timedelta(1)
        later = (pushed, midnight - timedelta(seconds=1), midnight + timedelta(seconds=1), pushed + timedelta(2))
        return self.random.choice(later)

    def make_cases(self) -> None:
        for number in self.random.sample(self.town.persons, self.random.randint(0, 3)):
            discharged = self.add_case(number, self.day(-14, 0))
            if discharged and self.chance(0.3):
                self.add_case(number, discharged + timedelta(self.random.choice((1, 2, 6))))

    def add_case(self, number: str, taken: date) -> date | None:
        """Add a case. Few local cases are reported by the last day, because each opens an outbreak in all towns."""
        source = self.random.choice(("本土", "本土", "境外输入"))
        reported = self.at(taken + timedelta(self.random.choice((0, 1, 1))))
        if source == "本土" and self.town.seed % 20:
            reported = self.at(max(self.days) + timedelta(2))
        discharged = taken + timedelta(self.random.choice((3, 5, 7, 10))) if self.chance(0.4) else None
        moved = reported + timedelta(seconds=self.random.choice((0, 1800, 7199, 7200, 7201, 90000)))
        moved_at = moved if discharged or self.chance(0.7) else None
        admitted = moved + timedelta(hours=2) if moved_at and self.chance(0.6) else None
        zone = self.random.choice(("", "", self.zone(1), self.zone(1), self.zone(2)))
        place = self.place() if zone else {"社区": self.communities[0], "网格": self.random.choice(self.grids)}
        self.add("cases", 病例编号=self.key("C"), **self.identity(number), 类型=self.random.choice(("确诊", "无症状")),
                 来源=source, 采样日期=taken, 报告时间=reported, **place, 风险区编号=zone, 转运时间=moved_at,
                 收治机构="某医院" if admitted else "", 入院时间=admitted, 出院日期=discharged)  # fmt: skip
        return discharged

    def zone(self, number: int) -> str:
        return f"{self.town.prefix}Z{number}"

    def make_contacts(self) -> None:
        repeated: list[tuple[str, str, date]] = []
        for _ in range(self.random.randint(0, 5)):
            if repeated and self.chance(0.25):
                number, category, exposed = self.random.choice(repeated)
            else:
                number, category = self.person(), self.random.choice(("密接", "次密接"))
                exposed = self.day()
            repeated.append((number, category, exposed))
            judged = self.at(exposed + timedelta(self.random.choice((0, 1, 2))))
            hours = timedelta(hours=8) + timedelta(seconds=self.random.choice((-3600, -1, 0, 1, 7200)))
            isolated = judged + hours if self.chance(0.8) else None
            self.add("contacts", 编号=self.key("M"), 病例编号="", 类别=category, **self.identity(number),
                     末次接触日期=exposed, 判定时间=judged, 转运时间=judged + timedelta(hours=1), 隔离时间=isolated,
                     隔离方式=self.random.choice(("集中", "集中", "居家")) if isolated else "", **self.place())  # fmt: skip

    def make_referrals(self) -> None:
        for _ in range(self.random.randint(0, 5)):
            exposed = self.day(-9, 0) if self.chance(0.8) else None
            handed_down_at = self.at(
                (exposed or self.day(-9, 0)) + timedelta(self.random.choice((0, 0, 1, 3, 6, 7, 8)))
            )
            checked = self.investigated(handed_down_at)
            self.add("referrals", 编号=self.key("W"), **self.identity(self.person()),
                     类别=self.random.choice(("协查", "八同", "时空伴随", "其他")), 风险等级="", 来源地="某市",
                     末次暴露日期=exposed, 下发时间=handed_down_at, **self.place(), 现住址="", 核查时间=checked,
                     核查结果=self.random.choice(("在辖区", "已离开", "无法联系", "信息有误")) if checked else "",
                     管控方式=self.random.choice(("集中隔离", "居家隔离", "健康监测", "仅检测")),
                     检测要求=self.random.choice(REQUIREMENTS))  # fmt: skip

    def make_zones(self) -> None:
        for number in (1, 2):
            if self.chance(0.3):
                continue
            place = {"社区": self.communities[0], "网格": self.grids[0] if number == 1 else self.grids[1]}
            if number == 1 and self.chance(0.3):
                place["网格"] = "、".join(self.grids)
            steps = self.random.choice((["高"], ["高", "中"], ["高", "中", "低"], ["中"], ["中", "低"],
                                        ["高", "高", "中"], ["中", "高"], ["低", "高"], ["高", "中", "高"]))  # fmt: skip
            day = self.day(-14, -3)
            for level in steps:
                self.add("risk_zones", 通告编号=self.key("N"), 风险区编号=self.zone(number), 风险区名称="某小区",
                         等级=level, **place, 生效日期=day)  # fmt: skip
                day += timedelta(self.random.choice((1, 3, 7, 8)))
            for _ in range(self.random.randint(0, 12)):
                start = self.at(self.day(-8, 1))
                site = f"{self.town.prefix}单位{self.random.choice('12345')}"
                spot = self.random.choice(("楼道", "楼 道、", "1号楼", "电梯", "", site, site + " 。"))
                building = self.random.choice(("", "", "1号楼", "２号楼", "9号楼")) if spot else "2号楼"
                self.add("disinfections", 编号=self.key("D"), 风险区编号=self.zone(number), 病例编号="", 场所=spot,
                         楼栋=building, 类型=self.random.choice(("预防性", "预防性", "终末")), 开始时间=start,
                         结束时间=start + timedelta(minutes=30))  # fmt: skip

    def make_purchases(self) -> None:
        for _ in range(self.random.randint(0, 4)):
            bought = self.at(self.day(-6, 1))
            pushed = bought + timedelta(hours=self.random.choice((0, 0, 1, 24))) if self.chance(0.8) else None
            self.add("pharmacy_purchases", 登记编号=self.key("G"), 药店名称=f"{self.town.prefix}药店", 药店编号="",
                     社区=self.random.choice(self.communities), **self.identity(self.person()), 药品名称="布洛芬片",
                     药品类别=self.random.choice(("退热", "抗病毒", "抗生素", "止咳")), 数量=1, 购药时间=bought,
                     推送时间=pushed, 排查时间=self.investigated(pushed))  # fmt: skip

    def make_exemptions(self) -> None:
        for _ in range(self.random.randint(0, 4)):
            start = self.day(-8, 3)
            identity = self.identity(self.person())
            self.add("exemptions", 编号=self.key("E"), 证件类型=identity["证件类型"], 证件号码=identity["证件号码"],
                     人群编号=self.random.choice(("", "", *ROLLING[:3], "31", "34", "38")), 起始日期=start,
                     截止日期=start + timedelta(self.random.choice((0, 1, 3, 7))), 原因="某原因", 批准人="某人")  # fmt: skip

    def sampled(self, number: str, moment: datetime) -> datetime:
        """Return this moment, or the next second at which the person has no sample yet."""
        while (number, moment) in self.taken:
            moment += timedelta(seconds=1)
        self.taken.add((number, moment))
        return moment

    def make_tests(self) -> None:
        low = min(self.days) - timedelta(16)
        high = max(self.days) + timedelta(2)
        for number in self.town.persons:
            habit = self.random.choice((0.0, 0.15, 0.3, 0.6, 0.95))
            for offset in range((high - low).days):
                while self.chance(habit):
                    self.add_test(number, self.at(low + timedelta(offset)))
                    if self.chance(0.8):
                        break
        marks = [_moment(row[column]) for feed, column in (("pharmacy_purchases", "购药时间"), ("declarations", "开始时间"))
                 for row in self.town.rows[feed]]  # fmt: skip
        for row in self.town.rows["pharmacy_purchases"]:
            if self.chance(0.5):
                near = self.random.choice((timedelta(seconds=-1), timedelta(0), timedelta(1), timedelta(2)))
                self.add_test(row["证件号码"], _moment(row["购药时间"]) + near)
        for number in self.town.persons if marks else []:
            if self.chance(0.5):
                near = self.random.choice((-1, 0, 3600, 86399, 86400, 86401))
                self.add_test(number, self.random.choice(marks) + timedelta(seconds=near))
        for row in self.town.rows["cases"]:  # Add positives around the case, and around and after its discharge.
            for column, days in (("采样日期", (-1, 0, 2, 3, 4)), ("出院日期", (-1, 0, 1, 3))):
                if row[column] and self.chance(0.4):
                    near_day = date.fromisoformat(row[column]) + timedelta(self.random.choice(days))
                    self.add_test(row["证件号码"], self.at(near_day), 检测结果="阳性")
        if self.chance(0.3):  # Add a positive whose two hours end around midnight.
            evening = datetime.combine(self.random.choice(self.days), time(21, 59, 59))
            known = datetime.combine(evening.date(), time(22)) + timedelta(
                seconds=self.random.choice((-60, -1, 0, 1, 3600))
            )
            self.add_test(self.person(), evening - timedelta(hours=9), 检测结果="阳性", 检测时间=known)
        for row in [row for row in self.town.rows["test_results"] if self.chance(0.05)]:
            near = 86400 + self.random.choice((-1, 0, 1))
            self.add_test(row["证件号码"], _moment(row["采样时间"]) + timedelta(seconds=near))

    def add_test(self, number: str, moment: datetime, **cells: object) -> None:
        moment = self.sampled(number, moment)
        result = self.random.choices(("阴性", "待出", "无效", "阳性"), (80, 8, 8, 2))[0]
        self.add("test_results", **{
            "样本编号": self.key("X"), **self.identity(number), "采样时间": moment, "采样点": "", "检测机构": "某机构",
            "采样方式": "单采", "试管编号": "",
            "检测时间": moment + timedelta(hours=6) if result != "待出" and self.chance(0.95) else None,
            "检测结果": result, "更新时间": moment + timedelta(hours=30), **cells,
        })  # fmt: skip

    def make_tubes(self) -> None:
        for _ in range(self.random.randint(0, 3)):
            tube, taken = self.key("K"), self.at(self.day(-4, 0))
            known = taken + timedelta(hours=self.random.choice((3, 8, 20)))
            result = self.random.choice(("阳性", "阳性", "阴性", "待出", "无效"))
            for number in self.random.sample(self.town.persons, self.random.randint(1, 5)):
                self.add_test(number, taken, 采样方式="混采", 试管编号=tube, 检测结果=result,
                              检测时间=known if result != "待出" else None)  # fmt: skip
                if result == "阳性" and self.chance(0.7):
                    seconds = self.random.choice((-60, 0, 1, 3600, 86399, 86400, 86401, 100000))
                    self.add_test(number, known + timedelta(seconds=seconds),
                                  采样方式=self.random.choice(("单采", "单采", "混采")))  # fmt: skip

    def make_vaccinations(self) -> None:
        for number in self.town.persons:
            vaccine = self.random.choice(VACCINES)
            for dose in range(1, self.random.randint(0, 4) + 1):
                given = self.day(-9, 1) if self.chance(0.3) else date(2021, 3 + dose, 5)
                self.add("vaccinations", 记录编号=self.key("V"), **self.identity(number), 剂次=dose,
                         疫苗=vaccine if self.chance(0.8) else self.random.choice(VACCINES), 接种日期=given,
                         禁忌或拒种="")  # fmt: skip
            if self.chance(0.1):
                self.add("vaccinations", 记录编号=self.key("V"), **self.identity(number), 剂次="", 疫苗="", 接种日期=None,
                         禁忌或拒种=self.random.choice(("禁忌", "拒种")))  # fmt: skip

    def make_teams(self) -> None:
        for number in self.random.sample(self.town.persons, self.random.randint(0, 5)):
            self.add("teams", 编号=self.key("B"), 队伍类型="流调", 层级="社区", 社区=self.communities[0],
                     **self.identity(number), 来源="街道办")  # fmt: skip

    def make_releases(self) -> None:
        controlled = [("arrivals:" + row["申报编号"], row, row["抵达日期"]) for row in self.town.rows["arrivals"]]
        controlled += [("contacts:" + row["编号"], row, row["判定时间"][:10]) for row in self.town.rows["contacts"]]
        controlled += [("referrals:" + row["编号"], row, row["下发时间"][:10]) for row in self.town.rows["referrals"]]
        for key, row, start in controlled:
            if self.chance(0.4):
                day = date.fromisoformat(start) + timedelta(self.random.choice((0, 2, 5, 6, 7, 9)))
                self.add("releases", 编号=self.key("J"), 记录编号=key, 证件类型=row["证件类型"],
                         证件号码=row["证件号码"], 解除类型=self.random.choice(("集中隔离", "全部管控", "全部管控")),
                         解除日期=day, 人员结果=self.random.choice(("阴性", "阴性", "")),
                         物品结果=self.random.choice(("阴性", "阴性", "阳性", "")),
                         环境结果=self.random.choice(("阴性", "阴性", "阳性", "")),
                         排除感染=self.random.choice(("是", "")))  # fmt: skip

    def make_health_checks(self) -> None:
        """Add health checks of monitored persons on consecutive days."""
        watched = {
            row["证件号码"] for feed in ("arrivals", "contacts", "referrals", "cases") for row in self.town.rows[feed]
        }
        watched |= {
            row["证件号码"] for row in self.town.rows["key_population"] if row["人群编号"] in ("33", "34", "36")
        }
        for number in sorted(watched):
            for offset in range(-10, 2):
                for _ in range(self.random.choice((0, 1, 2, 2, 3))):
                    taken = self.at(max(self.days) + timedelta(offset))
                    self.add("health_checks", 编号=self.key("H"), **self.identity(number), 测量时间=taken,
                             体温=self.random.choice(("36.5", "36.8", "37.2", "37.2", "37.3", "38")),
                             症状=self.random.choice(("", "无", "无", "无", "咳嗽", "咳嗽、乏力")), 记录人="某人")  # fmt: skip

    def make_dispositions(self) -> None:
        """Add dispositions of items that may be overdue, some of them older than a week."""
        items = []
        for row in self.town.rows["key_population"]:
            slot = self.random.choice(("0", "1", "4", "7")) if row["人群编号"] in ANCHORED else "rolling"
            items.append(f"{row['记录编号']}/{row['人群编号']}/{slot}")
        for row in self.town.rows["contacts"]:
            items.append(
                f"contacts:{row['编号']}/{'35' if row['类别'] == '密接' else '36'}/{self.random.choice('0147')}"
            )
        moment = datetime.combine(min(self.days) - timedelta(10), time(8))
        for item in items:
            for _ in range(self.random.choice((0, 0, 1, 2))):
                moment = moment + timedelta(minutes=1)  # No two answers have the same moment.
                self.add("dispositions", 编号=self.key("A"), 名单="overdue", 项目编号=item,
                         处置结果=self.random.choice(RESULTS), 处置人="某人",
                         处置时间=moment + timedelta(self.random.randint(0, 20)), 备注="")  # fmt: skip

    def make_odd_rows(self) -> None:
        """Rows as hasty senders write them: one event twice, times in another order than they happened, two notices of a day."""
        self.make_second_records()
        self.make_early_times()
        self.make_second_cases()
        self.make_second_notices()
        self.make_odd_lifts()

    def make_second_records(self) -> None:
        """The same membership by another record: of the same feed, or of the roster, which wins."""
        for row in [row for row in self.town.rows["referrals"] if row["末次暴露日期"] and self.chance(0.6)]:
            exposed = date.fromisoformat(row["末次暴露日期"])
            self.add("referrals", **{
                **row, "编号": self.key(self.random.choice("VX")), "末次暴露日期": None, "下发时间": self.at(exposed),
                "核查时间": None, "核查结果": "", "管控方式": self.random.choice(("集中隔离", "居家隔离", "仅检测")),
                "检测要求": self.random.choice(REQUIREMENTS), "更新时间": "",
            })  # fmt: skip
        derived = [
            (row, "35" if row["类别"] == "密接" else "36", "末次接触日期", "判定时间")
            for row in self.town.rows["contacts"]
        ]
        derived += [
            (row, "31", "入境日期", "抵达日期") for row in self.town.rows["arrivals"] if row["来源地"] == "境外"
        ]
        derived += [(row, "37", "出院日期", "出院日期") for row in self.town.rows["cases"] if row["出院日期"]]
        for row, group, anchored_on, started_on in derived:
            anchor, name = date.fromisoformat(row[anchored_on]), (row["证件号码"], group)
            if self.chance(0.3) and (*name, anchor) not in self.anchors:
                self.anchors.add((*name, anchor))
                start = date.fromisoformat(row[started_on][:10]) + timedelta(self.random.choice((-1, 0, 0, 1, 2)))
                end = start + timedelta(self.random.choice((0, 3, 6, 9))) if self.chance(0.3) else None
                self.add("key_population", 记录编号=self.key("R"), **self.identity(row["证件号码"]), 人群编号=group,
                         工作单位="", 主管部门=f"{self.town.prefix}局", **self.place(), 起始日期=start, 锚定日期=anchor,
                         移出日期=end, 自定频次="")  # fmt: skip

    def make_early_times(self) -> None:
        """Arrivals and contacts whose days stand in another order, and results that were written before their sample."""
        for _ in range(self.random.randint(0, 3)):
            arrived = self.day()
            self.add("arrivals", 申报编号=self.key("S"), **self.identity(self.person()), 来源地="境外",
                     入境日期=arrived + timedelta(self.random.choice((1, 2))), 抵达日期=arrived, 入境口岸省="",
                     目的社区=self.random.choice(self.communities), 网格=self.random.choice(self.grids),
                     推送时间=self.at(arrived), 排查时间=self.at(arrived - timedelta(1)))  # fmt: skip
            exposed = self.day()
            judged = self.at(exposed - timedelta(self.random.choice((0, 1, 2))))
            self.add("contacts", 编号=self.key("M"), 病例编号="", 类别=self.random.choice(("密接", "次密接")),
                     **self.identity(self.person()), 末次接触日期=exposed, 判定时间=judged, 转运时间=None,
                     隔离时间=judged - timedelta(hours=2), 隔离方式=self.random.choice(("集中", "居家", "")),
                     **self.place())  # fmt: skip
            taken = self.at(self.day(-5, 1))
            self.add_test(self.person(), taken, 检测结果="阳性", 检测时间=None, 更新时间=taken - timedelta(hours=3))

    def make_second_cases(self) -> None:
        """A person may have two cases: the second within the first, before it, or after it."""
        for row in [row for row in self.town.rows["cases"] if self.chance(0.4)]:
            taken = date.fromisoformat(row["采样日期"]) + timedelta(self.random.choice((-5, -3, -1, 0, 2, 4, 9)))
            self.add_case(row["证件号码"], taken)

    def make_second_notices(self) -> None:
        """Two notices of a zone on one day, notices that move a zone, and a zone that comes back."""
        for row in [row for row in self.town.rows["risk_zones"] if self.chance(0.3)]:
            days = self.random.choice((0, 0, 1, 4))
            on = date.fromisoformat(row["生效日期"]) + timedelta(days)
            self.add("risk_zones", **{
                **row, "通告编号": self.key("N"), "等级": self.random.choice(("高", "中", "低", row["等级"])), "生效日期": on,
                "网格": self.random.choice((*self.grids, "、".join(self.grids))),
                "更新时间": f"{max(self.days) + timedelta(9):%Y-%m-%d} {self.random.choice(('07', '09'))}:00:0{self.count % 10}",
            })  # fmt: skip

    def make_odd_lifts(self) -> None:
        """Exemptions of any group, and releases that name a record of the roster."""
        for _ in range(self.random.randint(0, 3)):
            start, identity = self.day(-8, 3), self.identity(self.person())
            self.add("exemptions", 编号=self.key("E"), 证件类型=identity["证件类型"], 证件号码=identity["证件号码"],
                     人群编号=self.random.choice((*OUTBREAK, *ANCHORED, "A28")), 起始日期=start,
                     截止日期=start + timedelta(self.random.choice((0, 1, 3, 7, 300))), 原因="某原因", 批准人="某人")  # fmt: skip
        for row in [row for row in self.town.rows["key_population"] if self.chance(0.1)]:
            day = date.fromisoformat(row["起始日期"]) + timedelta(self.random.choice((-1, 0, 4, 8)))
            self.add("releases", 编号=self.key("J"), 记录编号=row["记录编号"], 证件类型=row["证件类型"],
                     证件号码=row["证件号码"], 解除类型=self.random.choice(("集中隔离", "全部管控")), 解除日期=day,
                     人员结果="阴性", 物品结果="阴性", 环境结果="阴性", 排除感染="")  # fmt: skip

    def make_stale_versions(self) -> None:
        """Add older versions of some keys, with other dates and results, anywhere in the file."""
        for feed, rows in self.town.rows.items():
            for row in [row for row in rows if self.chance(0.08)]:
                stale = dict(row)
                stale["更新时间"] = f"{min(self.days) - timedelta(20):%Y-%m-%d} 07:00:00"
                shift = timedelta(self.random.choice((-3, -1, 1)))  # All dates move, so an end stays after its start.
                for name, text in row.items():
                    if name.endswith("日期") and name != "出生日期" and text:
                        stale[name] = (date.fromisoformat(text) + shift).isoformat()
                if feed == "test_results":
                    stale["检测结果"] = self.random.choice(("待出", "无效", "阴性"))
                rows.insert(self.random.randint(0, len(rows)), stale)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return "" if value is None else str(value)


def world(towns: list[Town]) -> Landing:
    """Return the towns as one subdistrict, because they share a warehouse: a local case of one opens an outbreak in all."""
    whole = Landing()
    for town in towns:
        for feed, rows in town.rows.items():
            whole.rows[feed] += rows
        whole.listed += town.listed
    whole.lists = sorted({moment for town in towns for moment in town.lists})
    return whole


def _written_otherwise(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the same rows, in which every third occurrence of a place or unit is spelt in another way."""
    seen: dict[str, int] = {}
    written = []
    for row in rows:
        cells = dict(row)
        for name in (*PLACES, "工作单位", "场所"):
            text = row.get(name, "")
            seen[text] = seen.get(text, 0) + 1
            if text and seen[text] % 3 == 0:
                cells[name] = (f"{text}。", f"{text[0]} {text[1:]}", f"、{text}；")[seen[text] // 3 % 3]
        written.append(cells)
    return written


def write_towns(folder: Path, towns: list[Town]) -> None:
    """Write one export of each feed with the rows of all towns, and their lists as one national list per moment."""
    whole = world(towns)
    for feed, rows in whole.rows.items():
        support.write_feed(folder, feed, _written_otherwise(rows))
    lists = folder / "risk_areas"
    lists.mkdir(parents=True, exist_ok=True)
    for moment, arrival in whole.lists:
        content: dict[str, object] = {"end_update_time": f"{moment:%Y-%m-%d} {moment.hour}时"}
        for name, level in (("highlist", "高"), ("middlelist", "中")):
            entries = [e for e in whole.listed if (e.moment, e.arrival, e.level) == (moment, arrival, level)]
            content[name] = [
                {"type": "1", "province": county[0], "city": county[1], "county": county[2], "area_name": "",
                 "communitys": [entry.area for entry in entries if entry.county == county]}
                for county in sorted({entry.county for entry in entries})
            ]  # fmt: skip
            content["hcount" if level == "高" else "mcount"] = len(entries)
        (lists / f"{moment:%Y%m%d%H}.json").write_text(json.dumps({"data": content}), encoding="utf-8")
