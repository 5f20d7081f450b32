"""This module says in words how much landing refused and nobody has mended yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def count_of_open(rows: Iterable[tuple[Any, ...]], files: Sequence[object]) -> str:
    """Return how many rows and files wait in quarantine, of the summaries that `landing.quarantine` gives."""
    return f"{sum(row[-1] for row in rows):,} open rows{f', {len(files)} files rejected whole' if files else ''}"
