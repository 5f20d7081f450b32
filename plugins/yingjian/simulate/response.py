"""This module writes the response to the outbreak: declarations, screening rounds and disinfections."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl

from yingjian.simulate.columns import moments, numbered, samples
from yingjian.simulate.exports import Exports
from yingjian.simulate.outbreak import Outbreak
from yingjian.simulate.sampling import TUBE
from yingjian.simulate.scale import GRIDS, Scale

ROUND_DAY = 7  # Day of the outbreak with a round of some communities' grids that goes on past midnight.
SHARES = (0.93, 0.05)  # These shares of the people in scope are sampled in time and late.
NIGHT = (1, 5)  # Hours in which nobody is sampled.
KEY_SITES = ["9", "12", "13", "14", "15", "17", "23", "24", "28"]  # Groups whose units are disinfected (article 27).
SITE_HOURS = (8, 16)


class Response:
    """Writes the exports of the office's own measures, day by day."""

    def __init__(
        self, exports: Exports, rng: np.random.Generator, people: pl.DataFrame, scale: Scale, outbreak: Outbreak
    ) -> None:
        self._exports = exports
        self._rng = rng
        self._people = people
        self._outbreak = outbreak
        count = scale.round_communities  # The second round begins with the third community.
        self._first, self._second = scale.communities[:count], scale.communities[2 : 1 + count]
        self._rounds: dict[date, list[pl.DataFrame]] = {}  # Day -> samples of the rounds: row, second, tube, key.
        is_at_site = (people["unit"] > 0) & people["group"].cast(pl.String).is_in(KEY_SITES)
        self._sites = people.filter(is_at_site)["unit"].unique().sort().to_numpy()

    def write_day(self, since: int, day: date, stamp: str) -> None:
        """Write the measures of one day; since: day of the outbreak, from 0."""
        if since == 0:
            six, eight = datetime.combine(day, time(6)), datetime.combine(day, time(8))
            self._exports.write("declarations", stamp, pl.concat([
                _notice("GG1", "疫情启动", six), _notice("GG2", "区域核酸", eight, self._first),
            ]))  # fmt: skip
            self._sample("GG2", self._first, GRIDS, eight, since)
        if since == ROUND_DAY:
            start, grids = datetime.combine(day, time(14)), GRIDS[:3]
            end = start + timedelta(hours=24)
            self._exports.write("declarations", stamp, _notice("GG3", "区域核酸", start, self._second, grids, end))
            self._sample("GG3", self._second, grids, start, since)
        if since == self._outbreak.end:
            self._exports.write("declarations", stamp, _notice("GG4", "疫情结束", datetime.combine(day, time(18))))
        self._disinfect_places(since, day, stamp)
        if since <= self._outbreak.end:
            self._disinfect_key_sites(day, stamp)
        self._write_samples(day, stamp)

    def _sample(self, notice: str, communities: list[str], grids: list[str], start: datetime, since: int) -> None:
        """Sample the people in scope: most within a day, some on the day after, a few never, and nobody at night."""
        is_here = self._people["community"].is_in(communities) & self._people["grid"].is_in(grids)
        rows = np.setdiff1d(np.flatnonzero(is_here.to_numpy()), self._outbreak.infected_rows(since))
        draw = self._rng.random(len(rows))
        hours = np.where(
            draw < SHARES[0], self._rng.uniform(0.1, 23.9, len(rows)), self._rng.uniform(24.1, 33, len(rows))
        )
        seconds = (hours * 3600).astype(np.int64) + start.hour * 3600
        hour = seconds // 3600 % 24
        seconds -= np.where((hour >= NIGHT[0]) & (hour < NIGHT[1]), 5 * 3600, 0)
        frame = pl.DataFrame({
            "row": rows, "second": seconds % 86_400, "day": seconds // 86_400, "number": np.arange(len(rows)),
        }).filter(draw < sum(SHARES)).with_columns(notice=pl.lit(notice))  # fmt: skip
        for (days,), part in frame.group_by("day", maintain_order=True):
            self._rounds.setdefault(start.date() + timedelta(days=int(days)), []).append(part)  # type: ignore[call-overload]

    def _write_samples(self, day: date, stamp: str) -> None:
        if day not in self._rounds:
            return
        round_samples = pl.concat(self._rounds.pop(day))
        people = self._people[round_samples["row"]]
        key = "R" + round_samples["notice"]
        self._exports.write("test_results", f"{stamp}_r", samples(
            people, key + numbered("", round_samples["number"], 5), moments(day, round_samples["second"].to_numpy()),
            point=people["community"].cast(pl.String) + "采样点", laboratory=people["laboratory"].cast(pl.String),
            tube=key + numbered("", round_samples["number"] // TUBE, 5),
        ))  # fmt: skip

    def _disinfect_key_sites(self, day: date, stamp: str) -> None:
        """Write disinfections of key sites: all in the morning; in the afternoon one in six is forgotten (article 27)."""
        for number, hour in enumerate(SITE_HOURS):
            sites = self._sites[(self._sites + day.toordinal()) % 6 > 0] if number else self._sites
            start = datetime.combine(day, time(hour))
            self._exports.write("disinfections", f"{stamp}_s{number}", pl.DataFrame({
                "disinfection_key": numbered(f"DK{stamp}{number}", sites, 6), "place": numbered("单位", sites, 1),
                "disinfection_type": "预防性", "started_at": start, "ended_at": start + timedelta(hours=1),
                "updated_at": datetime.combine(day, time(21)),
            }))  # fmt: skip

    def _disinfect_places(self, since: int, day: date, stamp: str) -> None:
        """Write disinfections: a case's home on the same day, the workplace on the next; the last one is never finished."""
        cases = self._outbreak.cases
        entries: list[tuple[str, str, str, str, str, int, int | None]] = []
        for number, zone, day_found, is_first in (
            cases.filter((since - pl.col("day")).is_in([0, 1])).select("number", "zone", "day", "is_first").iter_rows()
        ):
            key, zone_key = f"CASE{number + 1:03d}", f"Z{zone + 1}"
            if day_found == since and is_first:
                # The zone is declared in the morning: its preventive disinfections begin the same day.
                place = self._outbreak.place(pl.Series([zone]))[0]
                entries += [(f"{key}P{hour}", zone_key, "", place, "预防性", hour, hour + 1) for hour in (12, 17)]
            if day_found == since:
                entries += [
                    (f"{key}H", zone_key, key, "住所", "终末", 11, 13),
                    (f"{key}V", "", key, "工作单位", "预防性", 15, 16),
                ]
            else:
                entries += [(f"{key}W", "", key, "工作单位", "终末", 9, 12)]
                if number == cases.height - 1:
                    entries += [(f"{key}C", "", key, "转运车辆", "终末", 20, None)]
        if not entries:
            return
        names = ["key", "zone_key", "case_key", "place", "disinfection_type", "start", "end"]
        frame = pl.DataFrame(entries, schema=names, orient="row")
        self._exports.write("disinfections", f"{stamp}_t", frame.with_columns(
            disinfection_key="DT" + pl.col("key"), updated_at=datetime.combine(day, time(21)),
            started_at=pl.lit(day).cast(pl.Datetime) + pl.duration(hours="start"),
            ended_at=pl.lit(day).cast(pl.Datetime) + pl.duration(hours="end"),
        ))  # fmt: skip


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
