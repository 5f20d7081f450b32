"""The environment variables are one class, and the page of them is generated."""

from __future__ import annotations

import re
from datetime import time, timedelta
from pathlib import Path

import pytest

from yingjian.database import warehouse
from yingjian.documents import variables as page
from yingjian.environment import IN_A_FILE, ROLE_PASSWORD, Environment
from yingjian.settings import PROJECT_ROOT, Settings, SetupError, variables

NAMES = {str(field.alias) for field in Environment.model_fields.values()}


def test_the_page_of_the_variables_is_that_of_the_class() -> None:
    assert (PROJECT_ROOT / "docs" / "generated" / "settings.md").read_text(encoding="utf-8") == page.text()
    assert all(field.description and field.description.endswith(".") for field in Environment.model_fields.values())


def named_variables(text: str) -> set[str]:
    return set(re.findall(r"YINGJIAN_[A-Z_]*[A-Z]", text))


def test_every_variable_that_the_program_names_is_in_the_class() -> None:
    files = [*(PROJECT_ROOT / "plugins").rglob("*.py"), *(PROJECT_ROOT / "dags").glob("*.py")]
    files += [path for path in (PROJECT_ROOT / "dbt_project").rglob("*") if path.suffix in (".sql", ".yml")]
    named = set().union(*(named_variables(path.read_text(encoding="utf-8")) for path in files))
    named -= {"YINGJIAN_PG", ROLE_PASSWORD.rstrip("_")} | {f"{name}{IN_A_FILE}" for name in NAMES}
    assert len(named) > 30 and named <= NAMES
    assert not named_variables('os.environ["YINGJIAN_GONE"]') <= NAMES


def test_only_one_module_reads_the_variables() -> None:
    """A DAG file reads the home by itself: it must not wait for the class."""
    readers = [
        path.name
        for folder in ("plugins", "dags")
        for path in (PROJECT_ROOT / folder).rglob("*.py")
        if re.search(r"environ(\.get\(|\[)[\"']YINGJIAN_", path.read_text(encoding="utf-8"))
    ]
    assert readers == ["daily.py"]


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    """The variable itself goes before its file, and only secrets stand in files."""
    (tmp_path / "secret").write_text("letmein\n")
    path = str(tmp_path / "secret")
    given = {
        "YINGJIAN_WAREHOUSE": "postgresql://yingjian_owner@db/yingjian", "YINGJIAN_PERSON_KEY_FILE": path,
        f"{ROLE_PASSWORD}LOADER_FILE": path, f"{ROLE_PASSWORD}PORTAL": "own", f"{ROLE_PASSWORD}PORTAL_FILE": path,
        "YINGJIAN_BROKER": "redis://@redis:6379/0", "YINGJIAN_BROKER_PASSWORD_FILE": path, "YINGJIAN_URL_FILE": path,
    }  # fmt: skip
    settings = Settings.load(given)
    assert settings.given_person_key == "letmein" and settings.url is None
    assert settings.given_role_passwords == {"loader": "letmein", "portal": "own"}
    assert settings.broker == "redis://:letmein@redis:6379/0"
    with pytest.raises(SetupError, match="YINGJIAN_BROKER_PASSWORD must be set"):
        Settings.load(given | {"YINGJIAN_BROKER_PASSWORD_FILE": ""})
    with pytest.raises(SetupError, match=r"YINGJIAN_PERSON_KEY_FILE is .*: it cannot be read \(FileNotFoundError\)"):
        Settings.load(given | {"YINGJIAN_PERSON_KEY_FILE": str(tmp_path / "nothing")})


def test_the_owner_s_password_comes_to_a_uri_that_has_none() -> None:
    """Services have the URI without it; each connects as its own role, and no role but these is known."""
    given = {"YINGJIAN_WAREHOUSE": "postgresql://yingjian_owner@db:5432/yingjian", "YINGJIAN_PERSON_KEY": "x"}
    service = Settings.load(given | {f"{ROLE_PASSWORD}LOADER": "l/"})
    assert warehouse.uri(service, "loader") == "postgresql://loader:l%2F@db:5432/yingjian"
    assert warehouse.uri(service) == given["YINGJIAN_WAREHOUSE"]
    with pytest.raises(SetupError, match="YINGJIAN_WAREHOUSE has no password: set YINGJIAN_ROLE_PASSWORD_PORTAL"):
        warehouse.uri(service, "portal")
    owner = Settings.load(given | {f"{ROLE_PASSWORD}YINGJIAN_OWNER": "o"})
    assert warehouse.uri(owner) == "postgresql://yingjian_owner:o@db:5432/yingjian"
    assert warehouse.owner_password(owner) == "o"


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    assert variables(dict.fromkeys(NAMES, "")) == variables({})
    settings = Settings.load({"YINGJIAN_WORKERS": "", "YINGJIAN_URL": "https://yingjian.example.org/"})
    assert (settings.workers, settings.url, settings.delivery_time) == (2, "https://yingjian.example.org", time(7))
    assert settings.landing_every == timedelta(minutes=5)


def test_values_are_read() -> None:
    given = {"ALERT_MAIL": "a@example.org, b@example.org,", "ALERT_LONG_HOURS": "0.5", "ROLE_PASSWORD_BI_READER": "x"}
    settings = Settings.load({f"YINGJIAN_{name}": value for name, value in given.items()})
    assert settings.alerts.mail == ("a@example.org", "b@example.org") and settings.alerts.long_hours == 0.5
    assert settings.given_role_passwords == {"bi_reader": "x"}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "http", "YINGJIAN_PORT is http: give a port, as in 8080"),
        ("PORT", "65536", "YINGJIAN_PORT is 65536: give a port, as in 8080"),
        ("CATCH_UP_DAYS", "0", "YINGJIAN_CATCH_UP_DAYS is 0: give a number of days, at least 1"),
        ("DELIVERY_TIME", "24:00", "YINGJIAN_DELIVERY_TIME is 24:00: give hour and minute as in 07:00"),
        ("LANDING_MINUTES", "0.0", "YINGJIAN_LANDING_MINUTES is 0.0: give minutes, as in 5"),
        ("ALERT_LONG_HOURS", "-1", "YINGJIAN_ALERT_LONG_HOURS is -1: give a number of hours above 0"),
        ("AIRFLOW_DAYS", "9e1", "YINGJIAN_AIRFLOW_DAYS is 9e1: give a number of days"),
        ("ENGINE", "duckdb", "YINGJIAN_ENGINE is duckdb: give postgres or spark"),
        ("WORKERS", "many", "YINGJIAN_WORKERS is many: give a number, 0 where all workers are started elsewhere"),
    ],
)
def test_a_wrong_value_is_one_sentence(name: str, value: str, sentence: str) -> None:
    with pytest.raises(SetupError) as refused:
        Settings.load({f"YINGJIAN_{name}": value})
    assert str(refused.value) == sentence


def test_a_secret_is_in_no_text() -> None:
    given = {"YINGJIAN_PERSON_KEY": "letmein", "YINGJIAN_BACKUP_KEY": "letmein", f"{ROLE_PASSWORD}BI": "letmein"}
    assert "letmein" not in repr(variables(given))
    with pytest.raises(SetupError, match="YINGJIAN_AIRFLOW_DATABASE must be like") as refused:
        variables({"YINGJIAN_AIRFLOW_DATABASE": "mysql://user:letmein@host"})
    assert "letmein" not in str(refused.value)


def test_settings_that_are_printed_show_no_secret(tmp_path: Path) -> None:
    mark = "Hidden0"
    env = {
        "YINGJIAN_HOME": str(tmp_path), "YINGJIAN_WAREHOUSE": f"postgresql://owner:{mark}@h:5432/y", "YINGJIAN_PERSON_KEY": mark,
        "YINGJIAN_AIRFLOW_DATABASE": f"postgresql://airflow:{mark}@h:5432/a", "YINGJIAN_BROKER": f"redis://:{mark}@h:6379/0",
        "YINGJIAN_ALERT_WEBHOOK": f"https://h/{mark}", "YINGJIAN_HEARTBEAT_URL": f"https://h/{mark}",
        "YINGJIAN_AUDIT_ANCHOR": f"https://h/{mark}", f"{ROLE_PASSWORD}REPORTER": mark,
    }  # fmt: skip
    settings = Settings.load(env)
    assert settings.given_person_key == mark and settings.alerts.webhook
    assert str(tmp_path) in repr(settings) and mark not in repr(settings)
