"""Data Docs, dbt's documentation and the runbooks, for the data team."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

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


@router.get("/{collection}")
def collection(request: Request, reader: OfDataTeam, collection: str) -> Response:
    """Data Docs (audit) or dbt's documentation (models) in the portal's frame."""
    if collection not in documents.there():
        raise HTTPException(404)
    return page(request, reader, "document.html.j2", collection=collection)


@router.get("/models/index.html")
def models_page(reader: OfDataTeam) -> Response:
    content = documents.models_page()
    if content is None:
        raise HTTPException(404)
    return HTMLResponse(content, headers={"content-security-policy": documents.POLICIES["models"]})


@router.get("/audit/{path:path}")
def audit_file(reader: OfDataTeam, path: str) -> Response:
    file = documents.audit_file(path)
    if file is None:
        raise HTTPException(404)
    return FileResponse(file, headers={"content-security-policy": documents.POLICIES["audit"]})
