"""Error responses: one clear line, JSON for programs and a page for people, never a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from markupsafe import Markup
from starlette.exceptions import HTTPException

from domain.command_handlers import CommandRefused
from engine.delivery.links import BadLink
from locales.refusals import localize_refusal
from playbooks.errors import BadFile, one_line
from playbooks.playbook_library import UnknownPlaybook
from playbooks.rulebook import UnknownRule
from storage.database import StorageError
from storage.incidents.incidents import UnknownIncident
from storage.settings import SettingsError
from web.auth.authentication import AccessDenied, NotAuthenticated
from web.http.page_rendering import negotiate_language, render_page

LONGEST = 500
_STATUS: dict[type[Exception], int] = {
    CommandRefused: 409,
    UnknownIncident: 404,
    UnknownPlaybook: 404,
    UnknownRule: 404,
    AccessDenied: 403,
    BadLink: 400,
    StorageError: 503,
    BadFile: 503,
    SettingsError: 503,
}
_WORDS = {404: "there is no such page", 405: "this address does not take that kind of request"}


def install_error_handlers(app: FastAPI) -> None:
    """Register the error handlers of the application."""
    for kind, status in _STATUS.items():
        app.add_exception_handler(kind, _said(status))
    app.add_exception_handler(NotAuthenticated, _not_known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OverflowError, _too_large)
    app.add_exception_handler(Exception, _unexpected)


def error_response(request: Request, status: int, error: str) -> Response:
    """Error response in the form that the client reads: JSON or a page."""
    line = one_line(error, LONGEST)
    headers = {"www-authenticate": "Bearer"} if status == 401 else None  # noqa: PLR2004 - HTTP's own number
    if request.headers.get("hx-request") == "true":  # a button of a page: said above it, nothing else changes
        return _in_place(request, status, line)
    if not wants_page(request):
        return JSONResponse({"error": line}, status, headers=headers)
    return render_page(request, "error.html", status, headers=headers, error=line, code=status)


def _in_place(request: Request, status: int, line: str) -> Response:
    there = {"hx-retarget": "#flash", "hx-reselect": ".error", "hx-reswap": "innerHTML", "hx-replace-url": "false"}
    said = localize_refusal(line, negotiate_language(request))
    html = Markup('<p class="error" role="alert">{0}</p>').format(said)
    return HTMLResponse(html, status, headers=there)


def _said(status: int) -> Any:
    async def handler(request: Request, error: Exception) -> Response:
        return error_response(request, status, str(error).splitlines()[0] if str(error) else type(error).__name__)

    return handler


async def _not_known(request: Request, error: Exception) -> Response:
    if wants_page(request):
        came = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        back = came if request.method == "GET" else _page_before(request)
        return RedirectResponse(f"/login?next={quote(back, safe='/')}", 303)
    return error_response(request, 401, str(error))


def _page_before(request: Request) -> str:
    """The page from which a form was sent, if it is one of ours."""
    before = urlsplit(request.headers.get("referer", ""))
    return before.path or "/" if before.netloc == request.headers.get("host", "") else "/"


def wants_page(request: Request) -> bool:
    """Whether the client is a person's browser rather than a program."""
    api = request.url.path.startswith(("/api/", "/inbox/api/", "/healthz"))
    return not api and "text/html" in request.headers.get("accept", "")


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it was registered for
    return error_response(request, 422, first_validation_error(error.errors()))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it was registered for
    return error_response(request, error.status_code, _WORDS.get(error.status_code, str(error.detail)))


async def _too_large(request: Request, error: Exception) -> Response:  # noqa: ARG001 - what handlers are called with
    return error_response(request, 422, "a number is larger than any that can be meant: send a smaller one")


async def _unexpected(request: Request, error: Exception) -> Response:
    return error_response(request, 500, f"something is wrong in Tocsin ({type(error).__name__}): see the log of `web`")


def first_validation_error(errors: Sequence[Any]) -> str:
    """First validation error as `field: what would be right`."""
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
