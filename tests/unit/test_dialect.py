"""SQL that only one of the two engines reads stays in macros (docs/spark.md): the fast part of what tests/integration/test_spark.py runs."""

from __future__ import annotations

import re

import pytest

from yingjian.settings import PROJECT_ROOT

# A model must not hold the key; the value is the macro that writes it for both engines.
ONE_ENGINE_ONLY = {
    r"::text\b": "text_type",
    r"::numeric\b": "exact",
    r"\binfinity\b": "no_end, no_start",
    r"\bcollate\b": "bytewise",
    r"\bdistinct on\b": "first_per",
    r"\barray_agg\b": "at_first, list_of",
    r"\bstring_agg\b": "joined",
    r"\barray\[|'\{.*\}'": "list_without_nulls, empty_list",
    r"\w\[[\w.]+\]": "item",
    r"= any\(|&&|@>|<@": "is_in, overlaps, same_members",
    r"\bunnest\b": "each",
    r"\bgenerate_series\b": "numbers, days",
    r"\bto_char\b|\bdate_format\b": "chinese_date, chinese_time, clock_time",
    r"\bextract\(epoch\b": "seconds_between",
    r"\bmake_interval\b": "interval '1 hour' * number, which both read",
    r"\bstrpos\b": "position(x in y), which both read",
    r"\bregexp_match\b": "regexp_groups",
    r"\bpg_\w+": "date_or_null",
    r"\\": "pattern: a backslash in a literal escapes in Spark",
    r"\blateral \(\s*values\b": "select … union all select …, which both read",
    r"\bparameter\(\)[^()]*\bgroup by\b": "from (select distinct …): Spark groups by no query",
}


def found_in(model: str) -> list[str]:
    """The constructs of one engine only in a model's text, Jinja and comments left out, each with what to write instead."""
    text = re.sub(r"\{\{ parameter\(.*?\}\}", "parameter()", model, flags=re.S)
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|--[^\n]*", "", text, flags=re.S)
    return [
        f"{hit[0]}: write {macro}" for pattern, macro in ONE_ENGINE_ONLY.items() if (hit := re.search(pattern, text))
    ]


def test_models_hold_nothing_that_only_one_engine_reads() -> None:
    models = sorted((PROJECT_ROOT / "dbt_project" / "models").rglob("*.sql"))
    assert len(models) > 90
    assert {path.name: words for path in models if (words := found_in(path.read_text()))} == {}


@pytest.mark.parametrize(
    ("model", "macro"),
    [
        ("select distinct on (a) b from c", "first_per"),
        ("select a::text from b", "text_type"),
        ("select coalesce(a, 'infinity'::date) from b", "no_end"),
        ("select '{}'::text[]", "empty_list"),
        ("select a[1] from b", "item"),
        ("select a from b where c = any(d)", "is_in"),
        ("select a, {{ parameter('days', 'a') }} as days from b group by a", "distinct"),
    ],
)
def test_each_is_found(model: str, macro: str) -> None:
    assert macro in " ".join(found_in(model))


def test_what_macros_write_is_not() -> None:
    assert found_in("select {{ item('a', 1) }}::int from b -- not a[1]") == []
