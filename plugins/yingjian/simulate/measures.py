"""This module writes the office's work besides testing: referrals, guests, inspections, sites, supplies, requests, drills."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import polars as pl

from yingjian.landing.feeds import DISPOSITIONS, FEEDS
from yingjian.simulate.columns import Integers, chosen, home, identity, moments, numbered, releases
from yingjian.simulate.exports import Exports
from yingjian.simulate.monitoring import Monitoring
from yingjian.simulate.outbreak import Outbreak
from yingjian.simulate.people import make_strangers
from yingjian.simulate.sampling import Appointments
from yingjian.simulate.scale import GRIDS, Scale

STRANGERS_FROM = 20_000_000  # Arrivals use the smaller numbers of strangers.
CATEGORIES = FEEDS["referrals"].column("category").codes
RISK_LEVELS = ("高", "中", "低", "")
ORIGINS = ["福建省厦门市思明区", "上海市静安区", "江苏省南京市六合区"]
# Lists of referrals ask for these: control, tests, days of monitoring at home, days after the anchor with a test.
CONTROL_REQUESTS: list[tuple[str, str, int, tuple[int, ...]]] = [
    ("集中隔离", "第1、4、7天", 0, (0, 3, 6)),
    ("居家隔离", "第1、4、7天", 7, (0, 3, 6)),
    ("健康监测", "3天2检", 3, (0, 2)),
    ("仅检测", "每日", 0, (0, 1, 2, 3, 4, 5, 6)),
    ("仅检测", "", 0, ()),
]
# Every ten persons are verified after these numbers of days (None: not yet), with these results.
CHECKED_AFTER = (0, 0, 0, 0, 0, 0, 0, 1, 1, None)
CHECK_RESULTS = ("在辖区",) * 7 + ("已离开", "无法联系", "信息有误")
RELEASED = 7  # Days after being handed down.

ARTICLES = ["5", "8", "9", "10", "11", "12", "13", "14", "15", "17", "27", "32", "四（五）"]
PLACES = [
    ("超市", "商超"),
    ("学校", "学校"),
    ("农贸市场", "市场"),
    ("宾馆", "住宿"),
    ("养老院", "养老机构"),
    ("工地", "工地"),
]
FINDINGS = ["", "未查验健康码", "", "消毒记录不全", "", "从业人员未按频次检测"]
MENDED_AFTER, MEND_WITHIN = 2, 3  # Both are days; every third problem is never fixed.

# A site has a name, a state, rooms, staff, and hours that it takes to open (articles 8, 26, 35).
SITES = [
    ("隔离点1", "在用", 120, 30, 0),
    ("隔离点2", "在用", 80, 20, 0),
    ("备用点1", "备用", 100, 12, 24),
    ("备用点2", "备用", 60, 8, 48),
]
# An item has a unit, an initial stock, a normal daily use, days of stock that are required, and a responsible body (articles
# 15, 28, 36).
SUPPLIES = [
    ("医用口罩", "只", 60_000, 3_000, 14, "物资保障组"),
    ("防护服", "套", 900, 50, 14, "物资保障组"),
    ("消毒液", "升", 2_000, 60, 14, "物资保障组"),
    ("核酸采样管", "支", 8_000, 400, 7, "卫生院"),
    ("生活物资包", "份", 1_500, 40, 7, "生活保障组"),
]
OUTBREAK_USE = 1.6  # The daily use is multiplied by this during the outbreak.
REQUESTS = FEEDS["requests"].column("category").codes
OPEN_TOO_LONG = 5  # Every fifth request stays open for two days.
HOTELS = ["迎春宾馆", "海丰酒店", "迎宾招待所"]
# Events are announced on these days of the simulation: name, days until it, persons, missing approvals (article 17).
EVENTS: dict[int, tuple[str, int, int, tuple[str, ...]]] = {
    2: ("社区文艺汇演", 4, 300, ()),
    7: ("招聘会", 3, 800, ("health_reviewed_on", "command_approved_on")),
    12: ("运动会", 9, 1_200, ("command_approved_on",)),
}
APPROVALS = ("planned_on", "health_reviewed_on", "community_filed_on", "command_approved_on")
# A drill has a kind, an article, an organizer, and a number of persons (articles 9, 34 to 38).
DRILLS = [
    ("培训", "9", "卫生院", 40),
    ("演练", "34", "应急办", 120),
    ("演练", "35", "隔离专班", 30),
    ("培训", "37", "社区", 60),
    ("演练", "36", "物资保障组", 25),
]
DRILL_DAYS = 3


class Measures:
    """Writes the exports of the office's other work, day by day.

    careless: rows of the people who often miss their tests; the dispositions are about them.
    """

    def __init__(
        self,
        exports: Exports,
        rng: np.random.Generator,
        people: pl.DataFrame,
        scale: Scale,
        monitoring: Monitoring,
        outbreak: Outbreak,
        careless: Integers,
    ) -> None:
        self._exports = exports
        self._rng = rng
        self._people = people
        self._scale = scale
        # Separate appointments are used, so that the rest of the town does not change.
        self._appointments = Appointments(rng)
        self._monitoring = monitoring
        self._outbreak = outbreak
        self._careless = careless
        self._strangers = 0
        self._handed_down: dict[date, pl.DataFrame] = {}  # Its frames have the records to be released on a day.
        self._later: dict[tuple[date, str], list[pl.DataFrame]] = {}  # New versions are held back until their day.
        self._stocks = [float(stock) for _, _, stock, *_ in SUPPLIES]

    def write_day(self, index: int, since: int, day: date, stamp: str) -> None:
        """Write one day; index: day of the simulation, since: day of the outbreak, both from 0."""
        self._write_referrals(day, stamp)
        self._write_guests(day, stamp)
        self._write_inspections(index, day, stamp)
        self._write_sites(since, day, stamp)
        self._write_supplies(since, day, stamp)
        if since >= 0:
            self._write_requests(since, day, stamp)
        if index in EVENTS:
            self._write_event(*EVENTS[index], day, stamp)
        if index % DRILL_DAYS == 1:
            self._write_drill(*DRILLS[index // DRILL_DAYS % len(DRILLS)], day, stamp)
        self._write_dispositions(day, stamp)
        for rows in self._appointments.take(day, self._scale.laboratories[0]):
            keyed = rows.with_columns(sample_key="F" + pl.col("sample_key"))
            self._exports.write("test_results", f"{stamp}_f", keyed)
        for of_day, feed in [key for key in sorted(self._later) if key[0] == day]:
            self._exports.write(feed, f"{stamp}_b", pl.concat(self._later.pop((of_day, feed))))

    def _new_strangers(self, count: int) -> pl.DataFrame:
        people = make_strangers(self._rng, self._scale, STRANGERS_FROM + self._strangers, count)
        self._strangers += count
        return people

    def _write_referrals(self, day: date, stamp: str) -> None:
        """Write referrals: most persons are found on the same day, some later, and some are not here (articles 7, 30)."""
        count = int(2 + self._rng.poisson(self._scale.persons / 5_000))
        people = self._new_strangers(count)
        key = numbered(f"RF{stamp}", np.arange(count), 4)
        number = np.arange(count) + day.toordinal() * 3
        request, checked = number % len(CONTROL_REQUESTS), number // 2 % len(CHECKED_AFTER)
        days_after = [CHECKED_AFTER[i] for i in checked]
        results = [CHECK_RESULTS[i] for i in (number * 7 // 3) % len(CHECK_RESULTS)]
        exposed = day - timedelta(days=1)
        rows = pl.DataFrame({
            "referral_key": key, **identity(people), "category": chosen(list(CATEGORIES), number % len(CATEGORIES)),
            "risk_level": chosen(list(RISK_LEVELS), number // 3 % len(RISK_LEVELS)),
            "origin": chosen(ORIGINS, number % len(ORIGINS)),
            "last_exposure_date": pl.Series([None if i % 6 == 5 else exposed for i in number], dtype=pl.Date),
            "handed_down_at": datetime.combine(day, time(9)), **home(people), "address": "借住亲友家",
            "control_method": chosen([method for method, *_ in CONTROL_REQUESTS], request),
            "required_tests": chosen([tests for _, tests, *_ in CONTROL_REQUESTS], request),
            "verified_at": pl.Series([None] * count, dtype=pl.Datetime("ms")), "verification_result": "",
            "updated_at": pl.Series([datetime.combine(day, time(9, 30))] * count, dtype=pl.Datetime("ms")),
        })  # fmt: skip
        self._exports.write("referrals", stamp, rows)
        for days in (0, 1):
            is_then = pl.Series([after == days for after in days_after], dtype=pl.Boolean)
            verified = datetime.combine(day + timedelta(days=days), time(15))
            version = rows.with_columns(
                verified_at=pl.lit(verified).cast(pl.Datetime("ms")),
                verification_result=pl.Series(results, dtype=pl.String),
                updated_at=pl.lit(verified + timedelta(hours=1)).cast(pl.Datetime("ms")),
            ).filter(is_then)  # fmt: skip
            if version.height:
                self._later.setdefault((verified.date(), "referrals"), []).append(version)
        is_here = pl.Series([text == "在辖区" for text in results], dtype=pl.Boolean)
        for place, (_, _, monitored, tests) in enumerate(CONTROL_REQUESTS):
            asked_of = people.filter(is_here & pl.Series(request == place))
            for days in tests:
                self._appointments.add(asked_of, np.full(asked_of.height, np.datetime64(day, "D") + days))
            if monitored:
                self._monitoring.add(asked_of, day, monitored)
        records = pl.DataFrame({"key": "referrals:" + key, "id_number": people["id_number"]}).filter(is_here)
        self._handed_down[day + timedelta(days=RELEASED)] = records
        released = self._handed_down.pop(day, None)
        if released is not None:
            self._exports.write(
                "releases", f"{stamp}_f", releases(self._rng, day, released["key"], released["id_number"])
            )

    def _write_guests(self, day: date, stamp: str) -> None:
        """Write hotel guests: one is on today's list of referrals, and some are reported late (article 16)."""
        count = int(2 + self._rng.poisson(self._scale.persons / 2_000))
        rows = self._rng.choice(self._people.height, min(count, self._people.height), replace=False)
        columns = ["name", "id_number", "phone", "community", "grid"]
        texts = [pl.col("community").cast(pl.String), pl.col("grid").cast(pl.String)]
        residents = self._people[rows].select(columns).with_columns(texts)
        people = pl.concat([self._new_strangers(count).select(columns).with_columns(texts), residents])
        listed = self._handed_down.get(day + timedelta(days=RELEASED))
        if listed is not None and listed.height:
            # The first guest was handed down this morning.
            first = people["id_number"].to_list()
            first[0] = listed["id_number"][0]
            people = people.with_columns(id_number=pl.Series(first))
        count = people.height
        seconds = self._rng.integers(14 * 3600, 22 * 3600, count)
        entered, checked_out = moments(day, seconds), moments(day + timedelta(days=1), np.full(count, 11 * 3600))
        reported = entered + pl.Series(np.where(np.arange(count) % 5 == 4, 20, 1) * 3_600_000).cast(pl.Duration("ms"))
        guests = pl.DataFrame({
            "guest_key": numbered(f"GU{stamp}", np.arange(count), 4), **identity(people),
            "hotel": chosen(HOTELS, np.arange(count) % len(HOTELS)), "community": people["community"],
            "checked_in_at": entered, "checked_out_at": pl.Series([None] * count, dtype=pl.Datetime("ms")),
            "reported_at": pl.Series([None] * count, dtype=pl.Datetime("ms")), "updated_at": entered,
        })  # fmt: skip
        self._exports.write("guests", stamp, guests)
        version = guests.with_columns(
            checked_out_at=checked_out, reported_at=reported, updated_at=checked_out + timedelta(hours=1)
        )
        self._later[day + timedelta(days=1), "guests"] = [version]

    def _write_inspections(self, index: int, day: date, stamp: str) -> None:
        """Write two inspections a day; every third problem is never fixed (articles 5, 8 to 15, 17, 27, 32)."""
        rows: list[dict[str, Any]] = []
        for i in range(2):
            number = index * 2 + i
            kind, place_type = PLACES[number % len(PLACES)]
            finding = FINDINGS[number % len(FINDINGS)]
            rows.append({
                "inspection_key": f"IN{stamp}{i}", "article": ARTICLES[number % len(ARTICLES)],
                "place": f"{self._scale.communities[number % len(self._scale.communities)]}{kind}", "place_type": place_type,
                "community": self._scale.communities[number % len(self._scale.communities)],
                "inspected_at": datetime.combine(day, time(10 + 4 * i)), "inspector": "督导组", "finding": finding,
                "mend_by": day + timedelta(days=MEND_WITHIN) if finding else None, "mended_at": None,
                "updated_at": datetime.combine(day, time(17)),
            })  # fmt: skip
            if finding and number % 3:
                mended = datetime.combine(day + timedelta(days=MENDED_AFTER), time(9))
                version = rows[-1] | {"mended_at": mended, "updated_at": mended + timedelta(hours=1)}
                self._later.setdefault((mended.date(), "inspections"), []).append(_frame([version]))
        self._exports.write("inspections", stamp, _frame(rows))

    def _write_sites(self, since: int, day: date, stamp: str) -> None:
        """Write isolation sites; those in use run out of rooms during the outbreak."""
        rows = [
            {
                "site_key": f"GL{i + 1}", "site_name": name, "status": status, "rooms": str(rooms),
                "rooms_free": str(max(0, rooms - max(0, since + 1) * 9 - 5 if status == "在用" else rooms)), "staff": str(staff),
                "hours_to_open": str(hours), "reported_on": day, "updated_at": datetime.combine(day, time(17, 30)),
            }
            for i, (name, status, rooms, staff, hours) in enumerate(SITES)
        ]  # fmt: skip
        self._exports.write("isolation_sites", stamp, _frame(rows))

    def _write_supplies(self, since: int, day: date, stamp: str) -> None:
        """Write stocks: they shrink faster during the outbreak, and are refilled below half of the required days."""
        rows = []
        for i, (item, unit, at_first, use, floor, department) in enumerate(SUPPLIES):
            used = use * (OUTBREAK_USE if since >= 0 else 1)
            stock = self._stocks[i] - used
            if stock < used * floor / 2:
                stock += at_first
            self._stocks[i] = stock
            rows.append({
                "supply_key": f"WZ{i + 1:02d}", "item": item, "unit_of_measure": unit, "stock": f"{stock:.0f}",
                "daily_use": f"{used:.0f}", "floor_days": str(floor), "department": department, "reported_on": day,
                "updated_at": datetime.combine(day, time(18)),
            })  # fmt: skip
        self._exports.write("supplies", stamp, _frame(rows))

    def _write_requests(self, since: int, day: date, stamp: str) -> None:
        """Write requests of people in the zones: most are closed within hours, some wait (articles 28, 29)."""
        zones = self._outbreak.cases.filter(pl.col("day") <= since)["zone"].unique().sort()
        rows: list[dict[str, Any]] = []
        for number, zone in enumerate(zones.to_list()):
            received = datetime.combine(day, time(8)) + timedelta(minutes=int(self._rng.integers(0, 600)))
            is_slow = (number + since) % OPEN_TOO_LONG == 0
            row = {
                "request_key": f"RQ{stamp}{number:03d}", "zone_key": f"Z{zone + 1}",
                "community": self._scale.communities[zone], "grid": GRIDS[0],
                "category": REQUESTS[(number + since) % len(REQUESTS)], "received_at": received, "closed_at": None,
                "department": "生活保障组", "updated_at": received,
            }  # fmt: skip
            closed = received + timedelta(hours=50 if is_slow else 3)
            if closed.date() == day:
                row |= {"closed_at": closed, "updated_at": closed}
            else:
                version = row | {"closed_at": closed, "updated_at": closed}
                self._later.setdefault((closed.date(), "requests"), []).append(_frame([version]))
            rows.append(row)
        if rows:
            self._exports.write("requests", stamp, _frame(rows))

    def _write_event(
        self, name: str, ahead: int, persons: int, missing: tuple[str, ...], day: date, stamp: str
    ) -> None:
        approvals = {
            column: None if column in missing else day - timedelta(days=len(APPROVALS) - i)
            for i, column in enumerate(APPROVALS)
        }
        row = {
            "event_key": f"EV{stamp}", "event_name": name, "organizer": "文化站", "community": self._scale.communities[0],
            "held_on": day + timedelta(days=ahead), "attendance": str(persons), **approvals,
            "updated_at": datetime.combine(day, time(16)),
        }  # fmt: skip
        self._exports.write("events", stamp, _frame([row]))

    def _write_drill(self, kind: str, article: str, department: str, persons: int, day: date, stamp: str) -> None:
        row = {
            "drill_key": f"DR{stamp}", "drill_type": kind, "article": article, "department": department, "held_on": day,
            "attendance": str(persons), "updated_at": datetime.combine(day, time(17)),
        }  # fmt: skip
        self._exports.write("drills", stamp, _frame([row]))

    def _write_dispositions(self, day: date, stamp: str) -> None:
        """Write dispositions about people who missed a test, with each result in turn."""
        count = min(len(self._careless), 2 + self._scale.persons // 2_000)
        if not count:
            return
        rows = self._rng.choice(self._careless, count, replace=False)
        group = self._people[rows]["group"].cast(pl.String)
        handled = moments(day, 9 * 3600 + np.arange(count) % 480 * 60)
        self._exports.write("dispositions", stamp, pl.DataFrame({
            "disposition_key": numbered(f"CZ{stamp}", np.arange(count), 5), "list_name": "overdue",
            "item_key": numbered("KP", rows, 7) + "/" + group + "/rolling",
            "result": chosen(list(DISPOSITIONS), (np.arange(count) + day.toordinal()) % len(DISPOSITIONS)),
            "handled_by": "网格员", "handled_at": handled, "remark": "电话联系", "updated_at": handled + timedelta(minutes=5),
        }))  # fmt: skip


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return rows as a frame, in which columns of times and dates keep their types even if all cells are empty."""
    types: dict[str, pl.DataType] = {name: pl.Datetime("ms") for name in rows[0] if name.endswith("_at")}
    types |= {name: pl.Date() for name in rows[0] if name.endswith("_on") or name == "mend_by"}
    return pl.DataFrame(rows, schema_overrides=types)
