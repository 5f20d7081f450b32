"""A model that makes a row of each day or hour of a span has a bound, so that one odd date makes no million rows."""

from __future__ import annotations

import re

from yingjian.settings import PROJECT_ROOT

SERIES = re.compile(r"\b(?:days|numbers)\(|generate_series|\bsequence\(")
# These spans are bounded by something else than the parameter listed_days.
BOUNDED_OTHERWISE = {
    "int_signal__clusters": "A purchase has the days of its window, and a run of windows ends where nobody buys.",
    "screening_progress": "A round has at most the hours that the plan allows it.",
    "due_forecast": "The horizon is a parameter.",
}


def test_each_series_has_a_bound() -> None:
    models = {
        path.stem: path.read_text(encoding="utf-8") for path in (PROJECT_ROOT / "dbt_project/models").rglob("*.sql")
    }
    with_series = {name: text for name, text in models.items() if SERIES.search(re.sub(r"--.*", "", text))}
    unbounded = {name for name, text in with_series.items() if "first_listed_day()" not in text}
    assert unbounded == BOUNDED_OTHERWISE.keys()
    assert len(with_series) > len(unbounded)
