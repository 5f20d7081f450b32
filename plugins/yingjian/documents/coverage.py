"""This module writes docs/generated/coverage.md: the models and tests of each article and each annex row of the plan.

The metadata of the models are the source: `config.meta` in a model's YAML names the `articles` and `annex_rows` that it
serves (numbers, or ranges such as "1-22"), a Chinese `title` and, where officials read it, the section of the `report`.
docs/coverage_notes.yml says why nothing is computed for an article, and which parts of an article no feed has data for.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from yingjian.modelling.marts import YAML_LOADER

# A test mentions a model as a relation, or as a quoted string.
MENTION = re.compile(
    r"""(?:(?<=\bbuild\.)|(?<=\breporting\.)|(?<=\bintermediate\.)|(?<=\brestricted\.)|(?<=["']))(\w+)"""
)
ARTICLES = ANNEX_ROWS = range(1, 39)
PLAN = "beifeng-2"

HEAD = """# The plan, article by article

Written by `yingjian coverage` from the metadata of the models (`config.meta`) and
[coverage_notes.yml](../coverage_notes.yml); not to be edited by hand. `tests`: dbt unit tests + suites
of checks + test files of each model; its name leads to them, one by one.
"""


@dataclass(frozen=True)
class Model:
    """A dbt model that is needed for articles or annex rows of the plan."""

    name: str
    title: str
    description: str
    path: str
    articles: tuple[int, ...]
    annex_rows: tuple[int, ...]
    report: str
    unit_tests: tuple[str, ...]
    checks: str
    tests: tuple[str, ...]


def write(root: Path) -> Path:
    """Write docs/generated/coverage.md; return its path. Raises ValueError, which lists every gap and contradiction."""
    models, notes = read_models(root), read_notes(root)
    if sentences := problems(models, notes):
        raise ValueError("docs/generated/coverage.md: " + "; ".join(sentences))
    path = root / "docs" / "generated" / "coverage.md"
    path.write_text(page(models, notes, read_groups(root)), encoding="utf-8")
    return path


def read_models(root: Path) -> list[Model]:
    """Return every model whose YAML names an article or an annex row, marts first."""
    mentions = {
        path: set(MENTION.findall(path.read_text(encoding="utf-8")))
        for path in sorted((root / "tests").rglob("test_*.py"))
    }
    models = []
    for path in sorted(
        (root / "dbt_project" / "models").rglob("*.yml"), key=lambda path: ("marts" not in path.parts, path)
    ):
        content = yaml.load(path.read_bytes(), Loader=YAML_LOADER) or {}  # noqa: S506  # Both are safe loaders.
        for model in content.get("models") or []:
            meta = model.get("config", {}).get("meta", {})
            if meta.keys() & {"articles", "annex_rows"}:
                models.append(_model(root, path, model, meta, content.get("unit_tests") or [], mentions))
    return models


def _model(
    root: Path,
    path: Path,
    model: dict[str, Any],
    meta: dict[str, Any],
    units: list[Any],
    mentions: dict[Path, set[str]],
) -> Model:
    name = model["name"]
    suite = root / "expectations" / f"{name}.yml"
    return Model(
        name=name,
        title=meta.get("title", ""),
        description=" ".join(model.get("description", "").split()),
        path=str(path.with_name(f"{name}.sql").relative_to(root)),
        articles=tuple(_numbers(meta.get("articles", []))),
        annex_rows=tuple(_numbers(meta.get("annex_rows", []))),
        report=meta.get("report", ""),
        unit_tests=tuple(unit["name"] for unit in units if unit["model"] == name),
        checks=str(suite.relative_to(root)) if suite.is_file() else "",
        tests=tuple(str(test.relative_to(root)) for test, names in mentions.items() if name in names),
    )


def _numbers(entries: Iterable[int | str]) -> list[int]:
    """Return the numbers of the metadata, with ranges such as "1-22" expanded."""
    numbers: list[int] = []
    for entry in entries:
        first, _, last = str(entry).partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def read_notes(root: Path) -> dict[int, dict[str, str]]:
    """Return, by article, its title and `nothing` (why nothing is computed) or `not_computed` (parts without data)."""
    notes: dict[int, dict[str, str] | None] = yaml.safe_load(
        (root / "docs" / "coverage_notes.yml").read_text(encoding="utf-8")
    )
    path = root / "dbt_project" / "seeds" / "reference" / "article_title.csv"
    with path.open(encoding="utf-8", newline="") as file:
        titles = {int(row["article"]): row["title"] for row in csv.DictReader(file)}
    return {number: {"title": titles.get(number, "")} | (note or {}) for number, note in notes.items()}


def read_groups(root: Path) -> dict[int, tuple[str, str]]:
    """Return, by annex row, the group's short name and the plan's wording of its frequency."""
    path = root / "dbt_project" / "seeds" / "policy" / "policy_rule.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["edition_code"] == PLAN and row["annex_row"]]
    return {int(row["annex_row"]): (row["group_name"], row["frequency_wording"]) for row in rows}


def problems(models: list[Model], notes: dict[int, dict[str, str]]) -> list[str]:
    """Return the reasons why the table is incomplete or wrong; empty if there are none."""
    articles = {number for model in models for number in model.articles}
    annex_rows = {number for model in models for number in model.annex_rows}
    sentences = [f"article {n} has no title" for n in ARTICLES if not notes.get(n, {}).get("title")]
    sentences += [
        f"article {n} has neither a model nor a reason why nothing is computed"
        for n in ARTICLES
        if n not in articles and not notes.get(n, {}).get("nothing")
    ]
    sentences += [f"article {n} has a model, and a note that says nothing is computed" for n in sorted(articles)
              if notes.get(n, {}).get("nothing")]  # fmt: skip
    sentences += [f"annex row {n} has no model" for n in ANNEX_ROWS if n not in annex_rows]
    sentences += [f"there is no article {n}" for n in sorted((articles | notes.keys()) - set(ARTICLES))]
    sentences += [f"there is no annex row {n}" for n in sorted(annex_rows - set(ANNEX_ROWS))]
    for model in models:
        sentences += [f"{model.name} has no {part}" for part in ("title", "description") if not getattr(model, part)]
        if not (model.unit_tests or model.checks or model.tests):
            sentences.append(f"{model.name} has no test")
    return sentences


def page(models: list[Model], notes: dict[int, dict[str, str]], groups: dict[int, tuple[str, str]]) -> str:
    """Return the page. It is deterministic."""
    lines = [HEAD, "## Articles", "", *_head("article", "computed", "tests", "report", "not computed")]
    for number in ARTICLES:
        note = notes[number]
        serving = [model for model in models if number in model.articles]
        computed = _computed(serving) or f"nothing: {note['nothing']}"
        not_computed = note.get("not_computed", "")
        lines.append(_row(f"{number} {note['title']}", computed, _tests(serving), _sections(serving), not_computed))
    lines += ["", "## Rows of the annex", "", *_head("row", "frequency", "computed", "tests", "report")]
    for number in ANNEX_ROWS:
        serving = [model for model in models if number in model.annex_rows]
        name, frequency = groups[number]
        lines.append(_row(f"{number} {name}", frequency, _computed(serving), _tests(serving), _sections(serving)))
    lines += ["", "## Models and their tests", ""]
    for model in models:
        lines += _section(model)
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(model: Model) -> list[str]:
    served = [f"article {n}" for n in model.articles] + [f"annex row {n}" for n in model.annex_rows]
    tests = [f"dbt unit test `{name}`" for name in model.unit_tests]
    tests += [f"[{path}](../../{path})" for path in (model.checks, *model.tests) if path]
    return [
        f"### {model.name}",
        f"{model.title}. {model.description}",
        "",
        f"- [{model.path}](../../{model.path}), for {', '.join(served)}",
        *(f"- {test}" for test in tests),
        "",
    ]


def _computed(models: list[Model]) -> str:
    return "<br>".join(f"{model.title} ([{model.name}](#{model.name}))" for model in models)


def _tests(models: list[Model]) -> str:
    """Return the numbers of dbt unit tests, suites and test files that cover each model, in the order of `_computed`."""
    return "<br>".join(f"{len(model.unit_tests)} + {int(bool(model.checks))} + {len(model.tests)}" for model in models)


def _sections(models: list[Model]) -> str:
    return ", ".join(dict.fromkeys(model.report for model in models if model.report))


def _head(*columns: str) -> list[str]:
    return [_row(*columns), "|" + "---|" * len(columns)]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
