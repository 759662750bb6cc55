"""Secret references in a channel file: environment variables and Prefect's Secret blocks.

`${NAME}` is an environment variable, `${block:NAME}` a Secret block; `block:NAME` in the place of a whole
address is a Secret block that holds it. Nothing here imports Prefect: its server is asked over HTTP, with
the variables that its own client uses. Nothing is kept on disk.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

PREFECT_SECONDS = 3.0
_REFERENCE = re.compile(r"\$\{(?P<kind>block:)?(?P<name>[A-Za-z_][\w-]*)\}")
_WHOLE_BLOCK = re.compile(r"block:(?P<name>[A-Za-z_][\w-]*)")
_EXAMPLE = "set it where Tocsin is started"


class SecretMissing(Exception):
    """Error of a reference that cannot be resolved.

    Attributes:
        reason: What is wrong; names the reference, never a value.
        remedy: What would be right.
        passing: The server that would know did not answer: the same file may be right a moment later.
    """

    def __init__(self, reason: str, remedy: str, *, passing: bool = False) -> None:
        """Build the one-line text from its two halves."""
        super().__init__(f"{reason}; {remedy}")
        self.reason, self.remedy, self.passing = reason, remedy, passing


ReadBlock = Callable[[str], str]


def read_prefect_block(name: str) -> str:
    """The value of Prefect's Secret block `name`, asked of the server at `PREFECT_API_URL`.

    Prefect REST API, "Read Block Document By Name For Block Type", with `include_secrets`.

    Raises:
        SecretMissing: There is no server, no such block, or no text in it.
    """
    import httpx  # noqa: PLC0415 - for those alone who use blocks

    url = os.environ.get("PREFECT_API_URL", "").rstrip("/")
    if not url:
        raise SecretMissing(f"`block:{name}` needs Prefect's server", "name it in PREFECT_API_URL, or use `${NAME}`")
    headers = {}
    if key := os.environ.get("PREFECT_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    elif pair := os.environ.get("PREFECT_API_AUTH_STRING"):
        import base64  # noqa: PLC0415 - as httpx

        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    path = f"{url}/block_types/slug/secret/block_documents/name/{quote(name, safe='')}"
    try:
        answer = httpx.get(path, params={"include_secrets": "true"}, headers=headers, timeout=PREFECT_SECONDS)
        document = answer.json() if answer.status_code == httpx.codes.OK else {}
    except (httpx.HTTPError, ValueError):
        remedy = "start it, or use `${NAME}` where channels must work without it"
        raise SecretMissing(f"`block:{name}`: Prefect's server does not answer", remedy, passing=True) from None
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise SecretMissing(f"Prefect has no Secret block `{name}`", "make it under that name")
    if answer.status_code != httpx.codes.OK:
        reason = f"`block:{name}`: Prefect's server answered {answer.status_code}"
        passing = answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
        raise SecretMissing(reason, "check PREFECT_API_KEY or PREFECT_API_AUTH_STRING", passing=passing)
    value = document.get("data", {}).get("value")
    if not isinstance(value, str) or not value:
        raise SecretMissing(f"Secret block `{name}` holds no text", "give it one line of text")
    return value


@dataclass(repr=False)
class SecretReferences:
    """Resolver of references while one file is read: each block is fetched once.

    Attributes:
        environment: Of this process, unless a test gives another.
        read_block: How a Secret block is read.
        found: Every value that was put in, for the log's filter.
    """

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    read_block: ReadBlock = read_prefect_block
    found: set[str] = field(default_factory=set)
    _blocks: dict[str, str] = field(default_factory=dict)

    def resolve(self, text: str) -> str:
        """Resolve the references in `text`: percent-encoded inside an address, verbatim where one is the whole.

        Raises:
            SecretMissing: One of them leads to nothing.
        """
        whole = _WHOLE_BLOCK.fullmatch(text)
        if whole:
            return self._block(whole["name"])
        only = _REFERENCE.fullmatch(text)
        if only:
            return self._value(only)
        encode = "://" in text
        return _REFERENCE.sub(lambda m: quote(self._value(m), safe="") if encode else self._value(m), text)

    def _value(self, match: re.Match[str]) -> str:
        if match["kind"]:
            return self._block(match["name"])
        value = self.environment.get(match["name"], "").strip()
        if not value:
            raise SecretMissing(f"the environment variable {match['name']} is not set", _EXAMPLE)
        self.found.add(value)
        return value

    def _block(self, name: str) -> str:
        if name not in self._blocks:
            self._blocks[name] = self.read_block(name).strip()
            self.found.add(self._blocks[name])
        return self._blocks[name]


def has_reference(text: str) -> bool:
    """Whether `text` holds a reference."""
    return bool(_WHOLE_BLOCK.fullmatch(text) or _REFERENCE.search(text))
