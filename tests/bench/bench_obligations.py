"""A part of `make bench`: it compares a full refresh of all obligations with DuckDB, polars and pandas.

All engines compute the rolling obligations and those on fixed days (rule families 1, 2, 4 and 6) from the same memberships,
exemptions and samples, and must return the same rows: membership_id, slot, due_date, status. dbt is timed from the samples
on, like the others, and from each person's dates on, which are incremental in production. pandas is timed twice: vectorized,
and person by person, like a first script.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
import psycopg

from tests import support
from yingjian.database import warehouse
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
COUNTS = ("memberships", "samples")
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
    """Return the seconds of each engine on the town that was built for `day`. Raises AssertionError when the rows differ.

    dbt parses the project before the clock starts, because a build parses only what has changed.
    """
    _anew(settings, day, "int_sample__person_dates")
    with warehouse.connect(settings) as conn:
        inputs = {name: _read(conn, text) for name, text in INPUTS.items()}
    figures = {"memberships": inputs["memberships"].height, "samples": inputs["samples"].height}
    seconds = {"dbt": _anew(settings, day, *DATES, *OBLIGATIONS), "of kept dates": _anew(settings, day, *OBLIGATIONS)}
    with warehouse.connect(settings) as conn:
        ours = _sorted(_read(conn, OF_DBT))
    for name, by in OTHERS.items():
        seconds[name], theirs = by(inputs, day)
        assert ours.equals(theirs), f"{name} gives other rows"
    return figures | {name: round(value, 2) for name, value in seconds.items()}


def _anew(settings: Settings, day: date, *models: str) -> float:
    """Return the seconds of a full refresh of the models, with dbt's startup."""
    start = time.perf_counter()
    support.dbt_of(settings, day, "--quiet", "run", "--no-write-json", "--full-refresh", "--select", *models)
    return time.perf_counter() - start


def by_duckdb(inputs: Mapping[str, pl.DataFrame], day: date) -> tuple[float, pl.DataFrame]:
    """Return seconds and rows; the inputs are DuckDB's own tables when the clock starts."""
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


def by_polars(inputs: Mapping[str, pl.DataFrame], day: date) -> tuple[float, pl.DataFrame]:
    """Return seconds and rows; the inputs are in memory when the clock starts."""
    start = time.perf_counter()
    col, one, given = pl.col, pl.duration(days=1), {name: frame.lazy() for name, frame in inputs.items()}
    samples = (
        given["samples"].select("person_key", date=col("sampled_at").dt.date()).filter(col("date") <= day).unique()
    )
    members = given["memberships"].with_columns(col("start_date", "end_date", "anchor_date").cast(pl.Date))
    lifts = given["lifts"].with_columns(col("from_date", "to_date").cast(pl.Date)).rename({"group_code": "only"})
    of_lift = col("only").is_null() | (col("only") == col("group_code"))

    lifted = members.join(lifts, on="person_key").filter(of_lift).group_by("membership_id").agg(
        state=col("state").filter(pl.lit(day).is_between(col("from_date"), col("to_date"))).max(),
        last_lifted=col("to_date").filter(col("to_date") < day).max(),
    )  # fmt: skip
    dates = samples.group_by("person_key").agg(dates=col("date").sort(descending=True))
    rolling = (
        members.with_columns(col("end_date").fill_null(date(9999, 12, 31)))
        .filter(col("rule_family").is_in(["rolling", "as_required"]), col("end_date") >= day)
        .join(dates, on="person_key", how="left").join(lifted, on="membership_id", how="left")
        .with_columns(
            due_date=pl.max_horizontal(
                col("dates").list.get(col("k").cast(pl.Int64) - 1, null_on_oob=True) + pl.duration(days="n"),
                pl.max_horizontal("start_date", col("last_lifted") + one) + pl.duration(days=col("n") - 1),
            )
        )
        .filter(col("state").is_not_null() | (col("due_date") <= day) | (col("end_date") >= col("due_date")))
        .select(
            "membership_id", "due_date", slot=pl.lit(None, pl.Int64),
            status=pl.coalesce("state", pl.when(col("due_date") <= day).then(pl.lit("overdue")).otherwise(pl.lit("upcoming"))),
        )
    )  # fmt: skip

    scheduled = (
        members.with_columns(col("end_date").fill_null(date(9999, 12, 30)))
        .filter(col("rule_family").is_in(["anchored", "admission"]))
        .join(given["days"], on=["edition_code", "group_code"])
        .with_columns(
            slot=col("day_number").cast(pl.Int64),
            due_date=col("anchor_date") + pl.duration(days=col("day_number") - 1 + col("first_day_offset")),
        )
    )
    of_slot = ["membership_id", "person_key", "group_code", "end_date", "slot", "due_date"]
    firsts = (
        scheduled.filter(col("first_test") == 1, col("start_date") > col("anchor_date"), col("start_date") <= col("end_date"))
        .group_by("membership_id", "person_key", "group_code", "end_date", "start_date")
        .agg(last=col("due_date").max(), stands=(col("due_date") == col("start_date")).any())
        .filter(col("last") >= col("start_date"), ~col("stands"))
        .with_columns(slot=pl.lit(0, pl.Int64), due_date="start_date")
    )  # fmt: skip
    windows = (
        pl.concat([
            scheduled.filter(col("due_date").is_between(col("start_date"), col("end_date"))).select(of_slot),
            firsts.select(of_slot),
        ])
        .sort("membership_id", "due_date")
        .with_columns(until=col("due_date").shift(-1).over("membership_id").fill_null(col("end_date") + one))
    )  # fmt: skip
    states = (
        windows.join(lifts, on="person_key")
        .filter(of_lift, col("due_date").is_between(col("from_date"), col("to_date")))
        .group_by("membership_id", "due_date").agg(col("state").max())
    )  # fmt: skip
    taken = pl.when(col("date") < col("until")).then(col("date"))
    anchored = (
        windows.sort("due_date")
        .join_asof(
            samples.sort("date"), left_on="due_date", right_on="date", by="person_key", strategy="forward", coalesce=False
        )
        .join(states, on=["membership_id", "due_date"], how="left")
        .select(
            "membership_id", "due_date", "slot",
            status=pl.when(col("state").is_not_null()).then(col("state"))
            .when(taken == col("due_date")).then(pl.lit("satisfied"))
            .when(taken.is_not_null()).then(pl.lit("satisfied_late"))
            .when(col("due_date") > day).then(pl.lit("upcoming"))
            .when(col("until") > day).then(pl.lit("overdue"))
            .otherwise(pl.lit("missed")),
        )
    )  # fmt: skip
    rows = pl.concat([rolling, anchored]).select("membership_id", "slot", "due_date", "status").collect()
    return time.perf_counter() - start, _sorted(rows)


def by_pandas_columns(inputs: Mapping[str, pl.DataFrame], day: date) -> tuple[float, pl.DataFrame]:
    """Return seconds and rows of vectorized pandas: joins, group-bys and one `merge_asof`."""
    import numpy as np
    import pandas as pd

    given = {name: frame.to_pandas() for name, frame in inputs.items()}
    start = time.perf_counter()
    today, forever = pd.Timestamp(day), pd.Timestamp("9999-12-30").as_unit("s")

    def days_of(numbers: Any) -> Any:
        return pd.to_timedelta(numbers, unit="D").astype("timedelta64[s]")

    members, lifts, samples = given["memberships"], given["lifts"], given["samples"]
    for frame, names in ((members, ("start_date", "end_date", "anchor_date")), (lifts, ("from_date", "to_date"))):
        for name in names:
            frame[name] = frame[name].astype("datetime64[s]")
    samples["date"] = samples["sampled_at"].dt.normalize().astype("datetime64[s]")
    dates = samples.loc[samples["date"] <= today, ["person_key", "date"]].drop_duplicates().sort_values("date")
    dates["k"] = dates.groupby("person_key").cumcount(ascending=False) + 1
    lifts = lifts.rename(columns={"group_code": "only"})

    def of_lift(joined: Any) -> Any:
        return joined[joined["only"].isna() | (joined["only"] == joined["group_code"])]

    lifted = of_lift(members[["membership_id", "person_key", "group_code"]].merge(lifts, on="person_key"))
    now = lifted[(lifted["from_date"] <= today) & (lifted["to_date"] >= today)].groupby("membership_id")["state"].max()
    over = lifted[lifted["to_date"] < today].groupby("membership_id")["to_date"].max().rename("last_lifted")

    rolling = members[members["rule_family"].isin(["rolling", "as_required"])].copy()
    rolling["end_date"] = rolling["end_date"].fillna(forever)
    rolling = rolling[rolling["end_date"] >= today].astype({"k": "int64"})
    rolling = (
        rolling.merge(dates, on=["person_key", "k"], how="left")
        .join(now, on="membership_id")
        .join(over, on="membership_id")
    )
    begun = rolling[["start_date"]].assign(lifted=rolling["last_lifted"] + days_of([1])[0]).max(axis=1)
    rolling["due_date"] = pd.DataFrame(
        {"by_test": rolling["date"] + days_of(rolling["n"]), "by_start": begun + days_of(rolling["n"] - 1)}
    ).max(axis=1)
    stands = rolling["state"].notna() | (rolling["due_date"] <= today) | (rolling["end_date"] >= rolling["due_date"])
    rolling = rolling[stands]
    state = np.where(rolling["due_date"] <= today, "overdue", "upcoming")
    rolling = rolling.assign(slot=None, status=rolling["state"].where(rolling["state"].notna(), state))

    planned = members[members["rule_family"].isin(["anchored", "admission"])].copy()
    planned["end_date"] = planned["end_date"].fillna(forever)
    planned = planned.merge(given["days"], on=["edition_code", "group_code"]).rename(columns={"day_number": "slot"})
    planned["due_date"] = planned["anchor_date"] + days_of(planned["slot"] - 1 + planned["first_day_offset"])
    planned["last"] = planned.groupby("membership_id")["due_date"].transform("max")
    planned["stands"] = (
        (planned["due_date"] == planned["start_date"]).groupby(planned["membership_id"]).transform("any")
    )
    firsts = planned[
        (planned["first_test"] == 1) & (planned["start_date"] > planned["anchor_date"]) & ~planned["stands"]
        & (planned["start_date"] <= planned["end_date"]) & (planned["last"] >= planned["start_date"])
    ].drop_duplicates("membership_id")  # fmt: skip
    inside = (planned["due_date"] >= planned["start_date"]) & (planned["due_date"] <= planned["end_date"])
    slots = pd.concat([planned[inside], firsts.assign(slot=0, due_date=firsts["start_date"])])
    slots = slots.sort_values(["membership_id", "due_date"])
    following = slots.groupby("membership_id")["due_date"].shift(-1)
    slots["until"] = following.fillna(slots["end_date"] + days_of([1])[0])
    joined = of_lift(slots[["membership_id", "person_key", "group_code", "due_date"]].merge(lifts, on="person_key"))
    joined = joined[(joined["from_date"] <= joined["due_date"]) & (joined["to_date"] >= joined["due_date"])]
    states = joined.groupby(["membership_id", "due_date"])["state"].max()
    slots = pd.merge_asof(
        slots.sort_values("due_date"), dates[["person_key", "date"]], left_on="due_date", right_on="date", by="person_key",
        direction="forward",
    ).join(states, on=["membership_id", "due_date"])  # fmt: skip
    taken = slots["date"].where(slots["date"] < slots["until"])
    status = np.select(
        [taken == slots["due_date"], taken.notna(), slots["due_date"] > today, slots["until"] > today],
        ["satisfied", "satisfied_late", "upcoming", "overdue"], "missed",
    )  # fmt: skip
    slots["status"] = slots["state"].where(slots["state"].notna(), status)
    names = ["membership_id", "slot", "due_date", "status"]
    rows = [frame[names] for frame in (rolling, slots)]
    seconds = time.perf_counter() - start
    return seconds, _sorted(
        pl.concat([pl.from_pandas(frame).cast({"slot": pl.Int32, "due_date": pl.Date}) for frame in rows])
    )


def by_pandas_rows(inputs: Mapping[str, pl.DataFrame], day: date) -> tuple[float, pl.DataFrame]:
    """Return seconds and rows of a simple script that loops over memberships."""
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
    """Return a query's rows, read by COPY, which is fast enough for tens of millions."""
    with conn.cursor() as cursor, cursor.copy(f"copy ({text}) to stdout with (format csv, header)") as copy:  # type: ignore[arg-type]
        data = b"".join(bytes(block) for block in copy)
    dates = {name: pl.String for name in ("membership_id", "person_key", "group_code", "edition_code")}
    return pl.read_csv(data, try_parse_dates=True, schema_overrides=dates, infer_schema_length=None)


def _sorted(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col("slot").cast(pl.Int32), pl.col("due_date").cast(pl.Date)).sort(
        "membership_id", "slot", nulls_last=True
    )


OTHERS = {
    "DuckDB": by_duckdb,
    "polars": by_polars,
    "pandas": by_pandas_columns,
    "pandas, a person at a time": by_pandas_rows,
}


def show(figures: Mapping[str, Mapping[str, float]]) -> None:
    """Print the table and the ratios."""
    named = {
        "memberships": 13,
        "samples": 11,
        "dbt": 7,
        "of kept dates": 15,
        **{name: len(name) + 3 for name in OTHERS},
    }
    print(f"{'obligations, read anew':24}" + "".join(f"{name:>{width}}" for name, width in named.items()))
    for name, row in figures.items():
        print(
            f"{name:24}"
            + "".join(f"{row[cell]:>{width},.{0 if cell in COUNTS else 2}f}" for cell, width in named.items())
        )
        print("  times as long as" + ",".join(f" {other} {row['dbt'] / max(row[other], 0.01):.1f}" for other in OTHERS))


def ratios(figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return dbt's time divided by DuckDB's in the largest town; in the others DuckDB takes almost no time."""
    name, row = list(figures.items())[-1]
    return {
        f"{name}, obligations over DuckDB": row["dbt"] / row["DuckDB"],
        f"{name}, obligations of kept dates over DuckDB": row["of kept dates"] / row["DuckDB"],
    }
