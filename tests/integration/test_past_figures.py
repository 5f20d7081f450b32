"""The figures of days that were published before the mart was there are counted from the rows that are left."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from yingjian.database import warehouse
from yingjian.operations import past_figures
from yingjian.settings import Settings

YESTERDAY = WORLD_DAY - timedelta(days=1)
FIGURES = f"""
    select indicator_code, community, department, part, whole, value, value_shown, is_town_wide
    from reporting.indicator_daily where as_of_date = '{YESTERDAY}'
    order by indicator_code, community nulls first, department nulls first
"""


@pytest.fixture(scope="module")
def town(home_factory: HomeFactory, built_town: Settings) -> Settings:
    """Yesterday and the day, published."""
    settings = home_factory("past_figures", built_town)
    support.release(settings, WORLD_DAY)
    return settings


@pytest.mark.slow
def test_a_past_day_has_the_figures_that_it_would_have_had(town: Settings) -> None:
    """An old publication does not say is_headline, has no lab_turnaround_daily, and its rows are all that is left of it."""
    before = support.query(town, FIGURES)
    assert len(before) > 500
    [(publication,)] = support.query(
        town, f"select publication_id from published.publication where as_of_date = '{YESTERDAY}'"
    )
    assert past_figures.missing(town) == []
    with warehouse.connect(town) as conn:
        for mart in ("indicator_daily", "indicator", "lab_turnaround_daily", "dim_community", "dim_department"):
            conn.execute(f"drop table published.{mart}_p{publication}".encode())
        conn.execute(f"alter table published.compliance_daily_p{publication} alter is_headline drop not null".encode())
        conn.execute(f"update published.compliance_daily_p{publication} set is_headline = null".encode())
    assert past_figures.missing(town) == [(publication, YESTERDAY)]
    assert past_figures.fill(town) == [YESTERDAY]
    assert support.query(town, FIGURES) == [row for row in before if row[0] != "results_late"]
    assert past_figures.fill(town) == [], "a second time there is nothing to do"
    assert support.query(town, "select nspname from pg_namespace where starts_with(nspname, 'dev_figures')") == []
    [(owner,)] = support.query(
        town, f"select pg_get_userbyid(relowner) from pg_class where relname = 'indicator_daily_p{publication}'"
    )
    assert owner == "publisher"


def test_every_query_of_a_figure_names_the_mart_that_it_counts(town: Settings) -> None:
    marts = past_figures.marts_of_figures(town)
    assert len(marts) == len({row[0] for row in support.query(town, "select indicator_code from reporting.indicator")})
    assert all(len(names) == 1 for names in marts.values())
    assert marts["overdue"] == {"compliance_daily"}
