"""A crash leaves no core file."""

from __future__ import annotations

import resource
import subprocess
import sys

LIMITS = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE)[0])"
LIMITED = "from yingjian.processes import no_core_files; no_core_files(); "


def core_limit(code: str) -> int:
    """The bytes that a core file of a process may have, where its parent allows one."""

    def allowed() -> None:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    done = subprocess.run([sys.executable, "-c", code], preexec_fn=allowed, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_a_crash_leaves_no_core_file() -> None:
    """A limit of one byte also keeps it from a program that collects core files; 0 does not."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    assert core_limit(LIMITS) == hard, "without the call it would be what the machine allows"
    assert core_limit(LIMITED + LIMITS) == (1 if hard else 0)
