"""A variable of the portal is called by the noun that it holds (docs/english.md, rule 4)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from yingjian.portal.pages import STATIC

PORTAL = STATIC.parent
EMPTY_WORDS = {"found", "said", "made", "kept", "told"}


def bound(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of each variable and parameter of a module, those of lambdas too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg


def test_no_variable_is_called_by_a_word_that_says_nothing():
    names = [(path, line, name) for path in PORTAL.rglob("*.py") for line, name in bound(path.read_text("utf-8"))]
    assert len(names) > 1000
    assert [f"{path.name}:{line} {name}" for path, line, name in names if name in EMPTY_WORDS] == []
    assert {name for _, name in bound("found = 1\nf = lambda told: told\nfor kept in (): pass")} >= {
        "found",
        "told",
        "kept",
    }


def test_no_template_calls_one_so():
    words = re.compile(
        rf"\{{%-? (?:set|for) [^%]*\b(?:{'|'.join(EMPTY_WORDS)})\b|\{{\{{ ?(?:{'|'.join(EMPTY_WORDS)})\b"
    )
    assert words.search("{% for row in found %}") and words.search("{{ kept.x }}")
    assert [path.name for path in (PORTAL / "templates").glob("*.j2") if words.search(path.read_text("utf-8"))] == []
