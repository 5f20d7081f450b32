"""These routes show Data Docs, dbt's documentation and the runbooks to the data team."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from yingjian.portal import documents
from yingjian.portal.access import OfDataTeam
from yingjian.portal.pages import page

router = APIRouter(prefix="/documents")


@router.get("/runbooks/{name}")
def runbook(request: Request, reader: OfDataTeam, name: str) -> Response:
    text = documents.runbook(name)
    if text is None:
        raise HTTPException(404)
    return page(request, reader, "runbook.html.j2", name=name, text=text)


@router.get("/audit")
def audit(request: Request, reader: OfDataTeam, suite: str = "") -> Response:
    """Show Data Docs of the last audit, suite by suite."""
    suites = documents.suites()
    if not suites:
        raise HTTPException(404)
    chosen = suite if suite in suites else suites[0]
    return page(
        request, reader, "document.html.j2", collection="audit", suites=suites, shown=f"audit/{chosen}", chosen=chosen
    )


@router.get("/audit/{suite}")
def audit_page(request: Request, reader: OfDataTeam, suite: str) -> Response:
    content = documents.audit_page(suite, f"{request.scope['root_path']}/static/documents.css")
    if content is None:
        raise HTTPException(404)
    return HTMLResponse(content, headers={"content-security-policy": documents.POLICIES["audit"]})


@router.get("/models")
def models(request: Request, reader: OfDataTeam) -> Response:
    """Show dbt's documentation of every model and column."""
    if "models" not in documents.there():
        raise HTTPException(404)
    return page(request, reader, "document.html.j2", collection="models", suites=[], shown="models/page", chosen="")


@router.get("/models/page")
def models_page(reader: OfDataTeam) -> Response:
    content = documents.models_page()
    if content is None:
        raise HTTPException(404)
    return HTMLResponse(content, headers={"content-security-policy": documents.POLICIES["models"]})
