"""The dbt project: its one build per business date, and its manifest.

The manifest is parsed when the project changed, never while Airflow reads a DAG.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path
from typing import Any, TypedDict

from yingjian.database import warehouse
from yingjian.modelling import lineage
from yingjian.settings import TELEMETRY_OFF, Settings, SetupError

log = logging.getLogger(__name__)

SOURCES = ("*.sql", "*.yml", "*.csv", "*.md")
SAY_SECONDS = 2.0
PARTIAL_PARSE = "partial_parse.msgpack"  # What dbt keeps of a project, so that it reads changed files only.


class BuildError(RuntimeError):
    """Some models were not built; the text names them."""

    may_be_told = True


def build(
    settings: Settings, day: date, token: str, say: Callable[[dict[str, NodeResult]], None] = lambda results: None
) -> int:
    """Build seeds and models for a business date, in this process; returns how many nodes were built.

    token: of the build that this process owns (`publishing.build`). `say` gets dbt's unique ids and what became of each
    so far: at most every SAY_SECONDS, from a thread of its own, so that dbt never waits for it, and at the end. Raises
    BuildError.
    """
    states: dict[str, NodeResult] = {}
    artifacts = lineage.artifacts(settings)
    # Beside them the manifest stays as it is: DAGs are read from it.
    written = ("--target-path", str(artifacts)) if artifacts else ("--no-write-json",)
    with shown(token), _said_meanwhile(states, say):
        result = invoke(settings, "build", *written, *_seeds_and_models(day), on_event=_kept_in(states))
    say(dict(states))
    if artifacts:
        with _environment(dbt_environment(settings)):
            lineage.tell(settings, dbt_folder(settings))
    return _built(states, result)


def build_on(settings: Settings, target: str, day: date, folder: Path) -> int:
    """Build seeds and models on another target of profiles.yml, dbt's files in `folder`; returns how many nodes were built.

    Raises BuildError.
    """
    states: dict[str, NodeResult] = {}
    there = ("--target", target, "--target-path", str(folder))
    return _built(states, _run(settings, ["build", *there, *_seeds_and_models(day)], _kept_in(states)))


def _seeds_and_models(day: date) -> tuple[str, ...]:
    return ("--exclude", "resource_type:test", "resource_type:unit_test", "--vars", f"{{as_of_date: '{day}'}}")


class NodeResult(TypedDict):
    """What became of a model or seed. state: success, error or skipped; rows: that its statement wrote, None: not said."""

    state: str
    seconds: float
    rows: int | None


def _kept_in(states: dict[str, NodeResult]) -> Callable[[Any], None]:
    def on_event(event: Any) -> None:
        if event.info.name == "NodeFinished":
            result = event.data.run_result
            rows = result.adapter_response.fields.get("rows_affected")
            states[event.data.node_info.unique_id] = {
                "state": event.data.node_info.node_status,
                "seconds": round(result.execution_time, 2),
                "rows": int(rows.number_value) if rows is not None else None,
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
    """The data dictionary: dbt's documentation of all models and columns as one page; returns its path.

    It holds descriptions, types and SQL, and no row. Whoever reads it meanwhile sees the old page or the new one.
    Raises SetupError with dbt's reason.
    """
    page = settings.data_dictionary
    page.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=page.parent) as making:
        shutil.copy(prepare_manifest(settings), making)
        written = invoke(settings, "--quiet", "docs", "generate", "--static", "--no-compile", "--target-path", making)
        if not written.success:
            raise SetupError(f"dbt could not write its documentation: {written.exception or 'the log says why'}")
        (Path(making) / "static_index.html").replace(page)
    return page


def invoke(settings: Settings, *arguments: str, on_event: Callable[[Any], None] | None = None) -> Any:
    """Run a dbt command in this process; returns dbt's result. `on_event` gets each of dbt's events.

    dbt parses the whole project anew when `--vars` changed, as it does every day: it is given the parsed project.
    """
    return _run(settings, arguments, on_event, _parsed(settings))


def _run(
    settings: Settings, arguments: Sequence[str], on_event: Callable[[Any], None] | None = None, manifest: Any = None
) -> Any:
    from dbt.cli.main import dbtRunner

    # The log is what dbt prints; every statement in a file beside it costs a tenth of a build.
    with _environment(dbt_environment(settings)):
        return dbtRunner(manifest, [on_event] if on_event else []).invoke(["--log-level-file", "none", *arguments])


_manifests: dict[tuple[str, str], Any] = {}


def _parsed(settings: Settings) -> Any:
    """dbt's manifest of the project as it stands; parsed once per process, and only what changed since the last time."""
    key = (_digest(dbt_folder(settings)), dbt_environment(settings)["YINGJIAN_PG_DBNAME"])
    if key not in _manifests:
        parsed = _run(settings, ["--quiet", "--no-write-json", "parse"])
        if not parsed.success:
            raise BuildError(f"dbt cannot read the project: {parsed.exception}")
        _manifests.clear()
        _manifests[key] = parsed.result
    return _manifests[key]


def shown(token: str) -> AbstractContextManager[None]:
    """dbt shows a build's token to the warehouse, which lets nobody else write the schema `build`."""
    return _environment({"YINGJIAN_BUILD_TOKEN": token})


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _said_meanwhile(states: dict[str, NodeResult], say: Callable[[dict[str, NodeResult]], None]) -> Iterator[None]:
    ended = threading.Event()

    def repeat() -> None:
        said = 0
        while not ended.wait(SAY_SECONDS):
            now = dict(states)
            if len(now) > said:
                try:
                    say(now)
                    said = len(now)
                except Exception:  # It is for people to see; the build goes on.
                    log.warning("what was built so far could not be told", exc_info=True)

    thread = threading.Thread(target=repeat, name="say what was built", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def dbt_folder(settings: Settings) -> Path:
    """The dbt project's folder."""
    return settings.root / "dbt_project"


def dbt_environment(settings: Settings) -> dict[str, str]:
    """The environment in which dbt finds its project, its profile and the warehouse."""
    return {
        **os.environ,
        **TELEMETRY_OFF,
        **warehouse.dbt_environment(settings),
        "DBT_PROJECT_DIR": str(dbt_folder(settings)),
        # By which what is kept from build to build notices that it was made by another project.
        "YINGJIAN_PROJECT_DIGEST": _digest(dbt_folder(settings))[:16],
        "DBT_PROFILES_DIR": str(dbt_folder(settings)),
        "DBT_TARGET_PATH": str(settings.dbt_target),
        "DBT_LOG_PATH": str(settings.dbt_target / "logs"),
        "NO_COLOR": "1",
    }


def manifest_fault(settings: Settings) -> str | None:
    """What is wrong with the manifest from which DAGs are read: missing, broken or stale; None where nothing is."""
    manifest, stamp = settings.dbt_target / "manifest.json", settings.dbt_target / "manifest.stamp"
    try:
        if not json.loads(manifest.read_bytes())["nodes"]:
            return "broken"
    except FileNotFoundError:
        return "missing"
    except (ValueError, KeyError, TypeError):
        return "broken"
    return None if stamp.exists() and stamp.read_text() == _digest(dbt_folder(settings)) else "stale"


def prepare_manifest(settings: Settings) -> Path:
    """The manifest of the project as it stands; parsed anew only when one of its files changed, or when it is broken.

    Whoever reads it meanwhile sees the old one or the new one. Raises SetupError with dbt's last words when the project
    does not parse.
    """
    target = settings.dbt_target
    if manifest_fault(settings):
        digest = _digest(dbt_folder(settings))
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target) as making:
            if (target / PARTIAL_PARSE).exists():
                shutil.copy(target / PARTIAL_PARSE, making)
            parsed = subprocess.run(
                [sys.executable, "-m", "dbt.cli.main", "parse", "--target-path", making],
                env=dbt_environment(settings), capture_output=True, text=True, check=False,
            )  # fmt: skip
            if parsed.returncode:
                raise SetupError(f"dbt cannot read the project: {' '.join(parsed.stdout.strip().splitlines()[-4:])}")
            for name in (PARTIAL_PARSE, "manifest.json"):
                (Path(making) / name).replace(target / name)
            stamp = Path(making) / "manifest.stamp"
            stamp.write_text(digest)
            stamp.replace(target / stamp.name)
    return target / "manifest.json"


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(folder.rglob(pattern)):
            if not {"target", "logs"} & set(path.relative_to(folder).parts):
                digest.update(str(path.relative_to(folder)).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()
