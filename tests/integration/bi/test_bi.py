"""Datasets and metrics of `bi/` run as bi_reader and say what the report says; a wrong one is named."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import psycopg
import pytest

from tests import support
from yingjian.bi import check as checking
from yingjian.bi import dashboards, datasets
from yingjian.bi.check import Finding
from yingjian.bi.datasets import Column, Dataset, Metric
from yingjian.cli import app
from yingjian.database import warehouse
from yingjian.modelling.dbt_project import prepare_manifest
from yingjian.people.audience import Audience
from yingjian.privacy import access
from yingjian.settings import PROJECT_ROOT, Settings


@pytest.fixture(scope="module")
def known(world: Settings) -> dict[str, Dataset]:
    return datasets.load(PROJECT_ROOT, prepare_manifest(world))


@pytest.fixture
def reader(world: Settings) -> Iterator[psycopg.Connection[Any]]:
    with warehouse.connect(world, "bi_reader") as conn:
        yield conn


@pytest.fixture(scope="module")
def reporter(world: Settings) -> Iterator[psycopg.Connection[Any]]:
    with warehouse.connect(world, "reporter") as conn:
        yield conn


def findings(reader: psycopg.Connection[Any], reporter: psycopg.Connection[Any], dataset: Dataset) -> list[Finding]:
    return list(checking.check(reader, reporter, {dataset.name: dataset}).findings)


def with_sql(dataset: Dataset, metric: str, sql: str) -> Dataset:
    return replace(dataset, metrics={metric: replace(dataset.metrics[metric], sql=sql)})


def test_every_metric_says_what_the_report_says_to_every_audience(
    reader: psycopg.Connection[Any], reporter: psycopg.Connection[Any], known: dict[str, Dataset]
) -> None:
    result = checking.check(reader, reporter, known, dashboards.load(PROJECT_ROOT, known))
    assert result.findings == []
    assert result.figures > 1500 and result.columns > 200, "the check compares"


def test_the_command_says_what_it_compared(
    world: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(world.home))
    assert app.main(["bi", "check"]) == 0
    assert "0 differences" in capsys.readouterr().out


def test_a_metric_that_differs_is_named_with_audience_and_both_values(
    reader: psycopg.Connection[Any], reporter: psycopg.Connection[Any], known: dict[str, Dataset]
) -> None:
    """A sum over all communities and departments is the mistake that these totals invite."""
    [(shown,)] = reader.execute(
        "select value_shown from reporting.indicator_daily where indicator_code = 'overdue' and is_current"
        " and community is null and department is null"
    ).fetchall()
    wrong = with_sql(known["figures_town"], "overdue", "sum(part) filter (where indicator_code = 'overdue') + 1")
    found = findings(reader, reporter, wrong)
    assert found == [Finding("figures_town", "the metric overdue", "街道", f"{shown:,.0f}", f"{shown + 1:,.0f}")]
    assert str(found[0]) == f"figures_town, the metric overdue, 街道: expected {shown:,.0f}, found {shown + 1:,.0f}"


def test_a_share_that_is_not_rounded_as_it_is_printed_differs(
    reader: psycopg.Connection[Any], reporter: psycopg.Connection[Any], known: dict[str, Dataset]
) -> None:
    """Each community is compared by itself."""
    unrounded = "max(value + 0.0006) filter (where indicator_code = 'compliance')"
    found = findings(reader, reporter, with_sql(known["figures_community"], "compliance", unrounded))
    assert len({finding.audience for finding in found}) > 2
    assert all(finding.expected.endswith("%") and finding.actual.endswith("%") for finding in found)


def test_a_metric_without_a_meaning_is_named(
    reader: psycopg.Connection[Any], reporter: psycopg.Connection[Any], known: dict[str, Dataset]
) -> None:
    (found,) = findings(reader, reporter, with_sql(known["overdue"], "overdue_rows", "sum(colour)"))
    assert found == Finding("overdue", "the metric overdue_rows", "", "a number", 'column "colour" does not exist')
    (found,) = findings(reader, reporter, with_sql(known["overdue"], "overdue_rows", "max(unit)"))
    assert found.what == "the metric overdue_rows" and found.actual == "something else"


def test_a_column_that_is_not_the_warehouse_s_is_named(
    reader: psycopg.Connection[Any], reporter: psycopg.Connection[Any], known: dict[str, Dataset]
) -> None:
    checks = known["checks"]
    columns = dict(checks.columns)
    columns |= {"suite": Column("suite", "套件", "text"), "colour": Column("colour", "颜色", "text")}
    columns["failing_rows"] = Column("failing_rows", "涉及行数", "text")
    found = findings(reader, reporter, replace(checks, columns=columns))
    assert {finding.what: (finding.expected, finding.actual) for finding in found} == {
        "the title of suite": ("检查套件", "套件"),
        "the column colour": ("text", "none"),
        "the column failing_rows": ("text", "bigint"),
    }


def test_what_bi_reader_may_not_read_is_named(
    reader: psycopg.Connection[Any], reporter: psycopg.Connection[Any], known: dict[str, Dataset]
) -> None:
    (found, *_) = findings(reader, reporter, replace(known["overdue"], sql="select * from restricted.person"))
    assert found.what == "its query" and "permission denied" in found.actual


def test_each_row_of_a_dataset_says_of_which_publication_it_is(
    reader: psycopg.Connection[Any], known: dict[str, Dataset]
) -> None:
    """Two charts of one dashboard can be compared. The current publication's rows have its number, also those of a mart whose table lacks it."""
    [(current,)] = reader.execute("select publication_id from reporting.publication").fetchall()
    published = {number for (number,) in reader.execute("select publication_id from reporting.publication_history")}
    filled = set()
    for name, dataset in known.items():
        assert "publication_id" in dataset.columns, name
        query = f"select distinct publication_id from ({dataset.sql}) as dataset"
        if "is_current" in dataset.columns:
            query += " where is_current"
        numbers = reader.execute(query.encode()).fetchall()
        assert numbers in ([(current,)], []), name
        filled |= {name} if numbers else set()
        everyone = reader.execute(f"select distinct publication_id from ({dataset.sql}) as dataset".encode())
        assert {number for (number,) in everyone} <= published, name
    assert len(filled) > 10


def test_runs_models_and_alerts_are_read_without_what_was_told(world: Settings) -> None:
    """The views show durations, rows and times; the subject and the facts of an alert stay with the data team."""
    moment = "2022-07-20 05:00:00+08"
    with warehouse.connect(world) as conn, conn.transaction(force_rollback=True):
        conn.execute(
            """
            insert into operations.task_run (
                dag_id, run_id, task_id, try_number, business_date, state, started_at, ended_at, seconds
            ) values ('daily', 'r', 'publish', 1, '2022-07-19', 'success', %(moment)s, %(moment)s, 90)
            """,
            {"moment": moment},
        )
        conn.execute(
            """
            insert into operations.notice (
                key, about, subject, facts, runbook, link, first_seen_at, last_seen_at, ended_at, times_told
            ) values (
                'k', 'failure', '不外传', '{}', 'failures.md', '', %(moment)s, %(moment)s,
                %(moment)s::timestamptz + interval '90 minutes', 2
            )
            """,
            {"moment": moment},
        )
        conn.execute(
            """
            insert into operations.model_run (run_key, as_of_date, model, state, seconds, rows)
            values ('r', '2022-07-19', 'overdue', 'success', 2.5, 49)
            """
        )
        conn.execute("set local role bi_reader")
        steps = conn.execute("select task_id, as_of_date::text, minutes from reporting.step_run where run_id = 'r'")
        assert steps.fetchall() == [("publish", "2022-07-19", 1.5)]
        alerts = conn.execute("select * from reporting.alert where runbook = 'failures.md'").fetchall()
        assert [row[-2:] for row in alerts] == [(2, 1.5)] and "不外传" not in str(alerts)
        models = conn.execute("select model, seconds, rows from reporting.model_run where run_key = 'r'").fetchall()
        assert models == [("overdue", 2.5, 49)]


def test_a_figure_of_several_rows_is_nothing_rather_than_a_sum(
    reader: psycopg.Connection[Any], known: dict[str, Dataset]
) -> None:
    dataset = known["figures_community"]
    metric: Metric = dataset.metrics["overdue"]
    query = f"select {metric.sql} from ({dataset.sql}) as dataset where is_current"
    assert reader.execute(query.encode()).fetchall() == [(None,)]
    assert None not in reader.execute(f"{query} group by community".encode()).fetchall()


def test_a_reader_s_login_sees_its_part_in_the_same_datasets(world: Settings, known: dict[str, Dataset]) -> None:
    [(community,)] = support.query(
        world, "select community from reporting.overdue where community > '' group by 1 order by count(*) desc limit 1"
    )
    with warehouse.connect(world) as conn:
        password = access.grant(conn, "dashboards", [Audience("community", community)], False, "tester", "测试")
    parsed = urlparse(warehouse.uri(world, "bi_reader"))
    own = parsed._replace(netloc=f"dashboards:{password}@{parsed.hostname}:{parsed.port}").geturl()
    try:
        with psycopg.connect(own) as conn:
            for name in ("figures_community", "compliance", "overdue", "zones"):
                found = conn.execute(
                    f"select distinct community from ({known[name].sql}) as dataset".encode()
                ).fetchall()
                assert found in ([(community,)], []), name
            assert conn.execute(f"select from ({known['overdue'].sql}) as dataset".encode()).fetchall()
    finally:
        with warehouse.connect(world) as conn:
            access.revoke(conn, "dashboards", [], False, "tester", "测试")


def test_the_bundle_is_written_by_the_command(
    world: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(world.home))
    assert app.main(["bi", "bundle", str(tmp_path / "a.zip")]) == 0
    assert warehouse.password(world, "bi_reader").encode() not in (tmp_path / "a.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as files:
        assert len([name for name in files.namelist() if "/dashboards/" in name]) == 5


@pytest.mark.parametrize(
    ("options", "says"),
    [([], "YINGJIAN_BI_ADMIN_PASSWORD"), (["--login", "zhaofeng"], "YINGJIAN_BI_LOGIN_PASSWORD")],
)
def test_an_import_asks_for_the_secrets(
    world: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    says: str,
) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(world.home))
    if options:
        monkeypatch.setenv("YINGJIAN_BI_ADMIN_PASSWORD", "secret")
    assert app.main(["bi", "import", "http://127.0.0.1:1", *options]) == 2
    assert says in capsys.readouterr().err
