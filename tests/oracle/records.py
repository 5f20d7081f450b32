"""A town's exports as a reader of feeds.md sees them: the newest version of every record, with dates and times."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from tests.oracle.town import KEYS, Town

Record = dict[str, Any]
FOREVER = date(9999, 1, 1)


def _typed(row: dict[str, str]) -> Record:
    typed: Record = {}
    for name, text in row.items():
        if name.endswith("日期"):
            typed[name] = date.fromisoformat(text) if text else None
        elif name.endswith("时间"):
            typed[name] = datetime.fromisoformat(text) if text else None
        else:
            typed[name] = text
    return typed


def newest(rows: list[dict[str, str]], key: tuple[str, ...]) -> list[Record]:
    """ "For one record key the row with the newest 更新时间 wins; equal times: the later line"."""
    kept: dict[tuple[str, ...], Record] = {}
    for row in map(_typed, rows):
        name = tuple(row[column] for column in key)
        if name not in kept or row["更新时间"] >= kept[name]["更新时间"]:
            kept[name] = row
    return list(kept.values())


def end_of(day: date) -> datetime:
    """ "The end (24:00) of day D": what happens at this moment happens after D."""
    return datetime.combine(day + timedelta(1), time())


@dataclass(frozen=True)
class Sample:
    at: datetime
    single: bool
    result: str

    @property
    def day(self) -> date:
        return self.at.date()


class Book:
    """The class holds what is known of a town for the run of D. A person is the number of the document (types do not share numbers)."""

    def __init__(self, town: Town, day: date) -> None:
        self.town = town
        self.day = day
        self.feeds = {feed: newest(rows, KEYS[feed]) for feed, rows in town.rows.items()}
        self.samples: dict[str, list[Sample]] = defaultdict(list)
        for row in self.feeds["test_results"]:
            # "counts when its sample is a nucleic-acid sample whose result is not 无效"; "a sample dated after D is ignored"
            if row["检测结果"] != "无效" and row["采样时间"].date() <= day:
                self.samples[row["证件号码"]].append(
                    Sample(row["采样时间"], row["采样方式"] == "单采", row["检测结果"])
                )
        for samples in self.samples.values():
            samples.sort(key=lambda sample: sample.at)

    def __getitem__(self, feed: str) -> list[Record]:
        return self.feeds[feed]

    def sample_days(self, person: str) -> list[date]:
        """ "A person's several samples on one date count once"."""
        return sorted({sample.day for sample in self.samples[person]})

    def listed_at(self, day: date) -> dict[str, str]:
        """The function reads "the newest risk_areas snapshot not later than the end of" a day: it maps area to level, 高 before 中."""
        moments = [moment for moment in self.town.snapshots if moment < end_of(day)]
        level: dict[str, str] = {}
        for moment, its, area in self.town.listed:
            if moments and moment == max(moments) and level.get(area) != "高":
                level[area] = its
        return level

    def outbreaks(self, community: str) -> list[tuple[datetime, datetime | None]]:
        """ "Only while an outbreak is declared (类型 疫情启动 … 疫情结束)": start and end, as far as known by D."""
        found = []
        for row in self["declarations"]:
            if row["类型"] == "疫情启动" and _covers(row, community) and row["开始时间"] < end_of(self.day):
                ends = [row["结束时间"]] if row["结束时间"] else []
                ends += [other["开始时间"] for other in self["declarations"]
                         if other["类型"] == "疫情结束" and _covers(other, community)
                         and other["开始时间"] >= row["开始时间"]]  # fmt: skip
                found.append((row["开始时间"], min(ends, default=None)))
        return sorted(found)


def _covers(row: Record, community: str) -> bool:
    """ "范围社区 (joined by 、, empty = all)"."""
    return not row["范围社区"] or community in row["范围社区"].split("、")


def share_of(count: int, percent: int) -> int:
    """The function gives ceil(percent % of count), in whole numbers."""
    return math.ceil(count * percent / 100)
