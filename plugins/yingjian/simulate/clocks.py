"""This story fills the last four days with deadlines: contacts, pushed lists, positive tubes and purchases of medicine.

It has a random generator of its own, so that the rest of the town does not change.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import polars as pl

from yingjian.simulate.columns import RESIDENT_ID, address
from yingjian.simulate.exports import Exports
from yingjian.simulate.scale import Scale

NEEDED = 40  # People whom the story needs.
Moment = tuple[int, float]  # Days before the last one (0 is the last), hour of that day.

# Category, judged, transferred, isolated, method: isolated in the 8th hour, late, at home, only moved, and still running.
CONTACTS: list[tuple[str, Moment, Moment | None, Moment | None, str]] = [
    ("密接", (1, 8), (1, 12), (1, 16), "集中"),
    ("次密接", (1, 8), None, (1, 17.5), "居家"),
    ("密接", (1, 9), None, (1, 11), "居家"),
    ("密接", (1, 20), (1, 23), None, "集中"),
    ("密接", (0, 10), None, (0, 12), "集中"),
    ("密接", (0, 19), None, None, ""),
]
# Arrived, pushed, investigated: cleared the day after, open, not pushed.
ARRIVALS: list[tuple[int, Moment | None, Moment | None]] = [
    (2, (2, 9), (2, 23.99)),
    (2, (2, 9), (1, 8)),
    (1, (1, 9), None),
    (0, (0, 9), None),
    (0, None, None),
]
# Buyer, bought, drug, category, pushed, investigated. Buyer 0 buys twice; 1 to 3 live in one grid.
PURCHASES: list[tuple[int, Moment, str, str, Moment | None, Moment | None]] = [
    (0, (2, 10), "布洛芬缓释胶囊（芬必得）", "退热", (2, 11), (2, 14)),
    (0, (0, 18), "连花清瘟胶囊", "抗病毒", (0, 19), None),
    (1, (3, 9), "泰诺林", "退热", (3, 10), (3, 15)),
    (2, (2, 9), "氢溴酸右美沙芬糖浆", "止咳", (2, 10), (1, 9)),
    (3, (1, 9), "阿莫西林胶囊", "抗生素", (1, 10), (1, 15)),
    (4, (1, 11), "红霉素软膏", "抗生素", (1, 12), (1, 15)),
    (5, (1, 12), "健胃消食片", "止咳", (1, 13), (1, 15)),
    (6, (0, 12), "盐酸氨溴索口服溶液", "抗生素", None, None),
]
# A buyer has a test the day after; the one who buys twice has none.
TESTED_BUYERS = {1: (2, 9), 2: (1, 9), 3: (0, 9), 4: (0, 9)}
# Tube, mixed sample, result, then per member the single samples and their results.
TUBES: list[tuple[str, Moment, Moment, list[list[tuple[Moment, str]]]]] = [
    (
        "TK00001",
        (3, 10),
        (3, 20),
        [
            [((3, 22), "阴性")],
            [((2, 21), "阴性")],
            [((2, 9), "无效"), ((2, 15), "阴性")],
            [((2, 9), "阳性")],
            [((2, 12), "待出")],
            [],
        ],
    ),
    ("TK00002", (0, 8), (0, 18), [[((0, 20), "待出")], [], []]),
]


def write_clocks(exports: Exports, seed: int, people: pl.DataFrame, scale: Scale, last_day: date) -> None:
    """Write the exports of the story up to `last_day`; a town that is too small has none of it."""
    rng = np.random.Generator(np.random.PCG64([seed, 13]))
    # The people live in communities without a risk zone, so that the story does not change the outbreak.
    quiet = people.filter(pl.col("community").is_in(scale.communities[scale.zones :]))
    if quiet.height < NEEDED:
        return
    story = _Story(exports, last_day)
    # The buyers of one grid come from the grid with most people.
    homes = (
        quiet.group_by("community", "grid").len().sort(["len", "community", "grid"], descending=[True, False, False])
    )
    same = (quiet["community"] == homes["community"][0]) & (quiet["grid"] == homes["grid"][0])
    neighbours, others = quiet.filter(same).head(3), quiet.filter(~same)
    others = others[rng.choice(others.height, NEEDED - 3, replace=False).tolist()]
    story.write_contacts(others.slice(0, 6))
    story.write_arrivals(others.slice(6, 5))
    story.write_purchases(pl.concat([others.slice(11, 1), neighbours, others.slice(12, 3)]))
    story.write_tubes(others.slice(15, 9))
    story.write_files()


class _Story:
    """Collects rows by feed and day; the rows of a day are written as one file."""

    def __init__(self, exports: Exports, last_day: date) -> None:
        self._exports = exports
        self._last_day = last_day
        self._rows: dict[tuple[str, date], list[dict[str, Any]]] = {}

    def write_contacts(self, people: pl.DataFrame) -> None:
        for i, (category, judged, moved, isolated, method) in enumerate(CONTACTS):
            self._add("contacts", judged[0], people.row(i, named=True), {
                "contact_key": f"CK{i:04d}", "case_key": "CASE001", "category": category,
                "last_exposure_date": self._at(judged).date() - timedelta(days=1), "judged_at": self._at(judged),
                "transferred_at": self._at(moved), "isolated_at": self._at(isolated), "isolation_method": method,
                "isolation_place": "隔离点2" if method == "集中" else "", **_home(people, i),
            })  # fmt: skip

    def write_arrivals(self, people: pl.DataFrame) -> None:
        """Write arrivals from a county without risk areas: they are pushed and investigated, but not under control."""
        for i, (arrived, pushed, investigated) in enumerate(ARRIVALS):
            day = self._at((arrived, 0)).date()
            self._add("arrivals", arrived, people.row(i, named=True), {
                "arrival_key": f"AK{i:04d}", "origin": "省", "origin_province": "浙江省", "origin_city": "杭州市",
                "origin_county": "西湖区", "origin_area": "某小区", "left_date": day, "arrival_date": day,
                "pushed_at": self._at(pushed), "investigated_at": self._at(investigated), **_home(people, i),
            })  # fmt: skip

    def write_purchases(self, people: pl.DataFrame) -> None:
        for i, (buyer, bought, drug, category, pushed, investigated) in enumerate(PURCHASES):
            self._add("pharmacy_purchases", bought[0], people.row(buyer, named=True), {
                "purchase_key": f"PK{i:04d}", "pharmacy": "药店9", "community": people["community"][buyer],
                "address": address(people)[buyer], "drug": drug, "drug_category": category, "quantity": "1",
                "purchased_at": self._at(bought), "temperature": "37.6", "pushed_at": self._at(pushed),
                "investigated_at": self._at(investigated), "investigation_result": "无异常" if investigated else "",
            })  # fmt: skip
        for buyer, moment in TESTED_BUYERS.items():
            self._sample(people.row(buyer, named=True), f"SKB{buyer:04d}", moment, "阴性")

    def write_tubes(self, people: pl.DataFrame) -> None:
        member = 0
        for tube, moment, tested, singles in TUBES:
            for samples in singles:
                person = people.row(member, named=True)
                self._sample(person, f"SKM{member:04d}", moment, "阳性", tube, self._at(tested))
                for i, (when, result) in enumerate(samples):
                    self._sample(person, f"SKS{member:04d}{i}", when, result)
                member += 1

    def write_files(self) -> None:
        for (feed, day), rows in sorted(self._rows.items()):
            times = {name: pl.Datetime for name in rows[0] if name.endswith("_at")}
            self._exports.write(feed, f"{day:%Y%m%d}_k", pl.DataFrame(rows, schema_overrides=times))

    def _sample(
        self,
        person: dict[str, Any],
        key: str,
        moment: Moment,
        result: str,
        tube: str = "",
        tested: datetime | None = None,
    ) -> None:
        sampled_at = self._at(moment)
        known_at = None if result == "待出" else tested or sampled_at + timedelta(hours=1)
        self._add("test_results", moment[0], person, {
            "sample_key": key, "sampled_at": sampled_at, "sampling_point": "采样点31",
            "sampling_method": "混采" if tube else "单采", "tube_no": tube, "laboratory": "检测机构A",
            "tested_at": known_at, "result": result,
        })  # fmt: skip

    def _add(self, feed: str, days_before: int, person: dict[str, Any], cells: dict[str, Any]) -> None:
        day = self._at((days_before, 0)).date()
        self._rows.setdefault((feed, day), []).append({
            "person_name": person["name"], "id_type": RESIDENT_ID, "id_number": person["id_number"],
            "phone": person["phone"], **cells, "updated_at": datetime.combine(day, time(23, 30)),
        })  # fmt: skip

    def _at(self, moment: Moment | None) -> Any:
        """Return the date and time of a moment of the story, or None if there is no moment."""
        if moment is None:
            return None
        days_before, hour = moment
        return datetime.combine(self._last_day - timedelta(days=days_before), time()) + timedelta(
            seconds=round(hour * 3600)
        )


def _home(people: pl.DataFrame, i: int) -> dict[str, str]:
    return {"community": people["community"][i], "grid": people["grid"][i]}
