"""This module keeps a process's temporary files in the home, readable by the owner only, and removes them even after a kill.

They hold personal data: landing unpacks rows there, and libraries write unfinished spreadsheets there. In the system's
temporary folder, the files of a killed process would stay forever.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from yingjian.settings import home_of

NAME = "scratch"


@contextmanager
def own_folder() -> Iterator[None]:
    """Give this process and the programs that it starts a temporary folder of their own.

    The folders of dead processes are removed first. A process holds a file lock on its folder for as long as it or a fork of
    it lives; the kernel releases the lock even after a kill. If there is no home yet, or this user cannot write to it, the
    system's temporary folder stays in use.
    """
    folder = _new_folder(home_of(os.environ) / NAME)
    if folder is None:
        yield
        return
    descriptor, path = folder
    maker, before, given = os.getpid(), tempfile.tempdir, os.environ.get("TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = str(path)
    try:
        yield
    finally:
        tempfile.tempdir = before
        if given is None:
            os.environ.pop("TMPDIR", None)
        else:
            os.environ["TMPDIR"] = given
        if os.getpid() == maker:  # A fork gets here too, but the folder belongs to its parent.
            shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def _new_folder(scratch: Path) -> tuple[int, Path] | None:
    """Return the descriptor of a lock and its new folder; None if it cannot be made, or the home has no secrets yet."""
    if not (scratch.parent / "secrets").is_dir():
        return None
    try:
        scratch.mkdir(exist_ok=True, mode=0o700)
        with (scratch / ".lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # Other processes must not sweep the new folder before it is locked.
            _sweep(scratch)
            path = Path(tempfile.mkdtemp(dir=scratch, prefix=""))
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return None
    return descriptor, path


def _sweep(scratch: Path) -> None:
    """Remove the folders of dead processes."""
    for folder in scratch.iterdir():
        if folder.is_dir() and not folder.is_symlink():
            with suppress(OSError):  # The folder of a living process is locked.
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os.close(descriptor)
