"""Every refusal and failure is one clear line: JSON for programs, a page for people. Never a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from domain.handle import Refused
from engine.links import BadLink
from playbooks.errors import BadFile, one_line
from playbooks.library import UnknownPlaybook
from playbooks.rulebook import UnknownRule
from storage.database import StorageError
from storage.incidents import UnknownIncident
from storage.settings import SettingsError
from web.asking import NotKnown
from web.language import page

LONGEST = 500
_STATUS: dict[type[Exception], int] = {
    Refused: 409,
    UnknownIncident: 404,
    UnknownPlaybook: 404,
    UnknownRule: 404,
    NotKnown: 401,
    BadLink: 400,
    StorageError: 503,
    BadFile: 503,
    SettingsError: 503,
}
_WORDS = {404: "there is no such page", 405: "this address does not take that kind of request"}


def install(app: FastAPI) -> None:
    """Teach the application how to say no."""
    for kind, status in _STATUS.items():
        app.add_exception_handler(kind, _said(status))
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(SQLAlchemyError, _storage)
    app.add_exception_handler(Exception, _unexpected)


def answer(request: Request, status: int, error: str) -> Response:
    """The line, in the form that the asker reads."""
    line = one_line(error, LONGEST)
    headers = {"www-authenticate": "Bearer"} if status == 401 else None  # noqa: PLR2004 - HTTP's own number
    path = request.url.path
    if path.startswith(("/api/", "/inbox/api/", "/healthz")) or "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"error": line}, status, headers=headers)
    return page(request, "error.html", status, headers=headers, error=line, code=status)


def _said(status: int) -> Any:
    async def handler(request: Request, error: Exception) -> Response:
        return answer(request, status, str(error).splitlines()[0] if str(error) else type(error).__name__)

    return handler


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it was registered for
    return answer(request, 422, explain(error.errors()))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it was registered for
    return answer(request, error.status_code, _WORDS.get(error.status_code, str(error.detail)))


async def _storage(request: Request, error: Exception) -> Response:
    return answer(request, 503, f"the database does not take more just now ({type(error).__name__}): try again")


async def _unexpected(request: Request, error: Exception) -> Response:
    return answer(request, 500, f"something is wrong in Tocsin ({type(error).__name__}): see the log of `web`")


def explain(errors: Sequence[Any]) -> str:
    """The first mistake as `field: what would be right`."""
    first = errors[0]
    kind, place = first["type"], [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    field = ".".join(place) or "body"
    if kind == "json_invalid":
        return 'body: this is not JSON; send an object such as {"title": "checkout is down"}'
    if kind == "extra_forbidden":
        return f"{field}: there is no such field here; see /api/openapi.json"
    if kind == "missing":
        return f"{field}: is missing" if place else "body: send a JSON object"
    said = str(first["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return f"{field}: {said[:1].lower()}{said[1:]}"
