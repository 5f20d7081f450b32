"""The YAML of the models can be read: a column is one entry in flow style, and its text stands beside it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from yingjian.settings import PROJECT_ROOT

PROJECT = PROJECT_ROOT / "dbt_project"
FILES = sorted(path for folder in ("models", "seeds") for path in (PROJECT / folder).rglob("*.yml"))


def badly_shared(blocks: str, texts: list[str]) -> dict[str, int]:
    """The doc blocks that fewer than two columns name, with how many do: their text belongs beside the column."""
    uses = Counter(name for text in texts for name in re.findall(r"\bdoc\('(\w+)'\)", text))
    return {name: uses[name] for name in re.findall(r"{% docs (\w+) %}", blocks) if uses[name] < 2}


def block_columns(text: str) -> list[str]:
    """The columns of a YAML file that are written over several lines, one key a line."""
    columns = re.findall(r"^    columns:\n((?:      .*\n)+)", text, re.MULTILINE)
    return [name for entries in columns for name in re.findall(r"^      - name: (\w+)", entries, re.MULTILINE)]


def test_a_doc_block_is_shared() -> None:
    assert FILES
    blocks = "\n".join(path.read_text(encoding="utf-8") for path in PROJECT.rglob("*.md"))
    assert "{% docs as_of_date %}" in blocks
    assert badly_shared(blocks, [path.read_text(encoding="utf-8") for path in FILES]) == {}


def test_a_doc_block_that_is_not_shared_is_named() -> None:
    blocks = "{% docs grid %}Grid.{% enddocs %} {% docs slot %}Day.{% enddocs %} {% docs unit %}Unit.{% enddocs %}"
    texts = ["""description: "{{ doc('grid') }}" """, """description: "{{ doc('grid') }} {{ doc('slot') }}" """]
    assert badly_shared(blocks, texts) == {"slot": 1, "unit": 0}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_column_is_one_entry(path: Path) -> None:
    assert block_columns(path.read_text(encoding="utf-8")) == []


def test_a_column_over_several_lines_is_named() -> None:
    text = (
        "models:\n  - name: due\n    columns:\n      - {name: grid}\n      - name: slot\n        data_type: integer\n"
    )
    assert block_columns(text) == ["slot"]
