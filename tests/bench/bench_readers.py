"""A part of `make bench`: what a dashboard asks, how long it waits, and how long while a publication is switched."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from yingjian.database import warehouse
from yingjian.settings import Settings

# The tiles of a dashboard ask the reporting schema these queries, as the role of the BI tool.
QUERIES = {
    "overdue by community": "select community, count(*) from reporting.overdue group by community order by 2 desc",
    "overdue by department": "select department, count(*), max(days_overdue) from reporting.overdue group by department",
    "a community's list": """
        select person_key, group_code, due_date, days_overdue, explanation from reporting.overdue
        where community = (select min(community) from reporting.overdue) order by days_overdue desc limit 100
    """,
    "due by day": "select due_date, sum(tests_due) from reporting.due_forecast group by due_date order by due_date",
    "compliance over time": """
        select as_of_date, sum(compliant)::numeric / sum(required) from reporting.compliance_daily group by as_of_date
        order by as_of_date
    """,
    "zones": "select zone_id, level, clear_days, eligible_on from reporting.risk_zone",
    "a person's obligations": """
        select group_code, due_date, status from reporting.obligation
        where person_key = (select person_key from reporting.overdue limit 1)
    """,
}
REST_SECONDS = 0.02


class Dashboard:
    """Asks every query in turn, over and over, in a thread of its own; `waits`: query -> (when asked, seconds)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.waits: dict[str, list[tuple[float, float]]] = {name: [] for name in QUERIES}

    @contextmanager
    def open(self) -> Iterator[None]:
        closed = threading.Event()

        def ask() -> None:
            with warehouse.connect(self._settings, "bi_reader") as conn:
                conn.autocommit = True
                while not closed.is_set():
                    for name, text in QUERIES.items():
                        start = time.perf_counter()
                        conn.execute(text).fetchall()  # type: ignore[call-overload]
                        self.waits[name].append((start, time.perf_counter() - start))
                        closed.wait(REST_SECONDS)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        try:
            yield
        finally:
            closed.set()
            thread.join()

    def percentiles(self, since: float | None = None) -> dict[str, dict[str, float]]:
        """Each query has how often it was asked from a moment on (all), and the 50th and 99th percentile in milliseconds."""
        figures = {}
        for name, waits in self.waits.items():
            taken = [1000 * seconds for asked, seconds in waits if since is None or asked + seconds >= since]
            if taken:
                middle, late = np.percentile(taken, [50, 99])
                figures[name] = {"asked": len(taken), "p50_ms": round(middle, 1), "p99_ms": round(late, 1)}
        return figures


def show(figures: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Print, by query, what it waited at rest, during a day's run, and while the publication is switched."""
    print(f"{'dashboard, ms (50th / 99th)':34}" + "".join(f"{name:>22}" for name in figures))
    for query in QUERIES:
        cells = [moments.get(query) for moments in figures.values()]
        texts = [f"{cell['p50_ms']:.1f} / {cell['p99_ms']:.1f}" if cell else "" for cell in cells]
        print(f"{query:34}" + "".join(f"{cell:>22}" for cell in texts))
