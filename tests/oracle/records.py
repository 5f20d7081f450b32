"""This module reads a town's exports by feeds.md alone: the newest version of every record, with typed dates and times."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol

from tests.oracle.reader import KEYS, Listed, fold

Record = dict[str, Any]
FOREVER = date(9999, 1, 1)


class Source(Protocol):
    """A Book is made from a source: a landing folder that was read, or random towns."""

    rows: dict[str, list[dict[str, str]]]
    listed: list[Listed]
    lists: list[tuple[datetime, int]]


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
    by_key: dict[tuple[str, ...], Record] = {}
    for row in map(_typed, rows):
        name = tuple(row[column] for column in key)
        if name not in by_key or row["更新时间"] >= by_key[name]["更新时间"]:
            by_key[name] = row
    return list(by_key.values())


def end_of(day: date) -> datetime:
    """ "The end (24:00) of day D": what happens at this moment happens after D."""
    return datetime.combine(day + timedelta(1), time())


def start_of(day: date) -> datetime:
    return datetime.combine(day, time())


@dataclass(frozen=True)
class Sample:
    at: datetime
    single: bool
    result: str

    @property
    def day(self) -> date:
        return self.at.date()


class Book:
    """All that is known of a town on D. A person is identified by the document number (numbers are unique across types)."""

    def __init__(self, town: Source, day: date) -> None:
        self.town = town
        self.day = day
        self.feeds = {feed: newest(town.rows.get(feed, []), KEYS[feed]) for feed in KEYS}
        self.samples: dict[str, list[Sample]] = defaultdict(list)
        for row in self.feeds["test_results"]:
            # "counts when its sample is a nucleic-acid sample whose result is not 无效"; "a sample dated after D is ignored"
            if row["检测结果"] != "无效" and row["采样时间"].date() <= day:
                self.samples[row["证件号码"]].append(
                    Sample(row["采样时间"], row["采样方式"] == "单采", row["检测结果"])
                )
        for samples in self.samples.values():
            samples.sort(key=lambda sample: sample.at)
        self.homes = {row["证件号码"]: (row["社区"], row["网格"]) for row in self.feeds["residents"]}

    def __getitem__(self, feed: str) -> list[Record]:
        return self.feeds[feed]

    def known(self, moment: datetime | None) -> datetime | None:
        """Return the moment, or None if it is after the end of D and so has not happened yet."""
        return moment if moment and moment < end_of(self.day) else None

    def sample_days(self, person: str) -> list[date]:
        """ "A person's several samples on one date count once"."""
        return sorted({sample.day for sample in self.samples[person]})

    def listed_at(self, day: date, county: tuple[str, str, str]) -> dict[str, str]:
        """Return the level (高 before 中) of each area of a county on the newest list of the day.

        It is "the newest list not later than a moment, by end_update_time, then by arrival".
        """
        lists = [name for name in self.town.lists if name[0] < end_of(day)]
        level: dict[str, str] = {}
        for entry in self.town.listed:
            its = (fold(entry.county[0]), fold(entry.county[1]), fold(entry.county[2]))
            if (
                lists
                and (entry.moment, entry.arrival) == max(lists)
                and its == county
                and level.get(entry.area) != "高"
            ):
                level[entry.area] = entry.level
        return level


def share_of(count: int, percent: int) -> int:
    """Return ceil(percent % of count), in integers."""
    return math.ceil(count * percent / 100)
