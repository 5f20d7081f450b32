"""Others' documents are never from elsewhere, and never outside their folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from yingjian.portal import documents
from yingjian.settings import PROJECT_ROOT, Settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = Settings.load({"YINGJIAN_HOME": str(tmp_path)})
    monkeypatch.setattr(documents, "settings", lambda: settings)
    return settings


def test_there_is_nothing_before_the_first_run(home):
    assert documents.there() == [] and documents.suites() == []
    assert documents.audit_page("build.overdue", "x.css") is None and documents.models_page() is None


def test_data_docs_lose_what_they_want_from_the_internet(home):
    folder = home.data_docs / "validations" / "build" / "overdue" / "__none__"
    folder.mkdir(parents=True)
    (folder / "warehouse-build.overdue.html").write_text(
        "<html><head><LINK rel=stylesheet href='https://x/y.css'><script>\nfetch('/api')\n</script ></head>"
        '<body onload="go()"><nav><a href="https://x">x</a></nav><table><tr><td>kept</td></tr></table></body></html>'
    )
    assert documents.suites() == ["build.overdue"]
    page = documents.audit_page("build.overdue", "/own.css")
    assert page == (
        '<html><head><link rel="stylesheet" href="/own.css"></head>'
        "<body><table><tr><td>kept</td></tr></table></body></html>"
    )
    assert documents.audit_page("../../secrets/x", "/own.css") is None


def test_dbt_s_page_holds_the_manifest_and_ends_no_script_early(home):
    home.dbt_target.mkdir()
    (home.dbt_target / "manifest.json").write_text('{"described": "</script><script>alert(1)</script>"}')
    page = documents.models_page()
    assert page and '<\\/script><script>alert(1)<\\/script>"' in page
    assert "MANIFEST.JSON INLINE DATA" not in page and "CATALOG.JSON INLINE DATA" not in page
    (home.dbt_target / "manifest.json").unlink()
    assert documents.models_page() is None


def test_runbooks_are_those_of_the_project(home):
    assert {"daily", "landing", "maintenance", "portal"} <= set(documents.runbooks())
    assert (PROJECT_ROOT / "docs" / "runbooks" / "portal.md").is_file()
    shown = documents.runbook("daily")
    assert shown and "<table>" in shown and "<h1>" in shown
    assert documents.runbook("../decisions/portal") is None
