"""This module derives all sizes from the number of people: a small town has what the plan lists, a city more of each."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_uppercase

CITY = 50_000  # From this number of people on, sampling points are open to everyone and an outbreak spreads.
LABORATORY = 350_000  # One laboratory serves this many people: its daily file has some 100,000 samples.
GRIDS = [f"网格{i}" for i in range(1, 7)]


@dataclass(frozen=True)
class Scale:
    """All sizes of a town follow from `persons`, the number of people in its register."""

    persons: int

    @property
    def communities(self) -> list[str]:
        """A town has thirteen communities (article 37), a larger one a community for every 4,000 people."""
        return [f"第{i}社区" for i in range(1, max(13, self.persons // 4_000) + 1)]

    @property
    def laboratories(self) -> list[str]:
        """Return the laboratories. Each tests for neighbouring communities, and sends one file a day."""
        return [f"检测机构{letter}" for letter in ascii_uppercase[: max(1, round(self.persons / LABORATORY))]]

    @property
    def points(self) -> list[str]:
        """Each community has two sampling points."""
        return [f"采样点{i}" for i in range(1, 2 * len(self.communities) + 1)]

    @property
    def pharmacies(self) -> list[str]:
        """A town has eight pharmacies, a larger one a pharmacy for every 5,000 people."""
        return [f"药店{i}" for i in range(1, max(8, self.persons // 5_000) + 1)]

    @property
    def habit(self) -> float:
        """Return the share of people who are sampled on a day without having a duty."""
        return 0.25 if self.persons >= CITY else 0.04

    @property
    def zones(self) -> int:
        """Return the number of risk zones, which are the first grids of the first communities."""
        return max(4, self.persons // 20_000)

    @property
    def zones_per_day(self) -> int:
        """Return the number of zones found on a day: all are found within four days in a town, ten in a city."""
        return max(1, self.zones // 10)

    @property
    def spread(self) -> int:
        """Return the mean number of further cases of a zone after its first."""
        return 4 if self.persons >= CITY else 0

    @property
    def round_communities(self) -> int:
        """Return the number of communities that a screening round covers."""
        return max(2, len(self.communities) // 10)
