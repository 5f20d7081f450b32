"""Runs dbt in this process: builds the project for a business date, compiles it, and generates its documentation."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, TypedDict

from yingjian.database import warehouse
from yingjian.modelling import lineage
from yingjian.modelling.dbt_project import dbt_environment, dbt_folder, digest_of, prepare_manifest, project_digest
from yingjian.settings import Settings, SetupError

log = logging.getLogger(__name__)
SAY_SECONDS = 2.0
# These models are incremental (`kept()` in dbt_project/macros/increments.sql).
INCREMENTS = ("intermediate.int_sample__by_day", "intermediate.int_person__from_samples")
STAGING_MODELS = "models/staging/"
STANDING = ("resource_type:seed", f"path:{STAGING_MODELS}")  # This is dbt's selector for `standing_nodes`.


class BuildError(RuntimeError):
    """Raised when dbt could not build some models; the text names them."""

    may_be_told = True


def build(
    settings: Settings, day: date, token: str, say: Callable[[dict[str, NodeResult]], None] = lambda results: None
) -> int:
    """Build seeds and models for a business date in this process; return the number of nodes built or still current.

    Seeds and staging views from an earlier build of the same project version (`standing_nodes`) are not rebuilt; they count as
    built in 0 seconds.

    token: token of the build that this process owns (`publishing.build`). `say` receives the results so far by dbt's unique id:
    at most every SAY_SECONDS from a separate thread, so that dbt never waits for it, and once at the end. Raises BuildError.
    """
    standing = standing_nodes(settings)
    states: dict[str, NodeResult] = {node: {"state": "success", "seconds": 0.0, "rows": None} for node in standing}
    artifacts = lineage.artifacts(settings)
    # Artifacts go to another folder: Airflow reads DAGs from the manifest in the usual one.
    artifact_options = ("--target-path", str(artifacts)) if artifacts else ("--no-write-json",)
    with shown(token), _progress_reports(states, say):
        nodes = _seeds_and_models(day, *(STANDING if standing else []))
        result = invoke(settings, "build", *artifact_options, *nodes, on_event=_result_collector(states))
    say(dict(states))
    if artifacts:
        with _environment(dbt_environment(settings)):
            lineage.tell(settings, dbt_folder(settings))
    return _built(states, result)


def load_seeds(settings: Settings, day: date, token: str) -> None:
    """Load the seeds, unless this project version has loaded them already. Raises BuildError."""
    if standing_nodes(settings):
        return
    states: dict[str, NodeResult] = {}
    with shown(token):
        nodes = ("--select", "resource_type:seed", *_seeds_and_models(day))
        _built(states, invoke(settings, "build", "--no-write-json", *nodes, on_event=_result_collector(states)))


@dataclass(frozen=True)
class Model:
    """A model compiled for the target `dev`, as for a full refresh.

    is_rebuilt: every build recreates its table, and no incremental model reads it.
    """

    unique_id: str
    name: str
    schema: str
    path: str
    sql: str
    source: str
    is_view: bool
    is_rebuilt: bool = True

    @property
    def table(self) -> str:
        return f"{self.schema}.{self.name}"


def compiled(settings: Settings, schema: str, day: date) -> list[Model]:
    """Compile every model for a business date, in topological order, with its tables in `schema`.

    No database connection is needed. The parsed project is cached for `schema`, as for `invoke`. Raises BuildError.
    """
    target = ("--target", "dev", "--target-path", str(settings.dbt_target / schema))
    with _environment({"YINGJIAN_DEV_SCHEMA": schema}):
        result = _run(
            settings,
            [
                "--quiet", "--no-write-json", "compile", *target, "--full-refresh",
                "--no-introspect", "--no-populate-cache", "--select", "resource_type:model", *_seeds_and_models(day),
            ],
            manifest=read_project(settings, *target),
        )  # fmt: skip
    if not result.success:
        raise BuildError(f"dbt could not compile the models: {result.exception or 'the log says why'}")
    nodes = {done.node.unique_id: done.node for done in result.result.results}
    after = {name: set(node.depends_on.nodes) & set(nodes) for name, node in nodes.items()}
    in_order = [nodes[name] for name in TopologicalSorter(after).static_order()]
    kept_models = {name for name, node in nodes.items() if f"intermediate.{node.name}" in INCREMENTS}
    for node in reversed(in_order):
        if node.unique_id in kept_models:
            kept_models |= after[node.unique_id]
    return [
        Model(
            node.unique_id,
            node.name,
            node.schema,
            node.original_file_path,
            node.compiled_code,
            node.raw_code,
            "view" in node.config.materialized,
            node.unique_id not in kept_models and "view" not in node.config.materialized,
        )
        for node in in_order
    ]


def build_beside(settings: Settings, schema: str, day: date, select: Sequence[str], folder: Path) -> int:
    """Build the nodes that `select` names into a separate schema on the target `dev`; return the number of nodes built.

    folder: where dbt's files go. Neither the schema `build` nor published data is touched. Raises BuildError.
    """
    states: dict[str, NodeResult] = {}
    there = ("--target", "dev", "--target-path", str(folder), "--select", *select)
    with _environment({"YINGJIAN_DEV_SCHEMA": schema}):
        return _built(
            states, _run(settings, ["--quiet", "build", *there, *_seeds_and_models(day)], _result_collector(states))
        )


def _seeds_and_models(day: date, *excluded: str) -> tuple[str, ...]:
    excluded = ("resource_type:test", "resource_type:unit_test", *excluded)
    return ("--exclude", *excluded, "--vars", f"{{as_of_date: '{day}'}}")


class NodeResult(TypedDict):
    """The result of a model or seed.

    `state` is success, error or skipped. `rows` is the number of rows written; None if dbt does not report it.
    """

    state: str
    seconds: float
    rows: int | None


def _result_collector(states: dict[str, NodeResult]) -> Callable[[Any], None]:
    def on_event(event: Any) -> None:
        if event.info.name == "NodeFinished":
            result = event.data.run_result
            rows = result.adapter_response.fields.get("rows_affected")
            states[event.data.node_info.unique_id] = {
                "state": event.data.node_info.node_status,
                "seconds": round(result.execution_time, 2),
                "rows": int(rows.number_value) if rows and rows.number_value >= 0 else None,  # A view has -1.
            }

    return on_event


def _built(states: dict[str, NodeResult], result: Any) -> int:
    failed = sorted(name.rpartition(".")[2] for name, node in states.items() if node["state"] == "error")
    if failed:
        raise BuildError(f"dbt could not build {', '.join(failed)}: the log says why")
    if not result.success:
        raise BuildError(f"dbt build failed: {result.exception or 'the log says why'}")
    return sum(node["state"] == "success" for node in states.values())


def write_docs(settings: Settings) -> Path:
    """Write the data dictionary, dbt's documentation of all models and columns as one HTML page; return its path.

    It contains descriptions, types and SQL, but no rows. The page is replaced atomically. Raises SetupError with dbt's message.
    """
    page = settings.data_dictionary
    page.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=page.parent) as making:
        shutil.copy(prepare_manifest(settings), making)
        result = invoke(settings, "--quiet", "docs", "generate", "--static", "--no-compile", "--target-path", making)
        if not result.success:
            raise SetupError(f"dbt could not write its documentation: {result.exception or 'the log says why'}")
        (Path(making) / "static_index.html").replace(page)
    return page


def invoke(settings: Settings, *arguments: str, on_event: Callable[[Any], None] | None = None) -> Any:
    """Run a dbt command in this process; return dbt's result. `on_event` receives each dbt event.

    dbt is given the parsed project: otherwise it would re-parse everything whenever `--vars` changes, which is every day.
    """
    with _environment(full_refresh(settings)):
        return _run(settings, arguments, on_event, read_project(settings))


def full_refresh(settings: Settings) -> dict[str, str]:
    """Return the variable that forces a full refresh if the incremental models cannot continue; else an empty dict.

    They cannot continue if another project version built them, if a server crash truncated them and their progress table (both
    unlogged), or if somebody truncated the samples or inserted some by hand.
    """
    with warehouse.connect(settings, "transformer") as conn:
        ((is_current,),) = conn.execute(
            """
            select
                count(*) filter (where model = any(%s) and definition = %s) = %s
                and not exists (
                    select from staging.sample_change
                    where file_id is null and change_id > (select min(change_id) from intermediate.increment_progress)
                )
            from intermediate.increment_progress
            """,
            (list(INCREMENTS), project_digest(settings), len(INCREMENTS)),
        ).fetchall()
        if is_current:
            return {}
        conn.execute("delete from intermediate.increment_progress")
    return {"DBT_FULL_REFRESH": "true"}


def standing_nodes(settings: Settings) -> list[str]:
    """Return the unique ids of the seeds and staging views if this project version has built all of them; else an empty list.

    They do not depend on the business date. The incremental models, built after them, record the project version, and
    `full_refresh` deletes that record before another version builds anything.
    """
    nodes = [
        node
        for node in read_project(settings).nodes.values()
        if node.resource_type == "seed"
        or (node.resource_type == "model" and node.original_file_path.startswith(STAGING_MODELS))
    ]
    with warehouse.connect(settings, "transformer") as conn:
        ((are_standing,),) = conn.execute(
            """
            select
                count(*) = %s
                and not exists (select from unnest(%s::text[]) as node (name) where to_regclass(node.name) is null)
            from intermediate.increment_progress
            where model = any(%s) and definition = %s
            """,
            (
                len(INCREMENTS),
                [f"{node.schema}.{node.alias}" for node in nodes],
                list(INCREMENTS),
                project_digest(settings),
            ),
        ).fetchall()
    return [node.unique_id for node in nodes] if are_standing else []


def _run(
    settings: Settings, arguments: Sequence[str], on_event: Callable[[Any], None] | None = None, manifest: Any = None
) -> Any:
    from dbt.cli.main import dbtRunner

    from yingjian.modelling.connections import keep_connections
    from yingjian.modelling.events import skip_unread_events

    keep_connections()
    skip_unread_events()
    # dbt's console output is the log. A debug log file with every statement would add a tenth to the build time.
    with _environment(dbt_environment(settings)):
        return dbtRunner(manifest, [on_event] if on_event else []).invoke(["--log-level-file", "none", *arguments])


_manifests: dict[tuple[str, ...], tuple[tuple[str, str], Any]] = {}


def read_project(settings: Settings, *target: str) -> Any:
    """Return dbt's current manifest of the project, cached in the process until the project changes.

    target: dbt's options for a target other than the default.
    """
    version = (digest_of(dbt_folder(settings)), dbt_environment(settings)["YINGJIAN_PG_DBNAME"])
    parsed_version, manifest = _manifests.get(target, (None, None))
    if parsed_version != version:
        parsed = _run(settings, ["--quiet", "--no-write-json", "parse", *target])
        if not parsed.success:
            raise BuildError(f"dbt cannot read the project: {parsed.exception}")
        manifest = parsed.result
        _manifests[target] = (version, manifest)
    return manifest


def shown(token: str) -> AbstractContextManager[None]:
    """Pass the build's token to dbt; without it the warehouse rejects writes to the schema `build`."""
    return _environment({"YINGJIAN_BUILD_TOKEN": token})


def reading(tables: str) -> AbstractContextManager[None]:
    """Let dbt read a model's rows from the table `spark.<model>__<tables>` if it exists (macros/rebuilt.sql)."""
    return _environment({"YINGJIAN_SPARK_TABLES": tables})


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    previous = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in previous.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _progress_reports(states: dict[str, NodeResult], say: Callable[[dict[str, NodeResult]], None]) -> Iterator[None]:
    ended = threading.Event()

    def repeat() -> None:
        reported_count = 0
        while not ended.wait(SAY_SECONDS):
            now = dict(states)
            if len(now) > reported_count:
                try:
                    say(now)
                    reported_count = len(now)
                except Exception:  # Progress is informational, so the build goes on.
                    log.warning("what was built so far could not be told", exc_info=True)

    thread = threading.Thread(target=repeat, name="say what was built", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
