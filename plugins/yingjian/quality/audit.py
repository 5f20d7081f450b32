"""This module runs the suites with Great Expectations and stores their results, as counts only."""

from __future__ import annotations

import logging
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import cycle
from pathlib import Path
from typing import Any

import psycopg

from yingjian.database import warehouse
from yingjian.quality.suites import Check, Suite
from yingjian.settings import TELEMETRY_OFF

log = logging.getLogger(__name__)

SITE = "audit"
# Half of an audit is work of the database, so two tables are validated at once.
AT_ONCE = 2


@dataclass(frozen=True)
class CheckResult:
    """The result of one check; `failing_rows` is None if the rows were not counted."""

    suite: str
    check: Check
    success: bool
    failing_rows: int | None
    message: str | None


@dataclass(frozen=True)
class AuditResult:
    """The results of all checks. `passed` means that no check of severity `fail` failed."""

    results: tuple[CheckResult, ...]

    @property
    def failed(self) -> list[CheckResult]:
        return [result for result in self.results if not result.success]

    @property
    def critical(self) -> list[CheckResult]:
        return [result for result in self.failed if result.check.severity == "fail"]

    @property
    def passed(self) -> bool:
        return not self.critical


def audit(
    conn: psycopg.Connection, uri: str, suites: list[Suite], as_of_date: date, docs: Path | None, build_token: str
) -> AuditResult:
    """Run every suite against the warehouse at `uri`, store the results, and write Data Docs to `docs`.

    The results go to quality.check_result with the token of the build; publishing takes its verdict from there. Values never
    leave the database: Great Expectations returns only whether a check holds, and SQL counts the failing rows.
    """
    outcome = _validate(uri, suites, docs)
    results = tuple(
        _result(conn, suite, check, success)
        for suite in suites
        for check, success in zip(suite.checks, outcome[suite.name], strict=True)
    )
    _keep(conn, results, as_of_date, build_token)
    for result in results:
        if not result.success:
            log.warning(
                "audit: %s %s: %s (%s)", result.check.severity, result.suite, result.check.name, result.failing_rows
            )
    return AuditResult(results)


def _validate(uri: str, suites: list[Suite], docs: Path | None) -> dict[str, list[bool]]:
    """Return, by suite, whether each of its checks holds, in their order."""
    os.environ.update(TELEMETRY_OFF)
    from yingjian.quality.expectations import gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    # A source's connection validates one table at a time. Each source is added with all of its tables, because every change of a
    # source rewrites the context's configuration.
    sources = [
        context.data_sources.add_postgres(
            f"warehouse {number}",
            connection_string=warehouse.driver_uri(uri).replace("$", r"\$"),
            create_temp_table=False,
            assets=[_asset(suite) for suite in suites[number::AT_ONCE]],  # type: ignore[call-arg]  # The stub lacks it.
        )
        for number in range(AT_ONCE)
    ]
    definitions = {suite.name: _definition(context, source, suite) for suite, source in zip(suites, cycle(sources))}
    if docs is not None:
        _add_docs_site(context, docs)
    outcome: dict[str, list[bool]] = {}

    def run(suites_of_a_source: list[Suite]) -> None:
        for suite in suites_of_a_source:
            outcome[suite.name] = _run(definitions[suite.name], suite)

    try:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for _ in threads.map(run, [suites[number::AT_ONCE] for number in range(AT_ONCE)]):
                pass  # It raises what a thread raised.
        if docs is not None:
            # Without a name, Great Expectations also writes a site of its own into the temporary folder.
            context.build_data_docs(site_names=[SITE])
    finally:
        for source in sources:
            source.get_engine().dispose()
    return outcome


def _asset(suite: Suite) -> Any:
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.datasource.fluent.sql_datasource import TableAsset

    return TableAsset(
        name=suite.name,
        type="table",
        table_name=suite.table,
        schema_name=suite.schema,
        batch_definitions=[BatchDefinition(name="whole")],
    )


def _definition(context: Any, source: Any, suite: Suite) -> Any:
    from yingjian.quality.expectations import gx

    return context.validation_definitions.add(
        gx.ValidationDefinition(
            name=suite.name,
            data=source.get_asset(suite.name).get_batch_definition("whole"),
            suite=context.suites.add(
                gx.ExpectationSuite(name=suite.name, expectations=[_expectation(check) for check in suite.checks])
            ),
        )
    )


def _run(definition: Any, suite: Suite) -> list[bool]:
    validated = definition.run(result_format={"result_format": "BOOLEAN_ONLY"})
    success_by_check = {result.expectation_config.meta["check"]: bool(result.success) for result in validated.results}
    return [success_by_check[check.name] for check in suite.checks]


def _expectation(check: Check) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    from yingjian.quality.expectations import ExpectNoRows

    meta = {"check": check.name, "severity": check.severity}
    severity: Any = "critical" if check.severity == "fail" else "warning"
    if check.query is not None:
        return ExpectNoRows(unexpected_rows_query=check.query, description=check.name, meta=meta, severity=severity)
    arguments = dict(check.expectation or {})
    kind = arguments.pop("type")
    return ExpectationConfiguration(type=kind, kwargs=arguments, meta=meta, severity=severity).to_domain_obj()


def _add_docs_site(context: Any, docs: Path) -> None:
    """Add a site for this audit only: Data Docs get slow with many runs, and quality.check_result has the history."""
    shutil.rmtree(docs, ignore_errors=True)
    docs.mkdir(parents=True)
    context.add_data_docs_site(
        site_name=SITE,
        site_config={
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs)},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )


def _result(conn: psycopg.Connection, suite: Suite, check: Check, success: bool) -> CheckResult:
    if success:
        return CheckResult(suite.name, check, True, 0, None)
    failing = None
    if check.query is not None:
        try:
            with conn.transaction():
                failing = failing_rows(conn, suite, check)
        except psycopg.Error as error:  # A check that cannot run has failed; the error's text may hold values.
            log.error("audit: %s: %s cannot be run (%s)", suite.name, check.name, type(error).__name__)
    return CheckResult(suite.name, check, False, failing, check.says)


def failing_rows(conn: psycopg.Connection, suite: Suite, check: Check) -> int:
    """Return how many rows the query of a check finds, counted in the database."""
    assert check.query is not None
    query = check.query.replace("{batch}", suite.name).replace("{{", "{").replace("}}", "}")
    row = conn.execute(f"select count(*) from ({query}) as failing").fetchone()  # type: ignore[arg-type]
    return int(row[0]) if row else 0


def _keep(conn: psycopg.Connection, results: tuple[CheckResult, ...], as_of_date: date, build_token: str) -> None:
    rows = [
        (
            as_of_date,
            r.suite,
            r.check.name,
            r.suite.split(".")[1],
            r.check.severity,
            r.success,
            r.failing_rows,
            r.message,
            build_token,
        )
        for r in results
    ]
    with conn.transaction(), conn.cursor() as cursor:
        cursor.executemany(
            """
            insert into quality.check_result
                (as_of_date, suite, check_name, table_name, severity, success, failing_rows, message, build_token)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            rows,
        )
