"""Retention of files: packs, their copies and fetched pages go a day after their last day, and nothing else does."""

from __future__ import annotations

import os
from datetime import date, datetime, time, timedelta
from pathlib import Path

from yingjian.clock import SHANGHAI
from yingjian.privacy import retention

LAST_KEPT = date(2021, 7, 10)
GONE = LAST_KEPT - timedelta(days=1)


def test_files_go_after_their_last_day(tmp_path: Path) -> None:
    reports, shared, pulled = (tmp_path / name for name in ("reports", "shared", "pulled"))
    folders = [
        reports / f"{LAST_KEPT}-p3", reports / f"{GONE}-p2", reports / f"{GONE}-p1-copy", reports / "notes",
        shared / "甲" / f"{LAST_KEPT}-p3", shared / "甲" / "乙" / f"{GONE}-p2", pulled / "arrivals" / f"{GONE}-p2",
    ]  # fmt: skip
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "office.html").touch()
    files = [reports / f"{GONE}-p2.html", shared / "甲" / f"{GONE}-p4"]
    for file in files:
        file.touch()
    midnight = datetime.combine(LAST_KEPT, time(), SHANGHAI)
    for name, moment in (("kept.json", midnight), ("gone.json", midnight - timedelta(seconds=1))):
        page = pulled / "arrivals" / name
        page.touch()
        os.utime(page, (moment.timestamp(), moment.timestamp()))

    before = dict.fromkeys(("packs", "shared", "pulled"), LAST_KEPT)
    done = retention._files(before, reports, pulled, shared, LAST_KEPT + timedelta(days=1))
    assert {deletion.what: deletion.rows for deletion in done} == {"packs": 1, "shared": 1, "pulled": 1}
    gone = {reports / f"{GONE}-p2", shared / "甲" / "乙" / f"{GONE}-p2"}
    assert {folder for folder in folders if not folder.exists()} == gone
    assert [path.name for path in sorted((pulled / "arrivals").iterdir())] == [f"{GONE}-p2", "kept.json"]
    assert all(file.exists() for file in files), "the office's page names nobody, and a file is no pack"


def test_the_pack_of_the_current_publication_stays(tmp_path: Path) -> None:
    pack = tmp_path / "reports" / f"{GONE}-p2"
    pack.mkdir(parents=True)
    retention._files({"packs": LAST_KEPT}, tmp_path / "reports", tmp_path, tmp_path, GONE)
    assert pack.exists()


def test_without_a_rule_no_file_goes(tmp_path: Path) -> None:
    pack = tmp_path / "reports" / f"{GONE}-p2"
    pack.mkdir(parents=True)
    assert retention._files({}, tmp_path / "reports", tmp_path, tmp_path, LAST_KEPT) == []
    assert pack.exists()
