"""The build of a business date: what it says of each model, to whoever shows it, and when some cannot be built."""

from __future__ import annotations

from datetime import date

import pytest

from tests import support
from yingjian.database import warehouse
from yingjian.modelling import dbt as dbt_project
from yingjian.settings import Settings

DAY = date(2022, 7, 20)


def test_what_cannot_be_built_is_named_and_what_needs_it_is_skipped(fresh_home: Settings) -> None:
    with warehouse.connect(fresh_home) as conn:
        conn.execute("alter table staging.declarations rename to declarations_elsewhere")
    reports: list[dict[str, dbt_project.NodeResult]] = []
    with pytest.raises(
        dbt_project.BuildError, match="dbt could not build stg_platform__declarations: the log says why"
    ):
        dbt_project.build(fresh_home, DAY, support.claim(fresh_home, DAY).token, reports.append)
    states = {name: node["state"] for name, node in reports[-1].items()}
    assert states["model.yingjian.stg_platform__declarations"] == "error"
    assert states["model.yingjian.town_state"] == "skipped"
    assert states["model.yingjian.int_drug__matches"] == "success"
    for before in reports:
        assert before == {name: reports[-1][name] for name in before}, "what was said meanwhile still holds"


def test_whoever_shows_it_cannot_stop_it(fresh_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the last word, when the build is over, must arrive."""
    monkeypatch.setattr(dbt_project, "SAY_SECONDS", 0.01)
    calls = 0

    def say(states: dict[str, dbt_project.NodeResult]) -> None:
        nonlocal calls
        calls += 1
        if "model.yingjian.zone_stay_summary" not in states or len(states) < 100:
            raise OSError("the API does not answer")

    assert dbt_project.build(fresh_home, DAY, support.claim(fresh_home, DAY).token, say) > 100
    assert calls > 1


def test_nothing_of_the_environment_changes(fresh_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("DBT_LOG_PATH", "mine")
    before = dict(os.environ)
    support.dbt(fresh_home, "list", "--resource-type", "seed")
    assert dict(os.environ) == before
