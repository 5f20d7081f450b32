"""Airflow's users are the data team; officials have no account there."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from yingjian import cli
from yingjian.operations import airflow_home, airflow_users
from yingjian.settings import PROJECT_ROOT, Settings, SetupError


@pytest.fixture
def home(tmp_path, monkeypatch) -> Settings:
    monkeypatch.setenv("YINGJIAN_HOME", str(tmp_path))
    return Settings.load()


def test_without_a_directory_there_is_the_administrator_alone(home, capsys):
    assert airflow_users.users(home) == {"admin": "admin"}
    assert cli.main(["users"]) == 0
    assert capsys.readouterr().out.split() == ["admin", "Airflow:", "admin"]


def test_a_sender_that_signs_in_is_listed_with_its_feeds(home, capsys):
    home.officials.write_text((PROJECT_ROOT / "docs" / "officials.example.yml").read_text())
    assert cli.main(["users"]) == 0
    assert "lab-1           portal: 第1检测机构  sends test_results" in capsys.readouterr().out.splitlines()


def test_the_data_team_has_the_roles_that_the_directory_gives_and_no_official_has_one(home, capsys):
    home.officials.write_text((PROJECT_ROOT / "docs" / "officials.example.yml").read_text())
    users = airflow_users.users(home)
    assert users == {"admin": "admin", "engineer": "op"}
    (home.home / "airflow").mkdir()
    airflow_users.write_passwords(home)
    written = home.home / "airflow" / "passwords.json"
    passwords = json.loads(written.read_text())
    assert passwords.keys() == users.keys() and len(set(passwords.values())) == len(users)
    assert min(map(len, passwords.values())) > 30
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert {stat.S_IMODE(path.stat().st_mode) for path in (home.home / "secrets").iterdir()} == {0o600}
    airflow_users.write_passwords(home)
    assert json.loads(written.read_text()) == passwords, "they stay as they are"

    assert cli.main(["users"]) == 0
    shown = capsys.readouterr().out
    assert "社区网格员" in shown and not [secret for secret in passwords.values() if secret in shown]
    assert cli.main(["users", "--passwords"]) == 0
    shown = capsys.readouterr().out
    assert all(secret in shown for secret in passwords.values())


def test_an_official_is_not_called_like_the_administrator(home, capsys):
    home.officials.write_text("officials: [{login: admin, name: 某人, audience: office}]")
    with pytest.raises(SetupError, match="the login admin is Airflow's own"):
        airflow_users.users(home)
    assert cli.main(["users"]) == 2
    assert "give another one" in capsys.readouterr().err


def test_airflow_lets_nobody_in_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/decisions/airflow-hardened.md"""
    monkeypatch.delenv("YINGJIAN_BIND", raising=False)
    settings = Settings.load(
        {
            "YINGJIAN_HOME": str(tmp_path),
            "YINGJIAN_WAREHOUSE": "postgresql://yingjian_owner:secret@127.0.0.1/yingjian",
            "YINGJIAN_PERSON_KEY": "key",
        }
    )
    environment = airflow_home.airflow_environment(settings, schedule=True, ports=dict.fromkeys(("api", "worker_log", "trigger_log"), 1))  # fmt: skip
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] == "False"
    assert environment["AIRFLOW__API__EXPOSE_CONFIG"] == environment["AIRFLOW__API__EXPOSE_STACKTRACE"] == "False"
    assert int(environment["AIRFLOW__API_AUTH__JWT_EXPIRATION_TIME"]) <= 8 * 3600
    secrets = [environment[name] for name in ("AIRFLOW__API__SECRET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__CORE__FERNET_KEY")]  # fmt: skip
    assert len(set(secrets)) == 3 and min(map(len, secrets)) >= 32
