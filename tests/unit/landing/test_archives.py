"""Names of the members of an archive, and files that nobody sent on purpose."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from yingjian.landing import archives
from yingjian.landing.locations import Folder


class UnmarkedInfo(zipfile.ZipInfo):
    """A member whose name has no mark for UTF-8, as the programs of Windows and macOS write it."""

    encoding = "gbk"

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # This is zipfile's own name.
        return self.filename.encode(self.encoding), self.flag_bits


@pytest.mark.parametrize("encoding", ["gbk", "utf-8"])
@pytest.mark.parametrize("name", ["隔离点/七月一日.csv", "砼工班.csv", "a.csv"])
def test_a_chinese_name_of_a_member_is_read_however_it_was_written(tmp_path: Path, encoding: str, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = UnmarkedInfo(name)
        info.encoding = encoding
        archive.writestr(info, "x")
        archive.writestr("标明.csv", "y")
    with archives.opened(tmp_path / "a.zip") as members:
        assert [member.name for member in members] == [name, "标明.csv"]
        assert [member.open().read() for member in members] == [b"x", b"y"]


@pytest.mark.parametrize("name", [".DS_Store", "~$名单.xlsx", "Thumbs.db", "desktop.ini", "THUMBS.DB"])
def test_a_file_of_the_system_is_no_file_of_a_sender(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "guests"
    folder.mkdir()
    for file in (name, "a.csv"):
        (folder / file).write_text("x")
    assert [file.name for file in Folder(tmp_path).find()] == ["a.csv"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in (f"名单/{name}", "名单/a.csv", f"__MACOSX/{name}"):
            archive.writestr(file, "x")
    with archives.opened(tmp_path / "a.zip") as members:
        assert [member.name for member in members] == ["名单/a.csv"]
