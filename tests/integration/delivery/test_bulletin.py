"""The bulletin: what it says is in the rows, the page and the PDF agree, and the same publication gives the same bytes."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import psycopg
import pypdf
import pytest

from tests.integration.delivery.conftest import PUBLICATION
from yingjian.reports.bulletin import write_bulletin


def words(path: Path) -> str:
    """The text of a file, without blanks and without what a style sheet says."""
    if path.suffix == ".pdf":
        text = "".join(page.extract_text() for page in pypdf.PdfReader(path).pages)
    else:
        text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"\s", "", text)


def test_page_and_pdf_say_the_rows(conn: psycopg.Connection, tmp_path: Path) -> None:
    bulletin = write_bulletin(conn, PUBLICATION, tmp_path)
    for path in bulletin.files:
        text = words(path)
        for expected_text in (
            "北峰街道疫情防控信息", "截至2022年7月24日（星期日）24时", "应急状态，自7月13日起，第12天",
            "当日新增本土感染者＊", "重点人群应检4,321人次", "其中：已达标4,300人次99.5%", "其中：逾期未检21人次0.5%",
            "北峰社区3213156", "招丰社区＊＊＊", "1至4人的数字及可据以推算的数字不公布",
        ):  # fmt: skip
            assert expected_text in text, (path.name, expected_text)
    assert stat.S_IMODE(bulletin.page.parent.stat().st_mode) == 0o700


def test_the_same_publication_gives_the_same_bytes(conn: psycopg.Connection, tmp_path: Path) -> None:
    first = write_bulletin(conn, PUBLICATION, tmp_path / "a")
    second = write_bulletin(conn, PUBLICATION, tmp_path / "b")
    assert [path.read_bytes() for path in first.files] == [path.read_bytes() for path in second.files]
    other = write_bulletin(conn, PUBLICATION - 1 + 1, tmp_path / "a")
    assert other == first, "written again it stands in its own place"


def test_the_page_needs_nothing_from_outside(conn: psycopg.Connection, tmp_path: Path) -> None:
    page = write_bulletin(conn, PUBLICATION, tmp_path).page.read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:)', page) and "default-src 'none'" in page
    assert 'lang="zh-CN"' in page and 'name="viewport"' in page and "@media print" in page


def test_a_footnote_only_where_something_is_hidden_and_a_table_only_where_something_is_shown(
    conn: psycopg.Connection, tmp_path: Path
) -> None:
    with conn.transaction(force_rollback=True):
        conn.execute("update published.public_figure set value = 7, is_protected = false where is_protected")
        assert "据以推算" not in write_bulletin(conn, PUBLICATION, tmp_path / "a").page.read_text(encoding="utf-8")
    with conn.transaction(force_rollback=True):
        conn.execute("update published.public_figure set value = null, is_protected = true where community <> ''")
        page = write_bulletin(conn, PUBLICATION, tmp_path / "b").page.read_text(encoding="utf-8")
        assert "分社区数字不公布" in page and "<table>" not in page


def test_without_public_figures_there_is_no_bulletin(conn: psycopg.Connection, tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="publication 3 has no public figures"):
        write_bulletin(conn, 3, tmp_path)
