"""Data Docs, dbt's documentation and the runbooks: files of this machine, without personal data, behind the same check."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from yingjian.portal.readers import settings

# Documents that others' programs wrote: without scripts, or with scripts but without this site's session.
POLICIES = {
    "audit": "default-src 'none'; style-src 'self' 'unsafe-inline'; frame-ancestors 'self'",
    "models": "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval';"
    " style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'",
}
_EMPTY_CATALOG = '{"metadata": {}, "nodes": {}, "sources": {}, "errors": null}'


def there() -> list[str]:
    """Which collections there are on this machine."""
    found = {"audit": settings().data_docs / "index.html", "models": settings().dbt_target / "manifest.json"}
    return [name for name, path in found.items() if path.is_file()]


def suites() -> list[str]:
    """The suites that Data Docs of the last audit tell of, as `schema.table`."""
    return sorted(_audit_pages())


def audit_page(suite: str, style: str) -> str | None:
    """The page of a suite in Data Docs; None where there is none.

    Data Docs want scripts and styles from the internet, which an office's machine does not reach: they are left out, and
    `style` is the address of a style sheet instead.
    """
    path = _audit_pages().get(suite)
    if path is None:
        return None
    content = _PARTS.sub("", _ELEMENTS.sub("", path.read_text(encoding="utf-8")))
    return content.replace("</head>", f'<link rel="stylesheet" href="{style}"></head>', 1)


_ELEMENTS = re.compile(r"<(script|style|nav|footer)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_PARTS = re.compile(r"<(?:link|img)\b[^>]*>|\son\w+=\"[^\"]*\"", re.IGNORECASE)


def _audit_pages() -> dict[str, Path]:
    found = sorted((settings().data_docs / "validations").glob("**/warehouse-*.html"))
    return {path.stem.removeprefix("warehouse-"): path for path in found}


def models_page() -> str | None:
    """dbt's documentation as one page, made as `dbt docs generate --static` makes it; None without a manifest."""
    manifest = settings().dbt_target / "manifest.json"
    try:
        stat = manifest.stat()
    except FileNotFoundError:
        return None
    return _models_page(manifest, stat.st_mtime_ns)


@cache
def _models_page(manifest: Path, modified: int) -> str:
    from dbt.task.docs import DOCS_INDEX_FILE_PATH

    _models_page.cache_clear()  # The page is large: only the newest is kept.
    described = json.loads(manifest.read_text(encoding="utf-8"))
    written = json.dumps(described, ensure_ascii=False).replace("</", "<\\/")
    index = Path(DOCS_INDEX_FILE_PATH).read_text(encoding="utf-8")
    return index.replace('"MANIFEST.JSON INLINE DATA"', written).replace('"CATALOG.JSON INLINE DATA"', _EMPTY_CATALOG)


def runbooks() -> list[str]:
    return sorted(path.stem for path in _runbooks().glob("*.md"))


def runbook(name: str) -> Markup | None:
    """A runbook as HTML; HTML within it is text. None where there is none of that name."""
    if name not in runbooks():
        return None
    text = (_runbooks() / f"{name}.md").read_text(encoding="utf-8")
    return Markup(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))  # noqa: S704 - escaped by the renderer


def _runbooks() -> Path:
    return settings().root / "docs" / "runbooks"
