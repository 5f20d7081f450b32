"""A question in real Airflow: deferred, told, told to deputies, superseded, answered, and at an end when nobody answers."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from tests.integration.operations.test_run import OFFICIALS, mail, wait_for  # noqa: F401
from tests.servers import MailServer
from yingjian.database import warehouse
from yingjian.operations import airflow_api, services
from yingjian.settings import Settings


@pytest.fixture
def home(world: Settings, home_factory: HomeFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    settings = home_factory("asked", world)
    deputy = "login: deputy, name: 疫情分管领导, audience: office"
    assert deputy in OFFICIALS
    officials = OFFICIALS.replace(deputy, f"{deputy},\n     receives: [{{channel: mail, to: deputy@example.org}}]")
    (settings.home / "officials.yml").write_text(officials, encoding="utf-8")
    monkeypatch.setenv("YINGJIAN_HOME", str(settings.home))
    monkeypatch.setenv("YINGJIAN_QUESTION_DEPUTIES_HOURS", "0.002")
    monkeypatch.setenv("YINGJIAN_QUESTION_AGAIN_HOURS", "100")
    yield settings


@pytest.mark.beyond  # These tests run Airflow itself, with questions that wait.
def test_told_superseded_answered_and_at_an_end(home: Settings, mail: MailServer) -> None:  # noqa: F811
    [(publication,)] = support.query(home, "select publication_id from reporting.publication")

    with services.running_services(home) as airflow:

        def ask(**conf: Any) -> str:
            asked = airflow.run_dag("public_release", WORLD_DAY, {"publication_id": publication} | conf)
            assert asked.state == "awaiting", asked
            return asked.run_id

        def ended(run_id: str) -> dict[str, str]:
            path = f"/api/v2/dags/public_release/dagRuns/{run_id}"
            states: dict[str, str] = {}

            def is_over() -> bool:
                states.update({task.task_id: task.state for task in airflow._tasks("public_release", run_id)})
                return airflow._get(path)["state"] in airflow_api.FINISHED

            try:
                wait_for(is_over)
            except AssertionError as error:  # A reader of the output has nothing else to go by.
                raise AssertionError(states, airflow._get("/api/v2/monitor/health")) from error
            is_over()
            return states

        first = ask()
        assert "director@example.org" in mail.recipients
        wait_for(lambda: "deputy@example.org" in mail.recipients)
        [triggerer] = [
            pid
            for pid, _ in json.loads((home.home / "airflow" / "services.json").read_text())["services"]
            if "triggerer" in " ".join(psutil.Process(pid).cmdline())
        ]
        os.kill(triggerer, signal.SIGKILL)
        with warehouse.connect(home) as conn:
            conn.execute(
                """
                insert into published.publication
                select (jsonb_populate_record(publication, jsonb_build_object(
                    'publication_id', publication_id + 1, 'as_of_date', as_of_date + 1, 'run_key', 'the next day',
                    'published_at', clock_timestamp()
                ))).* from published.publication where publication_id = %s
                """,
                (publication,),
            )
        states = ended(first)
        assert states["sign_off"] == states["release"] == states["bulletin"] == "skipped"

        second = ask()  # Asked about after the newer one was there: it is answered like any other.
        support.answer(home, "sign_off", "deputy", run_id=second)
        assert set(ended(second).values()) == {"success"}

        run = airflow.run_dag("public_release", WORLD_DAY, {"publication_id": publication, "time_limit_hours": 0.0001})
        states = ended(run.run_id)
        assert states["sign_off"] == "failed" and states["release"] == "upstream_failed"

    assert support.query(home, "select decision, decided_by from published.public_release order by decision_id") == [
        ("released", "deputy"), ("expired", None),
    ]  # fmt: skip
    what = support.query(
        home, "select what, count(*) from delivery.attempt where state = 'sent' group by what order by what"
    )
    assert dict(what) == {"bulletin": 1, "expiry": 2, "reminder": 2, "request": 3}
