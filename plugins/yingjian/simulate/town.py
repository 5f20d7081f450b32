"""This module puts the town's story together: tests, arrivals, and an outbreak with its zones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from yingjian.simulate.clocks import write_clocks
from yingjian.simulate.controls import write_controls
from yingjian.simulate.exports import Exports
from yingjian.simulate.measures import Measures
from yingjian.simulate.monitoring import Monitoring
from yingjian.simulate.outbreak import Outbreak
from yingjian.simulate.people import make_people
from yingjian.simulate.registers import Registers
from yingjian.simulate.response import Response
from yingjian.simulate.sampling import Appointments, Everyday, UnitSampling
from yingjian.simulate.scale import Scale
from yingjian.simulate.visits import AREAS, Visits

OUTBREAK_DAY = 8  # Day of the simulation on which the first case is found.


@dataclass(frozen=True)
class LandingSize:
    """The numbers of data rows and files written; a file that is sent twice counts as two files, but its rows count once."""

    rows: int
    files: int


def write_landing(
    out: Path, persons: int, days: int, seed: int, last_day: date, people_of: date | None = None
) -> LandingSize:
    """Write `<out>/<feed>/…` for `days` days up to `last_day`: the full state on the first, then increments.

    people_of: to continue a town, the `last_day` of the call that made its people; default `last_day`.
    Deterministic: the same arguments give the same bytes. Memory grows with the number of persons, not of days.
    """
    out.mkdir(parents=True, exist_ok=True)
    exports, scale = Exports(out, seed), Scale(persons)
    # Each part of the story has a random generator of its own, so that a change of one part leaves the others as they are.
    draws = [np.random.Generator(np.random.PCG64([seed, part])) for part in range(10)]
    people = make_people(draws[0], scale, people_of or last_day)
    first_day = last_day - timedelta(days=days - 1)
    appointments = Appointments(draws[1])
    registers = Registers(exports, draws[2], people, scale, first_day)
    monitoring = Monitoring(exports, draws[8])
    visits = Visits(exports, draws[3], people, scale, appointments, monitoring)
    everyday = Everyday(exports, draws[4], people, scale, appointments)
    units = UnitSampling(exports, draws[5], people)
    outbreak = Outbreak(exports, draws[6], people, scale, appointments, monitoring)
    response = Response(exports, draws[7], people, scale, outbreak)
    measures = Measures(exports, draws[9], people, scale, monitoring, outbreak, everyday.careless)
    for index in range(days):
        day, since = first_day + timedelta(days=index), index - OUTBREAK_DAY
        stamp = f"{day:%Y%m%d}"
        if index == 0:
            registers.write_all(stamp)
            everyday.write_history(day, stamp)
        visits.write_day(day, stamp)
        if since >= 0:
            outbreak.write_day(since, day, stamp)
            response.write_day(since, day, stamp)
        if 0 <= since <= outbreak.end:
            units.write_day(since, day, stamp, outbreak.infected_rows(since))
        measures.write_day(index, since, day, stamp)
        monitoring.write_day(day, stamp)
        everyday.write_day(index, day, stamp, outbreak.infected_rows(since))
        if index and index % 3 == 0:
            registers.write_changes(day, stamp)
        _write_risk_areas(exports, day, index)
    write_clocks(exports, seed, people, scale, last_day)
    write_controls(exports, people, scale, last_day)
    return LandingSize(exports.rows, exports.files)


def _write_risk_areas(exports: Exports, day: date, index: int) -> None:
    """Write the national list of risk areas as of nine in the morning; areas are added over the first days."""
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
    exports.write_text("risk_areas", f"{day:%Y%m%d}09.json", json.dumps(snapshot, ensure_ascii=False))
