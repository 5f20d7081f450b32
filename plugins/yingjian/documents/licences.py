"""docs/licences.md: under which licence each package of the running program stands, from what the packages say themselves."""

from __future__ import annotations

import re
from email.message import Message
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path
from typing import cast

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Licences whose terms allow this use: unchanged packages, linked by name, passed on with their texts. Anything else stops
# here until somebody has read it.
ACCEPTED = {
    "0BSD": "0BSD", "Apache": "Apache-2.0", "Artistic": "Artistic", "BSD": "BSD", "CC0": "CC0-1.0", "CNRI-Python": "CNRI-Python",
    "EPL": "EPL-2.0", "ISC": "ISC", "LGPL": "LGPL", "Lesser General Public": "LGPL", "MIT": "MIT", "MPL": "MPL-2.0", "Mozilla": "MPL-2.0",
    "OFL": "OFL-1.1", "Open Font": "OFL-1.1", "PSF": "PSF-2.0", "Python Software Foundation": "PSF-2.0", "Unlicense": "Unlicense", "Zlib": "Zlib",
}  # fmt: skip
# Packages whose metadata say nothing, or too little; read in the files beside them or in their repositories.
READ_BY_HAND = {
    "polars-hash": "MIT",  # the LICENSE file of its repository
    "openlineage-sql": "Apache-2.0",  # the OpenLineage project's licence, of which it is a part
    "pyrage": "MIT",  # the LICENSE file in its wheel
}
# The groups of pyproject.toml that production may install beside the program's own dependencies.
OPTIONAL = ("apache-airflow-providers-celery", "apache-airflow-providers-openlineage", "async-timeout")


def runtime() -> list[Distribution]:
    """The installed packages that the program needs, the optional ones too, itself and the development tools left out; by name."""
    installed = {canonicalize_name(found.metadata["Name"]) for found in distributions()}
    needed: dict[str, Distribution] = {}
    ahead = [(name, "") for name in ("yingjian", *OPTIONAL)]
    seen = set()
    while ahead:
        name, extra = ahead.pop()
        if (name, extra) in seen or name not in installed:
            continue
        seen.add((name, extra))
        found = needed[name] = distribution(name)
        for text in found.requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                wanted = canonicalize_name(requirement.name)
                ahead += [(wanted, ""), *((wanted, each) for each in requirement.extras)]
    del needed["yingjian"]
    return [needed[name] for name in sorted(needed)]


def licence(found: Distribution) -> str:
    """A package's licence in a word or two. Raises ValueError when it names none, or one that nobody accepted yet."""
    name = canonicalize_name(found.metadata["Name"])
    metadata = cast("Message", found.metadata)
    said = READ_BY_HAND.get(name) or metadata.get("License-Expression")
    if not said:
        classifiers = metadata.get_all("Classifier") or []
        named = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: OSI Approved :: ")]
        said = "; ".join(named) or (metadata.get("License") or "").strip().split("\n")[0]
    terms = [term for term in re.split(r"\s+(?:AND|OR|WITH)\s+|;\s*|[()]", said) if term.strip()]
    accepted = [next((short for key, short in ACCEPTED.items() if key in term), None) for term in terms]
    if not terms or not any(accepted) or (None in accepted and " OR " not in said and ";" not in said):
        raise ValueError(
            f"{name} stands under {said or 'no licence that it names'}: read it, then accept it in licences.py"
        )
    return " / ".join(dict.fromkeys(short for short in accepted if short))


def write(root: Path) -> Path:
    """Write docs/licences.md; returns its path."""
    path = root / "docs" / "licences.md"
    path.write_text(text(), encoding="utf-8")
    return path


def text() -> str:
    """The page; the same environment gives the same text."""
    lines = [f"| {found.metadata['Name']} | {found.version} | {licence(found)} |" for found in runtime()]
    return "\n".join(
        [
            "# Licences of the packages that the program needs",
            "",
            "Written by `yingjian licences` from the packages' own metadata; where several stand, any of them or all of them hold,",
            "as the package says. The texts stand beside the installed packages. Tools for development and tests are not listed.",
            "",
            "| package | version | licence |",
            "|---|---|---|",
            *lines,
            "",
        ]
    )
