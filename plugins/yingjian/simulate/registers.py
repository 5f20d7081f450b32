"""This module writes the registers of the first day and their changes: residents, rosters, vaccinations, teams, exemptions."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl

from yingjian.simulate.columns import (
    RESIDENT_ID,
    Integers,
    address,
    chosen,
    expressions,
    home,
    identity,
    numbered,
    within_an_hour,
)
from yingjian.simulate.exports import Exports
from yingjian.simulate.scale import Scale

DOSES = ((1, 0.92), (2, 0.88), (3, 0.7))  # Share of those of sixty and more who have the dose.
NEVER_VACCINATED = 13  # One in 13 of them has no dose at all.
# Reserve lists for which the plan gives no number (articles 34, 36); no isolation list yet: article 35 asks for one.
RESERVES = (("采样", 12, "卫生"), ("转运", 6, "街道办"))
HIGH_RISK_POSTS = ["1", "2", "3", "4", "5", "7"]
TRACERS = ["街道办"] * 7 + ["公安"] + ["卫生"] * 2


class Registers:
    """Writes the full state of the first day and the changes of later days."""

    def __init__(
        self, exports: Exports, rng: np.random.Generator, people: pl.DataFrame, scale: Scale, first_day: date
    ) -> None:
        self._exports = exports
        self._rng = rng
        self._people = people
        self._scale = scale
        self._first_day = first_day
        self._members = np.flatnonzero((people["group"] != "").to_numpy())
        self._posts = np.flatnonzero(people["group"].cast(pl.String).is_in(HIGH_RISK_POSTS).to_numpy())

    def write_all(self, stamp: str) -> None:
        """Write the registers as of the first day."""
        people = self._people
        self._exports.write("residents", stamp, pl.DataFrame({
            **identity(people), "birth_date": people["birth"], **home(people), "building": people["building"],
            "resident_type": people["resident_type"], "moved_in_date": date(2020, 1, 1),
            "updated_at": within_an_hour(self._rng, self._first_day, people.height),
        }))  # fmt: skip
        members = self._memberships(self._members, self._first_day)
        bad = {"证件类型": RESIDENT_ID, "证件号码": people["id_number"][0], "起始日期": f"{self._first_day}"}
        self._exports.write("key_population", stamp, members, [
            bad | {"记录编号": "BAD0001", "人群编号": "99", "更新时间": f"{self._first_day} 08:00"},
            bad | {"记录编号": "BAD0002", "人群编号": "32", "更新时间": f"{self._first_day} 08:00"},
        ])  # fmt: skip
        self._write_elderly(stamp)
        self._write_teams(stamp)

    def write_changes(self, day: date, stamp: str) -> None:
        """Write changes: some members leave their group, one of them a high-risk post; a few are exempt for a week."""
        self._write_departure(day, stamp)
        count = max(2, len(self._members) // 200)
        if len(self._members) < count:
            return
        drawn = self._rng.choice(self._members, count, replace=False)
        leaving, exempt = drawn[: count // 2 + 1], self._people[drawn[-(count // 2) :]]
        self._exports.write(
            "key_population", f"{stamp}_b", self._memberships(leaving, day).with_columns(end_date=pl.lit(day))
        )
        self._exports.write("exemptions", stamp, pl.DataFrame({
            "exemption_key": numbered(f"EX{stamp}", np.arange(exempt.height), 1), "id_type": RESIDENT_ID,
            "id_number": exempt["id_number"], "start_date": day, "end_date": day + timedelta(days=6), "reason": "休假",
            "approved_by": "值班领导", "updated_at": within_an_hour(self._rng, day, exempt.height),
        }))  # fmt: skip

    def _write_departure(self, day: date, stamp: str) -> None:
        """Write that somebody leaves a high-risk post and is not put under isolation (article 6)."""
        if not len(self._posts):
            return
        # A separate generator is used, so that the rest of the town does not change.
        rng = np.random.default_rng(day.toordinal())
        leaving = self._posts[[day.toordinal() % len(self._posts)]]
        row = self._memberships(leaving, day, rng).with_columns(end_date=pl.lit(day))
        self._exports.write("key_population", f"{stamp}_l", row)

    def _memberships(self, rows: Integers, day: date, rng: np.random.Generator | None = None) -> pl.DataFrame:
        """Return the rows of the roster for these people, as saved on that day."""
        people = self._people[rows]
        group = people["group"].cast(pl.String)
        return pl.DataFrame({
            "record_key": numbered("KP", rows, 7), **identity(people), "group_code": group,
            "unit": numbered("单位", people["unit"], 1), **home(people), "address": address(people),
            "start_date": self._first_day - timedelta(days=30),
            "custom_frequency": pl.select(pl.when(group == "38").then(pl.lit("3天1检")).otherwise(pl.lit(""))).to_series(),
            "updated_at": within_an_hour(rng or self._rng, day, people.height),
        })  # fmt: skip

    def _write_elderly(self, stamp: str) -> None:
        day = self._first_day
        sixty = date(day.year - 60, day.month, min(day.day, 28))
        elderly = np.flatnonzero((self._people["birth"] <= sixty).to_numpy())
        none = elderly
        for dose, share in DOSES:
            rows = elderly[self._rng.random(len(elderly)) < share]
            is_vaccinated = rows % NEVER_VACCINATED > 0
            none = np.setdiff1d(none, rows[is_vaccinated])
            self._exports.write("vaccinations", f"{stamp}_{dose}", pl.DataFrame({
                "vaccination_key": numbered("VC", rows, 7) + f"-{dose}", **identity(self._people[rows]), "dose": f"{dose}",
                "vaccine": "灭活疫苗", "vaccinated_date": date(2021, 3 * dose, 10),
                "updated_at": within_an_hour(self._rng, day, len(rows)),
            }).filter(pl.Series(is_vaccinated)))  # fmt: skip
        # Every third person without any dose has no reason on record (article 22).
        refused = none[none % 3 > 0]
        self._exports.write("vaccinations", f"{stamp}_0", pl.DataFrame({
            "vaccination_key": numbered("VC", refused, 7) + "-0", **identity(self._people[refused]),
            "exclusion": chosen(["禁忌", "拒种"], refused % 2), "updated_at": datetime.combine(day, time(9)),
        }))  # fmt: skip

    def _write_teams(self, stamp: str) -> None:
        """Write the office's tracers and reserves, and tracers of each community; some communities have too few."""
        places = [("流调", "街道", "", origin) for origin in TRACERS]
        places += [(kind, "街道", "", origin) for kind, count, origin in RESERVES for _ in range(count)]
        for community in self._scale.communities:
            places += [("流调", "社区", community, "")] * int(self._rng.integers(2, 6))
        count = min(len(places), self._people.height)
        frame = pl.DataFrame(places[:count], schema=["team_type", "level", "community", "origin"], orient="row")
        members = self._people[self._rng.choice(self._people.height, count, replace=False)]
        self._exports.write("teams", stamp, frame.with_columns(
            *expressions(identity(members)), member_key=numbered("TM", np.arange(count), 4),
            updated_at=within_an_hour(self._rng, self._first_day, count),
        ))  # fmt: skip
