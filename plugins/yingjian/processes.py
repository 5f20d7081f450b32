"""A process of Yingjian leaves no persons' data behind when it crashes, and does not outlive the one that started it."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress


def no_core_files() -> None:
    """Forbid core files to this process and those it starts: a core file holds the persons' data that was in memory.

    With a limit of 1 the kernel neither writes one nor hands it to a program (core(5)); 0 does not stop the latter.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1) if resource.getrlimit(resource.RLIMIT_CORE)[1] else (0, 0))


def end_with(parent: int) -> None:
    """Ask Linux to kill this process when the parent is gone (PR_SET_PDEATHSIG); end at once if it is gone already.

    The process asks for it itself. Code that runs between the parent's fork and the start of the program may wait for
    ever for a lock that another thread of the parent held.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(f"process {parent}, which started this service, is gone")
