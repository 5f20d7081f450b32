"""A file that the portal makes for a reader is gone once it was sent, and at once when it could not be made."""

from __future__ import annotations

import asyncio
import io
import stat
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi import UploadFile

from yingjian.portal.files import CSV, received, write_and_send


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_file_that_was_made_goes_after_it_was_sent(scratch):
    def write(folder: Path) -> tuple[Path, str]:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, "only the portal may read it"
        (folder / "list.csv").write_text("a")
        return folder / "list.csv", "逾期未检.csv"

    response = write_and_send(write, CSV)
    assert response.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote('逾期未检.csv')}"
    assert response.headers["content-type"] == CSV
    assert len(list(scratch.iterdir())) == 1, "it is there to be sent"
    assert response.background
    asyncio.run(response.background())
    assert list(scratch.iterdir()) == []


def test_nothing_stays_of_a_file_that_could_not_be_made(scratch):
    def write(folder: Path) -> tuple[Path, str]:
        (folder / "half.csv").write_text("a")
        raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        write_and_send(write)
    assert list(scratch.iterdir()) == []


def test_nothing_stays_of_a_file_that_was_received(scratch):
    with received(UploadFile(io.BytesIO(b"content"), filename="../../x.csv"), ".csv") as path:
        assert path.read_bytes() == b"content" and path.name == "sent.csv" and path.parent.parent == scratch
    assert list(scratch.iterdir()) == []
