"""This module keeps the bench's figures in the repository, compares new ones with them, and writes their page."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from yingjian.settings import PROJECT_ROOT

FILE = PROJECT_ROOT / "docs" / "generated" / "bench.json"
PAGE = FILE.with_name("bench.md")
WORSE = 1.1

HEAD = """# The figures of the last bench

`python -m tests.bench PART --keep` writes this page and `bench.json` beside it; `docs/performance.md` says what the parts measure.
Without `--keep` the bench says which ratio became worse by more than a tenth since then. Seconds are those of one machine.
"""


def read(file: Path = FILE) -> dict[str, Any]:
    """Return the kept figures by part."""
    figures: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return figures


def worse(before: Any | None, now: Any, ratios: Callable[[Any], Mapping[str, float]]) -> Iterator[str]:
    """Yield a line for each ratio that is more than a tenth above the kept one; before: None if no figures are kept."""
    kept = ratios(before) if before is not None else {}
    for name, ratio in ratios(now).items():
        if name in kept and ratio > kept[name] * WORSE:
            yield f"WORSE {name}: {kept[name]:.2f} before, {ratio:.2f} now"


def keep(figures: Mapping[str, Any], shows: Mapping[str, Callable[[Any], None]], file: Path = FILE) -> None:
    """Keep the figures of some parts, and write the page of all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    known = read(file) | dict(figures)
    file.write_text(json.dumps(known, ensure_ascii=False, indent=1) + "\n")
    file.with_name(PAGE.name).write_text(page(known, shows))


def page(figures: Mapping[str, Any], shows: Mapping[str, Callable[[Any], None]]) -> str:
    """Return the page with the printed tables of all parts."""
    texts = [HEAD]
    for name, show in shows.items():
        if name in figures:
            with redirect_stdout(io.StringIO()) as printed:
                show(figures[name])
            lines = "\n".join(line.rstrip() for line in printed.getvalue().splitlines())
            texts.append(f"\n## {name}\n\n```\n{lines}\n```\n")
    return "".join(texts)
