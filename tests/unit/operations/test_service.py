"""`yingjian service`: what a service becomes, and a check that fails in one sentence where nothing runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.servers import free_port
from yingjian import cli
from yingjian.operations import service, supervisor
from yingjian.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home whose warehouse is elsewhere, and does not answer."""
    for name in [name for name in os.environ if name.startswith(("AIRFLOW", "YINGJIAN"))]:
        monkeypatch.delenv(name)
    environment = {
        "YINGJIAN_HOME": str(tmp_path / "home"), "YINGJIAN_PERSON_KEY": "secret", "YINGJIAN_PORT": str(free_port()),
        "YINGJIAN_PORTAL_PORT": str(free_port()),
        "YINGJIAN_WAREHOUSE": f"postgresql://yingjian_owner:word@127.0.0.1:{free_port()}/yingjian",
    }  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.load()


class Became(Exception):
    """In place of the process that this one would become: its command and its environment."""


@pytest.fixture
def becoming(monkeypatch: pytest.MonkeyPatch) -> None:
    def execve(program: str, arguments: list[str], environment: dict[str, str]) -> None:
        raise Became(arguments[1:], environment)

    monkeypatch.setattr(os, "execve", execve)


@pytest.mark.parametrize("name", supervisor.SERVICES)
def test_it_becomes_that_service_and_runs_dags_by_their_schedule(settings: Settings, becoming: None, name: str) -> None:
    with pytest.raises(Became) as became:
        service.become(settings, name)
    arguments, environment = became.value.args
    assert arguments[:2] == ["-m", "yingjian.operations.airflow_service"] and arguments[2] == name
    assert ("--proxy-headers" in arguments) == (name == "api-server")
    assert environment["AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE"] == "True"
    assert (
        environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
        == f"http://127.0.0.1:{os.environ['YINGJIAN_PORT']}/execution/"
    )
    assert environment["AIRFLOW_HOME"] == str(settings.home / "airflow")


def test_the_api_server_knows_who_signs_in_now(settings: Settings, becoming: None) -> None:
    """One of the data team who came after `init` needs no second one; nobody else reads the file."""
    with pytest.raises(Became):
        service.become(settings, "api-server")
    settings.officials.write_text("officials: []\ndata_team: [{login: engineer, role: op}]")
    with pytest.raises(Became):
        service.become(settings, "api-server")
    path = settings.home / "airflow" / "passwords.json"
    assert set(json.loads(path.read_text())) == {"admin", "engineer"} and path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["passwords.json"]


def test_where_the_others_are_and_what_the_operator_sets(
    settings: Settings, becoming: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting of Airflow that was given wins; the home is the program's own."""
    for name, value in {
        "YINGJIAN_AIRFLOW_URL": "http://api-server:8080", "YINGJIAN_URL": "https://yingjian.example",
        "AIRFLOW__CORE__PARALLELISM": "3", "AIRFLOW_HOME": "/elsewhere", "AIRFLOW_CONN_EXPORTS": "{}",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with pytest.raises(Became) as became:
        service.become(Settings.load(), "scheduler")
    environment = became.value.args[1]
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://api-server:8080/execution/"
    assert environment["AIRFLOW__API__BASE_URL"] == "https://yingjian.example"
    assert (environment["AIRFLOW__CORE__PARALLELISM"], environment["AIRFLOW_CONN_EXPORTS"]) == ("3", "{}")
    assert environment["AIRFLOW_HOME"] == str(settings.home / "airflow")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("api-server", "the api-server does not answer"),
        ("scheduler", "Airflow's database does not answer"),
        ("triggerer", "Airflow's database does not answer"),
        ("worker", "the broker that YINGJIAN_BROKER names does not answer"),
        ("portal", "the portal does not answer"),
    ],
)
def test_a_check_fails_in_one_sentence(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, says: str
) -> None:
    assert cli.main(["service", "check", "worker"]) == 1
    assert "YINGJIAN_BROKER is not set" in capsys.readouterr().err
    monkeypatch.setenv("YINGJIAN_BROKER", f"redis://:letmein@127.0.0.1:{free_port()}/0")
    assert cli.main(["service", "check", name]) == 1
    message = capsys.readouterr().err
    assert message.startswith(f"yingjian: {says}") and message.count("\n") == 1
    assert "letmein" not in message and ":word@" not in message
