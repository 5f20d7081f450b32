"""A list's pages hold each row once, and a number beyond the last page means the last one."""

from __future__ import annotations

import re

import pytest

from yingjian.portal.pages import STATIC
from yingjian.reports.content.paging import page_at
from yingjian.settings import PROJECT_ROOT


@pytest.mark.parametrize(
    "count, size, pages", [(0, 50, 1), (1, 50, 1), (50, 50, 1), (51, 50, 2), (100, 50, 2), (101, 50, 3)]
)
def test_the_last_page_holds_what_is_left(count, size, pages):
    assert page_at(1, count, size).pages == pages


@pytest.mark.parametrize("asked, number, skipped", [(1, 1, 0), (2, 2, 20), (3, 3, 40), (4, 3, 40), (99_999, 3, 40)])
def test_a_number_beyond_the_last_page_means_the_last(asked, number, skipped):
    page = page_at(asked, 41, 20)
    assert (page.number, page.skipped) == (number, skipped)
    assert page.limit.as_string(None) == f" limit 20 offset {skipped}"


def test_a_page_keeps_its_place_whatever_its_rows_become():
    page = page_at(2, 41, 20)
    assert page.rows == () and page.of(["a", "b"]) == page_at(2, 41, 20).of(["a", "b"])
    assert (page.of(["a"]).rows, page.of(["a"]).number, page.of(["a"]).count) == (["a"], 2, 41)


def test_no_module_and_no_template_pages_on_its_own():
    """A second way of counting pages would differ from the first one day."""
    plugins = PROJECT_ROOT / "plugins" / "yingjian"
    sources = [*(plugins / "portal").rglob("*.py"), *(plugins / "reports").rglob("*.py")]
    counting = {path.name for path in sources if re.search(r"-\(-|offset %\(|alias=\"page\"", path.read_text())}
    assert counting == {"paging.py", "limits.py"}
    templates = [path for path in (STATIC.parent / "templates").glob("*.j2") if path.name != "macros.html.j2"]
    assert [
        path.name for path in templates if re.search(r"""rel="(prev|next)"|t\("rows_of\"""", path.read_text())
    ] == []
