"""The broker: which URLs are taken, what Airflow is told of it, and that its password is in nothing that is printed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.servers import free_port
from yingjian.operations import broker, service, supervisor
from yingjian.settings import Settings, SetupError


def settings(folder: Path, url: str = "", **given: str) -> Settings:
    return Settings.load({"YINGJIAN_HOME": str(folder), "YINGJIAN_BROKER": url, **given})


@pytest.mark.parametrize(
    "url", ["redis://:letmein@127.0.0.1:6379/0", "rediss://user:letmein@redis", "amqp://user:letmein@rabbit//"]
)
def test_a_broker_is_taken_and_not_printed(tmp_path: Path, url: str) -> None:
    loaded = settings(tmp_path, url)
    assert loaded.broker == url and "letmein" not in repr(loaded)
    assert broker.airflow_environment(loaded, 6)["AIRFLOW__CELERY__BROKER_URL"] == url


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:6379/0", "redis://user@127.0.0.1/0", "sqs://a:letmein@b", "letmein"]
)
def test_another_kind_or_one_that_lets_everybody_in_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SetupError, match="YINGJIAN_BROKER must be like") as refused:
        settings(tmp_path, url)
    assert "letmein" not in str(refused.value)


def test_without_one_tasks_run_beside_the_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is any of its packages needed."""
    for package in ("celery", "kombu", "redis"):
        monkeypatch.setitem(sys.modules, package, None)
    assert broker.airflow_environment(settings(tmp_path), 6) == {"AIRFLOW__CORE__EXECUTOR": "LocalExecutor"}
    assert supervisor.commands(settings(tmp_path)) == supervisor.SERVICES
    broker.check(settings(tmp_path))
    with pytest.raises(SetupError, match="YINGJIAN_BROKER is not set"):
        service.become(settings(tmp_path), "worker")


def test_workers_are_counted(tmp_path: Path) -> None:
    url = "redis://:letmein@127.0.0.1:6379/0"
    assert list(supervisor.commands(settings(tmp_path, url)))[-2:] == ["worker-1", "worker-2"]
    assert supervisor.commands(settings(tmp_path, url, YINGJIAN_WORKERS="0")) == supervisor.SERVICES
    with pytest.raises(SetupError, match="YINGJIAN_WORKERS is many"):
        settings(tmp_path, url, YINGJIAN_WORKERS="many")


def test_one_that_does_not_answer_is_told_in_one_sentence(tmp_path: Path) -> None:
    silent = settings(tmp_path, f"redis://:letmein@127.0.0.1:{free_port()}/0")
    for ask in (broker.check, broker.workers, lambda settings: service.become(settings, "worker")):
        with pytest.raises(SetupError, match="does not answer") as refused:
            ask(silent)
        assert "letmein" not in str(refused.value)


def test_without_its_packages_one_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "celery", None)
    named = settings(tmp_path, "redis://:letmein@127.0.0.1:6379/0")
    for use in (broker.check, lambda settings: broker.airflow_environment(settings, 6)):
        with pytest.raises(SetupError, match="uv sync --frozen --group celery"):
            use(named)
