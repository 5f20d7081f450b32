"""OpenLineage events of a build, at a real HTTP server on loopback; none where no endpoint is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from tests import support
from tests.conftest import HomeFactory
from tests.servers import Handler, serve
from yingjian.modelling import dbt as building
from yingjian.modelling import lineage
from yingjian.settings import Settings, SetupError

DAY = date(2022, 7, 20)


class Endpoint:
    """Takes OpenLineage events and keeps them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.status = 201
        endpoint = self

        class Lineage(Handler):
            def do_POST(self) -> None:
                assert self.path == "/api/v1/lineage"
                endpoint.events.append(self.body())
                self.answer(status=endpoint.status)

        self.server = serve(Lineage)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    yield server
    server.server.shutdown()


@pytest.fixture(scope="module")
def home(home_factory: HomeFactory) -> Settings:
    return home_factory("lineage")


@pytest.mark.beyond
def test_each_model_is_told_with_what_it_reads(home: Settings, endpoint: Endpoint) -> None:
    token = support.claim(home, DAY).token
    building.build(replace(home, openlineage_url=endpoint.url), DAY, token)
    assert {event["job"]["namespace"] for event in endpoint.events} == {lineage.NAMESPACE}
    written = {
        output["name"]: {source["name"] for source in event["inputs"]}
        for event in endpoint.events
        for output in event["outputs"]
        if event["eventType"] == "COMPLETE"
    }
    assert len(written) > 90
    assert "yingjian.intermediate.int_obligation__unioned" in written["yingjian.build.obligation"]


@pytest.mark.beyond
def test_an_endpoint_that_refuses_stops_nothing(
    home: Settings, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.status = 400
    token = support.claim(home, DAY).token
    building.build(replace(home, openlineage_url=endpoint.url), DAY, token)
    assert "OpenLineage: the models of this build were not told" in caplog.text
    assert support.query(home, "select count(*) from build.obligation") == [(0,)]


def test_nothing_is_sent_unless_an_endpoint_is_named(home: Settings) -> None:
    assert lineage.airflow_environment(home) == {"AIRFLOW__OPENLINEAGE__DISABLED": "True"}
    assert lineage.artifacts(home) is None
    named = lineage.airflow_environment(replace(home, openlineage_url="http://lineage.example.org"))
    assert json.loads(named["AIRFLOW__OPENLINEAGE__TRANSPORT"])["url"] == "http://lineage.example.org"
    assert named["AIRFLOW__OPENLINEAGE__DISABLE_SOURCE_CODE"] == "True"


def test_without_its_packages_one_sentence_says_what_to_do(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage", None)
    with pytest.raises(SetupError, match="uv sync --frozen --group lineage"):
        lineage.airflow_environment(replace(home, openlineage_url="http://lineage.example.org"))
