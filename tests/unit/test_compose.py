"""docker-compose.yml: valid by the Compose schema, images pinned, and the same command and environment as `make up`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

from yingjian import cli
from yingjian.settings import PROJECT_ROOT

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


def test_airflow_runs_what_make_up_runs() -> None:
    command = COMPOSE["services"]["airflow"]["command"]
    assert command[0] == "yingjian"
    assert cli._parser().parse_args(command[1:]).command is cli._up
    assert "yingjian up" in (PROJECT_ROOT / "Makefile").read_text()
    from yingjian.settings import Settings

    environment = COMPOSE["services"]["airflow"]["environment"]
    # As Compose does it without a .env: what has a default gets it.
    settings = Settings.load(
        {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)) for name, value in environment.items()}
    )
    assert settings.home == Path("/var/lib/yingjian")
    assert str(settings.delivery_time) == "07:00:00" and str(settings.officials) == "/etc/yingjian/officials.yml"
    assert str(settings.shared_folder) == "/srv/yingjian/shared"
    text = (PROJECT_ROOT / "docker-compose.yml").read_text()
    assert f":{settings.officials}:ro" in text and f":{settings.shared_folder}\n" in text
    assert settings.warehouse and settings.given_person_key


def test_nothing_that_holds_persons_leaves_a_core_file() -> None:
    for name in ("postgres", "airflow"):
        assert COMPOSE["services"][name]["ulimits"] == {"core": 1}


def test_every_secret_comes_from_the_environment() -> None:
    text = (PROJECT_ROOT / "docker-compose.yml").read_text()
    wanted = set(re.findall(r"\$\{(\w+)", text))
    offered = set(re.findall(r"^(\w+)=", (PROJECT_ROOT / ".env.example").read_text(), re.M))
    assert {name for name in wanted if re.search(r"PASSWORD|KEY|DOMAIN", name)} <= offered
    assert not re.search(r"(PASSWORD|SECRET_KEY|PERSON_KEY): (?!\$)", text)
