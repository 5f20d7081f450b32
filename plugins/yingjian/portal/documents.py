"""The data team reads Data Docs, dbt's documentation and the runbooks here. They are files without personal data."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from yingjian.portal.readers import settings

# Other programs wrote these documents. Data Docs run no scripts; dbt's page runs scripts without this site's session.
POLICIES = {
    "audit": "default-src 'none'; style-src 'self' 'unsafe-inline'; frame-ancestors 'self'",
    "models": "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval';"
    " style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'",
}
_EMPTY_CATALOG = '{"metadata": {}, "nodes": {}, "sources": {}, "errors": null}'


def there() -> list[str]:
    """Return the collections that exist on this machine."""
    files = {"audit": settings().data_docs / "index.html", "models": settings().dbt_target / "manifest.json"}
    return [name for name, path in files.items() if path.is_file()]


def suites() -> list[str]:
    """Return the suites in Data Docs of the last audit, as `schema.table`."""
    return sorted(_audit_pages())


def audit_page(suite: str, style: str) -> str | None:
    """Return the page of a suite in Data Docs; None when it does not exist.

    Data Docs request scripts and styles from the internet, which an office's machine does not reach: they are left out,
    and `style` is the address of a style sheet instead.
    """
    path = _audit_pages().get(suite)
    if path is None:
        return None
    content = _PARTS.sub("", _ELEMENTS.sub("", path.read_text(encoding="utf-8")))
    return content.replace("</head>", f'<link rel="stylesheet" href="{style}"></head>', 1)


_ELEMENTS = re.compile(r"<(script|style|nav|footer)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_PARTS = re.compile(r"<(?:link|img)\b[^>]*>|\son\w+=\"[^\"]*\"", re.IGNORECASE)


def _audit_pages() -> dict[str, Path]:
    pages = sorted((settings().data_docs / "validations").glob("**/warehouse-*.html"))
    return {path.stem.removeprefix("warehouse-"): path for path in pages}


def models_page() -> str | None:
    """Return dbt's documentation as one page, made like `dbt docs generate --static`; None without a manifest.

    This page describes the models of the last build. The data dictionary (`settings.data_dictionary`, models.html) is dbt's own
    file with the same content and the types of the columns; `yingjian docs` and the weekly maintenance write it.
    """
    manifest = settings().dbt_target / "manifest.json"
    try:
        stat = manifest.stat()
    except FileNotFoundError:
        return None
    return _models_page(manifest, stat.st_mtime_ns)


@cache
def _models_page(manifest: Path, modified: int) -> str:
    from dbt.task.docs import DOCS_INDEX_FILE_PATH

    _models_page.cache_clear()  # The page is large, so only the newest is kept.
    described = json.loads(manifest.read_text(encoding="utf-8"))
    written = json.dumps(described, ensure_ascii=False).replace("</", "<\\/")
    index = Path(DOCS_INDEX_FILE_PATH).read_text(encoding="utf-8")
    return index.replace('"MANIFEST.JSON INLINE DATA"', written).replace('"CATALOG.JSON INLINE DATA"', _EMPTY_CATALOG)


def runbooks() -> list[str]:
    return sorted(path.stem for path in _runbooks().glob("*.md"))


def runbook(name: str) -> Markup | None:
    """Return a runbook as HTML; HTML within it becomes text. None when there is no runbook of that name."""
    if name not in runbooks():
        return None
    text = (_runbooks() / f"{name}.md").read_text(encoding="utf-8")
    return Markup(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))  # noqa: S704 - escaped by the renderer


def _runbooks() -> Path:
    return settings().root / "docs" / "runbooks"
