"""Documents as pages and as data: reports, retrospectives, proposals, agendas."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pendulum import DateTime

from engine.installation import Installation
from storage import documents
from storage.documents import Document
from storage.incidents.board import both_languages, iso_time
from storage.incidents.incidents import UnknownIncident
from web.http.page_rendering import negotiate_language, render_page
from web.http.request_context import RequestContextDep
from web.schemas import documented_responses

router = APIRouter(tags=["documents"])
# A document brings its own styles and plots; it loads and runs nothing.
DOCUMENT_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
_LISTED = 100


class UnknownDocument(UnknownIncident):
    """No such document; the message says how to find the right one."""


@router.get("/api/documents", responses=documented_responses("documents", "Documents, the newest first"))
async def listing(
    context: RequestContextDep,
    kind: Annotated[str, Query(max_length=40, description="Of one kind, such as monthly-service-report.")] = "",
    about: Annotated[str, Query(max_length=32, description="Of one matter, such as INC-4.")] = "",
    limit: Annotated[int, Query(ge=1, le=documents.MOST)] = 50,
) -> JSONResponse:
    """List reports, retrospectives and other documents, without their bodies."""

    def look(installation: Installation, _now: DateTime) -> dict[str, Any]:
        with installation.database.read() as connection:
            found = documents.list_documents(connection, kind=kind, about=about.upper(), limit=limit)
        return {"documents": [document_summary(one) for one in found]}

    return JSONResponse(await context.read(look))


@router.get("/api/documents/{kind}/{name}", responses=documented_responses("document", "The document"))
async def document(
    kind: str,
    name: str,
    context: RequestContextDep,
    pages: Annotated[bool, Query(description="With its pages in both languages.")] = False,
) -> JSONResponse:
    """One document: its figures, and its text as Markdown in both languages."""
    found = await context.read(lambda installation, _now: _found(installation, f"{kind}/{name}"))
    return JSONResponse({**document_detail(found), **({"pages": dict(found.pages)} if pages else {})})


@router.get("/documents", include_in_schema=False)
async def show_documents(request: Request, context: RequestContextDep) -> HTMLResponse:
    """Show the list of documents."""

    def look(installation: Installation, _now: DateTime) -> list[dict[str, Any]]:
        with installation.database.read() as connection:
            return [document_summary(one) for one in documents.list_documents(connection, limit=_LISTED)]

    return render_page(request, "documents.html", documents=await context.read(look))


@router.get("/documents/{kind}/{name}", include_in_schema=False)
async def show_document(request: Request, kind: str, name: str, context: RequestContextDep) -> Response:
    """Show a document as it was made, in the reader's language."""
    found = await context.read(lambda installation, _now: _found(installation, f"{kind}/{name}"))
    wanted = "zh" if negotiate_language(request) == "zh_CN" else "en"
    body = found.pages.get(wanted) or found.pages.get("en", "")
    return HTMLResponse(body, headers={"content-security-policy": DOCUMENT_CSP})


def _found(installation: Installation, document_id: str) -> Document:
    with installation.database.read() as connection:
        found = documents.load_document(connection, document_id)
    if found is None:
        raise UnknownDocument(f"there is no document {document_id[:80]!r}: `tocsin report list` names them")
    return found


def document_summary(one: Document) -> dict[str, Any]:
    """Summary of a document for a list."""
    return {
        "id": one.id,
        "kind": one.kind,
        "title": both_languages(one.title),
        "about": one.about,
        "made_at": iso_time(one.made_at),
        "from_at": iso_time(one.from_at),
        "to_at": iso_time(one.to_at),
        "version": one.version,
    }


def document_detail(one: Document) -> dict[str, Any]:
    """Document with its figures and texts; rendered pages only on request."""
    return {**document_summary(one), "data": dict(one.data), "texts": dict(one.texts), "page": f"/documents/{one.id}"}
