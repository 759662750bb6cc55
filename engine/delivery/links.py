"""Acknowledge links: signed, each naming a response, a step and a person; they expire after seven days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

LIFE = timedelta(days=7)


class BadLink(ValueError):
    """A link is altered or expired; the message says what to do instead."""


class ForeignLink(BadLink):
    """A link is signed with our key, but names something that we do not know."""


@dataclass(frozen=True, slots=True)
class AcknowledgeLink:
    """What an acknowledge link stands for. An empty step is the incident as a whole."""

    response: str
    step: str
    person: str


class AcknowledgeLinks:
    """Signer and reader of acknowledge links. The key never leaves this object."""

    def __init__(self, key: str, base: str) -> None:
        self._signer = URLSafeTimedSerializer(key, salt="tocsin-acknowledge")
        self._base = base.rstrip("/")

    def make_url(self, link: AcknowledgeLink) -> str:
        """Return the address of the page on which `link.person` acknowledges."""
        return f"{self._base}/a/{self._signer.dumps([link.response, link.step, link.person])}"

    def read_token(self, token: str) -> AcknowledgeLink:
        """Return what a token stands for.

        Raises:
            BadLink: altered, or older than `LIFE`.
        """
        try:
            response, step, person = self._signer.loads(token, max_age=int(LIFE.total_seconds()))
        except SignatureExpired:
            raise BadLink("this link has expired: open the incident's page, or ask the commander") from None
        except (BadSignature, ValueError, TypeError):
            raise BadLink("this link is not whole: open it from the message itself, all of it") from None
        return AcknowledgeLink(response, step, person)
