"""The bench remembers: it says what became worse, and the page shows the figures that are kept."""

from __future__ import annotations

from pathlib import Path

from tests.bench import kept
from tests.bench.__main__ import PARTS


def ratios(figures: dict[str, float]) -> dict[str, float]:
    return figures


def test_more_than_a_tenth_above_is_worse() -> None:
    before, now = {"a": 1.0, "b": 1.0, "gone": 1.0}, {"a": 1.2, "b": 1.05, "new": 9.0}
    assert list(kept.worse(before, now, ratios)) == ["WORSE a: 1.00 before, 1.20 now"]
    assert list(kept.worse(None, now, ratios)) == []


def test_one_part_is_kept_beside_the_others(tmp_path: Path) -> None:
    shows = {"one": lambda figures: print("one", figures["a"]), "two": lambda figures: print("two", figures["a"])}
    kept.keep({"one": {"a": 1}}, shows, tmp_path / "bench.json")
    kept.keep({"two": {"a": 2}}, shows, tmp_path / "bench.json")
    assert kept.read(tmp_path / "bench.json") == {"one": {"a": 1}, "two": {"a": 2}}
    assert "one 1" in (page := (tmp_path / "bench.md").read_text()) and "two 2" in page


def test_the_page_is_that_of_the_kept_figures() -> None:
    figures = kept.read()
    assert figures.keys() <= PARTS.keys() and figures
    assert kept.PAGE.read_text() == kept.page(figures, {name: part.show for name, part in PARTS.items()})
    assert all(part.ratios(figures[name]) for name, part in PARTS.items() if name in figures and name != "simulator")
