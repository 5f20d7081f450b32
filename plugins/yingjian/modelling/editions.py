"""This module reads the editions of the policy from their seed: the plan that is carried out, and the town that does so."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from yingjian.settings import PROJECT_ROOT


@dataclass(frozen=True)
class Plan:
    """A plan has the town that carries it out, and its title with that of its annex."""

    town: str
    title: str
    annex_title: str

    @property
    def sources(self) -> str:
        """Return the titles as a document cites them."""
        return f"《{self.title}》" + (f"及附件《{self.annex_title}》" if self.annex_title else "")


@cache
def plan(edition_code: str = "", root: Path = PROJECT_ROOT) -> Plan:
    """Return the plan that holds under an edition: a national edition changes rules of the town's last plan.

    Without a known edition it is the last plan of all.
    """
    path = root / "dbt_project" / "seeds" / "policy" / "policy_edition.csv"
    with path.open(encoding="utf-8", newline="") as file:
        editions = sorted(csv.DictReader(file), key=lambda row: row["effective_from"])
    place = next((place for place, row in enumerate(editions, 1) if row["edition_code"] == edition_code), len(editions))
    row = [row for row in editions[:place] if row["town"]][-1]
    return Plan(row["town"], row["title"], row["annex_title"])
