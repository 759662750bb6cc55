"""The way to the API, by the standard library: quick to import."""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from cli.frame import Trouble, home

PORT = 7700
PATIENCE_SECONDS = 30.0
_OK = 300


class NotRunning(Trouble):
    """Nobody answers."""


class Refusal(Trouble):
    """Tocsin answered no; the text is its reason, `document` what else it said."""

    def __init__(self, status: int, reason: str, document: Any = None) -> None:
        self.status = status
        self.document = document
        super().__init__(reason)


def address() -> tuple[str, int]:
    """Where the API of this home listens.

    Raises:
        NotRunning: this home is not running, as far as its files say.
    """
    folder = home()
    try:
        state = json.loads((folder / "run" / "state.json").read_text(encoding="utf-8"))
        parts = urlsplit(str(state["url"]))
        return parts.hostname or "127.0.0.1", int(state["port"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    port = os.environ.get("TOCSIN_PORT", "")
    if port:
        if not port.isdigit():
            raise Trouble(f"TOCSIN_PORT is {port[:20]!r}: a port is a number, for example {PORT}")
        return "127.0.0.1", int(port)
    if folder.exists():
        # Another installation may listen on the usual port: what is meant for this home must not land there.
        raise NotRunning(f"Tocsin is not running on {folder}: type `tocsin up`")
    return "127.0.0.1", PORT


def get(path: str, token: str, **query: Any) -> Any:
    """What the API answers to a look."""
    wanted = urlencode({name: value for name, value in query.items() if value not in (None, "")})
    return call("GET", f"{path}?{wanted}" if wanted else path, token)


def post(path: str, token: str, document: dict[str, Any], *, patience: float = PATIENCE_SECONDS) -> Any:
    """What the API answers to a command."""
    return call("POST", path, token, document, patience=patience)


def call(
    method: str,
    path: str,
    token: str,
    document: dict[str, Any] | None = None,
    *,
    patience: float = PATIENCE_SECONDS,
) -> Any:
    """One request.

    Raises:
        NotRunning: nobody answers, or not in time.
        Refusal: the answer is no.
    """
    from http.client import HTTPConnection, HTTPException

    host, port = address()
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
        raise Trouble("the token has characters that no token has: check TOCSIN_TOKEN") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NotRunning(
            f"Tocsin does not answer on {host}:{port} ({reason.lower()}): type `tocsin up`, or set TOCSIN_HOME"
        ) from None
    finally:
        connection.close()
    return _read(status, text)


def _read(status: int, text: bytes) -> Any:
    try:
        answer = json.loads(text)
    except ValueError:
        raise Trouble(f"what listens there is not Tocsin (HTTP {status}): check TOCSIN_PORT") from None
    if status >= _OK:
        reason = answer.get("error") if isinstance(answer, dict) else None
        raise Refusal(status, str(reason or f"HTTP {status}"), answer)
    return answer


def incident_path(ref: str, what: str = "") -> str:
    """The address of an incident, or of something about it."""
    return f"/api/incidents/{quote(ref, safe='')}" + (f"/{what}" if what else "")
