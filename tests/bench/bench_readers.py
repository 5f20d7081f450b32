"""A part of `make bench`: it measures how long a dashboard's queries wait at rest, during a run and during the switch."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import numpy as np
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from yingjian.bi import dashboards, datasets
from yingjian.database import warehouse
from yingjian.modelling.dbt_project import prepare_manifest
from yingjian.modelling.marts import published
from yingjian.publishing.partitions import bind_to_date
from yingjian.settings import Settings

# A dashboard sends these queries to the schema reporting, as the role of the BI tool.
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
CHARTS, HISTORY_DAYS = 12, 90


def charts(settings: Settings) -> dict[str, str]:
    """Return the queries that a BI tool sends for a dashboard of `bi/`: those over days first, then those of the current day."""
    known = datasets.load(settings.root, prepare_manifest(settings))
    board = next(board for board in dashboards.load(settings.root, known) if board.name == "office")
    queries = {}
    for chart in sorted(board.charts, key=lambda chart: chart.kind != "line"):
        dataset = chart.dataset
        if chart.kind == "table":
            query = f"select {', '.join(chart.names)} from ({dataset.sql}) as dataset limit 1000"
        else:
            shown = ", ".join(dataset.metrics[name].sql for name in chart.names)
            current = "is_current" if chart.kind != "line" and "is_current" in dataset.columns else "true"
            grouped = f" group by {chart.by} order by {chart.by}" if chart.by else ""
            columns = ", ".join(filter(None, (chart.by, shown)))
            query = f"select {columns} from ({dataset.sql}) as dataset where {current}{grouped}"
        queries[f"{chart.kind}: {chart.title}"] = query
    return dict(list(queries.items())[:CHARTS])


def fill_history(settings: Settings, day: date) -> None:
    """Fill every history mart up to 90 days; each earlier day is a copy of `day`, which is current."""
    with warehouse.connect(settings) as conn:
        [(current,)] = conn.execute("select publication_id from published.current").fetchall()
        for back in range(1, HISTORY_DAYS):
            past, number = day - timedelta(days=back), -back
            _copied(
                conn, "publication", "publication", current, {"publication_id": number, "as_of_date": str(past)}, back
            )
            for mart in published().values():
                if mart.is_history:
                    name = f"{mart.name}_p{number}"
                    names = {
                        "name": sql.Identifier("published", name),
                        "mart": sql.Identifier("published", mart.name),
                        "number": sql.Literal(number),
                    }
                    conn.execute(sql.SQL("create table {name} (like {mart})").format(**names))
                    for (index,) in conn.execute(
                        "select indexdef from pg_indexes where schemaname = 'published' and tablename = %s",
                        [f"{mart.name}_p{current}"],
                    ).fetchall():
                        columns = sql.SQL(index.partition(" USING ")[2])
                        conn.execute(sql.SQL("create index on {name} using {columns}").format(columns=columns, **names))
                    _copied(conn, mart.name, name, current, {"publication_id": number, "as_of_date": str(past)})
                    bind_to_date(conn, mart.name, number, past)
                    conn.execute(
                        sql.SQL("alter table {mart} attach partition {name} for values in ({number})").format(**names)
                    )
        conn.commit()
        conn.autocommit = True
        conn.execute("analyze")


def _copied(
    conn: psycopg.Connection[Any], table: str, to: str, current: int, changes: dict[str, Any], back: int | None = None
) -> None:
    """Copy the rows of the current publication, with `changes` applied."""
    if back is not None:
        changes |= {"run_key": f"day {back}", "previous_publication_id": None}
    conn.execute(
        sql.SQL(
            """
            insert into {to}
            select changed.* from {table} as row
            cross join lateral jsonb_populate_record(row, {changes}) as changed where row.publication_id = {current}
            """
        ).format(
            to=sql.Identifier("published", to),
            table=sql.Identifier("published", table),
            changes=Jsonb(changes),
            current=sql.Literal(current),
        )
    )


class Dashboard:
    """Runs all queries in a loop, in a thread of its own; `waits`: (start, seconds) of each run by query."""

    def __init__(self, settings: Settings, queries: Mapping[str, str]) -> None:
        self._settings, self._queries = settings, queries
        self.waits: dict[str, list[tuple[float, float]]] = {name: [] for name in queries}

    @contextmanager
    def open(self) -> Iterator[None]:
        closed = threading.Event()

        def ask() -> None:
            with warehouse.connect(self._settings, "bi_reader") as conn:
                conn.autocommit = True
                while not closed.is_set():
                    for name, text in self._queries.items():
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
        """Return, by query, the number of runs since a moment (default: all), and percentiles 50 and 99 in milliseconds."""
        figures = {}
        for name, waits in self.waits.items():
            taken = [1000 * seconds for asked, seconds in waits if since is None or asked + seconds >= since]
            if taken:
                middle, late = np.percentile(taken, [50, 99])
                figures[name] = {"asked": len(taken), "p50_ms": round(middle, 1), "p99_ms": round(late, 1)}
        return figures


def show(figures: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Print, by query, the waits at rest, during a day's run, and while the publication switches."""
    print(f"{'dashboard, ms (50th / 99th)':34}" + "".join(f"{name:>22}" for name in figures))
    for query in next(iter(figures.values())):
        cells = [moments.get(query) for moments in figures.values()]
        texts = [f"{cell['p50_ms']:.1f} / {cell['p99_ms']:.1f}" if cell else "" for cell in cells]
        print(f"{query:34}" + "".join(f"{cell:>22}" for cell in texts))


def ratios(figures: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    """Return, by query, the median wait during a day's run, divided by that at rest."""
    at_rest, during = figures["at rest"], figures["during a day's run"]
    return {f"{name}, during a run": row["p50_ms"] / at_rest[name]["p50_ms"] for name, row in during.items()}
