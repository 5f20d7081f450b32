"""The dbt project's files: their location, their digest, and the manifest parsed from them.

The manifest is parsed only when the project has changed, never while Airflow parses DAGs.
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
COMMAND_LINE = "yingjian.modelling.connections"  # This module wraps dbt's command line.
PARTIAL_PARSE = "partial_parse.msgpack"  # dbt caches the parsed project here and re-parses only changed files.


def project_digest(settings: Settings) -> str:
    """Return the digest of the dbt project: its code, its macros and the policy's seeds."""
    return digest_of(dbt_folder(settings))[:16]


def dbt_folder(settings: Settings) -> Path:
    """Return the dbt project's folder."""
    return settings.root / "dbt_project"


def dbt_environment(settings: Settings) -> dict[str, str]:
    """Return the environment variables with which dbt finds its project, profile and warehouse."""
    return {
        **os.environ,
        **TELEMETRY_OFF,
        **warehouse.dbt_environment(settings),
        "DBT_PROJECT_DIR": str(dbt_folder(settings)),
        # Incremental models compare this digest; if the project changed, they are built from scratch.
        "YINGJIAN_PROJECT_DIGEST": project_digest(settings),
        "DBT_PROFILES_DIR": str(dbt_folder(settings)),
        # dbt's Python code runs one model at a time, but each thread keeps one server process busy, so there is one per core.
        "YINGJIAN_PG_THREADS": str(os.cpu_count() or 2),
        "DBT_TARGET_PATH": str(settings.dbt_target),
        "DBT_LOG_PATH": str(settings.dbt_target / "logs"),
        "NO_COLOR": "1",
    }


def manifest_fault(settings: Settings) -> str | None:
    """Return what is wrong with the manifest that the DAGs read: missing, broken or stale; None if it is current."""
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
    """Return the path of the project's manifest; re-parse the project only if it changed or the manifest is broken.

    Files are replaced atomically, so a reader never sees half a manifest. Raises SetupError with dbt's last output lines if the
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
