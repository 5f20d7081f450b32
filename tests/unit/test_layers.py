"""The packages of docs/architecture.md stand lowest first: nobody imports upwards, not inside a function either."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from yingjian.settings import PROJECT_ROOT

PACKAGE = PROJECT_ROOT / "plugins" / "yingjian"
LAYERS = (
    "environment", "settings", "processes", "scratch", "clock", "names", "pipeline", "reference", "people", "database", "marts", "modelling", "quality", "privacy", "landing", "publishing", "reports", "bi",
    "whatif", "delivery", "simulate", "portal", "orchestration", "operations", "documents", "cli",
)  # fmt: skip


def imported_names(source: str) -> Iterator[tuple[int, str]]:
    """Line and whole name below `yingjian` of every import in a module's source, wherever it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            names = (f"{module}{alias.name}" for alias in node.names)
            yield from ((node.lineno, name) for name in names if name.startswith("yingjian."))


def imported(source: str) -> Iterator[tuple[int, str]]:
    """It gives line and package or module below `yingjian` of every import in a module's source."""
    yield from ((line, name.split(".")[1]) for line, name in imported_names(source))


def upward_imports(own: str, source: str) -> list[str]:
    """The function gives the imports in a module of the layer `own` that lead to a layer above it."""
    above = LAYERS[LAYERS.index(own) + 1 :]
    return [f"line {line}: {own} imports {layer}" for line, layer in imported(source) if layer in above]


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        if relative.name != "__init__.py" or len(relative.parts) > 1:
            yield relative.parts[0].removesuffix(".py"), path


def test_each_package_is_a_layer() -> None:
    assert {layer for layer, _ in modules()} == set(LAYERS)


@pytest.mark.parametrize("layer", LAYERS)
def test_nobody_imports_upwards(layer: str) -> None:
    paths = [path for own, path in modules() if own == layer]
    assert paths
    assert [
        f"{path.relative_to(PACKAGE)}: {wrong}" for path in paths for wrong in upward_imports(layer, path.read_text())
    ] == []


@pytest.mark.parametrize("layer", LAYERS)
def test_every_import_names_a_layer(layer: str) -> None:
    """An import that names none of the layers would be compared with nothing."""
    known = {*LAYERS, "__version__"}
    assert [
        name for own, path in modules() if own == layer for _, name in imported(path.read_text()) if name not in known
    ] == []


@pytest.mark.parametrize(
    "source",
    [
        "from yingjian.reports.packs import write_packs",
        "from yingjian import reports",
        "import yingjian.reports.packs",
        "def later():\n    from yingjian.reports.packs import write_packs",
    ],
)
def test_an_import_upwards_is_found(source: str) -> None:
    assert upward_imports("landing", source) == [f"line {source.count(chr(10)) + 1}: landing imports reports"]
    assert upward_imports("portal", source) == []


def forms_imported(source: str) -> list[str]:
    """The function gives the imports of `reports` in a module that are not of `reports.content`."""
    return [
        f"line {line}: {name}"
        for line, name in imported_names(source)
        if name.split(".")[1] == "reports" and name.split(".")[2:3] != ["content"]
    ]


def test_what_a_report_says_imports_no_form_of_it() -> None:
    paths = sorted((PACKAGE / "reports" / "content").rglob("*.py"))
    assert paths
    assert [f"{path.name}: {wrong}" for path in paths for wrong in forms_imported(path.read_text())] == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from yingjian.reports.render.pdf import write_pdf", "yingjian.reports.render.pdf.write_pdf"),
        ("from yingjian.reports.render import pdf", "yingjian.reports.render.pdf"),
        ("from yingjian.reports import write_packs", "yingjian.reports.write_packs"),
        ("import yingjian.reports.render.pdf", "yingjian.reports.render.pdf"),
        ("from yingjian import reports", "yingjian.reports"),
    ],
)
def test_an_import_of_a_form_is_found(source: str, name: str) -> None:
    own = "from yingjian.reports.content import text\nfrom yingjian.reports.content.text import day\n"
    assert forms_imported(own) == []
    assert forms_imported(own + source) == [f"line 3: {name}"]


def test_packages_begin_with_no_logic() -> None:
    """An `__init__.py` holds a docstring, imports and `__all__`; that of the whole sets polars' threads before it is loaded."""
    assert [
        f"{path.relative_to(PACKAGE)}: line {node.lineno}"
        for path in PACKAGE.rglob("__init__.py")
        for node in ast.parse(path.read_text()).body
        if path.parent != PACKAGE
        and not isinstance(node, ast.Import | ast.ImportFrom)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
    ] == []
