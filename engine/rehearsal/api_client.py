"""API client of a running installation: its HTTP API and its inbox, as any user has them."""

from __future__ import annotations

import time
import uuid
from typing import Any
from urllib.parse import quote

import httpx

_OK = 300
_PAGE = 1_000


class RehearsalError(Exception):
    """The rehearsal cannot be held, or cannot go on; one line that says what would be right."""


class RequestRefused(RehearsalError):
    """Tocsin refused a request."""


class RehearsalClient:
    """Client of one installation; safe to use from several threads."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=15.0, trust_env=False, follow_redirects=False)
        self._since = 0

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """Send a GET request.

        Raises:
            RehearsalError: nobody answers.
            RequestRefused: the answer is no.
        """
        return self._ask("GET", path, params=query)

    def post(self, path: str, document: dict[str, Any], token: str = "") -> Any:
        """Post a command in the name of the token's owner; without a token, in the console's."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._ask("POST", path, json={"id": str(uuid.uuid4()), **document}, headers=headers)

    def record(self, path: str, document: dict[str, Any], token: str = "") -> Any:
        """Post a command that has no id of its own: recorded twice it is the same."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._ask("POST", path, json=document, headers=headers)

    def submit_form(self, link: str, form: dict[str, str]) -> str:
        """Open the page behind a link and send its form; the reason where it did not work."""
        try:
            page = self._patiently("GET", link, {})
            if page.status_code >= _OK or 'name="csat"' not in page.text:
                return f"it answered {page.status_code}, and asks nothing"
            answer = self._patiently("POST", link, {"data": form})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"nobody answers there ({type(error).__name__})"
        # Asked once more after the line was cut, it may say that there is an answer: it is this one.
        taken = answer.status_code < _OK or answer.status_code == httpx.codes.CONFLICT
        return "" if taken else f"it answered {answer.status_code}"

    def acknowledge(self, link: str) -> str:
        """Press the button behind an acknowledge link; the reason where it did not work."""
        try:
            answer = self._http.post(link)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"nobody answers there ({type(error).__name__})"
        return "" if answer.status_code < _OK else f"it answered {answer.status_code}"

    def new_messages(self) -> list[dict[str, Any]]:
        """List messages of the inbox that came since the last call."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.get("/inbox/api/messages", since=self._since, limit=_PAGE)["messages"]
            found += page
            if page:
                self._since = int(page[-1]["id"])
            if len(page) < _PAGE:
                return found

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._patiently(method, path, options)
        except httpx.HTTPError as error:
            raise RehearsalError(f"Tocsin does not answer ({type(error).__name__}): see `tocsin doctor`") from None
        try:
            document = answer.json()
        except ValueError:
            raise RehearsalError(f"what answers there is not Tocsin (HTTP {answer.status_code})") from None
        if answer.status_code >= _OK:
            raise RequestRefused(str(document.get("error") or f"HTTP {answer.status_code}"))
        return document

    def _patiently(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        """The web process may be starting again: a few seconds are nothing to a person."""
        ends = time.monotonic() + 5.0
        while True:
            try:
                return self._http.request(method, path, **options)
            except httpx.TransportError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.2)


def incident_path(ref: str, what: str = "") -> str:
    """The API path of an incident, or of something about it."""
    return f"/api/incidents/{quote(ref, safe='')}" + (f"/{what}" if what else "")
