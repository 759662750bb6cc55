"""Documents: reports, retrospectives, proposals, agendas. A page each, complete in itself, and the same as data."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pendulum import DateTime

from engine.house import House
from storage import documents
from storage.board import both, iso
from storage.documents import Document
from storage.incidents import UnknownIncident
from web.desk import AtDesk
from web.language import language_of, page
from web.schemas import answers

router = APIRouter(tags=["documents"])
# A document brings its own styles and plots; it loads and runs nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
_LISTED = 100


class UnknownDocument(UnknownIncident):
    """No such document; the message says how to find the right one."""


@router.get("/api/documents", responses=answers("documents", "Documents, the newest first"))
async def listing(
    desk: AtDesk,
    kind: Annotated[str, Query(max_length=40, description="Of one kind, such as monthly-service-report.")] = "",
    about: Annotated[str, Query(max_length=32, description="Of one matter, such as INC-4.")] = "",
    limit: Annotated[int, Query(ge=1, le=documents.MOST)] = 50,
) -> JSONResponse:
    """Reports, retrospectives and whatever else was written, without their bodies."""

    def look(house: House, _now: DateTime) -> dict[str, Any]:
        with house.database.read() as connection:
            found = documents.listing(connection, kind=kind, about=about.upper(), limit=limit)
        return {"documents": [in_short(one) for one in found]}

    return JSONResponse(await desk.read(look))


@router.get("/api/documents/{kind}/{name}", responses=answers("document", "The document"))
async def document(
    kind: str,
    name: str,
    desk: AtDesk,
    pages: Annotated[bool, Query(description="With its pages in both languages.")] = False,
) -> JSONResponse:
    """One document: its figures, and its text as Markdown in both languages."""
    found = await desk.read(lambda house, _now: _found(house, f"{kind}/{name}"))
    return JSONResponse({**whole(found), **({"pages": dict(found.pages)} if pages else {})})


@router.get("/documents", include_in_schema=False)
async def show_list(request: Request, desk: AtDesk) -> HTMLResponse:
    """The list as a page."""

    def look(house: House, _now: DateTime) -> list[dict[str, Any]]:
        with house.database.read() as connection:
            return [in_short(one) for one in documents.listing(connection, limit=_LISTED)]

    return page(request, "documents.html", documents=await desk.read(look))


@router.get("/documents/{kind}/{name}", include_in_schema=False)
async def show(request: Request, kind: str, name: str, desk: AtDesk) -> Response:
    """The document as it was made, in the reader's language."""
    found = await desk.read(lambda house, _now: _found(house, f"{kind}/{name}"))
    wanted = "zh" if language_of(request) == "zh_CN" else "en"
    body = found.pages.get(wanted) or found.pages.get("en", "")
    return HTMLResponse(body, headers={"content-security-policy": POLICY})


def _found(house: House, document_id: str) -> Document:
    with house.database.read() as connection:
        found = documents.load(connection, document_id)
    if found is None:
        raise UnknownDocument(f"there is no document {document_id[:80]!r}: `tocsin report list` names them")
    return found


def in_short(one: Document) -> dict[str, Any]:
    """A document in a list."""
    return {
        "id": one.id, "kind": one.kind, "title": both(one.title), "about": one.about, "made_at": iso(one.made_at),
        "from_at": iso(one.from_at), "to_at": iso(one.to_at), "version": one.version,
    }  # fmt: skip


def whole(one: Document) -> dict[str, Any]:
    """A document with its figures and texts; its pages are pages."""
    return {**in_short(one), "data": dict(one.data), "texts": dict(one.texts), "page": f"/documents/{one.id}"}
