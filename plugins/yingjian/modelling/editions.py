"""This module reads the editions of the policy from their seed: the plan that is carried out, and the town that does so."""

from __future__ import annotations

import csv
import re
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


def parameter(name: str, edition_code: str, root: Path = PROJECT_ROOT) -> str:
    """Return a parameter as an edition has it: its own value, else that of the newest edition before it.

    Raises KeyError when no edition up to this one has the parameter.
    """
    editions = [row["edition_code"] for row in _rows(root)]
    place = editions.index(edition_code) + 1 if edition_code in editions else len(editions)
    values = _parameters(root)
    for code in reversed(editions[:place]):
        if (code, name) in values:
            return values[code, name]
    raise KeyError(name)


def version(edition_code: str, root: Path = PROJECT_ROOT) -> str:
    """Return the name of an edition for officials: 方案（第二版）, 二十条; its whole title where that has no short one."""
    title = next((row["title"] for row in _rows(root) if row["edition_code"] == edition_code), "")
    numbered = re.search(r"方案（[^（）]+版）$", title)
    short = re.search(r"（([^（）]+)）$", title)
    return numbered[0] if numbered else short[1] if short else title or edition_code


@cache
def _rows(root: Path) -> list[dict[str, str]]:
    path = root / "dbt_project" / "seeds" / "policy" / "policy_edition.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return sorted(csv.DictReader(file), key=lambda row: row["effective_from"])


@cache
def _parameters(root: Path) -> dict[tuple[str, str], str]:
    path = root / "dbt_project" / "seeds" / "policy" / "policy_parameter.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return {(row["edition_code"], row["name"]): row["value"] for row in csv.DictReader(file)}


@cache
def plan(edition_code: str = "", root: Path = PROJECT_ROOT) -> Plan:
    """Return the plan that holds under an edition: a national edition changes rules of the town's last plan.

    Without a known edition it is the last plan of all.
    """
    editions = _rows(root)
    place = next((place for place, row in enumerate(editions, 1) if row["edition_code"] == edition_code), len(editions))
    row = [row for row in editions[:place] if row["town"]][-1]
    return Plan(row["town"], row["title"], row["annex_title"])
