"""The build of a business date: what it says of each model, to whoever shows it, and when some cannot be built."""

from __future__ import annotations

from datetime import date
from typing import LiteralString

import pytest

from tests import support
from tests.conftest import HomeFactory
from yingjian.database import warehouse
from yingjian.modelling import dbt as building
from yingjian.settings import Settings

pytestmark = pytest.mark.slow

DAY = date(2022, 7, 20)


def test_what_cannot_be_built_is_named_and_what_needs_it_is_skipped(fresh_home: Settings) -> None:
    with warehouse.connect(fresh_home) as conn:
        conn.execute("alter table staging.declarations rename to declarations_elsewhere")
    reports: list[dict[str, building.NodeResult]] = []
    with pytest.raises(building.BuildError, match="dbt could not build stg_platform__declarations: the log says why"):
        building.build(fresh_home, DAY, support.claim(fresh_home, DAY).token, reports.append)
    states = {name: node["state"] for name, node in reports[-1].items()}
    assert states["model.yingjian.stg_platform__declarations"] == "error"
    assert states["model.yingjian.town_state"] == "skipped"
    assert states["model.yingjian.int_drug__matches"] == "success"
    assert reports[-1]["model.yingjian.code_label"]["rows"] == support.query(
        fresh_home, "select count(*) from build.code_label"
    )[0][0] > 0  # fmt: skip
    for before in reports:
        assert before == {name: reports[-1][name] for name in before}, "what was said meanwhile still holds"


@pytest.mark.beyond
def test_whoever_shows_it_cannot_stop_it(fresh_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the last word, when the build is over, must arrive."""
    monkeypatch.setattr(building, "SAY_SECONDS", 0.01)
    calls = 0

    def say(states: dict[str, building.NodeResult]) -> None:
        nonlocal calls
        calls += 1
        if "model.yingjian.zone_stay_summary" not in states or len(states) < 100:
            raise OSError("the API does not answer")

    assert building.build(fresh_home, DAY, support.claim(fresh_home, DAY).token, say) > 100
    assert calls > 1


def test_nothing_of_the_environment_changes(fresh_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("DBT_LOG_PATH", "mine")
    before = dict(os.environ)
    support.dbt(fresh_home, "list", "--resource-type", "seed")
    assert dict(os.environ) == before


@pytest.mark.beyond
def test_what_stays_the_same_is_not_made_again(home_factory: HomeFactory, built_town: Settings) -> None:
    """A build makes no seed and no staging view that this version of the project has made, and connects once a thread."""
    settings = home_factory("again", built_town)

    def standing() -> dict[str, list[tuple[object, ...]]]:
        return {
            schema: support.query(
                settings,
                "select relname, pg_class.oid, relfilenode from pg_class where relnamespace = %s::regnamespace order by 1",
                schema,
            )
            for schema in ("policy", "staging_latest", "intermediate")
        }

    def connections() -> int:
        [(count,)] = support.query(settings, "select sessions from pg_stat_database where datname = current_database()")
        return int(str(count))

    before, connected = standing(), connections()
    support.build(settings, DAY)
    after = standing()
    assert after["policy"] == before["policy"] != []
    assert after["staging_latest"] == before["staging_latest"] != []
    assert after["intermediate"] != before["intermediate"]
    assert connections() - connected < 40, "there are some two hundred models"


@pytest.mark.parametrize(
    "node", [("table", "policy", "policy_parameter"), ("view", "staging_latest", "stg_platform__cases")]
)
def test_seeds_and_staging_are_made_when_the_project_changed_or_one_is_missing(
    node: tuple[LiteralString, ...], home_factory: HomeFactory, built_town: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, schema, name = node
    settings = home_factory(f"standing {kind}", built_town)
    standing = building.standing_nodes(settings)
    assert {"seed.yingjian.policy_parameter", "model.yingjian.stg_platform__cases"} <= set(standing)
    with warehouse.connect(settings, "transformer") as conn:
        conn.execute(f"alter {kind} {schema}.{name} rename to elsewhere")
    assert building.standing_nodes(settings) == []
    with warehouse.connect(settings, "transformer") as conn:
        conn.execute(f"alter {kind} {schema}.elsewhere rename to {name}")
    assert building.standing_nodes(settings) == standing
    with monkeypatch.context() as patched:
        patched.setattr(building, "project_digest", lambda settings: "another")
        assert building.standing_nodes(settings) == []
    with warehouse.connect(settings) as conn:
        conn.execute("delete from intermediate.increment_progress where model = %s", building.INCREMENTS[:1])
    assert building.standing_nodes(settings) == []
