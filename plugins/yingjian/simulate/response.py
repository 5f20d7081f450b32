"""What the subdistrict does in the outbreak: screening rounds, disinfection where cases were, reserve teams.

It draws from a generator of its own, so that the rest of the town stays as it is.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import polars as pl

from yingjian.simulate.exports import Exports
from yingjian.simulate.people import COMMUNITIES, GRIDS

RESIDENT_ID = "居民身份证"
ROUND_DAY = 7  # Day of the outbreak with a round of one community's grids that goes on past midnight.
END_DAY = 16  # Day of the outbreak on which it is declared over.
SHARES = (0.93, 0.05)  # Of those in scope: sampled in time, sampled late; the others not at all.
RESERVES = (("采样", 12, "卫生"), ("转运", 6, "街道办"))  # No isolation list yet: article 35 asks for one.


class Response:
    """Writes the exports of the office's own measures, day by day."""

    def __init__(self, exports: Exports, rng: np.random.Generator, people: pl.DataFrame) -> None:
        self._exports = exports
        self._rng = rng
        self._people = people
        self._rows: dict[date, list[dict[str, Any]]] = {}

    def write_registers(self, stamp: str, day: date) -> None:
        """Reserve lists for which the plan gives no number (articles 34, 36)."""
        members = [(kind, origin) for kind, count, origin in RESERVES for _ in range(count)]
        people = self._people.tail(len(members))
        members = members[: people.height]
        self._exports.write("teams", f"{stamp}_b", pl.DataFrame({
            "member_key": [f"TR{i:04d}" for i in range(len(members))], "team_type": [kind for kind, _ in members],
            "level": ["街道"] * len(members), "community": [""] * len(members), **_identity(people),
            "origin": [origin for _, origin in members], "updated_at": [datetime.combine(day, time(9))] * len(members),
        }))  # fmt: skip

    def write_day(self, since: int, day: date, stamp: str, cases: list[int]) -> None:
        """The measures of one day; since: day of the outbreak, from 0; cases: rows of the people found so far."""
        if since == 0:
            # The round that the command declares together with the outbreak (notice GG2).
            scope = self._people["community"].is_in(COMMUNITIES[:2])
            self._sample("GG2", scope, datetime.combine(day, time(8)), cases)
        if since == ROUND_DAY:
            self._declare_round(day, stamp, cases)
        if since == END_DAY:
            self._exports.write("declarations", stamp, _notice("GG4", "疫情结束", datetime.combine(day, time(18))))
        self._disinfect_places(since, day, stamp, cases)
        self._write_samples(day, stamp)

    def _declare_round(self, day: date, stamp: str, cases: list[int]) -> None:
        start = datetime.combine(day, time(14))
        self._exports.write("declarations", stamp, _notice(
            "GG3", "区域核酸", start, COMMUNITIES[2:3], GRIDS[:3], start + timedelta(hours=24)
        ))  # fmt: skip
        scope = (self._people["community"] == COMMUNITIES[2]) & self._people["grid"].is_in(GRIDS[:3])
        self._sample("GG3", scope, start, cases)

    def _sample(self, notice: str, scope: pl.Series, start: datetime, cases: list[int]) -> None:
        """Most of those in scope within the day, some the day after, a few not at all; nobody between 1 and 5 in the morning."""
        chosen = [int(row) for row in np.flatnonzero(scope.to_numpy()) if row not in cases]
        for i, row in enumerate(chosen):
            draw = self._rng.random()
            if draw >= sum(SHARES):
                continue
            hours = self._rng.uniform(0.1, 23.9) if draw < SHARES[0] else self._rng.uniform(24.1, 33)
            when = start + timedelta(seconds=int(hours * 3600))
            if 1 <= when.hour < 5:
                when -= timedelta(hours=5)
            person = self._people.row(row, named=True)
            self._rows.setdefault(when.date(), []).append({
                "sample_key": f"R{notice}{i:05d}", "person_name": person["name"], "id_type": RESIDENT_ID,
                "id_number": person["id_number"], "phone": person["phone"], "sampled_at": when,
                "sampling_point": f"{person['community']}采样点", "sampling_method": "混采",
                "tube_no": f"R{notice}{i // 10:05d}", "laboratory": "检测机构A",
                "tested_at": when + timedelta(hours=6), "result": "阴性", "updated_at": when + timedelta(hours=7),
            })  # fmt: skip

    def _write_samples(self, day: date, stamp: str) -> None:
        rows = self._rows.pop(day, [])
        if rows:
            self._exports.write("test_results", f"{stamp}_r", pl.DataFrame(rows))

    def _disinfect_places(self, since: int, day: date, stamp: str, cases: list[int]) -> None:
        """Where each case was: the home on the day, the workplace on the next; the last case's car is begun only."""
        entries: list[tuple[str, str, str, str, str, int, int | None]] = []
        for case in cases:
            number = COMMUNITIES.index(self._people["community"][case])
            key, zone, age = f"CASE{number + 1:03d}", f"Z{number + 1}", since - number
            if age == 0:
                # The zone is declared in the morning: its preventive disinfections begin the same day.
                place = f"{COMMUNITIES[number]}{GRIDS[0]}"
                entries += [(f"{key}P{hour}", zone, "", place, "预防性", hour, hour + 1) for hour in (12, 17)]
                entries += [
                    (f"{key}H", zone, key, "住所", "终末", 11, 13),
                    (f"{key}V", "", key, "工作单位", "预防性", 15, 16),
                ]
            elif age == 1:
                entries += [(f"{key}W", "", key, "工作单位", "终末", 9, 12)]
                if case == cases[-1]:
                    entries += [(f"{key}C", "", key, "转运车辆", "终末", 20, None)]
        self._exports.write("disinfections", f"{stamp}_t", pl.DataFrame({
            "disinfection_key": [f"DT{entry[0]}" for entry in entries],
            "zone_key": [entry[1] for entry in entries], "case_key": [entry[2] for entry in entries],
            "place": [entry[3] for entry in entries], "disinfection_type": [entry[4] for entry in entries],
            "started_at": [datetime.combine(day, time(entry[5])) for entry in entries],
            "ended_at": [entry[6] and datetime.combine(day, time(entry[6])) for entry in entries],
            "updated_at": [datetime.combine(day, time(21))] * len(entries),
        }, schema_overrides={"ended_at": pl.Datetime}) if entries else pl.DataFrame())  # fmt: skip


def _identity(people: pl.DataFrame) -> dict[str, Any]:
    return {
        "person_name": people["name"], "id_type": [RESIDENT_ID] * people.height,
        "id_number": people["id_number"], "phone": people["phone"],
    }  # fmt: skip


def _notice(
    key: str,
    kind: str,
    start: datetime,
    communities: list[str] | None = None,
    grids: list[str] | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    return pl.DataFrame({
        "notice_key": [key], "declaration_type": [kind], "communities": ["、".join(communities or [])],
        "grids": ["、".join(grids or [])], "started_at": [start], "ended_at": [end], "updated_at": [start],
    }, schema_overrides={"ended_at": pl.Datetime})  # fmt: skip
