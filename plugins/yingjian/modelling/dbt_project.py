"""This module knows the dbt project's files: where they are, their digest, and the manifest that is parsed from them.

The manifest is parsed when the project changed, never while Airflow reads a DAG.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from yingjian.database import warehouse
from yingjian.settings import TELEMETRY_OFF, Settings, SetupError

SOURCES = ("*.sql", "*.yml", "*.csv", "*.md")
COMMAND_LINE = "yingjian.modelling.connections"  # The module that is dbt's command line.
PARTIAL_PARSE = "partial_parse.msgpack"  # dbt keeps its parsed project here, so that it reads only changed files.


def project_digest(settings: Settings) -> str:
    """Return the digest of the dbt project: its code, its macros and the policy's seeds."""
    return digest_of(dbt_folder(settings))[:16]


def dbt_folder(settings: Settings) -> Path:
    """Return the dbt project's folder."""
    return settings.root / "dbt_project"


def dbt_environment(settings: Settings) -> dict[str, str]:
    """Return the environment in which dbt finds its project, its profile and the warehouse."""
    return {
        **os.environ,
        **TELEMETRY_OFF,
        **warehouse.dbt_environment(settings),
        "DBT_PROJECT_DIR": str(dbt_folder(settings)),
        # Incremental models compare this digest; if the project changed, they are built from scratch.
        "YINGJIAN_PROJECT_DIGEST": project_digest(settings),
        "DBT_PROFILES_DIR": str(dbt_folder(settings)),
        # Python is at work for one model at a time, the server for as many as there are threads.
        "YINGJIAN_PG_THREADS": str(os.cpu_count() or 2),
        "DBT_TARGET_PATH": str(settings.dbt_target),
        "DBT_LOG_PATH": str(settings.dbt_target / "logs"),
        "NO_COLOR": "1",
    }


def manifest_fault(settings: Settings) -> str | None:
    """Return the fault of the manifest from which DAGs are read: missing, broken or stale; None when it has none."""
    manifest, stamp = settings.dbt_target / "manifest.json", settings.dbt_target / "manifest.stamp"
    try:
        if not json.loads(manifest.read_bytes())["nodes"]:
            return "broken"
    except FileNotFoundError:
        return "missing"
    except (ValueError, KeyError, TypeError):
        return "broken"
    return None if stamp.exists() and stamp.read_text() == digest_of(dbt_folder(settings)) else "stale"


def prepare_manifest(settings: Settings) -> Path:
    """Return the manifest of the project, and parse it anew only when a file of the project changed or it is broken.

    A reader always sees a whole manifest, the old or the new one. Raises SetupError with dbt's last words when the
    project does not parse.
    """
    target = settings.dbt_target
    if manifest_fault(settings):
        digest = digest_of(dbt_folder(settings))
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target) as making:
            if (target / PARTIAL_PARSE).exists():
                shutil.copy(target / PARTIAL_PARSE, making)
            parsed = subprocess.run(
                [sys.executable, "-m", COMMAND_LINE, "parse", "--target-path", making],
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


def digest_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(folder.rglob(pattern)):
            if not {"target", "logs"} & set(path.relative_to(folder).parts):
                digest.update(str(path.relative_to(folder)).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()
