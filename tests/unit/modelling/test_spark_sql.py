"""Spark's SQL of the models is translated, never guessed: the fast part of what tests/integration/modelling/test_spark.py compares.

What sqlglot alone translates wrongly without a word has a case here each, and every construct of a model was compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests import compared_on_spark
from tests.spark_queries import QUERIES
from yingjian.modelling.dbt import Model
from yingjian.modelling.spark_sql import Columns, Refused, translate

TABLE: Mapping[str, Columns] = {
    "s.t": {
        "a": "integer", "b": "bigint", "n": "numeric", "r": "double precision", "d": "date", "at": "timestamp", "w": "text",
        "days": "date[]", "words": "text[]", "is_it": "boolean", "seen_at": "timestamptz",
    }
}  # fmt: skip


def spark(query: str) -> str:
    """It translates a query of the table t, on one line."""
    return re.sub(r"\s+", " ", translate("m", query, TABLE).sql).replace("( ", "(").replace(" )", ")")


def of(expression: str) -> str:
    return spark(f"select {expression} as x from s.t").removeprefix("SELECT ").removesuffix(" AS x FROM s.t")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # The order of array_agg is lost.
        (
            "array_agg(w order by d)",
            "CASE WHEN COUNT(*) > 0 THEN TRANSFORM(SORT_ARRAY(COLLECT_LIST(STRUCT(d IS NULL AS key_0, d AS key_1, w AS listed)), TRUE),"
            " item_1 -> item_1.listed) END",
        ),
        ("(array_agg(w order by d desc))[1]", "MAX_BY(w, STRUCT(d IS NULL, d))"),
        ("(array_agg(w order by d desc nulls last))[1]", "MAX_BY(w, STRUCT(NOT d IS NULL, d))"),
        # Each item is compared with itself.
        ("w = any(words)", "ARRAY_CONTAINS(words, w)"),
        # A numeric has no decimals.
        ("w::numeric", "CAST(w AS DECIMAL(38, 20))"),
        # percentile_cont becomes approximate.
        ("percentile_cont(0.5) within group (order by n)", "PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY CAST(n AS DOUBLE) NULLS LAST)"),
        # An item is that beside it.
        ("days[1]", "GET(days, 0)"),
        ("days[a]", "GET(days, CAST((a) - 1 AS INT))"),
        # Spark reads `||` before `+`, or beside it.
        ("'第' || a + 1 || '天'", "CONCAT(CONCAT('第', CAST((a + 1) AS STRING)), '天')"),
        # A cast to a whole number loses its decimals.
        ("n::int", "CAST(ROUND(n) AS INT)"),
        ("r::int", "CAST(RINT(r) AS INT)"),
        # Quoted text is read as a format.
        ("to_char(d, 'FMMM\"月\"FMDD\"日\"')", r"DATE_FORMAT(d, 'M\'月\'d\'日\'')"),
        # Without 'g' only the first match goes.
        ("regexp_replace(w, 'x', '-')", "REGEXP_REPLACE(w, '(?s)^(.*?)(?:x)', '$1-')"),
        ("regexp_replace(w, 'x', '-', 'g')", "REGEXP_REPLACE(w, 'x', '-')"),
        # The sum of bigint is numeric, so that a share keeps its decimals.
        ("sum(b)", "CAST(SUM(b) AS DECIMAL(18, 0))"),
        ("sum(a)", "SUM(a)"),
        ("sum(a) / 2", "CAST((SUM(a) DIV 2) AS BIGINT)"),
        # Spark gives a quotient fewer decimals, the more its divisor has.
        ("b / n", "CAST(CAST(b AS DECIMAL(38, 20)) / CAST(n AS DECIMAL(38, 16)) AS DECIMAL(38, 20))"),
        ("a / 2", "CAST((a DIV 2) AS INT)"),
        # try_cast is written as a cast that fails.
        (
            "pg_input_is_valid(w, 'date')",
            "NOT CASE WHEN REGEXP(w, '^[0-9]{8}$') THEN TRY_TO_DATE(w, 'yyyyMMdd') ELSE TRY_TO_DATE(w) END IS NULL",
        ),
        # Nothing is later than infinity.
        ("'infinity'::date", "CAST('9999-01-01' AS DATE)"),
        (
            "d + 1",
            "CASE WHEN d IN (CAST('9999-01-01' AS DATE), CAST('0001-01-01' AS DATE)) THEN d ELSE DATE_ADD(d, 1) END",
        ),
        ("d - date '2022-07-01'", "DATEDIFF(d, CAST('2022-07-01' AS DATE))"),
        ("left(w, -1)", "LEFT(w, CASE WHEN (-1) >= 0 THEN -1 ELSE GREATEST(LENGTH(w) + (-1), 0) END)"),
        (r"w ~ '\s'", r"REGEXP(w, '\\p{IsWhite_Space}')"),
        (
            r"(regexp_match(w, '^(a)?(b|(c))[(]$'))[1]",
            "GET((CASE WHEN REGEXP(w, '^(a)?(b|(c))[(]$') THEN ARRAY(NULLIF(REGEXP_EXTRACT(w, '^(a)?(b|(c))[(]$', 1), ''),"
            " REGEXP_EXTRACT(w, '^(a)?(b|(c))[(]$', 2), NULLIF(REGEXP_EXTRACT(w, '^(a)?(b|(c))[(]$', 3), '')) END), 0)",
        ),
        ("concat(w, a)", "CONCAT(COALESCE(w, ''), COALESCE(CAST(a AS STRING), ''))"),
    ],
)  # fmt: skip
def test_what_sqlglot_alone_gets_wrong(expression: str, expected: str) -> None:
    assert of(expression) == expected


def test_an_unnested_list_is_joined_where_it_stands() -> None:
    """sqlglot alone puts it after the joins that read it."""
    assert spark(
        "select u.c, q.z from s.t, lateral unnest(words) as u (c) left join lateral (select u.c as z) as q on true"
    ) == ("SELECT u.c, q.z FROM s.t, LATERAL EXPLODE(words) AS u(c) LEFT JOIN LATERAL (SELECT u.c AS z) AS q ON TRUE")


def test_distinct_on_adds_no_column() -> None:
    assert spark("select distinct on (w) w, a from s.t order by w, a desc") == (
        "SELECT w, a FROM (SELECT w, a, ROW_NUMBER() OVER (PARTITION BY w ORDER BY w NULLS LAST, a DESC NULLS FIRST) AS row_of_its_key"
        " FROM s.t) AS numbered WHERE row_of_its_key = 1"
    )


def test_a_union_drops_no_decimals() -> None:
    assert spark("select a from s.t union all select n from s.t") == (
        "SELECT CAST(a AS DECIMAL(38, 20)) AS a FROM s.t UNION ALL SELECT n FROM s.t"
    )


def test_a_list_of_the_row_is_read_by_a_function() -> None:
    assert of("(select min(known.day) from unnest(days) as known (day) where known.day >= d)") == (
        "ARRAY_MIN(FILTER(days, day -> day >= d))"
    )


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("select a::money from s.t", "the type money"),
        ("select a::uuid || w from s.t", "the type uuid"),
        ("select n || w from s.t", "a cast of numeric to text"),
        ("select seen_at::date from s.t", "a cast of timestamptz to date"),
        ("select round(r) from s.t", "round of double precision"),
        ("select corr(a, b) from s.t", "corr"),
        ("select my_function(a) from s.t", "my_function"),
        ("select nothing from s.t", "the column nothing"),
        ("select a from s.other", "the table s.other"),
        ("select array_agg(a) from s.t", "array_agg needs an `order by`"),
        ("select string_agg(w, ',') from s.t", "string_agg needs an `order by`"),
        ("select a from s.t limit (select 1)", "`limit`"),
        ("select a from s.t group by a, (select max(b) from s.t)", "groups by no query"),
        ("select coalesce(a, d) from s.t", "date and integer"),
        ("select a + w from s.t", "integer + text"),
        ("select * from (select a from s.t) as t union all select n from s.t", "a union of whole numbers and numeric"),
        ("select to_char(d, 'Day') from s.t", "the format 'Day'"),
        (r"select w ~ '\d' from s.t", r"\d in a pattern"),
        ("select w from s.t where w ilike 'x'", "ilike"),
        ("select sum(b) over (order by d range between '1 day' preceding and current row) from s.t", "a window of range"),
        ("with recursive r as (select 1 as a) select a from r", "a recursive query"),
        ("select d from s.t offset 1", "`offset`"),
        ("select a from s.t for update", "`locks`"),
        ("select a from", "sqlglot cannot read it"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused_by_name(query: str, reason: str) -> None:
    with pytest.raises(Refused, match=re.escape(reason)) as refused:
        translate("models/marts/m.sql", query, TABLE)
    assert str(refused.value).startswith("models/marts/m.sql")


def test_a_refusal_names_the_line_of_the_file_or_of_what_dbt_made_of_it() -> None:
    source = "-- a comment\n{{ config() }}\nselect\n    my_function(a)\nfrom {{ ref('t') }}\n"
    compiled = "-- a comment\n\n\n\nselect\n    my_function(a)\nfrom s.t\n"
    with pytest.raises(Refused, match=r"^m, line 4: "):
        translate("m", compiled, TABLE, source)
    with pytest.raises(Refused, match=r"^m, line 6 of its compiled SQL, `my_function\(a\)`: "):
        translate("m", compiled, TABLE)


def test_everyday_queries_are_translated() -> None:
    for name, query in QUERIES.items():
        assert translate(name, query, {}).columns, name


@pytest.fixture(scope="module")
def models() -> list[Model]:
    return compared_on_spark.compiled()


def test_models_use_only_what_was_compared(models: list[Model]) -> None:
    """`make test-beyond` compares, then `python -m tests.compared_on_spark` lists."""
    assert len(models) > 140
    assert compared_on_spark.uncovered(models, compared_on_spark.read()) == []


def test_what_was_not_compared_is_found(models: list[Model]) -> None:
    covered = compared_on_spark.read()
    faults = compared_on_spark.uncovered(models[:1], set())
    assert faults and all(
        fault.startswith(models[0].path) and fault.endswith("was not compared on Spark") for fault in faults
    )
    stranger = replace(models[0], sql="select\n    a,\n    corr(a, a) as b\nfrom staging.arrivals", source="")
    (fault,) = compared_on_spark.uncovered([stranger], covered)
    assert "line 2" in fault and "column a" in fault


def test_types_are_those_of_tables_that_models_read() -> None:
    types = json.loads(compared_on_spark.TYPES.read_text(encoding="utf-8"))
    assert types["staging.test_results"]["person_key"] == "text" and len(types) > 50
