"""The story of the town: who is tested when, who arrives, and an outbreak with its zones."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from yingjian.simulate.clocks import write_clocks
from yingjian.simulate.controls import write_controls
from yingjian.simulate.exports import Exports
from yingjian.simulate.people import COMMUNITIES, GRIDS, make_people
from yingjian.simulate.response import Response
from yingjian.simulate.sampling import UnitSampling

HISTORY_DAYS = 14  # Tests before the first day, so that rolling duties have something to look back on.
OUTBREAK_DAY = 8  # Day of the simulation on which the first case is found.
ZONES = 4
AREAS = [
    ("高", "上海市", "上海市", "静安区", "芷江西路街道丙弄"),
    ("高", "福建省", "厦门市", "思明区", "鹭江街道甲小区"),
    ("中", "福建省", "厦门市", "思明区", "鹭江街道乙小区（1-3号楼）"),
    ("中", "江苏省", "南京市", "六合区", "龙池街道丁小区"),
]
RESIDENT_ID = "居民身份证"


def write_landing(out: Path, persons: int, days: int, seed: int, last_day: date) -> None:
    """Write `<out>/<feed>/…` for `days` days up to `last_day`: the full state on the first, then increments.

    Deterministic: the same arguments give the same bytes. Memory follows the number of persons, not of days.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    people = make_people(rng, persons, last_day)
    apart = np.random.Generator(np.random.PCG64([seed, 1]))
    response = Response(Exports(out, apart), apart, people)
    own = np.random.Generator(np.random.PCG64([seed, 11]))
    sampling = UnitSampling(Exports(out, own), own, people)
    town = _Town(Exports(out, rng), rng, people, last_day - timedelta(days=days - 1), response, sampling)
    out.mkdir(parents=True, exist_ok=True)
    for index in range(days):
        town.write_day(index)
        _write_risk_areas(out, town.first_day + timedelta(days=index), index)
    write_clocks(out, seed, people, last_day)
    write_controls(out, seed, people, last_day)


class _Town:
    def __init__(
        self,
        exports: Exports,
        rng: np.random.Generator,
        people: pl.DataFrame,
        first_day: date,
        response: Response,
        sampling: UnitSampling,
    ) -> None:
        self.exports = exports
        self.rng = rng
        self.people = people
        self.first_day = first_day
        self.response = response
        self.sampling = sampling
        self.offset = rng.integers(0, 7, people.height)
        self.careless = rng.random(people.height) < 0.08
        self.cases: list[int] = []
        self.contacts: list[dict[str, Any]] = []
        self.arrivals: list[dict[str, Any]] = []
        self.pending: pl.DataFrame | None = None
        self.samples = 0
        # Day -> samples that people under control or follow-up will give on it: (identity, seconds of the day).
        self.appointments: dict[date, list[tuple[dict[str, str], int]]] = {}

    def write_day(self, index: int) -> None:
        day = self.first_day + timedelta(days=index)
        stamp = f"{day:%Y%m%d}"
        if index == 0:
            self._write_registers(day, stamp)
            self.response.write_registers(stamp, day)
        self._write_arrivals(day, stamp)
        self._write_pharmacy(day, stamp)
        if index >= OUTBREAK_DAY:
            self._write_outbreak(index - OUTBREAK_DAY, day, stamp)
            self.response.write_day(index - OUTBREAK_DAY, day, stamp, self.cases)
            self.sampling.write_day(index - OUTBREAK_DAY, day, stamp, self.cases)
        self._write_tests(index, day, stamp)
        if index and index % 3 == 0:
            self._write_roster_changes(day, stamp)

    # Registers

    def _identity(self, people: pl.DataFrame) -> dict[str, Any]:
        return {
            "person_name": people["name"],
            "id_type": pl.repeat(RESIDENT_ID, people.height, eager=True),
            "id_number": people["id_number"],
            "phone": people["phone"],
        }

    def _write_registers(self, day: date, stamp: str) -> None:
        people = self.people
        self.exports.write("residents", stamp, pl.DataFrame({
            **self._identity(people), "birth_date": people["birth"], "community": people["community"],
            "grid": people["grid"], "building": people["building"], "resident_type": people["resident_type"],
            "moved_in_date": self._same(date(2020, 1, 1), people.height), "updated_at": self._times(day, people.height),
        }))  # fmt: skip
        members = people.with_row_index("person").filter(pl.col("group") != "")
        self.exports.write("key_population", stamp, pl.DataFrame({
            "record_key": [f"KP{i:07d}" for i in members["person"]], **self._identity(members),
            "group_code": members["group"], "unit": members["unit"], "community": members["community"],
            "grid": members["grid"], "address": members["building"],
            "start_date": self._same(day - timedelta(days=30), members.height),
            "custom_frequency": ["3天1检" if group == "38" else "" for group in members["group"]],
            "updated_at": self._times(day, members.height),
        }), [
            {"记录编号": "BAD0001", "人群编号": "99", "证件类型": RESIDENT_ID, "证件号码": members["id_number"][0],
             "起始日期": f"{day}", "更新时间": f"{day} 08:00"},
            {"记录编号": "BAD0002", "人群编号": "32", "证件类型": RESIDENT_ID, "证件号码": members["id_number"][0],
             "起始日期": f"{day}", "更新时间": f"{day} 08:00"},
        ])  # fmt: skip
        self._write_elderly(day, stamp)
        self._write_teams(day, stamp)

    def _write_elderly(self, day: date, stamp: str) -> None:
        elderly = self.people.with_row_index("person").filter(
            pl.col("birth") <= date(day.year - 60, day.month, min(day.day, 28))
        )
        for dose, share in ((1, 0.92), (2, 0.88), (3, 0.7)):
            given = elderly.filter(pl.Series(self.rng.random(elderly.height)) < share)
            self.exports.write("vaccinations", f"{stamp}_{dose}", pl.DataFrame({
                "vaccination_key": [f"VC{i:07d}-{dose}" for i in given["person"]], **self._identity(given),
                "dose": [str(dose)] * given.height, "vaccine": ["灭活疫苗"] * given.height,
                "vaccinated_date": self._same(date(2021, 3 * dose, 10), given.height),
                "updated_at": self._times(day, given.height),
            }))  # fmt: skip

    def _write_teams(self, day: date, stamp: str) -> None:
        sizes = [("流调", "街道", "", origin) for origin in ["街道办"] * 7 + ["公安"] + ["卫生"] * 2]
        for community in COMMUNITIES:
            sizes += [("流调", "社区", community, "")] * int(self.rng.integers(2, 6))
        members = self.people.head(len(sizes))
        sizes = sizes[: members.height]
        self.exports.write("teams", stamp, pl.DataFrame({
            "member_key": [f"TM{i:04d}" for i in range(len(sizes))], "team_type": [row[0] for row in sizes],
            "level": [row[1] for row in sizes], "community": [row[2] for row in sizes], **self._identity(members),
            "origin": [row[3] for row in sizes], "updated_at": self._times(day, len(sizes)),
        }))  # fmt: skip

    def _write_roster_changes(self, day: date, stamp: str) -> None:
        """Some leave their group; a few are exempt for a week."""
        members = self.people.with_row_index("person").filter(pl.col("group") != "")
        chosen = members[self.rng.choice(members.height, max(2, members.height // 200), replace=False).tolist()]
        leaving, exempt = chosen.head(chosen.height // 2 + 1), chosen.tail(chosen.height // 2)
        self.exports.write("key_population", f"{stamp}_b", pl.DataFrame({
            "record_key": [f"KP{i:07d}" for i in leaving["person"]], **self._identity(leaving),
            "group_code": leaving["group"], "unit": leaving["unit"], "community": leaving["community"],
            "grid": leaving["grid"], "address": leaving["building"],
            "start_date": self._same(self.first_day - timedelta(days=30), leaving.height),
            "end_date": self._same(day, leaving.height),
            "custom_frequency": ["3天1检" if group == "38" else "" for group in leaving["group"]],
            "updated_at": self._times(day, leaving.height),
        }))  # fmt: skip
        self.exports.write("exemptions", stamp, pl.DataFrame({
            "exemption_key": [f"EX{stamp}{i}" for i in range(exempt.height)],
            "id_type": [RESIDENT_ID] * exempt.height, "id_number": exempt["id_number"],
            "start_date": self._same(day, exempt.height), "end_date": self._same(day + timedelta(days=6), exempt.height),
            "reason": ["休假"] * exempt.height, "approved_by": ["值班领导"] * exempt.height,
            "updated_at": self._times(day, exempt.height),
        }))  # fmt: skip

    # Tests

    def _appoint(self, people: pl.DataFrame, row: int, days: list[date]) -> None:
        """Most people under control are sampled on the days asked for; some a day late, a few not at all."""
        identity = {
            "person_name": people["name"][row], "id_type": RESIDENT_ID,
            "id_number": people["id_number"][row], "phone": people["phone"][row],
        }  # fmt: skip
        for day in days:
            draw = self.rng.random()
            if draw < 0.93:
                when = day + timedelta(days=int(draw > 0.84))
                self.appointments.setdefault(when, []).append((identity, int(self.rng.integers(9 * 3600, 20 * 3600))))

    def _appointed(self, day: date) -> pl.DataFrame:
        kept = self.appointments.pop(day, [])
        sampled_at = pl.Series(
            [datetime.combine(day, time()) + timedelta(seconds=s) for _, s in kept], dtype=pl.Datetime
        )
        return pl.DataFrame({
            "sample_key": [f"C{day:%Y%m%d}{i:05d}" for i in range(len(kept))],
            **{name: [identity[name] for identity, _ in kept] for name in ("person_name", "id_type", "id_number", "phone")},
            "sampled_at": sampled_at, "sampling_point": ["上门采样"] * len(kept), "sampling_method": ["单采"] * len(kept),
            "tube_no": [""] * len(kept), "laboratory": ["检测机构A"] * len(kept),
            "tested_at": sampled_at.dt.offset_by("6h"), "result": ["阴性"] * len(kept),
            "updated_at": sampled_at.dt.offset_by("7h"),
        }) if kept else pl.DataFrame()  # fmt: skip

    def _write_tests(self, index: int, day: date, stamp: str) -> None:
        days = range(-HISTORY_DAYS, 1) if index == 0 else (index,)
        frames = [self._tests_of(i, self.first_day + timedelta(days=i)) for i in days]
        rows = pl.concat(frames)
        sent = [rows, self._appointed(day)]
        sent = [frame for frame in sent if frame.height]
        if self.pending is not None:
            # Yesterday's pending results come again, with their result.
            sent.append(
                self.pending.with_columns(result=pl.lit("阴性"), updated_at=pl.lit(datetime.combine(day, time(7, 30))))
            )
        self.pending = rows.filter(pl.col("result") == "待出")
        self.exports.write("test_results", stamp, pl.concat(sent), self._bad_tests(day, rows))

    def _tests_of(self, index: int, day: date) -> pl.DataFrame:
        k, n = self.people["k"].to_numpy(), self.people["n"].to_numpy()
        step = np.where(k > 0, n // np.maximum(k, 1), 1)
        is_due = (k > 0) & ((index + self.offset) % np.maximum(step, 1) == 0)
        draw = self.rng.random(self.people.height)
        sampled = np.where(is_due, np.where(self.careless, draw < 0.35, draw < 0.995), draw < 0.04)
        sampled[self.cases] = False
        chosen = np.flatnonzero(sampled)
        people = self.people[chosen.tolist()]
        count = len(chosen)
        first = self.samples
        self.samples += count
        seconds = self.rng.integers(6 * 3600, 21 * 3600, count)
        sampled_at = pl.Series(np.datetime64(day, "us") + seconds.astype("timedelta64[s]"))
        is_single = self.rng.random(count) < 0.15
        return pl.DataFrame({
            "sample_key": pl.Series(np.arange(first, first + count)).cast(pl.String).str.zfill(10).str.replace("^", "S"),
            **self._identity(people), "sampled_at": sampled_at,
            "sampling_point": [f"采样点{i}" for i in self.rng.integers(1, 30, count)],
            "sampling_method": np.where(is_single, "单采", "混采"),
            "tube_no": ["" if single else f"T{(first + i) // 10:09d}" for i, single in enumerate(is_single)],
            "laboratory": ["检测机构A"] * count, "tested_at": sampled_at.dt.offset_by("7h"),
            "result": np.where(self.rng.random(count) < 0.03, "待出", np.where(self.rng.random(count) < 0.002, "无效", "阴性")),
            "updated_at": sampled_at.dt.offset_by("8h"),
        }, strict=False)  # fmt: skip

    def _bad_tests(self, day: date, rows: pl.DataFrame) -> list[dict[str, str]]:
        number = rows["id_number"][0]
        wrong = number[:-1] + ("1" if number[-1] != "1" else "2")
        good = {"样本编号": "", "证件类型": RESIDENT_ID, "证件号码": number, "采样时间": f"{day} 08:00", "采样方式": "单采",
                "检测结果": "阴性", "更新时间": f"{day} 12:00"}  # fmt: skip
        bad = [{"证件号码": wrong}, {"证件号码": "3.50503E+17"}, {"采样时间": "2022-02-30 10:00"}, {"检测结果": "不明"}]
        return [good | {"样本编号": f"BAD{day:%m%d}{i}"} | problem for i, problem in enumerate(bad)]

    # People who come, and what they buy

    def _strangers(self, count: int, day: date) -> pl.DataFrame:
        return make_people(self.rng, count, day)

    def _write_arrivals(self, day: date, stamp: str) -> None:
        count = int(2 + self.rng.poisson(self.people.height / 1500))
        people = self._strangers(count, day)
        rows = []
        for i in range(count):
            origin = int(self.rng.integers(0, len(AREAS) + 2))
            _, province, city, county, area = AREAS[min(origin, len(AREAS) - 1)]
            is_abroad = origin == len(AREAS)
            rows.append({
                "arrival_key": f"AR{stamp}{i:03d}", "origin": "境外" if is_abroad else "省",
                "origin_province": "" if is_abroad else province, "origin_city": "" if is_abroad else city,
                "origin_county": "" if is_abroad else county,
                "origin_area": "" if is_abroad else ("某小区" if origin > len(AREAS) else area),
                "left_date": None if is_abroad else day - timedelta(days=int(self.rng.integers(0, 3))),
                "entry_date": day - timedelta(days=int(self.rng.integers(0, 8))) if is_abroad else None,
                "entry_port_province": "上海市" if is_abroad else "", "arrival_date": day,
                "community": people["community"][i], "grid": people["grid"][i],
                "pushed_at": datetime.combine(day, time(9)), "investigated_at": datetime.combine(day, time(15)),
                "updated_at": datetime.combine(day, time(16)),
            })  # fmt: skip
        frame = pl.DataFrame(rows, schema_overrides={"left_date": pl.Date, "entry_date": pl.Date})
        self.exports.write("arrivals", stamp, frame.with_columns(**self._identity(people)))
        self.arrivals += [
            {"key": row["arrival_key"], "number": people["id_number"][i], "day": day} for i, row in enumerate(rows)
        ]
        for i, row in enumerate(rows):
            anchor = row["entry_date"] or row["left_date"]
            days = [anchor + timedelta(days=n) for n in (0, 1, 2, 3, 4, 6, 9)]
            self._appoint(people, i, [when for when in days if when >= day])
        self._write_releases(day, stamp)

    def _write_releases(self, day: date, stamp: str) -> None:
        done = [arrival for arrival in self.arrivals if arrival["day"] == day - timedelta(days=10)]
        self.exports.write("releases", stamp, pl.DataFrame({
            "release_key": [f"RL{arrival['key']}" for arrival in done],
            "record_key": [f"arrivals:{arrival['key']}" for arrival in done],
            "id_type": [RESIDENT_ID] * len(done), "id_number": [arrival["number"] for arrival in done],
            "release_type": ["全部管控"] * len(done), "release_date": self._same(day, len(done)),
            "person_result": ["阴性"] * len(done), "objects_result": ["阴性"] * len(done),
            "environment_result": ["阴性"] * len(done), "updated_at": self._times(day, len(done)),
        }) if done else pl.DataFrame())  # fmt: skip

    def _write_pharmacy(self, day: date, stamp: str) -> None:
        count = int(1 + self.rng.poisson(self.people.height / 2000))
        buyers = self.people[self.rng.choice(self.people.height, count, replace=False).tolist()]
        for i in range(count):
            self._appoint(buyers, i, [day + timedelta(days=1)])
        bought = [datetime.combine(day, time(int(hour))) for hour in self.rng.integers(8, 21, count)]
        self.exports.write("pharmacy_purchases", stamp, pl.DataFrame({
            "purchase_key": [f"PH{stamp}{i:04d}" for i in range(count)], **self._identity(buyers),
            "pharmacy": [f"药店{i}" for i in self.rng.integers(1, 9, count)], "community": buyers["community"],
            "address": buyers["building"], "drug": ["对乙酰氨基酚"] * count, "drug_category": ["退热"] * count,
            "quantity": ["1"] * count, "purchased_at": bought, "temperature": ["37.2"] * count,
            "pushed_at": bought, "investigated_at": [moment + timedelta(hours=3) for moment in bought],
            "investigation_result": ["无异常"] * count, "updated_at": [moment + timedelta(hours=3) for moment in bought],
        }))  # fmt: skip

    # The outbreak

    def _write_outbreak(self, since: int, day: date, stamp: str) -> None:
        if since == 0:
            self._declare(day, stamp)
        if since < ZONES:
            self._find_case(since, day, stamp)
        self._change_zones(since, day, stamp)

    def _declare(self, day: date, stamp: str) -> None:
        self.exports.write("declarations", stamp, pl.DataFrame({
            "notice_key": ["GG1", "GG2"], "declaration_type": ["疫情启动", "区域核酸"],
            "communities": ["", "、".join(COMMUNITIES[:2])],
            "started_at": [datetime.combine(day, time(6)), datetime.combine(day, time(8))],
            "updated_at": [datetime.combine(day, time(6)), datetime.combine(day, time(8))],
        }))  # fmt: skip

    def _find_case(self, zone: int, day: date, stamp: str) -> None:
        community, grid = COMMUNITIES[zone], GRIDS[0]
        here = np.flatnonzero(
            (self.people["community"] == community).to_numpy() & (self.people["grid"] == grid).to_numpy()
        )
        if len(here) < 3:
            return
        case = int(here[0])
        self.cases.append(case)
        person = self.people[[case]]
        self.exports.write("cases", stamp, pl.DataFrame({
            "case_key": [f"CASE{zone + 1:03d}"], **self._identity(person), "case_type": ["确诊"], "source": ["本土"],
            "sample_date": [day], "reported_at": [datetime.combine(day, time(8, 30))], "community": [community],
            "grid": [grid], "zone_key": [f"Z{zone + 1}"], "updated_at": [datetime.combine(day, time(9))],
        }))  # fmt: skip
        close = self.people[self.rng.choice(here[1:], min(5, len(here) - 1), replace=False).tolist()]
        count = close.height
        for i in range(count):
            self._appoint(close, i, [day + timedelta(days=n) for n in (0, 1, 2, 3, 5, 8)])
        self.exports.write("contacts", stamp, pl.DataFrame({
            "contact_key": [f"CT{zone + 1}{i:03d}" for i in range(count)], "case_key": [f"CASE{zone + 1:03d}"] * count,
            "category": ["密接" if i < 3 else "次密接" for i in range(count)], **self._identity(close),
            "last_exposure_date": self._same(day - timedelta(days=1), count),
            "judged_at": [datetime.combine(day, time(10))] * count,
            "isolated_at": [datetime.combine(day, time(14 + i)) for i in range(count)],
            "isolation_method": ["集中" if i < 3 else "居家" for i in range(count)],
            "isolation_place": ["隔离点1" if i < 3 else "" for i in range(count)], "community": close["community"],
            "grid": close["grid"], "updated_at": [datetime.combine(day, time(20))] * count,
        }))  # fmt: skip
        self._notice(zone, "高", day, stamp)

    def _change_zones(self, since: int, day: date, stamp: str) -> None:
        for zone in range(ZONES):
            age = since - zone
            if 0 < age < 12:
                self._disinfect(zone, day, stamp)
            # The last zone is lowered two days too soon; the report says so.
            if age == (7 if zone < ZONES - 1 else 5):
                self._notice(zone, "中", day, stamp)

    def _notice(self, zone: int, level: str, day: date, stamp: str) -> None:
        self.exports.write("risk_zones", f"{stamp}_{zone + 1}", pl.DataFrame({
            "notice_key": [f"TG{zone + 1}{stamp}"], "zone_key": [f"Z{zone + 1}"],
            "zone_name": [f"{COMMUNITIES[zone]}{GRIDS[0]}"], "level": [level], "community": [COMMUNITIES[zone]],
            "grid": [GRIDS[0]], "effective_date": [day], "updated_at": [datetime.combine(day, time(8))],
        }))  # fmt: skip

    def _disinfect(self, zone: int, day: date, stamp: str) -> None:
        hours = (9, 16) if self.rng.random() < 0.9 else (9,)
        self.exports.write("disinfections", f"{stamp}_{zone + 1}", pl.DataFrame({
            "disinfection_key": [f"DS{zone + 1}{stamp}{hour}" for hour in hours], "zone_key": [f"Z{zone + 1}"] * len(hours),
            "place": [f"{COMMUNITIES[zone]}{GRIDS[0]}"] * len(hours), "disinfection_type": ["预防性"] * len(hours),
            "started_at": [datetime.combine(day, time(hour)) for hour in hours],
            "ended_at": [datetime.combine(day, time(hour, 40)) for hour in hours],
            "updated_at": [datetime.combine(day, time(18))] * len(hours),
        }))  # fmt: skip

    # Columns

    def _same(self, day: date, count: int) -> pl.Series:
        return pl.repeat(day, count, eager=True, dtype=pl.Date)

    def _times(self, day: date, count: int) -> pl.Series:
        return pl.Series(
            np.datetime64(day, "us") + self.rng.integers(8 * 3600, 9 * 3600, count).astype("timedelta64[s]")
        )


def _write_risk_areas(out: Path, day: date, index: int) -> None:
    """The national list of the day, at nine in the morning; an area is listed for some weeks."""
    lists: dict[str, list[dict[str, Any]]] = {"高": [], "中": []}
    for i, (level, province, city, county, area) in enumerate(AREAS):
        if index >= i - 2:
            lists[level].append({
                "type": "2", "province": province, "city": city, "county": county,
                "area_name": f"{province} {city} {county}", "communitys": [area],
            })  # fmt: skip
    snapshot = {
        "data": {
            "end_update_time": f"{day:%Y-%m-%d} 9时", "hcount": len(lists["高"]), "mcount": len(lists["中"]),
            "highlist": lists["高"], "middlelist": lists["中"],
        },
        "code": 0, "msg": "查询成功",
    }  # fmt: skip
    folder = out / "risk_areas"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{day:%Y%m%d}09.json").write_text(json.dumps(snapshot, ensure_ascii=False), encoding="utf-8")
