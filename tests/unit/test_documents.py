"""The documents name what exists: repository paths, targets of the Makefile, and in both READMEs the same."""

from __future__ import annotations

import re

import pytest

from tests.unit.test_layers import LAYERS, imported, modules
from yingjian.cli import app
from yingjian.settings import PROJECT_ROOT

DOCUMENTS = sorted(
    path.relative_to(PROJECT_ROOT).as_posix()
    for path in (
        *(PROJECT_ROOT / name for name in ("README.md", "README.zh.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(PROJECT_ROOT / "docs").rglob("*.md"),
    )
)
FOLDERS = ("dags", "dbt_project", "docs", "expectations", "plugins", "tests", ".ci")
FILES = r"[A-Z]+(?:\.zh)?\.md|LICENSE|Makefile|Dockerfile|pyproject\.toml|uv\.lock|docker-compose\.yml|hatch_build\.py|\.env\.example"
PLACEHOLDER = "NAME"  # A path such as dbt_project/models/marts/NAME.sql stands for files that a contributor adds.


def read(name: str) -> str:
    return (PROJECT_ROOT / name).read_text(encoding="utf-8")


def paths(text: str) -> set[str]:
    """The repository paths that a text writes in backticks, without what follows a colon, such as a line number."""
    spans = (span.partition(":")[0] for span in re.findall(r"`([^`\n]+)`", text))
    return {
        span
        for span in spans
        if re.fullmatch(FILES, span)
        or (re.fullmatch(r"[\w./*-]+", span) and span.split("/")[0] in FOLDERS and "/" in span)
    }


def missing_paths(text: str) -> set[str]:
    """The paths of a text of which the repository has none."""
    return {
        path for path in paths(text) if not any(PROJECT_ROOT.glob(re.sub(rf"\b{PLACEHOLDER}\b", "*", path).rstrip("/")))
    }


def code(text: str) -> str:
    """This function returns the code blocks and the code spans of a text."""
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", text)])


def targets(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


def missing_targets(text: str, makefile: str) -> set[str]:
    """The targets that a text's code names and the Makefile lacks."""
    return set(re.findall(r"\bmake ([a-z][a-z-]*)", code(text))) - targets(makefile)


def commands() -> dict[str, set[str]]:
    """The commands of `yingjian`, each with its actions; a command without actions has none."""

    return {name: set(getattr(one, "commands", {})) for name, one in app.command().commands.items()}


def missing_commands(text: str, known: dict[str, set[str]]) -> set[str]:
    """The commands and actions that a text's code names and `yingjian` lacks."""
    missing = set()
    for name, action in re.findall(
        r"(?:^|[\s`/(\"$])yingjian ([a-z][a-z-]*)(?: ([a-z][a-z-]*)\b)?", code(text), re.MULTILINE
    ):
        if name not in known:
            missing.add(name)
        elif action and known[name] and action not in known[name]:
            missing.add(f"{name} {action}")
    return missing


def outline(text: str) -> dict[str, object]:
    """Return what both READMEs have in common: levels of headings, commands, links, repository paths, the size of tables, and
    the points of lists in their order, each by the paths that it names.
    """
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return {
        "headings": [len(marks) for marks in re.findall(r"^(#+) ", prose, re.MULTILINE)],
        "commands": [[line.partition(" #")[0].rstrip() for line in block.splitlines()] for block in blocks],
        "links": sorted(link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("README")),
        "paths": sorted(paths(prose)),
        "tables": [len(table.splitlines()) for table in re.findall(r"(?:^\|.*\n)+", prose, re.MULTILINE)],
        "points": [sorted(paths(point)) for point in re.findall(r"^- .*\n(?:  \S.*\n)*", prose, re.MULTILINE)],
    }


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_exists(name: str) -> None:
    assert missing_paths(read(name)) == set()


def test_documents_name_paths() -> None:
    """A pattern that matches nothing would find nothing missing."""
    assert len(DOCUMENTS) > 10
    assert {"expectations/", "docs/upgrading.md", "docker-compose.yml"} <= paths(read("README.md"))
    assert "dbt_project/models/marts/NAME.sql" in paths(read("CONTRIBUTING.md"))


@pytest.mark.parametrize(
    "path", ["docs/gone.md", "expectations/gone/", "plugins/yingjian/gone.py", "GONE.md", "dags/NAME.sql"]
)
def test_a_path_that_is_gone_is_found(path: str) -> None:
    assert missing_paths(f"See `{path}` and `docs/upgrading.md`.") == {path}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_target_is_in_the_makefile(name: str) -> None:
    assert missing_targets(read(name), read("Makefile")) == set()


def test_a_target_that_is_gone_is_found() -> None:
    assert {"check", "test", "lint"} <= targets(read("Makefile"))
    assert missing_targets("Run `make gone`, or:\n```\nmake fly  # now\nmake test\n```\n", "test: .venv/ready\n") == {
        "gone",
        "fly",
    }


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_is_one_of_yingjian(name: str) -> None:
    assert missing_commands(read(name), commands()) == set()


def test_a_command_that_is_gone_is_found() -> None:
    known = commands()
    assert {"run", "quarantine", "coverage"} <= known.keys() and "retry" in known["quarantine"]
    text = "Run `yingjian fly`, `yingjian quarantine burn` or:\n```\n.venv/bin/yingjian run --date D\nyingjian sing  # now\n```\n"
    assert missing_commands(text, known) == {"fly", "quarantine burn", "sing"}


@pytest.mark.parametrize("part", ["headings", "commands", "links", "paths", "tables", "points"])
def test_both_readmes_have_the_same(part: str) -> None:
    assert outline(read("README.zh.md"))[part] == outline(read("README.md"))[part]
    assert outline(read("README.md"))[part]


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("headings", "## How it goes", "How it goes"),
        ("commands", "yingjian live", "yingjian die"),
        ("links", "](docs/report.png)", "](docs/portal.png)"),
        ("paths", "`docs/scale.md`", "`docs/spark.md`"),
        ("tables", "|---|---|\n", "|---|---|\n| one row more | here |\n"),
        ("points", "- **Signed off first**", "**Signed off first**"),
    ],
)
def test_readmes_that_differ_are_found(part: str, old: str, new: str) -> None:
    text = read("README.md")
    assert old in text
    assert outline(text.replace(old, new))[part] != outline(text)[part]


def documented_imports(text: str) -> list[tuple[str, set[str]]]:
    """The table of docs/architecture.md says of each package, in its order, which packages it imports."""
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", text, re.MULTILINE)
    return [(package, set() if cell.startswith("nothing") else set(cell.split(", "))) for package, cell in rows]


def real_imports() -> list[tuple[str, set[str]]]:
    by_layer: dict[str, set[str]] = {layer: set() for layer in LAYERS}
    for own, path in modules():
        by_layer[own] |= {
            layer for _, layer in imported(path.read_text(encoding="utf-8")) if layer in LAYERS and layer != own
        }
    return list(by_layer.items())


def test_the_table_of_packages_is_that_of_the_code() -> None:
    text = read("docs/architecture.md")
    assert documented_imports(text) == real_imports()
    altered = text.replace("| settings, names, reference |", "| settings, names |")
    assert altered != text and documented_imports(altered) != real_imports()


def test_the_page_of_decisions_names_each_with_its_title() -> None:
    folder = PROJECT_ROOT / "docs" / "decisions"
    titles = {
        path.name: path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        for path in folder.glob("*.md")
        if path.name != "README.md"
    }
    listed = re.findall(r"^\| \[[\w-]+\]\(([\w-]+\.md)\) \| (.+) \|$", read("docs/decisions/README.md"), re.MULTILINE)
    assert len(listed) > 40 and listed == sorted(titles.items())
