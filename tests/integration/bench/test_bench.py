"""The parts of the bench that nobody runs every day still run, on small towns; their seconds say nothing here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import bench_obligations, bench_reports
from tests.conftest import WORLD_DAY, HomeFactory
from yingjian.settings import Settings

pytestmark = pytest.mark.beyond


def test_every_way_gives_the_obligations_of_the_models(home_factory: HomeFactory, built_town: Settings) -> None:
    figures = {"the town": bench_obligations.measure(home_factory("obligations", built_town), WORLD_DAY)}
    assert figures["the town"]["memberships"] > 100
    assert set(bench_obligations.OTHERS) <= set(figures["the town"])
    bench_obligations.show(figures)
    assert bench_obligations.ratios({"the town": dict.fromkeys(figures["the town"], 1.0)}) != {}


def test_packs_of_made_up_towns(home_factory: HomeFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_reports, "PERSONS", (3_000, 6_000))
    figures = bench_reports.measure(home_factory("packs"), tmp_path)
    assert len(figures) == 2 * len(bench_reports.CHOSEN)
    assert all(row[kind] > 0 for row in figures.values() for kind in bench_reports.KINDS if kind != "beside")
    bench_reports.show(figures)
