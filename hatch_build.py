"""Hatchling asks this module while it builds: the version comes from git, and a wheel knows its commit.

A release is an annotated tag `v1.2.3` (CONTRIBUTING.md). The package's version follows from it; nobody writes it into a file.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
IN_ARCHIVE = ROOT / "plugins" / "yingjian" / "VERSION"  # A source archive carries this file; a checkout has none.
BEFORE_THE_FIRST_TAG = "0.1.0.dev0"


def commit() -> str:
    """The commit as git names it, or what a build without git was told; empty where nobody knows."""
    if given := os.environ.get("YINGJIAN_VERSION"):
        return given
    if IN_ARCHIVE.exists():
        return IN_ARCHIVE.read_text(encoding="utf-8").strip()
    if not (ROOT / ".git").exists():  # The folder may lie in somebody else's repository.
        return ""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return ""


def package_version(described: str | None = None) -> str:
    """The version as packages write it (PEP 440): `v1.2.0` is 1.2.0, `v1.2.0-5-gabc` is 1.2.0.post5+gabc."""
    described = commit() if described is None else described
    text = described.removesuffix("-dirty")
    marks = ["dirty"] if text != described else []
    if tag := re.fullmatch(r"v?(\d+(?:\.\d+)+)(?:-(\d+)-(g[0-9a-f]+))?", text):
        base = tag[1] + (f".post{tag[2]}" if tag[2] else "")
        marks = ([tag[3]] if tag[3] else []) + marks
    else:
        base = BEFORE_THE_FIRST_TAG
        marks = ([f"g{text}"] if re.fullmatch(r"[0-9a-f]{7,40}", text) else []) + marks
    return base + ("+" + ".".join(marks) if marks else "")


class VersionHook(BuildHookInterface):
    """Puts the file VERSION into the package, which `Settings.code_version` reads; a checkout asks git instead."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        described = commit()
        if version == "editable" or IN_ARCHIVE.exists() or not described:
            return
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "VERSION"
        path.write_text(described, encoding="utf-8")
        folder = "yingjian" if self.target_name == "wheel" else "plugins/yingjian"
        build_data["force_include"][str(path)] = f"{folder}/VERSION"
