"""This module writes docs/generated/licences.md: the licence of each run-time dependency, from the packages' metadata."""

from __future__ import annotations

import re
from email.message import Message
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path
from typing import cast

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# These licences allow our use: unmodified packages, imported by name and redistributed with their licence texts. Any other
# licence raises an error until somebody has read and accepted it.
ACCEPTED = {
    "0BSD": "0BSD", "Apache": "Apache-2.0", "Artistic": "Artistic", "BSD": "BSD", "CC0": "CC0-1.0",
    "CNRI-Python": "CNRI-Python", "EPL": "EPL-2.0", "ISC": "ISC", "LGPL": "LGPL", "Lesser General Public": "LGPL", "MIT": "MIT",
    "MPL": "MPL-2.0", "Mozilla": "MPL-2.0", "OFL": "OFL-1.1", "Open Font": "OFL-1.1", "PSF": "PSF-2.0",
    "Python Software Foundation": "PSF-2.0", "Unlicense": "Unlicense", "Zlib": "Zlib",
}  # fmt: skip
# The metadata of these packages do not name a licence. It was read in their files or their repositories.
READ_BY_HAND = {
    "polars-hash": "MIT",  # Its repository has a LICENSE file.
    "openlineage-sql": "Apache-2.0",  # It is a part of the OpenLineage project and has its licence.
    "pyrage": "MIT",  # Its wheel has a LICENSE file.
}
# Production may install these optional packages besides the program's own dependencies.
OPTIONAL = ("apache-airflow-providers-celery", "apache-airflow-providers-openlineage", "async-timeout")


def runtime() -> list[Distribution]:
    """Return the installed packages that the program needs, by name.

    Optional packages are included; the program itself and development tools are not.
    """
    installed = {canonicalize_name(package.metadata["Name"]) for package in distributions()}
    needed: dict[str, Distribution] = {}
    to_visit = [(name, "") for name in ("yingjian", *OPTIONAL)]
    visited = set()
    while to_visit:
        name, extra = to_visit.pop()
        if (name, extra) in visited or name not in installed:
            continue
        visited.add((name, extra))
        package = needed[name] = distribution(name)
        for text in package.requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                requirement_name = canonicalize_name(requirement.name)
                to_visit += [
                    (requirement_name, ""),
                    *((requirement_name, extra_name) for extra_name in requirement.extras),
                ]
    del needed["yingjian"]
    return [needed[name] for name in sorted(needed)]


def licence(package: Distribution) -> str:
    """Return a package's licence in a word or two.

    Raises ValueError when it names none, or one that is not in ACCEPTED.
    """
    name = canonicalize_name(package.metadata["Name"])
    metadata = cast("Message", package.metadata)
    licence_text = READ_BY_HAND.get(name) or metadata.get("License-Expression")
    if not licence_text:
        classifiers = metadata.get_all("Classifier") or []
        named = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: OSI Approved :: ")]
        licence_text = "; ".join(named) or (metadata.get("License") or "").strip().split("\n")[0]
    terms = [term for term in re.split(r"\s+(?:AND|OR|WITH)\s+|;\s*|[()]", licence_text) if term.strip()]
    accepted = [next((short for key, short in ACCEPTED.items() if key in term), None) for term in terms]
    if not terms or not any(accepted) or (None in accepted and " OR " not in licence_text and ";" not in licence_text):
        raise ValueError(
            f"{name} stands under {licence_text or 'no licence that it names'}: read it, then accept it in licences.py"
        )
    return " / ".join(dict.fromkeys(short for short in accepted if short))


def write(root: Path) -> Path:
    """Write docs/generated/licences.md; return its path."""
    path = root / "docs" / "generated" / "licences.md"
    path.write_text(text(), encoding="utf-8")
    return path


def text() -> str:
    """Return the page; it depends on the installed packages alone."""
    lines = [f"| {package.metadata['Name']} | {package.version} | {licence(package)} |" for package in runtime()]
    return "\n".join(
        [
            "# Licences of the packages that the program needs",
            "",
            "Written by `yingjian licences` from the packages' own metadata; where several stand, any of them or all of them"
            " hold,",
            "as the package says. The texts stand beside the installed packages. Tools for development and tests are not listed.",
            "",
            "| package | version | licence |",
            "|---|---|---|",
            *lines,
            "",
        ]
    )
