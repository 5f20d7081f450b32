"""The shared folder: whole files, never another one's, never outside."""

from __future__ import annotations

import stat
from datetime import time
from pathlib import Path

import psycopg
import pytest

from tests.integration.delivery.conftest import PUBLICATION
from tests.towns import town
from yingjian.delivery import courier
from yingjian.delivery.errors import NotSent
from yingjian.delivery.folder import Folder
from yingjian.delivery.messages import Composer, Message
from yingjian.people.officials import Officials


def message(folder: str, *files: Path) -> Message:
    return Message("token", folder, "日报", (), files=files)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    path = tmp_path / "pack" / "community-招丰社区.xlsx"
    path.parent.mkdir()
    path.write_bytes(b"first")
    return path


def test_the_pack_of_a_community_lies_where_the_community_looks(
    conn: psycopg.Connection, composer: Composer, officials: Officials, tmp_path: Path
) -> None:
    grid = Officials({"grid": officials.by_login["grid"], "press": officials.by_login["press"]})
    shared = tmp_path / "shared"
    for what in ("pack", "bulletin"):
        courier.plan(conn, PUBLICATION, what, grid, courier.due_at(town.LAST_DAY, time(7)))
        conn.execute("delete from delivery.attempt where channel = 'mail'")
        conn.commit()
        done = courier.deliver(conn, PUBLICATION, what, grid, composer, {"folder": Folder(shared)})
        assert done.states == {"sent": 1}
    names = sorted(str(path.relative_to(shared)) for path in shared.rglob("*") if path.is_file())
    assert names == [
        "对外发布/2022-07-24-p12/bulletin.html", "对外发布/2022-07-24-p12/bulletin.pdf",
        *(f"招丰社区/2022-07-24-p12/community-招丰社区.{kind}" for kind in ("docx", "html", "pdf", "png", "xlsx")),
    ]  # fmt: skip
    assert {stat.S_IMODE((shared / name).stat().st_mode) for name in names} == {0o640}
    assert stat.S_IMODE((shared / "招丰社区" / "2022-07-24-p12").stat().st_mode) == 0o750
    [(reference,)] = conn.execute("select distinct reference from delivery.attempt where what = 'pack'").fetchall()
    assert reference == "2022-07-24-p12"


def test_again_changes_nothing_and_another_file_is_never_overwritten(tmp_path: Path, pack: Path) -> None:
    folder = Folder(tmp_path / "shared")
    folder.open()
    folder.send("社区", message("2022-07-24-p12", pack))
    copy = tmp_path / "shared" / "社区" / "2022-07-24-p12" / pack.name
    before = copy.stat()
    folder.send("社区", message("2022-07-24-p12", pack))
    assert copy.stat().st_ino == before.st_ino and copy.stat().st_mtime_ns == before.st_mtime_ns
    copy.write_bytes(b"somebody's notes")
    with pytest.raises(NotSent, match="没有覆盖"):
        folder.send("社区", message("2022-07-24-p12", pack))
    assert copy.read_bytes() == b"somebody's notes"
    folder.send("社区", message("2022-07-24-p13", pack))
    assert (tmp_path / "shared" / "社区" / "2022-07-24-p13" / pack.name).read_bytes() == b"first"


def test_a_copy_that_breaks_off_leaves_nothing_half(
    tmp_path: Path, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path / "shared")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("yingjian.delivery.folder.os.fsync", full)
    with pytest.raises(NotSent, match="No space left") as raised:
        folder.send("社区", message("2022-07-24-p12", pack))
    assert raised.value.again
    assert [path for path in (tmp_path / "shared").rglob("*") if path.is_file()] == []


def test_nothing_is_written_outside(tmp_path: Path, pack: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "link").symlink_to(tmp_path)
    with pytest.raises(NotSent, match="越出"):
        Folder(tmp_path / "shared").send("link", message("2022-07-24-p12", pack))


def test_a_share_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotSent) as raised:
        Folder(tmp_path / "file" / "shared").open()
    assert raised.value.again and raised.value.is_general
