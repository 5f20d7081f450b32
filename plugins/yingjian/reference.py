"""This module reads seeds of reference data, for code that runs before dbt has loaded them."""

from __future__ import annotations

import csv
from functools import cache

from yingjian.settings import PROJECT_ROOT


@cache
def feeds() -> dict[str, dict[str, str]]:
    """Return the rows of the seed `feed`, by feed and in file order; all values are text."""
    path = PROJECT_ROOT / "dbt_project" / "seeds" / "reference" / "feed.csv"
    with path.open(encoding="utf-8") as file:
        return {row["feed"]: row for row in csv.DictReader(file)}
