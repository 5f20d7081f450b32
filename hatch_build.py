"""What hatchling asks while it builds a wheel or a source archive: both know from which commit they were built."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class VersionHook(BuildHookInterface):
    """Puts the file VERSION into the package, which `Settings.code_version` reads; a checkout asks git instead."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        in_archive = Path(self.root) / "plugins" / "yingjian" / "VERSION"  # Of the source archive that is built here.
        commit = os.environ.get("YINGJIAN_VERSION") or self._commit()
        if version == "editable" or in_archive.exists() or not commit:
            return
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "VERSION"
        path.write_text(commit, encoding="utf-8")
        folder = "yingjian" if self.target_name == "wheel" else "plugins/yingjian"
        build_data["force_include"][str(path)] = f"{folder}/VERSION"

    def _commit(self) -> str:
        try:
            return subprocess.run(
                ["git", "describe", "--always", "--dirty", "--abbrev=12"],
                cwd=self.root, capture_output=True, text=True, check=True,
            ).stdout.strip()  # fmt: skip
        except (OSError, subprocess.CalledProcessError):
            return ""
