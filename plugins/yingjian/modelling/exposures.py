"""Generates dbt's exposures, which list the marts each kind of reader reads, from the marts' own YAML.

Every mart that matches an exposure is listed, so none can be forgotten.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from yingjian.modelling.marts import Mart, marts


@dataclass(frozen=True)
class Exposure:
    """A kind of reader and a predicate for the marts that it reads."""

    name: str
    label: str
    kind: str
    description: str
    reads: Callable[[Mart], bool]


EXPOSURES = (
    Exposure(
        "daily_report", "应检尽检日报", "dashboard", "The officials' page, one per publication.",
        lambda mart: bool(mart.reader_schema) and mart.report is not None,
    ),
    Exposure(
        "bi", "BI tools and analysts", "analysis", "Everything in schema reporting, read as bi_reader.",
        lambda mart: mart.reader_schema == "reporting",
    ),
    Exposure(
        "public_bulletin", "疫情信息发布", "dashboard",
        "The public figures, once signed off (article 31); schema reporting_public.",
        lambda mart: mart.reader_schema == "reporting_public",
    ),
)  # fmt: skip
HEAD = "# Written by `yingjian coverage` from the marts' own YAML (modelling/exposures.py); not to be edited by hand.\n"


def write(root: Path) -> Path:
    """Write dbt_project/models/exposures/exposures.yml."""
    path = root / "dbt_project" / "models" / "exposures" / "exposures.yml"
    path.write_text(page(root), encoding="utf-8")
    return path


def page(root: Path) -> str:
    """Return the content of the file; the same marts give the same content."""
    return HEAD + "exposures:\n" + "\n".join(_exposure(exposure, root) for exposure in EXPOSURES)


def _exposure(exposure: Exposure, root: Path) -> str:
    reads = ", ".join(f"ref('{mart.name}')" for mart in marts(root).values() if exposure.reads(mart))
    lines = textwrap.wrap(reads, 150, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join([
        f"  - name: {exposure.name}",
        f"    label: {exposure.label}",
        f"    type: {exposure.kind}",
        "    maturity: high",
        f'    description: "{exposure.description}"',
        "    owner: {name: data-team, email: data-team@example.org}",
        "    depends_on: [", *lines, "    ]", "",
    ])  # fmt: skip
