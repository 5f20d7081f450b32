"""Under continuous integration a skip is a failure; without it, or for want of the office's documents, it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from yingjian.settings import PROJECT_ROOT

SKIPPED = """
import pytest
from pathlib import Path
from tests.skips import needs_shared

@pytest.mark.skipif(True, reason="redis-server is not installed")
def test_a_tool(): pass

def test_in_the_middle(): pytest.skip("no browser")

@needs_shared(Path("/nowhere/cases"))
def test_the_documents(): pass
"""


@pytest.mark.parametrize(("is_ci", "summary"), [("1", "1 failed, 1 skipped, 1 error"), ("", "3 skipped")])
def test_a_skip_fails_under_continuous_integration(tmp_path: Path, is_ci: str, summary: str) -> None:
    (tmp_path / "test_skipped.py").write_text(SKIPPED, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.skips", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=PROJECT_ROOT,
        env={**os.environ, "CI": is_ci, "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert summary in done.stdout
    assert ("redis-server is not installed" in done.stdout) is bool(is_ci)
