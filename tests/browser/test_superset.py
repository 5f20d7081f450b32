"""Superset and MetricFlow of the pins, each in an environment of its own, read the town as dashboards and semantic models say."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import httpx
import pytest
import yaml
from playwright.sync_api import Browser, expect

from tests import support
from tests.browser.conftest import ARTIFACTS, DESK, needs_chromium
from tests.conftest import HomeFactory
from tests.servers import free_port
from yingjian.bi import dashboards, datasets
from yingjian.cli import app
from yingjian.database import warehouse
from yingjian.modelling.dbt_project import prepare_manifest
from yingjian.people.audience import Audience
from yingjian.privacy import access
from yingjian.settings import PROJECT_ROOT, Settings

pytestmark = pytest.mark.beyond
SECONDS = 300
ADMIN_PASSWORD = "open-sesame"


@pytest.fixture(scope="module")
def town(home_factory: HomeFactory, world: Settings) -> Settings:
    return home_factory("superset", world)


def environment(name: str, requirements: str) -> Path:
    """Return the folder of the programs of an environment with these pins; the first call makes it."""
    folder = PROJECT_ROOT / f".venv-{name}"
    uv = str(PROJECT_ROOT / ".venv" / "bin" / "uv")
    python = str(PROJECT_ROOT / ".venv" / "bin" / "python")
    make = [[uv, "venv", "--allow-existing", "--python", python, str(folder)]]
    make += [[uv, "pip", "install", "--system-certs", "--python", str(folder), "-r", f"bi/{requirements}"]]
    for command in make:
        done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"the packages of bi/{requirements} cannot be had: {done.stderr.strip()[-300:]}")
    return folder / "bin"


@dataclass
class Superset:
    """The class asks a running Superset as its administrator."""

    url: str
    client: httpx.Client

    def get(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.text[:500])
        return answer.json()

    def all(self, kind: str) -> list[Any]:
        found: list[Any] = self.get(f"/api/v1/{kind}/?q=(page:0,page_size:100)")["result"]
        return found

    def exported(self) -> dict[str, Any]:
        """Return everything that the dashboards consist of, by path, with what an export says of itself left out."""
        ids = ",".join(str(one["id"]) for one in self.all("dashboard"))
        answer = self.client.get(f"/api/v1/dashboard/export/?q=!({ids})")
        assert answer.status_code == 200
        with zipfile.ZipFile(io.BytesIO(answer.content)) as files:
            content = {name.partition("/")[2]: yaml.safe_load(files.read(name)) for name in files.namelist()}
        content.pop("metadata.yaml")
        return content

    def data(self, chart: int, **where: str) -> list[dict[str, Any]]:
        """Return the rows of a chart, as its saved query asks for them, and with what a dashboard's reader chose."""
        context = json.loads(self.get(f"/api/v1/chart/{chart}")["result"]["query_context"])
        for column, value in where.items():
            context["queries"][0]["filters"].append({"col": column, "op": "==", "val": value})
        answer = self.client.post("/api/v1/chart/data", json=context)
        assert answer.status_code == 200, answer.text[:500]
        rows: list[dict[str, Any]] = answer.json()["result"][0]["data"]
        return rows


@pytest.fixture(scope="module")
def superset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Superset]:
    """The programs of the image, as its containers start them."""
    programs, home, port = environment("superset", "requirements.txt"), tmp_path_factory.mktemp("superset"), free_port()
    variables = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(home),
        "SUPERSET_HOME": str(home),
        "SUPERSET_CONFIG_PATH": str(PROJECT_ROOT / "bi" / "superset_config.py"),
        "SUPERSET_SECRET_KEY": "a secret of forty-two letters, made up for this",
        "SUPERSET_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "SUPERSET_BIND": f"127.0.0.1:{port}",
    }
    start = str(PROJECT_ROOT / "bi" / "start.sh")
    for _ in range(2):  # A container begins with it whenever it starts.
        done = subprocess.run(["sh", start, "init"], env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(["sh", start, "serve"], env=variables, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    client = httpx.Client(base_url=url, timeout=SECONDS)
    try:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            try:
                if client.get("/health").status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(1)
        login = {"username": "admin", "password": ADMIN_PASSWORD, "provider": "db"}
        token = client.post("/api/v1/security/login", json=login).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield Superset(url, client)
    finally:
        process.terminate()
        process.wait(60)


def bring(superset: Superset, town: Settings, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(town.home))
    monkeypatch.setenv("YINGJIAN_BI_ADMIN_PASSWORD", ADMIN_PASSWORD)
    assert app.main(["bi", "import", superset.url, *options]) == 0


@pytest.mark.timeout(1200)
def test_every_chart_answers_and_a_second_import_changes_nothing(
    superset: Superset, town: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = datasets.load(PROJECT_ROOT, prepare_manifest(town))
    boards = dashboards.load(PROJECT_ROOT, known)
    bring(superset, town, monkeypatch)
    first, ids = superset.exported(), sorted(one["id"] for one in superset.all("chart"))
    bring(superset, town, monkeypatch)
    assert superset.exported() == first
    assert sorted(one["id"] for one in superset.all("chart")) == ids
    assert len(ids) == sum(len(board.charts) for board in boards)
    assert (len(superset.all("dashboard")), len(superset.all("dataset"))) == (len(boards), len(known))

    empty = {chart.title for board in boards for chart in board.charts if chart.may_be_empty}
    for one in superset.all("chart"):
        result = superset.get(f"/api/v1/chart/{one['id']}/data/")["result"][0]
        assert result["error"] is None and (result["rowcount"] or one["slice_name"] in empty), one["slice_name"]

    # A mended chart reaches a Superset that has an older one.
    ours = [one for one in superset.all("chart") if one["slice_name"] == "各社区逾期人数"]
    token = superset.get("/api/v1/security/csrf_token/")["result"]
    changed = superset.client.put(
        f"/api/v1/chart/{ours[0]['id']}",
        json={"slice_name": "改过的"},
        headers={"X-CSRFToken": token, "Referer": superset.url},
    )
    assert changed.status_code == 200, changed.text
    assert superset.exported() != first
    bring(superset, town, monkeypatch)
    assert superset.exported() == first


@pytest.mark.timeout(1200)
def test_charts_say_what_the_figures_say_and_days_are_those_of_the_town(
    superset: Superset, town: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(superset, town, monkeypatch)
    figures = support.query(
        town,
        """
        select community, department, value_shown from reporting.indicator_daily
        where is_current and indicator_code = 'compliance' and (community is null or department is null)
        and coalesce(community, department, '-') <> ''
        """,
    )
    boards = {one["slug"]: one["id"] for one in superset.all("dashboard")}

    def charts(slug: str) -> dict[str, int]:
        found = superset.get(f"/api/v1/dashboard/{boards[f'yingjian-{slug}']}/charts")["result"]
        return {one["form_data"]["viz_type"] + one["slice_name"]: one["id"] for one in found}

    compared = 0
    for community, department, value in figures:
        slug = "community" if community else "department" if department else "office"
        chosen = {slug: community or department} if slug != "office" else {}
        if compared < 12 or slug == "office":
            chart = charts(slug)["big_number_total应检尽检率"]
            assert superset.data(chart, **chosen) == [{"compliance": value}], (community, department)
            compared += 1
    assert compared >= 12
    (row, *_) = superset.data(charts("office")["echarts_timeseries_line应检尽检率"])
    [(day,)] = support.query(
        town, "select extract(epoch from min(as_of_date)) * 1000 from reporting.publication_history"
    )
    assert row["as_of_date"] == float(day), "the day of an axis is midnight in UTC"


@needs_chromium
@pytest.mark.timeout(1200)
def test_dashboards_are_drawn_in_a_browser(
    superset: Superset, town: Settings, monkeypatch: pytest.MonkeyPatch, browser: Browser
) -> None:
    """Pictures of them go to test-artifacts/."""
    bring(superset, town, monkeypatch)
    # Superset draws what is in view: all of a dashboard is.
    context = browser.new_context(viewport=DESK | {"height": 5000})
    page = context.new_page()
    page.goto(f"{superset.url}/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/superset/welcome/**")
    for board in dashboards.load(PROJECT_ROOT, datasets.load(PROJECT_ROOT, prepare_manifest(town))):
        page.goto(f"{superset.url}/superset/dashboard/yingjian-{board.name}/")
        expect(page.locator("[data-test=slice-container]")).to_have_count(len(board.charts), timeout=60_000)
        expect(page.locator("[data-test=loading-indicator]")).to_have_count(0, timeout=60_000)
        expect(page.get_by_role("alert")).to_have_count(0)
        page.screenshot(path=ARTIFACTS / f"superset-{board.name}.png", full_page=True)
    context.close()


@pytest.mark.timeout(1200)
def test_a_community_s_login_shows_its_part_alone(
    superset: Superset, town: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    [(community,)] = support.query(
        town, "select community from reporting.overdue where community > '' group by 1 order by count(*) desc limit 1"
    )
    with warehouse.connect(town) as conn:
        password = access.grant(conn, "dashboards", [Audience("community", community)], False, "tester", "测试")
    monkeypatch.setenv("YINGJIAN_BI_LOGIN_PASSWORD", password)
    bring(superset, town, monkeypatch)
    before = superset.exported()
    bring(superset, town, monkeypatch, "--login", "dashboards")
    after = superset.exported()
    assert len(superset.all("database")) == 2
    assert {path: after[path] for path in before if not path.startswith("databases/")}.items() <= after.items()
    [board] = [one for one in superset.all("dashboard") if one["slug"] == "yingjian-office-dashboards"]
    charts = superset.get(f"/api/v1/dashboard/{board['id']}/charts")["result"]
    [chart] = [one["id"] for one in charts if one["slice_name"] == "各社区逾期人数"]
    assert [row["community"] for row in superset.data(chart)] == [community]


@pytest.mark.timeout(600)
def test_metricflow_answers_as_bi_reader(town: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = environment("metricflow", "requirements-semantic.txt")
    monkeypatch.setenv("YINGJIAN_HOME", str(town.home))
    assert app.main(["bi", "semantic", str(tmp_path / "semantic")]) == 0
    uri = urlparse(warehouse.uri(town, "bi_reader"))
    variables = {
        "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path), "DBT_PROFILES_DIR": str(tmp_path / "semantic"),
        "DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "LC_ALL": "C.UTF-8",
        "YINGJIAN_PG_HOST": uri.hostname or "", "YINGJIAN_PG_PORT": str(uri.port), "YINGJIAN_PG_USER": uri.username or "",
        "YINGJIAN_PG_PASSWORD": uri.password or "", "YINGJIAN_PG_DBNAME": uri.path[1:],
    }  # fmt: skip
    assert shutil.which("mf", path=variables["PATH"])

    def run(*command: str) -> None:
        done = subprocess.run(
            command, cwd=tmp_path / "semantic", env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]

    def query(*options: str) -> list[list[str]]:
        run("mf", "query", *options, "--csv", str(tmp_path / "answer.csv"))
        with (tmp_path / "answer.csv").open(encoding="utf-8", newline="") as file:
            return sorted(list(csv.reader(file))[1:])

    run("dbt", "parse")
    town_wide = query("--metrics", "town_overdue,town_compliance", "--group-by", "metric_time")
    assert [[float(cell) for cell in row[1:]] for row in town_wide] == [
        [overdue, compliance]
        for overdue, compliance in support.query(
            town,
            """
            select max(value_shown) filter (where indicator_code = 'overdue'),
                max(value_shown) filter (where indicator_code = 'compliance')
            from reporting.indicator_daily where community is null and department is null
            group by as_of_date order by as_of_date
            """,
        )
    ]
    current = "{{ Dimension('of_%s__is_current') }}"
    for place, code in (("community", "overdue_persons"), ("department", "overdue")):
        answer = query(
            "--metrics", f"{place}_{code}", "--group-by", f"of_{place}__{place}", "--where", current % place
        )  # fmt: skip
        other = "department" if place == "community" else "community"
        expected = support.query(
            town,
            f"""
            select {place}, value_shown from reporting.indicator_daily
            where is_current and indicator_code = %s and {place} is not null and {other} is null
            """,
            code,
        )
        assert [(name, float(value)) for name, value in answer if value] == sorted(expected) and len(expected) > 5
