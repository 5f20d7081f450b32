"""docker-compose.yml: valid by the Compose schema, images pinned, and the same command and environment as `make up`."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import yaml

from yingjian import cli, services
from yingjian.settings import PROJECT_ROOT, Settings

COMPOSE = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())


def is_valid(path: Path) -> bool:
    """Whether a file is valid by the Compose schema, as check-jsonschema carries it."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_valid_by_the_compose_schema() -> None:
    assert is_valid(PROJECT_ROOT / "docker-compose.yml")


def test_a_mistake_is_found(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text(yaml.safe_dump(COMPOSE | {"services": {"x": {"imagee": "y"}}}))
    assert not is_valid(tmp_path / "compose.yml")


def test_images_are_pinned_and_ports_are_on_loopback() -> None:
    for name, service in COMPOSE["services"].items():
        assert re.search(r":[^:]*(\d|\$\{YINGJIAN_VERSION)", service["image"]), name
        assert "latest" not in service["image"]
        for port in service.get("ports", []):
            assert str(port).startswith("127.0.0.1:"), name


def settings_of(service: str) -> Settings:
    """As Compose hands them over with a .env that has what must be in it: what has a default gets it."""
    return Settings.load(
        {
            name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", re.sub(r"\$\{\w+:\?[^}]*\}", "secret", str(value)))
            for name, value in COMPOSE["services"][service]["environment"].items()
        }
    )


def command_of(service: str) -> object:
    command = COMPOSE["services"][service]["command"]
    assert command[0] == "yingjian"
    return cli._parser().parse_args(command[1:]).command


def test_airflow_runs_what_make_up_runs() -> None:
    assert command_of("airflow") is cli._up
    assert "yingjian up" in (PROJECT_ROOT / "Makefile").read_text()
    settings = settings_of("airflow")
    assert settings.home == Path("/var/lib/yingjian")
    assert str(settings.delivery_time) == "07:00:00" and str(settings.officials) == "/etc/yingjian/officials.yml"
    assert str(settings.shared_folder) == "/srv/yingjian/shared"
    text = (PROJECT_ROOT / "docker-compose.yml").read_text()
    assert f":{settings.officials}:ro" in text and f":{settings.shared_folder}\n" in text
    assert settings.warehouse and settings.given_person_key


def test_workers_share_all_but_their_place_with_airflow() -> None:
    """Image, home, landing, officials and settings are Airflow's; the broker says the same to both."""
    airflow, worker = COMPOSE["services"]["airflow"], COMPOSE["services"]["worker"]
    assert command_of("worker") is cli._worker and worker["deploy"]["replicas"] >= 2
    assert {key: worker[key] for key in ("image", "volumes", "env_file")} == {
        key: airflow[key] for key in ("image", "volumes", "env_file")
    }
    assert settings_of("worker") == replace(settings_of("airflow"), airflow_url="http://airflow:8080")
    environment = services.airflow_environment(settings_of("airflow"), schedule=True, ports={"api": 8080})
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert list(services.commands(settings_of("airflow"))) == list(services.SERVICES)
    assert "--group celery" in (PROJECT_ROOT / "Dockerfile").read_text()


def test_the_broker_is_seen_inside_only_and_asks_for_its_password(tmp_path: Path) -> None:
    redis = COMPOSE["services"]["redis"]
    assert "ports" not in redis and "command" not in redis
    shell, option, script = redis["entrypoint"]
    (tmp_path / "docker-entrypoint.sh").write_text("#!/bin/sh\necho $*; cat\n")
    (tmp_path / "docker-entrypoint.sh").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "REDISCLI_AUTH": "secret"}
    said = subprocess.run(
        [shell, option, script.replace("$$", "$")], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert said.splitlines() == ["redis-server -", "requirepass secret", 'save ""']


def test_nothing_that_holds_persons_leaves_a_core_file() -> None:
    for name in ("postgres", "airflow", "worker"):
        assert COMPOSE["services"][name]["ulimits"] == {"core": 1}


def test_every_secret_comes_from_the_environment() -> None:
    text = (PROJECT_ROOT / "docker-compose.yml").read_text()
    wanted = set(re.findall(r"\$\{(\w+)", text))
    offered = set(re.findall(r"^(\w+)=", (PROJECT_ROOT / ".env.example").read_text(), re.M))
    assert {name for name in wanted if re.search(r"PASSWORD|KEY|DOMAIN", name)} <= offered
    assert not re.search(r"(PASSWORD|SECRET_KEY|PERSON_KEY): (?!\$)", text)
