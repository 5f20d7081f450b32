"""This channel copies the files of a publication into a folder of their own in the shared folder.

A file appears there complete or not at all, and no file is ever overwritten.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from pathlib import Path

from yingjian.delivery.errors import NotSent
from yingjian.delivery.messages import Message

# The group of the share may read; other users of the machine may not.
FILE_MODE, FOLDER_MODE = 0o640, 0o750


class Folder:
    """This channel copies to `<shared folder>/<target>/<as_of_date>-p<publication_id>/`. Copying again changes nothing."""

    per_minute: int | None = None
    is_repeatable = True

    def __init__(self, root: Path) -> None:
        self._root = root

    def reference(self, message: Message) -> str:
        return message.folder

    def open(self) -> None:
        """Create the shared folder. Raises NotSent when that fails, for example because a share is not mounted."""
        try:
            self._root.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise NotSent(f"共享文件夹不可用（{error.strerror}）", again=True, is_general=True) from None

    def close(self) -> None:
        """Do nothing: this channel keeps no file open."""

    def send(self, target: str, message: Message) -> None:
        """Copy the message's files. Raises NotSent when another file of that name exists, or when writing fails."""
        folder = (self._root / target / message.folder).resolve()
        if not folder.is_relative_to(self._root.resolve()):
            raise NotSent("共享文件夹的路径越出其范围", again=False)
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            for path in message.attached("folder"):
                _copy(path, folder / path.name)
        except OSError as error:
            raise NotSent(f"共享文件夹写入失败（{error.strerror}）", again=True) from None


def _copy(source: Path, target: Path) -> None:
    if target.exists():
        if filecmp.cmp(source, target, shallow=False):
            return
        raise NotSent("共享文件夹中已有同名而内容不同的文件，没有覆盖", again=False)
    unfinished = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        with source.open("rb") as reader, unfinished.open("xb") as writer:
            shutil.copyfileobj(reader, writer)
            writer.flush()
            os.fsync(writer.fileno())
        unfinished.chmod(FILE_MODE)
        unfinished.rename(target)
    finally:
        unfinished.unlink(missing_ok=True)
