"""The outbreak: its cases, their contacts, the risk zones and their disinfection.

All infections are drawn before the first day. A zone is the first grid of a community. Its first case is found when the
zone is declared, and in a city more residents of the grid follow, nearest homes first.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl

from yingjian.simulate.columns import (
    Integers,
    chosen,
    home,
    identity,
    moments,
    numbered,
    releases,
    samples,
    within_an_hour,
)
from yingjian.simulate.exports import Exports
from yingjian.simulate.monitoring import Monitoring
from yingjian.simulate.sampling import Appointments
from yingjian.simulate.scale import GRIDS, Scale

CALM = 7  # Days after a zone's last case on which it becomes medium (article 28).
TOO_SOON = 5  # The last zone is lowered two days too soon; the report says so.
LOW = 4  # Days after that on which it becomes low.
END = 13  # Days after the last case on which the outbreak is declared over.
DISCHARGED = 14  # Days after a case was found.
COLLEAGUES, NEIGHBOURS = 3, 2  # A case has this many contacts besides the household.
CONTACT_DAYS = (0, 1, 2, 3, 5, 8)
FREE = (6, 9)  # Days after which secondary and close contacts are released: exposed the day before, 7 and 10 days.


class Outbreak:
    """Writes the outbreak day by day; since: day of the outbreak, from 0.

    cases: number (from 0), row of the person, zone, day found, is_first of its zone; in the order in which they are found.
    """

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
        self._household, self._unit = people["household"].to_numpy(), people["unit"].to_numpy()
        self._place = people["community"].to_physical().cast(pl.Int32).to_numpy() * len(GRIDS) + (
            people["grid"].to_physical().cast(pl.Int32).to_numpy()
        )
        self._isolated: dict[date, list[pl.DataFrame]] = {}  # It maps day of release -> key of the record, id_number.
        self.cases = self._plan()
        zones = self.cases.group_by("zone").agg(pl.col("day").min().alias("high"), pl.col("day").max().alias("last"))
        self._zones = zones.sort("zone").with_columns(
            medium=pl.col("last") + pl.when(pl.col("zone") < scale.zones - 1).then(CALM).otherwise(TOO_SOON)
        )
        self.end = max(self.cases["day"].to_list(), default=0) + END

    def _plan(self) -> pl.DataFrame:
        rows: list[tuple[int, int, int, bool]] = []
        for zone in range(self._scale.zones):
            here = self._living_in(zone)
            if len(here) < 3:
                continue
            first_day = zone // self._scale.zones_per_day
            further = min(int(self._rng.poisson(self._scale.spread)), len(here) - 1)
            delays = self._rng.integers(1, 5, further).tolist()
            rows += [(int(here[0]), zone, first_day, True)]
            rows += [(int(row), zone, first_day + days, False) for row, days in zip(here[1:], delays, strict=False)]
        frame = pl.DataFrame(
            rows, schema={"row": pl.Int64, "zone": pl.Int64, "day": pl.Int64, "is_first": pl.Boolean}, orient="row"
        )
        return frame.sort("day", "zone", "row").with_row_index("number")

    def infected_rows(self, since: int) -> list[int]:
        """Return the rows of the people whose infection is known on that day."""
        return self.cases.filter(pl.col("day") <= since)["row"].to_list()

    def write_day(self, since: int, day: date, stamp: str) -> None:
        new = self.cases.filter(pl.col("day") == since)
        healed = self.cases.filter(pl.col("day") == since - DISCHARGED)
        self._exports.write("cases", stamp, self._case_rows(new, day, None))
        self._write_positives(new, day, stamp)
        self._exports.write("cases", f"{stamp}_d", self._case_rows(healed, day - timedelta(days=DISCHARGED), day))
        self._write_discharged(healed, day, stamp)
        self._write_contacts(new, since, day, stamp)
        self._write_contacts_to_come(since, day, stamp)
        for i, records in enumerate(self._isolated.pop(day, [])):
            self._exports.write(
                "releases", f"{stamp}_o{i}", releases(self._rng, day, records["key"], records["id_number"])
            )
        self._write_notices(since, day, stamp)
        self._write_disinfections(since, day, stamp)

    def place(self, zones: pl.Series) -> pl.Series:
        """Return the names of zones."""
        return chosen(self._scale.communities, zones.to_numpy()) + GRIDS[0]

    def _living_in(self, zone: int) -> Integers:
        return np.flatnonzero(self._place == zone * len(GRIDS))

    def _case_rows(self, cases: pl.DataFrame, day: date, discharged: date | None) -> pl.DataFrame:
        people = self._people[cases["row"]]
        # Most are moved within two hours of the result, some later, and the last one waits until the next version.
        number = cases["number"].cast(pl.Int64)
        is_waiting = (number == self.cases.height - 1) & (discharged is None)
        moved = moments(day, (9 * 60 + number.to_numpy() % 4 * 50) * 60)
        moved = pl.select(pl.when(~is_waiting).then(moved)).to_series()
        saved = datetime.combine(discharged, time(17)) if discharged else datetime.combine(day, time(14))
        return pl.DataFrame({
            "case_key": numbered("CASE", cases["number"] + 1, 3), **identity(people), "case_type": "确诊", "source": "本土",
            "sample_date": day, "reported_at": datetime.combine(day, time(8, 30)), **home(people),
            "zone_key": numbered("Z", cases["zone"] + 1, 1), "transferred_at": moved, "hospital": "定点医院",
            "admitted_at": moved + timedelta(minutes=50), "discharge_date": pl.Series([discharged] * cases.height, dtype=pl.Date),
            "updated_at": saved,
        })  # fmt: skip

    def _write_positives(self, cases: pl.DataFrame, day: date, stamp: str) -> None:
        """Write the single sample, taken after midnight, by which each case was found."""
        people = self._people[cases["row"]]
        self._exports.write("test_results", f"{stamp}_p", samples(
            people, numbered("P", cases["number"] + 1, 6), moments(day, self._rng.integers(0, 4 * 3600, people.height)),
            point="上门采样", laboratory=people["laboratory"].cast(pl.String), result="阳性", hours=4,
        ))  # fmt: skip

    def _write_discharged(self, cases: pl.DataFrame, day: date, stamp: str) -> None:
        """Write the health monitoring of discharged persons, and add its tests (article 18, annex row 37)."""
        people = self._people[cases["row"]]
        self._exports.write("key_population", f"{stamp}_d", pl.DataFrame({
            "record_key": numbered("KD", cases["number"] + 1, 4), **identity(people), "group_code": "37", **home(people),
            "start_date": day, "anchor_date": day, "updated_at": within_an_hour(self._rng, day, cases.height),
        }))  # fmt: skip
        self._monitoring.add(people, day + timedelta(days=1), 7)
        for days in (3, 7):
            self._appointments.add(people, np.full(people.height, np.datetime64(day, "D") + days))

    def _write_contacts(self, cases: pl.DataFrame, since: int, day: date, stamp: str) -> None:
        """Write contacts: the household and some colleagues are close ones, some neighbours secondary ones."""
        infected = set(self.infected_rows(since))
        rows: list[tuple[int, int, bool]] = []
        for number, row, zone in cases.select("number", "row", "zone").iter_rows():
            here = self._living_in(zone)
            flat = here[self._household[here] == self._household[row]]
            colleagues = np.flatnonzero(self._unit == self._unit[row]) if self._unit[row] else here[:0]
            others = np.setdiff1d(here, flat)
            near = self._rng.permutation(others)[: COLLEAGUES + NEIGHBOURS].tolist()
            close = [*flat.tolist(), *self._rng.permutation(colleagues)[:COLLEAGUES].tolist()]
            close += near[NEIGHBOURS : NEIGHBOURS + max(0, COLLEAGUES + 1 - len(close))]
            met = dict.fromkeys(near[:NEIGHBOURS], False) | dict.fromkeys(close, True)
            rows += [(number, who, is_close) for who, is_close in met.items() if who not in infected]
        frame = pl.DataFrame(rows, schema={"number": pl.Int64, "row": pl.Int64, "is_close": pl.Boolean}, orient="row")
        people = self._people[frame["row"]]
        count, is_close = people.height, frame["is_close"].to_numpy()
        isolated = 10 * 3600 + self._rng.integers(3600, 9 * 3600, count)  # Some are late.
        key = numbered(f"CT{stamp}", np.arange(count), 4)
        self._exports.write("contacts", stamp, pl.DataFrame({
            "contact_key": key,
            "case_key": numbered("CASE", frame["number"] + 1, 3), "category": chosen(["次密接", "密接"], is_close),
            **identity(people), "last_exposure_date": day - timedelta(days=1),
            "judged_at": datetime.combine(day, time(10)), "isolated_at": moments(day, isolated),
            "isolation_method": chosen(["居家", "集中"], is_close), "isolation_place": chosen(["", "隔离点1"], is_close),
            **home(people), "updated_at": datetime.combine(day, time(20)),
        }))  # fmt: skip
        records = pl.DataFrame({"key": "contacts:" + key, "id_number": people["id_number"]})
        for is_of_close, days in enumerate(FREE):
            self._isolated.setdefault(day + timedelta(days=days), []).append(records.filter(is_close == is_of_close))
        self._monitoring.add(people.filter(~pl.Series(is_close)), day, FREE[0])
        for days in CONTACT_DAYS:
            self._appointments.add(people, np.full(count, np.datetime64(day, "D") + days))

    def _write_contacts_to_come(self, since: int, day: date, stamp: str) -> None:
        """Write contacts who become cases tomorrow: one in three of tomorrow's cases (articles 25, 26)."""
        cases = self.cases.filter((pl.col("day") == since + 1) & (pl.col("number") % 3 == 2))
        people = self._people[cases["row"]]
        self._exports.write("contacts", f"{stamp}_t", pl.DataFrame({
            "contact_key": numbered("CK", cases["number"] + 1, 3), "case_key": numbered("CASE", cases["number"], 3),
            "category": "密接", **identity(people), "last_exposure_date": day - timedelta(days=1),
            "judged_at": datetime.combine(day, time(10)), "isolated_at": datetime.combine(day, time(13)),
            "isolation_method": "集中", "isolation_place": "隔离点1", **home(people),
            "updated_at": datetime.combine(day, time(20)),
        }))  # fmt: skip

    def _write_notices(self, since: int, day: date, stamp: str) -> None:
        """Write notices: a zone is high from its first case on, medium after a week without cases, then low."""
        steps = {"高": pl.col("high"), "中": pl.col("medium"), "低": pl.col("medium") + LOW}
        zones = pl.concat(
            self._zones.filter(at == since).with_columns(level=pl.lit(level)) for level, at in steps.items()
        )
        key = numbered("Z", zones["zone"] + 1, 1)
        self._exports.write("risk_zones", stamp, pl.DataFrame({
            "notice_key": "TG" + key + stamp, "zone_key": key, "zone_name": self.place(zones["zone"]),
            "level": zones["level"], "community": chosen(self._scale.communities, zones["zone"].to_numpy()),
            "grid": GRIDS[0], "effective_date": day, "updated_at": datetime.combine(day, time(8)),
        }))  # fmt: skip

    def _write_disinfections(self, since: int, day: date, stamp: str) -> None:
        """Write two disinfections a day in each zone until it is low; the second is sometimes forgotten (article 27)."""
        zones = self._zones.filter((pl.col("high") < since) & (since < pl.col("medium") + LOW))["zone"]
        self._disinfect_buildings(zones, since, day, stamp)
        second = zones.filter(self._rng.random(len(zones)) < 0.9)
        hours = np.repeat([9, 16], [len(zones), len(second)])
        zones = pl.concat([zones, second])
        key = numbered("Z", zones + 1, 1)
        self._exports.write("disinfections", stamp, pl.DataFrame({
            "disinfection_key": "DS" + key + numbered(stamp, hours, 2), "zone_key": key, "place": self.place(zones),
            "disinfection_type": "预防性", "started_at": moments(day, hours * 3600),
            "ended_at": moments(day, hours * 3600 + 2400), "updated_at": datetime.combine(day, time(18)),
        }))  # fmt: skip

    def _disinfect_buildings(self, zones: pl.Series, since: int, day: date, stamp: str) -> None:
        """Write two disinfections a day in each building of the zones; the second is forgotten every ninth day."""
        rows = [
            {
                "disinfection_key": f"DB{stamp}Z{zone + 1}H{hour}N{number}", "zone_key": f"Z{zone + 1}", "place": "楼道",
                "building": building, "disinfection_type": "预防性", "started_at": datetime.combine(day, time(hour)),
                "ended_at": datetime.combine(day, time(hour, 30)), "updated_at": datetime.combine(day, time(18, 30)),
            }
            for zone in zones.to_list()
            for number, building in enumerate(self._people[self._living_in(zone)]["building"].cast(pl.String).unique().sort())
            for hour in (10, 15) if hour == 10 or (zone + number + since) % 9
        ]  # fmt: skip
        if rows:
            self._exports.write("disinfections", f"{stamp}_b", pl.DataFrame(rows))
