"""Describes in words how much is open in quarantine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def count_of_open(rows: Iterable[tuple[Any, ...]], files: Sequence[object]) -> str:
    """Return the number of open rows and rejected files as text, from the summaries of `landing.quarantine`."""
    return f"{sum(row[-1] for row in rows):,} open rows{f', {len(files)} files rejected whole' if files else ''}"
