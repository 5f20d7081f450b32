"""This module writes arrivals, their releases, and purchases of medicine."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from yingjian.simulate.columns import address, chosen, home, identity, moments, numbered, releases
from yingjian.simulate.exports import Exports
from yingjian.simulate.monitoring import Monitoring
from yingjian.simulate.people import make_strangers
from yingjian.simulate.sampling import Appointments
from yingjian.simulate.scale import Scale

# The national list names these areas: level, province, city, county, area.
AREAS = [
    ("高", "上海市", "上海市", "静安区", "芷江西路街道丙弄"),
    ("高", "福建省", "厦门市", "思明区", "鹭江街道甲小区"),
    ("中", "福建省", "厦门市", "思明区", "鹭江街道乙小区（1-3号楼）"),
    ("中", "江苏省", "南京市", "六合区", "龙池街道丁小区"),
]
ABROAD, QUIET = "境外", ("浙江省", "杭州市", "西湖区", "某小区")
# People arrive from a listed area, from elsewhere in a listed county, from abroad, or from a place without risk (article 30).
ORIGINS = [*(area[1:] for area in AREAS), (*AREAS[-1][1:4], "某小区"), ("", "", "", ""), QUIET]
SHARES = (0.08, 0.08, 0.08, 0.08, 0.08, 0.08, 0.52)
FROM_ABROAD, FROM_QUIET = 5, 6
# People stay at home for these numbers of days from the anchor on, by origin, isolated or monitored (article 30).
AT_HOME = np.array([0, 0, 7, 7, 3, 0, 0])
TEST_DAYS = (0, 1, 2, 3, 4, 6, 9)  # Days are counted from entry, or from leaving the area.
RELEASED = 10  # Control ends this many days after arrival.


class Visits:
    """Writes arrivals, their releases and pharmacy purchases, day by day; people who must be tested get appointments."""

    def __init__(
        self,
        exports: Exports,
        rng: np.random.Generator,
        people: pl.DataFrame,
        scale: Scale,
        appointments: Appointments,
        monitoring: Monitoring,
    ) -> None:
        self._exports = exports
        self._rng = rng
        self._people = people
        self._scale = scale
        self._appointments = appointments
        self._monitoring = monitoring
        self._count = 0
        self._controlled: dict[date, pl.DataFrame] = {}  # It maps day of arrival -> key of the record, id_number.

    def write_day(self, day: date, stamp: str) -> None:
        self._write_arrivals(day, stamp)
        self._write_releases(day, stamp)
        self._write_purchases(day, stamp)

    def _write_arrivals(self, day: date, stamp: str) -> None:
        """Write arrivals, about one per thousand residents; those from a place with risk are under control (article 30)."""
        count = int(2 + self._rng.poisson(self._scale.persons / 1000))
        people = make_strangers(self._rng, self._scale, self._count, count)
        self._count += count
        origin = self._rng.choice(len(ORIGINS), count, p=SHARES)
        is_abroad, is_quiet = origin == FROM_ABROAD, origin == FROM_QUIET
        today = np.datetime64(day, "D")
        anchor = today - np.where(is_abroad, self._rng.integers(0, 8, count), self._rng.integers(0, 3, count))
        names = ("origin_province", "origin_city", "origin_county", "origin_area")
        key = numbered(f"AR{stamp}", np.arange(count), 4)
        self._exports.write("arrivals", stamp, pl.DataFrame({
            "arrival_key": key, **identity(people), "origin": chosen(["省", ABROAD], is_abroad),
            **{name: chosen([place[i] for place in ORIGINS], origin) for i, name in enumerate(names)},
            "left_date": pl.Series(np.where(is_abroad, np.datetime64("NaT"), anchor)),
            "entry_date": pl.Series(np.where(is_abroad, anchor, np.datetime64("NaT"))),
            "entry_port_province": chosen(["", "上海市"], is_abroad), "arrival_date": day, **home(people),
            "pushed_at": _hour(day, 9, count), "investigated_at": _hour(day, 15, count), "updated_at": _hour(day, 16, count),
        }))  # fmt: skip
        for days in TEST_DAYS:
            when = anchor + days
            is_asked = (when >= today) & ~(is_quiet & (when > today + 1))
            self._appointments.add(people.filter(is_asked), when[is_asked])
        days_left = AT_HOME[origin] - (today - anchor).astype(np.int64)
        self._monitoring.add(people.filter(days_left > 0), day, days_left[days_left > 0])
        self._controlled[day] = pl.DataFrame({"key": "arrivals:" + key, "id_number": people["id_number"]}).filter(
            ~is_quiet
        )

    def _write_releases(self, day: date, stamp: str) -> None:
        records = self._controlled.pop(day - timedelta(days=RELEASED), None)
        if records is not None:
            self._exports.write("releases", stamp, releases(self._rng, day, records["key"], records["id_number"]))

    def _write_purchases(self, day: date, stamp: str) -> None:
        """Write purchases of medicine, about three per two thousand residents (article 19)."""
        count = min(int(1 + self._rng.poisson(self._scale.persons / 700)), self._scale.persons)
        buyers = self._people[self._rng.choice(self._people.height, count, replace=False)]
        self._appointments.add(buyers, np.full(count, np.datetime64(day, "D") + 1))
        seconds = self._rng.integers(8, 21, count) * 3600
        pharmacies = self._scale.pharmacies
        investigated = moments(day, seconds + 3 * 3600)
        self._exports.write("pharmacy_purchases", stamp, pl.DataFrame({
            "purchase_key": numbered(f"PH{stamp}", np.arange(count), 4), **identity(buyers),
            "pharmacy": chosen(pharmacies, self._rng.integers(0, len(pharmacies), count)), "community": buyers["community"],
            "address": address(buyers), "drug": "对乙酰氨基酚", "drug_category": "退热", "quantity": "1",
            "purchased_at": moments(day, seconds), "temperature": "37.2", "pushed_at": moments(day, seconds),
            "investigated_at": investigated, "investigation_result": "无异常", "updated_at": investigated,
        }))  # fmt: skip


def _hour(day: date, hour: int, count: int) -> pl.Series:
    return moments(day, np.full(count, hour * 3600))
