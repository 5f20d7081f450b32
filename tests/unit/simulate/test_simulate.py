"""The simulator: the same arguments give the same bytes; every feed is there, as the platform writes it."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

from yingjian import simulate
from yingjian.landing.feeds import FEEDS, RISK_AREAS
from yingjian.landing.readers import open_table


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*")) if path.is_file()
    }  # fmt: skip


def test_deterministic_by_seed(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        simulate.write_landing(tmp_path / name, 300, 5, seed, date(2022, 7, 24))
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_every_feed_is_there_and_can_be_read(simulated_landing: Path) -> None:
    assert {path.name for path in simulated_landing.iterdir()} == {*FEEDS, RISK_AREAS}
    for feed in FEEDS.values():
        for path in (simulated_landing / feed.name).iterdir():
            assert next(open_table(path, feed).chunks).cells.height
