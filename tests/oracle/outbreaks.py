"""This module computes the outbreaks at a place (family 5 of policy.md; articles 10, 11 and 23)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tests.oracle.policy import FULL_ROUND_DAYS
from tests.oracle.records import FOREVER, Book, Record, end_of, start_of

OPENS, ENDS = 1, 0  # "At one moment an end comes before an opening".


@dataclass(frozen=True)
class Outbreak:
    """number: it counts the outbreaks of a place from 1. last: the last day, FOREVER while the outbreak is open."""

    number: int
    first: date
    last: date

    @property
    def round_ends(self) -> date:
        """The full round "is due on the start day + 1" (parameter `full_round_days` = 2)."""
        return self.first + timedelta(FULL_ROUND_DAYS - 1)


def covers(row: Record, community: str, grid: str) -> bool:
    """ "范围社区 (joined by 、, empty = all)"; "an opening that names grids covers the members whose 网格 it names"."""
    communities, grids = row["范围社区"], row["范围网格"]
    return (not communities or community in communities.split("、")) and (not grids or grid in grids.split("、"))


def outbreaks_at(book: Book, community: str, grid: str) -> list[Outbreak]:
    """ "opens at a place with the earlier of a declaration that covers it and the first local case while none is open
    there"; "ends with the first 疫情结束 after its opening that covers the place".
    """
    events: list[tuple[datetime, int]] = []
    for row in book["declarations"]:
        if not covers(row, community, grid):
            continue
        if row["类型"] == "疫情启动":
            events.append((row["开始时间"], OPENS))  # Its 结束时间 ends nothing: the policy names 疫情结束 alone.
        elif row["类型"] == "疫情结束":
            events.append((row["开始时间"], ENDS))
    for row in book["cases"]:
        if row["来源"] == "本土":  # "a case opens it for the whole town"
            events.append((row["报告时间"] or start_of(row["采样日期"]), OPENS))
    outbreaks: list[Outbreak] = []
    opened: date | None = None
    for moment, kind in sorted(events):
        # The policy says "an end at 0:00 belongs to the day before", and the end of D is such a moment.
        if not book.known(moment) and not (kind == ENDS and moment == end_of(book.day)):
            continue
        if kind == OPENS and opened is None:
            opened = moment.date()
        elif kind == ENDS and opened is not None:
            # The policy says "an end at 0:00 belongs to the day before".
            last = (moment - timedelta(microseconds=1)).date()
            outbreaks.append(Outbreak(len(outbreaks) + 1, opened, max(opened, last)))
            opened = None
    if opened is not None:
        outbreaks.append(Outbreak(len(outbreaks) + 1, opened, FOREVER))
    return outbreaks
