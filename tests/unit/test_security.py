"""The page of dangers names tests that there are."""

from __future__ import annotations

import re

from yingjian.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "security.md"


def missing(page: str) -> list[str]:
    """Return the tests that a page names and that there are not; `::name` belongs to the file that was named before."""
    file, found = "", []
    for named in re.findall(r"`((?:tests/[\w/]+\.py)?(?:::\w+)?)`", page):
        path, _, test = named.partition("::")
        file = path or file
        source = PROJECT_ROOT / file
        if not source.is_file() or (test and f"\ndef {test}(" not in source.read_text(encoding="utf-8")):
            found.append(named)
    return found


def test_every_test_of_the_page_is_there() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.count("`tests/integration/security/") > 10
    assert missing(page) == []


def test_every_file_of_security_tests_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    files = (PROJECT_ROOT / "tests" / "integration" / "security").glob("test_*.py")
    assert [path.name for path in files if f"security/{path.name}" not in page] == []


def test_a_test_that_is_gone_is_missing() -> None:
    page = "`tests/unit/test_security.py::test_a_test_that_is_gone_is_missing`, `::test_nobody_wrote`, `tests/unit/nobody.py`"
    assert missing(page) == ["::test_nobody_wrote", "tests/unit/nobody.py"]
