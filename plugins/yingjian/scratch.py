"""Temporary files of a program lie in its home, for nobody but its owner, and go with it, however it ends.

Landing unpacks rows there, and libraries write sheets there before they are whole. In the system's folder a killed program
would leave them for good.
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
    """Let Python's temporary files, and those of programs that it starts, lie in a folder of this process.

    The folders of processes that are gone are removed first. A process holds the lock of its folder for as long as it, or
    a fork of it, lives; the kernel releases it after a kill too. Where there is no home yet, or it is closed to this
    user, the system's folder stays in use.
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
        if os.getpid() == maker:  # A fork ends here too, and the folder is its parent's.
            shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def _new_folder(scratch: Path) -> tuple[int, Path] | None:
    """Return a new folder with its lock; None where the home has no room for one, or is none before its first secret."""
    if not (scratch.parent / "secrets").is_dir():
        return None
    try:
        scratch.mkdir(exist_ok=True, mode=0o700)
        with (scratch / ".lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # A new folder is not removed before its lock is taken.
            _sweep(scratch)
            path = Path(tempfile.mkdtemp(dir=scratch, prefix=""))
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return None
    return descriptor, path


def _sweep(scratch: Path) -> None:
    """Remove the folders of processes that are gone."""
    for folder in scratch.iterdir():
        if folder.is_dir() and not folder.is_symlink():
            with suppress(OSError):  # The folder of a living process is locked.
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os.close(descriptor)
