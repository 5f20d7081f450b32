"""The dbt project's manifest: parsed when the project changed, never while Airflow reads a DAG."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from yingjian import warehouse
from yingjian.settings import TELEMETRY_OFF, Settings, SetupError

SOURCES = ("*.sql", "*.yml", "*.csv", "*.md")


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
        "DBT_PROFILES_DIR": str(dbt_folder(settings)),
        "DBT_TARGET_PATH": str(settings.dbt_target),
        "DBT_LOG_PATH": str(settings.dbt_target / "logs"),
        "NO_COLOR": "1",
    }


def prepare_manifest(settings: Settings) -> Path:
    """The manifest of the project as it stands; parsed anew only when one of its files changed.

    Raises SetupError with dbt's last words when the project does not parse.
    """
    manifest = settings.dbt_target / "manifest.json"
    stamp = settings.dbt_target / "manifest.stamp"
    digest = _digest(dbt_folder(settings))
    if manifest.exists() and stamp.exists() and stamp.read_text() == digest:
        return manifest
    settings.dbt_target.mkdir(parents=True, exist_ok=True)
    parsed = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "parse"],
        env=dbt_environment(settings), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if parsed.returncode:
        raise SetupError(f"dbt cannot read the project: {' '.join(parsed.stdout.strip().splitlines()[-4:])}")
    stamp.write_text(digest)
    return manifest


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(folder.rglob(pattern)):
            if not {"target", "logs"} & set(path.relative_to(folder).parts):
                digest.update(str(path.relative_to(folder)).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()
