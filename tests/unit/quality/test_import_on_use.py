"""A deferred module is imported when something of it is used, and from then on like any other."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

from yingjian.quality.import_on_use import import_on_use


def test_a_module_is_imported_on_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "seldom_used").mkdir()
    (tmp_path / "seldom_used" / "__init__.py").write_text("import sys\nsys.seldom_used = True\nvalue = 7\n")
    (tmp_path / "seldom_used" / "part.py").write_text("value = 8\n")
    monkeypatch.syspath_prepend(tmp_path)
    import_on_use("seldom_used", "json")
    seldom_used = import_module("seldom_used")
    assert not hasattr(sys, "seldom_used")
    assert seldom_used.value == 7 and hasattr(sys, "seldom_used")
    assert import_module("seldom_used.part").value == 8 and seldom_used.value == 7, (
        "the deferred module still works where somebody kept it"
    )
    assert sys.modules["json"].loads("1") == 1, "a module that was imported before stays"
    del sys.seldom_used  # type: ignore[attr-defined]


def test_great_expectations_is_imported_without_what_no_suite_needs() -> None:
    import subprocess

    script = (
        "import sys\nfrom yingjian.quality import expectations\n"
        "print([name for name in ('altair.vegalite', 'scipy.stats._stats_py') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
