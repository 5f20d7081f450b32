"""This module sends files to a reader and takes those that a reader sends; nothing of a file stays on the portal's disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from fastapi import UploadFile
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv; charset=utf-8"
_PREFIX = "yingjian-"


def download(path: Path, name: str, media_type: str, background: BackgroundTask | None = None) -> FileResponse:
    """Return a file that the browser saves under a name, which may be Chinese."""
    return FileResponse(
        path,
        media_type=media_type,
        headers={"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"},
        background=background,
    )


def write_and_send(write: Callable[[Path], tuple[Path, str]], media_type: str = XLSX) -> FileResponse:
    """Return the file that `write` makes in a folder, under the name that it gives.

    Only the portal may read the folder. It is deleted once the file was sent, and at once when `write` raises an error.
    """
    folder = tempfile.TemporaryDirectory(prefix=_PREFIX)
    try:
        path, name = write(Path(folder.name))
    except BaseException:
        folder.cleanup()
        raise
    return download(path, name, media_type, BackgroundTask(folder.cleanup))


@contextmanager
def received(file: UploadFile, suffix: str = "") -> Iterator[Path]:
    """Yield a copy of an uploaded file, named `sent` plus a suffix; it is deleted when the block ends."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        path = Path(folder) / f"sent{suffix}"
        with path.open("wb") as copy:
            shutil.copyfileobj(file.file, copy)
        yield path
