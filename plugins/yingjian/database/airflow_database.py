"""This module queries Airflow's metadata database for facts that Airflow's task SDK does not expose."""

from __future__ import annotations

from typing import Any

import psycopg

from yingjian.database import warehouse
from yingjian.settings import Settings

# This SQL gives the business date of a row of `dag_run`: the `date` it was triggered with, else its data interval's start.
BUSINESS_DATE = """
case
    when pg_input_is_valid(dag_run.conf ->> 'date', 'date') then (dag_run.conf ->> 'date')::date
    else (dag_run.data_interval_start at time zone 'Asia/Shanghai')::date
end
"""


def ask_airflow(settings: Settings, query: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the rows of a query on Airflow's metadata database; no rows if Airflow has not created its tables yet."""
    try:
        with psycopg.connect(warehouse.airflow_uri(settings), connect_timeout=10) as conn:
            return conn.execute(query, parameters).fetchall()  # type: ignore[arg-type]
    except psycopg.errors.UndefinedTable:
        return []
