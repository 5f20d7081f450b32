"""The next start removes what a killed program had unpacked, and keeps what a living one has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from stat import S_IMODE

import pytest

from yingjian.cli import main
from yingjian.settings import Settings

READER = """
import sys, time
from pathlib import Path
from yingjian.landing import archives
from yingjian.scratch import own_folder
path = Path(sys.argv[1])
with own_folder(), archives.opened(path) as members:
    for member in members:
        with archives.unpacked(path, member) as unpacked:
            print(unpacked, flush=True)
            time.sleep(60)
"""


def read(home: Path, archive: Path) -> tuple[subprocess.Popen[str], Path]:
    """Start a program that unpacks a member and stops there; return it and where the member lies."""
    environment = {**os.environ, "YINGJIAN_HOME": str(home)}
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(archive)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout is not None
    return reader, Path(reader.stdout.readline().strip())


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("rows.csv", "姓名\n陈测试\n")
    return tmp_path / "a.zip"


def test_a_killed_reader_leaves_nothing_behind_after_the_next_start(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.load({"YINGJIAN_HOME": str(tmp_path / "home")})
    settings.secret("one")
    scratch = settings.home / "scratch"
    (killed, left), (living, kept) = read(settings.home, archive), read(settings.home, archive)
    try:
        assert left.is_relative_to(scratch) and S_IMODE(scratch.stat().st_mode) == 0o700
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert left.exists() and kept.exists()
        monkeypatch.setenv("YINGJIAN_HOME", str(settings.home))
        assert main(["feeds", "reasons", "--help"]) == 0
        assert not left.exists() and kept.exists(), "a living reader goes on"
    finally:
        for reader in (killed, living):
            reader.send_signal(signal.SIGINT if reader is living else signal.SIGKILL)
            reader.wait()
    assert [path.name for path in scratch.iterdir()] == [".lock"], "who ends otherwise takes its own folder along"


def test_a_place_that_is_no_home_yet_stays_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(tmp_path))
    assert main(["feeds", "reasons", "--help"]) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_service_works_there(tmp_path: Path) -> None:
    """Tasks and the portal are forks of the services, or these themselves."""
    Settings.load({"YINGJIAN_HOME": str(tmp_path)}).secret("one")
    program = (
        "import sys, tempfile; from yingjian.operations import airflow_service as s;"
        "s._serve = lambda: print(tempfile.gettempdir()); sys.argv = ['x', 'portal']; s.main()"
    )
    environment = {**os.environ, "YINGJIAN_HOME": str(tmp_path)}
    shown = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert Path(shown.stdout.strip()).parent == tmp_path / "scratch"
