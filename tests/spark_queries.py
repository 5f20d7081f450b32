"""These queries use common constructs and types of PostgreSQL that no model needs yet; both engines must answer alike.

`python -m tests.spark_queries FOLDER` writes Spark's answers to FOLDER/<name>.parquet; tests/integration/modelling/test_spark.py compares
them with PostgreSQL's. It runs in the environment of Spark, which has no pytest.
"""

from __future__ import annotations

import sys
from pathlib import Path

from yingjian.modelling.spark_models import session
from yingjian.modelling.spark_sql import translate

NUMBERS = """numbers as (
    select
        listed.a::smallint as small, listed.a::integer as whole, listed.a::bigint as big,
        listed.b::numeric as exact, listed.b::double precision as rough, listed.k::smallint as small_by,
        listed.k::integer as whole_by, listed.k::bigint as big_by, listed.k::numeric as exact_by, listed.k::double precision as rough_by
    from (
        values (7, '0.5', 2), (-7, '2.25', 2), (2147, '-1.125', -3), (1, '100', 7), (null, null, 3), (5, '2.5', null)
    ) as listed (a, b, k)
)"""
INTEGERS = ("small", "whole", "big")
KINDS = (*INTEGERS, "exact", "rough")
ROWS = """visits as (
    select listed.person, listed.day::date as day, listed.at::timestamp as at, listed.place, listed.note
    from (
        values
            ('a', '2022-07-01', '2022-07-01 08:00:00', '甲', 'x;y'), ('a', '2022-07-03', '2022-07-03 23:59:59', '乙', ''),
            ('b', '2022-07-02', '2022-07-02 00:00:00', '甲', null), ('b', '2022-07-02', '2022-07-02 12:30:00', '丙', 'z'),
            ('c', null, null, null, '20220705'), ('c', '2022-02-28', '2022-02-28 10:00:00.5', '丁', '20220231')
    ) as listed (person, day, at, place, note)
)"""
LISTS = f"""{ROWS},

lists as (
    select
        person,
        array_agg(day order by day desc, place) as days,
        array_agg(place order by at) filter (where place is not null) as places,
        count(*)::int as k
    from visits
    group by person
)"""

QUERIES: dict[str, str] = {
    **{
        f"quotient_{one}_{other}": f"with {NUMBERS} select {one} / {other}_by as q, {one} % {other}_by as r from numbers"
        for one in INTEGERS
        for other in INTEGERS
    },
    **{
        f"arithmetic_{one}": f"with {NUMBERS} select "
        + ", ".join(
            f"{one} + {other}_by as sum_{other}, {one} - {other}_by as less_{other}, {one} * {other}_by as product_{other}"
            for other in KINDS
        )
        + f", -{one} as minus from numbers"
        for one in KINDS
    },
    **{
        f"fraction_{one}": f"with {NUMBERS} select round(({one} / exact_by)::numeric, 9) as a, round((exact / {one}_by)::numeric, 9) as b,"
        f" {one} / rough_by as c, rough / {one}_by as d from numbers"
        for one in KINDS
    },
    **{
        f"sum_{one}": f"""with {NUMBERS} select
            sum({one}) as total, round(sum({one}) / count(*), 10) as mean, round(sum({one}) / 3.0, 4) as third, round(avg({one}), 6) as average,
            round(sum({one})::numeric / nullif(sum({other}_by), 0), 6) as share, sum({one}) filter (where {one} > 0) as positive,
            round(sum({one}) / sum({other}_by), 6) as quotient
            from numbers"""
        for one in INTEGERS
        for other in INTEGERS[-1:]
    },
    "meetings": f"""with {NUMBERS} select exact / 7 > 0.3 as is_more, coalesce(round(exact / 7, 15), whole, big) as first_of_them,
        case when whole > 0 then round(exact / 7, 15) else big end as one_of_them from numbers
        union all select true, whole, round(exact / 3, 15) from numbers""",
    "casts": f"""with {NUMBERS} select exact::int as of_exact, rough::int as of_rough, (exact * 3)::bigint as big,
        round(exact, 1) as rounded, exact::numeric(8, 2) as sized, whole::text || '人' as words, '第' || whole + 1 || '天' as nth,
        ceil(exact) as up, floor(exact) as down, round(exact * whole / 7, 3) as product, exact / 3 > 0.16 as is_more,
        greatest(whole, big_by) as more, least(exact, whole) as less, -exact as minus from numbers""",
    "lists": f"""with {LISTS} select person, days[1] as newest, days[k] as kth, places[1:2] as two, cardinality(days) as n,
        '甲' = any(places) as has_first, array_to_string(places, '、') as joined, places || array['戊'] as more,
        array_remove(places, '甲') as others, places && array['乙', '丁'] as overlaps, places @> array['甲'] as holds,
        (select max(day) from unnest(days) as known (day) where day < date '2022-07-03') as before,
        (select string_agg(to_char(day, 'FMMM"月"FMDD"日"'), '、' order by day) from unnest(days) as known (day) where day is not null)
            as words,
        exists (select from unnest(days) as known (day) where day = date '2022-07-02') as is_there,
        array(select day from unnest(days) as known (day) where day > date '2022-07-01' order by day) as later
        from lists""",
    "unnested": f"""with {LISTS} select lists.person, listed.place, series.n from lists
        cross join lateral unnest(lists.places) as listed (place)
        cross join lateral generate_series(1, lists.k - 1) as series (n)""",
    "unnested_by_comma": f"""with {LISTS} select lists.person, listed.place, later.day
        from lists, unnest(lists.places) as listed (place)
        left join lateral (select visits.day from visits where visits.place = listed.place order by visits.day limit 1) as later on true""",
    "aggregates": f"""with {ROWS} select person, array_agg(place order by day desc, place) as places,
        string_agg(place, '、' order by at desc) as joined, string_agg(distinct place, '、' order by place) as names,
        (array_agg(place order by day, at desc))[1] as first_place, bool_and(day is not null) as is_known,
        percentile_cont(0.5) within group (order by extract(epoch from at - day)) as median,
        count(distinct place) as n, string_agg(note, ',' order by note) filter (where note <> '') as notes
        from visits group by person""",
    "newest": f"""with {ROWS} select distinct on (person) * from visits order by person, day desc nulls last, at desc""",
    "windows": f"""with {ROWS} select person, at, row_number() over one as n, lag(place) over one as before,
        count(*) over (partition by person) as of_person, sum(1) over (partition by person order by at rows between unbounded preceding
        and 1 preceding) as so_far from visits where at is not null window one as (partition by person order by at)""",
    "times": f"""with {ROWS} select at, day + 1 as next, day - 1 as previous, day - date '2022-01-01' as days,
        at + interval '36 hours' as later, day + interval '1 day' as next_day, (day + interval '1 year')::date as next_year,
        round(extract(epoch from at - day) / 3600, 10) as hours, at - day > interval '10 hours' as is_late, extract(isodow from day)::int as weekday,
        at + make_interval(hours => 2) as soon, date_trunc('hour', at) as hour, at::date as its_day, to_char(at, 'YYYY-MM-DD HH24:MI:SS') as t,
        to_char(at, 'FMMM"月"FMDD"日"HH24:MI') as words, coalesce(day, 'infinity') > date '2022-12-31' as is_open,
        coalesce(day, 'infinity'::date) + 1 > coalesce(day, 'infinity'::date) as moves,
        case when pg_input_is_valid(note, 'date') then note::date end as noted from visits""",
    "texts": f"""with {ROWS} select person, regexp_replace(coalesce(note, ''), '[xy]', '-') as one,
        regexp_replace(coalesce(note, ''), '[xy]', '-', 'g') as every, regexp_split_to_array(note, '\\s*;\\s*') as parts,
        (regexp_match(note, '^([0-9]{{4}})([0-9]{{2}})'))[2] as month, regexp_match(note, '^([a-z])?([0-9]*)(;(.))?') as parts_of_it, note ~ '^[0-9]+$' as is_number, note like '2022%' as is_2022,
        left(note, 2) as two, left(note, -1) as but_one, left(note, length(note) - 3) as but_three, substr(note, 3) as rest,
        substring(note from 1 for 4) as year,
        concat(note, place, 1) as both, concat_ws('，', note, place) as all_of_it, string_to_array(note, ';') as pieces,
        replace(note, 'x', 'X') as other, upper(note) as big, trim(both ';z' from note) as trimmed, position('y' in note) as place_of_y
        from visits""",
    "rows": f"""with {ROWS} select one.person, one.at from visits as one where not exists (
        select from visits as other where other.person = one.person and (other.day, other.at) > (one.day, one.at))
        and (one.person, one.place) in (select visits.person, visits.place from visits)
        union all select 'nobody', null order by 1""",
}  # fmt: skip


def main(folder: Path) -> None:
    """Run every query on Spark, and write each answer as Parquet."""
    spark = session(folder / "spark", "local[2]")
    try:
        for name, query in QUERIES.items():
            frame = spark.sql(translate(name, query, {}).sql)
            frame.coalesce(1).write.parquet(str(folder / name))
    finally:
        spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
