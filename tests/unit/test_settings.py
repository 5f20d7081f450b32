"""A crash leaves no core file."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CRASH = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
LIMITED = "from yingjian.settings import no_core_files; no_core_files(); "


def crash(code: str, folder: Path) -> bool:
    """Whether a process that crashes in `folder` leaves a core file."""

    def unlimited() -> None:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, preexec_fn=unlimited)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -os.WTERMSIG(status)
    assert os.WTERMSIG(status) == signal.SIGSEGV
    return os.WCOREDUMP(status)


def test_a_crash_leaves_no_core_file(tmp_path: Path) -> None:
    assert not crash(LIMITED + CRASH, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_the_limit_it_does(tmp_path: Path) -> None:
    if not crash(CRASH, tmp_path):
        pytest.skip("this machine writes no core files at all")
