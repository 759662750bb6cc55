"""API client on the standard library, quick to import."""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from cli.common import CommandError, home_folder

PORT = 7700
PATIENCE_SECONDS = 30.0
_OK = 300


class ServerNotRunning(CommandError):
    """Error: no server answers."""


class ApiRefusal(CommandError):
    """Refusal by Tocsin; the text is its reason, `document` the rest of the answer."""

    def __init__(self, status: int, reason: str, document: Any = None) -> None:
        self.status = status
        self.document = document
        super().__init__(reason)


def api_address() -> tuple[str, int]:
    """Address of this home's API.

    Raises:
        ServerNotRunning: this home is not running, as far as its files say.
    """
    folder = home_folder()
    try:
        state = json.loads((folder / "run" / "state.json").read_text(encoding="utf-8"))
        parts = urlsplit(str(state["url"]))
        return parts.hostname or "127.0.0.1", int(state["port"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    port = os.environ.get("TOCSIN_PORT", "")
    if port:
        if not port.isdigit():
            raise CommandError(f"TOCSIN_PORT is {port[:20]!r}: a port is a number, for example {PORT}")
        return "127.0.0.1", int(port)
    if folder.exists():
        # Another installation may listen on the usual port: what is meant for this home must not land there.
        raise ServerNotRunning(f"Tocsin is not running on {folder}: type `tocsin up`")
    return "127.0.0.1", PORT


def get(path: str, token: str, **query: Any) -> Any:
    """Answer of the API to a GET."""
    wanted = urlencode({name: value for name, value in query.items() if value not in (None, "")})
    return call("GET", f"{path}?{wanted}" if wanted else path, token)


def post(path: str, token: str, document: dict[str, Any], *, patience: float = PATIENCE_SECONDS) -> Any:
    """Answer of the API to a POST."""
    return call("POST", path, token, document, patience=patience)


def call(
    method: str,
    path: str,
    token: str,
    document: dict[str, Any] | None = None,
    *,
    patience: float = PATIENCE_SECONDS,
) -> Any:
    """Send one request.

    Raises:
        ServerNotRunning: nobody answers, or not in time.
        ApiRefusal: the answer is no.
    """
    from http.client import HTTPConnection, HTTPException

    host, port = api_address()
    headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    body = None
    if document is not None:
        body = json.dumps(document).encode()
        headers["Content-Type"] = "application/json"
    connection = HTTPConnection(host, port, timeout=patience)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        status, text = answer.status, answer.read()
    except UnicodeError:
        raise CommandError("the token has characters that no token has: check TOCSIN_TOKEN") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ServerNotRunning(
            f"Tocsin does not answer on {host}:{port} ({reason.lower()}): type `tocsin up`, or set TOCSIN_HOME"
        ) from None
    finally:
        connection.close()
    return _read(status, text)


def _read(status: int, text: bytes) -> Any:
    try:
        answer = json.loads(text)
    except ValueError:
        raise CommandError(f"what listens there is not Tocsin (HTTP {status}): check TOCSIN_PORT") from None
    if status >= _OK:
        reason = answer.get("error") if isinstance(answer, dict) else None
        raise ApiRefusal(status, str(reason or f"HTTP {status}"), answer)
    return answer


def incident_path(ref: str, what: str = "") -> str:
    """Path of an incident, or of a resource below it."""
    return f"/api/incidents/{quote(ref, safe='')}" + (f"/{what}" if what else "")
