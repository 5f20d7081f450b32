"""Every publication names the code that made it: from a checkout, a wheel or an image."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.version import Version

from yingjian.settings import PROJECT_ROOT

ASK = "from yingjian.settings import Settings; print(Settings.load().code_version)"


def asked(folder: Path, **env: str) -> str:
    """The package in a folder is asked; the folder lies in a repository that is somebody else's."""
    clean = {name: value for name, value in os.environ.items() if name != "YINGJIAN_VERSION"}
    return subprocess.run(
        [sys.executable, "-c", ASK], env={**clean, "PYTHONPATH": str(folder), **env}, cwd=folder,
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


def commit() -> str:
    return subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ("v1.2.0", "1.2.0"),
        ("v1.2.0-dirty", "1.2.0+dirty"),
        ("v1.2.0-5-g0123456789ab", "1.2.0.post5+g0123456789ab"),
        ("v1.2.0-5-g0123456789ab-dirty", "1.2.0.post5+g0123456789ab.dirty"),
        ("0123456789ab", "0.1.0.dev0+g0123456789ab"),
        ("", "0.1.0.dev0"),
        ("july", "0.1.0.dev0"),
    ],
)
def test_the_version_of_the_package_comes_from_git(described: str, expected: str) -> None:
    spec = importlib.util.spec_from_file_location("hatch_build", PROJECT_ROOT / "hatch_build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.package_version(described) == expected
    assert str(Version(expected)) == expected, "the version is written as packages write it"


@pytest.mark.skipif(not (PROJECT_ROOT / ".git").exists(), reason="this is no checkout")
def test_a_wheel_knows_its_commit(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "YINGJIAN_VERSION"}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)],
        cwd=PROJECT_ROOT, env=environment, capture_output=True, check=True,
    )  # fmt: skip
    [wheel] = tmp_path.glob("*.whl")
    installed = tmp_path / "lib" / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata_fields = message_from_bytes(archive.read(metadata))
        assert metadata_fields["License-Expression"] == "Apache-2.0"
        assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())
        archive.extractall(installed)
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    assert asked(installed) == commit()
    (installed / "yingjian" / "VERSION").unlink()
    assert asked(installed) == metadata_fields["Version"], "not the commit of a repository that it lies in"
    assert asked(installed, YINGJIAN_VERSION="v2022.7") == "v2022.7", "as an image is built with"


@pytest.mark.skipif(not (PROJECT_ROOT / ".git").exists(), reason="this is no checkout")
def test_a_checkout_knows_its_commit() -> None:
    assert asked(PROJECT_ROOT / "plugins") == commit()
