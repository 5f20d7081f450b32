"""docker-compose.yml: valid by the Compose schema, images pinned, limits and health checks, and what Airflow gets from it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests import compose
from yingjian.cli import app
from yingjian.database import embedded
from yingjian.environment import Environment
from yingjian.operations import airflow_home, service_names, supervisor
from yingjian.operations.service_names import PORTAL
from yingjian.portal.service import IDLE_SECONDS, serve
from yingjian.settings import PROJECT_ROOT, Settings, variables

TEXT = compose.FILE.read_text()
MUST = set(re.findall(r"\$\{(\w+):\?", TEXT))
COMPOSE = compose.load(dict.fromkeys(MUST, "secret"))
ONCE = {"bootstrap", "init", "bi-import", "superset-init"}
# No container is given these for good: they belong to one command, to single processes, to the image.
OF_OTHERS = {
    "YINGJIAN_SUPERUSER",
    "YINGJIAN_PERSON_KEY_NEXT",
    "YINGJIAN_BUILD_TOKEN",
    "YINGJIAN_SPARK_TABLES",
    "YINGJIAN_PROJECT_DIGEST",
    "YINGJIAN_PORT",
    "YINGJIAN_BI_ADMIN_PASSWORD",
    "YINGJIAN_BI_LOGIN_PASSWORD",
    "YINGJIAN_PORTAL_PORT",
    "YINGJIAN_DEV_SCHEMA",  # It belongs to one person, at the command line.
    "YINGJIAN_VERSION",  # It belongs to the image, when it is built.
}
OURS = {name for name, found in COMPOSE["services"].items() if found["image"].startswith("yingjian/airflow:")}


def is_valid(path: Path) -> bool:
    """Whether a file is valid by the Compose schema, as check-jsonschema carries it."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_valid_by_the_compose_schema() -> None:
    assert is_valid(compose.FILE)


def test_a_mistake_is_found(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text(yaml.safe_dump(COMPOSE | {"services": {"x": {"imagee": "y"}}}))
    assert not is_valid(tmp_path / "compose.yml")


def test_images_are_pinned_and_ports_are_on_loopback() -> None:
    for name, container in COMPOSE["services"].items():
        assert name in OURS or re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", container["image"]), name
        for port in container.get("ports", []):
            assert str(port).startswith("127.0.0.1:"), name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that has the files of secrets, as Docker mounts them."""
    for name in COMPOSE["secrets"]:
        (tmp_path / name).write_text(name)
    return tmp_path


def settings_of(name: str, folder: Path) -> Settings:
    environment = COMPOSE["services"][name]["environment"].items()
    return Settings.load({key: str(value).replace("/run/secrets", str(folder)) for key, value in environment})


def test_one_service_per_container() -> None:
    """All of Airflow's and the portal, by commands that exist, with one image, home, officials and settings."""
    assert {*service_names.NAMES, PORTAL, *ONCE} - {"superset-init"} == OURS
    assert COMPOSE["services"][PORTAL]["command"] == ["yingjian", PORTAL] and PORTAL in app.command().commands
    for name in OURS - {"bootstrap", "bi-import"}:
        program, *arguments = COMPOSE["services"][name]["command"]
        if name != PORTAL:
            assert (program, arguments) == ("yingjian", ["service", name])
            assert arguments[1] in app.command().commands[arguments[0]].commands
        for key in ("image", "cap_drop", "security_opt", "init", "read_only", "tmpfs"):
            assert COMPOSE["services"][name][key] == COMPOSE["services"]["init"][key], (name, key)
        for key in ("volumes", "env_file", "environment", "secrets", "networks"):
            assert name in ("init", PORTAL) or COMPOSE["services"][name][key] == COMPOSE["services"]["worker"][key]
    assert COMPOSE["services"]["worker"]["deploy"]["replicas"] >= 2
    assert "--group celery" in (PROJECT_ROOT / "Dockerfile").read_text()


def test_each_has_the_secrets_of_its_own_work_alone() -> None:
    """The owner's and the superuser's passwords come to what runs once; nothing secret stands in a variable."""
    assert TEXT.count("owner_password") == TEXT.count("OWNER_PASSWORD") == 0
    services_of: dict[str, set[str]] = {name: set() for name in COMPOSE["secrets"]}
    for name, container in COMPOSE["services"].items():
        named = set(re.findall(r"/run/secrets/(\w+)", str(container)))
        given = set(container.get("secrets", []))
        assert named <= given, name
        assert given <= named | ({"broker"} if name == "redis" else set()), name
        for secret in given:
            services_of[secret].add(name)
        assert "postgresql://" not in str(container) or not re.search(r"postgresql://\w+:", str(container)), name
    airflow = {*service_names.NAMES, "init", "bootstrap"}
    assert services_of == {
        "superuser": {"postgres", "bootstrap"}, "owner": {"init", "bootstrap"}, "broker": airflow | {"redis"},
        "person_key": airflow | {PORTAL, "bi-import"}, "airflow": airflow | {PORTAL}, "loader": airflow,
        "transformer": airflow | {"bi-import"}, "auditor": airflow, "publisher": airflow, "reporter": airflow | {PORTAL},
        "portal": {PORTAL, "init", "bootstrap"}, "bi_reader": {"bi-import", "init", "bootstrap"},
    }  # fmt: skip
    example = (PROJECT_ROOT / ".env.example").read_text()
    named = re.search(r"for name in (.*?); do", example.replace("\\\n#", ""), re.S)
    assert named and set(named[1].split()) == set(COMPOSE["secrets"])
    assert {secret["file"] for secret in COMPOSE["secrets"].values()} == {f"./secrets/{name}" for name in services_of}
    assert "/secrets/" in (PROJECT_ROOT / ".gitignore").read_text().splitlines()


def test_who_reaches_whom() -> None:
    """Two containers reach each other where they share a network; a port of this machine needs one that is not internal."""

    def peers(name: str) -> set[str]:
        networks = set(COMPOSE["services"][name]["networks"])
        return {other for other, found in COMPOSE["services"].items() if networks & set(found["networks"])} - {name}

    airflow = {*service_names.NAMES, "init", "bootstrap"}
    assert peers("redis") == airflow
    assert peers("mail") == airflow
    assert "redis" not in peers("portal") | peers("superset") and "mail" not in peers("portal") | peers("superset")
    assert not set(COMPOSE["services"]["portal"]["networks"]) & set(COMPOSE["services"]["worker"]["networks"]) - {
        "database"
    }
    for name, container in COMPOSE["services"].items():
        leads_out = [
            network for network in container["networks"] if not (COMPOSE["networks"][network] or {}).get("internal")
        ]
        assert leads_out or not container.get("ports"), name


def test_containers_may_write_where_they_must_and_nowhere_else() -> None:
    for name, container in COMPOSE["services"].items():
        if name in OURS | {"redis"}:
            assert container["read_only"] is True, name
        if name != "mail":  # Postfix is root, which may change users and folders.
            assert container["cap_drop"] == ["ALL"], name
    assert set(COMPOSE["services"]["postgres"]["cap_add"]) == {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
    assert not [name for name, found in COMPOSE["services"].items() if "cap_add" in found and name != "postgres"]


def test_what_it_tells_airflow(folder: Path) -> None:
    settings = settings_of("scheduler", folder)
    assert settings.home == Path("/var/lib/yingjian") and settings.warehouse and settings.given_person_key
    assert str(settings.delivery_time) == "07:00:00" and settings.airflow_url == "http://api-server:8080"
    environment = airflow_home.airflow_environment(settings, schedule=True, ports={"api": 8080})
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert list(supervisor.commands(settings)) == list(supervisor.SERVICES)
    assert variables({}).port == 8080, "where docker-compose looks for the API and its health"
    assert variables({}).portal_port == 8081, "and for the portal"


def test_every_setting_of_the_program_may_be_set() -> None:
    read = {field.alias for field in Environment.model_fields.values()}
    read = {name for name in read if name and "<" not in name and not name.startswith("YINGJIAN_PG_")}
    given = {name.removesuffix("_FILE") for name in COMPOSE["services"]["worker"]["environment"]}
    assert "YINGJIAN_HOME" in read
    assert read - OF_OTHERS <= given


def test_mounted_folders(folder: Path) -> None:
    """Settings look for them there; what is only read is mounted so, and what must be there is not made by root."""
    settings = settings_of("worker", folder)
    mounted = {}
    for volume in COMPOSE["services"]["worker"]["volumes"]:
        if isinstance(volume, str):
            target, _, mode = volume.partition(":")[2].partition(":")
            mounted[target] = mode == "ro"
        else:
            mounted[volume["target"]] = volume.get("read_only", False)
            assert volume["bind"] == {"create_host_path": False}
    assert mounted == {
        str(settings.home): False,
        settings.landing: True,
        str(settings.officials): True,
        str(settings.shared_folder): False,
        "/backups": False,
    }
    assert not Path(settings.landing).is_relative_to(settings.home), "a volume within a volume belongs to root"


@pytest.mark.parametrize(
    "uri", ["sftp://exports@/outgoing", "s3://exports@bucket/prefix", "https://platform.example/v1"]
)
def test_exports_come_from_elsewhere(uri: str) -> None:
    """The address reaches the settings as it is, and is no folder of any mount."""
    service = compose.load(dict.fromkeys(MUST, "secret") | {"YINGJIAN_LANDING": uri})["services"]["worker"]
    assert service["environment"]["YINGJIAN_LANDING"] == uri
    assert uri not in str(service["volumes"])


def test_the_user_of_the_folders_is_the_image_s() -> None:
    args = COMPOSE["services"]["init"]["build"]["args"]
    assert args == {"YINGJIAN_UID": "1000", "YINGJIAN_GID": "1000", "YINGJIAN_VERSION": ""}
    dockerfile = (PROJECT_ROOT / "Dockerfile").read_text()
    assert "--uid $YINGJIAN_UID" in dockerfile and "--gid $YINGJIAN_GID" in dockerfile
    assert dockerfile.index("USER yingjian") < dockerfile.index("CMD")


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_every_container_has_limits_and_a_bounded_log(name: str) -> None:
    service = COMPOSE["services"][name]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert service["logging"]["driver"] == "json-file" and set(service["logging"]["options"]) == {
        "max-size",
        "max-file",
    }
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["ulimits"] == {"core": 1}, "it may hold persons' data in memory"
    assert service["restart"] == ("no" if name in ONCE else "unless-stopped")
    assert name in ONCE or service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


def test_each_checks_itself() -> None:
    for name in service_names.NAMES:
        _, *command = COMPOSE["services"][name]["healthcheck"]["test"]
        assert command == ["yingjian", "service", "check", name]


def test_what_waits_for_what() -> None:
    """Nothing of Airflow's begins before the databases and the home are as this version wants them."""

    def waits(name: str) -> dict[str, str]:
        return {on: how["condition"] for on, how in COMPOSE["services"][name].get("depends_on", {}).items()}

    for name in service_names.NAMES:
        assert waits(name) == {"init": "service_completed_successfully", "redis": "service_healthy"}
    assert waits("init") == {"bootstrap": "service_completed_successfully"}
    assert waits("bootstrap") == {"postgres": "service_healthy"}


def test_the_dashboards_come_with_the_services() -> None:
    """Superset is made before it serves, and gets the dashboards from the program, with the admin's password of one variable."""
    superset, first, brings = (COMPOSE["services"][name] for name in ("superset", "superset-init", "bi-import"))
    assert superset["image"] == first["image"] == "yingjian/superset:6.1.0" and superset["build"]["context"] == "bi"
    assert superset["volumes"] == first["volumes"]
    assert superset["depends_on"] == {"superset-init": {"condition": "service_completed_successfully"}}
    assert brings["depends_on"]["superset"] == {"condition": "service_healthy"}
    assert "init" in brings["depends_on"], "the connection is as a role that the migration makes"
    assert "SUPERSET_ADMIN_PASSWORD" not in superset["environment"], "only what makes the admin gets the password"
    other = compose.load(dict.fromkeys(MUST, "secret") | {"SUPERSET_ADMIN_PASSWORD": "word"})["services"]
    assert other["bi-import"]["environment"]["YINGJIAN_BI_ADMIN_PASSWORD"] == "word"
    assert other["superset-init"]["environment"]["SUPERSET_ADMIN_PASSWORD"] == "word"
    assert app.command().commands["bi"].commands["import"], brings["command"]
    pins = (PROJECT_ROOT / "bi" / "requirements.txt").read_text()
    assert f"apache-superset=={superset['image'].rpartition(':')[2]}\n" in pins
    dockerfile = (PROJECT_ROOT / "bi" / "Dockerfile").read_text()
    assert "requirements.txt" in dockerfile and dockerfile.index("USER superset") < dockerfile.index("CMD")
    assert "COPY bi bi" in (PROJECT_ROOT / "Dockerfile").read_text()


def test_a_worker_may_end_its_task() -> None:
    assert COMPOSE["services"]["worker"]["stop_grace_period"] == "30m"


def test_postgres_has_the_settings_that_were_measured() -> None:
    """One file: mounted here, read by the embedded server; what stands beside it is of the place, not of the server."""
    postgres = COMPOSE["services"]["postgres"]
    options = dict(line.split("=", 1) for line in postgres["command"] if "=" in line)
    assert (
        f"./{embedded.CONFIGURATION.relative_to(PROJECT_ROOT)}:{options.pop('config_file')}:ro" in postgres["volumes"]
    )
    assert options.pop("listen_addresses") == "*", "PostgreSQL's own default is localhost"
    assert set(options) & set(embedded.shared_options()) == {"shared_buffers"}
    assert set(options) - {"wal_level", "archive_mode", "archive_command", "archive_timeout"} <= set(
        embedded.server_options(5432)
    )
    assert postgres["shm_size"] == options["shared_buffers"].lower().removesuffix("b")


def test_the_broker_is_seen_inside_only_and_asks_for_its_password(tmp_path: Path) -> None:
    redis = COMPOSE["services"]["redis"]
    assert "ports" not in redis and "command" not in redis
    shell, option, script = redis["entrypoint"]
    (tmp_path / "docker-entrypoint.sh").write_text("#!/bin/sh\necho $*; cat\n")
    (tmp_path / "docker-entrypoint.sh").chmod(0o755)
    (tmp_path / "broker").write_text("secret\n")
    script = script.replace("/run/secrets", str(tmp_path))
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    output = subprocess.run([shell, option, script], env=environment, capture_output=True, text=True, check=True).stdout
    assert output.splitlines() == ["redis-server -", "requirepass secret", 'save ""']


def test_every_variable_is_offered_and_none_has_a_value_that_is_a_secret() -> None:
    wanted = set(re.findall(r"\$\{(\w+)", TEXT)) - {"YINGJIAN_VERSION"}
    offered = set(re.findall(r"^(\w+)=", (PROJECT_ROOT / ".env.example").read_text(), re.M))
    assert wanted == offered
    assert not re.search(r"(PASSWORD|SECRET_KEY|PERSON_KEY): (?!\$)", TEXT)
    for name in MUST:
        with pytest.raises(KeyError, match=name):
            compose.load(dict.fromkeys(MUST - {name}, "secret"))


def test_the_example_of_env_is_what_has_a_default_anyway() -> None:
    example = compose.env_file((PROJECT_ROOT / ".env.example").read_text())
    given = {name: value for name, value in example.items() if value and name != "YINGJIAN_OFFICIALS_FILE"}
    assert compose.load(dict.fromkeys(MUST, "secret") | given) == COMPOSE


@pytest.mark.parametrize("name", ["airflow.env", "connections.env"])
def test_airflow_s_settings_and_connections_have_files_of_their_own(name: str) -> None:
    """Not required, never committed; each example line is what Airflow understands."""
    assert {"path": name, "required": False} in COMPOSE["services"]["init"]["env_file"]
    assert f"/{name}" in (PROJECT_ROOT / ".gitignore").read_text().splitlines()
    text = (PROJECT_ROOT / "docs" / "examples" / name).read_text()
    lines = compose.env_file("\n".join(re.findall(r"^(?:# )?(AIRFLOW_.*=.*)$", text, re.M)))
    assert len(lines) >= 3
    for key, value in lines.items():
        if "{" in value:
            assert json.loads(value)
        assert key.startswith("AIRFLOW__" if name == "airflow.env" else "AIRFLOW_CONN_")


def test_the_proxy_of_the_example_sets_the_headers_of_airflow_s_pages() -> None:
    """The portal sets its own. Nobody outside reaches the interface that Airflow has for its workers."""
    text = (PROJECT_ROOT / "docs" / "examples" / "Caddyfile").read_text(encoding="utf-8")
    portal, airflow = re.split(r"^airflow\.example\.org \{$", text, flags=re.M)
    for site in (portal, airflow):
        assert re.search(r'^\t\tStrict-Transport-Security "max-age=\d{8}"$', site, re.M) and "\t\t-Server\n" in site
    for header in ("X-Content-Type-Options nosniff", "X-Frame-Options SAMEORIGIN", "Referrer-Policy same-origin"):
        assert f"\t\t?{header}\n" in airflow
    policy = re.search(r'\?Content-Security-Policy "(.*)"', airflow)
    assert policy and {"frame-ancestors 'self'", "object-src 'none'"} <= set(policy[1].split("; "))
    assert re.search(r"@inside path /execution/\*\n\trespond @inside 404\n", airflow)
    network = re.search(r"docker network inspect yingjian_(\S+)", text)
    assert network and network[1] in COMPOSE["services"]["portal"]["networks"]


def test_the_portal_keeps_an_idle_connection_longer_than_its_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request over a connection that the server is about to close is lost, and a proxy does not send a form twice."""
    text = (PROJECT_ROOT / "docs" / "examples" / "Caddyfile").read_text(encoding="utf-8")
    kept = re.search(r"^\t\t\tkeepalive (\d+)m$", text, re.M)
    options: dict[str, object] = {}
    monkeypatch.setattr("uvicorn.run", lambda _, **given: options.update(given))
    serve()
    assert kept and options["timeout_keep_alive"] == IDLE_SECONDS > 60 * int(kept[1])
