"""A pytest plugin: under continuous integration a skipped test fails, unless it needs the office's own documents.

The repository does not hold those documents; `needs_shared` marks the tests that read them.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

SET_SHARED = "set YINGJIAN_SHARED"


def needs_shared(path: Path) -> pytest.MarkDecorator:
    """Skip the test if a file or folder of the office's documents does not exist."""
    return pytest.mark.skipif(not path.exists(), reason=f"{path} is not there: {SET_SHARED}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr)
        if SET_SHARED not in reason:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was skipped, which counts as a failure here: {reason}"
    return report
