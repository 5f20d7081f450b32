"""Reads the policy editions from their seed: which plan holds, and which town carries it out."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from yingjian.settings import PROJECT_ROOT


@dataclass(frozen=True)
class Plan:
    """The town that carries out a plan, and the titles of plan and annex."""

    town: str
    title: str
    annex_title: str

    @property
    def sources(self) -> str:
        """Return the titles in the form in which documents cite them."""
        return f"《{self.title}》" + (f"及附件《{self.annex_title}》" if self.annex_title else "")


def parameter(name: str, edition_code: str, root: Path = PROJECT_ROOT) -> str:
    """Return a parameter's value under an edition: its own, else that of the newest earlier edition.

    Raises KeyError if no edition up to this one has the parameter.
    """
    editions = [row["edition_code"] for row in _rows(root)]
    place = editions.index(edition_code) + 1 if edition_code in editions else len(editions)
    values = _parameters(root)
    for code in reversed(editions[:place]):
        if (code, name) in values:
            return values[code, name]
    raise KeyError(name)


def version(edition_code: str, root: Path = PROJECT_ROOT) -> str:
    """Return an edition's short name for officials, such as 方案（第二版） or 二十条; its full title if it has no short one."""
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
    """Return the plan in force under an edition. A national edition only amends the town's last plan.

    For an unknown edition, the newest plan is returned.
    """
    editions = _rows(root)
    place = next((place for place, row in enumerate(editions, 1) if row["edition_code"] == edition_code), len(editions))
    row = [row for row in editions[:place] if row["town"]][-1]
    return Plan(row["town"], row["title"], row["annex_title"])
