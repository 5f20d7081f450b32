"""A part of `make bench`: the obligations of all memberships, read anew, against DuckDB and against a pandas script.

The rolling duties and those on fixed days (rule families 1, 2, 4 and 6), from the same memberships, exemptions and
samples, to the same columns: membership_id, slot, due_date, status. The rows of all three are compared. dbt is timed from
the samples on, as the others are, and from each person's dates on, which it keeps from day to day.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
import psycopg

from yingjian.database import warehouse
from yingjian.modelling import dbt
from yingjian.settings import Settings

DATES = (
    "int_sample__bounds", "int_sample__changes", "int_sample__valid", "int_sample__dates", "int_sample__person_dates",
    "int_sample__person_days",
)  # fmt: skip
OBLIGATIONS = (
    "int_obligation__rolling", "int_obligation__anchored", "int_obligation__window", "int_obligation__outbreak",
    "int_obligation__pharmacy", "int_obligation__positive_tube", "int_obligation__unioned",
)  # fmt: skip

INPUTS = {
    "samples": "select person_key, sampled_at from staging.test_results where result <> '无效'",
    "memberships": """
        select
            membership_id, person_key, group_code, start_date, end_date, anchor_date, first_day_offset, edition_code,
            rule_family, tests_required as k, period_days as n,
            first_test::int as first_test
        from intermediate.int_membership__unified
        where
            group_code <> 'A07'
            and (rule_family in ('rolling', 'anchored', 'admission') or (rule_family = 'as_required' and tests_required is not null))
    """,
    "days": "select edition_code, group_code, day_number from intermediate.int_policy__rule_days",
    "lifts": """
        select person_key, group_code, state, from_date, case when to_date = 'infinity' then date '9999-12-31' else to_date end
        as to_date from intermediate.int_lift__intervals
    """,
}
OF_DBT = """
    select membership_id, slot, due_date, status from intermediate.int_obligation__unioned
    where rule_family in ('rolling', 'as_required', 'anchored', 'admission') and group_code <> 'A07'
"""

OF_DUCKDB = """
    create temp table person as
    select person_key, list_reverse_sort(list(distinct sampled_at::date)) as dates
    from samples where sampled_at < $day + 1 group by person_key;
    create temp table rolling as
    with lifted as (
        select
            m.membership_id, max(l.state) filter ($day between l.from_date and l.to_date) as state,
            max(l.to_date) filter (l.to_date < $day) as last_lifted
        from memberships m join lifts l
            on m.person_key = l.person_key and (l.group_code is null or l.group_code = m.group_code)
        group by m.membership_id
    ),
    due as (
        select
            m.*, lifted.state,
            greatest(dates[k] + n::int, greatest(start_date, last_lifted + 1) + n::int - 1) as due_date
        from memberships m left join person using (person_key) left join lifted using (membership_id)
        where rule_family in ('rolling', 'as_required') and coalesce(end_date, date '9999-12-31') >= $day
    )
    select
        membership_id, null::int as slot, due_date::date as due_date,
        coalesce(state, case when due_date <= $day then 'overdue' else 'upcoming' end) as status
    from due where state is not null or due_date <= $day or coalesce(end_date, date '9999-12-31') >= due_date;
    create temp table anchored as
    with scheduled as (
        select
            m.membership_id, m.person_key, m.group_code, day_number as slot, coalesce(end_date, date '9999-12-30') as end_date,
            anchor_date + day_number::int - 1 + first_day_offset::int as due_date, start_date, anchor_date, first_test
        from memberships m join days using (edition_code, group_code)
        where rule_family in ('anchored', 'admission')
    ),
    slots as (
        select membership_id, person_key, group_code, slot, end_date, due_date from scheduled
        where due_date between start_date and end_date
        union all
        select membership_id, person_key, group_code, 0, end_date, start_date from scheduled
        where first_test = 1 and start_date > anchor_date and start_date <= end_date
        group by membership_id, person_key, group_code, end_date, start_date
        having max(due_date) >= start_date and not bool_or(due_date = start_date)
    ),
    windows as (
        select *, coalesce(lead(due_date) over (partition by membership_id order by due_date), end_date + 1) as until_date
        from slots
    ),
    evidence as (
        select
            w.*, list_min(list_filter(dates, lambda d: d >= due_date and d < until_date)) as satisfied_on,
            (select max(state) from lifts l where l.person_key = w.person_key
            and (l.group_code is null or l.group_code = w.group_code) and w.due_date between from_date and to_date) as state
        from windows w left join person using (person_key)
    )
    select
        membership_id, slot, due_date,
        case
            when state is not null then state when satisfied_on = due_date then 'satisfied'
            when satisfied_on is not null then 'satisfied_late' when due_date > $day then 'upcoming'
            when until_date > $day then 'overdue' else 'missed'
        end as status
    from evidence;
"""


def measure(settings: Settings, day: date) -> dict[str, float]:
    """Seconds of each on the town that was built for `day`; raises AssertionError when the rows differ.

    dbt parses the project before the clock starts: it does so when the project changed, not when it builds.
    """
    _anew(settings, day, "int_sample__person_dates")
    with warehouse.connect(settings) as conn:
        inputs = {name: _read(conn, text) for name, text in INPUTS.items()}
    figures = {"memberships": inputs["memberships"].height, "samples": inputs["samples"].height}
    seconds = {"dbt": _anew(settings, day, *DATES, *OBLIGATIONS), "from_dates": _anew(settings, day, *OBLIGATIONS)}
    with warehouse.connect(settings) as conn:
        ours = _sorted(_read(conn, OF_DBT))
    seconds["duckdb"], theirs = by_duckdb(inputs, day)
    assert ours.equals(theirs), "DuckDB gives other rows"
    seconds["pandas"], theirs = by_pandas(inputs, day)
    assert ours.equals(theirs), "the pandas script gives other rows"
    return figures | {name: round(value, 2) for name, value in seconds.items()}


def _anew(settings: Settings, day: date, *models: str) -> float:
    """Seconds in which dbt makes the models of everything, with its own start."""
    start = time.perf_counter()
    result = dbt.invoke(
        settings, "--quiet", "run", "--no-write-json", "--full-refresh", "--select", *models,
        "--vars", f"{{as_of_date: '{day}'}}",
    )  # fmt: skip
    assert result.success
    return time.perf_counter() - start


def by_duckdb(inputs: Mapping[str, pl.DataFrame], day: date) -> tuple[float, pl.DataFrame]:
    """Seconds and rows; the inputs are DuckDB's own tables when the clock starts."""
    import duckdb

    with duckdb.connect() as conn:
        for name, frame in inputs.items():
            conn.register("given", frame.to_arrow())
            conn.execute(f"create table {name} as select * from given")
        start = time.perf_counter()
        conn.execute(OF_DUCKDB.replace("$day", f"date '{day}'"))
        seconds = time.perf_counter() - start
        rows = pl.DataFrame(conn.sql("select * from rolling union all select * from anchored").to_arrow_table())
    return seconds, _sorted(rows)


def by_pandas(inputs: Mapping[str, pl.DataFrame], day: date) -> tuple[float, pl.DataFrame]:
    """Seconds and rows of a script as an analyst writes it: person by person, membership by membership."""
    import pandas as pd

    frames = {name: pd.DataFrame(frame.to_dict(as_series=False)) for name, frame in inputs.items()}
    one, forever = pd.Timedelta(days=1), pd.Timestamp("9999-12-30").as_unit("s")
    start = time.perf_counter()
    today = pd.Timestamp(day)
    samples = frames["samples"]
    samples["date"] = pd.to_datetime(samples["sampled_at"]).dt.normalize()
    dates_of = samples[samples["date"] <= today].groupby("person_key")["date"].apply(lambda dates: sorted(set(dates)))
    lifts_of = {key: rows.to_dict("records") for key, rows in frames["lifts"].groupby("person_key")}
    days_of = frames["days"].groupby(["edition_code", "group_code"])["day_number"].apply(sorted)
    rows: list[tuple[Any, ...]] = []
    for _, member in frames["memberships"].iterrows():
        dates = dates_of.get(member["person_key"], [])
        lifts = [
            (pd.Timestamp(lift["from_date"]), pd.Timestamp(lift["to_date"]).as_unit("s"), lift["state"])
            for lift in lifts_of.get(member["person_key"], [])
            if lift["group_code"] is None or lift["group_code"] == member["group_code"]
        ]

        def state_on(when: Any, lifts: list[Any] = lifts) -> Any:
            return max((state for since, until, state in lifts if since <= when <= until), default=None)

        begun = pd.Timestamp(member["start_date"])
        end = (
            pd.Timestamp(member["end_date"])
            if member["end_date"] is not None and not pd.isna(member["end_date"])
            else forever
        )
        if member["rule_family"] in ("rolling", "as_required"):
            if end < today:
                continue
            k, n = int(member["k"]), int(member["n"])
            for _, until, _ in lifts:
                if until < today:
                    begun = max(begun, until + one)
            due = begun + (n - 1) * one
            if len(dates) >= k:
                due = max(due, dates[-k] + n * one)
            state = state_on(today)
            if state or due <= today or end >= due:
                rows.append((member["membership_id"], None, due, state or ("overdue" if due <= today else "upcoming")))
            continue
        first = pd.Timestamp(member["anchor_date"]) + (int(member["first_day_offset"]) - 1) * one
        slots = [(slot, first + slot * one) for slot in days_of.get((member["edition_code"], member["group_code"]), [])]
        dues = [due for _, due in slots]
        if member["first_test"] and pd.Timestamp(member["anchor_date"]) < begun <= max(dues) and begun not in dues:
            slots = sorted([*slots, (0, begun)], key=lambda slot: slot[1])
        slots = [(slot, due) for slot, due in slots if begun <= due <= end]
        for place, (slot, due) in enumerate(slots):
            until = slots[place + 1][1] if place + 1 < len(slots) else end + one
            given = next((taken for taken in dates if due <= taken < until), None)
            status = state_on(due) or (
                "satisfied" if given == due else "satisfied_late" if given is not None
                else "upcoming" if due > today else "overdue" if until > today else "missed"
            )  # fmt: skip
            rows.append((member["membership_id"], slot, due, status))
    seconds = time.perf_counter() - start
    table = pl.DataFrame(
        [(key, slot, due.date(), status) for key, slot, due, status in rows],
        schema={"membership_id": pl.String, "slot": pl.Int32, "due_date": pl.Date, "status": pl.String}, orient="row",
    )  # fmt: skip
    return seconds, _sorted(table)


def _read(conn: psycopg.Connection[Any], text: str) -> pl.DataFrame:
    """A query's rows come by COPY, which is quick enough for tens of millions."""
    with conn.cursor() as cursor, cursor.copy(f"copy ({text}) to stdout with (format csv, header)") as copy:  # type: ignore[arg-type]
        data = b"".join(bytes(block) for block in copy)
    dates = {name: pl.String for name in ("membership_id", "person_key", "group_code", "edition_code")}
    return pl.read_csv(data, try_parse_dates=True, schema_overrides=dates, infer_schema_length=None)


def _sorted(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col("slot").cast(pl.Int32), pl.col("due_date").cast(pl.Date)).sort(
        "membership_id", "slot", nulls_last=True
    )


def show(figures: Mapping[str, Mapping[str, float]]) -> None:
    """Print the table and the ratios."""
    print(
        f"{'obligations, read anew':28}{'memberships':>12}{'samples':>12}{'dbt':>8}{'of kept dates':>15}{'DuckDB':>8}{'pandas':>8}"
    )
    for name, row in figures.items():
        cells = "".join(
            f"{row[who]:>{width}.1f}" for who, width in (("dbt", 8), ("from_dates", 15), ("duckdb", 8), ("pandas", 8))
        )
        print(f"{name:28}{row['memberships']:>12,.0f}{row['samples']:>12,.0f}{cells}")
        print(
            f"  {row['dbt'] / row['duckdb']:.1f} times DuckDB's time (of kept dates {row['from_dates'] / row['duckdb']:.1f}),"
            f" {row['pandas'] / row['dbt']:.1f} times faster than pandas ({row['pandas'] / row['from_dates']:.1f})"
        )


def ratios(figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The ratios compare dbt's time with DuckDB's in the largest town: DuckDB needs next to none for the others."""
    name, row = list(figures.items())[-1]
    return {
        f"{name}, obligations over DuckDB": row["dbt"] / row["duckdb"],
        f"{name}, obligations of kept dates over DuckDB": row["from_dates"] / row["duckdb"],
    }
